-- One row: a foreign key's name as information_schema.referential_constraints shows it to this role.
SELECT
    rc.constraint_schema::text AS schema,
    rc.constraint_name::text AS name,
    rc.delete_rule::text AS on_delete
FROM information_schema.referential_constraints AS rc
WHERE rc.constraint_name = ANY (%(names)s)
ORDER BY rc.constraint_schema, rc.constraint_name
