-- Whether a row has to wait behind a parked one of its key, or is itself parked. A function, so
-- that its cost is stated and not estimated.
CREATE FUNCTION outbox_sidecar.waits(of_outbox text, of_key text, of_position bigint)
RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10 AS $$
BEGIN
    RETURN EXISTS (SELECT FROM outbox_sidecar.parked AS p
                   WHERE p.outbox = of_outbox AND p.key_hash = hashtextextended(of_key, 0)
                     AND p.key = of_key)
        OR EXISTS (SELECT FROM outbox_sidecar.parked AS p
                   WHERE p.outbox = of_outbox AND p.position = of_position);
END $$;
