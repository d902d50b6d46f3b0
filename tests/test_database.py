from __future__ import annotations

from wflo_schema.database import Database


def test_database_connects_to_what_was_parsed(database: Database) -> None:
    with database.connect() as connection:
        row = connection.execute("SELECT current_database()").fetchone()
    assert row == (database.name,)
