-- When Kafka had the task, by the record's timestamp, for the order's timeline. Of older payments it is not known.
ALTER TABLE payments ADD COLUMN task_published_at timestamptz;
