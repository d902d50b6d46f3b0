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
    from wflo_schema.words import duration

    lines = []
    for f in result.findings:
        lines += _block(f)
    for one in result.allowed:
        lines.append(f"allowed: [{one.finding.code}] {_place(one.finding)}: {one.reason}")
    lines += [f"note: {note}" for note in result.notes]
    lines.append(f"{_verdict(result)} ({duration(result.duration_ms)})")
    return "\n".join(lines)


def _verdict(result: LintResult) -> str:
    from wflo_schema.words import counted

    weights = Counter(f.severity.value for f in result.findings)
    sums = [counted(weights[w], w) for w in ("error", "warning", "note") if weights[w]]
    sums += [f"{weights['unknown']} could not be decided"] if weights["unknown"] else []
    sums += [f"{len(result.allowed)} allowed"] if result.allowed else []
    verdict = {0: "ok", 1: "no", 3: "cannot tell"}[result.exit_code]
    looked = f"{counted(len(result.judged), 'migration')} looked at"
    looked += "" if result.is_rehearsed else ", not rehearsed"
    return f"{verdict}: {', '.join([looked, *sums])}"


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
    if time := _time(f):
        lines.append(f"  time: {time}")
    if f.help:
        first, *rest = f.help.splitlines()
        lines += [f"  instead: {first}", *(f"           {line}" for line in rest)]
    return lines


def _time(f: LintFinding) -> str:
    """How long it takes with the sizes at hand; nothing where none is known, or little is to be gone through."""
    from wflo_schema.words import duration, size

    found = f.estimate
    if found is None or found.is_small or found.low_ms is None or found.high_ms is None:
        return ""
    low, high = (float(f"{ms:.2g}") for ms in (found.low_ms, found.high_ms))
    much = f"{size(found.reads + found.writes)} to {'read and write' if found.writes else 'read'}"
    return f"{duration(low)} to {duration(high)}, {much}"


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


def lint_junit(result: LintResult) -> str:
    """JUnit XML: one test case for each finding, and one for each file without any."""
    from wflo_schema.findings import Severity
    from wflo_schema.show.check_formats import junit_case, junit_suite

    cases = []
    for f in result.findings:
        fails = f.severity is Severity.ERROR or (f.severity is Severity.WARNING is result.fail_on)
        tag = "failure" if fails else "skipped" if f.severity is Severity.UNKNOWN else "system-out"
        cases.append(junit_case(f.code, _place(f), tag, message=f.message, body="\n".join(_block(f))))
    for one in result.allowed:
        name = _place(one.finding)
        cases.append(junit_case(one.finding.code, name, "skipped", message=f"allowed: {one.reason}"))
    said = {f.id for f in (*result.findings, *(one.finding for one in result.allowed))}
    cases += [junit_case("migration", m) for m in result.judged if m not in said]
    return junit_suite(f"wflo-schema lint {result.label}", cases, result.duration_ms)


def lint_sarif(result: LintResult) -> str:
    """The findings as SARIF."""
    from wflo_schema.lint.rules import RULES
    from wflo_schema.show.check_formats import sarif

    return sarif(RULES, result.findings, [(one.finding, one.reason) for one in result.allowed], kind="inSource")


def lint_github(result: LintResult) -> str:
    """GitHub workflow commands, one for each finding."""
    from wflo_schema.show.check_formats import github_command, github_notice

    lines = [github_command(f) for f in result.findings]
    lines += [github_notice(f"allowed: {a.finding.code}: {_place(a.finding)}", a.reason) for a in result.allowed]
    lines += [github_notice("wflo-schema lint", note) for note in result.notes]
    return "\n".join(lines or [github_notice("wflo-schema lint", _verdict(result))])


# How GitLab calls the weights.
_GITLAB = {"error": "major", "warning": "minor", "unknown": "minor", "note": "info"}


def lint_gitlab(result: LintResult) -> str:
    """GitLab's code quality report (https://docs.gitlab.com/ci/testing/code_quality/)."""
    import hashlib

    from wflo_schema.show.text import json_text, relative_path

    entries = []
    seen: Counter[str] = Counter()
    for f in result.findings:
        path = relative_path(f.location.path) if f.location else f.id
        same = f"{f.code}\0{path}\0{f.object}\0{f.source_line.strip()}"  # whatever line it moves to
        seen[same] += 1
        entries.append(
            {
                "description": f"{f.message}\n{f.help}".strip(),
                "check_name": f.code,
                "fingerprint": hashlib.sha256(f"{same}\0{seen[same]}".encode()).hexdigest(),
                "severity": _GITLAB[f.severity.value],
                "location": {"path": path, "lines": {"begin": f.location.line if f.location else 1}},
            }
        )
    return json_text(entries)


def lint_markdown(result: LintResult) -> str:
    """Markdown for a comment on a pull request."""
    lines = [f"**wflo-schema lint** {_markdown(_verdict(result))}"]
    for f in result.findings:
        lines += ["", f"- **{f.severity.value}** `{f.code}` at `{_place(f)}`: {_markdown(f.message)}"]
        lines += _fenced(f.source_line.strip()) if f.source_line.strip() else []
        lines += ["", f"  Time: {_markdown(time)}"] if (time := _time(f)) else []
        if f.help:
            lines += (
                ["", "  Instead:", *_fenced(f.help)] if _is_sql(f.help) else ["", f"  Instead: {_markdown(f.help)}"]
            )
    for note in result.notes:
        lines += ["", f"Note: {_markdown(note)}"]
    if result.allowed:
        lines += ["", f"<details><summary>{len(result.allowed)} allowed</summary>", ""]
        lines += [f"- `{a.finding.code}` at `{_place(a.finding)}`: {_markdown(a.reason)}" for a in result.allowed]
        lines += ["", "</details>"]
    return "\n".join(lines)


def _is_sql(help_: str) -> bool:
    """Is it statements, or a sentence?"""
    return help_.rstrip().endswith(";")


def _fenced(text: str) -> list[str]:
    import re

    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return ["", f"  {fence}sql", *(f"  {line}" for line in text.splitlines()), f"  {fence}"]


def _markdown(text: str) -> str:
    import re

    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", text).replace("\n", "\n  ")


# Every format of lint; what --format takes is read from here.
LINT_FORMATS: dict[str, Callable[[LintResult], str]] = {
    "text": lint_text,
    "json": lint_json,
    "junit": lint_junit,
    "sarif": lint_sarif,
    "github": lint_github,
    "gitlab": lint_gitlab,
    "markdown": lint_markdown,
}
