-- Finds the sidecar's dead letters, to list and count them.
CREATE INDEX inbox_dead ON inbox (topic, partition, kafka_offset)
    WHERE dead_at IS NOT NULL AND processed_at IS NULL;
