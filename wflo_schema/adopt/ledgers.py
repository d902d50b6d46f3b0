"""Other tools' ledgers: found in the database, recognised, and read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from wflo_schema.adopt.found import OtherLedger, read_names
from wflo_schema.catalog.other_ledgers import HOMES, OTHER_TOOLS, recognise
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations
from wflo_schema.engine.events import Blocker
from wflo_schema.engine.planning import State, Status
from wflo_schema.errors import CannotRead, DatabaseError, Refused
from wflo_schema.files.folder import Migrations
from wflo_schema.files.listing import NAMES_FILE
from wflo_schema.words import listed

# Another tool may hold its ledger locked; waiting for it would make others wait behind us.
LOCK_TIMEOUT_MS = 2000


@dataclass(frozen=True, slots=True)
class _Table:
    schema: str
    name: str
    columns: tuple[str, ...]
    beside: tuple[str, ...]
    """All tables of its schema."""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class _Version:
    version: str
    has_failed: bool


@dataclass(frozen=True, slots=True)
class FoundLedgers:
    """Other tools' ledgers, except yoyo's; the names of their tables, and the schemas that are theirs alone."""

    ledgers: tuple[OtherLedger, ...]
    tables: frozenset[str]
    schemas: frozenset[str]


def other_ledgers(database: Database, schema: str | None) -> FoundLedgers:
    """Look for ledgers in ``schema``, else in public; anywhere when it is None."""
    wanted = sorted({name for tool in OTHER_TOOLS for name in tool.tables})
    sought = {"names": wanted, "schema": schema, "homes": sorted(HOMES)}
    ledgers: list[OtherLedger] = []
    tables: set[str] = set()
    schemas: set[str] = set()
    with database.connect(autocommit=False) as connection:
        connection.read_only = True
        try:
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT_MS)))
            with connection.cursor(row_factory=class_row(_Table)) as cursor:
                present = cursor.execute(load_sql("adopt", "tables"), sought).fetchall()
            by_schema = {(t.schema, t.name): frozenset(t.columns) for t in present}
            recognised = [(t, tool) for t in present if (tool := recognise(t.schema, t.name, by_schema)) is not None]
            is_here = any(table.schema == schema for table, _ in recognised)
            for table, tool in recognised:
                if is_here and table.schema == "public" != schema:
                    continue
                with connection.cursor(row_factory=class_row(_Version)) as cursor:
                    rows = cursor.execute(tool.select(table.schema)).fetchall()
                its = {(table.schema, name): frozenset[str]() for name in table.beside} | by_schema
                if table.schema != "public" and tool.owns(table.schema, its):
                    schemas.add(table.schema)
                else:
                    tables |= tool.all_tables & set(table.beside)
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
                raise locked_by(database, wanted) from None
            raise database_error(error, "reading another tool's ledger") from error
    return FoundLedgers(tuple(ledgers), frozenset(tables), frozenset(schemas))


def refuse_run_elsewhere(database: Database, migrations: Migrations, status: Status | None = None) -> None:
    """Raise `Refused` where another tool has run, as its ledger says, what is pending here: it would run twice.

    That is so where it went on after the database was taken over.  What our own ledger once had does not count: it
    was rolled back here.  ``status`` is what was read of our ledger already.
    """
    try:
        status = status or operations.status(database, migrations, lock_timeout_ms=LOCK_TIMEOUT_MS)
    except (Refused, DatabaseError):
        return  # whoever migrates says it, waits, or makes the schema
    pending = [e.id for e in status.entries if e.state is State.PENDING]
    names = read_names(migrations)
    if not names or not pending or len(pending) == len(status.entries):
        return
    for ledger in other_ledgers(database, None if status.schema == "public" else status.schema).ledgers:
        said = {names.get(ledger.tool, {}).get(version, "") for version in ledger.versions}
        ran = [i for i in pending if i in said]
        if ran and (never_here := _never_recorded(database, status.schema, ran)):
            verb = "it is" if len(never_here) == 1 else "they are"
            raise Refused(
                f"{ledger.tool} has run {listed(never_here)} here since, as {ledger.table} says, and {verb} pending: "
                "nothing was run",
                hint="to record that: wflo-schema adopt --apply\n"
                f"or, if it is not so, take the line out of {NAMES_FILE}: then migrate runs it",
            )


def _never_recorded(database: Database, schema: str, ids: Collection[str]) -> list[str]:
    """Those of these migrations that our own ledger never had."""
    query = sql.SQL("SELECT DISTINCT migration_id FROM {} WHERE migration_id = ANY (%s::text[])")
    with database.connect() as connection:
        try:
            rows = connection.execute(query.format(sql.Identifier(schema, "_yoyo_log")), (list(ids),)).fetchall()
        except psycopg.Error as error:
            raise database_error(error, "reading the ledger's log") from error
    return [i for i in ids if (i,) not in rows]


def locked_by(database: Database, names: Collection[str] | None) -> DatabaseError:
    """The error for a ledger that another session keeps locked: which table, who holds it, what to do.

    ``names`` None: for a table below a view, which PostgreSQL locks to print the view.
    """
    with database.connect() as connection, connection.cursor(row_factory=class_row(Blocker)) as cursor:
        try:
            wanted = {"names": None if names is None else sorted(names)}
            holders = cursor.execute(load_sql("adopt", "lockers"), wanted).fetchall()
        except psycopg.Error:
            holders = []  # the first error matters more
    tables = listed(dict.fromkeys(b.relation for b in holders)) or listed(sorted(names or ()))
    pid = next((b.pid for b in holders if b.pid), "" if holders else "PID")
    end = f"SELECT pg_terminate_backend({pid})" if pid else "ROLLBACK PREPARED; see pg_prepared_xacts"
    what = "ledger" if names else "table below a view"
    return DatabaseError(
        f"a {what} is locked by another session, and nothing was changed: {tables}"
        + "".join(f"\nheld by {b}" for b in holders),
        sqlstate="55P03",
        hint=f"is a migration under way there? wait for it, or end it ({end}); then run this again",
    )
