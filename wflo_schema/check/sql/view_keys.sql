-- One row: a constraint's name, and how many foreign keys of the given tables information_schema.table_constraints
-- shows under it to this role.
SELECT
    tc.constraint_name::text AS name,
    count(*) AS rows
FROM information_schema.table_constraints AS tc
WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_name = ANY (%(tables)s)
GROUP BY tc.constraint_name
ORDER BY tc.constraint_name
