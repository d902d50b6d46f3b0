"""Which schemas a statement names outright, and whether it makes or changes something there.

Hides the parser's nodes.  Of code, what a DO block says is read too; what a function says, only as far as it names one
of the schemas that are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from wflo_schema.files.built import code_of
from wflo_schema.files.creations import enum_word, parse_one, walk
from wflo_schema.files.script import Statement
from wflo_schema.files.tokens import tokens

# Bytes: a longer statement is data, and is not searched.
_LONGEST = 100_000

# What a statement must hold to be looked at.
_MAY_NAME = re.compile(rb"\.|schema|search_path", re.IGNORECASE)

# The parser's nodes that make or change something, and where in each its name is.
CHANGES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "create_stmt",
            "index_stmt",
            "alter_table_stmt",
            "create_trig_stmt",
            "rule_stmt",
            "refresh_mat_view_stmt",
        ),
        ("relation",),
    ),
    **dict.fromkeys(("create_policy_stmt", "alter_policy_stmt"), ("table",)),
    **dict.fromkeys(("create_seq_stmt", "alter_seq_stmt"), ("sequence",)),
    **dict.fromkeys(("create_enum_stmt", "create_range_stmt", "alter_enum_stmt", "alter_domain_stmt"), ("type_name",)),
    **dict.fromkeys(("define_stmt", "create_stats_stmt", "alter_stats_stmt"), ("defnames",)),
    **dict.fromkeys(("comment_stmt", "sec_label_stmt", "alter_owner_stmt"), ("object",)),
    **dict.fromkeys(("drop_stmt", "grant_stmt"), ("objects",)),
    **dict.fromkeys(("rename_stmt", "alter_object_schema_stmt", "alter_object_depends_stmt"), ("relation", "object")),
    **dict.fromkeys(("create_op_family_stmt", "alter_op_family_stmt"), ("opfamilyname",)),
    "create_table_as_stmt": ("into.rel",),
    "create_foreign_table_stmt": ("base_stmt.relation",),
    "select_stmt": ("into_clause.rel",),
    "view_stmt": ("view",),
    "create_function_stmt": ("funcname",),
    "alter_function_stmt": ("func",),
    "create_domain_stmt": ("domainname",),
    "composite_type_stmt": ("typevar",),
    "alter_type_stmt": ("type_name",),
    "alter_operator_stmt": ("opername",),
    "create_op_class_stmt": ("opclassname",),
    "create_conversion_stmt": ("conversion_name",),
    "alter_tsdictionary_stmt": ("dictname",),
    "alter_tsconfiguration_stmt": ("cfgname",),
    "truncate_stmt": ("relations",),
}

# Where a schema itself is named.
SCHEMA_FIELDS = {
    "create_schema_stmt": "schemaname",
    "alter_object_schema_stmt": "newschema",
    "import_foreign_schema_stmt": "local_schema",
}

# What stands behind the name of a relation, before that of an operator's class, and what has no schema of its own.
_PARTS = ("OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE")
_OF_METHOD = ("OBJECT_OPCLASS", "OBJECT_OPFAMILY")
_WITHOUT = ("OBJECT_CAST", "OBJECT_TRANSFORM", "OBJECT_EXTENSION")
_TYPES = ("objtype", "remove_type", "object_type", "rename_type")

# Fields of the parser's nodes that hold a name as a list of its parts.
_QUALIFIED = frozenset({"funcname", "names", "objname", "collname", "defnames", "name", "type_name", "items"})

# A text that begins with the name of a schema: of a regclass, or what nextval() takes.
_IN_TEXT = re.compile(r"""\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\W\d][\w$]*))\s*\.\s*(?:"|[^\W\d])""")

# Behind these words the name of a relation stands, and not an alias.
_BEFORE_RELATION = frozenset({"from", "join", "into", "update", "table", "only", "on", "references", "using", "view"})

# Where a statement of PL/pgSQL begins; what of it is SQL that changes something.
_BEGINS = frozenset({"", ";", "begin", "then", "else", "loop"})
_CHANGING = frozenset("create alter drop comment grant revoke truncate refresh set import".split())


def changed_places(kind: str, node: Any) -> Iterator[tuple[str, str]]:
    """Schema and name of each thing that a statement makes or changes in a schema which it names.

    The name is empty for the schema itself.  ``pg_temp`` is none.
    """
    of = next((enum_word(node, field) for field in _TYPES if field in node.DESCRIPTOR.fields_by_name), "")
    if kind in SCHEMA_FIELDS and of not in _WITHOUT:
        yield from ((name, "") for name in (getattr(node, SCHEMA_FIELDS[kind]),) if name)
    if kind == "rename_stmt" and of == "OBJECT_SCHEMA":
        yield node.subname, ""
    if kind == "alter_default_privileges_stmt":
        for option in node.options:
            if option.def_elem.defname == "schemas":
                yield from ((item.string.sval, "") for item in option.def_elem.arg.list.items)
    are_schemas = of == "OBJECT_SCHEMA" or (
        kind == "grant_stmt" and enum_word(node, "targtype") == "ACL_TARGET_ALL_IN_SCHEMA"
    )
    for path in CHANGES.get(kind, ()):
        for value in _at(node, path):
            parts = _parts(value)
            if are_schemas:
                yield from ((name, "") for name in parts[:1])
                continue
            is_whole = getattr(value, "DESCRIPTOR", None) is not None and value.DESCRIPTOR.name == "RangeVar"
            parts = parts if is_whole else parts[:-1] if of in _PARTS else parts[1:] if of in _OF_METHOD else parts
            if len(parts) > 1 and of not in _WITHOUT and parts[-2] != "pg_temp":
                yield parts[-2], parts[-1]


