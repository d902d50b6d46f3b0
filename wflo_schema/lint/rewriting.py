"""The safe way to do what a statement does, where that is mechanical: what stands in its place, and files behind.

Hides which forms can be rewritten word by word.  What cannot be is told in a rule's words only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from wflo_schema.files.creations import enum_word
from wflo_schema.lint.blocking import Flaw, Step
from wflo_schema.lint.context import Keys
from wflo_schema.lint.parsing import Command, Parsed, dropped_names, names_of, parse, relation_name
from wflo_schema.names import bare_name, identifiers, qualified, quote

_OF_ITS_OWN = "-- in a file of its own:\n"
_NOT_TRANSACTIONAL = "-- transactional: false\n"
# What a statement that cannot run in a transaction stands behind.
ALONE = _OF_ITS_OWN + _NOT_TRANSACTIONAL


@dataclass(frozen=True, slots=True)
class Part:
    """A file behind the one that is rewritten: its SQL, what takes it back, and whether it is not transactional.

    ``slug`` says what it does, in a file's name.  ``keeps`` says why there is nothing to take back.
    """

    slug: str
    sql: str
    undo: str = ""
    keeps: str = ""
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What stands in the statement's place, empty where nothing does; and the files behind.

    ``undone_by``: what a rollback file says to take it back.  ``undo``: what takes back what stands in its place.
    ``constraint`` is the one that stands there.
    """

    here: str
    parts: tuple[Part, ...] = ()
    undo: str = ""
    undone_by: tuple[str, ...] = ()
    constraint: str = ""
    said: str = ""
    """All of it, to be read, where what is written here has to be rewritten once more."""

    @property
    def apart(self) -> Rewrite:
        """The same, with what stands in the statement's place in a file of its own."""
        if not self.here or not self.constraint:
            return self
        by = self.undone_by or (f"constraint {self.constraint}",)
        return Rewrite("", (Part("apart", f"{self.here};", self.undo), *self.parts), undone_by=by)

    @property
    def text(self) -> str:
        """All of it, to be read: a line says where the next file begins."""
        if self.said:
            return self.said
        files = [f"{self.here};"] if self.here else []
        files += [f"{_NOT_TRANSACTIONAL}{p.sql}" if p.is_alone else p.sql for p in self.parts]
        first = "" if self.here else _OF_ITS_OWN
        return first + "\n-- in the next file:\n".join(files)


@dataclass(frozen=True, slots=True)
class NewConstraint:
    """A constraint that the rehearsal has made, with the columns that it is on."""

    schema: str
    name: str
    constraint: str
    kind: str
    columns: list[str]


_INDEX = re.compile(
    r"\A(?P<create>CREATE\s+(?:UNIQUE\s+)?INDEX)\s+(?P<rest>(?!CONCURRENTLY\b).*)\Z", re.IGNORECASE | re.DOTALL
)
_REINDEX = re.compile(
    r"\A(?P<kind>REINDEX\s+(?:INDEX|TABLE))\s+(?P<rest>(?!CONCURRENTLY\b)\S.*)\Z", re.IGNORECASE | re.DOTALL
)
_REFRESH = re.compile(
    r"\A(?P<refresh>REFRESH\s+MATERIALIZED\s+VIEW)\s+(?P<rest>(?!CONCURRENTLY\b).*)\Z", re.IGNORECASE | re.DOTALL
)
_VALIDATED = "that a constraint is proven takes nothing away"
# Findings that are gone once the statement stands in a file of its own.
APART = frozenset({"lock-held", "validated-at-once", "data-with-schema", "tables-locked-together"})


def rewrite(flaw: Flaw, step: Step, constraints: Iterable[NewConstraint], keys: Keys) -> Rewrite | None:
    """The safe way; None where it is not mechanical."""
    parsed, text = step.parse(), step.traced.text
    if parsed is None or (parsed.has_variables and (len(parsed.commands) > 1 or ':"' in text)):
        return None  # what is put together from what was parsed would not have the variables
    if flaw.code in APART and (flaw.code != "validated-at-once" or len(parsed.commands) == 1):
        return _apart(flaw, parsed, text) if parsed.kind != "index_stmt" else _index(parsed, step)
    match flaw.code:
        case "index-blocks-writes":
            return _index(parsed, step)
        case "reindex-blocks":
            found = _REINDEX.match(text)
            again = "an index that is built again is the same"
            sql = f"{found['kind']} CONCURRENTLY {found['rest']};" if found else ""
            return Rewrite("", (Part("reindex", sql, keeps=again, is_alone=True),)) if found else None
        case "view-refreshed":
            found = _REFRESH.match(text)
            is_unique = bool(keys.get(flaw.object))
            return Rewrite(f"{found['refresh']} CONCURRENTLY {found['rest']}") if found and is_unique else None
    if len(parsed.commands) > 1 and flaw.code in _ONE_BY_ONE:
        texts = _one_by_one(parsed)
        return Rewrite(";\n".join(texts), said=_said(texts, step, constraints))
    if len(parsed.commands) != 1 or any("partitioned" in lock.kind for lock in step.traced.locks):
        return None
    (command,) = parsed.commands
    return _of_table(flaw.code, parsed.node, command, step, constraints)


