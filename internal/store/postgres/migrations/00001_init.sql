-- Times are microseconds since 1970, 0 for none. Lists are JSON. Sealed values and hashes are the only forms of secrets.
-- What is compared or sorted has the collation "C", so that pages and indexes do not depend on the database's locale.

-- +goose Up
CREATE TABLE workspaces (
    id      TEXT COLLATE "C" PRIMARY KEY,
    created BIGINT NOT NULL
);

CREATE TABLE tokens (
    id        TEXT COLLATE "C" PRIMARY KEY,
    workspace TEXT COLLATE "C" NOT NULL,
    role      TEXT NOT NULL,
    name      TEXT NOT NULL,
    prefix    TEXT NOT NULL,
    hash      BYTEA NOT NULL UNIQUE,
    created   BIGINT NOT NULL,
    last_used BIGINT NOT NULL
);
CREATE INDEX tokens_list ON tokens (workspace, created, id);

CREATE TABLE connections (
    id        TEXT COLLATE "C" PRIMARY KEY,
    workspace TEXT COLLATE "C" NOT NULL,
    name      TEXT NOT NULL,
    account   TEXT NOT NULL,
    livemode  BOOLEAN NOT NULL,
    last4     TEXT NOT NULL,
    sealed    BYTEA NOT NULL,
    created   BIGINT NOT NULL
);
CREATE INDEX connections_list ON connections (workspace, created, id);

CREATE TABLE endpoints (
    id          TEXT COLLATE "C" PRIMARY KEY,
    workspace   TEXT COLLATE "C" NOT NULL,
    connection  TEXT COLLATE "C" NOT NULL,
    connect     BOOLEAN NOT NULL,
    api_version TEXT COLLATE "C" NOT NULL,
    livemode    BOOLEAN NOT NULL,
    stripe_id   TEXT NOT NULL,
    secrets     TEXT NOT NULL,
    event_types TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    caught      BIGINT NOT NULL,
    created     BIGINT NOT NULL
);
CREATE UNIQUE INDEX endpoints_pool ON endpoints (connection, connect, api_version);

CREATE TABLE webhooks (
    id          TEXT COLLATE "C" PRIMARY KEY,
    workspace   TEXT COLLATE "C" NOT NULL,
    connection  TEXT COLLATE "C" NOT NULL,
    endpoint    TEXT COLLATE "C" NOT NULL,
    name        TEXT NOT NULL,
    event_group TEXT NOT NULL,
    event_types TEXT NOT NULL,
    url         TEXT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    reason      TEXT NOT NULL,
    secrets     TEXT NOT NULL,
    since       BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    detached    BIGINT NOT NULL -- when; 0 while attached
);
-- A list of event types can be too long for an index, its hash cannot.
CREATE UNIQUE INDEX webhooks_same ON webhooks (workspace, endpoint, hashtextextended(url || ' ' || event_types, 0)) WHERE detached = 0;
CREATE INDEX webhooks_url ON webhooks USING hash (url) WHERE detached = 0;
CREATE INDEX webhooks_list ON webhooks (workspace, created, id);
CREATE INDEX webhooks_connection ON webhooks (connection, created, id);
CREATE INDEX webhooks_endpoint ON webhooks (endpoint, created, id);
CREATE INDEX webhooks_state ON webhooks (workspace, state, created, id);
CREATE INDEX webhooks_detached ON webhooks (detached) WHERE detached > 0;

-- Which attached webhooks want a type of event; from webhooks.event_types.
CREATE TABLE wishes (
    endpoint TEXT COLLATE "C" NOT NULL,
    type     TEXT COLLATE "C" NOT NULL, -- '*' for all
    webhook  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (endpoint, type, webhook)
);
CREATE INDEX wishes_webhook ON wishes (webhook);

-- The queue of an attached webhook. Who claims its deliveries, gives them back or makes them due holds the lock of its row.
CREATE TABLE lanes (
    webhook TEXT COLLATE "C" PRIMARY KEY,
    open    BOOLEAN NOT NULL,          -- deliveries go out
    held    BIGINT NOT NULL DEFAULT 0, -- nothing is claimed before
    due     BIGINT NOT NULL            -- nor is there anything to claim before; the largest BIGINT if nothing is foreseen
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX lanes_due ON lanes (due) WHERE open;

CREATE TABLE events (
    id          TEXT COLLATE "C" NOT NULL,
    endpoint    TEXT COLLATE "C" NOT NULL,
    workspace   TEXT COLLATE "C" NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    account     TEXT NOT NULL,
    livemode    BOOLEAN NOT NULL,
    api_version TEXT NOT NULL,
    source      TEXT NOT NULL,
    object      TEXT COLLATE "C" NOT NULL, -- id of what it is about; empty if that has none
    created     BIGINT NOT NULL,
    received    BIGINT NOT NULL,
    body        BYTEA NOT NULL,
    PRIMARY KEY (id, endpoint)
);
CREATE INDEX events_list ON events (workspace, created, id, endpoint);
CREATE INDEX events_type ON events (workspace, type, created, id, endpoint);
CREATE INDEX events_object ON events (workspace, object, created, id, endpoint) WHERE object <> '';
CREATE INDEX events_endpoint ON events (endpoint, created, id);
CREATE INDEX events_received ON events (received);

CREATE TABLE deliveries (
    id          TEXT COLLATE "C" PRIMARY KEY,
    workspace   TEXT COLLATE "C" NOT NULL,
    webhook     TEXT COLLATE "C" NOT NULL,
    endpoint    TEXT COLLATE "C" NOT NULL,
    event       TEXT COLLATE "C" NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    reason      TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    next_at     BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    leased      BOOLEAN NOT NULL DEFAULT FALSE, -- if pending: next_at is the end of a lease
    log         TEXT NOT NULL DEFAULT ''        -- its attempts, a line of JSON each
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX deliveries_same ON deliveries (event, endpoint, webhook);
CREATE INDEX deliveries_due ON deliveries (webhook, next_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_leased ON deliveries (webhook, next_at) WHERE state = 'pending' AND leased;
CREATE INDEX deliveries_state ON deliveries (workspace, state, created, id);
CREATE INDEX deliveries_type ON deliveries (workspace, type, created, id);
CREATE INDEX deliveries_waiting ON deliveries (webhook, created, id) WHERE state = 'pending';
CREATE INDEX deliveries_done ON deliveries (webhook, state, created, id) WHERE state <> 'pending';

-- +goose Down
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE lanes;
DROP TABLE wishes;
DROP TABLE webhooks;
DROP TABLE endpoints;
DROP TABLE connections;
DROP TABLE tokens;
DROP TABLE workspaces;
