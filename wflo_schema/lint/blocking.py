"""Who would have to wait for a migration: locks held while tables are rewritten, scanned, indexed or changed.

Judged by the trace; the statement's words only tell why, and so what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wflo_schema.files.creations import enum_word
from wflo_schema.findings import Severity
from wflo_schema.lint.context import Context, New
from wflo_schema.lint.parsing import Parsed, changes_many, in_block, pins, relation_name
from wflo_schema.names import bare_name
from wflo_schema.trace.values import Lock, Traced, said_mode, strongest
from wflo_schema.words import listed

# What a lock can keep somebody waiting at: an index is locked with its table, unless it alone is copied.
_LOCKED = frozenset({"table", "partitioned table", "materialized view", "view", "foreign table"})


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a rule has found in a statement: a ``code``, the ``object``, and why."""

    code: str
    object: str
    message: str
    works_on: tuple[str, ...] = ()
    """The tables through which it goes meanwhile: their sizes say how long."""
    severity: Severity | None = None
    """What it weighs, where that is not what the rule says."""


@dataclass(frozen=True, slots=True)
class Step:
    """A statement with what its text says, which is read where it is asked for."""

    traced: Traced
    parse: Callable[[], Parsed | None]

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.traced.line


@dataclass(slots=True)
class Transaction:
    """The statements of one transaction, judged one by one: what the former have locked is still locked."""

    context: Context
    new: New
    _held: dict[str, tuple[str, Step]] = field(default_factory=dict)
    """The strongest lock on each relation that was there, and who took it."""
    _tables: set[str] = field(default_factory=set)
    """Those of them that are tables."""
    _changed: dict[str, Step] = field(default_factory=dict)
    """Tables of which many rows were changed."""

    def judge(self, step: Step) -> Iterator[Flaw]:
        """What is wrong with one more statement."""
        if step.traced.text[:8].upper() == "ROLLBACK":
            self._held = {table: held for table, held in self._held.items() if not _is_given_back(table, held[1])}
        own = self._locks(step.traced)
        here = {table: strongest({mode, self._held[table][0]}) if table in self._held else mode
                for table, mode in own.items()}  # fmt: skip
        before = {table: mode for table, (mode, _) in self._held.items()}
        works = self._works(step)
        found = list(self._direct(step, works, {**before, **here}))
        yield from found
        if not found:
            yield from self._rows(step)
            yield from self._held_over(step, works, own)
        yield from self._together(step, own)
        for table, mode in here.items():
            self._held[table] = (mode, self._held[table][1] if self._stops(before.get(table)) else step)

    def _locks(self, traced: Traced) -> dict[str, str]:
        locks = {}
        for lock in traced.locks:
            is_locked = lock.kind in _LOCKED or lock.relation in traced.rewrites
            mode = _mode(lock, traced)
            if is_locked and mode and not self._is_new(lock.relation):
                locks[lock.relation] = mode
        return locks

    def _is_new(self, name: str) -> bool:
        """Is it new?  Another may bear the name by now of what was there before the transaction, and is meant by it."""
        return name in self.new and name not in self._held

    @staticmethod
    def _stops(mode: str | None) -> bool:
        return mode is not None and Lock("", "", mode).stops_writes

    def _works(self, step: Step) -> dict[str, str]:
        """The tables that are gone through as a whole, and how."""
        traced = step.traced
        if not (traced.rewrites or traced.scans or traced.builds_on):
            return {}
        parsed = step.parse()
        if parsed is not None and parsed.kind == "refresh_mat_view_stmt" and parsed.node.skip_data:
            return {}  # WITH NO DATA: its indexes are built of nothing
        scans: Iterable[str] = traced.scans
        if scans and self._only_rows(step):  # a plan on empty tables says nothing
            stopped = {lock.relation for lock in traced.locks if lock.stops_writes}
            scans = [table for table in scans if table in stopped]
        how = dict.fromkeys(scans, "scanned")
        how.update(dict.fromkeys(traced.builds_on, "indexed"))
        how.update(dict.fromkeys(traced.rewrites, "rewritten"))
        return {t: w for t, w in how.items() if not self._is_new(t) and self.context.matters(t)}

    def _only_rows(self, step: Step) -> bool:
        """Is it a statement of rows?"""
        parsed = step.parse()
        return parsed is not None and parsed.is_of_rows and not step.traced.made

    def _direct(self, step: Step, works: dict[str, str], modes: dict[str, str]) -> Iterator[Flaw]:
        """What goes through a table while nobody may write to it, or read it."""
        for how in ("rewritten", "indexed", "scanned"):
            tables = [t for t, w in works.items() if w == how and self._stops(modes.get(t))]
            if tables:
                parsed = step.parse()
                code = _CODES[how](parsed, step)
                if code == "foreign-key-scans" and parsed is not None and parsed.does("AT_ValidateConstraint"):
                    code = "validated-at-once"
                mode = max((modes[t] for t in tables), key=lambda m: (Lock("", "", m).stops_reads, m))
                others = [t for t in modes if t not in works and self._stops(modes[t])]
                yield Flaw(code, tables[0], _meanwhile(tables, how, mode, others), tuple(tables))

    def _rows(self, step: Step) -> Iterator[Flaw]:
        """Many rows changed, or locked, in one statement."""
        table, verb, is_certain = self._many(step)
        if table is None:
            return
        if verb != "read":
            self._changed[table] = step
        if verb in _LEAVES_ROWS:
            return
        yield Flaw(
            "rows-changed-at-once",
            table,
            f"the rows of {table} are {verb} in one transaction: whoever wants to change one of them waits for its end",
            (table,),
            None if is_certain else Severity.WARNING,
        )

    def _many(self, step: Step) -> tuple[str | None, str, bool]:
        """The table of which a statement may change many rows, what it does with them, and whether that is certain."""
        if step.traced.made or not _may_change_rows(step.traced):
            return None, "", False
        parsed = step.parse()
        if parsed is not None and parsed.kind == "execute_stmt":
            whole = [t for t in step.traced.changes if t in step.traced.scans and t not in self.new]
            return next(((t, "changed", True) for t in whole if self.context.matters(t)), (None, "", False))
        if parsed is not None and parsed.kind == "do_stmt":
            inner, variables = in_block(parsed.node)
            found = [one for each in inner for one in self._changed_by(each, step, variables)]
            return next((one for one in found if one[1] not in (*_LEAVES_ROWS, *_BY_SOURCE)), (None, "", False))
        if parsed is None or not parsed.is_of_rows:
            return None, "", False
        found = list(self._changed_by(parsed, step))
        return min(found, key=lambda one: one[1] in _LEAVES_ROWS) if found else (None, "", False)

    def _changed_by(
        self, parsed: Parsed, step: Step, variables: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, str, bool]]:
        """The tables of which a statement, or one in it, may change many rows, as `_many` says it.

        It is certain where no column is held to a value, and no key to a range, by which few rows may be meant.
        """
        for node, verb in _changing(parsed):
            relation = node.relation if hasattr(node, "relation") else node.from_clause[0].range_var
            table = self._full_name(relation_name(relation), step)
            if table is None or table in self.new or not self.context.matters(table):
                continue
            keys = self.context.keys.get(table, frozenset())
            if not (step.traced.scans if verb in _BY_SOURCE else changes_many(node, keys, variables)):
                continue
            where = getattr(node, "where_clause", None)
            ranges = pins(where, with_ranges=True, constants=variables) if where is not None else frozenset()
            few = where is not None and (pins(where, constants=variables) or any(columns <= ranges for columns in keys))
            yield table, verb, not few

    def _full_name(self, written: str, step: Step) -> str | None:
        """The table that is meant: the locks have it with its schema; None where it is new here, or temporary."""
        names = [lock.relation for lock in step.traced.locks]
        if step.traced.undecided:  # what did not run locked nothing
            names += self.context.keys
        fitting = [name for name in names if name == written]
        fitting += [name for name in names if bare_name(name) == bare_name(written)]
        return fitting[0] if fitting else None

    def _held_over(self, step: Step, works: dict[str, str], own: dict[str, str]) -> Iterator[Flaw]:
        """What stays locked from an earlier statement while this one takes its time."""
        held = {t: (mode, by) for t, (mode, by) in self._held.items() if self._stops(mode)}
        if not held:
            return
        if not works:  # a query that no index can serve reads all of a table
            read = [t for t in step.traced.scans if not self._is_new(t) and self.context.matters(t)]
            works = dict.fromkeys(read, "read as a whole")
        sampled = dict.fromkeys(() if works else self._sampled(step), "read for its statistics")
        works = works or sampled
        busy = list(works)
        if not busy:
            table, verb, _ = self._many(step)
            busy, works = ([table], {table: verb}) if table is not None else ([], {})
        if not busy:
            return
        table = max(held, key=lambda t: (Lock("", "", held[t][0]).stops_reads, t == busy[0]))
        mode, by = held[table]
        parsed = step.parse()
        validates = parsed is not None and parsed.does("AT_ValidateConstraint")
        code = "validated-at-once" if validates and table in (*busy, *own) else "lock-held"
        yield Flaw(
            code,
            table,
            f"{table} is locked {said_mode(mode)} since line {by.line}, so {_waits(mode)} until the commit, "
            f"while {listed(busy)} {'is' if len(busy) == 1 else 'are'} {works[busy[0]]}",
            tuple(busy),
            Severity.WARNING if sampled else None,
        )

    def _sampled(self, step: Step) -> Iterator[str]:
        """The tables of an ANALYZE: it reads up to 30,000 blocks of each, or more where columns ask for that."""
        parsed = step.parse()
        if parsed is not None and parsed.kind == "vacuum_stmt":
            locked = (lock.relation for lock in step.traced.locks if lock.mode == "ShareUpdateExclusiveLock")
            yield from (table for table in locked if not self._is_new(table) and self.context.matters(table))

    def _together(self, step: Step, own: dict[str, str]) -> Iterator[Flaw]:
        """A second table locked behind a first, and rows changed beside it."""
        self._tables.update(lock.relation for lock in step.traced.locks if "table" in lock.kind)
        strong = [t for t, mode in own.items() if self._stops(mode) and t in self._tables]
        fresh = [t for t in strong if not self._stops(self._held[t][0] if t in self._held else None)]
        if not fresh:
            return
        if self._changed:
            table, by = next(iter(self._changed.items()))
            yield Flaw(
                "data-with-schema",
                fresh[0],
                f"{fresh[0]} is locked {said_mode(own[fresh[0]])} behind rows of {table} that line {by.line} has "
                "changed: both stay locked until the commit",
            )
        held = {t: mode for t, (mode, _) in self._held.items() if t in self._tables and t not in fresh}
        earlier = [t for t, mode in held.items() if self._stops(mode)]
        if earlier and not self._changed:
            by = self._held[earlier[0]][1]
            yield Flaw(
                "tables-locked-together",
                fresh[0],
                f"{fresh[0]} is locked {said_mode(own[fresh[0]])} while {earlier[0]} is locked since line {by.line}: "
                "whoever needs them in the other order waits for us, and we for them",
            )


