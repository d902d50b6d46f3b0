"""What squawk says of style is a note under its own name, and can be allowed like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.test_rules import migrations_of
from wflo_schema.connect.database import Database
from wflo_schema.findings import Severity
from wflo_schema.lint.operations import LintOptions, lint

pytestmark = pytest.mark.one_server

TEXT = "CREATE TABLE a (id bigint PRIMARY KEY,\n  name char(3));"
WITH_SQUAWK = LintOptions(with_squawk=True)


def test_style_is_a_note_where_it_is_asked_for(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, TEXT)
    assert lint(database, migrations).findings == ()
    (found,) = [f for f in lint(database, migrations, options=WITH_SQUAWK).findings if "char" in f.code]
    assert (found.code, found.severity) == ("squawk-ban-char-field", Severity.NOTE)
    assert found.location is not None
    assert (found.location.line, found.location.column, found.source_line) == (2, 8, "  name char(3));")


def test_style_can_be_allowed(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, f"-- lint: allow squawk-ban-char-field because it is a code\n{TEXT}")
    assert "squawk-ban-char-field" not in [f.code for f in lint(database, migrations, options=WITH_SQUAWK).findings]
    assert lint(database, migrations).findings == ()


def test_what_blocks_is_not_squawks_to_say(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, TEXT, "CREATE INDEX i ON a (name);")
    found = lint(database, migrations, options=WITH_SQUAWK).findings
    assert {f.code for f in found} <= {"squawk-ban-char-field", "squawk-prefer-text-field"}
