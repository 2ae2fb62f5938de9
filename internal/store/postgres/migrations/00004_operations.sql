-- +goose Up
-- Where a workspace wants to be told of what needs a person.
CREATE TABLE operations (
    id        TEXT COLLATE "C" PRIMARY KEY,
    workspace TEXT COLLATE "C" NOT NULL UNIQUE,
    url       TEXT NOT NULL,
    secrets   TEXT NOT NULL,
    created   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE operations;
