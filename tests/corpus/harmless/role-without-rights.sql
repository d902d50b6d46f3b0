-- verdict: yes
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
