"""The connections of a fleet: few, no more than a server has left, and mended where they are lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.conftest import RunningServer, set_password, start_server, stop_server
from tests.engine.test_faults import do, needs_pgbouncer, one, pgbouncer, wait_until, write
from tests.fleet.test_operations import FILES, counted, recorded, tenants
from wflo_schema.connect.database import Database
from wflo_schema.engine.events import Done, Running
from wflo_schema.engine.locks import LockOptions
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.fleet.operations import migrate_fleet, rollback_fleet
from wflo_schema.fleet.outcomes import Beginning, Finished, FleetEvent, FleetOptions, State, Told
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server


@pytest.fixture
def files(tmp_path: Path) -> Migrations:
    return read_migrations(write(tmp_path / "migrations", FILES))


@pytest.fixture
def own(server: RunningServer) -> Iterator[RunningServer]:
    """A server of this test's own, with few slots."""
    started = start_server(server.version, settings={"max_connections": "12"})
    yield started
    stop_server(started)


OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'wflo-schema _%%'"


def test_a_server_that_goes_away_and_comes_back_is_waited_for(own: RunningServer, files: Migrations) -> None:
    """What was committed last, and was not on disk, is done again."""
    targets = tenants(own.database, 24)
    crashing: list[threading.Thread] = []

    def crash() -> None:
        own.pg_ctl("stop", "-m", "immediate")
        own.pg_ctl("-w", "-l", str(own.data.parent / "log"), "start")

    def tell(event: FleetEvent) -> None:
        if isinstance(event, Finished) and not crashing:
            crashing.append(threading.Thread(target=crash))
            crashing[0].start()

    result = migrate_fleet(targets, files, options=FleetOptions(jobs=3, patience_s=120), notify=tell)
    crashing[0].join()
    assert counted(result) == {"done": 24}
    assert {recorded(target) for target in targets} == {("1_a", "2_b", "3_c")}


def test_a_server_that_stays_away_is_one_cause_and_the_other_ones_targets_are_done(
    own: RunningServer, database: Database, files: Migrations
) -> None:
    here, gone = tenants(database, 6), tenants(own.database, 30)

    def tell(event: FleetEvent) -> None:
        is_done = isinstance(event, Told) and isinstance(event.event, Done) and event.target.startswith("postgres#")
        if is_done and own.data.exists():
            stop_server(own)

    options = FleetOptions(jobs=2, patience_s=1.0)
    result = migrate_fleet([*here, *gone], files, options=options, notify=tell)
    assert {o.state for o in result.outcomes[:6]} == {State.DONE}
    failed = result.of(State.FAILED)
    assert len(failed) > 20
    (cause,) = result.causes
    assert cause.error.message.startswith("no server answers at")


