-- The tenant that the transaction is in. It is believed only with its signature, since whoever can run SQL can set it; the
-- key is read with the owner's rights, as those who ask have none to it. Unset there is no tenant, and so nothing to see;
-- one that is not signed is an error, whose text is what the last branch fails to read. A view and not a function, as the
-- policies ask for every statement, and this costs half.
CREATE VIEW loam_tenant WITH (security_barrier) AS
SELECT CASE
    WHEN nullif(current_setting('app.tenant', true), '') IS NULL THEN NULL
    WHEN encode(sha256(secret || sha256(secret || convert_to(split_part(current_setting('app.tenant', true), '.', 1), 'UTF8'))), 'hex')
        = split_part(current_setting('app.tenant', true), '.', 2)
        THEN split_part(current_setting('app.tenant', true), '.', 1)::uuid
    ELSE ('the tenant of this transaction is not signed: ' || split_part(current_setting('app.tenant', true), '.', 1))::uuid
END AS id
FROM tenant_wall
