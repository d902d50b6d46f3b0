"""What a migration would break, lose or reach beside waiting: names the application uses, rows, other things.

Judged by a statement's words: a rehearsal without rows and without an application shows none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from wflo_schema.files.creations import enum_word
from wflo_schema.files.places import changed_places
from wflo_schema.findings import Severity
from wflo_schema.lint.blocking import Flaw, Step
from wflo_schema.lint.context import Context, New
from wflo_schema.lint.parsing import Command, Parsed, dropped_names, names_of, relation_name
from wflo_schema.names import bare_name, qualified

_TABLES = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})
_CLUSTER = {
    "create_role_stmt": "a role",
    "alter_role_stmt": "a role",
    "alter_role_set_stmt": "the settings of a role",
    "drop_role_stmt": "a role",
    "grant_role_stmt": "the members of a role",
    "createdb_stmt": "a database",
    "dropdb_stmt": "a database",
    "alter_database_stmt": "a database",
    "alter_database_set_stmt": "the settings of a database",
    "create_table_space_stmt": "a tablespace",
    "drop_table_space_stmt": "a tablespace",
    "alter_system_stmt": "the settings of the server",
}
_SMALL_KEYS = frozenset({"int2", "int4", "serial", "serial2", "serial4", "smallserial"})


def judge(step: Step, context: Context, new: New, *, is_late: bool) -> Iterator[Flaw]:
    """What one statement would break.  ``is_late``: it runs once no old version of the application is left."""
    if not _MAY_BREAK.search(step.traced.text):
        return
    parsed = step.parse()
    if parsed is None:
        return
    if not is_late:
        # Who uses phases says which files the old version of the application still meets.
        weight = Severity.WARNING if context.uses_phases else None
        yield from (replace(flaw, severity=weight) for flaw in _names(parsed, step, new))
    yield from _refused(parsed, step, new)
    yield from _cascade(parsed, step, new)
    yield from _reach(parsed)
    yield from outside(step, context)
    yield from _types(parsed)
    yield from _settings(parsed)


_MAY_BREAK = re.compile(
    r"\b(?:DROP|RENAME|TRUNCATE|CASCADE|ROLE|USER|GROUP|DATABASE|TABLESPACE|SYSTEM|PUBLIC|NOT\s+NULL|UNIQUE|JSON|INT\w*"
    r"|SMALLINT|\w*SERIAL\d?|PRIMARY|LOCK_TIMEOUT|CREATE|ALTER)\b",
    re.IGNORECASE,
)


def _is_new(written: str, step: Step, new: New) -> bool:
    """Was it made by what is judged?  A name without a schema is looked for among what the statement locks."""
    meant = [
        k.relation for k in step.traced.locks if k.relation == written or bare_name(k.relation) == bare_name(written)
    ]
    if meant:
        return all(name in new for name in meant)
    bare = bare_name(written)
    return new.has_bare(bare) or any(bare_name(name) == bare for name in step.traced.made)


def renamed_new(step: Step, new: New) -> frozenset[str]:
    """The name that the statement gives to a relation which is new: the transaction knows it under its first one."""
    parsed = step.parse() if _RENAMES.search(step.traced.text) else None
    if parsed is None or parsed.kind != "rename_stmt" or not parsed.node.HasField("relation"):
        return frozenset()
    node: Any = parsed.node
    if enum_word(node, "rename_type") not in _TABLES or not _is_new(relation_name(node.relation), step, new):
        return frozenset()
    schemas = {k.relation.removesuffix(bare_name(k.relation)) for k in step.traced.locks if k.relation in new}
    return frozenset(f"{schema}{qualified(node.newname)}" for schema in schemas)


def added_columns(step: Step) -> frozenset[tuple[str, str]]:
    """The columns that the statement adds, each with the bare name of its table."""
    parsed = step.parse() if _ADDS.search(step.traced.text) else None
    if parsed is None or parsed.kind != "alter_table_stmt":
        return frozenset()
    table = bare_name(relation_name(parsed.node.relation))
    return frozenset((table, c.definition.colname) for c in parsed.commands if c.subtype == "AT_AddColumn")


_ADDS = re.compile(r"\AALTER\s+TABLE\b.*\bADD\b", re.IGNORECASE | re.DOTALL)
_RENAMES = re.compile(r"\bRENAME\b", re.IGNORECASE)


def _names(parsed: Parsed, step: Step, new: New) -> Iterator[Flaw]:
    """What the running version of an application may use, and does not find any more."""
    node: Any = parsed.node
    if parsed.kind == "rename_stmt" and node.HasField("relation"):
        table, kind = relation_name(node.relation), enum_word(node, "rename_type")
        if _is_new(table, step, new):
            return
        if kind in _TABLES:
            yield Flaw("renamed", table, f"{table} becomes {qualified(node.newname)}: who asks for {table} fails")
        elif kind in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE") and (bare_name(table), node.subname) not in new.columns:
            name = f"{table}.{qualified(node.subname)}"
            yield Flaw(
                "renamed", name, f"{name} becomes {qualified(node.newname)}: who asks for it by its old name fails"
            )
    elif parsed.kind == "rename_stmt" and enum_word(node, "rename_type") == "OBJECT_SCHEMA":
        name, becomes = qualified(node.subname), qualified(node.newname)
        yield Flaw("renamed", name, f"the schema {name} becomes {becomes}: who asks for something in {name} fails")
    elif parsed.kind == "alter_enum_stmt" and node.old_val:
        name = qualified(*names_of(node.type_name))
        yield Flaw("renamed", name, f"the value {node.old_val} of {name} becomes {node.new_val}: the old one fails")
    elif parsed.kind == "drop_stmt" and enum_word(node, "remove_type") == "OBJECT_SCHEMA":
        for parts in dropped_names(node):
            yield Flaw("dropped", qualified(*parts), f"the schema {qualified(*parts)} is gone")
    elif parsed.kind == "alter_object_schema_stmt" and node.HasField("relation"):
        table = relation_name(node.relation)
        if not _is_new(table, step, new):
            yield Flaw("renamed", table, f"{table} moves into the schema {qualified(node.newschema)}")
    elif parsed.kind == "drop_stmt" and enum_word(node, "remove_type") in _TABLES:
        for parts in dropped_names(node):
            name = qualified(*parts)
            if not _is_new(name, step, new):
                yield Flaw("dropped", name, f"{name} is gone for whoever still asks for it, and its rows with it")
    for command in parsed.commands:
        table = relation_name(node.relation)
        is_new = _is_new(table, step, new) or (bare_name(table), command.name) in new.columns
        if command.subtype == "AT_DropColumn" and not is_new:
            name = f"{table}.{qualified(command.name)}"
            yield Flaw("dropped", name, f"{name} is gone for whoever still asks for it, and its values with it")


def _refused(parsed: Parsed, step: Step, new: New) -> Iterator[Flaw]:
    """What PostgreSQL refuses once there is a row, and takes where there is none."""
    if parsed.kind != "alter_table_stmt" or step.traced.error:
        return
    table = relation_name(parsed.node.relation)
    if _is_new(table, step, new):
        return
    for command in parsed.commands:
        if command.subtype != "AT_AddColumn" or command.definition is None:
            continue
        if command.node.missing_ok and not step.traced.locks:
            continue
        kinds, name = set(command.constraint_kinds), f"{table}.{qualified(command.definition.colname)}"
        has_default = _has_default(command, kinds)
        if kinds & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} and not has_default:
            yield Flaw(
                "refused-on-rows", name, f"{name} is NOT NULL and has no default: no row that is there can have it"
            )
        elif kinds & {"CONSTR_UNIQUE", "CONSTR_PRIMARY"} and _constant_default(command):
            yield Flaw("refused-on-rows", name, f"{name} is unique, and each row that is there gets the same value")


def _has_default(command: Command, kinds: set[str]) -> bool:
    type_name = names_of(command.definition.type_name.names)[-1:]
    is_serial = bool(type_name) and "serial" in type_name[0]
    given = [c for c in command.constraints if enum_word(c, "contype") == "CONSTR_DEFAULT"]
    if given and given[0].raw_expr.HasField("a_const") and given[0].raw_expr.a_const.isnull:
        return False
    return is_serial or bool(kinds & {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"})


def _constant_default(command: Command) -> bool:
    return any(
        enum_word(c, "contype") == "CONSTR_DEFAULT" and c.raw_expr.HasField("a_const") and not c.raw_expr.a_const.isnull
        for c in command.constraints
    )


def _cascade(parsed: Parsed, step: Step, new: New) -> Iterator[Flaw]:
    """What goes along, or loses all its rows."""
    node: Any = parsed.node
    if parsed.kind == "truncate_stmt":
        named = [relation_name(r.range_var) for r in node.relations]
        for name in named:
            if not _is_new(name, step, new):
                yield Flaw(
                    "truncated", name, f"all rows of {name} are gone for good, and a rollback cannot bring them back"
                )
    elif parsed.kind == "drop_stmt":
        named = [qualified(*parts) for parts in dropped_names(node)]
    elif any(c.subtype in ("AT_DropColumn", "AT_DropConstraint") for c in parsed.commands):
        named = [relation_name(node.relation)]
    else:
        return
    behaviors = [node.behavior] if hasattr(node, "behavior") else [c.node.behavior for c in parsed.commands]
    if _CASCADE not in behaviors:
        return
    bare = {bare_name(name) for name in named}
    along = [
        lock.relation
        for lock in step.traced.locks
        if lock.stops_reads and lock.relation not in new and bare_name(lock.relation) not in bare
        and lock.kind not in ("index", "partitioned index")
    ]  # fmt: skip
    what = f"takes along {', '.join(along)}" if along else "takes along whatever depends on it"
    yield Flaw("cascade", named[0] if named else "", f"CASCADE {what}")


# DROP_CASCADE, in the parser's numbers.
_CASCADE = 2


def _reach(parsed: Parsed) -> Iterator[Flaw]:
    """What is not of this schema alone."""
    node: Any = parsed.node
    if parsed.kind in _CLUSTER:
        what = _CLUSTER[parsed.kind]
        yield Flaw("cluster-wide", what, f"it changes {what}, and so every database of the server")
    elif parsed.kind == "grant_stmt" and node.is_grant:
        grantees = {enum_word(g.role_spec, "roletype") for g in node.grantees}
        if "ROLESPEC_PUBLIC" in grantees:
            yield Flaw("granted-to-public", "PUBLIC", "every role of the server has it, those that come later as well")


def outside(step: Step, context: Context) -> Iterator[Flaw]:
    """What is made or changed in another schema than the target's."""
    parsed = step.parse() if context.schema is not None else None
    for name, _ in changed_places(parsed.kind, parsed.node) if parsed is not None else ():
        if name != context.schema:
            yield Flaw("outside-schema", name, f"it is about something in {name}, and the target is {context.schema}")


