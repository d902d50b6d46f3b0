-- One row is one version that goose applied; the last row of a version counts, and 0 is only the beginning.
SELECT v.version_id::text AS version, FALSE AS has_failed
FROM (
    SELECT DISTINCT ON (g.version_id) g.version_id, g.is_applied
    FROM {table} AS g
    WHERE g.version_id <> 0 AND g.is_applied IS NOT NULL
    ORDER BY g.version_id, g.id DESC) AS v
WHERE v.is_applied
ORDER BY v.version_id
