-- verdict: cannot tell
-- codes: cannot-see
-- role: case_reader
CREATE ROLE case_reader LOGIN;
REVOKE EXECUTE ON FUNCTION pg_catalog.format_type FROM PUBLIC;
