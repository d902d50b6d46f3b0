-- enum becomes text

CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood DEFAULT 'ok');

-- after

CREATE TABLE t (m text DEFAULT 'ok');
