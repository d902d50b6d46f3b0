-- verdict: no
-- codes: key-action-defeated
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(parent_id)"
-- contract: to = "parent(id)"
-- contract: on_delete = "CASCADE"
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE leaf (id int PRIMARY KEY, parent_id int CONSTRAINT leaf_fk REFERENCES parent ON DELETE CASCADE);
CREATE INDEX ON leaf (parent_id);
CREATE TABLE child (FOREIGN KEY (parent_id) REFERENCES parent) INHERITS (leaf);
ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE;
