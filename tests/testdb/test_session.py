"""Test databases: made, refused, cloned, pruned."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.engine.test_faults import needs_pgbouncer, pgbouncer, wait_until
from tests.servers import SUPPORTED
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Begun, Done, Event
from wflo_schema.errors import ConnectionFailed, DatabaseError, MigrationFailed, Refused, UsageError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.testdb.databases import list_test_databases, make_test_database, prune_test_databases
from wflo_schema.testdb.pool import Dropper, Pool
from wflo_schema.testdb.session import Made, ServerSession, Strategies, Strategy, Template

WFLO = Path(__file__).parents[2] / "migrations"

pytestmark = pytest.mark.spread_over_servers


@pytest.fixture(scope="module", params=SUPPORTED)
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server of these tests' own: they list, prune and cut, and the other tests' databases are made by the same."""
    if request.param not in BIN:
        pytest.skip(f"no programs of PostgreSQL {request.param} here")
    started = start_server(request.param, settings={"wal_level": "logical", "max_prepared_transactions": "10"})
    yield started
    stop_server(started)


@pytest.fixture
def migrations(tmp_path: Path) -> Migrations:
    """Two migrations that no other test has, so that no other test has made their template."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001-a.sql").write_text(f"-- {secrets.token_hex(8)}\nCREATE TABLE a (id integer PRIMARY KEY);\n")
    (folder / "0002-b.sql").write_text("INSERT INTO a VALUES (1), (2);\n")
    return read_migrations(folder)


@pytest.fixture
def target(server: RunningServer) -> Iterator[Database]:
    """A target that does not exist yet; everything with its name in front is dropped afterwards."""
    name = f"app{secrets.token_hex(4)}"
    yield server.database.with_name(name)
    with server.database.connect() as connection:
        for (found,) in connection.execute(
            "SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE %s", (name + "%",)
        ).fetchall():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(found)))


def _names(server: RunningServer) -> set[str]:
    with server.database.connect() as connection:
        return {str(n) for (n,) in connection.execute("SELECT datname FROM pg_catalog.pg_database").fetchall()}


def _value(database: Database, query: str) -> object:
    with database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def _create(server: RunningServer, name: str) -> Database:
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.database.with_name(name)


# --- make -------------------------------------------------------------------------------------


def test_make_gives_a_migrated_database_beside_a_target_that_does_not_exist(
    target: Database, migrations: Migrations, server: RunningServer
) -> None:
    made = make_test_database(target, migrations)
    assert made.database.name == target.name + "_test"
    assert not made.was_cloned
    assert made.applied == ("0001-a", "0002-b")
    assert [e.id for e in operations.status(made.database, migrations).applied] == ["0001-a", "0002-b"]
    assert target.name not in _names(server)


def test_second_make_is_a_clone_without_what_was_put_into_the_first(target: Database, migrations: Migrations) -> None:
    first = make_test_database(target, migrations)
    with first.database.connect() as connection:
        connection.execute("INSERT INTO a VALUES (3)")
    second = make_test_database(target, migrations)
    assert second.was_cloned
    assert _value(second.database, "SELECT count(*) FROM a") == 2


def test_make_tells_of_the_database_that_was_asked_for(target: Database, migrations: Migrations) -> None:
    events: list[Event] = []
    made = make_test_database(target, migrations, notify=events.append)
    assert [e.label for e in events if isinstance(e, Begun)] == [made.database.label]
    assert [e.id for e in events if isinstance(e, Done)] == ["0001-a", "0002-b"]


def test_make_goes_on_over_open_connections(target: Database, migrations: Migrations) -> None:
    first = make_test_database(target, migrations)
    connection = first.database.connect(autocommit=False)
    try:
        connection.execute("LOCK TABLE a")
        second = make_test_database(target, migrations)
        assert _value(second.database, "SELECT count(*) FROM a") == 2
    finally:
        connection.close()


def test_make_with_keep_applies_only_what_is_pending(target: Database, migrations: Migrations, tmp_path: Path) -> None:
    first = make_test_database(target, migrations, keep=True)
    assert first.applied == ("0001-a", "0002-b")
    with first.database.connect() as connection:
        connection.execute("INSERT INTO a VALUES (3)")
    (tmp_path / "migrations" / "0003-c.sql").write_text("INSERT INTO a VALUES (4);\n")
    second = make_test_database(target, read_migrations(tmp_path / "migrations"), keep=True)
    assert second.applied == ("0003-c",)
    assert not second.was_cloned
    assert _value(second.database, "SELECT count(*) FROM a") == 4


def test_edited_migration_is_another_template(target: Database, migrations: Migrations, tmp_path: Path) -> None:
    make_test_database(target, migrations)
    (tmp_path / "migrations" / "0002-b.sql").write_text("INSERT INTO a VALUES (7);\n")
    made = make_test_database(target, read_migrations(tmp_path / "migrations"))
    assert not made.was_cloned
    assert _value(made.database, "SELECT min(id) FROM a") == 7


def test_an_edited_hook_is_another_template(target: Database, migrations: Migrations, tmp_path: Path) -> None:
    hook = tmp_path / "migrations" / "hooks" / "after-all.sql"
    hook.parent.mkdir()
    for number in (7, 8):
        hook.write_text(f"INSERT INTO a VALUES ({number});\n")
        made = make_test_database(target, read_migrations(tmp_path / "migrations"))
        assert not made.was_cloned
        assert _value(made.database, "SELECT max(id) FROM a") == number
    assert make_test_database(target, read_migrations(tmp_path / "migrations")).was_cloned


def test_failing_migration_leaves_the_old_test_database_and_no_other(
    target: Database, migrations: Migrations, tmp_path: Path, server: RunningServer
) -> None:
    made = make_test_database(target, migrations)
    before = _names(server)
    (tmp_path / "migrations" / "0003-c.sql").write_text("SELECT 1 / 0;\n")
    with pytest.raises(MigrationFailed):
        make_test_database(target, read_migrations(tmp_path / "migrations"))
    assert _names(server) == before
    assert _value(made.database, "SELECT count(*) FROM a") == 2


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("chosen", ["production", "app_TEST", "app_test ", "app_test_", "postgres", ""])
def test_make_refuses_a_name_that_is_no_test_database(
    server: RunningServer, migrations: Migrations, chosen: str, keep: bool
) -> None:
    before = _names(server)
    with pytest.raises(Refused, match="does not end in _test") as refused:
        make_test_database(server.database.with_name("app"), migrations, name=chosen, keep=keep)
    assert "nothing was dropped" in refused.value.hint
    assert _names(server) == before


@pytest.mark.parametrize("keep", [False, True])
def test_make_refuses_the_target_itself(server: RunningServer, migrations: Migrations, keep: bool) -> None:
    target = _create(server, f"app{secrets.token_hex(4)}_test")
    try:
        for chosen in (target.name, None):
            with pytest.raises(Refused, match="target"):
                make_test_database(target, migrations, name=chosen, keep=keep)
        assert target.name in _names(server)
    finally:
        with server.database.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(target.name)))


def test_make_refuses_a_name_that_postgresql_would_cut_down_to_the_targets(
    server: RunningServer, migrations: Migrations
) -> None:
    target = server.database.with_name("x" * 63)
    with pytest.raises(Refused, match="keeps 63 of them"):
        make_test_database(target, migrations)


def test_make_refuses_a_template(target: Database, migrations: Migrations, server: RunningServer) -> None:
    name = target.name + "_test"
    _create(server, name)
    with server.database.connect() as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(name)))
        with pytest.raises(Refused, match="template"):
            make_test_database(target, migrations)
        connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))


@pytest.mark.parametrize("odd", ['we"ird', "Größe", "a b;--", "%s{}"])
def test_make_quotes_odd_names(target: Database, migrations: Migrations, server: RunningServer, odd: str) -> None:
    odd_target = target.with_name(f"{target.name}{odd}")
    made = make_test_database(odd_target, migrations)
    assert f"{target.name}{odd}_test" in _names(server)
    assert make_test_database(odd_target, migrations).was_cloned
    assert _value(made.database, "SELECT count(*) FROM a") == 2


def test_make_keeps_to_the_schema(target: Database, migrations: Migrations) -> None:
    made = make_test_database(target.with_schema("app"), migrations)
    assert _value(made.database, "SELECT count(*) FROM app.a") == 2
    assert not make_test_database(target, migrations).was_cloned
    assert _value(made.database, "SELECT count(*) FROM public.a") == 2


@pytest.fixture
def role(server: RunningServer) -> Iterator[str]:
    """A role that may log in and no more."""
    name = f"role{secrets.token_hex(4)}"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    yield name
    with server.database.connect() as connection:
        for (found,) in connection.execute(
            "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.pg_get_userbyid(datdba) = %s", (name,)
        ).fetchall():
            connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(found)))
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(found)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_make_works_for_a_role_that_may_create_databases(
    target: Database, migrations: Migrations, server: RunningServer, role: str
) -> None:
    with server.database.connect() as connection:
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(role)))
    theirs = target.with_parameters(user=role)
    # PUBLIC may not create in the schema public since PostgreSQL 15; the schema is the role's own.
    theirs = theirs.with_schema("app")
    assert not make_test_database(theirs, migrations).was_cloned
    made = make_test_database(theirs, migrations)
    assert made.was_cloned
    assert _value(made.database, "SELECT count(*) FROM app.a") == 2


def test_make_says_which_privilege_is_missing(target: Database, migrations: Migrations, role: str) -> None:
    with pytest.raises(DatabaseError, match=f"the role {role} may not create databases") as refused:
        make_test_database(target.with_parameters(user=role), migrations)
    assert refused.value.hint == f'as a superuser: ALTER ROLE "{role}" CREATEDB'
    assert refused.value.sqlstate == "42501"


def test_make_says_who_may_drop_another_roles_database(
    target: Database, migrations: Migrations, server: RunningServer, role: str
) -> None:
    old = _create(server, target.name + "_test")
    with server.database.connect() as connection:
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(role)))
    before = _names(server)
    with pytest.raises(DatabaseError, match="must be owner"):
        make_test_database(target.with_parameters(user=role).with_schema("app"), migrations)
    assert {n for n in _names(server) - before if not n.startswith("wflo_template_")} == set()
    assert old.name in before


def test_make_goes_by_template1_when_there_is_no_database_postgres(
    target: Database, migrations: Migrations, server: RunningServer
) -> None:
    with server.database.with_name("template1").connect() as connection:
        connection.execute("ALTER DATABASE postgres RENAME TO elsewhere")
    try:
        assert make_test_database(target, migrations).applied
    finally:
        with server.database.with_name("template1").connect() as connection:
            connection.execute("ALTER DATABASE elsewhere RENAME TO postgres")


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_make_refuses_a_connection_pooler_and_drops_nothing(
    server: RunningServer, target: Database, migrations: Migrations, mode: str
) -> None:
    old = _create(server, target.name + "_test")
    with pgbouncer(_create(server, target.name), mode, 2) as pooled:
        with pytest.raises(Refused, match="connection pooler"):
            make_test_database(pooled, migrations)
    assert old.name in _names(server)


def test_make_is_not_stopped_by_the_roles_timeouts(
    target: Database, migrations: Migrations, server: RunningServer
) -> None:
    with server.database.connect() as connection:
        connection.execute("ALTER ROLE postgres SET statement_timeout = '2s'")
        try:
            with ServerSession.open(target) as session:
                assert session.connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        finally:
            connection.execute("ALTER ROLE postgres RESET statement_timeout")


def test_make_says_that_no_server_answers(migrations: Migrations) -> None:
    with pytest.raises(ConnectionFailed, match="no server answers"):
        make_test_database(Database.parse("postgresql://me:secret@127.0.0.1:1/app"), migrations)


def test_make_refuses_an_empty_folder_before_it_drops(target: Database, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(Refused, match="no migration"):
        make_test_database(target, read_migrations(tmp_path / "none"))


# --- prune and list ---------------------------------------------------------------------------


def test_list_names_what_was_made_and_prune_leaves_what_lives(
    target: Database, migrations: Migrations, server: RunningServer
) -> None:
    make_test_database(target, migrations)
    with ServerSession.open(server.database) as session:
        clone = session.clone(session.template(migrations))
        made = {m.name: m for m in list_test_databases(target)}
        assert made[clone].purpose == "clone"
        assert made[clone].is_alive
        assert made[target.name + "_test"].purpose == "test-db"
        assert made[target.name + "_test"].about == target.name
        assert clone not in [m.name for m in prune_test_databases(target).dropped]
        template = session.template(migrations).name
        assert template not in [m.name for m in prune_test_databases(target, templates_older_than_s=0).dropped]
    dropped = [m.name for m in prune_test_databases(target, templates_older_than_s=0).dropped]
    assert clone in dropped
    assert template in dropped
    assert not {clone, template} & _names(server)
    assert target.name + "_test" in _names(server)


def test_prune_leaves_a_clone_that_somebody_is_connected_to(migrations: Migrations, server: RunningServer) -> None:
    with ServerSession.open(server.database) as session:
        clone = session.clone(session.template(migrations))
    with server.database.with_name(clone).connect():
        left = {m.name: why for m, why in prune_test_databases(server.database).left}
        assert left[clone] == "sessions connected to it: 1"
    assert clone in [m.name for m in prune_test_databases(server.database).dropped]


def test_prune_never_touches_a_database_that_only_looks_like_ours(server: RunningServer) -> None:
    building = f"wflo_building_{secrets.token_hex(4)}"
    names = ("wflo_clone_00000001_00000001_1_00000000", "wflo_clone_", building, "mine_test")
    for name in names:
        _create(server, name)
    with server.database.connect() as connection:
        connection.execute("COMMENT ON DATABASE mine_test IS '{\"wflo_schema\": nonsense'")
    try:
        pruned = prune_test_databases(server.database, kept=True, templates_older_than_s=0)
        assert not {m.name for m in pruned.dropped} & set(names)
        assert set(names) <= _names(server)
        assert not {m.name for m in list_test_databases(server.database)} & set(names)
    finally:
        with server.database.connect() as connection:
            for name in names:
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_kept_clone_goes_only_when_kept_ones_may(migrations: Migrations, server: RunningServer) -> None:
    with ServerSession.open(server.database) as session:
        clone = session.clone(session.template(migrations))
        session.mark(clone, "kept", about="tests/test_a.py::test_b")
    assert clone not in [m.name for m in prune_test_databases(server.database).dropped]
    assert [m.about for m in list_test_databases(server.database) if m.name == clone] == ["tests/test_a.py::test_b"]
    assert clone in [m.name for m in prune_test_databases(server.database, kept=True).dropped]


def test_prune_clears_a_dead_clone_of_its_prepared_transaction(migrations: Migrations, server: RunningServer) -> None:
    with ServerSession.open(server.database) as session:
        clone = session.clone(session.template(migrations))
    with server.database.with_name(clone).connect() as connection:
        connection.execute("BEGIN; INSERT INTO a VALUES (7); PREPARE TRANSACTION 'left'")
    pruned = prune_test_databases(server.database)
    assert clone in [m.name for m in pruned.dropped]
    assert _value(server.database, "SELECT count(*) FROM pg_catalog.pg_prepared_xacts") == 0


def test_prune_leaves_the_prepared_transactions_of_others(migrations: Migrations, server: RunningServer) -> None:
    other = _create(server, f"other{secrets.token_hex(4)}")
    with other.connect() as connection:
        connection.execute("CREATE TABLE t (); BEGIN; DROP TABLE t; PREPARE TRANSACTION 'theirs'")
    with ServerSession.open(server.database) as session:
        session.clone(session.template(migrations))
    prune_test_databases(server.database)
    with other.connect() as connection:
        assert connection.execute("SELECT gid FROM pg_catalog.pg_prepared_xacts").fetchall() == [("theirs",)]
        connection.execute("ROLLBACK PREPARED 'theirs'")
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(other.name)))


@pytest.mark.parametrize("length", [58, 59])
def test_name_of_63_bytes_is_the_longest_that_make_takes(
    server: RunningServer, migrations: Migrations, length: int
) -> None:
    target = server.database.with_name("ü" * (length // 2) + "x" * (length % 2))
    if length == 59:
        with pytest.raises(Refused, match="has 64 bytes"):
            make_test_database(target, migrations)
    else:
        made = make_test_database(target, migrations)
        assert len(made.database.name.encode()) == 63
        assert _value(made.database, "SELECT count(*) FROM a") == 2
        with server.database.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(made.database.name)))


# --- kills ------------------------------------------------------------------------------------


def _killed(server: RunningServer, program: str, until: str) -> None:
    """Run a program in a session of its own and SIGKILL it when it has printed a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, server.database.url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=WFLO.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.strip() == until:
                break
        else:
            raise AssertionError("it ended before it could be killed")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()


