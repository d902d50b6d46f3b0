"""SQL that makes a database as wanted, one difference at a time, and in which order all of it runs.

Hides what PostgreSQL can change in place, what needs something else first, and how a live database keeps
its rows protected meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wflo_schema.catalog.objects import (
    MEANS,
    OF_RELATION,
    ON_TABLE,
    Difference,
    Key,
    Object,
    Path,
    as_key,
    column_definition,
    table_of,
)
from wflo_schema.connect import versions
from wflo_schema.names import bare_name, literal, qualified, quote

# Differences come in this order, so that each mend finds what it needs made before it.
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
    "transform",
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
    "database",
)
RANK = {kind: rank for rank, kind in enumerate(_KINDS)}

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
    copies: dict[Key, list[Object]]  # of a wanted trigger, on partitions
    older_version: int  # of the two, where they are of two major versions, else 0


def rename(had: Object, wanted: Object) -> Difference:
    """Make the difference, and its SQL, of an index or constraint that differs by name alone."""
    old, new = had.path[2], wanted.path[2]
    if had.kind == "index":
        mend = f"ALTER INDEX {qualified(had.path[0], old)} RENAME TO {quote(new)};"
    else:
        mend = f"ALTER TABLE {table_of(had)} RENAME CONSTRAINT {quote(old)} TO {quote(new)};"
    return Difference(wanted.kind, had.name, "name", quote(old), quote(new), mend)


def comment_on(one: Object, comment: str, *, index: bool = False) -> str:
    """Write COMMENT ON for an object, or for a constraint's index; empty where its kind takes no comment."""
    value = literal(comment) if comment else "NULL"
    if index:
        return f"COMMENT ON INDEX {qualified(one.path[0], one.path[2])} IS {value};"
    if one.kind == "constraint" or one.kind in ON_TABLE:
        return f"COMMENT ON {one.kind.upper()} {quote(one.path[2])} ON {table_of(one)} IS {value};"
    if one.kind.startswith("inherited") or one.kind == "user mapping":
        return ""
    return f"COMMENT ON {named(one)} IS {value};"


def named(one: Object) -> str:
    """Name it with its kind, as ALTER, DROP and COMMENT ON do."""
    return f"{_KEYWORDS.get(one.kind, one.kind.upper())} {_called(one)}"


# How SQL calls a kind, where it does not call it so.
_KEYWORDS = {"foreign server": "SERVER"}


def _called(one: Object) -> str:
    """The name that ALTER, DROP and COMMENT ON take."""
    if one.kind in ("operator family", "operator class"):
        return f"{qualified(*one.path[:2])} USING {quote(one.path[2])}"
    if one.kind == "foreign server":
        return quote(one.path[0])
    if one.kind == "index":
        return qualified(one.path[0], one.path[2])
    if one.kind == "operator":
        return f"{quote(one.path[0])}.{one.path[1]} {one.path[2]}"
    if one.kind in ("cast", "transform"):
        return one.path[0]
    if one.kind == "aggregate" and one.path[-1] == "()":
        return qualified(*one.path[:-1]) + "(*)"
    return one.name


def lines(*statements: str) -> str:
    """Join the statements that are not empty, one a line."""
    return "\n".join(filter(None, statements))


def mend_extra(one: Object) -> str:
    """Drop what holds no data of its own; the rest needs a decision."""
    if one.kind == "index":
        is_partitioned = _is_on_partitioned(one)
        return f"DROP INDEX {'' if is_partitioned else 'CONCURRENTLY '}{_called(one)};"
    if one.kind == "constraint":
        return f"ALTER TABLE {table_of(one)} DROP CONSTRAINT {quote(one.path[2])};"
    if one.kind in ON_TABLE:
        return f"DROP {one.kind.upper()} {quote(one.path[2])} ON {table_of(one)};"
    if one.kind in MEANS | {"view", "statistics", "event trigger", "publication"}:
        return f"DROP {named(one)};"
    return ""


