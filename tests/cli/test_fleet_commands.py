"""`migrate` and `rollback` over many targets, as a user types and sees them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from tests.cli.test_commands import ROOT, Ran, count, run
from tests.cli.test_faults import run_without_reader
from tests.engine.test_faults import do, is_running, wait_until, write
from tests.forks import Command
from wflo_schema.cli.fleet_progress import FleetDisplay
from wflo_schema.connect.database import Database
from wflo_schema.engine.events import Blocker, Notice, Running, Waiting
from wflo_schema.errors import DatabaseError
from wflo_schema.fleet.outcomes import Beginning, Finished, Outcome, State, Told, Wave
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

NAMES = tuple(f"tenant_{number:02}" for number in range(1, 13))
ALL = ("--schemas", "tenant_%")

FILES = {"1_a": "CREATE TABLE a (n int)", "2_b": "CREATE TABLE b (n int)"}
ROLLBACKS = {"1_a": "DROP TABLE a", "2_b": "DROP TABLE b"}


@pytest.fixture
def fleet(database: Database, tmp_path: Path) -> Database:
    """Twelve schemas of tenants, two migrations for them in the folder."""
    with database.connect() as connection:
        for name in NAMES:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    write(tmp_path / "migrations", FILES, ROLLBACKS)
    return database


def on(database: Database, *words: str, cwd: Path) -> Ran:
    return run(words[0], *ALL, *words[1:], cwd=cwd, env={"DATABASE_URL": database.url})


def state(database: Database) -> dict[str, int]:
    """How many migrations each tenant has; its tables are those that its ledger says."""
    found = {}
    with database.connect() as connection:
        for name in NAMES:
            tables = {
                table
                for (table,) in connection.execute(
                    "SELECT tablename::text FROM pg_tables WHERE schemaname = %s AND tablename !~ '^_'", (name,)
                )
            }
            has_ledger = connection.execute("SELECT to_regclass(%s)", (f"{name}._yoyo_migration",)).fetchone()
            ids: set[str] = set()
            if has_ledger is not None and has_ledger[0]:
                query = sql.SQL("SELECT migration_id FROM {}").format(sql.Identifier(name, "_yoyo_migration"))
                ids = {id_.partition("_")[2] for (id_,) in connection.execute(query)}
            assert ids == tables, name
            found[name] = len(ids)
    return found


def test_all_are_migrated_and_again_that_is_two_lines(fleet: Database, tmp_path: Path) -> None:
    first = on(fleet, "migrate", cwd=tmp_path)
    assert (first.code, first.err) == (0, "")
    begins, ends = first.out.splitlines()
    assert begins == f"migrating 12 targets in {fleet.label}, from migrations"
    assert ends.startswith("2 migrations applied in each of 12 targets in ")
    assert state(fleet) == dict.fromkeys(NAMES, 2)
    again = on(fleet, "migrate", cwd=tmp_path)
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[0] == begins
    assert again.out.splitlines()[1].startswith("nothing to do: every migration is applied in 12 targets  (")
    back = on(fleet, "rollback", cwd=tmp_path)
    assert back.code == 0 and "\n1 migration rolled back in each of 12 targets in " in back.out
    assert state(fleet) == dict.fromkeys(NAMES, 1)


def test_those_that_fail_are_named_by_their_cause_and_the_others_are_done(fleet: Database, tmp_path: Path) -> None:
    do(
        fleet,
        "CREATE TABLE tenant_03.b (x int)",
        "CREATE TABLE tenant_07.b (x int)",
        "CREATE VIEW tenant_09.a AS SELECT 1",
    )
    ran = on(fleet, "migrate", "--allow", "not-empty", cwd=tmp_path)
    assert ran.code == 3
    lines = ran.out.splitlines()
    assert lines[1] == "2 targets failed: tenant_03, tenant_07"
    assert lines[2].startswith('  error: 2_b failed in statement 1 of 1: relation "b" already exists')
    assert "    --> migrations/2_b.sql:1:1" in lines
    assert "1 target failed: tenant_09" in lines
    for names in ("--schema tenant_03 --schema tenant_07", "--schema tenant_09"):
        assert f"wflo-schema check {names} --drift" in ran.out  # once for each cause
    assert lines[-2].startswith("20 migrations applied in ") and lines[-2].endswith("; of 12 targets: 9 done, 3 failed")
    assert lines[-1] == f"to go on with what is left: wflo-schema migrate {' '.join(ALL)} --allow not-empty"
    for name in ("tenant_03", "tenant_07", "tenant_09"):
        assert f"  {name} failed: " in ran.err
    do(fleet, "DROP TABLE tenant_03.b, tenant_07.b", "DROP VIEW tenant_09.a")
    ran = on(fleet, "migrate", "--allow", "not-empty", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].startswith(f"migrating 12 targets in {fleet.label}, 3 with something to do")
    assert "\n4 migrations applied in " in ran.out and ran.out.endswith(
        "; of 12 targets: 3 done, 9 with nothing to do\n"
    )


def objects(ran: Ran) -> list[Any]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_json_is_one_line_for_each_target_and_nothing_else(fleet: Database, tmp_path: Path) -> None:
    assert on(fleet, "migrate", "--to", "1_a", cwd=tmp_path).code == 0
    do(fleet, "CREATE TABLE tenant_05.b (x int)")
    ran = on(fleet, "migrate", "--format", "json", cwd=tmp_path)
    assert ran.code == 3
    found = {one["target"]: one for one in objects(ran)}
    assert sorted(found) == sorted(NAMES) and len(ran.out.splitlines()) == 12
    done, failed = found["tenant_01"], found["tenant_05"]
    assert list(done) == ["target", "database", "schema", "outcome", "applied", "duration_ms", "error"]
    assert done["database"] == fleet.label and done["schema"] == "tenant_01"
    assert (done["outcome"], done["applied"], done["error"]) == ("done", ["2_b"], None)
    assert (failed["outcome"], failed["applied"]) == ("failed", [])
    assert failed["error"]["code"] == "migration-failed" and failed["error"]["location"]["line"] == 1
    assert "wflo-schema check --schema tenant_05 --drift" in failed["error"]["hint"]
    assert "of 12 targets: 11 done, 1 failed" in ran.err
    again = on(fleet, "migrate", "--format", "json", cwd=tmp_path)
    assert [one["outcome"] for one in objects(again)] == ["nothing-to-do"] * 11 + ["failed"]
    back = on(fleet, "rollback", "--format", "json", cwd=tmp_path)
    assert back.code == 0 and {tuple(one["rolled_back"]) for one in objects(back)} == {("2_b",), ("1_a",)}
    wrong = on(fleet, "migrate", "--format", "json", "--to", "no", cwd=tmp_path)
    assert wrong.code == 3 and objects(wrong)[0]["error"]["message"] == "there is no migration no in migrations"
    wrong = on(fleet, "migrate", "--format", "json", "--jobs", "0", cwd=tmp_path)
    assert wrong.code == 2 and objects(wrong)[0]["error"]["code"] == "usage-error"
    nobody = run("migrate", "--schemas", "x%", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": fleet.url})
    assert nobody.code == 3 and len(objects(nobody)) == 1 and objects(nobody)[0]["error"]["code"] == "refused"


def test_failed_canary_leaves_the_others_untried(fleet: Database, tmp_path: Path) -> None:
    do(fleet, "CREATE TABLE tenant_02.a (x int)")
    ran = on(fleet, "migrate", "--canary", "2", "--allow", "not-empty", "--format", "json", cwd=tmp_path)
    assert ran.code == 3
    assert "  the canary: 2 targets\n" in ran.err
    assert "10 targets were not tried (the canary failed): tenant_03, " in ran.err
    assert [one["outcome"] for one in objects(ran)][2:] == ["not-tried"] * 10
    assert state_of_tried(fleet) == {"tenant_01": 2}


def state_of_tried(database: Database) -> dict[str, int]:
    do(database, "DROP TABLE tenant_02.a")
    return {name: many for name, many in state(database).items() if many}


def test_no_target_is_begun_after_so_many_failures(fleet: Database, tmp_path: Path) -> None:
    do(fleet, *(f"CREATE TABLE {name}.a (x int)" for name in NAMES))
    words = ("--jobs", "1", "--stop-after-failures", "2", "--allow", "not-empty")
    ran = on(fleet, "migrate", *words, cwd=tmp_path)
    assert ran.code == 3
    assert "2 targets failed: tenant_01, tenant_02\n" in ran.out
    assert "10 targets were not tried (2 failed, and --stop-after-failures says so): tenant_03, " in ran.out


def test_rollback_goes_on_with_those_that_are_left_and_no_other(fleet: Database, tmp_path: Path) -> None:
    assert on(fleet, "migrate", cwd=tmp_path).code == 0
    do(
        fleet,
        "CREATE VIEW tenant_04.v AS SELECT * FROM tenant_04.b",
        "CREATE VIEW tenant_08.v AS SELECT * FROM tenant_08.b",
    )
    ran = on(fleet, "rollback", "-n", "1", cwd=tmp_path)
    assert ran.code == 3
    last = ran.out.splitlines()[-1]
    assert last == ("to go on with what is left: wflo-schema rollback -n 1 --schema tenant_04 --schema tenant_08")
    do(fleet, "DROP VIEW tenant_04.v, tenant_08.v")
    ran = run(*last.split(": wflo-schema ")[1].split(), cwd=tmp_path, env={"DATABASE_URL": fleet.url})
    assert ran.code == 0 and state(fleet) == dict.fromkeys(NAMES, 1)
    ran = on(fleet, "rollback", "--to", "1_a", cwd=tmp_path)
    assert ran.code == 0 and ran.out.splitlines()[1].startswith("nothing to roll back in 12 targets  (")


@pytest.mark.parametrize("format_", ["text", "json"])
def test_interrupted_run_says_what_is_left_and_leaves_nothing_half_done(
    fleet: Database, tmp_path: Path, format_: str
) -> None:
    do(fleet, "CREATE TABLE gate (n int)")
    waits = "CREATE TABLE c (n int); SELECT pg_sleep(120) WHERE NOT EXISTS (SELECT FROM gate)"
    write(tmp_path / "migrations", {"3_c": waits})
    words = ("migrate", *ALL, "--jobs", "3", "--format", format_)
    command = Command(*words, cwd=tmp_path, env={**os.environ, "DATABASE_URL": fleet.url})
    wait_until(lambda: is_running(fleet, "pg_sleep(120)", many=3), "the third file")
    command.send_signal(signal.SIGINT)
    command.send_signal(signal.SIGINT)
    code, out, err = command.finish()
    assert code == 130 and "Traceback" not in err
    said = out if format_ == "text" else err
    left = state(fleet)
    assert sorted(set(left.values())) == [0, 2]
    stopped = sum(many == 2 for many in left.values())
    assert f"; of 12 targets: {stopped} stopped, {12 - stopped} not tried\n" in said
    assert f"{12 - stopped} targets were not tried (interrupted (SIGINT)): " in said
    if format_ == "json":
        assert {one["target"]: len(one["applied"]) for one in map(json.loads, out.splitlines())} == left
    do(fleet, "INSERT INTO gate VALUES (1)")
    assert on(fleet, "migrate", cwd=tmp_path).code == 0
    assert state(fleet) == dict.fromkeys(NAMES, 3)


def test_commands_follow_once_and_only_if_all_succeeded(fleet: Database, tmp_path: Path) -> None:
    follows = 'echo "ran: $WFLO_SCHEMA_APPLIED on $WFLO_SCHEMA_DATABASE"; echo "$WFLO_SCHEMA_TARGETS" | wc -l'
    (tmp_path / "wflo-schema.toml").write_text(f"[migrate]\non-success = '{follows}'\n")
    do(fleet, "CREATE TABLE tenant_05.a (x int)")
    ran = on(fleet, "migrate", "--to", "1_a", "--allow", "not-empty", cwd=tmp_path)
    assert ran.code == 3 and "ran:" not in ran.err
    do(fleet, "DROP TABLE tenant_05.a")
    ran = on(fleet, "migrate", cwd=tmp_path)
    assert ran.code == 0
    assert ran.err.splitlines()[-3:] == ["ran: 1_a", f"2_b on {fleet.label}", "12"]
    ran = on(fleet, "migrate", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")


def test_file_that_names_a_schema_is_refused_before_anything_runs(fleet: Database, tmp_path: Path) -> None:
    write(tmp_path / "migrations", {"3_c": "CREATE TABLE tenant_01.c (n int)"}, {"3_c": "DROP TABLE tenant_01.c"})
    ran = on(fleet, "migrate", cwd=tmp_path)
    assert ran.code == 3 and "migrations/3_c.sql:1:" in ran.err and "tenant_01" in ran.err
    assert state(fleet) == dict.fromkeys(NAMES, 0)
    assert run("migrate", "--schema", "tenant_01", cwd=tmp_path, env={"DATABASE_URL": fleet.url}).code == 0
    assert on(fleet, "migrate", "--to", "2_b", cwd=tmp_path).code == 0
    ran = on(fleet, "rollback", cwd=tmp_path)
    assert ran.code == 3 and "1 target failed: tenant_01\n" in ran.out and "11 done, 1 failed" in ran.out


def test_database_that_cannot_be_reached_fails_alone(fleet: Database, tmp_path: Path) -> None:
    lines = [f"{fleet.url}#{name}" for name in NAMES[:2]] + [f"{fleet.with_name('no_such_one').url}#tenant_01"]
    (tmp_path / "list").write_text("\n".join(lines))
    ran = run("migrate", "--targets", "list", cwd=tmp_path)
    assert ran.code == 3
    assert "1 target failed: no_such_one#tenant_01\n" in ran.out
    assert "2 migrations applied in each of 2 targets in " in ran.out and "of 3 targets: 2 done, 1 failed" in ran.out
    assert "migrating 3 targets in 2 databases" in ran.out


def test_what_those_hold_that_were_never_migrated_is_one_cause(fleet: Database, tmp_path: Path) -> None:
    do(fleet, "CREATE TABLE tenant_03.x (n int)", "CREATE TABLE tenant_05.alembic_version (version_num varchar(32))")
    ran = on(fleet, "migrate", cwd=tmp_path)
    assert ran.code == 3
    assert ran.out.splitlines()[1] == "2 targets failed: tenant_03, tenant_05"
    assert ran.out.splitlines()[2].startswith("  for example in tenant_03: nothing is recorded here, but ")
    assert ran.out.count("adopt --schema tenant_03 --schema tenant_05; to go on all the same: --allow not-empty") == 1


def test_list_on_stdin_is_given_again_to_go_on(fleet: Database, tmp_path: Path) -> None:
    do(fleet, "CREATE TABLE tenant_01.a (x int)")
    words = [sys.executable, "-m", "wflo_schema", "migrate", "--targets", "-", "--allow", "not-empty"]
    lines = f"{fleet.url}#tenant_01\n{fleet.url}#tenant_02\n"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=env, input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    again = "wflo-schema migrate --targets - --allow not-empty"
    assert done.stdout.endswith(f"\nto go on with what is left, with the same list on stdin: {again}\n")


def test_nobody_who_reads_is_no_reason_to_stop(fleet: Database, tmp_path: Path) -> None:
    code, err = run_without_reader("migrate", *ALL, "--format", "json", cwd=tmp_path, env={"DATABASE_URL": fleet.url})
    assert code == 128 + signal.SIGPIPE and "2 migrations applied in each of 12 targets" in err
    assert state(fleet) == dict.fromkeys(NAMES, 2)


def test_on_a_terminal_a_bar_counts_and_failures_stay(fleet: Database, tmp_path: Path) -> None:
    do(fleet, "CREATE TABLE tenant_05.a (x int)")
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": fleet.url, "TERM": "xterm", "COLUMNS": "120"}
    words = [sys.executable, "-m", "wflo_schema", "migrate", *ALL, "--allow", "not-empty"]
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b"".join(chunks(ours))
        assert running.wait(60) == 3
    os.close(ours)
    assert b"\x1b[2K" in shown and b"12/12" in shown and b"1 failed" in shown
    assert b"  tenant_05 failed: 1_a failed in statement 1 of 1" in shown
    assert b"2 migrations applied in each of 11 targets in " in shown


def chunks(terminal: int) -> Iterator[bytes]:
    """What is written to a terminal until nobody has it open any more."""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            return
        if not chunk:
            return
        yield chunk


def targets_of(database: Database) -> list[Target]:
    return [Target(name, database.with_schema(name)) for name in NAMES]


def test_without_a_terminal_a_line_comes_now_and_then(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    blocker = Blocker(7, "ann", "psql", "idle in transaction", 1.0, "SELECT 1", "t")
    with FleetDisplay("text", targets_of(database), every_s=0.0) as display:
        display(Beginning("apply", 12, 12, ""))
        display(Wave(2, 4))
        display(Told("tenant_01", Running("1_a", 1, 2, 0.1)))
        display(Told("tenant_01", Running("1_a", 1, 2, 70.0)))
        display(Told("tenant_02", Waiting("1_a", (blocker,), 1.5)))
        display(Finished(Outcome("tenant_01", State.FAILED, error=DatabaseError("no\nmore")), 1, 12))
    out, err = capsys.readouterr()
    assert out == f"migrating 12 targets in {database.label}\n"
    assert "  wave 2: 4 targets\n" in err
    assert "  0 of 12 targets; tenant_01: 1_a is running (1 min 10 s)\n" in err
    assert "tenant_01 (and 1 more): 1_a is running" in err
    assert "  tenant_01 failed: no\n" in err and "1 of 12 targets, 1 failed" in err.splitlines()[-1]
    assert "tenant_02: 1_a waits for a lock on t" in err.splitlines()[-1]


def test_lines_are_as_far_apart_as_was_asked(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with FleetDisplay("json", targets_of(database), every_s=3600.0) as display:
        display(Told("tenant_01", Running("1_a", 1, 2, 70.0)))
        display(Finished(Outcome("tenant_01", State.DONE, ("1_a",)), 1, 12))
    out, err = capsys.readouterr()
    assert json.loads(out)["applied"] == ["1_a"] and err == ""


def test_who_failed_for_one_cause_is_told_of_three_and_then_counted(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    for every_s, more in ((3600.0, ["9"]), (0.0, ["1", "2", "3", "4", "5", "6", "7", "8", "9"])):
        with FleetDisplay("json", targets_of(database), every_s=every_s) as display:
            for number, name in enumerate(NAMES, 1):
                failed = Outcome(name, State.FAILED, error=DatabaseError(f'relation "{name}.a" is not there'))
                display(Finished(failed, number, 12))
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 12
        told = [line for line in err.splitlines() if " failed: " in line]
        assert [line.split()[0] for line in told] == list(NAMES[:3])
        counts = [line for line in err.splitlines() if "for the same cause as" in line]
        assert [line.split()[1] for line in counts] == more
        assert counts[-1] == "  and 9 more targets so far, for the same cause as tenant_01"


def test_who_waits_through_several_tries_has_waited_since_the_first(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    blocker = Blocker(7, "ann", "psql", "idle in transaction", 1.0, "SELECT 1", "t")
    with FleetDisplay("text", targets_of(database), every_s=0.0) as display:
        display(Beginning("apply", 12, 12, ""))
        display(Told("tenant_01", Waiting("1_a", (blocker,), 70.0)))
        display(Told("tenant_01", Waiting("1_a", (blocker,), 0.0)))
        display(Told("tenant_01", Waiting("2_b", (blocker,), 30.0)))
    tries, new = capsys.readouterr().err.splitlines()[-2:]
    assert "tenant_01: 1_a waits for a lock on t (7" in tries and "2_b waits for a lock on t (3" in new


def test_what_the_server_says_to_each_target_is_said_once(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with FleetDisplay("text", targets_of(database)) as display:
        for name in NAMES:
            display(Told(name, Notice("1_a", "NOTICE", f'relation "{name}.a" already exists, skipping')))
            display(Told(name, Notice("1_a", "INFO", "nothing")))
    assert capsys.readouterr().err == '  tenant_01: notice: relation "tenant_01.a" already exists, skipping\n'


def test_command_to_go_on_holds_no_password(fleet: Database, tmp_path: Path) -> None:
    do(fleet, "CREATE TABLE tenant_05.a (x int)")
    url = fleet.url.replace("postgres@", "postgres:s3cret@") if "postgres@" in fleet.url else fleet.url
    for words in (("--database-url", url), (f"--database-url={url}",)):
        ran = run("migrate", *ALL, "--allow", "not-empty", *words, cwd=tmp_path)
        assert ran.code == 3 and "s3cret" not in ran.out + ran.err
        assert "to go on with what is left: wflo-schema migrate --schemas tenant_% --allow not-empty --dat" in ran.out


def test_dry_run_leads_to_plan(fleet: Database, tmp_path: Path) -> None:
    on(fleet, "migrate", "--dry-run", "--no-trace", cwd=tmp_path)
    assert count(fleet, "SELECT count(*) FROM pg_tables WHERE tablename = '_yoyo_migration'") == 0
