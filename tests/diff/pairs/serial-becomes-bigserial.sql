-- serial becomes bigserial

CREATE TABLE t (id serial PRIMARY KEY);

-- after

CREATE TABLE t (id bigserial PRIMARY KEY);
