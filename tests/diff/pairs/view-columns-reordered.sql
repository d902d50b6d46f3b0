-- view columns reordered

CREATE TABLE t (a int, b text);
CREATE VIEW v AS SELECT a, b FROM t;
CREATE VIEW w AS SELECT v.a FROM v;
COMMENT ON COLUMN v.a IS 'first';

-- after

CREATE TABLE t (a int, b text);
CREATE VIEW v AS SELECT b, a FROM t;
CREATE VIEW w AS SELECT v.a FROM v;
COMMENT ON COLUMN v.a IS 'first';
