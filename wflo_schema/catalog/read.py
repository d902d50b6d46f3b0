"""Read a whole database into a frozen `Catalog`, and compare two; hides pg_catalog and its versions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from wflo_schema.catalog.mend import (
    ABSENT,
    EXTRA,
    NAME,
    Place,
    Sides,
    are_alike,
    in_order,
    mend_absent,
    mend_attribute,
    mend_extra,
    rename,
)
from wflo_schema.catalog.objects import (
    GLOBAL,
    NOTHING,
    OF_RELATION,
    RELATIONS,
    WITH_ARGUMENTS,
    Catalog,
    Difference,
    Key,
    Object,
    Path,
    as_key,
    column_definition,
    order,
    quote,
    table_of,
)
from wflo_schema.connect.database import database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.errors import UsageError, WfloSchemaError

# What records migrations is no part of what migrations make.
LEDGER_TABLES: frozenset[str] = frozenset(
    {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "_wflo_schema_progress"}
)

# What other tools record their migrations in: no contract should require it, and an adopted database keeps it.
OTHER_LEDGERS: frozenset[str] = frozenset(
    {
        "alembic_version",
        "ar_internal_metadata",
        "django_migrations",
        "flyway_schema_history",
        "goose_db_version",
        "schema_migrations",
    }
)

# Sqitch keeps a schema of its own, of whatever name, with these and nothing else.
_SQITCH_TABLES = frozenset({"changes", "dependencies", "events", "projects", "releases", "tags"})

_QUERIES: tuple[LiteralString, ...] = (
    "schemas",
    "relations",
    "columns",
    "constraints",
    "indexes",
    "sequences",
    "functions",
    "types",
    "triggers",
    "others",
    "rare",
)

# The queries are written for the newest server; below each version its fragment is swapped.
_OLDER_SERVERS: tuple[tuple[int, LiteralString, LiteralString], ...] = (
    (180000, "con.conenforced", "true"),
    (180000, "p.pubgencols", "'n'"),
    (150000, "a.attnum = ANY (pr.prattrs)", "false"),
    (150000, "pg_catalog.pg_get_expr(pr.prqual, pr.prrelid)", "NULL"),
    (150000, "FROM pg_catalog.pg_publication_namespace AS ps", "FROM (SELECT 0::oid, 0::oid) AS ps(pnpubid, pnnspid)"),
    (140000, "r.rngmultitypid", "NULL::oid"),
    (170000, "c.colllocale", "c.colliculocale"),
    (150000, "c.colliculocale", "NULL"),
    (150000, "c.relkind IN ('r', 'p') AND rc.relkind IN ('r', 'p')", "c.relkind = 'r' AND rc.relkind = 'r'"),
    (140000, "a.attcompression", "''::\"char\""),
)

# What a person can set on a column, a table, a view or an index, as the manual lists it for these servers.  Nothing
# else counts: PostgreSQL keeps notes of its own there (15.20: pg_attver, another number for every column made).
_COLUMN_OPTIONS = "n_distinct|n_distinct_inherited"
_RELATION_OPTIONS = "|".join(
    """autosummarize autovacuum_[a-z_]+ buffering check_option deduplicate_items fastupdate fillfactor
    gin_pending_list_limit log_autovacuum_min_duration pages_per_range parallel_workers security_barrier
    security_invoker toast_tuple_target user_catalog_table vacuum_[a-z_]+""".split()
)
_OPTIONS_KNOWN_BELOW = 190000

# Which options count where no list is known: on a newer server, and for the access methods of extensions.
_NOT_INTERNAL = "^(?!pg_)"

# Everything that changes how PostgreSQL prints a name or a constant.  pg_temp is named last: left out, it comes first.
_SETTINGS: tuple[tuple[str, str], ...] = (
    ("search_path", "pg_catalog, pg_temp"),
    ("quote_all_identifiers", "off"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("standard_conforming_strings", "on"),
)

# DDL committed while we read can make PostgreSQL's own printing functions fail: they do not look through our snapshot.
_TRIES = 10

_MOVED_BELOW_US = frozenset({"XX000", "42P01", "42704", "42703", "42883"})

_COSMETIC = frozenset({"column order", "identity sequence", "not null constraint"})

# A name is worth telling only where what it names is on both sides.
_ONLY_BESIDE = {"identity sequence": "identity", "not null constraint": "not null"}


def read_catalog(
    connection: psycopg.Connection[TupleRow],
    *,
    schemas: tuple[str, ...] | None = None,
    privileges: bool = False,
    ignore: Collection[str] = LEDGER_TABLES,
    lock_timeout_ms: int | None = None,
) -> Catalog:
    """Read the catalog in one read-only snapshot; the connection is left as it was found.

    ``schemas`` limits it to objects in those schemas; extensions, event triggers, publications,
    foreign servers and casts belong to no schema and are then left out.  ``ignore`` are names of
    tables, in any schema, that are left out with all that hangs on them.  ``privileges`` adds
    owner and grants.  Objects that belong to extensions are never read.  Inside an open
    transaction its own changes are seen, and its isolation level decides on the snapshot.

    No lock is waited for but one: PostgreSQL locks the tables below a view to print it, for
    ``lock_timeout_ms`` at most (None: the server's own).

    Raise `CannotRead` when this role may not read pg_catalog, `DatabaseError` when the server
    refuses or goes away (sqlstate 55P03: a table below a view stayed locked).
    """
    own_transaction = connection.info.transaction_status == TransactionStatus.IDLE
    for left in reversed(range(_TRIES if own_transaction else 1)):
        try:
            return _read_once(connection, schemas, privileges, ignore, own_transaction, lock_timeout_ms)
        except psycopg.Error as error:
            if left and error.sqlstate in _MOVED_BELOW_US and not connection.closed:
                continue
            raise database_error(error, "reading the catalog") from error
    raise AssertionError("the last try returns or raises")


def read_migrated(
    connection: psycopg.Connection[TupleRow],
    *,
    schemas: tuple[str, ...] | None = None,
    privileges: bool = False,
    wanted: Catalog | None = None,
) -> Catalog:
    """Read what migrations made: as `read`, without what other tools record theirs in.

    Such a table counts where ``wanted`` has it too: then the migrations make it.
    """
    made = {one.path for one in wanted.objects if one.kind in ("schema", "table")} if wanted is not None else set()
    ignore = LEDGER_TABLES | (OTHER_LEDGERS - {path[-1] for path in made if len(path) == 2})
    found = read_catalog(connection, schemas=schemas, privileges=privileges, ignore=ignore)
    tables: dict[str, set[str]] = {}
    for one in found.objects:
        if one.kind == "table":
            tables.setdefault(one.path[0], set()).add(one.path[1])
    registries = {
        schema
        for schema, names in tables.items()
        if (schema,) not in made
        and {"changes", "events"} <= names <= _SQITCH_TABLES
        and found.find("column", schema, "changes", "script_hash") is not None
    }
    return found.without_schemas(registries)


def _read_once(
    connection: psycopg.Connection[TupleRow],
    schemas: tuple[str, ...] | None,
    privileges: bool,
    ignore: Collection[str],
    own_transaction: bool,
    lock_timeout_ms: int | None,
) -> Catalog:
    version = connection.info.server_version
    settings = (*_SETTINGS, *((("lock_timeout", str(lock_timeout_ms)),) if lock_timeout_ms is not None else ()))
    parameters = {
        "schemas": list(schemas) if schemas is not None else None,
        "ignore": sorted(ignore),
        **_options_that_count(version),
        "settings": [name for name, _ in settings],
        "values": [value for _, value in settings],
    }
    more: tuple[LiteralString, ...] = ("default_privileges", "privileges") if privileges else ()
    names = (*_QUERIES, *more)
    snapshot: LiteralString = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" if own_transaction else ""
    queries = ";\n".join(_query(name, version) for name in ("settings", *names))
    results: list[tuple[list[str], list[TupleRow]]] = []
    with connection.transaction(force_rollback=True):  # the settings go with it
        cursor = psycopg.ClientCursor(connection, row_factory=tuple_row)
        cursor.execute(snapshot + queries, parameters)  # one message: one round trip for all of them
        while True:
            if cursor.description is not None:
                results.append(([column.name for column in cursor.description], cursor.fetchall()))
            if not cursor.nextset():
                break
    del results[0]
    objects = _objects(results[: len(_QUERIES) + len(more[:1])])
    if privileges:
        objects = _with_privileges(objects, results[-1][1])
    return Catalog(tuple(sorted(objects, key=order)), version)


def _options_that_count(server_version: int) -> dict[str, str]:
    is_known = server_version < _OPTIONS_KNOWN_BELOW
    return {
        "column_options": f"^({_COLUMN_OPTIONS})=" if is_known else _NOT_INTERNAL,
        "relation_options": f"^({_RELATION_OPTIONS})=" if is_known else _NOT_INTERNAL,
        "other_options": _NOT_INTERNAL,
    }


def _query(name: LiteralString, server_version: int) -> LiteralString:
    text = load_sql("catalog", name)
    for version, newer, older in _OLDER_SERVERS:
        if server_version < version:
            text = text.replace(newer, older)
    return text


_NOT_ATTRIBUTES = frozenset(
    {"kind", "path", "follows", "object_oid", "parent_oid", "referenced_oid", "referenced_table"}
)


def _objects(results: Iterable[tuple[list[str], list[TupleRow]]]) -> list[Object]:
    found: list[Object] = []
    for columns, rows in results:
        attributes = sorted((n.replace("_", " "), i) for i, n in enumerate(columns) if n not in _NOT_ATTRIBUTES)
        follows = columns.index("follows") if "follows" in columns else None
        if "object_oid" in columns:
            found.extend(_with_clones(columns, rows, attributes, follows))
            continue
        for row in rows:
            found.append(
                Object(
                    row[0],
                    tuple(row[1]),
                    tuple([(name, row[i]) for name, i in attributes if row[i] is not None]),
                    tuple(row[follows]) if follows is not None and row[follows] else (),
                )
            )
    return found


def _with_clones(
    columns: list[str], rows: list[TupleRow], attributes: list[tuple[str, int]], follows: int | None
) -> Iterable[Object]:
    """Name clones on partitions after what they were cloned from: PostgreSQL names them as it comes.

    A foreign key has one more row for each partition of the table it points to.  It is bookkeeping,
    but for its triggers, which keep that partition's rows: what is unusual of them is told with the key.
    """
    oid, parent, referenced = (columns.index(n) for n in ("object_oid", "parent_oid", "referenced_oid"))
    by_oid = {row[oid]: row for row in rows}
    roots: dict[int, TupleRow] = {}
    beside: dict[int, list[str]] = {}
    for row in rows:
        root = row
        while root[parent] and root[parent] in by_oid:
            root = by_oid[root[parent]]
        roots[row[oid]] = root
        if root[referenced] != row[referenced]:
            triggers = row[columns.index("triggers")]
            if triggers:
                beside.setdefault(root[oid], []).append(f"{row[columns.index('referenced_table')]}: {triggers}")
    for row in rows:
        kind, path = row[0], tuple(row[1])
        after: Path = tuple(row[follows]) if follows is not None and row[follows] else ()
        root = roots[row[oid]]
        if root[referenced] != row[referenced]:
            continue
        if root is not row:
            after = (root[0], *root[1])
            kind, path = f"inherited {kind}", (*path[:2], root[1][2])
        known = {n: row[i] for n, i in attributes if row[i] is not None}
        if row[oid] in beside:
            known["triggers"] = "; ".join(filter(None, (known.get("triggers"), *sorted(beside[row[oid]]))))
        yield Object(kind, path, tuple(sorted(known.items())), after)


def _with_privileges(objects: list[Object], rows: list[TupleRow]) -> list[Object]:
    known = {(row[0], tuple(row[1])): (row[2], row[3]) for row in rows}
    found = []
    for one in objects:
        owner, granted = known.get(one.key, (None, None))
        more = [("owner", owner)] if owner is not None else []
        more += [("privileges", granted)] if granted is not None else []
        found.append(Object(one.kind, one.path, tuple(sorted([*one.attributes, *more])), one.follows) if more else one)
    return found


def compare_catalogs(
    have: Catalog, want: Catalog, *, ignore_schema_names: Mapping[str, str] | None = None
) -> tuple[Difference, ...]:
    """List in which ways ``have`` is not ``want``, sorted so that mends can run in order.

    ``ignore_schema_names`` maps names of schemas in ``have`` to those they stand for in ``want``,
    also inside definitions; names are then written as ``have`` writes them.  What hangs on an
    absent object (its columns, indexes …) is not listed beside it, nor what a partition merely
    inherits.  An index or a constraint that is there under another name is one difference.
    Without a mapping, empty exactly when the catalogs are equal.

    Raise `UsageError` when two schemas are mapped to one.
    """
    names = _Renaming(ignore_schema_names or {})
    sides = _sides(have, want, names)
    found: dict[Place, Difference] = {}
    _forget_detached(sides)
    renamed = _renamed(sides)
    for had, wanted in renamed:
        found[wanted.key, NAME] = rename(had, wanted)
    pairs = [(sides.has[key], wanted) for key, wanted in sides.wants.items() if key in sides.has]
    for had, wanted in [*renamed, *pairs]:
        for attribute, difference in _attribute_differences(had, wanted, sides, names):
            found[wanted.key, attribute] = difference
    for relation in sides.wants.values():
        if relation.kind in ("table", "foreign table") and relation.key in sides.has:
            difference_or_none = _column_order(relation, sides)
            if difference_or_none is not None:
                found[relation.key, "column order"] = difference_or_none
    for key, attribute in list(found):
        for one in (sides.wants.get(key), sides.has.get(key)):
            if one is not None and one.follows and _is_the_same(found, key, (as_key(one.follows), attribute), sides):
                found.pop((key, attribute), None)
    gone = {old.key for old, _ in renamed}
    come = {new.key for _, new in renamed}
    for key, one in sides.extra.items():
        if key not in gone and not _is_told_elsewhere(one, sides.extra, sides.extra_paths):
            found[key, EXTRA] = Difference(
                one.kind, one.name, "", _show(one, sides.has_columns), NOTHING, mend_extra(one)
            )
    for key, one in sides.absent.items():
        if key not in come and not _is_told_elsewhere(one, sides.absent, sides.absent_paths):
            found[key, ABSENT] = Difference(
                one.kind, one.name, "", NOTHING, _show(one, sides.wants_columns), mend_absent(one, sides)
            )
    return in_order(found, sides)


def _is_the_same(found: Mapping[Place, Difference], key: Key, followed: Place, sides: Sides) -> bool:
    """Say whether what a copy differs in is told, and mended, with what it is a copy of."""
    if followed not in found:
        return False
    if followed[1] != "enabled":
        return True
    both = (sides.has.get(key), sides.wants.get(key), sides.has.get(followed[0]), sides.wants.get(followed[0]))
    ours, theirs, above_ours, above_theirs = (one.get("enabled") if one else "" for one in both)
    return (ours, theirs) == (above_ours, above_theirs) and are_alike(followed[0], sides)


class _Renaming:
    """Writes what ``want`` says with the schema names of ``have``.

    The names are swapped and not just replaced, so that two different texts never become one.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        if len(set(mapping.values())) != len(mapping):
            raise UsageError("two schemas are to be compared with the same one")
        self._to_want = {a: b for a, b in mapping.items() if a != b}
        self._to_have = {b: a for a, b in self._to_want.items()}
        for start in self._to_want:
            end = start
            while end in self._to_want:
                end = self._to_want[end]
            self._to_have.setdefault(start, end)
        spellings: dict[str, str] = {}
        for name in self._to_have:
            spellings['"' + name.replace('"', '""') + '"'] = name
            spellings[quote(name)] = name
        self._spellings = spellings
        one_of = "|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True))
        self._qualifier = re.compile(rf"""(?<![\w$."])({one_of})(?=\.)""") if spellings else None

    def text(self, text: str) -> str:
        if self._qualifier is None:
            return text
        text = self._qualifier.sub(lambda m: quote(self._to_have[self._spellings[m[1]]]), text)
        return re.sub(r"(?m)^ SET search_path TO .*$", self._search_path, text)

    def _search_path(self, line: re.Match[str]) -> str:
        return re.sub(r"'([^']*)'", lambda m: "'" + self._to_have.get(m[1], m[1]) + "'", line[0])

    def object(self, one: Object) -> Object:
        if self._qualifier is None:
            return one
        return Object(
            one.kind,
            self._path(one.kind, one.path),
            tuple((name, self.text(value)) for name, value in one.attributes),
            (one.follows[0], *self._path(one.follows[0], one.follows[1:])) if one.follows else (),
        )

    def _path(self, kind: str, path: Path) -> Path:
        if kind in WITH_ARGUMENTS:
            path = (*path[:-1], self.text(path[-1]))
        return path if kind in GLOBAL else (self._to_have.get(path[0], path[0]), *path[1:])

    def is_same(self, have: str, want: str) -> bool:
        """Say whether a text of ``have`` and an original text of ``want`` mean the same.

        Looks at them side by side: what looks like a schema's name may be the alias of a table.
        """
        if self._qualifier is None:
            return have == want
        ours, theirs = self._qualifier.split(have), self._qualifier.split(want)
        if len(ours) != len(theirs) or ours[::2] != theirs[::2]:
            return False
        for ours_text, theirs_text in zip(ours[1::2], theirs[1::2], strict=True):
            our, their = self._spellings[ours_text], self._spellings[theirs_text]
            if self._to_want.get(our) != their and not (our == their and self._is_alias(our, have, want)):
                return False
        return True

    def _is_alias(self, name: str, *texts: str) -> bool:
        standing_alone = re.compile(rf"""(?<![\w$."]){re.escape(quote(name))}(?![\w$."])""")
        return all(standing_alone.search(text) for text in texts)


def _sides(have: Catalog, want: Catalog, names: _Renaming) -> Sides:
    has = {one.key: one for one in have.objects}
    originals = {}
    wants = {}
    for original in want.objects:
        one = names.object(original)
        wants[one.key] = one
        originals[one.key] = original
    absent = {key: one for key, one in wants.items() if key not in has}
    extra = {key: one for key, one in has.items() if key not in wants}
    return Sides(
        has,
        wants,
        originals,
        absent,
        extra,
        _containers(absent),
        _containers(extra),
        _columns(has),
        _columns(wants),
        have.server_version,
    )


def _containers(objects: Mapping[Key, Object]) -> frozenset[Path]:
    return frozenset(path for kind, path in objects if kind == "schema" or kind in RELATIONS)


def _columns(objects: Mapping[Key, Object]) -> dict[Path, list[Object]]:
    found: dict[Path, list[Object]] = {}
    for one in objects.values():
        if one.kind == "column" and one.get("position"):
            found.setdefault(one.path[:2], []).append(one)
    for columns in found.values():
        columns.sort(key=lambda column: int(column.get("position")))
    return found


def _is_told_elsewhere(one: Object, group: Mapping[Key, Object], containers: frozenset[Path]) -> bool:
    if one.follows and as_key(one.follows) in group:
        return True
    if one.kind in OF_RELATION and one.path[:2] in containers:
        return True
    if one.kind == "column" and not one.get("type"):
        return True  # by the definition of its view
    return one.kind != "schema" and one.kind not in GLOBAL and one.path[:1] in containers


def _renamed(sides: Sides) -> list[tuple[Object, Object]]:
    """Pair what only ``have`` holds with what only ``want`` holds where nothing but the name differs."""
    candidates: dict[tuple[str, Path, str], list[Object]] = {}
    for one in sides.extra.values():
        if one.kind in ("index", "constraint") and not one.follows:
            candidates.setdefault((one.kind, one.path[:2], one.get("definition")), []).append(one)
    found = []
    for wanted in sides.absent.values():
        if wanted.kind not in ("index", "constraint") or wanted.follows:
            continue
        same = candidates.get((wanted.kind, wanted.path[:2], wanted.get("definition")))
        if same:
            same.sort(key=lambda had: (had.attributes != wanted.attributes, had.path))
            found.append((same.pop(0), wanted))
    return found


def _forget_detached(sides: Sides) -> None:
    """Where a table is a partition on one side only, what it had inherited and now owns is no news."""
    attached = {
        wanted.path
        for key, wanted in sides.wants.items()
        if wanted.kind in ("table", "foreign table")
        and key in sides.has
        and bool(wanted.get("partition of")) != bool(sides.has[key].get("partition of"))
    }
    candidates: dict[tuple[Path, str, str], list[Key]] = {}
    for key, one in sides.extra.items():
        if one.path[:2] in attached and "definition" in dict(one.attributes):
            candidates.setdefault((one.path[:2], one.kind.split()[-1], one.get("definition")), []).append(key)
    for key, one in list(sides.absent.items()):
        same = candidates.get((one.path[:2], one.kind.split()[-1], one.get("definition")))
        if same and one.kind != sides.extra[same[0]].kind:
            del sides.absent[key], sides.extra[same.pop(0)]


def _column_order(relation: Object, sides: Sides) -> Difference | None:
    ours = [one.path[2] for one in sides.has_columns.get(relation.path, [])]
    theirs = [one.path[2] for one in sides.wants_columns.get(relation.path, [])]
    both = set(ours) & set(theirs)
    had = [name for name in ours if name in both]
    wanted = [name for name in theirs if name in both]
    if had == wanted:
        return None
    have, want = (f"({', '.join(map(quote, part))})" for part in (had, wanted))
    return Difference(relation.kind, relation.name, "column order", have, want, cosmetic=True)


def _attribute_differences(
    had: Object, wanted: Object, sides: Sides, names: _Renaming
) -> Iterable[tuple[str, Difference]]:
    if had.attributes == wanted.attributes:
        return
    ours, theirs = dict(had.attributes), dict(wanted.attributes)
    originally = dict(sides.originals[wanted.key].attributes)
    for attribute in sorted({*ours, *theirs} - {"position"}):
        have, want = ours.get(attribute), theirs.get(attribute)
        if have == want:
            continue
        if attribute in _ONLY_BESIDE and ours.get(_ONLY_BESIDE[attribute]) != theirs.get(_ONLY_BESIDE[attribute]):
            continue
        if have is not None and want is not None and names.is_same(have, originally[attribute]):
            continue
        yield (
            attribute,
            Difference(
                wanted.kind,
                wanted.name,
                attribute,
                _show_attribute(had, attribute),
                _show_attribute(wanted, attribute),
                mend_attribute(had, wanted, attribute, sides),
                attribute in _COSMETIC,
            ),
        )


# What an attribute that is left out means, where that is not simply nothing.
_USUAL = {
    "clustered": "no",
    "enabled": "ENABLED",
    "index valid": "VALID",
    "not null": "NULL",
    "persistence": "PERMANENT",
    "populated": "yes",
    "row security": "DISABLED",
    "row security for owner": "NOT FORCED",
    "replica identity": "DEFAULT",
    "triggers": "all internal triggers ENABLED",
    "valid": "VALID",
    "cycle": "NO CYCLE",
}


def _show_attribute(one: Object, attribute: str) -> str:
    if one.kind.endswith("constraint") and attribute in ("definition", "validated", "enforced"):
        return _show_constraint(one)
    return one.get(attribute) or _USUAL.get(attribute, NOTHING)


def _show_constraint(one: Object) -> str:
    definition = one.get("definition")
    text = definition.removeprefix("FOREIGN KEY ") if definition.startswith("FOREIGN KEY (") else f" {definition}"
    return " ".join(filter(None, (table_of(one) + text, one.get("validated"), one.get("enforced"))))


def _show(one: Object, columns: Mapping[Path, list[Object]]) -> str:
    if one.kind.endswith("constraint"):
        return _show_constraint(one)
    if one.kind == "column":
        return column_definition(one)
    if one.kind in ("table", "foreign table"):
        listed = ", ".join(f"{quote(c.path[2])} {column_definition(c)}" for c in columns.get(one.path, []))
        return f"{one.kind.upper()} {one.name} ({listed})"
    definition = one.get("definition")
    if definition:
        return " ".join(filter(None, (definition, one.get("valid"))))
    known = ", ".join(f"{name} {value}" for name, value in one.attributes if name not in ("comment", "owner"))
    return f"{one.kind.upper()} {one.name}{f' ({known})' if known else ''}"


DUMP_TITLE = "# catalog of a PostgreSQL database, written by wflo-schema; format 2"


def catalog_text(catalog: Catalog) -> str:
    """Write a catalog as text for review: sorted, the same for equal catalogs of one major version."""
    lines = [DUMP_TITLE, f"# server: PostgreSQL {catalog.server_version // 10000}"]
    for one in catalog.objects:
        lines += ["", f"{one.kind}: {_dump_path(one.kind, one.path)}"]
        for name, value in one.attributes:
            lines.append(f"    {name}: {_dump_value(value)}")
        if one.follows:
            lines.append(f"    follows: {one.follows[0]}: {_dump_path(one.follows[0], one.follows[1:])}")
    return "\n".join(lines) + "\n"


def _dump_path(kind: str, path: Path) -> str:
    parts = [part if _PLAIN.fullmatch(part) else json.dumps(part) for part in path]
    if kind in WITH_ARGUMENTS and path[-1].startswith("(") and path[-1].isprintable():
        return ".".join(parts[:-1]) + path[-1]
    return ".".join(parts)


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def _dump_value(value: str) -> str:
    lines = value.split("\n")
    is_readable = all(line == line.rstrip() and line.replace("\t", "").isprintable() for line in lines)
    if is_readable and len(lines) > 1 and lines[-1]:
        return "\n".join(["|", *(f"        {line}" if line else "" for line in lines)])
    if is_readable and len(lines) == 1 and value == value.strip() and value and not value.startswith(('"', "|")):
        return value
    return json.dumps(value)


def parse_catalog(text: str) -> Catalog:
    """Read what `dump` wrote.

    Raise `WfloSchemaError` when it is something else, with the number of the line.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != DUMP_TITLE:
        raise WfloSchemaError(
            "this is not a catalog written by wflo-schema", hint=f"its first line would be: {DUMP_TITLE}"
        )
    major = re.fullmatch(r"# server: PostgreSQL (\d+)", lines[1]) if len(lines) > 1 else None
    objects: list[Object] = []
    kind = ""
    path: Path = ()
    follows: Path = ()
    attributes: list[tuple[str, str]] = []

    def finish() -> None:
        if kind:
            objects.append(Object(kind, path, tuple(attributes), follows))

    number = 1
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line or line.startswith("#"):
            continue
        head, colon, rest = line.partition(": ")
        try:
            if not colon:
                raise ValueError
            if not line.startswith(" "):
                finish()
                kind, path, follows, attributes = head, _load_path(rest), (), []
            elif head == "    follows":
                followed, _, where = rest.partition(": ")
                follows = (followed, *_load_path(where))
            elif rest == "|":
                block = []
                while number < len(lines) and (not lines[number] or lines[number].startswith(" " * 8)):
                    block.append(lines[number][8:])
                    number += 1
                attributes.append((head.strip(), "\n".join(block).rstrip("\n")))
            else:
                attributes.append((head.strip(), json.loads(rest) if rest.startswith('"') else rest))
        except ValueError:
            raise WfloSchemaError(
                f"line {number} of the catalog file cannot be read: {line.strip()[:60]}",
                hint="write it again with wflo-schema dump",
            ) from None
    finish()
    return Catalog(tuple(sorted(objects, key=order)), int(major[1]) * 10000 if major else 0)


def _load_path(text: str) -> Path:
    parts: list[str] = []
    while text:
        plain = _PLAIN.match(text)
        if plain:
            parts.append(plain[0])
            text = text[plain.end() :]
        elif text.startswith('"'):
            part, end = json.JSONDecoder().raw_decode(text)
            parts.append(str(part))
            text = text[end:]
        elif text.startswith("("):
            return (*parts, text)
        else:
            raise ValueError
        text = text.removeprefix(".")
    if not parts:
        raise ValueError
    return tuple(parts)
