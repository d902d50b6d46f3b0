-- verdict: yes
ALTER TABLE workflow_executions DROP CONSTRAINT fk_workflow_executions_workflow_id;
ALTER TABLE workflow_executions RENAME TO workflow_executions_plain;
DROP TABLE workflow_definitions, step_executions, state_snapshots, approval_requests, rollback_actions;
CREATE TABLE workflow_definitions (id varchar(36) PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE workflow_definitions_0 PARTITION OF workflow_definitions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE workflow_definitions_1 PARTITION OF workflow_definitions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE workflow_executions (id varchar(36) PRIMARY KEY, workflow_id varchar(36) NOT NULL,
    CONSTRAINT fk_workflow_executions_workflow_id FOREIGN KEY (workflow_id)
    REFERENCES workflow_definitions (id) ON DELETE CASCADE) PARTITION BY HASH (id);
CREATE TABLE workflow_executions_0 PARTITION OF workflow_executions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE workflow_executions_1 PARTITION OF workflow_executions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
DO $$ DECLARE t text; BEGIN
    FOREACH t IN ARRAY ARRAY['step_executions', 'state_snapshots', 'approval_requests', 'rollback_actions'] LOOP
        EXECUTE format('CREATE TABLE %I (id varchar(36) PRIMARY KEY, execution_id varchar(36),
            CONSTRAINT %I FOREIGN KEY (execution_id) REFERENCES workflow_executions (id) ON DELETE CASCADE)',
            t, 'fk_' || t || '_execution_id');
    END LOOP;
END $$;
