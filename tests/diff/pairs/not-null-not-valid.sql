-- not null not valid
-- since: 18

CREATE TABLE t (a int);

-- after

CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID;
