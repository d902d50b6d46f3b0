-- one row: has one of these databases what a copy of it lacks: settings but for our own, grants, another owner, labels?
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = ANY (%(names)s::text[])
        AND (
            d.datacl IS NOT NULL
            OR pg_catalog.pg_get_userbyid(d.datdba) <> SESSION_USER
            OR EXISTS (
                SELECT
                FROM pg_catalog.pg_shseclabel AS l
                WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND l.objoid = d.oid
            )
            OR EXISTS (
                SELECT
                FROM pg_catalog.pg_db_role_setting AS s
                WHERE s.setdatabase = d.oid
                    AND (
                        s.setrole = 0
                        OR pg_catalog.pg_get_userbyid(s.setrole) <> SESSION_USER
                        OR s.setconfig <> ARRAY['search_path=' || pg_catalog.current_setting('search_path')]
                    )
            )
        )
)
