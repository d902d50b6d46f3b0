"""Each rule's bad example is found, and its good one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.findings import Severity
from wflo_schema.lint.operations import lint
from wflo_schema.lint.rules import EXAMPLE, ROLLBACK, RULES, LintRule, files_of
from wflo_schema.lint.values import LintFinding

pytestmark = pytest.mark.spread_over_servers

WITH_EXAMPLES = [rule for rule in RULES if rule.bad]


def migrations_of(folder: Path, base: str, *texts: str) -> Migrations:
    """A folder with these files, the base first."""
    (folder / "20260101_01_abcde-base.sql").write_text(base)
    for number, text in enumerate(texts, 2):
        forward, _, back = text.partition(ROLLBACK)
        (folder / f"20260101_{number:02}_abcde-step.sql").write_text(forward)
        if back:
            (folder / f"20260101_{number:02}_abcde-step.rollback.sql").write_text(back)
    return read_migrations(folder)


def found_in(database: Database, folder: Path, example: str, given: str = "") -> tuple[LintFinding, ...]:
    """What is found in an example, on top of what it takes for granted."""
    migrations = migrations_of(folder, EXAMPLE + given, *files_of(example))
    engine.migrate(database, migrations, to=migrations.items[0].id)
    return lint(database, migrations).findings


@pytest.mark.parametrize("rule", WITH_EXAMPLES, ids=lambda rule: rule.code)
def test_the_bad_example_of_a_rule_is_found(rule: LintRule, database: Database, tmp_path: Path) -> None:
    found = found_in(database, tmp_path, rule.bad, rule.given)
    assert rule.code in [f.code for f in found]


@pytest.mark.parametrize("rule", WITH_EXAMPLES, ids=lambda rule: rule.code)
def test_nothing_is_wrong_with_the_good_example_of_a_rule(rule: LintRule, database: Database, tmp_path: Path) -> None:
    found = found_in(database, tmp_path, rule.good, rule.given)
    assert [f for f in found if f.severity is not Severity.NOTE or f.code == rule.code] == []


def test_a_rule_without_an_example_is_tried_elsewhere() -> None:
    tried = (Path(__file__).parent / "test_operations.py").read_text(encoding="utf-8")
    assert [rule.code for rule in RULES if not rule.bad and f'"{rule.code}"' not in tried] == []
