-- one row: what is known now of a text that a repeatable file has or had
INSERT INTO {schema}._wflo_schema_repeatable AS r (
    repeatable_id, number, checksum, content, made, position, after_hash, is_down, kept, applied_at_utc
)
VALUES (
    $1, $2::integer, $3, $4, $5, $6::integer, $7, $8::boolean, $9, pg_catalog.now() AT TIME ZONE 'UTC'
)
ON CONFLICT (repeatable_id, number) DO UPDATE
SET
    checksum = EXCLUDED.checksum,
    content = EXCLUDED.content,
    made = EXCLUDED.made,
    position = EXCLUDED.position,
    after_hash = EXCLUDED.after_hash,
    is_down = EXCLUDED.is_down,
    kept = EXCLUDED.kept
