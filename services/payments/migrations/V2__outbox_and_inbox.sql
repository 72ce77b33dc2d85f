-- Messages to send. The service only inserts; the rest is the sidecar's.
CREATE TABLE outbox (
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    bucket         smallint NOT NULL GENERATED ALWAYS AS ((hashtext(aggregate_id) & 2147483647) % 8) STORED,
    id             uuid NOT NULL,
    aggregate_type text NOT NULL,
    -- The ordering key.
    aggregate_id   text NOT NULL,
    type           text NOT NULL,
    payload        jsonb,
    headers        jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_bucket_xid ON outbox (bucket, xid);
CREATE INDEX outbox_bucket_position ON outbox (bucket, position);

-- Messages received. The sidecar inserts; the service only marks them
-- processed, in the transaction of their effect.
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
-- Finds what is past its retention; messages are stored in the order of receipt.
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
