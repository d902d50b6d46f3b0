"""The connections of a run over many targets: few, kept, and no more than a server has left.

Hides which target a connection can serve next, and how long a server that went away is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.connect.pipeline import Command, Stop
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.kept import Kept
from wflo_schema.errors import ConnectionFailed

# Seconds between two tries to reach a server that went away.
_TRY_EVERY_S = 0.5


class NoSlot(Exception):
    """The server has no slot for another connection, and others of this run are at work there."""


class Server:
    """One server: how many connections this run may have there, and since when nobody answers."""

    def __init__(self, jobs: int, *, patience_s: float, stop: Stop, settings: Mapping[str, str] = WATCHED) -> None:
        self.jobs = jobs
        self._settings = settings
        self._patience_s, self._stop = patience_s, stop
        self._lock = threading.Lock()
        self._is_counted = False
        self._open = 0
        self._gone_since: float | None = None
        self._gone: ConnectionFailed | None = None

    def connect(self, database: Database) -> Kept:
        """Connect; wait for a server that went away.

        Raise `NoSlot` where others of this run go on there, `ConnectionFailed` for all that waiting does not mend,
        and at once where the server was waited for in vain before.
        """
        while True:
            if self._gone is not None:
                raise self._gone
            try:
                kept = Kept(database, stop=self._stop, settings=self._settings)
            except ConnectionFailed as error:
                self._wait_or_raise(error)
                continue
            with self._lock:
                self._gone_since = None
                self._open += 1
                is_first, self._is_counted = not self._is_counted, True
            if is_first:
                self._count(kept)
            return kept

    def _wait_or_raise(self, error: ConnectionFailed) -> None:
        if not error.may_pass:
            raise error
        with self._lock:
            if self._open and not error.is_of_server:
                raise NoSlot
            self._gone_since = self._gone_since or time.monotonic()
            is_over = time.monotonic() - self._gone_since > self._patience_s
            if is_over and error.is_of_server:
                self._gone = error
        if is_over:
            raise error
        until = time.monotonic() + _TRY_EVERY_S
        while time.monotonic() < until:
            if self._stop.is_requested:
                raise self._stop.interrupted("nothing was under way")
            time.sleep(0.05)

    def _count(self, kept: Kept) -> None:
        """Leave half of what the server has left to others."""
        outcome = kept.pipeline.exchange([Command(load_sql("fleet", "slots"), keeps_rows=True)])
        if outcome.error is None and (left := outcome.rows[0][0][0]) is not None:
            self.jobs = max(1, min(self.jobs, (int(left) + 1) // 2))

    def close(self, kept: Kept) -> None:
        """Close a connection."""
        kept.close()
        with self._lock:
            self._open -= 1


class Keeper:
    """Keeps one connection of one worker, for as long as its targets are in the same database."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._kept: Kept | None = None
        self.at: Database | None = None
        """The database that it is connected to, without a schema."""

    def connection(self, database: Database) -> Kept:
        """A connection to this database: the one that is open, where it leads there.  Raise as `Server.connect`."""
        place = without_schema(database)
        if self._kept is not None and (self._kept.is_closed or place != self.at):
            self.close()
        if self._kept is None:
            self._kept, self.at = self.server.connect(place), place
        return self._kept

    def close(self) -> None:
        """Close it, where one is open."""
        if self._kept is not None:
            self.server.close(self._kept)
            self._kept = self.at = None


def without_schema(database: Database) -> Database:
    """The database, whichever schema of it is meant."""
    return database.with_schema(None)


def server_of(database: Database) -> tuple[str, str]:
    """What is equal for databases of one server."""
    known = database.parameters
    return known.get("host") or known.get("hostaddr") or "", known.get("port", "5432")
