-- Give the index Alembic's other name again, and build the one on status again.

CREATE INDEX CONCURRENTLY ix_rollback_actions_status ON rollback_actions (status);
ALTER INDEX ix_workflow_name RENAME TO ix_workflow_definitions_name;