_PROGRAM = """
import sys
from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations
from wflo_schema.testdb.session import ServerSession
session = ServerSession.open(Database.parse(sys.argv[1]))
migrations = read_migrations({folder!r})
"""


def _dead(server: RunningServer) -> list[Made]:
    """What killed sessions left, once the server has noticed that they are gone."""

    def find() -> list[Made]:
        return [m for m in list_test_databases(server.database) if m.purpose in ("clone", "building")]

    wait_until(lambda: not any(m.is_alive or m.connections for m in find()), "the end of the sessions")
    return find()


def test_killed_build_is_never_used_and_the_next_session_builds_anew(
    server: RunningServer, tmp_path: Path, migrations: Migrations
) -> None:
    folder = tmp_path / "migrations"
    (folder / "0003-slow.sql").write_text("SELECT pg_sleep(300) FROM pg_roles WHERE rolname = 'slow_build';\n")
    with server.database.connect() as connection:
        connection.execute("CREATE ROLE slow_build")
        try:
            _killed(
                server,
                _PROGRAM.format(folder=str(folder))
                + "import threading, time\n"
                + "asleep = \"SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep.300'\"\n"
                + "def tell():\n"
                + "    with Database.parse(sys.argv[1]).connect() as c:\n"
                + "        while c.execute(asleep).fetchone() == (0,): time.sleep(0.01)\n"
                + "    print('now', flush=True)\n"
                + "threading.Thread(target=tell).start()\n"
                + "session.template(migrations)\n",
                "now",
            )
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep.300'"
            )
        finally:
            connection.execute("DROP ROLE slow_build")
    (left,) = _dead(server)
    assert left.purpose == "building"
    with ServerSession.open(server.database) as session:
        template = session.template(read_migrations(folder))
        assert template.was_built
        clone = session.clone(template)
        assert _value(server.database.with_name(clone), "SELECT count(*) FROM a") == 2
        assert [m.name for m in prune_test_databases(server.database).dropped] == [left.name]
        session.drop(clone)


