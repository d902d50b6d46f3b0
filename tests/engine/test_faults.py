"""Kills, cuts, races, poolers, full disks, locks and signals: every one ends in the promised state."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.conftest import RunningServer, start_server, stop_server
from tests.forks import Command, forks, migrate
from tests.links import link_to
from tests.proxy import Counts, Cut, Direction, Proxy
from wflo_schema.connect.database import _DEFAULTS, WATCHED, Database
from wflo_schema.connect.pipeline import Aside, Stop
from wflo_schema.engine import operations
from wflo_schema.engine.events import Begun, Done, Retrying
from wflo_schema.engine.ledger import Ledger
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import (
    ConnectionFailed,
    ConnectionLost,
    Interrupted,
    LockNotAcquired,
    MigrationFailed,
    Refused,
    WfloSchemaError,
)
from wflo_schema.files.folder import read_migrations
from wflo_schema.server.account import choose_account

PGBOUNCER = Path("/usr/sbin/pgbouncer")

pytestmark = pytest.mark.spread_over_servers

FILES = {
    "1_a": "CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1);\nSET search_path = pg_catalog;",
    "2_b": "-- transactional: false\nCREATE INDEX CONCURRENTLY a_i ON a (id);\nINSERT INTO a VALUES (2);",
    "3_c": "ALTER TABLE a ADD COLUMN t text DEFAULT 'x'",
}
CUT_FILES = {n: FILES[n] for n in ("1_a", "2_b")}
ROLLBACKS = {
    "1_a": "DROP TABLE a",
    "2_b": "DELETE FROM a WHERE id = 2;\nDROP INDEX CONCURRENTLY a_i",
    "3_c": "ALTER TABLE a DROP COLUMN t",
}

# For a first run in a database that holds a table already.
BESIDE = ("--allow", "not-empty")

STATE = """
SELECT
    (SELECT string_agg(concat_ws(' ', migration_id, checksum IS NOT NULL), ', ' ORDER BY migration_id)
     FROM _yoyo_migration),
    (SELECT string_agg(concat_ws(' ', migration_id, operation), ', ' ORDER BY created_at_utc) FROM _yoyo_log),
    (SELECT string_agg(c.relname || ' ' || i.indisvalid, ', ' ORDER BY c.relname)
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     JOIN pg_class AS t ON t.oid = i.indrelid
     WHERE c.relnamespace = current_schema()::regnamespace AND t.relname !~ '^_'),
    (SELECT string_agg(c.relname || '.' || a.attname, ', ' ORDER BY c.relname, a.attname)
     FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname !~ '^_')
"""


def write(folder: Path, files: dict[str, str], rollbacks: dict[str, str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    for name, text in (rollbacks or {}).items():
        (folder / f"{name}.rollback.sql").write_text(text)
    return folder


def one(database: Database, query: str, *parameters: object) -> tuple[Any, ...]:
    with database.connect() as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row


def do(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def at_path(database: Database, schema: str) -> Database:
    """The same database with another search_path, so that many runs can share it."""
    return database.with_parameters(options=f"-c search_path={schema}")


def migrating(
    database: Database, folder: Path, stop: Stop | None = None
) -> tuple[threading.Thread, list[WfloSchemaError]]:
    """A thread that has begun to migrate a database that need not be empty, and the error that will end it."""
    caught: list[WfloSchemaError] = []

    def run() -> None:
        try:
            operations.migrate(database, read_migrations(folder), stop=stop, allow=[Allow.NOT_EMPTY])
        except WfloSchemaError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, caught


def wait_until(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.02)


def choose_seed() -> tuple[int, random.Random]:
    """WFLO_TEST_SEED, else one at random that is printed; and what it leads to."""
    seed = int(os.environ.get("WFLO_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    print(f"seed: WFLO_TEST_SEED={seed}")
    return seed, random.Random(seed)


# processes


def start_cli(database: Database, folder: Path, command: str, *options: str) -> Command:
    words = (command, "--database-url", database.url, "--migrations", str(folder), *options)
    return Command(*words, cwd=folder, env=os.environ)


def is_running(database: Database, fragment: str, *, many: int = 1) -> bool:
    """Is a session of ours, or are so ``many``, busy with a query that holds this text?"""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'wflo-schema %%' AND state = 'active' AND query LIKE %s"
    )
    return bool(one(database, query, f"%{fragment}%")[0] >= many)


# the connection is cut


@pytest.fixture(scope="module")
def cuts(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Path]]:
    """A database for the cutting tests, and their folder."""
    folder = write(tmp_path_factory.mktemp("cuts") / "migrations", CUT_FILES, {n: ROLLBACKS[n] for n in CUT_FILES})
    name = f"cuts_{os.getpid()}_{server.version}"
    do(server.database, f"CREATE DATABASE {name}")
    yield server.database.with_name(name).with_parameters(sslmode="disable", gssencmode="disable"), folder
    do(server.database, f"DROP DATABASE {name} WITH (FORCE)")


def choose_cuts(total: int, is_whole: bool) -> range:
    """After which of ``total`` messages to cut: all; in an everyday run every fifth, from one of the first five on."""
    return range(total + 1) if is_whole else range(choose_seed()[1].randrange(5), total + 1, 5)


def drop(admin: psycopg.Connection[Any], schema: str) -> None:
    """Every query on the catalogs is slower for each schema that stays."""
    admin.execute(f"DROP SCHEMA {schema} CASCADE".encode())


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("operation", ["migrate", "rollback"])
def test_cut_after_every_single_message_leaves_what_the_next_run_finishes(
    cuts: tuple[Database, Path], operation: str, direction: Direction, is_whole: bool
) -> None:
    """All of a first run; of a rollback, that of a non-transactional migration."""
    plain, folder = cuts
    files = read_migrations(folder)
    target_port = int(plain.parameters["port"])

    def run(schema: str, cut: Cut | None) -> Counts:
        with Proxy("127.0.0.1", target_port, cut=cut) as proxy:
            through = at_path(plain, schema).with_parameters(port=str(proxy.port))
            try:
                if operation == "migrate":
                    operations.migrate(through, files)
                else:
                    operations.rollback(through, files)
            except (ConnectionLost, ConnectionFailed):
                assert cut is not None
        return proxy.connections[0]

    def prepare(after: object) -> str:
        schema = f"{operation}_{direction.name}_{after}".lower() if operation == "migrate" else direction.name.lower()
        admin.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
        admin.execute(f"SET search_path = {schema}".encode())
        if operation == "rollback":
            operations.migrate(at_path(plain, schema), files)
            admin.execute(b"DELETE FROM _yoyo_log")
        return schema

    def finish(schema: str) -> object:
        there = at_path(plain, schema)
        if operation == "migrate":
            operations.migrate(there, files)
        while operation == "rollback" and len(operations.status(there, files).applied) == 2:
            with contextlib.suppress(Refused):  # the session that was cut off may still be finishing it
                operations.rollback(there, files, to="1_a")
        query = f"{STATE}, (SELECT array_agg(id ORDER BY id) FROM a), (SELECT count(*) FROM _wflo_schema_progress)"
        return admin.execute(query.encode()).fetchone()

    with plain.connect() as admin:
        schema = prepare("clean")
        counts = run(schema, None)
        total = counts.to_server if direction == Direction.TO_SERVER else counts.to_client
        clean = finish(schema)
        assert total > 50
        chosen = choose_cuts(total, is_whole)
        for after in chosen:
            schema = prepare(after)
            run(schema, Cut(direction, after))
            assert finish(schema) == clean, f"after {after} of {total} messages {direction}"
            if operation == "migrate":
                drop(admin, schema)
    print(f"{operation}: cut after {len(chosen)} of {total} messages {direction}")


@pytest.mark.parametrize("direction", list(Direction))
def test_cut_after_every_single_message_of_migrations_that_are_sent_together(
    cuts: tuple[Database, Path], tmp_path: Path, direction: Direction, is_whole: bool
) -> None:
    plain, _ = cuts
    folder = write(
        tmp_path / "m",
        {
            "1_a": "CREATE TABLE a (id int PRIMARY KEY); SET search_path = pg_catalog;",
            "2_b": "INSERT INTO a VALUES (1); CREATE TEMP TABLE a (other text);",
            "3_c": "INSERT INTO a VALUES (2);",
        },
    )
    files = read_migrations(folder)
    query = f"{STATE}, (SELECT array_agg(id ORDER BY id) FROM a)"
    admin = plain.connect()

    def run(schema: str, cut: Cut | None) -> Counts:
        do(plain, f"CREATE SCHEMA {schema}")
        operations.migrate(at_path(plain, schema), read_migrations(write(tmp_path / "first", {"0_first": "SELECT 0"})))
        with Proxy("127.0.0.1", int(plain.parameters["port"]), cut=cut) as proxy:
            with contextlib.suppress(ConnectionLost, ConnectionFailed):
                through = at_path(plain, schema).with_parameters(port=str(proxy.port))
                operations.migrate(through, files, allow=[Allow.MISSING])
        return proxy.connections[0]

    word = f"together_{direction.name}".lower()
    counts = run(word, None)
    total = counts.to_server if direction == Direction.TO_SERVER else counts.to_client
    clean = one(at_path(plain, word), query)
    assert total > 40
    chosen = choose_cuts(total, is_whole)
    for count in chosen:
        schema = f"{word}_{count}"
        run(schema, Cut(direction, count))
        operations.migrate(at_path(plain, schema), files, allow=[Allow.MISSING])
        assert one(at_path(plain, schema), query) == clean, f"after {count} of {total} messages {direction}"
        drop(admin, schema)
    admin.close()
    print(f"cut after {len(chosen)} of {total} messages {direction}")


def test_client_that_vanished_without_a_word_does_not_keep_its_locks(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host lost power in the middle of a transaction: the server notices by asking."""
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int)"})
    files = read_migrations(folder)
    plain = database.with_parameters(host="127.0.0.1", sslmode="disable", gssencmode="disable")
    operations.migrate(plain, files, to="1_a")
    write(folder, {"2_b": "CREATE TABLE b AS SELECT current_setting('tcp_keepalives_idle') AS idle_s"})
    files = read_migrations(folder)

    def run(cut: Cut | None) -> tuple[int, bool]:
        """How many messages were sent, and whether the server kept the locks after it."""
        with Proxy("127.0.0.1", int(plain.parameters["port"]), cut=cut) as proxy:
            with contextlib.suppress(ConnectionLost):
                operations.migrate(plain.with_parameters(port=str(proxy.port)), files)
            return proxy.connections[0].to_server, one(database, HOLDS_THE_LEDGER) == (1,)

    total, _ = run(None)
    assert one(database, "SELECT idle_s FROM b") == ("30",)
    for name, value in WATCHED.items():
        monkeypatch.setitem(WATCHED, name, "1" if value != "0" else "0")
    for _ in range(5):
        do(database, "DROP TABLE b", "DELETE FROM _yoyo_migration WHERE migration_id = '2_b'")
        try:
            _, has_kept = run(Cut(Direction.TO_SERVER, total - 32, silently=True))  # before the COMMIT
        except PermissionError:
            pytest.skip("only root may let a connection vanish")
        assert operations.migrate(database, files).ids == ("2_b",)
        if has_kept:
            break  # else it had noticed before we looked
    assert has_kept


