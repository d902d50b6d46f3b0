"""What a rehearsal says, as text and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from wflo_schema.trace.values import Lock, Trace, Traced, said_mode


def trace_json(trace: Trace) -> str:
    """An array of statements, in the order in which they run."""
    return json.dumps([_statement(s) for s in trace.statements], indent=2, ensure_ascii=False)


def _statement(s: Traced) -> dict[str, object]:
    return {**asdict(s), "locks": [{**asdict(lock), "blocks": lock.blocks} for lock in s.locks]}


def trace_text(trace: Trace) -> str:
    """A paragraph for each statement."""
    if not trace.statements:
        return f"{trace.label}: nothing is pending"
    lines = []
    for s in trace.statements:
        lines.append(f"{s.file}:{s.line}: {_first_line(s.text)}")
        lines += [f"  {said}" for said in _said(s)]
    return "\n".join(lines)


def _first_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else f"{words[:79]}…"


def _said(s: Traced) -> list[str]:
    said = [_lock(lock) for lock in s.locks]
    said += [f"rewrites {name}" for name in s.rewrites]
    said += [f"scans {name}" for name in s.scans]
    said += [f"builds {name}" for name in s.builds]
    said += [f"undecided: {s.undecided}"] if s.undecided else []
    said += [f"refused: {s.error}"] if s.error else []
    return said


def _lock(lock: Lock) -> str:
    return f"locks {lock.relation}: {said_mode(lock.mode)} until {lock.held_until}, blocks {', '.join(lock.blocks)}"
