"""The SQL that a finding advises, run as it stands, makes it go away, and PostgreSQL takes it."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.check.test_verdict import CASES, Case, right
from tests.conftest import RunningServer
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database

__all__ = ["right"]

pytestmark = pytest.mark.one_server

# What no statement mends, so that PostgreSQL refuses the one that is shown: rows that point nowhere, types that do not
# fit, a contract that asks for what cannot be, an extension that is not here, and catalogs that were edited by hand.
REFUSED = frozenset(
    {
        "cascade-trigger-row-deleted",
        "check-function-replaced",
        "contract-wants-columns-swapped-names",
        "distribution-without-citus",
        "orphans-without-a-key",
        "period-key-for-a-plain-one",
        "period-not-covered",
        "text-key-and-integer-rows",
        "trigger-rows-deleted",
    }
)
ALSO = (
    "cascade-stopped-on-partitions",
    "quoted-column",
    "renamed-and-readded-column",
    "required-index-without-its-where",
)

_SQL = re.compile(r"\s*(ALTER|CREATE|DROP|GRANT|REINDEX) ")


def _chosen() -> list[Case]:
    """One case for each set of codes."""
    found: dict[object, Case] = {}
    for case in CASES:
        if case.codes and case.path.stem not in REFUSED:
            found.setdefault(case.path.stem if case.path.stem in ALSO else case.codes, case)
    return list(found.values())


def _statements(help_: str) -> list[str]:
    without_comments = re.sub(r"/\*.*?\*/|--[^\n]*", "", help_, flags=re.DOTALL)
    return [s for s in without_comments.split(";") if s.strip()]


@pytest.mark.parametrize("case", _chosen(), ids=lambda c: c.path.stem)
def test_advice_that_is_followed_mends(right: Database, server: RunningServer, case: Case) -> None:
    if int(server.version) not in case.versions:
        pytest.skip(f"not on PostgreSQL {server.version}")
    followed: set[str] = set()
    with right.connect() as connection:
        connection.execute(case.sql.encode())
        while True:
            found = check_database(right, case.contract, only=case.sections).findings
            advice = next((f.help for f in found if _SQL.match(f.help)), None)
            if advice is None:
                break
            assert advice not in followed, f"it was run and did not help: {advice}"
            followed.add(advice)
            for statement in _statements(advice):
                try:
                    connection.execute(statement.encode())
                except psycopg.Error as error:
                    pytest.fail(f"{statement}\n{error}")
