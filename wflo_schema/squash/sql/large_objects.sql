-- one row: the number of large objects, and the sum of their owners, grants and bytes; their numbers are no one's choice
SELECT count(*) || ' ' || pg_catalog.md5(pg_catalog.string_agg(one.text, E'\n' ORDER BY one.text COLLATE "C")) AS sum
FROM (
    SELECT ROW(
        pg_catalog.pg_get_userbyid(m.lomowner),
        ARRAY(SELECT a::text FROM pg_catalog.unnest(m.lomacl) AS a ORDER BY a::text COLLATE "C"),
        pg_catalog.md5(pg_catalog.lo_get(m.oid)))::text AS text
    FROM pg_catalog.pg_largeobject_metadata AS m
) AS one
