"""Taking over many targets: proven once for all that are alike, and recorded where it is still so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fleet.test_looking import execute, folder, migrated
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.adopting import adopt_fleet
from wflo_schema.fleet.surveys import Asked
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

__all__ = ["folder"]


def unrecorded(database: Database, folder: Path, number: int) -> tuple[Target, ...]:
    """Targets whose ledgers are lost."""
    targets = migrated(database, folder, number)
    for target in targets:
        execute(
            database, "DROP TABLE " + ", ".join(f"{target.name}._yoyo_{n}" for n in ("migration", "log", "version"))
        )
    return targets


def recorded(targets: Sequence[Target], folder: Path) -> list[int]:
    return [len(operations.status(t.database, read_migrations(folder)).applied) for t in targets]


def test_says_of_each_what_adopt_says_of_it_alone(database: Database, folder: Path) -> None:
    targets = unrecorded(database, folder, 5)
    execute(
        database,
        "ALTER TABLE tenant_01.tasks ADD COLUMN extra int",
        "DROP TABLE tenant_02.tasks",
        "DROP TABLE tenant_03.tasks, tenant_03.plans",
    )
    files = read_migrations(folder)
    found = adopt_fleet(targets, files)
    said = {name: (g.adoption.verdict, g.adoption.id) for g in found.groups for name in g.names}
    alone = {t.name: adopt_database(t.database, files) for t in targets}
    assert said == {name: (one.verdict, one.id) for name, one in alone.items()}
    assert found.groups[0].names == ("tenant_00", "tenant_04")
    assert found.exit_code == 1 and recorded(targets, folder) == [0] * 5


def test_is_recorded_in_each_that_is_equal_and_in_no_other(database: Database, folder: Path) -> None:
    targets = unrecorded(database, folder, 4)
    execute(database, "ALTER TABLE tenant_01.tasks ADD COLUMN extra int", "DROP TABLE tenant_02.tasks")
    failed = Target("failed", database, failure=ConnectionFailed("it is away"))
    found = adopt_fleet((*targets, failed), read_migrations(folder), apply=True)
    assert recorded(targets, folder) == [2, 0, 1, 2]
    assert [(g.adoption.verdict, g.recorded) for g in found.groups] == [
        (Verdict.EQUAL, ("tenant_00", "tenant_03")),
        (Verdict.DIFFERENT, ()),
        (Verdict.EQUAL, ("tenant_02",)),
    ]
    assert list(found.failed) == ["failed"] and found.exit_code == 3
    again = adopt_fleet(targets, read_migrations(folder), apply=True)
    assert not any(g.recorded for g in again.groups)


def test_a_target_that_changes_before_it_is_recorded_is_refused(database: Database, folder: Path) -> None:
    targets = unrecorded(database, folder, 3)

    def notify(asked: Asked) -> None:
        if (asked.doing, asked.number) == ("records", 0):
            execute(database, "ALTER TABLE tenant_01.tasks ADD COLUMN extra int")

    found = adopt_fleet(targets, read_migrations(folder), apply=True, notify=notify)
    assert recorded(targets, folder) == [2, 0, 2]
    assert list(found.failed) == ["tenant_01"] and "changed while" in found.failed["tenant_01"].message


def test_another_tools_ledger_tells_apart_what_the_catalog_does_not(database: Database, folder: Path) -> None:
    (folder / "b2.sql").write_text("UPDATE tasks SET title = 'x' WHERE id = 0;")
    (folder / "b2.rollback.sql").write_text("-- nothing-to-undo: rows\n")
    targets = unrecorded(database, folder, 3)
    ledger = (
        "CREATE TABLE {0}.schema_migrations (version text PRIMARY KEY); INSERT INTO {0}.schema_migrations VALUES {1}"
    )
    execute(
        database,
        *ledger.format("tenant_00", "('a'), ('b')").split("; "),
        *ledger.format("tenant_01", "('a'), ('b'), ('b2')").split("; "),
        *ledger.format("tenant_02", "('a'), ('b'), ('b2')").split("; "),
    )
    found = adopt_fleet(targets, read_migrations(folder))
    assert [(g.names, g.adoption.id) for g in found.groups] == [
        (("tenant_01", "tenant_02"), "b2"),
        (("tenant_00",), "b"),
    ]


def test_repeatable_files_are_recorded_with_it(database: Database, folder: Path) -> None:
    (folder / "repeatable").mkdir()
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM plans;")
    targets = migrated(database, folder, 2)
    for target in targets:
        tables = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "_wflo_schema_repeatable")
        execute(database, "DROP TABLE " + ", ".join(f"{target.name}.{t}" for t in tables))
    adopt_fleet(targets, read_migrations(folder), apply=True)
    assert all(operations.status(t.database, read_migrations(folder)).is_up_to_date for t in targets)