def _is_on_partitioned(index: Object) -> bool:
    return re.match(r"CREATE (UNIQUE )?INDEX ON ONLY ", index.get("definition")) is not None


def mend_absent(one: Object, sides: Sides) -> str:
    """Write the SQL that makes an object with all its attributes; empty where no SQL can."""
    create = _create(one, sides)
    if not create:
        return ""
    made = replace(one, attributes=tuple(a for a in one.attributes if a[0] in _CREATED.get(one.kind, frozenset())))
    added = [mend_attribute(made, one, name, sides) for name, _ in one.attributes if name in _ADDED.get(one.kind, ())]
    added += [one.get(name) for name in _STATEMENTS if one.get(name)]
    return lines(create, *added, comment_on(one, one.get("comment")) if one.get("comment") else "")


# Attributes that CREATE makes, and those that statements after it do.
_CREATED = {
    "constraint": frozenset({"definition", "validated", "enforced", "referenced index", "inherited"}),
    "index": frozenset({"definition"}),
}
_ADDED = {
    "constraint": ("clustered", "index comment", "index options"),
    "index": ("clustered", "statistics"),
}


def is_made(one: Object, attribute: str) -> bool:
    """Say whether the SQL that makes an absent object makes this attribute of it too."""
    if attribute == "comment":
        return bool(comment_on(one, "x"))
    if one.kind.startswith("inherited"):
        return attribute in ("definition", "validated", "enforced")
    created = _CREATED.get(one.kind)
    if created is None:
        return attribute not in _NEVER_MADE
    if attribute == "valid" and one.kind == "index":
        return _is_on_partitioned(one)
    return attribute in created or attribute in _ADDED[one.kind]


_NEVER_MADE = frozenset({"depends on extension", "tablespace"})

# Extensions that may be there already where this is run: citus makes citus_columnar together with itself.
_MAY_BE_THERE = frozenset({"citus", "citus_columnar"})

# Attributes that are themselves the statements which make them, one a line.
_STATEMENTS = ("attribute comments", "constraint comments")


def _create(one: Object, sides: Sides) -> str:
    definition = one.get("definition")
    match one.kind:
        case "schema":
            return f"CREATE SCHEMA {one.name};"
        case "extension":
            version = one.get("version").replace("'", "''")
            bare = "" if one.get("comment") else comment_on(one, "")  # it comes with one of its own
            name = f"IF NOT EXISTS {one.name}" if one.name in _MAY_BE_THERE else one.name
            create = f"CREATE EXTENSION {name} WITH SCHEMA {quote(one.get('schema'))} VERSION '{version}';"
            return lines(create, bare)
        case "index":
            return _create_index(one)
        case "constraint":
            return add_constraint(one, sides)
        case "column":
            return _add_column(one, sides)
        case "sequence":
            owner = one.get("owned by")
            return lines(_create_sequence(one), f"ALTER SEQUENCE {one.name} OWNED BY {owner};" if owner else "")
        case "type":
            return _create_type(one)
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
            return lines(f"{definition};", _set_target(one) if one.get("target") else "")
        case "foreign data wrapper" | "foreign server" | "foreign table":
            return _create_foreign(one, sides)
        case "event trigger":
            return lines(f"CREATE EVENT TRIGGER {one.name} {definition};", _enable(one) if one.get("enabled") else "")
        case "trigger":
            copies = [one, *_copies(one, sides)]
            return lines(f"{definition};", *(_enable(copy, only=True) for copy in copies if copy.get("enabled")))
        case "rule":
            return lines(definition, _enable(one) if one.get("enabled") else "")
        case "policy":
            return f"CREATE POLICY {quote(one.path[2])} ON {table_of(one)} {definition};"
    return _create_rare(one)


