"""How long a statement may wait for a lock and keep others waiting, and how long a run may wait for all locks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from wflo_schema.engine.behind import Patience
from wflo_schema.files.directives import parse_duration_ms
from wflo_schema.files.tokens import tokens

# Milliseconds a statement waits for a lock: as long as it waits, everybody behind it waits too.  Less
# than PostgreSQL's deadlock_timeout of 1 s: where a migration and a writer wait for each other, the
# migration gives way before the server has to choose.
LOCK_TIMEOUT_MS = 900

# Milliseconds that others may wait for what a migration holds.
BLOCK_TIMEOUT_MS = 2000

# Seconds in all for which a migration is tried again after lock timeouts and deadlocks.
LOCK_WAIT_S = 60.0

_SETS_LOCK_TIMEOUT = re.compile(
    r"""\A(?:RESET\s+"?lock_timeout"?
        | SET\s+(?P<scope>LOCAL\s+|SESSION\s+)?"?lock_timeout"?\s*(?:=|\bTO\b)\s*(?P<value>.+?))\s*\Z""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How long to wait for locks, each statement and all tries together, and to keep others waiting.

    ``timeout_ms``, where given, is the most that a file may ask for, by its directive or by SET; 0
    waits for ever.  None leaves it to the file, else `LOCK_TIMEOUT_MS`.  So does ``block_timeout_ms`` for how long
    others may wait for what a migration holds, else `BLOCK_TIMEOUT_MS`.
    """

    timeout_ms: int | None = None
    wait_s: float = LOCK_WAIT_S
    block_timeout_ms: int | None = None

    def of(self, wish_ms: int | None) -> int:
        """The timeout for a file that wishes for ``wish_ms``: 0 is for ever."""
        return _allowed(self.timeout_ms, wish_ms, LOCK_TIMEOUT_MS)

    def block_of(self, *wishes_ms: int | None) -> int:
        """How long others may wait for what a transaction of such files holds: 0 is for ever."""
        allowed = [_allowed(self.block_timeout_ms, wish_ms, BLOCK_TIMEOUT_MS) for wish_ms in wishes_ms]
        return 0 if 0 in allowed else max(allowed, default=0)

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

    def set_by(self, text: str) -> str | None:
        """What a SET of lock_timeout sets it to, as it would be written, once `capped`; None for anything else."""
        match = _set_of_lock_timeout(text)
        if match is None or match["value"] is None:
            return None
        return str(self.of(_wish_ms(match))) if self.timeout_ms else match["value"]

    def patience(self, wish_ms: int | None, texts: Iterable[str] | None, block_ms: int) -> Patience:
        """That of a file that wishes for ``wish_ms``, or for more in one of its statements.

        ``texts``: None where nobody waits behind it while it waits for a lock.
        """

        def while_waiting() -> tuple[int, int]:
            allowed = [self.of(wish_ms)]
            found = filter(None, map(_set_of_lock_timeout, texts or ()))
            allowed += [self.of(_wish_ms(match)) for match in found]
            return 0 if 0 in allowed else max(allowed), self.timeout_ms or 0

        return Patience(block_ms, while_waiting if texts is not None else None)


def _allowed(most_ms: int | None, wish_ms: int | None, default_ms: int) -> int:
    """What a file gets that wishes for this much: 0 is for ever."""
    if most_ms is None:
        return default_ms if wish_ms is None else wish_ms
    if wish_ms is None or most_ms == 0:
        return most_ms
    return min(most_ms, wish_ms) if wish_ms else most_ms


def _wish_ms(match: re.Match[str]) -> int:
    """What a SET asks for; 0, the server's own, for DEFAULT and for what nobody can read."""
    try:
        return parse_duration_ms(match["value"], unit="ms") if match["value"] else 0
    except ValueError:
        return 0


def _set_of_lock_timeout(text: str) -> re.Match[str] | None:
    is_named = "lock_timeout" in text.lower()
    return _SETS_LOCK_TIMEOUT.match(" ".join(token.text for token in tokens(text))) if is_named else None
