"""Ledgers that are read together: what was read of one is used for others only where it surely is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.test_faults import do
from tests.fleet.test_looking import folder, migrated
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine.kept import Kept
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.reading import Reader

pytestmark = pytest.mark.one_server

__all__ = ["folder"]


def test_a_ledger_that_changed_while_it_was_read_speaks_for_no_other(database: Database, folder: Path) -> None:
    migrated(database, folder, 2)
    kept = Kept(database, stop=Stop(), settings={})
    try:
        before = dict(Reader(read_migrations(folder)).read(kept, ["tenant_00"]))["tenant_00"]
        assert before.known is not None
        do(database, "DELETE FROM tenant_00._yoyo_migration WHERE migration_id = 'b'")
        reader = Reader(read_migrations(folder))
        ledger = before.known.ledger
        assert reader._recorded(kept.pipeline, ledger, before.digest) == ()
        records = reader._recorded(kept.pipeline, replace(ledger, schema="tenant_01"), before.digest)
        assert [r.id for r in records] == ["a", "b"]
        found = dict(reader.read(kept, ["tenant_00", "tenant_01"]))
        assert [len(one.known.records) for one in found.values() if one.known is not None] == [1, 2]
    finally:
        kept.close()
