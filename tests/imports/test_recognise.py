"""Whose a folder is, and where in a project its migrations are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, sqitch
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.imports.operations import import_folder

A, B = "CREATE TABLE a (id integer);\n", "CREATE TABLE b (id integer);\n"

# What a project holds, by the tool and the folder that its migrations are in.
PROJECTS: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "golang-migrate": (
        "golang-migrate",
        "db/migrations",
        {"go.mod": "module x\n", "db/migrations/1_a.up.sql": A, "db/migrations/2_b.up.sql": B, "db/queries/q.sql": A},
    ),
    "sqlx": (
        "sqlx",
        "migrations",
        {"Cargo.toml": "sqlx = 1\n", "migrations/1_a.up.sql": A, "migrations/2_b.up.sql": B},
    ),
    "sqlx without pairs": (
        "sqlx",
        "migrations",
        {"Cargo.toml": "sqlx = 1\n", "src/q.sql": "SELECT 1", "migrations/1_a.sql": A, "migrations/2_b.sql": B},
    ),
    "dbmate": (
        "dbmate",
        "db/migrations",
        {
            "db/schema.sql": A + B,
            **{f"db/migrations/{n}_x.sql": f"-- migrate:up\n{sql}-- migrate:down\n" for n, sql in ((1, A), (2, B))},
        },
    ),
    "goose": (
        "goose",
        "sql/migrations",
        {f"sql/migrations/{n}_x.sql": f"-- +goose Up\n{sql}" for n, sql in ((1, A), (2, B))},
    ),
    "tern": (
        "tern",
        "db",
        {"tern.conf": "[database]\n", "db/1_a.sql": A, "db/2_b.sql": f"{B}---- create above / drop below ----\n"},
    ),
    "Atlas": (
        "Atlas",
        "migrations",
        {"schema.sql": A + B, "migrations/1.sql": A, "migrations/2.sql": f"-- atlas:txmode none\n\n{B}"},
    ),
    "postgres-migrations": (
        "postgres-migrations",
        "sql",
        {"package.json": '{"dependencies": {"postgres-migrations": "5"}}', "sql/1_a.sql": A, "sql/2_b.sql": B},
    ),
    "Drizzle": (
        "Drizzle",
        "drizzle",
        {
            "drizzle/meta/_journal.json": json.dumps({"entries": [{"tag": "0000_a"}, {"tag": "0001_b"}]}),
            "drizzle/0000_a.sql": A,
            "drizzle/0001_b.sql": B,
        },
    ),
    "yoyo": (
        "yoyo",
        "db",
        {
            "yoyo.ini": "",
            "x.sql": A,
            **{f"db/{n}.x.py": f'from yoyo import step\nstep("{s.strip()}")\n' for n, s in ((1, A), (2, B))},
        },
    ),
    "sqlx of four digits": (
        "sqlx",
        "migrations",
        {"Cargo.toml": "sqlx = 1\n", "migrations/0001_a.sql": A, "migrations/0002_b.sql": B},
    ),
    "yoyo with SQL": (
        "yoyo",
        "db",
        {
            "db/0001_a.py": f'from yoyo import step\nstep("{A.strip()}")\n',
            "db/0002_b.sql": B,
            "db/0002_b.rollback.sql": "DROP TABLE b;\n",
        },
    ),
    "Supabase without settings": (
        "supabase",
        "",
        {"supabase/migrations/1_a.sql": A, "supabase/migrations/2_b.sql": B, "supabase/seed.sql": A},
    ),
    "pop": (
        "pop",
        "",
        {"go.mod": "require github.com/gobuffalo/pop/v6 v6\n", "db/1_a.up.sql": A, "db/2_b.up.sql": B},
    ),
}


@pytest.mark.parametrize("case", PROJECTS)
def test_in_a_project_the_folder_of_the_migrations_is_found(tmp_path: Path, case: str) -> None:
    tool, home, files = PROJECTS[case]
    found = imported(tmp_path, files)
    assert (found.tool, found.folder) == (tool, str(tmp_path / "theirs" / home).rstrip("/"))
    assert found.reason
    assert [("a (id" in text, "b (id" in text) for text in _texts(tmp_path)] == [(True, False), (False, True)]


def test_the_folder_of_supabase_is_enough(tmp_path: Path) -> None:
    project = lay(tmp_path, PROJECTS["Supabase without settings"][2])
    found = import_folder(str(project / "supabase"), tmp_path / "ours")
    assert (found.tool, len(found.files)) == ("supabase", 2)


def _texts(root: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((root / "ours").glob("*[!k].sql"))]


def test_of_several_folders_in_a_project_one_is_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match="2 folders with migrations of golang-migrate: one, two") as refused:
        imported(tmp_path, {"one/1_a.up.sql": A, "two/1_b.up.sql": B})
    assert f"wflo-schema import {tmp_path / 'theirs' / 'one'} --from golang-migrate" in str(refused.value.hint)


def test_folders_of_two_tools_in_a_project_are_named_with_their_own(tmp_path: Path) -> None:
    files = {
        "one/01_a.json": '{"operations": [{"sql": {"up": "SELECT 1"}}]}',
        "two/1.x.py": PROJECTS["yoyo"][2]["db/1.x.py"],
    }
    with pytest.raises(BadMigrationFile, match="of pgroll or yoyo: one, two") as refused:
        imported(tmp_path, files)
    assert "one --from pgroll\n" in str(refused.value.hint)
    assert str(refused.value.hint).endswith("two --from yoyo")


@pytest.mark.parametrize(
    ("names", "typed"),
    [
        (("0001_a.sql", "0010_b.sql"), "--from plain\n"),
        (("2_a.sql", "10_b.sql"), "--from plain --order number\n"),
        (("tables.sql", "views.sql"), "--from plain --order FILE, which lists them one a line\n"),
    ],
)
@pytest.mark.parametrize("home", ["", "sql"])
def test_where_nothing_shows_a_tool_it_is_said_what_to_type(
    tmp_path: Path, names: tuple[str, str], typed: str, home: str
) -> None:
    with pytest.raises(BadMigrationFile, match="nothing in") as refused:
        imported(tmp_path, {f"{home}/{name}".lstrip("/"): text for name, text in zip(names, (A, B), strict=True)})
    hint = str(refused.value.hint)
    assert f"wflo-schema import {tmp_path / 'theirs' / home} {typed}".replace("/ ", " ") in hint
    assert "node-pg-migrate or" in hint
    assert "goose" not in hint  # it would refuse them


def test_where_a_file_reads_others_it_is_the_one_to_import(tmp_path: Path) -> None:
    files = {"install.sql": "\\i tables/a.sql\n\\include_relative 'all.sql'\n", "all.sql": "\\ir tables/b.sql\n"}
    with pytest.raises(BadMigrationFile, match="nothing in") as refused:
        imported(tmp_path, {**files, "tables/a.sql": A, "tables/b.sql": "SELECT E'\\\\i c.sql';\n"})
    (command,) = re.findall(r"reads others: wflo-schema import (\S+)", str(refused.value.hint))
    assert command.endswith("/install.sql") and len(import_folder(command, tmp_path / "new").files) == 1


def test_a_project_named_by_a_dot_leaves_its_paths_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, {"db/V1__a.sql": "SELECT ${x};\n"})
    monkeypatch.chdir(tmp_path / "theirs")
    (file,) = import_folder(".", Path("migrations")).files
    assert file.notes[0].startswith("db/V1__a.sql:1: ")


def test_the_files_may_be_written_into_the_project_that_is_imported(tmp_path: Path) -> None:
    project = lay(tmp_path, sqitch({"a": A, "b": B}))
    into = project / "migrations"
    import_folder(str(project), into, write=True)
    again = import_folder(str(project), into, follow=True, write=True)
    assert [file.is_new for file in again.files] == [False, False]
    assert not [left for left in again.left_out if "migrations" in left.removeprefix(str(project))]
    with pytest.raises(Refused, match="lie one in the other"):
        import_folder(str(project), project / "deploy" / "ours")


@pytest.mark.parametrize("into", ["m", "m/new", "."])
def test_nothing_is_written_where_the_tool_reads(tmp_path: Path, into: str) -> None:
    project = lay(tmp_path, {"m/1_a.up.sql": A})
    with pytest.raises(Refused, match=r"same folder|lie one in the other|not empty"):
        import_folder(str(project), project / into, write=True)
    assert sorted(path.name for path in project.rglob("*")) == ["1_a.up.sql", "m"]


def test_pairs_beside_plain_files_are_refused_unless_the_program_says_whose_they_are(tmp_path: Path) -> None:
    files = {"1_a.up.sql": "CREATE TABLE a ();\n", "1_a.down.sql": "DROP TABLE a;\n", "2_b.sql": "CREATE TABLE b ();\n"}
    with pytest.raises(BadMigrationFile, match=r"2 files as golang-migrate names them, and 1 file .*2_b\.sql") as error:
        imported(tmp_path, files)
    assert "--from sqlx" in error.value.hint
    (tmp_path / "go.mod").write_text("require github.com/golang-migrate/migrate/v4 v4.0.0\n")
    assert len(imported(tmp_path, files).files) == 1


def test_yoyos_settings_show_a_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "yoyo.ini").write_text("[DEFAULT]\nsources = theirs\n")
    with pytest.raises(Refused, match="a folder of ours already"):
        imported(tmp_path, {"20230717_01_first.sql": "CREATE TABLE a ();\n"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package.json", '{"dependencies": {"node-pg-migrate": "7"}}'),
        ("package.json", '{"devDependencies": {"postgres-migrations": "5"}}'),
        ("refinery.toml", ""),
        ("Cargo.toml", "[dependencies]\nrefinery = 1\n"),
        ("manage.py", "import django\n"),
    ],
)
def test_a_file_of_sql_that_is_named_is_not_read_as_what_stands_around_it(tmp_path: Path, name: str, text: str) -> None:
    project = lay(tmp_path, {name: text, f"db/{name}": text, "db/schema.sql": A})
    found = import_folder(str(project / "db" / "schema.sql"), tmp_path / "ours")
    assert (found.tool, [file.id for file in found.files]) == ("plain", ["0001_schema"])
