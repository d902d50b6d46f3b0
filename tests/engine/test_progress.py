"""How far a long statement is: what PostgreSQL tells, and what is said where it tells nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.test_faults import do, needs_pgbouncer, one, pgbouncer, wait_until, write
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import BEGIN, Command, Pipeline, Row, Stop
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations, progress
from wflo_schema.engine.events import Event, Running, StatementProgress, Waiting
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import Interrupted, WfloSchemaError
from wflo_schema.files.folder import read_migrations
from wflo_schema.show.progress import progress_text

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

# A table of 200 pages, and a function that takes its time for each row.
TABLE = (
    "CREATE TABLE big (id int, t text); ALTER TABLE big ALTER t SET STORAGE PLAIN;"
    "INSERT INTO big SELECT g, repeat('x', 2000) FROM generate_series(1, 800) AS g; ANALYZE big;"
    "CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql {} AS "
    "'BEGIN PERFORM pg_sleep(0.02); RETURN $1; END'"
)
ALONE = "-- transactional: false\n"


@contextmanager
def migrating(database: Database, folder: Path) -> Iterator[list[StatementProgress]]:
    """Yield what is told while the files are applied; then stop."""
    told: list[StatementProgress] = []

    def notify(event: Event) -> None:
        if isinstance(event, Running | Waiting) and event.progress is not None:
            told.append(event.progress)

    stop, ended = Stop(), []

    def run() -> None:
        try:
            files = read_migrations(folder)
            operations.migrate(database, files, allow=(Allow.NOT_EMPTY,), notify=notify, stop=stop)
        except Interrupted:
            pass
        except WfloSchemaError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told
    finally:
        stop.request(2)
        thread.join()
    assert not ended


def seen(told: list[StatementProgress], is_it: Callable[[StatementProgress], bool], what: str) -> StatementProgress:
    """The first that is meant, once it was told."""
    wait_until(lambda: any(map(is_it, list(told))), what)
    return next(p for p in told if is_it(p))


def prepare(database: Database, volatility: str = "IMMUTABLE") -> int:
    """Make the table; return its size."""
    do(database, TABLE.format(volatility))
    return int(one(database, "SELECT pg_relation_size('big')")[0])


def test_index_build_tells_phase_and_bytes_and_which_statement_it_is(database: Database, tmp_path: Path) -> None:
    size = prepare(database)
    folder = write(tmp_path / "m", {"1_a": "SELECT 1; CREATE INDEX i ON big (slow(id)); SELECT 3"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: bool(p.done), "the build")
    assert (found.command, found.phase) == ("CREATE INDEX", "building index: scanning table")
    assert (found.relation, found.total, found.unit) == ("big", size, "bytes")
    assert (found.number, found.of, found.is_estimate) == (2, 3, False)
    assert progress_text(found).startswith("statement 2 of 3, CREATE INDEX on big: building index: scanning table, ")


@pytest.mark.parametrize(
    ("held", "phase"),
    [
        ("INSERT INTO big VALUES (0)", "waiting for writers before build"),
        ("SELECT count(*) FROM other", "waiting for old snapshots"),
    ],
)
def test_concurrent_build_tells_whom_it_waits_for(database: Database, tmp_path: Path, held: str, phase: str) -> None:
    prepare(database)
    do(database, "CREATE TABLE other (n int)")
    folder = write(tmp_path / "m", {"1_a": f"{ALONE}CREATE INDEX CONCURRENTLY i ON big (id);"})
    with database.connect(autocommit=False) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute(held.encode())
        with migrating(database, folder) as told:
            found = seen(told, lambda p: p.phase == phase, phase)
    assert (found.command, found.relation) == ("CREATE INDEX CONCURRENTLY", "big")
    assert (found.done, found.total, found.unit, found.left_s) == (0, 1, "sessions", None)
    assert progress_text(found) == f"CREATE INDEX CONCURRENTLY on big: {phase}, 0 of 1 sessions"


def test_reindex_is_told_as_such(database: Database, tmp_path: Path) -> None:
    prepare(database)
    do(database, "CREATE INDEX i ON big (slow(0))")
    do(database, "DROP INDEX i", "ALTER TABLE big ADD p int", "CREATE INDEX i ON big (slow(p)) WHERE p > 0")
    do(database, "UPDATE big SET p = 0", "ANALYZE big")
    do(database, "CREATE OR REPLACE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END'")
    folder = write(tmp_path / "m", {"1_a": f"{ALONE}REINDEX INDEX CONCURRENTLY i;"})
    with database.connect(autocommit=False) as holder:
        holder.execute("SELECT count(*) FROM big")
        holder.execute("INSERT INTO big VALUES (0)")
        with migrating(database, folder) as told:
            found = seen(told, lambda p: p.phase.startswith("waiting for writers"), "the wait")
    assert (found.command, found.relation) == ("REINDEX CONCURRENTLY", "big")


def test_vacuum_tells_its_phase(database: Database, tmp_path: Path) -> None:
    size = prepare(database)
    do(database, "DELETE FROM big WHERE id % 2 = 0")
    slowly = "SET vacuum_cost_delay = 50; SET vacuum_cost_limit = 10;"
    folder = write(tmp_path / "m", {"1_a": f"{ALONE}{slowly} VACUUM big;"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: p.phase == "scanning heap", "the scan")
    assert (found.command, found.relation, found.total, found.unit) == ("VACUUM", "big", size, "bytes")
    assert (found.number, found.of) == (3, 3)


@pytest.mark.parametrize("statement", ["CLUSTER big USING i", "VACUUM FULL big"])
def test_copy_of_a_table_tells_which_of_its_indexes_is_built(
    database: Database, tmp_path: Path, statement: str
) -> None:
    prepare(database)
    do(
        database,
        "CREATE INDEX i ON big (id)",
        "CREATE FUNCTION fast(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
    )
    do(database, "CREATE INDEX j ON big (fast(id))")
    body = "LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN $1; END'"
    do(database, f"CREATE OR REPLACE FUNCTION fast(int) RETURNS int IMMUTABLE {body}")
    folder = write(tmp_path / "m", {"1_a": f"{ALONE}{statement};"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: p.phase == "rebuilding index", "the indexes")
    assert (found.command, found.relation) == (statement.removesuffix(" USING i").removesuffix(" big"), "big")
    assert (found.done, found.total, found.unit) == (1, 2, "indexes")


def test_analyze_tells_its_sample(database: Database, tmp_path: Path) -> None:
    size = prepare(database)
    do(database, "CREATE STATISTICS s ON (slow(id)) FROM big")
    folder = write(tmp_path / "m", {"1_a": f"{ALONE}ANALYZE big;"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: p.command == "ANALYZE", "the sample")
    assert found.phase in ("acquiring sample rows", "computing statistics", "computing extended statistics")
    assert (found.relation, found.total, found.unit) == ("big", size, "bytes")


def test_copy_tells_how_much_of_the_files_data_is_read(database: Database, tmp_path: Path) -> None:
    prepare(database)
    body = "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END'"
    do(database, f"CREATE FUNCTION wait() {body}", "CREATE TABLE c (n int, t text)")
    do(database, "CREATE TRIGGER t BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION wait()")
    data = "".join(f"{n}\t{'x' * 1000}\n" for n in range(500))
    folder = write(tmp_path / "m", {"1_a": f"COPY c FROM STDIN;\n{data}\\.\n"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: bool(p.done), "the rows")
    assert (found.command, found.relation, found.unit) == ("COPY FROM", "c", "bytes")
    assert found.total == len(data) and found.done is not None and 0 < found.done <= len(data)


def test_table_that_is_copied_is_told_by_the_growth_of_the_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = prepare(database, "VOLATILE")
    monkeypatch.setattr(progress, "_SIZE_EVERY_S", 0.1)
    monkeypatch.setattr(progress, "_LEAST_GROWTH", 8192)
    folder = write(tmp_path / "m", {"1_a": "ALTER TABLE big ADD COLUMN n int DEFAULT slow(1);"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: bool(p.done), "the copy")
    assert (found.command, found.phase, found.relation) == ("", "writing a new copy", "big")
    assert (found.total, found.unit, found.is_estimate) == (size, "bytes", True)
    assert progress_text(found).startswith("on big: writing a new copy, about ")


def test_what_is_made_from_a_table_is_no_copy_of_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database, "VOLATILE")
    monkeypatch.setattr(progress, "_SIZE_EVERY_S", 0.1)
    monkeypatch.setattr(progress, "_LEAST_GROWTH", 8192)
    folder = write(tmp_path / "m", {"1_a": "CREATE TABLE made AS SELECT slow(id), t FROM big;"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: bool(p.done), "the rows")
    assert (found.phase, found.relation, found.total, found.left_s) == ("writing", "", None, None)


READS = {
    "a CHECK": (
        "ALTER TABLE big ADD CONSTRAINT c CHECK (slow(id) > 0) NOT VALID",
        "ALTER TABLE big VALIDATE CONSTRAINT c",
    ),
    "a CHECK behind an index": (
        "SELECT 1",
        "CREATE INDEX i ON big (id); ALTER TABLE big ADD CONSTRAINT c CHECK (slow(id) > 0)",
    ),
    "an UPDATE": ("SELECT 1", "UPDATE big SET id = slow(id)"),
}


@pytest.mark.parametrize("case", READS)
def test_of_a_scan_there_is_only_how_big_the_table_is(database: Database, tmp_path: Path, case: str) -> None:
    size = prepare(database)
    before, statements = READS[case]
    do(database, before)
    folder = write(tmp_path / "m", {"1_a": f"{statements};"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: p.relation == "big" and not p.command, "the scan")
    assert (found.phase, found.done, found.is_estimate, found.left_s) == ("", None, True, None)
    assert found.total is not None
    assert found.total >= size if case == "an UPDATE" else found.total == size  # new versions of rows make it grow


@needs_pgbouncer
def test_progress_is_seen_through_a_pooler(database: Database, tmp_path: Path) -> None:
    prepare(database)
    folder = write(tmp_path / "m", {"1_a": "SELECT 1; CREATE INDEX i ON big (slow(id)); SELECT 3"})
    with pgbouncer(database, "transaction", 3) as pooled, migrating(pooled, folder) as told:
        found = seen(told, lambda p: bool(p.done), "the build")
    assert (found.command, found.relation, found.number) == ("CREATE INDEX", "big", 2)


def test_statement_of_no_table_tells_nothing_but_its_number(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", {"1_a": "SELECT 1; SELECT pg_sleep(60)"})
    with migrating(database, folder) as told:
        found = seen(told, lambda p: p.number == 2, "the second statement")
    assert progress_text(found) == "statement 2 of 2"


@pytest.mark.parametrize("is_one_message", [True, False])
def test_of_a_message_with_many_statements_no_table_is_said_to_be_copied(
    database: Database, *, is_one_message: bool
) -> None:
    size = prepare(database)
    waits = "DO $$ BEGIN PERFORM pg_sleep(60); END $$ -- big"
    commands = [
        BEGIN,
        Command("ALTER TABLE big ADD COLUMN n int"),
        Command("CREATE TABLE made (id int)"),
        Command(waits),
    ]
    stop = Stop()
    pipeline, beside = Pipeline(database.connect(), stop=stop), Pipeline(database.connect())
    exchange = pipeline.exchange_as_one if is_one_message else pipeline.exchange
    thread = threading.Thread(target=exchange, args=(commands,))
    thread.start()
    ask = Command(load_sql("engine", "progress"), ("", str(pipeline.backend_pid), "t"), keeps_rows=True)
    rows: list[Row] = []

    def is_asleep() -> bool:
        rows[:] = beside.exchange([ask]).rows[0]
        slept = one(database, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        return bool(rows) and slept == (1,)

    wait_until(is_asleep, "the last statement")
    rows[:] = beside.exchange([ask]).rows[0]
    stop.request(2)
    thread.join()
    found = progress.Gauge().read(rows[0], 0.0, to_copy=None)
    assert (found.relation, found.total, rows[0][10]) == (("", None, "f") if is_one_message else ("big", size, "t"))
    pipeline.close()
    beside.close()


def gauge_row(began: str, done: int, **more: str) -> tuple[str | None, ...]:
    row: dict[str, str | None] = dict.fromkeys(
        ("query", "began", "command", "phase", "relation", "done", "total", "unit", "bytes", "in_all", "fresh", "size")
    )
    row.update(
        query="Q", began=began, command="VACUUM", phase="p", relation="r", done=str(done), total="100", unit="bytes"
    )
    return tuple({**row, **more}.values())


def test_time_left_is_measured_and_only_for_the_phase_that_is_under_way() -> None:
    gauge = progress.Gauge()
    assert gauge.read(gauge_row("a", 10), 0.0, to_copy=None).left_s is None
    assert gauge.read(gauge_row("a", 20), 1.0, to_copy=None).left_s is None, "too short to say"
    assert gauge.read(gauge_row("a", 30), 10.0, to_copy=None).left_s == 35.0
    assert gauge.read(gauge_row("a", 30, phase="q"), 20.0, to_copy=None).left_s is None, "another phase"
    assert gauge.read(gauge_row("b", 40), 30.0, to_copy=None).left_s is None, "another statement"
    assert gauge.read(gauge_row("b", 40), 40.0, to_copy=None).left_s is None, "nothing was done"
    assert gauge.read(gauge_row("b", 100), 50.0, to_copy=None).left_s is None, "none is left"
