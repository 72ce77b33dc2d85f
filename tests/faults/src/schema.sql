-- The reference tables of docs/using-the-sidecar.md.
CREATE TABLE outbox (
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    bucket         smallint NOT NULL GENERATED ALWAYS AS ((hashtext(aggregate_id) & 2147483647) % 8) STORED,
    id             uuid NOT NULL,
    aggregate_type text NOT NULL DEFAULT 'entity',
    aggregate_id   text NOT NULL,
    type           text NOT NULL DEFAULT 'entity.changed',
    payload        jsonb,
    headers        jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_bucket_xid ON outbox (bucket, xid);
CREATE INDEX outbox_bucket_position ON outbox (bucket, position);

CREATE TABLE inbox (
    message_id   uuid PRIMARY KEY,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint NOT NULL,
    key          bytea,
    type         text,
    payload      bytea,
    headers      jsonb NOT NULL DEFAULT '{}',
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    processed_at timestamptz,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text,
    dead_at      timestamptz
);
CREATE INDEX inbox_pending ON inbox (topic, partition, kafka_offset)
    WHERE processed_at IS NULL AND dead_at IS NULL;

-- What the writers change, and take turns on: one row per key.
CREATE TABLE entity (
    key    text PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0
);

-- What was committed, in the transactions themselves, with the order within the key.
CREATE TABLE ledger (
    id     uuid PRIMARY KEY,
    key    text NOT NULL,
    number bigint NOT NULL,
    fate   text NOT NULL
);

-- What was applied, in the order of application. Nothing here forbids a second time.
CREATE TABLE effect (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL
);
