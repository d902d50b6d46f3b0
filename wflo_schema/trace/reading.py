"""From what PostgreSQL shows behind each statement to what that statement did.

Hides file nodes, scan counters, lock rows and messages: a scan that is not explained by an index build is a rewrite
where the table has a new file, and else a scan.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wflo_schema.connect.pipeline import Row
from wflo_schema.files.mentions import Kind
from wflo_schema.names import qualified
from wflo_schema.trace.plans import Plan
from wflo_schema.trace.values import MODES, HeldUntil, Lock, strongest
from wflo_schema.words import listed

_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "i": "index",
    "I": "partitioned index",
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "f": "foreign table",
    "c": "composite type",
}
_HAS_ROWS = frozenset("rm")
_INDEXES = frozenset("iI")

_REWRITING = re.compile(r'rewriting table "(?P<table>.*)"\Z')
_BUILDING = re.compile(r'building index "(?P<index>.*?)" on table "(?P<table>.*)" (?:serially|with request for .*)\Z')
_VERIFYING = re.compile(r'verifying table "(?P<table>.*)"\Z')
_VALIDATING = re.compile(r'validating foreign key constraint "(?P<key>.*)"\Z')
_ABORTED = "AbortSubTransaction"
_PROVEN = re.compile(r"existing constraints on column|is implied by existing constraints")

# What a statement takes where it takes again what its transaction has.
_TAKES: Mapping[Kind, str] = {"index": "ShareLock", "insert": "RowExclusiveLock", "copy from": "RowExclusiveLock"}
# What no ALTER, DROP or REFRESH takes alone on what it names.
_NOT_FOR_CHANGES = frozenset({"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareLock"})
_STRONG = MODES.index("ShareUpdateExclusiveLock")


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation as the catalog has it."""

    oid: str
    schema: str
    name: str
    kind: str
    filenode: str | None
    tablespace: str
    table_of_index: str | None
    is_populated: bool

    @property
    def qualified(self) -> str:
        """Its name with its schema."""
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen behind one statement.

    ``locked`` are rows of locked.sql, ``all`` of relations.sql, ``counted`` of counted.sql; the last two where they
    were asked for.  ``names`` says which relations the statement names, ``said`` are the messages that came with it.
    """

    kind: Kind
    locked: Sequence[Row]
    all: Sequence[Row] | None = None
    counted: Sequence[Row] | None = None
    plan: Plan | None = None
    names: Callable[[], Collection[tuple[str, str]]] = tuple
    said: Sequence[str] = ()
    held_until: HeldUntil = "commit"
    is_concurrent: bool = False
    is_counted: bool = True
    """How often relations were scanned is known."""
    is_change: bool = False
    """It alters, drops or makes anew what it names."""


@dataclass(slots=True)
class Done:
    """What one statement did: the fields of `Traced` that PostgreSQL tells.

    ``taken`` are the modes that it took first, by relation; ``changed`` oids with what is done to their rows.
    ``read_by_code`` are tables that code has read.
    """

    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    proven: tuple[str, ...] = ()
    taken: dict[str, set[str]] = field(default_factory=dict)
    changed: set[tuple[str, str]] = field(default_factory=set)
    read_by_code: tuple[str, ...] = ()
    validated: frozenset[str] = frozenset()
    """Names of keys."""
    caught_error: bool = False
    """Code of it has caught an error."""
    has_rows: bool = False
    """The rows that it puts in stand in it, so that triggers have run for them."""
    fires: Sequence[Row] = ()
    """Rows of fires.sql."""
    keys: Sequence[Row] = ()
    """Rows of keys.sql."""
    updated: frozenset[str] | None = None
    """The columns that it gives other values, where it says so."""

    def give_back(self, gone: Mapping[str, set[str]], names: Relations) -> bool:
        """These modes are held no longer: were any of them taken here?"""
        lost = {names.name_of(oid) for oid, modes in self.taken.items() if modes & gone.get(oid, set())}
        if lost:
            self.locks = tuple(
                Lock(k.relation, k.kind, k.mode, "rollback", k.is_new) if k.relation in lost else k for k in self.locks
            )
        return bool(lost)


class Relations:
    """All relations of the scratch database, followed from statement to statement."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.known: dict[str, Relation] = {}
        self._bearing: defaultdict[str, set[str]] = defaultdict(set)
        """The oids of all that ever had a name, by that without its schema."""
        self._files: set[str | None] = set()
        """Of indexes, all that ever were."""
        self._made_before: set[str] = set()
        """Oids of what earlier transactions of the rehearsal have made."""
        self.begin()
        self._learn(r for r, _, _ in map(_read, rows) if r is not None)

    def begin(self, counted: Iterable[Row] = ()) -> None:
        """A transaction begins; ``counted``: scans that are counted before its first statement."""
        self._made_here: set[str] = set()
        self._held: dict[str, set[str]] = defaultdict(set)
        self._before: dict[str, Relation] = {}
        """As they were before the current transaction."""
        self._scans = {str(oid): int(scans or 0) for oid, scans in counted}

    def commit(self) -> None:
        """It is committed."""
        self._made_before |= self._made_here & self.known.keys()

    def roll_back(self) -> None:
        """It was taken back."""
        self.known.update(self._before)
        for oid in self._made_here:
            self.known.pop(oid, None)

    def replace(self, rows: Iterable[Row]) -> None:
        """Others have changed what is there."""
        known, self.known = self.known, {}
        self._learn(r for r, _, _ in map(_read, rows) if r is not None)
        self._made_before |= self.known.keys() - known.keys()
        self.begin()

    def _learn(self, found: Iterable[Relation]) -> None:
        for one in found:
            if self.known.get(one.oid) != one:
                if one.oid in self.known:
                    self._before.setdefault(one.oid, self.known[one.oid])
                self.known[one.oid] = one
                self._bearing[one.name].add(one.oid)
            if one.kind == "i":
                self._files.add(one.filenode)

    def forget(self, oids: Iterable[str]) -> None:
        """These are gone."""
        for oid in oids:
            self.known.pop(oid, None)

    def tables_of(self, names: Collection[tuple[str, str]]) -> set[str]:
        """The oids of the tables that bear these names, or whose indexes do."""
        found = self.find(names, set().union(*(self._bearing[name] for _, name in names)))
        return {self.known[oid].table_of_index or oid for oid in found}

    def name_of(self, oid: str) -> str:
        """Its name, as it was before the transaction."""
        found = self._before.get(oid) or self.known.get(oid)
        return found.qualified if found is not None else ""

    def find(self, names: Collection[tuple[str, str]], among: Iterable[str]) -> set[str]:
        """The oids of those that bear one of these names now; a name without schema fits in each."""
        found = set()
        for oid in among:
            one = self.known.get(oid)
            if one is not None and ((one.schema, one.name) in names or ("", one.name) in names):
                found.add(oid)
        return found

    def read(self, look: Look) -> tuple[Done, dict[str, set[str]]]:
        """What a statement did, and the modes that were held before it and are no longer."""
        now: dict[str, Relation] = {}
        modes: dict[str, set[str]] = defaultdict(set)
        fresh: dict[str, int] = {}
        for row in look.locked:
            relation, mode, scans = _read(row)
            if relation is not None and relation.oid not in now:
                now[relation.oid] = relation
                fresh[relation.oid] = self._count(relation.oid, scans)
            if mode in MODES:
                modes[str(row[0])].add(mode)
        for oid, counted in look.counted or ():
            fresh.setdefault(str(oid), self._count(str(oid), int(counted or 0)))
        # pg_locks is in no order: in that in which they were made
        now = dict(sorted(now.items(), key=lambda one: int(one[0])))
        work = _Work(self, now, fresh, look)
        done = work.done(modes)
        gone = {oid: lost for oid, held in self._held.items() if (lost := held - modes.get(oid, set()))}
        done.taken = {oid: new for oid, held in modes.items() if (new := held - self._held[oid])}
        self._follow(look, now, modes)
        return done, gone

    def _count(self, oid: str, scans: int) -> int:
        more, self._scans[oid] = scans - self._scans.get(oid, 0), scans
        return max(more, 0)

    def _follow(self, look: Look, now: Mapping[str, Relation], modes: Mapping[str, set[str]]) -> None:
        for oid in modes:
            if oid not in now and oid in self.known:
                self._before.setdefault(oid, self.known[oid])
                del self.known[oid]
        everything = dict(now)
        if look.all is not None:
            everything = {r.oid: r for r, _, _ in map(_read, look.all) if r is not None}
            for oid in self.known.keys() - everything.keys():
                self._before.setdefault(oid, self.known[oid])
                del self.known[oid]
        self._made_here |= {oid for oid in everything if oid not in self.known and oid not in self._before}
        self._learn(everything.values())
        self._held = defaultdict(set, {oid: set(held) for oid, held in modes.items()})

    def is_there_before(self, oid: str) -> bool:
        """Was it there before the transaction?"""
        return oid in self.known and oid not in self._made_here

    def has_rows(self, oid: str) -> bool:
        """Is it one that holds rows itself, and not in its partitions only?"""
        return oid in self.known and self.known[oid].kind in _HAS_ROWS

    def has_file(self, filenode: str | None) -> bool:
        """Had an index this file?"""
        return filenode in self._files

    def held(self, oid: str) -> set[str]:
        """The modes in which the transaction held it before the statement."""
        return self._held.get(oid, set())

    def lock(self, oid: str, mode: str, held_until: HeldUntil) -> Lock:
        """A lock on one that was there."""
        kind = self.known[oid].kind
        return Lock(self.name_of(oid), _KINDS.get(kind, kind), mode, held_until, oid in self._made_before)


