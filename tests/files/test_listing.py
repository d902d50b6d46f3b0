"""What stands in a folder: nothing that looks like a migration is left out without a word, and no pipe is opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.folder import read_migrations


def lay_out(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"SELECT '{name}'")
    return folder


def refused(folder: Path) -> BadMigrationFile:
    with pytest.raises(BadMigrationFile) as caught:
        read_migrations(folder)
    return caught.value


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("b.SQL", "b.sql"),
        ("b.Sql", "b.sql"),
        ("b.pgsql", "b.sql"),
        ("b.psql", "b.sql"),
        ("b.ddl", "b.sql"),
        ("b.sql.txt", "b.sql"),
        ("b.sql ", "b.sql"),
        ("b.sql (1)", "b.sql"),
        ("b.sql.j2", "b.sql"),
        ("b.sql.gz", "unpack it"),
    ],
)
def test_what_looks_like_sql_is_not_left_out_in_silence(tmp_path: Path, name: str, meant: str) -> None:
    error = refused(lay_out(tmp_path, "a.sql", name))
    assert str(tmp_path / name) in error.message and "would be left out" in error.message
    assert meant in error.hint.splitlines()[0]
    command = error.hint.splitlines()[1].partition(": ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert [m.id for m in read_migrations(tmp_path)] == ["a"]


@pytest.mark.parametrize("name", ["2024/c.sql", "2024/q1/c.sql", "2024/c.SQL"])
def test_sub_folders_with_sql_are_not_left_out_in_silence(tmp_path: Path, name: str) -> None:
    error = refused(lay_out(tmp_path, "a.sql", name))
    assert str(tmp_path / name) in error.message and "--recursive" in error.hint
    command = error.hint.splitlines()[1].partition(": ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert [m.id for m in read_migrations(tmp_path)] == ["a"]


def test_what_an_editor_or_a_person_put_aside_is_nobodys_business(tmp_path: Path) -> None:
    names = ["x.sql~", "x.sql.orig", "x.sql.bak", "#x.sql#", ".x.sql.swp", "x.sql.rej", "x.sql.skip", "x.sql.disabled"]
    lay_out(tmp_path, "a.sql", *names, "README.md", "x.sqlite", "img/x.png", "_old/b.sql", ".git/c.sql")
    assert [m.id for m in read_migrations(tmp_path)] == ["a"]


def test_recursive_reads_sub_folders_by_name_with_their_rollback_files(tmp_path: Path) -> None:
    lay_out(
        tmp_path, "2.sql", "b/1.sql", "b/1.rollback.sql", "a/c/3.sql", "_old/0.sql", ".x/0.sql", "reconcile/x/0.sql"
    )
    found = read_migrations(tmp_path, recursive=True)
    assert [m.id for m in found] == ["1", "2", "3"]
    assert found.items[0].rollback_path == str(tmp_path / "b" / "1.rollback.sql")
    lay_out(tmp_path, "d/1.sql")
    with pytest.raises(BadMigrationFile, match="two migration files have the id 1"):
        read_migrations(tmp_path, recursive=True)


def test_recursive_knows_another_tools_folder_at_any_depth(tmp_path: Path) -> None:
    lay_out(tmp_path, "1.sql", "old/2.up.sql", "old/2.down.sql")
    with pytest.raises(BadMigrationFile, match="this is another tool's folder"):
        read_migrations(tmp_path, recursive=True)


def test_recursive_ends_where_links_go_in_a_circle(tmp_path: Path) -> None:
    lay_out(tmp_path, "a/1.sql")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert [m.id for m in read_migrations(tmp_path, recursive=True)] == ["1"]


@pytest.mark.parametrize("name", ["b.sql", "b.rollback.sql", "b.SQL"])
@pytest.mark.parametrize("kind", ["FIFO", "folder", "device", "socket"])
def test_what_is_no_file_is_refused_by_name_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    path = lay_out(tmp_path, "a.sql") / name
    match kind:
        case "FIFO":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "socket":
            monkeypatch.chdir(tmp_path)  # a socket's whole path must be short
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind(name)
    error = refused(tmp_path)
    assert f"{path} is a " in error.message and kind in error.message


@pytest.mark.parametrize("others", [(), ("README.md",), ("x/notes.md",), ("20240101_users.rb",), ("b.rollback.sql",)])
def test_a_folder_without_a_migration_is_refused_with_what_is_in_it(tmp_path: Path, others: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="there is no migration") as caught:
        read_migrations(lay_out(tmp_path, *others)).refuse_empty()
    assert all(o.split("/", maxsplit=1)[0] in caught.value.message for o in others if "rollback" not in o)


def test_names_are_utf8_in_every_locale(tmp_path: Path) -> None:
    lay_out(tmp_path, "größe/01_é.sql", "größe/01_é.rollback.sql", "größe/02_b.sql")
    code = (
        "import sys; from wflo_schema.files.folder import load_script, read_migrations\n"
        "found = read_migrations(sys.argv[1])\n"
        "print(ascii([m.id for m in found]), load_script(found.resolve(sys.argv[2])).source.isascii())\n"
        "assert found.items[0].rollback_path and found.items[0].hash"
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-c", code, str(tmp_path / "größe"), "01_é"]
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{['01_é', '02_b']!a} False\n", "")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("before_all", "before-all"),
        ("beforeall", "before-all"),
        ("beforeEachMigrate", "before-each"),
        ("afterMigrate", "after-all"),
        ("after-eahc", "after-each"),
        ("afterRollback", "after-rollback"),
        ("after-all.rollback", "after-rollback"),
    ],
)
def test_a_hook_of_another_name_is_refused_with_the_nearest(tmp_path: Path, name: str, meant: str) -> None:
    error = refused(lay_out(tmp_path, "1.sql", f"hooks/{name}.sql"))
    assert f"hooks/{name}.sql is no hook: hooks/ holds before-all.sql, " in error.message
    assert error.hint.startswith(f"did you mean {meant}? mv ")


@pytest.mark.parametrize("name", ["hooks/grants.sql", "hooks/inner/before-all.sql"])
def test_other_sql_among_the_hooks_is_refused(tmp_path: Path, name: str) -> None:
    error = refused(lay_out(tmp_path, "1.sql", name))
    assert "is no hook" in error.message
    assert "move it out of hooks/" in error.hint


def test_hooks_are_no_migrations_and_what_is_no_sql_does_not_disturb(tmp_path: Path) -> None:
    names = ("hooks/before-all.sql", "hooks/README.md", "hooks/after-each.sql~")
    found = read_migrations(lay_out(tmp_path, "1.sql", *names))
    assert [m.id for m in found] == ["1"]
    assert [m.id for m in found.hooks] == ["hooks/before-all"]
    assert found.get("hooks/before-all") is None


def test_hooks_are_found_with_sub_folders_too_and_twice_is_too_often(tmp_path: Path) -> None:
    one = lay_out(tmp_path / "one", "1.sql", "hooks/before-all.sql", "inner/2.sql")
    other = lay_out(tmp_path / "other", "3.sql", "hooks/before-all.sql")
    found = read_migrations(one, recursive=True)
    assert ([m.id for m in found], [m.id for m in found.hooks]) == (["1", "2"], ["hooks/before-all"])
    with pytest.raises(BadMigrationFile, match="two files have the id hooks/before-all"):
        read_migrations(one, other, recursive=True)


@pytest.mark.parametrize(
    ("name", "directive", "is_fine"),
    [
        ("before-all", "lock-timeout: 3s", True),
        ("before-each", "lock-timeout: 3s", False),
        ("after-rollback", "lock-timeout: 3s", False),
        ("after-all", "block-timeout: 30s", True),
        ("after-each", "block-timeout: 30s", False),
        ("after-all", "transactional: false", False),
        ("after-all", "transactional: true", True),
        ("after-all", "depends: 1", False),
        ("after-all", "was: 0", False),
        ("after-rollback", "nothing-to-undo: none", False),
    ],
)
def test_a_hook_has_only_the_directives_that_it_obeys(tmp_path: Path, name: str, directive: str, is_fine: bool) -> None:
    path = lay_out(tmp_path, "1.sql", f"hooks/{name}.sql") / "hooks" / f"{name}.sql"
    path.write_text(f"-- why\n-- {directive}\nSELECT 1")
    if is_fine:
        assert read_migrations(tmp_path).hooks
        return
    error = refused(tmp_path)
    assert f"a hook has no -- {directive.partition(':')[0]}:" in error.message
    assert error.location is not None
    assert (error.location.path, error.location.line) == (str(path), 2)


def test_a_hook_has_no_rollback_file(tmp_path: Path) -> None:
    error = refused(lay_out(tmp_path, "1.sql", "hooks/before-all.sql", "hooks/before-all.rollback.sql"))
    assert "has a rollback file, which would never be run" in error.message
    assert "hooks/after-rollback.sql" in error.hint
