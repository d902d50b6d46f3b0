-- one row: the value that a sequence was advanced to; none where it is beyond the column's values already
SELECT pg_catalog.setval({name}::regclass, v.value::bigint) AS value
FROM (SELECT pg_catalog.{side}(t.{column}) AS value FROM {relation} AS t) AS v
CROSS JOIN {sequence} AS s
WHERE v.value OPERATOR(pg_catalog.>=) {least}::bigint
    AND v.value OPERATOR(pg_catalog.<=) {most}::bigint
    AND (
        v.value OPERATOR({beyond}) s.last_value
        OR (v.value OPERATOR(pg_catalog.=) s.last_value AND NOT s.is_called)
    )
