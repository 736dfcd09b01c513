-- The tenant that the transaction is in. It is believed only with its signature, since whoever can run SQL can set it; the
-- key is read with the owner's rights, as those who ask have none to it. Unset there is no tenant, and so nothing to see.
CREATE FUNCTION loam_tenant() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    signed text := current_setting('app.tenant', true);
    tenant text := split_part(signed, '.', 1);
    key bytea;
BEGIN
    IF signed IS NULL OR signed = '' THEN
        RETURN NULL;
    END IF;
    SELECT secret INTO key FROM public.tenant_wall;
    IF encode(sha256(key || sha256(key || convert_to(tenant, 'UTF8'))), 'hex') IS DISTINCT FROM split_part(signed, '.', 2) THEN
        RAISE insufficient_privilege USING MESSAGE = 'the tenant of this transaction is not signed';
    END IF;
    RETURN tenant::uuid;
END $$
