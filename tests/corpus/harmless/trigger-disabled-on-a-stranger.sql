-- verdict: yes
CREATE TABLE audit_entries (id bigint PRIMARY KEY, execution_id varchar(36) REFERENCES workflow_executions (id));
ALTER TABLE audit_entries DISABLE TRIGGER ALL;
