-- verdict: no
-- codes: key-action-defeated
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(parent_id)"
-- contract: to = "parent(id)"
-- contract: on_delete = "CASCADE"
CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE parent_one PARTITION OF parent FOR VALUES IN (1);
CREATE TABLE leaf (id int PRIMARY KEY, parent_id int REFERENCES parent_one);
ALTER TABLE leaf ADD CONSTRAINT leaf_fk FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE;
CREATE INDEX ON leaf (parent_id);
