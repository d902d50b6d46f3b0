"""Whatever somebody changes by hand is seen; where SQL to mend it is offered, it runs and nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import RunningServer
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING, Catalog, Difference
from wflo_schema.catalog.read import read_catalog, read_migrated
from wflo_schema.check.verdict import check_drift
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import UsageError
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import replayed

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]


@dataclass(frozen=True)
class Change:
    """What the migrations make, and what somebody made of it.

    ``mends``: < all that is needed is offered to go back, > to go from the migrations' state to the change.
    """

    setup: str
    change: str
    mends: str = ""
    since: int = 14


TREE = """
CREATE TABLE p (id integer, k integer, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE t (a integer, b integer, CONSTRAINT f FOREIGN KEY (a, b) REFERENCES p ON DELETE CASCADE);
CREATE TABLE tp (a integer, b integer, CONSTRAINT g FOREIGN KEY (a, b) REFERENCES p) PARTITION BY RANGE (b);
CREATE TABLE tp1 PARTITION OF tp FOR VALUES FROM (0) TO (10);
"""
GONE = "DELETE FROM pg_trigger WHERE tgrelid = '{}'::regclass AND tgfoid = '\"{}\"'::regproc;"

KEYS = (
    Change(TREE, "ALTER TABLE p1 DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE p21 DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE tp1 DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE t DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE p DISABLE TRIGGER ALL", "<", since=15),
    Change(TREE, GONE.format("p1", "RI_FKey_cascade_del")),
    Change(TREE, GONE.format("tp1", "RI_FKey_check_ins")),
    Change(TREE, GONE.format("tp", "RI_FKey_check_ins"), since=15),
    Change(TREE, GONE.format("p", "RI_FKey_noaction_del"), since=15),
)


T = "CREATE TABLE t (id integer PRIMARY KEY, a integer, b text);"
TF = "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
Z = "CREATE FUNCTION z() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
PARTS = (
    "CREATE TABLE p (id integer, k integer) PARTITION BY RANGE (k);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);"
)
PERIOD = (
    "CREATE EXTENSION btree_gist; CREATE TABLE r (a integer, d daterange, CONSTRAINT pk {} (a, d WITHOUT OVERLAPS));"
)
USES_PERIOD = (
    "CREATE TABLE s (a integer, d daterange, CONSTRAINT fk FOREIGN KEY (a, PERIOD d) REFERENCES r (a, PERIOD d));"
)

TOGETHER = (
    Change(
        T + "ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE (a)",
        "ALTER TABLE t DROP CONSTRAINT t_a_key; CREATE UNIQUE INDEX t_a_key ON t (a)",
        "<>",
    ),
    Change(
        T + "ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE (a); CREATE TABLE t_a_key_old (a integer)",
        "ALTER TABLE t DROP CONSTRAINT t_a_key; CREATE UNIQUE INDEX t_a_key ON t (a, b)",
        "<>",
    ),
    Change(
        T + "CREATE TABLE u (a integer); CREATE UNIQUE INDEX i1 ON t (a)",
        "DROP INDEX i1; CREATE UNIQUE INDEX i1 ON u (a)",
        "<>",
    ),
    Change(
        T + "CREATE UNIQUE INDEX i1 ON t (a); CREATE INDEX i2 ON t (b)",
        "ALTER INDEX i1 RENAME TO x; ALTER INDEX i2 RENAME TO i1; ALTER INDEX x RENAME TO i2",
        "<>",
    ),
    Change(
        "CREATE TABLE t (a integer NOT NULL CONSTRAINT one PRIMARY KEY, b integer NOT NULL)",
        "ALTER TABLE t DROP CONSTRAINT one, ADD CONSTRAINT two PRIMARY KEY (b)",
        "<>",
    ),
    Change(
        "CREATE TABLE t (a integer CONSTRAINT c1 CHECK (a > 1), b integer CONSTRAINT c2 CHECK (b > 1))",
        "ALTER TABLE t RENAME CONSTRAINT c2 TO c3; ALTER TABLE t RENAME CONSTRAINT c1 TO c2",
        "<>",
    ),
    Change(T, TF + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tf()", "<>"),
    Change(T, "CREATE VIEW a1 AS SELECT id FROM t; CREATE VIEW b2 AS SELECT * FROM a1", "<>"),
    Change(T, "CREATE VIEW z1 AS SELECT id FROM t; CREATE VIEW b2 AS SELECT * FROM z1", "<>"),
    Change(T, Z + "CREATE FUNCTION a() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT z(); END", "<>"),
    Change(
        T,
        "CREATE FUNCTION z(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';"
        "CREATE INDEX ti ON t (z(b)); CREATE VIEW vv AS SELECT z(b) FROM t;"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (z(b) <> '')",
        "<>",
    ),
    Change(
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER x ON sql_drop EXECUTE FUNCTION e()",
        "<>",
    ),
    Change(
        "SELECT 1",
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER x ON sql_drop EXECUTE FUNCTION e()",
        "<>",
    ),
    Change("SELECT 1", "CREATE DOMAIN zd AS integer CHECK (VALUE > 0); CREATE TYPE ac AS (x zd)", "<>"),
    Change(
        "CREATE TABLE r (id integer NOT NULL); CREATE TABLE a (r integer)",
        "ALTER TABLE r ADD PRIMARY KEY (id); ALTER TABLE a ADD FOREIGN KEY (r) REFERENCES r",
        "<>",
    ),
    Change(
        "CREATE TABLE r (id integer NOT NULL); CREATE TABLE a (r integer)",
        "CREATE UNIQUE INDEX ru ON r (id); ALTER TABLE a ADD FOREIGN KEY (r) REFERENCES r (id)",
        "<>",
    ),
    Change(
        "CREATE TABLE r (id integer PRIMARY KEY, x integer UNIQUE NOT NULL); CREATE TABLE a (r integer REFERENCES r)",
        "ALTER TABLE a DROP CONSTRAINT a_r_fkey; ALTER TABLE r DROP CONSTRAINT r_pkey;"
        "ALTER TABLE r ADD CONSTRAINT r_pkey PRIMARY KEY (id, x)",
        "<>",
    ),
    Change(
        "CREATE TABLE r (id integer CONSTRAINT k PRIMARY KEY); CREATE TABLE a (r integer CONSTRAINT f REFERENCES r)",
        "ALTER TABLE a DROP CONSTRAINT f; ALTER TABLE r DROP CONSTRAINT k, ADD CONSTRAINT k UNIQUE (id);"
        "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (r) REFERENCES r (id)",
        "<>",
    ),
    Change(
        PERIOD.format("PRIMARY KEY") + USES_PERIOD,
        "DROP TABLE s; DROP TABLE r; DROP EXTENSION btree_gist;"
        + PERIOD.format("UNIQUE")
        + USES_PERIOD
        + "ALTER TABLE r ALTER a SET NOT NULL, ALTER d SET NOT NULL",
        "<>",
        18,
    ),
    Change(T + "CREATE VIEW v AS SELECT id FROM t", "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t", ""),
    Change(T, "CREATE SEQUENCE q; ALTER TABLE t ALTER a SET DEFAULT nextval('q')", ">"),
    Change(
        "CREATE TABLE t (a integer GENERATED BY DEFAULT AS IDENTITY)", "DROP TABLE t; CREATE TABLE t (a serial)", ">"
    ),
    Change(
        "CREATE TABLE t (a integer, b integer)",
        "ALTER TABLE t ALTER a SET NOT NULL, ALTER a ADD GENERATED ALWAYS AS IDENTITY",
        "<>",
    ),
    Change(T, "CREATE UNIQUE INDEX ti ON t (id); ALTER TABLE t REPLICA IDENTITY USING INDEX ti", "<>"),
    Change("CREATE TABLE t (a integer, b integer)", "ALTER TABLE t ADD PRIMARY KEY (a)", "<>"),
    Change(
        "CREATE FUNCTION w() RETURNS integer LANGUAGE internal WINDOW AS 'window_row_number'",
        "DROP FUNCTION w(); CREATE FUNCTION w() RETURNS integer LANGUAGE internal AS 'window_row_number'",
        "",
    ),
    Change(
        PARTS + TF + "CREATE TRIGGER g BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION tf()",
        "ALTER TABLE ONLY p DISABLE TRIGGER g",
        "<>",
    ),
    Change(
        PARTS + TF + "CREATE TRIGGER g BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION tf()",
        "ALTER TABLE p DISABLE TRIGGER g",
        "<>",
    ),
    Change(
        PARTS + TF + "CREATE TRIGGER g BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION tf()",
        "ALTER TABLE p1 DISABLE TRIGGER g; ALTER TABLE p2 ENABLE ALWAYS TRIGGER g",
        "<>",
    ),
    Change(
        PARTS + TF,
        "CREATE TRIGGER g BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION tf();"
        "ALTER TABLE ONLY p DISABLE TRIGGER g; ALTER TABLE p2 ENABLE REPLICA TRIGGER g",
        "<>",
    ),
    Change("SELECT 1", "CREATE EXTENSION hstore VERSION '1.4'", ">"),
    Change(
        "CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE t (id integer PRIMARY KEY);"
        "CREATE TABLE a (r integer CONSTRAINT f REFERENCES t)",
        "ALTER TABLE t RENAME TO t2",
        "",
    ),
)


def run(database: Database, *scripts: str) -> Catalog:
    """The catalog after some scripts; what begins with CREATE INDEX CONCURRENTLY cannot be sent with others."""
    with database.connect() as connection:
        for script in scripts:
            for statement in script.split(";\n") if "CONCURRENTLY" in script else [script]:
                connection.execute(statement.encode())
        return read_catalog(connection)


def shown(differences: tuple[Difference, ...]) -> str:
    return "\n".join(f"{d.kind} {d.object} [{d.attribute}] {d.have} -> {d.want}: {d.mend}" for d in differences)


def check_change(first: Database, second: Database, change: Change, version: str) -> None:
    """Both directions are seen, and mended where that is promised."""
    if int(version) < change.since:
        pytest.skip(f"PostgreSQL {version} has no such thing")
    want, unchanged = run(first, change.setup), run(second, change.setup)
    assert compare_catalogs(unchanged, want) == ()
    have = run(first, change.change)
    for name, start, goal, where in (("<", have, want, first), (">", want, have, second)):
        found = compare_catalogs(start, goal)
        assert found
        left = tuple(
            d for d in compare_catalogs(run(where, *(d.mend for d in found if d.mend)), goal) if not d.cosmetic
        )
        if name in change.mends:
            assert left == (), shown(found) + "\nleaves\n" + shown(left)
        else:
            assert left, "mended too"
            assert {(d.kind, d.object) for d in left} <= {(d.kind, d.object) for d in found if not d.mend}, shown(left)


@pytest.mark.parametrize("change", KEYS, ids=lambda c: c.change[:60])
def test_a_key_whose_triggers_do_not_all_work_is_seen_and_mended(
    server: RunningServer, database: Database, second: Database, change: Change
) -> None:
    check_change(database, second, change, server.version)


RAILS = "CREATE TABLE schema_migrations (version text PRIMARY KEY); CREATE TABLE ar_internal_metadata (key text);"
SQITCH = (
    "CREATE SCHEMA reg; CREATE TABLE reg.changes (change_id text, script_hash text); CREATE TABLE reg.events (e text);"
)


@pytest.mark.parametrize("ledger", [RAILS, SQITCH])
def test_another_tools_ledger_is_no_drift_whether_the_migrations_make_it_or_not(
    database: Database, second: Database, ledger: str
) -> None:
    run(database, "CREATE TABLE t (id integer)")
    run(second, "CREATE TABLE t (id integer)")
    with second.connect() as connection:
        plain = read_migrated(connection)
    run(database, ledger)
    assert check_drift(database, plain) == ()
    wanted = run(second, ledger)
    assert check_drift(database, wanted) == ()
    run(database, "DROP TABLE IF EXISTS reg.changes; DROP TABLE IF EXISTS schema_migrations")
    assert [f.have for f in check_drift(database, wanted)] == [NOTHING]


def test_a_schema_that_only_resembles_sqitchs_is_compared(database: Database) -> None:
    with database.connect() as connection:
        wanted = read_migrated(connection)
    run(database, SQITCH + "CREATE TABLE reg.mine (id integer)")
    assert [(f.code, f.object) for f in check_drift(database, wanted)] == [("drift-beside", "reg")]


@pytest.mark.parametrize("change", TOGETHER, ids=lambda c: c.change[:60])
def test_mends_that_need_each_other_run_in_the_order_in_which_they_are_told(
    server: RunningServer, database: Database, second: Database, change: Change
) -> None:
    check_change(database, second, change, server.version)


SEEN = (
    Change(T, "CREATE PUBLICATION x FOR TABLE t WHERE (id > 1)", "<>", since=15),
    Change(T + "CREATE PUBLICATION x FOR TABLE t", "ALTER PUBLICATION x SET TABLE t WHERE (id > 1)", "<>", since=15),
    Change(T + "CREATE PUBLICATION x FOR TABLE t", "ALTER PUBLICATION x SET TABLE t (id, a)", "<>", since=15),
    Change(T + "CREATE PUBLICATION x", "ALTER PUBLICATION x ADD TABLES IN SCHEMA public", "<>", since=15),
    Change("CREATE PUBLICATION x", "ALTER PUBLICATION x SET (publish_generated_columns = stored)", "<>", 18),
    Change(
        "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY (MAXVALUE 100))",
        "ALTER SEQUENCE t_a_seq AS integer",
        "<>",
    ),
    Change(
        "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY)", "ALTER SEQUENCE t_a_seq SET UNLOGGED", "<>", since=15
    ),
    Change("CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY)", "COMMENT ON SEQUENCE t_a_seq IS 'x'", "<>"),
    Change(
        "CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer)",
        "DROP AGGREGATE g(integer); CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer, SSPACE = 9)",
    ),
    Change(
        "CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer, MSFUNC = int4pl, MINVFUNC = int4mi,"
        " MSTYPE = integer)",
        "DROP AGGREGATE g(integer); CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer, MSFUNC = int4pl,"
        " MINVFUNC = int4mi, MSTYPE = integer, MINITCOND = '7')",
    ),
    Change(
        "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)",
        "ALTER OPERATOR === (integer, integer) SET (RESTRICT = eqsel, JOIN = eqjoinsel)",
    ),
    Change(
        "CREATE OPERATOR ### (RIGHTARG = integer, FUNCTION = int4um)",
        "COMMENT ON OPERATOR ### (NONE, integer) IS 'x'",
        "<>",
    ),
    Change("SELECT 1", "CREATE OPERATOR ### (RIGHTARG = integer, FUNCTION = int4um)", "<>"),
    Change("SELECT 1", "CREATE OPERATOR FAMILY fam USING btree", ">"),
    Change(
        "CREATE OPERATOR FAMILY fam USING btree",
        "CREATE OPERATOR CLASS cl FOR TYPE integer USING btree FAMILY fam AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,"
        " OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(integer, integer)",
        ">",
    ),
    Change("SELECT 1", "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, STOPWORDS = english)", "<>"),
    Change(
        "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, STOPWORDS = english)",
        "ALTER TEXT SEARCH DICTIONARY d (ACCEPT = false)",
    ),
    Change(
        "SELECT 1",
        "CREATE TEXT SEARCH PARSER pa (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,"
        " LEXTYPES = prsd_lextype)",
        ">",
    ),
    Change("SELECT 1", "CREATE TEXT SEARCH TEMPLATE te (LEXIZE = dsimple_lexize, INIT = dsimple_init)", ">"),
    Change(
        "SELECT 1",
        "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple); ALTER TEXT SEARCH CONFIGURATION c"
        " ALTER MAPPING FOR asciiword WITH english_stem, simple",
        "<>",
    ),
    Change("SELECT 1", "CREATE CONVERSION co FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", "<>"),
    Change("SELECT 1", "CREATE LANGUAGE pl HANDLER plpgsql_call_handler", ">"),
    Change("SELECT 1", "CREATE ACCESS METHOD h2 TYPE TABLE HANDLER heap_tableam_handler", ">"),
    Change("SELECT 1", "CREATE FOREIGN DATA WRAPPER w", ">"),
    Change("CREATE FOREIGN DATA WRAPPER w", "ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD a 'b')"),
    Change(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER sv FOREIGN DATA WRAPPER w",
        "CREATE USER MAPPING FOR PUBLIC SERVER sv",
    ),
    Change(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER sv FOREIGN DATA WRAPPER w",
        "DROP SERVER sv; CREATE SERVER sv TYPE 'ty' FOREIGN DATA WRAPPER w",
    ),
    Change("SELECT 1", "CREATE TYPE rg AS RANGE (SUBTYPE = integer, MULTIRANGE_TYPE_NAME = many)", "<>"),
    Change(
        "CREATE TYPE rg AS RANGE (SUBTYPE = integer)",
        "DROP TYPE rg; CREATE TYPE rg AS RANGE (SUBTYPE = integer, MULTIRANGE_TYPE_NAME = many)",
    ),
    Change("SELECT 1", "CREATE TYPE none AS ENUM (); CREATE TYPE nothing AS ()", "<>"),
    Change(T + "CREATE STATISTICS st ON a, b FROM t", "ALTER STATISTICS st SET STATISTICS 50", "<>"),
    Change(
        T + "CREATE MATERIALIZED VIEW m AS SELECT b FROM t",
        "ALTER MATERIALIZED VIEW m ALTER b SET STORAGE EXTERNAL",
        "<>",
        18,
    ),
    Change("SELECT 1", "COMMENT ON EXTENSION plpgsql IS 'x'", "<>"),
    Change(T, "ALTER TABLE t ALTER b SET STORAGE EXTERNAL", "<>", 16),
    Change(
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION f() DEPENDS ON EXTENSION plpgsql",
    ),
    Change(
        T + TF + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tf()",
        "ALTER TRIGGER g ON t DEPENDS ON EXTENSION plpgsql",
    ),
    Change(T + "CREATE INDEX i ON t (a)", "ALTER INDEX i DEPENDS ON EXTENSION plpgsql"),
    Change("CREATE TABLE t (a integer CONSTRAINT n NOT NULL)", "COMMENT ON CONSTRAINT n ON t IS 'x'", "<>", 18),
    Change(
        "CREATE TABLE t (a integer PRIMARY KEY WITH (fillfactor = 50))", "ALTER INDEX t_pkey RESET (fillfactor)", "<>"
    ),
    Change(T + "CREATE INDEX i ON t ((a + 1))", "ALTER INDEX i ALTER 1 SET STATISTICS 7", "<>"),
    Change(T + "CREATE INDEX i ON t (a); ALTER TABLE t CLUSTER ON i", "ALTER TABLE t SET WITHOUT CLUSTER", "<>"),
    Change("CREATE TABLE x (a integer); CREATE TABLE t (a integer) INHERITS (x)", "ALTER TABLE t NO INHERIT x", "<>"),
    Change("CREATE SEQUENCE s", "ALTER SEQUENCE s SET UNLOGGED", "<>", since=15),
    Change("CREATE DOMAIN d AS integer CHECK (VALUE > 0)", "ALTER DOMAIN d SET NOT NULL", "<>"),
    Change("CREATE DOMAIN d AS integer", "ALTER DOMAIN d SET DEFAULT 5", "<>"),
)


@pytest.mark.parametrize("change", SEEN, ids=lambda c: c.change[:60])
def test_a_rarer_change_is_seen(server: RunningServer, database: Database, second: Database, change: Change) -> None:
    check_change(database, second, change, server.version)


@pytest.mark.parametrize(
    "change",
    [
        "GRANT SELECT ON t TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO PUBLIC WITH GRANT OPTION",
        "GRANT USAGE ON FOREIGN SERVER sv TO PUBLIC",
        "GRANT USAGE ON FOREIGN DATA WRAPPER w TO PUBLIC",
        "REVOKE USAGE ON LANGUAGE pl FROM PUBLIC",
        "REVOKE USAGE ON SCHEMA o FROM postgres",
    ],
)
def test_owners_and_grants_are_compared_where_that_is_asked_for(
    database: Database, tmp_path: Path, change: str
) -> None:
    text = (
        f"{T}\nCREATE SCHEMA o;\nCREATE FOREIGN DATA WRAPPER w;\nCREATE SERVER sv FOREIGN DATA WRAPPER w;\n"
        "CREATE TRUSTED LANGUAGE pl HANDLER plpgsql_call_handler;\n"
    )
    (tmp_path / "01_t.sql").write_text(text)
    operations.migrate(database, read_migrations(tmp_path))
    words = ["check", "--only", "drift", "--database-url", database.url, "--migrations", str(tmp_path)]
    assert CliRunner().invoke(cli, [*words, "--privileges"]).exit_code == 0
    if "WITH GRANT OPTION" in change:
        change = change.replace("PUBLIC WITH", "postgres WITH")
    run(database, change)
    assert CliRunner().invoke(cli, words).exit_code == 0
    found = CliRunner().invoke(cli, [*words, "--privileges"])
    assert (found.exit_code, "privileges" in found.stdout) == (1, True)
    refused = CliRunner().invoke(cli, [*words, "--privileges", "--snapshot", "x.sql"])
    assert isinstance(refused.exception, UsageError)


def test_what_is_granted_beforehand_in_the_schema_that_is_compared_is_no_drift(
    database: Database, tmp_path: Path
) -> None:
    granted = "ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO PUBLIC"
    run(database, "CREATE SCHEMA s; CREATE SCHEMA other", granted.format("s"))
    wanted = []
    for files in (granted.format("s"), "SELECT 1"):
        (tmp_path / "01_t.sql").write_text(f"{files};\n")
        target = database.with_schema("s")
        wanted.append(replayed(target, read_migrations(tmp_path), privileges=True))
    assert check_drift(target, wanted[0], schema="s", privileges=True) == ()
    assert [f.code for f in check_drift(target, wanted[1], schema="s", privileges=True)] == ["drift"]
    run(database, granted.format("other"))
    assert check_drift(target, wanted[0], schema="other", wanted_schema="s", privileges=True) == ()


LEDGERS_OF_ADOPTED = (
    (
        "CREATE TABLE _prisma_migrations (id text PRIMARY KEY, checksum text, finished_at timestamptz,"
        " migration_name text, logs text, rolled_back_at timestamptz, started_at timestamptz, applied_steps_count int)"
    ),
    "CREATE TABLE __diesel_schema_migrations (version text PRIMARY KEY, run_on timestamp)",
    "CREATE TABLE schema_migration (version text)",
    "CREATE TABLE migrations (id serial PRIMARY KEY, name text UNIQUE, hash text, executed_at timestamp)",
    (
        "CREATE SCHEMA graphile_migrate; CREATE TABLE graphile_migrate.migrations (hash text PRIMARY KEY,"
        " previous_hash text REFERENCES graphile_migrate.migrations, filename text, date timestamptz);"
        "CREATE TABLE graphile_migrate.current (filename text, content text, date timestamptz)"
    ),
)


@pytest.mark.parametrize("ledger", LEDGERS_OF_ADOPTED, ids=lambda text: text[13:45])
def test_after_adopting_drift_says_yes_to_what_adopting_found_in_nobodys_way(
    database: Database, tmp_path: Path, ledger: str
) -> None:
    text = f"{T}\nCREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND\n$$;\n"
    (tmp_path / "01_t.sql").write_text(text)
    run(database, text.replace("\n", "\r\n"))
    run(database, f"{ledger}; COMMENT ON SCHEMA public IS 'the provider''s'")
    run(database, "CREATE TABLE beside (a integer); CREATE VIEW seen AS SELECT a FROM beside; CREATE SCHEMA theirs")
    words = ["--database-url", database.url, "--migrations", str(tmp_path)]
    adopted = CliRunner().invoke(cli, ["adopt", "--apply", *words])
    assert adopted.exit_code == 0, adopted.output
    ran = CliRunner().invoke(cli, ["check", "--only", "drift", *words])
    assert ran.exit_code == 0, ran.output
    told = {line.partition("]")[0].removeprefix("warning: [") for line in ran.output.splitlines() if "[drift" in line}
    assert told == {"drift-beside", "drift-cosmetic"}
    run(database, "CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION suppress_redundant_updates_trigger()")
    assert CliRunner().invoke(cli, ["check", "--only", "drift", *words]).exit_code == 1
