-- one row: encoding and locale of a database; NULL where the server knows none of these
SELECT
    pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
    d.datcollate AS lc_collate,
    d.datctype AS lc_ctype,
    d.datlocprovider::text AS provider,
    d.datlocale AS locale,
    d.daticurules AS icu_rules
FROM pg_catalog.pg_database AS d
WHERE d.datname = %(name)s
