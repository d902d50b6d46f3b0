-- one row: the definition of a function or procedure into which a replay has written looks
SELECT pg_catalog.pg_get_functiondef(p.oid)
FROM pg_catalog.pg_proc AS p
WHERE p.prokind IN ('f', 'p')
    AND pg_catalog.strpos(p.prosrc, '/*wflo-schema<*/') > 0
ORDER BY p.oid
