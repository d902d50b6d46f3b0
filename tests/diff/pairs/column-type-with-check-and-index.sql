-- column type with check and index

CREATE TABLE t (a int CHECK (a > 0), b int);
CREATE INDEX t_a ON t (a) WHERE a > 5;
CREATE UNIQUE INDEX t_b ON t (b);

-- after

CREATE TABLE t (a bigint CHECK (a > 0), b smallint);
CREATE INDEX t_a ON t (a) WHERE a > 5;
CREATE UNIQUE INDEX t_b ON t (b);
