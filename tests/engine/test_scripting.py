"""The script for psql leaves the same database, and the same ledger, as `migrate` does; or it runs nothing."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import RunningServer
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow
from wflo_schema.engine.scripting import write_script
from wflo_schema.errors import MigrationFailed, Refused
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.show.psql import psql_text
from wflo_schema.trace.recording import record

pytestmark = pytest.mark.spread_over_servers

# What the ledger's tables hold, but for times and what is drawn at random.
_LEDGER = (
    "SELECT migration_hash, migration_id, checksum FROM {}._yoyo_migration ORDER BY applied_at_utc",
    "SELECT migration_hash, migration_id, operation, username, hostname FROM {}._yoyo_log ORDER BY created_at_utc",
    "SELECT version FROM {}._yoyo_version",
    "SELECT migration_hash, operation, statements_done FROM {}._wflo_schema_progress ORDER BY 1",
    "SELECT migration_hash, migration_id, name, value FROM {}._wflo_schema_variable ORDER BY 1, 3",
    "SELECT to_jsonb(r) - 'applied_at_utc' FROM {}._wflo_schema_repeatable AS r ORDER BY repeatable_id, number",
)

FILES = {
    "1-tables": r"""
        CREATE TABLE "odd ""one" (id integer PRIMARY KEY, words text[], note text);
        COPY "odd ""one" FROM STDIN;
