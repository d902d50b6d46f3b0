"""The catalogs that the migrations make, and which of them equals the target.

Hides where is looked: after the migration that a ledger names, or the last one, and around the nearest only where that
is not equal.  So the time grows with the catalog and with the files, and not with both at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from wflo_schema.adopt.look import Look
from wflo_schema.catalog.compare import compare_catalogs, is_beside, tables_below
from wflo_schema.catalog.objects import Catalog, Difference, Key, Path
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow
from wflo_schema.engine.repeatables import RepeatableState, Text
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, read_source
from wflo_schema.names import NAME, bare_name
from wflo_schema.scratch.replay import ScratchOptions, as_in_target, scratch_database

# A history as short as that is looked at after each of its migrations.
SHORT = 8

# Most catalogs that are read in one more replay, which costs as much as a dozen of them.
_MOST_LOOKS = 16


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison: what counts, what is cosmetic, and what the database has besides."""

    differences: tuple[Difference, ...]
    cosmetic: tuple[Difference, ...]
    beside: tuple[str, ...]

    @property
    def distance(self) -> tuple[int, int]:
        """The number of differences that count, then of cosmetic ones: the nearest place has the least."""
        return len(self.differences), len(self.cosmetic)


@dataclass(frozen=True, slots=True)
class Place:
    """The state after one migration, and how far the target is from it."""

    number: int
    migration: Migration
    want: Catalog
    compared: Compared
    is_repeated: bool = False
    """Is what the repeatable files make among it, so that they need not be applied?"""

    @property
    def is_equal(self) -> bool:
        """Whether nothing that counts differs; cosmetic differences may."""
        return not self.compared.differences


@dataclass(frozen=True, slots=True)
class Broken:
    """The first migration that cannot be replayed, by its number from 0, and why."""

    number: int
    error: WfloSchemaError


@dataclass(frozen=True, slots=True)
class Repeated:
    """The catalog with what the repeatable files make behind the last migration, and what that is.

    ``counts``: they were applied here, so that it must be there.
    """

    catalog: Catalog
    made: frozenset[Key]
    counts: bool


