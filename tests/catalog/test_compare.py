"""A catalog misses nothing, adds nothing, and the SQL it suggests mends what it found."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING, Catalog, Difference
from wflo_schema.catalog.read import read_catalog
from wflo_schema.catalog.text import catalog_text, parse_catalog
from wflo_schema.connect.database import Database
from wflo_schema.errors import UsageError, WfloSchemaError

if TYPE_CHECKING:
    from tests.conftest import RunningServer

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

BASE = """
CREATE TABLE u (id integer PRIMARY KEY, v text, w integer);
CREATE UNIQUE INDEX u_v ON u (v);
CREATE TABLE t (
    id serial PRIMARY KEY,
    c integer NOT NULL DEFAULT 1,
    n text,
    n2 text COLLATE "C",
    i bigint GENERATED ALWAYS AS IDENTITY,
    g integer GENERATED ALWAYS AS (1 + 1) STORED,
    CONSTRAINT t_c CHECK (c > 0),
    CONSTRAINT t_fk FOREIGN KEY (c) REFERENCES u (id) ON DELETE CASCADE,
    CONSTRAINT t_uq UNIQUE (c, n)
);
CREATE INDEX ix ON t (c);
CREATE INDEX ix_part ON t (lower(n)) WHERE (c > 5);
COMMENT ON TABLE t IS 'it''s \\ a table';
COMMENT ON COLUMN t.n IS 'a column';
COMMENT ON INDEX ix IS 'an index';
COMMENT ON CONSTRAINT t_c ON t IS 'a check';
CREATE TABLE "Odd.Name" ("Select" integer, "a ""b"" c" text, " " text);
CREATE INDEX "Odd.Index" ON "Odd.Name" ("Select");
CREATE SEQUENCE s;
CREATE VIEW w AS SELECT id, n FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE TYPE e AS ENUM ('a', 'it''s', 'c');
CREATE TYPE comp AS (a integer, b text);
CREATE TYPE rg AS RANGE (SUBTYPE = float8);
CREATE DOMAIN d AS text DEFAULT 'x' CONSTRAINT d_c CHECK (VALUE <> '');
CREATE FUNCTION f(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE pr(x integer) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE ag(integer) (SFUNC = int4pl, STYPE = integer);
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION etf() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE TRIGGER tg BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();
CREATE RULE ru AS ON DELETE TO u WHERE old.w = 1 DO INSTEAD NOTHING;
CREATE POLICY po ON t FOR SELECT TO PUBLIC USING (c > 0);
CREATE STATISTICS st ON c, n FROM t;
CREATE COLLATION co (PROVIDER = libc, LOCALE = 'C');
CREATE TEXT SEARCH CONFIGURATION ts (COPY = pg_catalog.simple);
CREATE SCHEMA other;
CREATE TABLE other.t (id integer PRIMARY KEY);
CREATE TABLE p (a integer NOT NULL, b integer, PRIMARY KEY (a), CONSTRAINT p_fk FOREIGN KEY (b) REFERENCES u (id))
    PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE INDEX p_b ON p (b);
CREATE TABLE parent (a integer, CONSTRAINT a_c CHECK (a > 0));
CREATE TABLE child (b integer) INHERITS (parent);
"""


@dataclass(frozen=True)
class Case:
    """One statement on top of BASE, and the one difference it makes (have: changed, want: BASE).

    ``mends`` says which way a mend is offered: < back to BASE, > from BASE to the change.
    """

    change: str
    kind: str
    object: str
    attribute: str
    have: str
    want: str
    mends: str = "<>"
    since: int = 14


FK = "public.t(c) REFERENCES public.u(id) ON DELETE CASCADE"
FN = "CREATE OR REPLACE FUNCTION public.f(x integer)\n RETURNS integer\n LANGUAGE sql\nAS $function$SELECT {}$function$"
IX = "CREATE INDEX ON public.t USING btree (c)"
POLICY = "AS PERMISSIVE FOR SELECT TO PUBLIC USING ((c > {}))"
TG = "CREATE TRIGGER tg {} INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.tf()"

CASES = (
    Case("CREATE SCHEMA x", "schema", "x", "", "SCHEMA x", NOTHING, ">"),
    Case("DROP SCHEMA other CASCADE", "schema", "other", "", NOTHING, "SCHEMA other", "<!"),
    Case("DROP TABLE other.t", "table", "other.t", "", NOTHING, "TABLE other.t (id integer NOT NULL)", ""),
    Case(
        'DROP TABLE "Odd.Name"',
        "table",
        'public."Odd.Name"',
        "",
        NOTHING,
        'TABLE public."Odd.Name" ("Select" integer, "a ""b"" c" text, " " text)',
        "",
    ),
    Case(
        "CREATE TABLE x (a serial PRIMARY KEY, b integer REFERENCES u UNIQUE)",
        "table",
        "public.x",
        "",
        "TABLE public.x (a integer NOT NULL DEFAULT nextval('public.x_a_seq'::regclass), b integer)",
        NOTHING,
        "",
    ),
    Case("ALTER TABLE other.t SET UNLOGGED", "table", "other.t", "persistence", "UNLOGGED", "PERMANENT", ""),
    Case("ALTER TABLE u SET (fillfactor = 70)", "table", "public.u", "options", "fillfactor=70", NOTHING),
    Case("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "table", "public.t", "row security", "ENABLED", "DISABLED"),
    Case(
        "ALTER TABLE t FORCE ROW LEVEL SECURITY", "table", "public.t", "row security for owner", "FORCED", "NOT FORCED"
    ),
    Case("ALTER TABLE u REPLICA IDENTITY FULL", "table", "public.u", "replica identity", "FULL", "DEFAULT"),
    Case("COMMENT ON TABLE t IS NULL", "table", "public.t", "comment", NOTHING, "it's \\ a table"),
    Case(
        "ALTER TABLE p DETACH PARTITION p1",
        "table",
        "public.p1",
        "partition of",
        NOTHING,
        "public.p FOR VALUES FROM (0) TO (10)",
        "",
    ),
    Case("ALTER TABLE child NO INHERIT parent", "table", "public.child", "inherits", NOTHING, "public.parent", ">"),
    Case(
        "ALTER TABLE u ADD x text NOT NULL DEFAULT 'a' COLLATE \"C\"",
        "column",
        "public.u.x",
        "",
        "text COLLATE \"C\" NOT NULL DEFAULT 'a'::text",
        NOTHING,
        ">",
    ),
    Case(
        "ALTER TABLE u ADD x serial",
        "column",
        "public.u.x",
        "",
        "integer NOT NULL DEFAULT nextval('public.u_x_seq'::regclass)",
        NOTHING,
        ">",
    ),
    Case(
        "ALTER TABLE u ADD x integer GENERATED BY DEFAULT AS IDENTITY (START 7 CYCLE)",
        "column",
        "public.u.x",
        "",
        "integer NOT NULL GENERATED BY DEFAULT AS IDENTITY"
        " (START WITH 7 INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 CYCLE)",
        NOTHING,
        ">",
    ),
    Case('ALTER TABLE "Odd.Name" DROP " "', "column", 'public."Odd.Name"." "', "", NOTHING, "text", "<"),
    Case("ALTER TABLE p ADD x integer", "column", "public.p.x", "", "integer", NOTHING, ">"),
    Case(
        'ALTER TABLE "Odd.Name" ALTER " " TYPE varchar(3)',
        "column",
        'public."Odd.Name"." "',
        "type",
        "character varying(3)",
        "text",
        "",
    ),
    Case("ALTER TABLE t ALTER c DROP NOT NULL", "column", "public.t.c", "not null", "NULL", "NOT NULL"),
    Case("ALTER TABLE t ALTER c SET DEFAULT 2", "column", "public.t.c", "default", "2", "1"),
    Case("ALTER TABLE t ALTER c DROP DEFAULT", "column", "public.t.c", "default", NOTHING, "1"),
    Case(
        "ALTER TABLE t ALTER g DROP EXPRESSION",
        "column",
        "public.t.g",
        "generated",
        NOTHING,
        "GENERATED ALWAYS AS ((1 + 1)) STORED",
        ">",
    ),
    Case(
        "ALTER TABLE t ALTER i SET GENERATED BY DEFAULT",
        "column",
        "public.t.i",
        "identity",
        "GENERATED BY DEFAULT AS IDENTITY (START WITH 1 INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807"
        " CACHE 1)",
        "GENERATED ALWAYS AS IDENTITY (START WITH 1 INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 CACHE 1)",
        "",
    ),
    Case(
        'ALTER TABLE t ALTER n2 TYPE text COLLATE "POSIX"', "column", "public.t.n2", "collation", '"POSIX"', '"C"', ""
    ),
    Case(
        "ALTER TABLE u ALTER v SET STORAGE EXTERNAL", "column", "public.u.v", "storage", "EXTERNAL", NOTHING, since=16
    ),
    Case(
        "ALTER TABLE u ALTER v SET COMPRESSION pglz", "column", "public.u.v", "compression", "pglz", NOTHING, since=14
    ),
    Case("ALTER TABLE u ALTER v SET STATISTICS 7", "column", "public.u.v", "statistics", "7", NOTHING),
    Case("COMMENT ON COLUMN t.n IS 'other'", "column", "public.t.n", "comment", "other", "a column"),
    Case("ALTER TABLE t DROP CONSTRAINT t_fk", "constraint", "public.t.t_fk", "", NOTHING, FK),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_fk, ADD CONSTRAINT t_fk FOREIGN KEY (c) REFERENCES u (id)",
        "constraint",
        "public.t.t_fk",
        "definition",
        "public.t(c) REFERENCES public.u(id)",
        FK,
    ),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_fk, ADD CONSTRAINT t_fk FOREIGN KEY (c) REFERENCES u (id)"
        " ON DELETE CASCADE NOT VALID",
        "constraint",
        "public.t.t_fk",
        "validated",
        FK + " NOT VALID",
        FK,
    ),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_fk, ADD CONSTRAINT t_fk FOREIGN KEY (c) REFERENCES u (id)"
        " ON DELETE CASCADE NOT ENFORCED",
        "constraint",
        "public.t.t_fk",
        "enforced",
        FK + " NOT ENFORCED",
        FK,
        since=18,
    ),
    Case('ALTER TABLE t RENAME CONSTRAINT t_fk TO "T Fk"', "constraint", 'public.t."T Fk"', "name", '"T Fk"', "t_fk"),
    Case("ALTER TABLE t RENAME CONSTRAINT t_c TO t_c2", "constraint", "public.t.t_c2", "name", "t_c2", "t_c"),
    Case(
        "ALTER TABLE t DISABLE TRIGGER ALL; ALTER TABLE t ENABLE TRIGGER USER",
        "constraint",
        "public.t.t_fk",
        "triggers",
        "RI_FKey_check_ins DISABLED, RI_FKey_check_upd DISABLED",
        "all internal triggers ENABLED",
        "<",
    ),
    Case(
        "DELETE FROM pg_trigger WHERE tgfoid = '\"RI_FKey_cascade_del\"'::regproc AND tgrelid = 'u'::regclass",
        "constraint",
        "public.t.t_fk",
        "triggers",
        "3 of 4 internal triggers",
        "all internal triggers ENABLED",
        "",
    ),
    Case("ALTER TABLE t DROP CONSTRAINT t_c", "constraint", "public.t.t_c", "", NOTHING, "public.t CHECK ((c > 0))"),
    Case("ALTER TABLE t DROP CONSTRAINT t_uq", "constraint", "public.t.t_uq", "", NOTHING, "public.t UNIQUE (c, n)"),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_uq, ADD CONSTRAINT t_uq UNIQUE (n, c)",
        "constraint",
        "public.t.t_uq",
        "definition",
        "public.t UNIQUE (n, c)",
        "public.t UNIQUE (c, n)",
    ),
    Case(
        "ALTER TABLE other.t DROP CONSTRAINT t_pkey",
        "constraint",
        "other.t.t_pkey",
        "",
        NOTHING,
        "other.t PRIMARY KEY (id)",
        "<>!",
    ),
    Case("COMMENT ON CONSTRAINT t_c ON t IS NULL", "constraint", "public.t.t_c", "comment", NOTHING, "a check"),
    Case("COMMENT ON INDEX t_uq IS 'x'", "constraint", "public.t.t_uq", "index comment", "x", NOTHING),
    Case(
        "ALTER TABLE parent DROP CONSTRAINT a_c",
        "constraint",
        "public.parent.a_c",
        "",
        NOTHING,
        "public.parent CHECK ((a > 0))",
    ),
    Case(
        "ALTER TABLE p DROP CONSTRAINT p_fk",
        "constraint",
        "public.p.p_fk",
        "",
        NOTHING,
        "public.p(b) REFERENCES public.u(id)",
    ),
    Case(
        "ALTER TABLE p DROP CONSTRAINT p_fk, ADD CONSTRAINT p_fk FOREIGN KEY (b) REFERENCES u (id) ON DELETE CASCADE",
        "constraint",
        "public.p.p_fk",
        "definition",
        "public.p(b) REFERENCES public.u(id) ON DELETE CASCADE",
        "public.p(b) REFERENCES public.u(id)",
    ),
    Case("DROP INDEX ix", "index", "public.t.ix", "", NOTHING, IX),
    Case(
        "CREATE INDEX x ON u (w DESC NULLS LAST) INCLUDE (v)",
        "index",
        "public.u.x",
        "",
        "CREATE INDEX ON public.u USING btree (w DESC NULLS LAST) INCLUDE (v)",
        NOTHING,
    ),
    Case(
        "DROP INDEX ix; CREATE INDEX ix ON t (n); COMMENT ON INDEX ix IS 'an index'",
        "index",
        "public.t.ix",
        "definition",
        "CREATE INDEX ON public.t USING btree (n)",
        IX,
    ),
    Case(
        "DROP INDEX u_v; CREATE UNIQUE INDEX u_v ON u (v) NULLS NOT DISTINCT",
        "index",
        "public.u.u_v",
        "definition",
        "CREATE UNIQUE INDEX ON public.u USING btree (v) NULLS NOT DISTINCT",
        "CREATE UNIQUE INDEX ON public.u USING btree (v)",
        since=15,
    ),
    Case("ALTER INDEX ix RENAME TO iy", "index", "public.t.iy", "name", "iy", "ix"),
    Case('ALTER INDEX "Odd.Index" RENAME TO "x "', "index", 'public."Odd.Name"."x "', "name", '"x "', '"Odd.Index"'),
    Case(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass",
        "index",
        "public.t.ix",
        "valid",
        "INVALID",
        "VALID",
        "<",
    ),
    Case("COMMENT ON INDEX ix IS NULL", "index", "public.t.ix", "comment", NOTHING, "an index"),
    Case("CLUSTER u USING u_v", "index", "public.u.u_v", "clustered", "yes", "no"),
    Case("DROP INDEX p_b", "index", "public.p.p_b", "", NOTHING, "CREATE INDEX ON ONLY public.p USING btree (b)"),
    Case("DROP INDEX m_id", "index", "public.m.m_id", "", NOTHING, "CREATE UNIQUE INDEX ON public.m USING btree (id)"),
    Case("ALTER SEQUENCE s INCREMENT 2", "sequence", "public.s", "increment", "2", "1"),
    Case("ALTER SEQUENCE s CYCLE", "sequence", "public.s", "cycle", "CYCLE", "NO CYCLE"),
    Case("ALTER SEQUENCE s OWNED BY u.w", "sequence", "public.s", "owned by", "public.u.w", NOTHING),
    Case(
        "DROP SEQUENCE s",
        "sequence",
        "public.s",
        "",
        NOTHING,
        "SEQUENCE public.s (cache 1, increment 1, maximum 9223372036854775807, minimum 1, start 1, type bigint)",
        "<",
    ),
    Case("DROP VIEW w", "view", "public.w", "", NOTHING, "?"),
    Case("CREATE OR REPLACE VIEW w AS SELECT id, n FROM t WHERE c = 1", "view", "public.w", "definition", "?", "?", ""),
    Case("ALTER VIEW w SET (security_barrier = true)", "view", "public.w", "options", "security_barrier=true", NOTHING),
    Case("DROP MATERIALIZED VIEW m", "materialized view", "public.m", "", NOTHING, "?", "<!"),
    Case("REFRESH MATERIALIZED VIEW m WITH NO DATA", "materialized view", "public.m", "populated", "no", "yes", "<"),
    Case(
        "ALTER TYPE e ADD VALUE 'b' AFTER 'a'",
        "type",
        "public.e",
        "definition",
        "ENUM ('a', 'b', 'it''s', 'c')",
        "ENUM ('a', 'it''s', 'c')",
        ">",
    ),
    Case(
        "ALTER TYPE e ADD VALUE '0' BEFORE 'a'",
        "type",
        "public.e",
        "definition",
        "ENUM ('0', 'a', 'it''s', 'c')",
        "ENUM ('a', 'it''s', 'c')",
        ">",
    ),
    Case(
        "ALTER TYPE e RENAME VALUE 'c' TO 'd'",
        "type",
        "public.e",
        "definition",
        "ENUM ('a', 'it''s', 'd')",
        "ENUM ('a', 'it''s', 'c')",
        "",
    ),
    Case("DROP TYPE e", "type", "public.e", "", NOTHING, "ENUM ('a', 'it''s', 'c')", "<>"),
    Case(
        "ALTER TYPE comp ADD ATTRIBUTE c date",
        "type",
        "public.comp",
        "definition",
        "(a integer, b text, c date)",
        "(a integer, b text)",
        "",
    ),
    Case(
        "DROP TYPE rg",
        "type",
        "public.rg",
        "",
        NOTHING,
        "RANGE (SUBTYPE = double precision, MULTIRANGE_TYPE_NAME = public.rg_multirange)",
        "<>",
    ),
    Case("ALTER DOMAIN d SET NOT NULL", "domain", "public.d", "not null", "NOT NULL", "NULL"),
    Case(
        "ALTER DOMAIN d DROP CONSTRAINT d_c",
        "domain",
        "public.d",
        "constraints",
        NOTHING,
        "CONSTRAINT d_c CHECK ((VALUE <> ''::text))",
        "",
    ),
    Case("DROP DOMAIN d", "domain", "public.d", "", NOTHING, "?", "<>"),
    Case(
        "CREATE OR REPLACE FUNCTION f(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 2'",
        "function",
        "public.f(integer)",
        "definition",
        FN.format(2),
        FN.format(1),
    ),
    Case("DROP FUNCTION f", "function", "public.f(integer)", "", NOTHING, FN.format(1)),
    Case(
        "CREATE FUNCTION f(x text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "function",
        "public.f(text)",
        "",
        FN.format(1).replace("x integer", "x text"),
        NOTHING,
    ),
    Case("DROP PROCEDURE pr", "procedure", "public.pr(integer)", "", NOTHING, "?"),
    Case(
        "DROP AGGREGATE ag(integer)",
        "aggregate",
        "public.ag(integer)",
        "",
        NOTHING,
        "AGGREGATE (integer) SFUNC = int4pl, STYPE = integer, RETURNS = integer",
        "<>",
    ),
    Case("COMMENT ON AGGREGATE ag(integer) IS 'x'", "aggregate", "public.ag(integer)", "comment", "x", NOTHING),
    Case("ALTER TABLE t DISABLE TRIGGER tg", "trigger", "public.t.tg", "enabled", "DISABLED", "ENABLED"),
    Case("DROP TRIGGER tg ON t", "trigger", "public.t.tg", "", NOTHING, TG.format("BEFORE")),
    Case(
        "DROP TRIGGER tg ON t; CREATE TRIGGER tg AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf()",
        "trigger",
        "public.t.tg",
        "definition",
        TG.format("AFTER"),
        TG.format("BEFORE"),
    ),
    Case(
        "CREATE TRIGGER x AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION tf()",
        "trigger",
        "public.p.x",
        "",
        "CREATE TRIGGER x AFTER INSERT ON public.p FOR EACH ROW EXECUTE FUNCTION public.tf()",
        NOTHING,
    ),
    Case("DROP RULE ru ON u", "rule", "public.u.ru", "", NOTHING, "?"),
    Case("ALTER TABLE u DISABLE RULE ru", "rule", "public.u.ru", "enabled", "DISABLED", "ENABLED"),
    Case("DROP POLICY po ON t", "policy", "public.t.po", "", NOTHING, POLICY.format(0)),
    Case(
        "ALTER POLICY po ON t USING (c > 1)", "policy", "public.t.po", "definition", POLICY.format(1), POLICY.format(0)
    ),
    Case("DROP STATISTICS st", "statistics", "public.st", "", NOTHING, "?"),
    Case("DROP COLLATION co", "collation", "public.co", "", NOTHING, "?", "<>"),
    Case("DROP TEXT SEARCH CONFIGURATION ts", "text search configuration", "public.ts", "", NOTHING, "?", "<>"),
    Case(
        "CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION etf()",
        "event trigger",
        "x",
        "",
        "ON ddl_command_start EXECUTE FUNCTION public.etf()",
        NOTHING,
        "<>",
    ),
    Case(
        "CREATE PUBLICATION x FOR TABLE u",
        "publication",
        "x",
        "",
        "FOR TABLE ONLY public.u WITH (publish = 'insert, update, delete, truncate')",
        NOTHING,
        "<>",
    ),
    Case("COMMENT ON SCHEMA other IS 'x'", "schema", "other", "comment", "x", NOTHING),
    Case("COMMENT ON COLUMN w.n IS 'x'", "column", "public.w.n", "comment", "x", NOTHING),
    Case("COMMENT ON VIEW w IS 'x'", "view", "public.w", "comment", "x", NOTHING),
    Case("COMMENT ON MATERIALIZED VIEW m IS 'x'", "materialized view", "public.m", "comment", "x", NOTHING),
    Case("COMMENT ON SEQUENCE s IS 'x'", "sequence", "public.s", "comment", "x", NOTHING),
    Case("COMMENT ON TYPE e IS 'x'", "type", "public.e", "comment", "x", NOTHING),
    Case("COMMENT ON DOMAIN d IS 'x'", "domain", "public.d", "comment", "x", NOTHING),
    Case("COMMENT ON FUNCTION f(integer) IS 'x'", "function", "public.f(integer)", "comment", "x", NOTHING),
    Case("COMMENT ON PROCEDURE pr(integer) IS 'x'", "procedure", "public.pr(integer)", "comment", "x", NOTHING),
    Case("COMMENT ON TRIGGER tg ON t IS 'x'", "trigger", "public.t.tg", "comment", "x", NOTHING),
    Case("COMMENT ON RULE ru ON u IS 'x'", "rule", "public.u.ru", "comment", "x", NOTHING),
    Case("COMMENT ON POLICY po ON t IS 'x'", "policy", "public.t.po", "comment", "x", NOTHING),
    Case("COMMENT ON STATISTICS st IS 'x'", "statistics", "public.st", "comment", "x", NOTHING),
    Case("COMMENT ON COLLATION co IS 'x'", "collation", "public.co", "comment", "x", NOTHING),
    Case(
        "COMMENT ON TEXT SEARCH CONFIGURATION ts IS 'x'",
        "text search configuration",
        "public.ts",
        "comment",
        "x",
        NOTHING,
    ),
    Case(
        'COMMENT ON COLUMN "Odd.Name"."a ""b"" c" IS \'x\'',
        "column",
        'public."Odd.Name"."a ""b"" c"',
        "comment",
        "x",
        NOTHING,
    ),
    Case(
        "ALTER TABLE u ADD x integer GENERATED ALWAYS AS (id * 2) VIRTUAL",
        "column",
        "public.u.x",
        "",
        "integer GENERATED ALWAYS AS ((id * 2)) VIRTUAL",
        NOTHING,
        ">",
        since=18,
    ),
    Case(
        "ALTER TABLE u ADD CONSTRAINT nn NOT NULL v NOT VALID",
        "column",
        "public.u.v",
        "not null",
        "NOT NULL NOT VALID",
        "NULL",
        "<>",
        since=18,
    ),
    Case(
        'ALTER TABLE u ADD CONSTRAINT "N n" NOT NULL v',
        "column",
        "public.u.v",
        "not null",
        "NOT NULL",
        "NULL",
        since=18,
    ),
    Case("ALTER TABLE t ALTER i DROP IDENTITY", "column", "public.t.i", "identity", NOTHING, "?"),
    Case("ALTER TABLE t ALTER i SET INCREMENT 5", "column", "public.t.i", "identity", "?", "?", ""),
    Case(
        "ALTER SEQUENCE t_i_seq RENAME TO another",
        "column",
        "public.t.i",
        "identity sequence",
        "public.another",
        "public.t_i_seq",
        "<>",
    ),
    Case("ALTER TABLE w ALTER n SET DEFAULT 'x'", "column", "public.w.n", "default", "'x'::text", NOTHING),
    Case("ALTER TABLE t ENABLE ALWAYS TRIGGER tg", "trigger", "public.t.tg", "enabled", "ALWAYS", "ENABLED"),
    Case("ALTER TABLE t ENABLE REPLICA TRIGGER tg", "trigger", "public.t.tg", "enabled", "REPLICA", "ENABLED"),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_c, ADD CONSTRAINT t_c CHECK (c > 0) NOT ENFORCED;"
        "COMMENT ON CONSTRAINT t_c ON t IS 'a check'",
        "constraint",
        "public.t.t_c",
        "enforced",
        "public.t CHECK ((c > 0)) NOT ENFORCED",
        "public.t CHECK ((c > 0))",
        since=18,
    ),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_c, ADD CONSTRAINT t_c CHECK (c > 0) NOT VALID;"
        "COMMENT ON CONSTRAINT t_c ON t IS 'a check'",
        "constraint",
        "public.t.t_c",
        "validated",
        "public.t CHECK ((c > 0)) NOT VALID",
        "public.t CHECK ((c > 0))",
    ),
    Case(
        "ALTER TABLE t DROP CONSTRAINT t_fk, ADD CONSTRAINT t_fk FOREIGN KEY (c) REFERENCES u (id)"
        " ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
        "constraint",
        "public.t.t_fk",
        "definition",
        FK + " DEFERRABLE INITIALLY DEFERRED",
        FK,
    ),
    Case(
        "ALTER TABLE u ADD CONSTRAINT x EXCLUDE USING btree (w WITH =)",
        "constraint",
        "public.u.x",
        "",
        "public.u EXCLUDE USING btree (w WITH =)",
        NOTHING,
    ),
    Case(
        "ALTER TABLE p1 ADD CONSTRAINT own CHECK (b > 0)",
        "constraint",
        "public.p1.own",
        "",
        "public.p1 CHECK ((b > 0))",
        NOTHING,
    ),
    Case("ALTER SEQUENCE s MAXVALUE 99", "sequence", "public.s", "maximum", "99", "9223372036854775807"),
    Case("CREATE CAST (text AS comp) WITH INOUT", "cast", "(text AS public.comp)", "", "WITH INOUT", NOTHING, "<>"),
    Case(
        "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)",
        "operator",
        'public."==="(integer, integer)',
        "",
        "FUNCTION = int4eq, LEFTARG = integer, RIGHTARG = integer",
        NOTHING,
        "<>",
    ),
)


@dataclass(frozen=True)
class Base:
    """A server with a template database holding BASE, and its catalog."""

    server: RunningServer
    template: str
    catalog: Catalog

    @property
    def version(self) -> int:
        return self.catalog.server_version // 10000


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def base(server: RunningServer) -> Iterator[Base]:
    name = f"catalog_base_{os.getpid()}"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with server.database.with_name(name).connect() as connection:
        connection.execute(BASE)
        catalog = read_catalog(connection)
    yield Base(server, name, catalog)
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.fixture
def scratch(base: Base) -> Iterator[Database]:
    """A database of this test's own that holds BASE."""
    name = f"catalog_{os.getpid()}_{next(_numbers)}"
    with base.server.database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(base.template))
        )
    yield base.server.database.with_name(name)
    with base.server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def shared(base: Base) -> Iterator[Database]:
    """A database that holds BASE, for tests that roll back what they do."""
    name = f"catalog_shared_{os.getpid()}"
    with base.server.database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(base.template))
        )
    yield base.server.database.with_name(name)
    with base.server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def rolled_back(database: Database, *scripts: str) -> Catalog:
    """The catalog after some scripts, all undone again."""
    with database.connect() as connection, connection.transaction(force_rollback=True):
        for script in scripts:
            execute(connection, script)
        return read_catalog(connection)


