-- enum value renamed
-- rename: public.mood.sad=blue

CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood);

-- after

CREATE TYPE mood AS ENUM ('blue', 'ok'); CREATE TABLE t (m mood);
