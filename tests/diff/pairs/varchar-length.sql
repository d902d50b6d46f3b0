-- varchar length

CREATE TABLE t (a varchar(10), b varchar(20), c text);

-- after

CREATE TABLE t (a varchar(20), b varchar(10), c varchar(5));
