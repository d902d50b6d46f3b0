"""The database to be in while others come and go."""

from __future__ import annotations

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.connect.maintenance import connect_to_first
from wflo_schema.errors import ConnectionFailed


def test_the_first_database_that_lets_us_in_is_taken(database: Database) -> None:
    with connect_to_first(database, ("no_such_one", database.name, "template1")) as connection:
        assert connection.info.dbname == database.name


def test_a_closed_database_is_passed_over(database: Database) -> None:
    with database.with_name("postgres").connect() as connection:
        connection.execute("UPDATE pg_database SET datallowconn = false WHERE datname = %s", (database.name,))
        try:
            with connect_to_first(database, (database.name, "postgres")) as another:
                assert another.info.dbname == "postgres"
        finally:
            connection.execute("UPDATE pg_database SET datallowconn = true WHERE datname = %s", (database.name,))


def test_where_none_lets_us_in_all_are_named_and_the_first_reason_is_told(database: Database) -> None:
    with pytest.raises(ConnectionFailed, match=r"databases no_a, no_b lets us in.*no database no_a") as caught:
        connect_to_first(database, ("no_a", "no_b", "no_a"))
    assert "createdb" in caught.value.hint


def test_a_server_that_does_not_answer_is_asked_once() -> None:
    nobody = Database.parse("postgresql://postgres@127.0.0.1:1/app")
    with pytest.raises(ConnectionFailed) as caught:
        connect_to_first(nobody, ("postgres", "app"))
    assert caught.value.message == f"no server answers at {nobody.with_name('postgres').label}"