1	{a,b}	\\! back\tslash :USER
2	\N	\\copy and \\q, $$ ' "
3	{}	\\.\\
\.
        INSERT INTO "odd ""one" VALUES (4, (ARRAY['x', 'y', 'z'])[1:2], E'\\! \n\\q' || ':USER' || ':''USER''');
        CREATE FUNCTION said() RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            -- \! touch /tmp/no
            RETURN '\echo :USER; :''USER'' ' || $q$;\q$q$;
        END $$;
        SELECT (ARRAY[1, 2])[1:id] FROM "odd ""one";  -- a comment; with :USER and \q
        /* another ; \q */ COMMENT ON FUNCTION said() IS 'a;\q' -- and this is the last
    """,
    "2-wrapped": 'BEGIN; CREATE TABLE b (id integer REFERENCES "odd ""one" DEFERRABLE INITIALLY DEFERRED); COMMIT;',
    "3-alone": (
        "-- transactional: false\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n"
        "SET work_mem = '8MB'; CREATE TABLE c AS SELECT current_setting('work_mem') AS m;\n"
        "VACUUM b; RESET ALL; INSERT INTO c SELECT current_setting('lock_timeout')"
    ),
    "4-values": "-- variables: odd, n\nCREATE TABLE d AS SELECT :'odd' AS r, :'n' AS n",
    "5-role": "SET search_path = pg_catalog; SET LOCAL lock_timeout = '5s'; CREATE TABLE public.e ()",
}
HOOKS = {
    "before-all": "CREATE TABLE IF NOT EXISTS said_by (n serial, what text); INSERT INTO said_by (what) VALUES ('1st')",
    "before-each": "INSERT INTO public.said_by (what) VALUES (current_setting('wflo_schema.migration'))",
    "after-each": "INSERT INTO public.said_by (what) SELECT count(*) FROM pg_class WHERE relname = 'b'",
    "after-all": "INSERT INTO said_by (what) VALUES ('last')",
}


def folder(path: Path, files: dict[str, str], hooks: dict[str, str] | None = None) -> Migrations:
    for name, text in files.items():
        (path / f"{name}.sql").write_text(text, encoding="utf-8")
    for name, text in (hooks or {}).items():
        (path / "hooks").mkdir(exist_ok=True)
        (path / "hooks" / f"{name}.sql").write_text(text, encoding="utf-8")
    return read_migrations(path, variables={"n": "7", "odd": 'it\'s \\ "q" :USER $1'})


def psql(server: RunningServer, database: Database, text: str, **options: str) -> subprocess.CompletedProcess[str]:
    known = database.parameters
    where = ["-h", known["host"], "-p", known["port"], "-U", known["user"], "-d", database.name]
    return subprocess.run(
        [str(server.psql), *where, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "USER=no", "-f", "-"],
        input=text,
        text=True,
        capture_output=True,
        check=False,
        env={"PGOPTIONS": options.get("options", ""), "LC_ALL": "C.UTF-8"},
    )


def ledger_of(database: Database, schema: str = "public") -> list[list[tuple[Any, ...]]]:
    found = []
    with database.connect() as connection:
        for query in _LEDGER:
            try:
                found.append(connection.execute(query.format(schema).encode()).fetchall())
            except psycopg.errors.UndefinedTable:
                found.append([])
    return found


def assert_same(one: Database, other: Database, *queries: str) -> None:
    with one.connect() as have, other.connect() as want:
        assert compare_catalogs(read_catalog(have), read_catalog(want)) == ()
        for query in queries:
            assert have.execute(query.encode()).fetchall() == want.execute(query.encode()).fetchall()
    assert ledger_of(one) == ledger_of(other)


def test_psql_leaves_the_same_as_migrate(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = folder(tmp_path, FILES, HOOKS)
    script = psql_text(write_script(database, migrations))
    ran = psql(server, database, script)
    assert (ran.returncode, "ERROR" in ran.stderr) == (0, False), ran.stderr
    operations.migrate(second, migrations)
    rows = [f"SELECT * FROM {t} ORDER BY 1" for t in ('"odd ""one"', "c", "d", "said_by")]
    assert_same(database, second, *rows, "SELECT prosrc FROM pg_proc WHERE proname = 'said'")
    assert operations.status(database, migrations).is_up_to_date


def test_together_it_is_one_transaction(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = folder(tmp_path, {name: text for name, text in FILES.items() if name != "3-alone"}, HOOKS)
    ran = psql(server, database, psql_text(write_script(database, migrations, together=True)))
    assert ran.returncode == 0, ran.stderr
    operations.migrate(second, migrations, together=True)
    assert_same(database, second, "SELECT what FROM said_by ORDER BY n")


def test_what_is_there_already_is_gone_on_from(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = folder(tmp_path, FILES)
    for one in (database, second):
        operations.migrate(one, migrations, to="2-wrapped")
    script = psql_text(write_script(database, migrations, to="4"))
    assert 'CREATE TABLE IF NOT EXISTS "public"._yoyo_migration' not in script
    assert "CREATE TABLE a" not in script
    ran = psql(server, database, script)
    assert ran.returncode == 0, ran.stderr
    operations.migrate(second, migrations, to="4")
    assert_same(database, second)


def test_it_runs_nothing_where_the_ledger_has_changed(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    migrations = folder(tmp_path, {"1-a": "CREATE TABLE a ()", "2-b": "CREATE TABLE b ()"})
    script = psql_text(write_script(database, migrations))
    operations.migrate(database, migrations, to="1")
    ran = psql(server, database, script)
    assert ran.returncode == 3
    assert "the ledger is not as it was when this script was printed" in ran.stderr
    assert [e.id for e in operations.status(database, migrations).pending] == ["2-b"]


def test_it_stops_at_what_fails_and_keeps_what_was_before(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    migrations = folder(
        tmp_path, {"1-a": "CREATE TABLE a ()", "2-b": "CREATE TABLE b (); SELECT 1 / 0", "3-c": "SELECT 1"}
    )
    ran = psql(server, database, psql_text(write_script(database, migrations)))
    assert ran.returncode == 3
    assert [e.id for e in operations.status(database, migrations).pending] == ["2-b", "3-c"]
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('a'), to_regclass('b')").fetchone() == ("a", None)


def test_it_runs_nothing_as_another_role_or_on_another_path(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    script = psql_text(write_script(database, folder(tmp_path, {"1-a": "CREATE TABLE a ()"})))
    for options, said in (("-c role=pg_monitor", "for the role postgres"), ("-c search_path=x", "for the search_path")):
        ran = psql(server, database, script, options=options)
        assert (ran.returncode, said in ran.stderr) == (3, True), ran.stderr
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('a'), to_regclass('_yoyo_migration')").fetchone() == (None, None)


def test_the_ledger_of_a_schema_that_is_not_there_yet_is_made(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = folder(tmp_path, {"1-a": "CREATE TABLE a (n int); INSERT INTO a VALUES (1)"})
    one, other = (d.with_schema('an "app"').with_ledger_schema("its ledger") for d in (database, second))
    ran = psql(server, database, psql_text(write_script(one, migrations, create_schema=True)))
    assert ran.returncode == 0, ran.stderr
    operations.migrate(other, migrations, create_schema=True)
    assert_same(database, second, 'SELECT * FROM "an ""app""".a')
    assert ledger_of(database, '"its ledger"')[:2] == ledger_of(second, '"its ledger"')[:2]


