"""The catalogs that the migrations make, one after the other, and which of them equals the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wflo_schema.adopt.look import Look
from wflo_schema.catalog.compare import compare_catalogs, is_beside, tables_below
from wflo_schema.catalog.objects import Catalog, Difference, Path
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import MigrationFailed
from wflo_schema.files.folder import Migration
from wflo_schema.scratch.replay import scratch_database


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison: what counts, what is cosmetic, and what the database has besides."""

    differences: tuple[Difference, ...]
    cosmetic: tuple[Difference, ...]
    beside: tuple[str, ...]

    @property
    def distance(self) -> tuple[int, int]:
        return len(self.differences), len(self.cosmetic)


@dataclass(frozen=True, slots=True)
class History:
    """The catalogs that the migrations lead to."""

    after: tuple[tuple[Migration, Catalog], ...]
    last: Catalog
    made: frozenset[tuple[str, str]]
    tables: frozenset[Path]
    server_version: int

    @classmethod
    def of(cls, after: Sequence[tuple[Migration, Catalog]], last: Catalog) -> History:
        made = frozenset((o.kind, o.name) for _, one in after for o in one.objects)
        made |= frozenset((o.kind, o.name) for o in last.objects)
        tables = frozenset(o.path for one in (*(c for _, c in after), last) for o in one.objects if o.kind in TABLES)
        return cls(tuple(after), last, made, tables, last.server_version)

    def compare(self, have: Catalog, want: Catalog) -> Compared:
        differences, cosmetic, beside = [], [], []
        below = tables_below(have, self.tables)
        for d in compare_catalogs(have, want):
            if is_beside(d, below) and (d.kind, d.object) not in self.made:
                beside.append(f"{d.kind} {d.object}")
            elif d.cosmetic:
                cosmetic.append(d)
            else:
                differences.append(d)
        return Compared(tuple(differences), tuple(cosmetic), tuple(sorted(beside)))


TABLES = frozenset({"table", "foreign table", "view", "materialized view"})


def equal_elsewhere(look: Look, scratch_on: Database | None, wish: Migration) -> Migration | None:
    """The last migration, other than ``wish``, that the target equals; None where it equals none."""
    with scratch_database(look.database, on=scratch_on) as empty:
        history = replay_history(empty, look, None)
    equal = [m for m, want in history.after if m.id != wish.id and not history.compare(look.have, want).differences]
    return equal[-1] if equal else None


def choose_place(
    look: Look, equal: Sequence[tuple[Migration, Catalog, Compared]]
) -> tuple[Migration, Catalog, Compared]:
    """Of several that are equal, the one that a ledger names, else the first."""
    said = {w.stands_for for w in look.ledgers}
    return next((e for e in equal if e[0].id in said), equal[0])


def scratch_note(look: Look, history: History) -> tuple[str, ...]:
    ours, theirs = look.have.server_version // 10000, history.server_version // 10000
    if ours == theirs:
        return ()
    return (
        (
            f"the migrations were replayed on PostgreSQL {theirs}, and the database is on {ours}: "
            "the two may print the same definition differently"
        ),
    )


def replay_history(empty: Database, look: Look, wish: Migration | None) -> History:
    """Run all migrations in the scratch database, and look after each (after ``wish`` alone where it is given)."""
    after: list[tuple[Migration, Catalog]] = []
    for m in look.migrations:
        if wish is not None and m.id != wish.id:
            continue
        operations.migrate(empty, look.migrations, to=m.id)
        after.append((m, read_like(empty, look)))
    operations.migrate(empty, look.migrations)
    return History.of(after, read_like(empty, look))


def compare_recorded(look: Look, scratch_on: Database | None) -> Compared:
    """How far the target is from what our own ledger says it is."""
    claimed: Catalog | None = None
    if look.has_gaps:
        with scratch_database(look.database, on=scratch_on) as empty:
            claimed = _replay_recorded(empty, look)
    with scratch_database(look.database, on=scratch_on) as empty:
        history = replay_history(empty, look, look.last_recorded)
    return history.compare(look.have, claimed or history.after[0][1])


def _replay_recorded(empty: Database, look: Look) -> Catalog | None:
    """What the recorded migrations alone make, where others before the last are not recorded.

    None where they do not run without the others: then they were not run here either.
    """
    last = look.last_recorded
    assert last is not None
    before = look.migrations.items[: look.migrations.items.index(last)]
    operations.baseline(empty, look.migrations, [m.id for m in before if m.id not in look.recorded])
    try:
        operations.migrate(empty, look.migrations, to=last.id, allow=(Allow.LATE,))
    except MigrationFailed:
        return None
    return read_like(empty, look)


def read_like(empty: Database, look: Look) -> Catalog:
    """A scratch database's catalog, without the tables in which the target keeps another tool's records."""
    with empty.connect() as connection:
        return read_catalog(connection, schemas=(empty.schema,) if empty.schema else None, ignore=look.ignore)