def test_clones_of_a_killed_session_are_pruned_and_those_of_the_living_stay(
    server: RunningServer, migrations: Migrations, tmp_path: Path
) -> None:
    _killed(
        server,
        _PROGRAM.format(folder=str(tmp_path / "migrations"))
        + "template = session.template(migrations)\n"
        + "held = []\n"
        + "for number in range(1000):\n"
        + "    name = session.clone(template)\n"
        + "    held.append(session.database.with_name(name).connect())\n"
        + "    if number == 2: print('now', flush=True)\n",
        "now",
    )
    with ServerSession.open(server.database) as session:
        template = session.template(migrations)
        assert not template.was_built
        mine = session.clone(template)

        def clones_after_pruning() -> set[str]:
            prune_test_databases(server.database)
            return {m.name for m in list_test_databases(server.database) if m.purpose == "clone"}

        wait_until(lambda: clones_after_pruning() <= {mine}, "the end of the killed session")
        assert clones_after_pruning() == {mine}
        session.drop(mine)


def test_killed_make_leaves_nothing_that_is_not_pruned(
    server: RunningServer, target: Database, migrations: Migrations
) -> None:
    with ServerSession.open(server.database) as session:
        clone = session.clone(session.template(migrations))
        session.mark(clone, "test-db", about=target.name)  # and killed before it got its name
    assert clone in [m.name for m in prune_test_databases(server.database).dropped]


