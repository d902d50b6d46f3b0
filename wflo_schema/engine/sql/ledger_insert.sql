-- no row: records a migration if its predecessors are recorded, else violates NOT NULL; divides by zero
-- while another run holds the lock of non-transactional migrations
-- (applied after $6, the last time that was read of the ledger, whatever the clock says)
INSERT INTO {schema}._yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum)
VALUES (
    CASE
        WHEN 1 OPERATOR(pg_catalog./) pg_catalog.pg_try_advisory_xact_lock_shared($4::integer, $5::integer)::integer
            OPERATOR(pg_catalog.=) 1{predecessors}
            THEN $1::text
    END,
    $2::text,
    GREATEST(
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',
        $6::timestamp OPERATOR(pg_catalog.+) '1 microsecond'::interval
    ),
    $3::text
)
