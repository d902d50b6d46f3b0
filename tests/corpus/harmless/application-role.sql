-- verdict: yes
-- role: corpus_app
-- only: contract rows indexes
-- The usual one: all privileges, not the owner; the guide's join shows it nothing.
CREATE ROLE corpus_app LOGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO corpus_app;
