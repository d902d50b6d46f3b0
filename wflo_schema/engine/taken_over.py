"""What other tools have recorded in a database, and whether one has gone on since it was taken over from it.

Hides how their ledgers are found, recognised and read.  Asked only by `adopt`, and where something is pending that
``adopt.toml`` beside the files names.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from wflo_schema.catalog.other_ledgers import HOMES, keeps_last
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Command, Pipeline, Row, ServerError
from wflo_schema.engine.first_run import ledger_tables, recognised
from wflo_schema.engine.ledger import Ledger
from wflo_schema.engine.planning import State, Status
from wflo_schema.errors import CannotRead, DatabaseError
from wflo_schema.files.folder import Migrations
from wflo_schema.files.listing import NAMES_FILE
from wflo_schema.files.versions import find_version, read_names
from wflo_schema.words import listed

# Another tool may hold its ledger locked; waiting for it would make others wait behind us.
LOCK_TIMEOUT_MS = 2000

# What the query for a ledger fails with where a table has the columns of one, of other types: it is somebody's own.
_OTHER_TYPES = frozenset({"42804", "42846", "42883", "22P02", "22023"})


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """What another tool's ledger says.

    ``versions`` are in its own order and spelling; ``failed`` those it marks as failed half way.
    ``stands_for`` is the id of our migration that the last of them stands for, empty where that is
    not known or no migration leads there; ``unknown`` are versions that no file here names, and
    ``left_out`` migrations that are here, and that it would record if it had run them.
    """

    tool: str
    table: str
    versions: tuple[str, ...]
    failed: tuple[str, ...] = ()
    stands_for: str = ""
    unknown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundLedgers:
    """Other tools' ledgers, except yoyo's; the names of their tables, and the schemas that are theirs alone."""

    ledgers: tuple[OtherLedger, ...]
    tables: frozenset[str]
    schemas: frozenset[str]


def read_other_ledgers(pipeline: Pipeline, schema: str | None, *, tools: Collection[str] | None = None) -> FoundLedgers:
    """Look for ledgers in ``schema``, else in public; when it is None, in public, and for other tools anywhere.

    Where ``tools`` are named, the ledgers of all others are nobody's business here: nothing is read of them.
    Raise `CannotRead` without privilege, `DatabaseError` with sqlstate 55P03 where one stays locked.
    """
    ledgers: list[OtherLedger] = []
    tables: set[str] = set()
    schemas: set[str] = set()
    present, found = recognised(_read(pipeline, ledger_tables(schema, {"public", *HOMES})) or ())
    if tools is not None:
        found = [(table, tool) for table, tool in found if tool.name in tools]
    by_schema = {(t.schema, t.name): t.columns for t in present}
    own = schema or "public"
    here = {tool.name for table, tool in found if table.schema == own}
    for table, tool in found:
        if table.schema != own and (tool.name in here or (here and table.schema == "public")):
            continue
        rows = _read(pipeline, Command(tool.select(table.schema).as_string(), keeps_rows=True))
        if rows is None:
            continue
        its = {(table.schema, name): frozenset[str]() for name in table.beside} | by_schema
        if table.schema != "public" and tool.owns(table.schema, its):
            schemas.add(table.schema)
        else:
            tables |= tool.all_tables & set(table.beside)
        said = {has_failed: tuple(v or "" for v, failed in rows if failed == has_failed) for has_failed in ("f", "t")}
        ledgers.append(OtherLedger(tool.name, f"{table.schema}.{table.name}", said["f"], said["t"]))
    return FoundLedgers(tuple(ledgers), frozenset(tables), frozenset(schemas))


def _read(pipeline: Pipeline, query: Command) -> tuple[Row, ...] | None:
    """The rows, None where the table has other types than a ledger.  All that one exchange sends is one transaction."""
    patience = Command("SELECT pg_catalog.set_config('lock_timeout', $1, TRUE)", (str(LOCK_TIMEOUT_MS),))
    visible = Command("SELECT pg_catalog.set_config('row_security', 'off', TRUE)")  # a hidden row would not count
    outcome = pipeline.exchange([patience, visible, query])
    if outcome.error is None:
        return outcome.rows[-1]
    if outcome.error.sqlstate in _OTHER_TYPES:
        return None
    raise _unread(outcome.error)


def _unread(error: ServerError) -> DatabaseError:
    if error.sqlstate == "42501":
        return CannotRead(
            f"another tool's ledger may not be read: {error.message}",
            sqlstate="42501",
            hint="GRANT USAGE on its schema and SELECT on its tables to this role, and let it see all rows",
        )
    return DatabaseError(
        f"PostgreSQL refused while reading another tool's ledger: {error.message}",
        sqlstate=error.sqlstate,
        hint="is a migration of that tool under way? then run this again" if error.sqlstate == "55P03" else "",
    )


def tables_place(database: Database, status: Status) -> str | None:
    """The schema that the tables are in: the one that was named, else the ledger's, where that is beside them."""
    beside = None if status.is_ledger_apart or status.schema == "public" else status.schema
    return database.schema or beside


