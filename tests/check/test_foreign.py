"""Partitions on another server, over postgres_fdw: what they do not guard is said, and no wait for them is endless."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import RunningServer
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.catalog.snapshot import dump_schema
from wflo_schema.check import foreign
from wflo_schema.check.contract_file import parse_contract
from wflo_schema.check.freeze import freeze_contract
from wflo_schema.check.verdict import CheckResult, check_database
from wflo_schema.connect import versions
from wflo_schema.connect.database import Database

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

TABLES = """
CREATE TABLE kinds (id integer PRIMARY KEY);
CREATE TABLE events (
    id integer NOT NULL, at date NOT NULL, kind integer, CONSTRAINT positive CHECK (id > 0)
) PARTITION BY RANGE (at);
CREATE TABLE events_2021 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE INDEX events_kind_ix ON events (kind);
"""

CONTRACT = """
[contract]
tables = ["events", "kinds"]
[columns.events]
id = "integer not null"
kind = "integer null"
[[check]]
name = "positive"
on = "events"
[[index]]
on = "events(kind)"
"""

KEY = """
[[foreign_key]]
from = "events(kind)"
to = "kinds(id)"
"""


@pytest.fixture
def far(database: Database, second: Database) -> Iterator[Database]:
    """The other server's database; ``database`` has a partition there."""
    _do(second, "CREATE TABLE events_2020 (id integer, at date, kind integer)")
    with database.connect() as connection:
        try:
            connection.execute("CREATE EXTENSION postgres_fdw")
        except psycopg.errors.UndefinedFile:
            pytest.skip("this PostgreSQL has no extension postgres_fdw")
        connection.execute(TABLES.encode())
        connection.execute(
            sql.SQL(
                "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw"
                " OPTIONS (host {}, port {}, dbname {}, connect_timeout '2')"
            ).format(
                sql.Literal(str(second.parameters["host"])),
                sql.Literal(str(second.parameters["port"])),
                sql.Literal(second.name),
            )
        )
        connection.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'postgres')")
        connection.execute(
            "CREATE FOREIGN TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')"
            " SERVER far"
        )
    yield second
    _do(database, "DROP SERVER far CASCADE")  # with its connection, or the other database cannot be dropped


def _do(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _check(database: Database, contract: str, *only: str) -> CheckResult:
    return check_database(database, parse_contract(contract), only=only or ("contract",))


def _told(result: CheckResult) -> list[tuple[str, str]]:
    return [(f.code, f.object) for f in result.findings]


def test_what_postgresql_takes_for_granted_there_is_neither_yes_nor_no(database: Database, far: Database) -> None:
    _do(database, "INSERT INTO events VALUES (-1, '2020-05-05', 1)")  # no CHECK stops it

    result = _check(database, CONTRACT, "contract", "rows", "indexes")
    assert _told(result) == [
        ("foreign-unguarded", "public.events_2020.id"),
        ("foreign-unguarded", "public.events_2020 positive"),
    ]
    assert "the server far: ALTER TABLE public.events_2020 ALTER COLUMN id SET NOT NULL;" in result.findings[0].help
    assert {v.kind for v in result.verified if v.verdict == "yes"} == {"table", "column", "index"}
    assert result.exit_code == 3

    allowed = "".join(
        f"[[allow]]\ncode = 'foreign-unguarded'\nobject = 'public.{o}'\nreason = 'it is so on far'\n"
        for o in ("events_2020.id", "events_2020 positive")
    )
    assert _check(database, CONTRACT + allowed).exit_code == 0


def test_what_cannot_be_there_is_not_advised(database: Database, far: Database) -> None:
    result = _check(database, KEY + "[[unique]]\non = 'events(id, at)'")

    assert _told(result) == [("key-missing", "public.events(kind)"), ("unique-missing", "public.events(id, at)")]
    for found in result.findings:
        assert found.message.endswith(", and can have none: its partition public.events_2020 is a foreign table")
        assert found.help == ""


def test_what_freeze_writes_down_holds(database: Database, far: Database) -> None:
    text = freeze_contract(database)

    assert "# No NOT NULL and no CHECK of public.events is required here" in text
    assert _check(database, text, "contract", "rows").exit_code == 0


def test_orphan_rows_are_looked_for_on_the_other_server_too(database: Database, far: Database) -> None:
    _do(far, "INSERT INTO events_2020 VALUES (1, '2020-05-05', 7)")

    (orphans,) = _check(database, KEY, "rows").orphans
    assert (orphans.count, orphans.sample) == (1, (("7",),))


@pytest.mark.parametrize("change", ["RENAME TO elsewhere", "DROP COLUMN kind"])
def test_a_remote_table_that_is_not_as_the_partition_says(database: Database, far: Database, change: str) -> None:
    _do(far, f"ALTER TABLE events_2020 {change}")
    assert _check(database, CONTRACT + KEY).exit_code == 1  # for the key: nothing is asked of the other server

    result = _check(database, CONTRACT + KEY, "rows")
    assert _told(result) == [("foreign-differs", "public.events_2020")]
    assert "does not exist" in result.findings[0].have
    assert [o.count for o in result.orphans] == [None]


def test_a_server_that_is_away_or_silent_is_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch, database: Database, far: Database
) -> None:
    monkeypatch.setattr(foreign, "LOOK_TIMEOUT_MS", 3_000)
    _do(database, "CREATE TABLE notes (kind integer)", "INSERT INTO notes VALUES (8)")
    wanted = CONTRACT + KEY + "[[foreign_key]]\nfrom = 'notes(kind)'\nto = 'kinds(id)'"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # takes connections, and never says a word
        silent = listening.getsockname()[1]
        for port in (silent, 1):
            _do(database, f"ALTER SERVER far OPTIONS (SET host '127.0.0.1', SET port '{port}')")
            result = _check(database, wanted, "rows")
            assert _told(result) == [("rows-unreadable", "public.events_2020"), ("orphan-rows", "public.notes(kind)")]
            said = result.findings[0].message.partition("the server far says: ")[2]
            assert said in ('could not connect to server "far"', "it did not answer within 3.0 s")
            assert [o.count for o in result.orphans] == [None, 1]
    assert "foreign-unguarded" in {f.code for f in _check(database, wanted).findings}


