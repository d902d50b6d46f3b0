"""A run over many targets: a line while it is at work, a sum at its end, and one JSON object a target."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence

from wflo_schema.errors import Interrupted, WfloSchemaError
from wflo_schema.fleet.outcomes import Beginning, Cause, FleetResult, Outcome, Queued, State, Wave
from wflo_schema.fleet.targets import Target
from wflo_schema.show.text import Fit, counted_files, error_fields, error_text, indent, relative_path, without_passwords
from wflo_schema.words import counted, duration, listed

_DOING = {"apply": "migrating", "rollback": "rolling back"}
_DONE = {"apply": "applied", "rollback": "rolled back"}
# Most names of targets that a line shows; JSON has them all.
_MOST_NAMES = 10
# Most causes that are told; the first failures of each were lines when they came, and JSON has all.
_MOST_CAUSES = 10
# Most targets of one cause of which it is told what differs there.
_MOST_OTHERS = 5


def beginning_text(event: Beginning, targets: Collection[Target]) -> str:
    """How many targets there are and where, and how many of them have something to do, as far as that is known."""
    labels = {t.database.label for t in {t.database.conninfo: t for t in targets}.values()}
    where = next(iter(labels)) if len(labels) == 1 else counted(len(labels), "database")
    of_them = f", {event.pending} with something to do" if 0 < event.pending < event.total else ""
    source = f", from {relative_path(event.source)}" if event.source else ""
    return f"{_DOING[event.operation]} {counted(event.total, 'target')} in {where}{of_them}{source}"


def queued_text(event: Queued) -> str:
    """Which run is waited for."""
    so_far = f" ({event.waited_s:.0f} s)" if event.waited_s >= 1 else ""
    return f"  waiting{so_far}: another run is at work on many targets of {event.label}"


def wave_text(event: Wave) -> str:
    """Which wave begins, and how many targets it has."""
    name = "the canary" if event.number == 1 else f"wave {event.number}"
    return f"  {name}: {counted(event.size, 'target')}"


def failure_text(outcome: Outcome) -> str:
    """One line for a target that failed, or was stopped."""
    assert outcome.error is not None
    first = without_passwords(outcome.error.message).partition("\n")[0]
    became = "was stopped" if _is_stop(outcome.error) else "failed"
    return f"  {outcome.target} {became}: {first}"


def _is_stop(error: WfloSchemaError | None) -> bool:
    return isinstance(error, Interrupted)


def more_failed_text(many: int, first: str) -> str:
    """How many targets failed for the cause of one that was told, beyond those that were told."""
    return f"  and {counted(many, 'more target')} so far, for the same cause as {first}"


def pace_text(done: int, total: int, failed: int, *, rate: float | None, waits: bool = False) -> str:
    """How many are done, how many of them failed, how many a second, and how long the rest takes at that rate."""
    rest = rest_of_pace(total - done, failed, rate=rate, waits=waits)
    return ", ".join([f"  {done} of {counted(total, 'target')}", *rest])


def rest_of_pace(left: int, failed: int, *, rate: float | None, waits: bool = False) -> list[str]:
    """The same without how many are done; where all at work ``waits`` for others, nobody knows for how long."""
    said = [f"{failed} failed"] if failed else []
    if rate is not None:
        said.append(f"{rate:.0f} a second" if rate >= 1 else f"{rate * 60:.1f} a minute")
        said += [f"about {_about(left / rate)} left"] if left and not waits else []
    return said


def _about(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def outcome_json(target: Target, outcome: Outcome, operation: str, *, fit: Callable[[str], str] = str) -> str:
    """What became of a target, in one line; ``fit`` makes a hint fit to be pasted."""
    error = None if outcome.error is None else error_fields(outcome.error)
    if error is not None:
        error["hint"] = fit(str(error["hint"]))
    return json.dumps(
        {
            "target": target.name,
            "database": target.database.with_schema(None).label,
            "schema": target.database.schema,
            "outcome": outcome.state.replace(" ", "-"),
            _DONE[operation].replace(" ", "_"): outcome.ids,
            "duration_ms": round(outcome.duration_ms, 3),
            "error": error,
        },
        ensure_ascii=False,
    )


def fleet_text(
    result: FleetResult, *, phase: str | None = None, fit: Fit = lambda text, names: text, again: str = ""
) -> str:
    """What failed, by its cause, what was not tried, and the sum.

    ``fit`` makes a hint fit to be pasted for targets of these names.  ``again`` says how to go on.
    """
    causes = result.causes
    lines = [line for cause in causes[:_MOST_CAUSES] for line in _cause_lines(cause, fit)]
    if rest := [name for cause in causes[_MOST_CAUSES:] for name in cause.targets]:
        others = counted(len(causes) - _MOST_CAUSES, "other cause")
        lines.append(f"{counted(len(rest), 'target')} failed for {others}: {listed(rest, _MOST_NAMES)}")
    left = result.of(State.NOT_TRIED)
    if left:
        why = f" ({result.stopped})" if result.stopped else ""
        lines.append(f"{counted(len(left), 'target was', 'targets were')} not tried{why}: {_names(left)}")
    lines.append(_sum(result, phase))
    if not result.is_success and again:
        lines.append(again)
    return "\n".join(lines)


def _cause_lines(cause: Cause, fit: Fit) -> Iterator[str]:
    are = (
        ("target was stopped", "targets were stopped") if _is_stop(cause.error) else ("target failed", "targets failed")
    )
    yield f"{counted(len(cause.targets), *are)}: {listed(cause.targets, _MOST_NAMES)}"
    hint = "" if _is_stop(cause.error) else fit(cause.error.hint, cause.targets)
    yield from indent(error_text(cause.error, alone=False, hint=hint, example=cause.example))
    for name, said in cause.others[:_MOST_OTHERS]:
        yield from indent(f"in {name} instead: {without_passwords(said)}")
    if rest := cause.others[_MOST_OTHERS:]:
        yield f"  and something else in {counted(len(rest), 'more target')}"


def _names(outcomes: Sequence[Outcome]) -> str:
    return listed((o.target for o in outcomes), _MOST_NAMES)


def _sum(result: FleetResult, phase: str | None) -> str:
    """The last line: how much was done in how many targets, and what became of the others."""
    nothing, failed, left = (len(result.of(s)) for s in (State.NOTHING, State.FAILED, State.NOT_TRIED))
    stopped = sum(_is_stop(o.error) for o in result.outcomes)
    took = duration(result.duration_ms)
    if nothing == len(result.outcomes):
        everywhere = f"in {counted(nothing, 'target')}  ({took})"
        if result.operation == "rollback":
            return f"nothing to roll back {everywhere}"
        return f"nothing to do: every {f'{phase} ' if phase else ''}migration is applied {everywhere}"
    done = len(result.of(State.DONE))
    said = _said_done(result, took)
    if done == len(result.outcomes):
        return said
    parts = (
        (done, "done"),
        (nothing, "with nothing to do"),
        (failed - stopped, "failed"),
        (stopped, "stopped"),
        (left, "not tried"),
    )
    those = [f"{many} {what}" for many, what in parts if many]
    return f"{said}; of {counted(len(result.outcomes), 'target')}: {', '.join(those)}"


def _said_done(result: FleetResult, took: str) -> str:
    """What was done, how often where that is the same in each, in how many where it was done in all, how long it took.

    What was dropped is told behind it.
    """
    verb, done = _DONE[result.operation], result.of(State.DONE)
    with_ids = [o.ids for o in result.outcomes if o.ids]
    is_same = len({*with_ids, *(o.ids for o in done)}) == 1
    ids = with_ids[0] if len(with_ids) > 1 and is_same else [i for those in with_ids for i in those]
    if len(with_ids) > 1 and is_same:
        where = f" in each of {counted(len(with_ids), 'target')}"
    else:
        where = f" in {counted(len(done), 'target')}" if len(done) == len(result.outcomes) else ""
    with_drops = [o.dropped for o in done if o.dropped]
    drops = list(dict.fromkeys(i for those in with_drops for i in those))
    dropped = f"dropped: what {listed(drops)} made in {counted(len(with_drops), 'target')}" if drops else ""
    if drops and not ids:
        return f"{dropped} in {took}"
    said = f"{counted_files(ids)} {verb}" if ids else "what was left undone is done" if done else f"nothing was {verb}"
    return "; ".join(filter(None, (f"{said}{where} in {took}", dropped)))
