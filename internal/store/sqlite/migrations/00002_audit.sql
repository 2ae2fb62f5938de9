-- +goose Up
CREATE TABLE audit (
    id        TEXT PRIMARY KEY,
    workspace TEXT NOT NULL,
    token     TEXT NOT NULL,
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    request   TEXT NOT NULL,
    created   BIGINT NOT NULL
);
CREATE INDEX audit_list ON audit (workspace, created, id);

-- +goose Down
DROP TABLE audit;
