-- collation

-- nothing

-- after

CREATE COLLATION c (LOCALE = 'C'); CREATE TABLE t (a text COLLATE c);
