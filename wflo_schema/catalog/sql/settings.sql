-- One row is one setting of this transaction: with them names and constants always print alike, and plans are made fast.
SELECT pg_catalog.set_config(s.name, s.value, true)
FROM ROWS FROM (
    pg_catalog.unnest(%(settings)s::pg_catalog.text[]),
    pg_catalog.unnest(%(values)s::pg_catalog.text[])) WITH ORDINALITY AS s(name, value, number)
ORDER BY s.number
