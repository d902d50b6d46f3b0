"""What says which targets are meant: the command line, variables and the settings file, and which of them counts."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from psycopg import sql

from tests.cli.test_commands import ROOT, run
from wflo_schema.cli.commands import cli as program
from wflo_schema.cli.fleets import fleet_of, fleet_target_options, pace, wave_options
from wflo_schema.cli.options import Command, resolve_database
from wflo_schema.connect.database import Database
from wflo_schema.errors import UsageError, WfloSchemaError

pytestmark = pytest.mark.one_server


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Path:
    """A folder with one migration, and the schemas a, b, ab and "Tenant 1"."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "001_a.sql").write_text("CREATE TABLE t ();")
    (tmp_path / "migrations" / "001_a.rollback.sql").write_text("DROP TABLE t;")
    with database.connect() as connection:
        for name in ("a", "b", "ab", "Tenant 1"):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    return tmp_path


@click.group()
def cli() -> None:
    """Stands for wflo-schema."""


@cli.command(cls=Command)
@fleet_target_options
@wave_options
def names(database_url: str | None, schema: str | None, server_directory: Path, **rest: object) -> None:
    """Print which targets are meant."""
    found = fleet_of(database_url, server_directory)
    if found is None:
        click.echo(f"one: {resolve_database(database_url, schema, server_directory).schema}")
    else:
        assert pace().jobs > 0
        click.echo("\n".join(one.name for one in found))


def targets(
    folder: Path,
    database: Database | None,
    *words: str,
    env: dict[str, str] | None = None,
    code: int = 0,
    stdin: str = "",
) -> list[str]:
    """The names of the targets, or the lines of the error: what, and how to mend it."""
    url = {} if database is None else {"DATABASE_URL": database.url}
    with contextlib.chdir(folder):
        ran = CliRunner().invoke(cli, ["names", *words], obj=["names", *words], env=url | (env or {}), input=stdin)
    if not code:
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return ran.stdout.splitlines()
    error = ran.exception
    assert isinstance(error, WfloSchemaError) and error.exit_code == code, (ran.output, error)
    return [*error.message.splitlines(), *error.hint.splitlines()]


def test_one_schema_means_what_it_always_meant(shop: Path, database: Database) -> None:
    once = run("status", "--schema", "Tenant 1", cwd=shop, env={"DATABASE_URL": database.url})
    assert once.out.splitlines()[0].endswith("schema Tenant 1, from migrations")
    env = {"DATABASE_URL": database.url, "WFLO_SCHEMA_SCHEMA": "Tenant 1"}
    assert run("status", cwd=shop, env=env) == once
    (shop / "wflo-schema.toml").write_text('schema = "Tenant 1"\n')
    assert targets(shop, database) == ["one: Tenant 1"]


def test_several_schemas_are_named_in_every_way_that_an_option_has(shop: Path, database: Database) -> None:
    wanted = ["b", "Tenant 1"]
    assert targets(shop, database, "--schema", "b", "--schema", "Tenant 1") == wanted
    assert targets(shop, database, env={"WFLO_SCHEMA_SCHEMA": "b\nTenant 1\n"}) == wanted
    (shop / ".env").write_text('WFLO_SCHEMA_SCHEMA="b\nTenant 1"\n')
    assert targets(shop, database) == wanted
    (shop / ".env").unlink()
    (shop / "wflo-schema.toml").write_text('schema = ["b", "Tenant 1"]\n')
    assert targets(shop, database) == wanted
    assert targets(shop, database, env={"WFLO_SCHEMA_SCHEMAS": "a%"}) == ["a", "ab"]


def test_what_is_typed_goes_before_variables_and_these_before_the_file(shop: Path, database: Database) -> None:
    (shop / "wflo-schema.toml").write_text("schemas = 'a%'\n[names]\njobs = 3\n")
    assert targets(shop, database) == ["a", "ab"]
    assert targets(shop, database, "--schemas", "b") == ["b"]
    assert targets(shop, database, env={"WFLO_SCHEMA_SCHEMAS_FROM": "SELECT 'b'"}) == ["b"]
    assert targets(shop, database, "--schema", "b") == ["one: b"]
    assert "named twice" in targets(shop, database, "--schema", "a", "--schemas", "a%", code=2)[0]