def test_a_renamed_migration_is_recorded_by_its_new_name(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = folder(tmp_path, {"1-a": "CREATE TABLE a ()"})
    for one in (database, second):
        operations.migrate(one, migrations)
    (tmp_path / "1-a.sql").unlink()
    migrations = folder(tmp_path, {"1-b": "-- was: 1-a\nCREATE TABLE a ()"})
    ran = psql(server, database, psql_text(write_script(database, migrations)))
    assert ran.returncode == 0, ran.stderr
    operations.migrate(second, migrations)
    assert_same(database, second)


def test_writing_it_writes_nothing_in_the_database(database: Database, tmp_path: Path) -> None:
    migrations = folder(tmp_path, FILES, HOOKS)
    reading = database.with_parameters(options="-c default_transaction_read_only=on")
    write_script(reading, migrations)
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '_yoyo|_wflo'").fetchone() == (0,)


def test_what_migrate_would_refuse_is_not_written(database: Database, tmp_path: Path) -> None:
    migrations = folder(tmp_path, {"2-b": "CREATE TABLE b ()"})
    operations.migrate(database, migrations)
    migrations = folder(tmp_path, {"1-a": "CREATE TABLE a ()"})
    with pytest.raises(Refused, match="sorts before"):
        write_script(database, migrations)
    assert any("1-a" in block.title for block in write_script(database, migrations, allow=[Allow.LATE]).blocks)


def test_a_file_that_was_interrupted_is_left_to_migrate(database: Database, tmp_path: Path) -> None:
    migrations = folder(tmp_path, {"1-a": "-- transactional: false\nCREATE TABLE a (); SELECT 1 / 0"})
    with pytest.raises(MigrationFailed, match="division by zero"):
        operations.migrate(database, migrations)
    with pytest.raises(Refused, match="1-a was interrupted"):
        write_script(database, migrations)


def test_secrets_are_named_at_the_top(database: Database, tmp_path: Path) -> None:
    migrations = folder(tmp_path, {"1-a": "-- variables: n (secret)\nCREATE TABLE a AS SELECT :'n' AS n"})
    assert "KEEP IT SECRET: it holds the values of n" in psql_text(write_script(database, migrations))


# --- repeatable files -----------------------------------------------------------------------------


def dump(server: RunningServer, database: Database) -> str:
    known = database.parameters
    where = ["-h", known["host"], "-p", known["port"], "-U", known["user"], database.name]
    ran = subprocess.run(
        [str(server.psql.with_name("pg_dump")), *where, "--exclude-table=*._yoyo_log"],
        text=True,
        capture_output=True,
        check=True,
    )
    at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", re.sub(at, "TIME", ran.stdout))


REPEATABLE = {
    "totals": "CREATE VIEW totals AS SELECT id, amount FROM orders;",
    "large": "CREATE VIEW large AS SELECT id FROM totals WHERE amount > limit_of('it''s')",
    "limit": "CREATE FUNCTION limit_of(text) RETURNS integer LANGUAGE plpgsql AS $$BEGIN RETURN 7; END$$",
    "all": "CREATE MATERIALIZED VIEW every AS SELECT * FROM orders",
}
GIVEN = (
    "GRANT SELECT ON totals, large TO pg_monitor; COMMENT ON VIEW large IS 'it''s $1 :USER'",
    "COMMENT ON COLUMN totals.amount IS 'money'; GRANT SELECT (id) ON totals TO PUBLIC",
    "ALTER VIEW large OWNER TO pg_read_all_data; CREATE UNIQUE INDEX every_id ON every (id)",
    "ALTER VIEW totals SET (security_barrier = true); CREATE RULE r AS ON INSERT TO large DO INSTEAD NOTHING",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_read_all_stats",
)
ORDERS = {"1-orders": "CREATE TABLE orders (id integer, amount integer); INSERT INTO orders VALUES (1, 8)"}


@dataclass(frozen=True)
class Change:
    """What happens between two runs: new migrations, other repeatable files (None: deleted), options of `migrate`."""

    migrations: dict[str, str] = field(default_factory=dict)
    repeatable: dict[str, str | None] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)


