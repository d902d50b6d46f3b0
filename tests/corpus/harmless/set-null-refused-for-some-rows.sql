-- verdict: yes
-- codes: key-action-maybe-refused
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(step_id)"
-- contract: to = "step_executions(id)"
-- contract: on_delete = "SET NULL"
CREATE TABLE leaf (
    step_id varchar CONSTRAINT leaf_fk REFERENCES step_executions (id) ON DELETE SET NULL,
    state text NOT NULL,
    CHECK (step_id IS NOT NULL OR state = 'draft')
);
CREATE INDEX ON leaf (step_id);
