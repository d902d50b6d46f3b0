-- the comment comes behind the table, which comes behind its sequence

CREATE TABLE other (name text);
-- after
CREATE TABLE other (name text);
CREATE TABLE t (id serial PRIMARY KEY);
COMMENT ON TABLE t IS 'with a comment';
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
