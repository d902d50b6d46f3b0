-- not enforced
-- since: 18

CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES p, b int CONSTRAINT c CHECK (b > 0));

-- after

CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES p NOT ENFORCED, b int CONSTRAINT c CHECK (b > 0) NOT ENFORCED);
