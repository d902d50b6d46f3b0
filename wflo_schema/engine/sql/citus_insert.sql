-- no row: records a migration as ledger_insert.sql does; $7: the hashes of its predecessors, $8: how many these are
BEGIN
    PERFORM 1 OPERATOR(pg_catalog./) pg_catalog.pg_try_advisory_xact_lock_shared($4::integer, $5::integer)::integer;
    IF $8::integer OPERATOR(pg_catalog.>) (
        SELECT pg_catalog.count(*)::integer
        FROM {schema}._yoyo_migration AS m
        WHERE m.migration_hash OPERATOR(pg_catalog.=) ANY ($7::varchar[])
    ) THEN
        RAISE not_null_violation USING MESSAGE = 'a migration that comes before it is not recorded';
    END IF;
    INSERT INTO {schema}._yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum)
    VALUES (
        $1::text,
        $2::text,
        GREATEST(
            pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',
            $6::timestamp OPERATOR(pg_catalog.+) '1 microsecond'::interval
        ),
        $3::text
    );
END
