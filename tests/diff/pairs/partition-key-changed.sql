-- partition key changed
-- refuses: no statement changes how a table is partitioned

CREATE TABLE m (id int, at date) PARTITION BY RANGE (at);

-- after

CREATE TABLE m (id int, at date) PARTITION BY LIST (id);
