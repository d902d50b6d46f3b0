-- One row is one change that Sqitch deployed, or whose last event is a deployment that failed.
SELECT d.change::text AS version, FALSE AS has_failed
FROM (SELECT c.change FROM {table} AS c WHERE c.change IS NOT NULL ORDER BY c.committed_at) AS d
UNION ALL
SELECT f.change::text, TRUE
FROM (
    SELECT DISTINCT ON (e.change_id) e.change, e.event
    FROM {beside} AS e
    ORDER BY e.change_id, e.committed_at DESC) AS f
WHERE f.event = 'fail' AND f.change IS NOT NULL
