-- One row: a constraint's name, and how many rows information_schema.key_column_usage shows for it to this role.
SELECT
    kcu.constraint_name::text AS name,
    count(*) AS rows
FROM information_schema.key_column_usage AS kcu
WHERE kcu.constraint_name = ANY (%(names)s)
GROUP BY kcu.constraint_name
ORDER BY kcu.constraint_name