@pytest.mark.parametrize("of", ["role", "database"])
def test_a_limit_of_connections_makes_it_slower_and_nothing_else(
    database: Database, files: Migrations, of: str
) -> None:
    role = f"limited_{database.name}"
    do(database, f"CREATE ROLE {role} LOGIN", f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    try:
        limited = f"ROLE {role}" if of == "role" else f"DATABASE {database.name}"
        ours = database.with_parameters(user=role)
        targets = tenants(ours, 6)
        do(database, f"ALTER {limited} CONNECTION LIMIT 2")
        assert counted(migrate_fleet(targets, files)) == {"done": 6}
        with ours.connect():  # it has one slot left, and nobody can see whom it waits for
            assert counted(migrate_fleet(targets, read_migrations(more(files)))) == {"done": 6}
    finally:
        do(
            database,
            f"ALTER DATABASE {database.name} CONNECTION LIMIT -1",
            f"DROP OWNED BY {role}",
            f"DROP ROLE {role}",
        )


def more(files: Migrations) -> Path:
    """The folder, with another migration."""
    return write(Path(files.directories[0]), {"4_d": "CREATE TABLE d ();"})


def test_it_leaves_half_of_the_slots_and_goes_on_when_others_take_the_rest(
    own: RunningServer, files: Migrations
) -> None:
    targets = tenants(own.database, 12)
    most = 0
    with ExitStack() as others, own.database.connect() as looking:

        def tell(event: FleetEvent) -> None:
            nonlocal most
            if isinstance(event, Beginning):
                for _ in range(7):  # of twelve, three are for superusers
                    others.enter_context(psycopg.connect(own.database.conninfo))
            if isinstance(event, Finished):
                seen = looking.execute(OURS.replace("%%", "%").encode()).fetchone()
                most = max(most, seen[0] if seen else 0)

        result = migrate_fleet(targets, files, options=FleetOptions(jobs=8), notify=tell)
    assert counted(result) == {"done": 12}
    assert 0 < most <= 5
    wait_until(lambda: one(own.database, OURS) == (0,), "all connections to be closed")


def test_connections_are_closed_when_their_database_is_left(server: RunningServer, database: Database) -> None:
    """As many databases as the server has slots for, nearly, and one target in each."""
    names = [f"{database.name}_{n}" for n in range(8)]
    targets = [Target(name, server.database.with_name(name)) for name in names]
    most = 0

    def tell(event: FleetEvent) -> None:
        nonlocal most
        if isinstance(event, Finished):
            most = max(most, one(database, f"{OURS} AND datname LIKE %s", f"{database.name}_%")[0])

    try:
        for name in names:
            do(server.database, f"CREATE DATABASE {name} TEMPLATE template0")
        folder = Path(server.data.parent / database.name)
        files = read_migrations(write(folder, {"1_a": "CREATE TABLE a ()"}))
        assert counted(migrate_fleet(targets, files, options=FleetOptions(jobs=2), notify=tell)) == {"done": 8}
        assert most <= 3  # one may be leaving
    finally:
        for name in names:
            do(server.database, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_a_wrong_password_a_missing_database_and_a_closed_one_fail_alone(
    guarded: Database, database: Database, files: Migrations
) -> None:
    set_password(guarded, "right")
    fine = tenants(database, 2)
    shut = f"{database.name}_shut"
    do(database, f"CREATE DATABASE {shut} ALLOW_CONNECTIONS false")
    try:
        targets = [
            *fine,
            Target("wrong", guarded.with_parameters(password="wrong")),
            Target("missing", database.with_name("no_such_database")),
            Target("shut", database.with_name(shut)),
            Target("right", guarded.with_password_command("echo right")),
        ]
        result = migrate_fleet(targets, files, options=FleetOptions(patience_s=60))
        assert [o.state.value for o in result.outcomes] == ["done", "done", "failed", "failed", "failed", "done"]
        said = [str(cause.error) for cause in result.causes]
        assert all(
            any(word in text for text in said) for word in ("password", "no database", "not currently accepting")
        )
        assert "wrong" not in said[0]
    finally:
        do(database, f"DROP DATABASE {shut}")


def test_connections_that_are_cut_are_made_again(database: Database, files: Migrations) -> None:
    targets = tenants(database, 12)
    cut = 0

    def tell(event: FleetEvent) -> None:
        nonlocal cut
        if isinstance(event, Finished) and cut < 6:
            query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            cut += one(database, f"{query} AND application_name LIKE 'wflo-schema _%%'")[0]

    result = migrate_fleet(targets, files, options=FleetOptions(jobs=2), notify=tell)
    assert cut
    assert len(result.of(State.DONE)) >= 12 - cut
    assert all("the connection" in str(cause.error) for cause in result.causes)
    assert migrate_fleet(targets, files).is_success
    assert {recorded(target) for target in targets} == {("1_a", "2_b", "3_c")}


def test_a_rollback_whose_connection_is_cut_takes_back_one_and_no_more(database: Database, tmp_path: Path) -> None:
    rollbacks = {"1_a": "DROP TABLE a;", "2_b": "DROP TABLE b;"}
    texts = {"1_a": "CREATE TABLE a ();", "2_b": "CREATE TABLE b ();"}
    files = read_migrations(write(tmp_path / "migrations", texts, rollbacks))
    targets = tenants(database, 12)
    assert migrate_fleet(targets, files).is_success

    def cut(event: FleetEvent) -> None:
        if isinstance(event, Finished) or (isinstance(event, Told) and isinstance(event.event, Running)):
            ours = "application_name ~ '^wflo-schema .' AND datname = current_database()"
            do(database, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")

    result = rollback_fleet(targets, files, options=FleetOptions(jobs=2), notify=cut)
    for outcome, target in zip(result.outcomes, targets, strict=True):
        assert recorded(target)[:1] == ("1_a",)
        assert outcome.state is not State.DONE or recorded(target) == ("1_a",)


def test_a_statement_that_ends_its_own_session_fails_and_the_rest_goes_on(database: Database, tmp_path: Path) -> None:
    targets = tenants(database, 6)
    ends = "SELECT pg_terminate_backend(pg_backend_pid()) WHERE current_schema() = 't02'; CREATE TABLE b ();"
    files = read_migrations(write(tmp_path / "migrations", {"1_a": "CREATE TABLE a ();", "2_b": ends}))
    result = migrate_fleet(targets, files, options=FleetOptions(jobs=2))
    assert [o.state is State.DONE for o in result.outcomes] == [True, True, False, True, True, True]
    assert recorded(targets[2]) == ("1_a",)
    (cause,) = result.causes
    assert "while 2_b was being run" in cause.error.message


@needs_pgbouncer
def test_through_a_pooler_that_gives_each_transaction_another_session(database: Database, tmp_path: Path) -> None:
    texts = {"1_a": FILES["1_a"] + "SET work_mem = '77MB';", "3_c": FILES["3_c"]}
    files = read_migrations(write(tmp_path / "migrations", texts))
    with pgbouncer(database, "transaction", 3) as pooled:
        targets = [Target(t.name, pooled.with_schema(t.database.schema)) for t in tenants(database, 12)]
        result = migrate_fleet(targets, files, options=FleetOptions(jobs=4), locks=LockOptions(wait_s=60))
        assert counted(result) == {"done": 12}
        assert counted(migrate_fleet(targets, files)) == {"nothing to do": 12}
    assert {recorded(Target("", database.with_schema(t.database.schema))) for t in targets} == {("1_a", "3_c")}
