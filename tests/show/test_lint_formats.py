"""What lint found, as each format must have it to be read by what reads it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from wflo_schema.findings import Location, Severity
from wflo_schema.lint.rules import RULES
from wflo_schema.lint.values import Allowed, LintFinding, LintResult
from wflo_schema.show.lint_formats import LINT_FORMATS

# Everything that some format has to escape.
NASTY = 'a|b `c` <d> & "e" 100%, f: [g]\nsecond *line*'


def finding(code: str, severity: Severity, line: int, message: str = "why") -> LintFinding:
    """A finding in a file, at a line."""
    place = Location("migrations/20260101_01_a,b-step.sql", line, 3)
    return LintFinding(
        code, severity, "public.t", message, help="CREATE INDEX CONCURRENTLY i ON t (a);", location=place,
        id="20260101_01_a,b-step", statement=1, source_line="  CREATE INDEX i ON t (a); -- `tick`",
    )  # fmt: skip


WEIGHTS = (
    ("index-blocks-writes", Severity.ERROR), ("data-with-schema", Severity.WARNING),
    ("undecided", Severity.UNKNOWN), ("renamed", Severity.NOTE),
)  # fmt: skip
RESULT = LintResult(
    "shop", "the schema of shop", ("20260101_01_a,b-step", "20260101_02_abcde-other"),
    tuple(finding(code, weight, n, NASTY) for n, (code, weight) in enumerate(WEIGHTS, 1)),
    (Allowed(finding("check-scans", Severity.ERROR, 9), "it is | small", Location("migrations/x.sql", 8)),),
    ("not rehearsed: `x` | y",),
)  # fmt: skip
EMPTY = replace(RESULT, findings=(), allowed=(), notes=())


def shown(format_: str, result: LintResult = RESULT) -> str:
    """The result in this format."""
    return LINT_FORMATS[format_](result)


def test_junit_counts_its_cases() -> None:
    suites = ElementTree.fromstring(shown("junit"))
    (suite,) = suites.findall("testsuite")
    cases = suite.findall("testcase")
    for one in (suites, suite):
        assert int(one.attrib["tests"]) == len(cases) == 6
        assert int(one.attrib["failures"]) == len(suite.findall("testcase/failure")) == 1
        assert int(one.attrib["skipped"]) == len(suite.findall("testcase/skipped")) == 2
    assert cases[0].attrib["classname"] == "index-blocks-writes"
    assert suite.findall("testcase/failure")[0].attrib["message"].startswith('a|b `c` <d> & "e"')
    assert cases[-1].attrib == {"classname": "migration", "name": "20260101_02_abcde-other"}


def test_junit_takes_a_warning_for_a_failure_where_it_counts() -> None:
    strict = replace(RESULT, fail_on=Severity.WARNING)
    assert len(ElementTree.fromstring(shown("junit", strict)).findall(".//failure")) == 2


def test_sarif_has_what_code_scanning_requires() -> None:
    found = json.loads(shown("sarif"))
    assert found["version"] == "2.1.0"
    assert found["$schema"].endswith("sarif-2.1.0.json")
    (run,) = found["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == [r.code for r in RULES]
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["message"]["text"]
        assert one["level"] in ("none", "note", "warning", "error")
        (location,) = one["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"]["uri"] == "migrations/20260101_01_a%2Cb-step.sql"
        assert physical["region"]["startLine"] >= 1
        assert physical["region"]["startColumn"] == 3
    assert [len(one.get("suppressions", ())) for one in run["results"]] == [0, 0, 0, 0, 1]


def test_sarif_names_a_file_by_a_uri_in_code_scanning() -> None:
    place = Location("migrations/a b%c.sql", 1)
    found = replace(RESULT, findings=(replace(RESULT.findings[0], location=place),), allowed=())
    location = json.loads(shown("sarif", found))["runs"][0]["results"][0]["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "migrations/a%20b%25c.sql"


def test_a_github_annotation_is_one_line_with_its_place() -> None:
    lines = shown("github").splitlines()
    assert len(lines) == 6
    assert lines[0].startswith(
        "::error file=migrations/20260101_01_a%2Cb-step.sql,line=1,col=3,title=index-blocks-writes%3A public.t::a|b"
    )
    assert [re.match("::([a-z]+) ", line)[1] for line in lines] == [  # type: ignore[index]
        "error", "warning", "notice", "notice", "notice", "notice",
    ]  # fmt: skip
    assert "100%25" in lines[0]
    assert "%0Asecond" in lines[0]


def test_gitlab_has_the_fields_that_it_requires() -> None:
    entries = json.loads(shown("gitlab"))
    for one in entries:
        assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["location"]["path"] == "migrations/20260101_01_a,b-step.sql"
        assert isinstance(one["location"]["lines"]["begin"], int)
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
    assert len({one["fingerprint"] for one in entries}) == len(entries) == 4
    assert json.loads(shown("gitlab", EMPTY)) == []


def test_a_fingerprint_stays_where_the_line_moves_and_differs_for_the_same_line_twice() -> None:
    one = finding("index-blocks-writes", Severity.ERROR, 1)
    moved, again = (replace(one, location=Location("migrations/20260101_01_a,b-step.sql", n)) for n in (7, 9))

    def prints(*findings: LintFinding) -> list[str]:
        entries = json.loads(shown("gitlab", replace(RESULT, findings=findings)))
        return [entry["fingerprint"] for entry in entries]

    assert prints(one) == prints(moved)
    assert prints(one)[0] == prints(moved, again)[0] != prints(moved, again)[1]


def test_markdown_is_a_list_in_which_nothing_breaks_out() -> None:
    text = shown("markdown")
    assert text.count("\n- **") == 4
    assert "a\\|b \\`c\\` \\<d\\>" in text
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    # a second line of a message stays in its list item
    assert "\nsecond" not in outside
    assert outside.count("<") == outside.count("\\<") + len(re.findall("</?(?:details|summary)>", outside))
    assert "it is \\| small" in text
    assert "not rehearsed: \\`x\\` \\| y" in text


def test_json_has_the_place_and_the_fields_of_a_finding() -> None:
    found = json.loads(shown("json"))
    assert found["exit_code"] == RESULT.exit_code == 1
    assert found["is_rehearsed"] is True
    first = found["findings"][0]
    assert (first["code"], first["severity"], first["line"], first["column"]) == ("index-blocks-writes", "error", 1, 3)
    assert first["file"] == "migrations/20260101_01_a,b-step.sql"
    assert {"id", "statement", "message", "help", "object", "source_line", "estimate"} <= set(first)
    assert {r["code"] for r in found["rules"]} == {code for code, _ in WEIGHTS}


@pytest.mark.parametrize("format_", LINT_FORMATS)
def test_nothing_found_is_shown_as_well(format_: str) -> None:
    assert shown(format_, EMPTY)