CHANGES = {
    "edited with dependents": Change(
        repeatable={"totals": "CREATE VIEW totals AS SELECT amount::bigint AS amount, id FROM orders"}
    ),
    "can be replaced": Change(
        repeatable={"totals": "CREATE OR REPLACE VIEW totals AS SELECT id, amount, 1 AS one FROM orders"}
    ),
    "another signature": Change(
        repeatable={
            "limit": "DROP FUNCTION IF EXISTS limit_of(text) CASCADE; "
            "CREATE FUNCTION limit_of(t text, n integer DEFAULT 1) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'"
        }
    ),
    "a column below": Change({"2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint; CREATE TABLE t ()"}),
    "two columns below": Change(
        {
            "2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint",
            "3-numeric": "ALTER TABLE orders ALTER amount TYPE numeric USING amount + 1",
        },
        hooks={name: text.replace("n serial, ", "") for name, text in HOOKS.items()},  # a try that fails leaves a gap
    ),
    "a column renamed and the file edited": Change(
        {
            "2-rename": "ALTER TABLE orders ADD price integer; ALTER TABLE orders DROP amount",
            "3-after": "CREATE TABLE after ()",
        },
        {"totals": "CREATE VIEW totals AS SELECT id, price AS amount FROM orders"},
    ),
    "widened": Change({"2-note": "ALTER TABLE orders ADD note text DEFAULT 'x'"}),
    "deleted": Change(
        repeatable={"large": None, "all": None, "new": "CREATE VIEW new AS SELECT 1 AS a"},
        options={"drop_deleted": True},
    ),
    "deleted, nothing else": Change(repeatable={"large": None}, options={"drop_deleted": True}),
    "deleted, and kept": Change({"2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint"}, {"large": None}),
    "cascade": Change(
        {"2-again": "DROP TABLE orders CASCADE; CREATE TABLE orders (id bigint, amount integer, note text)"}
    ),
    "cascade of nothing": Change({"2-other": "CREATE TABLE o (); DROP TABLE o CASCADE; SELECT 'CASCADE'"}),
    "what a migration lacks": Change(
        {"2-uses": "CREATE TABLE uses AS SELECT n FROM fresh"}, {"fresh": "CREATE VIEW fresh AS SELECT 1 AS n"}
    ),
    "together": Change(
        {
            "2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint",
            "3-t": "CREATE TABLE t (); COMMENT ON TABLE t IS 'x'",
        },
        {"limit": "CREATE FUNCTION limit_of(text) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'"},
        {"together": True},
    ),
    "beside one that is not transactional": Change(
        {
            "2-index": "-- transactional: false\nCREATE INDEX CONCURRENTLY orders_id ON orders (id)",
            "3-bigint": "ALTER TABLE orders ALTER amount TYPE bigint",
        }
    ),
    "with a value": Change(repeatable={"value": "-- variables: odd\nCREATE VIEW value AS SELECT :'odd' AS v"}),
    "dynamic code": Change(
        {"2-do": "DO $$ BEGIN EXECUTE 'ALTER TABLE orders ALTER amount TYPE bigint'; END $$"}, {"large": None}
    ),
    "nothing in the way": Change(
        {"2-other": "CREATE TABLE o (n integer)"}, {"all": "CREATE VIEW every AS SELECT 1 AS n"}
    ),
}


