-- verdict: no
-- codes: key-trigger-disabled
-- from: 15
-- contract: [contract]
-- contract: tables = ["parent", "leaf"]
-- contract: [[foreign_key]]
-- contract: name = "leaf_fk"
-- contract: from = "leaf(parent_id)"
-- contract: to = "parent(id)"
-- contract: on_delete = "CASCADE"
-- The same where the UPDATE names a partition that is itself partitioned.
CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parent_low PARTITION OF parent FOR VALUES FROM (0) TO (100);
CREATE TABLE parent_high PARTITION OF parent FOR VALUES FROM (100) TO (200) PARTITION BY LIST (id);
CREATE TABLE parent_high_rest PARTITION OF parent_high DEFAULT;
CREATE TABLE leaf (id int PRIMARY KEY, parent_id int CONSTRAINT leaf_fk REFERENCES parent ON DELETE CASCADE);
CREATE INDEX ON leaf (parent_id);
ALTER TABLE ONLY parent_high DISABLE TRIGGER ALL;
