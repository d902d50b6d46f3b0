"""SQL that alters or drops one object whatever it costs, and what it costs: data that is lost, rows that stop it.

Hides which casts PostgreSQL makes by itself, and which statements read or rewrite a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wflo_schema.catalog.mend import (
    SPELLED,
    Sides,
    comment_on,
    lines,
    mend_attribute,
    mend_extra,
    named,
)
from wflo_schema.catalog.objects import OF_RELATION, Object, table_of
from wflo_schema.connect import versions
from wflo_schema.names import qualified, quote

_LITERAL = re.compile(r"E?'(?:[^']|'')*'")

_Notes = tuple[str, ...]

_READS = "reads the whole table, which nobody can write meanwhile"


def drop(one: Object) -> str:
    """Write the statement that drops it, whatever it holds."""
    if one.kind == "column":
        kind = "FOREIGN TABLE" if one.get("foreign options") else "TABLE"
        return f"ALTER {kind} {table_of(one)} DROP COLUMN {quote(one.path[2])};"
    if one.kind == "cast":
        return f"DROP CAST {one.path[0]};"
    return mend_extra(one).replace(" CONCURRENTLY", "", 1) or f"DROP {named(one)};"


def losses_of_drop(one: Object) -> tuple[str, ...]:
    """Which data goes with it."""
    match one.kind:
        case "table":
            return (f"all rows of {one.name}",)
        case "column" if not one.get("generated"):
            return (f"what {one.name} holds",)
        case "sequence":
            return (f"the value that {one.name} is at",)
    return ()


def alter_attribute(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    """Write the SQL that gives ``had`` one attribute of ``wanted``, data lost or not; empty where none can."""
    if attribute == "privileges":
        return _grants(had, wanted)
    if attribute == "owner" and wanted.kind in OF_RELATION:
        return ""
    match wanted.kind:
        case "column" if attribute in ("type", "collation"):
            return _retype(had, wanted)
        case "column":
            return _alter_column(had, wanted, attribute, sides)
        case "view" if attribute == "definition":
            options = f" WITH ({wanted.get('options')})" if wanted.get("options") else ""
            return f"CREATE OR REPLACE VIEW {wanted.name}{options} AS\n{wanted.get('definition').rstrip(';')};"
        case "type" if attribute == "definition" and wanted.get("definition").startswith("("):
            return _alter_composite(had, wanted)
        case "domain" if attribute in ("constraints", "unvalidated constraints"):
            return _alter_constraints(had, wanted, attribute)
        case "foreign server" | "foreign data wrapper" if attribute not in ("comment", "owner"):
            return _alter_server(had, wanted, attribute)
        case "extension" if attribute == "version":
            version = wanted.get("version").replace("'", "''")
            return f"ALTER EXTENSION {wanted.name} UPDATE TO '{version}';"
        case "extension" if attribute == "schema":
            return f"ALTER EXTENSION {wanted.name} SET SCHEMA {quote(wanted.get('schema'))};"
        case "table" | "foreign table" | "materialized view":
            return _alter_relation(had, wanted, attribute) or mend_attribute(had, wanted, attribute, sides)
        case "index" | "constraint" if attribute in ("definition", "valid"):
            return ""
    return mend_attribute(had, wanted, attribute, sides)


# Types that PostgreSQL turns into each other when it assigns.
_ASSIGNED: tuple[frozenset[str], ...] = (
    frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"}),
    frozenset({"date", "timestamp without time zone", "timestamp with time zone"}),
    frozenset({"json", "jsonb"}),
    frozenset({"inet", "cidr"}),
    frozenset({"bit", "bit varying"}),
)
_TEXTS = frozenset({"text", "character varying", "character", "name", "citext"})


def _base(type_: str) -> str:
    """A type without its length or precision."""
    return re.sub(r"\([^)]*\)", "", type_)


def is_assigned(old: str, new: str) -> bool:
    """Say whether PostgreSQL changes a column of one type to the other without being told how."""
    one, other = _base(old), _base(new)
    return one == other or other in _TEXTS or any(one in group and other in group for group in _ASSIGNED)


def _retype(had: Object, wanted: Object) -> str:
    column, type_ = quote(wanted.path[2]), wanted.get("type")
    collation = f" COLLATE {wanted.get('collation')}" if wanted.get("collation") else ""
    using = "" if is_assigned(had.get("type"), type_) else f" USING {column}::{type_}"
    return f"ALTER TABLE {table_of(wanted)} ALTER COLUMN {column} TYPE {type_}{collation}{using};"


def _loses_in_cast(old: str, new: str) -> tuple[_Notes, _Notes]:
    """What a change of type takes away silently, and what stops it."""
    is_told = is_assigned(old, new)  # a cast that is written out cuts off what it has no place for
    if old.endswith("[]") and new.endswith("[]"):
        loses, notes = _loses_in_cast(old[:-2], new[:-2])
        if is_told or "(" not in new:
            return loses, notes
        return (f"what {new} has no place for",), ("fails where a value cannot be cast",)
    one, other = _base(old), _base(new)
    if loses := _loses_kind(one, other) or _loses_precision(old, new):
        return loses, () if is_told else ("fails where a value cannot be cast",)
    if not is_told and "(" in new:
        return (f"what {new} has no place for",), ("fails where a value cannot be cast",)
    whole, exact, inexact = ("smallint", "integer", "bigint"), ("numeric",), ("real", "double precision")
    if other in whole and one in (*exact, *inexact):
        return ("what stands behind the point",), ("fails where a number is too large",)
    if other == "numeric" and one == "numeric":
        return _narrower_numeric(old, new)
    if other in exact and one in inexact and "(" in new:
        return (f"digits that {new} has no place for",), ()
    if other in inexact and one in (*exact, "bigint", "integer", "double precision") and one != other:
        return (f"digits that {other} has no place for",), ()
    if one in whole and other in whole:
        return (), () if whole.index(other) > whole.index(one) else ("fails where a number is too large",)
    if other == "date" and one.startswith("timestamp"):
        return ("the time of day",), ()
    if one.startswith("timestamp") and other.startswith("timestamp") and one != other:
        return (), ("reads the times as those of the session's TimeZone",)
    if other in ("character varying", "character") and _length(new) < _length(old):
        return (), (f"fails where a text is longer than {_length(new):.0f}",)
    if (one, other) == ("json", "jsonb"):
        return ("spaces, repeated keys and the order of keys",), ()
    return (), () if is_assigned(old, new) else ("fails where a value cannot be cast",)


_SHAPES = frozenset({"box", "circle", "lseg", "path", "point", "polygon"})


def _loses_kind(one: str, other: str) -> _Notes:
    """What the one type has, and the other has not."""
    if one.startswith("timestamp") and other.startswith("time "):
        return ("the date",)
    if (one, other) == ("time with time zone", "time without time zone"):
        return ("the time zone",)
    if one in _TEXTS and other == "date":
        return ("the time of day, where a text has one",)
    if one in _TEXTS - {other} and other == "name":
        return ("what stands behind 63 bytes",)
    if (one, other) == ("inet", "cidr"):
        return ("the bits of the host",)
    if (one, other) == ("integer", "boolean"):
        return ("which number it was, where it was not 0",)
    if one in _SHAPES - {other} and other in _SHAPES:
        return (f"what a {other} does not have",)
    return ()


def _loses_precision(old: str, new: str) -> _Notes:
    """Parts of a second."""
    if not all(t.startswith(("time", "interval")) for t in (old, new)):
        return ()
    (had, wanted) = (int(m[1]) if (m := re.search(r"\((\d)\)", t)) else 6 for t in (old, new))
    return (f"the part of a second that {new} has no place for",) if wanted < had else ()


def _narrower_numeric(old: str, new: str) -> tuple[_Notes, _Notes]:
    (before, scale), (after, new_scale) = (
        [int(n) for n in re.findall(r"-?\d+", t)] or [1000, 1000] for t in (old, new)
    )
    loses = ("what stands behind the last digit kept",) if new_scale < scale else ()
    return loses, ("fails where a number is too large",) if after - new_scale < before - scale else ()


def _length(type_: str) -> float:
    found = re.search(r"\((\d+)\)", type_)
    return float(found[1]) if found else 1.0 if type_ == "character" else float("inf")


def _alter_column(had: Object, wanted: Object, attribute: str, sides: Sides) -> str:
    alter = f"ALTER TABLE {table_of(wanted)} ALTER COLUMN {quote(wanted.path[2])}"
    value = wanted.get(attribute)
    if attribute == "foreign options":
        options = _foreign_options(had.get(attribute), value)
        return f"ALTER FOREIGN {alter.removeprefix('ALTER ')} {options};" if options else ""
    if attribute == "identity" and had.get("identity") and value:
        return _alter_identity(alter, had.get("identity"), value, is_retyped=had.get("type") != wanted.get("type"))
    if attribute == "generated":
        if not value and had.get("generated").endswith("STORED"):
            return f"{alter} DROP EXPRESSION;"
        is_kept = had.get("generated").rpartition(" ")[2] == value.rpartition(" ")[2]
        if is_kept and had.get("generated") and versions.SET_EXPRESSION.is_in(sides.server_version):
            expression = value.removeprefix("GENERATED ALWAYS AS ").rpartition(" ")[0]
            return f"{alter} SET EXPRESSION AS {expression};"
        return ""
    if attribute == "default" and (had.get("generated") or wanted.get("generated")):
        return f"{alter} SET DEFAULT {value};" if value and not wanted.get("generated") else ""
    if attribute == "identity type" and had.get("type") != wanted.get("type"):
        return ""
    return mend_attribute(had, wanted, attribute, sides)


def _alter_identity(alter: str, had: str, wanted: str, *, is_retyped: bool) -> str:
    old, new = (
        dict(re.findall(r"(START WITH|INCREMENT BY|MINVALUE|MAXVALUE|CACHE) (-?\d+)", t)) for t in (had, wanted)
    )
    words = []
    if had.partition(" (")[0] != wanted.partition(" (")[0]:
        words.append("SET " + wanted.partition(" AS ")[0])
    for name, number in new.items():
        if old.get(name) != number and not (is_retyped and name in ("MINVALUE", "MAXVALUE")):
            words.append(f"SET {name} {number}")
    if (" CYCLE" in had) != (" CYCLE" in wanted):
        words.append("SET CYCLE" if " CYCLE" in wanted else "SET NO CYCLE")
    return f"{alter} {' '.join(words)};" if words else ""


_OPTION = re.compile(rf"(?P<name>{SPELLED})(?: (?P<value>E?'(?:[^']|'')*'))?(?:, |\Z)")


def _foreign_options(had: str, wanted: str) -> str:
    """OPTIONS that make the one list into the other; empty where one holds a password, which nobody reads."""
    old, new = ({m["name"]: m["value"] for m in _OPTION.finditer(text)} for text in (had, wanted))
    if None in (*old.values(), *new.values()):
        return ""
    words = [f"DROP {name}" for name in old if name not in new]
    words += [f"SET {name} {value}" for name, value in new.items() if old.get(name, value) != value]
    words += [f"ADD {name} {value}" for name, value in new.items() if name not in old]
    return f"OPTIONS ({', '.join(words)})"


def _alter_server(had: Object, wanted: Object, attribute: str) -> str:
    """ALTER SERVER and ALTER FOREIGN DATA WRAPPER, where only options or the version differ."""
    alter = f"ALTER {named(wanted)}"
    if attribute == "version":
        value = wanted.get("version").replace("'", "''")
        return f"{alter} VERSION '{value}';" if value else ""
    if attribute != "definition":
        return ""
    (old, old_options), (new, new_options) = (_apart(o.get("definition")) for o in (had, wanted))
    options = _foreign_options(old_options, new_options) if old == new else ""
    return f"{alter} {options};" if options else ""


def _apart(definition: str) -> tuple[str, str]:
    """A definition and its options."""
    found = re.fullmatch(r"(?P<head>.*?) ?(?:OPTIONS \((?P<options>.*)\))?", definition, re.DOTALL)
    return (found["head"], found["options"] or "") if found is not None else (definition, "")


def _alter_relation(had: Object, wanted: Object, attribute: str) -> str:
    alter = f"ALTER {wanted.kind.upper()} {wanted.name}"
    value = wanted.get(attribute)
    if attribute == "foreign options":
        options = _foreign_options(had.get(attribute), value)
        return f"{alter} {options};" if options else ""
    if attribute == "persistence":
        return f"{alter} SET {'UNLOGGED' if value == 'UNLOGGED' else 'LOGGED'};"
    if attribute == "access method":
        return f"{alter} SET ACCESS METHOD {value or 'heap'};"
    if attribute == "partition of":
        texts = []
        if had.get(attribute):
            texts.append(f"ALTER TABLE {_parent(had)} DETACH PARTITION {wanted.name};")
        if value:
            parent = _parent(wanted)
            texts.append(f"ALTER TABLE {parent} ATTACH PARTITION {wanted.name} {value[len(parent) + 1 :]};")
        return lines(*texts)
    return ""


def _parent(partition: Object) -> str:
    found = re.match(rf"{SPELLED}\.{SPELLED}", partition.get("partition of"))
    return found[0] if found else ""


def attributes_of(composite: str) -> dict[str, str]:
    """The attributes of a composite type, as its definition writes them: name and type."""
    found: dict[str, str] = {}
    text = composite[1:-1]
    for part in re.findall(r'(?:[^,("]|"(?:[^"]|"")*"|\([^)]*\))+', text):
        name = re.match(rf"\s*({SPELLED}) ", part)
        if name is not None:
            found[name[1]] = part[name.end() :].strip()
    return found


def _alter_composite(had: Object, wanted: Object) -> str:
    """ALTER TYPE, where what is new stands at the end."""
    old, new = attributes_of(had.get("definition")), attributes_of(wanted.get("definition"))
    kept = [name for name in old if name in new]
    added = [name for name in new if name not in old]
    if [*kept, *added] != list(new):
        return ""
    words = [f"DROP ATTRIBUTE {name}" for name in old if name not in new]
    words += [f"ALTER ATTRIBUTE {name} TYPE {new[name]}" for name in kept if old[name] != new[name]]
    words += [f"ADD ATTRIBUTE {name} {new[name]}" for name in added]
    return f"ALTER TYPE {wanted.name} {', '.join(words)};"


_CONSTRAINT = re.compile(
    rf"""CONSTRAINT (?P<name>{SPELLED}) (?:'(?:[^']|'')*'|"(?:[^"]|"")*"|(?!\s+CONSTRAINT )[^'"])+"""
)


