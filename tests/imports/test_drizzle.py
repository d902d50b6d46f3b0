"""Drizzle's folders: in the order of the journal, cut at its marks, known by their checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.imports.laid import imported, ours, text_of
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile


def journal(*tags: str, dialect: str = "postgresql", times: tuple[int, ...] = ()) -> str:
    entries = [
        {"idx": n, "when": times[n] if times else n, "tag": tag, "breakpoints": True} for n, tag in enumerate(tags)
    ]
    return json.dumps({"version": "7", "dialect": dialect, "entries": entries})


DRIZZLE = {
    "0000_users.sql": 'CREATE TABLE "users" ("id" serial PRIMARY KEY);\n--> statement-breakpoint\n'
    "INSERT INTO users DEFAULT VALUES -- one\n--> statement-breakpoint\nINSERT INTO users DEFAULT VALUES",
    "0001_b.sql": "ALTER TABLE users ADD name text;\r\n",
    "0001_a.sql": "UPDATE users SET name = 'x';--> statement-breakpoint\nCREATE VIEW v AS SELECT name FROM users;",
    "0002_by_hand.sql": "SELECT 1 / 0;\n",
    "meta/_journal.json": journal("0000_users", "0001_b", "0001_a"),
    "meta/0000_snapshot.json": "{}",
}


@pytest.mark.spread_over_servers
def test_drizzle_is_proven_in_the_order_of_its_journal(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, DRIZZLE, database)
    assert found.tool == "Drizzle" and found.exit_code == 0, (found.proof, [f.notes for f in found.files])
    assert [f.path.rpartition("/")[2] for f in found.files] == ["0000_users.sql", "0001_b.sql", "0001_a.sql"]
    ids = [m.id for m in ours(tmp_path)]
    names = text_of(tmp_path, "adopt.toml")
    for text, i in ((DRIZZLE["0000_users.sql"], ids[0]), (DRIZZLE["0001_b.sql"], ids[1])):
        assert f'"{hashlib.sha256(text.encode()).hexdigest()}" = "{i}"' in names
    without = DRIZZLE["0001_b.sql"].replace("\r", "")
    assert f'"{hashlib.sha256(without.encode()).hexdigest()}" = "{ids[1]}"' in names
    assert "breakpoint" not in text_of(tmp_path, f"{ids[0]}.sql")
    assert any("0002_by_hand.sql: not in meta/_journal.json" in note for note in found.left_out)


def test_what_drizzles_ledger_cannot_tell_is_said(tmp_path: Path) -> None:
    files = {
        "0000_a.sql": "SELECT 1;\n",
        "0001_b.sql": "SELECT 1;\n",
        "meta/_journal.json": journal("0000_a", "0001_b", times=(2, 1)),
    }
    (note, other) = imported(tmp_path, files).files[1].notes
    assert "lies before that of 0000_a" in note and "has the same text as" in other


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("names 0001_gone, and there is no", journal("0000_a", "0001_gone")),
        ("names 0000_a twice", journal("0000_a", "0000_a")),
        ("is for mysql, not for PostgreSQL", journal("0000_a", dialect="mysql")),
        ("cannot read", '{"entries": [{}]}'),
        ("cannot read", "{"),
    ],
)
def test_a_journal_that_does_not_fit_is_refused(tmp_path: Path, said: str, text: str) -> None:
    with pytest.raises(BadMigrationFile, match=said):
        imported(tmp_path, {"0000_a.sql": "SELECT 1;\n", "meta/_journal.json": text})


def test_folders_without_a_journal_are_read_where_that_is_asked_for(tmp_path: Path) -> None:
    files = {
        "20240101000000_a/migration.sql": "CREATE TABLE a (id int);\n--> statement-breakpoint\nSELECT 1;\n",
        "20240101000000_a/snapshot.json": "{}",
        "20240102000000_b/migration.sql": "CREATE TABLE b (id int);\n",
        "20240102000000_b/snapshot.json": "{}",
    }
    assert [f.id for f in imported(tmp_path, files, tool="drizzle").files] == ["20240101000000_a", "20240102000000_b"]
