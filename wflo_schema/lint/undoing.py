"""Whether rollback files take back what their migrations do: run behind the rehearsal, and read for rows they lose.

Hides that all are rolled back before anything is compared: two catalogs are read, however many files there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog, Difference
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import PATIENT, WATCHED, Database, database_error
from wflo_schema.files.creations import enum_word, walk
from wflo_schema.files.folder import Migration, load_rollback, rolling_back
from wflo_schema.files.script import Script
from wflo_schema.lint.blocking import Flaw
from wflo_schema.lint.context import New
from wflo_schema.lint.parsing import Parsed, dropped_names, parse
from wflo_schema.names import bare_name
from wflo_schema.trace.rehearsal import Rehearsal
from wflo_schema.trace.values import Traced

# Files that are rolled back at most: it takes as long again as the rehearsal.
MOST_ROLLED_BACK = 30


@dataclass(frozen=True, slots=True)
class Undone:
    """What is left of migrations that were rolled back; ``failed`` is the statement that was refused."""

    migrations: tuple[Migration, ...] = ()
    differences: tuple[Difference, ...] = ()
    failed: Traced | None = None


def read_before(empty: Database) -> Catalog:
    """The catalog of a scratch database."""
    with empty.connect(settings=PATIENT) as connection:
        try:
            return read_catalog(connection, apart=empty.ledger_apart)
        except psycopg.Error as error:
            raise database_error(error, "reading the scratch database's catalog") from error


def roll_back(empty: Database, migrations: Sequence[Migration], before: Catalog) -> Undone:
    """Roll all back that has a rollback file, in a database in which they ran, and compare with what was there."""
    scripts = {m.id: script for m in migrations if (script := load_rollback(m)) is not None}
    all_ = tuple(migrations)
    done = [m for m in all_ if m.id in scripts]
    if not done:
        return Undone()
    with Rehearsal.on(empty, settings=WATCHED) as rehearsal:
        rehearsal.get_ready()
        load = rehearsal.loader(lambda m: scripts[m.id])
        for m in reversed(done):
            back = rolling_back(m)
            traced = list(rehearsal.rehearse(back, load(back)))
            if traced and traced[-1].error:
                return Undone(all_, failed=traced[-1])
    differences = compare_catalogs(read_before(empty), before)
    return Undone(all_, tuple(d for d in differences if not d.cosmetic))


def named_in(difference: Difference, text: str) -> bool:
    """Does a file name what differs?"""
    last = bare_name(difference.object.rpartition(".")[2].partition("(")[0])
    return last.lower() in text.lower()


def loses(m: Migration, script: Script, back: Script, new: New) -> Iterator[tuple[Flaw, int]]:
    """What a rollback file loses, with the number of its statement: rows that the migration has not brought.

    ``new``: relations that were made by it, or by another that is pending as well.
    """
    forward = [(s.text, parse(s.text)) for s in script.statements]
    if any(parsed is None or parsed.kind in ("do_stmt", "call_stmt") for _, parsed in forward):
        return
    names = _Names(new)
    for _, parsed in forward:
        if parsed is not None:
            names.go(parsed)
    behind = [parse(statement.text) for statement in back.statements]
    for number, parsed in enumerate(behind, 1):
        if parsed is None:
            continue
        for name in _dropped(parsed):
            if not names.is_ours(name) and name not in names.gone:
                said = f"it drops {name}, which {m.id} has not made: its rows are lost"
                yield Flaw("rollback-loses", names.before.get(name, name), said), number
        for name in _made(parsed):
            is_filled = any(one is not None and _fills(one, name) for one in behind[number - 1 :])
            if name in names.gone and not new.has_bare(name.partition(".")[0]) and not is_filled:
                yield Flaw("rollback-loses", name, f"it makes {name} again, empty: what {m.id} drops is lost"), number
        if parsed.kind == "truncate_stmt" or (
            parsed.kind == "delete_stmt" and not parsed.node.HasField("where_clause")
        ):
            for name in _emptied(parsed):
                if not names.is_ours(name):
                    yield Flaw("rollback-loses", name, f"it removes rows of {name}, which {m.id} has not made"), number
        names.go(parsed)


class _Names:
    """Bare names of tables, and ``table.column``, as statement follows statement: what is made, and what is gone."""

    def __init__(self, new: New) -> None:
        self._new = new
        self._made: set[str] = set()
        self._ever_made: set[str] = set()
        self.gone: set[str] = set()
        """What was there before, and was dropped."""
        self.before: dict[str, str] = {}
        """The names that what was there before had then, by those that it has now."""

    def is_ours(self, name: str) -> bool:
        """Was it made by these statements, or by another file that is pending as well?"""
        return any(one in self._made or self._is_pending(one) for one in (name, name.partition(".")[0]))

    def _is_pending(self, name: str) -> bool:
        before = self.before.get(name, name)
        return self._new.has_bare(before) and not (name in self.before and before in self._ever_made)

    def go(self, parsed: Parsed) -> None:
        """One more statement."""
        for name in _dropped(parsed):
            if not self.is_ours(name):
                self.gone.add(name)
            self._made.discard(name)
        self._made.update(_made(parsed))
        self._ever_made.update(_made(parsed))
        for old, name in _renamed(parsed):
            if old not in self._made:
                self.before[name] = self.before.pop(old, old)
            moved = {one for one in self._made if one == old or one.startswith(f"{old}.")}
            self._made = (self._made - moved) | {f"{name}{one.removeprefix(old)}" for one in moved}


def _fills(parsed: Parsed, name: str) -> bool:
    """Does a statement of a rollback file put into it what was kept elsewhere?"""
    node, (table, _, column) = parsed.node, name.partition(".")
    if parsed.kind == "create_table_as_stmt":
        return bool(node.into.rel.relname == table)
    if parsed.kind in ("do_stmt", "call_stmt"):  # what it does is not read, but where it says that nothing was kept
        return not re.search(rf"\b{re.escape(column or table)}\b\"?\s*=\s*DEFAULT\b", str(node), re.IGNORECASE)
    if parsed.kind not in ("insert_stmt", "update_stmt", "merge_stmt", "copy_stmt") or node.relation.relname != table:
        return False
    if parsed.kind == "update_stmt":
        values = [one.res_target.val for one in node.target_list if one.res_target.name == column]
        return any(type(n).__name__ == "ColumnRef" for value in values for n in walk(value))
    return not column and (parsed.kind != "insert_stmt" or bool(node.select_stmt.select_stmt.from_clause))


def _made(parsed: Parsed) -> Iterator[str]:
    """Bare names of tables, and ``table.column``, that a statement makes."""
    node = parsed.node
    if parsed.kind == "create_stmt":
        yield node.relation.relname
    elif parsed.kind == "create_table_as_stmt":
        yield node.into.rel.relname
    for command in parsed.commands:
        if command.subtype == "AT_AddColumn" and command.definition is not None:
            yield f"{node.relation.relname}.{command.definition.colname}"


def _renamed(parsed: Parsed) -> Iterator[tuple[str, str]]:
    """The old and the new name of a table, or of a column of one."""
    node = parsed.node
    if parsed.kind == "rename_stmt" and node.HasField("relation"):
        table, kind = node.relation.relname, enum_word(node, "rename_type")
        if kind == "OBJECT_TABLE":
            yield table, node.newname
        elif kind == "OBJECT_COLUMN":
            yield f"{table}.{node.subname}", f"{table}.{node.newname}"


def _dropped(parsed: Parsed) -> Iterator[str]:
    """The same of what it drops."""
    node = parsed.node
    if parsed.kind == "drop_stmt" and enum_word(node, "remove_type") == "OBJECT_TABLE":
        yield from (parts[-1] for parts in dropped_names(node))
    for command in parsed.commands:
        if command.subtype == "AT_DropColumn":
            yield f"{node.relation.relname}.{command.name}"


def _emptied(parsed: Parsed) -> Iterator[str]:
    if parsed.kind == "truncate_stmt":
        yield from (r.range_var.relname for r in parsed.node.relations)
    else:
        yield parsed.node.relation.relname
