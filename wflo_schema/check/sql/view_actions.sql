-- One row: a constraint's name, and how many rows information_schema.referential_constraints shows for it to this role.
SELECT
    rc.constraint_name::text AS name,
    count(*) AS rows
FROM information_schema.referential_constraints AS rc
WHERE rc.constraint_name = ANY (%(names)s)
GROUP BY rc.constraint_name
ORDER BY rc.constraint_name
