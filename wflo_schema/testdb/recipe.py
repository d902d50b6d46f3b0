"""What test databases are made from, and what a clone must be given that PostgreSQL does not copy.

Hides settings and grants of a database, which belong to its name and not to its content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from wflo_schema.connect.queries import fetch, load_sql
from wflo_schema.connect.replaying import Replay
from wflo_schema.names import listed_in_path
from wflo_schema.scratch.replay import Connection, encoding_and_locale, read_sql

# Settings that are lists of names: their value is not one text.
_LISTS = frozenset({"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"})


@dataclass(frozen=True, slots=True)
class Recipe:
    """How templates are made on a server.

    ``like`` is the database whose encoding and locale they have, where it is there; ``stands_for``
    the name by which migrations mean their own database (None: any).  They are copies of ``base``
    (None: the server's own choice), and ``prepare`` is run before the migrations.  ``roles``: the
    server is there for tests, so migrations may make roles on it.  ``options``: what the door calls
    preparing, copying and allowing.
    """

    like: str = ""
    stands_for: str | None = None
    base: str | None = None
    prepare: Path | None = None
    roles: bool = False
    allow_outside: bool = False
    options: tuple[str, str, str] = ("--prepare FILE", "--template NAME", "--allow-outside")

    def replay(self, *, is_new: bool = True) -> Replay:
        """The mark of a database that migrations are replayed in; ``is_new``: that was made for this."""
        return Replay(
            self.stands_for,
            roles=self.roles,
            allows_outside=self.allow_outside,
            place="the test database",
            is_new=is_new,
            is_of_target=False,
            options=self.options,
        )

    def read_prepare(self) -> str:
        """The text of the file that prepares a database, empty where there is none."""
        return read_sql(self.prepare) if self.prepare is not None else ""

    def place(self, connection: Connection) -> Place:
        """Where databases come from on this server, and with which encoding and locale."""
        if self.base is not None:
            return Place(self.base, sql.Composed([]), "")
        there = encoding_and_locale(connection, self.like) if self.like else sql.Composed([])
        usual = encoding_and_locale(connection, "template1")
        is_usual = there.as_string() in ("", usual.as_string())
        row = connection.execute(load_sql("testdb", "collation", connection.info.server_version)).fetchone()
        return Place(None if is_usual else "template0", usual if is_usual else there, row[0] if row else "")


@dataclass(frozen=True, slots=True)
class Place:
    """``source``: what is copied, None for template1 or what is as good.  ``collation``: the version that sorts."""

    source: str | None
    like: sql.Composed
    collation: str

    @property
    def known(self) -> str:
        """All of it as one text, part of a template's hash."""
        return json.dumps([self.source, self.like.as_string(), self.collation])


@dataclass(frozen=True, slots=True)
class Carried:
    """One setting of a database, or one right on it."""

    kind: str
    role: str
    name: str
    value: str
    is_grantable: bool

    def statement(self, database: str) -> sql.Composed:
        """What gives it to another database."""
        of = sql.Identifier(database)
        role = sql.Identifier(self.role) if self.role else sql.SQL("PUBLIC")
        if self.kind == "closed":
            return sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(of)
        if self.kind == "privilege":
            grant = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(sql.SQL(self.name), of, role)
            return grant + sql.SQL(" WITH GRANT OPTION") if self.is_grantable else grant
        whose = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(role, of) if self.role else None
        whose = whose or sql.SQL("ALTER DATABASE {}").format(of)
        values: Sequence[str] = (self.value,)
        if self.name in _LISTS:
            values = listed_in_path(self.value, user="$user") or ("",)
        name = sql.SQL(".").join(map(sql.Identifier, self.name.split(".")))
        return whose + sql.SQL(" SET {} TO {}").format(name, sql.SQL(", ").join(map(sql.Literal, values)))


def carried_by(connection: Connection, name: str) -> tuple[Carried, ...]:
    """What a database has that its copies do not get.  Raise psycopg.Error."""
    return fetch(connection, Carried, "testdb", "carried", {"name": name})


def give(connection: Connection, name: str, carried: Sequence[Carried]) -> None:
    """Give a copy what its template carries, all at once.  Raise psycopg.Error."""
    if carried:
        connection.execute(sql.SQL("; ").join(one.statement(name) for one in carried))
