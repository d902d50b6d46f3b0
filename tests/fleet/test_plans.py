"""What migrating many targets would do: the same as the plan of each, and shown once where it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.test_looking import THREE, execute, folder, migrated, write
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import BadMigrationFile, ConnectionFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.plans import FleetPlan, plan_fleet
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

__all__ = ["folder"]


def shown(found: FleetPlan) -> list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    return [(g.names, tuple(m.id for m in g.plan.files), tuple(w for _, w, _ in g.plan.refusals)) for g in found.groups]


def test_those_to_which_the_same_would_happen_are_one_group(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 6)
    write(folder, c=THREE)
    files = read_migrations(folder)
    operations.migrate(targets[0].database, files)
    execute(
        database,
        "DROP TABLE tenant_01._yoyo_migration, tenant_01._yoyo_log, tenant_01._yoyo_version",
        "DROP TABLE tenant_02._yoyo_migration, tenant_02._yoyo_log, tenant_02._yoyo_version",
    )
    held = "nothing is recorded here, but {} is not empty: schema {} holds 2 tables (plans, tasks)"
    found = plan_fleet(targets, files)
    assert shown(found) == [
        (("tenant_03", "tenant_04", "tenant_05"), ("c",), ()),
        (("tenant_01", "tenant_02"), ("a", "b", "c"), (held.format(database.label, "tenant_01"),)),
        (("tenant_00",), (), ()),
    ]
    assert [g.is_nothing for g in found.groups] == [False, False, True] and found.is_refused
    assert not plan_fleet(targets, files, allow=[Allow.NOT_EMPTY]).is_refused


def test_a_group_is_shown_for_its_largest(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 4)
    write(folder, c=THREE)
    execute(database, "INSERT INTO tenant_02.plans SELECT generate_series(1, 5000)", "VACUUM tenant_02.plans")
    (group,) = plan_fleet(targets, read_migrations(folder)).groups
    assert (group.shown, group.is_largest, group.plan.status.schema) == (targets[2], True, "tenant_02")
    (group,) = plan_fleet((targets[3], targets[0]), read_migrations(folder)).groups
    assert (group.shown, group.is_largest) == (targets[3], False)


def test_each_is_planned_as_alone(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 3)
    (folder / "repeatable").mkdir()
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM plans;")
    write(folder, c=THREE)
    files = read_migrations(folder)
    operations.migrate(targets[1].database, files)
    plans = {name: group.plan for group in plan_fleet(targets, files).groups for name in group.names}
    for target in targets:
        alone = operations.plan(target.database, files)
        assert (plans[target.name].files, plans[target.name].refusals) == (alone.files, alone.refusals)


def test_schemas_that_are_to_be_made_are_planned(database: Database, folder: Path) -> None:
    target = Target("new", database.with_schema("new"), is_new=True)
    found = plan_fleet((target, *migrated(database, folder, 1)), read_migrations(folder), create_schema=True)
    assert shown(found) == [(("new",), ("a", "b"), ()), (("tenant_00",), (), ())]
    assert list(plan_fleet((target,), read_migrations(folder)).failed) == ["new"]


def test_a_bad_file_is_told_once_and_a_target_that_failed_is_named(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 2)
    failed = Target("failed", database, failure=ConnectionFailed("it is away"))
    assert list(plan_fleet((*targets, failed), read_migrations(folder)).failed) == ["failed"]
    write(folder, c="CREATE TABLE tenant_00.other ();")
    with pytest.raises(BadMigrationFile, match=r"tenant_00\.other"):
        plan_fleet(targets, read_migrations(folder))


def test_what_another_schema_records_is_refused_as_it_is_alone(
    database: Database, second: Database, folder: Path
) -> None:
    migrated(database, folder, 1)
    files = read_migrations(folder)
    with pytest.raises(Refused, match="the ledger of schema tenant_00 records these migrations") as alone:
        operations.plan(database, files)
    found = plan_fleet([Target("one", database), Target("two", second)], files)
    assert {name: error.message for name, error in found.failed.items()} == {"one": alone.value.message}
    assert shown(found) == [(("two",), ("a", "b"), ())]
