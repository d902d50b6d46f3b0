-- verdict: cannot tell
-- codes: rows-unreadable
-- role: corpus_nobody
-- only: rows
CREATE ROLE corpus_nobody LOGIN;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
