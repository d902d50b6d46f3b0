-- table renamed and its column
-- rename: public.users=people
-- rename: public.people.name=full_name
-- rename-back: public.people=users
-- rename-back: public.users.full_name=name

CREATE TABLE users (id int, name text, born date);

-- after

CREATE TABLE people (id int, full_name text, born date);
