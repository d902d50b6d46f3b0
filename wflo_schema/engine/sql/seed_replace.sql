-- one row: the record of a file, by the name and text that it has now; none where it is not as it was read
-- ($6: it is run again, and the time is now)
UPDATE {schema}._wflo_schema_seed AS s
SET
    file_name = $4::text,
    checksum = $5::text,
    applied_at_utc = CASE
        WHEN $6::boolean THEN pg_catalog.statement_timestamp() AT TIME ZONE 'UTC'
        ELSE s.applied_at_utc
    END
WHERE s.set_name OPERATOR(pg_catalog.=) $1::text
    AND s.file_name OPERATOR(pg_catalog.=) $2::text
    AND s.applied_at_utc OPERATOR(pg_catalog.=) $3::timestamp
RETURNING s.file_name AS name
