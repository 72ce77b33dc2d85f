-- When Kafka had the payment's outcome, by the record's timestamp. Of older orders it is not known.
ALTER TABLE orders ADD COLUMN outcome_published_at timestamptz;
