-- verdict: yes
-- Its rows cannot be referenced, so no row points anywhere wrong.
CREATE TABLE workflow_definitions_archive () INHERITS (workflow_definitions);