def _alter_constraints(had: Object, wanted: Object, attribute: str) -> str:
    """Drop and add what differs of a domain's."""
    old, new = ({m["name"]: m[0].strip() for m in _CONSTRAINT.finditer(o.get(attribute))} for o in (had, wanted))
    alter = f"ALTER DOMAIN {wanted.name}"
    other = wanted.get("unvalidated constraints" if attribute == "constraints" else "constraints")
    is_validated = {name for name in old if f"CONSTRAINT {name} " in other} if attribute != "constraints" else set()
    return lines(
        *(f"{alter} VALIDATE CONSTRAINT {n};" for n in old if n in is_validated),
        *(f"{alter} DROP CONSTRAINT {n};" for n, t in old.items() if new.get(n) != t and n not in is_validated),
        *(f"{alter} ADD {t};" for n, t in new.items() if old.get(n) != t),
    )


def labels_of(enum: Object) -> tuple[str, ...]:
    """The labels of an enum, as literals."""
    return tuple(_LITERAL.findall(enum.get("definition")))


def exchange_enum(had: Object, wanted: Object, columns: Sequence[Object]) -> str:
    """Make the enum anew beside the old one, give it to the columns, and drop the old one."""
    aside = f"{had.path[1][:57]}_old"
    texts = [
        f"ALTER TYPE {had.name} RENAME TO {quote(aside)};",
        f"CREATE TYPE {wanted.name} AS {wanted.get('definition')};",
    ]
    for column in columns:
        name, many = quote(column.path[2]), "[]" if column.get("type").endswith("[]") else ""
        alter = f"ALTER TABLE {table_of(column)} ALTER COLUMN {name}"
        texts.append(f"{alter} TYPE {wanted.name}{many} USING {name}::text{many}::{wanted.name}{many};")
    texts.append(f"DROP TYPE {qualified(had.path[0], aside)};")
    if wanted.get("comment"):
        texts.append(comment_on(wanted, wanted.get("comment")))
    return lines(*texts)


