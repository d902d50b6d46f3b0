"""adopt.toml goes on being understood when files of ours get other names."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_migrations
from wflo_schema.files.versions import read_names


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("-- was: 1_a", {"1": "3_c"}),
        ("-- replaces: 0_x 1_a", {"1": "3_c"}),
        ("-- replaces: 1_a 2_b", {}),  # nothing here leads to its state
    ],
)
def test_a_version_of_what_was_renamed_or_squashed_stands_for_what_it_is_now(
    tmp_path: Path, line: str, known: dict[str, str]
) -> None:
    (tmp_path / "3_c.sql").write_text(f"{line}\nSELECT 1;\n")
    (tmp_path / "adopt.toml").write_text('[dbmate]\n"1" = "1_a"\n"0" = ""\n')
    assert read_names(read_migrations(tmp_path)) == {"dbmate": {**known, "0": ""}}


def test_a_version_of_what_is_gone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "3_c.sql").write_text("SELECT 1;\n")
    (tmp_path / "adopt.toml").write_text('[dbmate]\n"1" = "1_a"\n')
    with pytest.raises(BadMigrationFile, match="1 stands for 1_a, but there is no such migration") as caught:
        read_names(read_migrations(tmp_path))
    assert caught.value.hint
