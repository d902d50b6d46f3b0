"""What keeps others waiting for too long is stopped and rolled back, and nothing else is."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import RunningServer, start_server, stop_server
from tests.engine.test_faults import do, is_running, is_waiting, needs_pgbouncer, one, pgbouncer, start_cli, wait_until
from tests.engine.test_operations import Folder, holding, role
from tests.proxy import Proxy
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations, seeding
from wflo_schema.engine.behind import Behind
from wflo_schema.engine.events import Notice, Result, Retrying
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import ConnectionLost, DatabaseError, Interrupted, MigrationFailed, WfloSchemaError
from wflo_schema.files.folder import read_migrations
from wflo_schema.files.seeds import read_seeds

pytestmark = pytest.mark.spread_over_servers

# Nobody waits so long: a test that is not stopped fails by its own bounds.
SLEEP = "SELECT pg_sleep(600)"
SHORT = LockOptions(block_timeout_ms=300)


class Client:
    """Another session, an application's, that runs one statement."""

    def __init__(self, database: Database, statement: str) -> None:
        self._database = database
        self._connection = database.with_parameters(application_name="shop").connect()
        self.pid = self._connection.info.backend_pid
        self.errors: list[psycopg.Error] = []
        self._thread = threading.Thread(target=self._run, args=(statement,))
        self._thread.start()

    def _run(self, statement: str) -> None:
        try:
            self._connection.execute(statement.encode())
        except psycopg.Error as error:
            self.errors.append(error)

    def wait_behind_us(self, for_ms: int = 0) -> None:
        query = """
            SELECT count(*) FROM pg_stat_activity AS m, pg_locks AS l
            WHERE l.pid = %s AND NOT l.granted AND l.waitstart <= clock_timestamp() - make_interval(secs => %s / 1000.0)
                AND m.application_name LIKE 'wflo-schema %%' AND m.pid = ANY (pg_blocking_pids(l.pid))
        """
        wait_until(lambda: one(self._database, query, self.pid, for_ms)[0], "the client to wait behind us")

    @property
    def is_through(self) -> bool:
        return not self._thread.is_alive() and not self.errors

    def end(self) -> None:
        self._thread.join(90)
        assert not self._thread.is_alive(), "the client is not let through"
        self._connection.close()


@contextlib.contextmanager
def client(database: Database, statement: str = "INSERT INTO t VALUES (7)") -> Iterator[Client]:
    it = Client(database, statement)
    try:
        yield it
    finally:
        it.end()


class Migrating:
    """A thread of ours at work, and what becomes of it."""

    def __init__(self, work: Any) -> None:
        self.results: list[Any] = []
        self.errors: list[WfloSchemaError] = []
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.results.append(self._work())
        except WfloSchemaError as error:
            self.errors.append(error)

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> None:
        self._thread.join(90)
        assert self.is_over, "it does not end"

    def failed(self) -> MigrationFailed:
        self.end()
        assert len(self.errors) == 1, self.results
        assert isinstance(self.errors[0], MigrationFailed), self.errors
        return self.errors[0]

    def result(self) -> Result:
        self.end()
        assert not self.errors, self.errors[0].message
        assert isinstance(self.results[0], Result)
        return self.results[0]


@pytest.fixture
def table(tmp_path: Path, database: Database) -> Folder:
    """A folder whose first migration, a table with three rows, is applied."""
    (tmp_path / "migrations").mkdir()
    folder = Folder(tmp_path / "migrations", database)
    folder.write("1_a", "CREATE TABLE t (id int);\nINSERT INTO t VALUES (1), (2), (3);", rollback="DROP TABLE t;")
    folder.migrate()
    folder.events.clear()
    return folder


def stopped_by(
    table: Folder, statement: str = "INSERT INTO t VALUES (7)", slow: str = "pg_sleep", **options: Any
) -> MigrationFailed:
    """Migrate; once it is slow, have a client wait behind it; the error, once the client is through."""
    run = Migrating(lambda: table.migrate(**{"locks": SHORT, **options}))
    wait_until(lambda: is_running(table.database, slow) or run.is_over, "the slow statement")
    with client(table.database, statement) as it:
        error = run.failed()
    assert it.is_through, it.errors
    assert error.sqlstate == "57014" and f"pid {it.pid} (postgres, shop) has waited" in error.message, error.message
    return error


