"""A check's result as JUnit, SARIF and GitHub annotations, and the table of formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wflo_schema.findings import Severity

if TYPE_CHECKING:
    from wflo_schema.check.rules import Rule
    from wflo_schema.check.verdict import CheckResult
from wflo_schema.show.text import check_text, finding_lines, json_text, relative_path


def rules_text(rules: Sequence[Rule]) -> str:
    """A line a code: what it means, for --help."""
    width = max(len(r.code) for r in rules)
    return "\n".join(f"{r.code:<{width}}  {r.severity.value:<7}  {r.title}" for r in rules)


def rules_markdown(rules: Sequence[Rule]) -> str:
    """The codes as the table of the README."""
    rows = [f"| `{r.code}` | {r.severity.value} | {r.title} | {r.mend} |" for r in rules]
    return "\n".join(["| code | weighs | what it says | what to do |", "|---|---|---|---|", *rows])


def check_junit(result: CheckResult) -> str:
    """JUnit XML: one test case a requirement, and one a finding that belongs to none."""
    from xml.sax.saxutils import escape, quoteattr

    def clean(text: str) -> str:
        return "".join(
            c if c in "\t\n" or c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "￾￿" else "�" for c in text
        )

    cases: list[str] = []
    failures = skipped = 0
    told: set[int] = set()
    for v in result.verified:
        name = f"{v.kind} {v.name}" if not v.source else f"{v.kind} {v.name}: {v.source} → {v.target}"
        mine = (
            [f for f in result.findings if f.code in v.codes and f.severity is not Severity.WARNING]
            if v.verdict != "yes"
            else []
        )
        told |= {id(f) for f in mine}
        body = "\n".join("\n".join(finding_lines(f)) for f in mine) or v.verdict
        if v.verdict == "no":
            failures += 1
            inner = f"<failure message={quoteattr(clean(', '.join(v.codes)))}>{escape(clean(body))}</failure>"
        elif v.verdict == "yes":
            inner = ""
        else:
            skipped += 1
            inner = f"<skipped message={quoteattr(clean(body))}/>"
        cases.append(f"    <testcase classname={quoteattr(v.kind)} name={quoteattr(clean(name))}>{inner}</testcase>")
    for f in result.findings:
        if id(f) in told:
            continue
        body = "\n".join(finding_lines(f))
        is_failure = f.severity is Severity.ERROR or (
            f.severity is Severity.WARNING and result.fail_on is Severity.WARNING
        )
        tag = "failure" if is_failure else "skipped" if f.severity is Severity.UNKNOWN else "system-out"
        failures += tag == "failure"
        skipped += tag == "skipped"
        if tag == "skipped":
            inner = f"<skipped message={quoteattr(clean(body))}/>"
        elif tag == "failure":
            inner = f"<failure message={quoteattr(clean(f.message))}>{escape(clean(body))}</failure>"
        else:
            inner = f"<system-out>{escape(clean(body))}</system-out>"
        cases.append(
            f"    <testcase classname={quoteattr(f.code)} name={quoteattr(clean(f'{f.object}: {f.message}'))}>"
            f"{inner}</testcase>"
        )
    head = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}"'
    head += f' time="{result.duration_ms / 1000:.3f}"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites {head}>",
            f"  <testsuite name={quoteattr('wflo-schema check ' + clean(result.label))} {head}>",
            *cases,
            "  </testsuite>",
            "</testsuites>",
        ]
    )


_SARIF_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.UNKNOWN: "note"}


def check_sarif(result: CheckResult, rules: Sequence[Rule]) -> str:
    """SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/)."""
    by_code = {r.code: n for n, r in enumerate(rules)}
    results = []
    for f in result.findings:
        text = f.message + "".join(
            f"\n{label}: {value}" for label, value in (("have", f.have), ("want", f.want), ("help", f.help)) if value
        )
        entry: dict[str, object] = {
            "ruleId": f.code,
            "level": _SARIF_LEVELS[f.severity],
            "message": {"text": text},
        }
        if f.code in by_code:
            entry["ruleIndex"] = by_code[f.code]
        location: dict[str, object] = {"logicalLocations": [{"fullyQualifiedName": f.object}]}
        if f.location is not None:
            region: dict[str, int] = {"startLine": f.location.line}
            if f.location.column:
                region["startColumn"] = f.location.column
            location["physicalLocation"] = {
                "artifactLocation": {"uri": Path(relative_path(f.location.path)).as_posix()},
                "region": region,
            }
        entry["locations"] = [location]
        results.append(entry)
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
    """GitHub workflow commands, one a finding."""

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def prop(text: str) -> str:
        return data(text).replace(":", "%3A").replace(",", "%2C")

    lines = []
    for f in result.findings:
        kind = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.UNKNOWN: "notice"}[f.severity]
        properties = [f"title={prop(f'{f.code}: {f.object}')}"]
        if f.location is not None:
            properties.insert(0, f"file={prop(relative_path(f.location.path))},line={f.location.line}")
            if f.location.column:
                properties.insert(1, f"col={f.location.column}")
        text = f.message + "".join(
            f"\n{label}: {value}" for label, value in (("have", f.have), ("want", f.want), ("help", f.help)) if value
        )
        lines.append(f"::{kind} {','.join(properties)}::{data(text)}")
    keys = [v for v in result.verified if v.kind == "foreign key"]
    good = sum(v.verdict == "yes" for v in keys)
    if not lines:
        lines.append(f"::notice title=wflo-schema check::{data(f'{good} of {len(keys)} foreign keys hold')}")
    return "\n".join(lines)


FORMATS: dict[str, Callable[[CheckResult], str]] = {
    "text": check_text,
    "junit": check_junit,
    "github": check_github,
}
