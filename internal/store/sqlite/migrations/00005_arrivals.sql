-- +goose Up
-- The deliveries of a transaction that have no row yet, until each of them has one.
CREATE TABLE arrivals (
    id         INTEGER PRIMARY KEY,
    deliveries TEXT NOT NULL
);

-- +goose Down
DROP TABLE arrivals;
