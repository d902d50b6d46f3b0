-- verdict: yes
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
ALTER ROLE corpus_nobody SET statement_timeout = 2;
ALTER ROLE corpus_nobody SET default_transaction_isolation = 'serializable';
ALTER ROLE corpus_nobody SET default_transaction_read_only = on;
