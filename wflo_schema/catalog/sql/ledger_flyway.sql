-- One row is one version that Flyway applied (the last word on it counts), and whether it failed half way.
SELECT v.version, v.success IS NOT TRUE AS has_failed
FROM (
    SELECT DISTINCT ON (COALESCE(h.version, h.script))
        COALESCE(h.version, h.script)::text AS version, h.success, h.type, h.installed_rank
    FROM {table} AS h
    WHERE h.type IS DISTINCT FROM 'SCHEMA' AND COALESCE(h.version, h.script) IS NOT NULL
    ORDER BY COALESCE(h.version, h.script), h.installed_rank DESC) AS v
WHERE COALESCE(v.type NOT LIKE 'UNDO%' AND v.type <> 'DELETE', true)
ORDER BY v.installed_rank
