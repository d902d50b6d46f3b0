"""Tests that come free with a set of migrations: up, down, up; the contract; on top of a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wflo_schema.connect.database import Database
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import DatabaseError, MigrationFailed, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, load_rollback, read_migrations
from wflo_schema.testdb.session import run_seeds

if TYPE_CHECKING:
    from wflo_schema.catalog.objects import Catalog, Difference
from wflo_schema.testdb.suite import Databases, SuiteOptions


class PromiseBroken(AssertionError):
    """A free test's answer is no; the text says what was expected and what was found."""


class NotApplicable(Exception):
    """A free test has nothing to try here; the text says why."""


@dataclass(frozen=True, slots=True)
class FreeTest:
    """One free test: ``name`` is unique, ``run`` raises `PromiseBroken` or `NotApplicable`."""

    name: str
    run: Callable[[Databases], None]


def free_tests(options: SuiteOptions) -> tuple[FreeTest, ...]:
    """Every free test for these migrations; needs no server.

    For each migration: up, down and up again with the catalog compared at each step; and, where
    there is a seed file, applied on top of data.  Once: the contract holds on a fresh database.
    Raise `BadMigrationFile` when the migrations cannot be read.
    """
    found: list[FreeTest] = []
    migrations = read_migrations(*options.migrations, recursive=options.recursive, variables=options.variables)
    for m in migrations:
        found.append(FreeTest(f"up-down-up[{m.id}]", _bound(up_down_up, m)))
    if options.free_seeds or options.seeds:
        for m in migrations:
            found.append(FreeTest(f"on-top-of-data[{m.id}]", _bound(on_top_of_data, m)))
    if options.contract is not None:
        found.append(FreeTest("contract-holds", contract_holds))
    return tuple(found)


def _bound(run: Callable[[Databases, Migration], None], m: Migration) -> Callable[[Databases], None]:
    return lambda databases: run(databases, m)


def up_down_up(databases: Databases, m: Migration) -> None:
    """Apply what comes before, then this one, roll it back, apply it again; the catalog must follow.

    After rolling back it equals what it was before; after applying again what it was after the
    first time.
    """
    from wflo_schema.engine import operations

    script = load_rollback(m)
    if script is None:
        raise NotApplicable(f"{m.id} has no rollback file")
    if script.nothing_to_undo:
        raise NotApplicable(f"the rollback file of {m.id} says that there is nothing to undo")
    migrations = databases.migrations()
    with databases.scratch() as database:
        _migrate_until(database, migrations, m)
        before = _catalog(database)
        operations.migrate(database, migrations, to=m.id, allow=tuple(Allow))
        after = _catalog(database)
        operations.rollback(database, migrations, only=m.id)
        _must_be_equal(before, _catalog(database), f"after rolling back {m.id} the database is not as it was before")
        operations.migrate(database, migrations, to=m.id, allow=tuple(Allow))
        again = _catalog(database)
        _must_be_equal(after, again, f"after applying {m.id} again the database is not as it was the first time")


def on_top_of_data(databases: Databases, m: Migration) -> None:
    """Apply this migration to a database with the seed's rows in it.

    The seed goes in after the first migration whose tables accept it.
    """
    from wflo_schema.engine import operations

    migrations = databases.migrations()
    refusal: WfloSchemaError | None = None
    is_seeded = False
    with databases.scratch() as database:
        for other in migrations:
            operations.migrate(database, migrations, to=other.id, allow=tuple(Allow))
            if other.id == m.id and is_seeded:
                return
            if not is_seeded:
                try:
                    run_seeds(database, migrations, databases.options.free_seeds or databases.options.seeds)
                    is_seeded = True
                except (DatabaseError, MigrationFailed) as error:
                    refusal = error
            if other.id == m.id and (is_seeded or other.id != migrations.items[-1].id):
                raise NotApplicable(f"the seed goes in after {m.id} or later")
    if refusal is not None:
        raise PromiseBroken(f"the seed is not accepted after any migration\n{refusal.message}")


def contract_holds(databases: Databases) -> None:
    """Check the contract on a fresh database with every migration applied."""
    from wflo_schema.check.contract_file import read_contract
    from wflo_schema.check.verdict import check_database

    path = databases.options.contract
    assert path is not None
    wanted = read_contract(path)
    database = databases.make()
    try:
        result = check_database(database, wanted, only=("contract",))
    finally:
        databases.release(database)
    if result.exit_code:
        lines = [f"a fresh database breaks the contract {path}"]
        for finding in result.findings:
            lines.append(f"{finding.code}: {finding.message}")
            lines += [f"    have: {finding.have}", f"    want: {finding.want}"] if finding.have or finding.want else []
        raise PromiseBroken("\n".join(lines))


def _migrate_until(database: Database, migrations: Migrations, m: Migration) -> None:
    """Apply what comes before this one."""
    from wflo_schema.engine import operations

    before = migrations.items[: [i.id for i in migrations].index(m.id)]
    if before:
        operations.migrate(database, migrations, to=before[-1].id, allow=tuple(Allow))


def _catalog(database: Database) -> Catalog:
    from wflo_schema.catalog.read import read_catalog

    with database.connect() as connection:
        return read_catalog(connection)


def _must_be_equal(want: Catalog, have: Catalog, otherwise: str) -> None:
    from wflo_schema.catalog.compare import compare_catalogs

    differences = [d for d in compare_catalogs(have, want) if not d.cosmetic]
    if differences:
        raise PromiseBroken("\n".join([otherwise, *(_shown(d) for d in differences)]))


def _shown(difference: Difference) -> str:
    what = f"{difference.kind} {difference.object}" + (f", {difference.attribute}" if difference.attribute else "")
    return f"{what}\n    have: {difference.have}\n    want: {difference.want}"
