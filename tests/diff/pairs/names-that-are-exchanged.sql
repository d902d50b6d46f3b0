-- rename: public.t.a=b
-- rename: public.t.b=a
-- rename: public.one=two
-- rename: public.two=one

CREATE TABLE t (a integer, b text);
CREATE TABLE one (x integer);
CREATE TABLE two (y text);
-- after
CREATE TABLE t (b integer, a text);
CREATE TABLE two (x integer);
CREATE TABLE one (y text);
