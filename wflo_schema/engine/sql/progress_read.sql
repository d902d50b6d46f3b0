-- one row: a non-transactional migration that has begun and is not finished
SELECT
    p.migration_hash AS hash,
    p.migration_id AS id,
    p.operation AS operation,
    p.statements_done AS statements_done,
    p.done_checksum AS done_checksum,
    p.running_statement AS running_statement,
    p.running_names AS running_names
FROM {schema}._wflo_schema_progress AS p
ORDER BY p.migration_id
