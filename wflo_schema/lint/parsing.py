"""What the text of one statement says, as PostgreSQL's parser reads it.

Hides the parser's nodes.  Asked only where a rehearsal cannot tell: why something happens, and which rows are meant.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from wflo_schema.files.creations import enum_word, parse_one, walk
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

    @property
    def foreign_keys(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each foreign key that it makes."""
        named = [
            (c, c.definition.colname if c.subtype == "AT_AddColumn" else "") for c in self.commands if c.constraints
        ]
        found = [(one, column) for c, column in named for one in c.constraints]
        for element in self.node.table_elts if self.kind == "create_stmt" else ():
            if element.HasField("constraint"):
                found.append((element.constraint, ""))
            found += [(one.constraint, element.column_def.colname) for one in element.column_def.constraints]
        keys = [(one, column) for one, column in found if enum_word(one, "contype") == "CONSTR_FOREIGN"]
        return tuple(names_of(one.fk_attrs) or (column,) for one, column in keys)


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


def truth(where: Any) -> bool | None:
    """What a condition is, whatever the row: NULL counts as false; None where it is not the same for each."""
    kind = where.WhichOneof("node")
    if kind == "bool_expr":
        of, each = enum_word(where.bool_expr, "boolop"), [truth(one) for one in where.bool_expr.args]
        if of == "NOT_EXPR":
            is_null = any(type(node).__name__ == "A_Const" and node.isnull for node in walk(where))
            return None if each[0] is None or is_null else not each[0]
        decides = of == "OR_EXPR"
        return decides if decides in each else None if None in each else not decides
    if kind == "type_cast" and names_of(where.type_cast.type_name.names)[-1:] in (("bool",), ("boolean",)):
        text = where.type_cast.arg.a_const.sval.sval.strip().lower()
        return True if text in _TRUE else False if text in _FALSE else truth(where.type_cast.arg)
    if kind == "a_const" and (where.a_const.isnull or where.a_const.HasField("boolval")):
        return bool(where.a_const.boolval.boolval)
    if kind == "a_expr" and enum_word(where.a_expr, "kind") == "AEXPR_OP":
        sides = [_value(one) for one in (where.a_expr.lexpr, where.a_expr.rexpr)]
        compare = _COMPARE.get(names_of(where.a_expr.name)[-1])
        kinds = {type(side) for side in sides}
        # Which of two texts comes first depends on a collation.
        if compare is not None and (kinds == {int} or (kinds == {str} and compare in (operator.eq, operator.ne))):
            return bool(compare(*sides))
    return None


