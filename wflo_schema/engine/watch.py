"""A second connection that looks at what keeps the first one waiting, and whom that keeps waiting in turn.

Hides what is asked, how often, and what it means that nobody is seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import psycopg

from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.pipeline import TICK_S, Aside, Pipeline, Row, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.behind import Behind, Patience, stopped
from wflo_schema.engine.distributed import on_all_nodes
from wflo_schema.engine.events import Blocker, Notice, Notify, Running, StatementProgress, Waiting
from wflo_schema.engine.ledger import LOCK_SPACE
from wflo_schema.engine.progress import Gauge
from wflo_schema.errors import DatabaseError

# Seconds to wait for the answer to a look at what blocks us.
_LOOK_S = 0.1

# What is true for a while: whom we wait for, who waits behind us, and how far we are.
_MAY_BE_LATE = ("activity", "behind", "progress")

# Seconds between two looks at what blocks us, and between asking whether one is due, at least.
_SHORTEST_LOOK_S, _SHORTEST_TICK_S = 0.02, 0.003

# Seconds until it is said that no look is answered, and to wait for the answer that tells why a statement was canceled.
_UNANSWERED_S = 2.0

# Seconds that a question how far the statement is may be in the way of the one who waits behind it.
_OVERTAKEN_S = 0.3

# Seconds after which nobody knows who waited in between.
_STALE_S = 3.0

# Seconds until a statement is canceled once more: it came between two, or a function has caught it; and how often that
# is done before the session is ended.
_CANCEL_AGAIN_S, _MOST_CANCELS = 0.25, 3

# Of the session that looks: what is set for the role's other work may be too short, and it is idle for a while.
_SETTINGS = {**PATIENT, "idle_session_timeout": "0"}

# Seconds until another connection is tried, where there is none to be had, and where one was lost.
_CONNECT_AGAIN_S, _LOST_S = 5.0, 0.5

_NEVER = float("inf")


class _Canceled(NamedTuple):
    """A statement that was canceled: what was awaited then, and what its error is to become."""

    awaited: object
    explain: Callable[[ServerError], ServerError]


class Watch:
    """Looks while the first connection waits.

    ``beside`` is where to look from, ``own_pid`` the first connection's process, None behind a pooler: there ``token``,
    its application_name, says which it is.  ``has_citus``: it may wait, and be waited for, on workers.  ``running`` is
    the migration that is told of, given how far its statement is.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        beside: Callable[[], Database],
        token: str,
        own_pid: int | None,
        *,
        has_citus: bool = False,
        notify: Notify,
        running: Callable[[StatementProgress | None], Running | None],
    ) -> None:
        self._pipeline = pipeline
        self._beside = beside
        self._token = token
        self._own_pid = None if own_pid is None else str(own_pid)
        self._has_citus = has_citus
        self._notify = notify
        self._running = running
        self._gauge = Gauge()
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
        self._patience = Patience()
        """With those who wait behind the current transaction."""
        self._brake_at = _NEVER
        """When somebody may have waited for too long for what it holds."""
        self._asked_at = self._behind_at = 0.0
        self._asked_for = (self._patience, pipeline.awaited)
        self._known: str | None = None
        """What the last look has told of those who wait behind us."""
        self._canceled: _Canceled | None = None
        self._cancels = 0
        """How often what is awaited was canceled."""
        self._has_told = False
        """That it cannot look."""
        pipeline.on_wait = self._look
        pipeline.on_canceled = self._explain

    def close(self) -> None:
        """Close the second connection, where there is one."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def begin(self, name: str, lock_timeout_ms: int, patience: Patience, *, goes_on: bool = False) -> None:
        """Look, from now on, at what keeps this one waiting, before a lock timeout ends that, and at who waits behind.

        ``goes_on``: in the same transaction, so that what they have waited so far counts.
        """
        is_same = name == self._watched  # a file may hold something from one of its transactions to the next
        if not is_same:
            self._tell_blockers_at = time.monotonic()
            self._late.clear()
            if self._asked != "behind":
                self._asked = ""
        self._watched = name
        self._late.pop("behind", None)
        timeouts_s = [ms / 1000 for ms in (lock_timeout_ms, patience.held_ms) if ms]
        first_s = min(0.5, *(timeout_s / 2.5 for timeout_s in timeouts_s)) if timeouts_s else 0.5
        now = time.monotonic()
        self._tell_at = now + 0.5
        brake_s = patience.first_look_s
        look_at, brake_at = now + first_s, _NEVER if brake_s is None else now + brake_s
        if goes_on:
            patience.count(self._patience)
        else:
            self._looked_at = now
        if goes_on or is_same:
            look_at = min(look_at, self._look_at)
            brake_at = min(brake_at, self._brake_at) if patience.held_ms else _NEVER
        else:
            self._known = None
        self._look_every_s = max(_SHORTEST_LOOK_S, first_s)
        self._look_at, self._brake_at, self._patience = look_at, brake_at, patience
        self._set_tick(now)

    def end(self) -> None:
        """Nothing is under way that could take long."""
        self._watched = ""

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
            self._set_tick(now)
            return
        self._look_at = now + self._look_every_s
        progress = None
        try:
            is_due = now >= self._brake_at
            if is_due and self._asked == "progress" and now - self._asked_at > _OVERTAKEN_S:
                self._drop_question()
            if self._watcher is None:
                # as the user who logs in: another role may neither see what his sessions are at nor cancel one
                beside = self._beside().with_role(None)
                self._watcher = Aside(beside.with_parameters(connect_timeout="2").connect(settings=_SETTINGS))
                self._not_seen = ""
            if is_due:
                self._look_behind(now)
            blockers = self._ask("activity", str(LOCK_SPACE))
            if blockers:
                self._look_behind(now)
            elif blockers is not None:
                self._looked_at = now
            self._plan(now)
            if blockers:
                self.blockers = tuple(self._blocker(row) for row in blockers)
                if now >= self._tell_blockers_at:
                    self._tell_at = self._tell_blockers_at = now + 1.0
                    running = self._running(self._progress(now))
                    found = running.progress if running is not None else None
                    self._notify(Waiting(self._watched, self.blockers, waited_s, found))
                return
            if now < self._tell_at:
                return
            progress = self._progress(now) if blockers is not None else None
        except (psycopg.Error, DatabaseError) as error:
            self._not_seen = str(error).strip().partition("\n")[0]
            self._look_at = now + (_CONNECT_AGAIN_S if self._watcher is None else _LOST_S)
            self.close()
            self._tell_unseen(self._not_seen)
            if now < self._tell_at:
                return
        self._tell_at = now + 1.0
        running = self._running(progress)
        if running is not None:
            self._notify(running)

    def _drop_question(self) -> None:
        """Ask no longer what is not answered, with the connection on which it was asked."""
        if self._watcher is not None and self._watcher.is_asked:
            self.close()

    def _set_tick(self, now: float) -> None:
        """Be called when the next look is due."""
        left_s = self._look_at - now if self._watched else TICK_S
        self._pipeline.tick_s = min(TICK_S, max(_SHORTEST_TICK_S, left_s))

    def _progress(self, now: float) -> StatementProgress | None:
        """How far the statement is, None where nothing was told in time."""
        asks_size = self._gauge.asks_size(now)
        rows = self._ask("progress", "t" if asks_size else "f")
        if rows is None and asks_size:
            self._gauge.late += 1  # a look at who waits behind us must not wait for it again and again
        return self._gauge.read(rows[0], now, to_copy=self._pipeline.to_copy) if rows else None

    def _plan(self, began: float) -> None:
        """Look again no later than somebody may have waited for too long, and soon where an answer is missing."""
        now = time.monotonic()
        if self._watcher is not None and self._watcher.is_asked:
            self._look_at = min(self._look_at, now + _SHORTEST_LOOK_S)
            if now - self._asked_at > _UNANSWERED_S:
                self._tell_unseen("the second connection gets no answer")
        self._look_at = min(self._look_at, max(self._brake_at, began + _SHORTEST_TICK_S))
        self._set_tick(now)

    def _tell_unseen(self, why: str) -> None:
        if self._patience.held_ms and not self._has_told:
            self._has_told = True
            said = f"who waits for what it holds cannot be seen, so the block timeout does not stop it: {why}"
            self._notify(Notice(self._watched, "WARNING", said))

    def _look_behind(self, now: float) -> None:
        """Cancel our own statement where others have waited behind it for long enough."""
        patience, limit_ms = self._patience, self._patience.limit_ms
        is_deaf = self._is_canceled and self._cancels >= _MOST_CANCELS
        known = self._known if now - self._behind_at < _STALE_S else None
        rows = self._ask("behind", None if limit_ms is None else f"{limit_ms:.0f}", "t" if is_deaf else "f", known)
        if not rows:
            return
        seen = Behind.of(rows[0])
        self._known = seen.known
        why = patience.look((now - self._looked_at) * 1000, seen) if seen.own_ms else ""
        self._looked_at = now
        if seen.is_canceled:
            self._brake_at = now + _CANCEL_AGAIN_S
            return
        if (again_s := patience.look_again_s(seen)) is not None:
            self._brake_at = self._behind_at + again_s
        if why:
            self._canceled = _Canceled(
                self._pipeline.awaited, lambda error: replace(error, sqlstate="55P03", message=why)
            )
            if self._ask("cancel_waiting") == ():  # it has got its lock meanwhile
                self._canceled = None
        elif seen.own_ms and (soon_s := patience.next_look_s(seen)) is not None:
            self._look_at = min(self._look_at, time.monotonic() + soon_s)

    def _explain(self, error: ServerError) -> ServerError:
        """What it means that a statement was canceled."""
        if self._watcher is not None and self._watcher.is_asked and self._asked == "behind":
            try:
                rows = self._watcher.answer(within_s=_UNANSWERED_S)
            except psycopg.Error:
                rows = None
            if rows:
                self._arrived(rows)
        canceled, self._canceled = self._canceled, None
        if canceled is None:
            return error
        if canceled.awaited is not self._pipeline.awaited:
            return replace(error, sqlstate="55P03", message="it was canceled in place of what ran before it")
        return canceled.explain(error)

    @property
    def _is_canceled(self) -> bool:
        """Was what is awaited canceled already?"""
        return self._canceled is not None and self._canceled.awaited is self._pipeline.awaited

    def _arrived(self, rows: tuple[Row, ...]) -> None:
        """An answer to the last question is here."""
        if self._asked == "behind" and rows and (seen := Behind.of(rows[0])).is_canceled:
            patience, awaited = self._asked_for
            self._cancels = self._cancels + 1 if self._is_canceled else 1
            self._canceled = _Canceled(awaited, lambda error: stopped(error, seen, patience))

    def _ask(self, name: str, *more: str | None) -> tuple[Row, ...] | None:
        """The answer to a query of ``sql/``; None, and no more than a moment lost, where there is none yet.

        An answer that came late is what the next look has: on a slow network all of them do.
        """
        assert self._watcher is not None
        if self._watcher.is_asked:
            late = self._watcher.answer(within_s=0.0)
            if late is None:
                return None
            self._arrived(late)
            if self._asked != "behind" or self._asked_for[0] is self._patience:
                self._late[self._asked] = late
        if name in _MAY_BE_LATE and (answered := self._late.pop(name, ())):
            return answered
        self._asked, self._asked_at, self._asked_for = name, time.monotonic(), (self._patience, self._pipeline.awaited)
        if name == "behind":
            self._behind_at = self._asked_at
        query = on_all_nodes(name) if self._has_citus else load_sql("engine", name)
        self._watcher.ask(query, self._token, self._own_pid, *more)
        found = self._watcher.answer(within_s=_LOOK_S)
        if found is not None:
            self._arrived(found)
        return found

    def _blocker(self, row: Row) -> Blocker:
        pid, username, application_name, state, since_s, query, relation, gid, is_colleague = (v or "" for v in row)
        shown = self._pipeline.without_secrets(query)
        return Blocker(
            int(pid), username, application_name, state, float(since_s), shown, relation, gid, is_colleague == "t"
        )
