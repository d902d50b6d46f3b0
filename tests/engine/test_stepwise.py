"""A non-transactional file that was refused, interrupted, edited or renamed: nothing is done twice or left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.engine.test_faults import is_running, is_waiting, wait_until
from tests.engine.test_operations import Folder, folder
from tests.proxy import Proxy
from wflo_schema.adopt.judge import baseline
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.events import Blocker, Event, Retrying, Waiting
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, State
from wflo_schema.errors import DatabaseError, Interrupted, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations

__all__ = ["folder"]

NT = "-- transactional: false\n"

pytestmark = pytest.mark.spread_over_servers


@contextmanager
def held(database: Database, *statements: str, name: str = "report") -> Iterator[psycopg.Connection]:
    """Another session in the middle of a transaction.  It fails the test that keeps it there for a minute."""
    with database.with_parameters(application_name=name).connect(autocommit=False) as other:
        for statement in ("SET idle_in_transaction_session_timeout = '60s'", *statements):
            other.execute(statement.encode())
        yield other
        other.rollback()


def running_mark(folder: Folder, done: int, running: str) -> None:
    """As a kill in the middle of a statement leaves the record of progress."""
    folder.do(
        f"UPDATE _wflo_schema_progress SET statements_done = {done}, running_statement = $q${running}$q$",
    )


LOADING = """
CREATE TABLE t (a int);
CREATE TABLE busy ();
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; ALTER TABLE busy ADD b int; END $$;
"""


# refused is not interrupted

REFUSED = {
    "an index of that name on another column": (
        "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b)",
        "CREATE INDEX CONCURRENTLY i ON t (a);",
        "already exists",
    ),
    "no such index": ("CREATE TABLE t ()", "DROP INDEX CONCURRENTLY typo;", "does not exist"),
    "not a partition": (
        "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE x (a int)",
        "ALTER TABLE t DETACH PARTITION x CONCURRENTLY;",
        "not a partition",
    ),
    "a database that is there": ("CREATE TABLE t ()", "CREATE DATABASE postgres;", "already exists"),
    "no such database": ("CREATE TABLE t ()", 'DROP DATABASE "no such";', "does not exist"),
    "no such tablespace": ("CREATE TABLE t ()", "DROP TABLESPACE nowhere;", "does not exist"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_statement_that_postgresql_refused_is_refused_again_by_the_next_run(folder: Folder, what: str) -> None:
    first, second, said = REFUSED[what]
    folder.write("1_a", first + ";")
    folder.write("2_b", NT + second)
    for _ in range(3):
        error = folder.fail()
        assert said in error.message and "INVALID" not in error.message
        assert folder.recorded() == ["1_a"]


def test_index_of_a_refused_statement_is_left_alone(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b);")
    folder.write("2_b", NT + "CREATE INDEX CONCURRENTLY i ON t (a);")
    folder.fail()
    folder.fail()
    assert folder.ask("SELECT right(indexdef, 3) = '(b)' FROM pg_indexes WHERE indexname = 'i'") is True
    folder.write("2_b", NT + "CREATE INDEX CONCURRENTLY j ON t (a);")
    assert folder.migrate().ids == ("2_b",) and folder.has("i") and folder.has("j")


COMPLETED = {
    "index": ("CREATE TABLE t (a int)", "CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX i ON t (a)"),
    "dropped index": (
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "DROP INDEX i",
    ),
    "detached": (
        "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE x PARTITION OF t FOR VALUES IN (1)",
        "ALTER TABLE t DETACH PARTITION x CONCURRENTLY",
        "ALTER TABLE t DETACH PARTITION x",
    ),
}


@pytest.mark.parametrize("what", COMPLETED)
def test_statement_that_was_completed_when_its_run_was_killed_is_not_done_again(folder: Folder, what: str) -> None:
    first, second, by_hand = COMPLETED[what]
    folder.write("1_a", first + ";")
    folder.migrate()
    folder.write("2_b", f"{NT}SELECT 1; {second}; SELECT 1 / 0;")
    folder.do(f"BEGIN; {by_hand}; ROLLBACK")  # it could be done
    folder.fail()  # at statement 3
    running_mark(folder, 1, second)
    sums = read_migrations(folder.path).resolve("2_b")
    folder.do(f"UPDATE _wflo_schema_progress SET done_checksum = '{checksum(folder, 1)}'")
    assert sums.id == "2_b"
    folder.write("2_b", f"{NT}SELECT 1; {second}; SELECT 1;")
    folder.migrate()
    assert any("was complete when" in message for message in folder.repairs())
    assert folder.recorded() == ["1_a", "2_b"]


def checksum(folder: Folder, done: int) -> str:
    """That of the first statements of 2_b."""
    from wflo_schema.engine.ledger import done_checksums
    from wflo_schema.files.folder import load_script

    return done_checksums(load_script(read_migrations(folder.path).resolve("2_b")).statements)[done]


def test_index_dropped_by_a_killed_run_is_not_looked_for_further_along_the_search_path(folder: Folder) -> None:
    folder.write("1_a", "CREATE SCHEMA app; CREATE TABLE app.t (a int); CREATE TABLE public.t (a int);")
    folder.write("2_b", "CREATE INDEX i ON app.t (a); CREATE INDEX i ON public.t (a);")
    folder.write("3_c", NT + "SET search_path = app, public; DROP INDEX CONCURRENTLY i;")
    folder.migrate(to="2_b")
    failures: list[Exception] = []

    def run() -> None:
        try:
            folder.migrate()
        except DatabaseError as error:
            failures.append(error)

    def is_dropping() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DROP INDEX%%' AND wait_event_type = 'Lock'"
        return bool(folder.ask(query + " AND datname = current_database()"))

    with held(folder.database, "LOCK TABLE app.t IN ACCESS SHARE MODE") as reader:
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(is_dropping, "the statement")
        with held(folder.database, "LOCK TABLE _wflo_schema_progress IN SHARE MODE"):
            reader.rollback()
            wait_until(lambda: not folder.has("app.i"), "the end of the statement")
            wait_until(lambda: not is_dropping(), "its record")
            folder.do(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'wflo-schema %' "
                "AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            thread.join()
    assert failures and folder.migrate().ids == ("3_c",)
    assert any("was complete when" in message for message in folder.repairs())
    assert folder.has("public.i") and not folder.has("app.i")


def test_partition_is_detached_once_its_reader_has_left(folder: Folder) -> None:
    folder.write(
        "1_a", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE x PARTITION OF t FOR VALUES IN (1);"
    )
    folder.migrate()
    folder.write("2_b", NT + "ALTER TABLE t DETACH PARTITION x CONCURRENTLY;")
    with held(folder.database, "SELECT * FROM t") as reader:
        error = folder.fail(locks=LockOptions(timeout_ms=100, wait_s=1.0))
        assert "did not get a lock" in error.message and "report" in error.message
        migrating = threading.Thread(target=folder.migrate)
        migrating.start()
        wait_until(lambda: is_waiting(folder.database), "the migration")
        reader.rollback()
        migrating.join()
    assert folder.recorded() == ["1_a", "2_b"]
    assert folder.ask("SELECT count(*) FROM pg_inherits") == 0


def test_record_of_a_statement_that_has_run_is_tried_again_while_it_is_locked(folder: Folder) -> None:
    folder.write("1_a", LOADING + "DROP TABLE busy; CREATE TABLE busy ();")
    folder.write("2_b", NT + "SELECT 1;")
    folder.migrate()
    folder.write("3_c", NT + "SELECT 1; CALL p();")
    waits_for_record = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '_wflo_schema_progress'::regclass"
    )
    with held(folder.database, "LOCK TABLE busy") as writer:
        thread = threading.Thread(target=folder.migrate, kwargs={"locks": LockOptions(timeout_ms=300_000)})
        thread.start()
        wait_until(lambda: bool(folder.ask("SELECT count(*) FROM t")), "the procedure's first commit")
        with held(folder.database, "LOCK TABLE _wflo_schema_progress IN SHARE MODE"):
            writer.rollback()
            wait_until(lambda: folder.ask(waits_for_record), "the record")
        thread.join()
    assert folder.recorded() == ["1_a", "2_b", "3_c"] and folder.ask("SELECT count(*) FROM t") == 1


def test_statement_that_is_refused_at_its_first_commit_has_done_nothing(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE t (a int);")
    body = "BEGIN INSERT INTO t VALUES (1); COMMIT; END"
    folder.write("2_b", f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS '{body}';")
    folder.migrate()
    folder.write("3_c", NT + "SELECT f();")
    assert "it goes on with statement 1" in folder.fail().hint
    folder.write("3_c", NT + "INSERT INTO t VALUES (2);")
    assert folder.migrate().ids == ("3_c",) and folder.ask("SELECT count(*) FROM t") == 1


# what commits by itself


def test_procedure_that_commits_is_not_run_again_by_itself(folder: Folder) -> None:
    folder.write("1_a", LOADING)
    folder.migrate()
    folder.write("2_b", NT + "CALL p();")
    with held(folder.database, "LOCK TABLE busy IN ACCESS SHARE MODE"):
        error = folder.fail(locks=LockOptions(timeout_ms=100, wait_s=3.0))
    assert "commits by itself" in error.message and folder.ask("SELECT count(*) FROM t") == 1
    assert not [e for e in folder.events if isinstance(e, Retrying)]
    with pytest.raises(Refused) as refused:
        folder.migrate()
    assert "cannot be known" in refused.value.message and folder.ask("SELECT count(*) FROM t") == 1
    again, _, after = refused.value.hint.partition("; or, to go on after it: ")
    folder.do(after)
    folder.do("ALTER TABLE busy ADD b int")
    assert folder.migrate().ids == ("2_b",) and folder.ask("SELECT count(*) FROM t") == 1
    assert "to run it again from its beginning: UPDATE" in again


def test_procedure_that_commits_can_be_run_again_when_a_person_says_so(folder: Folder) -> None:
    folder.write("1_a", LOADING)
    folder.migrate()
    folder.write("2_b", NT + "CALL p();")
    with held(folder.database, "LOCK TABLE busy IN ACCESS SHARE MODE"):
        error = folder.fail(locks=LockOptions(timeout_ms=100))
    again = error.hint.partition("to run it again from its beginning: ")[2].partition("; or, ")[0]
    folder.do(again)
    assert folder.migrate().ids == ("2_b",) and folder.ask("SELECT count(*) FROM t") == 2


def test_block_that_commits_and_was_cut_off_is_not_run_again(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE t (a int);")
    folder.migrate()
    block = "DO $$ BEGIN INSERT INTO t VALUES (1); COMMIT; PERFORM pg_sleep(300); END $$"
    folder.write("2_b", f"{NT}{block};")

    def cut() -> None:
        while not folder.ask("SELECT to_regclass('t') IS NOT NULL AND EXISTS (SELECT FROM t)"):
            time.sleep(0.05)
        folder.do(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'DO %'"
        )

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(DatabaseError) as lost:
        folder.migrate()
    thread.join()
    assert "as a whole" not in lost.value.hint and "stay" in lost.value.hint
    assert "commits by itself" in folder.refuse().message
    assert folder.ask("SELECT count(*) FROM t") == 1


def test_block_that_commits_and_was_cancelled_by_a_signal_says_so(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE t (a int);")
    folder.migrate()
    folder.write("2_b", NT + "SELECT 1; DO $$ BEGIN INSERT INTO t VALUES (1); COMMIT; PERFORM pg_sleep(300); END $$;")
    stop = Stop()

    def interrupt() -> None:
        while not folder.ask("SELECT count(*) FROM t"):
            time.sleep(0.05)
        stop.request(2)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted) as caught:
        folder.migrate(stop=stop)
    thread.join()
    assert "what it had committed by then stays" in caught.value.message
    folder.write("2_b", NT + "SELECT 1;")  # with nothing to go on after
    error = folder.refuse()
    assert "cannot be known" in error.message and "statements_done" not in error.hint


# half done, and then something else happens


def half_done(folder: Folder, *, rollback: str | None = None) -> None:
    folder.write("1_a", "CREATE TABLE t (a int);", rollback="DROP TABLE t;")
    folder.write("2_b", NT + "INSERT INTO t VALUES (1); SELECT 1 / 0;", rollback=rollback)
    folder.fail()


def test_half_done_migration_whose_file_became_transactional_is_not_run_anew(folder: Folder) -> None:
    half_done(folder)
    folder.write("2_b", "INSERT INTO t VALUES (1); SELECT 1;")
    error = folder.refuse()
    assert "is transactional now" in error.message and error.case == Allow.HALF_DONE
    assert folder.ask("SELECT count(*) FROM t") == 1
    folder.migrate(allow=[Allow.HALF_DONE])
    assert folder.ask("SELECT count(*) FROM _wflo_schema_progress") == 0


@pytest.mark.parametrize("way", ["renamed", "deleted"])
def test_half_done_migration_whose_file_is_gone_stops_the_run(folder: Folder, way: str) -> None:
    half_done(folder)
    (folder.path / "2_b.sql").rename(folder.path / ("2_c.sql" if way == "renamed" else "2_b.txt"))
    error = folder.refuse()
    assert "2_b was interrupted after 1 statement, and its file is gone" in error.message
    assert operations.plan(folder.database, read_migrations(folder.path)).refusals[0][0] == Allow.HALF_DONE
    assert [h.id for h in folder.status().half_done] == ["2_b"]
    folder.do(error.hint.partition(", then ")[2].partition("; to go on")[0], "TRUNCATE t")
    if way == "renamed":
        folder.write("2_c", NT + "INSERT INTO t VALUES (1); SELECT 1;")
    folder.migrate()
    assert folder.ask("SELECT count(*) FROM t") == (1 if way == "renamed" else 0)


def test_rollback_does_not_take_away_what_a_half_done_migration_stands_on(folder: Folder) -> None:
    half_done(folder)
    for options in ({}, {"only": "1_a"}, {"count": 5}):
        with pytest.raises(Refused) as refused:
            folder.roll_back(**options)
        assert "2_b is half applied (1 statement)" in refused.value.message
    assert folder.has("t")
    folder.write("2_b", NT + "INSERT INTO t VALUES (1); SELECT 1;", rollback="DELETE FROM t;")
    folder.migrate()
    assert folder.roll_back(count=2).ids == ("2_b", "1_a")


def test_half_rolled_back_migration_is_not_nothing_to_do(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);")
    folder.write(
        "2_b", NT + "INSERT INTO t VALUES (2);", rollback=NT + "DELETE FROM t WHERE a = 2; SELECT 1 / 0; SELECT 1;"
    )
    folder.migrate()
    with pytest.raises(MigrationFailed):
        folder.roll_back()
    assert "2_b is half rolled back: its rollback was interrupted after 1 statement" in folder.refuse().message
    found = check_database(folder.database, None, migrations=read_migrations(folder.path), only=["ledger"])
    assert found.exit_code == 1 and [f.code for f in found.findings] == ["ledger-half-done"]
    (entry,) = [e for e in folder.status().entries if e.id == "2_b"]
    assert (entry.interrupted, entry.statements_done) == ("rollback", 1)
    (folder.path / "2_b.rollback.sql").write_text(NT + "DELETE FROM t WHERE a = 2; SELECT 1;")
    assert folder.roll_back().ids == ("2_b",)
    assert folder.migrate().ids == ("2_b",)


def test_half_rolled_back_migration_that_became_transactional_is_not_rolled_back_twice(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE t (a int); INSERT INTO t VALUES (10);")
    folder.write("2_b", NT + "UPDATE t SET a = a + 1;", rollback=NT + "UPDATE t SET a = a - 1; SELECT 1 / 0;")
    folder.migrate()
    with pytest.raises(MigrationFailed):
        folder.roll_back()
    folder.write("2_b", "UPDATE t SET a = a + 1;", rollback="UPDATE t SET a = a - 1; SELECT 1;")
    with pytest.raises(Refused, match="is transactional now"):
        folder.roll_back()
    assert folder.ask("SELECT a FROM t") == 10
    folder.write("2_b", NT + "UPDATE t SET a = a + 1;", rollback=NT + "UPDATE t SET a = a - 1; SELECT 1;")
    assert folder.roll_back().ids == ("2_b",) and folder.ask("SELECT a FROM t") == 10


def test_baseline_of_a_half_done_migration_forgets_that_it_was_half_done(folder: Folder) -> None:
    half_done(folder, rollback="DELETE FROM t;")
    operations.baseline(folder.database, read_migrations(folder.path), ["2_b"])
    assert folder.status().half_done == () and folder.status().entries[1].statements_done is None
    assert folder.roll_back().ids == ("2_b",)


# the session of a run that goes on


def test_setting_by_set_config_is_given_again_to_the_run_that_goes_on(folder: Folder) -> None:
    text = "CREATE SCHEMA app; SELECT pg_catalog.set_config('search_path', 'app', false); SELECT 1{}; CREATE TABLE b ()"
    folder.write("1_a", NT + text.format(" / 0"))
    folder.fail()
    folder.write("1_a", NT + text.format(""))
    folder.migrate()
    assert folder.has("app.b") and not folder.has("public.b")


GONE = {
    "temporary table": ("CREATE TEMP TABLE x AS SELECT 1 AS a", "CREATE TABLE y AS SELECT * FROM x"),
    "prepared statement": ("PREPARE x AS SELECT 1", "EXECUTE x"),
    "setting in a block": (
        "DO $$ BEGIN PERFORM set_config('search_path', 'pg_temp', false); END $$",
        "CREATE TABLE y ()",
    ),
}


@pytest.mark.parametrize("what", GONE)
def test_what_went_with_its_session_is_not_gone_on_without(folder: Folder, what: str) -> None:
    makes, uses = GONE[what]
    folder.write("1_a", f"{NT}{makes}; SELECT 1 / 0; {uses};")
    folder.fail()
    folder.write("1_a", f"{NT}{makes}; SELECT 1; {uses};")
    error = folder.refuse()
    assert "statement 1 made or set" in error.message and "is gone with its session" in error.message
    folder.do(error.hint.partition(", then ")[2])
    assert folder.migrate().ids == ("1_a",)


# errors that name the right thing


def test_deferred_constraint_of_a_non_transactional_file_is_the_statements_failure(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE c (a int);")
    folder.write("2_b", "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES a DEFERRABLE INITIALLY DEFERRED;")
    folder.write("3_c", NT + "SELECT 1;\nINSERT INTO c VALUES (7);")
    error = folder.fail()
    assert "3_c failed in statement 2 of 2, at its COMMIT" in error.message
    assert error.location is not None and error.location.line == 3
    assert "ledger" not in error.message and not folder.ask("SELECT count(*) FROM c")


def test_read_only_transaction_of_a_file_is_not_blamed_on_the_ledger(folder: Folder) -> None:
    folder.write("1_a", NT + "SET TRANSACTION READ ONLY;")
    assert "failed in statement 1 of 1" in folder.fail().message


def test_database_that_is_renamed_is_recorded_with_its_renaming(folder: Folder) -> None:
    name = f"renamed_{folder.database.name}"
    folder.do(f"CREATE DATABASE {name}")
    try:
        folder.write("1_a", f"{NT}ALTER DATABASE {name} RENAME TO {name}_2; SELECT 1;")
        folder.migrate()
        query = "SELECT xmin::text = (SELECT xmin::text FROM pg_database WHERE datname = %s) FROM _wflo_schema_progress"
        assert folder.ask(query, f"{name}_2") is None  # no row is left
        assert folder.recorded() == ["1_a"]
    finally:
        folder.do(f"DROP DATABASE IF EXISTS {name}", f"DROP DATABASE IF EXISTS {name}_2")


# locks on the ledger


@pytest.mark.parametrize("mode", ["SHARE", "ACCESS EXCLUSIVE"])
def test_locked_ledger_ends_the_run_within_its_time_and_names_who_locks_it(folder: Folder, mode: str) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    folder.write("2_b", "CREATE TABLE b ();")
    folder.write("3_c", NT + "CREATE TABLE c ();")
    with held(folder.database, f"LOCK TABLE _yoyo_migration IN {mode} MODE"):
        with pytest.raises(DatabaseError) as caught:
            folder.migrate(locks=LockOptions(wait_s=1.0))
    assert "the ledger in schema public was locked" in caught.value.message and "report" in caught.value.message
    assert any(isinstance(e, Waiting) for e in folder.events)
    assert folder.migrate().ids == ("2_b", "3_c")


def test_locked_ledger_of_a_status_is_told_and_not_waited_for(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    with held(folder.database, "LOCK TABLE _yoyo_migration"):
        with pytest.raises(DatabaseError) as caught:
            folder.status()
        assert caught.value.sqlstate == "55P03" and "report" in caught.value.message
        with pytest.raises(DatabaseError):
            operations.plan(folder.database, read_migrations(folder.path))


def test_who_locks_the_ledger_of_a_status_is_told_however_slow_the_network(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    with (
        Proxy("127.0.0.1", int(folder.database.parameters["port"]), delay_s=0.06) as slow,
        held(folder.database, "LOCK TABLE _yoyo_migration"),
        pytest.raises(DatabaseError, match="report"),
    ):
        there = folder.database.with_parameters(port=str(slow.port))
        operations.status(there, read_migrations(folder.path), lock_timeout_ms=400)


def test_locked_catalog_of_a_status_is_not_waited_for(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    with held(folder.database, "LOCK TABLE pg_catalog.pg_attribute"):
        with pytest.raises(DatabaseError):
            folder.status()


def test_colleague_at_a_long_migration_is_waited_for_beyond_the_time_for_locks(folder: Folder) -> None:
    until_told = "WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'told') LOOP PERFORM pg_sleep(0.05); END LOOP"
    folder.write("1_a", f"CREATE TABLE a (); DO $$ BEGIN {until_told}; END $$;")
    results: list[tuple[str, ...]] = []
    blockers: list[Blocker] = []
    ending = threading.Timer(2.0, folder.do, ("CREATE TABLE told ()",))  # twice the time for locks

    def notify(event: Event) -> None:
        if isinstance(event, Waiting) and event.blockers:
            if not blockers:
                ending.start()
            blockers.extend(event.blockers)

    one = threading.Thread(target=lambda: results.append(folder.migrate().ids))
    one.start()
    wait_until(lambda: is_running(folder.database, "told"), "the first run")
    locks = LockOptions(wait_s=1.0)
    results.append(operations.migrate(folder.database, read_migrations(folder.path), notify=notify, locks=locks).ids)
    one.join()
    ending.join()
    assert sorted(results) == [(), ("1_a",)]
    assert blockers and all(b.is_colleague for b in blockers)


# settings that a file puts back


@pytest.mark.parametrize("head", ["", NT])
@pytest.mark.parametrize(
    "reset",
    ["RESET ALL", "SELECT set_config('lock_timeout', '0', false)", "RESET lock_timeout", "SET lock_timeout = 0"],
)
def test_file_cannot_switch_off_the_lock_timeout_that_was_asked_for(folder: Folder, head: str, reset: str) -> None:
    folder.write("1_a", "CREATE TABLE busy ();")
    folder.migrate()
    folder.write("2_b", f"{head}{reset}; ALTER TABLE busy ADD b int;")
    with held(folder.database, "LOCK TABLE busy IN ACCESS SHARE MODE"):
        error = folder.fail(locks=LockOptions(timeout_ms=200, wait_s=1.0))
    assert "did not get a lock" in error.message
    assert "in statement 2" in error.message or error.statement.startswith("ALTER")


@pytest.mark.parametrize("head", ["", NT])
@pytest.mark.parametrize(
    "reset",
    [
        "RESET ALL",
        "RESET search_path",
        "SET search_path /**/ TO /* d */ DEFAULT -- c\n",
        "SELECT set_config('search_path', NULL, false)",
    ],
)
def test_reset_in_a_file_goes_back_to_the_schema_of_the_target(folder: Folder, head: str, reset: str) -> None:
    target = folder.database.with_schema("app")
    folder.write("1_a", f"{head}CREATE SCHEMA o; SET search_path = o; CREATE TABLE x (); {reset}; CREATE TABLE y ();")
    folder.migrate(database=target, create_schema=True)
    assert folder.has("o.x") and folder.has("app.y") and not folder.has("public.y")


def test_backslash_is_no_escape_even_where_the_role_is_configured_so(folder: Folder) -> None:
    folder.do(f"ALTER DATABASE {folder.database.name} SET standard_conforming_strings = off")
    folder.write("1_a", r"CREATE TABLE a (x text DEFAULT 'a\'); CREATE TABLE b (y text DEFAULT '; b');")
    assert folder.migrate().done[0].statements == 2
    folder.write("2_b", r"SET standard_conforming_strings = off; SELECT 'a\'; b';")
    with pytest.raises(Exception, match="standard_conforming_strings off") as caught:
        folder.migrate()
    assert "E'…'" in caught.value.hint  # type: ignore[attr-defined]


@pytest.mark.parametrize("head", ["", NT])
@pytest.mark.parametrize("reset", ["RESET ALL", "RESET standard_conforming_strings"])
def test_reset_makes_no_escape_of_a_backslash(folder: Folder, head: str, reset: str) -> None:
    folder.do(f"ALTER DATABASE {folder.database.name} SET standard_conforming_strings = off")
    folder.write("1_a", rf"{head}{reset}; CREATE TABLE a AS SELECT length('a\\b') AS n;")
    folder.migrate()
    assert folder.ask("SELECT n FROM a") == 4


def test_reset_makes_no_later_statement_read_only(folder: Folder) -> None:
    folder.do(f"ALTER DATABASE {folder.database.name} SET default_transaction_read_only = on")
    folder.write("1_a", NT + "CREATE TABLE t (a int); RESET ALL; SELECT 1; CREATE INDEX CONCURRENTLY j ON t (a);")
    assert folder.migrate().ids == ("1_a",)


def test_word_in_a_comment_does_not_keep_a_run_from_going_on(folder: Folder) -> None:
    text = "CREATE TABLE t (); COMMENT ON TABLE t IS 'see set_config()'; SELECT 1{};"
    folder.write("1_a", NT + text.format(" / 0"))
    folder.fail()
    folder.write("1_a", NT + text.format(""))
    assert folder.migrate().ids == ("1_a",)


def test_role_that_row_level_security_hides_rows_from_is_told_so(folder: Folder) -> None:
    from wflo_schema.errors import CannotRead

    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    name = f"hidden_{folder.database.name}"
    folder.do(
        f"CREATE ROLE {name} LOGIN",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}",
        "ALTER TABLE _yoyo_migration ENABLE ROW LEVEL SECURITY",
    )
    try:
        with pytest.raises(CannotRead, match="row-level security"):
            operations.status(folder.database.with_parameters(user=name), read_migrations(folder.path))
        with pytest.raises(CannotRead, match="row-level security"):
            operations.plan(folder.database.with_parameters(user=name), read_migrations(folder.path))
    finally:
        folder.do(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_function_that_takes_the_ledger_away_is_rolled_back(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    folder.do(
        "CREATE SCHEMA code",
        "CREATE FUNCTION code.f() RETURNS void LANGUAGE sql AS 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'",
    )
    folder.write("2_b", "SELECT code.f();")
    error = folder.fail()
    assert "takes away the ledger" in error.message and folder.recorded() == ["1_a"] and folder.has("a")


def test_statement_that_changes_the_record_of_progress_is_named(folder: Folder) -> None:
    path = folder.write("0001_a", NT + "CREATE TABLE a ();\nDELETE FROM _wflo_schema_progress;\nCREATE TABLE b ();\n")
    for _ in range(2):
        error = folder.fail()
        assert error.message.startswith("0001_a changes the ledger's record of how far it has come")
        assert error.location is not None
        assert error.location.line == 3
    assert folder.ask("SELECT to_regclass('b') IS NULL")
    path.write_text(NT + "CREATE TABLE a ();\nCREATE TABLE b ();\n")
    folder.migrate()
    assert folder.states() == {"0001_a": State.APPLIED}


@pytest.mark.parametrize("has_backup", [True, False])
@pytest.mark.parametrize("last", ["SELECT 1;", "CREATE INDEX CONCURRENTLY x ON b (i);"])
def test_file_that_drops_the_ledger_is_told_what_stays_and_what_to_do(
    folder: Folder, last: str, has_backup: bool
) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    folder.do("CREATE TABLE kept AS TABLE _yoyo_migration")
    path = folder.write("2_b", f"{NT}CREATE TABLE b (i int);\nDROP TABLE _yoyo_migration;\n{last}")
    error = folder.fail()
    assert "2_b takes away the ledger" in error.message
    assert error.message.endswith("all of its statements were run, and stay")
    if has_backup:
        assert "bring the ledger's tables back as they were, from a backup, and run it again" in error.hint
        folder.do(
            "CREATE TABLE _yoyo_migration (LIKE kept, PRIMARY KEY (migration_hash))",
            "INSERT INTO _yoyo_migration SELECT * FROM kept",
        )
        assert folder.migrate().ids == ("2_b",)
    else:
        assert "wflo-schema baseline --to 2_b --unverified" in error.hint
        path.write_text(NT + "CREATE TABLE b (i int);\n")
        baseline(folder.database, read_migrations(folder.path), "2_b", verified=False)
    assert folder.states() == {"1_a": State.APPLIED, "2_b": State.APPLIED}
    assert folder.migrate().ids == ()


def test_plan_refuses_the_file_that_migrate_would_refuse(folder: Folder) -> None:
    folder.write("1_a", NT + "CREATE INDEX CONCURRENTLY ON t (a);")
    with pytest.raises(Exception, match="without a name"):
        operations.plan(folder.database, read_migrations(folder.path))


def test_rollback_makes_what_is_missing_of_the_ledger(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();", rollback="DROP TABLE a;")
    folder.migrate()
    folder.do("DROP TABLE _yoyo_log")
    assert folder.roll_back().ids == ("1_a",)


def test_empty_id_is_no_id(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();", rollback="DROP TABLE a;")
    folder.migrate()
    for options in ({"only": ""}, {"to": ""}):
        with pytest.raises(Exception, match="the id is empty"):
            folder.roll_back(**options)
    assert folder.has("a")


def test_timeout_longer_than_postgresql_can_wait_is_refused_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("-- lock-timeout: 9999999h\nSELECT 1;\n")
    with pytest.raises(Exception, match=r"1_a\.sql: .*24 days"):
        read_migrations(tmp_path)


def test_session_that_may_not_idle_survives_long_reading_of_files(folder: Folder) -> None:
    for number in range(2):
        folder.write(f"{number}_m", "SELECT 1;\n" * 12_000)
    folder.do(f"ALTER DATABASE {folder.database.name} SET idle_session_timeout = '10ms'")
    assert len(folder.migrate().ids) == 2


# where the ledger is


def test_view_of_the_ledgers_name_is_no_ledger(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    folder.do("ALTER TABLE _yoyo_migration RENAME TO kept", "CREATE VIEW _yoyo_migration AS SELECT * FROM kept")
    assert "is not a table" in folder.refuse().message


def test_operators_in_front_of_the_search_path_do_not_hide_the_ledger(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    types = ("text, text", "name, text", "name, name", "oid, oid", "varchar, varchar", '"char", "char"')
    folder.do(
        "CREATE SCHEMA evil",
        *(
            f"CREATE FUNCTION evil.no({pair}) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT FALSE'"
            for pair in types
        ),
        *(
            f"CREATE OPERATOR evil.= (LEFTARG = {pair.split(', ')[0]}, RIGHTARG = {pair.split(', ')[1]}, "
            "FUNCTION = evil.no)"
            for pair in types
        ),
        f"ALTER DATABASE {folder.database.name} SET search_path = evil, pg_catalog, public",
    )
    assert [e.id for e in folder.status().applied] == ["1_a"]
