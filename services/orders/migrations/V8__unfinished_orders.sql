-- Finds the few orders that are not paid among all that are, newest first.
CREATE INDEX orders_unfinished ON orders (status, created_at DESC, id DESC) WHERE status <> 'FINISHED';
