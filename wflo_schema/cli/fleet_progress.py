"""What a person, a log and a pipe see while a run is at work on many targets."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wflo_schema.cli.progress import Screen
from wflo_schema.cli.streams import ReaderGone, discard, visible
from wflo_schema.errors import CannotWrite, Interrupted

if TYPE_CHECKING:
    from wflo_schema.engine.events import Notice, Running, Waiting
    from wflo_schema.fleet.outcomes import Beginning, Finished, FleetEvent, Outcome, Told
    from wflo_schema.fleet.targets import Target

# Seconds between two lines that say how far a run is, where no terminal shows it.
_EVERY_S = 10.0

# Seconds that a target is at work before it is named beside the bar.
_LONG_S = 1.0

# Seconds without a finished target after which those that are at work are known to wait, or to run.
_STILL_S = 3.0

# Targets of one cause of which it is told at once that they failed; the others are counted.
_MOST_OF_A_CAUSE = 3

# Different notices that are shown; servers say the same one for each target.
_MOST_NOTICES = 20


class FleetDisplay(Screen):
    """Prints the events of a run over targets: as text, or of each target one line of JSON on stdout.

    ``fit`` makes a hint fit to be pasted for the target of this name.
    """

    def __init__(
        self,
        format_: str,
        targets: Sequence[Target],
        *,
        operation: str = "apply",
        fit: Callable[[str, str], str] = lambda hint, name: hint,
        every_s: float = _EVERY_S,
    ) -> None:
        from wflo_schema.engine import events
        from wflo_schema.fleet import outcomes
        from wflo_schema.show import fleets
        from wflo_schema.show.progress import running_text
        from wflo_schema.show.text import event_text

        super().__init__(every_s=every_s)
        self._kinds, self._outcomes, self._show_as = events, outcomes, fleets
        self._say, self._running_line = event_text, running_text
        self._targets: Mapping[str, Target] = {t.name: t for t in targets}
        self._is_text, self._fit = format_ == "text", fit
        self._operation = operation
        self._number = self._failed = self._before = 0
        """How many targets are finished, how many of them failed, and how many were when the work began."""
        self._work_began, self._is_begun = self._began, False
        self._finished_at = self._began
        """When a target was finished last."""
        self._long: dict[str, tuple[float, Running | Waiting]] = {}
        """Of targets that are at work for long: since when they run or wait, and what they told last."""
        self._causes = Counter[tuple[str, ...]]()
        self._first: dict[tuple[str, ...], str] = {}
        """How many targets failed for each cause, and the first of them."""
        self._untold: set[tuple[str, ...]] = set()
        self._counted_at = 0.0
        """Causes of which more failed than was told, and when that was told last."""
        self._notices: set[tuple[str, str, str]] = set()
        self._lost: OSError | None = None

    def __call__(self, event: FleetEvent) -> None:
        """Show an event; what nobody needs to see costs nothing."""
        if isinstance(event, self._outcomes.Told):
            told = event.event
            is_long = isinstance(told, self._kinds.Running) and told.elapsed_s >= _LONG_S
            if not is_long and not isinstance(told, self._kinds.Waiting | self._kinds.Notice):
                return
        self._unread.put(event)

    def refuse_lost(self, done: str) -> None:
        """Raise `CannotWrite`, or `ReaderGone`, where lines for stdout were lost; ``done`` is what was done."""
        if isinstance(self._lost, BrokenPipeError):
            raise ReaderGone
        if self._lost is not None:
            raise CannotWrite(
                f"{done}; but the answer could not be written to stdout: {self._lost.strerror}",
                hint="make room where stdout is written to",
            )

    def _show_all(self) -> None:
        super()._show_all()
        self._tell_more()

    def _lose(self, failure: OSError) -> None:
        if not self._is_text:
            self._lost = self._lost or failure
            discard(sys.stdout)

    def _show(self, event: FleetEvent) -> None:
        self._open(len(self._targets), self._columns)
        kinds = self._outcomes
        if isinstance(event, kinds.Told):
            self._told(event)
        elif isinstance(event, kinds.Finished):
            self._finished(event)
        elif isinstance(event, kinds.Beginning):
            self._beginning(event)
        elif isinstance(event, kinds.Queued):
            self._print(self._show_as.queued_text(event), err=True)
        elif isinstance(event, kinds.Wave):
            self._print(self._show_as.wave_text(event), err=True)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._number, description=visible(self._at_work()))
        elif self._is_begun and self._is_time():
            self._print("; ".join(filter(None, (self._pace(), self._at_work()))), err=True)

    def _beginning(self, event: Beginning) -> None:
        self._is_begun = True
        self._work_began, self._before = time.monotonic(), self._number
        self._print(self._show_as.beginning_text(event, self._targets.values()), err=not self._is_text)

    def _finished(self, event: Finished) -> None:
        outcome = event.outcome
        self._number, self._finished_at = event.number, time.monotonic()
        self._long.pop(outcome.target, None)
        if outcome.error is not None:
            self._failed += not isinstance(outcome.error, Interrupted)
            self._failure_of(outcome)
        if not self._is_text:
            target = self._targets[outcome.target]

            def fit(hint: str) -> str:
                return self._fit(hint, target.name)

            self._print(self._show_as.outcome_json(target, outcome, self._operation, fit=fit), err=False)

    def _failure_of(self, outcome: Outcome) -> None:
        """Tell the first targets of a cause as they come, and now and then how many more there are."""
        key = self._outcomes.cause_key(outcome)
        self._causes[key] += 1
        self._first.setdefault(key, outcome.target)
        if self._causes[key] <= _MOST_OF_A_CAUSE:
            self._print(self._show_as.failure_text(outcome), err=True)
            return
        if not self._untold and not self._counted_at:
            self._counted_at = time.monotonic()
        self._untold.add(key)
        if time.monotonic() - self._counted_at >= self._every_s:
            self._tell_more()

    def _tell_more(self) -> None:
        for key in sorted(self._untold):
            many = self._causes[key] - _MOST_OF_A_CAUSE
            self._print(self._show_as.more_failed_text(many, self._first[key]), err=True)
        self._untold.clear()
        self._counted_at = time.monotonic()

    def _told(self, event: Told) -> None:
        told = event.event
        if isinstance(told, self._kinds.Notice):
            self._notice(event.target, told)
        elif isinstance(told, self._kinds.Running):
            self._long[event.target] = (time.monotonic() - told.elapsed_s, told)
        elif isinstance(told, self._kinds.Waiting):
            now = time.monotonic()
            since, before = self._long.get(event.target, (0.0, None))
            if not isinstance(before, self._kinds.Waiting) or before.id != told.id:  # else it is another try
                since = now - told.waited_s
            self._long[event.target] = (since, replace(told, waited_s=now - since))

    def _notice(self, target: str, notice: Notice) -> None:
        """Print what was not said for another target before."""
        if notice.severity in ("DEBUG", "LOG", "INFO", "RAN"):
            return
        said = self._outcomes.countless(self._outcomes.placeless(notice.message, target))
        key = (notice.id, notice.severity, said)
        if key not in self._notices and len(self._notices) < _MOST_NOTICES:
            self._notices.add(key)
            self._print(f"  {target}: {self._say(notice).strip()}", err=True)

    def _rate(self) -> float | None:
        """Targets a second, once that can be told."""
        spent_s = time.monotonic() - self._work_began
        done = self._number - self._before
        return done / spent_s if done and spent_s > 0.5 else None

    def _pace(self) -> str:
        number, of = self._number, len(self._targets)
        said = self._show_as.pace_text(number, of, self._failed, rate=self._rate(), waits=self._waits())
        return str(said)

    def _waits(self) -> bool:
        """Does all that is at work wait for a lock, or for another run?  What runs for long would be known."""
        at_work = [told for _, told in list(self._long.values())]
        waiting = (not isinstance(told, self._kinds.Running) or bool(told.waits) for told in at_work)
        return bool(at_work) and all(waiting) and time.monotonic() - self._finished_at > _STILL_S

    def _at_work(self) -> str:
        """The target that is at work for the longest time, and what it does; beside the bar there is less room."""
        if not self._long:
            return ""
        name, (_, told) = min(self._long.items(), key=lambda one: one[1][0])
        line = self._say(told) if isinstance(told, self._kinds.Waiting) else self._running_line(told)
        said = line.split(told.id, 1)[1].strip()
        more = f" (and {len(self._long) - 1} more)" if len(self._long) > 1 else ""
        return f"{name}{more}{f': {told.id}' if self._bar is None else ''} {said}"

    def _columns(self) -> Sequence[Any]:
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn
        from rich.table import Column
        from rich.text import Text

        display = self

        class Pace(ProgressColumn):
            """How many failed, how fast it goes, and how long it will take."""

            def render(self, task: Any) -> Text:
                left, waits = len(display._targets) - display._number, display._waits()
                rest = display._show_as.rest_of_pace(left, display._failed, rate=display._rate(), waits=waits)
                return Text(", ".join(rest))

        rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        at_work = TextColumn("{task.description}", markup=False, table_column=rest)
        return MofNCompleteColumn(), BarColumn(bar_width=20), Pace(table_column=Column(no_wrap=True)), at_work
