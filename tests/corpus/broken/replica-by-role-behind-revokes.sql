-- verdict: no
-- codes: replication-role, cannot-see
-- role: wflo_reader
CREATE ROLE wflo_reader LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO wflo_reader;
REVOKE SELECT ON pg_catalog.pg_db_role_setting, pg_catalog.pg_settings FROM PUBLIC;
ALTER ROLE wflo_reader SET session_replication_role = replica;
