-- comments

CREATE TABLE t (a int); COMMENT ON TABLE t IS 'old'; COMMENT ON COLUMN t.a IS 'gone';

-- after

CREATE TABLE t (a int); COMMENT ON TABLE t IS 'new\ ''quoted''';
