-- one row: how many more connections the server, this database and this role may have
SELECT
    LEAST(
        pg_catalog.current_setting('max_connections')::integer
            - pg_catalog.current_setting('superuser_reserved_connections')::integer
            - (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.backend_type = 'client backend'),
        (
            SELECT d.datconnlimit
                - (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.datname = d.datname)
            FROM pg_catalog.pg_database AS d
            WHERE d.datname = pg_catalog.current_database() AND d.datconnlimit > 0
        ),
        (
            SELECT r.rolconnlimit
                - (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.usename = r.rolname)
            FROM pg_catalog.pg_roles AS r
            WHERE r.rolname = SESSION_USER AND r.rolconnlimit > 0
        )
    ) AS "left"
