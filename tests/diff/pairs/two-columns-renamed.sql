-- two columns renamed
-- rename: public.t.a=x
-- rename: public.t.b=y

CREATE TABLE t (a int, b int, c text);

-- after

CREATE TABLE t (x int, y int, c text);
