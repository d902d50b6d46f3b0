"""One run over many targets of a server at a time: pods that start together do not all set to work on one fleet.

Hides the advisory lock by which they know of each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from wflo_schema.connect.database import WATCHED
from wflo_schema.connect.pipeline import Command, Stop, StoppedWaiting
from wflo_schema.engine.kept import Kept
from wflo_schema.engine.ledger import LOCK_SPACE
from wflo_schema.errors import ConnectionFailed, ConnectionLost, Interrupted
from wflo_schema.fleet.connections import server_of
from wflo_schema.fleet.targets import Target

# The keys of the lock: no ledger's are like these.
_KEYS = (str(LOCK_SPACE + 1), "0")

_TAKE = Command(
    "SELECT pg_catalog.pg_try_advisory_lock($1::integer, $2::integer)",
    _KEYS,
    keeps_rows=True,
)

# Seconds between two looks, and between two words on it.
_LOOK_S, _TELL_S = 0.2, 10.0


@contextmanager
def turn(targets: Sequence[Target], *, stop: Stop, notify: Callable[[str, float], None]) -> Iterator[ExitStack]:
    """Wait until no other run over many targets is at work on one of these servers; keep others out meanwhile.

    Yields what gives the turn up when it is closed, because its connections are needed.

    Each server has its turn in the first of its databases, by name, on a connection of its own.  ``notify`` hears
    which one is waited for, and for how many seconds.  Behind a pooler that keeps no session, on a server that cannot
    be reached and once a stop is requested nobody waits: what keeps a migration from being applied twice is its
    target's ledger.
    """
    firsts: dict[tuple[str, str], Target] = {}
    of_each = {t.database.conninfo: t for t in reversed(targets)}.values()
    for target in sorted(of_each, key=lambda t: t.database.name):
        firsts.setdefault(server_of(target.database), target)
    with ExitStack() as opened:
        for _, first in sorted(firsts.items()):
            if first.failure is None and len(targets) > 1:
                _take(first, opened, stop, notify)
        yield opened


def _take(first: Target, opened: ExitStack, stop: Stop, notify: Callable[[str, float], None]) -> None:
    began = told_at = time.monotonic()
    try:
        kept = Kept(first.place, stop=stop, settings=WATCHED)
        opened.callback(kept.close)
        while kept.session.backend_pid == kept.pipeline.backend_pid and not stop.is_requested:
            outcome = kept.pipeline.exchange([_TAKE])
            if outcome.error is not None or outcome.rows[0][0][0] == "t":
                return
            now = time.monotonic()
            if told_at == began or now - told_at >= _TELL_S:
                told_at = now
                notify(kept.label, now - began)
            time.sleep(_LOOK_S)
    except (ConnectionFailed, ConnectionLost, Interrupted, StoppedWaiting):
        return  # whoever needs that server will say so
