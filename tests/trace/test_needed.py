"""Schemas that no file can reach are not made again."""

from __future__ import annotations

from pathlib import Path

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
