-- When the sidecar had stored the task, for the order's timeline. Of older payments it is not known.
ALTER TABLE payments ADD COLUMN task_received_at timestamptz;
