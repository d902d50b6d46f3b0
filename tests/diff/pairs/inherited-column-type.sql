-- inherited column type

CREATE TABLE p (a int); CREATE TABLE c (b int) INHERITS (p); CREATE INDEX c_a ON c (a);

-- after

CREATE TABLE p (a bigint NOT NULL); CREATE TABLE c (b int) INHERITS (p); CREATE INDEX c_a ON c (a);
