"""What the engine promises, each in its ordinary form, on PostgreSQL 18 and 15."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.conftest import RunningServer
from tests.engine.test_faults import is_running, is_waiting, wait_until
from tests.proxy import Proxy
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations, sending
from wflo_schema.engine.events import Blocker, Done, Event, Notice, Result, Retrying, Waiting
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, State, Status
from wflo_schema.errors import (
    BadMigrationFile,
    CannotRead,
    ConnectionLost,
    DatabaseError,
    LockNotAcquired,
    MigrationFailed,
    Refused,
    WfloSchemaError,
)
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Location
from wflo_schema.names import quote_always
from wflo_schema.words import counted

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]


class Folder:
    """A migrations folder and the database that it is for."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.database = database
        self.events: list[Event] = []

    def write(self, name: str, text: str | bytes, *, rollback: str | None = None) -> Path:
        path = self.path / f"{name}.sql"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        if rollback is not None:
            (self.path / f"{name}.rollback.sql").write_text(rollback, encoding="utf-8")
        return path

    def migrate(self, **options: Any) -> Result:
        database = options.pop("database", self.database)
        return operations.migrate(database, read_migrations(self.path), notify=self.events.append, **options)

    def roll_back(self, **options: Any) -> Result:
        return operations.rollback(self.database, read_migrations(self.path), notify=self.events.append, **options)

    def fail(self, **options: Any) -> MigrationFailed:
        with pytest.raises(MigrationFailed) as caught:
            self.migrate(**options)
        return caught.value

    def refuse(self, **options: Any) -> Refused:
        with pytest.raises(Refused) as caught:
            self.migrate(**options)
        return caught.value

    def status(self) -> Status:
        return operations.status(self.database, read_migrations(self.path))

    def states(self) -> dict[str, State]:
        return {e.id: e.state for e in self.status().entries}

    def ask(self, query: str, *parameters: object) -> Any:
        """The first column of the first row."""
        with self.database.connect() as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None

    def do(self, *statements: str) -> None:
        with self.database.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def recorded(self) -> list[str]:
        with self.database.connect() as connection:
            rows = connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY applied_at_utc").fetchall()
        return [row[0] for row in rows]

    def has(self, name: str) -> bool:
        return bool(self.ask("SELECT to_regclass(%s) IS NOT NULL", name))

    def repairs(self) -> list[str]:
        return [e.message for e in self.events if isinstance(e, Notice) and e.severity == "REPAIR"]


@pytest.fixture
def folder(tmp_path: Path, database: Database) -> Folder:
    path = tmp_path / "migrations"
    path.mkdir()
    return Folder(path, database)


