-- type renamed
-- rename: public.a=b

CREATE TYPE a AS ENUM ('x', 'y'); CREATE TABLE t (c a DEFAULT 'x');

-- after

CREATE TYPE b AS ENUM ('x', 'y'); CREATE TABLE t (c b DEFAULT 'x');