# What is rewritten where it is all that an ALTER TABLE does; each command becomes one of its own first.
_ONE_BY_ONE = frozenset({"check-scans", "foreign-key-scans", "not-null-scans", "unique-blocks"})


def _said(texts: Iterable[str], step: Step, constraints: Iterable[NewConstraint]) -> str:
    """How these commands are written, each in the safe way where it is one that reads the table."""
    here: list[str] = []
    parts: list[Part] = []
    for text in texts:
        parsed = parse(text)
        (command,) = parsed.commands if parsed is not None else (None,)
        code = _reads(command) if command is not None else ""
        made = None
        if parsed is not None and command is not None and code:
            alone = Step(replace(step.traced, text=text, scans=()), lambda: None)
            made = _of_table(code, parsed.node, command, alone, constraints)
            # A key locks the other table as well, so it stands behind what locks this one.
            made = made.apart if made is not None and code == "foreign-key-scans" else made
        here += [made.here if made is not None else text] if made is None or made.here else []
        parts += made.parts if made is not None else ()
    return Rewrite(";\n".join(here), tuple(parts)).text


def _reads(command: Command) -> str:
    """The code of what a command reads the table for; empty where it does not."""
    if command.subtype == "AT_SetNotNull":
        return "not-null-scans"
    if command.subtype != "AT_AddConstraint" or command.definition.skip_validation:
        return ""
    return _READS.get(command.constraint_kinds[0], "")


_READS = {
    "CONSTR_CHECK": "check-scans",
    "CONSTR_FOREIGN": "foreign-key-scans",
    "CONSTR_UNIQUE": "unique-blocks",
    "CONSTR_PRIMARY": "unique-blocks",
}


def _one_by_one(parsed: Parsed) -> list[str]:
    """The commands of an ALTER TABLE, as statements."""
    import postgast

    texts = []
    for number in range(len(parsed.node.cmds)):
        tree = postgast.parse("ALTER TABLE a DROP COLUMN b")
        node = tree.stmts[0].stmt.alter_table_stmt
        node.CopyFrom(parsed.node)
        del node.cmds[number + 1 :]
        del node.cmds[:number]
        texts.append(postgast.deparse(tree))
    return texts


def _apart(flaw: Flaw, parsed: Parsed, text: str) -> Rewrite:
    is_validated = parsed.does("AT_ValidateConstraint")
    part = Part("validate", f"{text};", keeps=_VALIDATED) if is_validated else Part("apart", f"{text};")
    of = "rows" if parsed.is_of_rows else "table"
    return Rewrite("", (part,), undone_by=() if is_validated else (f"{of} {_table(parsed, flaw)}",))


def _table(parsed: Parsed, flaw: Flaw) -> str:
    return relation_name(parsed.node.relation) if hasattr(parsed.node, "relation") else flaw.object


def _index(parsed: Parsed, step: Step) -> Rewrite | None:
    found = _INDEX.match(step.traced.text)
    kinds = {lock.relation: lock.kind for lock in step.traced.locks}
    if found is None or len(step.traced.builds) != 1 or kinds.get(step.traced.builds_on[0]) != "table":
        return None
    name, rest = quote(bare_name(step.traced.builds[0])), found["rest"]
    if not parsed.node.idxname:
        rest = f"{name} {rest}"
    schema = parsed.node.relation.schemaname
    place = qualified(schema, bare_name(name)) if schema else name
    part = Part(
        "index",
        f"{found['create']} CONCURRENTLY {rest};",
        f"DROP INDEX CONCURRENTLY {place};",
        is_alone=True,
    )
    return Rewrite("", (part,), undone_by=(f"index {bare_name(name)}",))


