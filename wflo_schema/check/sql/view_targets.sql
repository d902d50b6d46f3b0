-- One row: a constraint's name, and how many rows information_schema.constraint_column_usage shows for it to this role.
SELECT
    ccu.constraint_name::text AS name,
    count(*) AS rows
FROM information_schema.constraint_column_usage AS ccu
WHERE ccu.constraint_name = ANY (%(names)s)
GROUP BY ccu.constraint_name
ORDER BY ccu.constraint_name
