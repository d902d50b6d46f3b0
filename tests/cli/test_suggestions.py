"""What somebody typed who knows another tool, and the command that was meant."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from wflo_schema.connect.database import Database

SAID_AND_MEANT = {
    "up": "wflo-schema migrate",
    "upgrade head --url postgresql://u:secret@h/d": "wflo-schema migrate --database-url postgresql://u@h/d",
    "apply --url postgresql://u:secret@h/d?schema=s": (
        "wflo-schema migrate --database-url 'postgresql://u@h/d?schema=s'"
    ),
    "migrat --lock-timeout 3s": "wflo-schema migrate --lock-timeout 3s",
    "down --schema app": "wflo-schema rollback --schema app",
    "init": "wflo-schema new 'add a column'",
    "create add users": "wflo-schema new 'add users'",
    "current --format text": "wflo-schema status --format text",
    "history": "wflo-schema status",
    "drift": "wflo-schema check --drift",
    "makemigrations": "wflo-schema diff",
    "convert db/migrations": "wflo-schema import db/migrations",
    "import": "wflo-schema import FOLDER",
    "help": "wflo-schema --help",
    "help migrate": "wflo-schema migrate --help",
    "--database-url postgresql://u:secret@h/d migrate": "wflo-schema migrate --database-url postgresql://u@h/d",
    "--migrations=db/sql status": "wflo-schema status --migrations db/sql",
    "migrate up": "wflo-schema migrate",
    "migrate up --schema app": "wflo-schema migrate --schema app",
    "migrate down": "wflo-schema rollback",
    "migrate down 2": "wflo-schema rollback --count 2",
    "migrate status": "wflo-schema status",
    "migrate create users": "wflo-schema new users",
    "downgrade -1": "wflo-schema rollback --count 1",
    "rollback -2": "wflo-schema rollback --count 2",
    "migrate 20251110_02": "wflo-schema migrate --to 20251110_02",
    "migrate --dryrun --schema app --lock-timeout 3s": "wflo-schema plan --schema app --lock-timeout 3s",
    "migrate --dry-run --lock-timout 3s": "wflo-schema migrate --dry-run --lock-timeout 3s",
    "status --hlep": "wflo-schema status --help",
    "migrate --targe 2025": "wflo-schema migrate --to 2025",
    "migrate --database-url": "wflo-schema migrate --database-url URL",
    "rollback --steps 3": "wflo-schema rollback --count 3",
    "rollback 2 3": "wflo-schema rollback --count 2",
    "new add a column": "wflo-schema new 'add a column'",
    "new": 'wflo-schema new "add a column"',
    "check --formt json": "wflo-schema check --format json",
    "status --json": "wflo-schema status --format json",
    "--verison": "wflo-schema --version",
    "squash": "wflo-schema squash --to ID",
    "baseline --unverified": "wflo-schema baseline --unverified --to ID",
    "move": "wflo-schema move ID --last",
    "move 0001": "wflo-schema move 0001 --last",
    "server up": "wflo-schema server start",
    "server what": "wflo-schema server --help",
    "test-db drop": "wflo-schema test-db prune",
    "test-db --database-url postgresql://u:secret@h/d prune": (
        "wflo-schema test-db prune --database-url postgresql://u@h/d"
    ),
    "test-db --server-directory=elsewhere list": "wflo-schema test-db list --server-directory elsewhere",
}


@pytest.mark.parametrize("said", SAID_AND_MEANT)
def test_a_word_of_another_tool_is_answered_with_the_command_that_was_meant(said: str, tmp_path: Path) -> None:
    ran = run(*shlex.split(said), cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    last = ran.err.splitlines()[-1]
    assert last.startswith("hint: ") and last.endswith(SAID_AND_MEANT[said]), ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize("said", ["frobnicate", "migrate --force", "migrate --yes", "migrate --forge", "check --fix"])
def test_a_word_that_resembles_none_gets_no_guess(said: str, tmp_path: Path) -> None:
    ran = run(*said.split(), cwd=tmp_path)
    assert ran.code == 2 and "hint" not in ran.err


@pytest.mark.parametrize("option", ["--all", "--dry-run", "--last", "--allow late", "--recreate"])
def test_a_rollback_is_never_suggested_without_an_option_that_was_to_bound_it(option: str, tmp_path: Path) -> None:
    ran = run("rollback", *option.split(), cwd=tmp_path)
    assert ran.code == 2 and "hint" not in ran.err


def test_a_suggestion_is_in_the_json_of_the_error(tmp_path: Path) -> None:
    ran = run("up", "--format", "json", cwd=tmp_path)
    assert ran.code == 2
    assert ran.json["error"]["hint"] == "wflo-schema migrate --format json"


def test_a_number_is_not_taken_for_the_beginning_of_an_id(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "2025_only.sql").write_text("CREATE TABLE a ();")
    ran = run("rollback", "2", "--database-url", "postgresql://u:secret@h/d", cwd=tmp_path)
    assert ran.code == 2
    assert "wflo-schema rollback --count 2 --database-url postgresql://u@h/d;" in ran.err


def test_the_next_step_says_again_where_the_files_are(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "db" / "my files" / "sub"
    folder.mkdir(parents=True)
    (folder / "2_b.sql").write_text("CREATE TABLE b ();\n")
    where = ("--migrations", "db/my files", "--recursive", "--database-url", database.url)
    assert run("migrate", *where, cwd=tmp_path).code == 0
    (folder / "1_a.sql").write_text("CREATE TABLE a ();\n")
    refused, planned = run("migrate", *where, cwd=tmp_path), run("plan", *where, cwd=tmp_path)
    (step,) = re.findall(r": (wflo-schema move .*?);", refused.err)
    assert f"    give it a name that comes last, if no database has it: {step}; or" in planned.out
    assert "--migrations 'db/my files' --recursive 1_a --last" in step
    assert run(*shlex.split(step)[1:], cwd=tmp_path).code == 0
    assert run("migrate", *where, cwd=tmp_path).code == 0


def test_the_next_step_of_a_first_run_says_again_which_files(database: Database, tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "1_a.sql").write_text("CREATE TABLE a ();\n")
    with database.connect() as connection:
        connection.execute("CREATE TABLE a ()")
    env = {"DATABASE_URL": database.url}
    planned = run("plan", "--migrations", "sql", "--schema", "public", cwd=tmp_path, env=env)
    assert planned.code == 1 and ": wflo-schema adopt --schema public --migrations sql;" in planned.out


def test_a_command_in_a_sub_folder_is_sent_to_the_folder_of_the_project(tmp_path: Path) -> None:
    (tmp_path / ".wflo-schema").mkdir()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "src" / "app").mkdir(parents=True)
    env = {"WFLO_SCHEMA_MIGRATIONS": ""}
    without_url = run("status", cwd=tmp_path / "src" / "app", env=env)
    with_url = run("status", "--database-url", "postgresql://u@h/d", cwd=tmp_path / "src" / "app", env=env)
    for ran in (without_url, with_url):
        assert ran.code == 2 and f"cd {shlex.quote(str(tmp_path))}" in ran.err
        assert "name the folder" not in ran.err and "server start" not in ran.err


def test_new_begins_no_second_folder_unasked(tmp_path: Path) -> None:
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    (tmp_path / "db" / "migrations" / "1_a.sql").write_text("CREATE TABLE a ();\n")
    ran = run("new", "add a column", cwd=tmp_path)
    assert ran.code == 2 and not (tmp_path / "migrations").exists()
    assert "is it this one? wflo-schema new --migrations db/migrations 'add a column'\n" in ran.err
    env = {"WFLO_SCHEMA_MIGRATIONS": ""}
    refused = run("migrate", "--database-url", "postgresql://u@h/d", cwd=tmp_path, env=env)
    (step,) = re.findall(r"or start one: (wflo-schema new .*)", refused.err)
    assert run(*shlex.split(step)[1:], cwd=tmp_path).code == 0
    assert run("new", "another", cwd=tmp_path).out.startswith("migrations/")


@pytest.mark.parametrize("command", [("status", "--database-url", "postgresql://u@h/d"), ("new", "add a column")])
def test_another_tools_folder_is_offered_for_import(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    (tmp_path / "db" / "migrations" / "1_a.up.sql").write_text("CREATE TABLE a ();\n")
    ran = run(*command, cwd=tmp_path, env={"WFLO_SCHEMA_MIGRATIONS": ""})
    assert ran.code == 2 and re.search(
        r"is it this one, another tool's\? wflo-schema import .*db/migrations\n", ran.err
    )
    assert "--migrations db/migrations" not in ran.err


def test_new_begins_the_first_folder(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "report.sql").write_text("SELECT 1;\n")
    assert run("new", "add a column", cwd=tmp_path).out.startswith("migrations/")
