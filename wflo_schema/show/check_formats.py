"""A check's result as JUnit, SARIF and GitHub annotations, and the table of formats.

The command line reads that table when it starts: what is heavy is imported by the function that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wflo_schema.findings import Severity

if TYPE_CHECKING:
    from wflo_schema.check.rules import Rule
    from wflo_schema.check.verdict import CheckResult
    from wflo_schema.findings import Finding


def rules_text(rules: Sequence[Rule]) -> str:
    """One line per code: what it means, for --help."""
    width = max(len(r.code) for r in rules)
    return "\n".join(f"{r.code:<{width}}  {r.severity.value:<7}  {r.title}" for r in rules)


def rules_markdown(rules: Sequence[Rule]) -> str:
    """The codes as the table of the manual."""
    rows = [f"| `{r.code}` | {r.severity.value} | {r.title} | {r.mend} |" for r in rules]
    return "\n".join(["| code | weighs | what it says | what to do |", "|---|---|---|---|", *rows])


def check_junit(result: CheckResult) -> str:
    """JUnit XML: one test case per requirement, and one per finding that belongs to none."""
    return junit_suite(f"wflo-schema check {result.label}", list(junit_cases(result)), result.duration_ms)


def junit_suite(name: str, cases: Sequence[tuple[str, str]], duration_ms: int) -> str:
    """JUnit XML of test cases, as `junit_case` makes them."""
    return junit_suites([(name, cases, duration_ms)], duration_ms)


def junit_suites(suites: Sequence[tuple[str, Sequence[tuple[str, str]], int]], duration_ms: int) -> str:
    """The same with several suites: name, cases and duration of each."""
    from xml.sax.saxutils import quoteattr

    def head(cases: Sequence[tuple[str, str]], ms: int) -> str:
        failures, errors, skipped = (sum(became == t for became, _ in cases) for t in ("failure", "error", "skipped"))
        counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
        return f'{counts} time="{ms / 1000:.3f}"'

    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites {head([case for _, cases, _ in suites for case in cases], duration_ms)}>")
    for name, cases, ms in suites:
        lines += [f"  <testsuite name={quoteattr(_xml(name))} {head(cases, ms)}>", *(case for _, case in cases)]
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"])


def junit_cases(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Each test case's result (failure, skipped, system-out; empty where all is well) and XML."""
    from wflo_schema.show.text import finding_lines

    counted, told = set(result.findings), set()
    for v in result.verified:
        name = f"{v.kind} {v.name}" if not v.source else f"{v.kind} {v.name}: {v.source} → {v.target}"
        if v.verdict == "yes":
            yield junit_case(v.kind, name)
            continue
        mine = [f for f in v.findings if f in counted and f.severity is not Severity.WARNING]
        told.update(mine)
        body = "\n".join("\n".join(finding_lines(f)) for f in mine) or v.verdict
        if v.verdict == "no":
            yield junit_case(v.kind, name, "failure", message=", ".join(v.codes), body=body)
        else:
            yield junit_case(v.kind, name, "skipped", message=body)
    for f in result.findings:
        if f in told:
            continue
        name, body = f"{f.object}: {f.message}", "\n".join(finding_lines(f))
        if f.severity is Severity.UNKNOWN:
            yield junit_case(f.code, name, "skipped", message=body)
        elif f.severity is Severity.ERROR or result.fail_on is Severity.WARNING:
            yield junit_case(f.code, name, "failure", message=f.message, body=body)
        else:
            yield junit_case(f.code, name, "system-out", body=body)
    for one in result.allowed:
        name = f"{one.finding.object}: {one.finding.message}"
        yield junit_case(one.finding.code, name, "skipped", message=f"allowed: {one.reason}")


def junit_case(kind: str, name: str, tag: str = "", *, message: str = "", body: str = "") -> tuple[str, str]:
    """One test case: its result (failure, error, skipped, system-out; empty where all is well), and its XML."""
    from xml.sax.saxutils import escape, quoteattr

    said = f" message={quoteattr(_xml(message))}" if message else ""
    end = f">{escape(_xml(body))}</{tag}>" if body else "/>"
    inner = f"<{tag}{said}{end}" if tag else ""
    return tag, f"    <testcase classname={quoteattr(kind)} name={quoteattr(_xml(name))}>{inner}</testcase>"