def test_a_command_for_one_target_does_not_take_another_schema_than_those_of_the_file(
    shop: Path, database: Database
) -> None:
    env = {"DATABASE_URL": database.url}
    (shop / "wflo-schema.toml").write_text("schemas = 'a%'\n")
    refused = run("baseline", "--to", "1", cwd=shop, env=env)
    assert refused.code == 2
    assert refused.err.splitlines() == [
        "error: wflo-schema.toml names several targets (schemas), and this command works on one",
        "hint: say for which it is: --schema NAME",
    ]
    (shop / "wflo-schema.toml").write_text("schema = ['a', 'b']\n")
    assert "names several targets (schema)" in run("baseline", "--to", "1", cwd=shop, env=env).err
    assert run("baseline", "--to", "001", "--schema", "b", cwd=shop, env=env).code != 2
    (shop / "wflo-schema.toml").write_text("schema = ['b']\n")
    assert "schema b" in run("baseline", "--to", "001", cwd=shop, env=env).out
    several = {**env, "WFLO_SCHEMA_SCHEMA": "a\nb\n"}
    assert "WFLO_SCHEMA_SCHEMA names several" in run("lint", cwd=shop, env=several).err
    env["WFLO_SCHEMA_SCHEMAS_FROM"] = "SELECT 'b'"
    (shop / "wflo-schema.toml").unlink()
    assert "WFLO_SCHEMA_SCHEMAS_FROM names several" in run("lint", cwd=shop, env=env).err
    assert run("lint", "--schema", "b", cwd=shop, env=env).code != 2
    assert run("test-db", "list", cwd=shop, env=env).code == 0  # it needs the server alone