# How many rows these change depends on what they read: a table as a whole, or a few rows.
_BY_SOURCE = frozenset({"inserted", "inserted or updated", "merged"})
_LEAVES_ROWS = frozenset({"inserted", "read"})


def _mode(lock: Lock, traced: Traced) -> str:
    """In which it is locked for those who use it, empty where it is for none of them.

    A materialized view has no writers, and its readers wait for an index of it, too.
    """
    if lock.kind != "materialized view" or lock.stops_reads:
        return lock.mode
    is_built = lock.relation in traced.builds_on
    return next((k.mode for k in traced.locks if is_built and k.relation in traced.builds and k.stops_reads), "")


def _is_given_back(table: str, by: Step) -> bool:
    return any(lock.relation == table and lock.held_until == "rollback" for lock in by.traced.locks)


def _waits(mode: str) -> str:
    return "all who read it or write to it wait" if Lock("", "", mode).stops_reads else "all who write to it wait"


def _meanwhile(tables: Sequence[str], how: str, mode: str, others: Sequence[str]) -> str:
    verb = "is" if len(tables) == 1 else "are"
    what = {"rewritten": "copied as a whole", "indexed": "read to build the index", "scanned": "read as a whole"}[how]
    also = f"; {listed(others)} {'is' if len(others) == 1 else 'are'} locked as well" if others else ""
    whom = "everybody who reads or writes" if Lock("", "", mode).stops_reads else "everybody who writes"
    return f"{listed(tables)} {verb} {what} under {said_mode(mode)}: {whom} there waits until the commit{also}"


