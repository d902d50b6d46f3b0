-- verdict: no
-- codes: table-wrong-kind
ALTER TABLE workflow_definitions RENAME TO workflow_definitions_base;
CREATE VIEW workflow_definitions AS SELECT * FROM workflow_definitions_base WHERE is_active;
