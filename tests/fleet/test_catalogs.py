"""A hash tells apart what a comparison tells apart, and nothing else: least of all the names of tenants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from tests.catalog.test_compare import BASE, CASES
from tests.conftest import RunningServer
from tests.diff.corpus import PAIRS, Pair
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine.operations import migrate
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.catalogs import group_catalogs, hash_catalogs, hash_of_migrations, read_hashes

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

Connection = psycopg.Connection[TupleRow]

# Names that would be something else in a pattern, or a part of another's.
AWKWARD = (
    "t",
    "t_1",
    "t_10",
    "Tenant 1",
    'with "quotes"',
    "a.b",
    "(x|y)*",
    "back\\slash",
    "it's",
    "été",
    "select",
    "$1",
)

# What a pair is about that belongs to no schema, or to one that it names.
_ELSEWHERE = re.compile(
    r"\bpublic\b|create schema|extension|create role|publication|event trigger|foreign data|create server|create cast"
    r"|transform|search_path",
    re.IGNORECASE,
)


def in_schema(connection: Connection, schema: str, text: str) -> None:
    """Run it where its names lead to that schema, which is made."""
    with connection.transaction():
        path = sql.SQL("CREATE SCHEMA {0}; SET LOCAL search_path = {0}").format(sql.Identifier(schema))
        connection.execute(path)
        connection.execute(text.encode())


def test_a_hash_differs_where_a_comparison_finds_a_difference(database: Database) -> None:
    compared: dict[str, tuple[str, str]] = {}
    with database.connect() as connection:
        for number, pair in enumerate(PAIRS[::2]):
            if _ELSEWHERE.search(pair.before + pair.after) or pair.since > connection.info.server_version // 10000:
                continue
            name = AWKWARD[number % len(AWKWARD)]
            compared[pair.name] = names = f"{name}{number}", f"{name}{number}_"
            in_schema(connection, names[0], pair.before)
            in_schema(connection, names[1], pair.after)
            in_schema(connection, f"_{number}{name}", pair.before)
        found = read_catalog(connection).by_schema()
    hashed = hash_catalogs(database, found)
    assert hashed.failed == {}
    hashes = hashed.hashes
    assert len(compared) > 100
    wrong = []
    for number, pair in enumerate(PAIRS[::2]):
        if pair.name in compared:
            one, other = compared[pair.name]
            differences = compare_catalogs(found[one], found[other], ignore_schema_names={one: other})
            if (hashes[one] == hashes[other]) != (differences == ()):
                wrong.append((pair.name, differences))
            assert hashes[one] == hashes[f"_{number}{AWKWARD[number % len(AWKWARD)]}"], pair.name
    assert wrong == []