def _of_table(
    code: str, node: Any, command: Command, step: Step, constraints: Iterable[NewConstraint]
) -> Rewrite | None:
    table, text = relation_name(node.relation), step.traced.text
    alter = f"ALTER TABLE {'IF EXISTS ' if node.missing_ok else ''}{table}"
    if command.subtype == "AT_SetNotNull" and code == "not-null-scans":
        return _not_null(alter, node.relation.relname, command.name)
    if command.subtype != "AT_AddConstraint":
        return None
    of = command.definition
    kind = enum_word(of, "contype")
    if code in ("check-scans", "foreign-key-scans"):
        name = quote(of.conname) if of.conname else _made_name(node.relation.relname, kind, of, constraints)
        if not name:
            return None
        part = Part("validate", f"{alter} VALIDATE CONSTRAINT {name};", keeps=_VALIDATED)
        return Rewrite(f"{text} NOT VALID", (part,), constraint=bare_name(name))
    if code == "unique-blocks" and kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and not of.indexname:
        return _unique(alter, table, of, kind, step)
    return None


def _made_name(table: str, kind: str, of: Any, constraints: Iterable[NewConstraint]) -> str:
    """The name that PostgreSQL gave to a constraint without one; empty where that is not clear."""
    letter = {"CONSTR_CHECK": "c", "CONSTR_FOREIGN": "f"}.get(kind)
    columns = list(names_of(of.fk_attrs))
    fitting = [
        one.constraint
        for one in constraints
        if one.name == table and one.kind == letter and (not columns or one.columns == columns)
    ]
    return quote(fitting[0]) if len(fitting) == 1 else ""


def _not_null(alter: str, table: str, column: str) -> Rewrite:
    check, it = quote(f"{table}_{column}_set"[:60]), quote(column)
    add = f"{alter} ADD CONSTRAINT {check} CHECK ({it} IS NOT NULL) NOT VALID"
    return Rewrite(
        add,
        (
            Part("validate", f"{alter} VALIDATE CONSTRAINT {check};", keeps=_VALIDATED),
            Part(
                "set-not-null",
                f"{alter} ALTER COLUMN {it} SET NOT NULL;\n{alter} DROP CONSTRAINT {check};",
                f"{add};\n{alter} ALTER COLUMN {it} DROP NOT NULL;",
            ),
        ),
        undo=f"{alter} DROP CONSTRAINT {check};",
        undone_by=(f"not null {table}.{column}",),
        constraint=bare_name(check),
    )


def _unique(alter: str, table: str, of: Any, kind: str, step: Step) -> Rewrite | None:
    if len(step.traced.builds) != 1 or step.traced.scans:
        return None
    name = quote(bare_name(step.traced.builds[0]))
    more = f" INCLUDE ({identifiers(names_of(of.including))})" if of.including else ""
    more += " NULLS NOT DISTINCT" if of.nulls_not_distinct else ""
    build = f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({identifiers(names_of(of.keys))}){more};"
    word = "PRIMARY KEY" if kind == "CONSTR_PRIMARY" else "UNIQUE"
    word += f" USING INDEX {name}" + (" DEFERRABLE" if of.deferrable else "")
    word += " INITIALLY DEFERRED" if of.initdeferred else ""
    schema = f"{table.rpartition('.')[0]}." if "." in table else ""
    twin = quote(bare_name(name)[:57] + "_again")
    # The constraint takes its index along, so another is built first: rows stay unique throughout.
    undo = (
        build.replace(f"CONCURRENTLY {name} ON", f"CONCURRENTLY {twin} ON", 1),
        f"{alter} DROP CONSTRAINT {name};",
        f"ALTER INDEX {schema}{twin} RENAME TO {name};",
    )
    return Rewrite(
        "",
        (
            Part("build", build, f"DROP INDEX CONCURRENTLY {schema}{name};", is_alone=True),
            Part("constraint", f"{alter} ADD CONSTRAINT {name} {word};", "\n".join(undo)),
        ),
        undone_by=(f"constraint {bare_name(name)}",),
    )


def undoes(parsed: Parsed, what: str) -> bool:
    """Is a statement of a rollback file the one that takes this back, as `Rewrite.undone_by` says it?"""
    kind, _, name = what.partition(" ")
    if kind == "index":
        return parsed.kind == "drop_stmt" and any(n[-1] == name for n in dropped_names(parsed.node))
    commands = parsed.commands
    if len(commands) != 1:
        return False
    if kind == "constraint":
        return commands[0].subtype == "AT_DropConstraint" and commands[0].name == name
    table, _, column = name.rpartition(".")
    is_drop = commands[0].subtype == "AT_DropNotNull" and commands[0].name == column
    return what.startswith("not null ") and is_drop and parsed.node.relation.relname == table.removeprefix("null ")
