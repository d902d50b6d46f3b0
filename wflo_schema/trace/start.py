"""Makes in a scratch database what is there before the rehearsal: the target's catalog, or a history replayed.

Hides what happens where the first cannot be made again there.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from wflo_schema.catalog.making import making_statements
from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import PATIENT, WATCHED, Database, database_error
from wflo_schema.engine.planning import Status
from wflo_schema.errors import Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, read_source
from wflo_schema.files.script import split_statements
from wflo_schema.scratch.replay import Scratches, ScratchOptions, lead_to_the_same_schema, replay
from wflo_schema.trace.needed import unneeded_schemas, unreached_schemas
from wflo_schema.words import counted, listed

# Settings of the target on which it depends what a statement does, such as whether a change of type rewrites.
_SETTINGS = ("TimeZone", "DateStyle", "IntervalStyle")

# Attributes that say where a table, or an index, is kept.
_TABLESPACES = ("tablespace", "index tablespace")

_UNMADE = (
    "name another server for the scratch databases: --scratch-url URL; or what makes there what the "
    "migrations take for granted: --scratch-prepare FILE"
)


@dataclass(frozen=True, slots=True)
class Start:
    """A scratch database, what is in it, what could not be made there, and the settings of sessions there.

    ``lacks_rows``: the tables of the target are there, and what applied migrations wrote into them is not.
    """

    database: Database
    said: str
    notes: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    lacks_rows: bool = False


def replayed_start(
    scratches: Scratches, database: Database, before: Migrations, said: str, *, scratch: ScratchOptions | None
) -> Start:
    """The start that a history makes.  Raise as `engine.migrate` does."""
    empty = scratches.new()[0]
    if before.items or before.repeatables:
        replay(database, empty, before, scratch=scratch)
    return Start(empty, said)


def start_of_target(
    scratches: Scratches,
    database: Database,
    migrations: Migrations,
    found: Status,
    wanted: Collection[Migration],
    *,
    scratch: ScratchOptions | None,
) -> Start:
    """What the target holds, made again; where that fails, what its applied migrations make.

    Raise `Refused` where neither can be made.
    """
    new = scratches.begin_new()
    with database.connect(settings=PATIENT) as connection:
        catalog = read_catalog(connection, apart=database.ledger_apart)
        path = connection.execute("SELECT pg_catalog.current_schemas(FALSE)").fetchone()
        settings = tuple((name, connection.info.parameter_status(name) or "") for name in _SETTINGS)
    said = f"the schema of {database.label}"
    roots = {*(path[0] if path is not None else ()), *filter(None, (database.schema,))}
    sources = [read_source(m.path)[0] for m in (*wanted, *migrations.beside)]
    has_variables = any(m.variables for m in wanted)
    if not has_variables:
        catalog = catalog.without_schemas(unneeded_schemas(catalog, sources, roots))
    statements, left_out = making_statements(catalog)
    if left_out and not has_variables:  # what they cannot reach is nothing to tell
        left_out = making_statements(catalog.without_schemas(unreached_schemas(catalog, sources, roots)))[1]
    empty = new()
    lead_to_the_same_schema(database, empty, (scratch and scratch.on) or database)
    if not statements:
        return Start(empty, said, settings=settings)
    failure = _make(empty, statements)
    if not failure:
        placed = _place(empty, catalog)
        notes = tuple(f"not made in the scratch database: {one}" for one in left_out if one not in placed)
        return Start(empty, said, notes, settings, lacks_rows=True)
    applied = found.recorded
    items = tuple(m for m in migrations if m.id in applied)
    missing = found.without_file
    why = f"what {database.label} holds cannot be made in a scratch database: {failure}"
    if not items or missing:
        but = f"{counted(len(missing), 'applied migration has', 'applied migrations have')} no file" if missing else ""
        raise Refused(
            f"{why}\nand its history cannot be replayed: {but or 'no migration is applied there'}",
            hint=_UNMADE,
        )
    before = replace(migrations, items=items, repeatables=(), _by_id={m.id: m for m in items})
    scratches.retire([empty])
    try:
        start = replayed_start(
            scratches, database, before, f"the {counted(len(items), 'migration')} applied there, replayed",
            scratch=scratch,
        )  # fmt: skip
    except WfloSchemaError as error:
        raise Refused(
            f"{why}\nand its history does not replay: {error.message}",
            hint=_UNMADE,
        ) from error
    return replace(start, notes=(why,), settings=settings)


def fill(database: Database, empty: Database) -> tuple[str, ...]:
    """Make in a scratch database what the target holds; what could not be made.  Raise `Refused` where that fails."""
    with database.connect(settings=PATIENT) as connection:
        catalog = read_catalog(connection, apart=database.ledger_apart)
    statements, left_out = making_statements(catalog)
    failure = _make(empty, statements) if statements else ""
    if failure:
        raise Refused(
            f"what {database.label} holds cannot be made in a scratch database: {failure}",
            hint="name another server for the scratch databases: --scratch-url URL",
        )
    return tuple(f"not made in the scratch database: {one}" for one in left_out)


_CITUS = re.compile(rb"^CREATE EXTENSION (?:IF NOT EXISTS )?citus ", re.MULTILINE)


def _make(empty: Database, statements: list[str]) -> str:
    """Make these; say what stands against it, empty where all is made."""
    # the schema that the target's sessions lead to is there already
    making = (re.sub(r"\ACREATE SCHEMA (?!IF )", "CREATE SCHEMA IF NOT EXISTS ", one) for one in statements)
    # of this transaction alone: behind a pooler, others have the session next
    opening = ("SET LOCAL check_function_bodies = off;", "SET LOCAL search_path = '';")
    text = "\n".join((*opening, *making)).encode()
    messages = [b"BEGIN;\n" + text + b"\nCOMMIT"]
    if _CITUS.search(text):  # which takes several statements of one message for one
        messages = [b"BEGIN", *(statement.raw for statement in split_statements("the schema", text)), b"COMMIT"]
    with empty.connect(settings=WATCHED) as connection:
        try:
            for message in messages:
                connection.execute(message)
        except psycopg.Error as error:
            return error.diag.message_primary or database_error(error, "making it").message
    return ""


def _place(empty: Database, catalog: Catalog) -> frozenset[str]:
    """Put into its tablespace what is in another than the database's, where that may be; say what is there now.

    From where to where a relation moves decides whether it is copied.
    """
    wanted = [(o, a, o.get(a)) for o in catalog.objects for a in _TABLESPACES if o.get(a)]
    placed: set[str] = set()
    if not wanted:
        return frozenset()
    move = sql.SQL("ALTER TABLE {} SET TABLESPACE {}")
    with empty.connect(settings=WATCHED) as connection:
        for one, attribute, tablespace in wanted:
            name = sql.Identifier(one.path[0], one.path[-1])
            with contextlib.suppress(psycopg.Error):
                connection.execute(move.format(name, sql.Identifier(tablespace)))
                placed.add(f"{one.kind} {one.name}: {attribute}")
    return frozenset(placed)


def of_other_version(scratches_on: str, target: str) -> str:
    """What is to be said where the scratch database is on a server of another version; else empty."""
    major = [version.split(".")[0] for version in (scratches_on, target)]
    if major[0] == major[1]:
        return ""
    return f"rehearsed on PostgreSQL {scratches_on}, and the target is {target}: {listed(major)} may lock differently"
