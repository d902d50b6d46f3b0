"""What a person sees while a run is at work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from wflo_schema.engine.events import Event
from wflo_schema.cli.streams import discard, visible


class Display:
    """Prints events: results on stdout, the rest on stderr, a bar where stderr is a terminal."""

    def __init__(self, format_: str) -> None:
        from wflo_schema.engine import events
        from wflo_schema.show.text import event_text

        self._kinds = events
        self._say = event_text
        self._is_text = format_ == "text"
        self._is_terminal = (sys.stdout.isatty(), sys.stderr.isatty())
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event: the result's lines on stdout where it is text, all else on stderr."""
        kinds = self._kinds
        if isinstance(event, kinds.Notice):
            if event.severity not in ("DEBUG", "LOG", "INFO"):
                self._print(self._say(event), err=True)
            return
        if isinstance(event, kinds.Begun) and event.total > 1 and self._is_terminal[True]:
            self._start(event.total)
        if isinstance(event, kinds.Running):
            self._running(event)
        line = self._say(event)
        if not line:
            return
        if isinstance(event, kinds.Begun | kinds.Done):
            if self._bar is not None and isinstance(event, kinds.Done):
                self._bar.update(self._task, completed=event.number, total=event.total)
            if self._is_text:
                self._print(line, err=False)
        else:
            self._print(line, err=True)

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=total)
        self._bar.start()

    def _running(self, event: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=f"{event.id}  {event.progress}".rstrip())
        elif event.elapsed_s >= 1 and self._is_terminal[True]:
            said = f", {event.progress}" if event.progress else ""
            self._print(f"  {event.id} is running ({event.elapsed_s:.0f} s{said})", err=True)

    def _print(self, line: str, *, err: bool) -> None:
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
        except OSError:  # nobody reads it, or the disk it goes to is full: no reason to stop between two migrations
            if err:
                discard(sys.stderr)
