-- verdict: yes
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(parent_id)"
-- contract: to = "parent(id)"
-- contract: on_update = "CASCADE"
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE leaf (
    parent_id int CONSTRAINT leaf_fk REFERENCES parent ON UPDATE CASCADE, made date
) PARTITION BY RANGE (made);
CREATE TABLE leaf_other PARTITION OF leaf DEFAULT;
CREATE INDEX ON leaf (parent_id);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON leaf FOR EACH ROW EXECUTE FUNCTION keep();
