-- exclusion changed

CREATE TABLE t (r int4range, CONSTRAINT x EXCLUDE USING gist (r WITH &&));

-- after

CREATE TABLE t (r int4range, CONSTRAINT x EXCLUDE USING gist (r WITH &&) WHERE (NOT isempty(r)));
