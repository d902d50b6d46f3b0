-- One of everything that PostgreSQL 14 has, as pg_dump restores it and as our own dump has to.
CREATE SCHEMA app;
CREATE SCHEMA "Odd Schema";
COMMENT ON SCHEMA app IS 'app''s';
CREATE EXTENSION citext WITH SCHEMA app;
CREATE EXTENSION btree_gist;
CREATE EXTENSION hstore SCHEMA "Odd Schema";
COMMENT ON EXTENSION hstore IS 'mine';

-- collations, types
CREATE COLLATION app.co (PROVIDER = libc, LOCALE = 'C');
CREATE TYPE app.mood AS ENUM ('sad', 'it''s', E'back\\slash');
ALTER TYPE app.mood ADD VALUE 'first' BEFORE 'sad';
CREATE TYPE app.comp AS (a integer, b text COLLATE "C", c app.mood, "D d" app.citext);
COMMENT ON COLUMN app.comp.a IS 'attribute';
CREATE TYPE app.rg AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = app."many rg");
CREATE TYPE app.tr AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE TYPE app.tr2 AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops);
CREATE TYPE app.shell;
CREATE DOMAIN app.posint AS integer DEFAULT 1 NOT NULL CONSTRAINT pos CHECK (VALUE > 0) CONSTRAINT "small x" CHECK (VALUE < 1000);
COMMENT ON CONSTRAINT pos ON DOMAIN app.posint IS 'positive';
CREATE DOMAIN app.nv AS text COLLATE "C";
ALTER DOMAIN app.nv ADD CONSTRAINT late CHECK (VALUE <> '') NOT VALID;
CREATE DOMAIN app.dd AS app.posint CHECK (VALUE <> 7);
CREATE DOMAIN app.arr AS integer[] CHECK (array_length(VALUE, 1) > 0);
CREATE TYPE app.nest AS (x app.comp, y app.posint[], z app."many rg");

