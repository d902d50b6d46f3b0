"""What is written down of each statement is what PostgreSQL does, and the corpus has what it is said to have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BIN, RunningServer
from tests.statements import truth
from tests.statements.corpus import CASES

_FEW_ROWS = 1000


@pytest.fixture(scope="module", params=truth.VERSIONS)
def own_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """One on which statements can be measured."""
    if request.param not in BIN:
        pytest.skip(f"no programs of PostgreSQL {request.param} here; make servers fetches them")
    with truth.running(request.param) as started:
        yield started


def test_postgresql_still_does_what_is_written_down(own_server: RunningServer) -> None:
    assert truth.measure(own_server, rows=_FEW_ROWS) == truth.read(own_server.version)


@pytest.mark.parametrize("version", truth.VERSIONS)
def test_each_case_of_a_version_is_written_down_once(version: str) -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert list(truth.read(version)) == [case.name for case in CASES if case.since <= int(version)]


@pytest.mark.parametrize("version", truth.VERSIONS)
def test_there_are_enough_harmful_and_harmless_ones(version: str) -> None:
    harmful = [name for name, seen in truth.read(version).items() if seen.harmful]
    assert len(harmful) >= 100
    assert len(truth.read(version)) - len(harmful) >= 200


def test_the_page_counts_what_is_written_down() -> None:
    page = (Path(__file__).parents[2] / "docs" / "corpus.md").read_text(encoding="utf-8")
    assert f"has {len(CASES)} of them" in page
    for version in truth.VERSIONS:
        harmful = sum(seen.harmful for seen in truth.read(version).values())
        assert f"of {harmful} |" in page
        assert f"of {len(truth.read(version)) - harmful} |" in page
