-- verdict: yes
-- role: case_reader
-- A warning alone would rest on it.
CREATE ROLE case_reader LOGIN;
REVOKE SELECT ON pg_catalog.pg_subscription_rel FROM PUBLIC;