def test_a_wait_that_nothing_would_end_is_not_begun(server: RunningServer, database: Database, far: Database) -> None:
    _do(database, "ALTER SERVER far OPTIONS (DROP connect_timeout)")
    result = _check(database, CONTRACT, "rows")

    with database.connect() as connection:
        is_bounded = versions.FOREIGN_SERVER_WAIT.is_in(connection.info.server_version)
    if is_bounded:
        assert not result.findings
        return
    assert _told(result) == [("rows-unreadable", "public.events_2020")]
    _do(database, result.findings[0].help)
    assert not _check(database, CONTRACT, "rows").findings


def test_a_table_that_is_locked_there_uses_up_no_more_than_its_time(
    monkeypatch: pytest.MonkeyPatch, database: Database, far: Database
) -> None:
    monkeypatch.setattr(foreign, "LOOK_TIMEOUT_MS", 500)
    with far.connect(autocommit=False) as locker:
        locker.execute("LOCK TABLE events_2020")
        result = _check(database, CONTRACT, "rows")

    assert _told(result) == [("rows-unreadable", "public.events_2020")]
    assert "it did not answer within 500 ms" in result.findings[0].message


def test_a_snapshot_loads_with_its_foreign_partition(database: Database, far: Database, tmp_path: Path) -> None:
    text = dump_schema(database).text
    with far.connect() as connection:
        connection.execute("DROP TABLE events_2020")
        connection.execute(text.encode())
        loaded = read_catalog(connection)
    with database.connect() as connection:
        whole = read_catalog(connection)

    told = [(d.kind, d.object) for d in compare_catalogs(loaded, whole) if not d.cosmetic]
    assert told == [("user mapping", "far.postgres")]


def test_a_child_that_is_a_foreign_table_can_have_no_key(database: Database, far: Database) -> None:
    _do(
        database,
        "CREATE TABLE notes (kind integer CONSTRAINT notes_kind REFERENCES kinds)",
        "CREATE FOREIGN TABLE old_notes () INHERITS (notes) SERVER far",
    )
    (found,) = _check(database, "[[foreign_key]]\nfrom = 'notes(kind)'\nto = 'kinds(id)'").findings
    assert (found.code, found.help) == ("key-not-inherited", "ALTER TABLE public.old_notes NO INHERIT public.notes;")