def sets_path(kind: str, node: Any) -> bool:
    """Does it change the search_path: of the session, or of whoever comes?"""
    setting = getattr(node, "setstmt", node) if kind in ("alter_role_set_stmt", "alter_database_set_stmt") else node
    if setting.DESCRIPTOR.name == "VariableSetStmt":
        return bool(setting.name.lower() == "search_path")
    return any(
        one.DESCRIPTOR.name == "FuncCall"
        and one.funcname[-1].string.sval == "set_config"
        and len(one.args) > 0
        and one.args[0].a_const.sval.sval.lower() == "search_path"
        for one in walk(node)
    )


def mentioned_schemas(statement: Statement, node: Any, schemas: Collection[str]) -> Iterator[str]:
    """Those of the schemas that it names, in whatever place; of code, where it can be nothing else, as an alias."""
    for one in walk(node):
        kind = one.DESCRIPTOR.name
        if kind == "RangeVar":
            found = one.schemaname
        elif kind == "ColumnRef":
            found = one.fields[-3].string.sval if len(one.fields) > 2 else ""
        elif kind == "VariableSetStmt" and one.name.lower() == "search_path":
            yield from (arg.a_const.sval.sval for arg in one.args if arg.a_const.sval.sval in schemas)
            found = ""
        elif kind == "A_Const":
            text = _IN_TEXT.match(one.sval.sval) if one.HasField("sval") else None
            found = "" if text is None else _named(text)
        else:
            found = ""
            for field in _QUALIFIED.intersection(one.DESCRIPTOR.fields_by_name):
                value = getattr(one, field)
                parts = [] if isinstance(value, str) or hasattr(value, "ListFields") else _parts(list(value))
                if len(parts) > 1 and parts[-2] in schemas:
                    yield parts[-2]
        if found in schemas:
            yield found
    if (code := code_of(statement)) is not None:
        yield from _in_code(code, schemas)


def _named(match: re.Match[str]) -> str:
    quoted = match["quoted"]
    return match["plain"].lower() if quoted is None else quoted.replace('""', '"')


def parsed_parts(statement: Statement) -> Iterator[tuple[str, Any]]:
    """The statement as the parser reads it, and those in a DO block: kind and node of each that is understood."""
    if len(statement.raw) > _LONGEST or not _MAY_NAME.search(statement.raw):
        return
    parsed = parse_one(statement.text)
    if parsed is None:
        return
    yield parsed
    if parsed[0] == "do_stmt" and (code := code_of(statement)) is not None:
        for text in _statements_in(code):
            if (inner := parse_one(text)) is not None:
                yield inner


def _statements_in(code: str) -> Iterator[str]:
    """What changes something, of the statements in a block of PL/pgSQL; of EXECUTE, a text that is all it runs."""
    found = list(tokens(code))
    start, before = None, ""
    for number, token in enumerate(found):
        word = token.text.lower()
        if start is None and before in _BEGINS:
            if word in _CHANGING or word == "perform":
                start = number
            elif word == "execute" and number + 1 < len(found) and found[number + 1].value is not None:
                yield found[number + 1].value or ""
        if token.text == ";" and start is not None:
            text = code[found[start].start : token.start]
            yield f"SELECT{text[len('perform') :]}" if found[start].text.lower() == "perform" else text
            start = None
        before = word


def _in_code(code: str, schemas: Collection[str]) -> Iterator[str]:
    found = list(tokens(code))
    for number, token in enumerate(found[:-2]):
        name = token.name or ""
        if not name or name not in schemas or found[number + 1].text != ".":
            if token.value is not None and (text := _IN_TEXT.match(token.value)) and _named(text) in schemas:
                yield _named(text)
            continue
        behind = found[number + 3].text if number + 3 < len(found) else ""
        before = found[number - 1].text.lower() if number else ""
        if before in _BEFORE_RELATION or behind in (".", "("):
            yield name


def place_of(statement: Statement, schema: str) -> int:
    """The character, counted from 1, where it names this schema; 1 where that is not found."""
    text = statement.text
    quoted = re.escape(schema.replace('"', '""'))
    for pattern in (rf'(?:"{quoted}"|\b{quoted}\b)\s*\.', rf'(?:"{quoted}"|\b{quoted}\b)'):
        if match := re.search(pattern, text, re.IGNORECASE):
            return match.start() + 1
    return 1


def _at(node: Any, path: str) -> tuple[Any, ...]:
    """What stands in a field of a node, or of a node in it; the parts of a list are one name, unless each is a name."""
    for name in path.split(".")[:-1]:
        if not node.HasField(name):
            return ()
        node = getattr(node, name)
    field = path.rpartition(".")[2]
    value = getattr(node, field)
    if hasattr(value, "ListFields"):
        return (value,) if node.HasField(field) else ()
    if isinstance(value, str):
        return (value,)
    return tuple(value) if field in ("objects", "relations") else (list(value),)


def _parts(value: Any) -> list[str]:
    """The parts of a name, the last one its own."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [p.string.sval for p in value if p.DESCRIPTOR.name == "Node" and p.HasField("string")]
    kind = value.DESCRIPTOR.name
    if kind == "Node":
        inner = value.WhichOneof("node")
        return _parts(getattr(value, inner)) if inner else []
    if kind == "RangeVar":
        return [value.schemaname, value.relname] if value.schemaname else [value.relname]
    if kind == "String":
        return [value.sval]
    if kind == "List":
        return [part for item in value.items for part in _parts(item)]
    if kind == "ObjectWithArgs":
        return _parts(list(value.objname))
    return _parts(list(value.names)) if kind == "TypeName" else []
