-- referenced type changed

CREATE TABLE p (id int PRIMARY KEY);
CREATE TABLE t (p_id int REFERENCES p);

-- after

CREATE TABLE p (id bigint PRIMARY KEY);
CREATE TABLE t (p_id bigint REFERENCES p);