def run(database: Database, *scripts: str) -> Catalog:
    """The catalog after some scripts, run one statement a transaction where that must be."""
    with database.connect() as connection:
        for script in scripts:
            for statement in script.split(";\n") if "CONCURRENTLY" in script else [script]:
                execute(connection, statement)
        return read_catalog(connection)


def execute(connection: psycopg.Connection[TupleRow], text: str) -> None:
    connection.execute(text.encode())


def names(differences: tuple[Difference, ...]) -> list[tuple[str, str, str]]:
    return [(d.kind, d.object, d.attribute) for d in differences]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.change[:60])
def test_one_change_is_exactly_one_difference_both_ways(base: Base, shared: Database, case: Case) -> None:
    if base.version < case.since:
        pytest.skip(f"PostgreSQL {base.version} has no such thing")
    after = rolled_back(shared, case.change)
    (found,) = compare_catalogs(after, base.catalog)
    (back,) = compare_catalogs(base.catalog, after)
    assert (found.kind, found.object, found.attribute) == (case.kind, case.object, case.attribute)
    assert case.have in ("?", found.have)
    assert case.want in ("?", found.want)
    assert (back.have, back.want) == (found.want, found.have)
    assert bool(found.mend) == ("<" in case.mends)
    assert bool(back.mend) == (">" in case.mends)
    assert after != base.catalog