def _create_rare(one: Object) -> str:
    definition = one.get("definition")
    match one.kind:
        case "aggregate":
            return _create_aggregate(one)
        case "operator":
            return f"CREATE OPERATOR {quote(one.path[0])}.{one.path[1]} ({definition});"
        case "collation" | "text search dictionary" | "text search template" | "text search parser":
            return f"CREATE {one.kind.upper()} {one.name} ({definition});"
        case "text search configuration":
            parser, *mappings = definition.split("; ")
            alter = f"ALTER TEXT SEARCH CONFIGURATION {one.name} ADD MAPPING FOR"
            return lines(
                f"CREATE TEXT SEARCH CONFIGURATION {one.name} ({parser});", *(f"{alter} {m};" for m in mappings)
            )
        case "conversion":
            rest = definition.removeprefix("DEFAULT ")
            return f"CREATE {'' if rest == definition else 'DEFAULT '}CONVERSION {one.name} {rest};"
        case "cast" | "publication" | "transform":
            return f"CREATE {one.kind.upper()} {_called(one)} {definition};"
        case "access method":
            return f"CREATE ACCESS METHOD {one.name} TYPE {definition};"
        case "language":
            words = definition.removeprefix("TRUSTED ")
            return f"CREATE {'' if words == definition else 'TRUSTED '}LANGUAGE {one.name} {words};"
        case "operator family":
            add = f"ALTER OPERATOR FAMILY {_called(one)} ADD {definition};" if definition else ""
            return lines(f"CREATE OPERATOR FAMILY {_called(one)};", add)
        case "operator class":
            return f"CREATE OPERATOR CLASS {qualified(*one.path[:2])} {definition};"
    return ""


def _create_type(one: Object) -> str:
    definition = one.get("definition")
    if definition == "SHELL":
        return f"CREATE TYPE {one.name};"
    if definition.startswith("BASE "):
        return f"CREATE TYPE {one.name} {definition.removeprefix('BASE ')};"
    return f"CREATE TYPE {one.name} AS {definition};"


# An option whose value is a secret, and not read.
_SECRET = re.compile(r"(?:^|[ (])[^ ,()']*password[^ ,()']*\"?(?=[,)]|$)")


def _create_foreign(one: Object, sides: Sides) -> str:
    """Empty where an option is a password, which nobody reads."""
    definition = one.get("definition")
    if _SECRET.search(definition) or _SECRET.search(one.get("foreign options")):
        return ""
    if one.kind == "foreign data wrapper":
        return f"CREATE FOREIGN DATA WRAPPER {one.name} {definition};"
    if one.kind == "foreign server":
        kind, wrapper, rest = definition.rpartition("FOREIGN DATA WRAPPER ")
        version = f"VERSION {literal(one.get('version'))} " if one.get("version") else ""
        return f"CREATE SERVER {_called(one)} {kind}{version}{wrapper}{rest};"
    columns = ", ".join(
        " ".join(filter(None, (quote(c.path[2]), *_foreign_column(c)))) for c in sides.wants_columns.get(one.path, [])
    )
    options = f" OPTIONS ({one.get('foreign options')})" if one.get("foreign options") else ""
    return f"CREATE FOREIGN TABLE {one.name} ({columns}) SERVER {quote(one.get('server'))}{options};"


def _foreign_column(column: Object) -> tuple[str, ...]:
    options = f"OPTIONS ({column.get('foreign options')})" if column.get("foreign options") else ""
    return (column.get("type"), options, column_definition(column)[len(column.get("type")) + 1 :])


def _set_target(statistics: Object) -> str:
    return f"ALTER STATISTICS {statistics.name} SET STATISTICS {statistics.get('target') or '-1'};"


_RETURNS = re.compile(r", RETURNS = (?:[^,(]|\([^)]*\))*")


def _create_aggregate(one: Object) -> str:
    arguments, _, rest = one.get("definition").removeprefix("AGGREGATE (").partition(") SFUNC = ")
    name = qualified(*one.path[:-1])
    return f"CREATE AGGREGATE {name}({arguments or '*'}) (SFUNC = {_RETURNS.sub('', rest, count=1)});"


