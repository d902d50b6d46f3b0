-- attribute renamed
-- rename: public.c.b=z

CREATE TYPE c AS (a int, b text);

-- after

CREATE TYPE c AS (a int, z text);
