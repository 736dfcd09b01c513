SELECT tbl_name, sql FROM sqlite_schema
WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL
UNION ALL
SELECT t.name, 'FOREIGN KEY (' || group_concat(f."from", ', ') || ') REFERENCES ' || f."table" || ' (' || group_concat(f."to", ', ')
    || ') ON DELETE ' || f.on_delete || ' ON UPDATE ' || f.on_update
FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
WHERE t.type = 'table'
GROUP BY t.name, f.id
UNION ALL
SELECT t.name, 'PRIMARY KEY (' || group_concat(c.name, ', ' ORDER BY c.pk) || ')'
FROM sqlite_schema t, pragma_table_info(t.name) c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'seaql_migrations' AND c.pk > 0
GROUP BY t.name
ORDER BY 1, 2