def _create_index(one: Object) -> str:
    head, _, rest = one.get("definition").partition(" INDEX ON ")
    if _is_on_partitioned(one):
        only = rest if one.get("valid") else rest.removeprefix("ONLY ")  # without its copies it is not valid
        return f"{head} INDEX {quote(one.path[2])} ON {only};"
    return f"{head} INDEX CONCURRENTLY {quote(one.path[2])} ON {rest};"


def add_constraint(one: Object, sides: Sides, *, replacing: bool = False) -> str:
    """Write ALTER TABLE … ADD CONSTRAINT, where possible as NOT VALID and validated after that.

    ``replacing`` drops the constraint of that name in the same statement.
    """
    name, definition, table = quote(one.path[2]), one.get("definition"), table_of(one)
    drop = f" DROP CONSTRAINT {name}," if replacing else ""
    add = f"ALTER TABLE {table}{drop} ADD CONSTRAINT {name} {definition}"
    if one.get("enforced"):
        return f"{add} NOT ENFORCED;"
    relation = sides.wants.get(("table", one.path[:2]))
    is_partitioned = relation is not None and bool(relation.get("partition key"))
    is_foreign_key = definition.startswith("FOREIGN KEY")
    is_old = sides.server_version and not versions.NOT_VALID_KEYS_OF_PARTITIONED.is_in(sides.server_version)
    if not definition.startswith("CHECK") and (not is_foreign_key or (is_partitioned and is_old)):
        return f"{add};"
    validate = "" if one.get("validated") else validate_constraint(one, one.path[2])
    return lines(f"{add} NOT VALID;", validate)


def validate_constraint(one: Object, name: str) -> str:
    """Write the statement that looks at the rows of a constraint of that name, of one's table."""
    return f"ALTER TABLE {table_of(one)} VALIDATE CONSTRAINT {quote(name)};"


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
    return lines(*statements)


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
    default = one.get("default")
    words = (
        bare_domain(one).removesuffix(";"),
        f"DEFAULT {default}" if default else "",
        f"CONSTRAINT {quote(one.get('not null constraint'))}" if one.get("not null constraint") else "",
        one.get("not null"),
        one.get("constraints"),
    )
    return lines(" ".join(filter(None, words)) + ";", *_constraints_of_domain(one, "unvalidated constraints"))


def bare_domain(one: Object) -> str:
    """Make a domain, and nothing that may call a function."""
    collation = one.get("collation")
    return f"CREATE DOMAIN {one.name} AS {one.get('type')}{f' COLLATE {collation}' if collation else ''};"


def complete_domain(one: Object) -> str:
    """Say of a `bare_domain` what is left to say."""
    default, called = one.get("default"), one.get("not null constraint")
    return lines(
        f"ALTER DOMAIN {one.name} SET DEFAULT {default};" if default else "",
        f"ALTER DOMAIN {one.name} ADD CONSTRAINT {quote(called)} NOT NULL;" if called else "",
        f"ALTER DOMAIN {one.name} SET NOT NULL;" if one.get("not null") and not called else "",
        *_constraints_of_domain(one, "constraints"),
        *_constraints_of_domain(one, "unvalidated constraints"),
        *(one.get(name) for name in _STATEMENTS),
        comment_on(one, one.get("comment")) if one.get("comment") else "",
    )


# One of a domain's: what is quoted may look like another.
_CONSTRAINT = re.compile(r"""CONSTRAINT (?:'(?:[^']|'')*'|"(?:[^"]|"")*"|(?!\sCONSTRAINT )[^'"])+""")


def _constraints_of_domain(one: Object, attribute: str) -> Iterator[str]:
    for text in _CONSTRAINT.findall(one.get(attribute)):
        yield f"ALTER DOMAIN {one.name} ADD {text};"


