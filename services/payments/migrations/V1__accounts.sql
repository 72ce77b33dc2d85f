CREATE TABLE accounts (
    id         uuid PRIMARY KEY,
    user_id    bigint NOT NULL UNIQUE CHECK (user_id > 0),
    balance    numeric(19,4) NOT NULL CHECK (balance >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
-- Room for updates in place: a balance changes far more often than an account
-- is opened, and no index covers it.
WITH (fillfactor = 70);

-- The outcome of each order's payment.
CREATE TABLE payments (
    id         uuid PRIMARY KEY,
    -- An order is paid once.
    order_id   uuid NOT NULL UNIQUE,
    -- Not a reference: a payment also fails because there is no account.
    user_id    bigint NOT NULL,
    amount     numeric(19,4) NOT NULL CHECK (amount > 0),
    status     text NOT NULL CHECK (status IN ('SUCCESS', 'FAILED')),
    reason     text CHECK ((reason IS NULL) = (status = 'SUCCESS')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX payments_newest_of_user ON payments (user_id, created_at DESC);

-- Every movement of a balance. Entries are written under the lock of the
-- account's row, so that id and created_at follow the order of the movements.
CREATE TABLE ledger (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       bigint NOT NULL REFERENCES accounts (user_id),
    kind          text NOT NULL CHECK (kind IN ('opening', 'top_up', 'withdrawal', 'payment')),
    amount        numeric(19,4) NOT NULL,
    balance_after numeric(19,4) NOT NULL CHECK (balance_after >= 0),
    order_id      uuid REFERENCES payments (order_id),
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((kind = 'payment') = (order_id IS NOT NULL)),
    CHECK (CASE kind WHEN 'opening' THEN amount >= 0 WHEN 'top_up' THEN amount > 0 ELSE amount < 0 END)
);
CREATE INDEX ledger_newest_of_user ON ledger (user_id, id DESC);
