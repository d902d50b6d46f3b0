-- primary key of other columns

CREATE TABLE p (a int NOT NULL, b int NOT NULL, PRIMARY KEY (a));
CREATE TABLE t (a int REFERENCES p (a));

-- after

CREATE TABLE p (a int NOT NULL UNIQUE, b int NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE t (a int REFERENCES p (a));
