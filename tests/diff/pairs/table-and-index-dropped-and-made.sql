-- table and index dropped and made

CREATE TABLE old (id int PRIMARY KEY, x date); CREATE INDEX i ON old (x);

-- after

CREATE TABLE new (k text PRIMARY KEY); CREATE INDEX i ON new (k);
