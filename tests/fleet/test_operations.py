"""Migrating and rolling back many targets: what becomes of each, whatever is wrong with some of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import RunningServer, start_server, stop_server
from tests.engine.test_faults import do, one, write
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.locks import LockOptions
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.fleet.operations import migrate_fleet, rollback_fleet
from wflo_schema.fleet.outcomes import Beginning, FleetEvent, FleetOptions, FleetResult, Outcome, State
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

FIRST = {"1_a": "CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1);"}
FILES = {
    **FIRST,
    "2_b": "-- transactional: false\nCREATE INDEX CONCURRENTLY a_i ON a (id);\nSELECT 1 / count(*) FROM a;",
    "3_c": "ALTER TABLE a ADD COLUMN t text;",
}
ROLLBACKS = {"2_b": "-- nothing-to-undo: a test", "3_c": "ALTER TABLE a DROP COLUMN t;"}


@pytest.fixture(scope="module")
def other(server: RunningServer) -> Iterator[RunningServer]:
    """A second server."""
    started = start_server(server.version)
    yield started
    stop_server(started)


@pytest.fixture
def files(tmp_path: Path) -> Migrations:
    return read_migrations(write(tmp_path / "migrations", FILES, ROLLBACKS))


def tenants(database: Database, number: int, *, first: int = 0) -> list[Target]:
    """Empty schemas."""
    names = [f"t{n:02}" for n in range(first, first + number)]
    do(database, *(f"CREATE SCHEMA {name}" for name in names))
    return [Target(f"{database.name}#{name}", database.with_schema(name)) for name in names]


def counted(result: FleetResult) -> dict[str, int]:
    """How many targets became what."""
    return {state.value: len(result.of(state)) for state in State if result.of(state)}


def recorded(target: Target) -> tuple[str, ...]:
    """The ids that a target's ledger holds, in order."""
    with target.database.connect() as connection:
        query = f"SELECT migration_id FROM {target.database.schema}._yoyo_migration ORDER BY applied_at_utc"
        return tuple(row[0] for row in connection.execute(query.encode()))


def test_sixty_tenants_in_five_databases_on_two_servers(
    server: RunningServer, other: RunningServer, database: Database, files: Migrations
) -> None:
    names = [f"{database.name}_{n}" for n in range(5)]
    places = [(server if n < 3 else other).database.with_name(name) for n, name in enumerate(names)]
    try:
        for place in places:
            do(place.with_name("postgres"), f"CREATE DATABASE {place.name} TEMPLATE template0")
        targets = [target for place in places for target in tenants(place, 12)]
        options = FleetOptions(jobs=2, canary=1)
        assert counted(migrate_fleet(targets, files, to="1_a", options=options)) == {"done": 60}
        done = migrate_fleet(targets, files, options=options)
        assert {o.ids for o in done.outcomes} == {("2_b", "3_c")}
        assert [o.target for o in done.outcomes] == [t.name for t in targets]
        assert counted(migrate_fleet(targets, files, options=options)) == {"nothing to do": 60}
        assert {o.ids for o in rollback_fleet(targets, files, options=options).outcomes} == {("3_c",)}
        assert {recorded(target) for target in targets} == {("1_a", "2_b")}
        assert one(places[4], "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'wflo-schema %%'") == (
            0,
        )
    finally:
        for place in places:
            do(place.with_name("postgres"), f"DROP DATABASE IF EXISTS {place.name} WITH (FORCE)")


