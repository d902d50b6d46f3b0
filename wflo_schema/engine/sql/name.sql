-- one row: the name of our session, until the transaction ends; and, where the server's system can do it, how often the
-- server looks whether its client is still there
SELECT
    pg_catalog.set_config('application_name', $1::text, TRUE),
    CASE
        WHEN pg_catalog.version() OPERATOR(pg_catalog.~) 'linux'
            THEN pg_catalog.set_config('client_connection_check_interval', $2::text, TRUE)
    END
