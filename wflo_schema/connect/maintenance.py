"""A connection to a database that stays there while others are made and dropped."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.connect.database import Database, database_error
from wflo_schema.errors import ConnectionFailed

# Seconds to wait for whoever is in template1, which is copied.
_COPY_S = 10.0

# What initdb makes on every server; somebody may have renamed or closed the first.
MAINTENANCE = ("postgres", "template1")


def connect_for_making(database: Database) -> psycopg.Connection[TupleRow]:
    """Connect where other databases can be made and dropped from: nowhere that has to be free for that.

    What is made is a copy of template1, in which nobody may be meanwhile: it comes last.  The session works as the
    user who logs in: it is he who may make databases, for a role that he is a member of (see `owned`).
    """
    first, last = MAINTENANCE
    return connect_to_first(database.with_role(None), (first, database.name, last))


def owned(database: Database) -> sql.Composed:
    """What CREATE DATABASE says of the owner, nothing where it is to be who makes it."""
    return sql.SQL(" OWNER {}").format(sql.Identifier(database.role)) if database.role else sql.Composed([])


def connect_to_first(database: Database, names: Sequence[str]) -> psycopg.Connection[TupleRow]:
    """Connect to the first database of these names, on the server of ``database``, that lets us in.

    Raise `ConnectionFailed` with the first one's reason where none does, at once where the whole server is at fault.
    """
    failures: list[ConnectionFailed] = []
    tried = tuple(dict.fromkeys(names))
    for name in tried:
        try:
            return database.with_name(name).connect()
        except ConnectionFailed as error:
            failures.append(error)
            if error.is_of_server:
                break
    first = failures[0]
    if len(failures) == 1 or first.is_of_server:
        raise first
    raise ConnectionFailed(
        f"none of the databases {', '.join(tried)} lets us in, and one is needed to create and drop others: "
        f"{first.message}",
        hint=first.hint,
    )


def create_missing_database(database: Database) -> bool:
    """Create the database where its server has none of this name, and return whether it was.

    Somebody else who creates it at the same time is no fault.  Raise `ConnectionFailed` where the server cannot be
    reached, `DatabaseError` where the role may not create databases.
    """
    try:
        database.connect().close()
    except ConnectionFailed as error:
        if not error.is_missing:
            raise
    else:
        return False
    end = time.monotonic() + _COPY_S
    with connect_for_making(database) as connection:
        while True:
            try:
                connection.execute(
                    sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database.name)) + owned(database)
                )
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return False
            except psycopg.errors.ObjectInUse as error:
                if time.monotonic() > end:
                    raise database_error(error, f"creating the database {database.name}") from error
                time.sleep(0.1)
            except psycopg.Error as error:
                raise database_error(error, f"creating the database {database.name}") from error
            else:
                return True
