-- domain base type
-- refuses: a domain keeps its base type

CREATE DOMAIN d AS int; CREATE TABLE t (a d);

-- after

CREATE DOMAIN d AS text; CREATE TABLE t (a d);
