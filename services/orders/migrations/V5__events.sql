-- What is told to whoever listens, such as the gateway for live updates. Like the outbox, and apart
-- from it, so that it holds up no work.
CREATE TABLE events (
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    bucket         smallint NOT NULL GENERATED ALWAYS AS ((hashtext(aggregate_id) & 2147483647) % 8) STORED,
    id             uuid NOT NULL,
    aggregate_type text NOT NULL,
    -- The ordering key: the user.
    aggregate_id   text NOT NULL,
    type           text NOT NULL,
    payload        jsonb,
    headers        jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX events_bucket_xid ON events (bucket, xid);
CREATE INDEX events_bucket_position ON events (bucket, position);
