-- table added

-- nothing

-- after

CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, age integer);
