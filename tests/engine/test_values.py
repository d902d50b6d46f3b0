"""Variables on a server: what is put in, what is recorded, and what a rollback and a replay do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_operations import Folder
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Result
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import replayed

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

TABLE = "-- variables: name, region\nCREATE TABLE :\"name\" (region text DEFAULT :'region');\n"
DROP = '-- variables: name\nDROP TABLE :"name";\n'
VALUES = {"name": 'a "b" c', "region": "it's\n\\ é"}


@pytest.fixture
def folder(tmp_path: Path, database: Database) -> Folder:
    path = tmp_path / "migrations"
    path.mkdir()
    return Folder(path, database)


def migrate(folder: Folder, values: dict[str, str], **options: Any) -> Result:
    return operations.migrate(folder.database, read_migrations(folder.path, variables=values), **options)


def roll_back(folder: Folder, values: dict[str, str] | None = None, **options: Any) -> Result:
    return operations.rollback(folder.database, read_migrations(folder.path, variables=values), **options)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def recorded(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT migration_id, name, value FROM _wflo_schema_variable ORDER BY 1, 2")


def has_table(database: Database, name: str) -> bool:
    return bool(rows(database, f"SELECT 1 FROM pg_tables WHERE tablename = '{name}'"))


def test_values_arrive_as_they_are_and_are_recorded(folder: Folder) -> None:
    folder.write("1_a", TABLE, rollback=DROP)
    migrate(folder, VALUES)
    with folder.database.connect() as connection:
        connection.execute('INSERT INTO "a ""b"" c" DEFAULT VALUES')
        assert connection.execute('SELECT region FROM "a ""b"" c"').fetchone() == ("it's\n\\ é",)
    assert recorded(folder.database) == [("1_a", "name", 'a "b" c'), ("1_a", "region", "it's\n\\ é")]
    assert operations.status(folder.database, read_migrations(folder.path, variables={"name": "x"})).applied


def test_rollback_uses_what_was_recorded_and_forgets_it(folder: Folder) -> None:
    folder.write("1_a", TABLE, rollback=DROP)
    migrate(folder, VALUES)
    roll_back(folder, {"name": "another"})
    assert not has_table(folder.database, 'a "b" c')
    assert recorded(folder.database) == []
    migrate(folder, {**VALUES, "name": "b"})
    assert has_table(folder.database, "b")
    roll_back(folder)
    assert not has_table(folder.database, "b")


def test_missing_value_is_refused_before_anything_runs(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE one ();")
    folder.write("2_b", TABLE)
    with pytest.raises(Refused, match=r"2 variables have no value: name \(.*2_b\.sql:2\), region") as caught:
        migrate(folder, {})
    assert "--set name=VALUE --set region=VALUE" in caught.value.hint
    assert not has_table(folder.database, "one")
    planned = operations.plan(folder.database, read_migrations(folder.path))
    assert [m.id for m in planned.pending] == ["1_a", "2_b"]
    assert [case for case, _, _ in planned.refusals] == [None]
    migrate(folder, {}, to="1_a")
    assert has_table(folder.database, "one")


def test_value_of_the_rollback_file_is_needed_when_it_is_applied(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE one ();", rollback='-- variables: name\nDROP TABLE :"name";')
    with pytest.raises(BadMigrationFile, match=r"1_a\.rollback\.sql:2: the variable name has no value"):
        migrate(folder, {})
    assert not has_table(folder.database, "one")


def test_secret_is_recorded_by_name_alone(folder: Folder) -> None:
    folder.write(
        "1_a", "-- variables: pw (secret)\nCREATE TABLE one (a text DEFAULT :'pw');", rollback="DROP TABLE one;"
    )
    migrate(folder, {"pw": "hush"})
    assert recorded(folder.database) == [("1_a", "pw", None)]


HEAD = "-- variables: pw (secret)\n"
RUN_BY_CODE = """SELECT set_config('a.b', 'SELECT ' || quote_literal(:'pw') || ' nowhere(', FALSE);
DO $$ BEGIN RAISE NOTICE '%', current_setting('a.b'); EXECUTE current_setting('a.b'); END $$;
"""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("1_a.sql", "SELECT :'pw'::int;"),
        ("1_a.sql", RUN_BY_CODE),
        ("1_a.sql", "CREATE TABLE one (a text UNIQUE);\nINSERT INTO one VALUES (:'pw'), (:'pw');"),
        ("hooks/before-all.sql", "SELECT :'pw'::int;"),
        ("hooks/after-each.sql", "SELECT :'pw'::int;"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_secret_is_in_no_message_of_the_server(folder: Folder, file: str, text: str, together: bool) -> None:
    folder.write("1_a", "SELECT 1;", rollback="SELECT 1;")
    (folder.path / "hooks").mkdir()
    (folder.path / file).write_text(HEAD + text, encoding="utf-8")
    said: list[object] = []
    with pytest.raises(MigrationFailed) as caught:
        migrate(folder, {"pw": "hu'sh"}, together=together, notify=said.append)
    error = caught.value
    shown = f"{error.message} {error.hint} {error.detail} {error.server_hint} {error.context} {said}"
    assert "…" in shown and "hu" not in shown


def test_failure_names_the_place_and_not_the_value(folder: Folder) -> None:
    folder.write("1_a", "-- variables: x\nSELECT :'x' AS a,\n  :'x' || nowhere;")
    with pytest.raises(MigrationFailed) as caught:
        migrate(folder, {"x": "hush\n" * 20})
    error = caught.value
    assert error.location is not None
    assert (error.location.line, error.location.column) == (3, 11)
    assert error.source_line == "  :'x' || nowhere;"
    assert "hush" not in f"{error}{error.hint}{error.statement}{error.source_line}{error.detail}"


def test_syntax_error_names_the_place(folder: Folder) -> None:
    folder.write("1_a", "-- variables: x\nSELECT :'x' ,, 1;")
    with pytest.raises(BadMigrationFile) as caught:
        migrate(folder, {"x": "\\hush" * 20})
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (2, 14)


def test_many_files_of_which_some_have_variables(folder: Folder) -> None:
    for number in range(12):
        text = f"CREATE TABLE t{number} (a int);"
        if number % 3 == 0:
            text = f"-- variables: n\nCREATE TABLE t{number} (a int DEFAULT :'n');"
        folder.write(f"{number:02}_t", text, rollback=f"DROP TABLE t{number};")
    migrate(folder, {"n": "7"})
    assert [row[0] for row in recorded(folder.database)] == ["00_t", "03_t", "06_t", "09_t"]
    roll_back(folder, count=12)
    assert recorded(folder.database) == []


def test_statement_by_statement_records_and_forgets(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE one (a int);", rollback="DROP TABLE one;")
    folder.write(
        "2_b",
        '-- transactional: false\n-- variables: ix\nCREATE INDEX CONCURRENTLY :"ix" ON one (a);',
        rollback='-- variables: ix\nDROP INDEX :"ix";',
    )
    migrate(folder, {"ix": "my ix"})
    assert recorded(folder.database) == [("2_b", "ix", "my ix")]
    roll_back(folder)
    assert recorded(folder.database) == []


def test_interrupted_file_does_not_go_on_with_another_value(folder: Folder) -> None:
    folder.write("1_a", '-- transactional: false\n-- variables: x\nCREATE TABLE :"x" ();\nSELECT 1 / 0;')
    with pytest.raises(MigrationFailed):
        migrate(folder, {"x": "one"})
    with pytest.raises(Refused, match=r"or a variable \(x\) has another value now"):
        migrate(folder, {"x": "two"})


def test_renamed_file_keeps_its_values(folder: Folder) -> None:
    folder.write("1_a", TABLE, rollback=DROP)
    migrate(folder, VALUES)
    (folder.path / "1_a.sql").rename(folder.path / "1_b.sql")
    (folder.path / "1_a.rollback.sql").rename(folder.path / "1_b.rollback.sql")
    folder.write("1_b", f"-- was: 1_a\n{TABLE}")
    migrate(folder, {})
    roll_back(folder, {})
    assert not has_table(folder.database, 'a "b" c')
    assert recorded(folder.database) == []


def test_baseline_records_what_is_given(folder: Folder) -> None:
    folder.write("1_a", TABLE, rollback=DROP)
    operations.baseline(folder.database, read_migrations(folder.path, variables=VALUES), ["1_a"])
    assert recorded(folder.database) == [("1_a", "name", 'a "b" c'), ("1_a", "region", "it's\n\\ é")]
    other = Folder(folder.path, folder.database)
    roll = read_migrations(other.path)
    with pytest.raises(MigrationFailed, match="does not exist"):
        operations.rollback(folder.database, roll)


def test_replay_makes_what_was_made_in_the_target(folder: Folder) -> None:
    folder.write("1_a", TABLE, rollback=DROP)
    migrate(folder, VALUES)
    made = replayed(folder.database, read_migrations(folder.path, variables={"name": "x", "region": "y"}))
    assert 'a "b" c' in {o.path[-1] for o in made.objects if o.kind == "table"}


def test_failure_in_a_replay_names_the_place(folder: Folder) -> None:
    text = (
        "-- variables: x\nSELECT :'x';\n"
        "DO $$ BEGIN EXECUTE 'SELECT 1'; END $$;\nSELECT :'x', 1;\nSELECT :'x' ||\n  nowhere;"
    )
    folder.write("1_a", text)
    with pytest.raises(MigrationFailed) as caught:
        replayed(folder.database, read_migrations(folder.path, variables={"x": "hush\n" * 9}))
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (6, 3)
    assert caught.value.source_line == "  nowhere;"


def test_two_runs_at_once_record_once(folder: Folder) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for number in range(6):
        folder.write(f"{number}_t", f"-- variables: n\nCREATE TABLE t{number} (a int DEFAULT :'n');")
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(migrate, folder, {"n": "7"}) for _ in range(3)]:
            done.result()
    assert [row[0] for row in recorded(folder.database)] == [f"{n}_t" for n in range(6)]


def test_repeatable_is_applied_again_when_a_value_changed(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE one (a int);")
    (folder.path / "repeatable").mkdir()
    view = folder.path / "repeatable" / "v.sql"
    view.write_text("-- variables: x\nCREATE OR REPLACE VIEW v AS SELECT :'x'::text AS x;")
    with pytest.raises(Refused, match=r"this variable has no value: x \(.*v\.sql:2\)"):
        migrate(folder, {})
    for value in ("one", "it's\ntwo"):
        migrate(folder, {"x": value})
        assert rows(folder.database, "SELECT x FROM v") == [(value,)]
        found = operations.status(folder.database, read_migrations(folder.path, variables={"x": value}))
        assert not found.to_repeat
        assert operations.status(folder.database, read_migrations(folder.path)).to_repeat == ()
        assert recorded(folder.database) == [("repeatable/v", "x", value)]
    made = replayed(folder.database, read_migrations(folder.path))
    assert any("two" in str(o) for o in made.objects)
    view.write_text("-- variables: x (secret)\nCREATE OR REPLACE VIEW v AS SELECT :'x'::text AS x;")
    with pytest.raises(BadMigrationFile, match="x cannot be a secret"):
        read_migrations(folder.path)


def test_hooks_take_variables(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE one (a text);")
    (folder.path / "hooks").mkdir()
    (folder.path / "hooks" / "after-each.sql").write_text("-- variables: x\nINSERT INTO one VALUES (:'x');")
    with pytest.raises(Refused, match="this variable has no value: x"):
        migrate(folder, {})
    assert len(operations.plan(folder.database, read_migrations(folder.path)).refusals) == 1
    migrate(folder, {"x": "it's"})
    assert rows(folder.database, "TABLE one") == [("it's",)]


def test_together_records_and_forgets(folder: Folder) -> None:
    folder.write("1_a", TABLE, rollback=DROP)
    folder.write("2_b", "-- variables: n\nCREATE TABLE b (x text DEFAULT :'n');", rollback="DROP TABLE b;")
    migrate(folder, {**VALUES, "n": "7"}, together=True)
    assert [row[1:] for row in recorded(folder.database)] == [*VALUES.items(), ("n", "7")]
    roll_back(folder, {"name": "another"}, count=2, together=True)
    assert recorded(folder.database) == []
    assert not has_table(folder.database, 'a "b" c')