@contextlib.contextmanager
def terminated(database: Database, fragment: str) -> Iterator[None]:
    """Meanwhile, end the session of ours that is busy with a query which begins SELECT and this text."""

    def terminate() -> None:
        wait_until(lambda: is_running(database, fragment), fragment)
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
        one(database, query, f"SELECT {fragment}%")

    thread = threading.Thread(target=terminate)
    thread.start()
    yield
    thread.join()


def test_terminated_backend_is_a_lost_connection_and_the_next_run_finishes(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m", {"1_a": "CREATE TABLE a (id int)", "2_b": "CREATE TABLE b (id int); SELECT pg_sleep(30)"}
    )
    with terminated(database, "pg_sleep(30)"), pytest.raises(ConnectionLost) as caught:
        operations.migrate(database, read_migrations(folder))
    assert "run it again" in caught.value.hint
    assert "2_b" in caught.value.message and "terminating connection" in caught.value.message
    assert one(database, "SELECT to_regclass('b') IS NULL, count(*) FROM _yoyo_migration") == (True, 1)
    write(folder, {"2_b": "CREATE TABLE b (id int);"})
    assert operations.migrate(database, read_migrations(folder)).ids == ("2_b",)


def test_lost_rollback_does_not_say_to_run_it_again(database: Database, tmp_path: Path) -> None:
    """Run again, it would roll back one more."""
    folder = write(tmp_path / "m", {"1_a": "SELECT 1"}, {"1_a": "SELECT pg_sleep(30)"})
    operations.migrate(database, read_migrations(folder))
    with terminated(database, "pg_sleep(30)"), pytest.raises(ConnectionLost) as caught:
        operations.rollback(database, read_migrations(folder))
    assert "wflo-schema status" in caught.value.hint and "applied" not in caught.value.hint
    assert one(database, "SELECT count(*) FROM _yoyo_migration") == (1,)


# the network goes silent


