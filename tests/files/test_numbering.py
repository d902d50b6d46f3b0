"""Ids that a person reads in another way than a computer are refused, with the commands that put them right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_migrations


def lay_out(folder: Path, *names: str, **texts: str) -> Path:
    for name in names:
        (folder / f"{name}.sql").write_text(texts.get(name, "SELECT 1"))
    return folder


@pytest.mark.parametrize("is_in_git", [False, True])
@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["1", "2", "10"], ["01", "02", "10"]),
        (["1_a", "2_b", "10_c", "100_d"], ["001_a", "002_b", "010_c", "100_d"]),
        (["1-a", "1-a.rollback", "9-b", "10-c", "10-c.rollback"], ["01-a", "09-b", "10-c"]),
        (["v1.2_a", "v1.10_b"], ["v1.02_a", "v1.10_b"]),
        (["20240101_1_a", "20240101_2_b", "20240101_10_c"], ["20240101_01_a", "20240101_02_b", "20240101_10_c"]),
        (["1.0.9", "1.0.10"], ["1.0.09", "1.0.10"]),
        (["migration 9", "migration 10"], ["migration 09", "migration 10"]),
        (["099_a", "1000_b", "10000_c"], ["00099_a", "01000_b", "10000_c"]),
    ],
    ids=str,
)
def test_numbers_that_sort_as_texts_are_refused_with_the_renames(
    tmp_path: Path, names: list[str], ordered: list[str], is_in_git: bool
) -> None:
    lay_out(tmp_path, *names)
    if is_in_git:
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    with pytest.raises(BadMigrationFile) as caught:
        read_migrations(tmp_path)
    assert "would be applied before" in caught.value.message
    commands = [line for line in caught.value.hint.splitlines() if "mv " in line]
    assert all(c.startswith("git mv ") == is_in_git for c in commands)
    for command in commands:
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    found = read_migrations(tmp_path)
    assert [m.id for m in found] == ordered
    assert len(found.items) - len(found.without_rollback) == sum("rollback" in n for n in names)


def test_the_order_may_be_said_instead(tmp_path: Path) -> None:
    lay_out(tmp_path, "1_a", "2_b", "9_c", "10_d")
    with pytest.raises(BadMigrationFile) as caught:
        read_migrations(tmp_path)
    last = caught.value.hint.splitlines()[-1]
    assert last == "or keep the names, and say in 10_d.sql what comes before it: -- depends: 9_c"
    lay_out(tmp_path, "10_d", **{"10_d": "-- depends: 9_c\nSELECT 1"})
    assert [m.id for m in read_migrations(tmp_path)] == ["1_a", "2_b", "9_c", "10_d"]


@pytest.mark.parametrize(
    "names",
    [
        ["20230101_c", "20240101_a", "202401021200_b"],
        ["20251110_01_12345-x", "20251110_01_50016", "20251110_01_6d27a"],
        ["01_a", "02_b", "03_c"],
        ["1a", "10a", "2b"],
        ["20260102_011500_abcde-x", "20260102_02_fghij-y", "20260102_101500_abcde-z", "20260102_11_fghij-z"],
        ["20261127_1745_abcde-x", "20261127_18_abcde-y"],
        ["1551151778747_b", "1600000000_a"],
        ["a1", "b10", "c2"],
    ],
    ids=str,
)
def test_names_that_say_nothing_else_than_their_order_are_taken(tmp_path: Path, names: list[str]) -> None:
    assert len(read_migrations(lay_out(tmp_path, *names))) == len(names)


def test_numbers_whose_order_depends_says_are_taken(tmp_path: Path) -> None:
    lay_out(tmp_path, "1", "2", "3", **{"2": "-- depends: 3\nSELECT 1"})
    assert [m.id for m in read_migrations(tmp_path)] == ["1", "3", "2"]


@pytest.mark.parametrize(
    ("one", "other", "spellings"),
    [
        ("caf\u00e9", "cafe\u0301", [r"caf\xc3\xa9", r"cafe\xcc\x81"]),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m", [r"\xe2\x84\xab", r"\xc3\x85"]),
        ("\u00e9", "\u00e9\u200b", [r"\xc3\xa9\xe2\x80\x8b"]),
        ("cafe", "ca\u200bfe", [r"ca\xe2\x80\x8bfe"]),
    ],
)
def test_two_spellings_of_one_name_are_told_apart(tmp_path: Path, one: str, other: str, spellings: list[str]) -> None:
    with pytest.raises(BadMigrationFile, match="look alike") as caught:
        read_migrations(lay_out(tmp_path, one, other))
    assert all(s in caught.value.message for s in spellings)


VERSIONS = ("0.9/00_users.sql", "0.9/01_orders.sql", "0.10/00_views.sql")


@pytest.mark.parametrize(
    "paths",
    [
        VERSIONS,
        ("v1.0/1-users.sql", "v1.0/2-orders.sql", "v1.1/1-views.sql"),
        ("2023/01_users.sql", "2023/02_orders.sql", "2024/01_views.sql"),
        ("2023/11/01_users.sql", "2023/12/01_orders.sql", "2023/12/02_a.sql", "2024/01/01_a-view.sql"),
    ],
    ids=" ".join,
)
def test_numbers_that_begin_anew_in_each_numbered_folder_are_refused(tmp_path: Path, paths: tuple[str, ...]) -> None:
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("SELECT 1")
    with pytest.raises(BadMigrationFile, match="files of sub-folders are sorted by their own names"):
        read_migrations(tmp_path, recursive=True)


@pytest.mark.parametrize(
    "paths",
    [
        ("users/01_users.sql", "users/03_more.sql", "orders/02_orders.sql"),
        ("1_users/01_users.sql", "1_users/03_more.sql", "2_orders/02_orders.sql"),
        ("2023/0001_users.sql", "2023/0002_orders.sql", "2024/0003_views.sql"),
        ("2023/20231201_01_users.sql", "2024/20240102_01_views.sql", "2024/20240102_02_more.sql"),
        ("01_users.sql", "2024/01_views.sql", "2025/01_z.sql"),
    ],
    ids=" ".join,
)
def test_numbers_that_go_on_through_the_folders_are_an_order(tmp_path: Path, paths: tuple[str, ...]) -> None:
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("SELECT 1")
    found = read_migrations(tmp_path, recursive=True)
    assert [m.id for m in found] == sorted(Path(path).stem for path in paths)


def test_the_order_of_versions_may_be_said_instead(tmp_path: Path) -> None:
    for path in VERSIONS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("-- depends: 01_orders\nSELECT 1" if path.endswith("views.sql") else "SELECT 1")
    assert [m.id for m in read_migrations(tmp_path, recursive=True)] == ["00_users", "01_orders", "00_views"]
