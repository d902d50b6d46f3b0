-- foreign key dropped with its table

CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES p);

-- after

CREATE TABLE t (a int);