class _Work:
    """Which tables were gone through, and why, given all relations before and those that are locked now."""

    def __init__(self, relations: Relations, now: Mapping[str, Relation], fresh: Mapping[str, int], look: Look) -> None:
        self._relations = relations
        self._now = now
        self._look = look
        self._fresh: dict[str, int] = defaultdict(int)
        """Scans of each table that was there, its indexes' with it."""
        self._whole = fresh
        """Scans of each relation by itself."""
        self._moved: dict[str, list[Relation]] = defaultdict(list)
        """Indexes with a file that no index had, by table."""
        self._given_back: list[tuple[str, str]] = []
        """Tables with the mode in which a part that was rolled back has held them."""
        for oid, scans in fresh.items():
            relation = now.get(oid) or relations.known.get(oid)
            if relation is None:
                continue
            table = relation.table_of_index if relation.kind in _INDEXES else oid
            if table is not None and (relation.kind not in _INDEXES or relations.is_there_before(oid)):
                self._fresh[table] += scans
        for relation in now.values():
            table = relation.table_of_index
            if relation.kind == "i" and table is not None and not relations.has_file(relation.filenode):
                self._moved[table].append(relation)
        self._rewrites: set[str] = set()
        self._scans: set[str] = set()
        self._builds: list[str] = []
        self._builds_on: list[str] = []
        self._read: set[str] = set()

    def done(self, modes: Mapping[str, set[str]]) -> Done:
        """All that the statement did."""
        look, relations, now = self._look, self._relations, self._now
        if look.kind not in ("truncate", "savepoint"):
            self._find_work(modes)
        changed = self._changed(modes)
        locks = self._locks(modes)
        made = tuple(r.qualified for o, r in now.items() if o not in relations.known and r.kind not in "tc")
        names = [relations.name_of(o) for o in sorted(self._read)]
        return Done(
            locks,
            self._names(self._rewrites),
            self._names(self._scans),
            tuple(self._builds),
            self._names(self._builds_on),
            made,
            self._names(oid for _, oid in changed),
            tuple(s for s in look.said if _PROVEN.search(s)),
            changed=changed,
            read_by_code=tuple(n for n in names if n),
            caught_error=look.kind in ("code", "query") and any(s.startswith(_ABORTED) for s in look.said),
            has_rows=look.kind in ("insert", "copy from"),
            validated=frozenset(found["key"] for s in look.said if (found := _VALIDATING.match(s))),
        )

    def _find_work(self, modes: Mapping[str, set[str]]) -> None:
        relations = self._relations
        for oid, relation in self._now.items():
            if not relations.is_there_before(oid):
                continue
            former = relations.known[oid]
            if relation.kind == "i" and self._is_copied(relation):
                self._rewrites.add(oid)
            if relation.kind in _HAS_ROWS:
                self._table(relation, former, modes.get(oid, set()))
        for oid, scans in self._fresh.items():
            is_old = relations.is_there_before(oid) and relations.known[oid].kind in _HAS_ROWS
            if scans and is_old and oid not in self._now:
                self._scanned(oid, set())
        if self._look.plan is not None:
            self._scans |= {
                o
                for o in relations.find(self._look.plan.whole, modes)
                if relations.is_there_before(o) and relations.known[o].kind != "S"  # a sequence is one row
            }

    def _table(self, relation: Relation, former: Relation, modes: set[str]) -> None:
        oid, is_moved, scans = relation.oid, relation.filenode != former.filenode, self._fresh[relation.oid]
        before = self._relations.known
        indexes = [i for i in self._moved[oid] if i.oid not in before or not self._is_copied(i)]
        is_counted = self._look.is_counted
        if is_moved and relation.kind == "m":
            if not relation.is_populated:
                return
            self._rewrites.add(oid)
        elif is_moved and (not is_counted or scans > len(indexes) or relation.tablespace != former.tablespace):
            self._rewrites.add(oid)
        elif is_moved:
            return  # TRUNCATE: a new file, and nothing in it
        elif scans > len(indexes) and not (self._look.is_concurrent and indexes):
            self._scanned(oid, modes)
        if indexes and (scans or not is_counted):
            self._builds += [i.qualified for i in indexes]
            self._builds_on.append(oid)

    def _is_copied(self, index: Relation) -> bool:
        """Is it in another tablespace, and was not built there from its table?"""
        is_moved = index.tablespace != self._relations.known[index.oid].tablespace
        return is_moved and not self._fresh[index.table_of_index or ""]

    def _scanned(self, oid: str, modes: set[str]) -> None:
        """A scan of a table was begun: by DDL, by a query, or by code."""
        kind = self._look.kind
        if kind in ("insert", "copy from"):
            if self._is_read_by_code(oid, modes):
                self._read.add(oid)
            return
        if kind == "query":
            plan, relation = self._look.plan, self._relations.known[oid]
            if plan is None:
                self._scans.add(oid)
            elif (relation.schema, relation.name) not in plan.read and (
                not plan.changed or self._is_read_by_code(oid, modes)
            ):
                self._read.add(oid)
        elif kind != "code" or _is_strong(modes - self._relations.held(oid)):
            self._scans.add(oid)
        elif not self._is_explained(oid, modes):
            self._read.add(oid)

    def _is_read_by_code(self, oid: str, modes: set[str]) -> bool:
        """Does a rule or a trigger go through a table, where a statement changes rows of another one?

        Keys lock the rows that they look up, and what is looked up by an index may be one row.
        """
        taken = modes - self._relations.held(oid)
        is_named = oid in self._relations.find(self._look.names(), (oid,))
        return bool(self._whole.get(oid) and not is_named and taken & {"AccessShareLock", "RowExclusiveLock"})

    def _is_explained(self, oid: str, modes: set[str]) -> bool:
        """Do messages say why it was read, although no lock does: in a part that was rolled back?"""
        name, is_known = self._relations.known[oid].name, False
        for said in self._look.said:
            if (found := _REWRITING.match(said)) and found["table"] == name:
                self._rewrites.add(oid)
                mode = "AccessExclusiveLock"
            elif (found := _VERIFYING.match(said)) and found["table"] == name:
                self._scans.add(oid)
                mode = "AccessExclusiveLock"
            elif (found := _BUILDING.match(said)) and found["table"] == name:
                self._builds.append(qualified(self._relations.known[oid].schema, found["index"]))
                self._builds_on.append(oid)
                mode = "ShareLock"
            else:
                continue
            is_known = True
            if mode not in modes:
                self._given_back.append((oid, mode))
        return is_known

    def _changed(self, modes: Mapping[str, set[str]]) -> set[tuple[str, str]]:
        """What is done to the rows of which tables."""
        look, relations = self._look, self._relations
        found: set[tuple[str, str]] = set()
        if look.plan is not None:
            for operation, place in look.plan.changed:
                found |= {(operation, oid) for oid in relations.find({place}, modes)}
        if look.kind in ("insert", "copy from"):
            named = relations.find(look.names(), modes)
            taken = {oid for oid, held in modes.items() if "RowExclusiveLock" in held - relations.held(oid)}
            found |= {("INSERT", oid) for oid in taken | named if "RowExclusiveLock" in modes[oid]}
        elif look.kind in ("code", "query"):
            changed = {oid for _, oid in found}
            for oid, held in modes.items():
                is_new = "RowExclusiveLock" in held - relations.held(oid)
                if is_new and oid not in changed and (look.kind == "code" or not look.plan or not look.plan.changed):
                    found.add(("", oid))
        there = relations.is_there_before
        return {(what, oid) for what, oid in found if there(oid) and relations.known[oid].kind in "rpf"}

    def _locks(self, modes: Mapping[str, set[str]]) -> tuple[Lock, ...]:
        relations, look, found = self._relations, self._look, {}
        named = {*self._scans, *self._rewrites, *self._builds_on}
        if look.kind != "code":
            has_held = any(map(relations.held, modes))  # else it has taken all that it names
            named = relations.find(look.names(), modes) if has_held else set()
        tables = {t for o in named if (t := relations.known[o].table_of_index) is not None}
        for oid, held in modes.items():
            if not relations.is_there_before(oid) or relations.known[oid].kind == "c":
                continue
            before = relations.held(oid)
            if taken := held - before:
                mode = strongest(taken)
                if look.is_change and oid in named and mode in _NOT_FOR_CHANGES:
                    mode = strongest(held)  # which it has taken again
            elif oid in named or oid in tables:
                natural = _TAKES.get(look.kind, "")
                if look.plan is not None:
                    one = relations.known[oid]
                    is_changed = any(place == (one.schema, one.name) for _, place in look.plan.changed)
                    natural = "RowExclusiveLock" if is_changed else "AccessShareLock"
                mode = natural if natural in held else strongest(held)
            else:
                continue
            found[oid] = relations.lock(oid, mode, look.held_until)
        for oid, mode in self._given_back:
            if oid not in found or MODES.index(mode) > MODES.index(found[oid].mode):
                found[oid] = relations.lock(oid, mode, "rollback")
        return tuple(sorted(found.values(), key=lambda lock: lock.relation))

    def _names(self, oids: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sorted(filter(None, map(self._relations.name_of, oids)))))


def _is_strong(modes: Collection[str]) -> bool:
    return any(MODES.index(mode) >= _STRONG for mode in modes)


def said_undecided(tables: Sequence[str], *, is_code: bool = True) -> str:
    """Why a statement cannot be judged whose code reads these, or that of a trigger, a rule, a function."""
    code = "its code" if is_code else "code that it sets off"
    return f"{code} reads {listed(tables)}: what it does may depend on the rows there"


def _read(row: Row) -> tuple[Relation | None, str, int]:
    oid, schema, name, kind, filenode, tablespace, table_of_index, is_populated, mode, scans = row
    if schema is None or name is None or schema.startswith(("pg_toast", "pg_temp_")):
        return None, mode or "", 0
    return (
        Relation(
            str(oid), schema, name, kind or "", filenode, tablespace or "", table_of_index, is_populated == "true"
        ),
        mode or "",
        int(scans or 0),
    )  # fmt: skip
