-- rename: public.t=u
-- rename-back: public.u=t

CREATE TABLE t (a integer);
-- after
CREATE TABLE u (a integer);
CREATE TABLE t (z text);