_OF_ROWS = frozenset({"DO", "UPDATE", "DELETE", "MERGE", "INSERT", "WITH", "SELECT", "TABLE", "EXPLAIN", "EXECUTE"})


def _may_change_rows(traced: Traced) -> bool:
    words = traced.text.lstrip("( \n\t").split(None, 1)
    return bool(words) and words[0].upper() in _OF_ROWS


def _changing(parsed: Parsed) -> Iterator[tuple[Any, str]]:
    """The parts of a statement that change or lock rows: an inner node and what it does."""
    node = parsed.node
    if node.HasField("with_clause"):
        for cte in node.with_clause.ctes:
            inner = cte.common_table_expr.ctequery
            kind = inner.WhichOneof("node")
            yield from _changing(Parsed(kind, getattr(inner, kind)))
    verb = {"update_stmt": "updated", "delete_stmt": "deleted", "merge_stmt": "merged"}.get(parsed.kind)
    if verb:
        yield node, verb
    elif parsed.kind == "insert_stmt":
        if node.HasField("select_stmt") and node.select_stmt.select_stmt.from_clause:
            updates = enum_word(node.on_conflict_clause, "action") == "ONCONFLICT_UPDATE"
            yield node, "inserted or updated" if updates else "inserted"
    elif parsed.kind == "select_stmt" and len(node.from_clause) == 1 and node.from_clause[0].HasField("range_var"):
        strength = {enum_word(c.locking_clause, "strength") for c in node.locking_clause}
        locks = strength & {"LCS_FORUPDATE", "LCS_FORNOKEYUPDATE", "LCS_FORSHARE"}
        if locks or node.HasField("where_clause"):  # without it, the plan knows whether all is read
            yield node, "locked" if locks else "read"


