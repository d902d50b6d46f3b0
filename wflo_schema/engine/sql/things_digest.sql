-- one row: a digest of what bears some names, of its columns, and of all that it was given besides
WITH named AS ({named}),
kept AS ({kept})

SELECT pg_catalog.md5(COALESCE(pg_catalog.string_agg(d.line, pg_catalog.chr(10) ORDER BY d.line COLLATE "C"), '')) AS digest
FROM (
    SELECT
        pg_catalog.concat_ws(
            ' ',
            n.type,
            n.identity,
            -- the numbers of collations are other ones in every database
            pg_catalog.regexp_replace(
                n.shape,
                pg_catalog.concat(pg_catalog.chr(31), '[0-9]+(?=', pg_catalog.chr(30), '|$)'),
                '',
                'g'
            )
        )
    FROM named AS n
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', k.type, k.identity, k.statement)
    FROM kept AS k
) AS d (line)
