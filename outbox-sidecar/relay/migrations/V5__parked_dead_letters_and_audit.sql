-- Rows that wait: one of each key that was refused and is tried again, and those behind it.
CREATE TABLE outbox_sidecar.parked (
    outbox     text        NOT NULL,
    position   bigint      NOT NULL,
    bucket     integer     NOT NULL,
    key        text,
    -- An index takes no key of any length.
    key_hash   bigint      GENERATED ALWAYS AS (hashtextextended(key, 0)) STORED,
    message_id text,
    attempts   integer     NOT NULL DEFAULT 0,
    reason     text,
    -- Null: behind another row of its key.
    retry_at   timestamptz,
    parked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (outbox, position)
)
-- Rows come and go, thousands at a time: the planner has to know.
WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0,
      autovacuum_analyze_threshold = 500, autovacuum_analyze_scale_factor = 0);
CREATE INDEX parked_by_key ON outbox_sidecar.parked (outbox, key_hash, position);
CREATE INDEX parked_by_time ON outbox_sidecar.parked (outbox, retry_at) WHERE retry_at IS NOT NULL;

ALTER TABLE outbox_sidecar.dead_letter
    ADD COLUMN attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN bucket   integer;

-- Dead letters of an inbox that were sent on their way again, until the owner of their partition has seen them.
CREATE TABLE outbox_sidecar.redriven (
    inbox      text    NOT NULL,
    message_id uuid    NOT NULL,
    topic      text    NOT NULL,
    partition  integer NOT NULL,
    PRIMARY KEY (inbox, message_id)
);

-- Messages that were alone with the application when it broke off: how often they were begun and not finished.
CREATE TABLE outbox_sidecar.suspect (
    inbox      text        NOT NULL,
    message_id uuid        NOT NULL,
    starts     integer     NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (inbox, message_id)
);

-- What people did.
CREATE TABLE outbox_sidecar.audit (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor         text        NOT NULL,
    database_user text        NOT NULL DEFAULT current_user,
    action        text        NOT NULL,
    subject       text        NOT NULL,
    detail        jsonb       NOT NULL DEFAULT '{}'
);

-- Dead letters on their way to a dead-letter topic.
CREATE TABLE outbox_sidecar.forward (
    side          text        NOT NULL,
    name          text        NOT NULL,
    id            text        NOT NULL,
    -- Until then a relay is at it.
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (side, name, id)
);
