-- enum under a view and a function

CREATE TYPE mood AS ENUM ('sad', 'ok', 'bad');
CREATE TABLE t (m mood);
CREATE VIEW v AS SELECT m FROM t WHERE m > 'sad';
CREATE FUNCTION f(m mood) RETURNS mood LANGUAGE sql AS 'SELECT m';
COMMENT ON TYPE mood IS 'how it is';

-- after

CREATE TYPE mood AS ENUM ('ok', 'sad');
CREATE TABLE t (m mood);
CREATE VIEW v AS SELECT m FROM t WHERE m > 'sad';
CREATE FUNCTION f(m mood) RETURNS mood LANGUAGE sql AS 'SELECT m';
COMMENT ON TYPE mood IS 'how it is';