@dataclass(frozen=True)
class History:
    """The catalogs after some of the migrations, by number from 0; the last one's is always among them.

    ``have`` is the target's.  Where one is ``broken``, the history ends before it.  What repeatable files make is in
    none of them: a target may have it at any place, from a text of any time.  ``unrepeated`` says why it is not known.
    """

    migrations: Migrations
    have: Catalog
    catalogs: Mapping[int, Catalog]
    broken: Broken | None = None
    repeated: Repeated | None = None
    unrepeated: WfloSchemaError | None = None

    @property
    def end(self) -> int:
        """How many of the migrations can be replayed."""
        return len(self.migrations) if self.broken is None else self.broken.number

    @cached_property
    def tables(self) -> frozenset[Path]:
        """Paths of all tables and views that any replayed state of the migrations has."""
        return frozenset(o.path for one in self._all for o in one.objects if o.kind in TABLES)

    @cached_property
    def _all(self) -> tuple[Catalog, ...]:
        return (*self.catalogs.values(), *((self.repeated.catalog,) if self.repeated is not None else ()))

    @cached_property
    def _made(self) -> frozenset[tuple[str, str]]:
        return frozenset((o.kind, o.name) for one in self._all for o in one.objects)

    @cached_property
    def _named(self) -> frozenset[str]:
        return _names_in(self.migrations)

    @property
    def last(self) -> Catalog:
        """The catalog after all migrations that can be replayed."""
        return self.catalogs[self.end - 1]

    def is_made(self, kind: str, name: str) -> bool:
        """Whether the migrations make an object of that name, though a later one drops it."""
        return (kind, name) in self._made or bare_name(name) in self._named

    @cached_property
    def has_any(self) -> bool:
        """Whether a table of the migrations is there, though it be one that a later one drops."""
        schemas = {path[0] for path in self.tables}
        return any(
            o.path in self.tables or (o.path[0] in schemas and self.is_made(o.kind, o.name))
            for o in self.have.objects
            if o.kind in TABLES
        )

    def shows(self, number: int, place: int) -> bool:
        """Whether the catalog at that place would be another one if this migration had not been run."""
        before, after = (self.catalogs.get(n, Catalog(()) if n < 0 else None) for n in (number - 1, number))
        if before is None or after is None:
            return False
        here = frozenset(self.catalogs[place].objects)
        dropped = {o.key for o in before.objects} - {o.key for o in after.objects}
        return bool((frozenset(after.objects) - frozenset(before.objects)) & here or dropped - {o.key for o in here})

    def compare(self, have: Catalog, want: Catalog) -> Compared:
        """Compare two catalogs, and tell apart what stands beside the migrations' tables and no migration makes."""
        differences, cosmetic, beside = [], [], []
        below = tables_below(have, self.tables)
        for d in compare_catalogs(have, want):
            if is_beside(d, below) and not self.is_made(d.kind, d.object):
                beside.append(f"{d.kind} {d.object}")
            elif d.cosmetic:
                cosmetic.append(d)
            else:
                differences.append(d)
        return Compared(tuple(differences), tuple(cosmetic), tuple(sorted(beside)))

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every place that was looked at, in order."""
        return tuple(self._place(n, c) for n, c in sorted(self.catalogs.items()))

    def _place(self, number: int, want: Catalog) -> Place:
        m = self.migrations.items[number]
        if self.repeated is not None and number == len(self.migrations) - 1:
            whole = self.compare(self.have, self.repeated.catalog)
            if self.repeated.counts or not whole.differences:
                return Place(number, m, self.repeated.catalog, whole, is_repeated=True)
        return Place(number, m, want, self.compare_versioned(want))

    def compare_versioned(self, want: Catalog) -> Compared:
        """Compare the target, without what repeatable files make, with what some migrations make."""
        if self.repeated is None:
            return self.compare(self.have, want)
        beside = self.repeated.made - {o.key for o in want.objects}
        kept = tuple(o for o in self.have.objects if o.key not in beside)
        return self.compare(replace(self.have, objects=kept), want)


TABLES = frozenset({"table", "foreign table", "view", "materialized view"})

# What CREATE, ALTER and DROP name, wherever they stand in a file: also in DO and in the bodies of functions.
_NAMED = re.compile(
    r"""\b(?:TABLE|VIEW|SEQUENCE|TYPE|DOMAIN|FUNCTION|PROCEDURE|ROUTINE|AGGREGATE|SCHEMA|EXTENSION|COLLATION
            |STATISTICS|PUBLICATION|DICTIONARY|CONFIGURATION|CONVERSION|TRIGGER|SERVER|RENAME\s+TO|INTO)\s+
        (?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?
        (?P<names>NAME(?:\s*\.\s*NAME)?(?:\s*,\s*NAME(?:\s*\.\s*NAME)?)*)""".replace("NAME", NAME),
    re.VERBOSE | re.IGNORECASE,
)


def _names_in(migrations: Migrations) -> frozenset[str]:
    """The bare names of what the files make, change or drop, as they are written there."""
    one = re.compile(rf"{NAME}(?:\s*\.\s*{NAME})?")
    return frozenset(
        bare_name(name[0])
        for m in migrations
        for found in _NAMED.finditer(read_source(m.path)[0].decode())
        for name in one.finditer(found["names"])
    )


def choose_place(look: Look, equal: Sequence[Place]) -> Place:
    """Of several that are equal, the one that a ledger names, else the last."""
    said = {w.stands_for for w in look.ledgers}
    return next((e for e in equal if e.migration.id in said), equal[-1])


def first_look(look: Look, wish: Migration | None) -> frozenset[int]:
    """After which migrations is looked first.

    Where nobody names one, the one before the last tells whether the last changes rows only.
    """
    number = {m.id: n for n, m in enumerate(look.migrations)}
    last = len(number) - 1
    recorded = look.last_recorded
    if wish is not None and recorded is None:
        return frozenset({number[wish.id], last})
    if last < SHORT:
        return frozenset(range(last + 1))
    said = {number[w.stands_for] for w in look.ledgers if w.stands_for}
    said |= {number[m.id] for m in (wish, recorded) if m is not None}
    return frozenset({*(said or {last - 1}), last})


# What says that a migration cannot be replayed; whatever else is raised may pass.
_BROKEN = (MigrationFailed, BadMigrationFile, Refused)


def replay_history(empty: Database, look: Look, places: Collection[int], scratch: ScratchOptions | None) -> History:
    """Run all migrations in the scratch database, and look after some of them.

    Where one cannot be replayed, that ends the history.  Raise what it raised where nothing comes before it, or where
    a place behind it is the only one that is asked for.
    """
    found: dict[int, Catalog] = {}
    done = -1
    for number in sorted({*places, len(look.migrations) - 1}):
        broken = _run_to(empty, look, number, done)
        if broken is not None:
            if broken.number == 0:
                raise broken.error
            if look.migrations.items[broken.number].is_transactional:
                found[broken.number - 1] = read_like(empty, look)
            elif broken.number - 1 not in found:  # what it has begun stays there
                with scratch_database(look.database, scratch=scratch) as again:
                    found |= _catalogs(again, look, {broken.number - 1})
            return History(look.migrations, look.have, found, broken)
        found[number] = read_like(empty, look)
        done = number
    history = History(look.migrations, look.have, found)
    if not look.migrations.repeatables:
        return history
    try:
        operations.migrate(empty, look.migrations)
    except _BROKEN as error:
        return replace(history, unrepeated=error)
    whole = read_like(empty, look)
    made = frozenset(o.key for o in whole.objects) - {o.key for o in found[done].objects}
    counts = any(e.state is RepeatableState.APPLIED for e in look.status.repeatables)
    return replace(history, repeated=Repeated(whole, made, counts))


def _run_to(empty: Database, look: Look, number: int, done: int) -> Broken | None:
    """Run the migrations behind ``done`` up to that one, or up to the first that cannot be replayed."""
    broken = None
    migrations = _versioned(look)
    while done < number:
        at = number if broken is None else (done + broken.number) // 2
        try:
            operations.migrate(empty, migrations, to=migrations.items[at].id)
            done = at
        except _BROKEN as error:
            broken = Broken(at, error)
            if isinstance(error, MigrationFailed) and error.migration_id:  # those before it were applied
                order = {m.id: n for n, m in enumerate(look.migrations)}
                return Broken(order[error.migration_id], error)
        if broken is not None and done + 1 == broken.number:
            return broken
    return None


def _catalogs(empty: Database, look: Look, places: Collection[int]) -> dict[int, Catalog]:
    found = {}
    for number in sorted(places):
        operations.migrate(empty, _versioned(look), to=look.migrations.items[number].id)
        found[number] = read_like(empty, look)
    return found


def _versioned(look: Look) -> Migrations:
    """The migrations without what is repeatable."""
    return replace(look.migrations, repeatables=())


def replayed_texts(look: Look, scratch: ScratchOptions | None) -> tuple[Text, ...]:
    """What the ledger of a scratch database says of the repeatable files, once all is applied there."""
    with scratch_database(look.database, scratch=scratch) as empty:
        operations.migrate(empty, look.migrations)
        return operations.repeatable_texts(empty)


def look_around(look: Look, history: History, scratch: ScratchOptions | None) -> History:
    """Look around the nearest place until its neighbours are known, or the ends of what is equal."""
    while True:
        near = _unseen_beside_nearest(history.places, history.end)
        if not near:
            return history
        with scratch_database(look.database, scratch=scratch) as empty:
            history = replace(history, catalogs={**history.catalogs, **_catalogs(empty, look, near)})


def _unseen_beside_nearest(places: Sequence[Place], total: int) -> tuple[int, ...]:
    """Some of the numbers next to the nearest places, but for those between two of one state."""
    best = min(p.compared.distance for p in places)
    is_near = {p.number: p.is_equal if best[0] == 0 else p.compared.distance == best for p in places}
    gaps = []
    for before, after in itertools.pairwise((None, *places, None)):
        start = before.number + 1 if before else 0
        stop = after.number if after else total
        beside = [p for p in (before, after) if p is not None and is_near[p.number]]
        is_same = len(beside) == 2 and (best[0] == 0 or beside[0].want == beside[1].want)
        if beside and not is_same and start < stop:
            gaps.append((start, stop))
    return tuple(n for start, stop in gaps for n in _spread(start, stop, max(_MOST_LOOKS // len(gaps), 1)))


def _spread(start: int, stop: int, most: int) -> tuple[int, ...]:
    """At most so many numbers of that range, both ends among them; the middle where it is one."""
    size = stop - start
    if size <= most:
        return tuple(range(start, stop))
    if most == 1:
        return (start + size // 2,)
    return tuple(start + (size - 1) * n // (most - 1) for n in range(most))


def scratch_notes(look: Look, history: History) -> tuple[str, ...]:
    """Say that the replay ran on another major version than the database, and where it ended, if so."""
    notes = history.last.notes_of_version(look.have.server_version)
    if history.broken is not None:
        error, m = history.broken.error, look.migrations.items[history.broken.number]
        place = getattr(error, "location", None) or m.path
        said = error.message.partition("\n")[0]
        notes += (f"{place}: {m.id} cannot be replayed, so nothing was compared from there on: {said}",)
    if history.unrepeated is not None:
        said = history.unrepeated.message.partition("\n")[0]
        notes += (f"the repeatable files cannot be replayed, so what they make counts as not ours: {said}",)
    return notes


def compare_recorded(look: Look, scratch: ScratchOptions | None) -> Compared:
    """How far the target is from what our own ledger says it is."""
    claimed: Catalog | None = None
    if look.has_gaps:
        with scratch_database(look.database, scratch=scratch) as empty:
            claimed = _replay_recorded(empty, look)
    last = look.last_recorded
    assert last is not None
    number = look.migrations.items.index(last)
    with scratch_database(look.database, scratch=scratch) as empty:
        history = replay_history(empty, look, (number,), scratch)
        if history.broken is not None and history.end <= number:
            raise history.broken.error
    if claimed is not None:
        return history.compare_versioned(claimed)
    return next(p.compared for p in history.places if p.number == number)


def _replay_recorded(empty: Database, look: Look) -> Catalog | None:
    """What the recorded migrations alone make, where others before the last are not recorded.

    None where they do not run without the others: then they were not run here either.
    """
    last = look.last_recorded
    assert last is not None
    before = look.migrations.items[: look.migrations.items.index(last)]
    operations.baseline(empty, look.migrations, [m.id for m in before if m.id not in look.recorded])
    try:
        operations.migrate(empty, _versioned(look), to=last.id, allow=(Allow.LATE,))
    except MigrationFailed:
        return None
    return read_like(empty, look)


def read_like(empty: Database, look: Look) -> Catalog:
    """A scratch database's catalog, without the tables in which the target keeps another tool's records."""
    with empty.connect() as connection:
        schemas = (empty.schema,) if empty.schema else None
        found = read_catalog(connection, schemas=schemas, ignore=look.ignore, apart=empty.ledger_apart)
        return as_in_target(empty, found)
