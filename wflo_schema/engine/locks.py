"""How long a statement may wait for a lock, and a run for all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wflo_schema.files.directives import parse_duration_ms
from wflo_schema.files.tokens import tokens

# Milliseconds a statement waits for a lock: as long as it waits, everybody behind it waits too.  Less
# than PostgreSQL's deadlock_timeout of 1 s: where a migration and a writer wait for each other, the
# migration gives way before the server has to choose.
LOCK_TIMEOUT_MS = 900

# Seconds in all for which a migration is tried again after lock timeouts and deadlocks.
LOCK_WAIT_S = 60.0

# Settings that end a session that takes longer, and would end the next one too; by sqlstate.
TOO_LONG = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57P05": "idle_session_timeout",
}

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
        try:
            wish_ms = parse_duration_ms(match["value"], unit="ms") if match["value"] else 0
        except ValueError:
            wish_ms = 0  # DEFAULT: the server's, which is to wait for ever
        scope = (match["scope"] or "").strip()
        return f"SET {scope} lock_timeout = {self.of(wish_ms)}"


def _set_of_lock_timeout(text: str) -> re.Match[str] | None:
    is_named = "lock_timeout" in text.lower()
    return _SETS_LOCK_TIMEOUT.match(" ".join(token.text for token in tokens(text))) if is_named else None
