-- index changed

CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a);

-- after

CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a DESC, b) WITH (fillfactor = 70);
