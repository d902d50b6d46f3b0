"""A throwaway database in which migrations are replayed, to know what they would have made.

Hides how it is created like the target (encoding, locale), marked and dropped, by the next run where
its maker was killed.  It is known to be ours by its name, ``wflo_schema_scratch_SESSION_TIME_CHECK``:
CHECK is a hash of what stands before it, so that nobody has such a name by chance, and there is no
moment between making and marking it.  SESSION is the number of an advisory lock that the maker's
session holds for as long as it lives: a killed one loses it at once, on whatever machine it ran.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database, database_error, put_schema_first
from wflo_schema.connect.maintenance import connect_for_making
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.replaying import Replay
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, DatabaseError, Refused, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migrations
from wflo_schema.names import listed_in_path, quote_always

if TYPE_CHECKING:
    from wflo_schema.catalog.objects import Catalog

# The name of every scratch database begins so.
PREFIX = "wflo_schema_scratch_"

_NAME = re.compile(PREFIX + r"(?P<session>[0-9a-f]{8})_(?P<made>[0-9a-f]{8})_(?P<check>[0-9a-f]{8})\Z")

# First number of our advisory locks: "wfls".
_SESSIONS = 0x77666C73

# Behind a connection pooler no lock can be held; only its age shows that such a database is left over.
_NO_SESSION = 0

# Seconds: the age at which it is left over.
_LONGEST_RUN_S = 86_400

# Databases that are dropped at once, each over a connection of its own, or one by one where there are not so many:
# the server's connections are there for others.
_MOST_AT_ONCE = 8

Connection = psycopg.Connection[TupleRow]

_log = logging.getLogger("wflo_schema")


# What names the project's own server for scratch databases.
_ELSEWHERE = '--scratch-url "$(wflo-schema server url)"'

# Locale providers other than libc, and the option that names their locale.
_PROVIDERS = {"i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}


@dataclass(frozen=True, slots=True)
class ScratchOptions:
    """Where scratch databases are made, and how.

    ``on`` is a database of their server (None: the target's).  They are copies of ``template``, empty
    where there is none; then the file ``prepare`` is run.  ``allow_outside`` lets the migrations
    change what is outside of them, too.
    """

    on: Database | None = None
    template: str | None = None
    prepare: Path | None = None
    allow_outside: bool = False


@contextmanager
def scratch_database(database: Database, *, scratch: ScratchOptions | None = None) -> Iterator[Database]:
    """Yield a database on the server of ``database``, or another, for replaying migrations; drop it afterwards.

    It has the target's encoding and locale, where the server is the same, or is a copy of the template
    that ``scratch`` names.  Migrations that run in it change nothing outside of it.  What killed runs
    left is dropped first.  Raise `Refused` when this role may not create databases there.
    """
    with scratch_databases(database, scratch=scratch) as made:
        yield made.new()[0]


@contextmanager
def scratch_databases(database: Database, *, scratch: ScratchOptions | None = None) -> Iterator[Scratches]:
    """Yield what makes such databases, as `scratch_database` does, and drops all of them at the end."""
    scratch = scratch or ScratchOptions()
    server = scratch.on or database
    prepare = read_sql(scratch.prepare) if scratch.prepare is not None else ""
    with connect_for_making(server) as connection:
        made = Scratches(database, server, scratch, prepare, connection)
        try:
            yield made
        except WfloSchemaError as error:
            error.applied = ()  # nothing is kept of what was built
            raise
        finally:
            made.drop_all()


class Scratches:
    """Makes scratch databases, several at once, and drops them, several at once.

    All are held by one session.  To drop a database PostgreSQL makes a checkpoint, which writes what is in memory of
    all others, and takes long to remove what was written: those that go together are dropped in one.
    """

    def __init__(
        self, database: Database, server: Database, scratch: ScratchOptions, prepare: str, connection: Connection
    ) -> None:
        self._database = database
        self._server = server
        self._scratch = scratch
        self.allow_outside = scratch.allow_outside
        self._prepare = prepare
        self._connection = connection
        self._names: list[str] = []
        self._retired: list[str] = []
        self._numbers = itertools.count()
        self._can_copy = True
        self._aside = ThreadPoolExecutor(1)
        self._user = connection.info.user
        with self._explained("preparing a scratch database"):
            self._session = _register(connection)
            _sweep(connection)
            is_like = scratch.on is None and not scratch.template
            self._like = encoding_and_locale(connection, database.name) if is_like else sql.Composed([])
            self._has_citus = not scratch.template and _has_citus(connection, database)
        if self._session == _NO_SESSION:
            self._can_copy = False  # a pool keeps its sessions
            connection.close()  # nothing is held by it, and a pool may have no other

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            is_read_only = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
            who = "sessions are read-only there and cannot" if is_read_only else "this role may not"
            user = quote_always(self._user)
            grant = "" if is_read_only else f"as a superuser: ALTER ROLE {user} CREATEDB; or "
            raise Refused(
                f"{self._server.label}: {who} create the scratch database for replaying the migrations",
                hint=f"{grant}name a server where it may: {_ELSEWHERE}",
            ) from None
        except psycopg.Error as error:
            raise database_error(error, doing) from error

    def new(self, count: int = 1) -> list[Database]:
        """So many new databases, with what is to be prepared in them."""
        template = self._scratch.template
        doing = f"copying {template} as a scratch database" if template else "creating a scratch database"
        with self._explained(doing):
            names = self._made([template or "template0"] * count, sql.Composed([]) if template else self._like)
        return [self._prepared(name) for name in names]

    def begin_new(self) -> Callable[[], Database]:
        """Begin to make one, while others do their work; what is returned gives it, or raises as `new` does.

        It is made at once where a pooler may have no other session for us, and where others may be at the template.
        """
        if self._session == _NO_SESSION or self._scratch.template is not None:
            made = self.new()[0]
            return lambda: made
        making = self._aside.submit(self.new)
        return lambda: making.result()[0]

    def _prepared(self, name: str) -> Database:
        placed = self._server.with_role(self._database.role).with_schema(self._database.schema)
        empty = placed.with_ledger_schema(self._database.ledger_schema).with_name(name)
        if self._has_citus:
            _make_citus(empty.with_role(None))
        made = _with_its_schema(empty)
        if self._scratch.prepare is not None:
            run_sql(made, self._scratch.prepare, self._prepare, **PREPARING)
        elsewhere = _ELSEWHERE if self._scratch.on is None else ""
        replay = Replay(self._database.name, allows_outside=self._scratch.allow_outside, elsewhere=elsewhere)
        return made.for_replay(replay)

    def copies(self, of: Sequence[Database]) -> list[Database] | None:
        """Copies of databases that were made here and have no session now, with all that is known of them.

        None where a copy would not be the same: PostgreSQL copies neither a database's own settings nor its grants.
        And where somebody looks into one of them, such as a program that watches all databases of the server.
        """
        if not self._can_copy:
            return None
        with self._explained("copying a scratch database"):
            own = self._connection.execute(load_sql("scratch", "own"), {"names": [one.name for one in of]}).fetchone()
            if own is None or own[0]:
                return None
            try:
                names = self._made([one.name for one in of], sql.Composed([]))
            except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege):
                self._can_copy = False  # each try waits until it is free, for some seconds; or they are another role's
                return None
        return [
            one.with_name(name).for_replay(one.replay.copy()) for one, name in zip(of, names, strict=True) if one.replay
        ]

    def _made(self, templates: Sequence[str], like: sql.Composed) -> list[str]:
        """The names of copies of these, made at once.  Raise psycopg.Error."""

        def make(connection: Connection, template: str) -> str:
            name = self._create(connection, template, like)
            mark = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(_comment()))
            if self._session != _NO_SESSION:
                # A migration may set the path of the whole database, and each of our sessions must find the ledger.
                pin = sql.SQL("; ALTER ROLE SESSION_USER IN DATABASE {} SET search_path FROM CURRENT")
                mark += pin.format(sql.Identifier(name))
            if self._database.role is not None:  # last: who logs in may be no owner of what is the role's
                give = sql.SQL("; ALTER DATABASE {} OWNER TO {}")
                mark += give.format(sql.Identifier(name), sql.Identifier(self._database.role))
            connection.execute(mark)
            return name

        def make_over_another(template: str) -> str:
            with self._another() as connection:
                return make(connection, template)

        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            own = 0 if self._session == _NO_SESSION else 1
            others = [pool.submit(make_over_another, template) for template in templates[own:]]
            made = [make(self._connection, template) for template in templates[:own]]
            return made + [other.result() for other in others]

    def _create(self, connection: Connection, template: str, like: sql.Composed) -> str:
        """Create a database, and return its name.  Behind a pooler another run may take the same name."""
        while True:
            name = _new_name(self._session, next(self._numbers))
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template)))
            self._names.append(name)
            try:
                connection.execute(create + like)
            except psycopg.Error as error:
                self._names.remove(name)
                if not isinstance(error, (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)):
                    raise
            else:
                return name

    @contextmanager
    def _another(self) -> Iterator[Connection]:
        """A connection beside the session that holds them.  Raise psycopg.Error."""
        with connect_for_making(self._server) as connection:
            lift_timeouts(connection)
            yield connection

    def retire(self, databases: Iterable[Database]) -> None:
        """Drop these, now or with others later: nobody needs them any more."""
        self._retired += [one.name for one in databases]
        if len(self._retired) >= _MOST_AT_ONCE:
            self._drop(self._retired)
            self._retired = []

    def begin_dropping(self) -> None:
        """Begin to drop all that are there: nobody needs them any more, and others can do their work meanwhile."""
        self._aside.submit(self._drop, self._names)

    def drop_all(self) -> None:
        """Drop all that are there."""
        self._aside.shutdown()
        self._drop(self._names)

    def _drop(self, names: Sequence[str]) -> None:
        """Drop our own databases at once; a failure is only logged."""
        gone = tuple(names)
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            others = [pool.submit(self._drop_one, name, is_first=False) for name in gone[1:]]
            for name in gone[:1]:
                self._drop_one(name, is_first=True)
            for other in others:
                other.result()
        self._names = [name for name in self._names if name not in gone]

    def _drop_one(self, name: str, *, is_first: bool) -> None:
        """Drop one; ``is_first``: over the session that holds it, if that is still there, else over another."""
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        for is_own in (is_first, not is_first):
            try:
                with nullcontext(self._connection) if is_own else self._another() as connection:
                    try:
                        connection.execute(drop)
                    except psycopg.errors.InsufficientPrivilege:  # who logs in does not inherit what the role owns
                        if self._database.role is None:
                            raise
                        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._database.role)))
                        connection.execute(drop)
                return
            except (psycopg.Error, WfloSchemaError) as error:
                failure = error
        _log.warning("the scratch database %s stays behind; the next run drops it: %s", name, failure)


def _has_citus(connection: Connection, database: Database) -> bool:
    """Is the target in the hands of Citus, and can a database on the server that makes them be, too?"""
    row = connection.execute("SELECT pg_catalog.current_setting('citus.shard_count', TRUE) IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return False
    with database.connect() as target:
        row = target.execute("SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def _make_citus(empty: Database) -> None:
    """Make the extension, which no migration made in the target either; without the right to, leave it."""
    try:
        with empty.connect() as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS citus")
    except psycopg.errors.InsufficientPrivilege:
        pass
    except psycopg.Error as error:
        raise database_error(error, "preparing a scratch database") from error


def _with_its_schema(empty: Database) -> Database:
    """The scratch database, once it has the schema that its value names."""
    if empty.schema is not None:
        try:
            with empty.connect() as connection:
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(empty.schema)))
        except psycopg.Error as error:
            raise database_error(error, "preparing a scratch database") from error
    return empty


def encoding_and_locale(connection: Connection, name: str) -> sql.Composed:
    """What CREATE DATABASE says to make one like ``name``, nothing where there is no such database."""
    query = load_sql("scratch", "like", connection.info.server_version)
    found = connection.execute(query, {"name": name}).fetchone()
    return sql.Composed([]) if found is None else _like(*found)


def _like(
    encoding: str, collate: str, ctype: str, provider: str | None, locale: str | None, icu_rules: str | None
) -> sql.Composed:
    """What CREATE DATABASE says of encoding and locale: texts sort as they do in the target."""
    words = sql.SQL(" ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(*map(sql.Literal, (encoding, collate, ctype)))
    if provider == "c":
        words += sql.SQL(" LOCALE_PROVIDER libc")
    if provider in _PROVIDERS:
        name, option = _PROVIDERS[provider]
        words += sql.SQL(" LOCALE_PROVIDER {} {} {}").format(sql.SQL(name), sql.SQL(option), sql.Literal(locale))
        if icu_rules:
            words += sql.SQL(" ICU_RULES {}").format(sql.Literal(icu_rules))
    return words


# --- whose it is ------------------------------------------------------------------------------


def _register(connection: Connection) -> int:
    """Take a lock that lasts as long as the session, and says that its databases are in use."""
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        return _NO_SESSION
    lift_timeouts(connection)
    return lock_number(connection, _SESSIONS)


def lift_timeouts(connection: Connection) -> None:
    """Lift the role's timeouts: they would end a long build, or the session and its lock.  Raise psycopg.Error."""
    connection.execute(
        "SELECT pg_catalog.set_config(name, '0', FALSE) FROM pg_catalog.pg_settings "
        "WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout')"
    )


def lock_number(connection: Connection, first: int) -> int:
    """Take the advisory lock of ``first`` and a number from 1 that no session holds; return that number."""
    while True:
        number = secrets.randbelow(2**31 - 1) + 1
        if try_lock(connection, first, number):
            return number


def try_lock(connection: Connection, first: int, second: int, *, shared: bool = False) -> bool:
    """Take an advisory lock for as long as the session lives, if it is free.  Raise psycopg.Error."""
    take = "pg_catalog.pg_try_advisory_lock_shared" if shared else "pg_catalog.pg_try_advisory_lock"
    row = connection.execute(f"SELECT {take}(%s::integer, %s::integer)", (first, second)).fetchone()
    return bool(row and row[0])


def _new_name(session: int, before: int = 0) -> str:
    """A name that no other database has; ``before``: how many the session has made already."""
    rest = f"{PREFIX}{session:08x}_{int(time.time()) + before:08x}"
    return f"{rest}_{check_digits(rest)}"


def check_digits(rest: str) -> str:
    """What ends the name of a database that was made here, so that nobody has such a name by chance."""
    return hashlib.sha256(f"wflo-schema {rest}".encode()).hexdigest()[:8]


def _comment() -> str:
    """What a person who finds the database reads; nothing is decided by it."""
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    about = f"process {os.getpid()} on {socket.gethostname()}"
    return json.dumps({"wflo_schema": {"purpose": "scratch", "made_at": made_at, "about": about}})


def _sweep(connection: Connection) -> None:
    """Drop what killed runs left: made here, its session dead, nobody in it.  A failed drop is only logged."""
    rows = connection.execute(load_sql("scratch", "left"), {"class": _SESSIONS, "prefix": PREFIX}).fetchall()
    for name, alive in rows:
        if not _is_left(name, alive):
            continue
        try:  # without FORCE: whoever connected in between keeps it
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            _log.info("the scratch database %s of a killed run stays: %s", name, error)
        else:
            _log.info("dropped the scratch database %s of a killed run", name)


def _is_left(name: str, alive: list[int]) -> bool:
    match = _NAME.match(name)
    if match is None or match["check"] != check_digits(name.rpartition("_")[0]):
        return False
    session = int(match["session"], 16)
    if session == _NO_SESSION:
        return time.time() - int(match["made"], 16) > _LONGEST_RUN_S
    return session not in alive


def read_sql(path: Path | str) -> str:
    """The text of a file that is run as it is.  Raise `BadMigrationFile` where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadMigrationFile(f"cannot read {path}: {error}") from error


# What is said of a file that prepares a database.
PREPARING = {"what": "the file", "hint": "it is run before the migrations, in one transaction"}


def run_sql(database: Database, path: Path | str, text: str, *, what: str, hint: str) -> None:
    """Run a file in one transaction.  Raise `DatabaseError`, naming file and line, when PostgreSQL refuses it."""
    with database.connect() as connection:
        put_schema_first(connection, database.schema)
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            position = error.diag.statement_position
            line = text.count("\n", 0, int(position) - 1) + 1 if position else 0
            raise DatabaseError(
                f"{what} {path}{f':{line}' if line else ''} was refused: {error.diag.message_primary or error}",
                hint=error.diag.message_hint or hint,
                sqlstate=error.sqlstate or "",
            ) from error


def replayed(
    database: Database,
    migrations: Migrations,
    *,
    scratch: ScratchOptions | None = None,
    privileges: bool = False,
    phase: Phase | None = None,
) -> Catalog:
    """The catalog that all migrations make in a scratch database, applied in the order in which they were here.

    With the ``phase`` before the deploy, those that are pending for after it are left out.

    Where ``database`` names no schema, they find the same search_path there as in the target, and
    the schema that it leads to.  ``privileges`` adds owners and grants.  Raise as `engine.migrate`
    does where they do not run, and `Refused` as
    `scratch_database` does.
    """
    with scratch_database(database, scratch=scratch) as empty:
        replay(database, empty, operations.in_applied_order(database, migrations, phase=phase), scratch=scratch)
        return _read(empty, privileges=privileges)


def replay(
    database: Database, empty: Database, migrations: Migrations, *, scratch: ScratchOptions | None = None
) -> None:
    """Apply all migrations in a scratch database, where they find the same search_path as in ``database``."""
    lead_to_the_same_schema(database, empty, (scratch and scratch.on) or database)
    operations.migrate(empty, operations.with_recorded_values(database, migrations))


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """Where migrations put what they make without naming a schema, and by which search_path."""

    schema: str | None
    search_path: str
    role: str


def search_place(database: Database) -> SearchPlace | None:
    """Where migrations put their tables in a database that names no schema."""
    with database.connect() as connection, connection.cursor(row_factory=class_row(SearchPlace)) as cursor:
        try:
            is_apart = database.ledger_schema is not None
            return cursor.execute(load_sql("scratch", "place"), {"is_apart": is_apart}).fetchone()
        except psycopg.Error as error:
            raise database_error(error, "looking where the migrations put their tables") from error


def lead_to_the_same_schema(database: Database, empty: Database, server: Database) -> None:
    """Let sessions find the search_path that they find in ``database``, unless that names its schema."""
    if database.schema is not None:
        return
    place = search_place(database)
    if place is None or place.schema is None or (place.schema, place.search_path) == ("public", '"$user", public'):
        return
    path = sql.SQL(", ").join(map(sql.Identifier, listed_in_path(place.search_path, user=place.role)))
    try:
        with connect_for_making(
            server
        ) as connection:  # before anybody connects: a pooler keeps the settings that it found
            # not for the whole database: what the migrations set for that is compared with the target's
            alter = sql.SQL("ALTER ROLE SESSION_USER IN DATABASE {} SET search_path TO {}")
            connection.execute(alter.format(sql.Identifier(empty.name), path))
        with empty.connect() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(place.schema)))
    except psycopg.Error as error:
        raise database_error(error, "preparing a scratch database") from error


def _read(database: Database, *, privileges: bool = False) -> Catalog:
    with database.connect() as connection:
        try:
            schemas = (database.schema,) if database.schema else None
            found = read_catalog(connection, schemas=schemas, privileges=privileges, apart=database.ledger_apart)
            return as_in_target(database, found)
        except psycopg.Error as error:
            raise database_error(error, "reading the scratch database's catalog") from error


def as_in_target(empty: Database, catalog: Catalog) -> Catalog:
    """What was read in a scratch database, with the target's name where code has put the name of its database."""
    named = empty.replay.stands_for if empty.replay is not None else None
    return catalog.renamed(empty.name, named) if named else catalog