# --- the pool ---------------------------------------------------------------------------------


def test_pool_makes_clones_ahead_and_drops_them_behind(server: RunningServer, migrations: Migrations) -> None:
    with ServerSession.open(server.database) as session:
        dropper = Dropper(session)
        left = [5]
        pool = Pool(session, session.template(migrations), dropper, ahead=2, wanted=lambda: left[0])
        taken = []
        for _ in range(5):
            database = pool.take().database
            left[0] -= 1
            taken.append(database.name)
            assert _value(database, "SELECT count(*) FROM a") == 2
            dropper.add(database.name)
        pool.close()
        dropper.close()
        assert len(set(taken)) == 5
        assert not set(taken) & _names(server)
        assert not [m for m in list_test_databases(server.database) if m.purpose == "clone"]


def test_pool_tells_every_taker_why_it_cannot_make_clones(server: RunningServer, migrations: Migrations) -> None:
    with ServerSession.open(server.database) as session:
        template = session.template(migrations)
        other = Template(template.name + "0", (), False, 0)
        pool = Pool(session, other, Dropper(session), ahead=1, wanted=lambda: 1)
        for _ in range(2):
            with pytest.raises(DatabaseError, match="does not exist"):
                pool.take()
        pool.close()


def test_taker_is_told_when_the_makers_connection_is_cut(server: RunningServer, migrations: Migrations) -> None:
    with ServerSession.open(server.database) as session:
        left = [0]
        pool = Pool(session, session.template(migrations), Dropper(session), ahead=1, wanted=lambda: left[0])
        cut = (
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
            "WHERE application_name = 'wflo-schema' AND datname = 'postgres' AND pid <> pg_catalog.pg_backend_pid()"
        )
        wait_until(lambda: session.connection.execute(cut).fetchall(), "the maker's connection, to cut it off")
        left[0] = 1
        with pytest.raises(DatabaseError):
            pool.take()
        pool.close()


