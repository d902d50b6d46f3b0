-- the sequence goes on behind the values that are there

CREATE TABLE t ("I'd" serial PRIMARY KEY);
-- after
CREATE TABLE t ("I'd" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
