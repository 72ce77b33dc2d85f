-- What tells an outbox from all others, wherever they are: names of Kafka
-- producers are made from it.
CREATE TABLE outbox_sidecar.identity (
    outbox text PRIMARY KEY,
    id     uuid NOT NULL DEFAULT gen_random_uuid()
);
