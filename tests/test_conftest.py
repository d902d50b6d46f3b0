"""An everyday run leaves versions out and no case, and ``--all-versions`` leaves nothing out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import BIN, VERSIONS

pytest_plugins = ("pytester",)

HERE = {version for version in VERSIONS if version in BIN}

TESTS = """
import pytest

@pytest.mark.parametrize("a", range(3))
@pytest.mark.parametrize("b", ["18", "15", "x"])
@pytest.mark.spread_over_servers
def test_spread(server, a, b):
    pass

@pytest.mark.one_server
@pytest.mark.parametrize("a", range(3))
def test_one(server, a):
    pass

@pytest.mark.parametrize("a", range(3))
def test_all(server, a):
    pass

def test_without_a_server():
    pass
"""


@pytest.fixture
def collected(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest(
        """
        import pytest
        from tests.conftest import VERSIONS, pytest_addoption, pytest_collection_modifyitems, pytest_configure

        @pytest.fixture(scope="session", params=VERSIONS)
        def server(request):
            pass
        """
    )
    pytester.makepyfile(TESTS)
    return pytester


def cases(pytester: pytest.Pytester, *words: str) -> dict[str, list[tuple[str, str]]]:
    """What is collected of each function, as version and case."""
    (finished,) = pytester.inline_run("--collect-only", *words).getcalls("pytest_collection_finish")
    found: dict[str, list[tuple[str, str]]] = {}
    for item in finished.session.items:
        given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
        found.setdefault(item.originalname, []).append((given.pop("server", ""), str(given)))
    return found


def test_spread_cases_are_run_once_each_and_every_version_has_its_share(collected: pytest.Pytester) -> None:
    spread = cases(collected)["test_spread"]
    assert len(spread) == len({case for _, case in spread}) == 9
    per_version = Counter(version for version, _ in spread)
    assert set(per_version) == HERE
    assert max(per_version.values()) - min(per_version.values()) <= 1


def test_one_server_is_the_newest_and_what_is_not_marked_runs_on_every_version(collected: pytest.Pytester) -> None:
    found = cases(collected)
    assert [version for version, _ in found["test_one"]] == [next(v for v in VERSIONS if v in HERE)] * 3
    assert Counter(version for version, _ in found["test_all"]) == dict.fromkeys(VERSIONS, 3)
    assert len(found["test_without_a_server"]) == 1


def test_all_versions_and_a_test_that_is_named_leave_nothing_out(collected: pytest.Pytester) -> None:
    everything = cases(collected, "--all-versions")
    assert {name: len(found) for name, found in everything.items()} == {
        "test_spread": 9 * len(VERSIONS),
        "test_one": 3 * len(VERSIONS),
        "test_all": 3 * len(VERSIONS),
        "test_without_a_server": 1,
    }
    file = next(collected.path.glob("test_*.py"))
    assert len(cases(collected, f"{file.name}::test_one")["test_one"]) == 3 * len(VERSIONS)
