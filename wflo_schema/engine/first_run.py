"""What a database holds before anything of ours is recorded in it: a first run there must be meant.

Asked only where the ledger is not there or empty.  One query reads the ledger and the catalogs in one snapshot: what
another run has made in the meantime is recorded in it, too, and so never taken for a stranger's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from psycopg import sql

from wflo_schema.catalog.other_ledgers import LEDGER_TABLES, OTHER_TOOLS, OtherTool, recognise
from wflo_schema.connect.pipeline import Command, Pipeline, Row, array
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.ledger import Ledger, no_longer
from wflo_schema.errors import DatabaseError
from wflo_schema.words import counted

# The tables that may be other tools' ledgers.
TABLES = frozenset(name for tool in OTHER_TOOLS for name in tool.tables)

# Roles that own what a provider puts into each database.
_PROVIDERS = r"^(rds|cloudsql|alloydb|azure|supabase_|neon_|cloud_admin$|aiven)"


class LedgerTable(NamedTuple):
    """A table that bears the name of another tool's ledger, and all tables of its schema."""

    schema: str
    name: str
    columns: frozenset[str]
    beside: tuple[str, ...]


def ledger_tables(schema: str | None, beside: Collection[str] = (), *, own: str | None = None) -> Command:
    """Ask for such tables in ``schema`` and in those ``beside``, or anywhere.

    ``own``: the schema of our ledger, so that another schema with a ledger of ours does not count.
    """
    parameters = (array(sorted(TABLES)), schema, array(sorted(beside)), _PROVIDERS, own)
    return Command(load_sql("engine", "other_ledgers"), parameters, keeps_rows=True)


def recognised(rows: Sequence[Row]) -> tuple[list[LedgerTable], list[tuple[LedgerTable, OtherTool]]]:
    """The tables of the answer, and of these the ledgers, each with its tool."""
    present = [
        LedgerTable(
            place or "", name or "", frozenset((columns or "").split("\x1f")), tuple((all_ or "").split("\x1f"))
        )
        for place, name, columns, all_ in rows
    ]
    tables = {(t.schema, t.name): t.columns for t in present}
    return present, [(t, tool) for t in present if (tool := recognise(t.schema, t.name, tables)) is not None]


class Unrecorded(NamedTuple):
    """What is there although no record of ours explains it, in words.

    ``here``: other tools' ledgers, and what the schema holds that unqualified names lead to.  ``elsewhere``: what
    other schemas hold, where none was named.  What the database got from its template does not count, unless it may
    hold rows: a clone of somebody's database is not a new one.
    """

    here: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def find_unrecorded(
    pipeline: Pipeline, ledger: Ledger, schema: str | None, lock_timeout_ms: int | None = None
) -> Unrecorded:
    """Look at what is there, for a ledger without a record; ``schema`` is the one that was named.  Writes nothing.

    Raise as `read_ledger` does.
    """
    query = load_sql("engine", "unrecorded").replace("{nothing_recorded}", _nothing_recorded(ledger))
    outcome = pipeline.exchange(
        [
            *no_longer(lock_timeout_ms),
            Command(query, (schema, array(sorted(LEDGER_TABLES)), _PROVIDERS), keeps_rows=True),
            ledger_tables(schema, own=schema or ledger.schema),
        ]
    )
    if outcome.error:
        raise DatabaseError(
            f"PostgreSQL refused while looking at what is in the database: {outcome.error.message}",
            sqlstate=outcome.error.sqlstate,
            hint=outcome.error.hint,
        )
    held: dict[tuple[str, bool], list[str]] = {}
    for place, is_target, kind, count, some in outcome.rows[-2]:
        number = int(count or 0)
        held.setdefault((place or "", is_target == "t"), []).append(
            f"{counted(number, kind or '')} ({some}{' …' if number > 3 else ''})"
        )
    if not held:
        return Unrecorded()
    said = [(is_target, f"schema {place} holds {', '.join(what)}") for (place, is_target), what in held.items()]
    return Unrecorded(
        (*_other_tools(outcome.rows[-1]), *(text for is_target, text in said if is_target)),
        tuple(text for is_target, text in said if not is_target),
    )


def _nothing_recorded(ledger: Ledger) -> str:
    """The condition under which this is a first run: nothing is recorded, was begun, or was rolled back since.

    A log that names a migration which was applied and never rolled back shows that its record was lost.
    """
    tables = ("_yoyo_migration", "_yoyo_log", "_wflo_schema_progress")
    present = dict(zip(tables, (ledger.is_there, ledger.has_log, ledger.has_progress), strict=True))
    names = {table: sql.Identifier(ledger.schema, table).as_string() for table in tables}
    conditions = {table: f"NOT EXISTS (SELECT 1 FROM {names[table]})" for table in tables if present[table]}
    if ledger.has_log:
        log, seen = names["_yoyo_log"], sql.Literal(names["_yoyo_migration"]).as_string()
        undone = (
            f"SELECT 1 FROM {log} AS b WHERE b.migration_id = l.migration_id AND b.operation NOT IN ('apply', 'mark')"
        )
        lost = f"SELECT 1 FROM {log} AS l WHERE l.operation IN ('apply', 'mark') AND NOT EXISTS ({undone})"
        conditions["_yoyo_log"] += f" OR (NOT pg_catalog.row_security_active({seen}) AND EXISTS ({lost}))"
    # Another run that has begun since then has made what was not there; the ledger comes before the other tables.
    since = [table for table in tables if not present[table]] if ledger.is_there else tables[:1]
    if since:
        conditions["since"] = (
            "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS l "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = l.relnamespace "
            f"WHERE n.nspname = {sql.Literal(ledger.schema).as_string()} "
            f"AND l.relname IN ({', '.join(map(repr, since))}))"
        )
    return " AND ".join(f"({one})" for one in conditions.values())


def _other_tools(rows: Sequence[Row]) -> list[str]:
    _, found = recognised(rows)
    return [f"{tool.name} records migrations in {table.schema}.{table.name}" for table, tool in found]
