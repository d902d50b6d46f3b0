-- equal
-- equal: there is nothing to write

CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, age integer);

-- after

CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, age integer);
