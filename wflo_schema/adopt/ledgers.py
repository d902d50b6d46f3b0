"""Other tools' ledgers in a database that is to be taken over, and who keeps one locked."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg.rows import class_row

from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Blocker
from wflo_schema.engine.first_run import TABLES
from wflo_schema.engine.session import Session
from wflo_schema.engine.taken_over import FoundLedgers, read_other_ledgers
from wflo_schema.errors import DatabaseError
from wflo_schema.words import listed


def other_ledgers(database: Database, schema: str | None) -> FoundLedgers:
    """Look for ledgers as `read_other_ledgers` does.  Writes nothing.

    Raise `DatabaseError` that names who holds one locked, and as that one does.
    """
    try:
        with Session.on(database, settings=PATIENT) as session:
            return read_other_ledgers(session.pipeline, schema)
    except DatabaseError as error:
        raise (locked_by(database, TABLES) if error.sqlstate == "55P03" else error) from None


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
