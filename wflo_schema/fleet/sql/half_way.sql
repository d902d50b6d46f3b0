-- one row: what is half-way in the ledger of a schema, or a hook that is due
SELECT {number}::integer AS number
FROM {schema}._wflo_schema_progress AS p
WHERE p.operation <> 'ran'