def with_repeatables(path: Path, files: dict[str, str], repeatable: dict[str, str | None], **hooks: Any) -> Migrations:
    (path / "repeatable").mkdir(exist_ok=True)
    for name, text in repeatable.items():
        file = path / "repeatable" / f"{name}.sql"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text, encoding="utf-8")
    return folder(path, files, hooks.get("hooks"))


def assert_same_to_the_last(server: RunningServer, one: Database, other: Database) -> None:
    assert_same(one, other)
    assert dump(server, one) == dump(server, other)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_repeatable_files_become_what_migrate_makes_of_them(
    server: RunningServer, database: Database, second: Database, tmp_path: Path, change: Change
) -> None:
    migrations = with_repeatables(tmp_path, ORDERS, {**REPEATABLE})
    for one in (database, second):
        operations.migrate(one, migrations)
        with one.connect() as connection:
            for statement in GIVEN:
                connection.execute(statement.encode())
    migrations = with_repeatables(tmp_path, change.migrations, change.repeatable, hooks=change.hooks)
    script = psql_text(write_script(database, migrations, **change.options, record=record))
    try:
        operations.migrate(second, migrations, **change.options)
    except MigrationFailed:
        assert psql(server, database, script).returncode == 3
    else:
        ran = psql(server, database, script)
        assert ran.returncode == 0, ran.stderr
    assert_same_to_the_last(server, database, second)
    ran = psql(server, database, script)
    assert (ran.returncode, "not as it was when this script was printed" in ran.stderr) == (3, True), ran.stderr


