"""`lint` where no database is named: the text alone is judged, but never in place of a database that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wflo_schema.cli.commands import cli
from wflo_schema.errors import ConnectionFailed, NoDatabase

GONE = "postgresql://localhost:1/gone"


@pytest.fixture(autouse=True)
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with two files, and nothing that names a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "20260101_01_abcde-base.sql").write_text("CREATE TABLE a (x bigint);")
    (tmp_path / "migrations" / "20260101_02_abcde-step.sql").write_text("CREATE INDEX a_x ON a (x);")


def run(*words: str, **env: str) -> Result:
    """The result of a command line."""
    return CliRunner().invoke(cli, ["lint", *words], env=env)


def test_without_a_server_the_text_is_judged() -> None:
    result = run("--files", "20260101_02")
    assert result.exit_code == 1
    assert "[index-blocks-writes]" in result.stdout
    assert "1 migration looked at, not rehearsed, 1 error" in result.stdout
    assert run().exit_code == 0


def test_a_named_database_that_is_not_there_is_an_error() -> None:
    assert isinstance(run("--database-url", GONE).exception, ConnectionFailed)
    assert isinstance(run("--scratch-url", GONE).exception, ConnectionFailed)
    assert isinstance(run(DATABASE_URL="").exception, NoDatabase)
    assert isinstance(run("--database-url", "").exception, NoDatabase)


def test_a_fix_needs_a_database() -> None:
    error = run("--fix").exception
    assert isinstance(error, NoDatabase)
    assert error.message.startswith("--fix leaves applied files alone")
