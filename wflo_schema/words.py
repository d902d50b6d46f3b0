"""How counts, lists and durations are put in words."""

from __future__ import annotations

from collections.abc import Iterable, Sized


def counted(many: Sized, one: str, more: str) -> str:
    """How many there are, and what: ``one`` or ``more``."""
    return f"{len(many)} {one if len(many) == 1 else more}"


def some(ids: Iterable[str], most: int = 5) -> str:
    """A few ids in words, and how many more there are."""
    listed = list(ids)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")
