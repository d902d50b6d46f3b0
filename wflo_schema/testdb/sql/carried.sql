-- one row is a setting of a database (for a role, or empty: for all), or a right on it that somebody was given
SELECT
    'setting' AS kind,
    COALESCE(r.rolname, '')::text AS role,
    pg_catalog.split_part(o.option, '=', 1) AS name,
    pg_catalog.substr(o.option, pg_catalog.strpos(o.option, '=') + 1) AS value,
    FALSE AS is_grantable
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_db_role_setting AS s ON (s.setdatabase = d.oid)
LEFT JOIN pg_catalog.pg_roles AS r ON (r.oid = s.setrole)
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS o (option)
WHERE d.datname = %(name)s
UNION ALL
SELECT
    'privilege',
    CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee) END::text,
    g.privilege_type,
    '',
    g.is_grantable
FROM pg_catalog.pg_database AS d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) AS g
WHERE d.datname = %(name)s
  AND g.grantee <> d.datdba
UNION ALL
SELECT 'closed', '', '', '', FALSE
FROM pg_catalog.pg_database AS d
WHERE d.datname = %(name)s
  AND d.datacl IS NOT NULL
ORDER BY kind, role, name
