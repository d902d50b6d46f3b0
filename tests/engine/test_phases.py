"""Before and after the deploy: what is applied when, which order is refused, and that both orders end the same."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.engine.test_faults import do, is_running, one, start_cli, wait_until, write
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Event, Result
from wflo_schema.engine.planning import Allow, Plan
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import replayed
from wflo_schema.squash.operations import squash_migrations

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

BEFORE, AFTER = Phase.BEFORE_DEPLOY, Phase.AFTER_DEPLOY

# Expand and contract, twice; the second expansion adds a column behind the one that the first contraction adds.
FILES = {
    "1_a": "CREATE TABLE t (id int, old int);",
    "2_b": "-- phase: after-deploy\nALTER TABLE t DROP COLUMN old; ALTER TABLE t ADD COLUMN b int;",
    "3_c": "-- phase: before-deploy\nALTER TABLE t ADD COLUMN c int;",
    "4_d": "-- phase: after-deploy\nALTER TABLE t ALTER c SET NOT NULL;",
}
BACK = {
    "1_a": "DROP TABLE t;",
    "2_b": "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN old int;",
    "3_c": "ALTER TABLE t DROP COLUMN c;",
    "4_d": "ALTER TABLE t ALTER c DROP NOT NULL;",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "migrations", FILES, BACK)


def migrate(database: Database, folder: Path, phase: Phase | None = None, **options: object) -> Result:
    return operations.migrate(database, read_migrations(folder), phase=phase, **options)  # type: ignore[arg-type]


def plan(database: Database, folder: Path, phase: Phase | None = None, **options: object) -> Plan:
    return operations.plan(database, read_migrations(folder), phase=phase, **options)  # type: ignore[arg-type]


def refuse(database: Database, folder: Path, phase: Phase | None = None, **options: object) -> Refused:
    with pytest.raises(Refused) as caught:
        migrate(database, folder, phase, **options)
    assert plan(database, folder, phase, **options).refusals, "plan says so, too"
    return caught.value


def columns(database: Database) -> str:
    names = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute"
    return str(one(database, f"{names} WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped")[0])


def recorded(database: Database) -> str:
    return str(one(database, "SELECT string_agg(migration_id, ' ' ORDER BY applied_at_utc) FROM _yoyo_migration")[0])


def drift(database: Database, folder: Path, phase: Phase | None = None) -> list[str]:
    files = read_migrations(folder)
    wanted = replayed(database, files, phase=phase)
    result = check_database(database, None, migrations=files, only=("ledger", "drift"), wanted=wanted, phase=phase)
    return [f"{f.code} {f.object}" for f in result.findings]


def test_each_phase_applies_its_own_files_and_none_is_late(database: Database, folder: Path) -> None:
    first = migrate(database, folder, BEFORE)
    assert first.ids == ("1_a", "3_c") and first.for_later == ("2_b", "4_d")
    found = operations.status(database, read_migrations(folder))
    assert [(e.id, e.state.value, e.phase, e.is_late) for e in found.entries] == [
        ("1_a", "applied", BEFORE, False),
        ("2_b", "pending", AFTER, False),
        ("3_c", "applied", BEFORE, False),
        ("4_d", "pending", AFTER, False),
    ]
    assert found.is_applied(BEFORE) and not found.is_applied() and not found.is_applied(AFTER)
    assert migrate(database, folder, BEFORE).ids == ()
    assert migrate(database, folder, AFTER).ids == ("2_b", "4_d")
    assert recorded(database) == "1_a 3_c 2_b 4_d"
    assert operations.status(database, read_migrations(folder)).is_up_to_date


def test_without_a_phase_all_are_applied_in_order(database: Database, folder: Path) -> None:
    assert migrate(database, folder).ids == ("1_a", "2_b", "3_c", "4_d")
    assert columns(database) == "id b c"


def test_what_is_left_of_both_phases_is_applied_in_order(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE, to="1_a")
    assert migrate(database, folder).ids == ("2_b", "3_c", "4_d")


def test_after_deploy_files_left_over_are_applied_without_a_phase(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    assert [m.id for m in plan(database, folder).pending] == ["2_b", "4_d"]
    assert migrate(database, folder).ids == ("2_b", "4_d")


def test_replay_goes_in_the_order_in_which_the_database_went(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    assert drift(database, folder, BEFORE) == [], "what waits for its phase is neither pending nor drift"
    assert {one.partition(" ")[0] for one in drift(database, folder)} > {"ledger-pending"}
    migrate(database, folder, AFTER)
    assert columns(database) == "id c b"
    assert drift(database, folder) == []


def test_rollback_takes_the_last_applied_first(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    migrate(database, folder, AFTER, to="2_b")
    files = read_migrations(folder)
    assert operations.rollback(database, files).ids == ("2_b",)
    assert operations.rollback(database, files).ids == ("3_c",)
    migrate(database, folder)
    assert operations.rollback(database, files, to="1_a").ids == ("4_d", "3_c", "2_b")


def test_files_of_an_earlier_deploy_that_are_pending_come_first(database: Database, folder: Path) -> None:
    refused = refuse(database, folder, AFTER)
    assert refused.message == "2 before-deploy migrations before 4_d are pending: 1_a, 3_c"
    assert "migrate --phase before-deploy" in refused.hint and "--to" not in refused.hint
    migrate(database, folder, BEFORE, to="1_a")
    refused = refuse(database, folder, AFTER)
    assert refused.message == "1 before-deploy migration before 4_d is pending: 3_c"
    assert refused.hint.endswith("wflo-schema migrate --phase after-deploy --to 2_b")
    assert migrate(database, folder, AFTER, to="2_b").ids == ("2_b",)


def test_after_deploy_file_on_which_a_before_deploy_one_depends_is_refused(database: Database, folder: Path) -> None:
    write(folder, {"3_c": "-- depends: 2_b\nALTER TABLE t ADD COLUMN c int;"})
    refused = refuse(database, folder, BEFORE)
    assert refused.message == (
        "2_b is after-deploy and pending, and 3_c, which is before-deploy and sorts behind it, depends on it"
    )
    assert refused.hint == (
        "apply 2_b first: wflo-schema migrate --phase before-deploy --to 1_a, then wflo-schema migrate --phase "
        "after-deploy --to 2_b; or let 3_c be after-deploy, too"
    )
    migrate(database, folder, BEFORE, to="1_a")
    migrate(database, folder, AFTER, to="2_b")
    assert migrate(database, folder, BEFORE).ids == ("3_c",)


def test_before_deploy_file_that_uses_what_a_pending_after_deploy_one_drops_is_refused(
    database: Database, folder: Path
) -> None:
    write(folder, {"3_c": "ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = old;"})
    refused = refuse(database, folder, BEFORE)
    assert refused.message.endswith("3_c, which is before-deploy and sorts behind it, has to do with t.old, too")
    assert "wflo-schema move 2_b --last" in refused.hint
    (folder / "2_b.sql").rename(folder / "5_b.sql")
    assert migrate(database, folder, BEFORE).ids == ("1_a", "3_c")
    assert migrate(database, folder, AFTER).ids == ("4_d", "5_b")


def test_after_deploy_file_merged_behind_one_that_uses_the_same_is_late(database: Database, folder: Path) -> None:
    text = (folder / "2_b.sql").read_text()
    (folder / "2_b.sql").unlink()
    write(folder, {"3_c": "ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = old;"})
    migrate(database, folder)
    write(folder, {"2_b": text})
    refused = refuse(database, folder)
    assert refused.case == "late", "a later after-deploy file is applied"
    operations.rollback(database, read_migrations(folder))
    for phase in (None, AFTER):
        refused = refuse(database, folder, phase, to="2_b")
        assert refused.case == "late" and "3_c, which sorts behind it and is applied" in refused.message
    assert migrate(database, folder, AFTER, to="2_b", allow=(Allow.LATE,)).ids == ("2_b",)


def test_late_file_with_a_misspelt_phase_is_told_of_that(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    write(folder, {"2_b": "-- phase: after deploy\nALTER TABLE t DROP COLUMN old;"})
    with pytest.raises(BadMigrationFile, match="the nearest is -- phase:"):
        migrate(database, folder)
    with pytest.raises(BadMigrationFile, match="the nearest is -- phase:"):
        plan(database, folder)


def test_last_migration_of_another_phase_is_refused(database: Database, folder: Path) -> None:
    with pytest.raises(Refused, match="2_b is after-deploy, and --phase before-deploy leaves it out"):
        migrate(database, folder, BEFORE, to="2_b")


@pytest.mark.parametrize("together", [False, True])
def test_repeatable_files_follow_the_phase_before_the_deploy(database: Database, folder: Path, together: bool) -> None:
    (folder / "repeatable").mkdir()
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id, c FROM t;")
    assert migrate(database, folder, BEFORE, to="1_a", together=together).ids == ("1_a",)
    assert migrate(database, folder, BEFORE, together=together).ids == ("3_c", "repeatable/v")
    assert operations.status(database, read_migrations(folder)).is_applied(BEFORE)
    (folder / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id, c, 1 AS n FROM t;")
    assert migrate(database, folder, AFTER, to="2_b", together=together).ids == ("2_b",)
    assert migrate(database, folder, AFTER, together=together).ids == ("4_d", "repeatable/v")


def test_repeatable_text_goes_with_the_migration_that_was_applied_last_before_it(
    database: Database, folder: Path
) -> None:
    (folder / "repeatable").mkdir()
    view = folder / "repeatable" / "v.sql"
    view.write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM t;")
    migrate(database, folder, BEFORE)
    migrate(database, folder, AFTER)
    view.write_text("CREATE OR REPLACE VIEW v AS SELECT id, b FROM t;")
    assert migrate(database, folder).ids == ("repeatable/v",)
    files = read_migrations(folder)
    assert operations.rollback(database, files, to="3_c").ids == ("4_d", "2_b")
    assert "b" not in str(one(database, "SELECT pg_get_viewdef('v'::regclass)")[0]).split("FROM")[0]


def test_each_phase_has_the_hooks_around_it(database: Database, folder: Path) -> None:
    (folder / "hooks").mkdir()
    write(
        folder / "hooks",
        {"before-all": "CREATE TABLE IF NOT EXISTS runs (n int);", "after-all": "INSERT INTO runs VALUES (1);"},
    )
    for phase in (BEFORE, AFTER):
        migrate(database, folder, phase)
    assert one(database, "SELECT count(*) FROM runs") == (2,)
    write(folder / "hooks", {"after-all": "-- phase: after-deploy\nSELECT 1;"})
    with pytest.raises(BadMigrationFile, match="a hook has no -- phase:"):
        read_migrations(folder)


def test_together_is_all_of_one_phase(database: Database, folder: Path) -> None:
    write(folder, {"4_d": "-- phase: after-deploy\nSELECT 1/0;"})
    assert migrate(database, folder, BEFORE, together=True).ids == ("1_a", "3_c")
    with pytest.raises(MigrationFailed):
        migrate(database, folder, AFTER, together=True)
    assert recorded(database) == "1_a 3_c"


def test_non_transactional_file_waits_for_its_phase(database: Database, folder: Path) -> None:
    write(folder, {"2_b": "-- phase: after-deploy\n-- transactional: false\nCREATE INDEX CONCURRENTLY i ON t (id);"})
    assert migrate(database, folder, BEFORE, together=True).ids == ("1_a", "3_c")
    assert migrate(database, folder, AFTER).ids == ("2_b", "4_d")


def test_killed_phase_is_finished_by_the_next_run_of_it(database: Database, folder: Path) -> None:
    write(folder, {"3_c": "ALTER TABLE t ADD COLUMN c int; SELECT pg_sleep(60);"})
    run = start_cli(database, folder, "migrate", "--phase", "before-deploy")
    wait_until(lambda: is_running(database, "pg_sleep(60)"), "the second file of the phase")
    run.send_signal(signal.SIGKILL)
    run.finish()
    do(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")
    wait_until(lambda: not is_running(database, "pg_sleep(60)"), "the server to end the session")
    assert recorded(database) == "1_a"
    write(folder, {"3_c": FILES["3_c"]})
    assert migrate(database, folder, BEFORE).ids == ("3_c",)
    assert migrate(database, folder, AFTER).ids == ("2_b", "4_d")


def test_killed_between_the_phases_nothing_is_done_twice(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    write(folder, {"4_d": "-- phase: after-deploy\nSELECT pg_sleep(60);"})
    run = start_cli(database, folder, "migrate", "--phase", "after-deploy")
    wait_until(lambda: is_running(database, "pg_sleep(60)"), "the second file of the phase")
    run.send_signal(signal.SIGKILL)
    run.finish()
    do(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")
    wait_until(lambda: not is_running(database, "pg_sleep(60)"), "the server to end the session")
    write(folder, {"4_d": FILES["4_d"]})
    assert migrate(database, folder, BEFORE).ids == ()
    assert migrate(database, folder).ids == ("4_d",)


def test_runs_of_both_phases_at_once_apply_each_file_once(database: Database, tmp_path: Path) -> None:
    files = {"00_t": "CREATE TABLE runs (id text);"}
    for n in range(1, 13):
        phase = "after-deploy" if n <= 6 else "before-deploy"
        files[f"{n:02}_x"] = f"-- phase: {phase}\nINSERT INTO runs (id) VALUES ('{n}'); SELECT pg_sleep(0.05);"
    folder = write(tmp_path / "m", files)
    migrate(database, folder, BEFORE, to="00_t")
    runs = [start_cli(database, folder, "migrate", "--phase", phase.value) for phase in (*Phase, *Phase)]
    ended = [run.finish() for run in runs]
    assert [code for code, _, _ in ended] == [0] * 4, ended
    assert one(database, "SELECT count(*), count(DISTINCT id) FROM runs") == (12, 12)
    assert operations.status(database, read_migrations(folder)).is_up_to_date


def test_run_that_finds_its_phase_done_by_another_has_nothing_to_do(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    events: list[Event] = []
    assert migrate(database, folder, BEFORE, notify=events.append).ids == ()
    assert migrate(database, folder, AFTER).ids == ("2_b", "4_d")
    assert migrate(database, folder, AFTER).ids == ()


def test_files_of_which_one_waits_for_its_phase_are_not_squashed(database: Database, folder: Path) -> None:
    migrate(database, folder, BEFORE)
    with pytest.raises(Refused, match="has some of these, and 2_b waits for a phase there; nothing was written"):
        squash_migrations(database, read_migrations(folder), "3_c", target=database)
    migrate(database, folder)
    assert squash_migrations(database, read_migrations(folder), "4_d", target=database, remove=True).replaces
    files = read_migrations(folder)
    assert [m.phase for m in files] == [BEFORE]
    assert operations.status(database, files).is_up_to_date