def _why_rewritten(parsed: Parsed | None, step: Step) -> str:
    if parsed is None:
        return "table-rewritten"
    if parsed.kind == "refresh_mat_view_stmt":
        return "view-refreshed"
    if parsed.does("AT_AddColumn"):
        return "add-column-rewrites"
    return "type-change-rewrites" if parsed.does("AT_AlterColumnType") else "table-rewritten"


def _why_indexed(parsed: Parsed | None, step: Step) -> str:
    if parsed is None:
        return "index-built"
    if parsed.kind == "index_stmt":
        return "index-blocks-writes"
    if parsed.kind == "refresh_mat_view_stmt":
        return "view-refreshed"
    if parsed.kind == "reindex_stmt":
        return "reindex-blocks"
    if parsed.adds("CONSTR_EXCLUSION"):
        return "exclude-blocks"
    return "unique-blocks" if parsed.adds("CONSTR_UNIQUE", "CONSTR_PRIMARY") else "index-built"


def _why_scanned(parsed: Parsed | None, step: Step) -> str:
    if parsed is None:
        return "table-scanned"
    kind = parsed.kind
    if parsed.does("AT_AttachPartition") or (kind == "create_stmt" and parsed.node.HasField("partbound")):
        return "partition-scans"
    if kind == "alter_domain_stmt":
        return "domain-scans"
    if parsed.does("AT_ValidateConstraint"):
        return "validated-at-once"
    for kinds, code in _SCANNING:
        if parsed.adds(*kinds):
            return code
    return "not-null-scans" if parsed.does("AT_SetNotNull") else "table-scanned"


_SCANNING: Iterable[tuple[tuple[str, ...], str]] = (
    (("CONSTR_FOREIGN",), "foreign-key-scans"),
    (("CONSTR_CHECK",), "check-scans"),
    (("CONSTR_NOTNULL",), "not-null-scans"),
    (("CONSTR_UNIQUE", "CONSTR_PRIMARY"), "not-null-scans"),
)

_CODES = {"rewritten": _why_rewritten, "indexed": _why_indexed, "scanned": _why_scanned}
