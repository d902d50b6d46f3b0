-- policy changed and its column

CREATE TABLE t (a int, who text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (a > 0);

-- after

CREATE TABLE t (a bigint, who text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON t USING (a > 0);