def test_pool_gives_connections_that_were_opened_ahead(server: RunningServer, migrations: Migrations) -> None:
    with ServerSession.open(server.database) as session:
        dropper = Dropper(session)
        pool = Pool(
            session,
            session.template(migrations),
            dropper,
            ahead=1,
            wanted=lambda: 1,
            makers=2,
            connect=lambda database: database.connect(),
        )
        wait_until(lambda: pool.ready_count, "a clone")
        ready = pool.take()
        assert ready.connection is not None
        assert ready.connection.info.dbname == ready.database.name
        assert ready.connection.execute("SELECT count(*) FROM a").fetchone() == (2,)
        ready.connection.close()
        dropper.add(ready.database.name)
        pool.close()
        dropper.close()
    assert not [m for m in list_test_databases(server.database) if m.purpose == "clone"]


def test_fastest_strategy_is_taken_once_each_was_tried() -> None:
    strategies = Strategies(180_000)
    clauses = []
    for took_ms in (30.0, 10.0, 20.0):
        strategy = strategies.choose(1, measured=True)
        clauses.append((strategy.clause, strategy.method))
        strategies.record(strategy, took_ms)
    assert clauses == [(" STRATEGY FILE_COPY", "clone"), (" STRATEGY WAL_LOG", ""), (" STRATEGY FILE_COPY", "copy")]
    assert strategies.choose(1, measured=True).clause == " STRATEGY WAL_LOG"


