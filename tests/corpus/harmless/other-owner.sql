-- verdict: yes
CREATE ROLE corpus_owner;
GRANT USAGE ON SCHEMA public TO corpus_owner;
ALTER TABLE step_executions OWNER TO corpus_owner;
