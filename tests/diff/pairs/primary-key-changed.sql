-- primary key changed

CREATE TABLE p (id int PRIMARY KEY, code text NOT NULL);
CREATE TABLE t (p_id int REFERENCES p);

-- after

CREATE TABLE p (id int CONSTRAINT p_pkey PRIMARY KEY, code text NOT NULL UNIQUE);
CREATE TABLE t (p_id int REFERENCES p ON DELETE CASCADE);