@pytest.mark.parametrize("case", [c for c in CASES if "<" in c.mends], ids=lambda case: case.change[:60])
def test_the_mend_run_on_the_changed_database_makes_the_difference_vanish(
    base: Base, shared: Database, case: Case, request: pytest.FixtureRequest
) -> None:
    if base.version < case.since:
        pytest.skip(f"PostgreSQL {base.version} has no such thing")
    (found,) = compare_catalogs(rolled_back(shared, case.change), base.catalog)
    if "CONCURRENTLY" in found.mend:
        left = compare_catalogs(run(request.getfixturevalue("scratch"), case.change, found.mend), base.catalog)
    else:
        left = compare_catalogs(rolled_back(shared, case.change, found.mend), base.catalog)
    assert (case.kind, case.object, case.attribute) not in names(left)
    assert "!" in case.mends or left == ()


@pytest.mark.parametrize("case", [c for c in CASES if ">" in c.mends], ids=lambda case: case.change[:60])
def test_the_mend_run_on_the_unchanged_database_brings_the_change(
    base: Base, shared: Database, case: Case, request: pytest.FixtureRequest
) -> None:
    if base.version < case.since:
        pytest.skip(f"PostgreSQL {base.version} has no such thing")
    after = rolled_back(shared, case.change)
    (found,) = compare_catalogs(base.catalog, after)
    if "CONCURRENTLY" in found.mend:
        assert compare_catalogs(run(request.getfixturevalue("scratch"), found.mend), after) == ()
    else:
        assert compare_catalogs(rolled_back(shared, found.mend), after) == ()


