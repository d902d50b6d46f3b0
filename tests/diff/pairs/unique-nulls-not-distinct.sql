-- unique nulls not distinct
-- since: 15

CREATE TABLE t (a int CONSTRAINT u UNIQUE);

-- after

CREATE TABLE t (a int CONSTRAINT u UNIQUE NULLS NOT DISTINCT);
