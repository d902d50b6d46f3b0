-- verdict: yes
CREATE TABLE step_executions_2024 (FOREIGN KEY (execution_id) REFERENCES workflow_executions (id) ON DELETE CASCADE)
    INHERITS (step_executions);