def finished_before(table: Folder, statement: str = "INSERT INTO t VALUES (7)", **options: Any) -> Result:
    """Migrate; once it sleeps, have a client wait behind it; what was done all the same."""
    run = Migrating(lambda: table.migrate(**{"locks": SHORT, **options}))
    wait_until(lambda: is_running(table.database, "pg_sleep") or run.is_over, "the slow statement")
    with client(table.database, statement) as it:
        result = run.result()
    assert it.is_through, it.errors
    return result


# what is stopped


def test_statement_that_keeps_a_writer_waiting_is_stopped_and_nothing_is_kept(table: Folder) -> None:
    table.write("2_b", f"CREATE TABLE b (id int);\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};\nCREATE TABLE c (id int);")
    table.write("3_c", "CREATE TABLE d (id int);")
    error = stopped_by(table)
    assert error.location is not None and error.location.line == 3 and error.source_line == f"{SLEEP};"
    assert error.message.startswith("2_b failed in statement 3 of 4: stopped after ")
    assert "for t (ROW EXCLUSIVE) behind it, and the block timeout is 300 ms" in error.message
    assert "INSERT INTO t VALUES (7)" in error.detail
    assert "an earlier one has locked t" in error.hint and "-- block-timeout: 30s" in error.hint
    assert error.hint.endswith("nothing of this migration was kept")
    assert (error.exit_code, error.code, error.not_tried) == (3, "migration-failed", ("3_c",))
    assert table.recorded() == ["1_a"] and not table.has("b") and not table.has("d")
    assert not [e for e in table.events if isinstance(e, Retrying)]


