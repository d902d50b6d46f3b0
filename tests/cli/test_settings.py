"""What a settings file, its environments and .env say in place of options, and what goes before what."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import click
import pytest

from tests.cli.test_commands import count, run, write
from wflo_schema.cli.commands import COMMANDS
from wflo_schema.cli.settings import SHARED
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.one_server

NOBODY = {"DATABASE_URL": "", "WFLO_SCHEMA_DATABASE_URL": ""}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    (tmp_path / ".git").mkdir()
    write(tmp_path, **{"1_a": "CREATE TABLE a (id int);", "1_a_rollback": "DROP TABLE a;"})
    return tmp_path


def in_force(folder: Path, *words: str, env: dict[str, str] | None = None) -> dict[str, tuple[object, str]]:
    ran = run("config", "--format", "json", *words, cwd=folder, env=env)
    assert ran.code == 0, ran.err
    return {s["name"]: (s["value"], s["source"]) for s in json.loads(ran.out)["settings"]}


def test_what_several_commands_share_is_what_has_a_variable_of_its_own() -> None:
    named: set[str] = {"contract"}
    waiting = [getattr(importlib.import_module(f"wflo_schema.cli.{m}"), name) for m, name, _ in COMMANDS.values()]
    while waiting:
        command = waiting.pop()
        waiting += command.commands.values() if isinstance(command, click.Group) else ()
        options = (p for p in command.params if isinstance(p, click.Option) and p.envvar and not p.is_eager)
        named |= {max(p.opts, key=len).removeprefix("--") for p in options}
    assert named == SHARED


@pytest.mark.parametrize(
    ("name", "head"), [("wflo-schema.toml", ""), ("pyproject.toml", "tool.wflo-schema")], ids=["own", "pyproject"]
)
def test_an_environment_names_the_database_and_its_schema(
    project: Path, database: Database, name: str, head: str
) -> None:
    dot = f"{head}." if head else ""
    (project / name).write_text(
        (f"[{head}]\n" if head else "")
        + f'schema = "public"\n[{dot}env.staging]\nschema = "app"\ndatabase-url = "{database.url}"\n'
    )
    ran = run("migrate", "--env", "staging", "--create-schema", cwd=project)
    assert ran.code == 0, ran.err
    assert count(database, "SELECT count(*) FROM app.a") == 0
    sub = project / "src"
    sub.mkdir()
    status = run("status", "--env", "staging", "--migrations", "../migrations", cwd=sub)
    assert "1 applied, 0 pending" in status.out
    assert run("status", cwd=project, env={"WFLO_SCHEMA_ENV": "staging"}).out.endswith("1 applied, 0 pending\n")
    found = in_force(project, "--env", "staging")
    assert found["schema"] == ("app", f"{name} [{dot}env.staging]")
    assert in_force(project)["schema"] == ("public", f"{name} [{head}]" if head else name)


def test_paths_and_the_password_command_begin_at_the_files_folder(project: Path, database: Database) -> None:
    (project / "db").mkdir()
    (project / "migrations").rename(project / "db" / "sql")
    command = project / "give it"
    command.write_text("#!/bin/sh\necho x; pwd > asked\n")
    command.chmod(0o755)
    (project / "wflo-schema.toml").write_text(
        f"database-url = '{database.url}'\nmigrations = 'db/sql'\npassword-command = '\"./give it\"'\n"
    )
    deep = project / "src" / "it's deep"
    (deep / "migrations").mkdir(parents=True)
    assert run("migrate", cwd=deep, env={"WFLO_SCHEMA_MIGRATIONS": ""}).code == 0
    assert count(database, "SELECT count(*) FROM a") == 0
    (project / "asked").unlink()
    (project / "wflo-schema.toml").write_text("")
    (project / ".env").write_text(
        f"DATABASE_URL='{database.url}'\nWFLO_SCHEMA_MIGRATIONS=db/sql:src\n"
        "WFLO_SCHEMA_PASSWORD_COMMAND='\"./give it\"'\n"
    )
    found = in_force(deep)
    assert found["migrations"] == (["../../db/sql", ".."], "WFLO_SCHEMA_MIGRATIONS in .env")
    assert run("status", "--migrations", "../../db/sql", cwd=deep).code == 0
    assert (project / "asked").read_text() == f"{project}\n"


def test_the_command_line_goes_before_variables_these_before_the_file_and_an_environment_before_the_rest(
    project: Path,
) -> None:
    (project / "wflo-schema.toml").write_text(
        'lock-wait = "1s"\n[config]\nlock-wait = "2s"\n[env.a]\nlock-wait = "3s"\n[env.a.config]\nlock-wait = "4s"\n'
    )
    (project / ".env").write_text("WFLO_SCHEMA_LOCK_WAIT=5s\nWFLO_SCHEMA_SCHEMA=dot\n")
    assert in_force(project, "--env", "a")["lock-wait"] == ("4s", "wflo-schema.toml [env.a.config]")
    assert in_force(project)["lock-wait"] == ("5s", "WFLO_SCHEMA_LOCK_WAIT in .env")
    assert in_force(project, "--env", "a")["schema"] == ("dot", "WFLO_SCHEMA_SCHEMA in .env")
    own = {"WFLO_SCHEMA_LOCK_WAIT": "6s"}
    assert in_force(project, "--env", "a", env=own)["lock-wait"] == ("6s", "WFLO_SCHEMA_LOCK_WAIT")
    assert in_force(project, "--lock-wait", "7s", env=own)["lock-wait"] == ("7s", "command line")
    (project / ".env").unlink()
    assert in_force(project)["lock-wait"] == ("2s", "wflo-schema.toml [config]")


def test_dotenv_names_the_database_and_an_environment_that_names_one_takes_nothing_of_it(
    project: Path, database: Database
) -> None:
    (project / "wflo-schema.toml").write_text('[env.other]\ndatabase-url = "postgresql://h/other"\n')
    (project / ".env").write_text(f'DATABASE_URL="{database.url}"\nPGPORT=1\nPGPASSWORD=secret\n')
    assert run("migrate", cwd=project, env={"PGPORT": ""}).code == 0
    assert count(database, "SELECT count(*) FROM a") == 0
    assert in_force(project, "--env", "other")["database-url"][0] == "postgresql://h/other"
    assert "secret" not in run("config", cwd=project).out


ELSEWHERE = "postgresql://h/elsewhere"


@pytest.mark.parametrize(
    ("dotenv", "words", "env", "said"),
    [
        (f"WFLO_SCHEMA_DATABASE_URL={ELSEWHERE}", (), {"DATABASE_URL": "postgresql://g/x"}, "postgresql://g/x"),
        (f"DATABASE_URL={ELSEWHERE}", ("--database-url", "postgresql://g/x"), {}, "postgresql://g/x"),
        ("PGPORT=1\nPGDATABASE=y", ("--database-url=postgresql://nowhere.invalid",), {}, "@nowhere.invalid:5432/"),
        ("PGPORT=1\nPGDATABASE=y", (), {"DATABASE_URL": "postgresql://nowhere.invalid"}, "@nowhere.invalid:5432/"),
        ("WFLO_SCHEMA_PASSWORD_COMMAND=false", (), {"DATABASE_URL": "postgresql://nowhere.invalid"}, "has no address"),
        (
            f"DATABASE_URL={ELSEWHERE}",
            (),
            {"PGDATABASE": "x"},
            "PGDATABASE names one database, and DATABASE_URL in .env",
        ),
        (f"DATABASE_URL={ELSEWHERE}", (), {"PGSERVICE": "x"}, "PGSERVICE names one database, and database-url in wflo"),
        ("PGHOST=x", (), {}, "PGHOST in .env names one database, and database-url in wflo-schema.toml another"),
        ("", (), {"PGHOST": "x"}, "PGHOST names one database, and database-url in wflo-schema.toml another"),
        (
            "",
            ("--env", "a"),
            {"PGHOST": "x"},
            "PGHOST names one database, and database-url in wflo",
        ),
        ("", ("--env", "a"), {"PGSERVICE": "x"}, "PGSERVICE names one database, and database-url in wflo-schema.toml"),
        ("", (), {"DATABASE_URL": ""}, "DATABASE_URL is set, and empty"),
        (f"DATABASE_URL={ELSEWHERE}", (), {"DATABASE_URL": ""}, "DATABASE_URL is set, and empty"),
        ("", ("--env", ""), {}, "the environment's name is empty"),
    ],
)
def test_no_database_but_the_one_that_is_named_nearest(
    project: Path, dotenv: str, words: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    (project / ".env").write_text(dotenv)
    (project / "wflo-schema.toml").write_text(
        f'database-url = "{ELSEWHERE}"\n[env.a]\ndatabase-url = "postgresql://a/a"\n'
    )
    told = run("status", *words, cwd=project, env=env).err
    if said.startswith("postgresql:"):
        told = str(in_force(project, *words, env=env)["database-url"][0])
    assert said in told, told


def test_a_service_of_dotenv_is_not_mixed_with_other_variables(project: Path) -> None:
    (project / ".env").write_text("PGSERVICE=y\n")
    ran = run("status", cwd=project, env={"PGDATABASE": "x"})
    assert (ran.code, "PGDATABASE names one database, and PGSERVICE in .env another" in ran.err) == (2, True)


def test_variables_of_libpq_that_say_the_same_are_no_other_database(project: Path, database: Database) -> None:
    (project / ".env").write_text(f"DATABASE_URL={database.url}\n")
    known = database.parameters
    env = {"PGHOST": known["host"], "PGPORT": known["port"], "PGUSER": "nobody", "PGDATABASE": known["dbname"]}
    assert run("migrate", cwd=project, env=env).code == 0


@pytest.mark.parametrize("group", [("contract", "freeze"), ("server", "status"), ("test-db", "list")])
def test_an_environment_before_the_last_command_is_not_lost(project: Path, group: tuple[str, str]) -> None:
    (project / "wflo-schema.toml").write_text("[env.a]\n")
    ran = run(group[0], "--env", "a", group[1], cwd=project)
    assert (ran.code, ran.out) == (2, "")
    assert f"hint: put options behind the last command: wflo-schema {' '.join(group)} --env a" in ran.err


def test_no_password_of_the_file_is_shown(project: Path) -> None:
    (project / "wflo-schema.toml").write_text(
        '[migrate]\ndatabase-url = "postgresql://u:s3cret@h/x"\n[check]\nscratch-url = "host=h password=s3cret"\n'
    )
    for words in (("config",), ("config", "--format", "json")):
        ran = run(*words, cwd=project)
        assert ran.code == 0 and "migrate.database-url" in ran.out and "s3cret" not in ran.out
    (project / "wflo-schema.toml").write_text('database-url = ["host=h password=s3cret"]\n')
    assert "s3cret" not in run("config", cwd=project).err


def test_a_password_goes_before_a_command_that_stands_behind_its_url(project: Path, database: Database) -> None:
    url = database.with_parameters(password="x").url
    (project / "wflo-schema.toml").write_text(
        f'password-command = "false"\ndatabase-url = "{url}"\n[env.a]\ndatabase-url = "{url}"\n'
    )
    for words in (("--database-url", url), ("--env", "a")):
        assert run("status", *words, cwd=project).code == 0
    for both in ([], ["--env", "a", "--password-command", "false"]):
        ran = run("status", *both, cwd=project)
        assert (ran.code, "holds a password, and a command is to give it, too" in ran.err) == (2, True)


def test_errors_are_json_where_a_file_says_so(project: Path) -> None:
    for name, text in (("wflo-schema.toml", 'format = "json"\n'), (".env", "WFLO_SCHEMA_FORMAT=json\n")):
        (project / name).write_text(text)
        ran = run("status", cwd=project)
        assert (ran.code, "no database is named" in json.loads(ran.out)["error"]["message"]) == (2, True)
        assert run("status", "--format", "text", cwd=project).out == ""
        (project / name).unlink()
    (project / "wflo-schema.toml").write_text('format = "github"\n')
    assert "no database is named" in run("status", cwd=project).err


def test_dotenv_with_a_mark_of_its_encoding_and_crlf_is_read(project: Path) -> None:
    (project / ".env").write_bytes(b"\xef\xbb\xbfDATABASE_URL=postgresql://h/x\r\nPGUSER=u\r\n")
    assert in_force(project)["database-url"] == ("postgresql://h/x", "DATABASE_URL in .env")


def test_a_folder_of_the_name_of_the_packaged_files_is_a_folder(project: Path) -> None:
    (project / "db" / "wflo").mkdir(parents=True)
    (project / "wflo-schema.toml").write_text('migrations = "db/wflo"\n')
    assert in_force(project / "db", env={"WFLO_SCHEMA_MIGRATIONS": ""})["migrations"][0] == [str(project / "db/wflo")]


def test_an_empty_list_says_nothing(project: Path) -> None:
    (project / "wflo-schema.toml").write_text("migrations = []\n")
    assert run("new", "add a column", cwd=project).out.startswith("migrations/")


@pytest.mark.parametrize(
    "text", ['tool = "wflo-schema"', "[tool]\nwflo-schema = 1", "[tool.wflo_schema]\nschema = 'a'"]
)
def test_a_pyproject_with_another_kind_of_table(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(text)
    ran = run("status", cwd=project)
    assert ("[tool.wflo-schema]" in ran.err) == ("[tool" in text), ran.err


def test_an_odd_line_of_dotenv_is_passed_over_and_named(project: Path) -> None:
    (project / ".env").write_text("# of another tool\n=\nWFLO_SCHEMA_SCHEMA=dot\nexport MORE\n")
    ran = run("config", cwd=project)
    assert (ran.code, ran.err) == (0, f"warning: {project}/.env:2 is not NAME=value, and is passed over\n")
    assert "WFLO_SCHEMA_SCHEMA in .env" in ran.out
    assert run("server", "list", cwd=project).err.count("is passed over") == 1, "a group and its command read it once"
    (project / ".env").write_bytes(b"A=\xe9\n")
    ran = run("config", cwd=project)
    assert (ran.code, f"cannot read {project}/.env" in ran.err) == (2, True)


def test_import_writes_where_the_others_read(project: Path) -> None:
    (project / "wflo-schema.toml").write_text('migrations = "db/ours"\n')
    (project / "old").mkdir()
    (project / "old" / "1_a.up.sql").write_text("CREATE TABLE a ();")
    ran = run("import", "old", "--write", cwd=project, env={"WFLO_SCHEMA_SERVER_DIRECTORY": "none"})
    assert (ran.code, ran.err) == (1, ""), "it is written, and nothing is there to prove it"
    assert (project / "db" / "ours" / "0001_a.sql").exists()


def test_two_databases_are_not_chosen_between(project: Path, database: Database) -> None:
    (project / "wflo-schema.toml").write_text('[env.production]\ndatabase-url = "postgresql://h/production"\n')
    ran = run("migrate", "--env", "production", cwd=project, env={"DATABASE_URL": database.url})
    assert (ran.code, ran.out) == (2, "")
    assert "DATABASE_URL names one database, and wflo-schema.toml [env.production] another" in ran.err
    given = run("migrate", "--env", "production", "--database-url", database.url, cwd=project)
    assert given.code == 0, given.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('shema = "a"', "wflo-schema.toml: there is no setting shema\nhint: did you mean schema?"),
        ("[chek]\ndrift = true", "wflo-schema.toml: there is no command chek\nhint: did you mean check?"),
        ("[check]\ndrif = true", "wflo-schema.toml [check]: there is no setting drif\nhint: did you mean drift?"),
        ("drift = true", "wflo-schema.toml: drift is no setting of all commands\nhint: it belongs to [check]"),
        ('[check]\ndrift = "yes"', "wflo-schema.toml [check]: drift must be true or false, and is text"),
        ("schema = 2026-01-01", "wflo-schema.toml: schema must be text, or a list of it, and is a date or a time"),
        ("unheard-of = 1", "wflo-schema.toml: there is no setting unheard-of\nhint: wflo-schema 0.1.0 knows here: "),
        ("schema = { name = 'a' }", "wflo-schema.toml: schema is no table\nhint: write schema = and its value"),
        ("[check.drift]", "wflo-schema.toml [check]: drift is no table\nhint: write drift = and its value"),
        ("[[check]]\ndrift = true", "wflo-schema.toml: check is a table\nhint: write [check], once"),
        ("schema = 5", "wflo-schema.toml: schema must be text, or a list of it, and is 5"),
        ("migrations = [1]", "wflo-schema.toml: migrations must be text, or a list of it, and is 1"),
        ('format = "yaml"', "wflo-schema.toml: Invalid value for '--format'"),
        ("[tool.wflo-schema]\nschema = 'a'", "wflo-schema.toml: the tables of this file have no tool.wflo-schema"),
        ("env = 1", "wflo-schema.toml: env is not made of tables\nhint: write [env.staging]"),
        ('schema = "a', "cannot read "),
        ('shema = "a"', "did you mean schema? This is wflo-schema 0.1.0; a newer one may know shema"),
        ("unheard-of = 1", "a newer one may know unheard-of"),
        (
            'requires = ">=9.1"\n[brew]\ncoffee = 1',
            "wflo-schema.toml requires wflo-schema 9.1 or newer, and this is 0.1.0",
        ),
        ('requires = ">=0.1.1"', "hint: pip install --upgrade 'wflo-schema>=0.1.1'"),
        ('requires = "0.1"', 'wflo-schema.toml: requires is no version\nhint: write requires = ">=0.1.0"'),
        ("requires = 1", "wflo-schema.toml: requires is no version"),
        ("[check]\non-success = 'x'", "wflo-schema.toml [check]: there is no setting on-success"),
        ("on-success = 'x'", "wflo-schema.toml: there is no setting on-success"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(project: Path, text: str, said: str) -> None:
    (project / "wflo-schema.toml").write_text(text)
    ran = run("check", cwd=project, env=NOBODY)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_config_finds_a_wrong_key_of_any_command(project: Path) -> None:
    (project / "wflo-schema.toml").write_text('[env.a.test-db.prune]\nolder-then = "1h"\n')
    assert run("status", "--help", cwd=project).code == 0
    ran = run("config", cwd=project)
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "error: wflo-schema.toml [env.a.test-db.prune]: there is no setting older-then",
    )


def test_config_shows_of_a_commands_settings_what_is_in_force_on_one_line_each(project: Path) -> None:
    (project / "wflo-schema.toml").write_text(
        "[migrate]\ntogether = true\nlock-timeout = '1s'\non-success = 'a'\n[variables]\nv = \"x\\n  forged\"\n"
        "[env.live]\nlock-timeout = '2s'\n[env.live.migrate]\ntogether = false\n"
    )
    lines = run("config", "--env", "live", cwd=project).out.splitlines()
    shown = [" ".join(line.split()) for line in lines if "migrate." in line or "lock-timeout" in line or "x" in line]
    assert shown[-4:] == [
        "lock-timeout 2s wflo-schema.toml [env.live]",
        "migrate.together no wflo-schema.toml [env.live.migrate]",
        "migrate.on-success a wflo-schema.toml [migrate]",
        "variables.v x\\n forged wflo-schema.toml [variables]",
    ]


def test_a_file_of_somebody_else_above_does_not_count(project: Path) -> None:
    (project / ".git").rmdir()
    inner = project / "inner"
    inner.mkdir()
    (project / "wflo-schema.toml").write_text('schema = "theirs"\n')
    assert in_force(inner)["schema"][0] == "theirs"
    if os.geteuid():
        pytest.skip("only root may give a file away")
    os.chown(project / "wflo-schema.toml", 4711, -1)
    assert in_force(inner)["schema"][0] is None
    (inner / ".env").write_text("WFLO_SCHEMA_SCHEMA=theirs\n")
    os.chown(inner / ".env", 4711, -1)
    ran = run("config", cwd=inner)
    assert [line.rpartition(" is of another user")[0] for line in ran.err.splitlines()] == [
        f"warning: {project}/wflo-schema.toml",
        f"warning: {inner}/.env",
    ]
    assert "theirs" not in ran.out


def test_an_environment_that_is_not_there_is_refused(project: Path) -> None:
    ran = run("status", "--env", "staging", cwd=project, env=NOBODY)
    assert (ran.code, "no settings file says what the environment staging is" in ran.err) == (2, True)
    (project / "wflo-schema.toml").write_text("[env.a]\n[env.b]\n")
    ran = run("status", "--env", "staging", cwd=project, env=NOBODY)
    assert "wflo-schema.toml has no environment staging\nhint: it has a, b;" in ran.err


def test_hints_repeat_the_environment(project: Path, database: Database) -> None:
    (project / "wflo-schema.toml").write_text(f'[env.here]\ndatabase-url = "{database.url}"\n')
    assert run("migrate", "--env", "here", cwd=project).code == 0
    ran = run("adopt", "--env", "here", cwd=project)
    assert "next: wflo-schema check --env here" in ran.out


@pytest.mark.parametrize("requires", [">=0.1", ">=0.1.0", " >= 0 ", ">=0.1.0.0"])
def test_a_file_of_this_version_or_an_older_one_is_taken(project: Path, requires: str) -> None:
    (project / "wflo-schema.toml").write_text(f'requires = "{requires}"\nschema = "a"\n')
    assert in_force(project)["schema"] == ("a", "wflo-schema.toml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "app"),
        ("ledger-schema", "meta"),
        ("role", "owner"),
        ("migrations", "db/sql"),
        ("contract", "staging.toml"),
        ("lock-timeout", "7s"),
        ("lock-wait", "8s"),
        ("block-timeout", "30s"),
        ("wait", "9s"),
        ("scratch-url", "postgresql://h/d"),
        ("scratch-template", "t"),
        ("server-directory", "pg"),
    ],
)
def test_an_environment_has_its_own_value_of_what_all_commands_share(project: Path, key: str, value: str) -> None:
    (project / "wflo-schema.toml").write_text(f'{key} = "0s"\n[env.staging]\n{key} = "{value}"\n')
    shown, source = in_force(project, "--env", "staging")[key]
    assert shown in (value, [value])
    assert source == "wflo-schema.toml [env.staging]"
    assert in_force(project)[key][1] == "wflo-schema.toml"


def test_a_case_is_allowed_in_one_environment(project: Path, database: Database) -> None:
    (project / "wflo-schema.toml").write_text('[env.staging.migrate]\nallow = ["late", "not-empty"]\n')
    env = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=project, env=env).code == 0
    write(project, **{"0_late": "CREATE TABLE late ();", "0_late_rollback": "DROP TABLE late;"})
    assert run("migrate", cwd=project, env=env).code == 3
    shown = in_force(project, "--env", "staging")["migrate.allow"]
    assert shown == (["late", "not-empty"], "wflo-schema.toml [env.staging.migrate]")
    assert run("migrate", "--env", "staging", cwd=project, env=env).code == 0


def test_one_environment_allows_what_the_contract_does_not(project: Path, database: Database) -> None:
    (project / "migrations" / "contract.toml").write_text('[contract]\ntables = ["a"]\n')
    (project / "ops").mkdir()
    (project / "ops" / "staging.toml").write_text(
        '[[allow]]\ncode = "drift"\nobject = "public.play"\nreason = "people try things"\n'
    )
    (project / "wflo-schema.toml").write_text('[env.staging.check]\nallowances = "ops/staging.toml"\n')
    env = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=project, env=env).code == 0
    with database.connect() as connection:
        connection.execute("CREATE TABLE play (); CREATE VIEW on_play AS SELECT FROM a")
        connection.execute("DROP VIEW on_play")
    for folder in (project, project / "ops"):
        ran = run("check", "--drift", "--env", "staging", "--migrations", project / "migrations", cwd=folder, env=env)
        assert ran.code == 0, ran.out + ran.err
        assert "allowed: [drift" in ran.out and "people try things" in ran.out and "staging.toml:1)" in ran.out
    assert run("check", "--drift", "--fail-on", "warning", cwd=project, env=env).code == 1
    with database.connect() as connection:
        connection.execute("DROP TABLE play")
    ran = run("check", "--drift", "--env", "staging", cwd=project, env=env)
    assert "[allowance-unused]" in ran.out and "take it out of ops/staging.toml" in ran.out
    ran = run("check", "--only", "ledger,drift", "--allowances", "migrations/contract.toml", cwd=project, env=env)
    assert ran.code == 3 and "is to hold allowances alone" in ran.err
    ran = run("check", "--allowances", "nowhere.toml", cwd=project, env=env)
    assert ran.code == 2 and "nowhere.toml" in ran.err


def test_variables_come_from_five_places_in_this_order(project: Path) -> None:
    (project / "wflo-schema.toml").write_text(
        '[variables]\na = "file"\nb = "file"\nc = "file"\nd = "file"\ne = 5\nmy_token = "x"\n'
        '[env.staging.variables]\na = "env"\nb = "env"\nc = "env"\n'
    )
    lines = [f"WFLO_SCHEMA_SET_{name}=dotenv" for name in "abcd"]
    (project / ".env").write_text("\n".join(lines))
    env = {"WFLO_SCHEMA_SET_a": "variable", "WFLO_SCHEMA_SET_b": "variable"}
    found = in_force(project, "--env", "staging", "--set", "a=typed=it", env=env)
    assert {n: found[f"variables.{n}"] for n in ("a", "b", "c", "d", "e", "my_token")} == {
        "a": ("typed=it", "command line"),
        "b": ("variable", "WFLO_SCHEMA_SET_b"),
        "c": ("env", "wflo-schema.toml [env.staging.variables]"),
        "d": ("dotenv", "WFLO_SCHEMA_SET_d in .env"),
        "e": ("5", "wflo-schema.toml [variables]"),
        "my_token": ("…", "wflo-schema.toml [variables]"),
    }


def test_variable_reaches_the_database_from_the_settings_file(project: Path, database: Database) -> None:
    (project / "migrations" / "2_b.sql").write_text("-- variables: n\nCREATE TABLE b (x text DEFAULT :'n');")
    (project / "migrations" / "2_b.rollback.sql").write_text("DROP TABLE b;")
    env = {"DATABASE_URL": database.url}
    ran = run("migrate", cwd=project, env=env)
    assert ran.code == 3 and "this variable has no value: n (migrations/2_b.sql:2)" in ran.err
    assert count(database, "SELECT count(*) FROM pg_tables WHERE tablename IN ('a', 'b')") == 0
    assert run("plan", cwd=project, env=env).code == 1
    ran = run("migrate", "--set", "n=v", "--set", "m=1", cwd=project, env=env)
    assert ran.code == 0 and "no migration declares the variable m" in ran.err
    assert count(database, "SELECT count(*) FROM _wflo_schema_variable WHERE name = 'n' AND value = 'v'") == 1
    for words in (("status",), ("check", "--only", "ledger", "--only", "drift"), ("dump",), ("rollback",)):
        assert run(*words, cwd=project, env=env).code == 0, words
    ran = run("test-db", cwd=project, env={**env, "WFLO_SCHEMA_SET_n": "w"})
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (("--set", "a"), "", "--set a is not NAME=VALUE"),
        (("--set", "a-b=1"), "", "a-b is no name"),
        (("--set", "=1"), "", "nothing is no name"),
        ((), 'variables = "x"', "variables is a table"),
        ((), "[variables]\nx = [1]", "x must be text, and is a list of 1 value"),
        ((), "[variables]\nx = true", "x must be text, and is true"),
    ],
)
def test_bad_variables_are_refused(project: Path, words: tuple[str, ...], text: str, said: str) -> None:
    (project / "wflo-schema.toml").write_text(text)
    for command in (("config",), ("plan", "--against", "HEAD")):
        ran = run(*command, *words, cwd=project, env=NOBODY)
        assert ran.code in (2, 3) and (said in ran.err or command[0] == "plan"), (command, ran)


SUCCESS = """
[migrate]
on-success = ['echo "one: $WFLO_SCHEMA_APPLIED, $WFLO_SCHEMA_DATABASE"; pwd', "cat; echo two"]
[rollback]
on-success = 'echo "back: $WFLO_SCHEMA_ROLLED_BACK"; exit 7'
[env.other.migrate]
on-success = []
"""


def test_commands_follow_a_run_that_did_something_and_no_other(project: Path, database: Database) -> None:
    (project / "wflo-schema.toml").write_text(SUCCESS)
    here = {"DATABASE_URL": database.url}
    inner = project / "inner"
    inner.mkdir()
    ran = run("migrate", "--migrations", "../migrations", cwd=inner, env=here)
    assert ran.code == 0
    assert ran.err.splitlines()[-3:] == [f"one: 1_a, {database.label}", str(project), "two"]
    assert "one:" not in ran.out
    again = run("migrate", cwd=project, env=here)
    assert (again.code, again.err) == (0, "")
    back = run("rollback", "--format", "json", cwd=project, env=here)
    assert back.code == 3
    assert "back: 1_a\n" in back.err
    answer = json.loads(back.out)
    assert answer["error"]["code"] == "command-failed"
    assert "exit 7 ended with 7; 1 migration is rolled back all the same" in answer["error"]["message"]
    assert answer["rolled_back"] == ["1_a"]
    other = run("migrate", "--env", "other", cwd=project, env=here)
    assert (other.code, other.err) == (0, "")


def test_a_command_that_fails_ends_it_and_what_was_applied_stays(project: Path, database: Database) -> None:
    text = '[migrate]\non-success = ["false", "echo never", "echo never"]'
    (project / "wflo-schema.toml").write_text(text)
    ran = run("migrate", cwd=project, env={"DATABASE_URL": database.url})
    assert ran.code == 3
    assert "never\n" not in ran.err
    assert "false ended with 1; 1 migration is applied all the same; 2 commands behind it were not run" in ran.err
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 1


def test_no_command_is_taken_from_the_environment_dotenv_or_the_command_line(project: Path, database: Database) -> None:
    given = {"WFLO_SCHEMA_ON_SUCCESS": "touch made", "WFLO_SCHEMA_MIGRATE_ON_SUCCESS": "touch made"}
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    assert run("migrate", cwd=project, env={"DATABASE_URL": database.url, **given}).code == 0
    assert not (project / "made").exists()
    assert run("migrate", "--on-success", "touch made", cwd=project, env={"DATABASE_URL": database.url}).code == 2


@pytest.mark.parametrize("value", ["5", "true", "['x', 1]", "2026-01-01"])
def test_what_follows_must_be_a_command(project: Path, value: str) -> None:
    (project / "wflo-schema.toml").write_text(f"[migrate]\non-success = {value}")
    for command in ("migrate", "config"):
        ran = run(command, cwd=project, env=NOBODY)
        assert ran.code == 2
        assert "wflo-schema.toml [migrate]: on-success must be text, or a list of it" in ran.err
