"""Take over a live database: recognise another tool's ledger, compare the catalog, then record.

Hides what other tools' ledgers look like, and how a catalog is found in the history of migrations:
they are replayed in a scratch database, one after the other, and a place in the history is proven
by equality and never by what a ledger says.
"""

from __future__ import annotations

import enum
import os
import shlex
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING, Catalog, Difference, Path, qualified
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations
from wflo_schema.engine.events import Blocker
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, Entry, Plan, State, Status
from wflo_schema.errors import BadMigrationFile, CannotRead, DatabaseError, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, read_migrations
from wflo_schema.scratch.replay import scratch_database
from wflo_schema.words import some

# Beside the migrations: what other tools' revisions stand for.
NAMES_FILE = "adopt.toml"

# Beside the migrations: one folder a set that brings a database from elsewhere to where these lead.
RECONCILING_FOLDER = "reconcile"

# Another tool may hold its ledger locked; waiting for it would make others wait behind us.
_LOCK_TIMEOUT_MS = 2000

# Patience with our own ledger while recording: whoever rolls back or changes it holds it for a moment.
_RECORDING = LockOptions(500, 3.0)

# For a database at work: PostgreSQL looks for deadlocks after 1 s, and until then the migration gives way.
_GENTLE_LOCK_TIMEOUT = "500ms"

# Times that the ledger may change under a look at the catalog.
_MOST_LOOKS = 20

Names = Mapping[str, Mapping[str, str]]


class Verdict(enum.StrEnum):
    """What the catalog says."""

    EQUAL = "equal"
    """The database equals ours after one migration."""
    AMBIGUOUS = "ambiguous"
    """It equals ours after several, which differ in rows only."""
    RECONCILE = "reconcile"
    """It is in the state that a reconciling set was written for."""
    DIFFERENT = "different"
    """It equals ours after none."""
    EMPTY = "empty"
    """None of the tables is there."""
    OURS = "ours"
    """Already recorded by this tool, and equal to what is recorded."""
    DRIFT = "drift"
    """Recorded by this tool, and not like what is recorded."""


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """What another tool's ledger says.

    ``versions`` are in its own order and spelling; ``failed`` those it marks as failed half way.
    ``stands_for`` is the id of our migration that the last of them stands for, empty where that is
    not known or no migration leads there; ``unknown`` are versions that nothing says a word about.
    """

    tool: str
    table: str
    versions: tuple[str, ...]
    failed: tuple[str, ...] = ()
    stands_for: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """How far the database is from ours after one migration; ``cosmetic`` are not among ``differences``."""

    id: str
    differences: int
    cosmetic: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found, and what was recorded.

    ``id`` is the migration that the catalog equals, the nearest one where none does, or None.
    ``differences`` are those to ``id``; ``beside`` names what the database has and no migration makes:
    it prevents nothing.  ``objections`` say why nothing would be recorded although the catalog is
    equal; ``notes`` and ``next_steps`` are for people.  ``record`` are the ids that ``--apply``
    records (or gives a checksum), ``aside`` those of other files whose rows it sets aside;
    ``is_applied`` says that this was done.
    """

    label: str
    schema: str
    server_version: str
    verdict: Verdict
    ledgers: tuple[OtherLedger, ...]
    total: int
    id: str | None = None
    number: int = 0
    places: tuple[Place, ...] = ()
    differences: tuple[Difference, ...] = ()
    beside: tuple[str, ...] = ()
    reconciling: str | None = None
    objections: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    record: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    is_applied: bool = False

    @property
    def exit_code(self) -> int:
        """0 where the database is ours, can be taken over or is empty; else 1."""
        is_fine = self.verdict in (Verdict.EQUAL, Verdict.EMPTY, Verdict.OURS) and not self.objections
        return 0 if is_fine else 1


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller gave beside a schema, as a shell takes it, to be repeated in every step that is told.

    ``database`` says which one, ``migrations`` where the files are (left out where a step names
    another folder), ``scratch`` where scratch databases are made.
    """

    database: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    scratch: tuple[str, ...] = ()

    def command(self, words: str, schema: str | None) -> str:
        """The command with the options that it knows."""
        told = shlex.split(words)
        makes_scratch = told[0] in ("adopt", "baseline") or "--drift" in told
        given = (
            *self.database,
            *(() if "--migrations" in told else self.migrations),
            *(self.scratch if makes_scratch and "--unverified" not in told else ()),
            *(("--schema", schema) if schema else ()),
        )
        return " ".join(("wflo-schema", words, *map(shlex.quote, given)))


def adopt_database(
    database: Database,
    migrations: Migrations,
    *,
    apply: bool = False,
    to: str | None = None,
    scratch_on: Database | None = None,
    names: Names | None = None,
    reconciling: Sequence[Migrations] = (),
    options: Options | None = None,
) -> Adoption:
    """Say after which migration a database made by something else equals ours; with ``apply``, record that.

    Only tables that the migrations make are compared, with all that hangs on them; a column's place
    in its table does not count.  Without ``apply`` the database is only read.  With it, and only
    where the catalog is equal and nothing is objected, the migrations up to that one are recorded
    with their checksums in one transaction, after one more look at the catalog.  The other tool's
    ledger is not touched, and no object of the database is changed.  ``to`` is the migration that
    the caller expects, where several are equal or two tools have recorded here.  This tool's own
    ledger is believed no more than another's.  ``options`` are repeated in what is told to be typed.

    Raise `Refused` when there is no such schema, when no scratch database may be made, or when the
    catalog changed before recording; `MigrationFailed` when the migrations do not run in the scratch
    database; `DatabaseError`, naming the table and who holds it, when a ledger stays locked.
    """
    look = _look(database, migrations, names or {}, reconciling, options or Options())
    found = _judge(look, to=to, scratch_on=scratch_on)
    if not apply or found.verdict is not Verdict.EQUAL or found.objections:
        return found
    return _record(look, found)


