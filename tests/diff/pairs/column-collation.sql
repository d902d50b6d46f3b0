-- column collation

CREATE TABLE t (a text); CREATE INDEX t_a ON t (a);

-- after

CREATE TABLE t (a text COLLATE "C"); CREATE INDEX t_a ON t (a);
