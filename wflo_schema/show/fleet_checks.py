"""The check of many targets in every format: what several have is said once, with their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wflo_schema.findings import Finding, Severity
from wflo_schema.show.fleet_states import (
    MOST_NAMES,
    error_lines,
    indented,
    json_line,
    not_done_text,
    shown_for,
    target_fields,
)
from wflo_schema.words import counted, duration, listed, plural

if TYPE_CHECKING:
    from wflo_schema.fleet.checking import FleetCheck
    from wflo_schema.fleet.targets import Target


def fleet_check_text(found: FleetCheck) -> str:
    """The targets that have the same findings, and each of these once; then the sums."""
    from wflo_schema.show.text import finding_lines

    total = len(found.results) + len(found.failed)
    how = "; catalogs compared with each other" if found.compared else ""
    lines = [f"{counted(total, 'target')} checked: {', '.join(found.sections)}{how}"]
    for note, names in _notes(found):
        lines.append(f"  note: {note}{_in(names, total)}")
    blocks: dict[tuple[str, ...], list[Finding]] = {}
    for one in found.findings:
        blocks.setdefault(one.targets, []).append(one.finding)
    for targets, findings in blocks.items():
        lines.append(f"in {counted(len(targets), 'target')}: {_names(targets)}{shown_for(targets, findings)}")
        for finding in findings:
            lines += indented(finding_lines(finding), "  ")
    lines += _allowed(found)
    lines += not_done_text(found.causes, "could not be checked")
    good = sum(result.exit_code == 0 for result in found.results.values())
    verdict = {0: "ok", 1: "no", 3: "cannot tell"}[found.exit_code]
    sums = [f"{good} of {counted(total, 'target')} {plural(good, 'is', 'are')} ok"]
    for severity, word in ((Severity.ERROR, "error"), (Severity.WARNING, "warning")):
        number = sum(one.finding.severity is severity for one in found.findings)
        sums += [counted(number, word)] if number else []
    sums += [f"{len(found.failed)} could not be checked"] if found.failed else []
    lines.append(f"{verdict}: {', '.join(sums)} ({duration(found.duration_ms)})")
    return "\n".join(lines)


def _names(names: Sequence[str]) -> str:
    return listed(names, MOST_NAMES)


def _in(names: Sequence[str], total: int) -> str:
    return "" if len(names) == total else f" (in {_names(names)})"


def _notes(found: FleetCheck) -> list[tuple[str, tuple[str, ...]]]:
    """Each note once, with the names of those of which it is said."""
    from wflo_schema.fleet.outcomes import placeless

    notes: dict[str, list[tuple[str, str]]] = {}
    for name, result in found.results.items():
        for note in result.notes:
            notes.setdefault(placeless(note, name), []).append((note, name))
    return [(those[0][0], tuple(name for _, name in those)) for those in notes.values()]


def _allowed(found: FleetCheck) -> list[str]:
    allowed: dict[tuple[str, str, str], set[str]] = {}
    for name, result in found.results.items():
        for one in result.allowed:
            allowed.setdefault((one.finding.code, one.pattern, one.reason), set()).add(name)
    return [
        f"allowed: [{code}] {pattern}: {reason} (in {counted(len(names), 'target')})"
        for (code, pattern, reason), names in allowed.items()
    ]


def fleet_check_json(found: FleetCheck) -> str:
    """One line a target: what the check of it alone says, or its error."""
    from wflo_schema.show.text import check_values, error_fields

    def line(target: Target) -> dict[str, object]:
        error = found.failed.get(target.name)
        said = {"error": error_fields(error)} if error is not None else check_values(found.results[target.name])
        return {**said, **target_fields(target)}

    return "\n".join(json_line(line(target)) for target in found.targets)


def fleet_check_junit(found: FleetCheck) -> str:
    """JUnit XML: a test suite for each target."""
    from wflo_schema.show.check_formats import junit_case, junit_cases, junit_suites

    suites = [
        (f"wflo-schema check {name}", list(junit_cases(result)), result.duration_ms)
        for name, result in found.results.items()
    ]
    for name, error in found.failed.items():
        case = junit_case("target", name, "error", message=error.message, body="\n".join(error_lines(error)))
        suites.append((f"wflo-schema check {name}", [case], 0))
    return junit_suites(suites, round(found.duration_ms))


def _told(found: FleetCheck) -> Iterator[Finding]:
    """Each finding, with the names of those that have it in what it says; and those that could not be checked."""
    for one in found.findings:
        shown = shown_for(one.targets, (one.finding,))
        where = f"in {counted(len(one.targets), 'target')}: {_names(one.targets)}{shown}"
        yield replace(one.finding, message=f"{one.finding.message} ({where})")
    for cause in found.causes:
        example = f"for example in {cause.example}: " if cause.example else ""
        said = f"{counted(len(cause.targets), 'target')} could not be checked: {example}{cause.error.message}"
        yield Finding("cannot-see", Severity.UNKNOWN, _names(cause.targets), said, help=cause.error.hint)


def fleet_check_sarif(found: FleetCheck) -> str:
    """SARIF: one result for each finding, whichever targets have it."""
    from wflo_schema.check.rules import RULES
    from wflo_schema.show.check_formats import sarif

    allowed = {
        (one.finding.code, one.pattern): (one.finding, one.reason)
        for result in found.results.values()
        for one in result.allowed
    }
    return sarif(RULES, list(_told(found)), list(allowed.values()), kind="external")


def fleet_check_github(found: FleetCheck) -> str:
    """GitHub workflow commands, one for each finding."""
    from wflo_schema.show.check_formats import github_command, github_notice

    lines = [github_command(one) for one in _told(found)]
    return "\n".join(lines or [github_notice("wflo-schema check", f"{counted(len(found.results), 'target')} ok")])


# Every format, as those of a single check.
FLEET_FORMATS: dict[str, Callable[[FleetCheck], str]] = {
    "text": fleet_check_text,
    "json": fleet_check_json,
    "junit": fleet_check_junit,
    "sarif": fleet_check_sarif,
    "github": fleet_check_github,
}
