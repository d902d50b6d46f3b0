"""Whether rollback files take back what their migrations do: run behind the rehearsal, and read for rows they lose.

Hides that all are rolled back before anything is compared: two catalogs are read, however many files there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog, Difference
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import PATIENT, WATCHED, Database, database_error
from wflo_schema.files.creations import enum_word
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
    made: set[str] = set()
    gone: set[str] = set()
    for _, parsed in forward:
        if parsed is not None:
            made |= set(_made(parsed))
            gone |= set(_dropped(parsed))
    for number, statement in enumerate(back.statements, 1):
        parsed = parse(statement.text)
        if parsed is None:
            continue
        for name in _dropped(parsed):
            table = name.partition(".")[0]
            is_made = any(one in made or new.has_bare(one) for one in (name, table))
            if not is_made and name not in gone:
                yield (
                    Flaw("rollback-loses", name, f"it drops {name}, which {m.id} has not made: its rows are lost"),
                    number,
                )
        for name in _made(parsed):
            if name in gone and not new.has_bare(name.partition(".")[0]):
                yield Flaw("rollback-loses", name, f"it makes {name} again, empty: what {m.id} drops is lost"), number
        if parsed.kind == "truncate_stmt" or (
            parsed.kind == "delete_stmt" and not parsed.node.HasField("where_clause")
        ):
            for name in _emptied(parsed):
                if name not in made:
                    yield Flaw("rollback-loses", name, f"it removes rows of {name}, which {m.id} has not made"), number


def _made(parsed: Parsed) -> Iterator[str]:
    """Bare names of tables, and ``table.column``, that a statement makes, or gives that name."""
    node = parsed.node
    if parsed.kind == "create_stmt":
        yield node.relation.relname
    elif parsed.kind == "create_table_as_stmt":
        yield node.into.rel.relname
    elif parsed.kind == "rename_stmt" and node.HasField("relation"):
        is_column = enum_word(node, "rename_type") == "OBJECT_COLUMN"
        yield f"{node.relation.relname}.{node.newname}" if is_column else node.newname
    for command in parsed.commands:
        if command.subtype == "AT_AddColumn" and command.definition is not None:
            yield f"{node.relation.relname}.{command.definition.colname}"


def _dropped(parsed: Parsed) -> Iterator[str]:
    """The same of what it drops, or gives another name."""
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
