"""Test databases: a template per migration set, a clone per test.

Hides hashes, the "finished" mark, clone strategies and who owns which database.  How a database
is known to be ours:

- a **clone** or a template being **built** is named ``wflo_clone_SESSION_TIME_NUMBER_CHECK``, where
  CHECK is a hash of what stands before it: nobody has such a name by chance, and there is no
  moment between making and marking it;
- a finished **template**, a ``test-db`` and a clone that was **kept** carry a JSON comment.

SESSION is the number of an advisory lock that the making session holds for as long as it lives.
A killed session loses it at once, on whatever machine it ran; so whose lock is gone is dead.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from wflo_schema.connect import versions
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.maintenance import connect_for_making, owned
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Notify
from wflo_schema.errors import DatabaseError, Refused, WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.files.seeds import SeedSet, read_set
from wflo_schema.names import quote_always
from wflo_schema.scratch.replay import (
    PREPARING,
    Connection,
    check_digits,
    lift_timeouts,
    lock_number,
    read_sql,
    run_sql,
    try_lock,
)
from wflo_schema.testdb.recipe import Carried, Place, Recipe, carried_by, give

# What the name of a database must end in before `make_test_database` drops it.
SUFFIX = "_test"

# Seconds: a template that nobody uses is pruned when it is older; it is rebuilt in moments.
TEMPLATES_KEPT_S = 7 * 86_400.0

# Below this a single clone is made by WAL_LOG: FILE_COPY makes the whole server flush twice.
SMALL_BYTES = 64 * 1024 * 1024

# First numbers of our advisory locks: "wflo", "wflt", "wflr".
_SESSIONS, _TEMPLATES, _REPLACING = 0x77666C6F, 0x77666C74, 0x77666C72

# Part of every template's hash: raise it when templates are made differently.
_FORMAT = 2

# Seconds for clearing a clone of what a test left in it, and the errors that call for it: in use, or a template.
_CLEARING_S = 2.0
_STILL_HELD = ("55006", "42809")

# Seconds to try again while somebody is connected to a database that has to be free.
_POLL_S = 0.02
_PATIENCE_S = 10.0

_NAME = re.compile(
    r"(?P<rest>wflo_(?P<purpose>clone|building)_(?P<session>[0-9a-f]{8})_(?P<made>[0-9a-f]{8})_\d+)"
    r"_(?P<check>[0-9a-f]{8})\Z"
)

NOTHING_DROPPED = "nothing was dropped"

logger = logging.getLogger("wflo_schema")

Purpose = Literal["clone", "building", "template", "test-db", "kept"]


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """A test database that is ready.  ``applied`` are the migrations that this run put into it.

    ``was_cloned``: from a template that was there already; False where the migrations were run.
    """

    __test__: ClassVar[bool] = False
    # It is no test, whatever pytest thinks of its name.

    database: Database
    was_cloned: bool
    duration_ms: float
    applied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A finished template.  ``applied`` are its migrations; ``was_built`` says that this call built it.

    ``carried`` are its settings and the rights on it, which its clones are given.
    """

    name: str
    applied: tuple[str, ...]
    was_built: bool
    size_bytes: int
    carried: tuple[Carried, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """A database that wflo-schema made.

    ``is_alive``: the session that made it still runs (a template: somebody uses it).  ``about`` is
    the test's id of a kept one, the folders of a template, the target of a test-db.  ``size_bytes``
    is None where this role may not know it.
    """

    name: str
    purpose: Purpose
    made_at: datetime
    is_alive: bool
    connections: int
    size_bytes: int | None
    about: str = ""

    @property
    def age_s(self) -> float:
        """Seconds since it was made, by this machine's clock."""
        return max(0.0, (datetime.now(UTC) - self.made_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune_test_databases` dropped, and what of ours it left and why."""

    dropped: tuple[Made, ...]
    left: tuple[tuple[Made, str], ...]


class ServerSession:
    """Makes and drops databases on one server; what it made is known to be in use while it lives.

    Its connection must be used by one thread at a time; `connect` opens others.
    """

    def __init__(self, database: Database, connection: Connection, recipe: Recipe | None = None) -> None:
        self.database = database
        self.recipe = recipe or Recipe()
        self.connection = connection
        self.id = ""
        self.strategies = Strategies(connection.info.server_version)
        self._counter = 0
        self._counting = threading.Lock()
        self._templates: dict[str, Template] = {}
        self._place: Place | None = None

    @classmethod
    def open(cls, database: Database, recipe: Recipe | None = None) -> ServerSession:
        """Connect to a maintenance database of the server and register; ``recipe`` says how templates are made.

        Raise `ConnectionFailed` when none lets us in, `Refused` when a connection pooler stands
        in between.
        """
        session = cls(database, maintenance(database), recipe)
        try:
            session._register()
        except psycopg.Error as error:
            session.close()
            raise database_error(error, "registering with the server") from error
        except BaseException:
            session.close()
            raise
        return session

    def __enter__(self) -> ServerSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection, and with it of the locks."""
        self.connection.close()

    def connect(self) -> Connection:
        """Open another maintenance connection."""
        return maintenance(self.database)

    def _register(self) -> None:
        row = self.connection.execute(
            "SELECT pg_catalog.pg_backend_pid(), CURRENT_USER::text, pg_catalog.pg_is_in_recovery()"
        ).fetchone()
        assert row is not None
        if row[0] != self.connection.info.backend_pid:
            raise Refused(
                f"{self.database.label} is a connection pooler, through which databases cannot be made safely",
                hint="name PostgreSQL itself in the URL (its own port, usually 5432)",
            )
        if row[2]:
            raise Refused(f"{self.database.label} is a standby, which is read only", hint="name the primary in the URL")
        self.role: str = row[1]
        self.id = f"{lock_number(self.connection, _SESSIONS):08x}"

    def _unlock(self, first: int, second: int) -> None:
        self.connection.execute("SELECT pg_catalog.pg_advisory_unlock(%s::integer, %s::integer)", (first, second))

    @contextmanager
    def replacing(self, name: str) -> Iterator[None]:
        """Be the only one to drop and rename to ``name``; waits for whoever does so now."""
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") & 0x7FFFFFFF
        try:
            self.connection.execute("SELECT pg_catalog.pg_advisory_lock(%s::integer, %s::integer)", (_REPLACING, key))
        except psycopg.Error as error:
            raise database_error(error, f"waiting for others that make {name}") from error
        try:
            yield
        finally:
            if not self.connection.closed:
                self._unlock(_REPLACING, key)

    def free_slots(self) -> int:
        """How many more connections the server has room for."""
        try:
            row = self.connection.execute(
                "SELECT pg_catalog.current_setting('max_connections')::integer - pg_catalog.count(*)::integer "
                "FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'"
            ).fetchone()
        except psycopg.Error as error:
            raise database_error(error, "counting connections") from error
        return int(row[0]) if row else 0

    def new_name(self, purpose: Literal["clone", "building"]) -> str:
        """A name that nobody else has, and that says whose it is."""
        with self._counting:
            self._counter += 1
            rest = f"wflo_{purpose}_{self.id}_{int(time.time()):08x}_{self._counter}"
        return f"{rest}_{check_digits(rest)}"

    def kind_of(self, name: str) -> Literal["database", "template", ""]:
        """Whether there is such a database, and whether it is a template."""
        row = self.connection.execute(
            "SELECT datistemplate FROM pg_catalog.pg_database WHERE datname = %s", (name,)
        ).fetchone()
        return "" if row is None else "template" if row[0] else "database"

    # templates

    def template(
        self,
        migrations: Migrations,
        *,
        schema: str | None = None,
        seeds: Sequence[Path | str] = (),
        notify: Notify | None = None,
    ) -> Template:
        """Get the template of these migrations, building it where there is none.

        Once per server: an advisory lock on its hash.  A template has its name only when it is
        finished (rename, comment and mark are one transaction), so a killed build is never used.
        ``seeds`` are SQL files run after the migrations, or folders that are sets of seeds.
        """
        contents = [read_seed(seed) for seed in seeds]
        texts = [self.recipe.read_prepare(), *(_hashed(content, migrations) for content in contents)]
        try:
            name, key = self._template_name(migrations, schema, texts)
            if name in self._templates:
                return self._templates[name]
            self._use(key)
            size = self._finished(name)
            was_built = False
            while size is None:
                if try_lock(self.connection, _TEMPLATES, key ^ 1):
                    try:
                        size = self._finished(name)
                        if size is None:
                            self._build(name, migrations, schema, list(zip(seeds, contents, strict=True)), notify)
                            was_built = True
                            size = self._finished(name)
                    finally:
                        if not self.connection.closed:
                            self._unlock(_TEMPLATES, key ^ 1)
                else:
                    time.sleep(_POLL_S)
                    size = self._finished(name)
            carried = carried_by(self.connection, name)
        except psycopg.Error as error:
            raise self._refused(error, "making the template of the test databases") from error
        found = Template(name, tuple(m.id for m in migrations), was_built, size, carried)
        self._templates[name] = replace(found, was_built=False)
        return found

    def _use(self, key: int) -> None:
        """Hold the template's lock shared, so that nobody prunes it; wait while somebody is doing so."""
        end = time.monotonic() + _PATIENCE_S
        while not try_lock(self.connection, _TEMPLATES, key, shared=True) and time.monotonic() < end:
            time.sleep(_POLL_S)

    def place(self) -> Place:
        """Where new databases come from.  Raise psycopg.Error."""
        if self._place is None:
            self._place = self.recipe.place(self.connection)
        return self._place

    def _template_name(self, migrations: Migrations, schema: str | None, texts: Sequence[str]) -> tuple[str, int]:
        """``texts`` are those of all files that are run beside the migrations.  Raise psycopg.Error."""
        recipe = self.recipe
        known = [
            _FORMAT,
            self.connection.info.server_version // 10_000,
            self.role if self.database.role is None else (self.role, self.database.role),
            self.database.parameters.get("options", ""),
            schema if self.database.ledger_schema is None else (schema, self.database.ledger_schema),
            [(m.id, m.checksum, *sorted(m.values.items())) for m in (*migrations, *migrations.beside)],
            list(texts),
            (recipe.stands_for, recipe.base, recipe.roles, recipe.allow_outside, self.place().known),
        ]
        digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
        return f"wflo_template_{digest[:24]}", _template_key(f"wflo_template_{digest[:24]}")

    def _finished(self, name: str) -> int | None:
        """The template's size in bytes, None where there is no such template."""
        row = self.connection.execute(
            "SELECT pg_catalog.shobj_description(oid, 'pg_database'), pg_catalog.pg_database_size(oid) "
            "FROM pg_catalog.pg_database WHERE datname = %s",
            (name,),
        ).fetchone()
        if row is None:
            return None
        if _read_mark(row[0] or "")[0] != "template":
            raise Refused(
                f"there is a database {name} that wflo-schema did not make",
                hint="rename it: the template of these migrations needs its name",
            )
        return int(row[1])

    def _build(
        self,
        name: str,
        migrations: Migrations,
        schema: str | None,
        seeds: Sequence[tuple[Path | str, str | SeedSet]],
        notify: Notify | None,
    ) -> None:
        from wflo_schema.engine import operations
        from wflo_schema.engine.confinement import take_out_looks

        building = self.new_name("building")
        self.create_empty(building)
        try:
            database = self.database.with_name(building).with_schema(schema)
            if self.recipe.prepare is not None:
                run_sql(database.with_schema(None), self.recipe.prepare, self.recipe.read_prepare(), **PREPARING)
            if len(migrations):
                replayed = database.for_replay(self.recipe.replay())
                operations.migrate(replayed, migrations, notify=notify)
                take_out_looks(replayed)
            for path, content in seeds:
                _run_seed(database, migrations, path, content)
            # This connection leaves pg_internal.init behind; clones by FILE_COPY have it, and are
            # the quicker to connect to.
            database.connect().close()
            self._finish(building, name, " and ".join(migrations.directories))
        except BaseException as error:
            self.drop_quietly(building)
            if isinstance(error, WfloSchemaError):
                error.applied = ()  # nothing is kept of what was built
            raise

    def _finish(self, building: str, name: str, about: str) -> None:
        """Make it a template and give it its name, in one transaction, once nobody is connected."""
        old, new = sql.Identifier(building), sql.Identifier(name)

        def finish() -> None:
            with self.connection.transaction():
                self.mark(building, "template", about=about)
                self.connection.execute(sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE true").format(old))
                self.connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new))

        try:
            self._alone_in(building, finish)
        except psycopg.errors.DuplicateDatabase:
            self.drop_quietly(building)  # somebody else was first, and theirs is as good

    def _alone_in(self, name: str, do: Callable[[], object]) -> None:
        """Let nobody into a database of ours, close what others have opened there, and do what needs it free.

        An agent that looks into every database comes at any moment.  Raise psycopg.Error.
        """
        self.connection.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        end = time.monotonic() + _PATIENCE_S
        while True:
            if not self.is_free(name):
                with suppress(psycopg.errors.InsufficientPrivilege):  # it may go by itself
                    self.connection.execute(
                        "SELECT pg_catalog.pg_terminate_backend(pid) "
                        "FROM pg_catalog.pg_stat_activity WHERE datname = %s",
                        (name,),
                    )
                self.is_free(name)
            try:
                do()
                return
            except psycopg.errors.ObjectInUse:  # PostgreSQL has waited for five seconds
                if time.monotonic() > end:
                    raise

    def is_free(self, name: str, *, connection: Connection | None = None, at_most_s: float = 0.2) -> bool:
        """Whether nobody else is in a database.  Backends of closed connections may take the time given to end."""
        end = time.monotonic() + at_most_s
        while time.monotonic() < end:
            row = (
                (connection or self.connection)
                .execute(
                    "SELECT FROM pg_catalog.pg_stat_activity "
                    "WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid() "
                    "LIMIT 1",
                    (name,),
                )
                .fetchone()
            )
            if row is None:
                return True
            time.sleep(0.002)
        return False

    # clones

    def create_empty(self, name: str) -> None:
        """Create a database as the recipe says, waiting while somebody is connected to what is copied.

        Where that is template1, cannot be copied and has nothing in it, template0 is as good.
        """
        end = time.monotonic() + _PATIENCE_S
        place = self.place()
        source = place.source
        if source is None and not self.is_free("template1") and self._is_bare("template1"):
            source = "template0"  # PostgreSQL would wait for five seconds
        while True:
            create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + owned(self.database)
            if source is not None:
                create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(source))
            try:
                # what template1 has need not be said, and a role may be told its encoding only with template0
                self.connection.execute(create + place.like if source == "template0" else create)
                return
            except psycopg.Error as error:
                # in use, or (an internal error) of another collation version
                if source is None and error.sqlstate in ("55006", "XX000") and self._is_bare("template1"):
                    source = "template0"
                    continue
                if not isinstance(error, psycopg.errors.ObjectInUse) or time.monotonic() > end:
                    raise self._refused(error, f"creating the database {name}") from error
            time.sleep(_POLL_S)

    def _is_bare(self, name: str) -> bool:
        """Whether nothing was put into this database since initdb made it."""
        try:
            if self.connection.info.dbname == name:
                row = self.connection.execute(load_sql("testdb", "bare")).fetchone()
            else:
                with self.database.with_name(name).connect() as inside:
                    row = inside.execute(load_sql("testdb", "bare")).fetchone()
        except (psycopg.Error, WfloSchemaError):
            return False
        return bool(row and row[0])

    def clone(self, template: Template, *, connection: Connection | None = None, measured: bool = False) -> str:
        """Make a clone under a new name; with ``measured`` by the strategy that was the fastest so far."""
        link = connection or self.connection
        name = self.new_name("clone")
        strategy = self.strategies.choose(template.size_bytes, measured=measured)
        try:
            while True:
                began = time.monotonic()
                try:
                    strategy.prepare(link)
                    link.execute(
                        sql.SQL("CREATE DATABASE {} TEMPLATE {}{}{}").format(
                            sql.Identifier(name),
                            sql.Identifier(template.name),
                            owned(self.database),
                            sql.SQL(strategy.clause),
                        )
                    )
                    self.strategies.record(strategy, elapsed_ms(began))
                    give(link, name, template.carried)
                    return name
                except psycopg.Error as error:
                    state = error.sqlstate or ""
                    # No privilege, no such template, no space, in use, cancelled: another way would fail too.
                    is_hopeless = state in ("42501", "42P04") or state[:2] in ("3D", "53", "55", "57", "08")
                    other = None if is_hopeless or link.closed else self.strategies.without(strategy)
                    if other is None:
                        raise
                    strategy = other
        except psycopg.Error as error:
            raise self._refused(error, f"cloning {template.name}") from error

    def mark(self, name: str, purpose: Purpose, *, about: str = "") -> None:
        """Say in the database's comment that it was made here and what for."""
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        comment = json.dumps({"wflo_schema": {"purpose": purpose, "made_at": made_at, "about": about}})
        try:
            self.connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment))
            )
        except psycopg.Error as error:
            raise self._refused(error, f"marking the database {name}") from error

    def rename(self, name: str, to: str) -> None:
        """Rename a database of ours; whoever is connected to it is sent away."""
        old, new = sql.Identifier(name), sql.Identifier(to)
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, new)
        open_again = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(new)

        try:
            self._alone_in(name, lambda: self.connection.execute(rename))
            self.connection.execute(open_again)
        except psycopg.errors.DuplicateDatabase as error:
            raise Refused(
                f"somebody else made {to} at the same time", hint="run this again when nobody else does"
            ) from error
        except psycopg.Error as error:
            raise self._refused(error, f"renaming a database to {to}") from error

    def drop(self, name: str, *, connection: Connection | None = None) -> None:
        """Drop a database if it is there, whoever is connected to it."""
        try:
            (connection or self.connection).execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
        except psycopg.Error as error:
            raise self._held(error, name) or self._refused(error, f"dropping the database {name}") from error

    def drop_quietly(self, name: str) -> None:
        """Drop a database after something else failed; a failure to drop it is only logged."""
        try:
            self.drop(name)
        except (WfloSchemaError, psycopg.Error) as error:
            logger.warning("%s stays behind and is pruned later: %s", name, error)

    def drop_clone(self, name: str, *, connection: Connection | None = None) -> None:
        """Drop a clone, whoever is connected to it and whatever a test left in it.

        Prepared transactions, subscriptions and active replication slots stop even DROP … WITH (FORCE);
        they are ended first.
        """
        link = connection or self.connection
        end = time.monotonic() + _CLEARING_S
        while True:
            try:
                self.drop(name, connection=link)
                return
            except DatabaseError as error:
                if error.sqlstate not in _STILL_HELD or time.monotonic() > end:
                    raise
            self._clear(name, link)
            time.sleep(_POLL_S)

    def _clear(self, name: str, link: Connection) -> None:
        """End what keeps a clone from being dropped; log what cannot be ended."""
        quoted = sql.Identifier(name)
        try:
            link.execute(sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE false ALLOW_CONNECTIONS true").format(quoted))
            link.execute(
                "SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots "
                "WHERE database = %s AND active_pid IS NOT NULL",
                (name,),
            )
            with self.database.with_name(name).connect() as inside:
                for (gid,) in inside.execute(
                    "SELECT gid FROM pg_catalog.pg_prepared_xacts "
                    "WHERE database = pg_catalog.current_database() ORDER BY gid"
                ).fetchall():
                    inside.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))
                for (subscription,) in inside.execute(
                    "SELECT subname FROM pg_catalog.pg_subscription AS s JOIN pg_catalog.pg_database AS d "
                    "ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database() ORDER BY subname"
                ).fetchall():
                    one = sql.Identifier(subscription)
                    inside.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(one))
                    inside.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(one))
                    inside.execute(sql.SQL("DROP SUBSCRIPTION {}").format(one))
        except (WfloSchemaError, psycopg.Error) as error:
            logger.info("while clearing %s: %s", name, error)

    def drop_made(self, made: Made) -> str:
        """Drop what was found to be ours; say why where that cannot be."""
        said = self._drop_made(made)
        if said.sqlstate in _STILL_HELD and made.purpose in ("clone", "building"):
            self._clear(made.name, self.connection)
            said = self._drop_made(made)
        return said.message

    def _drop_made(self, made: Made) -> _Said:
        key = _template_key(made.name)
        name = sql.Identifier(made.name)
        is_template, is_locked = made.purpose == "template", False
        try:
            if is_template:
                is_locked = try_lock(self.connection, _TEMPLATES, key)
                if not is_locked:
                    return _Said("it is in use")
                self.connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(name))
            # Without FORCE: whoever connected in between keeps it.
            self.connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
        except psycopg.Error as error:
            return _Said((error.diag.message_primary or str(error)).strip(), error.sqlstate or "")
        finally:
            if is_locked and not self.connection.closed:
                self._unlock(_TEMPLATES, key)
        return _Said("")

    def _held(self, error: psycopg.Error, name: str) -> DatabaseError | None:
        """What keeps a database from being dropped without anybody being connected to it; None where nothing does."""
        if error.sqlstate != "55006" or self.connection.closed:
            return None
        try:
            prepared = self.connection.execute(
                "SELECT pg_catalog.quote_literal(gid) FROM pg_catalog.pg_prepared_xacts WHERE database = %s ORDER BY 1",
                (name,),
            ).fetchall()
            subscriptions = self.connection.execute(
                "SELECT pg_catalog.quote_ident(subname) FROM pg_catalog.pg_subscription AS s "
                "JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid WHERE d.datname = %s ORDER BY 1",
                (name,),
            ).fetchall()
        except psycopg.Error:
            return None
        if not prepared and not subscriptions:
            return None
        what = "a prepared transaction" if prepared else "a subscription"
        ends = [f"ROLLBACK PREPARED {gid}" for (gid,) in prepared]
        ends += [f"DROP SUBSCRIPTION {one}" for (one,) in subscriptions]
        return DatabaseError(
            f"the database {name} cannot be dropped: {what} is left in it",
            hint=f"connected to {name}: {'; '.join(ends)}; then run this again",
            sqlstate="55006",
        )

    def _who_set_read_only(self) -> str:
        """Why the session may not write, as PostgreSQL knows it, and what to do about it."""
        try:
            row = self.connection.execute(
                "SELECT source, sourcefile, sourceline FROM pg_catalog.pg_settings "
                "WHERE name = 'default_transaction_read_only' AND setting = 'on'"
            ).fetchone()
        except psycopg.Error:
            row = None
        if row is None:
            return ""
        source, where = row[0], f" ({row[1]}:{row[2]})" if row[1] else ""
        role, name = quote_always(self.role), quote_always(self.connection.info.dbname)
        ways = {
            "client": "the variable PGOPTIONS, or options in the URL, sets it: take it out there",
            "user": f"the role has it: ALTER ROLE {role} RESET default_transaction_read_only",
            "database": f"the database has it: ALTER DATABASE {name} RESET default_transaction_read_only",
            "database user": f"ALTER ROLE {role} IN DATABASE {name} RESET default_transaction_read_only",
        }
        set_by = ways.get(source, f"the server's {source}{where} sets it")
        return f"default_transaction_read_only is on; {set_by}"

    def _refused(self, error: psycopg.Error, doing: str) -> DatabaseError:
        said = error.diag.message_primary or str(error).strip()
        state = error.sqlstate or ""
        what, hint = f"not allowed while {doing}: {said}", ""
        if state == "25006":
            what, hint = f"PostgreSQL refused while {doing}: {said}", self._who_set_read_only()
        elif state == "42501" and "create database" in said:
            what = f"the role {self.role} may not create databases on {self.database.label}"
            hint = f"as a superuser: ALTER ROLE {quote_always(self.role)} CREATEDB"
        elif state == "42501" and "superuser" in said:
            hint = "a superuser is connected to it, whom this role may not disconnect: close that connection"
        elif state == "42501":
            hint = f"do it as the role that owns the database, or make {self.role} a member of that role"
        elif state == "53100":
            what = f"the server's disk is full while {doing}: {said}"
            hint = "free space; wflo-schema test-db prune drops what killed sessions left"
        elif state == "55006":
            what, hint = f"somebody is connected while {doing}: {said}", "close that connection and run this again"
        else:
            return database_error(error, doing)
        return DatabaseError(what, hint=hint, sqlstate=state)


@dataclass(frozen=True, slots=True)
class _Said:
    """Why a database could not be dropped; empty where it was."""

    message: str
    sqlstate: str = ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to clone.  ``clause`` ends CREATE DATABASE; ``method`` is the setting file_copy_method."""

    clause: Literal["", " STRATEGY WAL_LOG", " STRATEGY FILE_COPY"]
    method: Literal["", "copy", "clone"] = ""

    def prepare(self, connection: Connection) -> None:
        """Set what the clause does not say."""
        if self.method:
            connection.execute("SELECT pg_catalog.set_config('file_copy_method', %s, false)", (self.method,))


class Strategies:
    """The ways to clone that a server offers, and how long each took."""

    def __init__(self, server_version: int) -> None:
        self._lock = threading.Lock()
        self._best_ms: dict[Strategy, float] = {}
        self._open: list[Strategy] = []
        has_method = versions.FILE_COPY_METHOD.is_in(server_version)
        if has_method:
            self._open.append(Strategy(" STRATEGY FILE_COPY", "clone"))
        if versions.CREATE_DATABASE_STRATEGY.is_in(server_version):
            self._open.append(Strategy(" STRATEGY WAL_LOG"))
            self._open.append(Strategy(" STRATEGY FILE_COPY", "copy" if has_method else ""))
        else:
            self._open.append(Strategy(""))

    def choose(self, size_bytes: int, *, measured: bool) -> Strategy:
        """The fastest so far, each tried once; without ``measured`` by the template's size."""
        with self._lock:
            if measured:
                untried = [s for s in self._open if s not in self._best_ms]
                return untried[0] if untried else min(self._open, key=lambda s: self._best_ms[s])
            if size_bytes < SMALL_BYTES:
                small = [s for s in self._open if s.clause == " STRATEGY WAL_LOG"]
                return (small or self._open)[0]
            return self._open[0]

    def offer(self, strategy: Strategy) -> None:
        """Add one, to be tried before the others."""
        with self._lock:
            self._open.insert(0, strategy)

    def record(self, strategy: Strategy, duration_ms: float) -> None:
        """Remember how long it took."""
        with self._lock:
            known = self._best_ms.get(strategy)
            # An old record fades, so that one lucky moment does not decide for ever.
            self._best_ms[strategy] = duration_ms if known is None else min(duration_ms, known * 1.05)

    def without(self, strategy: Strategy) -> Strategy | None:
        """Another one, after this server or its file system refused that one; None where there is none."""
        with self._lock:
            if self._open == [strategy]:
                return None
            if strategy in self._open:  # else another thread was told the same
                self._open.remove(strategy)
            return self._open[0]


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    comment: str
    is_ours_to_drop: bool
    connections: int
    size_bytes: int | None


def made_databases(connection: Connection) -> Iterator[tuple[Made, bool]]:
    """Every database that wflo-schema made, and whether this role may drop it."""
    try:
        with connection.cursor(row_factory=class_row(_Row)) as cursor:
            rows = cursor.execute(load_sql("testdb", "databases")).fetchall()
        locks = connection.execute(load_sql("testdb", "locks"), {"classes": [_SESSIONS, _TEMPLATES]}).fetchall()
    except psycopg.Error as error:
        raise database_error(error, "listing test databases") from error
    held = {(first, second) for first, second in locks}
    for row in rows:
        purpose, made_at, about = _read_mark(row.comment)
        name = _NAME.match(row.name)
        is_named = name is not None and name["check"] == check_digits(name["rest"])
        if name is not None and is_named:
            if purpose != "kept":
                # A killed `make_test_database` leaves a clone that is marked as a test-db and has not got its name yet.
                purpose = "clone" if name["purpose"] == "clone" else "building"
            made_at = made_at or datetime.fromtimestamp(int(name["made"], 16), UTC)
        if purpose is None or made_at is None or (purpose in ("clone", "building") and not is_named):
            continue
        if purpose == "template":
            is_alive = (_TEMPLATES, _template_key(row.name)) in held
        else:
            is_alive = name is not None and (_SESSIONS, int(name["session"], 16)) in held
        yield Made(row.name, purpose, made_at, is_alive, row.connections, row.size_bytes, about), row.is_ours_to_drop


def _read_mark(comment: str) -> tuple[Purpose | None, datetime | None, str]:
    if not comment.startswith('{"wflo_schema":'):
        return None, None, ""
    try:
        mark = json.loads(comment)["wflo_schema"]
        purpose = mark["purpose"]
        if purpose not in ("clone", "building", "template", "test-db", "kept"):
            return None, None, ""
        return purpose, datetime.fromisoformat(mark["made_at"]), str(mark.get("about", ""))
    except (ValueError, KeyError, TypeError):
        return None, None, ""


def _template_key(name: str) -> int:
    """The even number of a template's lock; the odd one above it is held while it is built."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") & 0x7FFFFFFE


def maintenance(database: Database) -> Connection:
    """Connect to a database from which others are made and dropped, whatever timeouts the role has."""
    connection = connect_for_making(database)
    try:
        lift_timeouts(connection)
    except psycopg.Error as error:
        connection.close()
        raise database_error(error, "preparing the connection") from error
    return connection


def run_seeds(database: Database, migrations: Migrations, seeds: Sequence[Path | str]) -> None:
    """Run SQL files and sets of seeds in order, each in one transaction.

    Raise `DatabaseError` or `MigrationFailed`, naming file and line, when PostgreSQL refuses one.
    """
    for seed in seeds:
        _run_seed(database, migrations, seed, read_seed(seed))


def read_seed(path: Path | str) -> str | SeedSet:
    """A file of SQL as its text, a folder as a set of seeds.  Raise `BadMigrationFile` or `Refused`."""
    return read_set(Path(path)) if Path(path).is_dir() else read_sql(path)


def _hashed(content: str | SeedSet, migrations: Migrations) -> str:
    """What a template's hash takes of a seed."""
    if isinstance(content, str):
        return content
    given = next((m.given for m in migrations), {})
    values = [{name: given.get(name) for name in f.variables} for f in content.files]
    return json.dumps([(f.id, f.checksum, v) for f, v in zip(content.files, values, strict=True)])


def _run_seed(database: Database, migrations: Migrations, path: Path | str, content: str | SeedSet) -> None:
    from wflo_schema.engine.seeding import SeedCase, seed

    if isinstance(content, str):
        run_sql(database, path, content, **_SEEDING)
    else:  # a test may put it between two migrations
        seed(database, migrations, [content], allow=[SeedCase.PENDING])


# What is said of a file of rows.
_SEEDING = {"what": "the seed file", "hint": "it is run after the last migration, in one transaction"}


def elapsed_ms(began: float) -> float:
    """Milliseconds since ``began``, a reading of time.monotonic()."""
    return (time.monotonic() - began) * 1000
