-- verdict: no
-- codes: check-not-valid, check-missing
-- contract: [[check]]
-- contract: name = "positive"
-- contract: on = "workflow_definitions"
-- contract: expression = "(version > 0)"
-- contract: [[check]]
-- contract: name = "named"
-- contract: on = "workflow_definitions"
-- contract: expression = "(name IS NOT NULL)"
ALTER TABLE workflow_definitions ADD CONSTRAINT positive CHECK (version > 0) NOT VALID,
    ADD CONSTRAINT named CHECK (name <> '');
