-- verdict: no
-- codes: key-not-inherited
CREATE TABLE step_executions_2024 (FOREIGN KEY (execution_id) REFERENCES workflow_executions (id) ON DELETE CASCADE)
    INHERITS (step_executions);
CREATE TABLE step_executions_2024_01 () INHERITS (step_executions_2024);
