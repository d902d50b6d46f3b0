"""SQL that makes a database as wanted, one difference at a time, and in which order all of it runs.

Hides what PostgreSQL can change in place, what needs something else first, and how a live database keeps
its rows protected meanwhile.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from wflo_schema.catalog.objects import (
    OF_RELATION,
    Difference,
    Key,
    Object,
    Path,
    as_key,
    column_definition,
    qualified,
    quote,
    table_of,
)

# Differences come in this order, so that what one mend needs another has made before.
_KINDS: tuple[str, ...] = (
    "schema",
    "extension",
    "foreign data wrapper",
    "foreign server",
    "user mapping",
    "language",
    "collation",
    "type",
    "domain",
    "function",
    "procedure",
    "aggregate",
    "operator",
    "cast",
    "conversion",
    "access method",
    "operator family",
    "operator class",
    "text search parser",
    "text search template",
    "text search dictionary",
    "text search configuration",
    "table",
    "foreign table",
    "column",
    "sequence",
    "view",
    "materialized view",
    "index",
    "constraint",
    "statistics",
    "trigger",
    "rule",
    "policy",
    "inherited index",
    "inherited constraint",
    "event trigger",
    "publication",
    "default privileges",
)
_RANK = {kind: rank for rank, kind in enumerate(_KINDS)}


# In place of an attribute: the whole object is too many, is not there, or has another name.
EXTRA, ABSENT, NAME = " extra", " absent", " name"

# Where two catalogs differ: the object, and the attribute.
Place = tuple[Key, str]


@dataclass(frozen=True, slots=True)
class Sides:
    """Both catalogs by key, in the schema names of ``have``, and what only one of them holds."""

    has: dict[Key, Object]
    wants: dict[Key, Object]
    originals: dict[Key, Object]
    absent: dict[Key, Object]
    extra: dict[Key, Object]
    absent_paths: frozenset[Path]
    extra_paths: frozenset[Path]
    has_columns: dict[Path, list[Object]]
    wants_columns: dict[Path, list[Object]]
    server_version: int


def rename(had: Object, wanted: Object) -> Difference:
    old, new = had.path[2], wanted.path[2]
    if had.kind == "index":
        mend = f"ALTER INDEX {qualified('', (had.path[0], old))} RENAME TO {quote(new)};"
    else:
        mend = f"ALTER TABLE {table_of(had)} RENAME CONSTRAINT {quote(old)} TO {quote(new)};"
    return Difference(wanted.kind, had.name, "name", quote(old), quote(new), mend)


def _literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def _comment_on(one: Object, comment: str, *, index: bool = False) -> str:
    value = _literal(comment) if comment else "NULL"
    if index:
        return f"COMMENT ON INDEX {qualified('', (one.path[0], one.path[2]))} IS {value};"
    if one.kind in ("constraint", "trigger", "rule", "policy"):
        return f"COMMENT ON {one.kind.upper()} {quote(one.path[2])} ON {table_of(one)} IS {value};"
    if one.kind.startswith("inherited") or one.kind in ("operator family", "operator class", "user mapping"):
        return ""
    return f"COMMENT ON {one.kind.upper()} {_called(one)} IS {value};"


def _called(one: Object) -> str:
    """The name that ALTER, DROP and COMMENT ON take."""
    if one.kind == "index":
        return qualified("", (one.path[0], one.path[2]))
    if one.kind == "operator":
        return f"{quote(one.path[0])}.{one.path[1]} {one.path[2]}"
    if one.kind == "cast":
        return one.path[0]
    if one.kind == "aggregate" and one.path[-1] == "()":
        return qualified("", one.path[:-1]) + "(*)"
    return one.name


def _lines(*statements: str) -> str:
    return "\n".join(filter(None, statements))


def mend_extra(one: Object) -> str:
    """Drop what holds no data of its own; the rest takes a decision."""
    if one.kind == "index":
        is_partitioned = _is_on_partitioned(one)
        return f"DROP INDEX {'' if is_partitioned else 'CONCURRENTLY '}{_called(one)};"
    if one.kind == "constraint":
        return f"ALTER TABLE {table_of(one)} DROP CONSTRAINT {quote(one.path[2])};"
    if one.kind in ("trigger", "rule", "policy"):
        return f"DROP {one.kind.upper()} {quote(one.path[2])} ON {table_of(one)};"
    if one.kind in (
        "view",
        "function",
        "procedure",
        "aggregate",
        "statistics",
        "type",
        "domain",
        "cast",
        "operator",
        "collation",
        "event trigger",
        "publication",
        "text search configuration",
        "text search dictionary",
        "conversion",
    ):
        return f"DROP {one.kind.upper()} {_called(one)};"
    return ""


def _is_on_partitioned(index: Object) -> bool:
    return re.match(r"CREATE (UNIQUE )?INDEX ON ONLY ", index.get("definition")) is not None


def mend_absent(one: Object, sides: Sides) -> str:
    create = _create(one, sides)
    if not create:
        return ""
    made = replace(one, attributes=tuple(a for a in one.attributes if a[0] in _CREATED.get(one.kind, frozenset())))
    added = (mend_attribute(made, one, name, sides) for name, _ in one.attributes if name in _ADDED.get(one.kind, ()))
    return _lines(create, *added, _comment_on(one, one.get("comment")) if one.get("comment") else "")


# Attributes that CREATE makes, and those that statements after it do.
_CREATED = {
    "constraint": frozenset({"definition", "validated", "enforced", "referenced index"}),
    "index": frozenset({"definition"}),
}
_ADDED = {
    "constraint": ("clustered", "index comment", "index options"),
    "index": ("clustered", "statistics"),
}


def is_made(one: Object, attribute: str) -> bool:
    """Say whether the SQL that makes an absent object makes this attribute of it too."""
    if attribute == "comment":
        return bool(_comment_on(one, "x"))
    if one.kind.startswith("inherited"):
        return attribute in ("definition", "validated", "enforced")
    created = _CREATED.get(one.kind)
    if created is None:
        return attribute not in _NEVER_MADE
    return attribute in created or attribute in _ADDED[one.kind]


_NEVER_MADE = frozenset({"attribute comments", "constraint comments", "depends on extension", "tablespace"})


def _create(one: Object, sides: Sides) -> str:
    definition = one.get("definition")
    match one.kind:
        case "schema":
            return f"CREATE SCHEMA {one.name};"
        case "extension":
            version = one.get("version").replace("'", "''")
            return f"CREATE EXTENSION {one.name} WITH SCHEMA {quote(one.get('schema'))} VERSION '{version}';"
        case "index":
            return _create_index(one)
        case "constraint":
            return _add_constraint(one, sides)
        case "column":
            return _add_column(one, sides)
        case "sequence":
            owner = one.get("owned by")
            return _lines(_create_sequence(one), f"ALTER SEQUENCE {one.name} OWNED BY {owner};" if owner else "")
        case "type":
            return f"CREATE TYPE {one.name} AS {definition};" if definition.startswith(("ENUM", "(", "RANGE")) else ""
        case "domain":
            return _create_domain(one)
        case "view":
            options = f" WITH ({one.get('options')})" if one.get("options") else ""
            return f"CREATE VIEW {one.name}{options} AS\n{definition.rstrip(';')};"
        case "materialized view":
            data = "WITH NO DATA" if one.get("populated") else "WITH DATA"
            options = f" WITH ({one.get('options')})" if one.get("options") else ""
            return f"CREATE MATERIALIZED VIEW {one.name}{options} AS\n{definition.rstrip(';')}\n{data};"
        case "function" | "procedure":
            return f"{definition};"
        case "statistics":
            return _lines(f"{definition};", _set_target(one) if one.get("target") else "")
        case "aggregate":
            return _create_aggregate(one)
        case "operator":
            return f"CREATE OPERATOR {quote(one.path[0])}.{one.path[1]} ({definition});"
        case "collation" | "text search dictionary":
            return f"CREATE {one.kind.upper()} {one.name} ({definition});"
        case "text search configuration":
            parser, *mappings = definition.split("; ")
            alter = f"ALTER TEXT SEARCH CONFIGURATION {one.name} ADD MAPPING FOR"
            return _lines(
                f"CREATE TEXT SEARCH CONFIGURATION {one.name} ({parser});", *(f"{alter} {m};" for m in mappings)
            )
        case "conversion":
            rest = definition.removeprefix("DEFAULT ")
            return f"CREATE {'' if rest == definition else 'DEFAULT '}CONVERSION {one.name} {rest};"
        case "cast" | "publication":
            return f"CREATE {one.kind.upper()} {_called(one)} {definition};"
        case "event trigger":
            return _lines(f"CREATE EVENT TRIGGER {one.name} {definition};", _enable(one) if one.get("enabled") else "")
        case "trigger":
            copies = [one, *_copies(one, sides)]
            return _lines(f"{definition};", *(_enable(copy, only=True) for copy in copies if copy.get("enabled")))
        case "rule":
            return _lines(definition, _enable(one) if one.get("enabled") else "")
        case "policy":
            return f"CREATE POLICY {quote(one.path[2])} ON {table_of(one)} {definition};"
    return ""


def _set_target(statistics: Object) -> str:
    return f"ALTER STATISTICS {statistics.name} SET STATISTICS {statistics.get('target') or '-1'};"


_RETURNS = re.compile(r", RETURNS = (?:[^,(]|\([^)]*\))*")


def _create_aggregate(one: Object) -> str:
    """Empty for an ordered set, and for what names an operator by its arguments."""
    arguments, _, rest = one.get("definition").removeprefix("AGGREGATE (").partition(") SFUNC = ")
    if "ORDER BY" in arguments or "SORTOP = " in rest:
        return ""
    name = ".".join(quote(part) for part in one.path[:-1])
    return f"CREATE AGGREGATE {name}({arguments or '*'}) (SFUNC = {_RETURNS.sub('', rest, count=1)});"


def _create_index(one: Object) -> str:
    head, _, rest = one.get("definition").partition(" INDEX ON ")
    if _is_on_partitioned(one):
        return f"{head} INDEX {quote(one.path[2])} ON {rest.removeprefix('ONLY ')};"
    return f"{head} INDEX CONCURRENTLY {quote(one.path[2])} ON {rest};"


def _add_constraint(one: Object, sides: Sides, *, replacing: bool = False) -> str:
    name, definition, table = quote(one.path[2]), one.get("definition"), table_of(one)
    drop = f" DROP CONSTRAINT {name}," if replacing else ""
    add = f"ALTER TABLE {table}{drop} ADD CONSTRAINT {name} {definition}"
    if one.get("enforced"):
        return f"{add} NOT ENFORCED;"
    relation = sides.wants.get(("table", one.path[:2]))
    is_partitioned = relation is not None and bool(relation.get("partition key"))
    is_foreign_key = definition.startswith("FOREIGN KEY")
    if not definition.startswith("CHECK") and (
        not is_foreign_key or (is_partitioned and 0 < sides.server_version < 180000)
    ):
        return f"{add};"
    validate = "" if one.get("validated") else f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    return _lines(f"{add} NOT VALID;", validate)


def _add_column(one: Object, sides: Sides) -> str:
    owned = [
        other
        for other in sides.absent.values()
        if other.kind == "sequence" and other.follows and as_key(other.follows) == one.key
    ]
    foreign = "FOREIGN " if ("foreign table", one.path[:2]) in sides.has else ""
    statements = [_create_sequence(sequence) for sequence in owned]
    statements.append(f"ALTER {foreign}TABLE {table_of(one)} ADD COLUMN {quote(one.path[2])} {column_definition(one)};")
    statements += [f"ALTER SEQUENCE {sequence.name} OWNED BY {one.name};" for sequence in owned]
    return _lines(*statements)


def _create_sequence(one: Object) -> str:
    return (
        f"CREATE {one.get('persistence') + ' ' if one.get('persistence') else ''}SEQUENCE {one.name} "
        f"AS {one.get('type')} {_sequence_options(one)};"
    )


def _sequence_options(one: Object) -> str:
    return (
        f"INCREMENT BY {one.get('increment')} MINVALUE {one.get('minimum')} MAXVALUE {one.get('maximum')} "
        f"START WITH {one.get('start')} CACHE {one.get('cache')} {one.get('cycle') or 'NO CYCLE'}"
    )


def _create_domain(one: Object) -> str:
    collation, default = one.get("collation"), one.get("default")
    words = (
        f"CREATE DOMAIN {one.name} AS {one.get('type')}",
        f"COLLATE {collation}" if collation else "",
        f"DEFAULT {default}" if default else "",
        one.get("not null"),
        one.get("constraints"),
    )
    return " ".join(filter(None, words)) + ";" if "NOT VALID" not in one.get("constraints") else ""


def _copies(trigger: Object, sides: Sides) -> list[Object]:
    """A trigger's clones on partitions, theirs too."""
    found = []
    followed = {trigger.key}
    left = [one for one in sides.wants.values() if one.kind == "trigger" and one.follows]
    while left:
        near = [one for one in left if as_key(one.follows) in followed]
        if not near:
            break
        found += near
        followed = {one.key for one in near}
        left = [one for one in left if one not in near]
    return found


