"""A connection that serves one run after the other, and what is known of a target before its run begins.

Hides how a session is handed from one target to the next: it is cleared between them, and closed where that fails.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Pipeline, Stop
from wflo_schema.engine.ledger import Ledger, Progress, Record


class Known(NamedTuple):
    """What was read of a target's ledger.  ``is_empty``: nothing but the ledger is in its schema."""

    ledger: Ledger
    records: tuple[Record, ...]
    progress: tuple[Progress, ...] = ()
    is_empty: bool = False


class Kept:
    """A connection to one database, for runs in its schemas, one at a time."""

    def __init__(self, database: Database, *, stop: Stop, settings: dict[str, str]) -> None:
        self.token = new_token()
        with stop.raising():
            self.connection = database.with_parameters(application_name=self.token).connect(settings=settings)
        self.pipeline = Pipeline(self.connection, stop=stop)

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
