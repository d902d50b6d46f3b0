"""What a rehearsal says, as text and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from wflo_schema.show.text import json_text, plain, relative_path
from wflo_schema.trace.values import MODES, Lock, Trace, Traced, said_mode
from wflo_schema.words import counted, listed, plural

# Most names that a line shows; JSON has them all.
_MOST_NAMES = 4

Style = Callable[..., str]


def trace_json(trace: Trace) -> str:
    """An array of statements, in the order in which they run."""
    return json_text([_statement(s) for s in trace.statements])


def _statement(s: Traced) -> dict[str, object]:
    known = {f.name: plain(getattr(s, f.name)) for f in fields(s)}
    first = {"file": known.pop("file"), "line": known.pop("line")}
    locks = [{**plain(lock), "blocks": list(lock.blocks)} for lock in s.locks]
    return {**first, **known, "locks": locks, "strongest": s.strongest}


def _plain(text: str, **_: object) -> str:
    return text


def trace_text(trace: Trace, *, style: Style = _plain) -> str:
    """A paragraph for each file, in it each statement with what it stops and does, and the sum."""
    lines = [f"note: {note}" for note in trace.notes]
    if not trace.statements and not trace.not_rehearsed:
        what = f"{trace.label}: nothing is pending" if not trace.start else "no statement to rehearse"
        return "\n".join([*lines, what])
    lines.append(f"rehearsed on PostgreSQL {trace.server_version}, from {trace.start}")
    file = ""
    for s in trace.statements:
        if s.file != file:
            lines += ["", relative_path(s.file)]
            file = s.file
        lines += _paragraph(s, style)
    lines += [line for note in trace.untouched_note for line in ("", note)]
    return "\n".join([*lines, "", _sum(trace)])


def _paragraph(s: Traced, style: Style) -> Iterator[str]:
    yield f"  {s.line:>4} | {_first_line(s.text)}"
    margin = " " * 7
    if s.error:
        if s.error_column and s.error_line:
            yield f"  {s.error_line:>4} | {s.source_line.expandtabs(4)[:110]}"
            yield f"{margin}| {' ' * (len(s.source_line[: s.error_column - 1].expandtabs(4)))}^"
        yield f"{margin}  {style('refused', fg='red')}: {s.error}"
        yield from (f"{margin}  {what}: {said}" for what, said in (("detail", s.detail), ("hint", s.hint)) if said)
        return
    for line in _said(s, style):
        yield f"{margin}  {line}"


def _first_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 100 else f"{words[:99]}…"


def _old(names: Sequence[str], s: Traced) -> list[str]:
    """Those of them that the target has: on what is new here nobody is at work."""
    new = {lock.relation for lock in s.locks if lock.is_new}
    return [name for name in names if name not in new]


def _builds(s: Traced) -> tuple[str, ...]:
    return s.builds if _old(s.builds_on, s) or not s.builds_on else ()


def _said(s: Traced, style: Style) -> Iterator[str]:
    until = {"commit": "until commit", "statement": "while it runs", "rollback": "until it is rolled back"}
    for mode in reversed(MODES):
        of_mode = [lock for lock in s.locks if lock.mode == mode and _is_said(lock, s)]
        for held, since in dict.fromkeys((lock.held_until, lock.since_line) for lock in of_mode):
            names = [k.relation for k in of_mode if (k.held_until, k.since_line) == (held, since)]
            still = f"since line {since}, " if since else ""
            yield f"{_who(of_mode[0], style)} {_names(names)} {still}{until[held]}  ({said_mode(mode)})"
    for verb, of in (("rewrites", _old(s.rewrites, s)), ("reads all of", _old(s.scans, s)), ("builds", _builds(s))):
        if of:
            yield f"{style(verb, fg='yellow')} {_names(of)}"
    if changes := _old(s.changes, s):
        yield f"changes rows of {_names(changes)}"
    for fires in s.fires:
        yield f"for each row: {fires}"
    for proven in s.proven:
        yield f"reads nothing: {proven}"
    if s.undecided:
        yield f"{style('undecided', fg='yellow')}: {s.undecided}"


def _is_said(lock: Lock, s: Traced) -> bool:
    """What keeps somebody waiting, beyond what readers and writers take; an index goes with its table."""
    if lock.is_new or MODES.index(lock.mode) <= MODES.index("RowExclusiveLock"):
        return False
    return "index" not in lock.kind or not any(
        "index" not in k.kind and MODES.index(k.mode) >= MODES.index(lock.mode) for k in s.locks
    )


def _who(lock: Lock, style: Style) -> str:
    if lock.stops_reads:
        return f"{style('stops readers and writers', fg='red')} of"
    if lock.stops_writes:
        return f"{style('stops writers', fg='red')} of"
    return "stops only DDL on"


def _names(names: Sequence[str]) -> str:
    return listed(names, _MOST_NAMES)


def _sum(trace: Trace) -> str:
    done = trace.statements
    stops = [s for s in done if any(k.stops_writes and not k.is_new for k in s.locks)]
    readers = sum(any(k.stops_reads and not k.is_new for k in s.locks) for s in stops)
    counts = (
        (readers, "stops readers and writers", "stop readers and writers"),
        (len(stops) - readers, "stops writers", "stop writers"),
        (sum(bool(_old(s.rewrites, s)) for s in done), "rewrites a table", "rewrite a table"),
        (sum(bool(_old(s.scans, s)) for s in done), "reads a whole table", "read a whole table"),
        (sum(bool(_builds(s)) for s in done), "builds an index", "build an index"),
        (sum(bool(s.undecided) for s in done), "is undecided", "are undecided"),
        (len(trace.failed), "is refused", "are refused"),
    )
    parts = [f"{number} {plural(number, one, more)}" for number, one, more in counts if number]
    return ", ".join([counted(len(done), "statement"), *(parts or ["none keeps anybody waiting"])])
