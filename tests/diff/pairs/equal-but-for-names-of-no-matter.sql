-- equal but for names of no matter
-- equal: there is nothing to write

CREATE TABLE t (a int, id serial);

-- after

CREATE TABLE t (a int, id serial);
