"""What a rehearsal says of each statement: locks on relations, what is rewritten, scanned and built.

Hides what a lock's mode blocks (https://www.postgresql.org/docs/current/explicit-locking.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wflo_schema.words import listed

# From the weakest to the strongest, as pg_locks names them.
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)

_SAID = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}

# When a lock is given back: with the transaction, with a statement that is a transaction of its own, or earlier,
# because the subtransaction that took it was rolled back.
HeldUntil = Literal["commit", "statement", "rollback"]


def strongest(modes: frozenset[str] | set[str]) -> str:
    """The strongest of several modes."""
    return max(modes, key=MODES.index)


def said_mode(mode: str) -> str:
    """A mode in SQL's words, as LOCK TABLE takes it."""
    return _SAID.get(mode, mode)


def blocked_by(mode: str) -> tuple[str, ...]:
    """Who waits while it is held: reads, writes, ddl."""
    rank = MODES.index(mode)
    blocked = []
    if rank >= MODES.index("AccessExclusiveLock"):
        blocked.append("reads")
    if rank >= MODES.index("ShareLock"):
        blocked.append("writes")
    if rank >= MODES.index("ShareUpdateExclusiveLock"):
        blocked.append("ddl")
    elif rank >= MODES.index("AccessShareLock"):
        blocked.append("ddl that needs ACCESS EXCLUSIVE")
    return tuple(blocked)


@dataclass(frozen=True, slots=True)
class Lock:
    """The strongest lock that a statement takes on a relation that was there before its transaction.

    ``relation`` is qualified with its schema, under the name that it had before; ``kind`` is table, index, view,
    materialized view, sequence, foreign table or partitioned table (index).  ``mode`` is as in pg_locks.
    ``is_new``: an earlier migration of the same rehearsal has made the relation.  ``since_line``: it takes what its
    transaction has already, since the statement that begins there; None where it is the first.
    """

    relation: str
    kind: str
    mode: str
    held_until: HeldUntil = "commit"
    is_new: bool = False
    since_line: int | None = None

    @property
    def blocks(self) -> tuple[str, ...]:
        """Who waits while it is held."""
        return blocked_by(self.mode)

    @property
    def stops_writes(self) -> bool:
        """Do INSERT, UPDATE and DELETE wait behind it?"""
        return "writes" in self.blocks

    @property
    def stops_reads(self) -> bool:
        """Does SELECT wait behind it?"""
        return "reads" in self.blocks


@dataclass(frozen=True, slots=True)
class Traced:
    """One statement of a file, and what PostgreSQL said of it.

    ``file`` is the path, ``line`` and ``column`` where it begins, ``number`` counts from 1 in the file.  ``id`` is the
    migration's; ``hook`` names the hook that it stands in.  ``rewrites``, ``scans`` and ``builds`` are relations that
    were there before the transaction, qualified: tables (and materialized views) copied as a whole, tables read as a
    whole for another reason, and indexes built on such tables; ``builds_on`` are the tables of these, in their order.
    ``proven`` says what PostgreSQL did not have to read, in its own words.  ``undecided`` says why what it does in
    production cannot be told, ``error`` what it failed with.  ``is_alone``: it is a transaction of its own.
    ``changes`` are tables whose rows it inserts, updates or deletes.  ``error_line`` and ``error_column`` say where.
    """

    id: str
    file: str
    line: int
    column: int
    number: int
    text: str
    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    proven: tuple[str, ...] = ()
    undecided: str = ""
    error: str = ""
    hook: str = ""
    is_alone: bool = False
    is_transactional: bool = True
    made: tuple[str, ...] = ()
    """Relations that it made, qualified."""
    fires: tuple[str, ...] = ()
    """What runs for each row that it changes, and so did not run without rows: actions of keys, row triggers."""
    error_line: int = 0
    error_column: int = 0
    sqlstate: str = ""
    is_left_out: bool = False
    """It was not run: what it changes is outside of the database."""
    detail: str = ""
    hint: str = ""
    """What PostgreSQL said further of the error."""
    source_line: str = ""
    """The line of the file that it begins in, or that the error is in."""

    @property
    def strongest(self) -> str:
        """The mode of its strongest lock, empty where it takes none."""
        return strongest({lock.mode for lock in self.locks}) if self.locks else ""

    @property
    def works_on(self) -> tuple[str, ...]:
        """The tables through which it has to go as a whole: its time grows with their rows."""
        return tuple(dict.fromkeys((*self.rewrites, *self.scans, *self.builds_on)))


@dataclass(frozen=True, slots=True)
class Trace:
    """A rehearsal: the statements of some migrations, in the order in which they would run.

    ``start`` says from what they were rehearsed, ``notes`` what could not be made there, ``migrations`` the ids.
    """

    label: str
    server_version: str
    start: str
    statements: tuple[Traced, ...]
    migrations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    not_rehearsed: tuple[str, ...] = ()
    """What came after a statement that was refused: ids, the first of them half-way."""

    @property
    def untouched(self) -> tuple[str, ...]:
        """The migrations of which no statement was rehearsed, because one before them was refused."""
        begun = {s.id for s in self.statements}
        return tuple(i for i in self.not_rehearsed if i not in begun)

    @property
    def untouched_note(self) -> tuple[str, ...]:
        """The same in a line; none where all were rehearsed."""
        if not self.untouched:
            return ()
        why = f", as PostgreSQL refuses {self.failed[-1].id}" if self.failed else ""
        return (f"not rehearsed{why}: {listed(self.untouched, 10)}",)

    @property
    def failed(self) -> tuple[Traced, ...]:
        """The statements that PostgreSQL refused."""
        return tuple(s for s in self.statements if s.error)
