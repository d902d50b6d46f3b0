"""Two branches meet: what is late or has two heads gets an order again by one command, and CI sees it before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.one_server

BASE = "20261101_01_aaaaa-base"
OURS = "20261102_090000_bbbbb-ours"
THEIRS = "20261102_100000_ccccc-theirs"


def write(folder: Path, migration_id: str, *, depends: str = "") -> Path:
    """A migration that makes a table of its own, called like the last word of its id."""
    folder.mkdir(exist_ok=True)
    table = migration_id.rpartition("-")[2]
    head = f"-- depends: {depends}\n" if depends else ""
    (folder / f"{migration_id}.rollback.sql").write_text(f"DROP TABLE {table};\n")
    path = folder / f"{migration_id}.sql"
    path.write_text(f"{head}CREATE TABLE {table} (id integer PRIMARY KEY);\n")
    return path


@pytest.fixture
def met(database: Database, tmp_path: Path) -> Path:
    """Both branches are merged; the database has the base and theirs, which sorts after ours."""
    folder = tmp_path / "migrations"
    write(folder, BASE)
    write(folder, THEIRS, depends=BASE)
    operations.migrate(database, read_migrations(folder))
    write(folder, OURS, depends=BASE)
    return tmp_path


def test_a_merge_settles_heads_and_late_in_one_step(database: Database, met: Path) -> None:
    env = {"DATABASE_URL": database.url}
    ran = run("migrate", cwd=met, env=env)
    assert ran.code == 3 and "sorts before one that is applied" in ran.err and "2 heads" in ran.err
    assert ran.err.count("join the branches: wflo-schema new --merge") == 1
    assert ran.err.count("join them: wflo-schema new --merge") == 1
    assert run("new", "--merge", cwd=met).code == 0
    assert run("plan", cwd=met, env=env).code == 0
    assert run("migrate", cwd=met, env=env).code == 0
    status = operations.status(database, read_migrations(met / "migrations"))
    assert (len(status.applied), status.pending) == (4, ())
    assert run("rollback", "-n", "4", cwd=met, env=env).code == 0


def test_a_merge_excuses_no_migration_of_a_later_branch(database: Database, met: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("new", "--merge", cwd=met)
    assert run("migrate", cwd=met, env=env).code == 0
    write(met / "migrations", "20261101_500000_ddddd-older", depends=BASE)
    ran = run("migrate", cwd=met, env=env)
    assert ran.code == 3 and "sorts before one that is applied: 20261101_500000_ddddd-older" in ran.err


def test_what_comes_late_is_moved_by_the_command_that_is_told(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    folder = tmp_path / "migrations"
    write(folder, BASE)
    write(folder, THEIRS)
    operations.migrate(database, read_migrations(folder))
    write(folder, OURS)
    ran = run("migrate", cwd=tmp_path, env=env)
    assert ran.code == 3 and f"wflo-schema move {OURS} --last" in ran.err
    assert run("move", THEIRS, "--last", cwd=tmp_path, env=env).code == 3
    moved = run("move", OURS, "--last", cwd=tmp_path, env=env)
    assert moved.code == 0 and len(moved.out.splitlines()) == 2
    assert run("migrate", cwd=tmp_path, env=env).code == 0
    assert operations.rollback(database, read_migrations(folder)).ids[0].endswith("-ours")


def test_without_a_database_a_move_warns(tmp_path: Path) -> None:
    write(tmp_path / "migrations", BASE)
    ran = run("move", BASE, "--last", cwd=tmp_path)
    assert ran.code == 0 and "no database was asked whether" in ran.err
    assert run("move", BASE, cwd=tmp_path).code == 2


def test_what_an_applied_migration_depends_on_is_not_moved(database: Database, met: Path) -> None:
    write(met / "migrations", "20261103_01_eeeee-next", depends=OURS)
    env = {"DATABASE_URL": database.url}
    assert run("migrate", "--allow", "late", "--allow", "heads", cwd=met, env=env).code == 0
    with database.connect() as connection:
        connection.execute("DELETE FROM _yoyo_migration WHERE migration_id = %s", [OURS])
    ran = run("move", OURS, "--last", cwd=met, env=env)
    assert ran.code == 3 and "depends on" in ran.err and (met / "migrations" / f"{OURS}.sql").exists()


# beside a revision


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """main has the base and theirs; the branch feature, checked out, has the base alone."""
    where = tmp_path / "repository"
    app = where / "a b" / "ü"
    app.mkdir(parents=True)
    git(where, "init", "-q", "-b", "main")
    write(app / "migrations", BASE)
    commit(where, "base")
    git(where, "branch", "feature")
    write(app / "migrations", THEIRS)
    commit(where, "theirs")
    git(where, "checkout", "-q", "feature")
    return app


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_branch_that_sorts_before_the_other_is_told_so_without_a_database(
    repository: Path, is_committed: bool
) -> None:
    write(repository / "migrations", OURS)
    if is_committed:
        commit(repository, "ours")
    ran = run("plan", "--against", "main", cwd=repository)
    assert ran.code == 1, ran.out + ran.err
    assert f"sorts before one that is applied: {OURS}" in ran.out and f"wflo-schema move {OURS} --last" in ran.out
    assert run("move", OURS, "--last", cwd=repository).code == 0
    ran = run("plan", "--against", "main", cwd=repository)
    assert (ran.code, ran.out.count("would apply")) == (0, 1)
    assert "no database was asked" in ran.out
    done = run("plan", "--against", "main", "--format", "json", cwd=repository)
    assert [m["id"][-5:] for m in json.loads(done.out)["pending"]] == ["-ours"]


def test_a_branch_with_nothing_new_or_with_later_files_is_right(repository: Path) -> None:
    assert run("plan", "--against", "main", cwd=repository).code == 0
    write(repository / "migrations", "20261103_01_fffff-later")
    assert run("plan", "--against", "main", cwd=repository).code == 0


def test_heads_edits_and_deletions_of_the_branch_are_told(repository: Path) -> None:
    git(repository, "checkout", "-q", "main")
    write(repository / "migrations", "20261104_01_ggggg-more", depends=BASE)
    commit(repository, "more")
    git(repository, "checkout", "-q", "feature")
    write(repository / "migrations", "20261105_01_hhhhh-mine", depends=BASE)
    ran = run("plan", "--against", "main", cwd=repository)
    assert ran.code == 1 and "2 heads" in ran.out
    (repository / "migrations" / f"{BASE}.sql").write_text("CREATE TABLE edited ();\n")
    assert "was changed since" in run("plan", "--against", "main", cwd=repository).out
    (repository / "migrations" / f"{BASE}.sql").unlink()
    ran = run("plan", "--against", "main", cwd=repository)
    assert ran.code in (1, 3) and BASE in ran.out + ran.err


def test_what_only_the_other_branch_changed_is_taken_from_there(repository: Path) -> None:
    git(repository, "checkout", "-q", "main")
    (repository / "migrations" / f"{BASE}.sql").write_text("-- said better\nCREATE TABLE base ();\n")
    (repository / "migrations" / f"{THEIRS}.sql").rename(repository / "migrations" / "20261101_900000_ccccc-theirs.sql")
    commit(repository, "better")
    git(repository, "checkout", "-q", "feature")
    write(repository / "migrations", OURS)
    assert run("plan", "--against", "main", cwd=repository).code == 0


def test_a_shallow_clone_takes_what_is_only_there_for_new(repository: Path, tmp_path: Path) -> None:
    write(repository / "migrations", OURS)
    commit(repository, "ours")
    shallow = tmp_path / "shallow"
    top = repository.parent.parent
    git(tmp_path, "clone", "-q", "--depth", "1", "--branch", "feature", f"file://{top}", str(shallow))
    git(shallow, "fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    ran = run("plan", "--against", "origin/main", cwd=shallow / "a b" / "ü")
    assert ran.code == 1 and f"sorts before one that is applied: {OURS}" in ran.out


@pytest.mark.parametrize("revision", ["nowhere", "origin/main", "--output=x", "main:a"])
def test_a_revision_that_is_not_there_is_a_usage_error(repository: Path, revision: str) -> None:
    ran = run("plan", f"--against={revision}", cwd=repository)
    assert ran.code == 2 and f"git knows no revision {revision}" in ran.err


def test_a_folder_outside_of_git_is_a_usage_error(tmp_path: Path) -> None:
    write(tmp_path / "migrations", BASE)
    ran = run("plan", "--against", "main", cwd=tmp_path)
    assert ran.code == 2 and "is in no git repository" in ran.err
