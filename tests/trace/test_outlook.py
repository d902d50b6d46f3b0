"""What is ahead: a plan's statements with the sizes, holders and times of the database that they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.files.folder import read_migrations
from wflo_schema.trace.outlook import Outlook, look_ahead

pytestmark = pytest.mark.spread_over_servers


def run(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


def outlook(database: Database, path: Path, **files: str) -> Outlook:
    for name, text in files.items():
        (path / f"{name}.sql").write_text(text, encoding="utf-8")
    migrations = read_migrations(path)
    return look_ahead(database, migrations, operations.plan(database, migrations))


def test_a_large_table_has_a_size_and_a_time(database: Database, tmp_path: Path) -> None:
    run(
        database,
        "CREATE TABLE large AS SELECT g AS id, repeat('x', 500) AS note FROM generate_series(1, 30000) AS g;"
        "ANALYZE large",
    )
    found = outlook(database, tmp_path, m1="ALTER TABLE large ALTER id TYPE bigint; ALTER TABLE large ADD c int")
    first, second = found.statements
    assert (first.rank, second.rank) == (0, 0)
    size = found.size("public.large")
    assert size is not None
    assert size.rows == 30000
    assert first.estimate is not None
    assert first.until_end == first.estimate
    assert first.estimate.high_ms is not None
    assert first.estimate.low_ms is not None
    assert 0 < first.estimate.low_ms < first.estimate.high_ms
    assert second.estimate is None


def test_a_lock_is_held_over_what_comes_behind_it(database: Database, tmp_path: Path) -> None:
    run(
        database,
        "CREATE TABLE large AS SELECT g AS id, repeat('x', 500) AS note FROM generate_series(1, 30000) AS g;"
        "ANALYZE large",
    )
    found = outlook(database, tmp_path, m1="ALTER TABLE large ADD c int; ALTER TABLE large ADD CHECK (id IS NOT NULL)")
    first, second = found.statements
    assert first.estimate is None
    assert first.until_end == second.until_end
    assert first.until_end is not None
    assert first.until_end.high_ms is not None


def test_of_small_and_of_new_tables_little_is_said(database: Database, tmp_path: Path) -> None:
    run(database, "CREATE TABLE small (id int)")
    found = outlook(
        database,
        tmp_path,
        m1="ALTER TABLE small ALTER id TYPE bigint",
        m2="CREATE TABLE new (id int)",
        m3="DROP TABLE new",
    )
    small, new, dropped = found.statements
    assert small.estimate is not None
    assert small.estimate.is_small
    assert (new.rank, dropped.rank) == (2, 2)
    assert [size.relation for size in found.sizes] == ["public.small"]


def test_who_holds_a_table_now_is_told(database: Database, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t (id int)")
    with database.connect() as other:
        other.execute("BEGIN; INSERT INTO t VALUES (1)")
        (one,) = outlook(database, tmp_path, m1="ALTER TABLE t ADD c int").statements
        assert [held.pid for held in one.waits_for] == [other.info.backend_pid]


def test_without_scratch_databases_it_says_why(database: Database, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t (id int); CREATE ROLE wflo_outlook LOGIN")
    try:
        found = outlook(database.with_parameters(user="wflo_outlook"), tmp_path, m1="ALTER TABLE t ADD c int")
        assert found.trace is None
        assert "may not create the scratch database" in found.why_not
    finally:
        run(database, "DROP ROLE wflo_outlook")


def test_nothing_pending_is_nothing_ahead(database: Database, tmp_path: Path) -> None:
    (tmp_path / "m1.sql").write_text("SELECT 1", encoding="utf-8")
    migrations = read_migrations(tmp_path)
    operations.migrate(database, migrations)
    assert look_ahead(database, migrations, operations.plan(database, migrations)) == Outlook()
