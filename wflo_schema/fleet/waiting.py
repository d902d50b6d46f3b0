"""Wait for many targets as an application does that must not start before they are all migrated.

Hides which of them need not be asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from wflo_schema.errors import ConnectionFailed, ConnectionLost, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.looking import FleetStatus, Look, status_fleet
from wflo_schema.fleet.outcomes import FleetOptions
from wflo_schema.fleet.targets import Target
from wflo_schema.words import counted, listed

# Seconds between two looks: at first, and at most.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0


def may_pass(error: WfloSchemaError) -> bool:
    """May it be otherwise later: what is not there yet, a server that is starting?"""
    is_away = isinstance(error, ConnectionLost) or (isinstance(error, ConnectionFailed) and error.may_pass)
    return error.is_missing or is_away


class Patience:
    """Pauses between looks that grow, until the time is over; says what is waited for whenever that changes."""

    def __init__(self, timeout_s: float, notify: Callable[[str], None]) -> None:
        self._end = time.monotonic() + timeout_s
        self._pause_s = _FIRST_PAUSE_S
        self._notify, self._said = notify, ""

    def wait(self, said: str) -> bool:
        """Pause; False where the time would be over."""
        if said != self._said:
            self._notify(said)
            self._said = said
        if time.monotonic() + self._pause_s > self._end:
            return False
        time.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 1.5, _LONGEST_PAUSE_S)
        return True


def find_patiently(find: Callable[[], Sequence[Target]], patience: Patience) -> Sequence[Target]:
    """The targets, once there are such and their servers let us in; raise what is wrong where the time is over."""
    while True:
        try:
            targets = find()
            failed = next((t.failure for t in targets if t.failure is not None), None)
            if failed is None:
                return targets
            raise failed
        except WfloSchemaError as error:
            if not may_pass(error) or not patience.wait(error.message):
                raise


def wait_for_fleet(
    targets: Sequence[Target],
    migrations: Migrations,
    patience: Patience,
    *,
    phase: Phase | None = None,
    options: FleetOptions | None = None,
) -> FleetStatus:
    """Return once every migration and repeatable file is applied in all, and no hook due, or when the time is over.

    With the ``phase`` before the deploy, those for after it are not waited for.  Who is done is not asked again.  Ends
    at once where a target cannot be read for a reason that does not pass.  Writes nothing.
    """
    looks: dict[str, Look] = {}
    left = list(targets)
    while True:
        found = status_fleet(left, migrations, options=options, catalogs=False)
        looks |= {look.target: look for look in found.looks}
        waits = [look for look in found.looks if not is_done(look, phase)]
        is_vain = any(look.error is not None and not may_pass(look.error) for look in waits)
        names = {look.target for look in waits}
        left = [t for t in left if t.name in names]
        if not left or is_vain or not patience.wait(_said(waits, len(targets))):
            return FleetStatus(tuple(looks[t.name] for t in targets), (), found.source, found.duration_ms)


def is_done(look: Look, phase: Phase | None) -> bool:
    """Is all applied there that is waited for?"""
    return look.status is not None and look.status.is_applied(phase)


def _said(waits: Sequence[Look], total: int) -> str:
    names = listed(look.target for look in waits)
    return f"{len(waits)} of {counted(total, 'target')} {'is' if len(waits) == 1 else 'are'} not migrated yet: {names}"
