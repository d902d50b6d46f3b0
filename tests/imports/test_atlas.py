"""Atlas's folders: directives, checkpoints, and the list of checksums beside them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.imports.laid import imported, ours, text_of
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile

ATLAS = {
    "20240101000000_users.sql": '-- Create "users" table\nCREATE TABLE users (id bigint PRIMARY KEY, name text);\n',
    "20240102000000_index.sql": "-- atlas:txmode none\n\n-- atlas:nolint PG101\n"
    "CREATE INDEX CONCURRENTLY n ON users (name);\nCREATE INDEX CONCURRENTLY m ON users (name, id);\n",
    "20240103000000_both.sql": "-- atlas:delimiter \\n\\n\\n\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS\n"
    "$$ SELECT 1;\n\n\nSELECT 2 $$\n\n\nINSERT INTO users VALUES (1, '-- atlas:txmode')\n",
    "20240104000000_checkpoint.sql": "-- atlas:checkpoint v1\n\nCREATE TABLE users (id bigint PRIMARY KEY);\n",
    "20240105000000.sql": "CREATE VIEW v AS SELECT id FROM users;\n",
}


def summed(files: Mapping[str, str]) -> dict[str, str]:
    """The files with their atlas.sum."""
    whole, lines = hashlib.sha256(), ["h1:="]
    for name, text in files.items():
        whole.update(name.encode() + text.encode())
        lines.append(f"{name} h1:{base64.b64encode(whole.digest()).decode()}")
    return {**files, "atlas.sum": "\n".join(lines) + "\n"}


@pytest.mark.spread_over_servers
def test_atlas_is_proven_and_its_checkpoint_stands_for_what_it_makes(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, summed(ATLAS), database)
    assert found.tool == "Atlas" and found.exit_code == 0, (found.proof, [f.notes for f in found.files])
    ids = [m.id for m in ours(tmp_path)]
    assert ids == ["20240101000000_users", "20240102000000_index", "20240103000000_both", "20240105000000"]
    index = text_of(tmp_path, f"{ids[1]}.sql")
    assert index.startswith("-- transactional: false\n") and "txmode" not in index and "atlas:nolint" in index
    assert "$$ SELECT 1;\n\n\nSELECT 2 $$;\n" in text_of(tmp_path, f"{ids[2]}.sql")
    assert f'"20240104000000" = "{ids[2]}"' in text_of(tmp_path, "adopt.toml")
    assert len(found.left_out) == 2 and any("is a checkpoint" in note for note in found.left_out)


def test_what_atlas_sum_does_not_agree_with_is_named(tmp_path: Path) -> None:
    files = {"1_a.sql": "SELECT 1;\n", "2_b.sql": "SELECT 2;\n"}
    edited = summed(files) | {"2_b.sql": "SELECT 3;\n"}
    found = imported(tmp_path, edited)
    assert any("2_b.sql: it, or one before it" in note for note in found.files[1].notes) and len(found.left_out) == 1
    more = summed(files) | {"3_c.sql": "SELECT 3;\n"}
    found = imported(tmp_path / "more", more)
    assert any("3_c.sql: is not in atlas.sum" in note for note in found.files[2].notes) and len(found.left_out) == 1
    less = {name: text for name, text in summed(files).items() if name != "2_b.sql"}
    with pytest.raises(BadMigrationFile, match=r"atlas.sum lists 2_b.sql, which is not there"):
        imported(tmp_path / "less", less)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- atlas:txmode all\n\nSELECT 1;\n", "says atlas:txmode all, which Atlas refuses"),
        ("-- atlas:txmode none\n-- atlas:txmode file\n\nSELECT 1;\n", "says atlas:txmode none and file"),
    ],
)
def test_a_transaction_mode_that_atlas_refuses_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadMigrationFile, match=said):
        imported(tmp_path, {"1_a.sql": text})


def test_a_directive_right_above_a_statement_is_none_of_the_file(tmp_path: Path) -> None:
    found = imported(tmp_path, {"1_a.sql": "-- atlas:txmode none\nSELECT 1;\nSELECT 2;\n"})
    assert found.files[0].is_transactional
