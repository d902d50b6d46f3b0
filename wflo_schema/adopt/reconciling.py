"""Sets of migrations that bring a known divergent database back to ours."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from wflo_schema.adopt.history import History, read_like
from wflo_schema.adopt.look import Look
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Difference
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import State
from wflo_schema.files.folder import Migrations

BELIEVED = ": the catalog counts (recorded without proof, copied from another database, or changed by hand since?)"


def forget_statement(look: Look, ids: Sequence[str]) -> str:
    """The statement that deletes records."""
    return (
        sql.SQL("DELETE FROM {} WHERE migration_id IN ({});")
        .format(sql.Identifier(look.status.schema, "_yoyo_migration"), sql.SQL(", ").join(map(sql.Literal, ids)))
        .as_string()
    )


@dataclass(frozen=True, slots=True)
class ReconcilingSet:
    """A reconciling set, and how far it has come in the target.

    ``done`` counts its records; ``aside`` are those that an earlier adoption set aside, with which
    the set would do nothing; ``allow`` are the cases in which `engine.migrate` would refuse.
    """

    migrations: Migrations
    done: int
    is_under_way: bool
    aside: tuple[str, ...]
    allow: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The directory that ``--migrations`` names to run it."""
        return self.migrations.directories[0]

    def steps(self, look: Look) -> tuple[str, ...]:
        """What to type to run it, or to go on with it."""
        words = f"migrate --migrations {shlex.quote(self.folder)}" + "".join(f" --allow {c}" for c in self.allow)
        again = f"this set was run here before: delete its records in psql: {forget_statement(look, self.aside)}"
        return (*((again,) if self.aside else ()), look.command(words))


@dataclass(frozen=True, slots=True)
class KnownSet:
    """The set to run.  ``not_valid`` are constraints that it finds NOT VALID and validates."""

    set: ReconcilingSet
    not_valid: tuple[str, ...] = ()


def reconciling_sets(look: Look) -> tuple[ReconcilingSet, ...]:
    """Plan each reconciling set against the target, and say how far it has come there."""
    recorded = {e.id for e in look.without_file}
    found = []
    for one in look.reconciling:
        planned = operations.plan(look.database, one)
        ours = [e for e in planned.status.entries if one.get(e.id) is not None]
        done = sum(e.id in recorded for e in ours)
        is_begun = done > 0 or any(e.state is State.PENDING and e.statements_done is not None for e in ours)
        aside = tuple(e.id for e in ours if e.state is not State.PENDING and e.id not in recorded)
        allow = tuple(case.value for case, _, _ in planned.refusals if case)
        found.append(ReconcilingSet(one, done, is_begun and done < len(one), aside, allow))
    return tuple(found)


def find_set(look: Look, history: History, replayed: Database, sets: Sequence[ReconcilingSet]) -> KnownSet | None:
    """The reconciling set that starts (or goes on) where the target is.

    Where one is under way, no other is considered: what it has done so far may look like the start
    of another.  A set's rollbacks take the scratch database back from where the migrations lead to
    where the set starts: so no file says what a set is for, and one with wrong rollbacks fits
    nothing.  A target that differs only by NOT VALID constraints fits too, if the set validates them.
    """
    under_way = [s for s in sets if s.is_under_way]
    for one in under_way or [s for s in sets if s.done < len(s.migrations)]:
        _forget_ledger(replayed)
        operations.baseline(replayed, one.migrations, [m.id for m in one.migrations])
        operations.rollback(replayed, one.migrations, count=len(one.migrations) - one.done)
        start = read_like(replayed, look)
        found = history.compare(look.have, start)
        if not found.differences:
            return KnownSet(one)
        if all(_is_not_valid(d) for d in found.differences):
            names = {d.object for d in found.differences}
            with replayed.connect() as connection:
                for d in compare_catalogs(start, look.have):
                    if d.object in names and d.attribute == "validated":
                        connection.execute(d.mend.encode())
            is_same = not history.compare(look.have, read_like(replayed, look)).differences
            operations.migrate(replayed, one.migrations)
            if is_same and not history.compare(read_like(replayed, look), history.last).differences:
                return KnownSet(one, tuple(sorted(names)))
        else:
            operations.migrate(replayed, one.migrations)
    return None


def _is_not_valid(d: Difference) -> bool:
    return d.kind == "constraint" and d.attribute == "validated" and d.have.endswith("NOT VALID")


def _forget_ledger(replayed: Database) -> None:
    """Empty the scratch database's ledger, so that another set begins with none."""
    with replayed.connect() as connection:
        status = operations.status(replayed, Migrations((), ()))
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(status.schema, "_yoyo_migration")))
