"""From what PostgreSQL shows behind each statement to what that statement did.

Hides file nodes, scan counters and lock rows: a scan that is not explained by an index build is a rewrite where the
table has a new file, and else a scan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wflo_schema.connect.pipeline import Row
from wflo_schema.names import qualified
from wflo_schema.trace.values import HeldUntil, Lock, strongest

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


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation as the catalog has it, and how often this transaction has scanned it."""

    oid: str
    schema: str
    name: str
    kind: str
    filenode: str | None
    tablespace: str
    table_of_index: str | None
    is_populated: bool
    scans: int = 0

    @property
    def qualified(self) -> str:
        """Its name with its schema."""
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Done:
    """What one statement did: the fields of `Traced` that PostgreSQL tells."""

    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


@dataclass(slots=True)
class Relations:
    """All relations of the scratch database, followed from statement to statement."""

    known: dict[str, Relation] = field(default_factory=dict)
    _initial: frozenset[str] = frozenset()
    _existing: frozenset[str] = frozenset()
    """Oids of those that were there before the current transaction."""
    _held: dict[str, set[str]] = field(default_factory=dict)
    _before: dict[str, Relation] = field(default_factory=dict)
    """As they were before the current transaction."""

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Relations:
        """Those of relations.sql."""
        known = {relation.oid: relation for relation, _ in map(_read, rows) if relation is not None}
        return cls(known, frozenset(known))

    def begin(self) -> None:
        """A transaction begins."""
        self._existing = frozenset(self.known)
        self._held = defaultdict(set)
        self._before = dict[str, Relation]()

    def roll_back(self) -> None:
        """It was taken back."""
        self.known.update(self._before)
        for oid in self.known.keys() - self._existing:
            del self.known[oid]

    def read(self, rows: Iterable[Row], held_until: HeldUntil = "commit") -> Done:
        """What the statement did behind which locked.sql gave these rows."""
        now: dict[str, Relation] = {}
        modes: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            relation, mode = _read(row)
            if relation is not None:
                now[relation.oid] = relation
            modes[str(row[0])].add(mode)
        locks = self._locks(modes, held_until)
        work = _Work(self.known, now, self._existing)
        done = Done(
            locks,
            self._names(work.rewrites),
            self._names(work.scans),
            tuple(now[oid].qualified for oid in work.builds),
            self._names(work.builds_on),
            tuple(r.qualified for r in now.values() if r.oid not in self.known and r.kind not in "tc"),
        )
        for oid in modes:
            if oid in self.known:
                self._before.setdefault(oid, self.known[oid])
            if oid not in now:
                self.known.pop(oid, None)
            self._held[oid] |= modes[oid]
        self.known.update(now)
        return done

    def _names(self, oids: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(self.known[oid].qualified for oid in oids))

    def _locks(self, modes: Mapping[str, set[str]], held_until: HeldUntil) -> tuple[Lock, ...]:
        found = []
        for oid, held in modes.items():
            relation, taken = self.known.get(oid), held - self._held[oid]
            if relation is None or oid not in self._existing or not taken or relation.kind == "c":
                continue
            kind = _KINDS.get(relation.kind, relation.kind)
            is_new = oid not in self._initial
            found.append(Lock(relation.qualified, kind, strongest(taken), held_until, is_new))
        return tuple(sorted(found, key=lambda lock: lock.relation))


class _Work:
    """Which tables were gone through, and why, given all relations before and those that are locked now."""

    def __init__(self, before: Mapping[str, Relation], now: Mapping[str, Relation], existing: frozenset[str]) -> None:
        scans: dict[str, int] = defaultdict(int)
        moved: dict[str, list[Relation]] = defaultdict(list)
        """Indexes with a file that they had not, by table."""
        files = {r.filenode for r in before.values() if r.kind == "i"}
        for oid, relation in now.items():
            table = relation.table_of_index if relation.kind in "iI" else oid
            former = before.get(oid)
            fresh = relation.scans - (former.scans if former is not None else 0)
            if table is not None and (relation.kind != "i" or oid in existing):
                scans[table] += fresh
            if relation.kind == "i" and table is not None and relation.filenode not in files:
                moved[table].append(relation)
        self.rewrites: list[str] = []
        self.scans: list[str] = []
        self.builds: list[str] = []
        self.builds_on: list[str] = []
        for oid, relation in now.items():
            former = before.get(oid)
            if oid not in existing or former is None:
                continue
            if relation.kind == "i" and relation.tablespace != former.tablespace:
                self.rewrites.append(oid)
            if relation.kind not in _HAS_ROWS:
                continue
            indexes = [i for i in moved[oid] if i.oid not in before or i.tablespace == before[i.oid].tablespace]
            self._table(relation, former, scans[oid], indexes)

    def _table(self, relation: Relation, former: Relation, scans: int, indexes: list[Relation]) -> None:
        oid, is_moved = relation.oid, relation.filenode != former.filenode
        if is_moved and relation.kind == "m":
            if relation.is_populated:
                self.rewrites.append(oid)
        elif is_moved and (scans > len(indexes) or relation.tablespace != former.tablespace):
            self.rewrites.append(oid)
        elif is_moved:
            return  # TRUNCATE: a new file, and nothing in it
        elif scans > len(indexes):
            self.scans.append(oid)
        if indexes and scans:
            self.builds += [i.oid for i in indexes]
            self.builds_on.append(oid)


def _read(row: Row) -> tuple[Relation | None, str]:
    oid, schema, name, kind, filenode, tablespace, table_of_index, is_populated, mode, scans = row
    if schema is None or name is None or schema.startswith(("pg_toast", "pg_temp_")):
        return None, mode or ""
    return (
        Relation(
            str(oid), schema, name, kind or "", filenode, tablespace or "", table_of_index, is_populated == "t",
            int(scans or 0),
        ),
        mode or "",
    )  # fmt: skip
