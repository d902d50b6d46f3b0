-- check changed

CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0));

-- after

CREATE TABLE t (a int CONSTRAINT c CHECK (a > 1));
