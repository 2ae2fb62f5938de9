-- +goose Up
-- Of the event's arrival, as in a traceparent header; empty: nobody follows it.
ALTER TABLE events ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE events DROP COLUMN trace;