def _types(parsed: Parsed) -> Iterator[Flaw]:
    """Types that cost later what they spare now."""
    if parsed.kind == "create_stmt":
        table = relation_name(parsed.node.relation)
        columns = [e.column_def for e in parsed.node.table_elts if e.HasField("column_def")]
        keyed = {
            name
            for e in parsed.node.table_elts
            if e.HasField("constraint") and enum_word(e.constraint, "contype") == "CONSTR_PRIMARY"
            for name in names_of(e.constraint.keys)
        } if any(e.HasField("constraint") for e in parsed.node.table_elts) else set()  # fmt: skip
    elif parsed.kind == "alter_table_stmt":
        table, keyed = relation_name(parsed.node.relation), set()
        columns = [c.definition for c in parsed.commands if c.subtype == "AT_AddColumn" and c.definition is not None]
    else:
        return
    for column in columns:
        type_name = names_of(column.type_name.names)[-1:]
        name = f"{table}.{qualified(column.colname)}"
        kinds = {enum_word(c.constraint, "contype") for c in column.constraints}
        if type_name == ("json",):
            yield Flaw(
                "json-column", name, f"{name} is json, which no = compares: SELECT DISTINCT and UNION of it fail"
            )
        is_key = "CONSTR_PRIMARY" in kinds or keyed == {column.colname}
        counts = "CONSTR_IDENTITY" in kinds or "serial" in (type_name or ("",))[0]
        if is_key and counts and type_name and type_name[0] in _SMALL_KEYS:
            yield Flaw("small-key", name, f"{name} ends at {_LAST.get(type_name[0], '2,147,483,647')}")


_LAST = dict.fromkeys(("int2", "serial2", "smallserial"), "32,767")


def _settings(parsed: Parsed) -> Iterator[Flaw]:
    """A lock timeout that is lifted."""
    node: Any = parsed.node
    if parsed.kind == "variable_set_stmt" and node.name.lower() == "lock_timeout" and len(node.args) == 1:
        value = node.args[0].a_const
        if str(value.ival.ival if value.HasField("ival") else value.sval.sval).strip() in ("0", "0s", "0ms"):
            yield Flaw(
                "lock-timeout-lifted",
                "lock_timeout",
                "a statement behind it may wait for a lock for ever, and all others behind that",
            )
