-- column dropped under a view

CREATE TABLE t (id int, a int, b int);
CREATE VIEW v AS SELECT id, a, b FROM t;
CREATE VIEW w AS SELECT id FROM v;
COMMENT ON VIEW w IS 'kept';

-- after

CREATE TABLE t (id int, a int);
CREATE VIEW v AS SELECT id, a FROM t;
CREATE VIEW w AS SELECT id FROM v;
COMMENT ON VIEW w IS 'kept';
