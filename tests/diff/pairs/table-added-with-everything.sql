-- table added with everything

CREATE TABLE teams (id bigint PRIMARY KEY);

-- after

CREATE TABLE teams (id bigint PRIMARY KEY);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id bigint NOT NULL REFERENCES teams ON DELETE CASCADE,
    name text NOT NULL DEFAULT 'x' CHECK (name <> ''),
    feels mood DEFAULT 'ok',
    twice text GENERATED ALWAYS AS (name || name) STORED,
    UNIQUE (team_id, name)
);
CREATE INDEX users_name ON users (lower(name)) WHERE feels = 'sad';
COMMENT ON TABLE users IS 'who';
COMMENT ON COLUMN users.name IS 'it''s a name';
