-- column type and expressions to text

CREATE TABLE t (a int CHECK (a > 0));
CREATE INDEX t_a ON t (a) WHERE a > 5;

-- after

CREATE TABLE t (a text CHECK (a > '0'));
CREATE INDEX t_a ON t (a) WHERE a > '5';