def _xml(text: str) -> str:
    """The text with U+FFFD for each character that XML cannot hold."""
    return "".join(
        c if c in "\t\n" or (c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "\ufffe\uffff") else "\ufffd"
        for c in text
    )


_SARIF_LEVELS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.UNKNOWN: "note",
    Severity.NOTE: "note",
}


def check_sarif(result: CheckResult) -> str:
    """The result as SARIF."""
    from wflo_schema.check.rules import RULES

    return sarif(RULES, result.findings, [(one.finding, one.reason) for one in result.allowed], kind="external")


def sarif(rules: Sequence[Rule], findings: Sequence[Finding], allowed: Sequence[tuple[Finding, str]], kind: str) -> str:
    """SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/).

    ``allowed``: findings with the reason why they do not count; ``kind`` is where that is said, inSource or external.
    """
    from urllib.parse import quote

    from wflo_schema.show.text import json_text, relative_path

    by_code = {r.code: n for n, r in enumerate(rules)}

    def entry(f: Finding) -> dict[str, object]:
        made: dict[str, object] = {"ruleId": f.code, "level": _SARIF_LEVELS[f.severity], "message": {"text": _said(f)}}
        if f.code in by_code:
            made["ruleIndex"] = by_code[f.code]
        location: dict[str, object] = {"logicalLocations": [{"fullyQualifiedName": f.object}]}
        if f.location is not None:
            region: dict[str, int] = {"startLine": f.location.line}
            if f.location.column:
                region["startColumn"] = f.location.column
            location["physicalLocation"] = {
                "artifactLocation": {"uri": quote(Path(relative_path(f.location.path)).as_posix())},
                "region": region,
            }
        return {**made, "locations": [location]}

    results = [entry(f) for f in findings]
    for found, reason in allowed:
        why: dict[str, object] = {"kind": kind, "status": "accepted", "justification": reason}
        results.append({**entry(found), "suppressions": [why]})
    return json_text(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "wflo-schema",
                            "rules": [
                                {
                                    "id": r.code,
                                    "shortDescription": {"text": r.title},
                                    "fullDescription": {"text": r.means},
                                    "help": {"text": r.mend},
                                    "defaultConfiguration": {"level": _SARIF_LEVELS[r.severity]},
                                }
                                for r in rules
                            ],
                        }
                    },
                    "results": results,
                }
            ],
        }
    )


def check_github(result: CheckResult) -> str:
    """GitHub workflow commands, one per finding."""
    keys = [v for v in result.verified if v.kind == "foreign key"]
    good = sum(v.verdict == "yes" for v in keys)
    lines = [github_command(f) for f in result.findings]
    if not lines:
        lines.append(github_notice("wflo-schema check", f"{good} of {len(keys)} foreign keys hold"))
    for one in result.allowed:
        lines.append(github_notice(f"allowed: {one.finding.code}: {one.finding.object}", one.reason))
    return "\n".join(lines)


def github_command(f: Finding) -> str:
    """A finding as a workflow command: GitHub shows it at its line."""
    from wflo_schema.show.text import relative_path

    kind = {Severity.ERROR: "error", Severity.WARNING: "warning"}.get(f.severity, "notice")
    properties = [f"title={_property(f'{f.code}: {f.object}')}"]
    if f.location is not None:
        properties.insert(0, f"file={_property(relative_path(f.location.path))},line={f.location.line}")
        if f.location.column:
            properties.insert(1, f"col={f.location.column}")
    return f"::{kind} {','.join(properties)}::{_in_command(_said(f))}"


def github_notice(title: str, text: str) -> str:
    """A workflow command that only says something."""
    return f"::notice title={_property(title)}::{_in_command(text)}"


def _in_command(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _in_command(text).replace(":", "%3A").replace(",", "%2C")


def _said(f: Finding) -> str:
    """The message, with have, want and help below it where there are any."""
    rest = (("have", f.have), ("want", f.want), ("help", f.help))
    return f.message + "".join(f"\n{label}: {value}" for label, value in rest if value)


def _text(result: CheckResult) -> str:
    from wflo_schema.show.text import check_text

    return check_text(result)


def _json(result: CheckResult) -> str:
    from wflo_schema.check.rules import RULES
    from wflo_schema.show.text import check_json

    return check_json(result, RULES)


# Every format of a check; what --format takes is read from here.
FORMATS: dict[str, Callable[[CheckResult], str]] = {
    "text": _text,
    "json": _json,
    "junit": check_junit,
    "sarif": check_sarif,
    "github": check_github,
}
