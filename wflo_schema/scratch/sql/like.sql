-- one row: encoding and locale of a database; what older servers do not know is NULL
SELECT
    pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
    d.datcollate AS lc_collate,
    d.datctype AS lc_ctype,
    pg_catalog.to_jsonb(d) ->> 'datlocprovider' AS provider,
    COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') AS locale,
    pg_catalog.to_jsonb(d) ->> 'daticurules' AS icu_rules
FROM pg_catalog.pg_database AS d
WHERE d.datname = %(name)s
