-- verdict: cannot tell
-- codes: cannot-see
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
REVOKE SELECT ON pg_catalog.pg_db_role_setting FROM PUBLIC;
