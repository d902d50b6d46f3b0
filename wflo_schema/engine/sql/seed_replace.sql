-- one row: the record of a file, by the name and text that it has now; none where it is not as it was read
-- (with the time of before, or with that of now where it is run again)
UPDATE {schema}._wflo_schema_seed AS s
SET
    file_name = $4::text,
    checksum = $5::text,
    applied_at_utc = {moment}
WHERE s.set_name OPERATOR(pg_catalog.=) $1::text
    AND s.file_name OPERATOR(pg_catalog.=) $2::text
    AND s.applied_at_utc OPERATOR(pg_catalog.=) $3::timestamp
RETURNING s.file_name AS name
