"""What psql does to a file before PostgreSQL sees it: its commands, and the values of its variables.

Source: https://www.postgresql.org/docs/current/app-psql.html.
"""

from __future__ import annotations

from collections.abc import Mapping

from wflo_schema.imports.source import Note, Section


def expand(section: Section, values: Mapping[str, str]) -> tuple[Section, tuple[Note, ...]]:
    """The section as SQL alone, and a note for each command that cannot be written as SQL."""
    return section, ()
