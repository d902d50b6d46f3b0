"""Citus: the ledger beside the tables of a tenant whose schema is distributed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.citus import Cluster
from tests.cli.test_commands import run, write

pytestmark = pytest.mark.citus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    return tmp_path


def test_first_migration_of_a_tenant_is_recorded_beside_its_tables(cluster: Cluster, folder: Path) -> None:
    tenant = cluster.tenant()
    write(folder, **{"1_a": "CREATE TABLE a (id int PRIMARY KEY);", "1_a_rollback": "DROP TABLE a;"})
    ran = run("migrate", "--database-url", tenant.url, "--schema", str(tenant.schema), cwd=folder)
    assert ran.code == 0, ran.err