@pytest.mark.parametrize(
    ("version", "clause"), [(140_000, ""), (150_000, " STRATEGY WAL_LOG"), (180_000, " STRATEGY WAL_LOG")]
)
def test_single_clone_of_a_small_template_does_not_make_the_server_flush(version: int, clause: str) -> None:
    assert Strategies(version).choose(8_000_000, measured=False).clause == clause


def test_clone_goes_on_with_another_strategy_when_the_file_system_cannot(
    server: RunningServer, migrations: Migrations
) -> None:
    with ServerSession.open(server.database) as session:
        template = session.template(migrations)
        # A method that no server knows is refused as an unknown file system's would be.
        bad = Strategy(" STRATEGY FILE_COPY", "nonsense")  # type: ignore[arg-type]
        session.strategies.offer(bad)
        clone = session.clone(template, measured=True)
        assert session.kind_of(clone) == "database"
        session.drop(clone)


def test_sessions_at_the_same_time_build_a_template_once(
    server: RunningServer, tmp_path: Path, migrations: Migrations
) -> None:
    program = (
        _PROGRAM.format(folder=str(tmp_path / "migrations"))
        + "template = session.template(migrations)\n"
        + "session.drop(session.clone(template))\n"
        + "print(template.was_built)\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, server.database.url], stdout=subprocess.PIPE, text=True, cwd=WFLO.parent
        )
        for _ in range(4)
    ]
    said = sorted(child.communicate(timeout=300)[0].strip() for child in children)
    assert said == ["False", "False", "False", "True"]
    assert [m.name for m in list_test_databases(server.database) if m.purpose == "building"] == []