@pytest.mark.parametrize("moment", ["something is sent", "the server works"])
def test_network_that_goes_silent_ends_the_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The system has to notice: there is no signal, no answer, and no end of the connection."""
    for name, value in (("tcp_user_timeout", "2000"), ("keepalives_idle", "1"), ("keepalives_interval", "1")):
        monkeypatch.setitem(_DEFAULTS, name, value)
    sleep_s = 0 if moment == "something is sent" else 40
    folder = write(tmp_path / "m", {"1_a": "SELECT 1", "2_b": f"SELECT pg_sleep({sleep_s})"})
    operations.migrate(database, read_migrations(folder), to="1_a")
    caught: list[WfloSchemaError] = []
    with link_to(int(database.parameters["port"])) as link:
        through = database.with_parameters(host=link.host, port=str(link.port), sslmode="disable", gssencmode="disable")

        def notify(event: object) -> None:
            if sleep_s == 0 and isinstance(event, Begun):
                link.go_silent()

        def run() -> None:
            try:
                operations.migrate(through, read_migrations(folder), notify=notify)
            except WfloSchemaError as error:
                caught.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        if sleep_s:
            wait_until(lambda: is_running(database, "pg_sleep"), "the migration")
            link.go_silent()
        thread.join(90)
    assert [type(error) for error in caught] == [ConnectionLost], caught
    assert "2_b" in caught[0].message and "run it again" in caught[0].hint


def test_our_end_and_the_server_s_are_told_to_notice_a_silent_network_in_a_minute(database: Database) -> None:
    def option(connection: psycopg.Connection[Any], number: int) -> int:
        with socket.socket(fileno=os.dup(connection.fileno())) as ours:
            return ours.getsockopt(socket.IPPROTO_TCP, number)

    with database.connect(settings=WATCHED) as connection:
        assert option(connection, socket.TCP_USER_TIMEOUT) == 60_000
        assert connection.execute("SHOW tcp_user_timeout").fetchone() == ("60000",)
        assert connection.execute("SHOW client_connection_check_interval").fetchone() == ("500ms",)
    chosen = database.with_parameters(tcp_user_timeout="7000", options="-c tcp_user_timeout=9000")
    with chosen.connect(settings=WATCHED) as connection:
        assert option(connection, socket.TCP_USER_TIMEOUT) == 7_000
        assert connection.execute("SHOW tcp_user_timeout").fetchone() == ("9000",)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("migrate", signal.SIGINT),
        ("migrate", signal.SIGTERM),
        ("rollback", signal.SIGTERM),
        ("status", signal.SIGINT),
        ("plan", signal.SIGTERM),
        ("check --only ledger", signal.SIGINT),
        ("dump", signal.SIGTERM),
        ("test-db", signal.SIGINT),
    ],
)
def test_one_signal_ends_the_wait_for_a_server_that_does_not_answer(
    cuts: tuple[Database, Path], words: str, number: signal.Signals
) -> None:
    """Nor does the request to cancel get through."""
    plain, folder = cuts
    with Proxy("127.0.0.1", int(plain.parameters["port"]), cut=Cut(Direction.TO_SERVER, 3, hangs=True)) as proxy:
        run = start_cli(plain.with_parameters(port=str(proxy.port)), folder, *words.split())
        assert proxy.was_cut.wait(60)
        run.send_signal(number)
        code, _, err = run.finish()
    assert code == 128 + number, err
    assert "Traceback" not in err and "psycopg" not in err, err


def test_server_that_ends_the_session_and_leaves_the_connection_open_is_not_waited_for(
    database: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path / "m", {"1_a": "SELECT pg_sleep(60)"})
    with Proxy("127.0.0.1", int(database.parameters["port"]), leaves_open=True) as proxy:
        through = database.with_parameters(port=str(proxy.port), sslmode="disable", gssencmode="disable")
        with terminated(database, "pg_sleep(60)"), pytest.raises(ConnectionLost, match="terminating connection"):
            operations.migrate(through, read_migrations(folder))


# the process is killed


SLOW = {
    "1_a": "CREATE TABLE a (id int); SELECT pg_sleep(0.03);",
    "2_b": "CREATE TABLE b (id int); SELECT pg_sleep(0.03); INSERT INTO b SELECT generate_series(1, 1000);",
    "3_c": "-- transactional: false\nCREATE INDEX CONCURRENTLY b_i ON b (id);\nSELECT pg_sleep(0.02);\n"
    "INSERT INTO a VALUES (3);\nREINDEX INDEX CONCURRENTLY b_i;\nSELECT pg_sleep(0.02);\n",
    "4_d": "CREATE TABLE d (id int); SELECT pg_sleep(0.03);",
    "5_e": "CREATE TABLE e (id int); SELECT pg_sleep(0.03); INSERT INTO a VALUES (5);",
}
ADVISORY_LOCKS = (
    "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database "
    "WHERE l.locktype = 'advisory' AND d.datname = current_database()"
)
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^wflo-schema ' AND datname = current_database()"
HOLDS_THE_LEDGER = """
SELECT count(*)
FROM pg_locks AS l
JOIN pg_stat_activity AS s USING (pid)
WHERE l.relation = '_yoyo_migration'::regclass AND l.mode = 'RowExclusiveLock' AND s.wait_event = 'ClientRead'
"""
WHOLE = """
SELECT coalesce(string_agg(m.migration_id, ' ' ORDER BY m.migration_id), ''),
       coalesce(string_agg(c.relname, ' ' ORDER BY c.relname), '')
FROM (SELECT migration_id FROM _yoyo_migration WHERE migration_id <> '3_c') AS m
FULL JOIN (
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relname !~ '^_' AND relnamespace = current_schema()::regnamespace
) AS c ON c.relname = split_part(m.migration_id, '_', 2)
WHERE m.migration_id IS NULL OR c.relname IS NULL
"""


def test_fifty_kills_at_random_moments_leave_what_the_next_run_finishes(database: Database, tmp_path: Path) -> None:
    seed, chance = choose_seed()
    folder = write(tmp_path / "m", SLOW)
    kills = finished = begun = 0
    watch = database.connect()
    while kills < 50:
        schema = f"s{finished}"
        begun = finished + 1
        there = at_path(database, schema)
        watch.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
        watch.execute(f"SET search_path = {schema}".encode())
        run = forks.Process(target=migrate, args=(there, str(folder)))
        run.start()
        while run.is_alive() and watch.execute(OURS.encode()).fetchone() == (0,):
            time.sleep(0.002)  # so that the moment is one of the run, and not of the start of a process
        run.join(timeout=chance.uniform(0.0, 0.25))
        if run.is_alive():
            run.kill()
            kills += 1
            if watch.execute("SELECT to_regclass('_yoyo_migration')").fetchone() != (None,):
                if chance.random() < 0.5:  # what was sent before the kill is not to be carried out either
                    watch.execute(OURS.replace("count(*)", "pg_terminate_backend(pid)").encode())
                assert watch.execute(WHOLE.encode()).fetchone() == ("", ""), f"seed {seed}, kill {kills}"
            run.join()
        if run.exitcode != -signal.SIGKILL:
            assert run.exitcode == 0
            finished += 1
    watch.close()
    for n in range(begun):  # the last one was killed, or came to its end in the moment of its kill
        there = at_path(database, f"s{n}")
        operations.migrate(there, read_migrations(folder))
        assert one(there, "SELECT count(*), sum(id) FROM a") == (2, 8), f"seed {seed}, schema {n}"
        assert one(
            there, "SELECT string_agg(migration_id || operation, ' ' ORDER BY created_at_utc) FROM _yoyo_log"
        ) == ("1_aapply 2_bapply 3_capply 4_dapply 5_eapply",)
        state = one(there, "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 'b'::regclass")
        assert state == (1, True), f"seed {seed}, schema {n}"
        assert one(there, "SELECT count(*) FROM _wflo_schema_progress") == (0,)


# the server goes away


@pytest.fixture(scope="module")
def durable(server: RunningServer) -> Iterator[RunningServer]:
    """A server of one's own that keeps its promises on disk, with few connection slots."""
    started = start_server(server.version, settings={"fsync": "on", "full_page_writes": "on", "max_connections": "12"})
    yield started
    stop_server(started)


