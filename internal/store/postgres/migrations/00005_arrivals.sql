-- +goose Up
-- Deliveries that have no row in deliveries yet, with one row for all that came in, or were claimed, together. Those that are
-- taken are nobody else's before until. Those that are not wait in the memory of a replica; from until on anybody may have them.
CREATE TABLE arrivals (
    id         TEXT COLLATE "C" PRIMARY KEY, -- begins with the replica's
    taken      BOOLEAN NOT NULL,
    until      BIGINT NOT NULL,
    deliveries TEXT NOT NULL -- JSON: events, each with the ids of its deliveries and of their webhooks
) WITH (autovacuum_vacuum_scale_factor = 0.05);
-- Ids hardly compress, and most of these rows are never read.
ALTER TABLE arrivals ALTER COLUMN deliveries SET STORAGE EXTERNAL;

-- What stands in arrivals. A delivery may be in one that waits and in one that is taken: then it is taken.
CREATE VIEW arriving AS
    SELECT a.id AS arrival, a.taken, a.until, (d ->> 0) COLLATE "C" AS id, (e ->> 'workspace') COLLATE "C" AS workspace,
        (d ->> 1) COLLATE "C" AS webhook, (e ->> 'endpoint') COLLATE "C" AS endpoint, (e ->> 'event') COLLATE "C" AS event,
        (e ->> 'type') COLLATE "C" AS type, (e ->> 'created')::BIGINT AS created
    FROM arrivals a CROSS JOIN LATERAL json_array_elements(a.deliveries::JSON) e CROSS JOIN LATERAL json_array_elements(e -> 'to') d;

-- The deliveries that have no row, each once. The LIMIT has each of them looked for by its id, however many the planner expects.
CREATE VIEW fresh AS
    SELECT DISTINCT ON (a.id) a.* FROM arriving a WHERE (SELECT 1 FROM deliveries d WHERE d.id = a.id LIMIT 1) IS NULL
    ORDER BY a.id, a.taken DESC;

-- +goose Down
INSERT INTO deliveries (id, workspace, webhook, endpoint, event, type, state, reason, attempts, tries, last_status, next_at, created, leased)
    SELECT id, workspace, webhook, endpoint, event, type, 'pending', '', 0, 0, 0, created, created, FALSE FROM fresh;
DROP VIEW fresh;
DROP VIEW arriving;
DROP TABLE arrivals;
