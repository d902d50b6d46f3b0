-- default

CREATE TABLE t (a int DEFAULT 1, b int, c timestamptz DEFAULT now());

-- after

CREATE TABLE t (a int, b int DEFAULT 2, c timestamptz DEFAULT clock_timestamp());
