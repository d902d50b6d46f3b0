"""The comment lines of a file that say how it is run: which there are, and what their values mean."""

from __future__ import annotations

import re

from wflo_schema.errors import BadMigrationFile
from wflo_schema.findings import Location

_DIRECTIVE = re.compile(
    r"^\s*--\s*(?P<name>transactional|depends|lock[-_]timeout|nothing[-_]to[-_]undo)\s*(?::\s*(?P<value>.*))?$"
)
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min|h)?", re.IGNORECASE)
_UNITS_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}

_LONGEST_MS = 2**31 - 1


def parse_duration_ms(text: str) -> int:
    """Read ``500ms``, ``2s``, ``1min``, ``1h`` or, as PostgreSQL does, a bare number of milliseconds.

    Raise ValueError otherwise.
    """
    match = _DURATION.fullmatch(text.strip().strip("'\""))
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 500ms, 2s or 1min")
    duration_ms = round(float(match["number"]) * _UNITS_MS[(match["unit"] or "ms").lower()])
    if duration_ms > _LONGEST_MS:
        raise ValueError(f"{text!r} is longer than PostgreSQL can wait: {_LONGEST_MS} ms, or 24 days, at most")
    return duration_ms


def read_directives(path: str, text: str) -> tuple[dict[str, str], dict[str, int]]:
    """The directives of a file's leading comments and the line of each (first one).

    ``transactional`` and ``depends`` mean what they mean to yoyo
    (``yoyo.migrations.parse_metadata_from_sql_comments``), without the time that importing it takes.
    """
    found: dict[str, str] = {}
    at: dict[str, int] = {}
    start = number = 0
    length = len(text)
    while start < length:
        number += 1
        end = text.find("\n", start)
        if end < 0:
            end = length
        line = text[start:end]
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        match = _DIRECTIVE.match(line) if stripped else None
        if match:
            name = match["name"].replace("_", "-")
            found[name] = f"{found[name]} {match['value'] or ''}" if name in found else (match["value"] or "")
            at.setdefault(name, number)
        start = end + 1
    return found, at


def is_transactional(path: str, directives: dict[str, str], at: dict[str, int]) -> bool:
    value = directives.get("transactional", "true").strip().lower()
    if value not in ("true", "false"):
        raise BadMigrationFile(
            f"{path}: transactional is {value!r}, and must be true or false",
            hint="write -- transactional: false, or remove the line",
            location=Location(path, at["transactional"]),
        )
    return value == "true"


def lock_timeout_ms(path: str, directives: dict[str, str], at: dict[str, int]) -> int | None:
    if "lock-timeout" not in directives:
        return None
    try:
        return parse_duration_ms(directives["lock-timeout"])
    except ValueError as error:
        raise BadMigrationFile(
            f"{path}: lock-timeout {error}",
            hint="write for example -- lock-timeout: 500ms",
            location=Location(path, at["lock-timeout"]),
        ) from None
