-- verdict: no
-- codes: key-stopped-by-trigger
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
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION keep();