# --- walked over by a new user ----------------------------------------------------------------


def test_make_never_drops_a_target_whose_name_the_server_cuts_off(
    server: RunningServer, target: Database, migrations: Migrations
) -> None:
    """What stands in the URL is longer than a name can be, and the server lets it into another database."""
    real = target.name + "y" * (58 - len(target.name)) + "_test"
    precious = _create(server, real)
    with precious.connect() as connection:
        connection.execute("CREATE TABLE precious ()")
    with pytest.raises(UsageError, match="has 68 bytes"):
        Database.parse(precious.url.replace(real, real + "_prod"))
    cut = replace(precious, conninfo=precious.conninfo.replace(real, real + "_prod"))
    assert cut.name == real + "_prod"
    with pytest.raises(Refused, match="the target itself"):
        make_test_database(cut, migrations, name=real)
    assert _value(precious, "SELECT count(*) FROM precious") == 0


@pytest.mark.parametrize("keep", [False, True])
def test_many_makes_at_once_queue_and_all_end_well(
    target: Database, migrations: Migrations, server: RunningServer, keep: bool
) -> None:
    make_test_database(server.database.with_name(target.name + "other"), migrations)  # the template
    for _ in range(3):
        with ThreadPoolExecutor(6) as pool:
            made = [pool.submit(make_test_database, target, migrations, keep=keep) for _ in range(6)]
        assert [m.result().database.name for m in made] == [target.name + "_test"] * 6
    assert _value(made[0].result().database, "SELECT count(*) FROM a") == 2


def test_prepared_transaction_is_named_with_what_ends_it(target: Database, migrations: Migrations) -> None:
    made = make_test_database(target, migrations).database
    with made.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO a VALUES (7)")
        connection.execute("PREPARE TRANSACTION 'left''over'")
    with pytest.raises(DatabaseError, match="a prepared transaction") as caught:
        make_test_database(target, migrations)
    assert caught.value.hint == f"connected to {made.name}: ROLLBACK PREPARED 'left''over'; then run this again"
    with made.connect() as connection:
        connection.execute("ROLLBACK PREPARED 'left''over'")
    make_test_database(target, migrations)


def test_read_only_session_is_told_what_makes_it_so(
    target: Database, migrations: Migrations, server: RunningServer
) -> None:
    asked = target.with_parameters(options="-c default_transaction_read_only=on")
    with pytest.raises(DatabaseError, match="read-only transaction") as caught:
        make_test_database(asked, migrations)
    assert "PGOPTIONS" in caught.value.hint
    role = f"r{secrets.token_hex(4)}"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER").format(sql.Identifier(role)))
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(sql.Identifier(role)))
        try:
            with pytest.raises(DatabaseError, match="read-only transaction") as caught:
                make_test_database(target.with_parameters(user=role), migrations)
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    assert f'ALTER ROLE "{role}" RESET default_transaction_read_only' in caught.value.hint