-- base type
CREATE TYPE app.base;
CREATE FUNCTION app.base_in(cstring) RETURNS app.base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION app.base_out(app.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE app.base (INPUT = app.base_in, OUTPUT = app.base_out, LIKE = integer);

-- functions
CREATE FUNCTION app.f1(a integer, b integer DEFAULT 2, VARIADIC c text[] DEFAULT '{}') RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 LEAKPROOF AS 'SELECT a + b';
CREATE FUNCTION app.f2(OUT x integer, OUT y text) LANGUAGE sql AS $$ SELECT 1, '$function$' $$;
CREATE FUNCTION app.f3() RETURNS TABLE (id integer, "N a" text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET work_mem = '1MB' ROWS 5 AS $$ BEGIN RETURN QUERY SELECT 1, 'a'; END $$;
CREATE FUNCTION app.std(a integer) RETURNS integer LANGUAGE sql RETURN a + 1;
CREATE FUNCTION app.std2(a integer) RETURNS SETOF integer LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT a + 1; END;
CREATE PROCEDURE app.p1(INOUT a integer) LANGUAGE plpgsql AS $$ BEGIN a := 1; END $$;
CREATE PROCEDURE app.p2(a integer) LANGUAGE sql BEGIN ATOMIC SELECT a; END;
CREATE FUNCTION app.poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION app.tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app.etf() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION app.sup(a app.rg) RETURNS boolean LANGUAGE sql SUPPORT pg_catalog.generate_series_int4_support AS 'SELECT true';
CREATE FUNCTION app.win(integer) RETURNS integer LANGUAGE internal WINDOW AS 'window_lag';
CREATE FUNCTION app.crlf() RETURNS integer LANGUAGE plpgsql AS E'BEGIN\r\n  RETURN 1;\r\nEND';
CREATE AGGREGATE app.ag(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0', COMBINEFUNC = int4pl, PARALLEL = safe, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer);
CREATE AGGREGATE app.ag0(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE app.ord(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE app.mx(integer) (SFUNC = int4larger, STYPE = integer, SORTOP = >);
CREATE AGGREGATE app.hyp(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE FUNCTION app.cf(app.comp) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.b';
CREATE CAST (app.comp AS text) WITH FUNCTION app.cf(app.comp) AS ASSIGNMENT;
CREATE CAST (app.base AS integer) WITHOUT FUNCTION;
COMMENT ON CAST (app.base AS integer) IS 'a cast';
CREATE FUNCTION app.lt(app.comp, app.comp) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < $2.a';
CREATE FUNCTION app.eq(app.comp, app.comp) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a = $2.a';
CREATE OPERATOR app.<< (FUNCTION = app.lt, LEFTARG = app.comp, RIGHTARG = app.comp, COMMUTATOR = OPERATOR(app.>>), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR app.=== (FUNCTION = app.eq, LEFTARG = app.comp, RIGHTARG = app.comp, COMMUTATOR = OPERATOR(app.===), HASHES, MERGES);
CREATE FUNCTION app.neg(app.comp) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT -$1.a';
CREATE OPERATOR app.@@@ (FUNCTION = app.neg, RIGHTARG = app.comp);
CREATE OPERATOR FAMILY app.fam USING btree;
CREATE FUNCTION app.cmp(app.base, app.base) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE FUNCTION app.blt(app.base, app.base) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE OPERATOR app.< (FUNCTION = app.blt, LEFTARG = app.base, RIGHTARG = app.base);
CREATE OPERATOR app.= (FUNCTION = app.blt, LEFTARG = app.base, RIGHTARG = app.base);
CREATE OPERATOR CLASS app.base_ops DEFAULT FOR TYPE app.base USING btree FAMILY app.fam AS OPERATOR 1 app.<, OPERATOR 3 app.=, FUNCTION 1 app.cmp(app.base, app.base);
CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION app.cfg (COPY = english);
ALTER TEXT SEARCH CONFIGURATION app.cfg ALTER MAPPING FOR asciiword WITH app.dict, english_stem;
CREATE TEXT SEARCH TEMPLATE app.tmpl (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE TEXT SEARCH PARSER app.prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;

-- sequences
CREATE SEQUENCE app.s1 AS smallint INCREMENT -2 MINVALUE -100 MAXVALUE -1 START -3 CACHE 5 CYCLE;
COMMENT ON SEQUENCE app.s1 IS 's';

-- tables
CREATE TABLE app.t (
id integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 3 CACHE 2) CONSTRAINT t_pk PRIMARY KEY WITH (fillfactor=70),
id2 bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME app.my_seq CYCLE),
sr bigserial, n text NOT NULL DEFAULT 'a''b', d app.posint DEFAULT 5, m app.mood DEFAULT 'sad'::app.mood, c app.comp, r app.rg, mr app."many rg",
ci app.citext COLLATE "C", g integer GENERATED ALWAYS AS (1 + 1) STORED, arr text[] DEFAULT '{}'::text[], v varchar(10), nu numeric(10,2), ts timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP, iv interval day to second(2), b bit varying(5), ch char(3), by bytea DEFAULT '\xdeadbeef', j jsonb, du double precision DEFAULT 'NaN', "Ü mlaut" text, hs "Odd Schema".hstore, oid_ oid DEFAULT 'pg_class'::regclass::oid, s1 integer DEFAULT nextval('app.s1'), bt app.base,
CONSTRAINT t_ck CHECK (n <> '' AND d > 0) NO INHERIT, CONSTRAINT t_uq UNIQUE (n, v) INCLUDE (nu) WITH (fillfactor=50) DEFERRABLE INITIALLY DEFERRED,
CONSTRAINT t_ex EXCLUDE USING gist (r WITH &&, n WITH =) WHERE (n <> 'x') DEFERRABLE
) WITH (fillfactor=80, autovacuum_enabled=false, toast.autovacuum_enabled=false, parallel_workers=3);
ALTER TABLE app.t ALTER n SET (n_distinct=-0.5, n_distinct_inherited=7), ALTER n SET STATISTICS 300, ALTER j SET STORAGE EXTERNAL, ALTER n SET COMPRESSION pglz, ALTER v SET STORAGE MAIN;
ALTER TABLE app.t ADD CONSTRAINT nv CHECK (nu > 0) NOT VALID;
COMMENT ON TABLE app.t IS E'multi\nline \\ text';
COMMENT ON COLUMN app.t."Ü mlaut" IS 'ü';
COMMENT ON CONSTRAINT t_pk ON app.t IS 'pk';
COMMENT ON INDEX app.t_pk IS 'pk idx';
CREATE INDEX ON app.t (lower(n) text_pattern_ops DESC NULLS LAST, v COLLATE "C") INCLUDE (nu) WITH (fillfactor=60) WHERE nu > 0;
CREATE INDEX t_gin ON app.t USING gin (arr) WITH (fastupdate=off);
CREATE INDEX t_brin ON app.t USING brin (ts) WITH (pages_per_range=7, autosummarize=on);
CREATE INDEX t_hash ON app.t USING hash (n);
CREATE INDEX t_gist ON app.t USING gist (n gist_text_ops);
COMMENT ON INDEX app.t_gin IS 'gin';
CREATE INDEX t_expr ON app.t ((d + 1), (ci || 'x'));
ALTER INDEX app.t_expr ALTER COLUMN 1 SET STATISTICS 99;
ALTER TABLE app.t CLUSTER ON t_pk;
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE app.t REPLICA IDENTITY FULL;
CREATE POLICY pol ON app.t AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (id > 0) WITH CHECK (EXISTS (SELECT 1 FROM app.t t2 WHERE t2.id = t.id));
COMMENT ON POLICY pol ON app.t IS 'pol';
CREATE TABLE app.k (a integer, b integer, c integer NOT NULL, CONSTRAINT k_uq UNIQUE (a, b), CONSTRAINT k_c UNIQUE (c));
ALTER TABLE app.k REPLICA IDENTITY USING INDEX k_c;
CREATE TABLE app.fk (x integer, y integer, z integer, CONSTRAINT fk1 FOREIGN KEY (x, y) REFERENCES app.k (a, b) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, CONSTRAINT fkself FOREIGN KEY (z) REFERENCES app.k (c) NOT VALID);
CREATE UNIQUE INDEX k_ui ON app.k (b);
CREATE TABLE app.fk3 (b integer REFERENCES app.k (b) ON DELETE RESTRICT);
CREATE UNLOGGED TABLE app.ul (id serial, t text);
CREATE TABLE app.typed OF app.comp (a WITH OPTIONS NOT NULL DEFAULT 3, PRIMARY KEY (a));
CREATE TABLE app.none ();
CREATE TABLE app."we""ird.name" ("a""b" integer, "select" text);

-- inheritance
CREATE TABLE app.parent (a integer NOT NULL DEFAULT 1, b text, c integer GENERATED ALWAYS AS (7) STORED, CONSTRAINT par_ck CHECK (a > 0), CONSTRAINT par_ni CHECK (b <> '') NO INHERIT);
CREATE TABLE app.parent2 (b text, z integer);
CREATE TABLE app.child (extra integer) INHERITS (app.parent);
CREATE TABLE app.child2 (b text DEFAULT 'own', extra integer) INHERITS (app.parent, app.parent2);
CREATE TABLE app.child3 (b text, a integer NOT NULL, c integer GENERATED ALWAYS AS (7) STORED, CONSTRAINT par_ck CHECK (a > 0));
ALTER TABLE app.child3 INHERIT app.parent;
CREATE TABLE app.grand (CONSTRAINT own CHECK (extra > 0)) INHERITS (app.child);
ALTER TABLE app.grand ALTER a SET DEFAULT 9, ALTER b SET NOT NULL;

-- partitions
CREATE TABLE app.pt (id bigint NOT NULL, k text NOT NULL DEFAULT 'p', at timestamp DEFAULT now(), ref integer REFERENCES app.k (c), CONSTRAINT pt_pk PRIMARY KEY (id, k), CONSTRAINT pt_ck CHECK (id > 0)) PARTITION BY RANGE (id, k);
CREATE TABLE app.pt1 PARTITION OF app.pt FOR VALUES FROM (MINVALUE, MINVALUE) TO (100, 'a');
CREATE TABLE app.pt2 PARTITION OF app.pt (at DEFAULT NULL, id CHECK (id > 50)) FOR VALUES FROM (100, 'a') TO (200, 'z') PARTITION BY HASH (k);
CREATE TABLE app.pt2a PARTITION OF app.pt2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.pt2b PARTITION OF app.pt2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE app.pt3 (k text NOT NULL DEFAULT 'own', extra_drop integer, ref integer, at timestamp, id bigint NOT NULL, CONSTRAINT pt_ck CHECK (id > 0));
ALTER TABLE app.pt3 DROP extra_drop;
CREATE UNIQUE INDEX pt3_ui ON app.pt3 (id, k);
ALTER TABLE app.pt ATTACH PARTITION app.pt3 DEFAULT;
CREATE INDEX pt_at ON app.pt (at);
CREATE INDEX pt_only ON ONLY app.pt (ref);
CREATE INDEX pt1_extra ON app.pt1 (at, id);
CREATE TABLE app.li (a text) PARTITION BY LIST (lower(a));
CREATE TABLE app.li1 PARTITION OF app.li FOR VALUES IN ('a', 'b', NULL);
CREATE TABLE app.ptd (a integer DEFAULT 3, t timestamp DEFAULT now()) PARTITION BY LIST (a);
CREATE TABLE app.ptd1 (a integer, t timestamp);
ALTER TABLE app.ptd ATTACH PARTITION app.ptd1 FOR VALUES IN (1);
CREATE TRIGGER ptg AFTER INSERT ON app.pt FOR EACH ROW WHEN (NEW.id > 5) EXECUTE FUNCTION app.tf('a', 'b');
ALTER TABLE app.pt1 DISABLE TRIGGER ptg;
COMMENT ON TRIGGER ptg ON app.pt IS 'tg';

-- triggers, rules
CREATE TRIGGER tg1 BEFORE UPDATE OF n, v ON app.t FOR EACH ROW WHEN (OLD.n IS DISTINCT FROM NEW.n) EXECUTE FUNCTION app.tf();
CREATE TRIGGER tg2 AFTER UPDATE ON app.t REFERENCING OLD TABLE AS o NEW TABLE AS nw FOR EACH STATEMENT EXECUTE FUNCTION app.tf();
CREATE CONSTRAINT TRIGGER tg3 AFTER INSERT ON app.t FROM app.k DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.tf();
ALTER TABLE app.t ENABLE ALWAYS TRIGGER tg1, ENABLE REPLICA TRIGGER tg2;
CREATE RULE ru AS ON INSERT TO app.fk3 WHERE NEW.b > 5 DO ALSO INSERT INTO app.k (c) VALUES (NEW.b); CREATE RULE ru2 AS ON DELETE TO app.fk3 DO INSTEAD (DELETE FROM app.k WHERE a = OLD.b; UPDATE app.k SET a = 1); COMMENT ON RULE ru ON app.fk3 IS 'r'; ALTER TABLE app.fk3 DISABLE RULE ru2;

-- views
CREATE VIEW app.v WITH (security_barrier) AS SELECT id, n, d FROM app.t WHERE id > 0 WITH LOCAL CHECK OPTION;
ALTER VIEW app.v ALTER n SET DEFAULT 'viewdef';
COMMENT ON VIEW app.v IS 'v';
COMMENT ON COLUMN app.v.n IS 'vn';
CREATE VIEW app.v2 AS WITH RECURSIVE q(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM q WHERE x < 5) SELECT x, row_number() OVER w AS rn, (SELECT max(id) FROM app.v) AS mx FROM q WINDOW w AS (ORDER BY x) ORDER BY x LIMIT 3;
CREATE VIEW app.v3 AS SELECT j.* FROM (app.k k1 JOIN app.k k2 USING (a) AS ja) AS j (p, q, r, s, u);
CREATE VIEW app.v4 AS SELECT a FROM app.k GROUP BY a;
CREATE TABLE app.gb (id integer PRIMARY KEY, x text);
CREATE VIEW app.v5 AS SELECT id, x, count(*) FROM app.gb GROUP BY id;
CREATE VIEW app.vins AS SELECT 1 AS one;
CREATE TRIGGER vi INSTEAD OF INSERT ON app.vins FOR EACH ROW EXECUTE FUNCTION app.tf();
CREATE MATERIALIZED VIEW app.mv WITH (fillfactor=50) AS SELECT id, n FROM app.t WITH NO DATA;
CREATE UNIQUE INDEX mv_i ON app.mv (id);
ALTER MATERIALIZED VIEW app.mv ALTER n SET STATISTICS 5, ALTER n SET STORAGE MAIN;
COMMENT ON MATERIALIZED VIEW app.mv IS 'mv';
ALTER MATERIALIZED VIEW app.mv CLUSTER ON mv_i;
CREATE FUNCTION app.vset() RETURNS SETOF app.v LANGUAGE sql AS 'SELECT * FROM app.v';
CREATE VIEW app.vf AS SELECT f.id, f.n FROM app.vset() f;
CREATE VIEW app.same AS SELECT 1 AS a;
CREATE FUNCTION app.same(x integer) RETURNS SETOF app.same LANGUAGE sql AS 'SELECT 1';
CREATE STATISTICS app.st (dependencies, ndistinct, mcv) ON n, v FROM app.t;
CREATE STATISTICS app.st2 ON (d + 1), (lower(n)) FROM app.t;
ALTER STATISTICS app.st SET STATISTICS 77;
COMMENT ON STATISTICS app.st IS 'st';
CREATE EVENT TRIGGER et ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION app.etf();
ALTER EVENT TRIGGER et DISABLE;
COMMENT ON EVENT TRIGGER et IS 'et';
CREATE PUBLICATION pu FOR TABLE app.fk3, ONLY app.gb WITH (publish = 'insert, update', publish_via_partition_root = true);
COMMENT ON PUBLICATION pu IS 'pu';
CREATE PUBLICATION pall FOR ALL TABLES;
CREATE PUBLICATION pnone;
CREATE FOREIGN DATA WRAPPER w OPTIONS (debug 'true');
CREATE SERVER srv TYPE 'ty' VERSION '1' FOREIGN DATA WRAPPER w OPTIONS (host 'h', "Odd o" 'it''s');
CREATE FOREIGN TABLE app.ft (a integer OPTIONS (col 'x') NOT NULL DEFAULT 4, b text COLLATE "C", CONSTRAINT ftc CHECK (a > 0)) SERVER srv OPTIONS (tab 'it''s');
COMMENT ON FOREIGN TABLE app.ft IS 'ft';
ALTER FOREIGN TABLE app.ft ALTER a SET STATISTICS 3, ALTER a SET (n_distinct=4);
CREATE TABLE app.pf (a integer) PARTITION BY LIST (a);
CREATE FOREIGN TABLE app.pf1 PARTITION OF app.pf FOR VALUES IN (1) SERVER srv;
CREATE FUNCTION app.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE LANGUAGE pl2 HANDLER app.handler;
COMMENT ON LANGUAGE pl2 IS 'pl2';
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE app.am (a integer) USING heap2;
CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal));
CREATE TABLE app.schema_migrations (version text PRIMARY KEY, what text, at timestamptz);
CREATE FUNCTION app.shown(app.t) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.n::text';
CREATE VIEW app.computed AS SELECT id, app.shown(t.*) AS shown FROM app.t;
CREATE FUNCTION app.shown(app.computed) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.shown';
CREATE VIEW app.a_computed AS SELECT app.shown(computed.*) AS shown FROM app.computed;
CREATE FUNCTION app.shown(app.a_computed) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.shown';
CREATE DOMAIN app.checked AS text COLLATE "C" NOT NULL;
CREATE FUNCTION app.is_right(text, app.checked[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT length($1) > 1';
ALTER DOMAIN app.checked ADD CONSTRAINT "of ours" CHECK (app.is_right(VALUE, '{}') AND VALUE <> 'a CONSTRAINT b');
ALTER DOMAIN app.checked ADD CONSTRAINT late CHECK (VALUE <> 'zz') NOT VALID;
ALTER DOMAIN app.checked SET DEFAULT 'xy';
COMMENT ON CONSTRAINT late ON DOMAIN app.checked IS 'late';
COMMENT ON DOMAIN app.checked IS 'checked';
SET search_path = app;
CREATE FUNCTION one() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE DOMAIN by_function AS integer DEFAULT one();
CREATE TABLE of_domains (a checked, b by_function);
RESET search_path;
