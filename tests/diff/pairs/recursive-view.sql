-- recursive view

CREATE TABLE t (id int, up int);

-- after

CREATE TABLE t (id int, up int); CREATE RECURSIVE VIEW r (id) AS SELECT id FROM t WHERE up IS NULL UNION ALL SELECT t.id FROM t JOIN r ON t.up = r.id;
