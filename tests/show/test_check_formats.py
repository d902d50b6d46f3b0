"""Every format of a check's result: in one table, from which the command line takes its choices."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import click
import pytest

from wflo_schema.check.allowances import Allowed
from wflo_schema.check.rules import finding
from wflo_schema.check.verdict import CheckResult, Verified
from wflo_schema.cli.checks import check
from wflo_schema.findings import Location, Severity
from wflo_schema.show.check_formats import FORMATS

NO_KEY = finding("key-missing", "k<1>", "there is no such key", have="\x01 & <", want="t(a) REFERENCES u(b)")
NO_OTHER_KEY = finding("key-missing", "other", "there is no other key")
UNSEEN = finding("cannot-see", "c", "may not read it")


def result(fail_on: Severity = Severity.ERROR) -> CheckResult:
    return CheckResult(
        label="u@h/d",
        server_version="18.1",
        schema="public",
        role="u",
        sections=("contract",),
        verified=(
            Verified("table", "t", "yes", ()),
            Verified("foreign key", "k<1>", "no", ("key-missing",), "t(a)", "u(b)", _findings=(NO_KEY,)),
            Verified("column", "c", "cannot tell", ("cannot-see",), _findings=(UNSEEN,)),
        ),
        findings=(
            NO_KEY,
            UNSEEN,
            finding("index-duplicate", "i", "twice the same"),
        ),
        allowed=(
            Allowed(finding("drift", "public.j_1", "not made here"), "public.j_*", "a job's", Location("c.toml", 9)),
            Allowed(finding("drift", "public.j_2", "not made here"), "public.j_*", "a job's", Location("c.toml", 9)),
        ),
        fail_on=fail_on,
    )


def test_the_command_line_takes_what_the_table_has() -> None:
    (option,) = (p for p in check.params if p.name == "format_")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_every_finding(name: str) -> None:
    text = FORMATS[name](result())
    assert [f.message for f in result().findings if f.message not in text] == []
    if name in ("json", "sarif"):
        json.loads(text)


def test_every_format_says_why_what_is_allowed_does_not_count() -> None:
    said = {name: shown(result()) for name, shown in FORMATS.items()}

    assert "allowed: [drift] public.j_*: 2 findings: a job's  (c.toml:9)" in said["text"]
    assert said["text"].splitlines()[-1].startswith("no: 0 of 1 foreign key holds, 1 error, 1 warning, 1 could not be")
    assert "2 allowed" in said["text"].splitlines()[-1]
    assert [a["reason"] for a in json.loads(said["json"])["allowed"]] == ["a job's"] * 2
    results = json.loads(said["sarif"])["runs"][0]["results"]
    assert [r.get("suppressions", [{}])[0].get("justification") for r in results] == [None] * 3 + ["a job's"] * 2
    assert [line for line in said["github"].splitlines() if "allowed" in line] == [
        f"::notice title=allowed%3A drift%3A public.j_{n}::a job's" for n in (1, 2)
    ]


def test_junit_counts_what_failed_and_what_was_not_told() -> None:
    suite = ElementTree.fromstring(FORMATS["junit"](result()))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "1", "3")
    assert [[inner.tag for inner in case] for case in suite] == [
        [],
        ["failure"],
        ["skipped"],
        ["system-out"],
        ["skipped"],
        ["skipped"],
    ]
    assert suite[4][0].get("message") == "allowed: a job's"
    assert suite[1].get("name") == "foreign key k<1>: t(a) → u(b)"
    strict = ElementTree.fromstring(FORMATS["junit"](result(Severity.WARNING)))[0]
    assert strict.get("failures") == "2"


def test_the_table_is_light_enough_for_every_start() -> None:
    text = "import sys, wflo_schema.show.check_formats; print(sorted(m for m in sys.modules if m.startswith('wflo_')))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(
        ["wflo_schema", "wflo_schema.findings", "wflo_schema.show", "wflo_schema.show.check_formats"]
    )


def test_junit_tells_each_requirement_its_own_findings() -> None:
    both = replace(
        result(),
        verified=(
            Verified("foreign key", "k<1>", "no", ("key-missing",), _findings=(NO_KEY,)),
            Verified("foreign key", "other", "no", ("key-missing",), _findings=(NO_OTHER_KEY,)),
        ),
        findings=(NO_KEY, NO_OTHER_KEY),
    )
    suite = ElementTree.fromstring(FORMATS["junit"](both))[0]
    told = [case[0].text or "" for case in suite][:2]
    assert ["no such key" in text for text in told] == [True, False]
    assert ["no other key" in text for text in told] == [False, True]
