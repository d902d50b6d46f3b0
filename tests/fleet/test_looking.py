"""How many targets stand: what a ledger says, what it hides, and whom nobody can ask."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.fleet.looking import FleetStatus, Standing, status_fleet
from wflo_schema.fleet.operations import migrate_fleet
from wflo_schema.fleet.targets import Target
from wflo_schema.show.fleet_states import fleet_status_text

pytestmark = pytest.mark.one_server

ONE = "CREATE TABLE plans (id int PRIMARY KEY);"
TWO = (
    "CREATE TABLE tasks (id int PRIMARY KEY, plan int NOT NULL REFERENCES plans, title text, done bool);\n"
    "CREATE INDEX tasks_plan ON tasks (plan);"
)
THREE = "CREATE TABLE notes (id int PRIMARY KEY);"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations."""
    return write(tmp_path / "migrations", a=ONE, b=TWO)


def write(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text)
        (folder / f"{name}.rollback.sql").write_text("-- nothing-to-undo: a test\n")
    return folder


def tenants(database: Database, number: int) -> tuple[Target, ...]:
    """Empty schemas."""
    names = [f"tenant_{n:02}" for n in range(number)]
    execute(database, *(f"CREATE SCHEMA {name}" for name in names))
    return tuple(Target(name, database.with_schema(name)) for name in names)


