"""Whether two files may run in either order: what the one changes, and what the other names.

Hides the parser's nodes.  Names are compared, without schemas where one gives none, and those within texts and function
bodies count: rather is a pair called dependent that is not.  What a DO block changes is not seen.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from wflo_schema.files.creations import enum_word, parse_one, qualified_name
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.tokens import tokens

# Bytes of a statement that is looked into: what is longer brings rows.
_LONGEST = 1 << 18

# The first words of what changes something that has a name.
_CHANGING = ("CREATE", "ALTER", "DROP", "UPDATE")

# The parser's nodes that make something, and the field that names it.
_MAKES = {
    "create_stmt": "relation",
    "view_stmt": "view",
    "create_seq_stmt": "sequence",
    "create_foreign_table_stmt": "base_stmt",
    "create_function_stmt": "funcname",
    "create_trig_stmt": "trigname",
    "create_policy_stmt": "policy_name",
    "create_schema_stmt": "schemaname",
    "create_extension_stmt": "extname",
    "rule_stmt": "rulename",
    "create_domain_stmt": "domainname",
    "create_enum_stmt": "type_name",
    "create_range_stmt": "type_name",
    "composite_type_stmt": "typevar",
    "define_stmt": "defnames",
    "create_stats_stmt": "defnames",
    "index_stmt": "idxname",
}

# What ALTER TABLE says of something that is no column.
_OF_NO_COLUMN = re.compile(
    "Constraint|Trig|Rule|Index|Cluster|Owner|Schema|TableSpace|AccessMethod|OfType|ReplicaIdentity"
)

_WORDS = re.compile(r"[^\W\d][\w$]*")


class Change(NamedTuple):
    """Something that is made, altered, renamed or dropped; ``column``: only that of the relation."""

    schema: str
    name: str
    column: str = ""

    def __str__(self) -> str:
        return ".".join(filter(None, self))


class _Used:
    """What one statement names, and what it changes."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._bare: set[str] = set()
        self._qualified: set[tuple[str, str]] = set()
        before, outer = "", ""
        for token in tokens(statement.text):
            if token.kind == "text":
                self._bare.update(_WORDS.findall(token.text), map(str.lower, _WORDS.findall(token.text)))
            elif token.name and before == ".":
                self._qualified.add((outer, token.name))
            elif token.name:
                self._bare.add(token.name)
            before, outer = token.text, token.name or outer

    def names(self, change: Change) -> bool:
        """Does it name what is changed, or take in all columns of its relation?"""
        if not self._has(change.schema, change.name):
            return False
        return not change.column or self._has("", change.column) or self._takes_all

    def _has(self, schema: str, name: str) -> bool:
        return name in self._bare or any(n == name and schema in (s, "") for s, n in self._qualified)

    @functools.cached_property
    def _takes_all(self) -> bool:
        """Does it name all columns without saying which?"""
        kind, node = self._parsed
        if kind in ("view_stmt", "create_table_as_stmt"):
            return "a_star {" in str(node)
        if kind in ("insert_stmt", "copy_stmt"):
            return not (node.cols if kind == "insert_stmt" else node.attlist) or "a_star {" in str(node)
        return kind == "create_stmt" and bool(node.inh_relations or "table_like_clause {" in str(node))

    @functools.cached_property
    def changes(self) -> tuple[Change, ...]:
        """What it makes, alters, renames or drops."""
        return tuple(_changes(*self._parsed)) if self._statement.first_word in _CHANGING else ()

    @functools.cached_property
    def _parsed(self) -> tuple[str, Any]:
        return parse_one(self._statement.text) or ("", None)


class Uses:
    """What a file names and changes, statement by statement."""

    def __init__(self, script: Script) -> None:
        self.statements = [_Used(s) for s in script.statements if s.end - s.start <= _LONGEST]

    def names(self, schema: str, name: str) -> bool:
        """Whether it has to do with a relation."""
        return any(one.names(Change(schema, name)) for one in self.statements)

    def overlap(self, other: Uses) -> Change | None:
        """What one of both files changes and the other names, if there is such a thing."""
        return next(_named(self.statements, other), None) or next(_named(other.statements, self), None)


def _named(changing: Iterable[_Used], naming: Uses) -> Iterator[Change]:
    for one in changing:
        for change in one.changes:
            if any(other.names(change) for other in naming.statements):
                yield change


def _changes(kind: str, node: Any) -> Iterator[Change]:
    if kind == "alter_table_stmt":
        yield from _altered(node)
    elif kind == "rename_stmt":
        yield from _renamed(node)
    elif kind == "drop_stmt":
        yield from (Change(*qualified_name(one)) for one in node.objects)
    elif kind == "alter_object_schema_stmt":
        yield Change(*(_of(node.relation) if node.HasField("relation") else qualified_name(node.object)))
    elif kind == "alter_enum_stmt":
        yield Change("", node.new_val)
    elif kind == "update_stmt":
        yield from (Change(*_of(node.relation), target.res_target.name) for target in node.target_list)
    elif kind == "create_table_as_stmt":
        yield Change(*_of(node.into.rel))
    elif kind in _MAKES:
        named = getattr(node, _MAKES[kind])
        named = named.relation if kind == "create_foreign_table_stmt" else named
        if isinstance(named, str):
            yield Change("", named)
        else:
            yield Change(*(_of(named) if hasattr(named, "relname") else _listed(named)))


def _altered(node: Any) -> Iterator[Change]:
    relation = _of(node.relation)
    for one in node.cmds:
        command = one.alter_table_cmd
        if enum_word(command, "subtype") == "AT_AddColumn":
            yield Change(*relation, _definition(command).column_def.colname)
        elif enum_word(command, "subtype") == "AT_AddConstraint":
            yield Change("", _definition(command).constraint.conname)
        elif command.name:
            is_thing = _OF_NO_COLUMN.search(enum_word(command, "subtype"))
            yield Change("", command.name) if is_thing else Change(*relation, command.name)


def _renamed(node: Any) -> Iterator[Change]:
    relation = _of(node.relation) if node.HasField("relation") else ("", "")
    is_column = enum_word(node, "rename_type") in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE")
    if is_column:
        yield from (Change(*relation, name) for name in (node.subname, node.newname))
        return
    yield Change("", node.newname)
    if node.subname:
        yield Change("", node.subname)
    else:
        yield Change(*(relation if relation[1] else qualified_name(node.object)))


def _definition(command: Any) -> Any:
    return getattr(command, "def")


def _of(relation: Any) -> tuple[str, str]:
    return relation.schemaname, relation.relname


def _listed(parts: Any) -> tuple[str, str]:
    names = [part.string.sval for part in parts]
    return (names[-2] if len(names) > 1 else "", names[-1])