def _grants(had: Object, wanted: Object) -> str:
    """GRANT and REVOKE for what differs from what is usual for the kind."""
    old, new = (_granted(o.get("privileges")) for o in (had, wanted))
    found = []
    for grant in [*(g for g in old if g not in new), *(g for g in new if g not in old)]:
        is_taken_back = grant in old
        sign, role, privilege, option = grant
        on = f"{'' if wanted.kind != 'column' else '(' + quote(wanted.path[2]) + ') '}ON {_grantable(wanted)}"
        if (sign == "+") != is_taken_back:
            found.append(f"GRANT {privilege} {on} TO {role}{' WITH GRANT OPTION' if option else ''};")
        else:
            found.append(f"REVOKE {privilege} {on} FROM {role};")
    return lines(*sorted(found, reverse=True))


def rights_again(one: Object, had: Object) -> list[str]:
    """Statements that give an object the owner and the grants of another."""
    found = []
    if one.get("owner") != had.get("owner") and one.kind not in OF_RELATION:
        found.append(f"ALTER {named(one)} OWNER TO {quote(had.get('owner'))};")
    if one.get("privileges") != had.get("privileges"):
        found.append(_grants(one, had))
    return found


def _granted(text: str) -> list[tuple[str, str, str, bool]]:
    pattern = re.compile(r'([+-])(PUBLIC|"(?:[^"]|"")*"|[^\s,"]+) ([A-Z ]+?)( WITH GRANT OPTION)?(?:, |\Z)')
    return [(m[1], m[2], m[3], bool(m[4])) for m in pattern.finditer(text)]


