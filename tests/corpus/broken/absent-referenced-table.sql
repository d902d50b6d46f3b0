-- verdict: no
-- codes: table-missing, key-missing
DROP TABLE workflow_definitions CASCADE;