def _for_one_schema(group: click.Group, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The commands that take --schema, and no option for several."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if {"schema"} == {p.name for p in command.params} & {"schema", "schemas"}:
            yield (*way, name)
        if isinstance(command, click.Group):
            yield from _for_one_schema(command, (*way, name))


def test_a_command_for_one_target_takes_no_second_schema(shop: Path) -> None:
    ways = list(_for_one_schema(program))
    assert {("baseline",), ("trace",), ("test-db",), ("dev",), ("lint",), ("seed",)} <= set(ways)
    for way in ways:
        words = [*way, "--schema", "a", "--schema=b"]
        with contextlib.chdir(shop):
            error = CliRunner().invoke(program, words, obj=words).exception
        assert isinstance(error, UsageError), (way, error)
        assert error.message == f"--schema is given 2 times, and {way[-1]} takes one schema"
        assert "several are taken by " in error.hint and "migrate" in error.hint and "lint" not in error.hint
    assert run("lint", "--schema", "a", "--schema", "b", cwd=shop).code == 2


def test_a_list_is_read_from_a_file_or_stdin_and_needs_no_database(shop: Path, database: Database) -> None:
    (shop / "fleet").mkdir()
    listed = shop / "fleet" / "tenants.txt"
    listed.write_text(f"# all of them\n{database.url}#a\n{database.url}#Tenant%201 # the second\n")
    assert targets(shop, None, "--targets", "fleet/tenants.txt") == ["a", "Tenant 1"]
    assert targets(shop, None, "--targets", "-", stdin=listed.read_text()) == ["a", "Tenant 1"]
    (shop / "wflo-schema.toml").write_text('targets = "fleet/tenants.txt"\n')
    assert targets(shop / "fleet", None) == ["a", "Tenant 1"]


def test_the_schema_of_a_line_goes_before_one_that_is_said_farther_away(shop: Path, database: Database) -> None:
    (shop / "tenants.txt").write_text(f"{database.url}#a\n{database.url}\n")
    (shop / "wflo-schema.toml").write_text('schema = "b"\n')
    assert targets(shop, None, "--targets", "tenants.txt") == ["a", "b"]
    refused = targets(shop, None, "--targets", "tenants.txt", "--schema", "b", code=2)
    assert refused[0].startswith("tenants.txt:1 names a schema")


def test_a_list_that_cannot_be_read_is_said(shop: Path, database: Database) -> None:
    (shop / "tenants.txt").write_text("")
    (shop / "latin.txt").write_bytes(b"# eins\n# M\xfcller\n")
    for name, said in (
        ("tenants.txt", "tenants.txt names no target"),
        ("tenant.txt", "there is no file tenant.txt"),
        ("nowhere/tenants.txt", "there is no file nowhere/tenants.txt"),
        ("migrations", "cannot read migrations: Is a directory"),
        ("latin.txt", "latin.txt:2: this is not UTF-8"),
        ("-", "stdin names no target"),
    ):
        assert said in targets(shop, None, "--targets", name, code=2)[0]
    for url in ("postgresql://u:s3cret@h/d", "u:s3cret@h/d", "host=h password=s3cret dbname=d"):
        refused = targets(shop, None, "--targets", url, code=2)
        assert "what is given is a database" in refused[0] and "s3cret" not in "".join(refused)
    assert "did you mean tenants.txt?" in targets(shop, None, "--targets", "tenant.txt", code=2)[1]


def test_a_terminal_is_no_list(shop: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "wflo_schema", "status", "--targets", "-"],
            cwd=shop,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2 and "that is a terminal" in done.stderr


def test_two_ways_to_say_which_databases_are_refused_unless_one_is_typed(shop: Path, database: Database) -> None:
    (shop / "tenants.txt").write_text(f"{database.url}#a\n")
    listed = ("--targets", "tenants.txt")
    assert targets(shop, database, *listed) == ["a"]
    for words in ((*listed, "--database-url", database.url), (*listed, "--databases", "%")):
        assert "give one of them" in targets(shop, database, *words, code=2)[1]
    (shop / "wflo-schema.toml").write_text('targets = "tenants.txt"\n')
    assert "--targets names the databases" in targets(shop, database, code=2)[0]
    assert targets(shop, None, "--database-url", database.url) == ["one: None"]


@pytest.mark.parametrize("command", ["migrate", "rollback", "plan", "check", "adopt", "dump", "wait"])
def test_every_command_of_a_fleet_takes_the_options(shop: Path, command: str) -> None:
    helped = run(command, "--help", cwd=shop).out
    for option in ("--schema NAME", "--schemas PATTERN", "--schemas-from QUERY", "--databases PATTERN", "--jobs N"):
        assert option in helped
    assert ("--canary N" in helped) == (command in ("migrate", "rollback", "plan"))


def test_create_is_another_spelling_of_create_schema(shop: Path, database: Database) -> None:
    env = {"DATABASE_URL": database.url}
    assert run("migrate", "--schema", "fresh", "--create", cwd=shop, env=env).code == 0
    assert targets(shop, database, "--schema", "fresh", "--schema", "a") == ["fresh", "a"]


def test_an_error_repeats_what_names_the_targets(shop: Path, database: Database) -> None:
    said = run("status", "--schema", "x", "--schema", "a", cwd=shop, env={"DATABASE_URL": database.url})
    assert said.err.splitlines()[-1] == "hint: to make it: wflo-schema migrate --schema x --schema a --create-schema"


def test_a_password_command_and_a_role_are_for_every_line(shop: Path, database: Database) -> None:
    (shop / "tenants.txt").write_text(f"postgresql://u:s3cret@127.0.0.1:1/d\n{database.url}#a\n")
    refused = targets(shop, None, "--targets", "tenants.txt", "--password-command", "echo x", code=2)
    assert refused[0].startswith("tenants.txt:1 holds a password") and "s3cret" not in "".join(refused)


@pytest.mark.parametrize("place", ["002_b.sql", "hooks/before-each.sql"])
def test_a_file_that_names_a_schema_is_refused_before_anything_runs(shop: Path, database: Database, place: str) -> None:
    (shop / "migrations" / "hooks").mkdir()
    (shop / "migrations" / place).write_text("SELECT 1;\nCREATE TABLE b.u ();")
    (shop / "migrations" / "002_b.rollback.sql").write_text("DROP TABLE u;")
    if place != "002_b.sql":
        (shop / "migrations" / "002_b.sql").write_text("CREATE TABLE u ();")
    ran = run("migrate", "--schemas", "a%", cwd=shop, env={"DATABASE_URL": database.url})
    assert ran.code == 3 and f"migrations/{place}:2:14: it makes or changes b.u" in ran.err
    with database.connect() as connection:
        made = "SELECT count(*) FROM pg_tables WHERE schemaname ~ '^[ab]'"
        assert connection.execute(made).fetchone() == (0,)
