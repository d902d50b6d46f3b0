-- One row is one version that Flyway applied (the last word on it counts), and whether it failed half way.
-- What is repeatable has no version: its file's name stands for it.
SELECT v.version, v.success IS NOT TRUE AS has_failed
FROM (
    SELECT DISTINCT ON (n.version)
        n.version, h.success, h.type, h.installed_rank
    FROM {table} AS h
    CROSS JOIN LATERAL (
        SELECT COALESCE(h.version, regexp_replace(h.script, '^.*[/\\]', ''))::text AS version
    ) AS n
    WHERE h.type IS DISTINCT FROM 'SCHEMA' AND n.version IS NOT NULL
    ORDER BY n.version, h.installed_rank DESC) AS v
WHERE COALESCE(v.type NOT LIKE 'UNDO%' AND v.type <> 'DELETE', true)
ORDER BY v.installed_rank
