"""The pairs of schemas in ``pairs/``: its README says what a file is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "pairs"

_MARK = "\n-- after\n"
_SAYS = re.compile(r"-- (?P<name>[a-z-]+): (?P<value>.+)")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two schemas as SQL, one way: from ``before`` to ``after``."""

    name: str
    before: str
    after: str
    expected: str
    offered: str
    renames: tuple[str, ...]
    drops: tuple[str, ...]
    since: int = 0
    needs: str = ""


def _read(path: Path) -> tuple[Pair, Pair]:
    head, _, rest = path.read_text(encoding="utf-8").partition("\n\n")
    said: dict[str, list[str]] = {}
    for line in head.split("\n"):
        if match := _SAYS.fullmatch(line):
            said.setdefault(match["name"], []).append(match["value"])
    one, mark, other = f"\n{rest}".partition(_MARK)
    assert mark, path
    expected = next((word for word in ("equal", "asks", "refuses") if word in said), "converges")
    renames, drops = tuple(said.get("rename", ())), tuple(said.get("drop", ()))
    back = tuple(said.get("rename-back", map(_turned, renames)))
    since, needs = int(said.get("since", ["0"])[0]), said.get("needs", [""])[0]
    offered = said.get("asks", [""])[0]
    return (
        Pair(path.stem, one, other, expected, offered, renames, drops, since, needs),
        Pair(f"{path.stem}-back", other, one, expected, "", back, tuple(said.get("drop-back", ())), since, needs),
    )


def _turned(rename: str) -> str:
    """``public.t.a=b`` as ``public.t.b=a``."""
    old, _, new = rename.partition("=")
    place, dot, name = old.rpartition(".")
    return f"{new}={old}" if "." in new else f"{place}{dot}{new}={name}"


PAIRS = tuple(pair for path in sorted(FOLDER.glob("*.sql")) for pair in _read(path))
