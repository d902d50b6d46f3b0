"""Schemas that no file can reach are not made again."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.trace.test_rehearsal import folder_of
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.files.folder import read_migrations
from wflo_schema.trace.operations import trace

pytestmark = pytest.mark.one_server


def test_schema_that_hangs_together_with_what_is_changed_is_there(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int PRIMARY KEY);")
    engine.migrate(database, read_migrations(folder))
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA apart; CREATE SCHEMA beside; CREATE SCHEMA behind; CREATE SCHEMA named")
        connection.execute("CREATE TABLE beside.b (id int REFERENCES a); CREATE TABLE named.n (id int)")
        connection.execute("CREATE VIEW behind.v AS SELECT id FROM beside.b")
        connection.execute(
            "DO $$ BEGIN FOR i IN 1..250 LOOP EXECUTE format('CREATE TABLE apart.t%s (id int)', i); END LOOP; END $$"
        )
    folder_of(tmp_path, f02_b="ALTER TABLE a ALTER id TYPE bigint; DROP VIEW behind.v; DROP TABLE named.n;")
    found = trace(database, read_migrations(folder))

    assert not found.failed
    assert "beside.b" in {lock.relation for lock in found.statements[0].locks}

    (folder / "02-b.sql").write_text("ALTER TABLE a ADD b int; ALTER TABLE apart.t7 ADD c int;")
    assert not trace(database, read_migrations(folder)).failed


def test_what_cannot_be_made_is_told_only_where_the_files_reach_it(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    engine.migrate(database, read_migrations(folder))
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA apart")
        for schema in ("public", "apart"):
            connection.execute(f"CREATE TABLE {schema}.p (id int); INSERT INTO {schema}.p VALUES (1), (1)".encode())
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(f"CREATE UNIQUE INDEX CONCURRENTLY twice ON {schema}.p (id)".encode())
    note = "not made in the scratch database: index {}.p.twice: valid"
    folder_of(tmp_path, f02_b="ALTER TABLE a ADD b int;")
    assert trace(database, read_migrations(folder)).notes == (note.format("public"),)

    (folder / "02-b.sql").write_text("ALTER TABLE a ADD b int; ALTER TABLE apart.p ADD c int;")
    assert trace(database, read_migrations(folder)).notes == (note.format("apart"), note.format("public"))
