-- one row: a function or procedure into which a replay has written looks; for who may not write a catalog also its
-- definition, and what makes it depend on extensions again
SELECT
    p.oid,
    p.prosrc,
    CASE WHEN pg_catalog.current_setting('is_superuser') = 'off' THEN pg_catalog.pg_get_functiondef(p.oid) END,
    (
        SELECT COALESCE(
            pg_catalog.string_agg(
                pg_catalog.format('ALTER ROUTINE %s DEPENDS ON EXTENSION %I', p.oid::pg_catalog.regprocedure, e.extname), ';'
            ),
            ''
        )
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON (e.oid = d.refobjid)
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND d.objid = p.oid
            AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND d.deptype = 'x'
    )
FROM pg_catalog.pg_proc AS p
WHERE p.prokind IN ('f', 'p')
    AND pg_catalog.strpos(p.prosrc, '/*wflo-schema<*/') > 0
ORDER BY p.oid
