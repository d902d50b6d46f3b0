-- inheritance

CREATE TABLE p (a int); CREATE TABLE c (b int) INHERITS (p);

-- after

CREATE TABLE p (a int, n text); CREATE TABLE c (b int) INHERITS (p);
