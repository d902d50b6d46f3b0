"""A difference as SQL, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wflo_schema.words import counted, listed, plural

if TYPE_CHECKING:
    from wflo_schema.catalog.objects import Difference
    from wflo_schema.diff.operations import Diff


def diff_sql(found: Diff) -> str:
    """The migration, and behind it its rollback as comments, which nothing runs; of what was written, the files."""
    from wflo_schema.diff.writing import commented, sql_of

    if found.paths:
        return "\n".join([*map(str, found.paths), *_edits(found)])
    if found.is_equal:
        return f"-- nothing to write: {_line(found.start)} and {_line(found.goal)} are equal"
    if not found.differences:
        return "\n".join([f"-- from {_line(found.start)} to {_line(found.goal)}", *_edits(found)])
    lines = [f"-- from {_line(found.start)} to {_line(found.goal)}", "", sql_of(found.statements).rstrip("\n")]
    lines += _remaining(found.failure, found.remaining)
    if found.rollback:
        lines += ["", "-- its rollback", "", commented(sql_of(found.rollback).rstrip("\n"))]
    lines += _remaining(found.failure_back, found.remaining_back)
    lines += _edits(found)
    return "\n".join(lines)


def _remaining(failure: str, remaining: tuple[Difference, ...]) -> Iterator[str]:
    if failure:
        yield ""
        yield "-- PostgreSQL refused:"
        yield from (f"--   {line}" for line in failure.splitlines())
    elif remaining:
        yield ""
        yield "-- no statement is known for:"
        for d in remaining:
            what = f"{d.kind} {_line(d.object)}{f' {d.attribute}' if d.attribute else ''}"
            yield f"--   {what}: have {_line(d.have)}, want {_line(d.want)}"


def _edits(found: Diff) -> Iterator[str]:
    """What belongs into repeatable files."""
    for path in sorted({e.path for e in found.edits}):
        edits = [e for e in found.edits if e.path == path]
        yield ""
        yield f"-- for {path or 'a new repeatable file, as it needs what another makes'}, and not for a migration"
        for failure in dict.fromkeys(e.failure for e in edits if e.failure):
            yield f"-- as it is, the file does not run behind this: {_line(failure)}"
        for edit in edits:
            yield ""
            yield edit.text


def _line(text: str) -> str:
    return " ".join(text.split())


def diff_summary(found: Diff) -> Iterator[str]:
    """What was found and proven, and what to type next."""
    if found.edits:
        paths = sorted({e.path or "a new repeatable file" for e in found.edits})
        yield f"{counted(len(found.edits), 'statement')} for {listed(paths)}"
    if not found.differences:
        return
    said = counted(len(found.statements), "statement")
    if found.losses:
        said += f"; {len(found.losses)} {plural(len(found.losses), 'loses', 'lose')} data: {listed(found.losses)}"
    if found.is_proven:
        yield f"{said}; proven in a scratch database, there and back"
    elif found.is_tried:
        yield f"{said}; not proven: they do not lead there and back in a scratch database"
    else:
        yield f"{said}; not proven, as no server was named"
    if found.next_step:
        yield f"next: {found.next_step}"
