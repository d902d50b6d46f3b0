-- column added

CREATE TABLE t (id int);

-- after

CREATE TABLE t (id int, c text DEFAULT 'x' NOT NULL);
