"""A connection that serves one run after the other, and what is known of a target before its run begins.

Hides how a session is handed from one target to the next: it is cleared between them, and closed where that fails.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Pipeline, Stop
from wflo_schema.engine.ledger import Ledger, Record, find_ledger


class Known(NamedTuple):
    """What was read of a target's ledger.

    ``after``: when the last migration was applied that it records; the times of ``records`` may be those of another
    target, which has the same records in the same order.  ``is_empty``: nothing but the ledger is in its schema.
    """

    ledger: Ledger
    records: tuple[Record, ...]
    after: str | None = None
    is_empty: bool = False


class Kept:
    """A connection to one database, for runs in its schemas, one at a time."""

    def __init__(self, database: Database, *, stop: Stop, settings: Mapping[str, str]) -> None:
        self.token, self.label = new_token(), database.label
        with stop.raising():
            self.connection = database.with_parameters(application_name=self.token).connect(settings=settings)
        self.pipeline = Pipeline(self.connection, stop=stop)
        self.session = find_ledger(self.pipeline, "pg_catalog")
        """What a ledger says of the session that looks for it."""

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
        )
        return known._replace(ledger=ledger)

    @property
    def is_closed(self) -> bool:
        """Is it lost, or closed because it could not be cleared?"""
        return self.connection.closed

    def close(self) -> None:
        """Close it; the server rolls back what was not committed."""
        self.pipeline.close()


def new_token() -> str:
    """A name by which sessions of this run are told from others."""
    return f"wflo-schema {os.urandom(3).hex()}"
