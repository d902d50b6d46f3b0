"""Which targets are meant."""

from __future__ import annotations

from dataclasses import dataclass

from wflo_schema.connect.database import Database


@dataclass(frozen=True, slots=True)
class Target:
    """One database, or one schema of it.  ``name`` is what is printed."""

    name: str
    database: Database
