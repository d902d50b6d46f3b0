"""What pg_dump and psql bring back, and what our own dump brings back, is what was there."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BIN, RunningServer, start_server, stop_server
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.catalog.snapshot import dump_schema, parse_snapshot
from wflo_schema.connect.database import Database

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

EVERYTHING = Path(__file__).parent / "everything"


def psql(server: RunningServer, database: Database, text: str) -> None:
    words = [str(server.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", database.url]
    done = subprocess.run(words, input=text.encode(), capture_output=True, user=server.user, cwd="/")
    assert done.returncode == 0, done.stderr.decode()


def pg_dump(server: RunningServer, database: Database) -> str:
    """As its own pg_dump writes it, else that of 18: npm's packages have none."""
    own = server.bin / "pg_dump"
    program = own if own.exists() else BIN["18"] / "pg_dump"
    words = [str(program), "--no-owner", "--no-privileges", database.url]
    done = subprocess.run(words, check=True, capture_output=True, user=server.user, cwd="/")
    of_newer = ("restrict", "SET transaction_timeout")
    return "".join(x for x in done.stdout.decode().splitlines(keepends=True) if not any(y in x for y in of_newer))


def shown(have: Database, want: Database) -> list[str]:
    catalogs = []
    for database in (have, want):
        with database.connect() as connection:
            catalogs.append(read_catalog(connection))
    return [f"{d.kind} {d.object} {d.attribute}: {d.have} | {d.want}" for d in compare_catalogs(*catalogs)]


def make_everything(server: RunningServer, database: Database, *, with_later: bool) -> None:
    files = [f for f in sorted(EVERYTHING.glob("1*.sql")) if int(f.stem) <= int(server.version)]
    for file in [*files, *([EVERYTHING / "later.sql"] if with_later else [])]:
        psql(server, database, file.read_text(encoding="utf-8"))


def test_what_pg_dump_restores_is_no_drift(server: RunningServer, database: Database, second: Database) -> None:
    if not (server.bin / "pg_dump").exists():
        pytest.skip(f"pg_dump of PostgreSQL {server.version} is not here, and a newer one writes what it does not read")
    make_everything(server, database, with_later=True)
    psql(server, second, pg_dump(server, database))
    assert shown(second, database) == []


def test_a_key_that_is_restored_over_another_of_two_equal_indexes_is_cosmetic(
    server: RunningServer, database: Database, second: Database
) -> None:
    if not (server.bin / "pg_dump").exists():
        pytest.skip(f"pg_dump of PostgreSQL {server.version} is not here, and a newer one writes what it does not read")
    psql(
        server,
        database,
        "CREATE TABLE a (id integer NOT NULL); CREATE UNIQUE INDEX first ON a (id);"
        "CREATE TABLE b (id integer REFERENCES a (id)); ALTER TABLE a ADD PRIMARY KEY (id)",
    )
    psql(server, second, pg_dump(server, database))
    catalogs = []
    for one in (second, database):
        with one.connect() as connection:
            catalogs.append(read_catalog(connection))
    (found,) = compare_catalogs(*catalogs)
    assert (found.attribute, found.cosmetic) == ("referenced index", True)


def test_our_dump_of_everything_loads_and_is_to_pg_dump_what_was_there(
    server: RunningServer, database: Database, second: Database
) -> None:
    make_everything(server, database, with_later=False)
    made = dump_schema(database)
    assert made.left_out == ()
    psql(server, second, made.text)
    assert shown(second, database) == []
    ours, theirs = (pg_dump(server, one).splitlines() for one in (second, database))
    assert list(difflib.unified_diff(theirs, ours, lineterm="", n=0)) == []
    assert dump_schema(second).text == made.text
    with database.connect() as connection:
        assert parse_snapshot(made.text) == read_catalog(connection)


def test_our_dump_of_what_grew_later_loads(server: RunningServer, database: Database, second: Database) -> None:
    make_everything(server, database, with_later=True)
    made = dump_schema(database)
    assert made.left_out == ()
    psql(server, second, made.text)
    assert shown(second, database) == []


@pytest.mark.one_server
def test_what_is_the_same_on_another_major_version_is_no_drift(server: RunningServer, database: Database) -> None:
    other = start_server(min(BIN) if server.version != min(BIN) else max(BIN))
    older = min(server, other, key=lambda s: int(s.version))
    try:
        for one, where in ((server, database), (other, other.database)):
            for file in sorted(EVERYTHING.glob("1*.sql")):
                if int(file.stem) <= int(older.version):
                    psql(one, where, file.read_text(encoding="utf-8"))
        catalogs = []
        for where in (database, other.database):
            with where.connect() as connection:
                catalogs.append(read_catalog(connection))
    finally:
        stop_server(other)
    for have, want in (catalogs, catalogs[::-1]):
        found = compare_catalogs(have, want)
        assert [f"{d.kind} {d.object} {d.attribute}: {d.have} | {d.want}" for d in found if not d.cosmetic] == []
        assert {(d.kind, d.attribute) for d in found} <= {("extension", "version"), ("sequence", "persistence")}
