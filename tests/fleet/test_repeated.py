"""Repeatable files of many targets: who has nothing to do is told together, and only who surely has not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.engine.test_faults import do, write
from tests.fleet.test_operations import counted, recorded, tenants
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.repeatables import RepeatableState
from wflo_schema.errors import BadMigrationFile, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.fleet.looking import Standing, status_fleet
from wflo_schema.fleet.operations import migrate_fleet
from wflo_schema.fleet.outcomes import Beginning, FleetEvent, FleetOptions, FleetResult, State, Told, Wave
from wflo_schema.fleet.plans import plan_fleet
from wflo_schema.fleet.targets import Target
from wflo_schema.show.fleet_states import fleet_status_text

pytestmark = pytest.mark.one_server

FILES = {
    "1_a": "CREATE TYPE kind AS ENUM ('x', 'y');\nCREATE TABLE a (id int PRIMARY KEY, k kind);",
    "repeatable/v": "CREATE OR REPLACE VIEW v AS SELECT id FROM a;",
    "repeatable/w": "CREATE OR REPLACE VIEW w AS SELECT id FROM v;",
    "repeatable/f": (
        "CREATE OR REPLACE FUNCTION f(k kind) RETURNS kind LANGUAGE sql AS 'SELECT k';\n"
        "CREATE OR REPLACE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n"
        "DROP TRIGGER IF EXISTS t ON a;\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION g();\n"
        "DROP POLICY IF EXISTS p ON a;\nCREATE POLICY p ON a USING (true);"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A migration, two views, functions, a trigger and a policy."""
    return with_files(tmp_path / "migrations", FILES)


def with_files(folder: Path, files: Mapping[str, str]) -> Path:
    for place in (folder, folder / "repeatable", folder / "hooks"):
        place.mkdir(parents=True, exist_ok=True)
    return write(folder, dict(files))


def migrated(database: Database, folder: Path, number: int = 4) -> list[Target]:
    targets = tenants(database, number)
    assert migrate_fleet(targets, read_migrations(folder)).is_success
    return targets


def run(
    targets: list[Target], files: Migrations, *, then: Callable[[], None] | None = None, **options: Any
) -> tuple[FleetResult, set[str], list[int]]:
    """Migrate; say which targets were looked at by themselves, and how large the waves were.

    ``then`` is called when the ledgers have been read.
    """
    events: list[FleetEvent] = []

    def notify(event: FleetEvent) -> None:
        events.append(event)
        if isinstance(event, Beginning) and then is not None:
            then()

    result = migrate_fleet(targets, files, notify=notify, **options)
    told = {o.target for o in result.outcomes if o.duration_ms}
    (begun,) = (e for e in events if isinstance(e, Beginning))
    assert begun.pending == len(told) >= len({e.target for e in events if isinstance(e, Told)})
    return result, told, [e.size for e in events if isinstance(e, Wave)]


def due(targets: list[Target], folder: Path, **options: Any) -> set[str]:
    """The schemas that were looked at by themselves."""
    _, told, _ = run(targets, read_migrations(folder), **options)
    return {str(t.database.schema) for t in targets if t.name in told}


def test_who_has_nothing_to_do_is_told_together(database: Database, folder: Path) -> None:
    odd = Target("odd", database.with_schema("Türk.'\\\""))
    do(database, 'CREATE SCHEMA "Türk.\'\\"""')
    targets = [*migrated(database, folder), odd]
    assert due(targets, folder) == {odd.database.schema}
    result, told, _ = run(targets, read_migrations(folder), drop_deleted=True)
    assert (counted(result), told) == ({"nothing to do": 5}, set())
    (group,) = status_fleet(targets, read_migrations(folder), catalogs=False).groups
    assert group.standing is Standing.UP_TO_DATE
    (planned,) = plan_fleet(targets, read_migrations(folder)).groups
    assert planned.is_nothing


