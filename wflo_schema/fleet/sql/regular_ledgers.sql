-- one row: a schema whose ledger has yoyo's three tables, as they are made here, and no other; this role may read them.
-- $1: the names of all tables that a ledger may have
SELECT n.nspname AS schema
FROM (
    SELECT c.relnamespace AS place
    FROM pg_catalog.pg_class AS c
    WHERE c.relname = ANY ($1::text[])
    GROUP BY c.relnamespace
    HAVING pg_catalog.count(*) = 3
        AND pg_catalog.bool_or(c.relname = '_yoyo_migration' AND c.relnatts = 4)
        AND pg_catalog.bool_and(
            c.relname !~ '^_wflo_'
            AND c.relkind = 'r'
            AND c.relpersistence = 'p'
            AND NOT (c.relhastriggers OR c.relhasrules OR c.relrowsecurity OR c.relhassubclass OR c.relispartition)
            AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
        )
) AS regular
JOIN pg_catalog.pg_namespace AS n ON n.oid = regular.place
WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE')
