CREATE TABLE orders (
    id          uuid PRIMARY KEY,
    user_id     bigint NOT NULL CHECK (user_id > 0),
    amount      numeric(19,4) NOT NULL CHECK (amount > 0),
    description text NOT NULL DEFAULT '',
    status      text NOT NULL DEFAULT 'NEW'
                CHECK (status IN ('NEW', 'PENDING_PAYMENT', 'FINISHED', 'CANCELLED')),
    -- Why the order was cancelled.
    reason      text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Newest first, overall and per user; the id settles equal times.
CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
CREATE INDEX orders_newest_of_user ON orders (user_id, created_at DESC, id DESC);
