-- enum below a domain
-- refuses: a domain keeps the old type

CREATE TYPE e AS ENUM ('a', 'b'); CREATE DOMAIN d AS e; CREATE TABLE t (x d);

-- after

CREATE TYPE e AS ENUM ('b', 'a'); CREATE DOMAIN d AS e; CREATE TABLE t (x d);
