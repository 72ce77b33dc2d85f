-- The live relays of each outbox, among whom its buckets are shared out.
CREATE TABLE outbox_sidecar.relay (
    outbox     text        NOT NULL,
    relay      uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (outbox, relay)
)
-- Every relay updates its row several times per lease.
WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
