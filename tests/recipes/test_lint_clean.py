"""What a recipe writes is safe: lint finds nothing in it, and no strong lock is held while a table is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.cases import GONE, IN_PLACE, KEYS, MOVED, SAME, Case, case
from tests.recipes.shop import cook, made
from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations
from wflo_schema.lint.operations import lint
from wflo_schema.trace.operations import trace
from wflo_schema.trace.values import MODES

WHOLE = [
    case("partition", "orders", "RANGE (at)", plain="", until="'2027-01-01'"),
    case("partition", "orders", "LIST (mail)", plain="", first="ALTER TABLE orders DROP CONSTRAINT orders_pkey"),
    case("drop-table", "orders", plain="", first=KEYS),
    case("backfill", "orders", "note = mail", plain=""),
    case("backfill", "events", "kind = 'z'", plain=""),
]
ALL = [*SAME, *GONE, *MOVED, *IN_PLACE, *WHOLE]

pytestmark = pytest.mark.spread_over_servers


@pytest.mark.parametrize("one", ALL, ids=str)
def test_lint_finds_nothing(one: Case, database: Database, tmp_path: Path) -> None:
    made(database, one.first)
    cook(database, tmp_path, one.recipe, *one.words, **one.options)
    found = lint(database, read_migrations(tmp_path))
    found_there = [f for f in found.findings if f.code != "json-column"]  # which is what was asked for
    assert [(f.code, f.message, f.source_line) for f in found_there] == [] and found.judged


@pytest.mark.parametrize("one", ALL, ids=str)
def test_no_lock_that_stops_writers_is_held_over_a_scan(one: Case, database: Database, tmp_path: Path) -> None:
    made(database, one.first)
    cook(database, tmp_path, one.recipe, *one.words, **one.options)
    found = trace(database, read_migrations(tmp_path))
    assert not found.failed
    harmless = MODES.index("ShareUpdateExclusiveLock")
    held: dict[str, dict[str, int]] = {}
    for s in found.statements:
        locks = {} if s.is_alone or not s.is_transactional else held.setdefault(s.id, {})
        for lock in s.locks:
            locks[lock.relation] = max(MODES.index(lock.mode), locks.get(lock.relation, 0))
        for table in s.works_on:
            assert locks.get(table, 0) <= harmless, s
