-- column dropped with its index and key

CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE, b int CHECK (b > 0));
CREATE INDEX t_b ON t (b, a);

-- after

CREATE TABLE t (id int PRIMARY KEY);