WRONG = {
    "ahead": ("INSERT INTO {s}._yoyo_migration VALUES ('h', '9_z', now())", "ahead of the files"),
    "edited": ("UPDATE {s}._yoyo_migration SET checksum = 'x'", "changed since: 1_a"),
    "half": ("DELETE FROM {s}.a", "2_b failed in statement 2 of 2: division by zero"),
    "no key": ("ALTER TABLE {s}._yoyo_migration DROP CONSTRAINT _yoyo_migration_pkey", "has no key"),
    "trigger": (
        "CREATE TRIGGER t BEFORE INSERT ON {s}._yoyo_migration FOR EACH ROW EXECUTE FUNCTION nope()",
        "not keep",
    ),
    "old yoyo": ("ALTER TABLE {s}._yoyo_migration RENAME COLUMN applied_at_utc TO ctime", "not a ledger of yoyo 6"),
    "no ledger": ("DROP TABLE {s}._yoyo_migration", "nothing is recorded here"),
    "alembic": ("DROP TABLE {s}._yoyo_migration; CREATE TABLE {s}.alembic_version (version_num text)", "alembic"),
    "a view": ("DROP TABLE {s}._yoyo_migration; CREATE VIEW {s}._yoyo_migration AS SELECT 1 AS a", "is not a table"),
    "no schema": ("DROP SCHEMA {s} CASCADE", "there is no schema {s}"),
    "no right": ("REVOKE ALL ON SCHEMA {s} FROM {role}", "permission denied for schema {s}"),
    "hidden rows": (
        "ALTER TABLE {s}._yoyo_migration ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "row-level security",
    ),
    "locked": ("", "2_b did not get a lock"),
    "locked ledger": ("", "the ledger in schema {s} was locked"),
    "gone meanwhile": ("", "schema"),
}


