"""The loop: a round at each save, and whenever git goes to another branch, until somebody ends it.

Hides the library that watches folders.  What goes wrong in a round is told, and the loop goes on; a server that went
away is looked for again.
"""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from wflo_schema.check.contract_file import read_contract
from wflo_schema.check.verdict import CheckResult, check_database
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.pipeline import Stop
from wflo_schema.dev.checkout import Checkout, Repository
from wflo_schema.dev.databases import Project, Workshop
from wflo_schema.dev.rounds import Follower, Round
from wflo_schema.engine.events import Event, Notice, Retrying, Waiting
from wflo_schema.errors import BadContract, ConnectionFailed, ConnectionLost, Interrupted, UsageError, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.scratch.replay import replayed

if TYPE_CHECKING:
    from watchfiles import Change

# Milliseconds: a save is acted upon when nothing else was saved for so long, or after so long at most.
_STEP_MS, _DEBOUNCE_MS = 15, 200

# Milliseconds between looks at HEAD while nothing is saved, which is also how long nothing happens before drift is
# looked for.
_POLL_MS = 400

# Seconds: how long a file may be away while an editor writes it, and git may take to check out.
_AWAY_S, _CHECKOUT_S = 0.15, 5.0

# Seconds: where the migrations took longer to replay, drift is not looked for any more.
_LONGEST_REPLAY_S = 2.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, and how.

    ``revision``: what it has counts as committed, in place of HEAD.  ``edits_committed``: what is committed may be
    edited.  ``contract``: the file to hold the database to after each round, None for none.  ``drift``: look for it
    when nothing is saved for a moment.
    """

    project: Project
    folders: tuple[str, ...]
    recursive: bool = False
    revision: str | None = None
    edits_committed: bool = False
    contract: Path | None = None
    drift: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> Migrations:
        """The migrations as they are now."""
        return read_migrations(*self.folders, recursive=self.recursive, variables=self.variables)


Told = Round | CheckResult | WfloSchemaError | Waiting | Retrying | Notice | str
Tell = Callable[[Told], None]


def follow_once(watched: Watched, *, tell: Tell, stop: Stop | None = None) -> Round:
    """Do one round.  Raise as `Follower.round` does; what else is found is told."""
    loop = _Loop(watched, tell, stop or Stop())
    with ExitStack() as stack:
        loop.stack = stack
        done = loop.once()
        tell(done)
        loop.check(done)
        return done


def follow(watched: Watched, *, tell: Tell, stop: Stop) -> None:
    """Do a round at each save, until ``stop`` is requested.  Raise `UsageError` where watchfiles is not installed."""
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise UsageError(
            "watching needs the package watchfiles, which is not installed",
            hint="pip install 'wflo-schema[dev]'; or do one round at a time: wflo-schema dev --once",
        ) from None
    loop = _Loop(watched, tell, stop)
    with ExitStack() as stack:
        loop.stack = stack
        loop.run()


@dataclass(slots=True)
class _Loop:
    watched: Watched
    tell: Tell
    stop: Stop
    stack: ExitStack = field(default_factory=ExitStack)
    _repository: Repository | None = None
    _follower: Follower | None = None
    _is_to_try_again: bool = False
    _looks_for_drift: bool = False
    _said: str = ""
    _last_files: frozenset[str] = frozenset()
    _contract: object = None

    def run(self) -> None:
        """The first round, and one for each change."""
        self._round()
        seen = self.repository.signature()
        for change in self._changes():
            if self.stop.is_requested:
                return
            head = self.repository.signature()
            if change is not _Change.NONE or head != seen or self._is_to_try_again:
                self._round(is_quiet=change is not _Change.SAVED)
                seen = head
            elif self._looks_for_drift:
                self._drift()

    @property
    def repository(self) -> Repository:
        """Git's view of the folders."""
        if self._repository is None:
            self._repository = Repository(self.watched.folders, self.watched.revision)
        return self._repository

    def once(self) -> Round:
        """One round; its errors are the caller's."""
        files, checkout = self._read(), self.repository.read()
        try:
            if self._follower is None or self._follower.workshop.session.connection.closed:
                workshop = self.stack.enter_context(Workshop.open(self.watched.project))
                self._follower = Follower(workshop, self.watched.edits_committed, self._notify, self.stop)
            return self._follower.round(files, checkout)
        except psycopg.Error as error:
            raise database_error(error, "following the files") from error

    def _notify(self, event: Event) -> None:
        """Tell what a person should know of while a migration is run."""
        if isinstance(event, Notice) and event.severity in ("DEBUG", "LOG", "INFO"):
            return
        if isinstance(event, Notice | Waiting | Retrying):
            self.tell(event)

    def _round(self, *, is_quiet: bool = False) -> None:
        """One round; what goes wrong is told.  ``is_quiet``: nothing is told that was told before."""
        was_away, self._is_to_try_again = self._is_to_try_again, False
        try:
            checkout = self._settled_checkout()
            if checkout.under_way:
                self._say_once(f"a {checkout.under_way} is under way: waiting until it is over")
                self._is_to_try_again = True
                return
            done = self.once()
        except Interrupted:
            return
        except (ConnectionFailed, ConnectionLost) as error:
            self._forget_server()
            self._is_to_try_again = True
            if not was_away:
                self.tell(error)
            return
        except WfloSchemaError as error:
            if not (is_quiet and self._said == error.message):
                self.tell(error)
            self._said = error.message
            return
        if done.did_something or not is_quiet or self._said:
            self.tell(done)
        self._said = ""
        self.check(done)
        self._looks_for_drift = self.watched.drift and done.did_something

    def _settled_checkout(self) -> Checkout:
        """What git says once it has finished writing files."""
        end = time.monotonic() + _CHECKOUT_S
        found = self.repository.read()
        while found.under_way == "checkout" and time.monotonic() < end and not self.stop.is_requested:
            time.sleep(0.02)
            found = self.repository.read()
        return found

    def _read(self) -> Migrations:
        """The files; one that is away may be on its way back."""
        found = self.watched.read()
        names = frozenset(m.path for m in found)
        if self._last_files - names:
            time.sleep(_AWAY_S)
            found = self.watched.read()
            names = frozenset(m.path for m in found)
        self._last_files = names
        return found

    def _forget_server(self) -> None:
        self._follower = None
        self.stack.close()

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self.tell(text)

    # what is found beside

    def check(self, done: Round) -> None:
        """Hold the database to its contract, and tell what is another finding than before."""
        path = self.watched.contract
        if path is None or not path.is_file():
            return
        try:
            found = check_database(done.database, read_contract(path), only=("contract",))
        except BadContract as error:
            self.tell(error)
            return
        except WfloSchemaError:
            return  # the server's faults are told by the next round
        if found.findings != self._contract:
            self._contract = found.findings
            self.tell(found)

    def _drift(self) -> None:
        """Compare with what the files make: nothing is saved, so nobody waits."""
        self._looks_for_drift = False
        try:
            files = self.watched.read()
            if self._follower is None or not (files.items or files.repeatables):
                return
            database: Database = self.watched.project.database
            began = time.monotonic()
            wanted = replayed(database, files)
            if time.monotonic() - began > _LONGEST_REPLAY_S:
                self.tell("drift is not looked for any more: to replay the files takes long; wflo-schema check --drift")
                object.__setattr__(self.watched, "drift", False)
            found = check_database(database, None, migrations=files, only=("drift",), wanted=wanted)
        except WfloSchemaError:
            return
        if found.findings:
            self.tell(found)

    # what is watched

    def _changes(self) -> Iterator[_Change]:
        """Yield at each save, and when nothing was saved for a moment."""
        import watchfiles

        while not self.stop.is_requested:
            there = [f for f in self.watched.folders if os.path.isdir(f)]
            if len(there) < len(self.watched.folders):
                time.sleep(_POLL_MS / 1000)
                yield _Change.NONE
                continue
            known = _identity(there)
            batches = watchfiles.watch(
                *there,
                watch_filter=_counts,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=_Stopped(self.stop),
                rust_timeout=_POLL_MS,
                yield_on_timeout=True,
                raise_interrupt=True,
            )
            before = _Change.MAYBE  # what was saved before it began to watch
            for batch in batches:
                yield _Change.SAVED if batch else before
                before = _Change.NONE
                if _identity(there) != known:  # the folder was made anew, as by a checkout, and is another one
                    break


class _Change(enum.Enum):
    """What happened to the files."""

    NONE = enum.auto()
    MAYBE = enum.auto()
    SAVED = enum.auto()


@dataclass(frozen=True, slots=True)
class _Stopped:
    """A `Stop` as watchfiles asks for one."""

    stop: Stop

    def is_set(self) -> bool:
        return self.stop.is_requested


def _counts(change: Change, path: str) -> bool:
    """Whether a file is one that is read: no editor's own."""
    name = os.path.basename(path)
    return name.endswith((".sql", ".toml")) and not name.startswith((".", "#"))


def _identity(folders: Sequence[str]) -> list[object]:
    found: list[object] = []
    for folder in folders:
        try:
            known = os.stat(folder)
            found.append((known.st_dev, known.st_ino))
        except OSError:
            found.append(None)
    return found
