-- sequence gets another owner

CREATE TABLE t (a int, b int); CREATE SEQUENCE s OWNED BY t.a; ALTER TABLE t ALTER a SET DEFAULT nextval('s');

-- after

CREATE TABLE t (a int, b int); CREATE SEQUENCE s OWNED BY t.b; ALTER TABLE t ALTER b SET DEFAULT nextval('s');