def test_immediate_stops_lose_nothing_that_was_reported(durable: RunningServer, tmp_path: Path) -> None:
    seed, chance = choose_seed()
    folder = write(tmp_path / "m", SLOW)
    interrupted = finished = 0
    while interrupted < 6:
        database = durable.database.with_name(f"stops{finished}")
        if not one(durable.database, f"SELECT count(*) FROM pg_database WHERE datname = 'stops{finished}'")[0]:
            do(durable.database, f"CREATE DATABASE stops{finished}")
        reported: list[str] = []
        failures: list[Exception] = []

        def run(
            database: Database = database, reported: list[str] = reported, failures: list[Exception] = failures
        ) -> None:
            try:
                operations.migrate(
                    database,
                    read_migrations(folder),
                    notify=lambda e: reported.append(e.id) if isinstance(e, Done) else None,
                )
            except (ConnectionLost, ConnectionFailed) as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(chance.uniform(0.0, 0.12))
        durable.pg_ctl("-m", "immediate", "-w", "stop")
        thread.join()
        durable.pg_ctl("-w", "-l", str(durable.data.parent / "log"), "start")
        interrupted += len(failures)
        there: set[str] = set()
        if one(database, "SELECT to_regclass('_yoyo_migration') IS NOT NULL")[0]:
            there = set(one(database, "SELECT coalesce(array_agg(migration_id), '{}') FROM _yoyo_migration")[0])
            assert one(database, WHOLE) == ("", ""), f"seed {seed}, stop {interrupted}"
        assert set(reported) <= there, f"seed {seed}, stop {interrupted}"
        assert failures or there == set(SLOW), f"seed {seed}, stop {interrupted}"
        finished += there == set(SLOW)
    made = one(durable.database, "SELECT count(*) FROM pg_database WHERE datname ~ '^stops'")[0]
    for n in range(made):
        database = durable.database.with_name(f"stops{n}")
        operations.migrate(database, read_migrations(folder))
        assert one(database, "SELECT count(*), sum(id) FROM a") == (2, 8), f"seed {seed}, database {n}"
        assert one(database, "SELECT count(*) FROM _yoyo_log") == (5,), f"seed {seed}, database {n}"


def test_server_that_crashes_in_a_concurrent_build_knows_after_it_what_was_running(
    durable: RunningServer, tmp_path: Path
) -> None:
    """What was written of it before is on disk with what it did itself."""
    do(durable.database, "CREATE DATABASE crash")
    database = durable.database.with_name("crash")
    do(database, "CREATE TABLE held (id int)", "CREATE TABLE done (id int)")
    text = "-- transactional: false\nINSERT INTO done VALUES (1);\nCREATE INDEX CONCURRENTLY held_i ON held (id);"
    folder = write(tmp_path / "m", {"1_a": text})
    with database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE held IN ROW EXCLUSIVE MODE")
        thread, caught = migrating(database, folder)
        wait_until(lambda: is_waiting(database), "the build")
        durable.pg_ctl("-m", "immediate", "-w", "stop")
        thread.join()
        blocker.close()
    durable.pg_ctl("-w", "-l", str(durable.data.parent / "log"), "start")
    assert [type(error) for error in caught] == [ConnectionLost]
    progress = "SELECT statements_done, left(running_statement, 12) FROM _wflo_schema_progress"
    assert one(database, progress) == (1, "CREATE INDEX")
    assert one(database, "SELECT indisvalid FROM pg_index WHERE indrelid = 'held'::regclass") == (False,)
    assert operations.migrate(database, read_migrations(folder), allow=[Allow.NOT_EMPTY]).ids == ("1_a",)
    assert one(database, "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 'held'::regclass") == (
        1,
        True,
    )
    assert one(database, "SELECT count(*) FROM done") == (1,)


