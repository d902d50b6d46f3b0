"""Repeatable files under kills, cuts, races, poolers and roles that may not: all of a run stays, or nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.engine.test_faults import at_path, choose_cuts, do, needs_pgbouncer, one, pgbouncer, wait_until
from tests.engine.test_repeating import Folder, apply, run, states
from tests.forks import forks, migrate
from tests.proxy import Counts, Cut, Direction, Proxy
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.repeatables import RepeatableState
from wflo_schema.errors import (
    ConnectionFailed,
    ConnectionLost,
    DatabaseError,
    Interrupted,
    LockNotAcquired,
    MigrationFailed,
)
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers

TABLE = "CREATE TABLE users (id integer PRIMARY KEY, name text, age integer);"
BASE = "CREATE OR REPLACE VIEW v AS SELECT id, name FROM users;"
OTHER = "CREATE OR REPLACE VIEW v AS SELECT name, id FROM users;"
TOP = "CREATE VIEW w AS SELECT id FROM v;"

STATE = """
    SELECT (SELECT string_agg(pg_get_viewdef(c.oid) || COALESCE(c.relacl::text, ''), ',' ORDER BY relname)
        FROM pg_class AS c WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v'),
        (SELECT string_agg(concat_ws(' ', repeatable_id, number, is_down, content), ',' ORDER BY repeatable_id, number)
            FROM _wflo_schema_repeatable)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "migrations")


@pytest.fixture
def plain(database: Database) -> Database:
    return database.with_parameters(host="127.0.0.1", sslmode="disable", gssencmode="disable")


@pytest.mark.parametrize("direction", list(Direction))
def test_cut_after_every_message_leaves_all_or_nothing(
    plain: Database, folder: Folder, direction: Direction, is_whole: bool
) -> None:
    """Of a migration under a view, and of an edit behind it."""

    def run_cut(schema: str, cut: Cut | None) -> Counts:
        do(plain, f"CREATE SCHEMA {schema}")
        there = at_path(plain, schema)
        folder.write(_1_a=TABLE, v=BASE, w=TOP)
        (folder.path / "2_b.sql").unlink(missing_ok=True)
        operations.migrate(there, read_migrations(folder.path))
        do(there, "GRANT SELECT ON w TO pg_monitor")
        folder.write(_2_b="ALTER TABLE users ALTER id TYPE bigint;", v=OTHER)
        with Proxy("127.0.0.1", int(plain.parameters["port"]), cut=cut) as proxy:
            through = there.with_parameters(port=str(proxy.port))
            with contextlib.suppress(ConnectionLost, ConnectionFailed):
                operations.migrate(through, read_migrations(folder.path))
        return proxy.connections[0]

    counts = run_cut("clean", None)
    clean = one(at_path(plain, "clean"), STATE)
    total = counts.to_server if direction == Direction.TO_SERVER else counts.to_client
    for count in choose_cuts(total, is_whole):
        schema = f"s{count}"
        run_cut(schema, Cut(direction, count))
        operations.migrate(at_path(plain, schema), read_migrations(folder.path))
        found = one(at_path(plain, schema), STATE)
        assert tuple(str(f).replace(schema, "clean") for f in found) == clean, f"after {count} of {total} messages"
        do(plain, f"DROP SCHEMA {schema} CASCADE")


