"""The development databases of one project on one server: made, found, cloned, switched by name, dropped.

Hides names and marks.  The database of the branch that git is on has the project's one name (``shop_dev``), so that an
application keeps one URL; those of other branches stand aside (``shop_dev__main``).  What a branch's database is
called says nothing: its comment does.  A switch renames both in one transaction.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.dev.checkout import Checkout
from wflo_schema.dev.marks import Mark, Purpose, now, read_mark
from wflo_schema.errors import Refused, UsageError
from wflo_schema.files.folder import Migrations
from wflo_schema.names import NAME_BYTES
from wflo_schema.testdb.recipe import Recipe, carried_by
from wflo_schema.testdb.session import ServerSession, Template

# How the name of a project's development database ends, and what stands between it and a branch's.
SUFFIX = "_dev"
_APART = "__"

# Seconds to try again while somebody comes into a database that has to be free.
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Project:
    """Whose development databases are meant.

    ``server`` is any database of the server; it is never touched.  ``name`` is what the current branch's database is
    called, ``folder`` the first folder of migrations, by which the project is known.
    """

    server: Database
    name: str
    folder: str
    allow_outside: bool = False
    is_own_server: bool = False

    @property
    def database(self) -> Database:
        """The current branch's database."""
        return self._within(self.server.with_name(self.name))

    def named(self, name: str) -> Database:
        """Another database of the project."""
        return self._within(self.server.with_name(name))

    @property
    def recipe(self) -> Recipe:
        """How the project's databases are made: like the one that is named, which they stand for."""
        return Recipe(
            like=self.server.name,
            stands_for=self.server.name,
            roles=self.is_own_server,
            allow_outside=self.allow_outside,
        )

    def _within(self, database: Database) -> Database:
        return database.for_replay(replace(self.recipe.replay(), place="the development database"))


