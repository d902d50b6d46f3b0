-- verdict: yes
-- from: 15
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(a, b)"
-- contract: to = "parent(a, b)"
-- contract: on_delete = "SET NULL (b)"
-- contract: deferrable = "DEFERRABLE INITIALLY DEFERRED"
CREATE DOMAIN short AS varchar(9);
CREATE TABLE parent (b text, a smallint, PRIMARY KEY (a, b)) PARTITION BY HASH (b);
CREATE TABLE parent_0 PARTITION OF parent FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE leaf (
    id int PRIMARY KEY, b short, a bigint,
    CONSTRAINT leaf_fk FOREIGN KEY (a, b) REFERENCES parent (a, b) ON DELETE SET NULL (b) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ON leaf (a, b);
