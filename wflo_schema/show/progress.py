"""How far a run is, in one line: for a terminal where it is written over, and for a log now and then."""

from __future__ import annotations

from wflo_schema.engine.events import Running, StatementProgress
from wflo_schema.words import duration, size


def running_text(event: Running) -> str:
    """The migration that is being run, for how long, and how far it is."""
    if event.waits:
        return f"  {event.id} waits ({duration(event.elapsed_s * 1000)}): {event.waits}"
    said = progress_text(event.progress)
    return f"  {event.id} is running ({duration(event.elapsed_s * 1000)}){f': {said}' if said else ''}"


def progress_text(progress: StatementProgress | None) -> str:
    """How far a statement is; empty where nothing is known of it."""
    if progress is None:
        return ""
    parts = [f"statement {progress.number} of {progress.of}"] if progress.number and progress.of > 1 else []
    where = f"on {progress.relation}" if progress.relation else ""
    what = " ".join(filter(None, (progress.command, where)))
    parts += filter(None, [": ".join(filter(None, (what, progress.phase))), _far(progress)])
    if progress.left_s is not None:
        parts.append(f"about {duration(progress.left_s * 1000)} left")
    return ", ".join(parts)


def _far(progress: StatementProgress) -> str:
    known = [_amount(n, progress.unit) for n in (progress.done, progress.total) if n is not None]
    if not known:
        return ""
    share = ""
    if progress.done is not None and progress.total and progress.unit in ("bytes", "rows"):
        share = f" ({100 * min(progress.done, progress.total) // progress.total} %)"
    unit = "" if progress.unit == "bytes" else f" {progress.unit}"
    return f"{'about ' if progress.is_estimate else ''}{' of '.join(known)}{unit}{share}"


def _amount(number: int, unit: str) -> str:
    return size(number) if unit == "bytes" else f"{number:,}"
