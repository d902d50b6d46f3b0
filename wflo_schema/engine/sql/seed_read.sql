-- one row: a file that was run, as it was then
SELECT
    s.set_name AS of,
    s.file_name AS name,
    s.checksum AS checksum,
    pg_catalog.to_char(s.applied_at_utc, 'YYYY-MM-DD"T"HH24:MI:SS.US') AS applied_at
FROM {schema}._wflo_schema_seed AS s
ORDER BY s.set_name, s.file_name