@contextlib.contextmanager
def role(folder: Folder, server: RunningServer, options: str = "") -> Iterator[Database]:
    """An ordinary role that may connect, as a target."""
    name = f"plain_{folder.database.name}"
    folder.do(f"CREATE ROLE {name} LOGIN {options}")
    try:
        yield folder.database.with_parameters(user=name)
    finally:
        folder.do(f"REASSIGN OWNED BY {name} TO postgres", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


# rolling back what has no file


@pytest.mark.one_server
@pytest.mark.parametrize("wish", ["1_gone", "1_gone.sql", "migrations/1_gone.sql", "1_g"])
def test_rollback_of_a_record_without_a_file_says_that_the_file_is_gone(folder: Folder, wish: str) -> None:
    for name in ("1_gone", "1_gone_more"):
        folder.write(name, "SELECT 1;", rollback="SELECT 1;")
    folder.migrate()
    (folder.path / "1_gone.sql").unlink()
    (folder.path / "1_gone.rollback.sql").unlink()
    if wish == "1_g":
        with pytest.raises(BadMigrationFile, match="1_g fits 2 migrations"):
            folder.roll_back(only=wish)
        return
    for options in ({"only": wish}, {"count": 2}):
        with pytest.raises(Refused, match="1 migration that would be rolled back has no file here: 1_gone") as caught:
            folder.roll_back(**options)
        assert caught.value.case == "missing" and "git log --diff-filter=D" in caught.value.hint
    assert folder.recorded() == ["1_gone", "1_gone_more"]
    assert folder.roll_back(to=wish).ids == ("1_gone_more",)  # what stays needs no file
    with pytest.raises(Refused, match="has no file here: 1_gone"):
        folder.roll_back()
    assert folder.recorded() == ["1_gone"]


# one transaction


def test_migration_record_checksum_and_log_row_commit_in_one_transaction(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (x xid8 DEFAULT pg_current_xact_id());\nINSERT INTO a DEFAULT VALUES;\n")
    assert folder.migrate().ids == ("1_a",)
    query = """
        SELECT m.xmin = a.xmin AND l.xmin = a.xmin AND m.checksum = %s AND l.operation = 'apply'
        FROM a, _yoyo_migration AS m JOIN _yoyo_log AS l USING (migration_hash, migration_id)
    """
    checksum = read_migrations(self_path := folder.path).items[0].checksum
    assert self_path and folder.ask(query, checksum) is True


def test_failed_statement_leaves_nothing_of_its_migration_and_keeps_those_before(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.write("2_b", "CREATE TABLE b (id int);\nINSERT INTO a VALUES (1);\nSELECT 1/0;")
    folder.write("3_c", "CREATE TABLE c (id int)")
    error = folder.fail()
    assert (error.applied, error.migration_id, error.not_tried) == (("1_a",), "2_b", ("3_c",))
    assert not folder.has("b") and not folder.has("c")
    assert folder.ask("SELECT count(*) FROM a") == 0
    assert folder.recorded() == ["1_a"]
    assert folder.ask("SELECT count(*) FROM _yoyo_log") == 1


def test_done_is_told_after_the_commit(folder: Folder) -> None:
    for n in range(5):
        folder.write(f"{n}_t", f"CREATE TABLE t{n} (id int)")
    seen: list[tuple[str, bool]] = []

    def notify(event: Event) -> None:
        if isinstance(event, Done):
            seen.append(
                (event.id, bool(folder.ask("SELECT true FROM _yoyo_migration WHERE migration_id = %s", event.id)))
            )

    operations.migrate(folder.database, read_migrations(folder.path), notify=notify)
    assert seen == [(f"{n}_t", True) for n in range(5)]


def test_second_run_does_nothing(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.migrate()
    assert folder.migrate().ids == ()


def test_up_to_and_including_the_wanted_one_is_applied(folder: Folder) -> None:
    for n in range(1, 4):
        folder.write(f"{n}_t", f"CREATE TABLE t{n} (id int)")
    assert folder.migrate(to="2_").ids == ("1_t", "2_t")


def test_no_migration_at_all_is_refused(folder: Folder) -> None:
    assert "no migration" in folder.refuse().message


def test_status_and_plan_write_nothing(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.status()
    operations.plan(folder.database, read_migrations(folder.path))
    assert not folder.has("_yoyo_migration")
    folder.migrate()
    with role(folder, server) as reader:
        with pytest.raises(CannotRead):
            operations.status(reader, read_migrations(folder.path))
        folder.do(f"GRANT SELECT ON _yoyo_migration TO {reader.parameters['user']}")
        read_only = reader.with_parameters(options="-c default_transaction_read_only=on")
        assert [e.id for e in operations.status(read_only, read_migrations(folder.path)).applied] == ["1_a"]


# where an error is


LINES = {
    "plain": (b"CREATE TABLE a (id int);\nSELECT nix FROM a;\n", 2, 8),
    "multi-byte before it in its line": (
        "CREATE TABLE a (id int);\n/* äöü€🐘 */ SELECT 'ä€🐘', nix FROM a;\n".encode(),
        2,
        27,
    ),
    "crlf": (b"CREATE TABLE a (id int);\r\n\r\nSELECT\r\n  nix FROM a;\r\n", 4, 3),
    "bom": (b"\xef\xbb\xbfCREATE TABL a (id int);\n", 1, 8),
    "bom and crlf": (b"\xef\xbb\xbf-- x\r\nCREATE TABLE a (id int);\r\n  SELECT nix FROM a", 3, 10),
    "after comments": (b"-- why: this\n/* and\n /* nested */ ; */\n\n  SELECT nix;\n", 5, 10),
    "inside a long statement": (b"SELECT 1,\n  2,\n  -- no\n  3,\n    nix;\n", 5, 5),
    "several on one line": (b"SELECT 1; SELECT 2;   SELECT nix; SELECT 3;\n", 1, 30),
    "syntax error": (b"SELECT 1;\nSELECT FROM WHERE;\nSELECT 2;\n", 2, 13),
    "end of input without newline": (b"SELECT 1;\n\nSELECT (1", 3, 9),
    "without a position": (b"SELECT 1;\n\n  -- c\n   DO $$ BEGIN\n RAISE 'no'; END $$;", 4, 4),
    "division by zero": ("-- ü\nSELECT 1;\n  SELECT 1/0;\n".encode(), 3, 3),
    "form feed and line separator before": ("SELECT '\u2028\x0b\x0c\x85';\nSELECT nix;\n".encode(), 2, 8),
}


@pytest.mark.parametrize("what", LINES)
def test_error_points_at_line_and_column(folder: Folder, what: str) -> None:
    text, line, column = LINES[what]
    path = folder.write("1_a", text)
    with pytest.raises((MigrationFailed, BadMigrationFile)) as caught:  # the second where the grammar tells
        folder.migrate()
    error = caught.value
    assert isinstance(error, MigrationFailed | BadMigrationFile) and error.location is not None
    assert (error.location.path, error.location.line, error.location.column) == (str(path), line, column)
    shown = text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")[line - 1]
    assert error.source_line == shown


def test_error_points_at_the_character_in_a_database_that_knows_only_bytes(
    tmp_path: Path, server: RunningServer
) -> None:
    bytes_only = server.database.with_name(f"bytes_{os.getpid()}")
    folder = Folder(tmp_path, server.database)
    folder.do(f"CREATE DATABASE {bytes_only.name} TEMPLATE template0 ENCODING 'SQL_ASCII'")
    try:
        folder = Folder(tmp_path, bytes_only)
        folder.write("1_a", "SELECT 'ä€ü',\n  'ä€ü', nix;")
        error = folder.fail()
        assert error.location is not None and (error.location.line, error.location.column) == (2, 10)
    finally:
        with server.database.connect() as connection:
            connection.execute(f"DROP DATABASE {bytes_only.name} WITH (FORCE)".encode())


def test_error_of_a_deferred_constraint_says_that_it_came_at_commit(folder: Folder) -> None:
    folder.write(
        "1_a",
        "CREATE TABLE a (id int PRIMARY KEY);\n"
        "CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO b VALUES (7);\nSELECT 1;\n",
    )
    error = folder.fail()
    assert "at COMMIT" in error.message and error.sqlstate == "23503"
    assert not folder.has("a") and folder.recorded() == []


def test_key_that_does_not_validate_shows_the_orphan_rows(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int);")
    folder.migrate()
    folder.do("INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (1, 1), (2, 7), (3, NULL), (4, 8)")
    folder.write("2_b", "-- x\n\nALTER TABLE b ADD CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id);\n")
    error = folder.fail()
    assert error.location is not None and error.location.line == 3
    assert error.orphans is not None
    assert (error.orphans.count, error.orphans.sample) == (2, ("id=2, a=7", "id=4, a=8"))


def test_failing_trigger_points_at_the_statement_that_fired_it(folder: Folder) -> None:
    folder.write(
        "1_a",
        "CREATE TABLE a (id int);\n"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n RAISE EXCEPTION 'never'; END $$;\n"
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();\n"
        "SELECT 1;\nINSERT INTO a VALUES (1);\nSELECT 2;\n",
    )
    error = folder.fail()
    assert error.location is not None and error.location.line == 6
    assert "f()" in error.context


# what changed under us


@pytest.fixture
def three(folder: Folder) -> Folder:
    for n in (1, 3, 5):
        folder.write(f"{n}_t", f"CREATE TABLE t{n} (id int)", rollback=f"DROP TABLE t{n}")
    folder.migrate()
    return folder


def test_changed_file_stops_migrate_unless_allowed(three: Folder) -> None:
    three.write("3_t", "CREATE TABLE t3 (id bigint)")
    three.write("7_t", "CREATE TABLE t7 (id int)")
    refused = three.refuse()
    assert refused.case == "changed" and "3_t" in refused.message and "--allow changed" in refused.hint
    assert three.states()["3_t"] == State.CHANGED
    assert three.migrate(allow={Allow.CHANGED}).ids == ("7_t",)


def test_changed_line_ends_are_no_change(three: Folder) -> None:
    three.write("3_t", "\ufeffCREATE TABLE t3 (id int)")
    assert three.states()["3_t"] == State.APPLIED


def test_missing_file_stops_migrate_unless_allowed(three: Folder) -> None:
    (three.path / "3_t.sql").unlink()
    (three.path / "3_t.rollback.sql").unlink()
    three.write("7_t", "CREATE TABLE t7 (id int)")
    refused = three.refuse()
    assert refused.case == "missing" and "3_t" in refused.message
    assert three.states()["3_t"] == State.MISSING
    assert three.migrate(allow={Allow.MISSING}).ids == ("7_t",)


def test_late_migration_stops_migrate_unless_allowed(three: Folder) -> None:
    three.write("4_t", "CREATE TABLE t4 (id int)")
    refused = three.refuse()
    assert refused.case == "late" and "4_t" in refused.message and "move 4_t --last" in str(refused.hint)
    (three.path / "adopt.toml").write_text('[dbmate]\n"4" = "4_t"\n')  # which a new name would break
    refused = three.refuse()
    assert "move" not in str(refused.hint) and "--allow late" in str(refused.hint)
    assert three.migrate(allow={Allow.LATE}).ids == ("4_t",)


def test_database_ahead_of_the_files_stops_migrate_unless_allowed(three: Folder) -> None:
    (three.path / "5_t.sql").unlink()
    (three.path / "5_t.rollback.sql").unlink()
    refused = three.refuse()
    assert refused.case == "ahead" and "5_t" in refused.message
    assert three.states()["5_t"] == State.AHEAD
    assert three.migrate(allow={Allow.AHEAD}).ids == ()
    with pytest.raises(Refused, match="no file here"):
        three.roll_back()


def test_two_heads_stop_migrate_unless_allowed(folder: Folder) -> None:
    folder.write("1_a", "SELECT 1")
    folder.write("2_b", "-- depends: 1_a\nSELECT 1")
    folder.write("3_c", "-- depends: 1_a\nSELECT 1")
    refused = folder.refuse()
    assert refused.case == "heads" and "2_b and 3_c" in refused.message
    assert folder.migrate(allow={Allow.HEADS}).ids == ("1_a", "2_b", "3_c")


def test_two_cases_are_both_told_and_both_to_be_allowed(three: Folder) -> None:
    three.write("3_t", "SELECT 3")
    three.write("4_t", "SELECT 4")
    refused = three.refuse(allow={Allow.CHANGED})
    assert refused.case == "late"
    refused = three.refuse()
    assert "3_t" in refused.message and "4_t" in refused.message
    assert three.migrate(allow={Allow.CHANGED, Allow.LATE}).ids == ("4_t",)


def test_rows_without_checksum_are_accepted_and_shown_as_such(three: Folder) -> None:
    three.do("UPDATE _yoyo_migration SET checksum = NULL WHERE migration_id = '3_t'")
    three.write("3_t", "CREATE TABLE t3 (id bigint)")
    assert [(e.id, e.has_checksum) for e in three.status().applied] == [("1_t", True), ("3_t", False), ("5_t", True)]
    assert three.migrate().ids == ()


# roll back


def test_roll_back_undoes_the_last_ones_first(three: Folder) -> None:
    assert three.roll_back(count=2).ids == ("5_t", "3_t")
    assert three.recorded() == ["1_t"] and not three.has("t3")
    assert three.ask("SELECT string_agg(operation, ' ' ORDER BY created_at_utc) FROM _yoyo_log") == (
        "apply apply apply rollback rollback"
    )
    assert three.migrate().ids == ("3_t", "5_t")
    assert three.roll_back(to="1_t").ids == ("5_t", "3_t")


@pytest.mark.parametrize("text", [None, "", "  \n\n", "-- nothing\n/* here */\n", ";;\n"])
def test_roll_back_without_a_statement_is_refused_before_anything_runs(folder: Folder, text: str | None) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)", rollback=text)
    folder.write("2_b", "CREATE TABLE b (id int)", rollback="DROP TABLE b")
    folder.migrate()
    with pytest.raises(Refused):
        folder.roll_back(count=2)
    assert folder.recorded() == ["1_a", "2_b"] and folder.has("b")


@pytest.mark.parametrize("text", ["-- nothing-to-undo: data only\n", "-- nothing_to_undo\n"])
def test_roll_back_of_what_says_there_is_nothing_to_undo(folder: Folder, text: str) -> None:
    folder.write("1_a", "SELECT 1", rollback=text)
    folder.migrate()
    assert folder.roll_back().ids == ("1_a",)
    assert folder.recorded() == []


def test_roll_back_of_what_others_depend_on_is_refused_with_the_list(folder: Folder) -> None:
    folder.write("1_a", "SELECT 1", rollback="SELECT 1")
    folder.write("2_b", "-- depends: 1_a\nSELECT 1", rollback="SELECT 1")
    folder.write("3_c", "-- depends: 2_b\nSELECT 1", rollback="SELECT 1")
    folder.migrate()
    with pytest.raises(Refused, match="2_b, 3_c"):
        folder.roll_back(only="1_a")
    assert folder.roll_back(only="3_c").ids == ("3_c",)


def test_failed_roll_back_keeps_the_record(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)", rollback="DROP TABLE a;\nDROP TABLE nix;\n")
    folder.migrate()
    with pytest.raises(MigrationFailed) as caught:
        folder.roll_back()
    assert caught.value.location is not None
    assert caught.value.location.path.endswith(".rollback.sql") and caught.value.location.line == 2
    assert folder.recorded() == ["1_a"] and folder.has("a")


def test_roll_back_of_what_is_not_applied_is_refused(three: Folder) -> None:
    three.write("7_t", "SELECT 1", rollback="SELECT 1")
    with pytest.raises(Refused, match="not applied"):
        three.roll_back(only="7_t")


# baseline


@pytest.mark.parametrize("wish", [{"count": 2}, {"to": "1_t"}])
def test_roll_back_across_what_has_no_file_any_more_is_refused(three: Folder, wish: dict[str, Any]) -> None:
    three.write("7_t", "CREATE TABLE t7 (id int)", rollback="DROP TABLE t7")
    three.migrate()
    three.path.joinpath("5_t.sql").unlink()
    with pytest.raises(Refused) as caught:
        three.roll_back(**wish)
    assert "5_t" in caught.value.message and "git log" in caught.value.hint
    assert len(three.recorded()) == 4
    assert three.roll_back().ids == ("7_t",)


def test_baseline_records_without_running(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.write("2_b", "CREATE TABLE b (id int)")
    assert operations.baseline(folder.database, read_migrations(folder.path), ["1_a"]).ids == ("1_a",)
    assert not folder.has("a") and folder.ask("SELECT operation FROM _yoyo_log") == "mark"
    with pytest.raises(Refused, match="already recorded"):
        operations.baseline(folder.database, read_migrations(folder.path), ["2_b", "1_a"])
    assert folder.migrate().ids == ("2_b",)


# session hygiene


DIRT = {
    "search_path": "SET search_path = elsewhere",
    "search_path to nowhere": "SELECT set_config('search_path', '', false)",
    "role": "CREATE ROLE {role}; GRANT {role} TO postgres; SET ROLE {role}",
    "session authorization": "CREATE ROLE {role}; SET SESSION AUTHORIZATION {role}",
    "temporary table over the ledger": "CREATE TEMP TABLE _yoyo_migration (x int); CREATE TEMP TABLE t (x int)",
    "client_encoding": "SET client_encoding = 'SQL_ASCII'; SET client_encoding = 'LATIN1'",
    "session_replication_role": "SET session_replication_role = replica",
    "prepared statement": "PREPARE p AS SELECT 1",
    "advisory lock": "SELECT pg_advisory_lock(1), pg_advisory_lock_shared(2)",
    "listen": "LISTEN something",
    "cursor": "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "read only": "SET default_transaction_read_only = on",
    "timeouts": "SET lock_timeout = '77s'; SET statement_timeout = '77s'; SET idle_session_timeout = '99s'",
    "standard_conforming_strings": "SET standard_conforming_strings = off",
    "sequence cache": "CREATE SEQUENCE s; SELECT nextval('s')",
    "no commit wait": "SET synchronous_commit = off",
    "application_name": "SET application_name = 'someone else'",
    "datestyle": "SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET intervalstyle = 'iso_8601'",
}
STATE = """
SELECT concat_ws(' | ', (
        SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
        WHERE source = 'session' AND name NOT IN ({local})
    ),
    CURRENT_USER, SESSION_USER, current_setting('search_path'), current_schemas(false)::text,
    current_setting('client_encoding'),
    current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('synchronous_commit'),
    (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors WHERE is_holdable),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    (SELECT count(*) FROM pg_listening_channels()),
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema()),
    current_setting('session_replication_role'), current_setting('default_transaction_read_only'),
    current_setting('application_name') LIKE 'wflo-schema %', current_setting('DateStyle'), current_setting('TimeZone')
)
""".replace("{local}", "'lock_timeout', 'synchronous_commit', 'client_encoding', 'application_name'")


@pytest.mark.parametrize("kind", ["transactional", "non-transactional"])
@pytest.mark.parametrize("what", DIRT)
def test_what_one_migration_does_to_its_session_reaches_neither_the_next_nor_the_ledger(
    folder: Folder, what: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FLUSH_EVERY_S", 3600.0)  # else a slow moment would change synchronous_commit
    name = f"dirt_{folder.database.name}"
    head = "" if kind == "transactional" else "-- transactional: false\n"
    state = f"INSERT INTO states {STATE};\n"
    folder.write("0_a", "CREATE TABLE states (state text);\nCREATE SCHEMA elsewhere;\n")
    folder.write("1_a", head + state, rollback="SELECT 1")
    folder.write(
        "2_b", f"{head}CREATE TABLE public.b (id int);\n{DIRT[what].format(role=name)};\n", rollback="SELECT 1"
    )
    folder.write("3_c", head + state, rollback="SELECT 1")
    folder.write("4_d", "CREATE TABLE d (id int)", rollback="DROP TABLE d")
    try:
        folder.migrate()
        with folder.database.connect() as connection:
            states = [row[0] for row in connection.execute("SELECT state FROM states").fetchall()]
        assert len(states) == 2 and states[0] == states[1]
        assert folder.recorded() == ["0_a", "1_a", "2_b", "3_c", "4_d"]
        assert folder.has("public.d") and folder.ask("SELECT count(*) FROM _yoyo_log WHERE operation = 'apply'") == 5
        assert folder.roll_back(count=4).ids == ("4_d", "3_c", "2_b", "1_a")
    finally:
        if "{role}" in DIRT[what]:
            folder.do(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@pytest.mark.parametrize("last", ["transactional", "non-transactional"])
def test_session_behind_files_of_plain_tables_is_as_it_began(
    folder: Folder, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FLUSH_EVERY_S", 3600.0)
    for n in range(3):
        folder.write(f"{n}_t", f"CREATE TABLE t{n} (id int PRIMARY KEY);\n")
    folder.write("3_slow", "-- lock-timeout: 5s\nCREATE TABLE t3 (id int PRIMARY KEY);\n")
    folder.write("4_t", "CREATE TABLE states (state text);\n")
    head = "" if last == "transactional" else "-- transactional: false\n"
    folder.write("5_state", f"{head}INSERT INTO states {STATE};\n")
    folder.migrate()
    behind = folder.ask("SELECT state FROM states")
    folder.write("6_state", f"{head}DELETE FROM states;\nINSERT INTO states {STATE};\n")
    folder.migrate()
    assert folder.ask("SELECT state FROM states") == behind
    assert folder.ask("SELECT count(*) FROM _yoyo_log WHERE operation = 'apply'") == 7


def test_temporary_table_is_not_there_for_the_next_file(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE pg_temp.seen (id int)")
    folder.write("2_b", "CREATE TABLE seen (id int);\nCREATE INDEX i ON seen (id);\n")
    folder.migrate()
    assert folder.has("public.seen") and folder.has("public.i")


def test_plain_tables_behind_one_that_fails_are_applied_once_it_is_mended(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.write("2_b", "CREATE TABLE a (id int)")
    folder.write("3_c", "CREATE TABLE c (id int)")
    folder.fail()
    assert folder.recorded() == ["1_a"] and not folder.has("c")
    folder.write("2_b", "CREATE TABLE b (id int)")
    assert folder.migrate().ids == ("2_b", "3_c")


def test_role_set_for_a_login_stays_for_every_migration(folder: Folder, server: RunningServer) -> None:
    owner = f"owner_{folder.database.name}"
    folder.do(f"CREATE ROLE {owner}", f"GRANT CREATE ON SCHEMA public TO {owner}")
    try:
        with role(folder, server) as login:
            name = login.parameters["user"]
            folder.do(f"GRANT {owner} TO {name}", f"ALTER ROLE {name} SET role = '{owner}'")
            for n in range(3):
                folder.write(f"{n}_t", f"CREATE TABLE t{n} (id int)")
            folder.write(
                "5_t", "-- transactional: false\nCREATE TABLE t5 (id int);\nCREATE INDEX CONCURRENTLY i5 ON t5 (id);"
            )
            folder.write("6_t", "CREATE TABLE t6 (id int)")
            folder.migrate(database=login)
            query = (
                "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') "
                "FROM pg_class WHERE relname ~ '^(t[0-9]|_yoyo|_wflo)'"
            )
            assert folder.ask(query) == owner
    finally:
        folder.do(f"DROP OWNED BY {owner}", f"DROP ROLE {owner}")


def test_session_that_cannot_be_cleared_in_time_never_reaches_what_is_sent_behind(folder: Folder) -> None:
    folder.do("CREATE SCHEMA other", f"ALTER DATABASE {folder.database.name} SET statement_timeout = '50ms'")
    tables = "".join(f"CREATE TEMP TABLE t{n} (id serial PRIMARY KEY, t text UNIQUE);" for n in range(600))
    folder.write("1_a", f"SET LOCAL statement_timeout = 0; {tables} SET search_path = other")
    folder.write("2_b", "CREATE TABLE b ()")
    folder.write("3_c", "CREATE TABLE c ()")
    assert folder.migrate().ids == ("1_a", "2_b", "3_c")
    assert folder.has("public.b") and not folder.has("other.b")


def test_select_prints_nothing(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.write("1_a", "SELECT 'seen'; VALUES ('seen'); TABLE pg_database; SHOW ALL; EXPLAIN SELECT 1;")
    folder.migrate()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_notices_are_told_with_their_migration(folder: Folder) -> None:
    folder.write("1_a", "DO $$ BEGIN RAISE NOTICE 'hear, hear'; RAISE WARNING 'oh'; END $$")
    folder.migrate()
    told = [(e.id, e.severity, e.message) for e in folder.events if isinstance(e, Notice)]
    assert told == [("1_a", "NOTICE", "hear, hear"), ("1_a", "WARNING", "oh")]


# refused contents


ALONE = (
    "CREATE INDEX CONCURRENTLY i ON t (id)",
    "create unique index /* x */ concurrently if not exists i on t (id)",
    "DROP INDEX CONCURRENTLY i",
    "REINDEX INDEX CONCURRENTLY i",
    "REINDEX (CONCURRENTLY, VERBOSE) TABLE t",
    "REINDEX SCHEMA public",
    "VACUUM",
    "VACUUM (ANALYZE) t",
    "CLUSTER",
    "CREATE DATABASE d",
    "DROP DATABASE IF EXISTS d",
    "ALTER DATABASE d SET TABLESPACE pg_default",
    "CREATE TABLESPACE s LOCATION '/nowhere'",
    "DROP TABLESPACE s",
    "ALTER SYSTEM SET work_mem = '4MB'",
    "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
    "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
    "DISCARD ALL",
)
TOGETHER = (
    "REINDEX INDEX i",
    "REINDEX (CONCURRENTLY false) TABLE t",
    "CLUSTER t USING i",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "CREATE TABLE vacuum (database int)",
    "ALTER TABLE t DETACH PARTITION p",
    "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    "COMMENT ON TABLE t IS 'CREATE INDEX CONCURRENTLY'",
    "CREATE INDEX i ON t (id) -- CONCURRENTLY",
    "ALTER DATABASE d SET work_mem = '4MB'",
    "DISCARD TEMP",
)


@pytest.mark.one_server
@pytest.mark.parametrize("text", ALONE)
@pytest.mark.parametrize("where", ["1_a", "1_a.rollback"])
def test_what_never_runs_in_a_transaction_is_refused_before_anything_runs(
    folder: Folder, text: str, where: str
) -> None:
    folder.write("0_t", "CREATE TABLE ran (id int)")
    folder.write("1_a", "SELECT 1;")
    (folder.path / f"{where}.sql").write_text(f"SELECT 1;\n{text};\n")
    for operation in (folder.migrate, lambda: operations.plan(folder.database, read_migrations(folder.path))):
        with pytest.raises(BadMigrationFile, match="cannot run in a transaction") as caught:
            operation()
        assert caught.value.location is not None and caught.value.location.line == 2
        assert "-- transactional: false" in caught.value.hint
    assert not folder.has("ran")


@pytest.mark.one_server
@pytest.mark.parametrize("text", TOGETHER)
def test_what_may_run_in_a_transaction_is_planned(folder: Folder, text: str) -> None:
    folder.write("1_a", text)
    assert [m.id for m in operations.plan(folder.database, read_migrations(folder.path)).pending] == ["1_a"]


@pytest.mark.parametrize("where", ["2_b", "1_a.rollback", "2_b.rollback"])
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("CREATE TABEL b ();", 1, 8),
        ("SELECT 1;\n-- é\n  SELECT 'é' FROM WHERE;", 3, 19),
        ("INSERT INTO a VALUES (1;\n2);", 1, 24),
        ("SELECT 1; SELECT 'open", 1, 18),
        ("-- transactional: false\nCREATE INDEX CONCURENTLY ON a (id) WHERE;", 2, 41),
    ],
)
def test_syntax_error_of_any_file_is_said_before_anything_runs(
    folder: Folder, where: str, text: str, line: int, column: int
) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.write("2_b", "SELECT 1;")
    (folder.path / f"{where}.sql").write_text(text)
    for operation in (folder.migrate, lambda: operations.plan(folder.database, read_migrations(folder.path))):
        with pytest.raises(BadMigrationFile) as caught:
            operation()
        assert caught.value.location == Location(str(folder.path / f"{where}.sql"), line, column)
    assert not folder.has("a") and not folder.has("_yoyo_migration")


@pytest.mark.every_version
def test_what_only_another_version_refuses_is_left_to_the_server(folder: Folder) -> None:
    is_older = folder.ask("SELECT current_setting('server_version_num')::int < 160000")
    folder.write("1_a", "CREATE TABLE a (system_user text);")  # reserved since 16
    if is_older:
        assert folder.migrate().ids == ("1_a",)
        return
    with pytest.raises(BadMigrationFile, match="system_user"):
        folder.migrate()


REFUSED = {
    "BEGIN": ("SELECT 1;\nBEGIN;\n", 2),
    "START TRANSACTION": ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE;", 1),
    "COMMIT": ("SELECT 1;\n\nCOMMIT;\nSELECT 2", 3),
    "COMMIT AND CHAIN": ("commit and chain", 1),
    "END": ("SELECT 1; END", 1),
    "ROLLBACK": ("-- why\nRollBack WORK;", 2),
    "ABORT": ("SELECT 1;\n/* a /* b */ c */ ABORT ;", 2),
    "PREPARE TRANSACTION": ("SELECT 1;\nPREPARE TRANSACTION 'x';", 2),
    "COMMIT PREPARED": ("COMMIT PREPARED 'x';", 1),
    "ROLLBACK PREPARED": ("ROLLBACK PREPARED 'x';", 1),
    "behind comments": ("SELECT 1\n; -- x\n/* y\n*/ -- z\n COMMIT", 5),
    "in what the parser does not know": ("CREATE TABLE a (id int) FROBNICATED;\n-- x\nCOMMIT;", 3),
    "\\i": ("SELECT 1;\n\\i other.sql\n", 2),
    "\\gexec": ("SELECT 'SELECT 1' \\gexec\n", 1),
    "\\copy": ("\\copy a from 'x'\n", 1),
    "\\connect": ("SELECT ';';\n  \\connect other\n", 2),
    "COPY FROM stdin whose data never ends": ("CREATE TABLE a (id int);\nCOPY a (id) FROM stdin;\n1\n2\n", 2),
    "COPY FROM STDIN without data": ("SELECT 1;\nCOPY a FROM STDIN WITH (FORMAT csv)", 2),
    "COPY TO STDOUT": ("COPY (SELECT 1) TO STDOUT;", 1),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("head", ["", "-- transactional: false\n"])
def test_contents_that_cannot_run_are_refused_with_their_line_before_anything_runs(
    folder: Folder, what: str, head: str
) -> None:
    text, line = REFUSED[what]
    folder.write("1_a", "CREATE TABLE ran (id int)")
    folder.write("2_b", head + text)
    with pytest.raises(BadMigrationFile) as caught:
        folder.migrate()
    assert caught.value.location is not None
    assert caught.value.location.line == line + head.count("\n")
    assert not folder.has("ran") and not folder.has("_yoyo_migration")


@pytest.mark.parametrize(
    "text",
    [
        "SAVEPOINT a; INSERT INTO t VALUES (1); ROLLBACK TO SAVEPOINT a; RELEASE a;",
        "ROLLBACK TO a",
        'SELECT \'COMMIT;\', $$ COMMIT; $$, "BEGIN" FROM (SELECT 1 AS "BEGIN") AS x; -- COMMIT;\n/* ROLLBACK; */',
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
        'CREATE TABLE "commit" ("end" int); COMMENT ON TABLE "commit" IS \'BEGIN; \\i x\'',
        "SELECT E'\\'; COMMIT; --', U&'\\0041'",
    ],
)
def test_words_that_only_look_like_it_are_not_refused(folder: Folder, text: str) -> None:
    folder.write(
        "1_a",
        "CREATE TABLE t (id int); SAVEPOINT a; " + text
        if text == "ROLLBACK TO a"
        else f"CREATE TABLE t (id int); {text}",
    )
    assert folder.migrate().ids == ("1_a",)


# non-transactional files


def alone(folder: Folder, text: str, name: str = "2_b", rollback: str | None = None) -> Path:
    return folder.write(name, f"-- transactional: false\n{text}", rollback=rollback)


@pytest.fixture
def table(folder: Folder) -> Folder:
    folder.write(
        "1_a", "CREATE TABLE a (id int, n int); INSERT INTO a SELECT g, g % 7 FROM generate_series(1, 100) AS g;"
    )
    folder.migrate()
    folder.events.clear()
    return folder


def is_valid(folder: Folder, index: str) -> bool | None:
    found: bool | None = folder.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", index)
    return found


def test_non_transactional_statements_run_one_by_one(table: Folder) -> None:
    table.do("CREATE TYPE mood AS ENUM ('sad')")
    alone(
        table,
        "CREATE INDEX CONCURRENTLY a_id ON a (id);\n"
        "REINDEX INDEX CONCURRENTLY a_id;\nREINDEX TABLE CONCURRENTLY a;\n"
        "VACUUM a;\nVACUUM (ANALYZE) a;\n"
        "ALTER TYPE mood ADD VALUE 'glad';\nCREATE TABLE m (m mood DEFAULT 'glad');\nINSERT INTO m DEFAULT VALUES;\n"
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m VALUES ('sad'); COMMIT; END $$;\nCALL p();\n"
        "DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO m VALUES ('sad'); COMMIT; END LOOP; END $$;\n"
        "SET work_mem = '77MB';\nCREATE TABLE w AS SELECT current_setting('work_mem') AS w;\n"
        "DROP INDEX CONCURRENTLY a_id;\nCLUSTER;\nALTER SYSTEM RESET work_mem;\n",
    )
    assert table.migrate().ids == ("2_b",)
    assert table.ask("SELECT count(*) FROM m") == 5 and not table.has("a_id")
    assert table.ask("SELECT w FROM w") == "77MB"
    assert table.ask("SELECT count(*) FROM _wflo_schema_progress") == 0
    assert table.recorded() == ["1_a", "2_b"]


def test_interrupted_file_goes_on_at_the_statement_that_failed(table: Folder) -> None:
    alone(
        table,
        "INSERT INTO a VALUES (1000);\nSET work_mem = '77MB';\n"
        "INSERT INTO a VALUES (current_setting('nix.nix')::int);\nINSERT INTO a VALUES (1002);",
    )
    error = table.fail()
    assert error.location is not None and error.location.line == 4
    assert "statement 3" in error.hint
    assert table.ask("SELECT count(*) FROM a WHERE id >= 1000") == 1
    entry = next(e for e in table.status().entries if e.id == "2_b")
    assert (entry.state, entry.statements_done) == (State.PENDING, 2)
    alone(
        table,
        "INSERT INTO a VALUES (1000);\nSET work_mem = '77MB';\n"
        "CREATE TABLE w AS SELECT current_setting('work_mem') AS w;\nINSERT INTO a VALUES (1002);",
    )
    assert table.migrate().ids == ("2_b",)
    assert table.ask("SELECT count(*) FROM a WHERE id >= 1000") == 2
    assert table.ask("SELECT w FROM w") == "77MB"


def test_index_build_takes_three_round_trips(table: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FLUSH_EVERY_S", 3600.0)
    trips = []
    for first, count in ((0, 1), (1, 2), (3, 12)):
        for n in range(first, first + count):
            table.write(f"5{n:02}_index", f"-- transactional: false\nCREATE INDEX CONCURRENTLY i{n} ON a (id);")
        trips.append(table.migrate().round_trips)
    assert trips[2] - trips[1] == (12 - 2) * 3
    assert table.ask("SELECT count(*) FROM pg_index WHERE indrelid = 'a'::regclass AND indisvalid") == 15


def test_edited_statements_that_were_done_are_refused(table: Folder) -> None:
    alone(table, "INSERT INTO a VALUES (1000);\nSELECT 1/0;")
    table.fail()
    alone(table, "INSERT INTO a VALUES (1001);\nSELECT 1;")
    refused = table.refuse()
    assert "edited" in refused.message and "_wflo_schema_progress" in refused.hint
    assert table.ask("SELECT count(*) FROM a WHERE id >= 1000") == 1
    alone(table, "INSERT INTO a VALUES (1000);")
    assert table.migrate().ids == ("2_b",)


def test_setting_of_the_file_itself_survives_an_index_build(table: Folder) -> None:
    alone(
        table,
        "SET lock_timeout = '7s';\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"
        "CREATE TABLE w AS SELECT current_setting('lock_timeout') AS w;",
    )
    table.migrate()
    assert table.ask("SELECT w FROM w") == "7s"


def test_failed_unique_build_leaves_an_invalid_index_that_the_next_run_rebuilds(table: Folder) -> None:
    alone(table, "CREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n);\nINSERT INTO a VALUES (1000, 1000);")
    error = table.fail()
    assert "a_n INVALID" in error.message and error.sqlstate == "23505"
    assert is_valid(table, "a_n") is False
    table.do("DELETE FROM a WHERE id > 6")
    assert table.migrate().ids == ("2_b",)
    assert is_valid(table, "a_n") is True
    assert any("public.a_n" in said and "INVALID" in said for said in table.repairs())


@pytest.mark.parametrize("clause", ["", "IF NOT EXISTS "])
def test_invalid_index_of_somebody_else_is_an_error(table: Folder, clause: str) -> None:
    with table.database.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n)")
    alone(table, f"SELECT 1;\nCREATE INDEX CONCURRENTLY {clause}a_n ON a (n);")
    error = table.fail()
    assert "a_n" in error.message and "INVALID" in error.message
    assert "DROP INDEX CONCURRENTLY IF EXISTS public.a_n" in error.hint
    assert error.location is not None and error.location.line == 3
    table.do("DROP INDEX a_n")
    assert table.migrate().ids == ("2_b",)


def test_if_not_exists_over_a_valid_index_is_a_success(table: Folder) -> None:
    table.do("CREATE INDEX a_n ON a (n)")
    alone(table, "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_n ON a (n);")
    assert table.migrate().ids == ("2_b",)


def test_index_without_a_name_is_refused(table: Folder) -> None:
    alone(table, "SELECT 1;\nCREATE INDEX CONCURRENTLY ON a (n);")
    with pytest.raises(BadMigrationFile) as caught:
        table.migrate()
    assert caught.value.location is not None and caught.value.location.line == 3


def test_event_trigger_on_our_own_tables_does_not_change_where_the_statements_run(table: Folder) -> None:
    table.do(
        "CREATE SCHEMA other",
        "CREATE FUNCTION lead_away() RETURNS event_trigger LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM set_config('search_path', 'other', false); END $$",
        "CREATE EVENT TRIGGER lead_away ON ddl_command_end EXECUTE FUNCTION lead_away()",
    )
    table.write("2_b", "-- transactional: false\nCREATE TABLE b (id int);")
    table.migrate()
    assert table.has("public.b") and not table.has("other.b")


@pytest.mark.parametrize("edited", ["", "CREATE INDEX CONCURRENTLY other ON a (id);", "DELETE FROM a;"])
def test_index_that_a_failed_build_left_goes_even_when_the_file_no_longer_builds_it(table: Folder, edited: str) -> None:
    table.do("INSERT INTO a VALUES (1), (1)")
    begin = "-- transactional: false\nINSERT INTO a VALUES (3);\n"
    table.write("2_b", f"{begin}CREATE UNIQUE INDEX CONCURRENTLY a_i ON a (id);")
    assert "INVALID" in table.fail().message
    table.write("2_b", begin + edited)
    assert table.migrate().ids == ("2_b",)
    assert not table.has("a_i")


@pytest.mark.parametrize(
    "text", ["DISCARD ALL", "SELECT pg_advisory_unlock_all()", "DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$"]
)
def test_file_that_would_give_up_the_lock_of_its_run_is_refused(table: Folder, text: str) -> None:
    table.write("2_b", f"-- transactional: false\nSELECT 1;\n{text};\nINSERT INTO a VALUES (1)")
    with pytest.raises(BadMigrationFile) as caught:
        table.migrate()
    assert caught.value.location is not None and caught.value.location.line == 3
    assert table.recorded() == ["1_a"]


def test_non_transactional_roll_back(table: Folder) -> None:
    alone(
        table,
        "CREATE INDEX CONCURRENTLY a_n ON a (n);",
        rollback="DROP INDEX CONCURRENTLY a_n;\nSELECT 1/(SELECT count(*) FROM a);",
    )
    table.migrate()
    table.do("DELETE FROM a")
    with pytest.raises(MigrationFailed):
        table.roll_back()
    assert table.recorded() == ["1_a", "2_b"]
    table.do("INSERT INTO a VALUES (1)")
    assert table.roll_back().ids == ("2_b",)
    assert table.recorded() == ["1_a"]
    assert table.ask("SELECT count(*) FROM _wflo_schema_progress") == 0


def test_progress_that_a_later_yoyo_run_made_stale_is_not_trusted(table: Folder) -> None:
    alone(table, "INSERT INTO a VALUES (1000);\nSELECT 1/0;")
    table.fail()
    table.do(
        "INSERT INTO _yoyo_log (id, migration_hash, migration_id, operation, created_at_utc) SELECT o.operation, "
        "migration_hash, migration_id, o.operation, clock_timestamp() AT TIME ZONE 'UTC' "
        "FROM _wflo_schema_progress, (VALUES ('apply'), ('rollback')) AS o (operation)",
    )
    alone(table, "INSERT INTO a VALUES (1000);\nSELECT 1;")
    assert "another tool" in table.refuse().message


# any schema


@pytest.mark.parametrize("name", ['we ird"x', "UPPER", "ünï", "select", "a.b", "%s {x} %(y)s"])
def test_schema_holds_ledger_and_unqualified_objects(folder: Folder, name: str) -> None:
    folder.write("1_a", "CREATE TABLE a (id int);\nSET search_path = pg_catalog;", rollback="DROP TABLE a")
    folder.write(
        "2_b",
        "-- transactional: false\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nVACUUM a;",
        rollback="DROP INDEX CONCURRENTLY a_id",
    )
    there = folder.database.with_schema(name)
    assert folder.migrate(database=there, create_schema=True).schema == name
    query = (
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)"
    )
    assert folder.ask(query, name) == "_wflo_schema_progress _yoyo_log _yoyo_migration _yoyo_version a"
    assert folder.ask(query, "public") is None
    assert operations.rollback(there, read_migrations(folder.path), count=2).ids == ("2_b", "1_a")


def test_types_and_functions_of_the_sessions_own_path_are_found_behind_the_schema(folder: Folder) -> None:
    with folder.database.connect() as connection:
        connection.execute("CREATE TYPE colour AS ENUM ('red'); CREATE SCHEMA tools; CREATE SCHEMA app")
        connection.execute("CREATE FUNCTION tools.one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'")
    folder.write("1_a", "CREATE TABLE a (c colour DEFAULT 'red', i int DEFAULT one())", rollback="DROP TABLE a")
    folder.write("2_b", "-- transactional: false\nCREATE INDEX CONCURRENTLY a_one ON a ((i + one()))")
    there = folder.database.with_schema("app").with_parameters(options="-c search_path=public,tools")
    assert folder.migrate(database=there).ids == ("1_a", "2_b")
    assert (
        folder.ask("SELECT 'app.a'::regclass::text || (SELECT count(*) FROM pg_class WHERE relname = 'a')") == "app.a1"
    )


def test_two_schemas_of_one_database_never_see_each_others_ledger(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)", rollback="DROP TABLE a")
    folder.write(
        "2_b", "-- transactional: false\nCREATE INDEX CONCURRENTLY i ON a (id)", rollback="DROP INDEX CONCURRENTLY i"
    )
    one, other = folder.database.with_schema("one"), folder.database.with_schema("other")
    assert folder.migrate(database=one, create_schema=True).ids == ("1_a", "2_b")
    folder.do("CREATE SCHEMA other")
    assert [e.state for e in operations.status(other, read_migrations(folder.path)).entries] == [State.PENDING] * 2
    assert folder.migrate(database=other).ids == ("1_a", "2_b")
    assert operations.rollback(one, read_migrations(folder.path), count=2).ids == ("2_b", "1_a")
    assert [e.state for e in operations.status(other, read_migrations(folder.path)).entries] == [State.APPLIED] * 2


def test_search_path_without_a_schema_is_refused(folder: Folder) -> None:
    folder.write("1_a", "SELECT 1")
    nowhere = folder.database.with_parameters(options="-c search_path=nowhere")
    assert "--schema" in folder.refuse(database=nowhere).hint


# settings of the server that would be in the way


@pytest.mark.parametrize(
    "settings",
    [
        {"default_transaction_read_only": "on"},
        {"default_transaction_isolation": "serializable"},
        {"default_transaction_deferrable": "on", "default_transaction_isolation": "serializable"},
        {"lock_timeout": "1ms"},
        {"statement_timeout": "5s", "lock_timeout": "50ms"},
        {"search_path": "other, public"},
        {"quote_all_identifiers": "on", "datestyle": "German", "timezone": "Asia/Tokyo", "bytea_output": "escape"},
        {"client_encoding": "LATIN1"},
        {"row_security": "off"},
        {"plan_cache_mode": "force_generic_plan", "extra_float_digits": "-15", "synchronous_commit": "off"},
        {"client_min_messages": "error", "standard_conforming_strings": "off"},
        {"default_tablespace": "", "default_table_access_method": "heap", "transform_null_equals": "on"},
    ],
    ids=" ".join,
)
def test_settings_of_the_database_are_no_obstacle(folder: Folder, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        words = value if name == "search_path" else sql.Literal(value).as_string()
        folder.do(f"ALTER DATABASE {folder.database.name} SET {name} = {words}")
    folder.write("1_a", "CREATE TABLE a (id int, t text); INSERT INTO a VALUES (1, 'ä')", rollback="DROP TABLE a")
    folder.write(
        "2_b",
        "-- transactional: false\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nINSERT INTO a VALUES (2, 'ü');\n"
        "VACUUM a;\nREINDEX INDEX CONCURRENTLY a_id;\n",
        rollback="DROP INDEX CONCURRENTLY a_id;",
    )
    folder.write("3_c", "ALTER TABLE a ADD COLUMN u int", rollback="ALTER TABLE a DROP COLUMN u")
    assert folder.migrate().ids == ("1_a", "2_b", "3_c")
    assert folder.ask("SELECT string_agg(t, '' ORDER BY id) FROM a") == "äü"
    assert [e.id for e in folder.status().applied] == ["1_a", "2_b", "3_c"]
    assert folder.roll_back(count=3).ids == ("3_c", "2_b", "1_a")


def test_owner_who_is_no_superuser_can_do_everything(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)", rollback="DROP TABLE a")
    folder.write(
        "2_b",
        "-- transactional: false\nCREATE INDEX CONCURRENTLY a_id ON a (id)",
        rollback="DROP INDEX CONCURRENTLY a_id",
    )
    with role(folder, server) as owner:
        folder.do(f"ALTER SCHEMA public OWNER TO {owner.parameters['user']}")
        assert folder.migrate(database=owner).ids == ("1_a", "2_b")
        assert operations.rollback(owner, read_migrations(folder.path), count=2).ids == ("2_b", "1_a")
        folder.do("ALTER SCHEMA public OWNER TO postgres")


def test_role_that_may_not_create_is_told_what_is_missing(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.do("REVOKE CREATE ON SCHEMA public FROM public")
    with role(folder, server) as stranger:
        with pytest.raises(DatabaseError) as caught:
            folder.migrate(database=stranger)
        assert "GRANT CREATE" in caught.value.hint
        folder.migrate()
        folder.write("2_b", "CREATE TABLE b (id int)")
        with pytest.raises(CannotRead):
            folder.migrate(database=stranger)
        folder.do(f"GRANT SELECT ON _yoyo_migration TO {stranger.parameters['user']}")
        with pytest.raises(DatabaseError) as caught:
            folder.migrate(database=stranger)
        folder.do("GRANT " + caught.value.hint.partition("GRANT ")[2])
        assert folder.fail(database=stranger).sqlstate == "42501"
    assert folder.recorded() == ["1_a"]


# sizes


def test_twenty_thousand_statements_are_one_migration(folder: Folder) -> None:
    row = "x" * 480
    statements = "".join(f"INSERT INTO a VALUES ({n}, '{row}');\n" for n in range(20_000))
    folder.write("1_a", f"CREATE TABLE a (id int, t text);\n{statements}")
    assert folder.path.joinpath("1_a.sql").stat().st_size > 9_900_000
    assert folder.migrate().done[0].statements == 20_001
    assert folder.ask("SELECT count(*) FROM a") == 20_000
    folder.write("2_b", f"{statements}SELECT nix;")
    error = folder.fail()
    assert error.location is not None and error.location.line == 20_001
    assert folder.ask("SELECT count(*) FROM a") == 20_000


def test_statement_of_a_megabyte(folder: Folder) -> None:
    values = ",\n".join(f"({n}, '{'ü' * 90}')" for n in range(6_000))
    folder.write("1_a", f"CREATE TABLE a (id int, t text);\nINSERT INTO a VALUES {values};\n")
    folder.migrate()
    assert folder.ask("SELECT count(*) FROM a") == 6_000


def test_large_results_are_thrown_away_as_they_come(folder: Folder) -> None:
    import resource

    folder.write("1_a", "SELECT repeat('x', 1000) FROM generate_series(1, 300000);")
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert folder.migrate().ids == ("1_a",)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 100_000


def test_large_result_in_parentheses_is_thrown_away_as_it_comes(folder: Folder) -> None:
    import resource

    folder.write("1_a", "((SELECT repeat('x', 1000) FROM generate_series(1, 300000)));")
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert folder.migrate().ids == ("1_a",)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


@pytest.mark.parametrize("text", ["-- only a comment\n", "/* also */ ; ;\n", "-- transactional: false\n"])
def test_forward_file_without_a_statement_is_recorded(folder: Folder, text: str) -> None:
    folder.write("1_a", text)
    folder.write("2_b", "CREATE TABLE b (id int)")
    assert folder.migrate().ids == ("1_a", "2_b")


@pytest.mark.parametrize("text", ["", "\n\n", " \t", "\ufeff"])
def test_blank_forward_file_is_refused_before_anything_runs(folder: Folder, text: str) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.write("2_b", text)
    for operation in (folder.migrate, lambda: operations.plan(folder.database, read_migrations(folder.path))):
        with pytest.raises(BadMigrationFile, match=r"2_b\.sql: nothing is written in it yet"):
            operation()
    assert not folder.has("a") and not folder.has("_yoyo_migration")


# locks


@contextlib.contextmanager
def holding(database: Database, statement: str) -> Iterator[psycopg.Connection[Any]]:
    with database.with_parameters(application_name="nightly report").connect(autocommit=False) as connection:
        connection.execute(statement.encode())
        yield connection


def test_lock_that_is_not_to_be_had_says_who_holds_it(table: Folder) -> None:
    table.write("2_b", "-- x\nCREATE TABLE b (id int);\nALTER TABLE a ADD COLUMN x int;")
    with holding(table.database, "SELECT 'the report', count(*) FROM a") as blocker:
        with pytest.raises(LockNotAcquired) as caught:
            table.migrate(locks=LockOptions(timeout_ms=200, wait_s=1.0))
        pid = blocker.info.backend_pid
    error = caught.value
    for part in (f"pid {pid}", "postgres", "nightly report", "idle in transaction", "'the report'"):
        assert part in error.message
    assert error.location is not None and error.location.line == 3
    assert not table.has("b") and table.recorded() == ["1_a"]
    retries = [e for e in table.events if isinstance(e, Retrying)]
    assert f" did not get a lock in {counted(len(retries) + 1, 'try', 'tries')} over " in error.message
    seen = next(n for n, e in enumerate(table.events) if isinstance(e, Waiting))
    assert all(e.blockers for e in table.events[seen:] if isinstance(e, Retrying))


@pytest.mark.parametrize("timeout_ms", [15, 40, 90])
@pytest.mark.parametrize("text", ["", "-- transactional: false\n"])
def test_blocker_is_named_however_short_the_lock_timeout(table: Folder, text: str, timeout_ms: int) -> None:
    """And has all the time to be: it leaves once it was."""
    table.write("2_b", f"{text}ALTER TABLE a ADD COLUMN x int;")
    named: list[str] = []

    def notify(event: Event) -> None:
        if isinstance(event, Waiting | Retrying) and event.blockers and not named:
            named.extend(b.application_name for b in event.blockers)
            blocker.rollback()

    with holding(table.database, "SELECT count(*) FROM a") as blocker:
        locks = LockOptions(timeout_ms=timeout_ms)
        done = operations.migrate(table.database, read_migrations(table.path), notify=notify, locks=locks)
    assert (done.ids, named) == (("2_b",), ["nightly report"])


@pytest.mark.parametrize("text", ["", "-- transactional: false\n"])
def test_blocker_is_named_however_slow_the_network_and_soon_the_end(table: Folder, text: str) -> None:
    """Here the first lock timeout is over before the second connection is made, and no answer comes in a moment."""
    table.write("2_b", f"{text}ALTER TABLE a ADD COLUMN x int;")
    with Proxy("127.0.0.1", int(table.database.parameters["port"]), delay_s=0.06) as slow:
        there = table.database.with_parameters(port=str(slow.port))
        with holding(table.database, "SELECT count(*) FROM a"), pytest.raises(LockNotAcquired) as caught:
            table.migrate(database=there, locks=LockOptions(timeout_ms=100, wait_s=0))
    assert "nightly report" in caught.value.message


@pytest.mark.parametrize("text", ["", "-- transactional: false\n"])
def test_blocker_is_named_behind_a_long_statement(table: Folder, text: str) -> None:
    table.write("2_b", f"{text}SELECT pg_sleep(0.8);\nALTER TABLE a ADD COLUMN x int;")
    with holding(table.database, "SELECT count(*) FROM a"), pytest.raises(LockNotAcquired) as caught:
        began = time.monotonic()
        table.migrate(locks=LockOptions(timeout_ms=400, wait_s=0.1))
    assert "nightly report" in caught.value.message
    told = [e for e in table.events if isinstance(e, Waiting)]
    assert len(told) <= 2 + time.monotonic() - began  # about once a second


def test_session_stays_alive_between_tries(table: Folder) -> None:
    table.write("2_b", "ALTER TABLE a ADD COLUMN x int;")
    patient = table.database
    table.database = patient.with_parameters(options="-c idle_session_timeout=2s")
    for _ in range(5):
        ended: list[type[Exception]] = []
        with holding(patient, "SELECT count(*) FROM a"):
            try:
                table.migrate(locks=LockOptions(timeout_ms=50, wait_s=7.0))
            except (LockNotAcquired, ConnectionLost) as error:
                ended.append(type(error))
        if ended != [ConnectionLost]:
            break  # else this process stood still for as long as the session may idle, or is silent each time
    assert ended == [LockNotAcquired]


def test_migration_is_tried_again_until_the_blocker_leaves(table: Folder) -> None:
    table.write("2_b", "CREATE TABLE b (id int);\nALTER TABLE a ADD COLUMN x int;")
    tried: list[int] = []

    def notify(event: Event) -> None:
        if isinstance(event, Retrying):
            tried.append(event.attempt)
            if len(tried) == 2:
                blocker.commit()

    with holding(table.database, "SELECT count(*) FROM a") as blocker:
        files = read_migrations(table.path)
        done = operations.migrate(table.database, files, notify=notify, locks=LockOptions(timeout_ms=150))
    assert done.ids == ("2_b",) and tried[:2] == [1, 2]


def test_those_who_queue_behind_our_wait_are_let_through_at_the_lock_timeout(table: Folder) -> None:
    table.write("2_b", "ALTER TABLE a ADD COLUMN x int;")
    results: list[Result] = []
    locks = LockOptions(timeout_ms=300, wait_s=600.0)

    def insert() -> None:
        while run.is_alive():
            writer.execute("INSERT INTO a (id) VALUES (0)")
            inserted.append(1)

    inserted: list[int] = []
    behind_us = (
        "SELECT count(*) FROM pg_stat_activity AS m WHERE m.application_name LIKE 'wflo-schema %%' "
        "AND m.pid = ANY (pg_blocking_pids(%s))"
    )
    with holding(table.database, "SELECT count(*) FROM a") as blocker, table.database.connect() as writer:
        run = threading.Thread(target=lambda: results.append(table.migrate(locks=locks)))
        writing = threading.Thread(target=insert)
        run.start()
        writing.start()
        for _ in range(2):
            wait_until(lambda: table.ask(behind_us, writer.info.backend_pid), "the writer behind our wait")
            so_far = len(inserted)
            wait_until(lambda n=so_far: len(inserted) > n, "the writer to be let through")  # type: ignore[misc]
        assert not results  # the reader still holds its lock, and we still want ours
        blocker.commit()
        run.join()
        writing.join()
    assert results[0].ids == ("2_b",)


@pytest.mark.parametrize(
    ("given_ms", "seen"),
    [(None, ["77ms", "900ms", "88ms", "99ms"]), (55, ["55ms"] * 4), (80, ["77ms", "80ms", "80ms", "80ms"])],
)
def test_lock_timeout_of_the_file_counts_up_to_the_one_given(
    table: Folder, given_ms: int | None, seen: list[str]
) -> None:
    table.write("2_b", "-- lock-timeout: 77ms\nCREATE TABLE w AS SELECT current_setting('lock_timeout') AS w")
    alone(table, "CREATE TABLE v AS SELECT current_setting('lock_timeout') AS w", "3_c")
    alone(table, "-- lock-timeout: 88ms\nCREATE TABLE u AS SELECT current_setting('lock_timeout') AS w", "4_d")
    table.write(
        "5_e", "SET LOCAL lock_timeout TO '99ms'; CREATE TABLE t AS SELECT current_setting('lock_timeout') AS w"
    )
    table.migrate(locks=LockOptions(timeout_ms=given_ms))
    assert [table.ask(f"SELECT w FROM {t}") for t in "wvut"] == seen


def test_deadlock_is_tried_again(table: Folder) -> None:
    table.do("CREATE TABLE b (id int)", f"ALTER DATABASE {table.database.name} SET deadlock_timeout = '100ms'")
    table.write("2_b", "LOCK TABLE a; SELECT pg_advisory_xact_lock(7); LOCK TABLE b;")
    waits_for_a = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass"

    def let_it_into_the_deadlock() -> None:
        wait_until(lambda: is_waiting(table.database), "the migration, which has a")
        locking.start()
        wait_until(lambda: table.ask(waits_for_a), "the other, which has b")
        gate.execute("SELECT pg_advisory_unlock(7)")

    def notify(event: Event) -> None:
        if isinstance(event, Retrying):
            reasons.append(event.reason)
            locking.join()
            other.rollback()

    reasons: list[str] = []
    with table.database.connect() as gate, table.database.connect(autocommit=False) as other:
        gate.execute("SELECT pg_advisory_lock(7)")
        other.execute("SET deadlock_timeout = '600s'")
        other.execute("LOCK TABLE b")
        locking = threading.Thread(target=other.execute, args=("LOCK TABLE a",))
        leading = threading.Thread(target=let_it_into_the_deadlock)
        leading.start()
        files = read_migrations(table.path)
        done = operations.migrate(table.database, files, notify=notify, locks=LockOptions(timeout_ms=300_000))
        leading.join()
    assert (done.ids, reasons) == (("2_b",), ["deadlock detected"])


def test_waiting_for_a_colleague_is_no_lock_timeout(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int);\nSELECT pg_sleep(2);")
    folder.write("2_b", "CREATE TABLE b (id int)")
    folder.do(f"ALTER DATABASE {folder.database.name} SET lock_timeout = '100ms'")
    results: list[Result] = []
    locks = LockOptions(timeout_ms=100, wait_s=1.0)
    first = threading.Thread(
        target=lambda: results.append(operations.migrate(folder.database, read_migrations(folder.path), locks=locks))
    )
    first.start()
    wait_until(lambda: results or is_running(folder.database, "pg_sleep"), "the first run")
    results.append(folder.migrate(locks=locks))
    first.join()
    assert sorted(i for r in results for i in r.ids) == ["1_a", "2_b"]
    seen = [b for e in folder.events if isinstance(e, Waiting) for b in e.blockers]
    assert all(b.is_colleague for b in seen)


def test_first_run_is_not_disturbed_by_a_role_with_short_timeouts(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int);\nSELECT pg_sleep(0.8);")
    folder.do(f"ALTER DATABASE {folder.database.name} SET lock_timeout = '50ms'")
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(operations.migrate(folder.database, read_migrations(folder.path)).ids)
        except WfloSchemaError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [("1_a",), (), (), (), (), ()]


def test_blocker_is_told_to_a_role_without_privileges_on_it(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a (id int);")
    with role(folder, server) as owner:
        folder.do(f"ALTER SCHEMA public OWNER TO {owner.parameters['user']}")
        folder.migrate(database=owner)
        folder.write("2_b", "ALTER TABLE a ADD COLUMN x int;")
        with holding(folder.database, "SELECT count(*) FROM a") as blocker:
            with pytest.raises(LockNotAcquired) as caught:
                folder.migrate(database=owner, locks=LockOptions(timeout_ms=200, wait_s=0.5))
            assert f"pid {blocker.info.backend_pid} (postgres" in caught.value.message
        folder.do("ALTER SCHEMA public OWNER TO postgres")


def test_blocker_reads_well() -> None:
    blocker = Blocker(7, "u", "app", "idle in transaction", 1.25, "SELECT\n  1", "a")
    assert str(blocker) == "pid 7 (u, app) idle in transaction for 1.2 s: SELECT 1"
    assert quote_always('a"b') == '"a""b"'


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1", "READ COMMITTED"),
        ("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'; CALL p()", "-- transactional: false"),
    ],
)
def test_advice_fits_what_cannot_run_in_a_transaction(folder: Folder, text: str, advice: str) -> None:
    folder.write("1_a", text)
    assert advice in folder.fail().hint


def test_session_that_the_server_ended_for_its_length_says_what_to_raise(folder: Folder, server: RunningServer) -> None:
    if int(server.version) < 17:
        pytest.skip("PostgreSQL 17 brought transaction_timeout")
    folder.do(f"ALTER DATABASE {folder.database.name} SET transaction_timeout = '300ms'")
    folder.write("1_a", "SELECT pg_sleep(5)")
    with pytest.raises(ConnectionLost) as caught:
        folder.migrate()
    assert "transaction_timeout" in caught.value.hint


@pytest.mark.parametrize(
    "failing",
    [
        "INSERT INTO b VALUES (7)",  # a deferred key: COMMIT itself fails
        "INSERT INTO b VALUES (7); SET CONSTRAINTS ALL IMMEDIATE",
        "CREATE TABLE a ()",
        "SELECT 1 / 0",
        "SELECT nothing_there",
    ],
)
def test_what_is_sent_behind_a_migration_that_fails_never_runs(folder: Folder, failing: str) -> None:
    folder.write("1_a", "CREATE TABLE a (id int PRIMARY KEY)")
    folder.write("2_b", "CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    folder.write("3_c", failing)
    for n in range(4, 8):
        folder.write(f"{n}_d", f"CREATE TABLE behind_{n} ()")
    error = folder.fail()
    assert error.migration_id == "3_c"
    assert error.applied == ("1_a", "2_b")
    assert error.not_tried == ("4_d", "5_d", "6_d", "7_d")
    assert folder.ask("SELECT count(*) FROM pg_class WHERE relname ~ '^behind'") == 0
    assert folder.ask("SELECT count(*) FROM _yoyo_migration") == 2
    folder.write("3_c", "CREATE TABLE c ()")
    assert folder.migrate().ids == ("3_c", "4_d", "5_d", "6_d", "7_d")


def test_what_is_sent_behind_a_commit_that_fails_is_reported_when_a_colleague_made_it_possible(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.write("2_b", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO a VALUES (7) RETURNING id'")
    folder.migrate()
    until_somebody_waits = (
        "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' "
        "AND NOT granted) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$"
    )
    folder.write("3_c", f"DECLARE c CURSOR WITH HOLD FOR SELECT f(); {until_somebody_waits}")
    folder.write("4_d", "CREATE TABLE d ()")
    folder.write("5_e", "CREATE TABLE e ()")
    third = read_migrations(folder.path).resolve("3_c")

    def colleague() -> None:
        wait_until(lambda: is_running(folder.database, "NOT granted"), "the third migration")
        with folder.database.connect(autocommit=False) as other:
            other.execute("LOCK TABLE _yoyo_migration IN SHARE ROW EXCLUSIVE MODE")
            other.execute(
                "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
                "VALUES (%s, '3_c', now() AT TIME ZONE 'UTC')",
                (third.hash,),
            )

    recording = threading.Thread(target=colleague)
    recording.start()
    assert folder.migrate(locks=LockOptions(timeout_ms=60_000)).ids == ("4_d", "5_e")
    recording.join()
    assert folder.recorded() == ["1_a", "2_b", "3_c", "4_d", "5_e"]


_EMPTIES = (
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public._yoyo_migration; RETURN 1; END';"
)
_TRIGGER = (
    "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN TRUNCATE public._yoyo_migration; RETURN NULL; END';"
    "CREATE TABLE x (a int); CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION t();"
)

# What an earlier file made, a bar, and the file that takes its record away.
LOSING = {
    "delete": "DELETE FROM _yoyo_migration;",
    "delete with others": "CREATE TABLE x (h varchar(64) REFERENCES _yoyo_migration); "
    "TRUNCATE x, _yoyo_migration CASCADE;",
    "another id": "UPDATE _yoyo_migration SET migration_id = migration_id || 'x';",
    "another hash": "UPDATE _yoyo_migration SET migration_hash = md5(migration_id);",
    "rename the table": "ALTER TABLE _yoyo_migration RENAME TO gone;",
    "another schema": "CREATE SCHEMA gone; ALTER TABLE _yoyo_migration SET SCHEMA gone;",
    "a table anew": "DROP TABLE _yoyo_migration; CREATE TABLE _yoyo_migration "
    "(migration_hash varchar(64) PRIMARY KEY, migration_id varchar(255), checksum varchar(64));",
    "a function that makes a table": f"{_EMPTIES} | CREATE TABLE x AS SELECT f();",
    "a function that is explained": f"{_EMPTIES} | EXPLAIN ANALYZE SELECT f();",
    "a function that fills a column": f"{_EMPTIES} | CREATE TABLE x (a int); INSERT INTO x VALUES (1);"
    "ALTER TABLE x ADD b int DEFAULT f();",
    "a function of an index": f"{_EMPTIES} | CREATE TABLE x (a int); "
    "INSERT INTO x VALUES (1); ALTER FUNCTION f RENAME TO g; CREATE FUNCTION f(int) RETURNS int "
    "IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN public.g(); END'; CREATE INDEX ON x (f(a));",
    "a function of a view": f"{_EMPTIES} | CREATE MATERIALIZED VIEW x AS SELECT f();",
    "a function in a cursor": f"{_EMPTIES} | DECLARE c CURSOR FOR SELECT f(); FETCH c;",
    "a procedure": "CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM public._yoyo_migration'; CALL p();",
    "a trigger": f"{_TRIGGER} | SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO x VALUES (1);",
    "a trigger at COMMIT": f"{_TRIGGER} | INSERT INTO x VALUES (1);",
    "a trigger at COMMIT, last but one": f"{_TRIGGER} | INSERT INTO x VALUES (1); CREATE TABLE y ();",
    "an event trigger": "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS "
    "$$ BEGIN DELETE FROM public._yoyo_migration; END $$;"
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e(); CREATE TABLE x ();",
    "a savepoint": "SAVEPOINT a; DELETE FROM _yoyo_migration; RELEASE a;",
    "a rule": "CREATE TABLE x (a int); CREATE RULE r AS ON INSERT TO x DO ALSO DELETE FROM _yoyo_migration;"
    "INSERT INTO x VALUES (1);",
    "an operator in front": "CREATE SCHEMA ops; CREATE FUNCTION ops.same(varchar, varchar) RETURNS boolean "
    "LANGUAGE sql AS 'SELECT true'; "
    "CREATE OPERATOR ops.= (FUNCTION = ops.same, LEFTARG = varchar, RIGHTARG = varchar); "
    "DELETE FROM _yoyo_migration WHERE migration_id OPERATOR(pg_catalog.<>) '1_a'; SET search_path = ops, pg_catalog;",
    "drop the schema": "DROP SCHEMA public CASCADE; CREATE SCHEMA public;",
    "rename the schema": "ALTER SCHEMA public RENAME TO gone; CREATE SCHEMA public;",
    "drop all tables": "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables "
    "WHERE schemaname = 'public' LOOP EXECUTE format('DROP TABLE %I', t); END LOOP; END $$;",
    "truncate": "TRUNCATE _yoyo_migration;",
    "as another role": "DROP SCHEMA public CASCADE; CREATE SCHEMA public; SET ROLE pg_monitor;",
}


@pytest.mark.parametrize("what", LOSING)
@pytest.mark.parametrize("is_last", [True, False])
def test_migration_that_takes_its_own_record_away_is_rolled_back(folder: Folder, what: str, is_last: bool) -> None:
    before, _, text = LOSING[what].rpartition(" | ")
    folder.write("1_a", f"CREATE TABLE a (); {before}")
    folder.write("2_b", text)
    if not is_last:
        folder.write("3_c", "CREATE TABLE c ()")
    error = folder.fail()
    assert "2_b takes away the ledger" in error.message and error.applied == ("1_a",)
    assert folder.recorded() == ["1_a"] and folder.has("a") and not folder.has("y") and not folder.has("c")


AT_COMMIT = {
    "a cursor that is kept": f"{_EMPTIES} DECLARE c CURSOR WITH HOLD FOR SELECT f();",
    "a trigger that defers again": f"{_TRIGGER} CREATE TABLE y (a int);"
    "CREATE FUNCTION u() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO x VALUES (1); RETURN NULL; END';"
    "CREATE CONSTRAINT TRIGGER u AFTER INSERT ON y DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION u();"
    "INSERT INTO y VALUES (1);",
}


@pytest.mark.parametrize("what", AT_COMMIT)
@pytest.mark.parametrize("is_last", [True, False])
def test_what_would_write_when_the_record_was_looked_at_is_rolled_back(
    folder: Folder, what: str, is_last: bool
) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.write("2_b", AT_COMMIT[what])
    if not is_last:
        folder.write("3_c", "CREATE TABLE c ()")
    error = folder.fail()
    assert error.sqlstate == "25006" and "at COMMIT" in error.message and "read-only" in error.message
    assert folder.recorded() == ["1_a"] and not folder.has("x") and not folder.has("c")


def test_event_trigger_that_takes_the_record_of_a_later_file_away_is_found(folder: Folder) -> None:
    folder.write(
        "1_a",
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN DELETE FROM public._yoyo_migration WHERE migration_id = '2_b'; END $$;"
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e();",
    )
    folder.write("2_b", "CREATE TABLE b ()")
    assert "2_b takes away the ledger" in folder.fail().message
    assert "2_b takes away the ledger" in folder.fail().message and not folder.has("b")


COMMITS = {
    "temporary tables": "CREATE TEMP TABLE x (a int) ON COMMIT DROP; "
    "CREATE TEMP TABLE y (a int) ON COMMIT DELETE ROWS; INSERT INTO x VALUES (1); INSERT INTO y VALUES (1);",
    "a notification": "NOTIFY somebody, 'done';",
    "a trigger that writes at COMMIT": "CREATE TABLE log (a int); CREATE TABLE x (a int); "
    "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (NEW.a); RETURN NULL; END';"
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION t();"
    "INSERT INTO x VALUES (1); ",
    "a cursor that is kept and only reads": "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM generate_series(1, 9);",
    "a large object": "SELECT lo_create(0);",
    "a read-only transaction": "SET TRANSACTION READ ONLY;",
    "a role through a function": "DO $$ BEGIN PERFORM set_config('ro' || 'le', 'pg_monitor', false); END $$;",
    "an account through a function": "DO $$ BEGIN "
    "PERFORM set_config('session_author' || 'ization', 'pg_monitor', true); END $$;",
    "a role for the transaction": "SET LOCAL ROLE pg_monitor;",
    "other rows of the ledger": "DELETE FROM _yoyo_migration WHERE migration_id = '0_z';",
}


@pytest.mark.parametrize("what", COMMITS)
def test_what_commits_with_its_record_is_applied_whatever_it_does(folder: Folder, what: str) -> None:
    folder.write("0_z", "CREATE TABLE z ()")
    folder.write("1_a", "CREATE TABLE a ()")
    folder.write("2_b", COMMITS[what])
    folder.write("3_c", "CREATE TABLE c ()")
    assert folder.migrate().ids == ("0_z", "1_a", "2_b", "3_c")
    if what.startswith("a trigger"):
        assert folder.ask("SELECT count(*) FROM log") == 1


@pytest.mark.parametrize(
    "undo",
    [
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        "TRUNCATE _yoyo_migration",
        "INSERT INTO _yoyo_migration VALUES ('x', 'x', now())",
    ],
)
def test_rollback_that_changes_the_ledger_itself_is_taken_back(folder: Folder, undo: str) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.write("2_b", "CREATE TABLE b ()", rollback=f"DROP TABLE b; {undo}")
    folder.migrate()
    with pytest.raises(MigrationFailed, match="changes the ledger itself"):
        folder.roll_back()
    assert folder.recorded() == ["1_a", "2_b"] and folder.has("b")


@pytest.mark.parametrize(
    "text",
    [
        "CREATE SCHEMA s; DROP SCHEMA s",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE x ()'; END $$",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE x ()'; END $$; SET ROLE pg_monitor",
        "-- _yoyo_migration\nSET SESSION AUTHORIZATION pg_monitor",
    ],
)
def test_migration_that_only_could_take_its_record_away_is_applied(folder: Folder, text: str) -> None:
    folder.write("1_a", text)
    folder.write("2_b", "CREATE TABLE b ()")
    assert folder.migrate().ids == ("1_a", "2_b")


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TRIGGER no BEFORE INSERT ON _yoyo_migration FOR EACH ROW EXECUTE FUNCTION no()",
        "CREATE RULE no AS ON INSERT TO _yoyo_migration DO INSTEAD NOTHING",
    ],
)
@pytest.mark.parametrize("text", ["", "-- transactional: false\n"])
def test_ledger_that_does_not_keep_a_record_keeps_no_migration(folder: Folder, made: str, text: str) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    folder.do("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", made)
    folder.write("2_b", f"{text}CREATE TABLE IF NOT EXISTS b ()")
    folder.write("3_c", "CREATE TABLE c ()")
    with pytest.raises(DatabaseError) as caught:
        folder.migrate()
    assert "does not keep the record of 2_b" in caught.value.message
    assert folder.recorded() == ["1_a"] and not folder.has("c")
    assert bool(text) == folder.has("b")
    folder.do("DROP FUNCTION no CASCADE" if "TRIGGER" in made else "DROP RULE no ON _yoyo_migration")
    assert folder.migrate().ids == ("2_b", "3_c")


def test_trigger_that_watches_the_ledger_is_no_obstacle(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    folder.do(
        "CREATE TABLE seen (id text)",
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN INSERT INTO public.seen VALUES (NEW.migration_id); RETURN NEW; END'",
        "CREATE TRIGGER see AFTER INSERT ON _yoyo_migration FOR EACH ROW EXECUTE FUNCTION see()",
    )
    folder.write("2_b", "CREATE TABLE b ()")
    folder.write("3_c", "-- transactional: false\nCREATE TABLE c ()")
    folder.write("4_d", "CREATE TABLE d ()", rollback="DROP TABLE d")
    assert folder.migrate().ids == ("2_b", "3_c", "4_d")
    assert folder.ask("SELECT string_agg(id, ' ') FROM seen") == "2_b 3_c 4_d"
    assert folder.roll_back().ids == ("4_d",)


def test_what_is_sent_behind_begins_with_a_clean_session(folder: Folder) -> None:
    for n in range(1, 9):
        folder.write(
            f"{n}_s", f"CREATE TABLE seen_{n} AS SELECT current_setting('work_mem') AS w; SET work_mem = '{n}MB'"
        )
    folder.migrate()
    assert {folder.ask(f"SELECT w FROM seen_{n}") for n in range(1, 9)} == {folder.ask("SHOW work_mem")}


@pytest.mark.parametrize(("gone", "hint"), [("1_a", "git log --diff-filter=D"), ("3_c", "run it with the newer files")])
@pytest.mark.parametrize("operation", ["migrate", "plan", "baseline", "adopt"])
def test_a_wish_for_what_is_recorded_and_has_no_file_is_told_what_it_is(
    folder: Folder, operation: str, gone: str, hint: str
) -> None:
    from wflo_schema.adopt.judge import adopt_database, baseline

    paths = {name: folder.write(name, f"CREATE TABLE {name[2:]} ();") for name in ("1_a", "2_b", "3_c")}
    folder.migrate()
    paths[gone].unlink()
    files = read_migrations(folder.path)
    with pytest.raises(Refused) as refused:
        if operation == "baseline":
            baseline(folder.database, files, gone)
        elif operation == "adopt":
            adopt_database(folder.database, files, to=gone)
        else:
            getattr(operations, operation)(folder.database, files, to=gone)
    assert refused.value.message.startswith(f"{gone} is applied, and has no file in ")
    assert hint in refused.value.hint
