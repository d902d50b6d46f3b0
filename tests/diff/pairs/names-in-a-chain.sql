-- rename: public.t.b=c
-- rename: public.t.a=b

CREATE TABLE t (a integer, b integer);
-- after
CREATE TABLE t (b integer, c integer);
