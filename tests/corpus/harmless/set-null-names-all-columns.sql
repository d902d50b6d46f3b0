-- verdict: yes
-- from: 15
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(parent_id)"
-- contract: to = "parent(id)"
-- contract: on_delete = "SET NULL"
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE leaf (
    id int PRIMARY KEY, note text, parent_id int CONSTRAINT leaf_fk REFERENCES parent ON DELETE SET NULL (parent_id)
);
CREATE INDEX ON leaf (parent_id);
