-- One row: whether a session of this database may start with standard_conforming_strings = off, by its own settings.
SELECT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS e(entry)
    WHERE
        (
            s.setdatabase = 0
            OR s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
        )
        AND e.entry LIKE 'standard_conforming_strings=%'
        AND lower(pg_catalog.split_part(e.entry, '=', 2)) NOT IN ('on', 'true', 'yes', '1')
) AS is_escaping