def test_all_mends_of_a_damaged_database_run_in_order_bring_it_back(base: Base, scratch: Database) -> None:
    damaged = run(
        scratch,
        "ALTER TABLE t DROP CONSTRAINT t_fk; ALTER TABLE u DROP CONSTRAINT u_pkey CASCADE; DROP INDEX ix;"
        "ALTER TABLE t ALTER c DROP DEFAULT, ALTER c DROP NOT NULL; DROP VIEW w; DROP FUNCTION f; DROP TYPE e;"
        "DROP TRIGGER tg ON t; DROP FUNCTION tf; ALTER INDEX ix_part RENAME TO iy; CREATE INDEX more ON t (n)",
    )
    differences = compare_catalogs(damaged, base.catalog)
    assert len(differences) == 13
    assert all(d.mend for d in differences)
    assert compare_catalogs(run(scratch, *(d.mend for d in differences)), base.catalog) == ()


def test_databases_built_in_another_order_are_equal(database: Database) -> None:
    left = run(
        database,
        "CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE t (a integer, gone text, b text, c integer);"
        "CREATE INDEX x ON t (a); CREATE INDEX y ON t (b); ALTER TABLE t DROP gone;"
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT f",
    )
    right = run(
        database,
        "DROP TABLE t; DROP TABLE u; CREATE TABLE t (a integer, b text); CREATE INDEX y ON t (b);"
        "ALTER TABLE t ADD c integer; CREATE TABLE u (id integer PRIMARY KEY);"
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id); CREATE INDEX x ON t (a)",
    )
    assert compare_catalogs(left, right) == ()
    assert left == right
    assert catalog_text(left) == catalog_text(right)


