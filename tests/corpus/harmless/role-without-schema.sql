-- verdict: yes
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
