-- not null with a name
-- since: 18

CREATE TABLE t (a int CONSTRAINT must NOT NULL, b int);

-- after

CREATE TABLE t (a int, b int CONSTRAINT must_too NOT NULL); 