def _grantable(one: Object) -> str:
    match one.kind:
        case "table" | "view" | "materialized view" | "foreign table":
            return f"TABLE {one.name}"
        case "column":
            return f"TABLE {table_of(one)}"
        case "aggregate":
            return f"FUNCTION {one.name}"
    return named(one)


_LARGEST = {"smallint": 32767, "integer": 2147483647, "bigint": 9223372036854775807}
_SEQUENCE = re.compile(
    r"(?P<type> AS (?:smallint|integer|bigint))? INCREMENT BY 1 MINVALUE 1 MAXVALUE (?P<max>\d+)"
    r" START WITH 1 CACHE 1 NO CYCLE"
)
_IDENTITY = re.compile(
    r"(?P<type>smallint|integer|bigint)(?P<rest> (?:NOT NULL )?GENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY)"
    r" \(START WITH 1 INCREMENT BY 1 MINVALUE 1 MAXVALUE (?P<max>\d+) CACHE 1\)"
)


def terse(text: str, kind: str) -> str:
    """Leave out what is as usual for a sequence, or an identity."""
    if kind == "sequence" and text.startswith("CREATE"):
        return _SEQUENCE.sub(_without_usual, text, count=1)
    if kind in ("table", "column"):
        return _IDENTITY.sub(lambda m: m["type"] + m["rest"] if int(m["max"]) == _LARGEST[m["type"]] else m[0], text)
    return text


