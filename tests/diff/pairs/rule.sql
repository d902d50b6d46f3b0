-- rule

CREATE TABLE t (a int); CREATE TABLE l (a int);

-- after

CREATE TABLE t (a int); CREATE TABLE l (a int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO l VALUES (NEW.a);
