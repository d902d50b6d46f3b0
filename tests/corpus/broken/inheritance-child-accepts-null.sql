-- verdict: no
-- codes: column-wrong
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [columns.p]
-- contract: a = "integer not null"
CREATE TABLE p (a int);
CREATE TABLE p2 () INHERITS (p);
ALTER TABLE ONLY p ADD CONSTRAINT always CHECK (a IS NOT NULL) NO INHERIT;
UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'p'::regclass AND attname = 'a';
