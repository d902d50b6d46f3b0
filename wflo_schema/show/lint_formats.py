"""What lint found, in each format, and the table of these.

The command line reads that table when it starts: what is heavy is imported by the function that needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wflo_schema.lint.values import LintFinding, LintResult


def lint_text(result: LintResult) -> str:
    """A block for each finding, then the verdict."""
    from wflo_schema.words import counted, duration

    lines = []
    for f in result.findings:
        lines += _block(f)
    for one in result.allowed:
        lines.append(f"allowed: [{one.finding.code}] {_place(one.finding)}: {one.reason}")
    lines += [f"note: {note}" for note in result.notes]
    weights = Counter(f.severity.value for f in result.findings)
    sums = [counted(weights[w], w) for w in ("error", "warning", "note") if weights[w]]
    sums += [f"{weights['unknown']} could not be decided"] if weights["unknown"] else []
    sums += [f"{len(result.allowed)} allowed"] if result.allowed else []
    verdict = {0: "ok", 1: "no", 3: "cannot tell"}[result.exit_code]
    said = [f"{counted(len(result.judged), 'migration')} looked at", *sums]
    lines.append(f"{verdict}: {', '.join(said)} ({duration(result.duration_ms)})")
    return "\n".join(lines)


def _place(f: LintFinding) -> str:
    from wflo_schema.findings import Location
    from wflo_schema.show.text import relative_path

    place = f.location or Location(f.id, 1)
    return f"{relative_path(place.path)}:{place.line}:{place.column or 1}"


def _block(f: LintFinding) -> list[str]:
    """The place, the code and why; the line, marked; what to write instead."""
    lines = [f"{_place(f)}: {f.severity.value}: [{f.code}] {f.message}"]
    if f.source_line and f.location is not None:
        head = f"{f.location.line:>5} | "
        lines.append(f"{head}{f.source_line}")
        if f.location.column:
            before = "".join("\t" if c == "\t" else " " for c in f.source_line[: f.location.column - 1])
            lines.append(" " * 5 + f" | {before}^")
    if f.duration:
        lines.append(f"  time: {f.duration}")
    if f.help:
        first, *rest = f.help.splitlines()
        lines += [f"  instead: {first}", *(f"           {line}" for line in rest)]
    return lines


def lint_json(result: LintResult) -> str:
    """The fields of `LintResult`, each finding with its place, what each code found means, and the exit code."""
    from wflo_schema.lint.rules import RULES
    from wflo_schema.show.text import json_text, plain

    def entry(f: LintFinding) -> dict[str, object]:
        place = f.location
        at = {"file": place.path, "line": place.line, "column": place.column} if place else {}
        return {"code": f.code, "severity": f.severity.value, **at, **plain(f)}

    found = {f.code for f in result.findings}
    return json_text(
        {
            **plain(result),
            "findings": [entry(f) for f in result.findings],
            "allowed": [{**plain(one), "finding": entry(one.finding)} for one in result.allowed],
            "rules": [r for r in RULES if r.code in found],
            "exit_code": result.exit_code,
        }
    )


# Every format of lint; what --format takes is read from here.
LINT_FORMATS: dict[str, Callable[[LintResult], str]] = {
    "text": lint_text,
    "json": lint_json,
}
