-- verdict: no
-- codes: key-owner-lacks-privilege
CREATE ROLE corpus_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER TABLE workflow_definitions OWNER TO corpus_owner;
