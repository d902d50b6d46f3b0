-- sequence
-- drop: public.a
-- drop-back: public.c

CREATE SEQUENCE a; CREATE SEQUENCE b INCREMENT 2;

-- after

CREATE SEQUENCE b INCREMENT 3 MAXVALUE 900 CYCLE; CREATE SEQUENCE c AS int; CREATE TABLE t (id int DEFAULT nextval('c'));
