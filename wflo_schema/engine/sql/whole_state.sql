-- one row: whether the server has a database, tablespace or subscription ($1) of that name
SELECT
    CASE $1::text
        WHEN 'database' THEN EXISTS (SELECT FROM pg_catalog.pg_database AS d WHERE d.datname = $2::text)
        WHEN 'tablespace' THEN EXISTS (SELECT FROM pg_catalog.pg_tablespace AS t WHERE t.spcname = $2::text)
        ELSE EXISTS (
            SELECT
            FROM pg_catalog.pg_subscription AS s
            JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
            WHERE s.subname = $2::text AND d.datname = pg_catalog.current_database()
        )
    END AS is_there
