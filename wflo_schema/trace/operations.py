"""Rehearse migrations in a scratch database at the target's schema, and say what each statement does there."""

from __future__ import annotations

from collections.abc import Collection

import psycopg

from wflo_schema.catalog.making import making_statements
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import PATIENT, WATCHED, Database, database_error
from wflo_schema.engine import operations as engine
from wflo_schema.errors import Refused
from wflo_schema.files.folder import Migrations, load_script
from wflo_schema.scratch.replay import ScratchOptions, scratch_database
from wflo_schema.trace.rehearsal import Rehearsal
from wflo_schema.trace.values import Trace, Traced


def trace(
    database: Database,
    migrations: Migrations,
    *,
    only: Collection[str] = (),
    scratch: ScratchOptions | None = None,
) -> Trace:
    """Rehearse what is pending in ``database``, or ``only`` these ids of it, at its schema, in a scratch database.

    Writes nothing in ``database``.  A statement that PostgreSQL refuses ends the trace, and has its ``error``.
    Raise `Refused` where no scratch database may be made, or where the target's catalog cannot be made again there.
    """
    migrations.refuse_empty()
    found = engine.status(database, migrations)
    wanted = [m for e in found.pending if (m := migrations.get(e.id)) is not None and (not only or m.id in only)]
    migrations = engine.with_recorded_values(database, migrations)
    with scratch_database(database, scratch=scratch) as empty:
        notes = fill(database, empty)
        settings = {**WATCHED, "client_min_messages": "debug1"}
        with Rehearsal.on(empty, settings=settings) as rehearsal:
            rehearsal.get_ready()
            load = rehearsal.loader(load_script)
            statements: list[Traced] = []
            for m in wanted:
                statements += rehearsal.rehearse(m, load(m))
                if statements and statements[-1].error:
                    break
            version = rehearsal.ledger.server_version
    return Trace(
        database.label, version, f"the catalog of {database.label}", tuple(statements),
        tuple(m.id for m in wanted), notes,
    )  # fmt: skip


def fill(database: Database, empty: Database) -> tuple[str, ...]:
    """Make in a scratch database what the target holds; what could not be made."""
    with database.connect(settings=PATIENT) as connection:
        catalog = read_catalog(connection)
    statements, left_out = making_statements(catalog)
    text = "\n".join(("SET check_function_bodies = off;", "SET search_path = '';", *statements))
    with empty.connect() as connection:
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            raise Refused(
                f"what {database.label} holds cannot be made in a scratch database: "
                f"{error.diag.message_primary or database_error(error, 'making it')}",
                hint="name another server for the scratch databases: --scratch-url URL",
            ) from error
    return tuple(f"no statement makes it: {one}" for one in left_out)
