-- One row: a foreign key of one of the given tables as information_schema.table_constraints shows it to this role.
SELECT
    tc.table_schema::text AS schema,
    tc.table_name::text AS "table",
    tc.constraint_name::text AS name
FROM information_schema.table_constraints AS tc
WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_name = ANY (%(tables)s)
ORDER BY tc.table_schema, tc.table_name, tc.constraint_name
