-- verdict: no
-- codes: key-action-refused
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(step_id)"
-- contract: to = "step_executions(id)"
-- contract: on_delete = "SET NULL"
CREATE TABLE leaf (
    step_id varchar NOT NULL CONSTRAINT leaf_fk REFERENCES step_executions (id) ON DELETE SET NULL
);
CREATE INDEX ON leaf (step_id);
