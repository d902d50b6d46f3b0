# ruff: noqa: E501 -- one case, one line
"""A snapshot loads, is the same for the same schema, and carries the catalog that it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import sql

from tests.catalog.test_compare import BASE
from tests.conftest import RunningServer
from tests.wflo_states import FOLDER, MIGRATIONS
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.read import read_catalog
from wflo_schema.catalog.snapshot import dump_schema, parse_snapshot, read_snapshot
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import ledger_statements
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.folder import read_migrations

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

MORE = """
CREATE VIEW w2 AS SELECT * FROM w;
CREATE VIEW a1 AS SELECT * FROM w2;
CREATE FUNCTION of_view(x comp) RETURNS SETOF w LANGUAGE sql AS 'SELECT * FROM w';
CREATE FUNCTION circle(x u) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TABLE dd (x d DEFAULT upper('y')::d, e e, nx integer DEFAULT f(1), "q'" text DEFAULT 'it''s; -- "$$');
COMMENT ON COLUMN w.n IS 'of a view';
CREATE UNLOGGED TABLE ul (a integer) WITH (fillfactor = 50);
ALTER TABLE t ALTER n SET STATISTICS 5;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE u ADD CONSTRAINT late CHECK (w > 0) NOT VALID;
ALTER TABLE u DISABLE RULE ru;
CREATE TRIGGER on_view INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE FUNCTION tf();
COMMENT ON SCHEMA other IS 'another';
CREATE TABLE other."Mixed" (id bigserial PRIMARY KEY, t_id integer REFERENCES t (id) DEFERRABLE);
CREATE TABLE sub PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY LIST (a);
CREATE TABLE sub1 PARTITION OF sub DEFAULT;
"""


@pytest.fixture
def empty(server: RunningServer, database: Database) -> Iterator[Database]:
    """A second database, to load into."""
    name = sql.Identifier(f"{database.name}_loaded")
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    yield database.with_name(f"{database.name}_loaded")
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def execute(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


def read(database: Database) -> Catalog:
    with database.connect() as connection:
        return read_catalog(connection)


def test_wflos_snapshot_loads_and_gives_an_equal_catalog_and_an_equal_snapshot(
    database: Database, empty: Database
) -> None:
    operations.migrate(database, MIGRATIONS)
    made = dump_schema(database)
    assert made.left_out == ()
    execute(empty, made.text)
    assert compare_catalogs(read(empty), read(database)) == ()
    assert dump_schema(empty).text == made.text
    assert parse_snapshot(made.text) == read(database)


def test_whatever_the_sql_does_not_make_is_named(database: Database, empty: Database) -> None:
    execute(database, BASE + MORE + "CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION etf();")
    made = dump_schema(database)
    assert made.left_out == ()
    execute(empty, made.text)
    assert compare_catalogs(read(empty), read(database)) == ()


def test_a_snapshot_holds_nothing_that_changes_by_itself(database: Database) -> None:
    execute(database, "CREATE TABLE b (id integer); CREATE TABLE a (id integer)")
    first = dump_schema(database).text
    execute(database, "DROP TABLE a; CREATE TABLE a (id integer); ANALYZE; INSERT INTO b VALUES (1)")
    assert dump_schema(database).text == first
    assert first.index("TABLE public.a") < first.index("TABLE public.b")
    assert database.name not in first
    with database.connect() as connection:
        assert connection.info.parameter_status("server_version") not in first.split()
    assert not re.search(r"\b20\d\d-|restrict", first)


def test_a_snapshot_loads_through_psql(server: RunningServer, database: Database, empty: Database) -> None:
    import subprocess

    execute(database, BASE)
    done = subprocess.run(
        [str(server.psql), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", empty.url],
        input=dump_schema(database).text,
        capture_output=True,
        text=True,
        user=server.user,
        cwd="/",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_ledger_is_left_out_unless_asked_for(database: Database, empty: Database) -> None:
    operations.migrate(database, MIGRATIONS, to="20251110_02")
    assert "_yoyo" not in dump_schema(database).text
    made = dump_schema(database, ledger=ledger_statements(operations.status(database, MIGRATIONS), MIGRATIONS))
    execute(empty, made.text)
    status = operations.status(empty, MIGRATIONS)
    assert dump_schema(empty, ledger=ledger_statements(status, MIGRATIONS)).text == made.text
    assert [e.state.value for e in status.entries] == ["applied", "applied", "pending"]
    assert all(e.has_checksum for e in status.applied)
    assert len(operations.migrate(empty, MIGRATIONS).ids) == 1


def test_a_table_of_two_parents_is_read_in_whatever_order_they_came(database: Database, empty: Database) -> None:
    execute(
        database,
        "CREATE TABLE x (a integer CONSTRAINT ck CHECK (a > 0)); CREATE TABLE y (b integer, a integer);"
        "CREATE TABLE c () INHERITS (x, y); ALTER TABLE c NO INHERIT x; ALTER TABLE c INHERIT x",
    )
    found = read(database)
    follows = {o.path[2]: o.follows for o in found.objects if o.path[1:2] == ("c",) and len(o.path) == 3}
    assert follows == {
        "a": ("column", "public", "y", "a"),
        "b": ("column", "public", "y", "b"),
        "ck": ("constraint", "public", "x", "ck"),
    }
    made = dump_schema(database)
    assert parse_snapshot(made.text) == found
    assert made.left_out == ()
    execute(empty, made.text)
    assert compare_catalogs(read(empty), found) == ()
    execute(database, "CREATE SCHEMA app; CREATE TABLE app.d () INHERITS (x)")
    made = dump_schema(database.with_schema("app"))
    assert made.left_out == ("table app.d: inherits",)
    execute(empty, made.text)


def test_a_childs_own_defaults_and_columns_are_written(database: Database, empty: Database) -> None:
    execute(
        database,
        "CREATE TABLE x (a integer DEFAULT 5 NOT NULL, g integer GENERATED ALWAYS AS (a + 1) STORED);"
        "CREATE TABLE c (z text) INHERITS (x); ALTER TABLE c ALTER a DROP DEFAULT, ADD w integer",
    )
    made = dump_schema(database)
    assert made.left_out == ()
    execute(empty, made.text)
    assert compare_catalogs(read(empty), read(database)) == ()


TREE = (
    "CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE p (k integer PRIMARY KEY, r integer CONSTRAINT f REFERENCES u)"
    " PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE INDEX i ON p (r);"
)


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (
            "CREATE TABLE t (a integer NOT NULL); CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX i",
            "",
        ),
        (
            (
                "CREATE TABLE t (a integer PRIMARY KEY WITH (fillfactor = 50)); ALTER TABLE t CLUSTER ON t_pkey;"
                "COMMENT ON INDEX t_pkey IS 'x'"
            ),
            "",
        ),
        (
            (
                "CREATE TABLE t (a integer); CREATE INDEX i ON t ((a + 1)); ALTER INDEX i ALTER 1 SET STATISTICS 7;"
                "ALTER TABLE t CLUSTER ON i"
            ),
            "",
        ),
        ("CREATE TYPE rg AS RANGE (SUBTYPE = integer, MULTIRANGE_TYPE_NAME = a_many); CREATE TABLE a (m a_many)", ""),
        ("COMMENT ON SCHEMA public IS NULL; COMMENT ON EXTENSION plpgsql IS 'x'", ""),
        ("COMMENT ON SCHEMA public IS 'x'", ""),
        (
            (
                "CREATE TABLE q (id integer GENERATED ALWAYS AS IDENTITY, k integer) PARTITION BY RANGE (k);"
                "CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (1)"
            ),
            "",
        ),
        (TREE + "ALTER TABLE p1 DISABLE TRIGGER ALL", "inherited constraint public.p1.f: triggers"),
        (TREE + "ALTER TABLE u DISABLE TRIGGER ALL", "constraint public.p.f: triggers"),
        (TREE + "ALTER INDEX p1_r_idx SET (fillfactor = 50)", "inherited index public.p1.i: definition"),
        (TREE + "COMMENT ON INDEX p1_r_idx IS 'x'", "inherited index public.p1.i: comment"),
        (TREE + "CREATE INDEX only_p ON ONLY p (k)", ""),
        ("CREATE TYPE c AS (a integer); COMMENT ON COLUMN c.a IS 'x'", ""),
        (
            "CREATE DOMAIN d AS integer CONSTRAINT c CHECK (VALUE > 0); COMMENT ON CONSTRAINT c ON DOMAIN d IS 'x'",
            "",
        ),
        (
            "CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY); ALTER SEQUENCE t_a_seq RENAME TO other",
            "",
        ),
        ("CREATE VIEW v AS SELECT 1 AS a; CREATE FUNCTION v(x integer) RETURNS SETOF v LANGUAGE sql AS 'SELECT 1'", ""),
        (
            (
                "CREATE VIEW v AS SELECT 1 AS a; CREATE FUNCTION v(x integer) RETURNS SETOF v LANGUAGE sql AS 'SELECT 1';"
                "COMMENT ON VIEW v IS 'of public.v'; COMMENT ON FUNCTION v IS 'over public.v'; CREATE TYPE b AS (x integer);"
                "CREATE FUNCTION a_first() RETURNS b LANGUAGE sql AS 'SELECT NULL::b'; COMMENT ON TYPE b IS 'see public.a_first'"
            ),
            "",
        ),
        (
            (
                "CREATE VIEW v AS SELECT 1 AS a; CREATE FUNCTION f() RETURNS v LANGUAGE sql AS 'SELECT 1';"
                "CREATE FUNCTION g(x v DEFAULT f()) RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a v);"
                "CREATE TABLE u (b integer DEFAULT g(), c t); CREATE INDEX i ON u (b); CREATE VIEW w AS SELECT b FROM u"
            ),
            "",
        ),
        ("CREATE TABLE t (a integer); ALTER TABLE t ALTER a SET (n_distinct = -0.5, n_distinct_inherited = 3)", ""),
        (
            (
                "CREATE TABLE p (a integer, b text DEFAULT 'x' NOT NULL, CONSTRAINT k CHECK (a > 0));"
                "CREATE TABLE a_child (own integer) INHERITS (p); CREATE TABLE grand (b text DEFAULT 'y') INHERITS (a_child);"
                "ALTER TABLE p ALTER a SET STATISTICS 5; ALTER TABLE ONLY a_child ALTER a SET STATISTICS 7;"
                "ALTER TABLE a_child ALTER b SET DEFAULT 'z'; ALTER TABLE ONLY p ALTER b SET DEFAULT 'p'"
            ),
            "",
        ),
        (
            "CREATE TABLE t (a text) WITH (toast.autovacuum_enabled = false); CREATE TYPE c AS (a integer); CREATE TABLE o OF c",
            "",
        ),
        ("CREATE DOMAIN d AS integer; ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID", ""),
        (
            (
                "CREATE TABLE p (a integer); CREATE TABLE c () INHERITS (p); CREATE TABLE d () INHERITS (p);"
                "ALTER TABLE p ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE c VALIDATE CONSTRAINT k"
            ),
            "",
        ),
        (
            (
                "CREATE TABLE q (a integer) PARTITION BY LIST (a); CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);"
                "ALTER TABLE q ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE q1 VALIDATE CONSTRAINT k"
            ),
            "",
        ),
        (
            (
                "CREATE TABLE t (a integer); CREATE VIEW v AS SELECT a FROM t;"
                "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END;"
                "CREATE FUNCTION g() RETURNS bigint LANGUAGE sql RETURN f() + (SELECT count(*) FROM v);"
                "CREATE FUNCTION h(t) RETURNS bigint LANGUAGE sql AS 'SELECT 1';"
                "ALTER TABLE t ADD b bigint, ADD c bigint DEFAULT g(), ADD d bigint; ALTER TABLE t ALTER b SET DEFAULT h(NULL);"
                "ALTER TABLE t ALTER d SET DEFAULT f() + 1; CREATE TABLE k (d bigint DEFAULT 4) INHERITS (t);"
                "CREATE TABLE k2 (own bigint DEFAULT g()) INHERITS (t); ALTER TABLE k2 ALTER b DROP DEFAULT"
            ),
            "",
        ),
        (
            (
                "CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY, b smallint GENERATED ALWAYS AS IDENTITY (MAXVALUE 9));"
                "CREATE TABLE u (LIKE t INCLUDING ALL); CREATE TABLE v (a bigint GENERATED ALWAYS AS IDENTITY (CYCLE));"
                "ALTER SEQUENCE v_a_seq AS integer"
            ),
            "",
        ),
        ("CREATE EXTENSION citext; COMMENT ON EXTENSION citext IS NULL", ""),
        (
            (
                "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (password 'x');"
                "CREATE FOREIGN TABLE ft (a integer) SERVER s; CREATE VIEW fv AS SELECT a FROM ft"
            ),
            "foreign server s, foreign table public.ft, view public.fv",
        ),
        (
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR PUBLIC SERVER s",
            'user mapping s."PUBLIC"',
        ),
    ],
)
def test_what_loads_is_equal_or_named(database: Database, empty: Database, made: str, left: str) -> None:
    execute(database, made)
    written = dump_schema(database)
    assert written.left_out == (tuple(left.split(", ")) if left else ())
    execute(empty, written.text)
    assert bool(compare_catalogs(read(empty), read(database))) is bool(left)


def test_one_schema_is_written_alone(database: Database) -> None:
    execute(database, "CREATE SCHEMA a; CREATE TABLE a.t (id integer); CREATE TABLE public.t (id integer)")
    text = dump_schema(database.with_schema("a")).text
    assert "CREATE TABLE a.t" in text
    assert "public.t" not in text


@pytest.mark.parametrize("text", ["", "CREATE TABLE t ();\n", "--| nonsense\n"])
def test_a_file_without_a_catalog_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schema.sql"
    path.write_text(text)
    with pytest.raises(WfloSchemaError, match=r"schema\.sql: this"):
        read_snapshot(path)
    with pytest.raises(WfloSchemaError, match="cannot read"):
        read_snapshot(tmp_path / "absent.sql")


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN   \n  RETURN 1;\t\nEND ",
        "BEGIN\n--| # catalog of a PostgreSQL database, written by wflo-schema; format 3\n--| more\nRETURN 1;\nEND",
        "\n\n  \n--|x\n--|\n",
        "a\u2028b\x0cc\r\nd\re",
    ],
)
def test_a_snapshot_keeps_every_text_as_it_is(database: Database, tmp_path: Path, text: str) -> None:
    with database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS {}").format(
                sql.Literal(text if "BEGIN" in text else "BEGIN RETURN 1; END")
            )
        )
        connection.execute(sql.SQL("COMMENT ON FUNCTION f() IS {}").format(sql.Literal(text)))
    path = tmp_path / "schema.sql"
    path.write_bytes(dump_schema(database).text.encode())
    assert read_snapshot(path) == read(database)
    path.write_bytes(path.read_bytes().replace(b"\r", b"").replace(b"\n", b"\r\n"))
    assert read_snapshot(path) == read(database)


def test_drift_can_be_seen_against_a_snapshot_where_no_scratch_database_may_be_made(
    database: Database, tmp_path: Path
) -> None:
    operations.migrate(database, read_migrations(FOLDER))
    execute(
        database,
        "CREATE TABLE alembic_version (version_num text); GRANT SELECT ON alembic_version TO PUBLIC;"
        "INSERT INTO alembic_version VALUES ('x');"
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    options = ("--database-url", database.with_parameters(user="reader").url, "--migrations", str(FOLDER))
    written = CliRunner().invoke(cli, ["dump", *options[:2]])
    left = "warning: left out, because another tool records its migrations there: public.alembic_version\n"
    assert (written.exit_code, written.stderr) == (0, left)
    path = tmp_path / "schema.sql"
    path.write_text(written.stdout)
    drift = [*options, "--only", "drift", "--snapshot", str(path)]
    assert CliRunner().invoke(cli, ["check", *drift]).exit_code == 0
    execute(database, "DROP INDEX ix_workflow_name")
    found = CliRunner().invoke(cli, ["check", *drift])
    assert found.exit_code == 1
    assert "[drift] public.workflow_definitions.ix_workflow_name" in found.stdout


def test_what_a_child_has_from_its_parent_goes_with_it_after_loading(database: Database, empty: Database) -> None:
    execute(database, "CREATE TABLE p (a integer, b integer); CREATE TABLE c () INHERITS (p)")
    execute(empty, dump_schema(database).text)
    execute(empty, "ALTER TABLE public.p DROP b")
    assert [o.path[1:] for o in read(empty).objects if o.kind == "column"] == [("c", "a"), ("p", "a")]


NOT_NULLS = """
CREATE TABLE n (a integer CONSTRAINT mine NOT NULL, b integer, c integer CONSTRAINT apart NOT NULL NO INHERIT, d integer NOT NULL);
ALTER TABLE n ADD CONSTRAINT later NOT NULL b NOT VALID; ALTER TABLE n RENAME d TO e;
COMMENT ON CONSTRAINT mine ON n IS 'x'; COMMENT ON CONSTRAINT later ON n IS 'y';
CREATE TABLE p (a integer NOT NULL); CREATE TABLE c (CONSTRAINT own NOT NULL a) INHERITS (p); CREATE TABLE i () INHERITS (p);
CREATE TABLE v () INHERITS (n); ALTER TABLE v VALIDATE CONSTRAINT later;
"""


def test_names_of_not_null_load(server: RunningServer, database: Database, empty: Database) -> None:
    if int(server.version) < 18:
        pytest.skip("NOT NULL has no name here")
    execute(database, NOT_NULLS)
    made = dump_schema(database)
    assert made.left_out == ()
    execute(empty, made.text)
    names = "SELECT conrelid::regclass::text, conname, convalidated, connoinherit, conislocal FROM pg_constraint WHERE contype = 'n' ORDER BY 1, 2"
    with database.connect() as one, empty.connect() as other:
        wanted = [(str(a), *rest) for a, *rest in one.execute(names).fetchall()]
        assert [(str(a), *rest) for a, *rest in other.execute(names).fetchall()] == wanted
    assert compare_catalogs(read(empty), read(database)) == ()


def test_a_check_that_is_enforced_below_a_parent_that_does_not_is_named(
    server: RunningServer, database: Database, empty: Database
) -> None:
    if int(server.version) < 18:
        pytest.skip("every check is enforced here")
    execute(
        database,
        "CREATE TABLE p (a integer, CONSTRAINT k CHECK (a > 0) NOT ENFORCED) PARTITION BY LIST (a);"
        "CREATE TABLE p1 (a integer, CONSTRAINT k CHECK (a > 0)); ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)",
    )
    written = dump_schema(database)
    assert written.left_out == ("constraint public.p1.k: enforced",)
    execute(empty, written.text)
    assert [d.attribute for d in compare_catalogs(read(empty), read(database))] == ["enforced"]


def test_a_dump_of_one_schema_makes_its_extensions_and_names_what_it_needs(database: Database, empty: Database) -> None:
    execute(
        database,
        "CREATE SCHEMA app; CREATE EXTENSION citext WITH SCHEMA app; CREATE DOMAIN public.d AS text;"
        "CREATE TABLE app.t (a app.citext, b public.d)",
    )
    made = dump_schema(database.with_schema("app"))
    assert (made.left_out, made.needs) == ((), ("public.d",))
    assert "CREATE EXTENSION citext WITH SCHEMA app" in made.text
    execute(empty, "CREATE DOMAIN public.d AS text; " + made.text)
    with database.with_schema("app").connect() as connection:
        assert parse_snapshot(made.text) == read_catalog(connection, schemas=("app",))


def test_a_dump_takes_longer_than_the_role_s_other_work_may(database: Database) -> None:
    execute(database, "CREATE TABLE t (a integer)")
    before = dump_schema(database)
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        execute(database, f"SET statement_timeout = 0; ALTER DATABASE {database.name} SET {name} = '5ms'")
    ran = CliRunner().invoke(cli, ["dump", "--database-url", database.url], catch_exceptions=False)
    assert (ran.exit_code, ran.stdout) == (0, before.text), ran.stderr


def test_dump_says_no_where_the_sql_does_not_make_everything(database: Database) -> None:
    execute(database, "CREATE TYPE a AS (x integer); CREATE TABLE t (b a)")
    assert CliRunner().invoke(cli, ["dump", "--database-url", database.url]).exit_code == 0
    execute(database, "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (password 'p4ss')")
    ran = CliRunner().invoke(cli, ["dump", "--database-url", database.url])
    assert ran.exit_code == 1
    assert "the SQL does not create this, only the comments hold it: foreign server s" in ran.stderr
    assert "CREATE TABLE public.t" in ran.stdout
    assert "p4ss" not in ran.output


@pytest.mark.parametrize(
    ("made", "left_out"),
    [
        (
            (
                "CREATE VIEW v AS SELECT 1 AS a; CREATE FUNCTION g() RETURNS SETOF v LANGUAGE sql AS 'SELECT 1';"
                "CREATE OR REPLACE VIEW v AS SELECT a FROM g(); CREATE VIEW w AS SELECT a FROM v"
            ),
            ("function public.g()", "view public.v", "view public.w"),
        ),
        (
            (
                "CREATE FUNCTION g(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
                "CREATE FUNCTION h(a integer DEFAULT g(1)) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
                "CREATE OR REPLACE FUNCTION g(a integer DEFAULT h()) RETURNS integer LANGUAGE sql AS 'SELECT 1'"
            ),
            ("function public.h(integer)", "function public.g(integer)"),
        ),
    ],
)
def test_what_stands_in_a_circle_is_named_and_the_rest_loads(
    database: Database, empty: Database, made: str, left_out: tuple[str, ...]
) -> None:
    execute(database, f"{made}; CREATE TABLE t (a integer); CREATE VIEW x AS SELECT a FROM t")
    dumped = dump_schema(database)
    assert dumped.left_out == left_out
    execute(empty, dumped.text)
    differences = [f"{d.kind} {d.object}" for d in compare_catalogs(read(empty), read(database))]
    assert sorted(differences) == sorted(left_out)
