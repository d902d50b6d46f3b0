"""One hash of each tenant's catalog, computed by the server: equal tenants have equal hashes, whatever their names.

Hides how many schemas are asked about at once, and how a schema's own name is taken out of what PostgreSQL prints.
The queries are those of `read_catalog`: what two catalogs that are read would differ in, their hashes differ in.  Where
a text that means the same is printed otherwise, they differ too; `group_catalogs` then compares, and finds them alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.catalog.objects import WITH_ARGUMENTS, Catalog, Object
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES, OTHER_TOOLS, ledger_tables
from wflo_schema.catalog.read import (
    NOT_ATTRIBUTES,
    ask_catalog,
    catalog_queries,
    citus_queries,
    read_catalog,
    without_ledgers,
)
from wflo_schema.check.rules import finding
from wflo_schema.check.verdict import find_drift
from wflo_schema.connect.database import LOCK_TIMEOUT_MS, PATIENT, Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.replaying import MARKED
from wflo_schema.connect.schemas import missing_schema
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed, DatabaseError, WfloSchemaError
from wflo_schema.findings import Finding
from wflo_schema.names import NAME, bare_name, quote, quote_always
from wflo_schema.scratch.replay import ScratchOptions, as_in_target, replay, scratch_database

if TYPE_CHECKING:
    from wflo_schema.files.directives import Phase
    from wflo_schema.files.folder import Migrations

Connection = psycopg.Connection[TupleRow]

# What the hash of a database without a schema goes by.
WHOLE = ""

# Schemas that one message asks about.  Each looks through the whole catalog, and needs memory for every schema.
_MOST_SCHEMAS = 1_000

# Schemas whose catalogs are in memory at once, to be compared.
_MOST_READ = 50

# What part of the locks that the server has room for may be taken at once to print views: the others are for others.
_SHARE_OF_LOCKS = 8

# Every name of another tool's ledger, and of what stands beside it.
_LEDGER_NAMES = sorted({name for tool in OTHER_TOOLS for name in tool.all_tables})


@dataclass(frozen=True, slots=True)
class CatalogHashes:
    """Schema → the hash of its catalog.  One that is not there has none; a whole database goes by `WHOLE`.

    Those with the same hash are alike in all that `compare_catalogs` looks at, on servers of one major version
    (``server_version`` is libpq's number): two versions print some definitions otherwise.  ``failed`` are those that
    could not be read, and why.
    """

    hashes: Mapping[str, str]
    server_version: int
    failed: Mapping[str, WfloSchemaError]


@dataclass(frozen=True, slots=True)
class MigratedCatalog:
    """What the migrations make, as `hash_of_migrations` found it; ``schema`` is where, None for a whole database."""

    hash: str
    catalog: Catalog
    schema: str | None

    @property
    def tables(self) -> frozenset[str]:
        """The names of its tables."""
        return frozenset(one.path[1] for one in self.catalog.objects if one.kind == "table")


@dataclass(frozen=True, slots=True)
class CatalogGroup:
    """Targets whose catalogs are alike, by name, and in what they are not what they should be.

    ``findings`` are those of the first of them, in the words of check's section drift.  ``hashes`` are several where
    PostgreSQL prints otherwise what means the same.  ``compared_to`` is the target that stands for what they should be,
    empty where that is what the migrations make.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    findings: tuple[Finding, ...]
    compared_to: str


def renamed(findings: Iterable[Finding], was: str | None, now: str | None) -> tuple[Finding, ...]:
    """The findings of one schema as those of another one, whose catalog is the same."""
    if was is None or now is None or was == now:
        return tuple(findings)
    old, new = quote(was), quote(now)
    name = re.compile(rf"""(?<![\w$."]){re.escape(old)}(?![\w$"])""")

    def said(text: str) -> str:
        return name.sub(lambda found: new, text)

    return tuple(
        replace(
            f,
            object=said(f.object),
            message=said(f.message),
            have=said(f.have),
            want=said(f.want),
            help=said(f.help),
        )
        for f in findings
    )


@dataclass(frozen=True, slots=True)
class CatalogGroups:
    """All targets by their catalogs, the largest group first, and those whose catalog could not be read."""

    groups: tuple[CatalogGroup, ...]
    failed: Mapping[str, WfloSchemaError]
    notes: tuple[str, ...]


# --- hashes -----------------------------------------------------------------------------------


def hash_catalogs(
    database: Database,
    schemas: Iterable[str] | None,
    *,
    privileges: bool = False,
    made: Collection[str] = (),
    jobs: int = 2,
) -> CatalogHashes:
    """Hash the catalogs of these schemas (None: of the whole database) over ``jobs`` connections at most.  Reads only.

    ``privileges`` adds owners and grants; the role that owns a schema, and one that is called as it is, count as the
    tenant's own, whatever their names.  Ledgers do not count, those of other tools neither, but where the migrations
    make a table of that name (``made``).

    Raise `ConnectionFailed` when the server is not there, `DatabaseError` when it goes away.
    """
    names = tuple(dict.fromkeys(schemas)) if schemas is not None else None
    with database.connect(settings=PATIENT) as connection:
        version = connection.info.server_version
        first, *others = _chunks(connection, names, made, jobs) or [_Chunk((), frozenset())]
        run = _Run(database, privileges)
        with ThreadPoolExecutor(max(jobs - 1, 1)) as pool:
            aside = [pool.submit(run.hash_over_another, chunk) for chunk in others if jobs > 1]
            run.hash(connection, first)
    left = [chunk for chunk, done in zip(others, aside, strict=True) if not done.result()] if jobs > 1 else others
    for chunk in left:  # one after the other, and what there was no place for beside the first
        with database.connect(settings=PATIENT) as connection:
            run.hash(connection, chunk)
    order = names if names is not None else (WHOLE,)
    hashes = {name: run.hashes[name] for name in order if name in run.hashes}
    return CatalogHashes(hashes, version, {name: run.failed[name] for name in order if name in run.failed})


def read_hashes(
    connection: Connection,
    schemas: Sequence[str] | None,
    *,
    privileges: bool = False,
    ignore: Collection[str] = LEDGER_TABLES,
    apart: str | None = None,
    made_in: tuple[str, str] | None = None,
) -> dict[str, str]:
    """Schema → hash, all asked about at once; a whole database (None) goes by `WHOLE`.

    ``ignore``, ``apart`` and transactions are as in `read_catalog`.  ``made_in``: a scratch database's name, and what
    stands for it wherever code has put it.

    Raise as `read_catalog` does.
    """
    # the server hashes what each query finds; what these are together is put together here
    around = load_sql("fleet", "catalog_hash")
    queries = [around.replace("{rows}", rows) for rows in _rows(connection.info.server_version, privileges)]
    more = {
        "apart": apart,
        "left_out": sorted(NOT_ATTRIBUTES - {"kind"}),
        "with_arguments": sorted(WITH_ARGUMENTS),
        "marked": MARKED,
        "made_in": made_in[0] if made_in is not None else None,
        "stands_for": made_in[1] if made_in is not None else None,
    }
    plain = load_sql("fleet", "catalog_rows")
    of_citus = [around.replace("{rows}", plain.replace("{query}", query)) for query in citus_queries()]
    results = ask_catalog(
        connection,
        queries,
        of_citus=of_citus,
        schemas=schemas,
        ignore=ignore,
        more=more,
        lock_timeout_ms=LOCK_TIMEOUT_MS,
    )
    parts: dict[str, list[str]] = {}
    for number, (_, rows) in enumerate(results):
        for schema, digest in rows:
            parts.setdefault(schema, []).append(f"{number} {digest}")
    return {schema: hashlib.sha256("\n".join(said).encode()).hexdigest() for schema, said in parts.items()}


def hash_of_migrations(
    database: Database,
    migrations: Migrations,
    *,
    scratch: ScratchOptions | None = None,
    privileges: bool = False,
    phase: Phase | None = None,
) -> MigratedCatalog:
    """Replay all migrations in a scratch database, as `replayed` does; hash and read what they make there."""
    with scratch_database(database, scratch=scratch) as empty:
        replay(database, empty, operations.in_applied_order(database, migrations, phase=phase), scratch=scratch)
        schemas = None if empty.schema is None else (empty.schema,)
        named = empty.replay.stands_for if empty.replay is not None else None
        made_in = (empty.name, named) if named is not None else None
        apart = empty.ledger_apart
        with empty.connect(settings=PATIENT) as connection:
            found = read_catalog(connection, schemas=schemas, privileges=privileges, apart=apart)
            hashes = read_hashes(connection, schemas, privileges=privileges, apart=apart, made_in=made_in)
    return MigratedCatalog(hashes.get(empty.schema or WHOLE, ""), as_in_target(empty, found), empty.schema)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Schemas that are asked about at once, and names of tables that do not count in any of them."""

    schemas: tuple[str, ...] | None
    ignore: frozenset[str]


@dataclass(slots=True)
class _Run:
    """What has been found so far, over several connections at once."""

    database: Database
    privileges: bool
    hashes: dict[str, str] = field(default_factory=dict)
    failed: dict[str, WfloSchemaError] = field(default_factory=dict)

    def hash_over_another(self, chunk: _Chunk) -> bool:
        """Hash them over a connection of their own; say whether there was one.

        A session of the server keeps in memory what it has ever looked up, and gives it back only at its end.
        """
        try:
            connection = self.database.connect(settings=PATIENT)
        except ConnectionFailed:
            return False
        with connection:
            self.hash(connection, chunk)
        return True

    def hash(self, connection: Connection, chunk: _Chunk) -> None:
        """Hash each; where the server refuses, find out of which."""
        try:
            apart = self.database.ledger_apart
            self.hashes |= read_hashes(
                connection, chunk.schemas, privileges=self.privileges, ignore=chunk.ignore, apart=apart
            )
        except DatabaseError as error:
            if connection.closed:
                raise
            if chunk.schemas is None or len(chunk.schemas) == 1:
                self.failed[chunk.schemas[0] if chunk.schemas else WHOLE] = error
                return
            middle = len(chunk.schemas) // 2
            for half in (chunk.schemas[:middle], chunk.schemas[middle:]):
                self.hash(connection, replace(chunk, schemas=half))


def _rows(version: int, privileges: bool) -> list[LiteralString]:
    """What `read_catalog` asks; of owners and grants only those of what it finds."""
    plain, cloned = load_sql("fleet", "catalog_rows"), load_sql("fleet", "catalog_clones")
    queries = catalog_queries(version, privileges=privileges)
    granted = queries.pop() if privileges else None
    rows = [(cloned if " AS parent_oid" in query else plain).replace("{query}", query) for query in queries]
    if granted is not None:
        one_of = load_sql("fleet", "catalog_known")
        known = "\nUNION ALL\n".join([one_of.replace("{query}", query) for query in queries])
        of_known = load_sql("fleet", "catalog_privileges").replace("{known}", known).replace("{query}", granted)
        rows.append(plain.replace("{query}", of_known))
    return rows


def _chunks(connection: Connection, schemas: tuple[str, ...] | None, made: Collection[str], jobs: int) -> list[_Chunk]:
    """What is asked about at once: few locks, and schemas with the same ledgers."""
    try:
        ledgers = _ledgers(connection, schemas, made)
        if schemas is None:
            return [_Chunk(None, LEDGER_TABLES | ledgers.get(WHOLE, frozenset()))]
        locks: dict[str, int] = dict(
            connection.execute(load_sql("fleet", "catalog_locks"), {"schemas": list(schemas)}).fetchall()
        )
        row = connection.execute(
            "SELECT pg_catalog.current_setting('max_locks_per_transaction')::integer"
            " * pg_catalog.current_setting('max_connections')::integer"
        ).fetchone()
    except psycopg.Error as error:
        raise database_error(error, "reading the catalog") from error
    most_locks = (row[0] if row else 0) // _SHARE_OF_LOCKS
    most = min(_MOST_SCHEMAS, -(-len(schemas) // max(jobs, 1)))
    alike: dict[frozenset[str], list[str]] = {}
    for schema in schemas:
        alike.setdefault(ledgers.get(schema, frozenset()), []).append(schema)
    found = []
    for names, members in alike.items():
        chunk: list[str] = []
        taken = 0
        for schema in members:
            if chunk and (len(chunk) == most or taken + locks.get(schema, 0) > most_locks):
                found.append(_Chunk(tuple(chunk), LEDGER_TABLES | names))
                chunk, taken = [], 0
            chunk.append(schema)
            taken += locks.get(schema, 0)
        found.append(_Chunk(tuple(chunk), LEDGER_TABLES | names))
    return found


def _ledgers(
    connection: Connection, schemas: tuple[str, ...] | None, made: Collection[str]
) -> dict[str, frozenset[str]]:
    """Schema → names of the tables there that are another tool's ledger; of a whole database those that always are."""
    asked = {"schemas": list(schemas) if schemas is not None else None, "names": _LEDGER_NAMES}
    query = load_sql("fleet", "catalog_ledgers")
    tables = {(schema, name): frozenset(columns) for schema, name, columns in connection.execute(query, asked)}
    ledgers = {place for place in ledger_tables(tables) if place[1] not in made}
    if schemas is None:
        return {WHOLE: frozenset(n for _, n in ledgers) - {n for s, n in tables if (s, n) not in ledgers}}
    found: dict[str, frozenset[str]] = {}
    for schema, name in ledgers:
        found[schema] = found.get(schema, frozenset()) | {name}
    return found


# --- groups -----------------------------------------------------------------------------------


def group_catalogs(
    targets: Mapping[str, Database],
    *,
    wanted: MigratedCatalog | None = None,
    privileges: bool = False,
    jobs: int = 2,
) -> CatalogGroups:
    """Group targets (name → database, with a schema or without) by their catalogs, the largest group first.

    One of each group is read and compared with what is ``wanted``, or with one of the largest group; groups between
    which nothing is found are one.  Targets that are a schema and those that are a whole database are never compared:
    each kind has its own largest group.  A target that cannot be read is among ``failed`` and stops no other.
    """
    gathered = _gather(targets, privileges, wanted.tables if wanted is not None else frozenset(), jobs)
    found: list[CatalogGroup] = []
    notes: dict[str, None] = {}
    for is_whole in (False, True):
        kind = {place: names for place, names in gathered.names.items() if place.is_whole == is_whole}
        if kind:
            of_kind = wanted if wanted is not None and (wanted.schema is None) == is_whole else None
            found += _compared(targets, kind, of_kind, privileges, notes)
    found.sort(key=lambda group: (-len(group.names), group.names[0]))
    return CatalogGroups(tuple(found), gathered.failed, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Place:
    """What is alike by its hash."""

    is_whole: bool
    major: int
    hash: str


@dataclass(slots=True)
class _Gathered:
    names: dict[_Place, list[str]] = field(default_factory=dict)
    failed: dict[str, WfloSchemaError] = field(default_factory=dict)


def _gather(targets: Mapping[str, Database], privileges: bool, made: Collection[str], jobs: int) -> _Gathered:
    """Hash all targets, database by database."""
    databases: dict[tuple[Database, str | None, bool], dict[str, str]] = {}
    for name, target in targets.items():
        place = (target.with_schema(None), target.role, target.schema is None)
        databases.setdefault(place, {})[name] = target.schema or WHOLE
    each = max(1, jobs // max(1, len(databases)))

    def hashed(place: tuple[Database, str | None, bool]) -> CatalogHashes | WfloSchemaError:
        database, _, is_whole = place
        schemas = None if is_whole else databases[place].values()
        try:
            return hash_catalogs(database, schemas, privileges=privileges, made=made, jobs=each)
        except WfloSchemaError as error:
            return error

    told: dict[str, _Place | WfloSchemaError] = {}
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for place, answer in zip(databases, pool.map(hashed, databases), strict=True):
            for name, schema in databases[place].items():
                if isinstance(answer, WfloSchemaError):
                    told[name] = answer
                elif schema in answer.hashes:
                    told[name] = _Place(place[2], answer.server_version // 10000, answer.hashes[schema])
                else:
                    told[name] = answer.failed.get(schema) or missing_schema(targets[name])
    gathered = _Gathered()
    for name in targets:
        one = told[name]
        if isinstance(one, _Place):
            gathered.names.setdefault(one, []).append(name)
        else:
            gathered.failed[name] = one
    return gathered


@dataclass(frozen=True, slots=True)
class _Model:
    """What the targets of one kind should be: what the migrations make, or one of the largest group (``name``)."""

    name: str
    catalog: Catalog
    schema: str | None
    made: frozenset[str]

    @property
    def whose(self) -> str:
        return f"in {self.name}" if self.name else "made by the migrations"

    def differs_from(self, catalog: Catalog, schema: str | None) -> tuple[Finding, ...]:
        """In what a catalog of that schema is otherwise; the tenant's own roles are alike."""
        wanted = self.catalog
        if schema is not None and self.schema is not None:
            wanted = _as_own_roles(wanted, {self.schema: schema, _owner(wanted, self.schema): _owner(catalog, schema)})
            if self.schema != schema:
                wanted = _pointing_beside(wanted, schema)
        return find_drift(catalog, wanted, schema=schema, wanted_schema=self.schema, whose=self.whose)

    def notes(self, server_version: int) -> tuple[str, ...]:
        """What is to be said of another major version."""
        said = self.catalog.notes_of_version(server_version)
        read = f"{self.name or 'what the migrations make'} was read"
        return tuple(note.replace("what the migrations make was read", read) for note in said)


def _compared(
    targets: Mapping[str, Database],
    places: Mapping[_Place, list[str]],
    wanted: MigratedCatalog | None,
    privileges: bool,
    notes: dict[str, None],
) -> Iterator[CatalogGroup]:
    """Groups of one kind of targets, those between which no difference is found put together."""
    order = sorted(places, key=lambda place: (-len(places[place]), places[place][0]))
    if wanted is not None:
        model = _Model("", wanted.catalog, wanted.schema, wanted.tables)
        alike = [p for p in order if (p.hash, p.major) == (wanted.hash, wanted.catalog.server_version // 10000)]
    else:
        name = places[order[0]][0]
        read = next(_read({name: targets[name]}, privileges, frozenset()))[1]
        if isinstance(read, WfloSchemaError):
            raise read
        model = _Model(name, read, targets[name].schema, frozenset())
        alike = order[:1]
    said: dict[_Place, tuple[Finding, ...]] = dict.fromkeys(alike, ())
    first_of = {places[place][0]: place for place in order if place not in said}
    for name, catalog in _read({name: targets[name] for name in first_of}, privileges, model.made):
        schema = targets[name].schema
        if isinstance(catalog, WfloSchemaError):
            said[first_of[name]] = (finding("cannot-see", "drift", f"the catalog cannot be compared: {catalog}"),)
            continue
        notes.update(dict.fromkeys(model.notes(catalog.server_version)))
        said[first_of[name]] = model.differs_from(catalog, schema)
    together: dict[tuple[Finding, ...], list[_Place]] = {}
    for place in order:
        together.setdefault(_placeless(said[place], targets[places[place][0]].schema), []).append(place)
    for ones in together.values():
        names = [name for place in ones for name in places[place]]
        yield CatalogGroup(tuple(names), tuple(dict.fromkeys(p.hash for p in ones)), said[ones[0]], model.name)


def _read(
    targets: Mapping[str, Database], privileges: bool, made: frozenset[str]
) -> Iterator[tuple[str, Catalog | WfloSchemaError]]:
    """The catalog of each, or why it cannot be read; few are in memory at once."""
    databases: dict[tuple[Database, str | None], dict[str, str | None]] = {}
    for name, target in targets.items():
        databases.setdefault((target.with_schema(None), target.role), {})[name] = target.schema
    for (database, _), schemas in databases.items():
        waiting = list(schemas)
        while waiting:
            some, waiting = waiting[:_MOST_READ], waiting[_MOST_READ:]
            yield from _read_some(database, {name: schemas[name] for name in some}, privileges, made)


def _read_some(
    database: Database, schemas: Mapping[str, str | None], privileges: bool, made: frozenset[str]
) -> Iterator[tuple[str, Catalog | WfloSchemaError]]:
    asked = tuple(schema for schema in schemas.values() if schema is not None)
    try:
        with database.connect(settings=PATIENT) as connection:
            found = read_catalog(
                connection,
                schemas=asked or None,
                privileges=privileges,
                apart=database.ledger_apart,
                lock_timeout_ms=LOCK_TIMEOUT_MS,
            )
    except WfloSchemaError as error:
        for name, schema in schemas.items():
            if len(schemas) > 1:
                yield from _read_some(database, {name: schema}, privileges, made)
            else:
                yield name, error
        return
    parts = found.by_schema()
    for name, schema in schemas.items():
        part = parts.get(schema, Catalog((), found.server_version)) if schema is not None else found
        counts = {one.path for one in part.objects if one.path[1:] and one.path[1] in made}
        yield name, without_ledgers(part, unused=counts)[0]


def _owner(catalog: Catalog, schema: str) -> str:
    found = catalog.find("schema", schema)
    return found.get("owner") if found is not None else ""


def _pointing_beside(catalog: Catalog, schema: str) -> Catalog:
    """The same, where what leads into that schema cannot be taken for what is in it."""
    leads, alone = _naming(schema, after=r"(?=\.)"), _naming(schema, after=r"""(?![\w$".])""")
    beside = quote(f"{schema}, another tenant's")

    def said(text: str) -> str:
        return text if schema not in text or alone.search(text) else leads.sub(beside, text)  # alone, it is an alias

    def of(one: Object) -> Object:
        return replace(one, attributes=tuple((name, said(text)) for name, text in one.attributes))

    return replace(catalog, objects=tuple(map(of, catalog.objects)))


def _naming(schema: str, *, after: str) -> re.Pattern[str]:
    return re.compile(rf"""(?<![\w$."])(?:{re.escape(quote(schema))}|{re.escape(quote_always(schema))}){after}""")


# One grant: what stands before the role, the role, and what it may do.
_GRANT = re.compile(rf"(?P<before>[+-]?)(?P<role>{NAME}|[^\s,]+)(?P<what> [A-Z ]+)")


def _as_own_roles(catalog: Catalog, roles: Mapping[str, str]) -> Catalog:
    """The same with other names for some roles, in the order in which they are granted to those."""

    def grants(text: str) -> str:
        found = []
        for grant in _GRANT.finditer(text):
            role = grant["role"] if grant["role"] == "PUBLIC" else bare_name(grant["role"])
            called = roles.get(role, role)
            spelled = grant["role"] if called == role else quote(called)
            order = ("" if role == "PUBLIC" else called, grant["what"], grant["before"])
            found.append((order, f"{grant['before']}{spelled}{grant['what']}"))
        return ", ".join(said for _, said in sorted(found))

    def said(name: str, text: str) -> str:
        if name == "owner":
            return roles.get(text, text)
        return grants(text) if name == "privileges" else text

    def of(one: Object) -> Object:
        path = one.path
        if one.kind == "default privileges":
            path = (roles.get(path[0], path[0]), *path[1:])
        return replace(one, path=path, attributes=tuple((name, said(name, text)) for name, text in one.attributes))

    return replace(catalog, objects=tuple(sorted(map(of, catalog.objects), key=lambda one: one.key)))


def _placeless(findings: tuple[Finding, ...], schema: str | None) -> tuple[Finding, ...]:
    """The same without the name of the schema and what mends them: they tell which groups are otherwise in one way."""
    if schema is None:
        return tuple(replace(one, help="") for one in findings)
    name = _naming(schema, after=r"""(?![\w$"])""")

    def said(text: str) -> str:
        return name.sub("\x01", text)

    return tuple(
        Finding(one.code, one.severity, said(one.object), said(one.message), said(one.have), said(one.want))
        for one in findings
    )
