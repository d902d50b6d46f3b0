"""Each pair of schemas, both ways: the statements lead there and back, or what they leave is told; none is spurious."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.conftest import RunningServer
from tests.diff.corpus import PAIRS, Pair
from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.read import read_catalog
from wflo_schema.diff.leading import Way, lead, take_back
from wflo_schema.diff.renames import Wishes
from wflo_schema.errors import Refused

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

Connection = psycopg.Connection[TupleRow]


@pytest.fixture(scope="module")
def connection(server: RunningServer) -> Iterator[Connection]:
    """To a database of this module's own, in which nothing stays."""
    name = "diff_pairs"
    with server.database.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    with server.database.with_name(name).connect() as opened:
        yield opened
    with server.database.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _catalog(connection: Connection, text: str) -> Catalog:
    with connection.transaction(force_rollback=True):
        connection.execute(text.encode())
        return read_catalog(connection)


def _skip_unless_there(connection: Connection, pair: Pair) -> None:
    if connection.info.server_version // 10000 < pair.since:
        pytest.skip(f"PostgreSQL {pair.since} has this")
    query = "SELECT FROM pg_available_extensions WHERE name = %s"
    if pair.needs and connection.execute(query, (pair.needs,)).fetchone() is None:
        pytest.skip(f"needs {pair.needs}")


def _ways(connection: Connection, pair: Pair, wishes: Wishes) -> tuple[Way, Way]:
    want = _catalog(connection, pair.after)
    with connection.transaction(force_rollback=True):
        connection.execute(pair.before.encode())
        have = read_catalog(connection)
        forward = lead(connection, want, lambda: read_catalog(connection), wishes)
        if not forward.is_complete:
            return forward, Way()
        return forward, take_back(connection, have, lambda: read_catalog(connection), forward.renamings)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_statements_lead_there_and_back_or_say_what_they_leave(connection: Connection, pair: Pair) -> None:
    _skip_unless_there(connection, pair)
    wishes = Wishes(pair.renames, pair.drops)
    if pair.expected == "asks":
        with pytest.raises(Refused) as refused:
            _ways(connection, pair, wishes)
        assert pair.offered in refused.value.hint
        return
    forward, back = _ways(connection, pair, wishes)
    wishes.refuse_unused()
    if pair.expected == "equal":
        assert forward.statements == ()
    elif pair.expected == "refuses":
        assert forward.remaining
    else:
        assert (forward.failure, forward.remaining) == ("", ())
        assert (back.failure, back.remaining) == ("", ())
        assert forward.statements
        assert back.statements
        if _only_adds(pair):
            assert [s.text for s in forward.statements if s.text.startswith("DROP") or " DROP " in s.text] == []


def _only_adds(pair: Pair) -> bool:
    """Is nothing to be dropped on the way there?  Of an enum it is: it is made anew."""
    words = pair.name.split("-")
    return "added" in words and not {"dropped", "back"} & set(words) and pair.name != "enum-value-added-and-used"
