-- column dropped and another added
-- drop: public.users.name
-- drop-back: public.users.bio

CREATE TABLE users (id int, name text);

-- after

CREATE TABLE users (id int, bio text);
