"""How big a relation is: what PostgreSQL has counted, added up over partitions, without anybody's rows or locks."""

from __future__ import annotations

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.trace.sizes import read_sizes

pytestmark = pytest.mark.spread_over_servers

_PARTITIONED = """
    CREATE TABLE events (day date, note text) PARTITION BY RANGE (day);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY RANGE (day);
    CREATE TABLE events_2_1 PARTITION OF events_2 FOR VALUES FROM ('2021-01-01') TO ('2021-07-01');
    CREATE INDEX events_note ON events (note);
    INSERT INTO events SELECT date '2020-01-01' + g % 500, g FROM generate_series(0, 999) AS g;
    ANALYZE events;
"""


def run(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


def test_rows_and_bytes_are_those_of_the_statistics_and_the_files(database: Database) -> None:
    run(
        database,
        """
        CREATE TABLE small (id integer PRIMARY KEY, note text);
        ALTER TABLE small ALTER note SET STORAGE EXTERNAL;
        INSERT INTO small SELECT g, repeat('x', 3000) FROM generate_series(1, 500) AS g;
        ANALYZE small;
        """,
    )
    size = read_sizes(database, ["public.small"])["public.small"]
    assert (size.kind, size.rows, size.indexes, size.partitions, size.is_measured) == ("r", 500, 1, 0, True)
    assert size.toast_bytes > 500 * 3000 > size.bytes > 0
    assert size.total_bytes == size.own_bytes + size.index_bytes


def test_a_partitioned_table_is_as_big_as_all_its_partitions(database: Database) -> None:
    run(database, _PARTITIONED)
    names = ["public.events", "public.events_1", "public.events_2", "public.events_2_1", "public.events_note"]
    found = read_sizes(database, names)
    whole, first, second = (found[name] for name in ("public.events", "public.events_1", "public.events_2"))
    assert (whole.rows, whole.partitions) == (1000, 2)
    assert whole.bytes == first.bytes + second.bytes
    assert second.bytes == found["public.events_2_1"].bytes
    assert found["public.events_note"].bytes == whole.index_bytes


def test_a_table_that_vanished_is_left_out(database: Database) -> None:
    run(database, 'CREATE TABLE "Odd ""one" (id integer)')
    found = read_sizes(database, ['public."Odd ""one"', "public.gone", "nowhere.at_all"])
    assert set(found) == {'public."Odd ""one"'}
    assert found['public."Odd ""one"'].name == 'Odd "one'


def test_rows_are_unknown_where_no_statistics_were_collected(database: Database) -> None:
    run(database, "CREATE TABLE nothing (id integer); CREATE TABLE unknown (id integer)")
    with database.connect() as connection, connection.transaction():
        connection.execute("SET LOCAL track_counts = off; INSERT INTO unknown SELECT generate_series(1, 1000)")
    found = read_sizes(database, ["public.unknown", "public.nothing"])
    assert found["public.unknown"].rows is None
    assert found["public.unknown"].bytes > 0
    assert found["public.nothing"].rows == 0


def test_somebodys_lock_does_not_stand_in_the_way(database: Database) -> None:
    run(database, _PARTITIONED)
    run(database, "VACUUM events_1, events_2_1")
    with database.connect() as other:
        other.execute("BEGIN; LOCK TABLE events_1 IN ACCESS EXCLUSIVE MODE")
        size = read_sizes(database, ["public.events"])["public.events"]
    assert not size.is_measured
    assert size.bytes > 0
    assert size.rows == 1000


def test_no_privilege_is_needed(database: Database) -> None:
    run(
        database,
        "CREATE SCHEMA closed; CREATE TABLE closed.mine AS SELECT generate_series(1, 100) AS id;"
        "ANALYZE closed.mine; CREATE ROLE wflo_stranger LOGIN",
    )
    try:
        found = read_sizes(database.with_parameters(user="wflo_stranger"), ["closed.mine"])
        assert found["closed.mine"].rows == 100
    finally:
        run(database, "DROP ROLE wflo_stranger")
