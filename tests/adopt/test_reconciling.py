"""wflo's databases, wherever Alembic left them, become like everyone else's while they are at work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import wflo_states
from tests.wflo_states import FOLDER, KEYS, MIGRATIONS, ROWS, STATES, build, counts
from wflo_schema.adopt.found import Adoption, Verdict
from wflo_schema.adopt.judge import adopt_database, baseline
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.catalog.read import read_catalog
from wflo_schema.check.contract_file import read_contract
from wflo_schema.check.verdict import check_database
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import LockNotAcquired, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import replayed

pytestmark = pytest.mark.spread_over_servers

IDS = tuple(m.id for m in MIGRATIONS)
BOTH_HEADS = read_migrations(FOLDER / "reconcile" / "alembic-both-heads")

# By server version: what the migrations make.
REPLAYED: dict[int, Catalog] = {}

# PostgreSQL looks for deadlocks after 1 s: until then it is the migration that gives way, never the writer.
BELOW_DEADLOCK_TIMEOUT = LockOptions(timeout_ms=250)


@dataclass
class Written:
    """What the writer beside the test says at its end."""

    kept: int = 0
    longest_s: float = 0.0
    rounds: int = 0
    errors: list[str] = field(default_factory=list)


@contextmanager
def writer(database: Database) -> Iterator[Written]:
    """Another process that is at work, inserts and deletes all the time; it waits for our work, but not for ever.

    Where both wait for each other, it is not the one who looks for deadlocks.
    """
    said = Written()
    patient = database.with_parameters(options="-c lock_timeout=60s -c deadlock_timeout=600s")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.writer", patient.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        yield said
        process.stdin.close()
        for name, value in json.loads(process.stdout.read()).items():
            setattr(said, name, value)


def look(database: Database, *, apply: bool = False) -> Adoption:
    return adopt_database(database, MIGRATIONS, apply=apply)


def checked(database: Database) -> None:
    """Five of five, no orphan row, nothing pending, and the catalog that the migrations make."""
    result = check_database(
        database,
        read_contract(FOLDER / "contract.toml"),
        migrations=MIGRATIONS,
        only=("contract", "ledger", "rows", "indexes"),
    )
    assert (result.exit_code, result.findings) == (0, ())
    assert [v.verdict for v in result.verified if v.kind == "foreign key"] == ["yes"] * 5
    with database.connect() as connection:
        have = read_catalog(connection, ignore=LEDGER_TABLES | {"alembic_version"})
    if have.server_version not in REPLAYED:
        REPLAYED[have.server_version] = replayed(database, MIGRATIONS)
    assert compare_catalogs(have, REPLAYED[have.server_version]) == ()


@pytest.mark.parametrize("state", STATES)
def test_a_database_at_work_comes_from_alembic_without_losing_a_row_or_refusing_a_writer(
    database: Database, state: str
) -> None:
    build(database, state, rows=True)
    with writer(database) as written:
        found = look(database, apply=True)
        if state in ("ec1673bcefc3", "both-heads"):
            assert (found.verdict, found.exit_code, found.is_applied) == (Verdict.RECONCILE, 1, False)
            assert found.reconciling == str(FOLDER / "reconcile" / f"alembic-{state}")
            operations.migrate(database, read_migrations(found.reconciling), allow=[Allow.NOT_EMPTY])
            found = look(database, apply=True)
        assert (found.verdict, found.exit_code, found.is_applied) == (Verdict.EQUAL, 0, True)
        assert found.record == (IDS[:1] if state == "6d27a51e02d6" else IDS)
        operations.migrate(database, MIGRATIONS, locks=BELOW_DEADLOCK_TIMEOUT)
    checked(database)
    print(f"the writer's longest wait: {written.longest_s * 1000:.0f} ms in {written.rounds} transactions")
    assert counts(database) == {table: number + written.kept for table, number in ROWS.items()}
    assert written.errors == []
    assert look(database).verdict is Verdict.OURS


@pytest.mark.parametrize("state", ["ec1673bcefc3", "both-heads"])
def test_a_reconciling_set_can_be_rolled_back_to_where_it_began(database: Database, state: str) -> None:
    build(database, state)
    reconciling = read_migrations(FOLDER / "reconcile" / f"alembic-{state}")
    with database.connect() as connection:
        before = read_catalog(connection)
    operations.migrate(database, reconciling, allow=[Allow.NOT_EMPTY])
    operations.rollback(database, reconciling, count=len(reconciling))
    with database.connect() as connection:
        assert compare_catalogs(read_catalog(connection), before) == ()


@pytest.mark.one_server
def test_a_set_that_was_begun_is_told_to_be_finished(database: Database) -> None:
    build(database, "ec1673bcefc3")
    reconciling = read_migrations(FOLDER / "reconcile" / "alembic-ec1673bcefc3")
    operations.migrate(database, reconciling, to="20251112_03", allow=[Allow.NOT_EMPTY])
    found = look(database)
    assert found.verdict is Verdict.RECONCILE
    assert found.next_steps[0] == f"wflo-schema migrate --migrations {reconciling.directories[0]}"
    assert "after 3 of its 4 migrations" in found.notes[0]
    operations.migrate(database, reconciling, allow=[Allow.NOT_EMPTY])
    assert look(database, apply=True).aside == tuple(m.id for m in reconciling)


@pytest.mark.one_server
def test_a_set_that_stopped_within_a_file_is_told_to_be_finished(database: Database) -> None:
    build(database, "ec1673bcefc3")
    reconciling = read_migrations(FOLDER / "reconcile" / "alembic-ec1673bcefc3")
    with database.connect(autocommit=False) as other, pytest.raises(LockNotAcquired):
        other.execute("LOCK TABLE state_snapshots IN ROW EXCLUSIVE MODE")
        operations.migrate(database, reconciling, locks=LockOptions(100, 0.2), allow=[Allow.NOT_EMPTY])
    found = look(database)
    assert found.verdict is Verdict.DIFFERENT
    assert found.notes[0] == f"{reconciling.directories[0]} was begun here and is not finished"
    assert found.next_steps[0] == f"wflo-schema migrate --migrations {reconciling.directories[0]}"
    operations.migrate(database, reconciling, allow=[Allow.NOT_EMPTY])
    assert look(database, apply=True).is_applied


@pytest.mark.one_server
def test_the_set_for_both_heads_drops_nothing_where_the_keys_that_cascade_are_not_there(database: Database) -> None:
    build(database, "ec1673bcefc3")
    with database.connect() as connection:
        before = read_catalog(connection)
    with pytest.raises(MigrationFailed, match="fk_workflow_executions_workflow_id"):
        operations.migrate(database, BOTH_HEADS, allow=[Allow.NOT_EMPTY])
    with database.connect() as connection:
        assert compare_catalogs(read_catalog(connection), before) == ()


@pytest.mark.one_server
def test_keys_added_by_hand_are_recognised_by_the_catalog_alone(database: Database) -> None:
    build(database, "ec1673bcefc3", revisions=("6d27a51e02d6",))
    found = look(database)
    assert (found.verdict, found.reconciling) == (
        Verdict.RECONCILE,
        str(FOLDER / "reconcile" / "alembic-ec1673bcefc3"),
    )


@pytest.mark.one_server
def test_after_a_reconciled_adoption_the_ordinary_path_misses_nothing(database: Database) -> None:
    build(database, "both-heads")
    operations.migrate(database, BOTH_HEADS, allow=[Allow.NOT_EMPTY])
    look(database, apply=True)
    found = operations.status(database, MIGRATIONS)
    assert (found.missing, found.ahead, found.pending) == ((), (), ())
    assert operations.migrate(database, MIGRATIONS).ids == ()
    assert operations.rollback(database, MIGRATIONS).ids == IDS[-1:]
    assert operations.migrate(database, MIGRATIONS).ids == IDS[-1:]


@pytest.mark.one_server
@pytest.mark.parametrize("to", ["20251112_01", "20251112_02", "20251112_03"])
def test_a_set_that_is_under_way_is_told_to_be_finished_though_another_would_fit(database: Database, to: str) -> None:
    build(database, "ec1673bcefc3", rows=True)
    reconciling = read_migrations(FOLDER / "reconcile" / "alembic-ec1673bcefc3")
    operations.migrate(database, reconciling, to=to, allow=[Allow.NOT_EMPTY])
    named = adopt_database(database, MIGRATIONS, to=IDS[-1])
    for found in (look(database), named, baseline(database, MIGRATIONS, IDS[-1])):
        assert (found.verdict, found.reconciling) == (Verdict.RECONCILE, reconciling.directories[0])
        assert found.next_steps[0] == f"wflo-schema migrate --migrations {reconciling.directories[0]}"
    operations.migrate(database, reconciling, allow=[Allow.NOT_EMPTY])
    assert look(database, apply=True).is_applied
    assert operations.migrate(database, MIGRATIONS).ids == ()
    checked(database)


@pytest.mark.parametrize("validated", [0, 2])
def test_right_keys_half_added_by_hand_beside_the_default_ones_are_validated_by_the_set_for_both_heads(
    database: Database, validated: int
) -> None:
    build(database, "ec1673bcefc3", rows=True)
    with database.connect() as connection:
        for number, (table, column, referenced) in enumerate(KEYS):
            connection.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT fk_{table}_{column} FOREIGN KEY ({column}) "
                f"REFERENCES {referenced} (id) ON DELETE CASCADE{'' if number < validated else ' NOT VALID'}".encode()
            )
    found = look(database)
    assert (found.verdict, found.reconciling) == (Verdict.RECONCILE, str(FOLDER / "reconcile" / "alembic-both-heads"))
    assert "except for what the set validates: public.approval_requests.fk_approval_requests_exec" in found.notes[0]
    operations.migrate(database, read_migrations(str(found.reconciling)), allow=[Allow.NOT_EMPTY])
    assert look(database, apply=True).is_applied
    checked(database)
    assert counts(database) == ROWS


@pytest.mark.one_server
def test_keys_of_ours_that_are_not_all_validated_are_told_the_statement(database: Database) -> None:
    build(database, "500165e12345")
    change = "ALTER TABLE {0} DROP CONSTRAINT fk_{0}_{1}, ADD CONSTRAINT fk_{0}_{1} FOREIGN KEY ({1})"
    with database.connect() as connection:
        for table, column, referenced in KEYS[:2]:
            text = change.format(table, column) + f" REFERENCES {referenced} (id) ON DELETE CASCADE NOT VALID"
            connection.execute(text.encode())
        found = look(database)
        assert (found.verdict, len(found.differences)) == (Verdict.DIFFERENT, 2)
        assert all("VALIDATE CONSTRAINT fk_" in step for step in found.next_steps[:2])
        for step in found.next_steps[:2]:
            connection.execute(step.removeprefix("in psql: ").encode())
    assert look(database, apply=True).is_applied


@pytest.mark.one_server
def test_alembic_run_again_after_the_adoption_is_told_the_set_and_the_records_in_its_way(database: Database) -> None:
    build(database, "ec1673bcefc3")
    reconciling = read_migrations(FOLDER / "reconcile" / "alembic-ec1673bcefc3")
    operations.migrate(database, reconciling, allow=[Allow.NOT_EMPTY])
    assert look(database, apply=True).is_applied
    with database.connect() as connection:
        for table, column, _ in KEYS:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT fk_{table}_{column}".encode())
        connection.execute((wflo_states.UNNAMED + wflo_states.INDEXES).encode())
        found = look(database)
        assert (found.verdict, found.reconciling) == (Verdict.RECONCILE, reconciling.directories[0])
        forget, migrate, adopting = found.next_steps
        assert migrate == f"wflo-schema migrate --migrations {reconciling.directories[0]} --allow missing"
        assert adopting == "wflo-schema adopt --apply"
        connection.execute(forget.rpartition("psql: ")[2].encode())
    operations.migrate(database, reconciling, allow=[Allow.MISSING])
    assert look(database, apply=True).is_applied
    checked(database)


@pytest.mark.one_server
@pytest.mark.parametrize("to", ["20251112_02", None])
@pytest.mark.parametrize("command", ["migrate", "rollback", "plan"])
def test_migrating_before_the_set_is_adopted_is_told_what_is_missing(
    database: Database, to: str | None, command: str
) -> None:
    build(database, "ec1673bcefc3")
    reconciling = read_migrations(FOLDER / "reconcile" / "alembic-ec1673bcefc3")
    operations.migrate(database, reconciling, to=to, allow=[Allow.NOT_EMPTY])
    result = CliRunner().invoke(cli, (command, "--database-url", database.url, "--migrations", str(FOLDER)))
    if command == "plan":
        assert result.exit_code == 1
        message = hint = result.stdout
    else:
        assert isinstance(result.exception, Refused)
        message, hint = result.exception.message, result.exception.hint
        assert "--allow" not in hint
    if to is None:
        assert f"{reconciling.directories[0]} was run here, and this database is not adopted yet" in message
        assert re.search(r"wflo-schema adopt --database-url \S+ --migrations \S+ --apply, which sets", hint)
    else:
        assert f"{reconciling.directories[0]} was begun here and is not finished" in message
        folder = re.escape(reconciling.directories[0])
        finish = rf"finish it: wflo-schema migrate --database-url \S+ --migrations {folder}"
        assert re.search(rf"{finish}; then: wflo-schema adopt \S+ \S+ \S+ \S+ --apply", hint)


@pytest.mark.one_server
@pytest.mark.parametrize("is_lock", [True, False])
def test_a_set_that_fails_within_a_file_prints_no_warning_of_transactions(database: Database, is_lock: bool) -> None:
    build(database, "ec1673bcefc3")
    folder = FOLDER / "reconcile" / ("alembic-ec1673bcefc3" if is_lock else "alembic-both-heads")
    words = (
        "migrate",
        "--database-url",
        database.url,
        "--migrations",
        str(folder),
        "--lock-wait",
        "200ms",
        "--allow",
        "not-empty",
    )
    with database.connect(autocommit=False) as other:
        if is_lock:
            other.execute("LOCK TABLE state_snapshots IN ROW EXCLUSIVE MODE")
        result = CliRunner().invoke(cli, words)
    assert isinstance(result.exception, MigrationFailed)
    assert "transaction in progress" not in result.stderr
