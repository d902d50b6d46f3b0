-- serial column added

CREATE TABLE t (a int);

-- after

CREATE TABLE t (a int, id serial);
