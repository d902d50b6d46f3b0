-- column added not null without default

CREATE TABLE t (id int);

-- after

CREATE TABLE t (id int, c text NOT NULL);
