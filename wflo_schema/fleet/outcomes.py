"""What became of each target, and of all of them: done, failed and why, not tried."""

from __future__ import annotations

import enum
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wflo_schema.engine.events import Event
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import DatabaseError, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.fleet.targets import Target

# What differs though the cause is the same: who blocks it, how many tries over how many seconds.  A number that is
# part of a name, a type or a place is none of it.
_VARIES = re.compile(r"^blocked by .*$|(?<![^\s(])\d+(?:\.\d+)?(?=[.,:;)]*(?:\s|$))", re.MULTILINE)


class State(enum.StrEnum):
    """What became of one target."""

    DONE = "done"
    """Something was done, and all of it is committed."""
    NOTHING = "nothing to do"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target.  ``ids`` are the migrations that were done, in order, also where a later one failed.

    ``duration_ms`` is the time from its turn to its end; ``dropped``: deleted repeatable files whose things were.
    """

    target: str
    state: State
    ids: tuple[str, ...] = ()
    duration_ms: float = 0.0
    error: WfloSchemaError | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for which targets failed: the error of the first of them, and the names of all.

    ``others``: targets of which the server tells other rows or values than of the first, each with what it tells.
    """

    error: WfloSchemaError
    targets: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()
    example: str = ""
    """The target of which the error speaks, where those of others have other words, such as their own names."""


@dataclass(frozen=True, slots=True)
class FleetResult:
    """What became of all targets, in the order in which they are named."""

    operation: str
    outcomes: tuple[Outcome, ...]
    duration_ms: float
    stopped: str = ""
    """Why targets were not tried; empty where all were."""

    def of(self, state: State) -> tuple[Outcome, ...]:
        """Those of which this became."""
        return tuple(o for o in self.outcomes if o.state is state)

    @property
    def is_success(self) -> bool:
        """Was every target done, or had nothing to do?"""
        return all(o.state in (State.DONE, State.NOTHING) for o in self.outcomes)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why targets failed, the most frequent first."""
        return causes_of(self.outcomes)


def causes_of(outcomes: Iterable[Outcome]) -> tuple[Cause, ...]:
    """Why those failed that did: errors that differ only in where they happened are one."""
    same: dict[tuple[str, ...], list[Outcome]] = {}
    for one in outcomes:
        if one.error is not None:
            same.setdefault(_key(one.error), []).append(one)
    found: dict[tuple[str, ...], list[Outcome]] = {}
    for key, those in same.items():
        found.setdefault((*key[:-1], countless(placeless(key[-1], those[0].target))), []).extend(those)
    groups = sorted(found.values(), key=lambda of_one: -len(of_one))
    return tuple(
        Cause(o[0].error, tuple(x.target for x in o), _others(o), _example(o)) for o in groups if o[0].error is not None
    )


def cause_key(failed: Outcome) -> tuple[str, ...]:
    """What is equal for targets that failed for one cause."""
    assert failed.error is not None
    *known, said = _key(failed.error)
    return (*known, countless(placeless(said, failed.target)))


def causes_of_failed(failed: Mapping[str, WfloSchemaError]) -> tuple[Cause, ...]:
    """The same of errors by the name of their target."""
    return causes_of(Outcome(name, State.FAILED, error=error) for name, error in failed.items())


def _others(of_one: Sequence[Outcome]) -> tuple[tuple[str, str], ...]:
    """Those of one cause of which something else is told than of the first: their rows are others."""
    told = [(o.target, _told(o.error)) for o in of_one]
    first = placeless(told[0][1], told[0][0])
    return tuple((name, said) for name, said in told[1:] if placeless(said, name) != first)


def _example(of_one: Sequence[Outcome]) -> str:
    """The first of one cause, where of another one something else is said."""
    return of_one[0].target if len({_words(o.error) for o in of_one}) > 1 else ""


def _words(error: WfloSchemaError | None) -> tuple[str, ...]:
    """All that is said of an error."""
    if not isinstance(error, MigrationFailed):
        return (error.message, error.hint) if error is not None else ()
    return error.message, error.hint, error.detail, error.server_hint, error.context, str(error.orphans)


def _told(error: WfloSchemaError | None) -> str:
    """What the server tells of a statement that failed, beyond which statement it is."""
    if not isinstance(error, MigrationFailed):
        return ""
    return error.detail or error.message.rpartition(f"{error.migration_id} ")[2]


def _key(error: WfloSchemaError) -> tuple[str, ...]:
    """What is equal for one cause; the last of it may name the target."""
    if isinstance(error, MigrationFailed):
        return error.code, error.migration_id, str(error.location), error.sqlstate, ""
    if isinstance(error, Refused) and error.case == Allow.NOT_EMPTY:
        return error.code, error.case, ""  # what each of them holds is no cause of its own
    return error.code, error.sqlstate if isinstance(error, DatabaseError) else "", error.message


def placeless(said: str, target: str) -> str:
    """What is said of a target without its name: equal for what is the same elsewhere."""
    place, _, schema = target.rpartition("#")
    names = {target, place, schema, place.rpartition("/")[2]} - {""}
    for name in sorted(names, key=len, reverse=True):
        said = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", said)
    return said


def countless(said: str) -> str:
    """What is said without who blocks it and the numbers that stand alone: equal for what is of one kind."""
    return _VARIES.sub("", said)


def forget_frames(error: BaseException) -> None:
    """Let go of what the functions knew that an error came through: it is kept until all targets are done."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]


@dataclass(frozen=True, slots=True)
class Beginning:
    """A run over targets begins: how many there are, and how many of them have something to do, as far as known."""

    operation: str
    total: int
    pending: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """Another run is at work on many targets of a server, and is waited for, for so many seconds so far."""

    label: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave begins: its number from 1, and how many targets it has."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A target is finished; ``number`` of ``total`` are."""

    outcome: Outcome
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine tells while it is at work on a target."""

    target: str
    event: Event


FleetEvent = Queued | Beginning | Wave | Finished | Told
FleetNotify = Callable[[FleetEvent], None]


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How many targets at once on each server, how many first and alone, and after how many failures it ends.

    ``canary`` 0: all are one wave; ``stop_after_failures`` None: every target is tried.  ``patience_s``: how long a
    server that went away is waited for.
    """

    jobs: int = 8
    canary: int = 0
    stop_after_failures: int | None = None
    patience_s: float = 30.0


@dataclass(slots=True)
class Tally:
    """Counts what is finished, and keeps what is to be said at the end."""

    total: int
    notify: FleetNotify
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: int = 0
    _known: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def finish(self, target: Target, state: State, ids: Sequence[str] = (), **more: object) -> None:
        """A target is finished."""
        with self._lock:
            same = self._known.setdefault(tuple(ids), tuple(ids))
            outcome = Outcome(target.name, state, same, **more)  # type: ignore[arg-type]
            self.outcomes[target.name] = outcome
            self.failures += state is State.FAILED
            self.notify(Finished(outcome, len(self.outcomes), self.total))
