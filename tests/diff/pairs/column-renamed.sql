-- column renamed
-- rename: public.users.name=full_name

CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL); CREATE INDEX users_name ON users (name); CREATE VIEW v AS SELECT name FROM users;

-- after

CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL); CREATE INDEX users_name ON users (full_name); CREATE VIEW v AS SELECT full_name AS name FROM users;
