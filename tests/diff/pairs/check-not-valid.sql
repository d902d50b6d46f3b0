-- check not valid

CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;

-- after

CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0));
