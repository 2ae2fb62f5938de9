-- +goose Up
CREATE TABLE audit (
    id        TEXT COLLATE "C" PRIMARY KEY,
    workspace TEXT COLLATE "C" NOT NULL,
    token     TEXT COLLATE "C" NOT NULL,
    action    TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL,
    request   TEXT COLLATE "C" NOT NULL,
    created   BIGINT NOT NULL
);
CREATE INDEX audit_list ON audit (workspace, created, id);

-- +goose Down
DROP TABLE audit;
