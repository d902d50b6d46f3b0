-- verdict: yes
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
REVOKE USAGE ON SCHEMA information_schema FROM PUBLIC;
