-- table renamed
-- rename: public.users=people

CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL); CREATE TABLE posts (u int REFERENCES users);

-- after

CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL); CREATE TABLE posts (u int REFERENCES people);
