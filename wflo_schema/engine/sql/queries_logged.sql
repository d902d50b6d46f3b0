-- one row: does a function of somebody's, as one that logs changes for an audit, read the text of the query that is run?
SELECT
    EXISTS (
        SELECT
        FROM pg_catalog.pg_proc AS p
        WHERE p.oid OPERATOR(pg_catalog.>=) 16384 -- those before it are PostgreSQL's own
            AND (
                pg_catalog.strpos(p.prosrc, 'current_query') OPERATOR(pg_catalog.>) 0
                OR pg_catalog.strpos(p.prosrc, 'CURRENT_QUERY') OPERATOR(pg_catalog.>) 0
            )
    ) AS are_logged
