-- What an order's timeline shows beside its own times. Of older orders it is not known.
ALTER TABLE orders
    ADD COLUMN traceparent text,
    -- When the sidecar had stored the payment's outcome.
    ADD COLUMN outcome_received_at timestamptz;
