-- the sequence has the name that PostgreSQL would choose on both sides

CREATE TABLE t (id serial PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1));
-- after
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n serial);
