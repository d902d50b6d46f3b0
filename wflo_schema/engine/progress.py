"""How far a statement is: what PostgreSQL tells of it, and at what rate that goes on.

Hides that of most statements it tells nothing.  There are views for index builds, VACUUM, CLUSTER, ANALYZE and COPY.
Of a table that ALTER TABLE copies nobody else sees the new file, but the database grows by it.  What is only read
(VALIDATE, SET NOT NULL) shows nothing before it is done, in no version up to 18: there is only how big the table is.
"""

from __future__ import annotations

from dataclasses import replace

from wflo_schema.connect.pipeline import Row
from wflo_schema.engine.events import StatementProgress
from wflo_schema.files.script import Script

# Seconds between two questions how big the database is, which looks at each of its files; the first come at once.
_SIZE_EVERY_S, _AT_ONCE = 5.0, 3

# Bytes that a database grows by before that is taken for a copy of the table: others write, too.
_LEAST_GROWTH = 1 << 20

# Seconds that a phase is watched before anything is said of the time that it will take.
_MEASURED_S = 2.0


# Statements of a file among which the one that is run is looked for.
_MOST_STATEMENTS = 10_000


def number_of(script: Script, query: str) -> tuple[int, int]:
    """Which statement of how many it is, from 1; 0 where its text, perhaps cut off, is that of none or several."""
    of, text = len(script.statements), query.encode()
    if not text or of > _MOST_STATEMENTS:
        return 0, of
    fitting = [(n, s) for n, s in enumerate(script.statements, 1) if s.source.startswith(text, s.start, s.end)]
    whole = [(n, s) for n, s in fitting if s.end - s.start == len(text)]
    numbers = [n for n, _ in whole or fitting]
    return (numbers[0] if len(numbers) == 1 else 0), of


class Gauge:
    """Measures one statement after the other."""

    def __init__(self) -> None:
        self.late = 0
        """How often the answer how big the database is took long: each time it is asked for less often."""
        self._asked_at = 0.0
        self._begin("")

    def _begin(self, statement: str) -> None:
        """Measure this one from now on, as it is known by when it began."""
        self._statement = statement
        self._sizes, self._size_at, self._first_size, self._grown = 0, 0.0, 0, 0
        self._phase: tuple[str, str, str] | None = None
        self._began = (0.0, 0)
        """When the phase was first seen, and how far it was."""

    def asks_size(self, now: float) -> bool:
        """Is it time to ask how big the database is?  Who asks is to count how often the answer comes ``late``."""
        is_first = self._sizes < _AT_ONCE and not self.late
        if not is_first and now - self._asked_at < _SIZE_EVERY_S * 4**self.late:
            return False
        self._asked_at = now
        return True

    def read(self, row: Row, now: float, *, to_copy: int | None) -> StatementProgress:
        """How far it is; ``to_copy``: bytes that a COPY of ours reads."""
        query, began, command, phase, relation, done, total, unit, held, to_copy_in_all, has_fresh, size = row
        if began != self._statement:
            self._begin(began or "")
        found = StatementProgress(query or "", command or "", phase or "", relation or "")
        if command and command.startswith("COPY"):
            total = total or (None if to_copy is None else str(to_copy))
        if command:
            known = None if done is None else int(done)
            is_estimate = phase == "index scanning heap"  # of as many rows as the statistics know
            whole = None if total is None or (is_estimate and int(total) < (known or 0)) else int(total)
            found = replace(found, done=known, total=whole, unit=unit or "", is_estimate=is_estimate)
            return self._with_rate(found, now)
        if has_fresh == "t" and self._has_grown(now, size):
            is_copied = to_copy_in_all is not None  # what is only read does not become a copy
            in_all = int(to_copy_in_all or 0)
            found = replace(
                found,
                phase="writing a new copy" if is_copied else "writing",
                relation=found.relation if is_copied else "",
                done=self._grown,
                total=in_all if in_all >= self._grown else None,
                unit="bytes",
                is_estimate=True,
            )
            return self._with_rate(found, self._size_at)
        return found if held is None else replace(found, total=int(held), unit="bytes", is_estimate=True)

    def _has_grown(self, now: float, size: str | None) -> bool:
        """Has the database grown since the statement was first seen?"""
        if size is not None:
            self._sizes, self._size_at = self._sizes + 1, now
            if self._sizes == 1:
                self._first_size = int(size)
            self._grown = int(size) - self._first_size
        return self._grown >= _LEAST_GROWTH

    def _with_rate(self, found: StatementProgress, now: float) -> StatementProgress:
        """With the time that the phase will take, at the rate that was seen so far."""
        if found.done is None or found.total is None or found.unit == "sessions":
            self._phase = None
            return found
        phase = (found.command, found.phase, found.relation)
        if phase != self._phase or found.done < self._began[1]:
            self._phase, self._began = phase, (now, found.done)
        passed_s, gone = now - self._began[0], found.done - self._began[1]
        if passed_s < _MEASURED_S or gone <= 0:
            return found
        left_s = passed_s * (found.total - found.done) / gone
        return replace(found, left_s=left_s) if left_s >= 1 else found
