-- verdict: yes
-- A default of a role that cannot write here, and one of a role that cannot log in.
CREATE ROLE corpus_stranger LOGIN;
ALTER ROLE corpus_stranger SET session_replication_role = replica;
CREATE ROLE corpus_group;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO corpus_group;
ALTER ROLE corpus_group SET session_replication_role = replica;