def are_alike(trigger: Key, sides: Sides) -> bool:
    """Say whether a trigger and all of its copies are to be enabled in the same way."""
    wanted = sides.wants.get(trigger)
    return wanted is None or all(one.get("enabled") == wanted.get("enabled") for one in _copies(wanted, sides))


def _enable(one: Object, *, only: bool = False) -> str:
    how = {"": "ENABLE", "DISABLED": "DISABLE", "REPLICA": "ENABLE REPLICA", "ALWAYS": "ENABLE ALWAYS"}
    if one.kind == "event trigger":
        return f"ALTER EVENT TRIGGER {one.name} {how[one.get('enabled')]};"
    alter = f"ALTER TABLE {'ONLY ' if only else ''}{table_of(one)} {how[one.get('enabled')]}"
    return f"{alter} {one.kind.upper()} {quote(one.path[2])};"


def mend_attribute(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    if attribute == "comment":
        return _comment_on(wanted, wanted.get("comment"))
    if attribute == "index comment":
        return _comment_on(wanted, wanted.get("index comment"), index=True)
    if attribute == "owner" and wanted.kind not in OF_RELATION:
        return f"ALTER {wanted.kind.upper()} {_called(wanted)} OWNER TO {quote(wanted.get('owner'))};"
    match wanted.kind:
        case "index":
            return _mend_index(had, wanted, attribute, sides)
        case "constraint":
            return _mend_constraint(had, wanted, attribute, sides)
        case "inherited constraint" if attribute == "triggers" and not wanted.get("triggers"):
            root = sides.wants.get(as_key(wanted.follows))
            return _mend_constraint(had, root, attribute, sides) if root is not None else ""
        case "column":
            return _mend_column(had, wanted, attribute, sides)
        case "table" | "view" | "materialized view":
            return _mend_relation(had, wanted, attribute)
        case "sequence":
            return _mend_sequence(wanted, attribute)
        case "domain" if attribute == "default":
            value = wanted.get("default")
            return f"ALTER DOMAIN {wanted.name} {f'SET DEFAULT {value}' if value else 'DROP DEFAULT'};"
        case "domain" if attribute == "not null":
            return f"ALTER DOMAIN {wanted.name} {'SET' if wanted.get('not null') else 'DROP'} NOT NULL;"
        case "type" if attribute == "definition":
            return _mend_enum(had, wanted)
        case "function" | "procedure" if attribute == "definition":
            return f"{wanted.get('definition')};" if _head(had) == _head(wanted) else ""
        case "statistics" if attribute == "target":
            return _set_target(wanted)
        case "publication" | "event trigger" | "cast" if attribute == "definition":
            return _lines(mend_extra(had), mend_absent(wanted, sides))
        case "event trigger" if attribute == "enabled":
            return _enable(wanted)
        case "trigger" | "rule" | "policy":
            if attribute == "enabled":
                return _enable(wanted, only=not are_alike(wanted.key, sides))
            if attribute == "definition":
                return _lines(mend_extra(had), mend_absent(wanted, sides))
    return ""


def _head(function: Object) -> tuple[str, ...]:
    """Name, arguments, result and kind: what CREATE OR REPLACE cannot change."""
    head = re.split(r"\nAS |\nBEGIN ATOMIC|\nRETURN ", function.get("definition"), maxsplit=1)[0].split("\n")
    return (*head[:2], "WINDOW" if any(re.search(r"\bWINDOW\b", line) for line in head[2:]) else "")


def _mend_index(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    if attribute == "definition":
        new = replace(wanted, path=(*wanted.path[:2], _free_name(wanted, "_new", sides)))
        return _lines(
            _create_index(new),
            mend_extra(had),
            rename(new, wanted).mend,
            _comment_on(wanted, wanted.get("comment")) if wanted.get("comment") else "",
        )
    if attribute == "valid" and not wanted.get("valid") and not _is_on_partitioned(wanted):
        return f"REINDEX INDEX CONCURRENTLY {_called(wanted)};"
    if attribute == "clustered":
        how = f"CLUSTER ON {quote(wanted.path[2])}" if wanted.get("clustered") else "SET WITHOUT CLUSTER"
        return f"ALTER TABLE {table_of(wanted)} {how};"
    if attribute == "statistics":
        return _set_statistics(wanted, had)
    return ""


def _mend_constraint(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    name, table = quote(wanted.path[2]), table_of(wanted)
    if attribute == "validated" and not wanted.get("validated") and not had.get("enforced"):
        return f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    if attribute == "enforced" and wanted.get("definition").startswith("FOREIGN KEY"):
        return f"ALTER TABLE {table} ALTER CONSTRAINT {name} {wanted.get('enforced') or 'ENFORCED'};"
    is_switched_on = attribute == "triggers" and not wanted.get("triggers") and " of " not in had.get("triggers")
    if is_switched_on or (attribute in ("definition", "validated", "enforced") and not had.follows):
        comment = wanted.get("comment")
        return _lines(_add_constraint(wanted, sides, replacing=True), _comment_on(wanted, comment) if comment else "")
    if attribute == "clustered":
        return f"ALTER TABLE {table} {f'CLUSTER ON {name}' if wanted.get('clustered') else 'SET WITHOUT CLUSTER'};"
    if attribute == "index options":
        index = qualified("", (wanted.path[0], wanted.path[2]))
        return _set_options(f"ALTER INDEX {index}", had.get(attribute), wanted.get(attribute))
    return ""


def _mend_column(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    alter = f"ALTER TABLE {table_of(wanted)} ALTER COLUMN {quote(wanted.path[2])}"
    value = wanted.get(attribute)
    if attribute == "default" and not wanted.get("generated") and not had.get("generated"):
        return f"{alter} SET DEFAULT {value};" if value else f"{alter} DROP DEFAULT;"
    if attribute == "not null" and value in ("", "NOT NULL") and had.get("not null") in ("", "NOT NULL"):
        called = wanted.get("not null constraint")
        if called and sides.server_version >= 180000:
            return f"ALTER TABLE {table_of(wanted)} ADD CONSTRAINT {quote(called)} NOT NULL {quote(wanted.path[2])};"
        return f"{alter} SET NOT NULL;" if value else f"{alter} DROP NOT NULL;"
    if attribute == "identity" and not had.get("identity"):
        return f"{alter} ADD {value};"
    if attribute == "identity" and not value:
        return f"{alter} DROP IDENTITY;"
    if attribute == "generated" and not value:
        return f"{alter} DROP EXPRESSION;" if had.get("generated").endswith("STORED") else ""
    if attribute == "storage" and (value or sides.server_version >= 160000):
        return f"{alter} SET STORAGE {value or 'DEFAULT'};".replace("ALTER TABLE", _alter(wanted, sides), 1)
    if attribute == "identity persistence" and had.get("identity sequence"):
        said = {"UNLOGGED": "UNLOGGED", "LOGGED": "LOGGED"}
        return f"ALTER SEQUENCE {had.get('identity sequence')} SET {said.get(value) or _other(had.get(attribute))};"
    if attribute == "identity comment" and had.get("identity sequence"):
        return f"COMMENT ON SEQUENCE {had.get('identity sequence')} IS {_literal(value) if value else 'NULL'};"
    if attribute == "not null comment" and wanted.get("not null constraint"):
        on = f"{quote(wanted.get('not null constraint'))} ON {table_of(wanted)}"
        return f"COMMENT ON CONSTRAINT {on} IS {_literal(value) if value else 'NULL'};"
    if attribute == "compression":
        return f"{alter} SET COMPRESSION {value or 'default'};"
    if attribute == "statistics":
        return f"{alter} SET STATISTICS {value or '-1'};"
    return ""


def _other(persistence: str) -> str:
    return "LOGGED" if persistence == "UNLOGGED" else "UNLOGGED"


def _alter(column: Object, sides: Sides) -> str:
    """How a statement begins that alters the relation a column is of."""
    kinds = ("foreign table", "materialized view", "view")
    kind = next((kind for kind in kinds if (kind, column.path[:2]) in sides.wants), "table")
    return f"ALTER {kind.upper()}"


def _set_options(alter: str, had: str, wanted: str) -> str:
    old = dict(option.partition("=")[::2] for option in had.split(", ") if option)
    new = dict(option.partition("=")[::2] for option in wanted.split(", ") if option)
    dropped = ", ".join(name for name in old if name not in new)
    return _lines(
        f"{alter} RESET ({dropped});" if dropped else "",
        f"{alter} SET ({', '.join(f'{n}={v}' if v else n for n, v in new.items())});" if new else "",
    )


def _set_statistics(index: Object, had: Object | None = None) -> str:
    """For an index's columns, counted from one."""
    new = dict(one.partition("=")[::2] for one in index.get("statistics").split(", ") if one)
    old = dict(one.partition("=")[::2] for one in had.get("statistics").split(", ") if one) if had else {}
    alter = f"ALTER INDEX {_called(index)} ALTER COLUMN"
    changed = [number for number in {**old, **new} if old.get(number) != new.get(number)]
    return _lines(*(f"{alter} {number} SET STATISTICS {new.get(number, '-1')};" for number in changed))


def _mend_relation(had: Object, wanted: Object, attribute: str) -> str:
    alter = f"ALTER {wanted.kind.upper()} {wanted.name}"
    value = wanted.get(attribute)
    if attribute == "options":
        return _set_options(alter, had.get("options"), value)
    if attribute == "inherits":
        old, new = (_QUALIFIED.findall(one.get("inherits")) for one in (had, wanted))
        if [parent for parent in old if parent in new] != [parent for parent in new if parent in old]:
            return ""
        return _lines(
            *(f"{alter} NO INHERIT {parent};" for parent in old if parent not in new),
            *(f"{alter} INHERIT {parent};" for parent in new if parent not in old),
        )
    if attribute == "row security":
        return f"{alter} {'ENABLE' if value else 'DISABLE'} ROW LEVEL SECURITY;"
    if attribute == "row security for owner":
        return f"{alter} {'FORCE' if value else 'NO FORCE'} ROW LEVEL SECURITY;"
    if attribute == "replica identity" and "?" not in value:
        return f"{alter} REPLICA IDENTITY {value or 'DEFAULT'};"
    if attribute == "populated" and not value:
        return f"REFRESH MATERIALIZED VIEW {wanted.name};"
    return ""


def _mend_sequence(wanted: Object, attribute: str) -> str:
    if attribute == "owned by":
        return f"ALTER SEQUENCE {wanted.name} OWNED BY {wanted.get('owned by') or 'NONE'};"
    if attribute == "persistence":
        return f"ALTER SEQUENCE {wanted.name} SET {wanted.get('persistence') or 'LOGGED'};"
    if attribute in ("start", "increment", "minimum", "maximum", "cache", "cycle", "type"):
        return f"ALTER SEQUENCE {wanted.name} AS {wanted.get('type')} {_sequence_options(wanted)};"
    return ""


def _mend_enum(had: Object, wanted: Object) -> str:
    """ALTER TYPE … ADD VALUE, where the labels that are there stay in their order."""
    if not (had.get("definition").startswith("ENUM") and wanted.get("definition").startswith("ENUM")):
        return ""
    literal = r"E?'(?:[^']|'')*'"
    ours, theirs = (re.findall(literal, one.get("definition")) for one in (had, wanted))
    if not ours or [label for label in theirs if label in set(ours)] != ours:
        return ""
    statements = []
    there = set(ours)
    for number, label in enumerate(theirs):
        if label in there:
            continue
        if number:
            where = f"AFTER {theirs[number - 1]}"
        else:
            where = f"BEFORE {ours[0]}"
        statements.append(f"ALTER TYPE {wanted.name} ADD VALUE {label} {where};")
        there.add(label)
    return _lines(*statements)


# --- in which order ---------------------------------------------------------------------------


_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_QUALIFIED = re.compile(rf"{_NAME}\.{_NAME}")
_REFERENCES = re.compile(rf" REFERENCES ({_NAME}\.{_NAME})\(((?:[^()]|\([^()]*\))*)\)")
_KEY_COLUMNS = re.compile(r"^(?:PRIMARY KEY|UNIQUE)(?: NULLS NOT DISTINCT)? \((.*?)\)")


def in_order(found: Mapping[Place, Difference], sides: Sides) -> tuple[Difference, ...]:
    """All differences so that their mends run one after the other.

    What is needed is made before what needs it, and dropped after what needed it; apart from that
    all that is made comes before all that is dropped, so that nothing is unprotected in between.
    A mend that needs what no mend makes is left out.
    """
    mended = dict(found)
    after: dict[Place, set[Place]] = {place: set() for place in found}  # each place: what must be done before it
    exchanged = _put_aside(mended, after, sides)
    _keep_keys(mended, sides)
    makers: dict[str, list[Place]] = {}
    droppers: dict[str, list[Place]] = {}
    for place in found:
        for token in _makes(place, sides):
            makers.setdefault(token, []).append(place)
        for token in _drops(place, sides):
            droppers.setdefault(token, []).append(place)
    for place in found:
        for token in _needs(place, sides):
            after[place].update(p for p in makers.get(token, ()) if p != place)
        for token in _needed(place, sides):
            for p in droppers.get(token, ()):
                if p != place:
                    after[p].add(place)
    done = list(_sorted(after, sides))
    for place in done:
        if mended[place].mend:
            made = (p for token in _needs(place, sides) for p in makers.get(token, ()))
            if any(p[1] == ABSENT and p != place and not mended[p].mend for p in made):
                mended[place] = replace(mended[place], mend="")
        elif place[1] == EXTRA and place not in exchanged:
            for token in _needed(place, sides):
                for p in droppers.get(token, ()):
                    mended[p] = replace(mended[p], mend="") if p[1] == EXTRA and p != place else mended[p]
    return tuple(mended[place] for place in done)


def _sorted(after: Mapping[Place, set[Place]], sides: Sides) -> Iterator[Place]:
    """The first in the usual order that waits for nothing; a circle is cut at its first."""
    usual = {place: number for number, place in enumerate(sorted(after, key=lambda p: _usual(p, sides)))}
    waits = {place: len(before) for place, before in after.items()}
    before_what: dict[Place, list[Place]] = {}
    for place, before in after.items():
        for other in before:
            before_what.setdefault(other, []).append(place)
    left = sorted(after, key=usual.__getitem__)
    ready = [(usual[place], place) for place in left if not waits[place]]
    heapq.heapify(ready)
    done: set[Place] = set()
    cut = 0
    while len(done) < len(left):
        if ready:
            _, place = heapq.heappop(ready)
        else:
            while left[cut] in done:
                cut += 1
            place = left[cut]
        if place in done:
            continue
        done.add(place)
        yield place
        for other in before_what.get(place, ()):
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, (usual[other], other))


def _usual(place: Place, sides: Sides) -> tuple[bool, int, bool, Path, str]:
    (kind, path), attribute = place
    one = sides.wants.get(place[0]) or sides.has.get(place[0])
    is_foreign_key = one is not None and one.get("definition").startswith("FOREIGN KEY")
    rank = _RANK["statistics" if attribute == "replica identity" else kind]
    if attribute == EXTRA:
        return (True, -rank, not is_foreign_key, path, attribute)
    return (False, rank, is_foreign_key, path, attribute)


def _token(one: Object) -> str:
    """What others call it: without arguments, and without the table that an index is on."""
    if one.kind == "index" or (one.kind == "constraint" and _has_index(one)):
        return qualified("", (one.path[0], one.path[2]))
    return one.name if one.kind in OF_RELATION or len(one.path) == 1 else qualified("", one.path[:2])


def _has_index(constraint: Object) -> bool:
    return constraint.get("definition").startswith(("PRIMARY KEY", "UNIQUE", "EXCLUDE"))


def _is_key(one: Object) -> bool:
    """Whether a foreign key may point to it."""
    if one.kind == "constraint":
        return one.get("definition").startswith(("PRIMARY KEY", "UNIQUE"))
    return one.kind == "index" and one.get("definition").startswith("CREATE UNIQUE")


def _mentions(one: Object, attribute: str) -> set[str]:
    """What an object, or one attribute of it, needs to be there.  A function's body is looked at when it runs."""
    if attribute in (EXTRA, ABSENT):
        texts = [value for name, value in one.attributes if name not in ("comment", "index comment")]
    else:
        texts = [one.get(attribute)] if attribute not in ("comment", "index comment") else []
    if one.kind in ("function", "procedure"):
        texts = [re.split(r"\nAS \$", text, maxsplit=1)[0] for text in texts]
        texts.append(one.path[-1])
    found = {name for text in texts for name in _QUALIFIED.findall(text)}
    if one.kind in OF_RELATION:
        found.add(qualified("", one.path[:2]))
    if attribute in ("replica identity", EXTRA, ABSENT) and one.get("replica identity").startswith("USING INDEX "):
        index = one.get("replica identity").removeprefix("USING INDEX ")
        found.add(f"{quote(one.path[0])}.{index}")
    references = _REFERENCES.search(one.get("definition")) if one.kind == "constraint" else None
    if references is not None:
        found.add(f"key of {references[1]}")
    return found - ({_token(one)} if one.kind not in OF_RELATION else set())


def _both(place: Place, sides: Sides) -> tuple[Object | None, Object | None]:
    return sides.has.get(place[0]), sides.wants.get(place[0])


# Attributes whose mend may drop the object and make it again.
_REPLACED = ("definition", "enforced", "validated", "triggers")


def _makes(place: Place, sides: Sides) -> Iterator[str]:
    had, wanted = _both(place, sides)
    attribute = place[1]
    if wanted is not None and attribute in (ABSENT, NAME, *_REPLACED):
        if wanted.kind not in OF_RELATION or wanted.kind in ("index", "constraint"):
            yield _token(wanted)
        if _is_key(wanted):
            yield f"key of {table_of(wanted)}"
    if had is not None and attribute in (EXTRA, *_REPLACED):
        if attribute == EXTRA:
            yield f"free {_token(had)}"
        if had.get("definition").startswith("PRIMARY KEY"):
            yield f"no primary key on {table_of(had)}"
    if had is not None and wanted is not None and had.kind == "column":
        if attribute == "not null" and wanted.get("not null"):
            yield f"not null {wanted.name}"
        if attribute == "default" and not wanted.get("default"):
            yield f"no default {wanted.name}"
        if attribute == "identity" and not wanted.get("identity"):
            yield f"no identity {wanted.name}"
            yield f"free {had.get('identity sequence')}"


def _needs(place: Place, sides: Sides) -> Iterator[str]:
    _, wanted = _both(place, sides)
    attribute = place[1]
    if wanted is None:
        return
    if attribute != NAME:
        yield from sorted(_mentions(wanted, attribute))
    if attribute in (ABSENT, NAME):
        yield f"free {_token(wanted)}"
    if attribute == ABSENT and wanted.get("definition").startswith("PRIMARY KEY"):
        yield f"no primary key on {table_of(wanted)}"
    if wanted.kind == "column":
        if attribute == "identity" and wanted.get("identity"):
            yield from (f"not null {wanted.name}", f"no default {wanted.name}")
        if attribute == "default" and wanted.get("default"):
            yield f"no identity {wanted.name}"
        if attribute == "not null" and not wanted.get("not null"):
            yield from (f"no primary key on {table_of(wanted)}", f"no identity {wanted.name}")


def _needed(place: Place, sides: Sides) -> Iterator[str]:
    """What a drop or a change lets go."""
    had, _ = _both(place, sides)
    if had is not None and place[1] != NAME:
        yield from sorted(_mentions(had, place[1]))


def _drops(place: Place, sides: Sides) -> Iterator[str]:
    had, _ = _both(place, sides)
    if had is None or place[1] not in (EXTRA, *_REPLACED):
        return
    if had.kind not in OF_RELATION or had.kind in ("index", "constraint"):
        yield _token(had)
    if _is_key(had):
        yield f"key of {table_of(had)}"


def _put_aside(found: dict[Place, Difference], after: dict[Place, set[Place]], sides: Sides) -> set[Place]:
    """Where an index is to take the name of another, the other gives its name away first and stays until then.

    A primary key is exchanged for another in one statement; return those that this drops.
    """
    exchanged: set[Place] = set()
    going: dict[Path, Place] = {}
    keys: dict[Path, Place] = {}
    for place in found:
        if place[1] == EXTRA and (one := sides.has[place[0]]).kind in ("index", "constraint"):
            if one.kind == "index" or _has_index(one):
                going[one.path[0], one.path[2]] = place
            if one.get("definition").startswith("PRIMARY KEY"):
                keys[one.path[:2]] = place
    for place in list(found):
        if place[1] != ABSENT or not found[place].mend or place[0][0] not in ("index", "constraint"):
            continue
        wanted = sides.wants[place[0]]
        old = keys.get(wanted.path[:2])
        if old is not None and wanted.get("definition").startswith("PRIMARY KEY"):
            drop = f"DROP CONSTRAINT {quote(sides.has[old[0]].path[2])}, ADD CONSTRAINT"
            found[place] = replace(found[place], mend=found[place].mend.replace("ADD CONSTRAINT", drop, 1))
            found[old] = replace(found[old], mend="")
            exchanged.add(old)
            continue
        old = going.get((wanted.path[0], wanted.path[2])) if wanted.kind == "index" or _has_index(wanted) else None
        if old is None:
            continue
        had = sides.has[old[0]]
        name = _free_name(had, "_old", sides)
        aside = replace(had, path=(*had.path[:2], name))
        found[place] = replace(found[place], mend=_lines(rename(had, aside).mend, found[place].mend))
        found[old] = replace(found[old], mend=mend_extra(aside))
        after[old].add(place)
    return exchanged


def _free_name(one: Object, suffix: str, sides: Sides) -> str:
    """A name for an index or a constraint that nothing in its schema or on its table has."""
    taken = {o.path[-1] for group in (sides.has, sides.wants) for o in group.values() if o.path[0] == one.path[0]}
    names = (f"{one.path[2][:55]}{suffix}{number or ''}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


def _keep_keys(found: dict[Place, Difference], sides: Sides) -> None:
    """Where a key is replaced, the foreign keys that point to it and stay are made again in the same transaction."""
    for place, difference in list(found.items()):
        had = sides.has.get(place[0])
        if place[1] != "definition" or had is None or not _is_key(had) or not difference.mend:
            continue
        columns = _KEY_COLUMNS.match(had.get("definition"))
        pointing = [
            (one, sides.wants[key])
            for key, one in sides.has.items()
            if one.kind == "constraint"
            and key in sides.wants
            and (reference := _REFERENCES.search(one.get("definition"))) is not None
            and reference[1] == table_of(had)
            and columns is not None
            and _bare(reference[2]) == _bare(columns[1])
        ]
        if not pointing or had.kind == "index":
            continue
        drops = [f"ALTER TABLE {table_of(one)} DROP CONSTRAINT {quote(one.path[2])};" for one, _ in pointing]
        adds = [_add_constraint(one, sides).split("\n") for _, one in pointing]
        comments = [_comment_on(one, one.get("comment")) for _, one in pointing if one.get("comment")]
        found[place] = replace(
            difference,
            mend=_lines(
                "BEGIN;",
                *drops,
                difference.mend,
                *(add[0] for add in adds),
                *comments,
                "COMMIT;",
                *(line for add in adds for line in add[1:]),
            ),
        )


def _bare(columns: str) -> frozenset[str]:
    return frozenset(re.sub(r"\bPERIOD | WITHOUT OVERLAPS", "", columns).split(", "))