@pytest.mark.parametrize(
    ("first", "statement"),
    [
        ("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "SELECT FROM t"),
        ("UPDATE t SET id = id", "UPDATE t SET id = 9 WHERE id = 1"),
        ("UPDATE t SET id = id", "ALTER TABLE t ADD COLUMN x int"),
        ("SELECT FROM t", "TRUNCATE t"),
        ("SELECT pg_advisory_xact_lock(5)", "SELECT pg_advisory_xact_lock(5)"),
    ],
)
def test_whoever_waits_for_whatever_it_holds_counts(table: Folder, first: str, statement: str) -> None:
    table.write("2_b", f"{first};\n{SLEEP};")
    stopped_by(table, statement)
    assert table.recorded() == ["1_a"]


def test_what_waits_for_the_commit_counts(table: Folder) -> None:
    table.write(
        "2_b",
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';\n"
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION slow();\nINSERT INTO t VALUES (4);",
    )
    run = Migrating(lambda: table.migrate(locks=SHORT))
    wait_until(lambda: is_running(table.database, "SET CONSTRAINTS"), "the deferred trigger")
    with client(table.database):
        error = run.failed()
    assert "at COMMIT (a deferred constraint or trigger)" in error.message
    assert table.recorded() == ["1_a"] and table.ask("SELECT count(*) FROM t") == 4


def test_many_short_statements_in_one_transaction_count_together(table: Folder) -> None:
    table.write("2_b", "LOCK TABLE t IN SHARE MODE;\n" + "SELECT pg_sleep(0.05);\n" * 2_000)
    error = stopped_by(table)
    assert error.location is not None and error.location.line > 2
    assert table.recorded() == ["1_a"]


@pytest.mark.parametrize("kind", ["before-all", "before-each", "after-each", "after-all"])
def test_hook_is_stopped(table: Folder, kind: str) -> None:
    (table.path / "hooks").mkdir()
    (table.path / "hooks" / f"{kind}.sql").write_text(f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    table.write("2_b", "CREATE TABLE b (id int);")
    error = stopped_by(table)
    assert error.location is not None and error.location.path.endswith(f"{kind}.sql") and error.location.line == 2
    assert table.recorded() == (["1_a", "2_b"] if kind == "after-all" else ["1_a"])


@pytest.mark.parametrize("many", [1, 6])
def test_repeatable_file_is_stopped(table: Folder, many: int) -> None:
    (table.path / "repeatable").mkdir()
    for n in range(many):
        (table.path / "repeatable" / f"v{n}.sql").write_text(f"CREATE OR REPLACE VIEW v{n} AS SELECT {n} AS n;")
    (table.path / "repeatable" / "w.sql").write_text(
        f"CREATE OR REPLACE VIEW w AS SELECT 1 AS n;\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};"
    )
    error = stopped_by(table)
    assert error.location is not None and error.location.path.endswith("w.sql") and error.location.line == 3
    assert not table.has("v0") and not table.has("w")


def test_statement_that_is_deaf_to_being_canceled_loses_its_session(table: Folder) -> None:
    table.write(
        "2_b",
        "LOCK TABLE t IN SHARE MODE;\n"
        "DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END$$;",
    )
    run = Migrating(lambda: table.migrate(locks=SHORT))
    wait_until(lambda: is_running(table.database, "pg_sleep") or run.is_over, "the slow statement")
    with client(table.database) as it:
        run.end()
    assert it.is_through, it.errors
    assert isinstance(run.errors[0], ConnectionLost)
    assert f"pid {it.pid} (postgres, shop) has waited" in run.errors[0].message
    assert table.recorded() == ["1_a"]


def look(table: Folder, known: str | None = None) -> Behind:
    with table.database.connect() as connection:
        cursor = psycopg.RawCursor(connection)
        cursor.execute(load_sql("engine", "behind"), ["wflo-schema ", None, None, "f", known])
        row = cursor.fetchone()
    assert row is not None
    return Behind.of(tuple(None if value is None else str(value).replace("True", "t") for value in row))


def test_who_is_in_line_for_a_row_behind_another_counts(table: Folder) -> None:
    """The first in line may give up, again and again: then the next one waits anew, for something else."""
    table.write("2_b", f"UPDATE t SET id = 4 WHERE id = 1;\n{SLEEP};")
    stop = Stop()
    run = Migrating(lambda: table.migrate(locks=LockOptions(block_timeout_ms=0), stop=stop))
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    update = "UPDATE t SET id = 5 WHERE id = 1"
    with client(table.database, update) as first:
        first.wait_behind_us()
        with client(table.database, update) as second:
            wait_until(lambda: table.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == 2, "both in line")
            seen = look(table)
            table.do(f"SELECT pg_cancel_backend({first.pid})")
            second.wait_behind_us()
            again = look(table, seen.known)
            stop.request(2)
            run.end()
    assert seen.waiter is not None and seen.waiter.pid == first.pid
    assert (seen.waiter.others, seen.waiter.object) == (1, "a row")
    assert again.waiter is not None and again.waiter.pid == second.pid and again.known is not None
    (one_of,) = json.loads(again.known)
    assert one_of["s"] < float(one_of["w"]), again
    assert second.is_through


def test_who_waits_for_somebody_who_waits_for_it_counts(table: Folder) -> None:
    table.do("CREATE TABLE u (id int)")
    table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    run = Migrating(lambda: table.migrate(locks=LockOptions(block_timeout_ms=0)))
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    with client(table.database, "DO 'BEGIN LOCK TABLE u; INSERT INTO t VALUES (7); END'") as first:
        first.wait_behind_us()
        with client(table.database, "INSERT INTO u VALUES (1)") as second:
            wait_until(lambda: table.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == 2, "both in line")
            seen = look(table, look(table).known)
            table.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '{SLEEP}'")
            run.end()
    assert seen.waiter is not None and (seen.waiter.pid, seen.waiter.others) == (first.pid, 1)
    assert first.is_through and second.is_through


def test_reader_behind_ddl_behind_what_lets_readers_through_counts_and_it_is_tried_again(table: Folder) -> None:
    table.do("ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID")
    table.write(
        "2_b",
        "ALTER TABLE t VALIDATE CONSTRAINT positive;\n"
        "DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'x') THEN "
        "PERFORM pg_sleep(600); END IF; END$$;",
    )
    run = Migrating(lambda: table.migrate(locks=SHORT))
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    with client(table.database, "ALTER TABLE t ADD COLUMN x int") as ddl:
        ddl.wait_behind_us()
        with client(table.database, "SELECT FROM t") as reader:
            assert run.result().ids == ("2_b",)
    assert ddl.is_through and reader.is_through
    (again,) = [e.reason for e in table.events if isinstance(e, Retrying)]
    assert f"gave way to a session: pid {reader.pid} (postgres, shop) has waited" in again
    assert again.endswith(f"for t (ACCESS SHARE) behind pid {ddl.pid}, which waits behind ours")


def test_who_makes_a_replication_slot_does_not_count(server: RunningServer, tmp_path: Path) -> None:
    """It waits for every transaction, and keeps nobody waiting."""
    own = start_server(server.version, settings={"wal_level": "logical"})
    try:
        (tmp_path / "1_a.sql").write_text(f"CREATE TABLE t (id int);\n{SLEEP};")
        files, stop = read_migrations(tmp_path), Stop()
        run = Migrating(
            lambda: operations.migrate(own.database, files, stop=stop, locks=LockOptions(block_timeout_ms=1))
        )
        wait_until(lambda: is_running(own.database, "pg_sleep"), "the slow statement")
        with client(
            own.database.with_parameters(replication="database"),
            "CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput",
        ) as it:
            waiting = (
                "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted "
                "AND a.backend_type = 'walsender' AND l.waitstart < clock_timestamp() - interval '2500 ms'"
            )
            wait_until(lambda: one(own.database, waiting)[0] or run.is_over, "the slot behind us")
            assert not run.is_over, run.errors
            stop.request(2)
            run.end()
        assert isinstance(run.errors[0], Interrupted) and it.is_through, it.errors
    finally:
        stop_server(own)


def test_rollback_is_stopped_and_the_migration_stays(table: Folder) -> None:
    (table.path / "1_a.rollback.sql").write_text(f"DROP TABLE t;\n{SLEEP};")
    run = Migrating(lambda: table.roll_back(locks=SHORT))
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    with client(table.database) as it:
        error = run.failed()
    assert it.is_through and error.location is not None and error.location.line == 2
    assert table.recorded() == ["1_a"] and table.ask("SELECT count(*) FROM t") == 4


def test_seeds_are_stopped_and_nothing_of_the_set_is_kept(table: Folder, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds" / "demo"
    seeds.mkdir(parents=True)
    (seeds / "1_a.sql").write_text("LOCK TABLE t IN SHARE MODE;")
    (seeds / "2_b.sql").write_text(f"CREATE TABLE b (id int);\n{SLEEP};")
    files = read_migrations(table.path)
    run = Migrating(lambda: seeding.seed(table.database, files, read_seeds(tmp_path / "seeds", ["demo"]), locks=SHORT))
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    with client(table.database) as it:
        error = run.failed()
    assert it.is_through and "--block-timeout" in error.hint and error.location is not None
    assert error.location.line == 2 and not table.has("b")


def test_recording_without_running_is_stopped(table: Folder) -> None:
    table.do(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END'",
        "CREATE TRIGGER slow AFTER INSERT ON _yoyo_log FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    table.write("2_b", "SELECT 1;")
    run = Migrating(lambda: operations.baseline(table.database, read_migrations(table.path), ["2_b"], locks=SHORT))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    wait_until(lambda: table.ask(sleeping), "the trigger")
    with client(table.database, "ALTER TABLE _yoyo_log ADD COLUMN x int") as it:
        run.end()
    assert it.is_through and isinstance(run.errors[0], DatabaseError)
    assert "stopped after" in run.errors[0].message and f"pid {it.pid}" in run.errors[0].message
    assert table.recorded() == ["1_a"]


# how long


def test_a_file_may_ask_for_more_and_for_no_end(table: Folder) -> None:
    table.write("2_b", "-- block-timeout: 60s\nLOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(3);")
    assert finished_before(table, locks=LockOptions()).ids == ("2_b",)
    table.write("3_c", "-- block-timeout: 0\nLOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(3);")
    assert finished_before(table, locks=LockOptions()).ids == ("3_c",)


def test_the_caller_caps_what_a_file_may_ask_for(table: Folder) -> None:
    table.write("2_b", f"-- block-timeout: 60s\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    stopped_by(table)
    table.write("2_b", f"-- block-timeout: 0\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    stopped_by(table)


def test_the_caller_may_switch_it_off(table: Folder) -> None:
    table.write("2_b", "-- block-timeout: 1ms\nLOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(3);")
    assert finished_before(table, locks=LockOptions(block_timeout_ms=0)).ids == ("2_b",)


def test_without_a_wish_it_is_two_seconds(table: Folder) -> None:
    table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    assert "the block timeout is 2.0 s" in stopped_by(table, locks=LockOptions()).message


def test_together_the_largest_wish_counts_and_all_is_one_transaction(table: Folder) -> None:
    table.write("2_b", "LOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(1.5);")
    table.write("3_c", "CREATE TABLE c (id int);\nSELECT pg_sleep(1.5);")
    error = stopped_by(table, together=True)
    assert table.recorded() == ["1_a"] and not table.has("c")
    assert "--together runs 2 migrations as one transaction" in error.hint
    table.write("3_c", "-- block-timeout: 60s\nCREATE TABLE c (id int);\nSELECT pg_sleep(1.5);")
    assert finished_before(table, together=True, locks=LockOptions()).ids == ("2_b", "3_c")


# what is not


def test_where_nobody_waits_behind_it_nothing_is_stopped(table: Folder) -> None:
    table.write("2_b", "LOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(1.5);")
    table.do("CREATE TABLE other (id int)")
    with holding(table.database, "LOCK TABLE other") as other:
        run = Migrating(lambda: table.migrate(locks=LockOptions(block_timeout_ms=50)))
        with client(table.database, "INSERT INTO other VALUES (1)"):
            assert run.result().ids == ("2_b",)
            other.rollback()
    assert not table.events or not [e for e in table.events if isinstance(e, Retrying | Notice)]


def test_another_run_that_waits_for_ours_does_not_count(table: Folder) -> None:
    table.write("2_b", "CREATE TABLE b (id int);\nSELECT pg_sleep(2);")
    runs = [Migrating(lambda: table.migrate(locks=LockOptions(block_timeout_ms=100))) for _ in range(2)]
    assert sorted(run.result().ids for run in runs) == [(), ("2_b",)]


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE t VALIDATE CONSTRAINT positive;\nSELECT pg_sleep(2);",
        "ANALYZE t;\nSELECT pg_sleep(2);",
    ],
)
def test_ddl_behind_what_lets_readers_and_writers_through_does_not_count(table: Folder, text: str) -> None:
    table.do("ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID")
    table.write("2_b", text)
    assert finished_before(table, "ALTER TABLE t ADD COLUMN x int").ids == ("2_b",)


@pytest.mark.parametrize("statement", ["ALTER TABLE t ADD COLUMN x int", "VACUUM t"])
def test_index_build_beside_writers_is_not_stopped_by_ddl(table: Folder, statement: str) -> None:
    table.write("2_b", "-- transactional: false\nCREATE INDEX CONCURRENTLY t_i ON t (id);")
    with holding(table.database, "INSERT INTO t VALUES (4)") as writer:
        run = Migrating(lambda: table.migrate(locks=SHORT))
        wait_until(lambda: is_running(table.database, "CONCURRENTLY"), "the build")
        with client(table.database, statement) as it:
            it.wait_behind_us(for_ms=1500)
            assert not run.is_over
            writer.commit()
            assert run.result().ids == ("2_b",)
    assert it.is_through, it.errors
    assert table.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_i'::regclass") is True


def test_autovacuum_does_not_count(server: RunningServer, tmp_path: Path) -> None:
    """Against wraparound it waits for its lock; and it keeps nobody waiting."""
    settings = {"autovacuum": "on", "autovacuum_naptime": "1s", "log_autovacuum_min_duration": "0"}
    own = start_server(server.version, settings=settings)
    try:
        do(
            own.database,
            "CREATE TABLE t (id int) WITH (autovacuum_freeze_max_age = 100000)",
            "INSERT INTO t VALUES (1)",
            "DO $$BEGIN FOR n IN 1..100100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END$$",
        )
        (tmp_path / "1_a.sql").write_text("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE;\nSELECT pg_sleep(600);")
        files = read_migrations(tmp_path)
        stop = Stop()
        run = Migrating(
            lambda: operations.migrate(
                own.database, files, stop=stop, allow=[Allow.NOT_EMPTY], locks=LockOptions(block_timeout_ms=1)
            )
        )
        waiting = (
            "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) "
            "WHERE NOT l.granted AND a.backend_type = 'autovacuum worker' "
            "AND l.waitstart < clock_timestamp() - interval '1s'"
        )
        wait_until(lambda: one(own.database, waiting)[0] or run.is_over, "autovacuum behind us")
        assert not run.is_over, run.errors
        stop.request(2)
        wait_until(lambda: run.is_over, "the end")
        assert isinstance(run.errors[0], Interrupted)
    finally:
        stop_server(own)


# tried again


def test_what_holds_a_lock_while_it_waits_for_another_gives_way_and_is_tried_again(table: Folder) -> None:
    table.do("CREATE TABLE u (id int)")
    table.write("2_b", "LOCK TABLE t IN SHARE MODE;\nLOCK TABLE u IN SHARE MODE;")
    locks = LockOptions(timeout_ms=60_000, block_timeout_ms=500)
    with holding(table.database, "INSERT INTO u VALUES (1)") as blocker:
        run = Migrating(lambda: table.migrate(locks=locks))
        wait_until(lambda: is_waiting(table.database), "the second lock")
        with client(table.database):
            pass  # it gets through while the blocker still has its lock
        assert not run.is_over
        blocker.commit()
        assert run.result().ids == ("2_b",)
    again = [e.reason for e in table.events if isinstance(e, Retrying)]
    assert again and all("gave way to a session" in reason for reason in again), again


def test_a_run_that_waits_for_ever_still_lets_those_through_who_wait_for_what_it_holds(table: Folder) -> None:
    table.do("CREATE TABLE u (id int)")
    table.write("2_b", "-- lock-timeout: 0\nLOCK TABLE t IN SHARE MODE;\nLOCK TABLE u IN SHARE MODE;")
    with holding(table.database, "INSERT INTO u VALUES (1)") as blocker:
        run = Migrating(lambda: table.migrate(locks=SHORT))
        wait_until(lambda: is_waiting(table.database), "the second lock")
        with client(table.database):
            pass
        blocker.commit()
        assert run.result().ids == ("2_b",)


# non-transactional files


def test_statement_of_a_non_transactional_file_is_stopped_and_those_before_it_stay(table: Folder) -> None:
    slow = "DO $$BEGIN LOCK TABLE t IN SHARE MODE; PERFORM pg_sleep({}); END$$;"
    text = "-- transactional: false\nCREATE TABLE b (id int);\n{}\nCREATE TABLE c (id int);"
    table.write("2_b", text.format(slow.format(600)))
    error = stopped_by(table)
    assert error.location is not None and error.location.line == 3 and "the statements before it stay" in error.hint
    assert table.has("b") and not table.has("c") and table.recorded() == ["1_a"]
    table.write("2_b", text.format(slow.format(0)))
    assert table.migrate(locks=SHORT).ids == ("2_b",)


def test_what_a_session_holds_from_one_of_many_short_statements_to_the_next_counts(table: Folder) -> None:
    many = "SELECT pg_sleep(0.05);\n" * 2_000
    table.write("2_b", f"-- transactional: false\nSELECT pg_advisory_lock(5);\n{many}")
    error = stopped_by(table, "SELECT pg_advisory_lock(5)")
    assert "for an advisory lock behind it" in error.message and "an earlier one" not in error.hint
    assert table.recorded() == ["1_a"]


def test_index_that_was_stopped_is_left_invalid_and_built_again_by_the_next_run(table: Folder) -> None:
    """Its function takes a lock that somebody waits for."""
    make = (
        "CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_advisory_xact_lock_shared(5); PERFORM pg_sleep({}); RETURN $1; END'"
    )
    table.do(make.format(600))
    table.write("2_b", "-- transactional: false\nCREATE INDEX CONCURRENTLY t_f ON t (f(id));")
    error = stopped_by(table, "SELECT pg_advisory_lock(5)", "CONCURRENTLY")
    assert "it left the index t_f INVALID" in error.message
    assert table.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_f'::regclass") is False
    table.do(make.format(0))
    assert table.migrate(locks=SHORT).ids == ("2_b",)
    assert table.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_f'::regclass") is True


# who runs it, and from where


def test_role_without_privileges_is_stopped_and_names_what_it_may_see(table: Folder, server: RunningServer) -> None:
    with role(table, server) as plain:
        table.do(f"GRANT CREATE, USAGE ON SCHEMA public TO {plain.parameters['user']}")
        for tables in ("t", "_yoyo_migration", "_yoyo_log", "_yoyo_version"):
            table.do(f"ALTER TABLE {tables} OWNER TO {plain.parameters['user']}")
        table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
        run = Migrating(lambda: table.migrate(database=plain, locks=SHORT))
        wait_until(lambda: is_running(table.database, "pg_sleep") or run.is_over, "the slow statement")
        with client(table.database) as it:
            error = run.failed()
        assert f"pid {it.pid}" in error.message and "has waited" in error.message
        assert "INSERT" not in error.message + error.detail, "it may not see what others run"


def test_login_role_cancels_for_the_role_that_it_becomes(table: Folder, server: RunningServer) -> None:
    with role(table, server) as login, role_named(table, f"owner_{table.database.name}") as owner:
        table.do(f"GRANT {owner} TO {login.parameters['user']}", f"GRANT CREATE, USAGE ON SCHEMA public TO {owner}")
        for tables in ("t", "_yoyo_migration", "_yoyo_log", "_yoyo_version"):
            table.do(f"ALTER TABLE {tables} OWNER TO {owner}")
        table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
        run = Migrating(lambda: table.migrate(database=login.with_role(owner), locks=SHORT))
        wait_until(lambda: is_running(table.database, "pg_sleep") or run.is_over, "the slow statement")
        with client(table.database) as it:
            assert f"pid {it.pid}" in run.failed().message


def test_statement_timeout_of_the_role_does_not_keep_it_from_looking(table: Folder, server: RunningServer) -> None:
    with role(table, server) as plain:
        user = plain.parameters["user"]
        table.do(f"GRANT CREATE, USAGE ON SCHEMA public TO {user}", f"ALTER ROLE {user} SET statement_timeout = 1")
        for tables in ("t", "_yoyo_migration", "_yoyo_log", "_yoyo_version"):
            table.do(f"ALTER TABLE {tables} OWNER TO {user}")
        text = f"SET LOCAL statement_timeout = 0;\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};"
        table.write("2_b", text)
        patient = plain.with_parameters(options="-c statement_timeout=60000")
        run = Migrating(lambda: table.migrate(database=patient, locks=SHORT))
        wait_until(lambda: is_running(table.database, "pg_sleep") or run.is_over, "the slow statement")
        with client(table.database) as it:
            assert f"pid {it.pid}" in run.failed().message


@contextlib.contextmanager
def role_named(folder: Folder, name: str) -> Iterator[str]:
    folder.do(f"CREATE ROLE {name}")
    try:
        yield name
    finally:
        folder.do(f"REASSIGN OWNED BY {name} TO postgres", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_where_no_second_connection_is_to_be_had_that_is_said_once_and_it_goes_on(
    table: Folder, server: RunningServer
) -> None:
    with role(table, server, "CONNECTION LIMIT 1") as plain:
        table.do(f"GRANT CREATE, USAGE ON SCHEMA public TO {plain.parameters['user']}")
        for tables in ("t", "_yoyo_migration", "_yoyo_log", "_yoyo_version"):
            table.do(f"ALTER TABLE {tables} OWNER TO {plain.parameters['user']}")
        for n in (2, 3):
            table.write(f"{n}_b", f"LOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(1.5 + {n - 2});")
        assert finished_before(table, database=plain).ids == ("2_b", "3_b")
        told = [e.message for e in table.events if isinstance(e, Notice) and "block timeout" in e.message]
        assert len(told) == 1 and "too many connections for role" in told[0], told


@needs_pgbouncer
@pytest.mark.parametrize("kind", ["migration", "together", "repeatable", "session mode"])
def test_through_pgbouncer(table: Folder, kind: str) -> None:
    text = f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};"
    if kind == "repeatable":
        (table.path / "repeatable").mkdir()
        (table.path / "repeatable" / "w.sql").write_text(f"CREATE OR REPLACE VIEW w AS SELECT 1 AS n;\n{text}")
    else:
        table.write("2_b", "CREATE TABLE b (id int);")
        table.write("3_c", text)
    with pgbouncer(table.database, "session" if kind == "session mode" else "transaction", 3) as pooled:
        run = Migrating(lambda: table.migrate(database=pooled, locks=SHORT, together=kind == "together"))
        wait_until(lambda: one(table.database, SLEEPS)[0], "the slow statement")
        with client(table.database) as it:
            assert f"pid {it.pid} (postgres, shop) has waited" in run.failed().message
    assert it.is_through
    assert table.recorded() == (["1_a", "2_b"] if kind in ("migration", "session mode") else ["1_a"])


@needs_pgbouncer
@pytest.mark.parametrize(
    "rename", ["SET application_name = 'shop'", "RESET ALL", "DO 'BEGIN SET application_name = 1; END'"]
)
def test_through_pgbouncer_it_finds_a_session_that_a_file_gives_another_name(table: Folder, rename: str) -> None:
    table.write("2_b", f"{rename};\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    with pgbouncer(table.database, "transaction", 3) as pooled:
        run = Migrating(lambda: table.migrate(database=pooled, locks=SHORT))
        wait_until(lambda: one(table.database, SLEEPS)[0], "the slow statement")
        with client(table.database) as it:
            assert f"pid {it.pid} (postgres, shop) has waited" in run.failed().message
    assert it.is_through


@needs_pgbouncer
def test_what_was_killed_behind_pgbouncer_lets_go_before_its_statement_ends(table: Folder) -> None:
    table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    with pgbouncer(table.database, "transaction", 3) as pooled:
        run = start_cli(pooled, table.path, "migrate")
        wait_until(lambda: one(table.database, SLEEPS)[0], "the slow statement")
        run.send_signal(signal.SIGKILL)
        run.finish()
        with client(table.database) as it:
            pass
    assert it.is_through and table.recorded() == ["1_a"]


SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(600)'"


@needs_pgbouncer
def test_pooler_that_has_no_second_session_says_that_it_cannot_look(table: Folder) -> None:
    table.write("2_b", "LOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(4);")
    with pgbouncer(table.database, "transaction", 1) as pooled:
        assert table.migrate(database=pooled, locks=SHORT).ids == ("2_b",)
    told = [e.message for e in table.events if isinstance(e, Notice) and "block timeout" in e.message]
    assert len(told) == 1 and "gets no answer" in told[0], told


@pytest.mark.parametrize("delay_s", [0.06, 0.25])
def test_over_a_slow_network(table: Folder, delay_s: float) -> None:
    table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    with Proxy("127.0.0.1", int(table.database.parameters["port"]), delay_s=delay_s) as proxy:
        there = table.database.with_parameters(port=str(proxy.port))
        assert "stopped after" in stopped_by(table, database=there).message
    assert table.recorded() == ["1_a"]


# at the same moment


def test_stop_at_the_same_moment_is_a_stop_or_a_failure_and_nothing_is_kept(table: Folder) -> None:
    table.write("2_b", f"CREATE TABLE b (id int);\nLOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    for after_ms in (0, 250, 290, 300, 310):
        stop = Stop()
        run = Migrating(lambda stop=stop: table.migrate(locks=SHORT, stop=stop))
        wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
        with client(table.database):
            time.sleep(after_ms / 1000)
            stop.request(2)
            run.end()
        assert isinstance(run.errors[0], Interrupted | MigrationFailed)
        assert table.recorded() == ["1_a"] and not table.has("b")


def test_commit_that_passed_at_the_same_moment_is_no_failure(table: Folder) -> None:
    """Nor is the next migration, which is sent before the answer, taken for what was stopped."""
    for n in range(20, 40, 2):
        sleep_s = 0.23 + n / 400
        table.write(f"{n}_b", f"LOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep({sleep_s});")
        table.write(f"{n + 1}_c", f"CREATE TABLE c{n} (id int);\nSELECT pg_sleep(0.05);")
        run = Migrating(lambda: table.migrate(locks=SHORT))
        time.sleep(0.1)
        with client(table.database):
            run.end()
        if run.errors:
            error = run.failed()
            assert error.migration_id == f"{n}_b" and "stopped after" in error.message, error.message
            assert f"{n}_b" not in table.recorded()
            assert table.migrate(locks=SHORT).ids == (f"{n}_b", f"{n + 1}_c")
        assert table.recorded()[-2:] == [f"{n}_b", f"{n + 1}_c"]


# the command


def test_command_line_shows_it(table: Folder) -> None:
    table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    run = start_cli(table.database, table.path, "migrate", "--block-timeout", "300ms")
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    with client(table.database) as it:
        code, out, err = run.finish()
    assert code == 3 and out.count("\n") == 1
    assert "error: 2_b failed in statement 2 of 2: stopped after" in err and f"pid {it.pid} (postgres, shop)" in err
    assert "2_b.sql:2:1" in err and "hint: " in err


def test_output_that_nobody_reads_does_not_stop_it(table: Folder) -> None:
    table.write(
        "2_b",
        "LOCK TABLE t IN SHARE MODE;\n"
        "DO $$BEGIN FOR n IN 1..20000 LOOP RAISE NOTICE '% %', n, repeat('x', 100); END LOOP; END$$;\n"
        f"{SLEEP};",
    )
    words = [
        "migrate",
        "--database-url",
        table.database.url,
        "--migrations",
        str(table.path),
        "--block-timeout",
        "300ms",
    ]
    with subprocess.Popen([sys.executable, "-m", "wflo_schema", *words], stderr=subprocess.PIPE, text=True) as run:
        wait_until(
            lambda: is_running(table.database, "RAISE NOTICE") or is_running(table.database, "pg_sleep"), "notices"
        )
        with client(table.database) as it:
            pass
        assert it.is_through, it.errors
        _, err = run.communicate()
    assert run.returncode == 3 and "stopped after" in err


def test_run_is_not_suspended(table: Folder) -> None:
    table.write("2_b", f"LOCK TABLE t IN SHARE MODE;\n{SLEEP};")
    run = start_cli(table.database, table.path, "migrate", "--block-timeout", "300ms")
    wait_until(lambda: is_running(table.database, "pg_sleep"), "the slow statement")
    run.send_signal(signal.SIGTSTP)
    with client(table.database) as it:
        pass
    assert it.is_through, it.errors
    code, _, err = run.finish()
    assert code == 3 and "not suspended" in err and "stopped after" in err