@contextlib.contextmanager
def holding(database: Database, statement: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A transaction that has done this, and is open."""
    with database.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(statement.encode())
        yield connection
        connection.execute("ROLLBACK")


WAITING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_killed_run_leaves_nothing_and_the_next_does_all(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    apply(database, folder)
    before = one(database, STATE)
    folder.write(v=OTHER, w="CREATE VIEW w AS SELECT id, name FROM v;")
    with holding(database, "LOCK TABLE w IN ACCESS SHARE MODE"):
        process = forks.Process(target=migrate, args=(database, str(folder.path)))
        process.start()
        wait_until(lambda: one(database, WAITING)[0], "a run that waits")
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert one(database, STATE) == before
    apply(database, folder)
    assert set(states(database, folder).values()) == {RepeatableState.APPLIED}


def test_two_runs_at_once_apply_each_text_once(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    apply(database, folder)
    folder.write(v=OTHER)
    with holding(database, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE") as connection:
        processes = [forks.Process(target=migrate, args=(database, str(folder.path))) for _ in range(3)]
        for process in processes:
            process.start()
        wait_until(lambda: one(database, WAITING.replace("> 0", "> 2"))[0], "three runs that wait")
        connection.execute("COMMIT")
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert run(database, "SELECT repeatable_id, max(number) FROM _wflo_schema_repeatable GROUP BY 1 ORDER BY 1") == [
        ("repeatable/v", 2),
        ("repeatable/w", 1),
    ]


def test_lock_that_stays_is_told_with_the_file(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    apply(database, folder)
    before = one(database, STATE)
    folder.write(v=OTHER)
    with holding(database, "LOCK TABLE w IN ACCESS SHARE MODE"), pytest.raises(LockNotAcquired) as failed:
        operations.migrate(database, read_migrations(folder.path), locks=LockOptions(timeout_ms=50, wait_s=0.2))
    assert failed.value.migration_id == "repeatable/v"
    assert one(database, STATE) == before


def test_stop_ends_it_and_nothing_is_kept(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    apply(database, folder)
    before = one(database, STATE)
    folder.write(v=f"{OTHER} SELECT pg_sleep(60);")
    stop = Stop()
    caught: list[BaseException] = []

    def migrating() -> None:
        try:
            operations.migrate(database, read_migrations(folder.path), stop=stop)
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=migrating)
    thread.start()
    query = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    wait_until(lambda: one(database, query)[0], "a run that sleeps")
    stop.request(signal.SIGINT)
    thread.join()
    assert [type(error) for error in caught] == [Interrupted]
    assert one(database, STATE) == before


def test_terminated_session_leaves_nothing(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    apply(database, folder)
    before = one(database, STATE)
    folder.write(v=f"{OTHER} SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(ConnectionLost):
        apply(database, folder)
    assert one(database, STATE) == before


@needs_pgbouncer
def test_pgbouncer_in_transaction_mode(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    with pgbouncer(database, "transaction", 2) as pooled:
        apply(pooled, folder)
        folder.write(_2_b="ALTER TABLE users ALTER id TYPE bigint;", v=OTHER)
        assert apply(pooled, folder) == ("2_b", "repeatable/v")
        assert set(states(pooled, folder).values()) == {RepeatableState.APPLIED}


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    name = f"rep_{database.name}"[:60]
    do(database, f'CREATE ROLE "{name}" LOGIN', f'GRANT USAGE, CREATE ON SCHEMA public TO "{name}"')
    yield name
    do(database, f'DROP OWNED BY "{name}" CASCADE', f'DROP ROLE "{name}"')


def as_role(database: Database, role: str) -> Database:
    return database.with_parameters(user=role)


def test_status_and_plan_need_select_alone(database: Database, folder: Folder, role: str) -> None:
    folder.write(_1_a=TABLE, v=BASE)
    apply(database, folder)
    reader = as_role(database, role)
    do(database, f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
    assert states(reader, folder) == {"v": RepeatableState.APPLIED}
    folder.write(v=OTHER)
    assert len(operations.plan(reader, read_migrations(folder.path))) == 1
    do(database, f'REVOKE ALL ON _wflo_schema_repeatable FROM "{role}"')
    with pytest.raises(DatabaseError, match="which repeatable files were applied") as failed:
        states(reader, folder)
    assert "GRANT SELECT" in failed.value.hint


def test_view_of_another_owner_is_refused_and_kept(database: Database, folder: Folder, role: str) -> None:
    folder.write(_1_a=TABLE, v=BASE, w=TOP)
    other = as_role(database, role)
    apply(other, folder)
    owner = run(database, "SELECT current_user")[0][0]
    do(database, f'ALTER VIEW w OWNER TO "{owner}"')
    before = one(database, STATE)
    folder.write(v=OTHER)
    with pytest.raises(MigrationFailed, match=r"must be owner of view w.*DROP VIEW"):
        apply(other, folder)
    assert one(database, STATE) == before
