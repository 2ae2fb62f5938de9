-- Times are microseconds since 1970, 0 for none. Lists are JSON. Sealed values and hashes are the only forms of secrets.

-- +goose Up
CREATE TABLE workspaces (
    id      TEXT PRIMARY KEY,
    created BIGINT NOT NULL
);

CREATE TABLE tokens (
    id        TEXT PRIMARY KEY,
    workspace TEXT NOT NULL,
    role      TEXT NOT NULL,
    name      TEXT NOT NULL,
    prefix    TEXT NOT NULL,
    hash      BLOB NOT NULL UNIQUE,
    created   BIGINT NOT NULL,
    last_used BIGINT NOT NULL
);
CREATE INDEX tokens_list ON tokens (workspace, created, id);

CREATE TABLE connections (
    id        TEXT PRIMARY KEY,
    workspace TEXT NOT NULL,
    name      TEXT NOT NULL,
    account   TEXT NOT NULL,
    livemode  BOOLEAN NOT NULL,
    last4     TEXT NOT NULL,
    sealed    BLOB NOT NULL,
    created   BIGINT NOT NULL
);
CREATE INDEX connections_list ON connections (workspace, created, id);

CREATE TABLE endpoints (
    id          TEXT PRIMARY KEY,
    workspace   TEXT NOT NULL,
    connection  TEXT NOT NULL,
    connect     BOOLEAN NOT NULL,
    api_version TEXT NOT NULL,
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
    id          TEXT PRIMARY KEY,
    workspace   TEXT NOT NULL,
    connection  TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    name        TEXT NOT NULL,
    event_group TEXT NOT NULL,
    event_types TEXT NOT NULL,
    url         TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    secrets     TEXT NOT NULL,
    since       BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    detached    BIGINT NOT NULL -- when; 0 while attached
);
CREATE UNIQUE INDEX webhooks_same ON webhooks (workspace, endpoint, url, event_types) WHERE detached = 0;
CREATE INDEX webhooks_list ON webhooks (workspace, created, id);
CREATE INDEX webhooks_connection ON webhooks (connection, created, id);
CREATE INDEX webhooks_endpoint ON webhooks (endpoint, created, id);
CREATE INDEX webhooks_detached ON webhooks (detached) WHERE detached > 0;

-- The body stands last, so that lists need not read past it.
CREATE TABLE events (
    id          TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    workspace   TEXT NOT NULL,
    type        TEXT NOT NULL,
    account     TEXT NOT NULL,
    livemode    BOOLEAN NOT NULL,
    api_version TEXT NOT NULL,
    source      TEXT NOT NULL,
    object      TEXT NOT NULL, -- id of what it is about; empty if that has none
    created     BIGINT NOT NULL,
    received    BIGINT NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (id, endpoint)
);
CREATE INDEX events_list ON events (workspace, created, id, endpoint);
CREATE INDEX events_type ON events (workspace, type, created, id, endpoint);
CREATE INDEX events_object ON events (workspace, object, created, id, endpoint) WHERE object <> '';
CREATE INDEX events_endpoint ON events (endpoint, created, id);
CREATE INDEX events_received ON events (received);

CREATE TABLE deliveries (
    id          TEXT PRIMARY KEY,
    workspace   TEXT NOT NULL,
    webhook     TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    event       TEXT NOT NULL,
    type        TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    next_at     BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    log         TEXT NOT NULL DEFAULT '' -- its attempts, a line of JSON each
) WITHOUT ROWID;
CREATE UNIQUE INDEX deliveries_same ON deliveries (event, endpoint, webhook);
CREATE INDEX deliveries_due ON deliveries (webhook, next_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_state ON deliveries (workspace, state, created, id);
CREATE INDEX deliveries_type ON deliveries (workspace, type, created, id);
CREATE INDEX deliveries_waiting ON deliveries (webhook, created, id) WHERE state = 'pending';
CREATE INDEX deliveries_done ON deliveries (webhook, state, created, id) WHERE state <> 'pending';

-- +goose Down
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE webhooks;
DROP TABLE endpoints;
DROP TABLE connections;
DROP TABLE tokens;
DROP TABLE workspaces;
