-- verdict: no
-- codes: unique-missing
-- contract: [[unique]]
-- contract: on = "workflow_definitions(name, version)"
ALTER TABLE workflow_definitions DROP CONSTRAINT uq_workflow_name_version;
CREATE UNIQUE INDEX uq_workflow_name_version ON workflow_definitions (name, version) WHERE is_active;
