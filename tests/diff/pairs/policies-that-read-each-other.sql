-- each is in the way of the other table's drop

CREATE TABLE one (id integer);
CREATE TABLE two (id integer);
CREATE POLICY of_one ON one USING (EXISTS (SELECT FROM two WHERE two.id = one.id));
CREATE POLICY of_two ON two USING (EXISTS (SELECT FROM one WHERE two.id = one.id));
-- after
CREATE TABLE other (name text);