DIFFERS = {
    "a view is gone": "DROP VIEW {s}.w",
    "what depends on it is gone, too": "DROP VIEW {s}.v CASCADE",
    "a function of other arguments": "ALTER FUNCTION {s}.f RENAME TO h; ALTER FUNCTION {s}.g RENAME TO f",
    "a table bears the name": "DROP VIEW {s}.w; CREATE TABLE {s}.w (id int)",
    "a trigger": "DROP TRIGGER t ON {s}.a",
    "a policy is called otherwise": "ALTER POLICY p ON {s}.a RENAME TO q",
    "it is elsewhere": "ALTER VIEW {s}.w SET SCHEMA public",
    "another text": "UPDATE {s}._wflo_schema_repeatable SET checksum = 'x' WHERE repeatable_id = 'repeatable/w'",
    "another text stands": (
        "INSERT INTO {s}._wflo_schema_repeatable SELECT repeatable_id, number + 1, 'x', content, made, position, "
        "after_hash, is_down, kept, now() FROM {s}._wflo_schema_repeatable WHERE repeatable_id = 'repeatable/w'"
    ),
    "taken down": "UPDATE {s}._wflo_schema_repeatable SET is_down = true WHERE repeatable_id = 'repeatable/w'",
    "not recorded": "DELETE FROM {s}._wflo_schema_repeatable WHERE repeatable_id = 'repeatable/w'",
    "no record of any": "DROP TABLE {s}._wflo_schema_repeatable",
    "no migration is recorded": "DROP TABLE {s}._yoyo_migration",
    "another ledger": "ALTER TABLE {s}._wflo_schema_repeatable RENAME COLUMN made TO makes",
}


def test_one_that_differs_is_due_and_no_other(database: Database, folder: Path) -> None:
    """Each in another way; `status` says of each what it says of it alone."""
    targets = migrated(database, folder, len(DIFFERS) + 2)
    files = read_migrations(folder)
    schemas = [str(t.database.schema) for t in targets]
    different = dict(zip(schemas[1:], DIFFERS, strict=False))
    do(database, *(DIFFERS[how].format(s=schema) for schema, how in different.items()))
    looks = {look.target: look for look in status_fleet(targets, files, catalogs=False).looks}
    for target in targets:
        try:
            alone = operations.status(target.database, files)
        except WfloSchemaError as error:
            assert str(looks[target.name].error) == str(error)
            continue
        found = looks[target.name].status
        assert found is not None
        assert [(e.id, e.state) for e in found.repeatables] == [(e.id, e.state) for e in alone.repeatables]
    assert due(targets, folder) == set(different)
    left = {schema for schema, how in different.items() if how in ("no migration is recorded", "another ledger")}
    left |= {schema for schema, how in different.items() if how == "a table bears the name"}
    assert due(targets, folder) == left


def test_an_edited_file_makes_all_due_and_a_deleted_one_none(database: Database, folder: Path) -> None:
    targets = migrated(database, folder)
    with_files(folder, {"repeatable/w": "CREATE OR REPLACE VIEW w AS SELECT id, k FROM a;"})
    (group,) = status_fleet(targets, read_migrations(folder), catalogs=False).groups
    assert group.first.status is not None
    assert [(e.id, e.state) for e in group.first.status.to_repeat] == [("repeatable/w", RepeatableState.EDITED)]
    result, told, _ = run(targets, read_migrations(folder))
    assert ({o.ids for o in result.outcomes}, len(told)) == ({("repeatable/w",)}, 4)
    (folder / "repeatable" / "w.sql").unlink()
    assert due(targets, folder) == set()
    do(database, "DROP VIEW t01.w")
    assert due(targets, folder) == set()
    assert plan_fleet(targets, read_migrations(folder), drop_deleted=True).groups[0].plan.drops == ("repeatable/w",)
    found = status_fleet(targets, read_migrations(folder), catalogs=False)
    assert [g.names for g in found.groups] == [tuple(t.name for t in targets)]
    assert fleet_status_text(found).splitlines()[1:] == [
        f"  4 are up to date: {', '.join(t.name for t in targets)}",
        "    repeatable/w: no such file; to drop what it made: wflo-schema migrate --drop-deleted",
    ]
    result, told, _ = run(targets, read_migrations(folder), drop_deleted=True)
    assert len(told) == 4 and {o.dropped for o in result.outcomes} == {("repeatable/w",)}
    assert due(targets, folder, drop_deleted=True) == set()
    assert not status_fleet(targets, read_migrations(folder), catalogs=False).groups[0].first.status.deleted  # type: ignore[union-attr]