def baseline(
    database: Database,
    migrations: Migrations,
    to: str,
    *,
    verified: bool = True,
    scratch_on: Database | None = None,
    names: Names | None = None,
    reconciling: Sequence[Migrations] = (),
    options: Options | None = None,
) -> Adoption:
    """Record every migration up to ``to`` as applied, once the catalog is seen to equal ours after it.

    Unlike `adopt` it does not mind what other ledgers say, and an empty database is a no.
    ``verified`` False compares nothing.
    """
    look = _look(database, migrations, names or {}, reconciling, options or Options())
    last = migrations.resolve(to)
    if verified:
        found = _judge(look, to=last.id, scratch_on=scratch_on, minds_ledgers=False)
        if found.verdict is Verdict.EMPTY:
            why = f"none of the tables of {last.id} is there, so there is nothing to record"
            return replace(found, objections=(why, *found.objections))
        if found.verdict is not Verdict.EQUAL or found.objections:
            return found
        return _record(look, found)
    wanted = list(migrations)[: list(migrations).index(last) + 1]
    found = look.adoption(
        Verdict.EQUAL if look.to_record(wanted) or look.aside else Verdict.OURS,
        id=last.id,
        number=len(wanted),
        record=look.to_record(wanted),
        aside=look.aside,
        objections=look.objections(last, minds_ledgers=False),
        notes=("nothing was compared: --unverified",),
    )
    return found if found.verdict is Verdict.OURS or found.objections else _record(look, found, verify=False)


def read_names(migrations: Migrations) -> dict[str, dict[str, str]]:
    """What other tools' revisions stand for: ``adopt.toml`` beside the migrations, empty without it.

    A section a tool, a line a revision: the id of the last migration whose state it leaves, or "".
    Raise `BadMigrationFile` when it cannot be understood or names a migration that is not there.
    """
    found: dict[str, dict[str, str]] = {}
    for directory in migrations.directories:
        path = os.path.join(directory, NAMES_FILE)
        try:
            with open(path, "rb") as file:
                content = tomllib.load(file)
        except FileNotFoundError:
            continue
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadMigrationFile(f"cannot read {path}: {error}") from None
        for tool, revisions in content.items():
            if not isinstance(revisions, dict) or not all(isinstance(v, str) for v in revisions.values()):
                raise BadMigrationFile(
                    f'{path}: [{tool}] must hold lines of the form revision = "ID of a migration"',
                    hint='write revision = "" where no migration leads to that state',
                )
            for revision, stands_for in revisions.items():
                if stands_for and migrations.get(stands_for) is None:
                    raise BadMigrationFile(
                        f"{path}: {revision} stands for {stands_for}, and there is no such migration"
                    )
            found.setdefault(tool, {}).update(revisions)
    return found


def read_reconciling(migrations: Migrations) -> tuple[Migrations, ...]:
    """The reconciling sets: one a folder in ``reconcile`` beside the migrations, sorted by name."""
    found = []
    for directory in migrations.directories:
        root = os.path.join(directory, RECONCILING_FOLDER)
        if os.path.isdir(root):
            folders = [os.path.join(root, name) for name in sorted(os.listdir(root)) if not name.startswith((".", "_"))]
            found += [read_migrations(folder) for folder in folders if os.path.isdir(folder)]
    return tuple(found)


# --- other tools' ledgers ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    schema: str
    name: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class _Tool:
    """How a tool's ledger is recognised: its table, columns it has, and a table that stands beside it.

    All columns that ``query`` reads are among them.  ``has_schema``: it keeps a schema of its own,
    and nothing else is in there.
    """

    name: str
    table: str
    columns: frozenset[str]
    query: LiteralString
    beside: str = ""
    beside_columns: frozenset[str] = frozenset()
    has_schema: bool = False


