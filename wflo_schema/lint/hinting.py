"""The recipes that do safely what a statement does: as commands, with its own tables and columns, to be pasted.

Hides how a statement's parts are spelled as a recipe takes them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from wflo_schema.files.creations import enum_word, walk
from wflo_schema.lint.parsing import Command, Parsed, dropped_names, names_of, relation_name, truth
from wflo_schema.names import identifiers, qualified

_COMMAND = "wflo-schema new --recipe"
_ON = {"c": "cascade", "r": "restrict", "n": "set-null", "d": "set-default"}
_OF_TABLE = frozenset({
    "type-change-rewrites", "add-column-rewrites", "not-null-scans", "check-scans", "foreign-key-scans",
    "unique-blocks", "dropped",
})  # fmt: skip


def commands(code: str, parsed: Parsed) -> tuple[str, ...]:
    """What to type for a finding of this code in a statement, in this order; empty where no recipe does it."""
    if parsed.has_variables:
        return ()
    return tuple(_spelled(words) for words in _words(code, parsed))


def way(code: str, parsed: Parsed) -> str:
    """What to do about it, where it is something else than the rule says; empty where it is not."""
    if code != "add-column-rewrites":
        return ""
    for command in parsed.commands:
        kinds = command.constraint_kinds if command.subtype == "AT_AddColumn" else ()
        if "CONSTR_GENERATED" in kinds:
            return "add a plain column, have a trigger fill it in new rows, and fill those that are there in batches"
        is_serial = command.subtype == "AT_AddColumn" and "serial" in names_of(command.definition.type_name.names)[-1]
        if is_serial or "CONSTR_IDENTITY" in kinds:
            return (
                "add the column as bigint; CREATE SEQUENCE, and SET DEFAULT nextval(…) in a second statement; fill the "
                "rows that are there in batches"
            )
        if command.subtype == "AT_AddColumn" and "CONSTR_DEFAULT" not in kinds:
            return "add it with the type that the domain is of, and its CHECK as a constraint of the table, NOT VALID"
    return ""


def index_command(table: str, columns: Iterable[str]) -> str:
    """What to type for an index of these columns."""
    return _spelled(["index", table, identifiers(columns)])


def _spelled(words: Iterable[str]) -> str:
    return " ".join(
        (_COMMAND, *(f'"{w}"' if "'" in w and not _MEANS_MORE.search(w) else shlex.quote(w) for w in words))
    )


# What a shell reads between double quotes.
_MEANS_MORE = re.compile(r'["$`\\!]')


def _words(code: str, parsed: Parsed) -> Iterator[list[str]]:
    node: Any = parsed.node
    if parsed.kind == "alter_table_stmt" and code in _OF_TABLE and enum_word(node, "objtype") == "OBJECT_TABLE":
        table = relation_name(node.relation)
        found = [_alteration(table, command) for command in parsed.commands]
        if None not in found:
            yield from (words for words in found if words is not None)
    elif code == "dropped" and parsed.kind == "drop_stmt" and enum_word(node, "remove_type") == "OBJECT_TABLE":
        yield from (["drop-table", qualified(*parts)] for parts in dropped_names(node))
    elif code == "renamed" and parsed.kind == "rename_stmt" and enum_word(node, "rename_type") == "OBJECT_COLUMN":
        if enum_word(node, "relation_type") == "OBJECT_TABLE":
            yield ["rename-column", _place(node.relation, node.subname), qualified(node.newname)]
    elif code == "index-blocks-writes" and parsed.kind == "index_stmt" and not (node.unique and _is_other(node)):
        yield _index(node)
    elif code == "rows-changed-at-once" and parsed.kind == "update_stmt" and _is_repeatable(node):
        yield _backfill(node)


def _place(relation: Any, column: str) -> str:
    return f"{relation_name(relation)}.{qualified(column)}"


def _alteration(table: str, command: Command) -> list[str] | None:
    """The words of the recipe for one part of an ALTER TABLE; None where there is none."""
    place, of = f"{table}.{qualified(command.name)}", command.definition
    match command.subtype:
        case "AT_SetNotNull":
            return ["not-null", place]
        case "AT_DropColumn":
            return ["drop-column", place]
        case "AT_AlterColumnType":
            using = ["--using", _expression(of.raw_default)] if of.HasField("raw_default") else []
            return None if of.HasField("coll_clause") else ["change-type", place, _type(of.type_name), *using]
        case "AT_AddColumn":
            return _add_column(table, of)
        case "AT_AddConstraint":
            return _constraint(table, of)
    return None


def _add_column(table: str, of: Any) -> list[str] | None:
    said = {enum_word(c.constraint, "contype"): c.constraint for c in of.constraints}
    if of.HasField("coll_clause") or not said.keys() <= {"CONSTR_DEFAULT", "CONSTR_NOTNULL", "CONSTR_NULL"}:
        return None
    if "CONSTR_DEFAULT" not in said:
        return None  # it is the type that copies the table, or no row can have it
    default = _expression(said["CONSTR_DEFAULT"].raw_expr)
    words = ["add-column", f"{table}.{qualified(of.colname)}", _type(of.type_name), "--default", default]
    return [*words, "--not-null"] if "CONSTR_NOTNULL" in said else words


def _constraint(table: str, of: Any) -> list[str] | None:
    name = ["--name", of.conname] if of.conname else []
    if of.deferrable or of.initdeferred or of.including or of.nulls_not_distinct or of.is_no_inherit or of.indexname:
        return None
    match enum_word(of, "contype"):
        case "CONSTR_CHECK":
            return ["check", table, _expression(of.raw_expr), *name]
        case "CONSTR_UNIQUE":
            return ["unique", table, identifiers(names_of(of.keys)), *name]
        case "CONSTR_PRIMARY":
            return ["primary-key", table, identifiers(names_of(of.keys)), *name]
        case "CONSTR_FOREIGN" if of.pk_attrs and of.fk_matchtype in ("", "s") and not of.fk_del_set_cols:
            places = (_columns(table, of.fk_attrs), _columns(relation_name(of.pktable), of.pk_attrs))
            on = [("--on-delete", of.fk_del_action), ("--on-update", of.fk_upd_action)]
            return ["foreign-key", *places, *(w for o, a in on if a in _ON for w in (o, _ON[a])), *name]
    return None


def _columns(table: str, columns: Any) -> str:
    names = names_of(columns)
    return f"{table}.{qualified(*names)}" if len(names) == 1 else f"{table}.({identifiers(names)})"


def _index(node: Any) -> list[str]:
    """The words for an index, each of its parts as it is written."""
    import postgast

    made = postgast.parse("CREATE INDEX ON a (b)")
    bare = made.stmts[0].stmt.index_stmt
    del bare.index_params[:]
    bare.index_params.extend(node.index_params)
    columns = str(postgast.deparse(made)).partition("(")[2].removesuffix(")")
    words = ["unique" if node.unique else "index", relation_name(node.relation), columns]
    words += ["--using", node.access_method] if _is_other(node) else []
    words += ["--where", _expression(node.where_clause)] if node.HasField("where_clause") else []
    return [*words, "--name", node.idxname] if node.idxname else words


def _is_other(node: Any) -> bool:
    """Has it another method than a btree?"""
    return node.access_method not in ("", "btree")


def _is_repeatable(node: Any) -> bool:
    """May an UPDATE be run again, as far as its words go?  It must if it is interrupted between two batches."""
    if node.relation.HasField("alias") or not {f.name for f, _ in node.ListFields()} <= _PLAIN:
        return False
    targets = [one.res_target for one in node.target_list]
    names = {one.name for one in targets}
    read = {
        name for one in targets for n in walk(one.val) if type(n).__name__ == "ColumnRef" for name in names_of(n.fields)
    }
    return not names & read and not any(one.indirection or one.val.HasField("multi_assign_ref") for one in targets)


_PLAIN = frozenset({"relation", "target_list", "where_clause"})


def _backfill(node: Any) -> list[str]:
    """The words for an UPDATE of one table."""
    import postgast

    made = postgast.parse("UPDATE a SET b = 1")
    bare = made.stmts[0].stmt.update_stmt
    del bare.target_list[:]
    bare.target_list.extend(node.target_list)
    sets = str(postgast.deparse(made)).partition(" SET ")[2]
    is_told = node.HasField("where_clause") and truth(node.where_clause) is None
    where = ["--where", _expression(node.where_clause)] if is_told else []
    return ["backfill", relation_name(node.relation), sets, *where]


def _expression(node: Any) -> str:
    import postgast

    made = postgast.parse("SELECT 1")
    made.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return str(postgast.deparse(made)).removeprefix("SELECT ")


def _type(type_name: Any) -> str:
    import postgast

    made = postgast.parse("ALTER TABLE a ADD COLUMN b text")
    getattr(made.stmts[0].stmt.alter_table_stmt.cmds[0].alter_table_cmd, "def").column_def.type_name.CopyFrom(type_name)
    return str(postgast.deparse(made)).removeprefix("ALTER TABLE a ADD COLUMN b ")