def test_the_first_repeatable_files_are_made_in_their_order(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = with_repeatables(tmp_path, ORDERS, {**REPEATABLE}, hooks=HOOKS)
    ran = psql(server, database, psql_text(write_script(database, migrations, record=record)))
    assert ran.returncode == 0, ran.stderr
    operations.migrate(second, migrations)
    assert_same_to_the_last(server, database, second)
    assert operations.status(database, migrations).is_up_to_date


def with_view(path: Path, *databases: Database, **hooks: Any) -> Migrations:
    """Databases with a view of a repeatable file, and a migration that needs it out of its way."""
    migrations = with_repeatables(path, ORDERS, {"v": "CREATE VIEW v AS SELECT amount FROM orders"})
    for one in databases:
        operations.migrate(one, migrations)
    return with_repeatables(path, {"2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint"}, {}, **hooks)


def test_it_runs_nothing_where_somebody_was_given_rights_since(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    migrations = with_view(tmp_path, database)
    script = psql_text(write_script(database, migrations, record=record))
    with database.connect() as connection:
        connection.execute("GRANT SELECT ON v TO pg_monitor")
    ran = psql(server, database, script)
    assert (ran.returncode, "what repeatable files made is not as it was" in ran.stderr) == (3, True), ran.stderr
    assert [e.id for e in operations.status(database, migrations).pending] == ["2-bigint"]


def test_it_keeps_nothing_of_a_transaction_that_rows_lead_elsewhere(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    migrations = with_view(tmp_path, database)
    migrations = with_repeatables(
        tmp_path,
        {
            "2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint; CREATE TABLE two (); DO $$ BEGIN "
            "IF EXISTS (SELECT FROM orders WHERE amount = 8) THEN DROP TABLE orders CASCADE; END IF; END $$"
        },
        {},
    )
    ran = psql(server, database, psql_text(write_script(database, migrations, record=record)))
    assert ran.returncode == 3
    assert "orders" in ran.stderr
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('v') IS NULL, to_regclass('two')").fetchone() == (False, None)


def test_in_a_schema_of_its_own_with_the_ledger_apart(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    migrations = with_repeatables(tmp_path, ORDERS, {"v": "CREATE VIEW v AS SELECT * FROM orders"})
    one, other = (d.with_schema('an "app"').with_ledger_schema("its ledger") for d in (database, second))
    for _ in range(2):
        ran = psql(server, database, psql_text(write_script(one, migrations, create_schema=True, record=record)))
        assert ran.returncode == 0, ran.stderr
        operations.migrate(other, migrations, create_schema=True)
        assert_same_to_the_last(server, database, second)
        migrations = with_repeatables(tmp_path, {"2-more": "ALTER TABLE orders ADD note text, DROP id CASCADE"}, {})
    assert operations.status(one, migrations).is_up_to_date


@pytest.mark.parametrize("is_in_the_way", [True, False])
def test_where_it_cannot_be_run_elsewhere_only_what_needs_that_is_refused(
    database: Database, tmp_path: Path, *, is_in_the_way: bool
) -> None:
    migrations = with_view(tmp_path, database)

    def record_nothing(*_: Any, **options: Any) -> Any:
        raise Refused("no database for it")

    if is_in_the_way:
        migrations = with_repeatables(tmp_path, {}, {"v": "CREATE VIEW v AS SELECT 1 AS n"})
        for record_it in (record_nothing, None):
            with pytest.raises(Refused, match="repeatable files depends on what the server answers"):
                write_script(database, migrations, record=record_it)
    else:
        assert "2-bigint" in [block.title for block in write_script(database, migrations, record=record_nothing).blocks]


def test_what_reaches_outside_of_the_database_is_refused(database: Database, tmp_path: Path) -> None:
    migrations = with_repeatables(tmp_path, {"1-role": "CREATE ROLE somebody_new"}, {"v": "CREATE VIEW v AS SELECT 1"})
    with pytest.raises(Refused, match="1-role reaches outside of the database"):
        write_script(database, migrations, record=record)


def test_as_a_role_that_owns_some_of_it(
    server: RunningServer, database: Database, second: Database, tmp_path: Path
) -> None:
    before = (
        "CREATE SCHEMA app AUTHORIZATION wflo_maker; CREATE TABLE public.others (n int)",
        "GRANT SELECT ON others TO wflo_maker; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE wflo_maker GRANT UPDATE ON TABLES TO pg_monitor",
    )
    files = {"v": "CREATE VIEW v AS SELECT amount, n FROM orders, public.others"}
    with database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS wflo_maker; CREATE ROLE wflo_maker LOGIN CREATEDB")
    try:
        one, other = (d.with_schema("app").with_parameters(user="wflo_maker") for d in (database, second))
        migrations = with_repeatables(tmp_path, ORDERS, {**files})
        for each, own in ((database, one), (second, other)):
            with each.connect() as connection:
                connection.execute("; ".join(before).encode())
            operations.migrate(own, migrations, allow=tuple(Allow))
            with each.connect() as connection:
                connection.execute("GRANT INSERT ON app.v TO pg_read_all_data; COMMENT ON VIEW app.v IS 'it'")
        migrations = with_repeatables(tmp_path, {"2-bigint": "ALTER TABLE orders ALTER amount TYPE bigint"}, {})
        script = psql_text(write_script(one, migrations, record=record))
        operations.migrate(other, migrations)
        assert "GRANT INSERT ON TABLE app.v TO pg_read_all_data" in script
        ran = psql(server, database.with_parameters(user="wflo_maker"), script)
        assert ran.returncode == 0, ran.stderr
        assert_same_to_the_last(server, database, second)
    finally:
        for each in (database, second):
            with each.connect() as connection:
                connection.execute("DROP OWNED BY wflo_maker CASCADE")
        with database.connect() as connection:
            connection.execute("DROP ROLE wflo_maker")