def test_the_canary_takes_only_what_is_due(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 6)
    do(database, "DROP VIEW t03.w", "DROP VIEW t05.w", "DROP VIEW t04.w")
    result, told, sizes = run(targets, read_migrations(folder), options=FleetOptions(canary=1))
    assert (told, sizes) == ({targets[n].name for n in (3, 4, 5)}, [1, 2])
    assert [o.state for o in result.outcomes] == [State.NOTHING] * 3 + [State.DONE] * 3


def test_values_of_variables_are_compared(database: Database, folder: Path) -> None:
    with_files(folder, {"repeatable/w": "-- variables: top\nCREATE OR REPLACE VIEW w AS SELECT :'top' AS top;"})
    first, second = (read_migrations(folder, variables={"top": top}) for top in ("1", "2"))
    targets = tenants(database, 4)
    assert migrate_fleet(targets, first).is_success
    assert migrate_fleet(targets[:1], second).is_success
    assert run(targets, first)[1] == {targets[0].name}
    assert run(targets, first)[1] == set()
    assert len(run(targets, second)[1]) == 4
    assert run(targets, read_migrations(folder))[1] == set()  # without a value the file alone is compared


def test_a_hook_that_is_due_is_run_and_one_that_was_run_is_not(database: Database, folder: Path) -> None:
    """The table in which a hook is due stays; the hook before all leaves a row in it."""
    with_files(folder, {"hooks/before-all": "SELECT 1;", "hooks/after-all": "SELECT 1;"})
    targets = migrated(database, folder)
    assert due(targets, folder) == set()
    begun = "INSERT INTO {}._wflo_schema_progress VALUES ('{}', '{}', '{}', 0, '', NULL, NULL, now())"
    files = read_migrations(folder)
    hook = next(h for h in files.hooks if h.id == "hooks/after-all")
    do(database, begun.format("t01", hook.hash, hook.id, "due"), begun.format("t02", "x", "x", "apply"))
    said = [line.strip() for line in fleet_status_text(status_fleet(targets, files, catalogs=False)).splitlines()]
    assert f"1 has hooks/after-all to run, which an earlier run left undone: {targets[1].name}" in said
    assert due(targets, folder) == {"t01", "t02"}
    assert due(targets, folder) == {"t02"}
    (half_done,) = (
        g for g in status_fleet(targets, read_migrations(folder), catalogs=False).groups if len(g.names) == 1
    )
    assert (half_done.standing, half_done.names) == (Standing.HALF_DONE, (targets[2].name,))


@pytest.mark.parametrize("how", ["DROP SCHEMA t00 CASCADE", "ALTER SCHEMA t00 RENAME TO gone"])
def test_a_schema_that_goes_meanwhile_is_said_to_be_gone(database: Database, folder: Path, how: str) -> None:
    targets = migrated(database, folder)
    write(folder, {"repeatable/v": "CREATE OR REPLACE VIEW v AS SELECT id, k FROM a;"})
    result, _, _ = run(targets, read_migrations(folder), then=lambda: do(database, how))
    assert counted(result) == {"done": 3, "failed": 1}
    error = result.outcomes[0].error
    assert error is not None and "the schema t00 is not there any more" in error.message


def test_a_locked_ledger_is_looked_at_by_itself(database: Database, folder: Path) -> None:
    targets = migrated(database, folder)
    with psycopg.connect(database.conninfo) as outsider:
        outsider.execute("LOCK TABLE t02._wflo_schema_repeatable")
        result, told, _ = run(targets, read_migrations(folder), then=outsider.rollback)
    assert (told, counted(result)) == ({targets[2].name}, {"nothing to do": 4})


def test_a_repeatable_file_that_names_a_schema_is_refused_before_anything_runs(
    database: Database, folder: Path
) -> None:
    targets = migrated(database, folder)
    with_files(folder, {"repeatable/w": "CREATE OR REPLACE VIEW t00.w AS SELECT 1 AS id;", "2_b": "CREATE TABLE b ();"})
    with pytest.raises(BadMigrationFile, match=r"w\.sql:1:24"):
        migrate_fleet(targets, read_migrations(folder))
    assert recorded(targets[3]) == ("1_a",)
