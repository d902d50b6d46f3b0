-- range type

-- nothing

-- after

CREATE TYPE span AS RANGE (SUBTYPE = float8); CREATE TABLE t (s span);