def test_up_down_up_gives_the_same_catalog_at_every_step(database: Database) -> None:
    up, down = "CREATE TABLE t (a serial PRIMARY KEY, b text); CREATE INDEX x ON t (b)", "DROP TABLE t"
    empty = run(database)
    filled = run(database, up)
    assert run(database, down) == empty
    assert run(database, up) == filled
    assert empty != filled


def test_a_restored_dump_is_equal(base: Base, database: Database) -> None:
    programs, template = base.server.bin, base.server.database.with_name(base.template)
    if not (programs / "pg_dump").exists():
        pytest.skip(f"pg_dump of PostgreSQL {base.version} is not here")
    dumped = subprocess.run(
        [str(programs / "pg_dump"), "--schema-only", "--no-owner", "-d", template.url], check=True, capture_output=True
    )
    subprocess.run(
        [str(programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.url],
        check=True,
        input=dumped.stdout,
        stdout=subprocess.DEVNULL,
    )
    left = [d for d in compare_catalogs(run(database), base.catalog) if d.attribute != "populated"]
    assert left == []


def test_column_order_is_one_cosmetic_difference(database: Database) -> None:
    want = run(database, "CREATE TABLE t (a integer, b text, c date)")
    have = run(database, "ALTER TABLE t DROP b; ALTER TABLE t ADD b text")
    (found,) = compare_catalogs(have, want)
    assert found == Difference("table", "public.t", "column order", "(a, c, b)", "(a, b, c)", mend="", cosmetic=True)


def test_a_missing_column_in_the_middle_does_not_move_the_others(database: Database) -> None:
    want = run(database, "CREATE TABLE t (a integer, b text, c date)")
    have = run(database, "ALTER TABLE t DROP b")
    assert names(compare_catalogs(have, want)) == [("column", "public.t.b", "")]


HOSTILE = (
    "SET search_path = shadow, public; SET quote_all_identifiers = on; SET DateStyle = 'SQL, DMY';"
    "SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Asia/Kolkata'; SET extra_float_digits = -10;"
    "SET bytea_output = 'escape'"
)


def test_session_settings_and_shadowing_schemas_change_nothing(database: Database) -> None:
    before = run(
        database,
        "CREATE TABLE t (a date DEFAULT '2001-02-03', b interval DEFAULT '1 day 2 hours', c timestamptz DEFAULT"
        " '2001-02-03 04:05:06+00', d float8 DEFAULT 0.1234567890123456, e bytea DEFAULT '\\xff00');"
        "CREATE TABLE u (a date PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u; CREATE VIEW w AS"
        " SELECT * FROM t WHERE c > '2001-02-03 04:05:06+00'; CREATE SCHEMA shadow; CREATE TABLE shadow.u (z integer);"
        "CREATE TABLE shadow.pg_class (z integer); CREATE TABLE shadow.pg_constraint (z integer)",
    )
    assert run(database, HOSTILE) == before


def test_the_connection_is_left_as_it_was_found(database: Database) -> None:
    for autocommit in (True, False):
        with database.connect(autocommit=autocommit) as connection:
            connection.execute("SET search_path = pg_catalog, public")
            if not autocommit:
                connection.commit()
            read_catalog(connection)
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            assert connection.autocommit is autocommit
            row = connection.execute(
                "SELECT current_setting('search_path'), current_setting('transaction_read_only'),"
                " current_setting('transaction_isolation')"
            ).fetchone()
            assert row == ("pg_catalog, public", "off", "read committed")


def test_an_open_transaction_sees_its_own_changes_and_goes_on(database: Database) -> None:
    with database.connect() as connection:
        with connection.transaction(force_rollback=True):
            connection.execute("CREATE TABLE t (a integer)")
            assert read_catalog(connection).find("table", "public", "t") is not None
            connection.execute("CREATE TABLE still_writable (a integer)")
            assert connection.execute("SELECT current_setting('search_path')").fetchone() == ('"$user", public',)
        assert read_catalog(connection).find("table", "public", "t") is None


def test_a_role_without_any_privilege_reads_the_same(base: Base) -> None:
    target = base.server.database.with_name(base.template)
    with base.server.database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS catalog_nobody")
        connection.execute("CREATE ROLE catalog_nobody LOGIN")
    with target.connect() as connection:
        connection.execute("SET SESSION AUTHORIZATION catalog_nobody")
        assert read_catalog(connection) == base.catalog


def test_what_belongs_to_an_extension_is_not_read(database: Database) -> None:
    before = run(database)
    after = run(
        database,
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; ALTER EXTENSION plpgsql ADD FUNCTION f();"
        "CREATE TABLE t (a serial PRIMARY KEY, b integer CHECK (b > 0)); CREATE INDEX ON t (b);"
        "ALTER EXTENSION plpgsql ADD TABLE t; ALTER EXTENSION plpgsql ADD SEQUENCE t_a_seq;"
        "CREATE TYPE e AS ENUM ('a'); ALTER EXTENSION plpgsql ADD TYPE e;"
        "CREATE VIEW w AS SELECT 1 AS one; ALTER EXTENSION plpgsql ADD VIEW w",
    )
    assert compare_catalogs(after, before) == ()


def test_the_ledger_is_not_read_in_whatever_schema(database: Database) -> None:
    before = run(database, "CREATE SCHEMA x")
    ledger = "CREATE TABLE {}._yoyo_log (id varchar(36) PRIMARY KEY, n serial, c integer CHECK (c > 0) UNIQUE)"
    after = run(database, ledger.format("x"), ledger.format("public"))
    assert compare_catalogs(after, before) == ()
    with database.connect() as connection:
        assert read_catalog(connection, ignore=()).find("table", "x", "_yoyo_log") is not None


def test_temporary_tables_are_neither_read_nor_in_the_way(database: Database) -> None:
    before = run(database, "CREATE TABLE t (a text DEFAULT 'x', b oid); CREATE VIEW w AS SELECT a FROM t")
    shadowed = ("t", "text", "oid", "pg_class", "regclass")
    shadows = "".join(f"CREATE TEMPORARY TABLE {name} (a serial PRIMARY KEY);" for name in shadowed)
    assert run(database, shadows) == before
    assert run(database, "SET search_path = pg_temp, public, pg_catalog;" + shadows) == before


def test_only_the_schemas_asked_for_are_read(base: Base) -> None:
    with base.server.database.with_name(base.template).connect() as connection:
        found = read_catalog(connection, schemas=("other",))
    assert [one.name for one in found.objects] == ["other.t.id", "other.t.t_pkey", "other", "other.t"]


TENANT = """
CREATE SCHEMA {0}; SET search_path = {0};
CREATE TYPE e AS ENUM ('a');
CREATE TABLE u (id serial PRIMARY KEY);
CREATE TABLE t (a integer REFERENCES u, b e DEFAULT 'a');
CREATE FUNCTION f(x e) RETURNS integer LANGUAGE sql SET search_path = {0} AS 'SELECT 1';
CREATE VIEW w AS SELECT tenant.a, u.id FROM t AS tenant JOIN u ON (tenant.a = u.id);
CREATE TRIGGER tg BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
"""


@pytest.mark.parametrize(("have_name", "want_name"), [("tenant", "scratch"), ('"A b"', "tenant"), ("x", "public")])
def test_a_tenants_schema_compares_with_one_of_another_name(database: Database, have_name: str, want_name: str) -> None:
    with database.connect() as connection:
        execute(connection, TENANT.format(have_name).replace("CREATE SCHEMA public;", ""))
        have = read_catalog(connection, schemas=(have_name.strip('"'),))
        no_comment = "COMMENT ON SCHEMA public IS NULL;"
        execute(connection, TENANT.format(want_name).replace("CREATE SCHEMA public;", no_comment))
        want = read_catalog(connection, schemas=(want_name.strip('"'),))
        mapping = {have_name.strip('"'): want_name.strip('"')}
        assert compare_catalogs(have, want, ignore_schema_names=mapping) == ()
        execute(connection, f"CREATE INDEX more ON {want_name}.t (a)")
        want = read_catalog(connection, schemas=(want_name.strip('"'),))
        (found,) = compare_catalogs(have, want, ignore_schema_names=mapping)
        assert found.object == f"{have_name}.t.more"
        connection.execute(found.mend.encode())
        have = read_catalog(connection, schemas=(have_name.strip('"'),))
        assert compare_catalogs(have, want, ignore_schema_names=mapping) == ()


def test_a_key_into_the_scratch_schemas_namesake_is_not_mistaken_for_the_tenants_own(database: Database) -> None:
    make = "CREATE TABLE {0}.u (id integer PRIMARY KEY); CREATE TABLE {0}.t (a integer, CONSTRAINT f FOREIGN KEY (a)"
    have = run(
        database,
        "CREATE SCHEMA a",
        make.format("public") + " REFERENCES public.u)",
        make.format("a") + " REFERENCES public.u)",
    )
    want = run(
        database, "DROP SCHEMA a CASCADE; DROP TABLE t; DROP TABLE u", make.format("public") + " REFERENCES public.u)"
    )
    have = Catalog(tuple(o for o in have.objects if o.kind not in ("schema", "extension") and o.path[0] == "a"))
    want = Catalog(tuple(o for o in want.objects if o.kind not in ("schema", "extension")))
    (found,) = compare_catalogs(have, want, ignore_schema_names={"a": "public"})
    assert (found.have, found.want) == ("a.t(a) REFERENCES public.u(id)", "a.t(a) REFERENCES a.u(id)")


def test_a_functions_search_path_into_the_namesake_of_another_schema_is_told(database: Database) -> None:
    make = "CREATE SCHEMA {0}; CREATE FUNCTION {0}.f() RETURNS integer LANGUAGE sql SET search_path = {1} AS 'SELECT 1'"
    catalog = run(database, make.format("a", "a, b"), make.format("b", "a, b"), make.format('"it\'s"', '"it\'s", a'))
    of = catalog.by_schema()
    (found,) = compare_catalogs(of["b"], of["a"], ignore_schema_names={"b": "a"})
    assert (found.kind, found.attribute) == ("function", "definition")
    wanted = run(database, make.format("c", "c, a")).by_schema()["c"]
    assert compare_catalogs(of["it's"], wanted, ignore_schema_names={"it's": "c"}) == ()


def test_two_schemas_mapped_to_one_are_refused(base: Base) -> None:
    with pytest.raises(UsageError):
        compare_catalogs(base.catalog, base.catalog, ignore_schema_names={"public": "x", "other": "x"})


def test_a_dump_loads_to_an_equal_catalog_and_is_stable(base: Base) -> None:
    text = catalog_text(base.catalog)
    assert parse_catalog(text) == base.catalog
    assert parse_catalog(text.replace("\n", "\r\n")) == base.catalog
    assert catalog_text(parse_catalog(text)) == text
    assert compare_catalogs(parse_catalog(text), base.catalog) == ()


def test_a_dump_keeps_the_oddest_texts(database: Database) -> None:
    catalog = run(
        database,
        'CREATE TABLE "a.b" ("c\nd" text, "(e)" integer, "é ""x""" integer); CREATE SCHEMA " "; '
        'COMMENT ON TABLE "a.b" IS E\'\\n x \\r\\n\\n\\ty\'; COMMENT ON COLUMN "a.b"."(e)" IS \'"q\';'
        "COMMENT ON SCHEMA \" \" IS E'a: b\\n\\n  | c\\u2028d';"
        'CREATE TYPE "t.(" AS ENUM (\'a\'); CREATE FUNCTION "f(x"(y "t.(") RETURNS integer LANGUAGE sql AS $$'
        "SELECT 1;\n\n    -- indented \n$$",
    )
    assert parse_catalog(catalog_text(catalog)) == catalog
    assert parse_catalog(catalog_text(catalog)).find("table", "public", "a.b") == catalog.find("table", "public", "a.b")


@pytest.mark.parametrize("text", ["", "nonsense", "# catalog of something\n"])
def test_loading_something_else_is_refused(text: str) -> None:
    with pytest.raises(WfloSchemaError):
        parse_catalog(text)


def test_privileges_are_read_when_asked_for_and_only_then(database: Database) -> None:
    with database.connect() as connection:
        execute(
            connection,
            "DROP ROLE IF EXISTS catalog_app; CREATE ROLE catalog_app; CREATE TABLE t (a integer);"
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        )
        before, plain = read_catalog(connection, privileges=True), read_catalog(connection)
        execute(
            connection,
            "GRANT SELECT ON t TO catalog_app WITH GRANT OPTION; GRANT UPDATE (a) ON t TO PUBLIC;"
            "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC; GRANT ALL ON t TO postgres",
        )
        assert read_catalog(connection) == plain
        found = compare_catalogs(read_catalog(connection, privileges=True), before)
        assert [(d.object, d.attribute, d.have, d.want) for d in found] == [
            ("public.f()", "privileges", "-PUBLIC EXECUTE", NOTHING),
            ("public.t", "privileges", "+catalog_app SELECT WITH GRANT OPTION", NOTHING),
            ("public.t.a", "privileges", "+PUBLIC UPDATE", NOTHING),
        ]
        execute(connection, "ALTER TABLE t OWNER TO catalog_app")
        owner = [
            d for d in compare_catalogs(read_catalog(connection, privileges=True), before) if d.attribute == "owner"
        ]
        assert [(d.have, d.want, d.mend) for d in owner] == [
            ("catalog_app", "postgres", "ALTER TABLE public.t OWNER TO postgres;")
        ]
        execute(connection, "DROP OWNED BY catalog_app; DROP ROLE catalog_app")


def test_partitions_attached_or_created_make_the_same_catalog(database: Database) -> None:
    parent = (
        "CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE p (a integer NOT NULL, b integer, CONSTRAINT f"
        " FOREIGN KEY (b) REFERENCES u, PRIMARY KEY (a)) PARTITION BY RANGE (a); CREATE INDEX i ON p (b);"
    )
    created = run(database, parent + "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    attached = run(
        database,
        "DROP TABLE p; DROP TABLE u; " + parent + "CREATE TABLE p1 (a integer NOT NULL, b integer,"
        " CONSTRAINT another FOREIGN KEY (b) REFERENCES u, CONSTRAINT pk PRIMARY KEY (a));"
        "CREATE INDEX own ON p1 (b); ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)",
    )
    assert compare_catalogs(attached, created) == ()


def test_a_referenced_partitioned_table_adds_no_bookkeeping_keys(database: Database) -> None:
    catalog = run(
        database,
        "CREATE TABLE u (id integer PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE u1 PARTITION OF u FOR VALUES"
        " FROM (0) TO (10); CREATE TABLE t (a integer, CONSTRAINT f FOREIGN KEY (a) REFERENCES u);",
    )
    keys = [one.name for one in catalog.objects if one.get("definition").startswith("FOREIGN KEY")]
    assert keys == ["public.t.f"]


NOTES = """
UPDATE pg_attribute SET attoptions = attoptions || ARRAY['pg_attver=' || attrelid, 'unheard_of=' || attrelid]
WHERE attrelid IN ('t'::regclass, 'w'::regclass, 'm'::regclass, 'p1'::regclass) AND attnum > 0;
UPDATE pg_class SET reloptions = reloptions || ARRAY['pg_relver=' || oid, 'unheard_of=' || oid]
WHERE oid IN ('t'::regclass, 'w'::regclass, 'm'::regclass, 'p1'::regclass, 't_pkey'::regclass, 't_uq'::regclass,
              'ix'::regclass, 'ix_part'::regclass, 'm_id'::regclass)
   OR oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass);
"""
SET_BY_A_PERSON = """
ALTER TABLE t ALTER n SET (n_distinct = 5, n_distinct_inherited = 6);
ALTER TABLE t SET (fillfactor = 70, toast.autovacuum_enabled = off);
ALTER VIEW w SET (security_barrier = true);
ALTER INDEX t_uq SET (fillfactor = 60);
ALTER INDEX ix SET (fillfactor = 50, deduplicate_items = off);
"""


def test_options_that_nobody_can_set_do_not_count(base: Base, shared: Database) -> None:
    plain = rolled_back(shared, SET_BY_A_PERSON)
    noted = rolled_back(shared, SET_BY_A_PERSON, NOTES)
    assert compare_catalogs(noted, plain) == ()
    assert catalog_text(noted) == catalog_text(plain)
    counted = {(one.path[-1], name): text for one in plain.objects for name, text in one.attributes}
    assert counted["n", "options"] == "n_distinct=5, n_distinct_inherited=6"
    assert counted["t", "options"] == "fillfactor=70"
    assert counted["t", "toast options"] == "autovacuum_enabled=off"
    assert counted["w", "options"] == "security_barrier=true"
    assert counted["t_uq", "index options"] == "fillfactor=60"
    assert counted["ix", "definition"].endswith(" WITH (fillfactor='50', deduplicate_items=off)")
    assert catalog_text(rolled_back(shared, NOTES)) == catalog_text(rolled_back(shared))


STORAGE_PARAMETERS = {
    "TABLE t": "fillfactor=70 toast_tuple_target=500 parallel_workers=2 autovacuum_enabled=off user_catalog_table=on "
    "vacuum_index_cleanup=auto vacuum_truncate=off autovacuum_vacuum_threshold=9 autovacuum_vacuum_scale_factor=0.5 "
    "autovacuum_vacuum_insert_threshold=9 autovacuum_analyze_threshold=9 autovacuum_vacuum_cost_delay=9 "
    "autovacuum_freeze_min_age=9 autovacuum_multixact_freeze_table_age=9 log_autovacuum_min_duration=9",
    "VIEW w": "security_barrier=true check_option=local",
    "INDEX ix": "fillfactor=70 deduplicate_items=off",
    "INDEX u_brin": "pages_per_range=9 autosummarize=on",
    "INDEX u_gin": "fastupdate=off gin_pending_list_limit=99",
    "INDEX u_gist": "buffering=auto fillfactor=70",
}


@pytest.mark.parametrize("target", STORAGE_PARAMETERS)
def test_every_storage_parameter_counts(shared: Database, target: str) -> None:
    made = """
    CREATE TABLE more (a int4range, b integer, c integer[]);
    CREATE INDEX u_brin ON more USING brin (b); CREATE INDEX u_gin ON more USING gin (c);
    CREATE INDEX u_gist ON more USING gist (a);
    """
    usual = rolled_back(shared, made)
    for parameter in STORAGE_PARAMETERS[target].split():
        assert compare_catalogs(rolled_back(shared, made, f"ALTER {target} SET ({parameter})"), usual), parameter


def test_line_ends_alone_are_cosmetic_in_bodies_and_comments(database: Database) -> None:
    text = (
        "CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND\n$$;"
        "CREATE TABLE IF NOT EXISTS t (id integer); COMMENT ON TABLE t IS 'two\nlines'"
    )
    want = run(database, text)
    have = run(database, text.replace("\n", "\r\n"))
    found = compare_catalogs(have, want)
    assert [(d.object, d.have, d.want, d.cosmetic) for d in found] == [
        ("public.f()", "lines end in CR LF", "lines end in LF", True),
        ("public.t", "lines end in CR LF", "lines end in LF", True),
    ]
    assert compare_catalogs(run(database, *(d.mend for d in found)), want) == ()


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("E'a\\r\\nb'", "E'a\\nb'", ("'a\\r\nb'::text", "'a\nb'::text")),
        ("'a\u00a0b'", "'a b'", ("'a\\u00a0b'::text", "'a b'::text")),
        ("'e\u0301'", "'\u00e9'", ("'e\\u0301'::text", "'\u00e9'::text")),
        ("'\u200da'", "'a'", ("'\\u200da'::text", "'a'::text")),
    ],
)
def test_a_difference_that_the_eye_does_not_see_is_shown(
    database: Database, one: str, other: str, shown: tuple[str, str]
) -> None:
    want = run(database, f"CREATE TABLE t (a text DEFAULT {other})")
    (found,) = compare_catalogs(run(database, f"ALTER TABLE t ALTER a SET DEFAULT {one}"), want)
    assert (found.have, found.want, found.cosmetic) == (*shown, False)


