-- table becomes partitioned
-- refuses: no statement makes a table a partitioned one

CREATE TABLE m (id int, at date);

-- after

CREATE TABLE m (id int, at date) PARTITION BY RANGE (at);
