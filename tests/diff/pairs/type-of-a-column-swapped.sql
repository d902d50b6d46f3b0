-- type of a column swapped

CREATE TYPE a AS ENUM ('x'); CREATE TABLE t (c a);

-- after

CREATE DOMAIN b AS text; CREATE TABLE t (c b);
