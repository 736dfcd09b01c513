WITH tables AS (
    SELECT oid, relname::text AS name, relacl, relrowsecurity, relforcerowsecurity
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname <> 'seaql_migrations'
)
SELECT t.name, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
-- from version 18 on, NOT NULL is a constraint; columns are compared by themselves
SELECT t.name, 'CONSTRAINT ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
WHERE c.contype IN ('p', 'u', 'f', 'c', 'x') AND c.conparentid = 0
UNION ALL
SELECT t.name, pg_get_triggerdef(g.oid)
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid
WHERE NOT g.tgisinternal
UNION ALL
SELECT t.name, 'ROW LEVEL SECURITY' || CASE WHEN t.relforcerowsecurity THEN ' FORCED' ELSE '' END
FROM tables t
WHERE t.relrowsecurity
UNION ALL
SELECT p.tablename::text, 'POLICY ' || p.policyname || ' ' || p.permissive || ' FOR ' || p.cmd || ' TO '
    || array_to_string(p.roles, ', ') || ' USING ' || coalesce(p.qual, '-') || ' WITH CHECK ' || coalesce(p.with_check, '-')
FROM pg_policies p
WHERE p.schemaname = 'public'
UNION ALL
SELECT t.name, 'GRANT ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) || ' TO '
    || coalesce(r.rolname::text, 'PUBLIC')
FROM tables t CROSS JOIN LATERAL aclexplode(t.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE a.grantee = 0 OR r.rolname IN ('loam_app', 'loam_system')
GROUP BY t.name, r.rolname
UNION ALL
SELECT t.name, 'GRANT ' || a.privilege_type || ' (' || string_agg(c.attname::text, ', ' ORDER BY c.attname) || ') TO '
    || coalesce(r.rolname::text, 'PUBLIC')
FROM tables t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attacl IS NOT NULL
    CROSS JOIN LATERAL aclexplode(c.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE a.grantee = 0 OR r.rolname IN ('loam_app', 'loam_system')
GROUP BY t.name, a.privilege_type, r.rolname
UNION ALL
SELECT 'function ' || p.proname, 'GRANT EXECUTE TO ' || string_agg(coalesce(r.rolname::text, 'PUBLIC'), ', ' ORDER BY r.rolname)
FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'loam%'
    AND (a.grantee = 0 OR r.rolname IN ('loam_app', 'loam_system'))
GROUP BY p.proname
ORDER BY 1, 2
