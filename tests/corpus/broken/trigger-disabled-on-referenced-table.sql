-- verdict: no
-- codes: key-trigger-disabled
ALTER TABLE workflow_definitions DISABLE TRIGGER ALL;
