"""A throwaway database in which migrations are replayed, to know what they would have made.

Hides how it is created like the target (encoding, locale), marked and dropped.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from wflo_schema import catalog, engine
from wflo_schema.database import Database, database_error, load_sql
from wflo_schema.errors import ConnectionFailed, Refused
from wflo_schema.migration import Migration, Migrations

if TYPE_CHECKING:
    from wflo_schema.catalog import Catalog

PREFIX = "wflo_schema_scratch_"
# Every scratch database is called so; the rest of its name is random.

_MAINTENANCE = ("postgres", "template1")
# Databases to connect to while another one is created or dropped.


@contextmanager
def scratch(database: Database, *, on: Database | None = None) -> Iterator[Database]:
    """Yield an empty database on the server of ``database``, or ``on`` another, and drop it afterwards.

    It has the target's encoding and locale, where the server is the same.  Raise `Refused` when
    this role may not create databases there.
    """
    server = on or database
    name = PREFIX + secrets.token_hex(6)
    made = server.with_name(name).with_schema(database.schema)
    is_begun = False
    try:
        with _maintenance(server) as connection:
            try:
                parameters = {"name": database.name}
                like = connection.execute(load_sql("scratch_like"), parameters).fetchone() if on is None else None
                create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
                if like is not None:
                    create += sql.SQL(" ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(*(sql.Literal(v) for v in like))
                is_begun = True
                connection.execute(create)
            except psycopg.errors.InsufficientPrivilege:
                is_begun = False
                raise Refused(
                    f"{server.label}: this role may not create the scratch database for replaying the migrations",
                    hint="ALTER ROLE … CREATEDB, or name a server where it may: --scratch-url "
                    '(for instance "$(wflo-schema server url)")',
                ) from None
            except psycopg.Error as error:
                raise database_error(error, "creating a scratch database") from error
        yield made
    finally:
        if is_begun:
            with _maintenance(server) as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _maintenance(database: Database) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to a database that may stay connected while others come and go."""
    failure: ConnectionFailed | None = None
    for name in dict.fromkeys((*_MAINTENANCE, database.name)):
        try:
            connection = database.with_name(name).connect()
        except ConnectionFailed as error:
            failure = failure or error
            continue
        with connection:
            yield connection
        return
    assert failure is not None
    raise failure


def replayed(database: Database, migrations: Migrations, *, on: Database | None = None) -> Catalog:
    """The catalog that all migrations make in a scratch database.

    Raise as `engine.migrate` does where they do not run, and `Refused` as `scratch`.
    """
    with scratch(database, on=on) as empty:
        engine.migrate(empty, migrations)
        return _read(empty)


def replayed_each(
    database: Database, migrations: Migrations, *, on: Database | None = None
) -> Iterator[tuple[Migration | None, Catalog]]:
    """The catalog before the first migration (None), and after each, in order."""
    with scratch(database, on=on) as empty:
        yield None, _read(empty)
        for m in migrations:
            engine.migrate(empty, migrations, to=m.id)
            yield m, _read(empty)


def _read(database: Database) -> Catalog:
    with database.connect() as connection:
        try:
            return catalog.read(connection, schemas=(database.schema,) if database.schema else None)
        except psycopg.Error as error:
            raise database_error(error, "reading the scratch database's catalog") from error
