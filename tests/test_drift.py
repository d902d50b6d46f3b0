"""Whatever somebody changes by hand is seen; where SQL to mend it is offered, it runs and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg import sql

from tests.conftest import RunningServer
from wflo_schema import check
from wflo_schema.catalog import NOTHING, Catalog, Difference, compare, read, read_migrated
from wflo_schema.database import Database


@dataclass(frozen=True)
class Change:
    """What the migrations make, and what somebody made of it.

    ``mends``: < all that is needed is offered to go back, > to go from the migrations' state to the change.
    """

    setup: str
    change: str
    mends: str = ""
    since: int = 15


TREE = """
CREATE TABLE p (id integer, k integer, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE t (a integer, b integer, CONSTRAINT f FOREIGN KEY (a, b) REFERENCES p ON DELETE CASCADE);
CREATE TABLE tp (a integer, b integer, CONSTRAINT g FOREIGN KEY (a, b) REFERENCES p) PARTITION BY RANGE (b);
CREATE TABLE tp1 PARTITION OF tp FOR VALUES FROM (0) TO (10);
"""
GONE = "DELETE FROM pg_trigger WHERE tgrelid = '{}'::regclass AND tgfoid = '\"{}\"'::regproc;"

KEYS = (
    Change(TREE, "ALTER TABLE p1 DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE p21 DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE tp1 DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE t DISABLE TRIGGER ALL", "<"),
    Change(TREE, "ALTER TABLE p DISABLE TRIGGER ALL", "<"),
    Change(TREE, GONE.format("p1", "RI_FKey_cascade_del")),
    Change(TREE, GONE.format("tp1", "RI_FKey_check_ins")),
    Change(TREE, GONE.format("tp", "RI_FKey_check_ins")),
    Change(TREE, GONE.format("p", "RI_FKey_noaction_del")),
)


@pytest.fixture
def second(server: RunningServer, database: Database) -> Iterator[Database]:
    """Another database."""
    name = f"{database.name}_second"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield database.with_name(name)
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run(database: Database, *scripts: str) -> Catalog:
    """The catalog after some scripts; what begins with CREATE INDEX CONCURRENTLY cannot be sent with others."""
    with database.connect() as connection:
        for script in scripts:
            for statement in script.split(";\n") if "CONCURRENTLY" in script else [script]:
                connection.execute(statement.encode())
        return read(connection)


def shown(differences: tuple[Difference, ...]) -> str:
    return "\n".join(f"{d.kind} {d.object} [{d.attribute}] {d.have} -> {d.want}: {d.mend}" for d in differences)


def check_change(first: Database, second: Database, change: Change, version: str) -> None:
    """Both directions are seen, and mended where that is promised."""
    if int(version) < change.since:
        pytest.skip(f"PostgreSQL {version} has no such thing")
    want, unchanged = run(first, change.setup), run(second, change.setup)
    assert compare(unchanged, want) == ()
    have = run(first, change.change)
    for name, start, goal, where in (("<", have, want, first), (">", want, have, second)):
        found = compare(start, goal)
        assert found
        assert all(d.mend or d.cosmetic for d in found) is (name in change.mends), shown(found)
        if name in change.mends:
            left = compare(run(where, *(d.mend for d in found if d.mend)), goal)
            assert left == (), shown(found) + "\nleaves\n" + shown(left)


@pytest.mark.parametrize("change", KEYS, ids=lambda c: c.change[:60])
def test_a_key_whose_triggers_do_not_all_work_is_seen_and_mended(
    server: RunningServer, database: Database, second: Database, change: Change
) -> None:
    check_change(database, second, change, server.version)


RAILS = "CREATE TABLE schema_migrations (version text PRIMARY KEY); CREATE TABLE ar_internal_metadata (key text);"
SQITCH = (
    "CREATE SCHEMA reg; CREATE TABLE reg.changes (change_id text, script_hash text); CREATE TABLE reg.events (e text);"
)


@pytest.mark.parametrize("ledger", [RAILS, SQITCH])
def test_another_tools_ledger_is_no_drift_whether_the_migrations_make_it_or_not(
    database: Database, second: Database, ledger: str
) -> None:
    run(database, "CREATE TABLE t (id integer)")
    run(second, "CREATE TABLE t (id integer)")
    with second.connect() as connection:
        plain = read_migrated(connection)
    run(database, ledger)
    assert check.drift(database, plain) == ()
    wanted = run(second, ledger)
    assert check.drift(database, wanted) == ()
    run(database, "DROP TABLE IF EXISTS reg.changes; DROP TABLE IF EXISTS schema_migrations")
    assert [f.have for f in check.drift(database, wanted)] == [NOTHING]


def test_a_schema_that_only_resembles_sqitchs_is_compared(database: Database) -> None:
    with database.connect() as connection:
        wanted = read_migrated(connection)
    run(database, SQITCH + "CREATE TABLE reg.mine (id integer)")
    assert [f.object for f in check.drift(database, wanted)] == ["reg"]
