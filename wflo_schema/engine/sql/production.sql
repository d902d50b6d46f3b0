-- one row: what the database is called here, and whether a setting of its own says that it is production's
SELECT
    pg_catalog.current_database() AS name,
    (
        SELECT pg_catalog.split_part(c.said, '=', 2)
        FROM pg_catalog.pg_db_role_setting AS s
        JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase
        CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (said)
        WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
            AND s.setrole OPERATOR(pg_catalog.=) 0::oid
            AND pg_catalog.split_part(c.said, '=', 1) OPERATOR(pg_catalog.=) 'wflo_schema.production'
    ) AS mark
