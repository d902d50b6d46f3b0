"""Which files and which schema are meant: said by name, or the command stops; the same for every command."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, count, run
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.one_server

READING = (
    ("migrate",),
    ("plan",),
    ("status",),
    ("rollback",),
    ("check",),
    ("check", "--only", "ledger"),
    ("check", "--drift"),
    ("adopt",),
    ("adopt", "--apply"),
    ("baseline", "--to", "000001"),
    ("baseline", "--to", "000001", "--unverified"),
    ("dump", "--with-ledger"),
    ("test-db",),
)


def lay_out(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


GOLANG = {
    "000001_users.up.sql": "CREATE TABLE IF NOT EXISTS users (id int);",
    "000001_users.down.sql": "DROP TABLE IF EXISTS users;",
}
DBMATE = {"000001_users.sql": f"-- migrate:up\n{GOLANG['000001_users.up.sql']}\n-- migrate:down\nDROP TABLE users;"}


TEMPLATES = {f"{name}.tmpl": text for name, text in GOLANG.items()}


@pytest.mark.parametrize(
    ("tool", "files"), [("golang-migrate", GOLANG), ("golang-migrate", TEMPLATES), ("dbmate", DBMATE)]
)
def test_nothing_of_another_tools_folder_runs_is_planned_or_recorded(
    database: Database, tmp_path: Path, tool: str, files: dict[str, str]
) -> None:
    lay_out(tmp_path, **{f"migrations/{name}": text for name, text in files.items()})
    with database.connect() as connection:
        connection.execute("CREATE TABLE users (id int)")
        connection.execute("INSERT INTO users VALUES (1)")
    for words in READING:
        ran = run(*words, cwd=tmp_path, env={"DATABASE_URL": database.url})
        assert (ran.code, ran.out) == (3, ""), (words, ran)
        assert f"this is a {tool} folder: migrations/000001_users" in ran.err and "wflo-schema import " in ran.err
    assert run("new", "more", cwd=tmp_path).code == 3
    assert count(database, "SELECT count(*) FROM users") == 1
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname ~ 'yoyo'") == 0


UP, DOWN = GOLANG.values()


@pytest.mark.parametrize(
    "files",
    [
        {"001_users.sql": UP, "001_users.ROLLBACK.sql": DOWN},
        {"001_users.sql": UP, "001_rollback_users.sql": DOWN},
        {"001_users.sql": UP, "001_users_weg.sql": DOWN},
        {"001_users.sql": UP, "rollback/001_users_away.sql": DOWN},
        {"001_users.sql": f"-- Up\r{UP}\r-- Down\r{DOWN}\r"},
        {"schema.sql": UP, "teardown.sql": DOWN},
    ],
    ids=" ".join,
)
def test_a_half_that_undoes_never_runs(database: Database, tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = lay_out(tmp_path, **{f"migrations/{name}": ""}) / "migrations" / name
        path.write_bytes(text.encode())
    with database.connect() as connection:
        connection.execute("CREATE TABLE users (id int)")
        connection.execute("INSERT INTO users VALUES (1)")
    for words in (("migrate",), ("migrate", "--recursive", "--allow", "not-empty"), ("adopt", "--apply")):
        ran = run(*words, cwd=tmp_path, env={"DATABASE_URL": database.url})
        assert (ran.code, ran.out) == (3, "") and "this is another tool's folder" in ran.err, (words, ran)
    assert count(database, "SELECT count(*) FROM users") == 1
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname ~ 'yoyo'") == 0


@pytest.mark.parametrize("content", [{}, {"notes.md": ""}, {"a.SQL": ""}, {"x/a.sql": "SELECT 1"}, {"a.rb": ""}])
def test_a_folder_without_migrations_is_no_gate(database: Database, tmp_path: Path, content: dict[str, str]) -> None:
    (tmp_path / "migrations").mkdir()
    lay_out(tmp_path, **{f"migrations/{name}": text for name, text in content.items()})
    for words in READING[:6]:
        ran = run(*words, cwd=tmp_path, env={"DATABASE_URL": database.url})
        assert ran.code == 3 and ran.out == "" and all(name in ran.err or "/" in name for name in content), (words, ran)


def test_recursive_is_taken_by_every_command(database: Database, tmp_path: Path) -> None:
    lay_out(tmp_path, **{"m/2_b.sql": "CREATE TABLE b ();", "m/x/1_a.sql": "CREATE TABLE a ();"})
    lay_out(tmp_path, **{"m/x/1_a.rollback.sql": "DROP TABLE a;", "m/2_b.rollback.sql": "DROP TABLE b;"})
    env = {"DATABASE_URL": database.url, "WFLO_SCHEMA_MIGRATIONS": "m"}
    ran = run("plan", "--recursive", "--format", "json", cwd=tmp_path, env=env)
    assert ran.code == 0 and [m["id"] for m in ran.json["pending"]] == ["1_a", "2_b"]
    ran = run("migrate", "--recursive", cwd=tmp_path, env=env)
    assert ran.code == 0 and "2 migrations applied" in ran.out and ran.out.splitlines()[0].endswith(", from m")
    env["WFLO_SCHEMA_RECURSIVE"] = "1"
    for words in (("status",), ("check", "--only", "ledger", "--drift"), ("adopt",), ("dump", "--with-ledger")):
        assert run(*words, cwd=tmp_path, env=env).code == 0, words
    made = run("test-db", cwd=tmp_path, env=env)
    assert made.code == 0 and "2 migrations applied" in made.out, made
    assert run("rollback", "-n", "2", cwd=tmp_path, env=env).code == 0


def test_adopt_repeats_recursive_in_the_next_step(database: Database, tmp_path: Path) -> None:
    lay_out(tmp_path, **{"m/x/1_a.sql": "CREATE TABLE a ();"})
    with database.connect() as connection:
        connection.execute("CREATE TABLE a ()")
    words = ("--migrations", "m", "--recursive", "--database-url", database.url)
    ran = run("adopt", *words, cwd=tmp_path)
    assert ran.code == 0 and "--migrations m --recursive" in ran.out.splitlines()[-1]
    ran = run("migrate", *words, cwd=tmp_path)
    assert ran.code == 3 and f"wflo-schema adopt --database-url {database.url} --migrations m --recursive" in ran.err


def test_wflos_files_are_applied_only_when_asked_for_by_name(database: Database, tmp_path: Path) -> None:
    lay_out(
        tmp_path, **{"db/migrations/1_a.sql": "CREATE TABLE a ();", "sql/x.sql": "SELECT 1", "node_modules/a/b.sql": ""}
    )
    for words in READING:
        command = subprocess.run(
            [sys.executable, "-m", "wflo_schema", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database.url},
            capture_output=True,
            text=True,
        )
        assert (command.returncode, command.stdout) == (2, ""), words
        assert "--migrations db/migrations" in command.stderr and "--migrations sql" in command.stderr
        assert "wflo-schema new" in command.stderr and "node_modules" not in command.stderr
    assert count(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
    ran = run("migrate", "--migrations", "db/migrations", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code == 0 and "from db/migrations" in ran.out


def test_a_folder_named_like_wflos_files_is_told_from_them(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    (tmp_path / "wflo").mkdir()
    ran = run("status", "--migrations", "wflo", "--format", "json", cwd=tmp_path, env=env)
    assert ran.code == 0 and len(ran.json["pending"]) == 3
    assert run("new", "a table", "--migrations", "wflo", cwd=tmp_path).code == 2
    made = run("new", "a table", "--migrations", "./wflo", cwd=tmp_path)
    assert made.code == 0 and len([*(tmp_path / "wflo").iterdir()]) == 2
    ran = run("status", "--migrations", "wflo", cwd=tmp_path, env=env)
    assert ran.code == 2 and "--migrations ./wflo" in ran.err
    ran = run("status", "--migrations", "./wflo", "--format", "json", cwd=tmp_path, env=env)
    assert ran.code == 0 and len(ran.json["pending"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        *READING[:5],
        ("check", "--only", "contract"),
        ("check", "--only", "drift"),
        ("adopt",),
        ("baseline", "--to", "20251110_01"),
        ("dump",),
        ("contract", "freeze"),
    ],
    ids=" ".join,
)
def test_a_schema_that_is_not_there_stops_every_command(
    database: Database, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA billing")
    ran = run(*words, "--schema", "biling", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert (ran.code, ran.out) == (3, ""), ran
    assert "there is no schema biling in " in ran.err and "did you mean --schema billing?" in ran.err
    assert count(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'biling'") == 0
    ran = run(*words, "--schema", "bill%", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code == 3 and "--schemas bill%" in ran.err and "--create-schema" not in ran.err


def test_a_schema_is_made_where_that_is_asked_for(database: Database, tmp_path: Path) -> None:
    lay_out(tmp_path, **{"migrations/1_a.sql": "CREATE TABLE a ();"})
    env = {"DATABASE_URL": database.url}
    for words in (("plan",), ("migrate",)):
        assert run(*words, "--schema", "app", "--create-schema", cwd=tmp_path, env=env).code == 0
    assert count(database, "SELECT count(*) FROM app.a") == 0
    made = run("test-db", "--schema", "another", cwd=tmp_path, env=env)
    assert made.code == 0, made.err  # it is made anew, with its schema


def test_a_database_with_foreign_tables_only_gets_a_next_step_that_works(database: Database, tmp_path: Path) -> None:
    lay_out(tmp_path, **{"migrations/1_a.sql": "CREATE TABLE a ();"})
    with database.connect() as connection:
        for statement in ("FOREIGN DATA WRAPPER w", "SERVER s FOREIGN DATA WRAPPER w", "FOREIGN TABLE f () SERVER s"):
            connection.execute(f"CREATE {statement}".encode())
    env = {"DATABASE_URL": database.url}
    ran = run("plan", cwd=tmp_path, env=env)
    assert ran.code == 1 and "1 foreign table (f)" in ran.out and "--allow not-empty" in ran.out
    ran = run("adopt", cwd=tmp_path, env=env)
    step = ran.out.splitlines()[-1].removeprefix("next: wflo-schema ").split()
    assert ran.code == 0 and step == ["migrate", "--allow", "not-empty"]
    assert run(*step, cwd=tmp_path, env=env).code == 0


def test_keeping_a_test_database_that_is_not_ours_says_what_to_do(database: Database, tmp_path: Path) -> None:
    lay_out(tmp_path, **{"migrations/1_a.sql": "CREATE TABLE a ();"})
    name = f"{database.name}_test"
    with database.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with database.with_name(name).connect() as connection:
        connection.execute("CREATE TABLE users ()")
    env = {"DATABASE_URL": database.url}
    ran = run("test-db", "--keep", cwd=tmp_path, env=env)
    assert ran.code == 3 and "1 table (users)" in ran.err and "leave out --keep" in ran.err and "adopt" not in ran.err
    assert run("test-db", cwd=tmp_path, env=env).code == 0
    with database.connect() as connection:
        connection.execute(f"DROP DATABASE {name}".encode())


def test_names_are_utf8_under_the_locale_c(database: Database, tmp_path: Path) -> None:
    lay_out(tmp_path, **{"größe/1_é.sql": "CREATE TABLE a ();", "größe/2_b.sql": "CREATE TABLE b ();"})
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    words = ["--database-url", database.url, "--migrations", "größe", "--format", "json"]
    start = [sys.executable, "-m", "wflo_schema"]
    done = subprocess.run([*start, "migrate", "--to", "1_é", *words], cwd=tmp_path, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["applied"] == ["1_é"]
    assert count(database, "SELECT migration_id FROM _yoyo_migration") == "1_é"


@pytest.mark.parametrize("words", [(), ("migrate",), ("test-db", "prune"), ("contract",), ("contract", "freeze")])
def test_help_is_whole_without_docstrings(tmp_path: Path, words: tuple[str, ...]) -> None:
    said = []
    for level in ("0", "2"):
        env = {**os.environ, "PYTHONOPTIMIZE": level, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        start = [sys.executable, "-m", "wflo_schema", *words, "--help"]
        said.append(subprocess.run(start, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout)
    assert (said[0] == said[1] and "Example:" in said[0]) or words in ((), ("contract",))


def test_what_is_to_be_typed_next_says_where_again_whatever_the_command(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "1_a.sql").write_text("CREATE TABLE a ();\n")
    (folder / "1_a.rollback.sql").write_text("DROP TABLE a;\n")
    (tmp_path / "held.toml").write_text('[contract]\ntables = ["a"]\n')
    where = ("--database-url", database.url, "--migrations", "sql")
    said = f"--database-url {shlex.quote(database.without_password.url)} --migrations sql"
    for words, command in (
        (("check", "--only", "ledger"), "migrate"),
        (("status", "--schema", "nosuch"), "migrate"),
        (("rollback", "9_x"), "status"),
        (("move", "9_x", "--last"), "status"),
        (("squash", "--to", "9_x"), "status"),
    ):
        ran = run(*words, *where, cwd=tmp_path)
        assert f"wflo-schema {command} {said}" in ran.out + ran.err, (words, ran.err)
    ran = run("contract", "freeze", "--database-url", database.url, "--schema", "nosuch", cwd=tmp_path)
    assert f"wflo-schema migrate --database-url {shlex.quote(database.without_password.url)} --schema" in ran.err
    ran = run("new", "--merge", "--recursive", "--migrations", "sql", cwd=tmp_path)
    assert "wflo-schema move --migrations sql --recursive ID --last" in ran.err
    assert run("migrate", *where, cwd=tmp_path).code == 0
    with database.connect() as connection:
        connection.execute("DROP TABLE a")
    ran = run("check", "--contract", "held.toml", *where, cwd=tmp_path)
    assert f"help: wflo-schema check {said} --contract held.toml --drift" in ran.out


def test_a_first_run_beside_another_tool_is_said_by_status_and_check(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "1_a.sql").write_text("CREATE TABLE a ();\n")
    with database.connect() as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    environment = {"DATABASE_URL": database.url}
    for words in (("status",), ("check", "--only", "ledger")):
        ran = run(*words, cwd=tmp_path, env=environment)
        assert "alembic records migrations in public.alembic_version" in ran.out
        assert "take it over: wflo-schema adopt" in ran.out and "wflo-schema migrate" not in ran.out
    with database.connect() as connection:
        connection.execute("DROP TABLE alembic_version")
    assert "adopt" not in run("status", cwd=tmp_path, env=environment).out


def test_a_list_of_words_is_taken_with_commas_or_repeated(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "1_a.sql").write_text("CREATE TABLE a ();\n")
    environment = {"DATABASE_URL": database.url}
    for words in (("--only", "drift,ledger"), ("--only", "drift", "--only=ledger, drift")):
        ran = run("check", "--format", "json", *words, cwd=tmp_path, env=environment)
        assert sorted(ran.json["sections"]) == ["drift", "ledger"] and ran.json["source"] == "migrations"
    assert "migrations" in run("check", "--drift", "--only", "drift", cwd=tmp_path, env=environment).out.splitlines()[0]
    assert run("adopt", cwd=tmp_path, env=environment).out.splitlines()[0].endswith(", from migrations")
    ran = run("check", "--only", "drift,lodger", cwd=tmp_path, env=environment)
    assert ran.code == 2 and "'lodger' is not one of" in ran.err
    assert run("migrate", "--allow", "late,heads", cwd=tmp_path, env=environment).code == 0


def test_the_version_is_spelt_one_way(database: Database, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/1_a.sql").write_text("CREATE TABLE a ();\n")
    environment = {"DATABASE_URL": database.url}
    said = {
        run(*words, "--format", "json", cwd=tmp_path, env=environment).json["server_version"]
        for words in (("status",), ("check", "--only", "ledger"), ("adopt",), ("migrate",))
    }
    assert len(said) == 1 and re.fullmatch(r"[0-9]+[.][0-9]+", *said)


@pytest.mark.parametrize("words", [("rollback", "--al"), ("migrat",), ("check", "--onyl", "rows"), ("server", "strt")])
def test_only_one_voice_says_what_was_meant(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "did you mean" not in run(*words, cwd=tmp_path).err.lower()
