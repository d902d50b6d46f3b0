"""Folders with a file for each direction: read in their tool's order, proven, and rolled back."""

from __future__ import annotations

from pathlib import Path

from tests.imports.laid import imported, ours, text_of
from wflo_schema.connect.database import Database

GOLANG = {
    "1_users.up.sql": "BEGIN;\nCREATE TABLE users (id bigint PRIMARY KEY, name text);\nCOMMIT;\n",
    "1_users.down.sql": "DROP TABLE users;\n",
    "2_index.up.sql": "CREATE INDEX CONCURRENTLY users_name ON users (name);\n",
    "2_index.down.sql": "DROP INDEX users_name;\n",
    "10_data.up.sql": "INSERT INTO users VALUES (1, 'a'); INSERT INTO users VALUES (2, 'b');\n",
    "10_data.down.sql": "\n",
}


def test_golang_migrate_is_proven_in_the_order_of_its_numbers(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, GOLANG, database)
    assert found.tool == "golang-migrate"
    assert [m.id for m in ours(tmp_path)] == ["0001_users", "0002_index", "0010_data"]
    assert found.proof is not None and found.proof.is_whole and found.proof.rolled_back == 3
    assert found.exit_code == 0
    assert text_of(tmp_path, "0001_users.sql").startswith("CREATE TABLE users")
    assert text_of(tmp_path, "0002_index.sql").startswith("-- transactional: false\n")
    assert text_of(tmp_path, "0010_data.rollback.sql").startswith("-- nothing-to-undo: ")
    assert '"10" = "0010_data"' in text_of(tmp_path, "adopt.toml")
