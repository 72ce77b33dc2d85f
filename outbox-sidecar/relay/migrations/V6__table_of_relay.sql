-- Which table a live relay publishes: one table is for one outbox only.
ALTER TABLE outbox_sidecar.relay ADD COLUMN published_table oid;
