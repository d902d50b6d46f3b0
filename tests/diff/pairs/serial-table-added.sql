-- serial table added

-- nothing

-- after

CREATE TABLE t (id serial PRIMARY KEY, n bigserial);
