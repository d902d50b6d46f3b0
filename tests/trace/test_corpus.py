"""What is told of a statement from a rehearsal without rows is what PostgreSQL does with it on tables with rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import BIN, RunningServer
from tests.statements import truth
from tests.statements.corpus import CASES, SCHEMA, Case
from tests.statements.truth import Truth
from wflo_schema.connect.database import WATCHED
from wflo_schema.files.folder import load_script, read_migrations
from wflo_schema.trace.rehearsal import Rehearsal
from wflo_schema.trace.values import MODES, Traced

# Locks that a rehearsal without rows cannot see.
UNSEEN = {
    "column-added-next-value": "nextval is called for each row: ROW EXCLUSIVE on the sequence, which stops nobody",
    "indexes-of-a-schema-built-again": "REINDEX locks tables that have no index too, for a moment",
    "row-deleted-that-others-may-reference-without-an-index": "the query of the key: ROW SHARE on indexes",
    "row-deleted-with-those-that-reference-it": "what the key cascades to: ROW EXCLUSIVE on indexes",
    "sequence-set-behind-the-greatest-id": "there is no greatest: ROW EXCLUSIVE on the sequence",
}

# Tables that are said to be read whole, and are not.
TOO_MUCH = {
    "rows-updated-in-a-batch-that-an-index-finds": "without rows, the join is planned as if all were joined",
}

pytestmark = pytest.mark.spread_over_servers


@pytest.fixture(scope="module", params=truth.VERSIONS)
def own_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """One that has the corpus's schema, without rows, as a template."""
    if request.param not in BIN:
        pytest.skip(f"no programs of PostgreSQL {request.param} here; make servers fetches them")
    with truth.running(request.param) as started:
        empty = truth.make(started, "corpus_empty", "template0")
        with empty.connect() as connection:
            connection.execute(SCHEMA.encode())
        yield started


@pytest.fixture(scope="module")
def truths() -> dict[str, dict[str, Truth]]:
    return {version: truth.read(version) for version in truth.VERSIONS}


def _rehearse(server: RunningServer, case: Case, folder: Path) -> list[Traced]:
    (folder / f"0001-{case.name}.sql").write_text(case.text, encoding="utf-8")
    (m,) = read_migrations(str(folder))
    database = truth.make(server, "corpus_traced", "corpus_empty")
    try:
        with database.connect() as connection:
            connection.execute(case.given.encode())
        with Rehearsal.on(database, settings=dict(WATCHED)) as rehearsal:
            rehearsal.get_ready()
            return list(rehearsal.rehearse(m, rehearsal.loader(load_script)(m)))
    finally:
        truth.drop(server, "corpus_traced")


def _locks(statements: Sequence[Traced], *, with_indexes: bool) -> dict[str, str]:
    locks: dict[str, str] = {}
    for lock in (lock for one in statements for lock in one.locks):
        if with_indexes or "index" not in lock.kind:
            locks[lock.relation] = max(locks.get(lock.relation, lock.mode), lock.mode, key=MODES.index)
    return locks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rehearsal_without_rows_tells_what_happens_with_rows(
    own_server: RunningServer, truths: dict[str, dict[str, Truth]], case: Case, tmp_path: Path
) -> None:
    if case.name not in truths[own_server.version]:
        pytest.skip(f"since PostgreSQL {case.since}")
    seen = truths[own_server.version][case.name]
    traced = _rehearse(own_server, case, tmp_path)
    assert [one.error for one in traced if one.error] == []
    if case.depends_on_rows:
        assert any(one.undecided for one in traced)
        return
    rewrites = {name for one in traced for name in one.rewrites}
    scans = {name for one in traced for name in one.scans}
    builds_on = {name for one in traced for name in one.builds_on}
    told: dict[str, object] = {
        "locks": _locks(traced, with_indexes=case.is_transactional and not case.measured_as),
        "rewrites": rewrites,
        "works on": rewrites | scans | builds_on,
        "builds": {name for one in traced for name in one.builds},
        "scans for nothing": scans - set(seen.scans),
    }
    if case.name in UNSEEN:
        told["locks"] = seen.locks
    if case.name in TOO_MUCH:
        told |= {"works on": set(seen.scans), "scans for nothing": set()}
    assert told == {
        "locks": seen.locks,
        "rewrites": set(seen.rewrites),
        "works on": {*seen.scans, *seen.rewrites},
        "builds": set(seen.builds),
        "scans for nothing": set(),
    }
