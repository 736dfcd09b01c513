-- Makes one month's partition of a table. It runs with its owner's rights, so that the server itself needs none: all it
-- can ask for is a month of a table that is partitioned already. The new table is made apart and then attached, which
-- holds up neither readers nor writers.
CREATE OR REPLACE FUNCTION loam_ensure_partition(parent text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    child text := parent || to_char(month, '_YYYY_MM');
    lower_ms bigint := extract(epoch FROM date_trunc('month', month::timestamp)) * 1000;
    upper_ms bigint := extract(epoch FROM date_trunc('month', month::timestamp) + interval '1 month') * 1000;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = parent AND relkind = 'p' AND relnamespace = 'public'::regnamespace) THEN
        RAISE EXCEPTION '% is not a partitioned table', parent;
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relispartition AND relnamespace = 'public'::regnamespace) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext(child));
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relispartition AND relnamespace = 'public'::regnamespace) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
    -- nobody is granted anything on a partition: naming it directly would go round the tenant policy of its parent
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, loam_app, loam_system', child);
    -- a UUIDv7 begins with its time in milliseconds, so a month is a range of ids
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
        (rpad(lpad(to_hex(lower_ms), 12, '0'), 32, '0'))::uuid, (rpad(lpad(to_hex(upper_ms), 12, '0'), 32, '0'))::uuid);
    -- over all months it would have to hold the id, and so hold for nothing
    IF parent = 'messages' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (tenant_id, session_id, sequence_number)', child || '_number_key', child);
    END IF;
    RETURN true;
END $$
