"""What a statement locks that cannot run in a transaction, and so holds nothing any more when it is over.

Hides two sessions that are in its way: one holds each table so that everything waits that is stronger than what readers
and writers take, one so that what stops readers waits.  What the statement waits for is seen, and the way is cleared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.pipeline import Command, Pipeline, Row, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.trace.reading import Done, Look, Relations
from wflo_schema.trace.values import strongest

# Seconds between two looks at what the statement waits for: once it has begun or was let through, and later.
_SOON_S, _LATER_S = 0.000_5, 0.004

# How often a session gets into the way again.
_MOST_TIMES = 2

# So many tables are held at most: each lock takes a place in the server's memory.
_MOST_TABLES = 1_000

_DETACHES = re.compile(rb"\bDETACH\s+PARTITION\b", re.IGNORECASE)
_REFERENCING = Command(
    "SELECT conrelid::text FROM pg_catalog.pg_constraint "
    "WHERE contype OPERATOR(pg_catalog.=) 'f' AND confrelid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])",
    keeps_rows=True,
)
_ALL = Command(load_sql("trace", "outside"), (None,), keeps_rows=True, is_kept=True)
# Without what is for all: as long as that is in it, PostgreSQL plans it anew each time.
_SOME = _ALL._replace(text=str(_ALL.text).replace("$1 IS NULL", "FALSE"))


@dataclass(slots=True)
class Seen:
    """What a statement was seen to lock; what is there behind it, with how often it was ever scanned; how it failed."""

    modes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    before: Sequence[Row] = ()
    after: Sequence[Row] = ()
    error: ServerError | None = None
    run: int = 0
    is_of_all: bool = False
    """The statement names no relation."""
    is_vacuum: bool = False
    is_code: bool = False
    referencing: frozenset[str] = frozenset()
    """Tables whose keys are looked through, as what they point to loses a part."""
    is_counted: bool = True
    """The server tells at once how often relations were scanned."""


class Outside:
    """Two sessions beside the one that rehearses."""

    def __init__(self, database: Database, pid: int) -> None:
        self._pid = pid
        self._others: list[psycopg.Connection[TupleRow]] = []
        self._in_the_way: list[psycopg.Connection[TupleRow]] = []
        self._tables: sql.Composed | None = None
        self._left = 0
        try:
            for _ in range(2):
                self._others.append(database.connect())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close them."""
        for other in self._others:
            other.close()

    def watch(self, pipeline: Pipeline, command: Command, tables: Collection[str], flush: Sequence[Command]) -> Seen:
        """Run a statement, and see what it locks of ``tables`` (oids), or of all.  Raise `DatabaseError`."""
        words = command.sent[:200].upper().split(None, 1)
        seen = Seen(
            is_of_all=not tables, is_vacuum=words[0] == b"VACUUM", is_code=words[0] in (b"CALL", b"DO"),
            is_counted=bool(flush),
        )  # fmt: skip
        if _DETACHES.search(command.sent):
            ask = _REFERENCING._replace(parameters=("{" + ",".join(tables) + "}",))
            seen.referencing = frozenset(str(row[0]) for row in pipeline.exchange([ask]).rows[0])
            tables = {*tables, *seen.referencing}
        look = _SOME._replace(parameters=("{" + ",".join(tables) + "}",)) if tables else _ALL
        seen.before = pipeline.exchange([look]).rows[0]
        try:
            self._hold([row for row in seen.before if row[3] in ("r", "p")][:_MOST_TABLES])
            on_wait, tick_s = pipeline.on_wait, pipeline.tick_s
            pipeline.on_wait, pipeline.tick_s = lambda _: self._look(seen, pipeline), _SOON_S
            try:
                seen.error = pipeline.exchange([command, *flush]).error
            finally:
                pipeline.on_wait, pipeline.tick_s = on_wait, tick_s
        except psycopg.Error as error:
            raise database_error(error, "looking at what a statement locks") from error
        finally:
            for other in self._others:
                if other.info.transaction_status != TransactionStatus.IDLE:
                    other.execute("ROLLBACK")
        if seen.error is None:
            seen.after = pipeline.exchange([look]).rows[0]
        return seen

    def _hold(self, rows: Sequence[Row]) -> None:
        self._tables = sql.SQL(", ").join(sql.Identifier(str(row[1]), str(row[2])) for row in rows) if rows else None
        self._in_the_way = []
        self._left = _MOST_TIMES
        for other, mode in zip(self._others, ("SHARE UPDATE EXCLUSIVE", "ACCESS SHARE"), strict=True):
            self._get_in_the_way(other, mode)

    def _get_in_the_way(self, other: psycopg.Connection[TupleRow], mode: str) -> None:
        begin = sql.Composed([sql.SQL("BEGIN")])
        if self._tables is not None:
            begin += sql.SQL("; LOCK TABLE {} IN {} MODE NOWAIT").format(self._tables, sql.SQL(mode))
        other.execute(begin)
        self._in_the_way.append(other)

    def _look(self, seen: Seen, pipeline: Pipeline) -> None:
        """See what is waited for, and get out of its way."""
        pipeline.tick_s = min(2 * pipeline.tick_s, _LATER_S)
        found = self._others[1].execute(load_sql("trace", "waiting"), {"pid": self._pid}).fetchall()
        for oid, mode, _ in found:
            if oid is not None:
                seen.modes[oid].add(mode)
        waits = [oid for oid, _, is_granted in found if not is_granted]
        if not waits or not self._in_the_way:
            return
        other = self._in_the_way.pop(0)
        free = [one for one in self._others if one is not other and one not in self._in_the_way]
        if waits == [None] and free and self._left:
            # It waits for the end of transactions, and may take a stronger lock after that.
            self._left -= 1
            try:
                self._get_in_the_way(free[0], "ACCESS SHARE")
            except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                free[0].execute("ROLLBACK")
        other.execute("ROLLBACK")
        pipeline.tick_s = _SOON_S

    def read(self, relations: Relations, seen: Seen, said: Sequence[str]) -> Done:
        """What the statement did."""
        scanned = {row[0]: int(row[9] or 0) for row in seen.before}
        modes = seen.modes
        kinds = {row[0]: row[3] for row in seen.after}
        files = {row[0]: row[4] for row in seen.before}
        is_of_several = seen.is_of_all or any(kinds.get(oid) == "p" for oid in modes)
        if is_of_several and modes:  # the first table was waited for; the others go the same way
            tables = [held for oid, held in modes.items() if kinds.get(oid) in ("r", "p", "m")]
            mode = strongest(set().union(*tables)) if tables else ""
            for row in seen.after if mode else ():
                oid = str(row[0])
                is_scanned = int(row[9] or 0) > scanned.get(oid, 0)
                is_done = seen.is_vacuum or row[4] != files.get(oid) or (is_scanned and not seen.is_code)
                if row[3] in ("r", "m") and is_done:
                    modes[oid].add("ShareLock" if oid in seen.referencing else mode)
        for row in seen.after:
            if row[3] == "i" and files.get(row[0], row[4]) != row[4]:  # built in the place of what it was
                modes[str(row[0])].add("AccessExclusiveLock")
        after = [(*row[:9], str(int(row[9] or 0) - scanned.get(row[0], 0))) for row in seen.after]
        locked = [(*row[:8], mode, row[9]) for row in after for mode in modes.get(str(row[0]), ())]
        rest = [(*row[:8], "", row[9]) for row in after if str(row[0]) not in modes]
        still = {row[0] for row in after}
        gone = [(oid, *(None,) * 7, mode, "0") for oid, held in modes.items() for mode in held if oid not in still]
        relations.begin()
        done, _ = relations.read(
            Look(
                "code" if seen.is_code else "other",
                [*locked, *rest, *gone],
                after if seen.is_of_all else None,
                said=said,
                held_until="statement",
                is_concurrent=True,
                is_counted=seen.is_counted,
            )
        )
        if seen.referencing and done.scans:  # each of their rows is looked up in what is detached
            detached = (oid for oid in modes if oid not in seen.referencing and relations.has_rows(oid))
            done.scans = tuple(sorted({*done.scans, *map(relations.name_of, detached)}))
        relations.forget(str(row[0]) for row in seen.before if row[0] not in still)
        relations.commit()
        return done