_TRUE, _FALSE = frozenset({"t", "true", "yes", "on", "1"}), frozenset({"f", "false", "no", "off", "0"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _value(one: Any) -> int | str | None:
    """A whole number or a text, as it is written."""
    const = one.a_const if one.WhichOneof("node") == "a_const" else None
    if const is None or const.isnull or const.WhichOneof("val") not in ("ival", "sval"):
        return None
    return int(const.ival.ival) if const.HasField("ival") else str(const.sval.sval)


def pins(where: Any, *, with_ranges: bool = False, constants: Collection[str] = ()) -> frozenset[str]:
    """The columns that a condition holds to a few values: ``=``, ``IN`` (…), ``BETWEEN`` constants; or to a range.

    ``constants`` are names, of variables or of lists of values, that count as values.
    """
    kind = where.WhichOneof("node")
    pin = functools.partial(pins, with_ranges=with_ranges, constants=constants)
    if kind == "bool_expr":
        each = [one for one in where.bool_expr.args if truth(one) is None]
        if enum_word(where.bool_expr, "boolop") == "AND_EXPR":
            return frozenset().union(*map(pin, each))
        if enum_word(where.bool_expr, "boolop") == "OR_EXPR" and each:
            return frozenset.intersection(*map(pin, each))
    if kind != "a_expr":
        return frozenset()
    expr = where.a_expr
    how, sign = enum_word(expr, "kind"), names_of(expr.name)[-1:]
    compares = ("=", "<", "<=", ">", ">=") if with_ranges else ("=",)
    known = {"AEXPR_OP": compares, "AEXPR_IN": ("=",), "AEXPR_OP_ANY": ("=",), "AEXPR_BETWEEN": ("BETWEEN",)}
    if not sign or sign[0] not in known.get(how, ()):
        return frozenset()
    sides = [(expr.lexpr, expr.rexpr)]
    if how == "AEXPR_OP":
        sides.append((expr.rexpr, expr.lexpr))
    return frozenset(
        names_of(column.column_ref.fields)[-1]
        for column, value in sides
        if column.HasField("column_ref") and _reads_columns(column, constants) and not _reads_columns(value, constants)
        and names_of(column.column_ref.fields)
    )  # fmt: skip


def _reads_columns(value: Any, constants: Collection[str]) -> bool:
    """Does it depend on a row?  A query of its own does not, as far as the row that it is asked for goes."""
    if value.HasField("sub_link"):
        return False
    named = (names_of(node.fields)[:1] for node in walk(value) if type(node).__name__ == "ColumnRef")
    return any(not name or name[0] not in constants for name in named)


def _listed_values(node: Any) -> frozenset[str]:
    """The names of lists of values that a statement joins: they are as long as they are written."""
    sources = [*getattr(node, "from_clause", ()), *getattr(node, "using_clause", ())]
    lists = {
        one.range_subselect.alias.aliasname for one in sources if one.range_subselect.subquery.select_stmt.values_lists
    }
    given = {
        cte.common_table_expr.ctename
        for cte in node.with_clause.ctes
        if cte.common_table_expr.ctequery.select_stmt.values_lists
    }
    named = [one.range_var for one in sources if one.HasField("range_var") and one.range_var.relname in given]
    return frozenset(lists | {one.alias.aliasname or one.relname for one in named})


def is_limited(where: Any) -> bool:
    """Is a query with a LIMIT a part of it, by which a batch is chosen?"""
    return any(type(n).__name__ == "SelectStmt" and n.HasField("limit_count") for n in walk(where))


def changes_many(node: Any, unique: Collection[frozenset[str]], constants: Collection[str] = ()) -> bool:
    """May an UPDATE, a DELETE or a SELECT reach many rows, given the columns of each unique index of its table?

    ``constants`` as `pins` takes them.
    """
    if not node.HasField("where_clause"):
        return not (hasattr(node, "limit_count") and node.HasField("limit_count"))
    if truth(node.where_clause) is False:
        return False
    pinned = pins(node.where_clause, constants={*constants, *_listed_values(node)})
    return not any(columns <= pinned for columns in unique) and not is_limited(node.where_clause)


def in_block(node: Any) -> tuple[tuple[Parsed, ...], frozenset[str]]:
    """The statements of rows that a DO block in PL/pgSQL says, run or not, and the names of its variables.

    None of a block that commits by itself: it goes on in another transaction.
    """
    import postgast

    said = {o.def_elem.defname: o.def_elem.arg.string.sval for o in node.args}
    if said.get("language", "plpgsql") != "plpgsql":
        return (), frozenset()
    body = said.get("as", "").replace("'", "''")
    try:
        tree = postgast.parse_plpgsql(f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS '{body}'")
    except postgast.PgQueryError:
        return (), frozenset()
    found = list(_keyed_values(tree))
    if any(key == "PLpgSQL_stmt_commit" for key, _ in found):
        return (), frozenset()
    queries = [value["sqlstmt"]["PLpgSQL_expr"]["query"] for key, value in found if key == "PLpgSQL_stmt_execsql"]
    parsed = [one for one in map(parse, queries) if one is not None and one.is_of_rows]
    return tuple(parsed), frozenset(str(value) for key, value in found if key == "refname")


def _keyed_values(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a tree of dicts and lists, with what it has."""
    if isinstance(tree, list):
        for one in tree:
            yield from _keyed_values(one)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield key, value
            yield from _keyed_values(value)
