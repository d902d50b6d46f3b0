-- column added with reference

CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int);

-- after

CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int, p_id int NOT NULL REFERENCES p);
CREATE INDEX t_p ON t (p_id);
