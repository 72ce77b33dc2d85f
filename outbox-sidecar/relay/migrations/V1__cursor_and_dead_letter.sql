-- How far each bucket of each outbox has been published, and who publishes it.
CREATE TABLE outbox_sidecar.cursor (
    outbox       text        NOT NULL,
    bucket       integer     NOT NULL,
    published    pg_snapshot NOT NULL,
    window_until pg_snapshot,
    window_after bigint,
    owner        uuid,
    epoch        bigint      NOT NULL DEFAULT 0,
    expires_at   timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (outbox, bucket),
    CHECK ((window_until IS NULL) = (window_after IS NULL)),
    CHECK ((owner IS NULL) = (expires_at IS NULL))
)
-- Every publication updates a few rows here: room for HOT updates, and a vacuum
-- that comes early.
WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Rows that can never be published as they are, with the reason.
CREATE TABLE outbox_sidecar.dead_letter (
    outbox     text        NOT NULL,
    position   bigint      NOT NULL,
    message_id text,
    key        text,
    reason     text        NOT NULL,
    dead_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (outbox, position)
);
