-- column that is pointed at dropped

CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE t (id int, code text REFERENCES p (code));

-- after

CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (id int, code text);
