-- Which database the cursors of an outbox are from, to notice a restore, and the
-- highest position published, as of some seconds ago.
CREATE TABLE outbox_sidecar.origin (
    outbox         text        PRIMARY KEY,
    database       text        NOT NULL,
    position       bigint,
    -- Of the last restore: when it was noticed, the highest position published
    -- before it, and the highest that was there.
    restored_at    timestamptz,
    restored_after bigint,
    restored_until bigint,
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The cursors as they were when a restore was noticed.
CREATE TABLE outbox_sidecar.restored_cursor (
    outbox       text        NOT NULL,
    bucket       integer     NOT NULL,
    published    pg_snapshot NOT NULL,
    window_until pg_snapshot,
    window_after bigint,
    PRIMARY KEY (outbox, bucket)
);

-- Retained rows published again on somebody's behalf.
CREATE TABLE outbox_sidecar.replay (
    id            uuid        PRIMARY KEY,
    outbox        text        NOT NULL,
    actor         text        NOT NULL,
    database_user text        NOT NULL DEFAULT session_user,
    -- Which rows: those that meet all that is given.
    key           text,
    message_id    text,
    since         timestamptz,
    until         timestamptz,
    -- Up to this position, the last one when it was begun.
    through       bigint      NOT NULL,
    -- How far it has come, and with how many rows; refused ones could not be published.
    position      bigint,
    rows          bigint      NOT NULL DEFAULT 0,
    refused       bigint      NOT NULL DEFAULT 0,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz
);
