-- extension type
-- needs: citext

CREATE EXTENSION citext; CREATE TABLE t (a citext);

-- after

CREATE TABLE t (a text);