@dataclass(frozen=True, slots=True)
class DevDatabase:
    """One development database, or clone of one, as it was found.  ``size_bytes``: None where it may not be known.

    ``is_current``: it has the project's one name.  ``is_gone``: git has no such branch any more.
    """

    name: str
    branch: str
    purpose: Purpose
    connections: int
    size_bytes: int | None
    made_at: str
    used_at: str
    is_current: bool
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    comment: str
    lets_in: bool
    connections: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A database with a mark of ours."""

    name: str
    mark: Mark
    lets_in: bool
    connections: int
    size_bytes: int | None


def dev_name(folder: str) -> str:
    """The name of a project's development database, of its folder's name."""
    base = re.sub(r"[^a-z0-9]+", "_", os.path.basename(folder).lower()).strip("_") or "project"
    return f"{base[: NAME_BYTES - len(SUFFIX)]}{SUFFIX}"


class Workshop:
    """Makes, finds and switches the development databases of one project, over one session on its server."""

    def __init__(self, project: Project, session: ServerSession) -> None:
        self.project = project
        self.session = session
        self.sent_away = 0
        """How many sessions were ended, because their database had to be free."""

    @classmethod
    @contextmanager
    def open(cls, project: Project) -> Iterator[Workshop]:
        """Connect to the server.  Raise as `ServerSession.open` does."""
        with ServerSession.open(project.server, project.recipe) as session:
            yield cls(project, session)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one to change this project's databases: two runs do one after the other what there is to do."""
        with self.session.replacing(f"dev {self.project.name}"):
            yield

    # what is there

    def found(self, *, repository: str = "") -> list[Found]:
        """The databases that are marked as this project's, and as those of other worktrees of a ``repository``."""
        try:
            with self.session.connection.cursor(row_factory=class_row(_Row)) as cursor:
                rows = cursor.execute(load_sql("dev", "databases")).fetchall()
        except psycopg.Error as error:
            raise database_error(error, "looking for development databases") from error
        marked = [(row, mark) for row in rows if (mark := read_mark(row.comment)) is not None]
        return [
            Found(row.name, mark, row.lets_in, row.connections, row.size_bytes)
            for row, mark in marked
            if self._is_ours(row.name, mark) or (repository and mark.repository == repository)
        ]

    def _is_ours(self, name: str, mark: Mark) -> bool:
        """Whether it was made for this folder, or for one that was moved here: gone, and the server is this machine's.

        Two folders of one name, of two people or two copies, never share a database, nor do two projects whose folders
        of migrations have one name.
        """
        if mark.folder == self.project.folder:
            return True
        is_local = self.project.server.parameters.get("host", "/").startswith("/")
        is_same_folder = os.path.basename(mark.folder) == os.path.basename(self.project.folder)
        is_same_name = name == self.project.name or name.startswith(f"{self.project.name}{_APART}")
        return is_local and is_same_folder and is_same_name and _is_gone(mark.folder)

    def listed(self, checkout: Checkout) -> tuple[DevDatabase, ...]:
        """Every database of the project, the current one first."""
        found = [
            DevDatabase(
                f.name,
                f.mark.branch,
                f.mark.purpose,
                f.connections,
                f.size_bytes,
                f.mark.made_at.isoformat(),
                f.mark.used_at.isoformat(),
                f.name == self.project.name,
                bool(checkout.repository) and f.mark.branch not in (*checkout.branches, checkout.branch),
            )
            for f in self.found()
        ]
        return tuple(sorted(found, key=lambda d: (not d.is_current, d.branch, d.purpose)))

    def current(self) -> Mark | None:
        """The mark of the current database, None where there is none.

        Raise `Refused` where a database has its name that was not made here, or not for this folder.
        """
        there = self.found()
        for one in there:
            if not one.lets_in:
                self._open_again(one.name)  # whoever closed it was killed
        found = next((f for f in there if f.name == self.project.name), None)
        if found is not None:
            return found.mark
        self.refuse_strange(self.project.name)
        return None

    def refuse_strange(self, name: str) -> None:
        """Raise `Refused` where there is such a database, and it is not this project's."""
        row = self.session.connection.execute(
            "SELECT COALESCE(pg_catalog.shobj_description(oid, 'pg_database'), '') FROM pg_catalog.pg_database "
            "WHERE datname OPERATOR(pg_catalog.=) %s",
            (name,),
        ).fetchone()
        if row is None:
            return
        mark = read_mark(row[0])
        whose = f"is the development database of {mark.folder}" if mark else "was not made by wflo-schema dev"
        raise Refused(
            f"there is a database {name} on {self.project.server.label}, and it {whose}: it is not touched",
            hint="give this project's another name: --dev-database NAME",
        )

    # making

    def make(self, branch: str, repository: str, migrations: Migrations) -> Mark:
        """Make a branch's database of files alone, under the project's name.  Raise as `ServerSession.template`."""
        name = self.copy_of_files(migrations)
        mark = self._fresh(branch, repository)
        try:
            self.take_place(name, mark, aside=None)
        except BaseException:
            self.session.drop_quietly(name)
            raise
        return mark

    def copy_of_files(self, migrations: Migrations) -> str:
        """A new database in which these migrations are applied: a clone of their template.  Returns its name."""
        if not len(migrations):
            name = self.session.new_name("clone")
            self.session.create_empty(name)
            return name
        return self.session.clone(self.session.template(migrations, schema=self.project.server.schema))

    def copy_of(self, name: str, *, by_force: bool) -> str | None:
        """A clone of a database with all its rows, under a new name; None where somebody is in it.

        ``by_force``: whoever is in it is sent away.
        """
        if not by_force and not self.session.is_free(name, at_most_s=0.1):
            return None
        row = self.session.connection.execute(
            "SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database "
            "WHERE datname OPERATOR(pg_catalog.=) %s",
            (name,),
        ).fetchone()
        template = Template(name, (), False, int(row[0]) if row else 0, carried_by(self.session.connection, name))
        if not by_force:
            return self.session.clone(template)
        made: list[str] = []
        with self._closed([name]):
            made.append(self.session.clone(template))
        return made[0]

    def _fresh(self, branch: str, repository: str, *, purpose: Purpose = "dev") -> Mark:
        return Mark(purpose, self.project.folder, repository, branch, now(), now())

    def sign(self, name: str, mark: Mark) -> None:
        """Write a database's mark."""
        try:
            self.session.connection.execute(_comment(name, mark))
        except psycopg.Error as error:
            raise database_error(error, f"marking the database {name}") from error

    def keep_clone(self, mark: Mark) -> str | None:
        """Keep the current database as it is now, for going back to; None where somebody is in it.

        The branch's clone that was kept before is dropped.
        """
        made = self.copy_of(self.project.name, by_force=False)
        if made is None:
            return None
        before = [f.name for f in self.found() if f.mark.purpose == "dev-clone" and f.mark.branch == mark.branch]
        kept = replace(mark, purpose="dev-clone", made_at=now())
        name = self._free_name(f"{mark.branch}~before" if mark.branch else "before", gone=before)
        try:
            for one in before:
                self.session.drop(one)
            with self.session.connection.transaction():
                self.session.connection.execute(_comment(made, kept))
                self.session.connection.execute(_rename(made, name))
        except psycopg.Error as error:
            self.session.drop_quietly(made)
            raise database_error(error, "keeping a clone") from error
        return name

    def _free_name(self, branch: str, *, gone: Collection[str] = ()) -> str:
        """A name for what stands aside: a person reads the branch in it."""
        readable = re.sub(r"[^a-z0-9]+", "_", branch.lower()).strip("_") or "branch"
        digits = hashlib.sha256(branch.encode()).hexdigest()[:6]
        for ending in (readable, f"{readable}_{digits}", digits):
            name = f"{self.project.name}{_APART}{ending}"
            if len(name.encode()) <= NAME_BYTES and (name in gone or not self.session.kind_of(name)):
                return name
        return f"{self.project.name[: NAME_BYTES - 8]}{_APART}{digits}"

    # switching

    def take_place(self, name: str, mark: Mark, *, aside: str | None) -> None:
        """Give a database the project's name and this mark.

        The one that has that name goes ``aside`` under another (a branch), or is dropped where that is None.  All who
        are connected to either are sent away.
        """
        there = self.session.kind_of(self.project.name)
        commands = []
        old = ""
        if there:
            old = self._free_name(aside) if aside is not None else self.session.new_name("clone")
            commands.append(_rename(self.project.name, old))
        commands += [_rename(name, self.project.name), _comment(self.project.name, mark)]

        def switch() -> None:
            with self.session.connection.transaction():
                for command in commands:
                    self.session.connection.execute(command)
                for one in filter(None, (old, self.project.name)):
                    self.session.connection.execute(_lets_in(one))

        self._alone_in([name, self.project.name] if there else [name], switch)
        if there and aside is None:
            self.session.drop(old)

    @contextmanager
    def _closed(self, names: Sequence[str]) -> Iterator[None]:
        """Let nobody into these databases, and send away who is there."""
        try:
            self._send_away(names)
            yield
        finally:
            if not self.session.connection.closed:
                for name in names:
                    self._open_again(name)

    def _send_away(self, names: Sequence[str]) -> None:
        link = self.session.connection
        for name in names:
            link.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        end = time.monotonic() + _PATIENCE_S
        for name in names:
            while not self.session.is_free(name, at_most_s=0.05) and time.monotonic() < end:
                ended = link.execute(
                    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
                    "WHERE datname OPERATOR(pg_catalog.=) %s AND backend_type OPERATOR(pg_catalog.=) 'client backend'",
                    (name,),
                )
                self.sent_away += ended.rowcount

    def _alone_in(self, names: Sequence[str], do: Callable[[], None]) -> None:
        """Do what needs these databases free; they let people in again whatever comes of it."""
        try:
            self._send_away(names)
            do()
        except psycopg.Error as error:
            for name in names:
                if not self.session.connection.closed and self.session.kind_of(name):
                    self._open_again(name)
            if isinstance(error, psycopg.errors.ObjectInUse):
                raise Refused(
                    f"{' or '.join(names)} cannot be renamed: {error.diag.message_primary}",
                    hint="close the connections to it; those of another role cannot be ended by this one",
                ) from error
            raise database_error(error, "switching development databases") from error

    def _open_again(self, name: str) -> None:
        self.session.connection.execute(_lets_in(name))

    def drop(self, branch: str, *, even_current: bool = False) -> tuple[str, ...]:
        """Drop a branch's databases, whoever is connected to them; returns their names.

        Raise `UsageError` where there is none, `Refused` for the current one.
        """
        meant = [f for f in self.found() if f.mark.branch == branch]
        if not meant:
            raise UsageError(f"there is no development database of {branch}", hint="wflo-schema dev branch lists them")
        if any(f.name == self.project.name for f in meant) and not even_current:
            raise Refused(
                f"{self.project.name} is the database of {branch}, and in use",
                hint="go to another branch first",
            )
        for one in meant:
            self.session.drop(one.name)
        return tuple(f.name for f in meant)


def _is_gone(folder: str) -> bool:
    """Whether there is no such folder: one that may not be looked at is there."""
    try:
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _rename(name: str, to: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to))


def _lets_in(name: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(sql.Identifier(name))


def _comment(name: str, mark: Mark) -> sql.Composed:
    return sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(mark.comment))
