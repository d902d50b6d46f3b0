-- One row is one change that Sqitch deployed, or whose last event is a deployment that failed; the second that is
-- called foo, which reworks the first, is foo#2.
SELECT n.change || CASE WHEN n.number > 1 THEN '#' || n.number ELSE '' END AS version, n.has_failed
FROM (
    SELECT
        d.change::text AS change,
        d.has_failed,
        d.committed_at,
        row_number() OVER (PARTITION BY d.change ORDER BY d.has_failed, d.committed_at) AS number
    FROM (
        SELECT c.change, FALSE AS has_failed, c.committed_at FROM {table} AS c WHERE c.change IS NOT NULL
        UNION ALL
        SELECT f.change, TRUE, f.committed_at
        FROM (
            SELECT DISTINCT ON (e.change_id) e.change, e.event, e.committed_at
            FROM {beside} AS e
            ORDER BY e.change_id, e.committed_at DESC) AS f
        WHERE f.event = 'fail' AND f.change IS NOT NULL) AS d) AS n
ORDER BY n.has_failed, n.committed_at
