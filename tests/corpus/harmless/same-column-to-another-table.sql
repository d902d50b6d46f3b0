-- verdict: yes
CREATE TABLE runs (id varchar(36) PRIMARY KEY);
INSERT INTO runs VALUES ('probe');
ALTER TABLE step_executions ADD CONSTRAINT fk_run FOREIGN KEY (execution_id) REFERENCES runs (id);
