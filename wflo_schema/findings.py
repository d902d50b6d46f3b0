"""What every check reports: a finding says what is there, what is wanted and what to type."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """The answer is no."""
    WARNING = "warning"
    """Worth mending; the answer is still yes unless ``--fail-on warning``."""
    UNKNOWN = "unknown"
    """Could not be verified: neither yes nor no (exit 3)."""
    NOTE = "note"
    """Worth knowing; it never counts against the answer."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file.  Lines and columns count from 1; a column of 0 means the whole line."""

    path: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        if self.column:
            return f"{self.path}:{self.line}:{self.column}"
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check reports.  All fields count for equality.

    ``object`` names what it is about, schema first, quoted where SQL would need it.  ``have`` and
    ``want`` are in the style of ``t(c) REFERENCES u(d)``, ``NOTHING`` where absent.  ``help`` is
    the statement or command to type, empty where there is none.
    """

    code: str
    severity: Severity
    object: str
    message: str
    have: str = ""
    want: str = ""
    help: str = ""
    location: Location | None = None
    body: str = ""
    """What `body_hash` makes of the function that the finding rests on: an allowance must name it."""


def body_hash(source: str, library: str = "") -> str:
    """A function's body as a short name: it changes with the body."""
    import hashlib  # not needed by every command that starts

    return hashlib.sha256(f"{library}\0{source}".encode() if library else source.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class OrphanRows:
    """Rows whose key points at no row.

    ``key`` reads ``t(c) REFERENCES u(d)``; ``count`` is None where counting took too long; ``sample``
    holds a few rows as ``id=…``; ``query`` lists them all.
    """

    key: str
    constraint: str
    count: int | None
    sample: tuple[str, ...]
    query: str
