-- word in a check that is a column

CREATE TABLE t (kind text CHECK (kind <> 'name'), name text);

-- after

CREATE TABLE t (kind text CHECK (kind <> 'name'));
