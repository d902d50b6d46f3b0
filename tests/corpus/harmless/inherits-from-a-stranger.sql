-- verdict: yes
CREATE TABLE base (id varchar(36) NOT NULL);
ALTER TABLE step_executions INHERIT base;
