-- one row: a text that a repeatable file had, in the order of its ids and its texts
SELECT
    r.repeatable_id,
    r.number,
    r.checksum,
    r.content,
    r.made,
    r.position,
    r.after_hash,
    r.is_down,
    r.kept,
    pg_catalog.to_char(r.applied_at_utc, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS applied_at
FROM {schema}._wflo_schema_repeatable AS r
ORDER BY r.repeatable_id, r.number
