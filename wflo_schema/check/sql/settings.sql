-- One row: a default for session_replication_role that sessions of this database get when they log in.
-- "role" is NULL for all roles; "can_write" says whether the role may log in and write to one
-- of the relations, by itself or after SET ROLE.
SELECT
    r.rolname::text AS role,
    s.setdatabase <> 0 AS is_for_database,
    lower(pg_catalog.split_part(e.entry, '=', 2)) AS value,
    coalesce(r.rolcanlogin, true) AS can_login,
    (
        s.setrole = 0
        OR (
            r.rolcanlogin
            AND EXISTS (
                SELECT 1
                FROM pg_catalog.unnest(%(relations)s::oid[]) AS t(oid)
                CROSS JOIN pg_catalog.pg_roles AS m
                WHERE
                    pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')
                    AND (
                        pg_catalog.has_any_column_privilege(m.oid, t.oid, 'INSERT, UPDATE')
                        OR pg_catalog.has_table_privilege(m.oid, t.oid, 'DELETE')
                    )
            )
        )
    ) AS can_write
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS e(entry)
WHERE
    (s.setdatabase = 0 OR s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
    AND lower(pg_catalog.split_part(e.entry, '=', 1)) = 'session_replication_role'
ORDER BY s.setrole, s.setdatabase
