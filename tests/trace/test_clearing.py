"""What one file leaves in the session of a rehearsal, the next one does not find."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations
from wflo_schema.trace.operations import trace

pytestmark = pytest.mark.spread_over_servers

LEFT = {
    "a setting": "SET work_mem = '7MB'",
    "a temporary table": "CREATE TEMP TABLE t (a int)",
    "a prepared statement": "PREPARE p AS SELECT 1",
    "a prepared statement that code makes": "DO $$ BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END $$",
    "a cursor": "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "a role": "SET ROLE pg_monitor",
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_file_leaves_in_the_session_is_gone_for_the_next(what: str, database: Database, tmp_path: Path) -> None:
    look = "INSERT INTO seen SELECT 1 / (current_setting('work_mem') <> '7MB' AND current_user = 'postgres')::int"
    with database.connect() as connection:
        connection.execute("CREATE TABLE seen (n int)")
    for number, text in enumerate((LEFT[what], LEFT[what], look)):
        (tmp_path / f"{number}_m.sql").write_text(f"{text};\n")
    found = trace(database, read_migrations(tmp_path))
    assert [(one.id, one.error) for one in found.statements if one.error] == []
    assert len(found.statements) == 3


def test_looks_that_are_kept_survive_a_file_that_takes_prepared_statements_away(
    database: Database, tmp_path: Path
) -> None:
    for number, text in enumerate(("CREATE TABLE t (a int)", "DEALLOCATE ALL", "CREATE INDEX i ON t (a)")):
        (tmp_path / f"{number}_m.sql").write_text(f"{text};\n")
    found = trace(database, read_migrations(tmp_path))
    assert [one.error for one in found.statements] == ["", "", ""]
    assert found.statements[-1].builds == ("public.i",)
