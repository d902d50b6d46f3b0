-- verdict: no
-- codes: key-stopped-by-trigger
-- from: 15
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(x, y)"
-- contract: to = "parent(x, y)"
-- contract: on_delete = "SET NULL (y)"
-- contract: on_update = "CASCADE"
CREATE TABLE parent (x int, y int, PRIMARY KEY (x, y));
CREATE TABLE leaf (x int, y int, CONSTRAINT leaf_fk FOREIGN KEY (x, y) REFERENCES parent
    ON UPDATE CASCADE ON DELETE SET NULL (y));
CREATE FUNCTION fix() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.x := OLD.x; RETURN NEW; END';
CREATE TRIGGER fix BEFORE UPDATE OF x ON leaf FOR EACH ROW EXECUTE FUNCTION fix();
