"""The way out of an error fits what made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import MigrationFailed
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.one_server


def _hint(database: Database, folder: Path, text: str) -> str:
    (folder / "001_twice.sql").write_text(text)
    with pytest.raises(MigrationFailed) as caught:
        operations.migrate(database, read_migrations(folder))
    return caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "\nCREATE TABLE b (id int);\nCREATE TABLE b (id int);\n",
        '\nCREATE TABLE IF NOT EXISTS public."B c" (id int);\nCREATE TABLE "B c" (id int);\n',
        "\nCREATE TABLE b (id int); CREATE INDEX i ON b (id);\nCREATE UNIQUE INDEX i ON b (id);\n",
        "\nCREATE VIEW v AS SELECT 1; SELECT 1;\nCREATE TABLE v ();\n",
        "\nCREATE TYPE mood AS ENUM ('a');\nCREATE TYPE mood AS ENUM ('b');\n",
        "\nCREATE SCHEMA s;\nCREATE SCHEMA s;\n",
    ],
)
def test_what_the_file_itself_makes_twice_is_not_taken_for_another_tool_s(
    database: Database, tmp_path: Path, text: str
) -> None:
    hint = _hint(database, tmp_path, text)

    assert hint.startswith("line 2 of this file makes it")
    assert "adopt" not in hint


def test_a_column_that_the_file_adds_twice_is_said_so(database: Database, tmp_path: Path) -> None:
    text = "CREATE TABLE b (id int);\nALTER TABLE b ADD COLUMN c int;\nALTER TABLE b ADD COLUMN c text;\n"

    assert _hint(database, tmp_path, text).startswith("line 2 of this file")


def test_what_somebody_else_made_is_to_be_adopted(database: Database, tmp_path: Path) -> None:
    (tmp_path / "000_first.sql").write_text("CREATE TABLE first (id int);\n")
    operations.migrate(database, read_migrations(tmp_path))
    with database.connect() as connection:
        connection.execute("CREATE TABLE b (id int)")

    assert "adopt" in _hint(database, tmp_path, "CREATE TABLE a (b int);\nCREATE TABLE b (id int);\n")