def test_a_default_of_null_is_none_unless_a_domain_has_another(database: Database) -> None:
    want = run(
        database,
        "CREATE DOMAIN d AS text DEFAULT 'x'; CREATE TABLE t (a timestamp, b numeric(5,2), c text[], e d);"
        "CREATE TABLE p (k integer, at timestamp DEFAULT now()) PARTITION BY LIST (k);"
        "CREATE TABLE p1 (k integer, at timestamp); ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)",
    )
    have = run(
        database,
        "ALTER TABLE t ALTER a SET DEFAULT NULL::timestamp, ALTER b SET DEFAULT NULL::numeric(5,2),"
        "ALTER c SET DEFAULT NULL::text[]; ALTER TABLE p1 ALTER at SET DEFAULT NULL::timestamp",
    )
    assert compare_catalogs(have, want) == ()
    (found,) = compare_catalogs(run(database, "ALTER TABLE t ALTER e SET DEFAULT NULL"), want)
    assert (found.object, found.attribute) == ("public.t.e", "default")


def test_the_comments_that_come_with_public_and_with_an_extension_are_cosmetic(database: Database) -> None:
    want = run(database)
    have = run(database, "COMMENT ON SCHEMA public IS 'ours'; COMMENT ON EXTENSION plpgsql IS NULL")
    assert [(d.kind, d.cosmetic) for d in compare_catalogs(have, want)] == [("schema", True), ("extension", True)]


