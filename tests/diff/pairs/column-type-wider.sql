-- column type wider

CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);

-- after

CREATE TABLE t (id bigint PRIMARY KEY, n numeric(10,2) DEFAULT 0);
