-- no row: forgets the variables of a migration, whose hashes $1 has: its own, and those of its former names
DELETE FROM {schema}._wflo_schema_variable AS v
WHERE v.migration_hash OPERATOR(pg_catalog.=) ANY ($1::text[])
