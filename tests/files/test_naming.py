"""A new file comes after all that are there, whatever they are called, and two branches have an order."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile, Refused, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import load_rollback, load_script, read_migrations
from wflo_schema.files.naming import merge_migration, move_last, new_migration, new_repeatable

NOON = datetime.datetime(2026, 11, 27, 12, 30, 45, tzinfo=datetime.UTC)


def write(folder: Path, name: str, text: str = "SELECT 1;\n") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_new_names_by_date_and_time_and_depends_on_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first, back = new_migration(folder, "Create the Tables!", now=NOON)
    assert first.name.startswith("20261127_123045_") and first.name.endswith("-create-the-tables.sql")
    assert back.name == first.name.replace(".sql", ".rollback.sql")
    second, _ = new_migration(folder, "größer", now=NOON + datetime.timedelta(seconds=1))
    assert second.name.startswith("20261127_123046_") and second.name.endswith("-groer.sql")
    assert "depends" not in second.read_text()
    assert [m.id for m in read_migrations(folder)] == [first.stem, second.stem]
    script = load_rollback(read_migrations(folder).items[0])
    assert script is not None and not script.nothing_to_undo and not script.statements


def test_the_time_is_that_of_utc_wherever_the_file_is_written(tmp_path: Path) -> None:
    tokyo = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert new_migration(tmp_path, "x", now=tokyo)[0].name.startswith("20261127_123045_")


@pytest.mark.parametrize(
    "existing",
    [
        "20261127_01_abcde-x",
        "20261127_12_abcde-x",
        "20261127_18_abcde-x",
        "20261127_99_abcde-x",
        "20261127_235959_abcde-x",
        "20261127_999999_abcde-x",
        "20270101_07_abcde-x",
        "20261127-x",
        "20261127",
        "99999999_99_zzzzz-x",
        "0007_users",
        "1699999999_users",
        "17999999999999_users",
        "9",
        "V12_users",
        "v12",
        "create_users",
        "zebra",
        "ü-umlaut",
    ],
)
def test_new_sorts_after_whatever_is_there_again_and_again(tmp_path: Path, existing: str) -> None:
    write(tmp_path, f"{existing}.sql")
    made = [new_migration(tmp_path, f"step {n}", now=NOON)[0].stem for n in range(4)]
    assert [m.id for m in read_migrations(tmp_path)] == [existing, *made]


def test_two_branches_have_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    late, _ = new_migration(one, "aaa", now=NOON + datetime.timedelta(hours=2))
    early, _ = new_migration(other, "zzz", now=NOON)
    early.rename(one / early.name)
    assert [m.id for m in read_migrations(one)] == [early.stem, late.stem]


def test_new_depends_on_what_is_asked(tmp_path: Path) -> None:
    write(tmp_path, "1_a.sql")
    write(tmp_path, "2_b.sql")
    path, _ = new_migration(tmp_path, "x", depends=["1"], now=NOON)
    assert read_migrations(tmp_path).get(path.stem).depends == ("1_a",)  # type: ignore[union-attr]
    with pytest.raises(BadMigrationFile, match="no migration 7"):
        new_migration(tmp_path, "x", depends=["7"])


def test_new_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WfloSchemaError):
        new_migration(tmp_path, "!!!")


def test_a_merge_joins_all_heads_and_can_be_run_and_rolled_back(tmp_path: Path) -> None:
    write(tmp_path, "1_a.sql")
    write(tmp_path, "2_b.sql", "-- depends: 1_a\nSELECT 1;\n")
    write(tmp_path, "3_c.sql", "-- depends: 1_a\nSELECT 1;\n")
    path, _ = merge_migration(tmp_path, now=NOON)
    found = read_migrations(tmp_path)
    assert (found.heads(), found.items[-1].id, found.items[-1].depends) == ((), path.stem, ("2_b", "3_c"))
    assert load_script(found.items[-1]).statements
    back = load_rollback(found.items[-1])
    assert back is not None and back.nothing_to_undo
    with pytest.raises(Refused, match="nothing to merge"):
        merge_migration(tmp_path)


def test_a_merge_of_files_that_name_nothing_is_asked_for_by_id(tmp_path: Path) -> None:
    write(tmp_path, "1_a.sql")
    write(tmp_path, "2_b.sql")
    merge_migration(tmp_path, "both", depends=["1", "2"], now=NOON)
    files = read_migrations(tmp_path)
    assert files.are_joined("1_a", "2_b") and files.are_joined("2_b", "1_a")


def test_a_merge_says_nothing_of_two_on_one_branch(tmp_path: Path) -> None:
    write(tmp_path, "1_a.sql")
    write(tmp_path, "2_b.sql", "-- depends: 1_a\nSELECT 1;\n")
    write(tmp_path, "3_c.sql", "-- depends: 2_b\nSELECT 1;\n")
    write(tmp_path, "4_d.sql", "-- depends: 1_a\nSELECT 1;\n")
    merge_migration(tmp_path, now=NOON)
    files = read_migrations(tmp_path)
    assert files.are_joined("2_b", "4_d") and files.are_joined("3_c", "4_d")
    assert not files.are_joined("2_b", "3_c") and not files.are_joined("1_a", "4_d")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("20261101_01_abcde-add-a-column", "add-a-column"),
        ("20261101_101010_abcde-add-a-column", "add-a-column"),
        ("0007_users", "users"),
        ("V7_users", "users"),
        ("users", "users"),
        ("0007", "moved"),
    ],
)
def test_what_is_moved_comes_last_with_its_rollback_and_keeps_its_words(tmp_path: Path, name: str, slug: str) -> None:
    write(tmp_path, f"{name}.sql", "SELECT 'ours';\n")
    write(tmp_path, f"{name}.rollback.sql", "SELECT 'back';\n")
    write(tmp_path, "20261102_01_abcde-theirs.sql")
    moved = move_last(read_migrations(tmp_path), name, now=NOON)
    found = read_migrations(tmp_path)
    assert [m.id for m in found] == ["20261102_01_abcde-theirs", moved.new_id]
    assert moved.new_id.endswith(slug) and found.stray_rollbacks == ()
    assert [p.read_text() for p in moved.paths] == ["SELECT 'ours';\n", "SELECT 'back';\n"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_that_name_what_is_moved_follow_it(tmp_path: Path, newline: str) -> None:
    write(tmp_path, "1_a.sql")
    path = tmp_path / "3_c.sql"
    path.write_bytes(newline.join(["-- why 1_a", "-- depends: 1_a 2_b", "SELECT '1_a';", ""]).encode())
    write(tmp_path, "2_b.sql")
    write(tmp_path, "1_ab.sql")
    moved = move_last(read_migrations(tmp_path), "1_a", now=NOON)
    assert moved.edited == (path,)
    lines = ["-- why 1_a", f"-- depends: {moved.new_id} 2_b", "SELECT '1_a';", ""]
    assert path.read_bytes() == newline.join(lines).encode()
    assert [m.id for m in read_migrations(tmp_path)] == ["1_ab", "2_b", moved.new_id, "3_c"]


@pytest.mark.parametrize(
    ("name", "text"), [("adopt.toml", '[dbmate]\n"1" = "1_a"\n'), ("import.toml", '[ids]\n"a.sql#1" = "1_a"\n')]
)
def test_what_another_file_names_keeps_its_name(tmp_path: Path, name: str, text: str) -> None:
    for one in ("1_a", "2_b"):
        write(tmp_path, f"{one}.sql")
    write(tmp_path, name, text)
    with pytest.raises(Refused, match=f"1_a keeps its name: .*{name} names it") as caught:
        move_last(read_migrations(tmp_path), "1_a", now=NOON)
    assert caught.value.hint == "apply it where it is: wflo-schema migrate --to 1_a --allow late"
    assert move_last(read_migrations(tmp_path), "2_b", now=NOON).id == "2_b"


def test_new_repeatable_is_named_after_what_it_makes_and_written_once(tmp_path: Path) -> None:
    (path,) = new_repeatable(tmp_path / "m", "Active users")
    assert path == tmp_path / "m" / "repeatable" / "active_users.sql"
    assert path.read_text().startswith("-- Active users\n")
    with pytest.raises(Refused, match="is there already"):
        new_repeatable(tmp_path / "m", "active  users")
    with pytest.raises(BadMigrationFile, match="is named after what it makes"):
        new_repeatable(tmp_path / "m", "…")
    assert [m.id for m in read_migrations(tmp_path / "m").repeatables] == ["repeatable/active_users"]


def test_new_says_the_phase_only_where_that_is_after_the_deploy(tmp_path: Path) -> None:
    later, _ = new_migration(tmp_path, "drop it", phase=Phase.AFTER_DEPLOY)
    before, _ = new_migration(tmp_path, "add it", phase=Phase.BEFORE_DEPLOY)
    assert later.read_text().splitlines()[:2] == ["-- drop it", "-- phase: after-deploy"]
    assert "phase" not in before.read_text()
    assert {m.phase for m in read_migrations(tmp_path)} == set(Phase)
