-- columns in another order
-- equal: both have the same columns

CREATE TABLE t (a int, b text);

-- after

CREATE TABLE t (b text, a int);
