"""How long a statement may wait for a lock, and a run for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from wflo_schema.files.directives import parse_duration_ms
from wflo_schema.files.tokens import tokens

# Milliseconds a statement waits for a lock: as long as it waits, everybody behind it waits too.  Less
# than PostgreSQL's deadlock_timeout of 1 s: where a migration and a writer wait for each other, the
# migration gives way before the server has to choose.
LOCK_TIMEOUT_MS = 900

# Seconds in all for which a migration is tried again after lock timeouts and deadlocks.
LOCK_WAIT_S = 60.0

_SETS_LOCK_TIMEOUT = re.compile(
    r"""\A(?:RESET\s+"?lock_timeout"?
        | SET\s+(?P<scope>LOCAL\s+|SESSION\s+)?"?lock_timeout"?\s*(?:=|\bTO\b)\s*(?P<value>.+?))\s*\Z""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How long to wait for locks: each statement, and all tries together.

    ``timeout_ms``, where given, is the most that a file may ask for, by its directive or by SET; 0
    waits for ever.  None leaves it to the file, else `LOCK_TIMEOUT_MS`.
    """

    timeout_ms: int | None = None
    wait_s: float = LOCK_WAIT_S

    def of(self, wish_ms: int | None) -> int:
        """The timeout for a file that wishes for ``wish_ms``: 0 is for ever."""
        if self.timeout_ms is None:
            return LOCK_TIMEOUT_MS if wish_ms is None else wish_ms
        if wish_ms is None or self.timeout_ms == 0:
            return self.timeout_ms
        return min(self.timeout_ms, wish_ms) if wish_ms else self.timeout_ms

    def caps(self, text: str) -> bool:
        """Is it a SET or RESET of lock_timeout, which `capped` may change?"""
        return _set_of_lock_timeout(text) is not None

    def capped(self, text: str) -> str:
        """The statement; where it would set lock_timeout beyond what is allowed, one that does not."""
        match = _set_of_lock_timeout(text) if self.timeout_ms else None
        if match is None or self.timeout_ms is None:
            return text
        scope = (match["scope"] or "").strip()
        return f"SET {scope} lock_timeout = {self.of(_wish_ms(match))}"

    def patience(self, wish_ms: int | None, texts: Iterable[str]) -> Patience:
        """The timeout for a file that wishes for ``wish_ms``, or for more in one of its statements."""
        allowed = [self.of(wish_ms)]
        allowed += [self.of(_wish_ms(match)) for text in texts if (match := _set_of_lock_timeout(text)) is not None]
        return Patience(0 if 0 in allowed else max(allowed), self.timeout_ms or 0)


# Milliseconds between two looks, at least; and how much later than the server we end a wait, which it ends itself
# unless a function has set another timeout.
_SHORTEST_LOOK_MS, _LATER_MS = 30, 100


@dataclass(slots=True)
class Patience:
    """How long a transaction may keep others waiting while it waits itself, for all of its locks together.

    PostgreSQL's lock_timeout counts for each lock anew.  ``others_ms`` is for those who wait behind it, and
    ``own_ms`` for a single wait of its own; 0 is for ever.
    """

    others_ms: int
    own_ms: int
    _spent_ms: float = 0.0

    def look(self, since_ms: float, own_ms: int, behind_ms: int) -> str:
        """Why it must give way now, empty where it need not.

        It has waited for ``own_ms``, others for ``behind_ms``, of which ``since_ms`` at most are not counted yet.
        """
        self._spent_ms += min(since_ms, behind_ms)
        if behind_ms and self.others_ms and self.left_ms <= _SHORTEST_LOOK_MS:
            return f"gave way to a session that has waited behind it for {behind_ms / 1000:.1f} s"
        if self.own_ms and own_ms > self.own_ms + _LATER_MS:
            return f"gave up after {own_ms / 1000:.1f} s, although a function has set a longer lock_timeout"
        return ""

    def count(self, former: Patience) -> None:
        """Count what others have waited in an earlier part of the same transaction."""
        self._spent_ms += former._spent_ms

    @property
    def left_ms(self) -> float:
        """What others may still have to wait."""
        return self.others_ms - self._spent_ms

    @property
    def next_look_s(self) -> float | None:
        """When to look again where somebody waits behind; None where nobody does."""
        if not self._spent_ms or not self.others_ms:
            return None
        return max(_SHORTEST_LOOK_MS, self.left_ms / 2) / 1000


def _wish_ms(match: re.Match[str]) -> int:
    """What a SET asks for; 0, the server's own, for DEFAULT and for what nobody can read."""
    try:
        return parse_duration_ms(match["value"], unit="ms") if match["value"] else 0
    except ValueError:
        return 0


def _set_of_lock_timeout(text: str) -> re.Match[str] | None:
    is_named = "lock_timeout" in text.lower()
    return _SETS_LOCK_TIMEOUT.match(" ".join(token.text for token in tokens(text))) if is_named else None
