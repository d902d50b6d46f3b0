"""A connection that serves one run after the other, and what is known of a target before its run begins.

Hides how a session is handed from one target to the next: it is cleared between them, and closed where that fails.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, ROLLBACK, Command, Pipeline, Stop
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.ledger import Ledger, Record, read_session
from wflo_schema.errors import DatabaseError


class Known(NamedTuple):
    """What was read of a target's ledger.

    ``after``: when the last migration was applied that it records; the times of ``records`` may be those of another
    target, which has the same records in the same order.  ``is_empty``: nothing but the ledger is in its schema.
    """

    ledger: Ledger
    records: tuple[Record, ...]
    after: str | None = None
    is_empty: bool = False


class Answers:
    """What the connections of a run ask once for all that lead to the same database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, bool] = {}

    def get(self, label: str, ask: Callable[[], bool]) -> bool:
        """What was answered for this database, or is now."""
        with self._lock:
            if label not in self._found:
                self._found[label] = ask()
            return self._found[label]


class Kept:
    """A connection to one database, for runs in its schemas, one at a time."""

    def __init__(
        self, database: Database, *, stop: Stop, settings: Mapping[str, str], answers: Answers | None = None
    ) -> None:
        self.token, self.label = new_token(), database.label
        self._answers = answers or Answers()
        with stop.raising():
            self.connection = database.with_parameters(application_name=self.token).connect(settings=settings)
        try:
            self.pipeline = Pipeline(self.connection, stop=stop)
            self.session = read_session(self.pipeline)
            """What a ledger says of the session that looks for it."""
        except BaseException:
            self.connection.close()
            raise

    def known(self, known: Known) -> Known:
        """The same, as this session knows it: another one may have read it."""
        s = self.session
        ledger = replace(
            known.ledger,
            is_standby=s.is_standby,
            backend_pid=s.backend_pid,
            server_version=s.server_version,
            role=s.role,
            path=s.path,
            synchronous_commit=s.synchronous_commit,
            has_event_triggers=s.has_event_triggers,
            has_citus=s.has_citus,
        )
        return known._replace(ledger=ledger)

    @property
    def logs_queries(self) -> bool:
        """Does a function in the database read the text of what is run?  It is to find one statement there."""

        def ask() -> bool:
            rows = self.pipeline.exchange([Command(load_sql("engine", "queries_logged"), keeps_rows=True)]).rows
            return not rows or rows[0][0][0] == "t"

        return self._answers.get(self.label, ask)

    def flush(self) -> None:
        """Wait until all that was committed here is on disk.  Raise `ConnectionLost`, `DatabaseError`."""
        on_disk = (*to_disk(self.session), DISCARD)
        error = self.pipeline.exchange(on_disk).error
        if error is not None:  # a cancel request came late
            self.pipeline.exchange([ROLLBACK])
            error = self.pipeline.exchange(on_disk).error
        if error is not None:
            raise DatabaseError(f"PostgreSQL refused: {error.message}", sqlstate=error.sqlstate, hint="run it again")

    @property
    def is_closed(self) -> bool:
        """Is it lost, or closed because it could not be cleared?"""
        return self.connection.closed

    def close(self) -> None:
        """Close it; the server rolls back what was not committed."""
        self.pipeline.close()


def to_disk(session: Ledger) -> tuple[Command, ...]:
    """A transaction of our own that is on disk when it is answered, and all that was committed before it.

    What a file, its functions, the database or the role have set cannot make it asynchronous.
    """
    level = session.synchronous_commit
    return (
        BEGIN,
        Command(f"SET LOCAL synchronous_commit = {'local' if level == 'off' else level}"),
        Command("SELECT pg_catalog.pg_logical_emit_message(TRUE, 'wflo-schema', '')"),
        COMMIT,
    )


def new_token() -> str:
    """A name by which sessions of this run are told from others."""
    return f"wflo-schema {os.urandom(3).hex()}"
