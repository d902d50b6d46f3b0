-- One row is the database itself: what is set for its sessions, for all or for those of one role; privileges.sql has its grants.
SELECT
    'database' AS kind,
    ARRAY['itself']::text[] AS path,
    (SELECT pg_catalog.string_agg(
         CASE s.setrole WHEN 0 THEN '' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(s.setrole)) || ': ' END
         || o.option,
         '; ' ORDER BY
             CASE s.setrole WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole) END COLLATE "C",
             o.option COLLATE "C")
     FROM pg_catalog.pg_db_role_setting AS s
     CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS o (option)
     WHERE s.setdatabase = d.oid
       -- a scratch database's own, which leads its sessions to the target's schema
       AND NOT (
           s.setrole <> 0
           AND pg_catalog.pg_get_userbyid(s.setrole) = SESSION_USER
           AND o.option LIKE 'search_path=%%'
           AND pg_catalog.starts_with(d.datname::text, 'wflo_schema_scratch_')
       )) AS settings
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
  AND %(schemas)s::text[] IS NULL