def test_without_a_free_connection_slot_nothing_happens_and_the_next_run_finishes(
    durable: RunningServer, tmp_path: Path
) -> None:
    do(durable.database, "CREATE DATABASE slots")
    database = durable.database.with_name("slots")
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int)", "2_b": "SELECT pg_sleep(1.5)"})
    taken: list[psycopg.Connection[Any]] = []
    try:
        with contextlib.suppress(ConnectionFailed):
            while True:
                taken.append(database.connect())
        with pytest.raises(ConnectionFailed, match="no free connection slot"):
            operations.migrate(database, read_migrations(folder))
        taken.pop().close()
        results: list[tuple[str, ...]] = []

        def run() -> None:  # with a single slot: none is left for looking at what blocks it
            with contextlib.suppress(ConnectionFailed):
                results.append(operations.migrate(database, read_migrations(folder)).ids)

        while not results:
            run()
        assert results == [("1_a", "2_b")]
    finally:
        for connection in taken:
            connection.close()


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can mount a small tmpfs")
def test_full_disk_leaves_nothing_and_the_next_run_finishes(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    place = Path(tempfile.mkdtemp(prefix="wfsfull", dir="/tmp"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=False).returncode != 0:
        place.rmdir()
        pytest.skip("this root may not mount a tmpfs")
    tablespace = f"full_{database.name}"
    try:
        if server.user:
            shutil.chown(place, server.user)
        do(database, f"CREATE TABLESPACE {tablespace} LOCATION '{place}'")
        fill = "SELECT repeat(md5(g::text), 20) FROM generate_series(1, 20000) AS g"
        files = {
            "1_a": f"CREATE TABLE a (t text) TABLESPACE {tablespace}",
            "2_b": f"CREATE TABLE b (id int);\nINSERT INTO a {fill};\nCREATE TABLE c (id int);",
            "3_c": "CREATE TABLE e (id int)",
        }
        folder = write(tmp_path / "m", files)
        with pytest.raises(MigrationFailed) as caught:
            operations.migrate(database, read_migrations(folder))
        assert caught.value.sqlstate == "53100" and "disk is full" in caught.value.hint
        assert caught.value.location is not None and caught.value.location.line == 2
        assert one(database, "SELECT to_regclass('b') IS NULL, (SELECT count(*) FROM _yoyo_migration)") == (True, 1)
        subprocess.run(["mount", "-o", "remount,size=200m", str(place)], check=True)
        assert operations.migrate(database, read_migrations(folder)).ids == ("2_b", "3_c")
        do(database, "DROP TABLE a", f"DROP TABLESPACE {tablespace}")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        place.rmdir()


# those who wait behind us


def wait_for_each(database: Database, blockers: list[psycopg.Connection[Any]], is_done: Callable[[], bool]) -> int:
    """Let one blocker after another go, a moment after it is waited for; return how many were left when it was done."""
    for number, blocker in enumerate(blockers):
        wait_until(lambda: is_done() or is_waiting(database), "the lock queue")
        until = time.monotonic() + 1.0
        while time.monotonic() < until and not is_done():
            time.sleep(0.02)
        if is_done():
            return len(blockers) - number
        blocker.rollback()
    return 0


def wait_one_after_the_other(
    database: Database, folder: Path, tables: list[str], *, timeout_ms: int, head: str = "", writer: bool = False
) -> tuple[list[Retrying], int]:
    """Migrate tables of which each but the first is held, and let go a moment after it is waited for.

    With ``writer`` another session waits for the first table, which the migration has.  Return why it was tried again,
    and how many were still held when the writer was through.  Where this machine stood still for so long that a single
    wait reached the lock timeout, that shows nothing, and all begins anew.
    """
    do(database, *(f"CREATE TABLE {t} (id int)" for t in tables))
    for attempt in range(5):
        alters = ";\n".join(f"ALTER TABLE {t} ADD COLUMN x{attempt} int" for t in tables)
        if "false" in head:  # one statement is a transaction too
            alters = f"DO $$BEGIN {alters.replace(chr(10), ' ')}; END$$"
        files = read_migrations(write(folder, {f"{attempt}_m": f"{head}{alters}"}))
        told: list[object] = []
        with contextlib.ExitStack() as stack:
            readers = [stack.enter_context(database.connect(autocommit=False)) for _ in tables[1:]]
            for reader, table in zip(readers, tables[1:], strict=True):
                reader.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE".encode())
            options = {
                "locks": LockOptions(timeout_ms=timeout_ms),
                "notify": told.append,
                "allow": [Allow.NOT_EMPTY],
            }
            run = threading.Thread(target=operations.migrate, args=(database, files), kwargs=options)
            run.start()
            wait_until(lambda: is_waiting(database), "the lock queue")
            writing = threading.Thread(target=do, args=(database, f"INSERT INTO {tables[0]} VALUES (1)"))
            if writer:
                writing.start()
            left = wait_for_each(database, readers, lambda started=writer, w=writing: started and not w.is_alive())  # type: ignore[misc]
        run.join()
        query = "SELECT count(*) FROM pg_attribute WHERE attname = %s"
        assert one(database, query, f"x{attempt}") == (len(tables),)
        again = [event for event in told if isinstance(event, Retrying)]
        if not any("due to lock timeout" in event.reason for event in again):
            break
    return again, left


@pytest.mark.parametrize("transactional", ["true", "false"])
def test_waits_for_one_lock_after_the_other_do_not_add_up_for_those_behind(
    database: Database, tmp_path: Path, transactional: str
) -> None:
    """Each is shorter than the lock timeout, all together are not."""
    again, left = wait_one_after_the_other(
        database,
        tmp_path / "m",
        [f"t{n}" for n in range(10)],
        timeout_ms=3000,
        head=f"-- transactional: {transactional}\n",
        writer=True,
    )
    assert left > 0
    assert any("gave way to a session" in event.reason for event in again), again


def test_waits_add_up_unnoticed_where_nobody_is_behind(database: Database, tmp_path: Path) -> None:
    tables = [f"t{n}" for n in range(5)]
    assert wait_one_after_the_other(database, tmp_path / "m", tables, timeout_ms=2900) == ([], 0)


@pytest.mark.parametrize("delay_s", [0.0, 0.06])
def test_function_that_sets_its_own_lock_timeout_waits_no_longer_than_the_option_says(
    database: Database, tmp_path: Path, delay_s: float
) -> None:
    """Also where no answer to who waits for whom comes in a moment."""
    do(
        database,
        "CREATE TABLE held (id int)",
        "CREATE FUNCTION patient() RETURNS void LANGUAGE sql SET lock_timeout = 0 AS 'LOCK TABLE held'",
    )
    folder = write(tmp_path / "m", {"1_a": "SELECT patient()"})
    proxy = Proxy("127.0.0.1", int(database.parameters["port"]), delay_s=delay_s)
    with proxy, database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE held IN ACCESS SHARE MODE")
        there = database.with_parameters(port=str(proxy.port))
        run = start_cli(
            there, folder, "migrate", "--lock-timeout", "500ms", "--lock-wait", "1s", "--allow", "not-empty"
        )
        code, _, err = run.finish()
    assert code == 3 and "did not get a lock" in err and "a function has set a longer lock_timeout" in err, err


# many at once


MANY = {
    **{f"{n}_t": f"CREATE TABLE t{n} (id int); INSERT INTO t{n} SELECT generate_series(1, 100);" for n in range(1, 8)},
    "4_t": "-- transactional: false\nCREATE TABLE IF NOT EXISTS t4 (id int);\n"
    "CREATE INDEX CONCURRENTLY i4 ON t3 (id);\n"
    "SELECT pg_sleep(0.2);\nINSERT INTO t4 SELECT generate_series(1, 100);\nDROP INDEX CONCURRENTLY i4;\n"
    "CREATE INDEX CONCURRENTLY i4 ON t3 (id);",
    "6_t": "-- transactional: false\nCREATE TABLE IF NOT EXISTS t6 (id int);\n"
    "CREATE INDEX CONCURRENTLY i6 ON t5 (id);\n"
    "INSERT INTO t6 SELECT generate_series(1, 100);",
}
MANY_BACK = {
    **{f"{n}_t": f"DROP TABLE t{n}" for n in range(1, 8)},
    "4_t": "DROP INDEX CONCURRENTLY i4;\nDROP TABLE t4",
    "6_t": "DROP INDEX CONCURRENTLY i6;\nDROP TABLE t6",
}
TABLES = """
SELECT (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '^t[0-9]$'),
       (SELECT string_agg('t' || left(migration_id, 1), ' ' ORDER BY migration_id) FROM _yoyo_migration)
"""


def test_sixteen_processes_at_once_apply_each_migration_once_and_in_order(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", MANY)
    ended = [run.finish() for run in [start_cli(database, folder, "migrate") for _ in range(16)]]
    assert [code for code, _, _ in ended] == [0] * 16, ended
    assert one(database, "SELECT string_agg(migration_id, ' ' ORDER BY created_at_utc) FROM _yoyo_log") == (
        " ".join(sorted(MANY)),
    )
    for n in range(1, 8):
        assert one(database, f"SELECT count(*) FROM t{n}") == (100,)
    assert one(database, "SELECT bool_and(indisvalid) FROM pg_index")[0] is True


def test_rollback_racing_migrate_ends_with_ledger_and_tables_in_agreement(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", MANY, MANY_BACK)
    operations.migrate(database, read_migrations(folder))
    runs = [
        start_cli(database, folder, *words)
        for words in [("rollback", "-n", "4"), ("migrate",), ("rollback", "-n", "2"), ("migrate",)] * 2
    ]
    ended = [run.finish() for run in runs]
    assert [code for code, _, _ in ended[1::2]] == [0] * 4, "\n".join(f"{c} {o} {e}" for c, o, e in ended)
    assert all(code in (0, 3) for code, _, _ in ended), ended
    tables, recorded = one(database, TABLES)
    assert tables == recorded
    operations.migrate(database, read_migrations(folder))
    assert one(database, TABLES)[0] == " ".join(f"t{n}" for n in range(1, 8))


# pgbouncer


@contextlib.contextmanager
def pgbouncer(database: Database, mode: str, pool_size: int) -> Iterator[Database]:
    """A pgbouncer in front of a database, on a port of its own."""
    account = choose_account()
    home = Path(tempfile.mkdtemp(prefix="wfsbouncer", dir="/tmp"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (home / "users").write_text('"postgres" ""\n')
    (home / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={database.parameters['port']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {home}/users\npool_mode = {mode}\ndefault_pool_size = {pool_size}\n"
        "max_client_conn = 200\n"
    )
    home.chmod(0o755)
    process = subprocess.Popen(
        [str(PGBOUNCER), str(home / "ini")],
        user=account.name if account else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    pooled = Database.parse(f"postgresql://postgres@127.0.0.1:{port}/{database.name}")
    try:

        def answers() -> bool:
            with contextlib.suppress(ConnectionFailed):
                pooled.connect().close()
                return True
            return False

        wait_until(answers, "pgbouncer")
        yield pooled
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(home, ignore_errors=True)


needs_pgbouncer = pytest.mark.skipif(not PGBOUNCER.exists(), reason=f"no {PGBOUNCER} here")

DIRTY = {
    "1_a": "CREATE TABLE a (id int); SET search_path = pg_catalog; SET work_mem = '77MB'; SELECT pg_advisory_lock(7);",
    "2_b": "CREATE TABLE b (id int); CREATE TEMP TABLE left_behind (id int); "
    "PREPARE left_behind AS SELECT 1; LISTEN x;",
    "3_c": "CREATE TABLE c (id int); SET SESSION AUTHORIZATION pg_monitor; SET session_replication_role TO DEFAULT;",
    "4_d": "CREATE TABLE d (id int); SELECT pg_sleep(0.8);",
    "5_e": "CREATE TABLE e (id int);"
    "SELECT repeat('x', 1000) FROM generate_series(1, 50000) UNION ALL SELECT pg_sleep(0.7)::text;"
    "SELECT repeat('x', 1000) FROM generate_series(1, 50000)",
}


@needs_pgbouncer
@pytest.mark.parametrize("pool_size", [1, 3])
def test_pgbouncer_in_transaction_mode_just_works_and_strands_nothing(
    database: Database, tmp_path: Path, pool_size: int
) -> None:
    files = {**DIRTY, "3_c": DIRTY["3_c"].replace("SET session_replication_role TO DEFAULT;", "")}
    folder = write(tmp_path / "m", files)
    with pgbouncer(database, "transaction", pool_size) as pooled:
        code, _out, err = start_cli(pooled, folder, "migrate").finish()
        assert code == 0, err
        assert one(database, "SELECT count(*) FROM _yoyo_migration") == (5,)
        for _ in range(pool_size):
            seen = one(
                pooled,
                "SELECT current_setting('search_path'), current_setting('work_mem'), "
                "current_user::text, session_user::text, "
                "(SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels())",
            )
            assert seen == ('"$user", public', "4MB", "postgres", "postgres", 0, 0)
        assert one(database, ADVISORY_LOCKS) == (0,)
        assert one(database, "SELECT count(*) FROM pg_class WHERE relname = 'left_behind'") == (0,)


@needs_pgbouncer
@pytest.mark.parametrize("pool_size", [1, 3])
def test_pgbouncer_in_transaction_mode_is_recognised_however_late_it_answers(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool_size: int
) -> None:
    folder = write(tmp_path / "m", {"1_a": "-- transactional: false\nSELECT 1"})
    monkeypatch.setattr(Aside, "answer", _late(Aside.answer))
    with pgbouncer(database, "transaction", pool_size) as pooled:
        thread, caught = migrating(pooled, folder)
        thread.join(90)
        assert not thread.is_alive()
    assert [type(error) for error in caught] == [Refused] and "transaction mode" in caught[0].message


def _late(answer: Callable[..., Any]) -> Callable[..., Any]:
    """As ``answer``, but the first one has not come yet."""
    calls: list[int] = []

    def late(self: Aside, *, within_s: float) -> Any:
        calls.append(1)
        return answer(self, within_s=within_s) if len(calls) > 1 else None

    return late


@needs_pgbouncer
def test_many_at_once_through_pgbouncer_in_transaction_mode(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {f"{n}_t": f"CREATE TABLE t{n} (id int); SELECT pg_sleep(0.05)" for n in range(5)})
    with pgbouncer(database, "transaction", 2) as pooled:
        ended = [run.finish() for run in [start_cli(pooled, folder, "migrate") for _ in range(6)]]
        assert [code for code, _, _ in ended] == [0] * 6, ended
    assert one(database, "SELECT string_agg(migration_id, ' ' ORDER BY created_at_utc) FROM _yoyo_log") == (
        "0_t 1_t 2_t 3_t 4_t",
    )


@needs_pgbouncer
@pytest.mark.parametrize("pool_size", [1, 3])
def test_non_transactional_file_through_pgbouncer_in_transaction_mode_is_refused_with_the_way_out(
    database: Database, tmp_path: Path, pool_size: int
) -> None:
    folder = write(tmp_path / "m", FILES)
    with pgbouncer(database, "transaction", pool_size) as pooled:
        code, _out, err = start_cli(pooled, folder, "migrate").finish()
        assert code == 3, err
        assert "pooler" in err and "transaction mode" in err and "5432" in err
        assert one(database, "SELECT string_agg(migration_id, ' ') FROM _yoyo_migration") == ("1_a",)
        assert one(database, ADVISORY_LOCKS) == (0,)
    assert operations.migrate(database, read_migrations(folder)).ids == ("2_b", "3_c")


def test_second_connection_goes_to_the_host_of_the_first(server: RunningServer, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"1_a": "ALTER TABLE held ADD COLUMN x int"})
    other = start_server(server.version)
    try:
        both = [server.database.with_name(f"held_{os.getpid()}"), other.database.with_name(f"held_{os.getpid()}")]
        ports = ",".join(d.parameters["port"] for d in both)
        any_of = both[0].with_parameters(host="127.0.0.1,127.0.0.1", port=ports, load_balance_hosts="random")
        with contextlib.ExitStack() as stack:
            for maintenance, held in zip((server.database, other.database), both, strict=True):
                do(maintenance, f"CREATE DATABASE {held.name}")
                do(held, "CREATE TABLE held (id int)")
                blocker = stack.enter_context(held.connect(autocommit=False))
                blocker.execute("SELECT 'the report' FROM held")
            for _ in range(6):
                with pytest.raises(LockNotAcquired) as caught:
                    locks = LockOptions(timeout_ms=150, wait_s=0.3)
                    operations.migrate(any_of, read_migrations(folder), allow=[Allow.NOT_EMPTY], locks=locks)
                assert "the report" in caught.value.message
        do(server.database, f"DROP DATABASE {both[0].name} WITH (FORCE)")
    finally:
        stop_server(other)


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_blocker_is_named_through_pgbouncer(database: Database, tmp_path: Path, mode: str) -> None:
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int)", "2_b": "ALTER TABLE held ADD COLUMN x int"})
    do(database, "CREATE TABLE held (id int)")
    with pgbouncer(database, mode, 3) as pooled, database.connect(autocommit=False) as blocker:
        blocker.execute("SELECT 'the report' FROM held")
        with pytest.raises(LockNotAcquired) as caught:
            locks = LockOptions(timeout_ms=200, wait_s=2.0)
            operations.migrate(pooled, read_migrations(folder), allow=[Allow.NOT_EMPTY], locks=locks)
    assert "the report" in caught.value.message


@needs_pgbouncer
@pytest.mark.parametrize("pool_size", [1, 3])
def test_non_transactional_file_through_pgbouncer_in_session_mode_works(
    database: Database, tmp_path: Path, pool_size: int
) -> None:
    folder = write(tmp_path / "m", FILES)
    with pgbouncer(database, "session", pool_size) as pooled:
        code, _out, err = start_cli(pooled, folder, "migrate").finish()
        assert code == 0, err
    assert one(database, "SELECT count(*) FROM _yoyo_migration") == (3,)


# signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_signal_cancels_on_the_server_rolls_back_and_says_what_was_applied(
    database: Database, tmp_path: Path, number: signal.Signals, times: int
) -> None:
    folder = write(
        tmp_path / "m",
        {"1_a": "CREATE TABLE a (id int)", "2_b": "CREATE TABLE b (id int); SELECT pg_sleep(60)", "3_c": "SELECT 1"},
    )
    run = start_cli(database, folder, "migrate", "--format", "json")
    wait_until(lambda: is_running(database, "pg_sleep(60)"), "the migration")
    for _ in range(times):
        run.send_signal(number)
    code, out, err = run.finish()
    assert code == 128 + number, err
    assert "Traceback" not in err
    said = json.loads(out or err)
    assert "1_a" in json.dumps(said)
    wait_until(lambda: not is_running(database, "pg_sleep(60)"), "the server to cancel")
    assert one(database, "SELECT to_regclass('b') IS NULL, (SELECT count(*) FROM _yoyo_migration)") == (True, 1)


@pytest.mark.parametrize("times", [1, 2])
def test_signal_in_a_non_transactional_statement(database: Database, tmp_path: Path, times: int) -> None:
    folder = write(tmp_path / "m", {"1_a": "-- transactional: false\nCREATE TABLE a (id int);\nSELECT pg_sleep(60);"})
    run = start_cli(database, folder, "migrate")
    wait_until(lambda: is_running(database, "pg_sleep(60)"), "the migration")
    for _ in range(times):
        run.send_signal(signal.SIGINT)
    code, _, err = run.finish()
    assert code == 130 and "Traceback" not in err, err
    wait_until(lambda: not is_running(database, "pg_sleep(60)"), "the server to cancel")
    assert one(database, "SELECT statements_done, to_regclass('a') IS NOT NULL FROM _wflo_schema_progress") == (1, True)
    write(folder, {"1_a": "-- transactional: false\nCREATE TABLE a (id int);\nSELECT 1;"})
    assert operations.migrate(database, read_migrations(folder)).ids == ("1_a",)


@pytest.mark.parametrize("moment", ["waiting for a lock", "between tries", "index build", "session lock", "ledger row"])
def test_signal_while_waiting(database: Database, tmp_path: Path, moment: str) -> None:
    do(database, "CREATE TABLE held (id int)")
    alter = {"1_a": "CREATE TABLE a (id int);", "2_b": "ALTER TABLE held ADD COLUMN x int"}
    build = {"1_a": "-- transactional: false\nCREATE INDEX CONCURRENTLY held_i ON held (id);"}
    folder = write(tmp_path / "m", build if moment in ("index build", "session lock") else alter)
    with database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE held IN ROW EXCLUSIVE MODE")
        if moment == "waiting for a lock":
            run = start_cli(database, folder, "migrate", *BESIDE, "--lock-timeout", "50s")
            wait_until(lambda: is_waiting(database), "the lock queue")
        elif moment == "between tries":
            run = start_cli(database, folder, "migrate", *BESIDE, "--lock-timeout", "30ms", "--lock-wait", "600s")
            wait_until(lambda: run.err.count("did not get through") > 2, "a pause")
        elif moment == "index build":
            run = start_cli(database, folder, "migrate", *BESIDE)
            wait_until(lambda: is_waiting(database), "the lock queue")
        elif moment == "session lock":
            operations.migrate(
                database,
                read_migrations(write(tmp_path / "other", {"0_a": "SELECT 1", **build})),
                to="0_a",
                allow=[Allow.NOT_EMPTY],
            )
            keys = Ledger("public", True, True, True, True, frozenset(), False, 0, "", "").lock_keys
            blocker.execute(sql.SQL("SELECT pg_advisory_lock({}, {})").format(*(int(k) for k in keys)))
            run = start_cli(database, tmp_path / "other", "migrate")
            wait_until(lambda: "another run is at work" in run.err, "the run")
        else:
            first = write(tmp_path / "first", {"1_a": alter["1_a"]})
            operations.migrate(database, read_migrations(first), allow=[Allow.NOT_EMPTY])
            blocker.execute("LOCK TABLE _yoyo_migration IN SHARE MODE")
            run = start_cli(database, folder, "migrate", *BESIDE)
            wait_until(lambda: is_waiting(database), "the lock queue")
        run.send_signal(signal.SIGINT)
        code, _, err = run.finish()
        assert code == 130 and "Traceback" not in err, err
    files = read_migrations(tmp_path / "other" if moment == "session lock" else folder)
    rest = operations.migrate(database, files, allow=[Allow.NOT_EMPTY])
    assert rest.ids[-1:] == (("1_a",) if moment in ("index build", "session lock") else ("2_b",))
    assert one(database, "SELECT coalesce(bool_and(indisvalid), true) FROM pg_index") == (True,)


@pytest.mark.parametrize("moment", ["reading the ledger", "making it", "adding checksums to it", "making progress"])
def test_signal_while_waiting_for_the_ledger_itself(database: Database, tmp_path: Path, moment: str) -> None:
    folder = write(tmp_path / "m", {"1_a": "SELECT 1", "2_b": "-- transactional: false\nSELECT 2"})
    if moment != "making it":
        operations.migrate(database, read_migrations(folder), to="1_a")
    if moment == "adding checksums to it":
        do(database, "ALTER TABLE _yoyo_migration DROP COLUMN checksum")
    with database.connect(autocommit=False) as blocker:
        if moment == "reading the ledger":
            blocker.execute("LOCK TABLE _yoyo_migration")
        elif moment == "adding checksums to it":
            blocker.execute("SELECT FROM _yoyo_migration")
        else:
            keys = Ledger("public", True, True, True, True, frozenset(), False, 0, "", "").making_keys
            blocker.execute("SELECT pg_advisory_xact_lock(%s, %s)", [int(key) for key in keys])
        run = start_cli(database, folder, "migrate")
        wait_until(lambda: is_waiting(database), "the lock queue")
        run.send_signal(signal.SIGINT)
        code, _, err = run.finish()
        assert code == 130 and "interrupted" in err and "Traceback" not in err, err
    assert operations.migrate(database, read_migrations(folder)).ids[-1] == "2_b"


def is_waiting(database: Database) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND application_name LIKE 'wflo-schema %%'"
    )
    return bool(one(database, query)[0])


HALF_DONE = {
    "build": "CREATE INDEX CONCURRENTLY held_x ON held (x);",
    "unique build": "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS held_x ON held (x);",
    "reindex of an index": "REINDEX INDEX CONCURRENTLY held_id;",
    "reindex of a table": "REINDEX (CONCURRENTLY) TABLE held;",
    "reindex of a schema": "REINDEX SCHEMA CONCURRENTLY public;",
    "reindex of a database": "REINDEX (CONCURRENTLY) DATABASE {database};",
    "drop": "DROP INDEX CONCURRENTLY held_id;",
    "detach": "ALTER TABLE held DETACH PARTITION part CONCURRENTLY;",
}


@pytest.mark.parametrize("what", HALF_DONE)
@pytest.mark.parametrize("way", ["stop", "terminate"])
def test_what_a_concurrent_statement_left_half_done_is_repaired(
    database: Database, tmp_path: Path, what: str, way: str
) -> None:
    statement = HALF_DONE[what].format(database=database.name)
    files = {"1_a": f"-- transactional: false\nINSERT INTO done VALUES (1);\n{statement}\nINSERT INTO done VALUES (2);"}
    folder = write(tmp_path / "m", files)
    do(database, "CREATE TABLE done (id int)")
    if what == "detach":
        do(database, "CREATE TABLE held (id int, x int) PARTITION BY RANGE (id)")
        do(database, "CREATE TABLE part PARTITION OF held FOR VALUES FROM (0) TO (10)")
    else:
        do(database, "CREATE TABLE held (id int, x int, t text)", "CREATE INDEX held_id ON held (id)")
    stop = Stop()
    with database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE held IN ROW EXCLUSIVE MODE")
        thread, caught = migrating(database, folder, stop)
        wait_until(lambda: is_waiting(database), "the lock queue")
        if way == "stop":
            stop.request(signal.SIGINT)
        else:
            do(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'wflo-schema %'",
            )
        thread.join()
    assert [type(e) for e in caught] == [Interrupted if way == "stop" else ConnectionLost]
    assert operations.migrate(database, read_migrations(folder)).ids == ("1_a",)
    assert one(database, "SELECT count(*), sum(id) FROM done") == (2, 3)
    expected = {"drop": 0, "build": 2, "unique build": 2, "detach": 0}.get(what, 1)
    query = "SELECT count(*), coalesce(bool_and(indisvalid), true) FROM pg_index WHERE indrelid = 'held'::regclass"
    assert one(database, query) == (expected, True)
    assert one(database, "SELECT count(*) FROM pg_inherits") == (0,)
    assert one(database, "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE NOT indisvalid") == (
        None,
    )


def test_index_build_that_outlives_its_killed_client_is_waited_for(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"1_a": "-- transactional: false\nCREATE INDEX CONCURRENTLY held_x ON held (x);"})
    do(database, "CREATE TABLE held (id int, x int)")
    unseen = database.with_parameters(options="-c client_connection_check_interval=0")
    with database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE held IN ROW EXCLUSIVE MODE")
        first = forks.Process(target=migrate, args=(unseen, str(folder)))
        first.start()
        wait_until(lambda: is_waiting(database), "the lock queue")
        first.kill()
        first.join()
        second = start_cli(database, folder, "migrate")
        wait_until(lambda: "another run is at work" in second.err, "the second run")
        assert is_waiting(database)
    code, _, err = second.finish()
    assert code == 0, err
    assert one(database, "SELECT string_agg(migration_id, ' ') FROM _yoyo_migration") == ("1_a",)
    assert one(database, "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 'held'::regclass") == (
        1,
        True,
    )


@pytest.mark.parametrize("verb", ["CREATE", "DROP"])
def test_statement_that_its_killed_client_did_not_see_completed_is_not_done_again(
    database: Database, tmp_path: Path, verb: str
) -> None:
    beside = f"{database.name}_beside"
    do(database, "CREATE TABLE done (id int)", *([] if verb == "CREATE" else [f"CREATE DATABASE {beside}"]))
    folder = write(
        tmp_path / "m", {"1_a": f"-- transactional: false\n{verb} DATABASE {beside};\nINSERT INTO done VALUES (1);"}
    )
    with database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE pg_database IN SHARE MODE")
        first = forks.Process(target=migrate, args=(database, str(folder)))
        first.start()
        wait_until(lambda: is_waiting(database), "the lock queue")
        first.kill()
        first.join()
    assert operations.migrate(database, read_migrations(folder)).ids == ("1_a",)
    assert one(database, "SELECT count(*) FROM done") == (1,)
    there = one(database, "SELECT count(*) FROM pg_database WHERE datname = %s", beside) == (1,)
    do(database, f"DROP DATABASE IF EXISTS {beside}")
    assert there == (verb == "CREATE")


def test_database_that_was_there_before_is_an_error_however_often_it_is_tried(
    database: Database, tmp_path: Path
) -> None:
    text = f"-- transactional: false\nCREATE DATABASE {database.name};"
    folder = write(tmp_path / "m", {"1_a": text})
    for _ in range(3):
        with pytest.raises(MigrationFailed) as caught:
            operations.migrate(database, read_migrations(folder))
        assert caught.value.sqlstate == "42P04"


def test_stop_before_anything_runs_applies_nothing(database: Database, tmp_path: Path) -> None:
    stop = Stop()
    stop.request(signal.SIGTERM)
    with pytest.raises(WfloSchemaError) as caught:
        operations.migrate(database, read_migrations(write(tmp_path / "m", FILES)), stop=stop)
    assert caught.value.exit_code == 143
    assert one(database, "SELECT to_regclass('a') IS NULL") == (True,)


# connections that say little


def test_link_of_forty_milliseconds_costs_little_more_than_a_round_trip_a_migration(
    database: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path / "m", {f"{n:02}_t": f"CREATE TABLE t{n} (id int)" for n in range(20)})
    with Proxy("127.0.0.1", int(database.parameters["port"]), delay_s=0.02) as proxy:
        result = operations.migrate(database.with_parameters(port=str(proxy.port)), read_migrations(folder))
    assert len(result.ids) == 20 and result.round_trips <= 20 * 1.2 + 5


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("timeout", ["connect_timeout=600", "connect_timeout=0"])
def test_signal_while_connecting_ends_the_run_at_once(tmp_path: Path, signal_: signal.Signals, timeout: str) -> None:
    folder = write(tmp_path / "migrations", FILES)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        nowhere = Database.parse(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x?{timeout}&sslmode=disable")
        cli = start_cli(nowhere, folder, "migrate")
        connection, _ = silent.accept()
        with connection:
            time.sleep(0.3)
            cli.send_signal(signal_)
            code, out, err = cli.finish()
    assert (code, out) == (128 + signal_, "")
    assert "nothing was under way" in err and "Traceback" not in err


def test_interrupted_rollback_says_that_the_migration_stays(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a ();"}, {"1_a": "SELECT pg_sleep(30); DROP TABLE a;"})
    operations.migrate(database, read_migrations(folder))
    cli = start_cli(database, folder, "rollback")
    wait_until(lambda: is_running(database, "pg_sleep"), "the rollback")
    cli.send_signal(signal.SIGINT)
    code, _, err = cli.finish()
    assert code == 130 and "1_a was rolled back" not in err
    assert "the rollback of 1_a was taken back, so it stays applied" in err
    assert operations.status(database, read_migrations(folder)).applied[0].id == "1_a"
