"""What a person sees while a run is at work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from queue import Queue
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from wflo_schema.engine.events import Event, Running, Waiting
from wflo_schema.cli.streams import discard, visible

# Seconds between two lines that say how far a run is, where no terminal shows it: so that a job is not taken for dead.
_EVERY_S = 30.0


# Events that nobody has read yet, because a pager or a terminal has stopped, before the run waits for that.
_MOST_UNREAD = 100_000


class Screen:
    """Prints events of a run: a bar where stderr is a terminal, and lines.

    A thread does, until the block ends: where printing stops, what is run must be looked after all the same.
    """

    def __init__(self, *, every_s: float) -> None:
        self._every_s = every_s
        self._began = self._told_at = time.monotonic()
        """When it began, and when something was printed last."""
        self._is_terminal = (sys.stdout.isatty(), sys.stderr.isatty())
        self._has_bar = self._is_terminal[True]
        self._bar: Any = None
        self._task: Any = None
        self._unread: Queue[Any] = Queue(_MOST_UNREAD)
        self._thread = threading.Thread(target=self._show_all, daemon=True)
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._unread.put(None)
        self._thread.join()
        if self._bar is not None:
            self._bar.stop()
        if self._failure is not None:
            raise self._failure

    def _show_all(self) -> None:
        while (event := self._unread.get()) is not None:
            try:
                self._show(event)
            except Exception as failure:  # noqa: BLE001 -- raised where the block ends
                self._failure = failure

    def _show(self, event: Any) -> None:
        raise NotImplementedError

    def _open(self, total: int, columns: Callable[[], Sequence[Any]]) -> None:
        """Begin the line that is written over, where there is a terminal."""
        if self._bar is not None or not self._has_bar:
            return
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        if console.is_dumb_terminal:
            self._has_bar = False
            return
        options: dict[str, Any] = {"console": console, "redirect_stdout": False, "redirect_stderr": False}
        self._bar = Progress(*columns(), **options, transient=True, expand=True)
        self._task = self._bar.add_task("", total=total)
        self._bar.tasks[0].start_time = self._began
        self._bar.start()

    def _is_time(self) -> bool:
        """Has nothing been printed for so long that a job might be taken for dead?"""
        return time.monotonic() - self._told_at >= self._every_s

    def _print(self, line: str, *, err: bool) -> None:
        self._told_at = time.monotonic()
        stream = sys.stderr if err else sys.stdout
        is_terminal = self._is_terminal[err]
        try:
            if self._bar is not None and is_terminal:
                self._bar.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
            elif is_terminal or "\x1b" in line:
                click.echo(visible(line) if is_terminal else line, err=err)
            else:  # a hundred thousand notices are no reason to look for colours in each
                stream.write(f"{line}\n")
                stream.flush()
        except OSError as failure:  # nobody reads it, or the disk it goes to is full: no reason to stop a run
            if err:
                discard(sys.stderr)
            else:
                self._lose(failure)

    def _lose(self, failure: OSError) -> None:
        """What belongs on stdout could not be written there."""


class Display(Screen):
    """Prints the events of a run on one database: results on stdout, the rest on stderr."""

    def __init__(self, format_: str, *, every_s: float = _EVERY_S) -> None:
        from wflo_schema.engine import events
        from wflo_schema.show.progress import progress_text, running_text
        from wflo_schema.show.text import event_text

        super().__init__(every_s=every_s)
        self._progress, self._running_line = progress_text, running_text
        self._total = 1
        self._kinds = events
        self._say = event_text
        self._is_text = format_ == "text"
        self._whom: tuple[object, ...] = ()
        """Who was waited for when that was told last."""

    def __call__(self, event: Event) -> None:
        """Show one event: the result's lines on stdout where it is text, all else on stderr."""
        self._unread.put(event)

    def _show(self, event: Event) -> None:
        kinds = self._kinds
        if isinstance(event, kinds.Notice):
            if event.severity not in ("DEBUG", "LOG", "INFO"):
                self._print(self._say(event), err=True)
            return
        if isinstance(event, kinds.Begun):
            self._total = max(event.total, 1)
            if event.total > 1:
                self._start()
        if isinstance(event, kinds.Running):
            self._running(event)
        elif isinstance(event, kinds.Waiting):
            self._waiting(event)
        elif isinstance(event, kinds.Begun | kinds.Done):
            if self._bar is not None and isinstance(event, kinds.Done):
                self._bar.update(self._task, completed=event.number, total=event.total)
            if self._is_text:
                self._print(self._say(event), err=False)
        else:
            self._print(self._say(event), err=True)

    def _start(self) -> None:
        """Begin the line that is written over, where there is a terminal."""
        self._open(self._total, _columns)

    def _running(self, event: Running) -> None:
        """How far a migration is: in the line that is written over, or in a line of its own now and then."""
        if event.elapsed_s >= 1:
            self._start()
        if self._bar is not None:
            far = event.waits or self._progress(event.progress)
            self._bar.update(self._task, description=visible(f"{event.id}  {far}".rstrip()))
        elif event.elapsed_s and self._is_time():
            self._print(self._running_line(event), err=True)

    def _waiting(self, event: Waiting) -> None:
        """Whom a migration waits for: in a line of its own when that is new, then as `_running` does."""
        if event.waited_s >= 1:
            self._start()
        if self._bar is not None:
            self._bar.update(self._task, description=visible(self._say(event).strip()))
        whom = (event.id, *(b.pid for b in event.blockers))
        is_new, self._whom = whom != self._whom, whom
        if is_new or (self._bar is None and self._is_time()):
            self._print(self._say(event), err=True)


def _columns() -> Sequence[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    ending = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    told = TextColumn("{task.description}", markup=False, table_column=ending)
    return MofNCompleteColumn(), BarColumn(bar_width=30), TimeElapsedColumn(), told
