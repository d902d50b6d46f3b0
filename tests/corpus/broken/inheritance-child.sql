-- verdict: no
-- codes: key-not-inherited
CREATE TABLE step_executions_2024 () INHERITS (step_executions);
