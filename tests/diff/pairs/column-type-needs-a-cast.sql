-- column type needs a cast

CREATE TABLE t (a text, b text DEFAULT '1', c int);

-- after

CREATE TABLE t (a int, b int DEFAULT 1, c text);
