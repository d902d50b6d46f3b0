"""The rows that made a migration fail are those that the key refuses, no more and no fewer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg import sql

from wflo_schema.catalog import orphans
from wflo_schema.connect.database import Database
from wflo_schema.findings import OrphanRows

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

# The tables, the key and the rows it refuses, as they are shown.
CASES = {
    "cross-type": (
        (
            "CREATE TABLE a (id numeric PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int);"
            "INSERT INTO a VALUES (7.00); INSERT INTO b VALUES (1, 7), (2, 8), (3, NULL)"
        ),
        "FOREIGN KEY (a) REFERENCES a",
        ("id=2, a=8",),
    ),
    "match-full": (
        (
            "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE b (id int PRIMARY KEY, m int, n int);"
            "INSERT INTO a VALUES (1, 1);"
            "INSERT INTO b VALUES (1, 1, 1), (2, 1, NULL), (3, 9, 9), (4, NULL, NULL)"
        ),
        "FOREIGN KEY (m, n) REFERENCES a (x, y) MATCH FULL",
        ("id=2, m=1, n=None", "id=3, m=9, n=9"),
    ),
    "inherited-target": (
        (
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE child () INHERITS (a);"
            "CREATE TABLE b (id int PRIMARY KEY, a int); INSERT INTO child VALUES (5); INSERT INTO b VALUES (1, 5)"
        ),
        "FOREIGN KEY (a) REFERENCES a (id)",
        ("id=1, a=5",),
    ),
    "partitioned-target": (
        (
            "CREATE TABLE a (id int PRIMARY KEY) PARTITION BY RANGE (id);"
            "CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (5);"
            "CREATE TABLE b (id int PRIMARY KEY, a int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 1), (2, 2)"
        ),
        "FOREIGN KEY (a) REFERENCES a",
        ("id=2, a=2",),
    ),
    "no-primary-key": (
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int); INSERT INTO b VALUES (3)",
        "FOREIGN KEY (a) REFERENCES a (id)",
        ("ctid=(0,1), a=3",),
    ),
}


@pytest.mark.parametrize("is_there", [False, True], ids=["added", "validated"])
@pytest.mark.parametrize("case", CASES)
def test_rows_that_a_key_refuses_are_counted_shown_and_listed(database: Database, case: str, is_there: bool) -> None:
    tables, key, shown = CASES[case]
    statement = f"ALTER TABLE b ADD CONSTRAINT b_fk {key}"
    with database.connect() as connection:
        connection.execute(tables.encode())
        if is_there:
            connection.execute(f"{statement} NOT VALID".encode())
            statement = "ALTER TABLE b VALIDATE CONSTRAINT b_fk"
        found = orphans.of_failed_statement(connection, statement, table=("public", "b"))

        assert found is not None
        assert (found.constraint, found.count, found.sample) == ("b_fk", len(shown), shown)
        assert len(connection.execute(found.query.encode()).fetchall()) == len(shown)
        assert orphans.of_failed_statement(connection, statement, table=("", "")) == found  # as Citus names none

        searched = orphans._key_of(connection, statement, "")
        assert searched is not None
        apart = replace(searched[1], is_apart=True)  # as Citus wants it, where it joins the tables not
        assert len(connection.execute(apart.listing(sql.SQL("t.*"))).fetchall()) == len(shown)


def test_other_statements_have_no_orphan_rows(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int)")
        for statement in (
            "INSERT INTO b VALUES (1)",
            "ALTER TABLE b ADD COLUMN c int",
            "ALTER TABLE b ADD CHECK (a > 0)",
            "ALTER TABLE b VALIDATE CONSTRAINT nowhere",
            "ALTER TABLE b ADD COLUMN new int, ADD FOREIGN KEY (new) REFERENCES a",
            "ALTER TABLE b",
        ):
            assert orphans.of_failed_statement(connection, statement, table=("public", "b")) is None


def test_search_gives_up_in_time_and_still_says_how_to_list_the_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "TIMEOUT_MS", 300)
    statement = "ALTER TABLE b ADD CONSTRAINT b_fk FOREIGN KEY (a) REFERENCES a"
    with database.connect() as connection, database.connect(autocommit=False) as other:
        connection.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int)")
        other.execute("LOCK TABLE b IN ACCESS EXCLUSIVE MODE")
        found = orphans.of_failed_statement(connection, statement, table=("public", "b"))

        assert isinstance(found, OrphanRows)
        assert (found.count, found.sample) == (None, ())
        other.rollback()
        assert connection.execute(found.query.encode()).fetchall() == []
