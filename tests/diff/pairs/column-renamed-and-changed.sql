-- column renamed and changed
-- rename: users.name=full_name

CREATE TABLE users (id int, name varchar(20));

-- after

CREATE TABLE users (id int, full_name text NOT NULL DEFAULT '');
