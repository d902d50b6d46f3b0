"""pgroll's raw SQL, and the operations of which nobody but pgroll makes SQL."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.imports.laid import imported, ours
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile

RAW = {
    "01_users.yaml": "operations:\n- sql:\n    up: CREATE TABLE users (id int) -- x\n    down: DROP TABLE users\n",
    "02_more.json": json.dumps({"operations": [{"sql": {"up": "CREATE TABLE m ();", "onComplete": True}}]}),
    "10_view.yml": "version_schema: v\noperations:\n- sql: {up: CREATE VIEW w AS SELECT 1 AS one, down: DROP VIEW w}\n",
}


@pytest.mark.spread_over_servers
def test_raw_sql_is_proven_and_adopted(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, {**RAW, ".ledger": "", "README": ""}, database)
    assert found.tool == "pgroll" and found.exit_code == 0, found
    assert [m.id for m in ours(tmp_path)] == ["0001_users", "0002_more", "0010_view"]
    assert found.proof is not None and found.proof.replayed == 3 and found.proof.with_rollback == 2
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA pgroll")
        connection.execute(
            "CREATE TABLE pgroll.migrations (schema name, name text, migration jsonb, created_at timestamp, "
            "updated_at timestamp, parent text, done boolean, resulting_schema jsonb)"
        )
        connection.execute("CREATE TABLE pgroll.pgroll_version (version text, initialized_at timestamptz)")
        connection.execute(
            "INSERT INTO pgroll.migrations VALUES ('public', '01_users', '{}', now(), now(), NULL, true, '{}'), "
            "('public', '02_more', '{}', now() + '1 s', now(), '01_users', true, '{}')"
        )
        connection.execute("CREATE TABLE users (id int)")
        connection.execute("CREATE TABLE m ()")
    taken = adopt_database(database, ours(tmp_path), apply=True)
    assert (taken.verdict, taken.id) == (Verdict.EQUAL, "0002_more")
    assert [(w.tool, w.stands_for) for w in taken.ledgers] == [("pgroll", "0002_more")]


def test_other_operations_wait_for_a_person(tmp_path: Path) -> None:
    mixed = {"operations": [{"add_column": {"table": "t"}}, {"sql": {"up": "SELECT 1", "onComplete": True}}]}
    found = imported(tmp_path, {**RAW, "03_mixed.json": json.dumps(mixed)})
    assert [f.is_open for f in found.files] == [False, False, True, False]
    assert "is made of add_column" in found.files[2].notes[0]


BAD = {
    "no JSON": ({**RAW, "04_x.json": "{"}, "04_x.json is no JSON"),
    "no YAML": ({**RAW, "04_x.yaml": "a: ["}, "04_x.yaml is no YAML"),
    "no operations": ({**RAW, "04_x.json": "[]"}, "04_x.json is no migration of pgroll"),
    "two of one name": ({**RAW, "02_more.yaml": RAW["10_view.yml"]}, "two migrations have one name"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(tmp_path: Path, case: str) -> None:
    files, what = BAD[case]
    with pytest.raises(BadMigrationFile, match=what):
        imported(tmp_path, files)


def test_yaml_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(BadMigrationFile, match="is YAML, and nothing here reads it") as refused:
        imported(tmp_path, RAW)
    assert refused.value.hint == "pip install pyyaml"
