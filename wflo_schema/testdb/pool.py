"""Clones made ahead of the tests and dropped behind them, in the background."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from wflo_schema.connect.database import Database, database_error
from wflo_schema.errors import (
    ConnectionFailed,
    DatabaseError,
    WfloSchemaError,
)
from wflo_schema.scratch.replay import Connection
from wflo_schema.testdb.session import ServerSession, Template, logger


class Dropper:
    """Drops databases behind the tests, in a thread of its own.

    While somebody waits for clones it stands back, unless much has piled up.
    """

    # When a test's connections are closed, their backends take a moment to end; one that is still
    # there costs DROP DATABASE 100 ms.
    _REST_S = 0.05
    _PILE = 16

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, str]] = deque()
        self._makers = 0
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def add(self, name: str) -> None:
        """Have a database dropped soon."""
        with self._changed:
            self._waiting.append((time.monotonic(), name))
            if self._thread is None and len(self._waiting) > 1:  # one alone is dropped at the end
                self._thread = threading.Thread(target=self._run, name="wflo-schema dropper", daemon=True)
                self._thread.start()
            self._changed.notify()

    def making(self, change: int) -> None:
        """A maker begins (1) or stops (-1) making what a test may soon wait for."""
        with self._changed:
            self._makers += change
            self._changed.notify()

    def close(self) -> None:
        """Drop all that is left, and end.  Uses the session's connection where no thread was needed or could work."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._drop_all(self._session.connection)

    def _next(self) -> tuple[float, str] | None:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._waiting:
                    rested = self._waiting[0][0] + self._REST_S - now
                    is_free = self._makers == 0 or len(self._waiting) >= self._PILE
                    if self._is_closing or (rested <= 0 and is_free):
                        return self._waiting.popleft()
                    self._changed.wait(rested if is_free else None)
                elif self._is_closing:
                    return None
                else:
                    self._changed.wait()

    def _run(self) -> None:
        try:
            with self._session.connect() as connection:
                self._drop_all(connection)
        except WfloSchemaError as error:
            logger.info("nothing is dropped before the end: %s", error)

    def _drop_all(self, connection: Connection) -> None:
        while (item := self._next()) is not None:
            since, name = item
            try:
                still_s = since + self._REST_S - time.monotonic()
                if still_s > 0:
                    self._session.is_free(name, connection=connection, at_most_s=still_s)
                self._session.drop_clone(name, connection=connection)
            except (WfloSchemaError, psycopg.Error) as error:
                if connection.closed:
                    self._waiting.appendleft(item)  # tried again at the end, by another connection
                    logger.info("nothing is dropped before the end: %s", error)
                    return
                logger.warning("%s stays behind and is pruned later: %s", name, error)


@dataclass(frozen=True, slots=True)
class Ready:
    """A fresh clone; ``connection`` is open to it where one was asked for and there was time."""

    database: Database
    connection: Connection | None


class Pool:
    """Clones of one template, made ahead in threads of its own.

    ``ahead`` is how many are kept ready; ``wanted`` says how many will still be taken at most.
    ``connect``, where given, opens the connection that is kept ready with each; while somebody waits,
    clones are handed out without it.
    """

    def __init__(
        self,
        session: ServerSession,
        template: Template,
        dropper: Dropper,
        *,
        ahead: int,
        wanted: Callable[[], int],
        makers: int = 1,
        connect: Callable[[Database], Connection] | None = None,
    ) -> None:
        self._session = session
        self._template = template
        self._dropper = dropper
        self._ahead = ahead
        self._wanted = wanted
        self._connect = connect
        self._changed = threading.Condition()
        self._ready: deque[Ready] = deque()
        self._takers = 0
        self._making = 0
        self._error: WfloSchemaError | None = None
        self._is_closing = False
        self._threads = [
            threading.Thread(target=self._run, name=f"wflo-schema maker {number}", daemon=True)
            for number in range(1, makers + 1)
        ]
        for thread in self._threads:
            thread.start()

    def take(self) -> Ready:
        """A fresh clone; waits for one where none is ready."""
        with self._changed:
            self._takers += 1
            self._changed.notify_all()
            try:
                while not self._ready:
                    if self._error is not None:
                        raise self._error
                    self._changed.wait()
                ready = self._ready.popleft()
            finally:
                self._takers -= 1
            self._changed.notify_all()
        return ready

    @property
    def error(self) -> WfloSchemaError | None:
        """Why no more are made, None while they are."""
        return self._error

    @property
    def ready_count(self) -> int:
        """How many wait to be taken."""
        return len(self._ready)

    def close(self) -> None:
        """Stop making, and have what is ready dropped."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        while self._ready:
            ready = self._ready.popleft()
            if ready.connection is not None:
                ready.connection.close()
            self._dropper.add(ready.database.name)

    def _is_short(self) -> bool:
        return len(self._ready) + self._making < max(self._takers, min(self._ahead, self._wanted()))

    def _run(self) -> None:
        try:
            with self._session.connect() as connection:
                while True:
                    with self._changed:
                        while not (self._is_closing or self._is_short()):
                            self._changed.wait()
                        if self._is_closing:
                            return
                        self._making += 1
                    try:
                        ready = self._make(connection)
                    finally:
                        with self._changed:
                            self._making -= 1
                    with self._changed:
                        self._ready.append(ready)
                        self._changed.notify_all()
        except (WfloSchemaError, psycopg.Error) as error:
            with self._changed:
                self._error = (
                    error if isinstance(error, WfloSchemaError) else database_error(error, "making test databases")
                )
        finally:
            with self._changed:  # whatever ended it, nobody waits for it any more
                if not self._is_closing and self._error is None:
                    self._error = DatabaseError("the thread that makes test databases ended")
                self._changed.notify_all()

    def _make(self, connection: Connection) -> Ready:
        self._dropper.making(1)
        try:
            name = self._session.clone(self._template, connection=connection, measured=True)
        finally:
            self._dropper.making(-1)
        database = self._session.database.with_name(name)
        if self._connect is None or self._takers or self._is_closing:
            return Ready(database, None)
        try:
            return Ready(database, self._connect(database))
        except ConnectionFailed:  # no slot is free: whoever takes it tries again, and says so
            return Ready(database, None)