# The first that fits counts: what several tools call schema_migrations is told apart by its columns.
_TOOLS: tuple[_Tool, ...] = (
    _Tool(
        "alembic",
        "alembic_version",
        frozenset({"version_num"}),
        "SELECT version_num::text AS version, FALSE AS has_failed FROM {table} "
        "WHERE version_num IS NOT NULL ORDER BY 1",
    ),
    _Tool(
        "flyway",
        "flyway_schema_history",
        frozenset({"installed_rank", "version", "type", "script", "success"}),
        "flyway",
    ),
    _Tool("goose", "goose_db_version", frozenset({"id", "version_id", "is_applied"}), "goose"),
    _Tool(
        "sqitch",
        "changes",
        frozenset({"change_id", "change", "script_hash", "committed_at"}),
        "sqitch",
        beside="events",
        beside_columns=frozenset({"change_id", "change", "event", "committed_at"}),
        has_schema=True,
    ),
    _Tool(
        "django",
        "django_migrations",
        frozenset({"id", "app", "name", "applied"}),
        "SELECT app || '.' || name AS version, FALSE AS has_failed FROM {table} "
        "WHERE app IS NOT NULL AND name IS NOT NULL ORDER BY id",
    ),
    _Tool(
        "golang-migrate",
        "schema_migrations",
        frozenset({"version", "dirty"}),
        "SELECT version::text AS version, dirty IS NOT FALSE AS has_failed FROM {table} WHERE version IS NOT NULL",
    ),
    _Tool(
        "ecto",
        "schema_migrations",
        frozenset({"version", "inserted_at"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
    ),
    _Tool(
        "rails",
        "schema_migrations",
        frozenset({"version"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
        "ar_internal_metadata",
    ),
    _Tool(
        "dbmate",
        "schema_migrations",
        frozenset({"version"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
    ),
)


@dataclass(frozen=True, slots=True)
class _Version:
    version: str
    has_failed: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """The ledgers of other tools but yoyo, and what they keep: tables by name, a schema of their own."""

    ledgers: tuple[OtherLedger, ...]
    tables: frozenset[str]
    schemas: frozenset[str]


def _other_ledgers(database: Database, schema: str | None, options: Options) -> _Found:
    """Look for ledgers in ``schema``, else in public; anywhere when it is None."""
    wanted = sorted({t.table for t in _TOOLS} | {t.beside for t in _TOOLS if t.beside})
    ledgers: list[OtherLedger] = []
    tables: set[str] = set()
    schemas: set[str] = set()
    with database.connect(autocommit=False) as connection:
        connection.read_only = True
        try:
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT_MS)))
            if schema is not None and not _has_schema(connection, schema):
                raise Refused(
                    f"there is no schema {schema} in {database.with_schema(None).label}",
                    hint=f"correct --schema; where it is to be new: {options.command('migrate', schema)}",
                )
            with connection.cursor(row_factory=class_row(_Table)) as cursor:
                present = cursor.execute(load_sql("adopt", "tables"), {"names": wanted, "schema": schema}).fetchall()
            by_schema = {(t.schema, t.name): frozenset(t.columns) for t in present}
            recognised = [(t, tool) for t in present if (tool := _recognise(t, by_schema)) is not None]
            is_here = any(table.schema == schema for table, _ in recognised)
            for table, tool in recognised:
                if is_here and table.schema == "public" != schema:
                    continue
                query = tool.query if " " in tool.query else load_sql("adopt", tool.query)
                with connection.cursor(row_factory=class_row(_Version)) as cursor:
                    rows = cursor.execute(
                        sql.SQL(query).format(
                            table=sql.Identifier(table.schema, table.name),
                            events=sql.Identifier(table.schema, tool.beside or table.name),
                        )
                    ).fetchall()
                if tool.has_schema and table.schema != "public":
                    schemas.add(table.schema)
                else:
                    tables |= {table.name, tool.beside} - {""}
                ledgers.append(
                    OtherLedger(
                        tool.name,
                        str(table),
                        tuple(r.version for r in rows if not r.has_failed),
                        tuple(r.version for r in rows if r.has_failed),
                    )
                )
        except psycopg.Error as error:
            if error.sqlstate == "42501":
                raise CannotRead(
                    f"another tool's ledger may not be read: {error.diag.message_primary}",
                    sqlstate="42501",
                    hint="GRANT USAGE on its schema and SELECT on its tables to this role",
                ) from None
            if error.sqlstate == "55P03":
                raise _locked(database, wanted) from None
            raise database_error(error, "reading another tool's ledger") from error
    return _Found(tuple(ledgers), frozenset(tables), frozenset(schemas))


def _has_schema(connection: psycopg.Connection[TupleRow], schema: str) -> bool:
    text = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s"
    return connection.execute(text, [schema]).fetchone() is not None


def _locked(database: Database, names: Collection[str] | None) -> DatabaseError:
    """The error for a ledger that another session keeps locked: which table, who holds it, what to do.

    ``names`` None: for a table below a view, which PostgreSQL locks to print the view.
    """
    with database.connect() as connection, connection.cursor(row_factory=class_row(Blocker)) as cursor:
        try:
            wanted = {"names": None if names is None else sorted(names)}
            holders = cursor.execute(load_sql("adopt", "lockers"), wanted).fetchall()
        except psycopg.Error:
            holders = []  # the first error matters more
    tables = some(dict.fromkeys(b.relation for b in holders)) or some(sorted(names or ()))
    pid = next((b.pid for b in holders if b.pid), "" if holders else "PID")
    end = f"SELECT pg_terminate_backend({pid})" if pid else "ROLLBACK PREPARED; see pg_prepared_xacts"
    what = "ledger" if names else "table below a view"
    return DatabaseError(
        f"a {what} is locked by another session, and nothing was changed: {tables}"
        + "".join(f"\nheld by {b}" for b in holders),
        sqlstate="55P03",
        hint=f"is a migration under way there? wait for it, or end it ({end}); then run this again",
    )


def _recognise(table: _Table, present: Mapping[tuple[str, str], frozenset[str]]) -> _Tool | None:
    for tool in _TOOLS:
        if tool.table == table.name and tool.columns <= set(table.columns):
            beside = present.get((table.schema, tool.beside))
            if not tool.beside or (beside is not None and tool.beside_columns <= beside):
                return tool
    return None


def _explain(ledger: OtherLedger, migrations: Migrations, names: Mapping[str, str] | None) -> OtherLedger:
    """Say what the versions stand for: by ``names``, or because they are ids of ours."""
    order = {m.id: n for n, m in enumerate(migrations)}
    known = {**{i: i for i in order}, **(names or {})}
    said = [known[v] for v in ledger.versions if v in known]
    unknown = tuple(v for v in ledger.versions if v not in known) if names is not None or said else ()
    last = max((s for s in said if s), key=lambda s: order[s], default="")
    return replace(ledger, stands_for="" if "" in said else last, unknown=unknown)


# --- the look at the target -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of the target before anything is replayed."""

    database: Database
    migrations: Migrations
    reconciling: tuple[Migrations, ...]
    schema: str | None
    """The one that the caller named."""
    status: Status
    ledgers: tuple[OtherLedger, ...]
    ignore: frozenset[str]
    ignore_schemas: frozenset[str]
    options: Options
    have: Catalog

    @property
    def recorded(self) -> dict[str, Entry]:
        """Rows of our ledger whose file is here."""
        return {e.id: e for e in self.status.entries if e.state in (State.APPLIED, State.CHANGED)}

    @property
    def strangers(self) -> tuple[Entry, ...]:
        """Rows of our ledger whose file is not here."""
        return (*self.status.missing, *self.status.unknown)

    @property
    def reconciled(self) -> frozenset[str]:
        """Ids of all reconciling sets."""
        return frozenset(m.id for one in self.reconciling for m in one)

    @property
    def aside(self) -> tuple[str, ...]:
        """Recorded ids that an adoption sets aside: plain yoyo's, and those of reconciling sets."""
        return tuple(e.id for e in self.strangers if not e.has_checksum or e.id in self.reconciled)

    @property
    def is_ours(self) -> bool:
        return bool(self.recorded) and not self.strangers and all(e.has_checksum for e in self.recorded.values())

    @property
    def last_recorded(self) -> Migration | None:
        """The last of the migrations that our ledger records."""
        return next((m for m in reversed(self.migrations.items) if m.id in self.recorded), None)

    @property
    def half_way(self) -> tuple[str, ...]:
        """Migrations that are not transactional and were begun here, and have not come to their end."""
        return tuple(e.id for e in self.status.pending if e.statements_done is not None)

    @property
    def has_gaps(self) -> bool:
        """Whether a migration before the last one recorded is not recorded."""
        last = self.last_recorded
        return last is not None and self.migrations.items.index(last) + 1 != len(self.recorded)

    def command(self, words: str) -> str:
        """What to type next, for the same database, schema and files."""
        return self.options.command(words, self.schema)

    def to_record(self, wanted: Sequence[Migration]) -> tuple[str, ...]:
        recorded = self.recorded
        return tuple(m.id for m in wanted if m.id not in recorded or not recorded[m.id].has_checksum)

    def read(self) -> Catalog:
        """The target's catalog as it is now."""
        schema = self.database.schema
        with self.database.connect() as connection:
            try:
                found = read_catalog(
                    connection,
                    schemas=(schema,) if schema else None,
                    ignore=self.ignore,
                    lock_timeout_ms=_LOCK_TIMEOUT_MS,
                )
            except DatabaseError as error:
                raise (_locked(self.database, None) if error.sqlstate == "55P03" else error) from None
        return found.without_schemas(self.ignore_schemas)

    def adoption(
        self,
        verdict: Verdict,
        *,
        id: str | None = None,
        number: int = 0,
        record: tuple[str, ...] = (),
        aside: tuple[str, ...] = (),
        objections: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        next_steps: tuple[str, ...] = (),
    ) -> Adoption:
        return Adoption(
            self.database.label,
            self.status.schema,
            self.status.server_version,
            verdict,
            self.ledgers,
            len(self.migrations),
            id,
            number,
            objections=objections,
            notes=notes,
            next_steps=next_steps,
            record=record,
            aside=aside,
        )

    def objections(self, last: Migration, *, minds_ledgers: bool, is_named: bool = True) -> tuple[str, ...]:
        """Why nothing may be recorded up to ``last`` although the catalog is equal."""
        found = []
        order = {m.id: n for n, m in enumerate(self.migrations)}
        beyond = [i for i in self.recorded if order[i] > order[last.id]]
        if beyond:
            found.append(
                f"the ledger already records {some(beyond)}, and the database is only where {last.id} leads: "
                "take those rows away first (yoyo unmark), or find out why their changes are not there"
            )
        others = [e.id for e in self.strangers if e.has_checksum and e.id not in self.reconciled]
        if others:
            found.append(
                f"wflo-schema recorded {some(others)} here, from files that are not in "
                f"{' and '.join(self.migrations.directories)}: name their folder with --migrations too"
            )
        if self.status.changed:
            found.append(
                f"applied migrations were edited since: {some(e.id for e in self.status.changed)}: "
                "bring them back as they were"
            )
        if not minds_ledgers:
            return tuple(found)
        for ledger in self.ledgers:
            if ledger.failed:
                found.append(
                    f"{ledger.tool} says in {ledger.table} that {some(ledger.failed)} failed half way: "
                    "it may have changed rows, which no catalog shows. "
                    f"Finish it or clean it up with {ledger.tool}; or insist: "
                    + self.command(f"baseline --to {last.id}")
                )
        if len(self.ledgers) > 1 and not is_named:
            where = " and ".join(f"{w.tool} ({w.table})" for w in self.ledgers)
            found.append(
                f"two tools have recorded here: {where}. Only you know which one is still used; "
                f"when the catalog is to decide: {self.command(f'adopt --apply --to {last.id}')}"
            )
        return tuple(found)

    def ledger_notes(self, last: Migration | None) -> Iterator[str]:
        """In which ways other ledgers and the catalog disagree."""
        for ledger in self.ledgers:
            if ledger.unknown:
                yield (
                    f"{ledger.table} holds {some(ledger.unknown)}, which nothing here knows: "
                    "the catalog alone was asked what it means"
                )
            if ledger.stands_for and (last is None or ledger.stands_for != last.id):
                found = "not like that" if last is None else f"where {last.id} leads"
                yield (
                    f"{ledger.table} says {some(ledger.versions)}, which stands for {ledger.stands_for}, "
                    f"and the catalog is {found}: the catalog is believed (was it stamped, or changed by hand?)"
                )


def _look(
    database: Database, migrations: Migrations, names: Names, reconciling: Sequence[Migrations], options: Options
) -> _Look:
    if not len(migrations):
        raise Refused(
            f"there is no migration in {' and '.join(migrations.directories)}",
            hint="name the right folder with --migrations",
        )
    named = database.schema
    status = _status(database, migrations)
    if database.schema is None and status.schema != "public":
        database = database.with_schema(status.schema)
    found = _other_ledgers(database, database.schema, options)
    ledgers = [_explain(w, migrations, names.get(w.tool)) for w in found.ledgers]
    ids = {m.id for one in reconciling for m in one}
    by_yoyo = tuple(
        e.id for e in status.entries if e.state is not State.PENDING and not e.has_checksum and e.id not in ids
    )
    if by_yoyo:
        yoyo = OtherLedger("yoyo", f"{status.schema}._yoyo_migration", by_yoyo)
        ledgers.append(_explain(yoyo, migrations, names.get("yoyo")))
    look = _Look(
        database,
        migrations,
        tuple(reconciling),
        named,
        status,
        tuple(ledgers),
        LEDGER_TABLES | found.tables,
        found.schemas,
        options,
        Catalog(()),
    )
    for _ in range(_MOST_LOOKS):  # a migration that commits in between would make a liar of the ledger
        have, now = look.read(), _status(database, migrations)
        if now.entries == look.status.entries:
            return replace(look, have=have)
        look = replace(look, status=now)
    raise Refused(f"{database.label} is being migrated while it is looked at", hint="run this again when that is done")


def _status(database: Database, migrations: Migrations) -> Status:
    try:
        return operations.status(database, migrations, lock_timeout_ms=_LOCK_TIMEOUT_MS)
    except DatabaseError as error:
        raise (_locked(database, LEDGER_TABLES) if error.sqlstate == "55P03" else error) from None


# --- the history ------------------------------------------------------------------------------


# What is too many of these on a table of ours changes how that table behaves; anything else stands beside it.
_ON_A_TABLE = frozenset(
    {"column", "constraint", "index", "trigger", "rule", "policy", "inherited index", "inherited constraint"}
)


@dataclass(frozen=True, slots=True)
class _Compared:
    """One comparison: what counts, what is cosmetic, what stands beside."""

    differences: tuple[Difference, ...]
    cosmetic: tuple[Difference, ...]
    beside: tuple[str, ...]

    @property
    def distance(self) -> tuple[int, int]:
        return len(self.differences), len(self.cosmetic)


@dataclass(frozen=True, slots=True)
class _History:
    """The catalogs that the migrations lead to."""

    after: tuple[tuple[Migration, Catalog], ...]
    last: Catalog
    made: frozenset[tuple[str, str]]
    tables: frozenset[Path]
    server_version: int

    @classmethod
    def of(cls, after: Sequence[tuple[Migration, Catalog]], last: Catalog) -> _History:
        made = frozenset((o.kind, o.name) for _, one in after for o in one.objects)
        made |= frozenset((o.kind, o.name) for o in last.objects)
        tables = frozenset(o.path for one in (*(c for _, c in after), last) for o in one.objects if o.kind in _TABLES)
        return cls(tuple(after), last, made, tables, last.server_version)

    def compare(self, have: Catalog, want: Catalog) -> _Compared:
        differences, cosmetic, beside = [], [], []
        below = self._below(have)
        for d in compare_catalogs(have, want):
            is_whole = d.want == NOTHING and not d.attribute and d.object not in below
            if is_whole and d.kind not in _ON_A_TABLE and (d.kind, d.object) not in self.made:
                beside.append(f"{d.kind} {d.object}")
            elif d.cosmetic:
                cosmetic.append(d)
            else:
                differences.append(d)
        return _Compared(tuple(differences), tuple(cosmetic), tuple(sorted(beside)))

    def _below(self, have: Catalog) -> set[str]:
        """Tables that inherit from one of ours: their rows are read and changed with its own."""
        ours = {qualified("", path) for path in self.tables}
        return {
            o.name
            for o in have.objects
            if o.path not in self.tables
            and any(
                f"{parent}," in f"{o.get('inherits')}," or o.get("partition of").startswith(f"{parent} ")
                for parent in ours
                if o.get("inherits") or o.get("partition of")
            )
        }


_TABLES = frozenset({"table", "foreign table", "view", "materialized view"})


def _judge(look: _Look, *, to: str | None, scratch_on: Database | None, minds_ledgers: bool = True) -> Adoption:
    """Find the target in the history."""
    migrations, have = look.migrations, look.have
    wish = migrations.resolve(to) if to is not None else None
    is_recorded = wish is None or wish.id in look.recorded
    said = _compare_recorded(look, scratch_on) if look.is_ours else None
    if said is not None and not said.differences and is_recorded:
        return _as_recorded(look, said)
    with scratch_database(look.database, on=scratch_on) as empty:
        history = _replay(empty, look, None if look.recorded else wish)
        tables, present = history.tables, {o.path for o in have.objects if o.kind in _TABLES}
        compared = [(m, want, history.compare(have, want)) for m, want in history.after]
        is_there = bool(tables & present)
        if said is None and look.recorded and not is_there:
            said = next(c for m, _, c in compared if m == look.last_recorded)
        if said is not None and said.differences and (is_recorded or not is_there):
            return _drift(look, history, compared, said, empty, is_there=is_there)
        if not is_there:
            return _empty(look, tables, present)
        if wish is not None:
            compared = [c for c in compared if c[0].id == wish.id]
        equal = [(m, want, c) for m, want, c in compared if not c.differences]
        if not equal:
            sets = _sets(look)
            is_inside = wish is not None and wish != migrations.items[-1]  # reconciling sets lead to the end
            known = None if is_inside else _find_set(look, history, empty, sets)
            there = _equal_elsewhere(look, scratch_on, wish) if wish is not None and known is None else None
            if there is not None:
                words = f"adopt --apply --to {there.id}" if minds_ledgers else f"baseline --to {there.id}"
                return _elsewhere(look, compared, there, look.command(words))
            return _different(look, history, compared, known, () if is_inside else sets)
    places = tuple(Place(m.id, *c.distance) for m, _, c in compared)
    m, _, found = _choose(look, equal)
    number = list(migrations).index(m) + 1
    record = look.to_record(list(migrations)[:number])
    if len(equal) > 1 and not any(w.stands_for in {e.id for e, _, _ in equal} for w in look.ledgers):
        verdict = Verdict.AMBIGUOUS
        steps = tuple(look.command(f"adopt --apply --to {e.id}") for e, _, _ in equal)
    else:
        verdict = Verdict.EQUAL if record or look.aside else Verdict.OURS
        steps = (look.command("adopt --apply" if verdict is Verdict.EQUAL else "migrate"),)
    objections = look.objections(m, minds_ledgers=minds_ledgers, is_named=wish is not None)
    half = [i for i in look.half_way if i in record]
    if half:
        objections += (
            f"{some(half)} was begun here by wflo-schema and is not finished, whatever the catalog is like: "
            + look.command("migrate"),
        )
    if verdict is Verdict.EQUAL and wish is not None and minds_ledgers:
        steps = (look.command(f"adopt --apply --to {m.id}"),)
    return replace(
        look.adoption(
            verdict,
            id=m.id,
            number=number,
            record=record,
            aside=look.aside,
            objections=objections,
            notes=(*look.ledger_notes(m), *_scratch_note(look, history)),
            next_steps=() if objections else steps,
        ),
        places=places,
        differences=found.cosmetic,
        beside=found.beside,
    )


def _equal_elsewhere(look: _Look, scratch_on: Database | None, wish: Migration) -> Migration | None:
    """The migration that the target does equal, where it is another than the one asked for: the last of them."""
    with scratch_database(look.database, on=scratch_on) as empty:
        history = _replay(empty, look, None)
    equal = [m for m, want in history.after if m.id != wish.id and not history.compare(look.have, want).differences]
    return equal[-1] if equal else None


def _elsewhere(
    look: _Look, compared: Sequence[tuple[Migration, Catalog, _Compared]], there: Migration, step: str
) -> Adoption:
    m, _, found = compared[0]
    note = f"this database is not where {m.id} leads: it equals ours after {there.id}"
    return replace(
        look.adoption(
            Verdict.DIFFERENT, id=m.id, number=look.migrations.items.index(m) + 1, notes=(note,), next_steps=(step,)
        ),
        places=(Place(m.id, *found.distance),),
        differences=(*found.differences, *found.cosmetic),
        beside=found.beside,
    )


def _choose(look: _Look, equal: Sequence[tuple[Migration, Catalog, _Compared]]) -> tuple[Migration, Catalog, _Compared]:
    """Of several that are equal, the one that a ledger names, else the first."""
    said = {w.stands_for for w in look.ledgers}
    return next((e for e in equal if e[0].id in said), equal[0])


def _scratch_note(look: _Look, history: _History) -> tuple[str, ...]:
    ours, theirs = look.have.server_version // 10000, history.server_version // 10000
    if ours == theirs:
        return ()
    return (
        f"the migrations were replayed on PostgreSQL {theirs}, and the database is on {ours}: "
        "the two may print the same definition differently",
    )


def _replay(empty: Database, look: _Look, wish: Migration | None) -> _History:
    """Run all migrations in the scratch database, and look after each (after ``wish`` alone where it is given)."""
    after: list[tuple[Migration, Catalog]] = []
    for m in look.migrations:
        if wish is not None and m.id != wish.id:
            continue
        operations.migrate(empty, look.migrations, to=m.id)
        after.append((m, _read(empty, look)))
    operations.migrate(empty, look.migrations)
    return _History.of(after, _read(empty, look))


def _compare_recorded(look: _Look, scratch_on: Database | None) -> _Compared:
    """How far the target is from what our own ledger says it is."""
    claimed: Catalog | None = None
    if look.has_gaps:
        with scratch_database(look.database, on=scratch_on) as empty:
            claimed = _replay_recorded(empty, look)
    with scratch_database(look.database, on=scratch_on) as empty:
        history = _replay(empty, look, look.last_recorded)
    return history.compare(look.have, claimed or history.after[0][1])


def _replay_recorded(empty: Database, look: _Look) -> Catalog | None:
    """What the recorded migrations alone make, where others before the last are not recorded.

    None where they do not run without those: then they cannot have been run here either.
    """
    last = look.last_recorded
    assert last is not None
    before = look.migrations.items[: look.migrations.items.index(last)]
    operations.baseline(empty, look.migrations, [m.id for m in before if m.id not in look.recorded])
    try:
        operations.migrate(empty, look.migrations, to=last.id, allow=(Allow.LATE,))
    except MigrationFailed:
        return None
    return _read(empty, look)


def _read(empty: Database, look: _Look) -> Catalog:
    """A scratch database's catalog, without what the target keeps another tool's records in."""
    with empty.connect() as connection:
        return read_catalog(connection, schemas=(empty.schema,) if empty.schema else None, ignore=look.ignore)


def _empty(look: _Look, tables: Collection[Path], present: Collection[Path]) -> Adoption:
    bare = {path[-1] for path in tables}
    elsewhere = sorted({path[0] for path in present if path[-1] in bare})
    steps = tuple(look.options.command("adopt", s) for s in elsewhere) or (look.command("migrate"),)
    notes = tuple(f"tables with these names are in the schema {s}" for s in elsewhere)
    return look.adoption(
        Verdict.EMPTY,
        notes=tuple(look.ledger_notes(None)),
        next_steps=steps,
        objections=notes,
        aside=(),
    )


# --- our own ledger ---------------------------------------------------------------------------


def _as_recorded(look: _Look, said: _Compared) -> Adoption:
    """The catalog is what our ledger says."""
    last = look.last_recorded
    assert last is not None
    left = tuple(f"{w.table} of {w.tool} is still there; nothing here reads it any more" for w in look.ledgers)
    objections = look.objections(last, minds_ledgers=False)
    step = look.command("migrate" if look.status.pending else "check")
    return replace(
        look.adoption(
            Verdict.OURS,
            id=last.id,
            number=look.migrations.items.index(last) + 1,
            notes=left,
            objections=objections,
            next_steps=() if objections else (step,),
        ),
        differences=said.cosmetic,
        beside=said.beside,
    )


def _drift(
    look: _Look,
    history: _History,
    compared: Sequence[tuple[Migration, Catalog, _Compared]],
    said: _Compared,
    replayed: Database,
    *,
    is_there: bool,
) -> Adoption:
    """The catalog is not what our ledger says: where it is instead, and the way back to the truth."""
    last = look.last_recorded
    assert last is not None
    order = {m.id: n for n, m in enumerate(look.migrations)}
    table = f"{look.status.schema}._yoyo_migration"
    recorded = f"{table} records {_count(len(look.recorded), 'migration')} up to {last.id}"
    equal = [m for m, _, c in compared if not c.differences] if is_there else []
    truth = next((m for m in reversed(equal) if order[m.id] <= order[last.id]), equal[0] if equal else None)
    steps: tuple[str, ...]
    if look.half_way:
        where = f"on its way to {some(look.half_way)}, which is half applied"
        steps = (look.command("migrate"),)
    elif truth is not None or not is_there:
        number = order[truth.id] if truth is not None else -1
        untrue = [m for m in look.migrations if m.id in look.recorded and order[m.id] > number]
        unsaid = [m for m in look.migrations if m.id not in look.recorded and order[m.id] <= number]
        where = f"where {truth.id} leads" if truth else "not like that: none of the tables is there"
        steps = ()
        if untrue:
            steps += (f"where that is so, take the records away in psql: {_forget(look, [m.id for m in untrue])}",)
        if unsaid and truth is not None:
            steps += (look.command(f"baseline --to {truth.id}"),)
        steps += (look.command("migrate"),) if number + 1 < len(order) else ()
    else:
        sets = _sets(look)
        known = _find_set(look, history, replayed, sets)
        if known is not None or any(s.is_under_way for s in sets):
            found = _different(look, history, compared, known, sets)
            return replace(found, notes=(*found.notes, f"{recorded}, and the catalog is not like that"))
        where = "not like that"
        mends = [_one_line(d.mend) for d in said.differences if d.mend]
        more = len(mends) - _MOST_STEPS
        steps = (
            *(f"in psql: {mend}" for mend in mends[:_MOST_STEPS]),
            *((f"and {_count(more, 'statement')} more: {look.command('check --drift')}",) if more > 0 else ()),
            look.command("adopt"),
        )
    return replace(
        look.adoption(
            Verdict.DRIFT,
            id=last.id,
            number=order[last.id] + 1,
            notes=(
                f"{recorded}, and the catalog is {where}" + ("" if look.half_way else _BELIEVED),
                *_scratch_note(look, history),
            ),
            objections=look.objections(last, minds_ledgers=False),
            next_steps=steps,
        ),
        places=tuple(Place(m.id, *c.distance) for m, _, c in compared),
        differences=(*said.differences, *said.cosmetic),
        beside=said.beside,
    )


_BELIEVED = (
    ": the catalog is believed (recorded without proof, copied from another database, or changed by hand since?)"
)


def _forget(look: _Look, ids: Sequence[str]) -> str:
    """The statement that takes records away."""
    return (
        sql.SQL("DELETE FROM {} WHERE migration_id IN ({});")
        .format(sql.Identifier(look.status.schema, "_yoyo_migration"), sql.SQL(", ").join(map(sql.Literal, ids)))
        .as_string()
    )


# Statements that mend something, before it is too much to read.
_MOST_STEPS = 10


def _one_line(mend: str) -> str:
    """Statements one behind the other; as they are where one of them has lines of its own."""
    lines = mend.splitlines()
    return " ".join(lines) if all(line.endswith(";") for line in lines) else mend


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


# --- a catalog that equals none ---------------------------------------------------------------


def _different(
    look: _Look,
    history: _History,
    compared: Sequence[tuple[Migration, Catalog, _Compared]],
    known: _Known | None,
    sets: Sequence[_Set],
) -> Adoption:
    migrations = look.migrations
    places = tuple(Place(m.id, *c.distance) for m, _, c in compared)
    order = {m.id: n for n, m in enumerate(migrations)}
    nearest = min(compared, key=lambda c: (*c[2].distance, -order[c[0].id]))
    begun = next((s for s in sets if s.is_under_way), None)
    steps: tuple[str, ...]
    verdict = Verdict.DIFFERENT
    if known is not None:
        nearest = compared[-1]
        folder = known.set.folder
        after = f", after {known.set.done} of its {len(known.set.migrations)} migrations" if known.set.done else ""
        but = f", but for what it validates itself: {some(known.not_valid)}" if known.not_valid else ""
        notes = (f"this is the state that {folder} is for{after}{but}", *_scratch_note(look, history))
        steps = (*known.set.steps(look), look.command("adopt --apply"))
        verdict = Verdict.RECONCILE
    elif begun is not None:
        begun_note = f"{begun.folder} was begun here and is not finished"
        notes = (begun_note, *look.ledger_notes(None), *_scratch_note(look, history))
        steps = (*begun.steps(look), look.command("adopt --apply"))
    elif look.half_way:
        notes = (f"{some(look.half_way)} was begun here and is not finished", *_scratch_note(look, history))
        steps = (look.command("migrate"),)
    else:
        notes = (*look.ledger_notes(None), *_scratch_note(look, history))
        to = nearest[0].id
        mends = [d.mend for d in nearest[2].differences if d.attribute == "validated" and d.mend]
        bring: tuple[str, ...]
        bring = ("bring the database there, then: " + look.command(f"adopt --apply --to {to}"),)
        if mends and len(mends) == len(nearest[2].differences):
            bring = (*(f"in psql: {_one_line(mend)}" for mend in mends), look.command(f"adopt --apply --to {to}"))
        steps = (*bring, "or insist that it is as it should be: " + look.command(f"baseline --to {to} --unverified"))
    m, _, found = nearest
    return replace(
        look.adoption(
            verdict,
            id=m.id,
            number=order[m.id] + 1,
            notes=notes,
            next_steps=steps,
            objections=look.objections(m, minds_ledgers=True),
        ),
        places=places,
        differences=(*found.differences, *found.cosmetic),
        beside=found.beside,
        reconciling=known.set.folder if known else None,
    )


# --- reconciling sets -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Set:
    """A reconciling set, and how far it has come in the target.

    ``done`` counts its records; ``aside`` are those of an adoption before, which would make the set
    do nothing; ``allow`` is what `engine.migrate` would refuse to go on with.
    """

    migrations: Migrations
    done: int
    is_under_way: bool
    aside: tuple[str, ...]
    allow: tuple[str, ...]

    @property
    def folder(self) -> str:
        return self.migrations.directories[0]

    def steps(self, look: _Look) -> tuple[str, ...]:
        """What to type to run it, or to go on with it."""
        words = f"migrate --migrations {shlex.quote(self.folder)}" + "".join(f" --allow {c}" for c in self.allow)
        again = f"it was run here before: take its records away in psql: {_forget(look, self.aside)}"
        return (*((again,) if self.aside else ()), look.command(words))


@dataclass(frozen=True, slots=True)
class _Known:
    """The set to run.  ``not_valid`` are constraints that it finds NOT VALID and validates."""

    set: _Set
    not_valid: tuple[str, ...] = ()


def _sets(look: _Look) -> tuple[_Set, ...]:
    recorded = {e.id for e in look.strangers}
    found = []
    for one in look.reconciling:
        planned = operations.plan(look.database, one)
        ours = [e for e in planned.status.entries if one.get(e.id) is not None]
        done = sum(e.id in recorded for e in ours)
        is_begun = done > 0 or any(e.state is State.PENDING and e.statements_done is not None for e in ours)
        aside = tuple(e.id for e in ours if e.state is not State.PENDING and e.id not in recorded)
        allow = tuple(case.value for case, _, _ in planned.refusals)
        found.append(_Set(one, done, is_begun and done < len(one), aside, allow))
    return tuple(found)


def _find_set(look: _Look, history: _History, replayed: Database, sets: Sequence[_Set]) -> _Known | None:
    """The reconciling set that starts (or goes on) where the target is.

    Where one is under way, no other is thought of: what it has done so far may look like the start
    of another.  A set's rollbacks take the scratch database back from where the migrations led: so
    what a set is for needs no word of its own, and a set whose rollbacks are wrong fits nothing.
    A target that differs by constraints that are NOT VALID fits too, where the set is seen to
    validate them.
    """
    under_way = [s for s in sets if s.is_under_way]
    for one in under_way or [s for s in sets if s.done < len(s.migrations)]:
        _forget_ledger(replayed)
        operations.baseline(replayed, one.migrations, [m.id for m in one.migrations])
        operations.rollback(replayed, one.migrations, count=len(one.migrations) - one.done)
        start = _read(replayed, look)
        found = history.compare(look.have, start)
        if not found.differences:
            return _Known(one)
        if all(_is_not_valid(d) for d in found.differences):
            names = {d.object for d in found.differences}
            with replayed.connect() as connection:
                for d in compare_catalogs(start, look.have):
                    if d.object in names and d.attribute == "validated":
                        connection.execute(d.mend.encode())
            is_same = not history.compare(look.have, _read(replayed, look)).differences
            operations.migrate(replayed, one.migrations)
            if is_same and not history.compare(_read(replayed, look), history.last).differences:
                return _Known(one, tuple(sorted(names)))
        else:
            operations.migrate(replayed, one.migrations)
    return None


def _is_not_valid(d: Difference) -> bool:
    return d.kind == "constraint" and d.attribute == "validated" and d.have.endswith("NOT VALID")


def _forget_ledger(replayed: Database) -> None:
    """Empty the scratch database's ledger, so that another set begins with none."""
    with replayed.connect() as connection:
        status = operations.status(replayed, Migrations((), ()))
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(status.schema, "_yoyo_migration")))


def explain_refusal(
    database: Database, migrations: Migrations, refused: Refused, *, options: Options | None = None
) -> Refused:
    """Where the engine refused because of a reconciling set's records, say what to do about them.

    Any other refusal is given back as it is.
    """
    told = _not_adopted(database, migrations, options or Options()) if refused.case in _STRANGERS else None
    if told is not None:
        refused.message, refused.hint = told
    return refused


def explain_plan(database: Database, migrations: Migrations, planned: Plan, *, options: Options | None = None) -> Plan:
    """The same for what would stop `engine.migrate`."""
    is_strange = any(c in _STRANGERS for c, _, _ in planned.refusals)
    told = _not_adopted(database, migrations, options or Options()) if is_strange else None
    if told is None:
        return planned
    refusals = tuple((c, *(told if c in _STRANGERS else (what, how))) for c, what, how in planned.refusals)
    return replace(planned, refusals=refusals)


# How records without files here are refused.
_STRANGERS = frozenset({Allow.MISSING, Allow.AHEAD})


def _not_adopted(database: Database, migrations: Migrations, options: Options) -> tuple[str, str] | None:
    """What is wrong and how to mend it, where a reconciling set recorded all that has no file here."""
    try:
        reconciling = read_reconciling(migrations)
        status = operations.status(database, migrations)
    except WfloSchemaError:
        return None  # the refusal matters more
    strangers = [e.id for e in (*status.missing, *status.unknown)]
    for one in reconciling:
        ours = [i for i in strangers if one.get(i) is not None]
        if not ours or len(ours) != len(strangers):
            continue
        folder = one.directories[0]
        adopting = options.command("adopt --apply", database.schema)
        finishing = options.command(f"migrate --migrations {shlex.quote(folder)}", database.schema)
        if len(ours) == len(one):
            return (
                f"{folder} was run here, and this database is not adopted yet: {some(ours)}",
                f"{adopting}, which sets its records aside; then run this again",
            )
        return (
            f"{folder} was begun here and is not finished: {some(ours)}",
            f"finish it: {finishing}; then: {adopting}",
        )
    return None


# --- recording --------------------------------------------------------------------------------


def _record(look: _Look, found: Adoption, *, verify: bool = True) -> Adoption:
    """Record what was found, after one more look that nothing has changed since."""

    def same_as_before() -> None:
        if look.read() != look.have:
            raise Refused(
                f"the catalog of {look.database.label} changed while it was looked at; nothing was recorded",
                hint=f"run {look.command('adopt')} again when nobody changes tables",
            )

    check: Callable[[], None] | None = same_as_before if verify else None
    try:
        operations.baseline(
            look.database, look.migrations, found.record, aside=found.aside, verify=check, locks=_RECORDING
        )
    except Refused:
        if not _has_recorded(look, found):
            raise
        note = "another run recorded the same at the same time"
        done = replace(found, verdict=Verdict.OURS, record=(), aside=(), notes=(*found.notes, note))
    except DatabaseError as error:
        raise (_locked(look.database, LEDGER_TABLES) if error.sqlstate == "55P03" else error) from error
    else:
        done = replace(found, is_applied=True)
    pending = len(look.migrations) > found.number
    step = f"migrate --lock-timeout {_GENTLE_LOCK_TIMEOUT}" if pending else "check"
    return replace(done, next_steps=(look.command(step),))


def _has_recorded(look: _Look, found: Adoption) -> bool:
    """Whether what was to be recorded is there by now, and the catalog is still the same."""
    now = _status(look.database, look.migrations)
    there = {e.id for e in now.applied if e.has_checksum}
    strangers = {e.id for e in (*now.missing, *now.unknown)}
    return there.issuperset(found.record) and strangers.isdisjoint(found.aside) and look.read() == look.have