def test_what_is_wrong_with_one_target_is_its_outcome_and_the_rest_goes_on(
    database: Database, files: Migrations, tmp_path: Path
) -> None:
    """As a role that owns its schemas, and is no superuser."""
    role = f"fleet_{database.name}"
    do(database, f"CREATE ROLE {role} LOGIN")
    do(database, "CREATE FUNCTION nope() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    ours = database.with_parameters(user=role)
    try:
        targets = [Target(t.name, t.database.with_parameters(user=role)) for t in tenants(database, len(WRONG) + 5)]
        schemas = [str(t.database.schema) for t in targets]
        fine, created = targets[len(WRONG) : -1], targets[-1]
        do(database, *(f"GRANT ALL ON SCHEMA {name} TO {role}" for name in schemas))
        first = read_migrations(write(tmp_path / "first", FIRST))
        assert migrate_fleet(targets[:-1], first).is_success
        wrong = dict(zip(WRONG, schemas, strict=False))
        do(database, *(how.format(s=wrong[name], role=role) for name, (how, _) in WRONG.items() if how))
        do(database, f"ALTER TABLE {schemas[len(WRONG)]}._yoyo_migration DROP COLUMN checksum")
        do(database, f"DROP TABLE {schemas[len(WRONG) + 1]}._yoyo_log")

        def drop_one(event: FleetEvent) -> None:
            if isinstance(event, Beginning):
                do(database, f"DROP SCHEMA {wrong['gone meanwhile']} CASCADE", f"DROP SCHEMA {schemas[-1]} CASCADE")

        with psycopg.connect(database.conninfo) as outsider:
            outsider.execute(f"LOCK TABLE {wrong['locked']}.a, {wrong['locked ledger']}._yoyo_migration".encode())
            result = migrate_fleet(targets, files, locks=LockOptions(wait_s=1.0), notify=drop_one)
        outcomes = {o.target: o for o in result.outcomes}
        for (name, (_, said)), target in zip(WRONG.items(), targets, strict=False):
            outcome = outcomes[target.name]
            assert outcome.error is not None, name
            assert said.format(s=target.database.schema) in outcome.error.message, (name, outcome.error.message)
        assert [outcomes[target.name].ids for target in fine] == [("2_b", "3_c")] * 4
        assert "there is no schema" in str(outcomes[created.name].error)
        assert one(ours, "SELECT to_regnamespace(%s)", schemas[-1]) == (None,)

        do(database, f"INSERT INTO {wrong['half']}.a VALUES (5)", f"GRANT CREATE ON DATABASE {database.name} TO {role}")
        again = {o.target: o for o in migrate_fleet(targets, files, create_schema=True).outcomes}
        assert again[targets[list(WRONG).index("half")].name].ids == ("2_b", "3_c")
        for name in ("locked", "locked ledger"):
            assert again[targets[list(WRONG).index(name)].name].state is State.DONE
        assert again[created.name].ids == ("1_a", "2_b", "3_c")
        assert {again[target.name].state for target in fine} == {State.NOTHING}
    finally:
        do(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_ledgers_that_change_between_reading_and_their_turn(database: Database, files: Migrations) -> None:
    targets = tenants(database, 12)

    def go_before(event: FleetEvent) -> None:
        if isinstance(event, Beginning):
            operations.migrate(targets[3].database, files)
            operations.migrate(targets[4].database, files, to="1_a")
            do(database, f"CREATE TABLE {targets[5].database.schema}.a ()")

    result = migrate_fleet(targets, files, options=FleetOptions(jobs=2), notify=go_before)
    assert counted(result) == {"done": 10, "nothing to do": 1, "failed": 1}
    assert result.outcomes[3].state is State.NOTHING
    assert result.outcomes[4].ids == ("2_b", "3_c")
    assert 'relation "a" already exists' in str(result.outcomes[5].error)
    assert {recorded(target) for n, target in enumerate(targets) if n != 5} == {("1_a", "2_b", "3_c")}


SEEN = """
CREATE TABLE seen AS
SELECT
    to_regclass('pg_temp.left_behind')::text AS temporary,
    (SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_behind') AS prepared,
    (SELECT count(*) FROM pg_cursors WHERE name = 'left_behind') AS cursors,
    (SELECT count(*) FROM pg_listening_channels()) AS channels,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = 0) AS locks,
    current_setting('work_mem') AS work_mem, current_setting('lock_timeout') AS lock_timeout,
    split_part(current_setting('search_path'), ',', 2) AS path, current_setting('client_encoding') AS encoding,
    current_setting('standard_conforming_strings') AS strings, current_user::text AS role,
    current_setting('session_replication_role') AS replica;
"""
DIRTY = """
SET work_mem = '77MB'; SET lock_timeout = '7s'; SET client_encoding = 'LATIN1';
CREATE TEMP TABLE left_behind (); PREPARE left_behind AS SELECT 1; LISTEN left_behind; SELECT pg_advisory_lock(7);
DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1; SET session_replication_role = replica; SET ROLE pg_monitor;
"""


@pytest.mark.parametrize(
    "end", ["SET standard_conforming_strings = off;", "SELECT 1 / 0;", "COPY a FROM STDIN;\nx\n\\.\n"]
)
def test_no_target_sees_what_another_one_left_in_the_session(database: Database, tmp_path: Path, end: str) -> None:
    """Whether its migration is applied, fails, or fails within COPY."""
    targets = tenants(database, 3)
    texts = {"1_seen": f"CREATE TABLE a (id int); {SEEN}", "2_dirty": DIRTY + end}
    files = read_migrations(write(tmp_path / "migrations", texts))
    result = migrate_fleet(targets, files, options=FleetOptions(jobs=1))
    assert counted(result) == ({"done": 3} if end.startswith("SET") else {"failed": 3})
    assert {o.ids[:1] for o in result.outcomes} == {("1_seen",)}
    seen = [one(database, f"SELECT * FROM {target.database.schema}.seen") for target in targets]
    assert seen == [seen[0]] * 3
    assert seen[0][:5] == (None, 0, 0, 0, 0)


def test_what_logs_the_query_for_an_audit_finds_the_statement_alone(database: Database, tmp_path: Path) -> None:
    targets = tenants(database, 2)
    update = "UPDATE a SET id = 2"
    files = {"1_a": FIRST["1_a"], "2_b": f"ALTER TABLE a ADD COLUMN t text;\n{update};"}
    folder = write(tmp_path / "migrations", files)
    assert counted(migrate_fleet(targets, read_migrations(folder), to="1_a")) == {"done": 2}
    log = "BEGIN INSERT INTO public.audit VALUES (TG_TABLE_SCHEMA, current_query()); RETURN NULL; END"
    do(
        database,
        "CREATE TABLE public.audit (schema text, query text)",
        f"CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS '{log}'",
        *(f"CREATE TRIGGER log AFTER UPDATE ON {t.database.schema}.a EXECUTE FUNCTION public.log()" for t in targets),
    )
    assert counted(migrate_fleet(targets, read_migrations(folder))) == {"done": 2}
    logged = one(database, "SELECT array_agg(query), count(DISTINCT schema) FROM public.audit")
    assert logged == ([update, update], 2)


def test_what_was_applied_is_said_where_the_session_is_ended_behind_it(database: Database, tmp_path: Path) -> None:
    targets = tenants(database, 4)
    files = {"1_a": "CREATE TABLE a (id int);\nSET idle_session_timeout = '1ms';"}
    folder = write(tmp_path / "migrations", files, {"1_a": "DROP TABLE a;\nSET idle_session_timeout = '1ms';"})
    migrations = read_migrations(folder)
    assert [o.ids for o in migrate_fleet(targets, migrations, options=FleetOptions(jobs=1)).outcomes] == [("1_a",)] * 4
    back = rollback_fleet(targets, migrations, options=FleetOptions(jobs=1))
    assert [o.ids for o in back.outcomes] == [("1_a",)] * 4


@pytest.mark.parametrize("unreadable", ["E'\\xff'", "U&'\\20AC'"])
def test_what_the_server_cannot_read_is_the_fault_of_its_statement(
    database: Database, tmp_path: Path, unreadable: str
) -> None:
    name = f"{database.name}_latin"
    do(database, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    targets = tenants(database.with_name(name) if unreadable.startswith("U") else database, 2)
    last = f"UPDATE a SET t = {unreadable};"
    files = {"1_a": f"{FIRST['1_a']}\nALTER TABLE a ADD COLUMN t text;", "2_b": f"DROP TABLE IF EXISTS b;\n{last}"}
    folder = write(tmp_path / "migrations", files)
    result = migrate_fleet(targets, read_migrations(folder), to="1_a")
    assert counted(result) == {"done": 2}
    result = migrate_fleet(targets, read_migrations(folder))
    assert [str(o.error).partition(":")[0] for o in result.outcomes] == ["2_b failed in statement 2 of 2"] * 2
    (folder / "2_b.sql").write_text(f"DROP TABLE b;\n{last}")
    result = migrate_fleet(targets, read_migrations(folder))
    assert [str(o.error) for o in result.outcomes] == ['2_b failed in statement 1 of 2: table "b" does not exist'] * 2
    do(database, f"DROP DATABASE {name}")


def test_a_stop_before_the_first_leaves_all_untried(database: Database, files: Migrations) -> None:
    stop = Stop()

    def interrupt(event: FleetEvent) -> None:
        if isinstance(event, Beginning):
            stop.request(15)

    result = migrate_fleet(tenants(database, 3), files, notify=interrupt, stop=stop)
    assert counted(result) == {"not tried": 3}
    assert result.stopped == "terminated (SIGTERM)"


def test_what_is_told_may_fail_and_every_target_is_whole(database: Database, files: Migrations) -> None:
    targets = tenants(database, 6)

    def fail(event: FleetEvent) -> None:
        if hasattr(event, "outcome"):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        migrate_fleet(targets, files, options=FleetOptions(jobs=2), notify=fail)
    assert migrate_fleet(targets, files).is_success
    assert {recorded(target) for target in targets} == {("1_a", "2_b", "3_c")}


def test_errors_that_differ_only_in_who_and_how_long_are_one_cause(database: Database, files: Migrations) -> None:
    targets = tenants(database, 3)
    assert migrate_fleet(targets, files, to="1_a").is_success
    with psycopg.connect(database.conninfo) as outsider:
        for target in targets:
            outsider.execute(f"LOCK TABLE {target.database.schema}._yoyo_migration".encode())
        result = migrate_fleet(targets, files, locks=LockOptions(wait_s=0.5), options=FleetOptions(jobs=3))
    (cause,) = result.causes
    assert cause.targets == tuple(target.name for target in targets)


def states(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.state.value for outcome in outcomes]


def test_the_canary_goes_alone_and_a_number_of_failures_ends_it(database: Database, files: Migrations) -> None:
    targets = tenants(database, 7)
    assert migrate_fleet(targets, files, to="1_a").is_success
    do(database, f"DELETE FROM {targets[0].database.schema}.a", f"DELETE FROM {targets[3].database.schema}.a")
    alone = migrate_fleet(targets, files, options=FleetOptions(jobs=1, canary=1))
    assert (states(alone.outcomes), alone.stopped) == (["failed", *["not tried"] * 6], "the canary failed")
    enough = migrate_fleet(targets[1:], files, options=FleetOptions(jobs=1, stop_after_failures=1))
    assert states(enough.outcomes) == ["done", "done", "failed", "not tried", "not tried", "not tried"]
    assert "--stop-after-failures" in enough.stopped


def test_a_file_that_names_a_schema_is_refused_at_once_beside_repeatable_files(
    database: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path / "migrations", FIRST)
    (folder / "repeatable").mkdir()
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM a;")
    targets = tenants(database, 4)
    assert migrate_fleet(targets[:2], read_migrations(folder)).is_success
    (folder / "2_b.sql").write_text("CREATE TABLE b ();")
    (folder / "3_c.sql").write_text("CREATE TABLE t00.c ();")
    for some in (targets[:2], targets[2:]):  # what was read of one that has repeatable files, and of one that is new
        events: list[FleetEvent] = []
        with pytest.raises(BadMigrationFile, match=r"3_c\.sql:1:14"):
            migrate_fleet(some, read_migrations(folder), notify=events.append)
        assert not events
    assert recorded(targets[0]) == ("1_a",)
    (folder / "3_c.sql").unlink()
    assert counted(migrate_fleet(targets, read_migrations(folder))) == {"done": 4}


def test_what_names_a_schema_is_refused_before_anything_runs_also_where_nothing_was_read_beforehand(
    database: Database, tmp_path: Path
) -> None:
    named = read_migrations(write(tmp_path / "named", {"1_a": "CREATE TABLE public.a ();"}, {"1_a": "DROP TABLE a;"}))
    (alone, *two) = tenants(database, 3)
    new = [Target(name, database.with_schema(name), is_new=True) for name in ("n1", "n2")]
    told: list[FleetEvent] = []
    for targets in ([alone], new):
        with pytest.raises(BadMigrationFile, match=r"public\.a"):
            migrate_fleet(targets, named, create_schema=True, notify=told.append)
    assert not told and one(database, "SELECT to_regnamespace('n1')") == (None,)
    whole = Target("whole", database)
    assert migrate_fleet([whole], named).is_success and one(database, "SELECT to_regclass('public.a')::text") == ("a",)

    folder = write(tmp_path / "migrations", FIRST, {"1_a": "DROP TABLE a;"})
    assert migrate_fleet(two, read_migrations(folder)).is_success
    (folder / "repeatable").mkdir()
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW public.v AS SELECT 1 AS n;")
    files = read_migrations(folder)
    with pytest.raises(BadMigrationFile, match=r"public\.v"):
        migrate_fleet(two, files, notify=told.append)
    assert not told
    for target in two:
        operations.migrate(target.database, files)
    assert counted(migrate_fleet(two, files)) == {"nothing to do": 2}


def test_what_another_schema_records_is_refused_as_it_is_alone_and_the_rest_goes_on(
    database: Database, second: Database, files: Migrations
) -> None:
    tenant = database.with_schema("tenant")
    operations.migrate(tenant, files, create_schema=True)
    fine = Target("fine", second)
    for wrong in (database, database.with_ledger_schema("ledgers"), tenant.with_ledger_schema("ledgers")):
        with pytest.raises(Refused, match="the ledger of schema tenant records these migrations") as alone:
            operations.migrate(wrong, files, create_schema=True)
        results = [migrate_fleet([Target("wrong", wrong), fine], files, create_schema=True)]
        results += [rollback_fleet([Target("wrong", wrong), fine], files)] if wrong is database else []
        for result in results:
            told = result.outcomes[0].error
            assert told is not None and (told.message, told.hint) == (alone.value.message, alone.value.hint)
            assert result.outcomes[1].state in (State.DONE, State.NOTHING)
    assert one(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == (0,)
    assert one(database, "SELECT to_regnamespace('ledgers')") == (None,)
    assert migrate_fleet([Target("named", database.with_schema("public"))], files).is_success