def _without_usual(found: re.Match[str]) -> str:
    type_ = (found["type"] or " AS bigint").removeprefix(" AS ")
    if int(found["max"]) != _LARGEST[type_]:
        return found[0]
    return "" if type_ == "bigint" else f" AS {type_}"


# --- what it costs ------------------------------------------------------------------------------


def notes_on(had: Object | None, wanted: Object, attribute: str) -> tuple[_Notes, _Notes]:
    """What a statement loses, and what may stop it or hurt where there are rows."""
    match wanted.kind, attribute:
        case "column", " absent":
            is_given = any(wanted.get(name) for name in ("default", "generated", "identity"))
            if wanted.get("not null") and not is_given:
                return (), ("fails where the table has rows: they have no value for it, and there is no default",)
            if wanted.get("generated").endswith("STORED") or wanted.get("identity") or "(" in wanted.get("default"):
                return (), ("may rewrite the table, which nobody can use meanwhile",)
        case "column", "type" if had is not None:
            loses, notes = _loses_in_cast(had.get("type"), wanted.get("type"))
            return loses, (*notes, *_rewriting(had.get("type"), wanted.get("type")))
        case "column", "collation":
            return (), ("makes the indexes on it anew, and nobody can use the table meanwhile",)
        case "column", "not null" if wanted.get("not null") == "NOT NULL":
            return (), (f"fails where a row has NULL; {_READS}",)
        case "domain", "not null" if wanted.get("not null"):
            return (), ("fails where a column of this type has NULL; reads the tables that have one",)
        case "domain", "constraints" if wanted.get("constraints"):
            return (), ("fails where a value breaks one; reads the tables that have a column of this type",)
        case "column", "generated" if wanted.get("generated"):
            return (), ("rewrites the table, which nobody can use meanwhile",)
        case "column", "identity" if had is not None and had.get("identity") and not wanted.get("identity"):
            return (f"the value that the sequence of {wanted.name} is at",), ()
        case "table", "persistence":
            return (), ("rewrites the table, which nobody can use meanwhile",)
        case "type", "definition" if had is not None and had.get("definition").startswith("("):
            old, new = attributes_of(had.get("definition")), attributes_of(wanted.get("definition"))
            return tuple(f"what {wanted.name} holds in {name}" for name in old if name not in new), ()
        case "constraint", " absent":
            return (), _notes_on_constraint(wanted)
        case "index", " absent":
            return (), _notes_on_index(wanted)
    return (), ()


def _rewriting(old: str, new: str) -> _Notes:
    one, other = _base(old), _base(new)
    longer = _length(new) >= _length(old)
    if other in ("text", "character varying") and one in ("text", "character varying") and longer:
        return ()
    return ("rewrites the table, which nobody can use meanwhile",)


def _notes_on_constraint(wanted: Object) -> _Notes:
    definition = wanted.get("definition")
    if definition.startswith("FOREIGN KEY") and not wanted.get("validated") and not wanted.get("enforced"):
        return ("reads both tables; where they are filled, add it NOT VALID here and VALIDATE it in a later file",)
    if definition.startswith("CHECK") and not wanted.get("validated") and not wanted.get("enforced"):
        return (f"fails where a row breaks it; {_READS}",)
    if definition.startswith(("UNIQUE", "PRIMARY KEY", "EXCLUDE")):
        return (f"fails where rows break it; {_READS}",)
    return ()


def _notes_on_index(wanted: Object) -> _Notes:
    unique = "fails where two rows are equal; " if wanted.get("definition").startswith("CREATE UNIQUE") else ""
    return (f"{unique}{_READS}: where it is large, CREATE INDEX CONCURRENTLY in a file of its own",)
