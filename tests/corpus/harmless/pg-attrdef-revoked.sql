-- verdict: yes
-- role: case_reader
-- The contract asks for no default.
CREATE ROLE case_reader LOGIN;
REVOKE SELECT ON pg_catalog.pg_attrdef FROM PUBLIC;
