"""All rows are changed, each once, whoever holds some of them, and after a kill it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.recipes.shop import apply, cook, made
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import UsageError
from wflo_schema.files.folder import read_migrations

BIG = """
CREATE TABLE big (a integer, b text, changed integer NOT NULL DEFAULT 0, note text, PRIMARY KEY (a, b));
CREATE TABLE loose (changed integer NOT NULL DEFAULT 0, note text);
CREATE TABLE parent (changed integer NOT NULL DEFAULT 0, note text);
CREATE TABLE child () INHERITS (parent);
CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.changed := OLD.changed + 1; RETURN NEW; END';
CREATE TRIGGER counts BEFORE UPDATE ON big FOR EACH ROW EXECUTE FUNCTION count_changes();
CREATE TRIGGER counts BEFORE UPDATE ON loose FOR EACH ROW EXECUTE FUNCTION count_changes();
CREATE TRIGGER counts BEFORE UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION count_changes();
CREATE TRIGGER counts BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION count_changes();
INSERT INTO big SELECT n / 7, 'b' || n % 7, 0 FROM generate_series(1, 5000) AS n;
INSERT INTO loose SELECT 0 FROM generate_series(1, 5000) AS n;
INSERT INTO parent SELECT 0 FROM generate_series(1, 50) AS n;
INSERT INTO child SELECT 0 FROM generate_series(1, 50) AS n;
"""

pytestmark = pytest.mark.spread_over_servers


def one(database: Database, query: str) -> object:
    with database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def wait_until(database: Database, query: str) -> None:
    ends = time.monotonic() + 120
    while not one(database, query):
        assert time.monotonic() < ends, query
        time.sleep(0.01)


def test_where_rows_take_long_a_batch_has_fewer(database: Database, tmp_path: Path) -> None:
    slow = "'BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END'"
    made(
        database,
        "CREATE TABLE slow (id int PRIMARY KEY, note text);\n"
        "INSERT INTO slow SELECT n FROM generate_series(1, 80) AS n;\n"
        f"CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS {slow};\n"
        "CREATE TRIGGER slow BEFORE UPDATE ON slow FOR EACH ROW EXECUTE FUNCTION take_long();",
    )
    cook(database, tmp_path, "backfill", "slow", "note = 'x'")
    apply(database, tmp_path)
    assert one(database, "SELECT bool_and(note = 'x') FROM slow")
    batches = "SELECT count(*) AS n FROM slow GROUP BY xmin::text"
    assert one(database, f"SELECT max(n) <= 10 AND count(*) >= 15 FROM ({batches}) AS b")


@pytest.mark.parametrize("table", ["big", "loose", "parent"])
def test_each_row_is_changed_once(table: str, database: Database, tmp_path: Path) -> None:
    made(database, BIG)
    cook(database, tmp_path, "backfill", table, "note = 'x'", batch=700)
    apply(database, tmp_path)
    assert one(database, f"SELECT bool_and(changed = 1 AND note = 'x') FROM {table}")


@pytest.mark.parametrize("table", ["big", "loose"])
def test_a_row_that_somebody_holds_is_changed_once_it_is_free(table: str, database: Database, tmp_path: Path) -> None:
    made(database, BIG)
    cook(database, tmp_path, "backfill", table, "note = 'x'")
    command = [sys.executable, "-m", "wflo_schema", "migrate", "--migrations", str(tmp_path), "--allow", "not-empty"]
    with database.connect(autocommit=False) as other:
        held = f"SELECT FROM {table} WHERE ctid = (SELECT ctid FROM {table} OFFSET 2500 LIMIT 1) FOR UPDATE"
        other.execute(held.encode())
        run = subprocess.Popen([*command, "--database-url", database.url])
        wait_until(database, f"SELECT count(*) > 500 FROM {table} WHERE changed > 0")
        waits = "SELECT count(*) = 0 FROM pg_locks WHERE NOT granted"
        assert one(database, waits)
        other.commit()
    assert run.wait(120) == 0
    assert one(database, f"SELECT bool_and(changed = 1 AND note = 'x') FROM {table}")


@pytest.mark.parametrize("table", ["big", "loose"])
def test_after_a_kill_it_goes_on(table: str, database: Database, tmp_path: Path) -> None:
    made(database, BIG)
    cook(database, tmp_path, "backfill", table, "note = 'x'", batch=64)
    command = [sys.executable, "-m", "wflo_schema", "migrate", "--migrations", str(tmp_path), "--allow", "not-empty"]
    with database.connect(autocommit=False) as other:  # which keeps it from getting to its end
        held = f"SELECT FROM {table} WHERE ctid = (SELECT ctid FROM {table} OFFSET 2500 LIMIT 1) FOR UPDATE"
        other.execute(held.encode())
        run = subprocess.Popen([*command, "--database-url", database.url])
        wait_until(database, f"SELECT count(*) > 500 FROM {table} WHERE changed > 0")
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        with database.connect() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%resumable%'"
            connection.execute(query + " AND datname = current_database() AND pid <> pg_backend_pid()")
        other.commit()
    done = one(database, f"SELECT count(*) FROM {table} WHERE changed > 0")
    assert isinstance(done, int) and 500 < done < 5000
    apply(database, tmp_path)
    assert one(database, f"SELECT bool_and(changed = 1 AND note = 'x') FROM {table}")
    assert not operations.status(database, read_migrations(tmp_path)).pending


@pytest.mark.parametrize("sets", ["changed = changed + 1", "note = random()::text", "note = now()::text"])
def test_what_does_not_tell_which_rows_are_done_needs_a_condition(
    sets: str, database: Database, tmp_path: Path
) -> None:
    made(database, BIG)
    with pytest.raises(UsageError) as error:
        cook(database, tmp_path, "backfill", "big", sets)
    assert "--where" in error.value.hint and not list(tmp_path.iterdir())
    assert cook(database, tmp_path, "backfill", "big", sets, where="note IS NULL").paths
