"""`migrate --together` and `rollback --together`: all of it or none, whatever comes in between."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunningServer
from tests.engine.test_faults import (
    DIRTY,
    STATE,
    choose_cuts,
    do,
    is_running,
    is_waiting,
    needs_pgbouncer,
    one,
    pgbouncer,
    start_cli,
    terminated,
    wait_until,
    write,
)
from tests.proxy import Counts, Cut, Direction, Proxy
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Done, Event, Result, Retrying, Running
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import ConnectionFailed, ConnectionLost, LockNotAcquired, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

RECORDED = "SELECT coalesce(string_agg(migration_id, ' ' ORDER BY applied_at_utc), '') FROM _yoyo_migration"

AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'wflo-schema %%' AND datname = %s"


def migrate(database: Database, folder: Path, **options: Any) -> Result:
    return operations.migrate(database, read_migrations(folder), together=True, **options)


def fail(database: Database, folder: Path, **options: Any) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as caught:
        migrate(database, folder, **options)
    assert caught.value.applied == ()
    return caught.value


def holds_nothing(database: Database) -> bool:
    """Is no row in the ledger, and no table beside it?"""
    query = (
        "SELECT (SELECT count(*) FROM _yoyo_migration), (SELECT count(*) FROM _yoyo_log), count(*) FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_' AND relkind IN ('r', 'v', 'S')"
    )
    return one(database, query) == (0, 0, 0)


def test_all_are_applied_and_recorded_in_order_by_one_transaction(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m",
        {
            "1_a": "CREATE TABLE a (id int PRIMARY KEY);",
            "2_b": "CREATE TABLE b (n int); COPY b FROM STDIN;\n1\n2\n\\.\nINSERT INTO b SELECT 3;",
            "3_c": "ALTER TABLE b ADD a_id int REFERENCES a; CREATE VIEW v AS SELECT * FROM b;",
            "4_d": "SELECT 1",
        },
    )
    events: list[Event] = []
    result = migrate(database, folder, notify=events.append)
    assert result.ids == ("1_a", "2_b", "3_c", "4_d")
    assert [(d.id, d.number, d.total) for d in events if isinstance(d, Done)] == [
        ("1_a", 1, 4),
        ("2_b", 2, 4),
        ("3_c", 3, 4),
        ("4_d", 4, 4),
    ]
    first_done = next(n for n, e in enumerate(events) if isinstance(e, Done))
    running = [(e.id, e.number) for e in events[:first_done] if isinstance(e, Running)]
    assert running == [("1_a", 1), ("2_b", 2), ("3_c", 3), ("4_d", 4)]
    assert not any(isinstance(e, Running) for e in events[first_done:])
    assert one(database, RECORDED) == ("1_a 2_b 3_c 4_d",)
    assert one(database, "SELECT count(DISTINCT xmin::text), count(*) FROM _yoyo_migration") == (1, 4)
    assert one(database, "SELECT count(*) FROM b") == (3,)
    assert [e.state.value for e in operations.status(database, read_migrations(folder)).entries] == ["applied"] * 4
    assert migrate(database, folder).ids == ()


FAILING = {
    "statement": ("CREATE TABLE d (id int); SELECT 1 / 0;", "22012", "in statement 2 of 2"),
    "ddl": ("CREATE TABLE a (id int);", "42P07", "in statement 1 of 1"),
    "copy": ("CREATE TABLE d (id int); COPY d FROM STDIN;\n1\nx\n\\.\n", "22P02", "in statement 2 of 2"),
    "deferred": ("INSERT INTO b VALUES (7, 8);", "23503", "at its end (a deferred constraint or trigger)"),
    "raised": ("DO $$ BEGIN RAISE 'no'; END $$", "P0001", "in statement 1 of 1"),
}


@pytest.mark.parametrize("kind", list(FAILING))
@pytest.mark.parametrize("place", [0, 1])
def test_failure_in_any_file_leaves_nothing_and_is_said_of_it(
    database: Database, tmp_path: Path, kind: str, place: int
) -> None:
    text, sqlstate, where = FAILING[kind]
    before = {
        "1_a": "CREATE TABLE a (id int PRIMARY KEY);",
        "2_b": "CREATE TABLE b (id int, a_id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n"
        "CREATE SEQUENCE s; INSERT INTO b VALUES (1, 1); INSERT INTO a VALUES (1);",
    }
    more = {f"3_{n:02}": f"CREATE TABLE x{n} (id int);" for n in range(place * 30)}
    folder = write(tmp_path / "m", {**before, **more, "4_wrong": f"\n\n{text}", "5_e": "CREATE TABLE e (id int);"})
    error = fail(database, folder)
    assert (error.migration_id, error.sqlstate, error.not_tried) == ("4_wrong", sqlstate, ("5_e",))
    assert where in error.message and error.location is not None and error.location.line >= 3
    assert f"nothing was applied: --together runs {4 + 30 * place} migrations as one transaction" in error.hint
    assert "before stays" not in error.hint and "of this migration" not in error.hint
    assert holds_nothing(database)
    write(folder, {"4_wrong": "SELECT 1"})
    assert len(migrate(database, folder).ids) == 4 + 30 * place


def test_deferred_constraints_are_as_in_a_new_transaction_in_each_file(database: Database, tmp_path: Path) -> None:
    """Deferred at first where they say so, immediate where not, and checked at the end of each file."""
    folder = write(
        tmp_path / "m",
        {
            "1_a": "CREATE TABLE a (id int PRIMARY KEY, n int UNIQUE DEFERRABLE);"
            "CREATE TABLE b (a_id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);"
            "INSERT INTO b VALUES (1); INSERT INTO a VALUES (1, 1);",
            "2_b": "INSERT INTO b VALUES (2); INSERT INTO a VALUES (2, 2); SET CONSTRAINTS ALL DEFERRED;",
            "3_c": "ALTER TABLE a ADD x int; INSERT INTO b VALUES (3); INSERT INTO a VALUES (3, 3);"
            "DO $$ BEGIN INSERT INTO a VALUES (4, 3); EXCEPTION WHEN unique_violation THEN NULL; END $$;",
            "4_d": "ALTER TABLE b ADD x int;",
        },
    )
    migrate(database, folder)
    assert one(database, "SELECT array_agg(id ORDER BY id) FROM a") == ([1, 2, 3],)


def test_nothing_of_the_session_is_left_for_the_next_file(database: Database, tmp_path: Path) -> None:
    look = """
        CREATE TABLE seen{n} AS SELECT current_setting('search_path') AS path, current_setting('work_mem') AS memory,
            current_setting('lock_timeout') AS timeout, current_setting('synchronous_commit') AS commit,
            nullif(current_setting('my.own', TRUE), '') AS own, current_user::text AS role, session_user::text AS login,
            (SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_behind') AS prepared,
            (SELECT count(*) FROM pg_cursors WHERE name = 'c') AS cursors,
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND pid = pg_backend_pid())
                AS locks,
            to_regclass('pg_temp.left_behind') IS NULL AS is_temp_gone;
    """
    dirty = """
        SET search_path = pg_catalog; SET work_mem = '77MB'; SET lock_timeout = '7s'; SET my.own = 'x';
        SET LOCAL synchronous_commit = off; CREATE TEMP TABLE left_behind (id int) ON COMMIT DROP;
        PREPARE left_behind AS SELECT 1; DECLARE c CURSOR WITH HOLD FOR SELECT 1; SELECT pg_advisory_lock(4711);
        SET SESSION AUTHORIZATION pg_monitor; SET ROLE pg_read_all_stats;
    """
    last = "SELECT lastval(); CREATE TABLE never (id int);"
    folder = write(
        tmp_path / "m",
        {
            "0_plain": "CREATE TABLE plain (id int PRIMARY KEY);",
            "1_look": look.format(n=1),
            "2_dirty": "CREATE SEQUENCE s; SELECT nextval('s');" + dirty,
            "3_look": look.format(n=2),
            "4_dirty": dirty,
            "5_plain": "CREATE TABLE plain5 (id int PRIMARY KEY);",
        },
    )
    migrate(database, folder)
    with database.connect() as connection:
        rows = [connection.execute(f"SELECT * FROM seen{n}".encode()).fetchone() for n in (1, 2)]
    assert rows[0] == rows[1]
    assert rows[0] is not None and rows[0][1] == "4MB" and rows[0][3] == "on" and rows[0][-1] is True
    write(folder, {"6_last": last})
    assert fail(database, folder).sqlstate == "55000"  # lastval is not yet defined in this session


def test_role_that_may_do_little_is_no_longer_set_in_the_next_file(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    role = f"little_{database.name}"[:60]
    folder = write(
        tmp_path / "m",
        {"1_a": f'CREATE TABLE a (id int); SET ROLE "{role}";', "2_b": "DROP TABLE a; CREATE TABLE b (id int);"},
    )
    do(server.database, f'CREATE ROLE "{role}"')
    try:
        assert migrate(database, folder).ids == ("1_a", "2_b")
    finally:
        do(server.database, f'DROP ROLE "{role}"')


def test_to_ends_the_transaction_there(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {f"{n}_t": f"CREATE TABLE t{n} (id int); SELECT {n}" for n in range(1, 6)})
    assert migrate(database, folder, to="3_t").ids == ("1_t", "2_t", "3_t")
    assert migrate(database, folder).ids == ("4_t", "5_t")


def test_non_transactional_file_is_refused_before_anything_runs(database: Database, tmp_path: Path) -> None:
    build = "-- transactional: false\nCREATE INDEX CONCURRENTLY i ON a (id);"
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int);", "2_i": build, "3_c": "SELECT 1"})
    with pytest.raises(Refused) as caught:
        migrate(database, folder)
    assert "2_i is non-transactional" in caught.value.message
    assert "migrate --together --to 1_a, then wflo-schema migrate --to 2_i, then the rest" in caught.value.hint
    planned = operations.plan(database, read_migrations(folder), together=True)
    assert [what for _, what, _ in planned.refusals] == [caught.value.message]
    assert one(database, "SELECT to_regclass('a') IS NULL") == (True,)
    migrate(database, folder, to="1_a")
    operations.migrate(database, read_migrations(folder), to="2_i")
    assert migrate(database, folder).ids == ("3_c",)


def test_new_value_of_an_enum_has_its_way_out(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m",
        {
            "1_a": "CREATE TYPE mood AS ENUM ('a');",
            "2_b": "ALTER TYPE mood ADD VALUE 'b';",
            "3_c": "CREATE TABLE t (m mood DEFAULT 'b'); SELECT 'b'::mood;",
        },
    )
    operations.migrate(database, read_migrations(folder), to="1_a")
    error = fail(database, folder)
    assert (error.migration_id, error.sqlstate) == ("3_c", "55P04")
    assert "apply the file that adds it first" in error.hint
    migrate(database, folder, to="2_b")
    assert migrate(database, folder).ids == ("3_c",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DELETE FROM _yoyo_migration WHERE migration_id = '3_c'", "takes away the ledger"),
        ("DELETE FROM _yoyo_migration WHERE migration_id = '1_a'", "takes away the ledger"),
        ("UPDATE _yoyo_migration SET checksum = 'x' WHERE migration_id = '2_b'", "takes away the ledger"),
        ("SET TRANSACTION READ ONLY", "could not be looked at"),
    ],
)
def test_file_that_changes_the_record_of_any_is_refused(
    database: Database, tmp_path: Path, text: str, said: str
) -> None:
    files = {"1_a": "CREATE TABLE a (id int)", "2_b": "SELECT 1", "3_c": text}
    error = fail(database, write(tmp_path / "m", files))
    assert error.migration_id == "3_c" and said in error.message
    assert holds_nothing(database)


def test_what_commits_in_a_file_is_refused_and_nothing_is_run(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m",
        {
            "1_a": "CREATE TABLE a (id int);",
            "2_b": "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$; CALL p();",
        },
    )
    error = fail(database, folder)
    assert error.sqlstate == "2D000" and error.migration_id == "2_b"
    assert holds_nothing(database)


# others at the same time


def test_many_at_once_do_the_work_once_together_or_not(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m", {f"{n:02}_t": f"CREATE TABLE t{n} (id int); SELECT pg_sleep(0.02);" for n in range(20)}
    )
    runs = [start_cli(database, folder, "migrate", *(["--together"] if n % 2 else [])) for n in range(8)]
    ended = [run.finish() for run in runs]
    assert [code for code, _, _ in ended] == [0] * 8, ended
    assert one(database, "SELECT string_agg(migration_id, ' ' ORDER BY created_at_utc) FROM _yoyo_log") == (
        " ".join(f"{n:02}_t" for n in range(20)),
    )
    applied = sum(out.count("  applied ") for _, out, _ in ended)
    assert applied == 20


def test_colleague_who_has_recorded_the_first_is_waited_for_and_the_rest_is_done(
    database: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path / "m", {f"{n}_t": f"CREATE TABLE t{n} (id int); SELECT {n};" for n in range(4)})
    operations.migrate(database, read_migrations(folder), to="0_t")
    m = read_migrations(folder).resolve("1_t")
    with database.connect(autocommit=False) as colleague:
        colleague.execute("CREATE TABLE t1 (id int)")
        colleague.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum) "
            "VALUES (%s, %s, now() AT TIME ZONE 'UTC' + interval '1 second', %s)",
            (m.hash, m.id, m.checksum),
        )
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(migrate(database, folder)))
        thread.start()
        wait_until(lambda: is_waiting(database), "the ledger's row")
        colleague.commit()
        thread.join(90)
    assert [r.ids for r in results] == [("2_t", "3_t")]


@pytest.mark.parametrize("place", ["1_a", "3_c"])
def test_lock_that_is_held_is_tried_again_as_a_whole_and_given_up_with_nothing_kept(
    database: Database, tmp_path: Path, place: str
) -> None:
    do(database, "CREATE TABLE held (id int)")
    files = {"1_a": "CREATE TABLE a (id int)", "2_b": "CREATE TABLE b (id int); SELECT 1", "3_c": "SELECT 3"}
    folder = write(tmp_path / "m", {**files, place: "ALTER TABLE held ADD COLUMN x int"})
    events: list[Event] = []
    with database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE held IN ACCESS SHARE MODE")
        with pytest.raises(LockNotAcquired) as caught:
            migrate(database, folder, locks=LockOptions(timeout_ms=100, wait_s=0.5), allow=[Allow.NOT_EMPTY])
        assert caught.value.migration_id == place and caught.value.applied == ()
        assert "nothing was applied" in caught.value.hint and "blocked by" in caught.value.message
        assert one(database, RECORDED) == ("",)

        def release(event: Event) -> None:
            events.append(event)
            if isinstance(event, Retrying):
                blocker.rollback()

        locks = LockOptions(timeout_ms=100, wait_s=60)
        assert len(migrate(database, folder, locks=locks, notify=release, allow=[Allow.NOT_EMPTY]).ids) == 3
    assert [e.id for e in events if isinstance(e, Retrying)][:1] == [place]
    assert [e.id for e in events if isinstance(e, Done)] == ["1_a", "2_b", "3_c"]


def test_deadlock_is_tried_again(database: Database, tmp_path: Path) -> None:
    do(database, "CREATE TABLE x (id int)", "CREATE TABLE y (id int)")
    do(database, f"ALTER DATABASE {database.name} SET deadlock_timeout = '100ms'")
    folder = write(tmp_path / "m", {"1_a": "LOCK TABLE x", "2_b": "SELECT pg_advisory_xact_lock(7); LOCK TABLE y"})
    waits_for_x = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'x'::regclass"

    def let_it_into_the_deadlock() -> None:
        wait_until(lambda: is_waiting(database), "the second file, while the first has x")
        locking.start()
        wait_until(lambda: one(database, waits_for_x) == (1,), "the other, which has y")
        gate.execute("SELECT pg_advisory_unlock(7)")

    def notify(event: Event) -> None:
        if isinstance(event, Retrying):
            reasons.append(event.reason)
            locking.join()
            other.rollback()

    reasons: list[str] = []
    with database.connect() as gate, database.connect(autocommit=False) as other:
        gate.execute("SELECT pg_advisory_lock(7)")
        other.execute("SET deadlock_timeout = '600s'")
        other.execute("LOCK TABLE y")
        locking = threading.Thread(target=other.execute, args=("LOCK TABLE x",))
        leading = threading.Thread(target=let_it_into_the_deadlock)
        leading.start()
        locks = LockOptions(timeout_ms=300_000)
        done = migrate(database, folder, allow=[Allow.NOT_EMPTY], notify=notify, locks=locks)
        leading.join()
    assert (done.ids, reasons) == (("1_a", "2_b"), ["deadlock detected"])


# ends that nobody planned


@pytest.mark.parametrize("times", [1, 2])
def test_signal_leaves_nothing(database: Database, tmp_path: Path, times: int) -> None:
    import signal

    folder = write(
        tmp_path / "m",
        {"1_a": "CREATE TABLE a (id int)", "2_b": "CREATE TABLE b (id int); SELECT pg_sleep(60)", "3_c": "SELECT 1"},
    )
    run = start_cli(database, folder, "migrate", "--together")
    wait_until(lambda: is_running(database, "pg_sleep(60)"), "the second file")
    for _ in range(times):
        run.send_signal(signal.SIGINT)
    code, out, err = run.finish()
    assert code == 130 and "Traceback" not in err and "applied " not in out, out + err
    wait_until(lambda: not is_running(database, "pg_sleep(60)"), "the server to cancel")
    assert holds_nothing(database)


def test_kill_leaves_nothing_and_the_next_run_does_all(database: Database, tmp_path: Path) -> None:
    import signal

    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int)", "2_b": "SELECT pg_sleep(60)"})
    run = start_cli(database, folder, "migrate", "--together")
    wait_until(lambda: is_running(database, "pg_sleep(60)"), "the second file")
    run.send_signal(signal.SIGKILL)
    run.finish()
    write(folder, {"2_b": "SELECT pg_sleep(0)"})
    do(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")
    assert migrate(database, folder).ids == ("1_a", "2_b")


def test_terminated_backend_says_that_nothing_was_kept(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m",
        {"1_a": "CREATE TABLE a (id int); SELECT 1", "2_b": "SELECT pg_sleep(30)", "3_c": "SELECT 3"},
    )
    with terminated(database, "pg_sleep(30)"), pytest.raises(ConnectionLost) as caught:
        migrate(database, folder)
    assert "2_b" in caught.value.message and caught.value.applied == ()
    assert "one transaction" in caught.value.hint
    assert holds_nothing(database)


@pytest.mark.parametrize("direction", list(Direction))
def test_cut_after_every_single_message_leaves_all_or_nothing(
    database: Database, tmp_path: Path, direction: Direction, is_whole: bool
) -> None:
    plain = database.with_parameters(sslmode="disable", gssencmode="disable")
    folder = write(
        tmp_path / "m",
        {
            "1_a": "CREATE TABLE a (id int PRIMARY KEY)",
            "2_b": "INSERT INTO a VALUES (1); SET search_path = pg_catalog; CREATE TEMP TABLE a (other text);",
            "3_c": "COPY a FROM STDIN;\n2\n\\.\n",
        },
    )

    def run(schema: str, cut: Cut | None) -> tuple[Counts, Database]:
        there = plain.with_parameters(options=f"-c search_path={schema}")
        do(plain, f"CREATE SCHEMA {schema}")
        operations.migrate(there, read_migrations(write(tmp_path / "first", {"0_first": "SELECT 0"})))
        with Proxy("127.0.0.1", int(plain.parameters["port"]), cut=cut) as proxy:
            with contextlib.suppress(ConnectionLost, ConnectionFailed):
                migrate(there.with_parameters(port=str(proxy.port)), folder, allow=[Allow.MISSING])
        return proxy.connections[0], there

    counts, there = run("clean", None)
    clean = one(there, f"{STATE}, (SELECT array_agg(id ORDER BY id) FROM a)")
    total = counts.to_server if direction == Direction.TO_SERVER else counts.to_client
    for after in choose_cuts(total, is_whole):
        _, there = run(f"cut{after}", Cut(direction, after))
        wait_until(lambda: one(plain, AT_WORK, plain.name) == (0,), "the server to end the session")
        count = one(there, "SELECT count(*), to_regclass('a') IS NOT NULL FROM _yoyo_migration")
        assert count in ((1, False), (4, True)), f"after {after} of {total} {direction}"
        migrate(there, folder, allow=[Allow.MISSING])
        assert one(there, f"{STATE}, (SELECT array_agg(id ORDER BY id) FROM a)") == clean
        do(plain, f"DROP SCHEMA cut{after} CASCADE")


@needs_pgbouncer
@pytest.mark.parametrize("pool_size", [1, 3])
def test_pgbouncer_in_transaction_mode_works(database: Database, tmp_path: Path, pool_size: int) -> None:
    folder = write(
        tmp_path / "m", {**DIRTY, "3_c": DIRTY["3_c"].replace("SET session_replication_role TO DEFAULT;", "")}
    )
    with pgbouncer(database, "transaction", pool_size) as pooled:
        code, _out, err = start_cli(pooled, folder, "migrate", "--together").finish()
        assert code == 0, err
        assert one(database, "SELECT count(*), count(DISTINCT xmin::text) FROM _yoyo_migration") == (5, 1)
        for _ in range(pool_size):
            seen = one(pooled, "SELECT current_setting('search_path'), current_setting('work_mem'), current_user::text")
            assert seen == ('"$user", public', "4MB", "postgres")


def test_event_triggers_run_for_each_file(database: Database, tmp_path: Path) -> None:
    do(
        database,
        "CREATE TABLE seen (tag text, path text)",
        "CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO public.seen VALUES (tg_tag, current_setting('search_path')); "
        "PERFORM set_config('search_path', 'pg_catalog', false); END $$",
        "CREATE EVENT TRIGGER look ON ddl_command_end EXECUTE FUNCTION look()",
    )
    folder = write(tmp_path / "m", {f"{n}_t": f"CREATE TABLE t{n} (id int)" for n in range(3)})
    migrate(database, folder, allow=[Allow.NOT_EMPTY])
    assert one(database, "SELECT count(*), count(DISTINCT path) FROM seen WHERE tag = 'CREATE TABLE'")[0] >= 3
    assert one(database, "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-2]$' AND relnamespace = 2200") == (3,)


@pytest.mark.one_server
@pytest.mark.parametrize("text", ["CREATE TABLE t{n} (id int PRIMARY KEY);", "CREATE VIEW v{n} AS SELECT {n} AS n;"])
def test_a_thousand_files(database: Database, tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "m", {f"{n:04}_t": text.format(n=n) for n in range(1000)})
    result = migrate(database, folder)
    assert len(result.ids) == 1000
    assert one(database, "SELECT count(*), count(DISTINCT xmin::text) FROM _yoyo_migration") == (1000, 1)
    write(folder, {"1000_t": "SELECT 1", "1500_t": "SELECT 2", "1501_x": "SELECT * FROM nowhere", "1502_x": "SELECT 1"})
    error = fail(database, folder)
    assert error.migration_id == "1501_x" and error.not_tried == ("1502_x",)


# rollback


BACK = {f"{n}_t": f"DROP TABLE t{n};" for n in range(4)}


def test_rollbacks_are_all_or_none(database: Database, tmp_path: Path) -> None:
    files = {f"{n}_t": f"CREATE TABLE t{n} (id int);" for n in range(4)}
    folder = write(
        tmp_path / "m", files, {**BACK, "1_t": "DROP TABLE t1; SELECT 1 / 0;", "2_t": "SET ROLE pg_monitor;"}
    )
    migrate(database, folder)
    with pytest.raises(MigrationFailed) as caught:
        operations.rollback(database, read_migrations(folder), count=3, together=True)
    assert caught.value.migration_id == "1_t" and caught.value.applied == ()
    assert "nothing was rolled back" in caught.value.hint
    assert one(database, RECORDED) == ("0_t 1_t 2_t 3_t",)
    write(folder, {}, {"1_t": "DROP TABLE t1", "2_t": "SET search_path = pg_catalog; DROP TABLE public.t2"})
    result = operations.rollback(database, read_migrations(folder), count=3, together=True)
    assert result.ids == ("3_t", "2_t", "1_t")
    assert one(database, RECORDED) == ("0_t",)
    assert one(database, "SELECT to_regclass('t0') IS NULL, to_regclass('t1') IS NULL") == (False, True)


def test_rollback_of_a_non_transactional_migration_is_not_together(database: Database, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m",
        {"1_a": "CREATE TABLE a (id int)", "2_b": "-- transactional: false\nCREATE INDEX CONCURRENTLY i ON a (id)"},
        {"1_a": "DROP TABLE a", "2_b": "DROP INDEX CONCURRENTLY i"},
    )
    operations.migrate(database, read_migrations(folder))
    with pytest.raises(Refused, match="2_b is non-transactional"):
        operations.rollback(database, read_migrations(folder), count=2, together=True)
    assert one(database, RECORDED) == ("1_a 2_b",)


def test_settings_file_says_so(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int)", "2_b": "SELECT 1 / 0"})
    (folder / "wflo-schema.toml").write_text("[migrate]\ntogether = true\n")
    code, _, err = start_cli(database, folder, "migrate").finish()
    assert code == 3 and "--together runs 2 migrations as one transaction" in err, err
    assert holds_nothing(database), os.listdir(folder)


# repeatable files and hooks


def test_repeatable_files_and_what_they_make_over_a_migration_are_in_the_transaction(
    database: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int, n int); INSERT INTO a VALUES (1, 2);"})
    write(folder / "repeatable", {"v": "CREATE VIEW v AS SELECT n FROM a;"})
    assert migrate(database, folder).ids == ("1_a", "v") or one(database, "SELECT n FROM v") == (2,)
    write(
        folder,
        {"2_b": "CREATE TABLE b (id int);", "3_c": "ALTER TABLE a ALTER n TYPE bigint;", "4_d": "SELECT 1 / 0;"},
    )
    write(folder / "repeatable", {"w": "CREATE VIEW w AS SELECT n FROM v;"})
    error = fail(database, folder)
    assert error.migration_id == "4_d" and error.not_tried == ()
    assert one(database, "SELECT pg_typeof(n)::text, to_regclass('b') IS NULL FROM v") == ("integer", True)
    write(folder, {"4_d": "CREATE TABLE d (id int);"})
    write(folder / "repeatable", {"w": "CREATE VIEW w AS SELECT nothing FROM v;"})
    with pytest.raises(MigrationFailed) as caught:
        migrate(database, folder)
    assert "w" in caught.value.migration_id and "nothing was applied" in caught.value.hint
    assert one(database, "SELECT pg_typeof(n)::text, to_regclass('d') IS NULL FROM v") == ("integer", True)
    write(folder / "repeatable", {"w": "CREATE VIEW w AS SELECT n FROM v;"})
    migrate(database, folder)
    assert one(database, "SELECT pg_typeof(n)::text, to_regclass('d') IS NULL FROM w") == ("bigint", False)
    assert migrate(database, folder).ids == ()


def test_rollbacks_together_take_repeatable_files_back(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int);"}, {"1_a": "DROP TABLE a;"})
    write(folder / "repeatable", {"v": "CREATE VIEW v AS SELECT id FROM a;"})
    migrate(database, folder)
    write(
        folder,
        {"2_b": "ALTER TABLE a ADD n int;", "3_c": "CREATE TABLE c (id int);"},
        {"2_b": "ALTER TABLE a DROP n;", "3_c": "DROP TABLE c; SELECT 1 / 0;"},
    )
    write(folder / "repeatable", {"v": "CREATE VIEW v AS SELECT id, n FROM a;"})
    migrate(database, folder)
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'v'::regclass AND attnum > 0"
    for wrong in ("3_c", "2_b"):
        with pytest.raises(MigrationFailed) as caught:
            operations.rollback(database, read_migrations(folder), count=2, together=True)
        assert caught.value.migration_id == wrong and one(database, columns) == (2,)
        write(folder, {}, {"3_c": "DROP TABLE c;", "2_b": "ALTER TABLE a DROP nothing;"})
    write(folder, {}, {"2_b": "ALTER TABLE a DROP n;"})
    result = operations.rollback(database, read_migrations(folder), count=2, together=True)
    assert result.ids == ("3_c", "2_b")
    assert one(database, RECORDED) == ("1_a",)
    assert one(database, columns) == (1,)


def test_hooks_around_each_file_are_in_the_transaction(database: Database, tmp_path: Path) -> None:
    do(database, "CREATE TABLE log (n serial, what text)")
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int);", "2_b": "CREATE TABLE b (id int);"})
    write(
        folder / "hooks",
        {
            "before-each": "INSERT INTO log (what) VALUES ('before');",
            "after-each": "INSERT INTO log (what) VALUES ('after');",
        },
    )
    write(folder, {"3_c": "SELECT 1 / 0"})
    assert fail(database, folder, allow=[Allow.NOT_EMPTY]).migration_id == "3_c"
    assert one(database, "SELECT count(*) FROM log") == (0,)
    write(folder, {"3_c": "SELECT 1"})
    migrate(database, folder, allow=[Allow.NOT_EMPTY])
    assert one(database, "SELECT string_agg(what, ' ' ORDER BY n) FROM log") == (
        "before after before after before after",
    )
