-- attribute type of a composite in use
-- refuses: PostgreSQL does not change the type of an attribute that is stored

CREATE TYPE c AS (a int); CREATE TABLE t (x c);

-- after

CREATE TYPE c AS (a text); CREATE TABLE t (x c);
