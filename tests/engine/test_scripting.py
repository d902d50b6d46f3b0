"""The script for psql leaves the same database, and the same ledger, as `migrate` does; or it runs nothing."""

from __future__ import annotations

import subprocess
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

pytestmark = pytest.mark.spread_over_servers

# What the ledger's tables hold, but for times and what is drawn at random.
_LEDGER = (
    "SELECT migration_hash, migration_id, checksum FROM {}._yoyo_migration ORDER BY applied_at_utc",
    "SELECT migration_hash, migration_id, operation, username, hostname FROM {}._yoyo_log ORDER BY created_at_utc",
    "SELECT version FROM {}._yoyo_version",
    "SELECT migration_hash, operation, statements_done FROM {}._wflo_schema_progress ORDER BY 1",
    "SELECT migration_hash, migration_id, name, value FROM {}._wflo_schema_variable ORDER BY 1, 3",
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


def test_repeatable_files_that_are_due_are_left_to_migrate(database: Database, tmp_path: Path) -> None:
    (tmp_path / "repeatable").mkdir()
    (tmp_path / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT 1 AS n", encoding="utf-8")
    migrations = folder(tmp_path, {"1-a": "CREATE TABLE a ()"})
    with pytest.raises(Refused, match="repeatable files depends on what the server answers: repeatable/v"):
        write_script(database, migrations)


def test_a_file_that_was_interrupted_is_left_to_migrate(database: Database, tmp_path: Path) -> None:
    migrations = folder(tmp_path, {"1-a": "-- transactional: false\nCREATE TABLE a (); SELECT 1 / 0"})
    with pytest.raises(MigrationFailed, match="division by zero"):
        operations.migrate(database, migrations)
    with pytest.raises(Refused, match="1-a was interrupted"):
        write_script(database, migrations)


def test_secrets_are_named_at_the_top(database: Database, tmp_path: Path) -> None:
    migrations = folder(tmp_path, {"1-a": "-- variables: n (secret)\nCREATE TABLE a AS SELECT :'n' AS n"})
    assert "KEEP IT SECRET: it holds the values of n" in psql_text(write_script(database, migrations))
