"""How SIGINT and SIGTERM end a command: the first one counts, whatever else comes, and none leaves a traceback.

Nor does Ctrl-Z suspend one that may hold locks.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wflo_schema.connect.pipeline import Stop

    _Handler = Callable[[int, Any], Any] | int | None

# Seconds that a command has for clearing away after the first signal, before another one ends it on the spot.
# Two that come together mean the same: a terminal and a `make` both pass Ctrl-C on.
_CLEARING_S, _STOPPING_S = 1.0, 15.0

_WORDS = {signal.SIGINT: "interrupted (SIGINT)", signal.SIGTERM: "terminated (SIGTERM)"}


class Signals:
    """The signals of one command.  ``number`` is the first that came, 0 where none did; ``has_raised``: in it."""

    def __init__(self) -> None:
        self.number = 0
        self.has_raised = False
        self._came_at = 0.0
        self._raises = False
        self._stop: Stop | None = None

    @property
    def exit_code(self) -> int:
        """128 and the number of the first."""
        return 128 + (self.number or signal.SIGINT)

    def __str__(self) -> str:
        return _WORDS.get(signal.Signals(self.number or signal.SIGINT), "stopped")

    def take_over(self) -> dict[int, _Handler]:
        """Begin anew, and handle both signals; return what `give_back` takes."""
        self.number, self.has_raised, self._came_at, self._raises, self._stop = 0, False, 0.0, False, None
        before: dict[int, _Handler] = {number: signal.getsignal(number) for number in _WORDS}
        for number in before:
            signal.signal(number, self._received)
        sys.unraisablehook = self._unraisable
        return before

    def give_back(self, before: dict[int, _Handler]) -> None:
        """Leave the signals to those who handled them before."""
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = sys.__unraisablehook__

    def ignore(self) -> None:
        """From now on no signal changes how the command ends: what it did is done and said."""
        for number in _WORDS:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """The first signal raises KeyboardInterrupt in here, and nothing does anywhere else."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    @contextmanager
    def stopping(self, stop: Stop) -> Iterator[None]:
        """In here signals request ``stop``, and raise nothing."""
        self._stop = stop
        before = signal.signal(signal.SIGTSTP, _stay) if hasattr(signal, "SIGTSTP") else None
        try:
            yield
        finally:
            self._stop = None
            if before is not None:
                signal.signal(signal.SIGTSTP, before)

    def _received(self, number: int, frame: object) -> None:
        is_first = not self.number
        if is_first:
            self.number, self._came_at = number, time.monotonic()
        waited_s = time.monotonic() - self._came_at
        if not is_first and waited_s > (_CLEARING_S if self._stop is None else _STOPPING_S):
            self._exit()
        if self._stop is not None:
            self._stop.request(number)
        elif is_first and self._raises:
            self.has_raised = True
            raise KeyboardInterrupt

    def _exit(self) -> None:
        try:  # noqa: SIM105 -- as little as can be
            os.write(2, f"error: {self}\n".encode())
        except OSError:
            pass
        os._exit(self.exit_code)

    def _unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """A KeyboardInterrupt that came in a finalizer is lost, but for this."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._exit()
        sys.__unraisablehook__(unraisable)


def _stay(number: int, frame: object) -> None:
    """A run that is suspended holds its locks, and nobody takes it back any more."""
    with suppress(OSError):
        os.write(2, b"it is not suspended, because it may hold locks: Ctrl-C stops it\n")


# Those of the process: there is one command in it.
signals = Signals()


@contextmanager
def stoppable() -> Iterator[Stop]:
    """A `Stop` that SIGINT and SIGTERM request."""
    from wflo_schema.connect.pipeline import Stop

    stop = Stop()
    with signals.stopping(stop):
        yield stop
