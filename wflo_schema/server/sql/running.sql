-- One row: the server's data folder, whether it keeps data safe, the databases that let sessions in, its programs' folders.
SELECT
    pg_catalog.current_setting('data_directory') AS data_directory,
    pg_catalog.current_setting('fsync') = 'on' AS is_durable,
    ARRAY(
        SELECT datname::text
        FROM pg_catalog.pg_database
        WHERE datallowconn
        ORDER BY datname
    ) AS databases,
    ARRAY(
        SELECT setting
        FROM pg_catalog.pg_config
        WHERE name IN ('PKGLIBDIR', 'SHAREDIR')
        ORDER BY name
    ) AS folders
