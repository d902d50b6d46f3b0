-- not null

CREATE TABLE t (a int, b int NOT NULL);

-- after

CREATE TABLE t (a int NOT NULL, b int);