def run_elsewhere(
    pipeline: Pipeline, ledger: Ledger, place: str | None, migrations: Migrations, status: Status
) -> Iterator[tuple[str, str]]:
    """What another tool has run, as its ledger says, and is pending here: it would run twice.  And what to do.

    That is so where it went on after the database was taken over.  What our own ledger once had does not count: it
    was rolled back here.  ``place`` is the schema to look in, as `tables_place` says.
    """
    if all(e.state is State.PENDING for e in status.entries):
        return  # nothing was taken over
    names = read_names(migrations)
    named = {i for section in names.values() for i in section.values()}
    pending = [e.id for e in status.pending if e.id in named]
    if not pending:
        return
    found = read_other_ledgers(pipeline, place, tools=names).ledgers
    never_here = _never_recorded(pipeline, ledger, pending) if found else []
    into = next(d for d in migrations.directories if os.path.exists(os.path.join(d, NAMES_FILE)))
    for one in found:
        yield from _gone_on(one, names[one.tool], never_here, into=into)


def _gone_on(
    one: OtherLedger, names: Mapping[str, str], pending: Collection[str], *, into: str
) -> Iterator[tuple[str, str]]:
    """The same for one ledger; ``into`` is the folder of the files."""
    find = find_version(names, ())
    ran, failed = ({find(v) for v in versions} for versions in (one.versions, one.failed))
    begun, done = ([i for i in pending if i in ids] for ids in (failed, ran))
    if begun:
        what = f"has begun {listed(begun)} here, which failed half way"
        yield _told(one, what, begun, f"finish it or clean it up with {one.tool}; then: wflo-schema adopt --apply")
    if done:
        yield _told(one, f"has run {listed(done)} here since", done, "to record that: wflo-schema adopt --apply")
    named = [i for i in pending if i in names.values()]
    unknown = [v for v in (*one.versions, *one.failed) if find(v) is None]
    if named and unknown and keeps_last(one.tool):
        what = f"has come to {listed(unknown)} here, which {NAMES_FILE} does not name, and may have run {listed(named)}"
        follow = f"bring its new files over: wflo-schema import --into {shlex.quote(into)} --follow --write"
        yield _told(one, what, named, f"{follow}; then: wflo-schema adopt --apply")


def _told(one: OtherLedger, what: str, ids: Sequence[str], how: str) -> tuple[str, str]:
    verb, them = ("it is", "it") if len(ids) == 1 else ("they are", "them")
    return (
        f"{one.tool} {what}, as {one.table} says, and {verb} pending: nothing was run",
        f"{how}\nor, if it is not so, take {listed(ids)} out of {NAMES_FILE}: then migrate runs {them}",
    )


def _never_recorded(pipeline: Pipeline, ledger: Ledger, ids: Collection[str]) -> list[str]:
    """Those of these migrations that our own ledger never had."""
    if not ledger.has_log:
        return list(ids)
    query = sql.SQL("SELECT DISTINCT migration_id FROM {}").format(sql.Identifier(ledger.schema, "_yoyo_log"))
    known = {row[0] for row in _read(pipeline, Command(query.as_string(), keeps_rows=True)) or ()}
    return [i for i in ids if i not in known]