def test_the_type_of_an_identitys_sequence_is_cosmetic(database: Database) -> None:
    want = run(
        database, "CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY); CREATE TABLE u (LIKE t INCLUDING ALL)"
    )
    have = run(database, "DROP TABLE u; CREATE TABLE u (a integer GENERATED ALWAYS AS IDENTITY (MAXVALUE 2147483647))")
    found = [(d.attribute, d.cosmetic, d.mend) for d in compare_catalogs(have, want)]
    assert all(cosmetic for _, cosmetic, _ in found), found
    for _, _, mend in found:
        assert compare_catalogs(run(database, mend), want) == ()


def test_what_is_inherited_alone_is_told_from_what_is_also_the_tables_own(database: Database) -> None:
    want = run(
        database,
        "CREATE TABLE p (a integer, b integer, CONSTRAINT k CHECK (a > 0)); CREATE TABLE c () INHERITS (p)",
    )
    have = run(
        database,
        "DROP TABLE c; CREATE TABLE c (a integer, b integer, CONSTRAINT k CHECK (a > 0)); ALTER TABLE c INHERIT p",
    )
    found = compare_catalogs(have, want)
    assert [(d.object, d.attribute, d.have, d.want) for d in found] == [
        (f"public.c.{name}", "inherited", "INHERITED AND OWN", "INHERITED") for name in ("a", "b", "k")
    ]


def test_options_in_another_order_are_the_same(database: Database) -> None:
    want = run(database, "CREATE TABLE t (a integer) WITH (fillfactor = 50, parallel_workers = 2)")
    have = run(database, "DROP TABLE t; CREATE TABLE t (a integer) WITH (parallel_workers = 2, fillfactor = 50)")
    assert compare_catalogs(have, want) == ()
