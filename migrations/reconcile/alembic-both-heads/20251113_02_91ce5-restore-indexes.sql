-- Give the index on names the name that it has everywhere else, without building it again, and drop
-- the one on status, which no other database has.
-- depends: 20251113_01_2b7d0-drop-default-keys
-- transactional: false
-- lock-timeout: 500ms

ALTER INDEX ix_workflow_definitions_name RENAME TO ix_workflow_name;
DROP INDEX CONCURRENTLY ix_rollback_actions_status;
