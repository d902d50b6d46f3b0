-- constraint renamed

CREATE TABLE t (a int CONSTRAINT x CHECK (a > 0), b int CONSTRAINT y UNIQUE);

-- after

CREATE TABLE t (a int CONSTRAINT x2 CHECK (a > 0), b int CONSTRAINT y2 UNIQUE);
