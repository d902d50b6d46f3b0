"""The connections of a run over many targets: few, kept, and no more than a server has left.

Hides which target a connection can serve next, and how long a server that went away is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.connect.pipeline import Command, Stop, StoppedWaiting
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.kept import Answers, Kept
from wflo_schema.engine.sending import FLUSH_EVERY_S
from wflo_schema.errors import ConnectionFailed, ConnectionLost
from wflo_schema.fleet.targets import Target

# Seconds between two tries to reach a server that went away, and between looks whether a stop was asked for.
_TRY_EVERY_S, _LOOK_EVERY_S = 0.5, 0.05


class NoSlot(Exception):
    """There is no room for another connection, and others of this run may be at work there."""


class Server:
    """One server: how many connections this run may have there, and since when nobody answers."""

    def __init__(
        self,
        jobs: int,
        *,
        patience_s: float,
        stop: Stop,
        settings: Mapping[str, str] = WATCHED,
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._jobs, self._make_room = jobs, make_room
        self._settings = settings
        self._patience_s, self._stop = patience_s, stop
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._is_counted = False
        self._answers = Answers()
        self._open = 0
        self._gone_since: float | None = None
        self._gone: ConnectionFailed | None = None
        self.tokens: set[str] = set()
        """By what name the sessions of this run are known there."""

    def connect(self, database: Database, *, waits: bool) -> Kept:
        """Connect; wait for a server that went away, and where it ``waits`` for room, too: for ``patience_s``.

        Raise `NoSlot` where there is no room, `ConnectionFailed` for all that waiting does not mend, and at once
        where the server was waited for in vain before.
        """
        while True:
            began = time.monotonic()
            try:
                return self._connect(database)
            except NoSlot:
                if not waits:
                    raise
            except StoppedWaiting:
                raise self._stop.interrupted("nothing was under way") from None
            except ConnectionFailed as error:
                if error.is_full and not waits:
                    raise NoSlot from None
                if error.is_full:
                    self._make_room()
                self._wait_or_raise(error, began)
            self._pause()

    def _connect(self, database: Database) -> Kept:
        if not self._is_counted:
            with self._counting:  # until it is known how many there may be, one
                if not self._is_counted:
                    kept = self._take_slot(database)
                    try:
                        self._count(kept)
                    except (ConnectionLost, StoppedWaiting):
                        self.close(kept)
                        raise
                    return kept
        return self._take_slot(database)

    def _take_slot(self, database: Database) -> Kept:
        with self._lock:
            if self._gone is not None:
                raise self._gone.with_traceback(None)
            if self._open >= self._jobs:
                raise NoSlot
            self._open += 1
        kept: Kept | None = None
        try:
            kept = Kept(database, stop=self._stop, settings=self._settings, answers=self._answers)
        finally:
            with self._lock:
                if kept is None:
                    self._open -= 1
                else:
                    self._gone_since = None
                    self.tokens.add(kept.token)
        return kept

    def _wait_or_raise(self, error: ConnectionFailed, began: float) -> None:
        """Raise it where waiting does not mend it, or was long enough; ``began``: when this try did."""
        if not (error.may_pass or error.is_full):
            raise error
        with self._lock:
            self._gone_since = self._gone_since or began
            if time.monotonic() - self._gone_since <= self._patience_s:
                return
            if error.is_of_server:
                error = self._gone = self._gone or error  # one cause for all
        raise error.with_traceback(None)

    def _pause(self) -> None:
        until = time.monotonic() + _TRY_EVERY_S
        while time.monotonic() < until:
            if self._stop.is_requested:
                raise self._stop.interrupted("nothing was under way")
            time.sleep(_LOOK_EVERY_S)

    def _count(self, kept: Kept) -> None:
        """Leave half of what the server has left to others."""
        outcome = kept.pipeline.exchange([Command(load_sql("fleet", "slots"), keeps_rows=True)])
        if outcome.error is None and (left := outcome.rows[0][0][0]) is not None:
            self._jobs = max(1, min(self._jobs, (int(left) + 1) // 2))
        self._is_counted = True

    def close(self, kept: Kept) -> None:
        """Close a connection."""
        kept.close()
        with self._lock:
            self._open -= 1


class Held(NamedTuple):
    """A target whose migrations are committed, and its turn: when that began, in time.monotonic()."""

    target: Target
    ids: tuple[str, ...]
    began: float
    dropped: tuple[str, ...] = ()


class Keeper:
    """Keeps one connection of one worker, for as long as its targets are in the same database."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._kept: Kept | None = None
        self.at: Database | None = None
        """The database that it is connected to, without a schema."""
        self.held: list[Held] = []
        """What was committed on the connection, and may not be on disk yet."""
        self._flushed_at = time.monotonic()
        self.waits = False
        """Is there no other worker who could do its targets, where there is no room for its connection?"""

    @property
    def is_due(self) -> bool:
        """Is it time to see that what is held is on disk?"""
        return bool(self.held) and time.monotonic() - self._flushed_at >= FLUSH_EVERY_S

    def leads_to(self, place: Database) -> bool:
        """Is a connection open that leads to this database?"""
        return self._kept is not None and not self._kept.is_closed and place == self.at

    def flush(self) -> list[Held]:
        """Wait until all that is held is on disk, and hand it over.  Raise `DatabaseError`: then it stays held."""
        if self.held:
            if self._kept is None or self._kept.is_closed:
                raise ConnectionLost("the connection was lost before what was done on it was known to be on disk")
            self._kept.flush()
        self._flushed_at = time.monotonic()
        held, self.held = self.held, []
        return held

    def connection(self, place: Database) -> Kept:
        """A connection to this database: the one that is open, where it leads there.  Raise as `Server.connect`."""
        if self._kept is not None and (self._kept.is_closed or place != self.at):
            self.close()
        if self._kept is None:
            self._kept = self.server.connect(place, waits=self.waits)
            self.at = place
        return self._kept

    def close(self) -> None:
        """Close it, where one is open."""
        kept, self._kept, self.at = self._kept, None, None
        if kept is not None:
            self.server.close(kept)


def server_of(database: Database) -> tuple[str, str]:
    """What is equal for databases of one server."""
    known = database.parameters
    return known.get("host") or known.get("hostaddr") or "", known.get("port", "5432")