def execute(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def migrated(database: Database, folder: Path, number: int) -> tuple[Target, ...]:
    targets = tenants(database, number)
    assert migrate_fleet(targets, read_migrations(folder)).is_success
    return targets


def groups(found: FleetStatus) -> dict[Standing, tuple[str, ...]]:
    return {group.standing: group.names for group in found.groups}


def look(targets: Sequence[Target], folder: Path, *, catalogs: bool = True) -> FleetStatus:
    return status_fleet(targets, read_migrations(folder), catalogs=catalogs)


def test_each_way_in_which_a_target_stands_is_told_apart(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 9)
    execute(
        database,
        "DROP TABLE tenant_01.tasks",
        "DELETE FROM tenant_01._yoyo_migration WHERE migration_id = 'b'",
        "INSERT INTO tenant_02._yoyo_migration (migration_hash, migration_id, applied_at_utc) VALUES ('z', 'z', now())",
        "UPDATE tenant_03._yoyo_migration SET checksum = 'other' WHERE migration_id = 'b'",
        "DROP TABLE tenant_04._yoyo_migration, tenant_04._yoyo_log, tenant_04._yoyo_version",
        "DROP SCHEMA tenant_05 CASCADE",
        "DROP SCHEMA tenant_06 CASCADE",
        "CREATE SCHEMA tenant_06",
    )
    found = look(targets, folder)
    assert groups(found) == {
        Standing.UP_TO_DATE: ("tenant_00", "tenant_07", "tenant_08"),
        Standing.PENDING: ("tenant_01",),
        Standing.AHEAD: ("tenant_02",),
        Standing.DISAGREES: ("tenant_03",),
        Standing.UNRECORDED: ("tenant_04",),
        Standing.UNREADABLE: ("tenant_05",),
        Standing.NEW: ("tenant_06",),
    }
    assert [look.target for look in found.looks] == [t.name for t in targets]


def test_a_file_that_was_interrupted_is_half_done_and_not_pending(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 3)
    one, two = "CREATE INDEX CONCURRENTLY one ON plans (id);", "CREATE INDEX CONCURRENTLY two ON nix (id);"
    write(folder, c=f"-- transactional: false\n{one}\n{two}")
    with contextlib.suppress(WfloSchemaError):
        operations.migrate(targets[1].database, read_migrations(folder))
    found = look(targets, folder)
    assert groups(found) == {Standing.PENDING: ("tenant_00", "tenant_02"), Standing.HALF_DONE: ("tenant_01",)}


@pytest.mark.parametrize("number", [1, 4])
def test_says_of_each_what_status_says_of_it_alone(database: Database, folder: Path, number: int) -> None:
    targets = migrated(database, folder, number)
    write(folder, c=THREE)
    execute(database, "DELETE FROM tenant_00._yoyo_migration WHERE migration_id = 'b'")
    files = read_migrations(folder)
    for look_, target in zip(look(targets, folder).looks, targets, strict=True):
        alone = operations.status(target.database, files)
        assert look_.status is not None
        states = [(e.id, e.state, e.is_late, e.path) for e in look_.status.entries]
        assert states == [(e.id, e.state, e.is_late, e.path) for e in alone.entries]
        assert look_.status.has_ledger == alone.has_ledger and look_.status.source == alone.source


def test_repeatable_files_are_looked_at_in_each(database: Database, folder: Path) -> None:
    (folder / "repeatable").mkdir()
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM plans;")
    targets = migrated(database, folder, 3)
    execute(database, "DROP VIEW tenant_01.v")
    assert groups(look(targets, folder)) == {
        Standing.UP_TO_DATE: ("tenant_00", "tenant_02"),
        Standing.PENDING: ("tenant_01",),
    }


def test_what_a_green_ledger_hides_is_told_once_for_all_that_are_alike(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 6)
    for odd in (1, 3):
        execute(database, f"ALTER TABLE tenant_{odd:02}.tasks DROP COLUMN title, DROP COLUMN done")
    execute(database, "ALTER TABLE tenant_04.tasks ADD COLUMN extra int")
    found = look(targets, folder)
    assert groups(found) == {Standing.UP_TO_DATE: tuple(t.name for t in targets)}
    (catalogs,) = found.catalogs
    usual, *odd_ones = catalogs.groups
    assert usual.names == ("tenant_00", "tenant_02", "tenant_05") and not usual.findings
    assert [g.names for g in odd_ones] == [("tenant_01", "tenant_03"), ("tenant_04",)]
    assert [f.object for f in odd_ones[0].findings] == ["tenant_01.tasks.done", "tenant_01.tasks.title"]
    assert found.hashes["tenant_01"] == found.hashes["tenant_03"] != found.hashes["tenant_00"]


def test_catalogs_are_compared_where_the_ledgers_say_the_same(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 6)
    write(folder, c=THREE)
    files = read_migrations(folder)
    for ahead in (0, 1, 2):
        operations.migrate(targets[ahead].database, files)
    execute(database, "DROP TABLE tenant_04.tasks")
    found = look(targets, folder)
    odd = [group.names for of_ledger in found.catalogs for group in of_ledger.groups if group.findings]
    assert odd == [("tenant_04",)]
    assert look(targets, folder, catalogs=False).catalogs == ()


def test_a_role_that_sees_too_little_is_told_so_and_no_migration_called_pending(
    database: Database, folder: Path
) -> None:
    targets = migrated(database, folder, 4)
    role = f"overview_{database.name}"
    execute(
        database,
        f"CREATE ROLE {role} LOGIN",
        *(f"GRANT USAGE ON SCHEMA tenant_{n:02} TO {role}" for n in (0, 2, 3)),
        *(f"GRANT SELECT ON ALL TABLES IN SCHEMA tenant_{n:02} TO {role}" for n in (0, 3)),
        "ALTER TABLE tenant_03._yoyo_migration ENABLE ROW LEVEL SECURITY",
    )
    try:
        limited = [replace(t, database=t.database.with_parameters(user=role)) for t in targets]
        found = look(limited, folder, catalogs=False)
        standings = [look.standing for look in found.looks]
        assert standings == [Standing.UP_TO_DATE, *[Standing.UNREADABLE] * 3]
    finally:
        execute(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_ledger_that_is_locked_stops_no_other(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 4)
    with database.connect(autocommit=False) as connection:
        connection.execute("LOCK TABLE tenant_02._yoyo_migration")
        found = look(targets, folder, catalogs=False)
    standings = {look.target: look.standing for look in found.looks}
    assert standings.pop("tenant_02") is Standing.UNREADABLE
    assert set(standings.values()) == {Standing.UP_TO_DATE}


def test_a_server_that_is_away_and_a_target_that_failed_before_are_named(database: Database, folder: Path) -> None:
    here = migrated(database, folder, 2)
    away = Database.parse("postgresql://postgres@127.0.0.1:9/away")
    failed = Target("failed", database, failure=ConnectionFailed("it was not found out"))
    targets = (*here, *(Target(f"away#{n}", away.with_schema(n)) for n in ("a", "b")), failed)
    found = look(targets, folder)
    assert groups(found)[Standing.UP_TO_DATE] == ("tenant_00", "tenant_01")
    assert [g.names for g in found.groups if g.standing is Standing.UNREADABLE] == [("away#a", "away#b"), ("failed",)]


def test_databases_without_a_schema_are_looked_at_each(database: Database, second: Database, folder: Path) -> None:
    files: Migrations = read_migrations(folder)
    operations.migrate(database, files)
    found = status_fleet([Target("one", database), Target("two", second)], files)
    assert groups(found) == {Standing.UP_TO_DATE: ("one",), Standing.NEW: ("two",)}


def test_what_another_schema_records_is_said(database: Database, second: Database, folder: Path) -> None:
    migrated(database, folder, 1)
    files = read_migrations(folder)
    found = status_fleet([Target("one", database), Target("two", second)], files)
    assert groups(found) == {Standing.ELSEWHERE: ("one",), Standing.NEW: ("two",)}
    status = found.looks[0].status
    assert status is not None and status.elsewhere == operations.status(database, files).elsewhere == ("tenant_00",)
    assert "the ledger of schema tenant_00 records them: name the one that you mean" in fleet_status_text(found)


def test_writes_nothing(database: Database, folder: Path) -> None:
    targets = tenants(database, 3)
    look(targets, folder)
    with database.connect() as connection:
        count = sql.SQL("SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text ~ 'tenant'")
        assert connection.execute(count).fetchone() == (0,)