def _copies(trigger: Object, sides: Sides) -> list[Object]:
    """A trigger's clones on partitions, and the clones of those."""
    found: list[Object] = []
    near = sides.copies.get(trigger.key, [])
    while near:
        found += near
        near = [copy for one in near for copy in sides.copies.get(one.key, [])]
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
    """Write the SQL that gives one attribute of ``had`` the value that ``wanted`` has; empty where no SQL can."""
    if attribute == "comment":
        return comment_on(wanted, wanted.get("comment"))
    if attribute == "index comment":
        return comment_on(wanted, wanted.get("index comment"), index=True)
    if attribute == "owner" and wanted.kind not in OF_RELATION:
        return f"ALTER {named(wanted)} OWNER TO {quote(wanted.get('owner'))};"
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
        case "table" | "foreign table" | "view" | "materialized view":
            return _mend_relation(had, wanted, attribute, sides)
        case "schema" if attribute == "distributed":
            how = "distribute" if wanted.get("distributed") else "undistribute"
            return f"SELECT pg_catalog.citus_schema_{how}({literal(wanted.name)});"
        case "sequence":
            return _mend_sequence(wanted, attribute)
        case "domain" if attribute == "default":
            value = wanted.get("default")
            return f"ALTER DOMAIN {wanted.name} {f'SET DEFAULT {value}' if value else 'DROP DEFAULT'};"
        case "domain" if attribute == "not null":
            return f"ALTER DOMAIN {wanted.name} {'SET' if wanted.get('not null') else 'DROP'} NOT NULL;"
        case "type" if attribute == "definition":
            return _mend_enum(had, wanted)
        case "type" | "domain" if attribute in _STATEMENTS:
            return _mend_comments(had.get(attribute), wanted.get(attribute))
        case "function" | "procedure" if attribute == "definition":
            return f"{wanted.get('definition')};" if _head(had) == _head(wanted) else ""
        case "statistics" if attribute == "target":
            return _set_target(wanted)
        case "publication" | "event trigger" | "cast" if attribute == "definition":
            return lines(mend_extra(had), mend_absent(wanted, sides))
        case "event trigger" if attribute == "enabled":
            return _enable(wanted)
        case "trigger" | "rule" | "policy":
            if attribute == "enabled":
                return _enable(wanted, only=not are_alike(wanted.key, sides))
            if attribute == "definition":
                return lines(mend_extra(had), mend_absent(wanted, sides))
    return ""


def _mend_comments(had: str, wanted: str) -> str:
    old, new = ({c.partition(" IS ")[0]: c for c in re.split(r"\n(?=COMMENT ON )", t) if c} for t in (had, wanted))
    return lines(*(f"{on} IS NULL;" for on in old if on not in new), *(c for on, c in new.items() if old.get(on) != c))


def _head(function: Object) -> tuple[str, ...]:
    """Name, arguments, result and kind: what CREATE OR REPLACE cannot change."""
    head = re.split(r"\nAS |\nBEGIN ATOMIC|\nRETURN ", function.get("definition"), maxsplit=1)[0].split("\n")
    return (*head[:2], "WINDOW" if any(re.search(r"\bWINDOW\b", line) for line in head[2:]) else "")


