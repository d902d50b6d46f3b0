from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.dev.shop import BASE, ITEMS, Shop


@pytest.fixture
def shop(server: RunningServer, tmp_path: Path) -> Iterator[Shop]:
    """A project of this test's own: one committed migration, on branch main, and no development database yet."""
    folder = tmp_path / f"shop {tmp_path.name} {server.version}"
    (folder / "migrations").mkdir(parents=True)
    made = Shop(folder, server.database)
    made.git("init", "--quiet", "--initial-branch=main")
    made.write(BASE, ITEMS, "DROP TABLE items;\n")
    made.commit("first")
    yield made
    made.drop_all()
