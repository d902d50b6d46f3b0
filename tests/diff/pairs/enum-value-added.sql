-- enum value added

CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood DEFAULT 'ok', l mood[]); CREATE INDEX t_m ON t (m) WHERE m = 'ok';

-- after

CREATE TYPE mood AS ENUM ('sad', 'fine', 'ok', 'happy'); CREATE TABLE t (m mood DEFAULT 'ok', l mood[]); CREATE INDEX t_m ON t (m) WHERE m = 'ok';
