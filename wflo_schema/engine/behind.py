"""Those who wait behind a transaction of ours: who they are, and for how long we let them.

Hides how their time is counted: while we wait for a lock ourselves, and while we hold what they wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from wflo_schema.connect.pipeline import Row, ServerError
from wflo_schema.words import counted, duration

# Milliseconds between two looks, at least; and how much later than the server we end a wait, which it ends itself
# unless a function has set another timeout.
_SHORTEST_LOOK_MS, _LATER_MS = 30, 100

# Milliseconds between two looks at who waits behind us, at most where nobody does.
_OFTEN_MS = 500.0

# What is said for a lock of the session, or of the transaction, that stands for nothing in the database.
ADVISORY = "an advisory lock"

# Of the time that somebody has waited for what we hold, so much at least was our own waiting for another lock where a
# second try may end otherwise.
_MAY_END_OTHERWISE = 0.25


@dataclass(frozen=True, slots=True)
class Waiter:
    """A session that waits for what ours holds.  What this role may not see of it is empty.

    ``object``: for what; there is no ``mode`` where that is a row or an advisory lock.
    """

    pid: int
    username: str
    application_name: str
    query: str
    object: str
    mode: str
    waited_ms: float
    others: int
    """How many more wait for what ours holds."""
    by_pid: int = 0
    """For which session it waits that waits for ours; 0: for ours itself."""
    may_pass: bool = False
    """That one would get what it waits for, and make way, were ours to stop for a moment."""

    def __str__(self) -> str:
        who = ", ".join(filter(None, (self.username, self.application_name)))
        return f"pid {self.pid}{f' ({who})' if who else ''}"


class Behind(NamedTuple):
    """What a look has told, in milliseconds.

    ``own_ms``: for how long we wait ourselves; ``queued_ms`` and ``held_ms``: at most another one behind us, for what
    we only wait for, and for what we hold; ``ran_ms``: for how long our statement has run.  Where ``is_canceled``, the
    look has ended that.  ``known`` is for the next look: who waits, and for how long, whatever each waits for by then.
    """

    own_ms: int
    queued_ms: int
    held_ms: int
    is_canceled: bool
    ran_ms: int
    waiter: Waiter | None
    known: str | None = None

    @classmethod
    def of(cls, row: Row) -> Behind:
        """Read a row of ``behind.sql``."""
        own, queued, held, is_canceled, ran, pid, username, application_name, query, object_, mode, others = row[:12]
        by_pid, may_pass, known = row[12:]
        waiter = None
        if pid is not None:
            seen = "" if query == "<insufficient privilege>" else query or ""
            waiter = Waiter(
                int(pid),
                username or "",
                application_name or "",
                " ".join(seen.split()),
                object_ or "",
                mode or "",
                float(held or 0),
                int(others or 0),
                int(by_pid or 0),
                may_pass == "t",
            )
        return cls(int(own or 0), int(queued or 0), int(held or 0), is_canceled == "t", int(ran or 0), waiter, known)


@dataclass(slots=True)
class Patience:
    """How long one transaction may keep others waiting.

    ``held_ms``: each of them, for what it holds.  ``while_waiting`` tells how long all of them together while it waits
    itself, and how long a single wait of its own may take: PostgreSQL's lock_timeout counts for each lock anew.
    0 is for ever.
    """

    held_ms: int = 0
    while_waiting: Callable[[], tuple[int, int]] | None = None
    _limits: tuple[int, int] | None = None
    _spent_ms: float = 0.0
    _queued_ms: float = 0.0
    """Of that, for what it only waited for."""
    _waited_ms: float = 0.0
    """Of that, for what it held."""

    def look(self, since_ms: float, seen: Behind) -> str:
        """Why it must give way now that it waits itself, empty where it need not.

        ``since_ms`` at most of what others have waited is not counted yet.
        """
        behind_ms = max(seen.queued_ms, seen.held_ms)
        self._spent_ms += min(since_ms, behind_ms)
        if seen.held_ms:
            self._waited_ms += min(since_ms, seen.held_ms)
        else:
            self._queued_ms += min(since_ms, seen.queued_ms)
        others_ms, own_ms = self._while_waiting()
        if behind_ms and others_ms and others_ms - self._spent_ms <= _SHORTEST_LOOK_MS:
            return f"gave way to a session that has waited behind it for {behind_ms / 1000:.1f} s"
        if own_ms and seen.own_ms > own_ms + _LATER_MS:
            return f"gave up after {seen.own_ms / 1000:.1f} s, although a function has set a longer lock_timeout"
        return ""

    def count(self, former: Patience) -> None:
        """Count what others have waited in an earlier part of the same transaction."""
        self._spent_ms += former._spent_ms
        self._queued_ms += former._queued_ms
        self._waited_ms += former._waited_ms

    @property
    def limit_ms(self) -> float | None:
        """How long one may wait for what we hold, and before for what we waited for; None: for ever."""
        return self.held_ms + self._queued_ms if self.held_ms else None

    def look_again_s(self, seen: Behind) -> float | None:
        """When to look again at the latest; None where nobody waits for too long.

        Often enough that it is no matter what somebody waits for next, whose turn came, or who gave up before him.
        """
        if (limit_ms := self.limit_ms) is None:
            return None
        left_ms = max(limit_ms - max(seen.held_ms, seen.queued_ms), 0.0)  # who is queued may wait for what we hold next
        return min(left_ms / 1000, max(_often_s(limit_ms) / (2 if seen.known else 1), _SHORTEST_LOOK_MS / 1000))

    @property
    def first_look_s(self) -> float | None:
        """When to look first, once a statement has begun; None where nobody waits for too long."""
        return _often_s(self.held_ms) if self.held_ms else None

    def next_look_s(self, seen: Behind) -> float | None:
        """When to look again while we wait ourselves and somebody waits behind; None where nobody does."""
        others_ms, _ = self._while_waiting()
        if not self._spent_ms or not others_ms:
            return None
        return max(_SHORTEST_LOOK_MS, (others_ms - self._spent_ms) / 2) / 1000

    def may_end_otherwise(self, waiter: Waiter) -> bool:
        """Has it waited so long itself that another try may keep nobody waiting for too long?"""
        if waiter.object == ADVISORY:  # which may be held from one transaction to the next
            return False
        return waiter.may_pass or self._waited_ms >= _MAY_END_OTHERWISE * waiter.waited_ms

    def _while_waiting(self) -> tuple[int, int]:
        if self._limits is None:
            self._limits = self.while_waiting() if self.while_waiting is not None else (0, 0)
        return self._limits


def _often_s(limit_ms: float) -> float:
    return min(limit_ms / 4, _OFTEN_MS) / 1000


def stopped(error: ServerError, seen: Behind, patience: Patience) -> ServerError:
    """What a statement has failed with that was canceled because of those who wait behind it."""
    waiter = seen.waiter
    assert waiter is not None
    what = f"{waiter.object} ({waiter.mode})" if waiter.mode else waiter.object
    waited = f"{waiter} has waited {duration(waiter.waited_ms)} for {what}"
    if waiter.by_pid:
        waited += f" behind pid {waiter.by_pid}, which waits"
    if patience.may_end_otherwise(waiter):
        why = " behind ours" if waiter.may_pass else ", and ours for another lock"
        return replace(error, sqlstate="55P03", message=f"gave way to a session: {waited}{why}")
    others = f"{counted(waiter.others, 'more session')} waited for what it holds" if waiter.others else ""
    query = waiter.query[:120] + ("…" if len(waiter.query) > 120 else "")
    said = [f"pid {waiter.pid}: {query}" if query else "", others]
    return replace(
        error,
        message=f"stopped after {duration(seen.ran_ms)}: {waited} behind it, "
        f"and the block timeout is {duration(patience.held_ms)}",
        detail="; ".join(filter(None, said)),
        table=waiter.object if waiter.mode else "",
        keeps_waiting=True,
    )
