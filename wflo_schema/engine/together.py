"""Several files in one transaction: what is sent between them, and which of them an answer or an error is of."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from wflo_schema.connect.pipeline import FLUSH, ROLLBACK, Command, Exchange, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Done
from wflo_schema.engine.session import Session
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.folder import Migration
from wflo_schema.files.script import Script

RESET_SETTINGS = Command("RESET ALL")

# What DISCARD ALL does, which cannot run in a transaction; and constraints that can be deferred are deferred.
CLEAR = (
    Command("CLOSE ALL"),
    RESET_SETTINGS,
    Command("DEALLOCATE ALL"),
    Command("DISCARD TEMP"),
    Command("DISCARD SEQUENCES"),
    Command("SELECT pg_catalog.pg_advisory_unlock_all()"),
    Command("SET CONSTRAINTS ALL DEFERRED"),
)

# Behind `CLEAR`, where there are constraints that can be deferred and at first are not: it looks at all of them.
CONSTRAINTS_RESET = Command(load_sql("engine", "constraints_reset"))
HAS_IMMEDIATE = Command(
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.condeferrable AND NOT c.condeferred)",
    keeps_rows=True,
)

# What a file says that makes one, and the statements that may run anything.
_DEFERRABLE = re.compile(rb"\bDEFERRABLE\b", re.IGNORECASE)
_RUN_ANYTHING = ("DO", "CALL", "SELECT", "WITH", "VALUES", "TABLE", "EXECUTE")


def may_make_deferrable(script: Script) -> bool:
    """May a file make a constraint that can be deferred?"""
    runs = next(script.statements.beginning_with(*_RUN_ANYTHING), None)
    return runs is not None or _DEFERRABLE.search(script.source) is not None


class Member(Protocol):
    """A file of the transaction, and what is sent for it."""

    @property
    def migration(self) -> Migration:
        """Its migration."""

    @property
    def script(self) -> Script:
        """Its statements."""

    def commands(self) -> Iterator[Command]:
        """What is sent, in order."""


P = TypeVar("P", bound=Member)


class Course(Generic[P]):
    """One try: parts are made while they are sent, and forgotten once they are answered."""

    def __init__(
        self,
        session: Session,
        operation: str,
        total: int,
        parts: Iterator[P],
        is_apart: Callable[[P], bool],
    ) -> None:
        self._session = session
        self._operation = operation
        self._total = total
        self._parts = parts
        self._is_apart = is_apart
        self._ahead: deque[tuple[int, P]] = deque()
        """The part that is being run, and those sent behind it, with the index of each one's first command."""
        self._sent = self._answered = 0
        self._began = 0.0
        self._is_begun = False
        """Is the part at the front being run?"""
        self.apart: P | None = None
        """What is next, and is to be run by other means."""
        self.broken: WfloSchemaError | None = None
        """Why the rest could not be read and sent."""
        self.done: list[Done] = []

    @property
    def last(self) -> P:
        """The part that was run last."""
        return self._ahead[0][1]

    def run(self) -> Exchange:
        """Send all parts up to the next that is to be run apart, and wait for the answers."""
        pipeline = self._session.pipeline
        self._session.is_kept = False
        self._sent = self._answered = 0
        pipeline.on_answer = self._on_answer
        try:
            outcome = pipeline.exchange(self._commands())
        finally:
            pipeline.on_answer = None
        if outcome.error is None and self.broken is None and self._is_begun:
            self._on_answer(self._sent)
            self._finish()
        return outcome

    def begin_apart(self) -> P:
        """The part that is to be run apart, now that it is its turn."""
        assert self.apart is not None
        one, self.apart = self.apart, None
        self._ahead = deque([(0, one)])
        self._start(one)
        return one

    def end_apart(self) -> None:
        """It has been run."""
        self._finish()

    def place(self, error: ServerError) -> tuple[P, ServerError]:
        """The part that an error is of, and the error with its index there."""
        self._on_answer(error.index)
        start, part = self._ahead[0]
        return part, replace(error, index=error.index - start)

    def _commands(self) -> Iterator[Command]:
        try:
            for part in self._parts:
                if self._is_apart(part):
                    self.apart = part
                    return
                if self._is_begun:
                    self._ahead.append((self._sent, part))
                else:
                    self._ahead = deque([(self._sent, part)])
                    self._start(part)
                self._on_answer(self._answered)
                for command in part.commands():
                    self._sent += 1
                    yield command
                yield FLUSH  # so that it is known what is being run
        except WfloSchemaError as broken:
            self.broken = broken
            yield ROLLBACK

    def _on_answer(self, count: int) -> None:
        """So many commands are answered."""
        self._answered = count
        while len(self._ahead) > 1 and self._ahead[1][0] <= count:
            self._finish()
            self._ahead.popleft()
            self._start(self._ahead[0][1])

    def _start(self, part: P) -> None:
        self._is_begun = True
        self._began = time.monotonic()
        self._session.start(part.migration, part.script, goes_on=bool(self.done))

    def _finish(self) -> None:
        """The part at the front has been run as a whole."""
        m, script = self._ahead[0][1].migration, self._ahead[0][1].script
        duration_ms = (time.monotonic() - self._began) * 1000
        self.done.append(
            Done(m.id, self._operation, duration_ms, len(script.statements), len(self.done) + 1, self._total)
        )
        self._is_begun = False
        self._session.under_way += 1
        self._session.queue.popleft()
