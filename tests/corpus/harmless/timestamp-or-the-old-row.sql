-- verdict: yes
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(parent_id)"
-- contract: to = "parent(id)"
-- contract: on_delete = "SET NULL"
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE leaf (
    id int PRIMARY KEY, changed timestamptz, parent_id int CONSTRAINT leaf_fk REFERENCES parent ON DELETE SET NULL
);
CREATE INDEX ON leaf (parent_id);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF row(NEW.*) IS DISTINCT FROM row(OLD.*) THEN NEW.changed = now(); RETURN NEW; ELSE RETURN OLD; END IF;
END
$$;
CREATE TRIGGER touch BEFORE UPDATE ON leaf FOR EACH ROW EXECUTE FUNCTION touch();
