"""Judged by the text alone, where no server is there; and by a rehearsal on any server, without a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.test_rules import WITH_EXAMPLES, migrations_of
from wflo_schema.connect.database import Database
from wflo_schema.findings import Severity
from wflo_schema.lint.operations import LintOptions, lint
from wflo_schema.lint.rules import EXAMPLE, LintRule, files_of
from wflo_schema.lint.values import LintResult
from wflo_schema.scratch.replay import ScratchOptions

# What only a database can show.
NEEDS_A_DATABASE = {
    "index-built", "domain-scans", "table-scanned", "undecided", "not-rehearsed", "statement-refused",
    "key-without-index", "index-twice", "rollback-refused", "rollback-differs", "contract-broken", "outside-schema",
}  # fmt: skip
OF_TEXT = [rule for rule in WITH_EXAMPLES if rule.code not in NEEDS_A_DATABASE]


def from_text(folder: Path, example: str, given: str = "") -> LintResult:
    """What the text of an example says, on top of what it takes for granted."""
    migrations = migrations_of(folder, EXAMPLE + given, *files_of(example))
    return lint(None, migrations, options=LintOptions(files=tuple(m.id for m in migrations.items[1:])))


@pytest.mark.parametrize("rule", OF_TEXT, ids=lambda rule: rule.code)
def test_the_bad_example_is_found_by_its_text(rule: LintRule, tmp_path: Path) -> None:
    result = from_text(tmp_path, rule.bad, rule.given)
    assert rule.code in [f.code for f in result.findings]
    assert not result.is_rehearsed


@pytest.mark.parametrize("rule", OF_TEXT, ids=lambda rule: rule.code)
def test_the_good_example_is_left_alone_by_its_text(rule: LintRule, tmp_path: Path) -> None:
    findings = from_text(tmp_path, rule.good, rule.given).findings
    assert [f for f in findings if f.severity in (Severity.ERROR, Severity.WARNING) or f.code == rule.code] == []


def test_it_says_that_it_was_not_rehearsed(tmp_path: Path) -> None:
    result = from_text(tmp_path, "CREATE INDEX orders_state ON orders (state);")
    (found,) = result.findings
    assert found.message.endswith("(from the text alone, not rehearsed: may be wrong)")
    assert "wflo-schema server start, or --scratch-url URL" in result.notes[0]
    assert result.exit_code == 1


@pytest.mark.parametrize("text", ["DO $$ BEGIN END $$;", "ALTER TABLE users ALTER COLUMN name TYPE text;"])
def test_what_a_text_cannot_tell_is_undecided(text: str, tmp_path: Path) -> None:
    result = from_text(tmp_path, text)
    assert [f.code for f in result.findings] == ["undecided"]
    assert result.exit_code == 3


def test_a_table_of_the_same_set_needs_no_care(tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, EXAMPLE, "CREATE INDEX orders_state ON orders (state);")
    assert [f.code for f in lint(None, migrations).findings] == ["json-column"]


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    result = from_text(tmp_path, "/* never closed")
    assert [f.code for f in result.findings] == ["file-refused"]


def test_any_server_will_do_for_a_rehearsal(database: Database, tmp_path: Path) -> None:
    texts = ("ALTER TABLE users ALTER COLUMN name TYPE text;", "CREATE INDEX orders_state ON orders (state);")
    migrations = migrations_of(tmp_path, EXAMPLE, *texts)
    names = tuple(m.id for m in migrations.items[1:])
    scratch = ScratchOptions(on=database)
    result = lint(None, migrations, options=LintOptions(files=names), scratch=scratch)
    assert [f.code for f in result.findings] == ["index-blocks-writes"]
    assert result.is_rehearsed
    assert [f.code for f in lint(None, migrations, scratch=scratch).findings] == ["json-column"]


def test_a_file_of_another_folder_is_rehearsed_behind_all(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    migrations = migrations_of(folder, EXAMPLE)
    other = tmp_path / "20260201_01_abcde-other.sql"
    other.write_text("CREATE INDEX orders_state ON orders (state);")
    result = lint(None, migrations, options=LintOptions(files=(str(other),)), scratch=ScratchOptions(on=database))
    assert [f.code for f in result.findings] == ["index-blocks-writes"]
