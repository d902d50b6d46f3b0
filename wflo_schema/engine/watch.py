"""A second connection that looks at what keeps the first one waiting, and makes it give way to those behind it.

Hides what is asked, how often, and what it means that nobody is seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import TICK_S, Aside, Pipeline, Row
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Blocker, Notify, Running, Waiting
from wflo_schema.engine.ledger import LOCK_SPACE
from wflo_schema.engine.locks import Patience
from wflo_schema.errors import DatabaseError

# Seconds to wait for the answer to a look at what blocks us.
_LOOK_S = 0.1

# What is true for a while: whom we wait for, and who waits behind us.
_MAY_BE_LATE = ("activity", "behind")

# Seconds between two looks at what blocks us, and between asking whether one is due, at least.
_SHORTEST_LOOK_S, _SHORTEST_TICK_S = 0.02, 0.003


class Watch:
    """Looks while the first connection waits.

    ``beside`` is where to look from, ``own_pid`` the first connection's process, None behind a pooler: there ``token``,
    its application_name, says which it is.  ``running`` is the migration that is told of, given how far it is.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        beside: Callable[[], Database],
        token: str,
        own_pid: int | None,
        *,
        notify: Notify,
        running: Callable[[str], Running | None],
    ) -> None:
        self._pipeline = pipeline
        self._beside = beside
        self._token = token
        self._own_pid = None if own_pid is None else str(own_pid)
        self._notify = notify
        self._running = running
        self._watcher: Aside | None = None
        self._look_every_s = 0.5
        self._look_at = self._tell_at = self._tell_blockers_at = self._looked_at = 0.0
        self._not_seen = ""
        """Why the second connection could not look."""
        self._asked = ""
        """What it was asked last."""
        self._late: dict[str, tuple[Row, ...]] = {}
        """What was answered later than we waited, and is still of use to the next look."""
        self.blockers: tuple[Blocker, ...] = ()
        self._watched = ""
        """What the first connection is at; empty for nothing that could take long."""
        self._patience: Patience | None = None
        """With those who wait behind the current transaction."""
        self._new_patience: Callable[[], Patience] | None = None
        pipeline.on_wait = self._look

    def close(self) -> None:
        """Close the second connection, where there is one."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def begin(self, name: str, lock_timeout_ms: int) -> None:
        """Look, from now on, at what keeps this one waiting: before a lock timeout ends the waiting."""
        if name != self._watched:
            self._tell_blockers_at = time.monotonic()
            self._late.clear()
        if name != self._watched or self._asked == "behind":
            self._asked = ""
        self._watched = name
        self._late.pop("behind", None)
        timeout_s = lock_timeout_ms / 1000
        first_s = min(0.5, timeout_s / 2.5) if timeout_s else 0.5
        self._look_every_s = max(_SHORTEST_LOOK_S, first_s)
        self._pipeline.tick_s = min(TICK_S, max(_SHORTEST_TICK_S, first_s / 2))
        self._looked_at = now = time.monotonic()
        self._look_at, self._tell_at = now + first_s, now + 0.5

    def end(self) -> None:
        """Nothing is under way that could take long."""
        self._watched = ""

    def give_way(self, patience: Callable[[], Patience] | None, *, goes_on: bool = False) -> None:
        """Give way to those who wait behind, from now on, as ``patience`` says, or (None) to nobody.

        ``goes_on``: in the same transaction, so that what they have waited so far counts.
        """
        self._new_patience = patience
        if not goes_on:
            self._patience = None

    @property
    def has_seen_nobody(self) -> bool:
        """Has nobody been seen so far, though the second connection can look?"""
        return not self.blockers and not self._not_seen

    @property
    def blocked_by(self) -> str:
        """A line for each session that blocks ours, or one that says why none was seen."""
        if not self.blockers and self._not_seen:
            return f"\nwho blocks it could not be seen: {self._not_seen}"
        return "".join(f"\nblocked by {b}" for b in self.blockers)

    @property
    def end_blockers(self) -> str:
        """What to do about what blocks ours."""
        ends = [b.end for b in self.blockers] or ["SELECT pg_terminate_backend(PID)"]
        what = "end it" if len(ends) == 1 else "end them"
        is_prepared = any(b.gid for b in self.blockers)
        where = f", in {self._beside().name}" if is_prepared else ""
        return f"wait for what blocks it or {what} ({'; '.join(ends)}{where})"

    def _look(self, waited_s: float) -> None:
        """Look from a second connection at what the first one waits for, and tell about once a second.

        It looks before a lock timeout ends the waiting, so that no blocker goes unseen.
        """
        now = time.monotonic()
        if not self._watched or now < self._look_at:
            return
        self._look_at = now + self._look_every_s
        progress = ""
        try:
            if self._watcher is None:
                # as the user who logs in: another role may neither see what his sessions are at nor cancel one
                beside = self._beside().with_role(None)
                self._watcher = Aside(beside.with_parameters(connect_timeout="2").connect())
                self._not_seen = ""
            blockers = self._ask("activity", str(LOCK_SPACE))
            if blockers:
                self._give_way((now - self._looked_at) * 1000)
            if blockers is not None:
                self._looked_at = now
            if blockers:
                self.blockers = tuple(self._blocker(row) for row in blockers)
                if now >= self._tell_blockers_at:
                    self._tell_at = self._tell_blockers_at = now + 1.0
                    self._notify(Waiting(self._watched, self.blockers, waited_s))
                return
            if now < self._tell_at:
                return
            found = self._ask("progress_index") if blockers is not None else None
            for phase, percent in found or ():
                progress = f"{phase}{f' {percent} %' if percent is not None else ''}"
        except (psycopg.Error, DatabaseError) as error:
            self._not_seen = str(error).strip().partition("\n")[0]
            self.close()
            self._look_at = now + 5.0
            if now < self._tell_at:
                return
        self._tell_at = now + 1.0
        running = self._running(progress)
        if running is not None:
            self._notify(running)

    def _give_way(self, since_ms: float) -> None:
        """Cancel our own statement, which waits for a lock, where others have waited behind it for long enough."""
        if self._new_patience is not None:
            former, self._patience, self._new_patience = self._patience, self._new_patience(), None
            if former is not None:
                self._patience.count(former)
        patience = self._patience
        rows = self._ask("behind") if patience is not None else None
        if patience is None or not rows:
            return
        own_ms, behind_ms = (int(number or 0) for number in rows[0])
        why = patience.look(since_ms, own_ms, behind_ms)
        if why:
            self._pipeline.given_way = why
            if self._ask("cancel_waiting") == ():  # it has got its lock meanwhile
                self._pipeline.given_way = ""
        elif (soon_s := patience.next_look_s) is not None:
            self._look_at = min(self._look_at, time.monotonic() + soon_s)
            self._pipeline.tick_s = min(self._pipeline.tick_s, soon_s / 2)

    def _ask(self, name: str, *more: str) -> tuple[Row, ...] | None:
        """The answer to a query of ``sql/``; None, and no more than a moment lost, where there is none yet.

        An answer that came late is what the next look has: on a slow network all of them do.
        """
        assert self._watcher is not None
        if self._watcher.is_asked:
            late = self._watcher.answer(within_s=0.0)
            if late is None:
                return None
            self._late[self._asked] = late
        if name in _MAY_BE_LATE and (found := self._late.pop(name, ())):
            return found
        self._asked = name
        self._watcher.ask(load_sql("engine", name), self._token, self._own_pid, *more)
        return self._watcher.answer(within_s=_LOOK_S)

    def _blocker(self, row: Row) -> Blocker:
        pid, username, application_name, state, since_s, query, relation, gid, is_colleague = (v or "" for v in row)
        shown = self._pipeline.without_secrets(query)
        return Blocker(
            int(pid), username, application_name, state, float(since_s), shown, relation, gid, is_colleague == "t"
        )
