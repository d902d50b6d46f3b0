-- verdict: yes
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
REVOKE SELECT ON pg_catalog.pg_settings FROM PUBLIC;
