-- verdict: cannot tell
-- codes: rows-unreadable
-- role: corpus_nobody
-- only: contract rows
CREATE ROLE corpus_nobody LOGIN;
