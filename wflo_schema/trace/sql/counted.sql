-- one row: a relation that this transaction has scanned, and how often: also where the lock was given back since
SELECT c.oid::text AS oid, c.scans::text AS scans
FROM (
    SELECT r.oid, pg_catalog.pg_stat_get_xact_numscans(r.oid) AS scans
    FROM pg_catalog.pg_class AS r
    WHERE r.oid OPERATOR(pg_catalog.>=) 16384
        AND r.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,i}')
) AS c
WHERE c.scans OPERATOR(pg_catalog.>) 0
