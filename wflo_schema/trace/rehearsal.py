"""Runs migrations in a scratch database, and asks behind each statement what it has done.

Hides how messages are told apart by statement, and what stands between two of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, ROLLBACK, Command, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.parts import set_local
from wflo_schema.engine.session import SETTLE, Session
from wflo_schema.files.folder import Migration
from wflo_schema.files.script import Script
from wflo_schema.trace.reading import Done, Relations
from wflo_schema.trace.values import Traced

_LOCKED = Command(load_sql("trace", "locked"), keeps_rows=True)
_RELATIONS = Command(load_sql("trace", "relations"), keeps_rows=True)
# So that counters begin at nothing in the next transaction: they are written once the session is idle.
_FLUSH = Command("SELECT pg_catalog.pg_stat_force_next_flush()")
_TALKATIVE = {"client_min_messages": "debug1"}
_PROVEN = re.compile(r"existing constraints on column|is implied by existing constraints")


class Rehearsal(Session):
    """A session in a scratch database: statements are traced as they run."""

    relations = Relations()
    _answered = 0
    _said: defaultdict[int, list[str]] = defaultdict(list)
    """The messages, by the command of the exchange that they came with."""

    def get_ready(self) -> None:
        """Look at what is there."""
        self.pipeline.on_answer = self._count
        self.relations = Relations.of(self.must([_RELATIONS, _FLUSH]).rows[0])

    def _count(self, succeeded: int) -> None:
        self._answered = succeeded

    def _notice(self, severity: str, message: str) -> None:
        self._said[self._answered].append(message)

    def rehearse(self, m: Migration, script: Script) -> Iterator[Traced]:
        """Run one file; yield each statement that was run, the last one with the error that ended it."""
        if m.is_transactional:
            yield from self._transaction(m, script)
        else:
            for number in range(len(script.statements)):
                traced = self._alone(m, script, number)
                yield traced
                if traced.error:
                    return

    def _exchange(self, commands: list[Command]) -> tuple[list[tuple[tuple[str | None, ...], ...]], ServerError | None]:
        self._answered, self._said = 0, defaultdict(list)
        outcome = self.pipeline.exchange(commands)
        return list(outcome.rows), outcome.error

    def _transaction(self, m: Migration, script: Script) -> Iterator[Traced]:
        part = self.part(m, script)
        commands = [BEGIN, *set_local({**self.settings(m), **_TALKATIVE})]
        at: list[tuple[int, int]] = []
        """For each statement its command, and that of the look behind it."""
        for number, command in part.commands(self.command):
            commands.append(command)
            if number is not None and number == len(at):
                at.append((len(commands) - 1, len(commands)))
                commands.append(_LOCKED)
        commands += [SETTLE, *self.look_outside, _FLUSH, COMMIT, DISCARD]
        rows, error = self._exchange(commands)
        self.relations.begin()
        for number, (run, look) in enumerate(at):
            if error is not None and error.index <= look:
                yield self._traced(m, script, number, Done(), run, error)
                break
            yield self._traced(m, script, number, self.relations.read(rows[look]), run)
        if error is not None:
            self.settle(ROLLBACK)
            self.relations.roll_back()
            if error.index > (at[-1][1] if at else 0):
                raise self.failed(m, script, error, None)

    def _alone(self, m: Migration, script: Script, number: int) -> Traced:
        statement = script.statements[number]
        settings = set_local({**self.settings(m), **_TALKATIVE})
        run = 1 + len(settings)
        rows, error = self._exchange(
            [BEGIN, *settings, self.command(statement), _LOCKED, SETTLE, *self.look_outside, _FLUSH, COMMIT]
        )
        self.relations.begin()
        if error is not None:
            self.settle(ROLLBACK)
            return replace(self._traced(m, script, number, Done(), run, error), is_alone=True)
        return replace(
            self._traced(m, script, number, self.relations.read(rows[run + 1], "statement"), run), is_alone=True
        )

    def _traced(
        self, m: Migration, script: Script, number: int, done: Done, run: int, error: ServerError | None = None
    ) -> Traced:
        statement = script.statements[number]
        return Traced(
            m.id,
            script.path,
            statement.line,
            statement.column,
            number + 1,
            statement.written,
            done.locks,
            done.rewrites,
            done.scans,
            done.builds,
            done.builds_on,
            proven=tuple(said for said in self._said[run] if _PROVEN.search(said)),
            error=error.message if error is not None else "",
            is_transactional=m.is_transactional,
            made=done.made,
        )
