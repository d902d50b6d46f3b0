"""The schema of many targets, each as its own text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.test_looking import execute, folder, migrated
from wflo_schema.catalog.snapshot import dump_schema
from wflo_schema.connect.database import Database
from wflo_schema.errors import ConnectionFailed
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.dumping import dump_fleet
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

__all__ = ["folder"]


def test_each_text_is_that_of_the_target_alone(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 3)
    execute(database, "CREATE TABLE tenant_01.flyway_schema_history (installed_rank int, version text, success bool)")
    failed = Target("failed", database, failure=ConnectionFailed("it is away"))
    texts: dict[str, str] = {}
    found = dump_fleet((*targets, failed), lambda target, text: texts.update({target.name: text}))
    assert texts == {t.name: dump_schema(t.database).text for t in targets}
    assert list(found.written) == [t.name for t in targets] and list(found.failed) == ["failed"]


def test_the_ledger_of_each_comes_with_it(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 2)
    execute(database, "DELETE FROM tenant_01._yoyo_migration WHERE migration_id = 'b'")
    texts: dict[str, str] = {}
    dump_fleet(targets, lambda target, text: texts.update({target.name: text}), with_ledger=read_migrations(folder))
    assert [texts[t.name].count("pg_catalog.now() AT TIME ZONE") for t in targets] == [2, 1]
