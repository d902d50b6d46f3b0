"""Hooks: each runs in the transaction that the manual names, and with what a user does in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_faults import is_running, wait_until
from tests.engine.test_operations import Folder
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Notice
from wflo_schema.engine.locks import LockOptions
from wflo_schema.errors import BadMigrationFile, LockNotAcquired, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import scratch_database
from wflo_schema.show.text import result_text, status_text

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

LOG = (
    "CREATE TABLE IF NOT EXISTS said (n serial, what text, xid bigint DEFAULT txid_current(), role text DEFAULT user);"
)


class Hooked(Folder):
    """A folder with hooks that write down what they saw."""

    def hook(self, name: str, text: str) -> Path:
        (self.path / "hooks").mkdir(exist_ok=True)
        path = self.path / "hooks" / f"{name}.sql"
        path.write_text(text, encoding="utf-8")
        return path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def said(self) -> list[str]:
        return [what for (what,) in self.rows("SELECT what FROM said ORDER BY n")]

    def ran(self) -> list[str]:
        return [e.id for e in self.events if isinstance(e, Notice) and e.severity == "RAN"]


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    name = f"plain_{database.name}"
    with database.connect() as connection:
        connection.execute(f"CREATE ROLE {name}".encode())
    yield name
    with database.connect() as connection:
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


@pytest.fixture
def folder(tmp_path: Path, database: Database) -> Hooked:
    path = tmp_path / "migrations"
    path.mkdir()
    return Hooked(path, database)


def test_hooks_run_around_a_run_and_around_each_migration(folder: Hooked) -> None:
    folder.write("1-a", "CREATE TABLE a (); INSERT INTO said (what) VALUES ('1')", rollback="DROP TABLE a")
    folder.write("2-b", "INSERT INTO said (what) VALUES ('2')", rollback="SELECT 1")
    folder.hook("before-all", LOG + "INSERT INTO said (what) VALUES ('before all')")
    folder.hook("before-each", "INSERT INTO said (what) VALUES ('before ' || current_setting('wflo_schema.migration'))")
    folder.hook("after-each", "INSERT INTO said (what) VALUES ('after ' || current_setting('wflo_schema.migration'))")
    folder.hook("after-all", "INSERT INTO said (what) VALUES ('after all')")
    folder.hook(
        "after-rollback", "INSERT INTO said (what) VALUES ('back ' || current_setting('wflo_schema.migration'))"
    )
    result = folder.migrate()
    assert result.ids == ("1-a", "2-b")
    assert result.hooks == ("hooks/before-all", "hooks/after-all") == tuple(folder.ran())
    assert folder.said() == ["before all", "before 1-a", "1", "after 1-a", "before 2-b", "2", "after 2-b", "after all"]
    transactions = folder.rows("SELECT count(*) FROM said GROUP BY xid ORDER BY min(n)")
    assert transactions == [(1,), (3,), (3,), (1,)]
    folder.roll_back(count=2)
    assert folder.said()[-2:] == ["back 2-b", "back 1-a"]


def test_with_nothing_to_apply_no_hook_runs(folder: Hooked) -> None:
    folder.write("1-a", "SELECT 1")
    folder.migrate()
    folder.hook("before-all", LOG)
    folder.hook("after-all", LOG)
    result = folder.migrate()
    assert (result.ids, result.hooks) == ((), ())
    assert folder.rows("SELECT to_regclass('said') IS NULL") == [(True,)]


def test_what_before_each_sets_holds_for_the_migration_and_no_longer(folder: Hooked) -> None:
    folder.hook("before-all", LOG)
    folder.hook(
        "before-each", "SET LOCAL statement_timeout = '77s'; SET work_mem = '3MB'; CREATE TEMP TABLE mine (a int)"
    )
    shows = "INSERT INTO said (what) SELECT current_setting('statement_timeout') || current_setting('work_mem');"
    folder.write("1-a", shows + "INSERT INTO mine VALUES (1)")
    folder.write("2-b", shows)
    folder.hook("after-all", shows)
    folder.migrate()
    after = folder.said()
    assert after[:2] == ["77s3MB", "77s3MB"]
    assert "77s" not in after[2] and "3MB" not in after[2]


def test_after_each_finds_role_and_search_path_of_the_run(folder: Hooked, role: str) -> None:
    folder.hook("before-all", f"{LOG} GRANT ALL ON said TO {role}; GRANT CREATE ON SCHEMA public TO {role}")
    folder.hook("before-each", f"SET ROLE {role}")
    folder.hook("after-each", "INSERT INTO said (what) VALUES ('after')")
    folder.write("1-a", "CREATE TABLE public.a (); SET search_path = ''")
    folder.write("2-b", f"RESET ROLE; SET SESSION AUTHORIZATION {role}; SELECT 1")
    folder.migrate()
    assert folder.rows("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'a'") == [(role,)]
    ours = folder.rows("SELECT user")[0][0]
    assert folder.rows("SELECT DISTINCT role FROM said") == [(ours,)]


@pytest.mark.parametrize("hook", ["before-each", "after-each"])
def test_hook_that_fails_takes_its_migration_back_and_says_where(folder: Hooked, hook: str) -> None:
    folder.write("1-a", "CREATE TABLE a ()")
    folder.write("2-b", "SELECT 1; SELECT 2")
    path = folder.hook(hook, "SELECT 1;\n  SELECT nothing_there")
    failed = folder.fail()
    assert failed.message.startswith(f"1-a failed in statement 2 of 2 of hooks/{hook}: column")
    assert failed.migration_id == "1-a"
    assert failed.location is not None
    assert (failed.location.path, failed.location.line, failed.location.column) == (str(path), 2, 10)
    assert failed.source_line == "  SELECT nothing_there"
    assert failed.not_tried == ("2-b",)
    assert {s.value for s in folder.states().values()} == {"pending"}
    assert folder.rows("SELECT to_regclass('a') IS NULL") == [(True,)]


def test_before_all_that_fails_lets_no_migration_begin(folder: Hooked) -> None:
    folder.write("1-a", "CREATE TABLE a ()")
    folder.hook("before-all", "CREATE TABLE b ();\nSELECT nothing_there")
    failed = folder.fail()
    assert failed.message.startswith("hooks/before-all failed in statement 2 of 2: ")
    assert "no migration was begun" in failed.hint
    assert folder.rows("SELECT to_regclass('a') IS NULL AND to_regclass('b') IS NULL") == [(True,)]


def test_after_all_that_failed_is_run_by_the_next_run(folder: Hooked) -> None:
    folder.write("1-a", "CREATE TABLE a ()")
    folder.hook("after-all", "CREATE TABLE b (); SELECT nothing_there")
    failed = folder.fail()
    assert failed.applied == ("1-a",)
    assert "the migrations stay; when it is mended, wflo-schema migrate runs it" in failed.hint
    assert folder.states()["1-a"].value == "applied"
    found = operations.status(folder.database, read_migrations(folder.path))
    assert found.hooks_due == ("hooks/after-all",) and not found.is_up_to_date
    assert "hooks/after-all was not run yet behind what is applied: wflo-schema migrate runs it" in status_text(found)
    folder.hook("after-all", "-- nothing")
    assert operations.status(folder.database, read_migrations(folder.path)).is_up_to_date
    folder.hook("after-all", LOG)
    assert operations.plan(folder.database, read_migrations(folder.path)).hooks == ("hooks/after-all",)
    result = folder.migrate()
    assert (result.ids, result.hooks) == ((), ("hooks/after-all",))
    assert folder.migrate().hooks == ()
    assert operations.plan(folder.database, read_migrations(folder.path)).hooks == ()
    assert operations.status(folder.database, read_migrations(folder.path)).is_up_to_date


def test_run_that_failed_half_way_leaves_after_all_to_the_one_that_goes_on(folder: Hooked) -> None:
    folder.hook("before-all", LOG)
    folder.hook("after-all", "INSERT INTO said (what) VALUES ('after all')")
    folder.write("1-a", "SELECT 1")
    second = folder.write("2-b", "SELECT nothing_there")
    folder.fail()
    assert folder.said() == []
    second.unlink()
    assert folder.migrate().hooks == ("hooks/after-all",)
    assert folder.said() == ["after all"]


def test_around_a_non_transactional_file_hooks_have_its_session_and_its_record(folder: Hooked) -> None:
    folder.hook("before-all", f"{LOG} CREATE TABLE a (x int)")
    folder.hook("before-each", "SET work_mem = '3MB'; INSERT INTO said (what) VALUES ('before ' || txid_current())")
    folder.hook("after-each", "INSERT INTO said (what) VALUES ('after ' || current_setting('wflo_schema.migration'))")
    folder.hook("after-all", "INSERT INTO said (what) VALUES ('after all')")
    folder.hook(
        "after-rollback", "INSERT INTO said (what) VALUES ('back ' || current_setting('wflo_schema.migration'))"
    )
    text = "-- transactional: false\nINSERT INTO said (what) SELECT current_setting('work_mem');"
    folder.write("1-a", f"{text} CREATE INDEX CONCURRENTLY i ON a (x)", rollback="DROP INDEX CONCURRENTLY i; SELECT 1")
    folder.migrate()
    before, *rest = folder.said()
    assert before.startswith("before ")
    assert rest == ["3MB", "after 1-a", "after all"]
    folder.roll_back()
    assert folder.said()[-1] == "back 1-a"


def test_after_each_that_fails_leaves_a_non_transactional_file_to_be_recorded(folder: Hooked) -> None:
    folder.hook("after-each", "SELECT 1;\nSELECT nothing_there")
    folder.write("1-a", "-- transactional: false\nCREATE TABLE a (x int); CREATE INDEX CONCURRENTLY i ON a (x)")
    failed = folder.fail()
    assert failed.message.startswith("1-a failed in statement 2 of 2 of hooks/after-each: ")
    assert failed.location is not None
    assert failed.location.line == 2
    assert "all statements of the file were run, and stay" in failed.hint
    assert folder.states()["1-a"].value == "pending"
    folder.hook("after-each", "CREATE TABLE b ()")
    assert folder.migrate().ids == ("1-a",)
    assert folder.rows("SELECT to_regclass('b') IS NULL") == [(False,)]


def test_before_each_that_fails_lets_a_non_transactional_file_not_begin(folder: Hooked) -> None:
    folder.hook("before-each", "SELECT 1;\nSELECT nothing_there")
    folder.write("1-a", "-- transactional: false\nCREATE TABLE a (x int)")
    failed = folder.fail()
    assert failed.message.startswith("1-a failed in statement 2 of 2 of hooks/before-each: ")
    assert folder.rows("SELECT to_regclass('a') IS NULL") == [(True,)]
    folder.hook("before-each", "SELECT 1")
    assert folder.migrate().ids == ("1-a",)


def test_hook_that_changes_the_ledger_is_taken_back(folder: Hooked) -> None:
    folder.write("1-a", "SELECT 1", rollback="SELECT 1")
    folder.write("2-b", "SELECT 1", rollback="SELECT 1")
    folder.migrate(to="1-a")
    for hook in ("before-all", "after-each", "after-all"):
        path = folder.hook(hook, "DELETE FROM _yoyo_migration")
        failed = folder.fail()
        assert "_yoyo_migration" in failed.message
        assert len(folder.rows("SELECT FROM _yoyo_migration")) == (2 if hook == "after-all" else 1)
        path.unlink()
    folder.hook("after-rollback", "DELETE FROM _yoyo_migration")
    with pytest.raises(MigrationFailed, match="changes the ledger itself"):
        folder.roll_back()
    assert len(folder.rows("SELECT FROM _yoyo_migration")) == 2


def test_ledger_that_cannot_be_looked_at_behind_a_hook_is_said_as_it_is(folder: Hooked, role: str) -> None:
    """It is not called changed: that would send the reader after the wrong statement."""
    folder.write("1-a", "SELECT 1")
    for row in folder.rows("SELECT current_schema()"):
        with folder.database.connect() as connection:
            connection.execute(f"GRANT ALL ON SCHEMA {row[0]} TO {role}".encode())
    folder.database = folder.database.with_role(role)
    folder.hook("before-all", "REVOKE ALL ON _yoyo_migration FROM current_user")
    failed = folder.fail()
    assert failed.message == (
        "after hooks/before-all its record in the ledger could not be looked at: "
        "permission denied for table _yoyo_migration"
    )
    assert failed.hint.splitlines()[1:] == ["nothing of the hook was kept; no migration was begun"]


def test_hook_may_read_the_ledger(folder: Hooked) -> None:
    folder.write("1-a", "SELECT 1")
    folder.hook("after-each", "CREATE TABLE seen AS SELECT migration_id FROM _yoyo_migration")
    folder.hook("after-all", "INSERT INTO seen SELECT migration_id FROM _yoyo_migration")
    folder.migrate()
    assert folder.rows("SELECT * FROM seen") == [("1-a",), ("1-a",)]


@pytest.mark.parametrize(
    "text", ["COMMIT", "BEGIN; SELECT 1", "\\i grants.sql", "CREATE INDEX CONCURRENTLY i ON a (x)"]
)
def test_hook_that_could_be_no_migration_is_refused_before_anything_runs(folder: Hooked, text: str) -> None:
    folder.write("1-a", "CREATE TABLE a (x int)")
    folder.hook("after-each", text)
    with pytest.raises(BadMigrationFile, match="hooks/after-each"):
        folder.migrate()
    assert folder.rows("SELECT to_regclass('a') IS NULL") == [(True,)]


def test_hook_of_comments_does_nothing_and_an_empty_one_is_refused(folder: Hooked) -> None:
    folder.write("1-a", "CREATE TABLE a ()")
    folder.hook("before-all", "-- nothing yet\n")
    folder.hook("after-each", "-- nothing yet\n")
    assert folder.migrate().hooks == ()
    folder.write("2-b", "CREATE TABLE b ()")
    folder.hook("after-each", "\n")
    with pytest.raises(BadMigrationFile, match="nothing is written in it yet"):
        folder.migrate()


def test_hook_waits_for_locks_as_a_migration_does(folder: Hooked) -> None:
    folder.write("1-a", "CREATE TABLE locked ()")
    folder.migrate()
    folder.write("2-b", "SELECT 1")
    folder.hook("after-each", "LOCK TABLE locked")
    with folder.database.connect() as other, other.transaction():
        other.execute("LOCK TABLE locked")
        with pytest.raises(LockNotAcquired) as caught:
            folder.migrate(locks=LockOptions(timeout_ms=50, wait_s=0.2))
    assert caught.value.location is not None
    assert caught.value.location.path.endswith("after-each.sql")
    assert folder.migrate().ids == ("2-b",)


def test_run_that_ended_before_its_first_migration_goes_on_although_before_all_made_something(folder: Hooked) -> None:
    folder.hook("before-all", "CREATE TABLE IF NOT EXISTS made ()")
    first = folder.write("1-a", "SELECT nothing_there")
    folder.fail()
    assert folder.rows("SELECT to_regclass('made') IS NULL") == [(False,)]
    first.write_text("SELECT 1")
    assert folder.migrate().ids == ("1-a",)


SLEEPS = "SELECT pg_sleep(60) WHERE EXISTS (SELECT FROM switch WHERE is_on)"


@pytest.mark.parametrize("hook", ["before-all", "before-each", "after-each", "after-all"])
@pytest.mark.parametrize("head", ["", "-- transactional: false\n"], ids=["", "non-transactional"])
def test_killed_in_a_hook_the_next_run_goes_on(folder: Hooked, hook: str, head: str) -> None:
    folder.write("0-switch", f"{LOG} CREATE TABLE switch (is_on boolean); INSERT INTO switch VALUES (TRUE)")
    folder.migrate()
    for name in ("before-all", "before-each", "after-each", "after-all"):
        folder.hook(name, f"INSERT INTO said (what) VALUES ('{name}');{SLEEPS if name == hook else ''}")
    folder.write("1-a", f"{head}INSERT INTO said (what) VALUES ('1')")
    run = subprocess.Popen(
        [sys.executable, "-m", "wflo_schema", "migrate", "--migrations", str(folder.path)],
        env={**os.environ, "DATABASE_URL": folder.database.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: is_running(folder.database, "SELECT pg_sleep"), "the hook sleeps")
    run.send_signal(signal.SIGKILL)
    run.wait()
    folder.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'wflo-schema %'"
    )
    wait_until(lambda: not is_running(folder.database, "SELECT pg_sleep"), "its session has ended")
    stays = {"before-all": [], "before-each": ["before-all"], "after-each": ["before-all"]}
    if head:
        stays["after-each"] = ["before-all", "before-each", "1"]
    everything = ["before-all", "before-each", "1", "after-each", "after-all"]
    assert folder.said() == stays.get(hook, everything[:-1])
    folder.rows("UPDATE switch SET is_on = FALSE RETURNING 1")
    assert folder.migrate().ids == (() if hook == "after-all" else ("1-a",))
    said = folder.said()
    assert [said.count(each) for each in ("1", "after-each", "after-all")] == [1, 1, 1]
    assert said.count("before-each") == (2 if hook == "after-each" and head else 1)
    assert said.count("before-all") == (1 if hook in ("before-all", "after-all") else 2)


def test_runs_at_once_run_each_once_with_its_migration_and_after_all_behind_the_last(folder: Hooked) -> None:
    folder.hook("before-all", LOG)
    folder.hook("after-each", "INSERT INTO said (what) VALUES (current_setting('wflo_schema.migration'))")
    folder.hook("after-all", "INSERT INTO said (what) SELECT 'all ' || count(*) FROM _yoyo_migration")
    ids = [f"{n:02}-x" for n in range(20)]
    for name in ids:
        folder.write(name, "SELECT 1")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: operations.migrate(folder.database, read_migrations(folder.path)), range(4)))
    said = folder.said()
    assert [s for s in said if s in ids] == ids
    assert said[-1] == "all 20"
    assert folder.migrate().hooks == ()


def test_run_that_found_everything_done_by_another_does_not_blame_an_earlier_run(folder: Hooked) -> None:
    folder.hook("before-all", "SELECT 1")
    folder.write("1-a", "SELECT 1")
    done = folder.migrate()
    late = replace(done, done=())  # as where another run was faster, behind the hook
    assert result_text(late) == "nothing was left to do: another run was faster; hooks/before-all was run"


def test_hooks_are_run_where_migrations_are_replayed(folder: Hooked) -> None:
    folder.hook("before-all", "CREATE SCHEMA IF NOT EXISTS tools")
    folder.hook("after-all", "CREATE OR REPLACE VIEW tools.v AS SELECT * FROM public.a")
    folder.write("1-a", "CREATE TABLE public.a (x int)")
    with scratch_database(folder.database) as again:
        operations.migrate(again, read_migrations(folder.path))
        with again.connect() as connection:
            assert connection.execute("SELECT to_regclass('tools.v') IS NULL").fetchone() == (False,)


@pytest.mark.parametrize("name", ["before-all", "after-all", "before-each", "after-each"])
def test_hook_that_reaches_outside_of_a_replay_is_left_out_or_refused(folder: Hooked, name: str) -> None:
    folder.write("1-a", "CREATE TABLE a (x int)")
    hook = folder.hook(name, "ALTER DATABASE postgres SET work_mem = '3MB'")
    with scratch_database(folder.database) as again:
        operations.migrate(again, read_migrations(folder.path), notify=folder.events.append)
    assert [e.id for e in folder.events if isinstance(e, Notice) and e.severity == "LEFT OUT"] == [f"hooks/{name}"]
    hook.write_text("SELECT 1;\nDO $$ BEGIN EXECUTE 'COMMENT ON ' || 'DATABASE postgres IS NULL'; END $$")
    with scratch_database(folder.database) as again, pytest.raises(Refused, match=f"{name}.sql:2"):
        operations.migrate(again, read_migrations(folder.path))


def test_hook_has_variables_and_a_replay_takes_their_recorded_values(folder: Hooked) -> None:
    folder.write("1-a", "CREATE TABLE a (x int)")
    folder.hook("after-each", "-- variables: comment\nCOMMENT ON TABLE a IS :'comment'")
    with pytest.raises(Refused, match="this variable has no value: comment"):
        folder.migrate()
    assert folder.rows("SELECT to_regclass('a') IS NULL") == [(True,)]
    given = read_migrations(folder.path, variables={"comment": "it's mine"})
    operations.migrate(folder.database, given)
    assert folder.rows("SELECT obj_description('a'::regclass)") == [("it's mine",)]
    again = operations.with_recorded_values(folder.database, read_migrations(folder.path))
    assert again.hooks[0].values == {"comment": "it's mine"}


def test_for_repeatable_files_alone_the_hooks_of_a_run_are_run(folder: Hooked) -> None:
    folder.write("1-a", "SELECT 1")
    folder.migrate()
    (folder.path / "repeatable").mkdir()
    (folder.path / "repeatable" / "v.sql").write_text("CREATE VIEW v AS SELECT 1 AS x")
    for name in ("before-each", "after-each"):
        folder.hook(name, "SELECT nothing_there")
    folder.hook("before-all", LOG)
    folder.hook("after-all", "INSERT INTO said (what) SELECT 'after ' || x FROM v")
    files = read_migrations(folder.path)
    assert operations.plan(folder.database, files).hooks == ("hooks/before-all", "hooks/after-all")
    result = folder.migrate()
    assert result.hooks == ("hooks/before-all", "hooks/after-all")
    assert folder.said() == ["after 1"]
    assert folder.migrate().hooks == ()
