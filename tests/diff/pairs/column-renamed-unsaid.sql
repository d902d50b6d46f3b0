-- column renamed unsaid
-- asks: --rename public.users.name=full_name

CREATE TABLE users (id int, name text);

-- after

CREATE TABLE users (id int, full_name text);
