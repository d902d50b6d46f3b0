"""Read a whole database into a frozen `Catalog`; hides pg_catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from wflo_schema.catalog.objects import (
    Catalog,
    Object,
    Path,
)
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES, Tables, ledger_tables, own_schemas
from wflo_schema.connect.database import database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.replaying import unmarked
from wflo_schema.connect.versions import options_that_count
from wflo_schema.names import qualified, quote

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

_WITH_PRIVILEGES: tuple[LiteralString, ...] = ("default_privileges", "database", "privileges")

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

# The joins are written in the order in which they are made: to look for a better one, or to compile them, takes longer
# than to run them.
_PLANNING: tuple[tuple[str, str], ...] = (("join_collapse_limit", "1"), ("jit", "off"))

# DDL committed while we read can make PostgreSQL's own printing functions fail: they do not look through our snapshot.
_TRIES = 10

_MOVED_BELOW_US = frozenset({"XX000", "42P01", "42704", "42703", "42883"})


def read_catalog(
    connection: psycopg.Connection[TupleRow],
    *,
    schemas: tuple[str, ...] | None = None,
    privileges: bool = False,
    ignore: Collection[str] = LEDGER_TABLES,
    apart: str | None = None,
    lock_timeout_ms: int | None = None,
) -> Catalog:
    """Read the catalog in one read-only snapshot; the connection is left as it was found.

    ``schemas`` limits it to objects in those schemas; extensions, event triggers, publications,
    foreign servers and casts belong to no schema and are then left out.  ``ignore`` are names of
    tables, in any schema, that are left out with all that hangs on them.  ``apart`` is a schema that is the ledger's
    alone: it is left out itself, and what else is in it is not.  ``privileges`` adds
    owner and grants, and what is set on the database.  Objects that belong to extensions are never
    read.  Inside an open transaction its own changes are seen, and its isolation level decides on the snapshot.

    It waits for no lock but one: to print a view, PostgreSQL locks the tables below it.  It waits
    ``lock_timeout_ms`` at most (None: the server's own).

    Raise `CannotRead` when this role may not read pg_catalog, `DatabaseError` when the server
    refuses or goes away (sqlstate 55P03: a table below a view stayed locked).
    """
    queries = catalog_queries(connection.info.server_version, privileges=privileges)
    found = ask_catalog(
        connection, queries, of_citus=citus_queries(), schemas=schemas, ignore=ignore, lock_timeout_ms=lock_timeout_ms
    )
    results, distributions = found[: len(queries)], found[len(queries) :]
    objects = _objects(results[:-1] if privileges else results)
    if privileges:
        objects = _with_privileges(objects, results[-1][1])
    if distributions:
        objects = _with_distribution(objects, _objects(distributions))
    if apart is not None:
        objects = [one for one in objects if one.key != ("schema", (apart,))]
    return Catalog(tuple(sorted(objects, key=lambda one: one.key)), connection.info.server_version)


def read_surroundings(connection: psycopg.Connection[TupleRow], *, apart: str | None = None) -> Catalog:
    """All schemas, and what belongs to none: what there is beside the catalog of one.  Else as `read_catalog`."""
    names: tuple[LiteralString, ...] = ("schemas", "others")
    queries = [load_sql("catalog", name, connection.info.server_version) for name in names]
    found = ask_catalog(connection, queries, of_citus=citus_queries(), schemas=None, ignore=LEDGER_TABLES)
    objects = _with_distribution(_objects(found[: len(queries)]), _objects(found[len(queries) :]))
    kept = (one for one in objects if one.key != ("schema", (apart,)))
    return Catalog(tuple(sorted(kept, key=lambda one: one.key)), connection.info.server_version)


def catalog_queries(server_version: int, *, privileges: bool = False) -> list[LiteralString]:
    """The queries that find all objects; with ``privileges`` the last one finds owners and grants of them, and more."""
    names = (*_QUERIES, *_WITH_PRIVILEGES) if privileges else _QUERIES
    return [load_sql("catalog", name, server_version) for name in names]


def citus_queries() -> list[LiteralString]:
    """The queries that find how Citus keeps what the others find; they are sent where Citus is."""
    return [load_sql("catalog", "citus_distribution")]


Result = tuple[list[str], list[TupleRow]]


def ask_catalog(
    connection: psycopg.Connection[TupleRow],
    queries: Sequence[LiteralString],
    *,
    of_citus: Sequence[LiteralString] = (),
    schemas: Sequence[str] | None,
    ignore: Collection[str],
    more: Mapping[str, object] | None = None,
    lock_timeout_ms: int | None = None,
) -> list[Result]:
    """Send queries of the catalog; they find their parameters, ``more`` too, and settings under which all prints alike.

    It is one round trip, in one read-only snapshot, and another one for those ``of_citus`` where Citus (12 or later)
    is there.  Names of columns and rows are returned for each.  All else is as `read_catalog` says.
    """
    own_transaction = connection.info.transaction_status == TransactionStatus.IDLE
    patience = (("lock_timeout", str(lock_timeout_ms)),) if lock_timeout_ms is not None else ()
    settings = (*_SETTINGS, *_PLANNING, *patience)
    parameters = {
        "schemas": list(schemas) if schemas is not None else None,
        "ignore": sorted(ignore),
        **options_that_count(connection.info.server_version),
        "settings": [name for name, _ in settings],
        "values": [value for _, value in settings],
        **(more or {}),
    }
    snapshot: LiteralString = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" if own_transaction else ""
    message = snapshot + ";\n".join([load_sql("catalog", "settings"), *queries])
    for left in reversed(range(_TRIES if own_transaction else 1)):
        try:
            return _ask(connection, message, parameters, ";\n".join(of_citus))
        except psycopg.Error as error:
            if left and error.sqlstate in _MOVED_BELOW_US and not connection.closed:
                continue
            raise database_error(error, "reading the catalog") from error
    raise AssertionError("the last try returns or raises")


def _ask(
    connection: psycopg.Connection[TupleRow],
    message: LiteralString,
    parameters: Mapping[str, object],
    of_citus: LiteralString,
) -> list[Result]:
    with connection.transaction(force_rollback=True):  # the settings go with it
        cursor = psycopg.ClientCursor(connection, row_factory=tuple_row)
        (_, settings), *results = _results(cursor.execute(message, parameters))
        has_citus = settings[0][1]
        return [*results, *_results(cursor.execute(of_citus, parameters))] if has_citus and of_citus else results


def _results(cursor: psycopg.Cursor[TupleRow]) -> list[Result]:
    """What each query of a message has found."""
    results: list[Result] = []
    while True:
        if cursor.description is not None:
            results.append(([column.name for column in cursor.description], cursor.fetchall()))
        if not cursor.nextset():
            return results


def read_migrated(
    connection: psycopg.Connection[TupleRow],
    *,
    schemas: tuple[str, ...] | None = None,
    privileges: bool = False,
    wanted: Catalog | None = None,
    apart: str | None = None,
) -> Catalog:
    """Read what migrations made: as `read_catalog`, without the ledgers of other tools.

    Such a table counts where ``wanted`` has it too: then the migrations make it.
    """
    return without_ledgers(read_catalog(connection, schemas=schemas, privileges=privileges, apart=apart), wanted)[0]


def without_ledgers(
    found: Catalog, wanted: Catalog | None = None, *, unused: Collection[Path] = ()
) -> tuple[Catalog, tuple[str, ...]]:
    """A catalog without the ledgers of other tools, and the names of what that leaves out.

    ``unused`` are tables and schemas that count although they look like a ledger.
    """
    made = {one.path for one in wanted.objects if one.kind in ("schema", "table")} if wanted is not None else set()
    made |= set(unused)
    tables = columns_of_tables(found)
    ledgers = {place for place in ledger_tables(tables) if place not in made}
    registries = {schema for schema in own_schemas(tables) if (schema,) not in made}
    names = (*(f"schema {quote(s)}" for s in registries), *(qualified(*t) for t in ledgers if t[0] not in registries))
    return found.without_tables(ledgers).without_schemas(registries), tuple(sorted(names))


def columns_of_tables(found: Catalog) -> Tables:
    """Each table's columns, as a ledger is recognised by them."""
    columns: dict[tuple[str, str], set[str]] = {}
    for one in found.objects:
        if one.kind == "table":
            columns.setdefault((one.path[0], one.path[1]), set())
        elif one.kind == "column":
            columns.setdefault((one.path[0], one.path[1]), set()).add(one.path[2])
    return {place: frozenset(names) for place, names in columns.items() if found.find("table", *place) is not None}


# Columns of those that are no attribute of an object.
NOT_ATTRIBUTES = frozenset(
    {"kind", "path", "follows", "object_oid", "parent_oid", "referenced_oid", "referenced_table"}
)


def _objects(results: Iterable[Result]) -> list[Object]:
    found: list[Object] = []
    for columns, rows in results:
        attributes = sorted((n.replace("_", " "), i) for i, n in enumerate(columns) if n not in NOT_ATTRIBUTES)
        follows = columns.index("follows") if "follows" in columns else None
        if "object_oid" in columns:
            found.extend(_with_clones(columns, rows, attributes, follows))
            continue
        for row in rows:
            if row[0] in ("function", "procedure"):
                row = tuple(unmarked(value) if isinstance(value, str) else value for value in row)
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
    """Name clones on partitions after what they were cloned from: PostgreSQL's own names for them vary.

    A foreign key has one more row for each partition of the table it points to.  It is bookkeeping,
    but for its triggers, which keep that partition's rows: what is unusual about them is told with the key.
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


def _with_distribution(objects: list[Object], kept: Iterable[Object]) -> list[Object]:
    """Add what Citus says of tables, and of schemas."""
    more = {one.key: one.attributes for one in kept}
    return [
        Object(o.kind, o.path, tuple(sorted([*o.attributes, *more[o.key]])), o.follows) if o.key in more else o
        for o in objects
    ]