# --- beside others ----------------------------------------------------------------------------


AGENT = """
import sys, time
from wflo_schema.connect.database import Database
from wflo_schema.errors import WfloSchemaError
import psycopg
server, held = Database.parse(sys.argv[1]), {}
print("ready", flush=True)
while True:
    try:
        with server.connect() as connection:
            rows = connection.execute("SELECT datname::text FROM pg_database WHERE datallowconn").fetchall()
    except (WfloSchemaError, psycopg.Error):
        continue
    for (name,) in rows:
        if name not in held or held[name].closed or held[name].broken:
            try:
                held[name] = server.with_name(name).connect()
            except (WfloSchemaError, psycopg.Error):
                pass
    for name, one in held.items():
        try:
            one.execute("SELECT")
        except psycopg.Error:
            one.close()
    time.sleep(0.002)
"""


def test_an_agent_that_is_in_every_database_is_in_nobodys_way(
    server: RunningServer, target: Database, migrations: Migrations
) -> None:
    agent = subprocess.Popen([sys.executable, "-c", AGENT, server.database.url], stdout=subprocess.PIPE, text=True)
    try:
        assert agent.stdout is not None and agent.stdout.readline() == "ready\n"
        until = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'template1'"
        while _value(server.database, until) == 0:
            time.sleep(0.01)
        assert not make_test_database(target, migrations).was_cloned
        for _ in range(3):
            assert make_test_database(target, migrations).was_cloned
        with ServerSession.open(target) as session:
            template = session.template(migrations)
            for _ in range(3):
                session.drop_clone(session.clone(template))
    finally:
        agent.kill()
        agent.communicate()


def test_a_template1_of_another_collation_version_is_not_copied(
    server: RunningServer, target: Database, migrations: Migrations
) -> None:
    version = int(server.version)
    if version < 15:
        pytest.skip("PostgreSQL 14 remembers no version of a database's collations")
    with server.database.connect() as connection:
        connection.execute("UPDATE pg_database SET datcollversion = 'old' WHERE datname = 'template1'")
        try:
            assert not make_test_database(target, migrations).was_cloned
            assert make_test_database(target, migrations).was_cloned
        finally:
            connection.execute("UPDATE pg_database SET datcollversion = NULL WHERE datname = 'template1'")


def test_what_somebody_put_into_template1_is_waited_for_and_never_lost(
    server: RunningServer, target: Database, migrations: Migrations
) -> None:
    with server.database.with_name("template1").connect() as connection:
        connection.execute("CREATE TABLE public.from_template1 (id integer)")
    timer = threading.Timer(0.5, lambda: None)
    try:
        held = server.database.with_name("template1").connect()
        timer = threading.Timer(0.5, held.close)
        timer.start()
        made = make_test_database(target, migrations)
        assert _value(made.database, "SELECT count(*) FROM from_template1") == 0
    finally:
        timer.join()
        with server.database.with_name("template1").connect() as connection:
            connection.execute("DROP TABLE public.from_template1")


def test_the_plugin_does_not_stand_in_its_own_way_without_a_database_postgres(
    server: RunningServer, target: Database, migrations: Migrations
) -> None:
    with server.database.with_name("template1").connect() as connection:
        connection.execute("ALTER DATABASE postgres RENAME TO elsewhere")
    try:
        with ServerSession.open(target) as session:
            template = session.template(migrations)
            clone = session.clone(template)
            session.drop_clone(clone)
    finally:
        with server.database.with_name("template1").connect() as connection:
            connection.execute("ALTER DATABASE elsewhere RENAME TO postgres")


def test_a_role_that_may_have_one_connection_is_told_what_it_needs(
    server: RunningServer, target: Database, migrations: Migrations, role: str
) -> None:
    with server.database.connect() as connection:
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB CONNECTION LIMIT 1").format(sql.Identifier(role)))
    with pytest.raises(ConnectionFailed) as caught:
        make_test_database(target.with_parameters(user=role).with_schema("app"), migrations)
    assert f"ALTER ROLE {role} CONNECTION LIMIT" in caught.value.hint and "two connections" in caught.value.hint