def _mend_index(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    if attribute == "definition":
        new = replace(wanted, path=(*wanted.path[:2], free_name(wanted, "_new", sides)))
        return lines(
            _create_index(new),
            mend_extra(had),
            rename(new, wanted).mend,
            comment_on(wanted, wanted.get("comment")) if wanted.get("comment") else "",
        )
    if attribute == "valid" and not wanted.get("valid") and not _is_on_partitioned(wanted):
        return f"REINDEX INDEX CONCURRENTLY {_called(wanted)};"
    if attribute == "clustered":
        return _cluster(wanted)
    if attribute == "statistics":
        return _set_statistics(wanted, had)
    return ""


def _mend_constraint(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    name, table = quote(wanted.path[2]), table_of(wanted)
    if attribute == "validated" and not wanted.get("validated") and not had.get("enforced"):
        return validate_constraint(wanted, wanted.path[2])
    if attribute == "enforced" and wanted.get("definition").startswith("FOREIGN KEY"):
        return f"ALTER TABLE {table} ALTER CONSTRAINT {name} {wanted.get('enforced') or 'ENFORCED'};"
    is_switched_on = attribute == "triggers" and not wanted.get("triggers") and " of " not in had.get("triggers")
    if is_switched_on or (attribute in ("definition", "validated", "enforced") and not had.follows):
        comment = wanted.get("comment")
        return lines(add_constraint(wanted, sides, replacing=True), comment_on(wanted, comment) if comment else "")
    if attribute == "clustered":
        return _cluster(wanted)
    if attribute == "index options":
        index = qualified(wanted.path[0], wanted.path[2])
        return _set_options(f"ALTER INDEX {index}", had.get(attribute), wanted.get(attribute))
    return ""


def _mend_column(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    alter = f"ALTER TABLE {table_of(wanted)} ALTER COLUMN {quote(wanted.path[2])}"
    value = wanted.get(attribute)
    if attribute == "default" and not wanted.get("generated") and not had.get("generated"):
        return f"{alter} SET DEFAULT {value};" if value else f"{alter} DROP DEFAULT;"
    if attribute == "not null":
        return _mend_not_null(had, wanted, sides)
    if attribute == "identity" and not had.get("identity"):
        return f"{alter} ADD {value};"
    if attribute == "identity" and not value:
        return f"{alter} DROP IDENTITY;"
    if attribute == "generated" and not value:
        return f"{alter} DROP EXPRESSION;" if had.get("generated").endswith("STORED") else ""
    if attribute == "storage":
        usual = "MAIN" if wanted.get("type").startswith(("numeric", "inet", "cidr")) else "EXTENDED"
        usual = "DEFAULT" if versions.STORAGE_DEFAULT.is_in(sides.server_version) else usual
        return f"{alter} SET STORAGE {value or usual};".replace("ALTER TABLE", _alter(wanted, sides), 1)
    if attribute == "identity type" and had.get("identity sequence") and wanted.get("identity"):
        kind = value or wanted.get("type")
        options = wanted.get("identity").partition("(")[2].removesuffix(")")
        return f"ALTER SEQUENCE {had.get('identity sequence')} AS {kind} {options};"
    if attribute == "identity persistence" and had.get("identity sequence"):
        other = "LOGGED" if had.get(attribute) == "UNLOGGED" else "UNLOGGED"
        return f"ALTER SEQUENCE {had.get('identity sequence')} SET {value or other};"
    if attribute == "identity comment" and had.get("identity sequence"):
        return f"COMMENT ON SEQUENCE {had.get('identity sequence')} IS {literal(value) if value else 'NULL'};"
    if attribute == "not null comment" and wanted.get("not null"):
        on = f"{quote(not_null_name(wanted))} ON {table_of(wanted)}"
        return f"COMMENT ON CONSTRAINT {on} IS {literal(value) if value else 'NULL'};"
    if attribute == "compression":
        return f"{alter} SET COMPRESSION {value or 'default'};"
    if attribute == "statistics":
        return f"{alter} SET STATISTICS {value or '-1'};"
    if attribute == "options":
        return _set_options(alter, had.get("options"), value)
    if attribute == "identity sequence" and had.get(attribute) and value:
        return _rename_sequence(had.get(attribute), value)
    if attribute == "not null constraint" and had.get("not null") == wanted.get("not null"):
        rename = f"RENAME CONSTRAINT {quote(not_null_name(had))} TO {quote(not_null_name(wanted))}"
        return f"ALTER TABLE {table_of(wanted)} {rename};"
    return ""


def not_null_name(column: Object) -> str:
    """The name of a column's NOT NULL."""
    return column.get("not null constraint") or f"{column.path[1]}_{column.path[2]}_not_null"


def _mend_not_null(had: Object, wanted: Object, sides: Sides) -> str:
    old, new = had.get("not null"), wanted.get("not null")
    table, column = f"ALTER TABLE {table_of(wanted)}", quote(wanted.path[2])
    if not new:
        return f"{table} ALTER COLUMN {column} DROP NOT NULL;"
    if not versions.NOT_NULL_CONSTRAINTS.is_in(sides.server_version):
        return f"{table} ALTER COLUMN {column} SET NOT NULL;"
    if old:
        is_validated = (old, new) == ("NOT NULL NOT VALID", "NOT NULL")
        return validate_constraint(wanted, not_null_name(had)) if is_validated else ""
    if new == "NOT NULL" and not wanted.get("not null constraint"):
        return f"{table} ALTER COLUMN {column} SET NOT NULL;"
    return f"{table} ADD CONSTRAINT {quote(not_null_name(wanted))} NOT NULL {column}{new.removeprefix('NOT NULL')};"


def _rename_sequence(had: str, wanted: str) -> str:
    (old_schema, _), (new_schema, new) = (re.findall(SPELLED, name) for name in (had, wanted))
    return f"ALTER SEQUENCE {had} RENAME TO {new};" if old_schema == new_schema else ""


def _alter(column: Object, sides: Sides) -> str:
    """How a statement that alters the column's relation begins."""
    kinds = ("foreign table", "materialized view", "view")
    kind = next((kind for kind in kinds if (kind, column.path[:2]) in sides.wants), "table")
    return f"ALTER {kind.upper()}"


def _cluster(wanted: Object) -> str:
    how = f"CLUSTER ON {quote(wanted.path[2])}" if wanted.get("clustered") else "SET WITHOUT CLUSTER"
    return f"ALTER TABLE {table_of(wanted)} {how};"


def _settings(text: str) -> dict[str, str]:
    return dict(one.partition("=")[::2] for one in text.split(", ") if one)


def _set_options(alter: str, had: str, wanted: str) -> str:
    old, new = _settings(had), _settings(wanted)
    dropped = ", ".join(name for name in old if name not in new)
    return lines(
        f"{alter} RESET ({dropped});" if dropped else "",
        f"{alter} SET ({', '.join(f'{n}={v}' if v else n for n, v in new.items())});" if new else "",
    )


def _set_statistics(index: Object, had: Object | None = None) -> str:
    """For an index's columns, counted from one."""
    new, old = _settings(index.get("statistics")), _settings(had.get("statistics") if had else "")
    alter = f"ALTER INDEX {_called(index)} ALTER COLUMN"
    changed = [number for number in {**old, **new} if old.get(number) != new.get(number)]
    return lines(*(f"{alter} {number} SET STATISTICS {new.get(number, '-1')};" for number in changed))


def _mend_relation(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    alter = f"ALTER {wanted.kind.upper()} {wanted.name}"
    value = wanted.get(attribute)
    if attribute == "options":
        return _set_options(alter, had.get("options"), value)
    if attribute == "toast options":
        return _set_options(alter, _of_toast(had.get(attribute)), _of_toast(value))
    if attribute == "of type":
        return f"{alter} OF {value};" if value else f"{alter} NOT OF;"
    if attribute == "inherits":
        old, new = (QUALIFIED.findall(one.get("inherits")) for one in (had, wanted))
        columns = sides.wants_columns.get(wanted.path, [])
        if any(c.get("inherited") == "INHERITED" for c in columns) and not set(new) <= set(old):
            return ""  # what is there already would stay the table's own
        if [parent for parent in old if parent in new] != [parent for parent in new if parent in old]:
            return ""
        return lines(
            *(f"{alter} NO INHERIT {parent};" for parent in old if parent not in new),
            *(f"{alter} INHERIT {parent};" for parent in new if parent not in old),
        )
    if attribute == "row security":
        return f"{alter} {'ENABLE' if value else 'DISABLE'} ROW LEVEL SECURITY;"
    if attribute == "row security for owner":
        return f"{alter} {'FORCE' if value else 'NO FORCE'} ROW LEVEL SECURITY;"
    if attribute == "replica identity" and "?" not in value:
        return f"{alter} REPLICA IDENTITY {value or 'DEFAULT'};"
    if attribute in ("distribution", "colocated with", "shard count"):
        return _mend_distribution(had, wanted, attribute, sides)
    if attribute == "populated" and not value:
        return f"REFRESH MATERIALIZED VIEW {wanted.name};"
    return ""


def _distribute(wanted: Object, sides: Sides) -> str:
    """How Citus is told to keep a table; empty for a distribution of another age."""
    name, how = literal(wanted.name), wanted.get("distribution")
    if how == "REFERENCE":
        return f"SELECT pg_catalog.create_reference_table({name});"
    if how == "LOCAL":
        return f"SELECT pg_catalog.citus_add_local_table_to_metadata({name});"
    column = _distribution_column(wanted)
    if how != "SINGLE SHARD" and not column:
        return ""
    words = [name, literal(column) if column else "NULL"]
    beside = wanted.get("colocated with") or _placed_with(wanted, sides)
    words.append(f"colocate_with => {literal(beside or 'none')}")
    if wanted.get("shard count") and not beside:
        words.append(f"shard_count => {wanted.get('shard count')}")
    return f"SELECT pg_catalog.create_distributed_table({', '.join(words)});"


def _placed_with(first: Object, sides: Sides) -> str:
    """A table that is there and is to be colocated with this one, which is the first of them."""
    for key, one in sides.wants.items():
        there = sides.has.get(key)
        if one.get("colocated with") == first.name and there is not None and there.get("distribution"):
            return one.name
    return ""


def _distribution_column(table: Object) -> str:
    """The bare name of the column by which rows go to a shard, where that is by its hash."""
    named = re.fullmatch(rf"HASH \(({SPELLED})\)", table.get("distribution"))
    return "" if named is None else bare_name(named[1])


def _mend_distribution(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    """Tell Citus to keep a table otherwise: it moves the rows."""
    name, value = literal(wanted.name), wanted.get(attribute)
    alter = f"SELECT pg_catalog.alter_distributed_table({name}"
    if attribute == "distribution":
        undo = f"SELECT pg_catalog.undistribute_table({name});"
        if had.get("distribution") in ("", "LOCAL"):
            return _distribute(wanted, sides)
        if not value:
            return undo
        if _distribution_column(had) and _distribution_column(wanted):
            return f"{alter}, distribution_column => {literal(_distribution_column(wanted))});"
        again = _distribute(wanted, sides)
        return lines(undo, again) if again else ""
    if not _distribution_column(wanted):
        return ""
    if attribute == "colocated with":
        return f"{alter}, colocate_with => {literal(value or 'none')});"
    return "" if wanted.get("colocated with") else f"{alter}, shard_count => {value}, cascade_to_colocated => true);"


def _of_toast(options: str) -> str:
    return ", ".join(f"toast.{option}" for option in options.split(", ") if option)


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
        where = f"AFTER {theirs[number - 1]}" if number else f"BEFORE {ours[0]}"
        statements.append(f"ALTER TYPE {wanted.name} ADD VALUE {label} {where};")
        there.add(label)
    return lines(*statements)


# A name as the server writes it, and one with its schema.
SPELLED = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
QUALIFIED = re.compile(rf"{SPELLED}\.{SPELLED}")


def free_name(one: Object, suffix: str, sides: Sides) -> str:
    """A name for an index or a constraint that nothing in its schema or on its table has."""
    taken = {o.path[-1] for group in (sides.has, sides.wants) for o in group.values() if o.path[0] == one.path[0]}
    names = (f"{one.path[2][:55]}{suffix}{number or ''}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)
