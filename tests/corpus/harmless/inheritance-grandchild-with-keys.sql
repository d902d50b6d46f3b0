-- verdict: yes
-- only: contract rows indexes
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
CREATE TABLE child (FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE) INHERITS (leaf);
CREATE TABLE grandchild (FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE) INHERITS (child);
INSERT INTO parent VALUES (1);
INSERT INTO grandchild VALUES (1, 1);
