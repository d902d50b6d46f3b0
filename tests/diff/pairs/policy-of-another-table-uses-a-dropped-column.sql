-- policy of another table uses a dropped column

CREATE TABLE p (id int, who text); CREATE TABLE t (p_id int); CREATE POLICY x ON t USING (EXISTS (SELECT FROM p WHERE p.id = p_id AND p.who = CURRENT_USER));

-- after

CREATE TABLE p (id int); CREATE TABLE t (p_id int); CREATE POLICY x ON t USING (EXISTS (SELECT FROM p WHERE p.id = p_id));
