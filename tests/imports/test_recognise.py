"""Which tool a folder is of, and what is said of one that holds the migrations further down."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.imports.laid import imported
from wflo_schema.errors import BadMigrationFile

UP = "SELECT 1;\n"
DBMATE = "-- migrate:up\nSELECT 1;\n-- migrate:down\n"


@pytest.mark.parametrize(
    ("files", "tool", "below"),
    [
        ({"db/migrations/1_a.sql": UP, "db/migrations/tern.conf": ""}, None, ["db/migrations"]),
        ({"db/migrations/1_a.sql": UP, "db/migrations/atlas.sum": "h1:=\n1_a.sql h1:=\n"}, None, ["db/migrations"]),
        ({"a/1_a.up.sql": UP, "b c/1_a.up.sql": UP}, None, ["a", "b c"]),
        ({f"m{n}/1_a.sql": DBMATE for n in range(5)}, None, ["m0", "m1", "m2"]),
        ({"migrations/1_a.sql": UP, "seeds/x.sql": UP}, "sqlx", ["migrations"]),
        ({"migrations/1_a.sql": UP, "Cargo.toml": '[dependencies]\nsqlx = "0.8"\n'}, None, ["migrations"]),
    ],
)
def test_the_folder_further_down_that_holds_the_migrations_is_proposed(
    tmp_path: Path, files: dict[str, str], tool: str | None, below: list[str]
) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        imported(tmp_path, {".git/HEAD": "", **files}, tool=tool)
    commands = [line for line in caught.value.hint.splitlines() if line.startswith("wflo-schema import ")]
    more = ["--from", tool] if tool else []
    wanted = [["wflo-schema", "import", str(tmp_path / "theirs" / name), *more] for name in below]
    assert [shlex.split(line) for line in commands] == wanted
    assert ("or one of 2 more folders" in caught.value.hint) == (len(files) == 5)
