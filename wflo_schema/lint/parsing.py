"""What the text of one statement says, as PostgreSQL's parser reads it.

Hides the parser's nodes.  Asked only where a rehearsal cannot tell: why something happens, and which rows are meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from wflo_schema.files.creations import enum_word, parse_one
from wflo_schema.names import qualified

# The nodes of statements that read or change rows.
_OF_ROWS = frozenset({"select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "copy_stmt"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement: the kind of its node, such as ``index_stmt``, and the node."""

    kind: str
    node: Any
    has_variables: bool = False
    """Do names or texts in it stand for the value of a variable?"""

    @property
    def is_of_rows(self) -> bool:
        """Does it only read or change rows?"""
        return self.kind in _OF_ROWS

    @property
    def commands(self) -> tuple[Command, ...]:
        """The parts of an ALTER TABLE."""
        if self.kind != "alter_table_stmt":
            return ()
        cmds = (cmd.alter_table_cmd for cmd in self.node.cmds)
        return tuple(Command(enum_word(c, "subtype"), c.name, _definition(c), c) for c in cmds)

    def does(self, *subtypes: str) -> bool:
        """Is one of these a part of it?"""
        return any(c.subtype in subtypes for c in self.commands)

    def adds(self, *kinds: str) -> bool:
        """Does it add a constraint of one of these kinds, to a table or with a column?"""
        return any(kind in kinds for c in self.commands for kind in c.constraint_kinds)


@dataclass(frozen=True, slots=True)
class Command:
    """One part of an ALTER TABLE: what it does, to which column or constraint, and what it defines."""

    subtype: str
    name: str
    definition: Any
    node: Any

    @property
    def constraints(self) -> tuple[Any, ...]:
        """The constraints that it adds."""
        if self.subtype == "AT_AddConstraint" and self.definition is not None:
            return (self.definition,)
        if self.subtype == "AT_AddColumn" and self.definition is not None:
            return tuple(c.constraint for c in self.definition.constraints)
        return ()

    @property
    def constraint_kinds(self) -> tuple[str, ...]:
        """Of which kinds these are, as ``CONSTR_CHECK``."""
        return tuple(enum_word(c, "contype") for c in self.constraints)


def _definition(command: Any) -> Any:
    inner = getattr(command, "def")
    kind = inner.WhichOneof("node")
    return getattr(inner, kind) if kind else None


def parse(text: str) -> Parsed | None:
    """Read one statement; None where our parser, which may be older than the server, does not take it."""
    for has_variables, one in ((False, text), (True, _VARIABLE.sub("", text))):
        parsed = parse_one(one)
        if parsed is None:
            continue
        kind, node = parsed
        if kind == "explain_stmt" and any(o.def_elem.defname == "analyze" for o in node.options):
            kind = node.query.WhichOneof("node")  # which it runs
            node = getattr(node.query, kind)
        return Parsed(kind, node, has_variables)
    return None


# What makes of a text or a name the value of a variable.
_VARIABLE = re.compile(r"""(?<!:):(?=['"])""")


def relation_name(relation: Any) -> str:
    """A relation as it is written: with its schema where the text has one."""
    return qualified(*(part for part in (relation.schemaname, relation.relname) if part))


def names_of(items: Iterable[Any]) -> tuple[str, ...]:
    """The texts of a list of names."""
    return tuple(i.string.sval for i in items if i.HasField("string"))


def dropped_names(node: Any) -> Iterator[tuple[str, ...]]:
    """The parts of each name that a DROP has."""
    for one in node.objects:
        kind = one.WhichOneof("node")
        if kind == "list":
            yield names_of(one.list.items)
        elif kind == "object_with_args":
            yield names_of(one.object_with_args.objname)
        elif kind == "type_name":
            yield names_of(one.type_name.names)
        elif kind == "string":
            yield (one.string.sval,)


def walk(message: Any) -> Iterator[Any]:
    """Every node below one, itself included."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in (value,) if hasattr(value, "ListFields") else value:
                yield from walk(one)


def pins(where: Any, *, with_ranges: bool = False) -> frozenset[str]:
    """The columns that a condition holds to a few values: ``=``, ``IN`` (…), ``BETWEEN`` constants; or to a range."""
    kind = where.WhichOneof("node")
    if kind == "bool_expr" and enum_word(where.bool_expr, "boolop") == "AND_EXPR":
        return frozenset().union(*(pins(one, with_ranges=with_ranges) for one in where.bool_expr.args))
    if kind != "a_expr":
        return frozenset()
    expr = where.a_expr
    how, operator = enum_word(expr, "kind"), names_of(expr.name)[-1:]
    compares = ("=", "<", "<=", ">", ">=") if with_ranges else ("=",)
    known = {"AEXPR_OP": compares, "AEXPR_IN": ("=",), "AEXPR_BETWEEN": ("BETWEEN",)}.get(how, ())
    if not operator or operator[0] not in known:
        return frozenset()
    sides = [(expr.lexpr, expr.rexpr)]
    if how == "AEXPR_OP":
        sides.append((expr.rexpr, expr.lexpr))
    return frozenset(
        names_of(column.column_ref.fields)[-1]
        for column, value in sides
        if column.HasField("column_ref") and names_of(column.column_ref.fields) and not _reads_columns(value)
    )


def _reads_columns(value: Any) -> bool:
    """Does it depend on a row?  A query of its own does not, as far as the row that it is asked for goes."""
    if value.HasField("sub_link"):
        return False
    return any(type(node).__name__ == "ColumnRef" for node in walk(value))


def is_limited(where: Any) -> bool:
    """Is a query with a LIMIT a part of it, by which a batch is chosen?"""
    return any(type(n).__name__ == "SelectStmt" and n.HasField("limit_count") for n in walk(where))


def changes_many(node: Any, unique: Collection[frozenset[str]]) -> bool:
    """May an UPDATE, a DELETE or a SELECT reach many rows, given the columns of each unique index of its table?"""
    if not node.HasField("where_clause"):
        return not (hasattr(node, "limit_count") and node.HasField("limit_count"))
    pinned = pins(node.where_clause)
    return not any(columns <= pinned for columns in unique) and not is_limited(node.where_clause)
