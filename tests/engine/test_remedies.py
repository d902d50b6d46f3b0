"""The way out of an error fits what made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, MigrationFailed
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


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("CREATE TABLE b (id int)", "CREATE TABLE b (id int)"),
        ("CREATE TABLE b (id int)", "ALTER TABLE b ADD COLUMN id int"),
        ("CREATE TYPE b AS ENUM ('x')", "CREATE TYPE b AS ENUM ('y')"),
    ],
)
def test_what_an_earlier_file_made_is_not_said_to_be_somebody_else_s(
    database: Database, tmp_path: Path, first: str, then: str
) -> None:
    (tmp_path / "000_first.sql").write_text(first)

    assert _hint(database, tmp_path, then).startswith("did an earlier migration make ")


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("CREATE UNIQUE INDEX ON a (id)", "several rows have this key"),
        ("ALTER TABLE a ADD PRIMARY KEY (id)", "several rows have this key"),
        ("-- why\nALTER TABLE a ADD UNIQUE (id)", "several rows have this key"),
        ("INSERT INTO one VALUES (1)", "another row has this key"),
        ("UPDATE one SET id = 1", "another row has this key"),
    ],
)
def test_a_key_that_is_there_twice_is_told_from_one_that_a_statement_inserts(
    database: Database, tmp_path: Path, statement: str, hint: str
) -> None:
    (tmp_path / "000_first.sql").write_text(
        "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1);"
        "CREATE TABLE one (id int UNIQUE); INSERT INTO one VALUES (1), (2);"
    )

    assert _hint(database, tmp_path, statement).startswith(hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("CREATE TABLE :name (id int)", "of psql's variables"),
        ("CREATE TABLE a (id int DEFAULT :number)", "of psql's variables"),
        ("<<<<<<< HEAD\nSELECT 1;\n=======\nSELECT 2;\n>>>>>>> theirs\n", "git could not merge"),
        ("SELECT 1;\n>>>>>>> theirs\n", "git could not merge"),
        ("CREATE TABEL a ()", "correct the statement"),
    ],
)
def test_a_syntax_error_that_tells_where_it_comes_from_is_answered(
    database: Database, tmp_path: Path, text: str, hint: str
) -> None:
    (tmp_path / "1_a.sql").write_text(text)
    with pytest.raises(BadMigrationFile) as caught:
        operations.migrate(database, read_migrations(tmp_path))

    assert caught.value.hint.startswith(hint) and caught.value.hint.endswith("nothing of this file was run")


def test_what_somebody_else_made_is_to_be_adopted(database: Database, tmp_path: Path) -> None:
    (tmp_path / "000_first.sql").write_text("CREATE TABLE first (id int);\n")
    operations.migrate(database, read_migrations(tmp_path))
    with database.connect() as connection:
        connection.execute("CREATE TABLE b (id int)")

    assert "adopt" in _hint(database, tmp_path, "CREATE TABLE a (b int);\nCREATE TABLE b (id int);\n")
