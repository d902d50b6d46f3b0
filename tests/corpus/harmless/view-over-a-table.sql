-- verdict: yes
CREATE VIEW steps AS SELECT * FROM step_executions;
