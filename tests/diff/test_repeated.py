"""What repeatable files make is told beside the migration, and is no part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.diff.test_operations import found, run
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.show.differences import diff_sql

pytestmark = pytest.mark.spread_over_servers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    (made / "repeatable").mkdir(parents=True)
    (made / "0001-users.sql").write_text("CREATE TABLE users (id integer, name text, age integer);\n")
    (made / "0001-users.rollback.sql").write_text("DROP TABLE users;\n")
    (made / "repeatable" / "adults.sql").write_text(
        "CREATE OR REPLACE VIEW adults AS SELECT id, name, age FROM users WHERE age >= 18;\n"
    )
    (made / "repeatable" / "one.sql").write_text(
        "CREATE OR REPLACE FUNCTION one(a integer, b integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"
        "CREATE OR REPLACE TRIGGER same BEFORE UPDATE ON users FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger();\n"
    )
    return made


@pytest.fixture
def migrated(database: Database, folder: Path) -> Database:
    operations.migrate(database, read_migrations(folder))
    return database


def test_what_the_files_make_is_no_difference(migrated: Database, folder: Path) -> None:
    result = found(migrated, folder)
    assert result.is_equal
    assert result.statements == ()


def test_a_change_of_it_is_for_its_file(migrated: Database, folder: Path) -> None:
    run(migrated, "CREATE OR REPLACE VIEW adults AS SELECT id, name, age FROM users WHERE age >= 21")
    result = found(migrated, folder)
    assert not result.is_equal
    assert result.statements == ()
    (edit,) = result.edits
    assert edit.path == str(folder / "repeatable" / "adults.sql")
    assert "21" in edit.text
    assert f"-- for {edit.path}, and not for a migration\n\n{edit.text}" in diff_sql(result)
    with pytest.raises(Refused, match=r"belongs into these: .*adults.sql"):
        found(migrated, folder, name="older")


def test_a_table_below_it_changes_alone(migrated: Database, folder: Path) -> None:
    run(
        migrated,
        "DROP VIEW adults; ALTER TABLE users ALTER age TYPE bigint;"
        "CREATE VIEW adults AS SELECT id, name, age FROM users WHERE age >= 18",
    )
    written = found(migrated, folder, name="long ages")
    assert written.edits == ()
    assert [s.text for s in written.statements] == ["ALTER TABLE public.users ALTER COLUMN age TYPE bigint;"]
    assert [s.text for s in written.rollback] == ["ALTER TABLE public.users ALTER COLUMN age TYPE integer;"]


def test_a_file_that_does_not_run_behind_it_says_so(migrated: Database, folder: Path) -> None:
    run(
        migrated,
        "DROP VIEW adults; ALTER TABLE users DROP age; ALTER TABLE users ADD born date;"
        "CREATE VIEW adults AS SELECT id, name FROM users WHERE born < '2008-01-01';"
        "DROP FUNCTION one(integer, integer)",
    )
    result = found(migrated, folder)
    assert [s.kind for s in result.statements] == ["column", "column"]
    of_view = next(e for e in result.edits if e.object == "view public.adults")
    assert "age" in of_view.failure
    gone = next(e for e in result.edits if e.object == "function public.one(integer, integer)")
    assert (Path(gone.path).name, gone.text) == ("one.sql", "DROP FUNCTION public.one(integer, integer);")
    assert found(migrated, folder, name="born").paths


def test_a_file_may_be_edited_first(migrated: Database, folder: Path) -> None:
    text = "CREATE OR REPLACE VIEW adults AS SELECT id, name, age, born FROM users WHERE age >= 18"
    run(migrated, f"ALTER TABLE users ADD born date; {text}")
    (folder / "repeatable" / "adults.sql").write_text(f"{text};\n")
    result = found(migrated, folder)
    assert result.edits == ()
    assert [s.text for s in result.statements] == ["ALTER TABLE public.users ADD COLUMN born date;"]


def test_what_is_made_from_it_by_hand_is_for_a_file_as_well(migrated: Database, folder: Path) -> None:
    run(migrated, "CREATE VIEW elders AS SELECT id FROM adults WHERE age > 60; CREATE TABLE notes (id integer)")
    result = found(migrated, folder)
    assert [s.kind for s in result.statements] == ["table"]
    assert [(e.path, e.object) for e in result.edits] == [("", "view public.elders")]


def test_a_folder_of_repeatable_files_alone(migrated: Database, folder: Path) -> None:
    (folder / "0001-users.sql").unlink()
    (folder / "0001-users.rollback.sql").unlink()
    (folder / "repeatable" / "adults.sql").write_text("CREATE OR REPLACE VIEW adults AS SELECT 1 AS id;\n")
    (folder / "repeatable" / "one.sql").unlink()
    run(migrated, "DROP TABLE users CASCADE; CREATE VIEW adults AS SELECT 1 AS id;")
    result = found(migrated, folder)
    (edit,) = result.edits
    assert (edit.path, edit.object) == ("repeatable/one.sql (deleted)", "function public.one(integer, integer)")
