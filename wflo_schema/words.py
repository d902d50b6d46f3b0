"""How counts, lists and durations are put in words."""

from __future__ import annotations

from collections.abc import Iterable


def plural(number: int, one: str, more: str = "") -> str:
    """``one`` where the number is 1, else ``more``; left out, that is ``one`` with an s."""
    return one if number == 1 else more or f"{one}s"


def counted(number: int, one: str, more: str = "") -> str:
    """How many there are, and what: ``3 rows``, ``1 row``; ``more`` as `plural` takes it."""
    return f"{number} {plural(number, one, more)}"


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    known = list(names)
    rest = len(known) - most
    return ", ".join(known[:most]) + (f" and {rest} more" if rest > 0 else "")


def shown(text: str | bytes) -> str:
    """The beginning of a text, in one line."""
    return " ".join((text if isinstance(text, str) else text.decode("utf-8", "replace")).split())[:60]


def duration(ms: float) -> str:
    """``41 ms``, ``1.3 s`` or ``2 min 5 s``."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    return f"{ms // 60_000:.0f} min {ms % 60_000 / 1000:.0f} s"


def size(count: float) -> str:
    """So many bytes, as PostgreSQL writes them (``pg_size_pretty``): ``512 bytes``, ``41 kB``, ``1.3 GB``."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    return f"{count:.1f} {units[0]}" if count < 10 and units[0] != "bytes" else f"{count:.0f} {units[0]}"


def release(server_version: int) -> str:
    """The version of a server, from libpq's number, as people write it, without a packager's words: 18.6."""
    return f"{server_version // 10000}.{server_version % 10000}"
