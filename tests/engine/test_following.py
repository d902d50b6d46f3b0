"""Records follow a file that was renamed, or into which others were squashed: in one transaction, and by proof."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from tests.cli.test_commands import run
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow, State
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers

TEXTS = {
    "1_a": "CREATE TABLE a (id integer PRIMARY KEY);\n",
    "2_b": "CREATE TABLE b (id integer PRIMARY KEY);\n",
    "3_c": "CREATE TABLE c (id integer PRIMARY KEY);\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "migrations"
    where.mkdir()
    for migration_id, text in TEXTS.items():
        (where / f"{migration_id}.sql").write_text(text)
        (where / f"{migration_id}.rollback.sql").write_text(f"DROP TABLE {migration_id[-1]};\n")
    return where


def apply(database: Database, folder: Path, to: str | None = None) -> tuple[str, ...]:
    return operations.migrate(database, read_migrations(folder), to=to).ids


def states(database: Database, folder: Path) -> dict[str, State]:
    return {e.id: e.state for e in operations.status(database, read_migrations(folder)).entries}


def rows(database: Database) -> list[tuple[str, bool]]:
    """Each row of the ledger, and whether it counts."""
    with database.connect() as connection:
        text = "SELECT migration_id, checksum IS DISTINCT FROM 'beside' FROM _yoyo_migration ORDER BY 1"
        return connection.execute(text).fetchall()


def rename(folder: Path, old: str, new: str, *lines: str) -> None:
    text = (folder / f"{old}.sql").read_text()
    (folder / f"{old}.sql").unlink()
    (folder / f"{new}.sql").write_text("".join(f"{line}\n" for line in lines) + text)
    (folder / f"{old}.rollback.sql").rename(folder / f"{new}.rollback.sql")


def squash(folder: Path, new: str = "2_ab", *olds: str) -> None:
    olds = olds or ("1_a", "2_b")
    text = "".join((folder / f"{old}.sql").read_text() for old in olds)
    back = "".join((folder / f"{old}.rollback.sql").read_text() for old in reversed(olds))
    for old in olds:
        (folder / f"{old}.sql").unlink()
        (folder / f"{old}.rollback.sql").unlink()
    (folder / f"{new}.sql").write_text(f"-- replaces: {' '.join(olds)}\n{text}")
    (folder / f"{new}.rollback.sql").write_text(back)


# renamed


def test_a_rename_without_a_word_is_refused_with_the_line_to_write(database: Database, folder: Path) -> None:
    apply(database, folder)
    rename(folder, "2_b", "2_better")
    with pytest.raises(Refused) as caught:
        apply(database, folder)
    assert caught.value.case == "missing"
    assert "begin 2_better.sql with the line -- was: 2_b" in caught.value.hint
    planned = operations.plan(database, read_migrations(folder))
    assert "-- was: 2_b" in planned.refusals[0][2]
    assert [case for case, _, _ in planned.refusals] == ["missing"]  # "move it" would run it once more
    with pytest.raises(Refused) as caught:
        operations.migrate(database, read_migrations(folder), allow=frozenset({Allow.MISSING}))
    assert caught.value.case == "late"
    found = check_database(database, None, migrations=read_migrations(folder), only=("ledger",)).findings
    helps = {f.code: f.help for f in found}
    assert helps["ledger-missing"] == planned.refusals[0][2]
    assert helps["ledger-pending"].startswith("wflo-schema plan ")


@pytest.mark.one_server
def test_a_last_one_that_was_renamed_is_told_the_same(database: Database, folder: Path) -> None:
    apply(database, folder)
    rename(folder, "3_c", "2_c")
    with pytest.raises(Refused) as caught:
        apply(database, folder)
    assert caught.value.case == "ahead" and "begin 2_c.sql with the line -- was: 3_c" in caught.value.hint


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        ("2_better", ("-- was: 2_b",)),
        ("0_first", ("-- was: 2_b",)),
        ("4_last", ("-- why", "--was:2_b")),
        ("2_better", ("-- was: 2_before", "-- was: 2_b")),
    ],
)
def test_a_renamed_file_is_followed_and_never_run_again(
    database: Database, folder: Path, new: str, lines: tuple[str, ...]
) -> None:
    if lines[0] == "-- why":
        (folder / "2_b.sql").write_text("-- why\n" + (folder / "2_b.sql").read_text())
    apply(database, folder)
    before = {e.id: e.applied_at for e in operations.status(database, read_migrations(folder)).entries}
    text = (folder / "2_b.sql").read_text().removeprefix("-- why\n")
    (folder / "2_b.sql").write_text(text)
    rename(folder, "2_b", new, *lines)
    assert states(database, folder) == dict.fromkeys(sorted(["1_a", new, "3_c"]), State.APPLIED)
    assert run("check", "--only", "ledger", cwd=folder.parent, env={"DATABASE_URL": database.url}).code == 0
    assert ("2_b", True) in rows(database)  # reading has changed nothing
    assert apply(database, folder) == ()
    assert ("2_b", False) in rows(database) and (new, True) in rows(database)
    after = {e.id: e for e in operations.status(database, read_migrations(folder)).entries}
    assert (after[new].applied_at, after[new].has_checksum, after[new].recorded_as) == (before["2_b"], True, ())
    assert apply(database, folder) == ()


@pytest.mark.parametrize("old", ["2_b", "3_c"])
def test_a_renamed_file_of_another_text_is_said_to_differ_from_what_was_applied(
    database: Database, folder: Path, old: str
) -> None:
    apply(database, folder)
    rename(folder, old, f"{old}etter", f"-- was: {old}", "-- edited")
    before = rows(database)
    for change in (apply, lambda d, f: operations.rollback(d, read_migrations(f), only=f"{old}etter")):
        with pytest.raises(Refused) as caught:
            change(database, folder)
        assert caught.value.case == "changed"
        assert f"{old}etter was {old}, and its text is not the one that was applied (20" in caught.value.message
        assert "git log --follow -p" in caught.value.hint and "new migration" in caught.value.hint
    assert states(database, folder) == dict.fromkeys(states(database, folder), State.APPLIED) | {
        f"{old}etter": State.CHANGED
    }
    found = check_database(database, None, migrations=read_migrations(folder), only=("ledger",)).findings
    assert [(f.code, f.object) for f in found] == [("ledger-changed", f"{old}etter")]
    assert "was applied" in found[0].message and "-- was:" in found[0].help
    assert rows(database) == before


def test_a_renamed_file_of_another_text_is_never_run_again(database: Database, folder: Path) -> None:
    apply(database, folder)
    rename(folder, "2_b", "2_better", "-- was: 2_b", "DROP TABLE b;")
    (folder / "4_d.sql").write_text("CREATE TABLE d ();\n")
    migrations = read_migrations(folder)
    assert operations.migrate(database, migrations, allow=[Allow.CHANGED]).ids == ("4_d",)
    assert ("2_b", True) in rows(database)
    (folder / "2_better.sql").write_text("-- was: 2_b\n" + TEXTS["2_b"])  # as the refusal says
    assert apply(database, folder) == ()
    assert ("2_better", True) in rows(database)


@pytest.mark.one_server
def test_a_file_can_be_renamed_again_and_back(database: Database, folder: Path) -> None:
    apply(database, folder)
    rename(folder, "2_b", "2_x", "-- was: 2_b")
    assert apply(database, folder) == ()
    rename(folder, "2_x", "2_y", "-- was: 2_x")
    assert apply(database, folder) == ()
    assert states(database, folder) == dict.fromkeys(["1_a", "2_y", "3_c"], State.APPLIED)
    (folder / "2_b.sql").write_text("-- was: 2_y\n" + (folder / "2_y.sql").read_text())
    (folder / "2_y.sql").unlink()
    (folder / "2_y.rollback.sql").rename(folder / "2_b.rollback.sql")
    (folder / "2_b.sql").write_text((folder / "2_b.sql").read_text().replace("-- was: 2_b\n", ""))
    assert states(database, folder)["2_b"] is State.APPLIED


@pytest.mark.one_server
def test_dependencies_find_a_file_by_its_old_name(database: Database, folder: Path) -> None:
    (folder / "3_c.sql").write_text("-- depends: 2_b\n" + TEXTS["3_c"])
    apply(database, folder)
    rename(folder, "2_b", "9_better", "-- was: 2_b")
    assert [m.id for m in read_migrations(folder)] == ["1_a", "9_better", "3_c"]
    assert apply(database, folder) == ()


@pytest.mark.one_server
def test_a_record_of_yoyos_follows_too_and_stays_without_checksum(database: Database, folder: Path) -> None:
    apply(database, folder)
    with database.connect() as connection:
        connection.execute("UPDATE _yoyo_migration SET checksum = NULL")
    rename(folder, "2_b", "2_better", "-- was: 2_b")
    assert apply(database, folder) == ()
    found = {e.id: e.has_checksum for e in operations.status(database, read_migrations(folder)).entries}
    assert found == {"1_a": False, "2_better": False, "3_c": False}


@pytest.mark.parametrize("is_followed", [False, True])
def test_what_was_renamed_is_rolled_back_and_applied_again(database: Database, folder: Path, is_followed: bool) -> None:
    apply(database, folder)
    rename(folder, "3_c", "3_better", "-- was: 3_c")
    if is_followed:
        apply(database, folder)
    assert operations.rollback(database, read_migrations(folder)).ids == ("3_better",)
    assert states(database, folder)["3_better"] is State.PENDING
    assert apply(database, folder) == ("3_better",)


# squashed


def test_a_database_with_all_of_them_takes_the_new_one_as_applied(database: Database, folder: Path) -> None:
    apply(database, folder)
    squash(folder)
    assert states(database, folder) == {"2_ab": State.APPLIED, "3_c": State.APPLIED}
    assert run("check", "--only", "ledger", cwd=folder.parent, env={"DATABASE_URL": database.url}).code == 0
    plan = run("plan", cwd=folder.parent, env={"DATABASE_URL": database.url})
    assert plan.code == 0 and "would record 2_ab in place of 1_a, 2_b" in plan.out
    ran = run("migrate", cwd=folder.parent, env={"DATABASE_URL": database.url})
    assert ran.code == 0 and "2_ab, in place of 1_a, 2_b" in ran.err + ran.out
    assert rows(database) == [("1_a", False), ("2_ab", True), ("2_b", False), ("3_c", True)]
    assert run("migrate", cwd=folder.parent, env={"DATABASE_URL": database.url}).code == 0
    assert operations.rollback(database, read_migrations(folder), count=2).ids == ("3_c", "2_ab")
    assert apply(database, folder) == ("2_ab", "3_c")


def test_a_new_database_runs_only_the_new_file(database: Database, folder: Path) -> None:
    squash(folder)
    assert apply(database, folder) == ("2_ab", "3_c")
    assert rows(database) == [("2_ab", True), ("3_c", True)]


@pytest.mark.parametrize("allow", [(), tuple(a for a in Allow)])
def test_a_database_half_way_is_told_where_to_go_on(database: Database, folder: Path, allow: tuple[Allow, ...]) -> None:
    apply(database, folder, to="1_a")
    old = {p.name: p.read_text() for p in folder.iterdir()}
    squash(folder)
    with pytest.raises(Refused) as caught:
        operations.migrate(database, read_migrations(folder), allow=allow)
    assert "2_ab replaces 2 migrations, and this database has only 1_a, not 2_b" in caught.value.message
    assert (
        "the last commit before the squash" in caught.value.hint and "--allow" not in caught.value.hint.splitlines()[0]
    )
    new = {p.name: p.read_text() for p in folder.iterdir()}
    for files, gone in ((old, new), (new, old)):
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        apply(database, folder)
    assert states(database, folder) == {"2_ab": State.APPLIED, "3_c": State.APPLIED}


@pytest.mark.one_server
def test_a_squash_of_a_squash_is_followed(database: Database, folder: Path) -> None:
    apply(database, folder)
    squash(folder)
    apply(database, folder)
    squash(folder, "3_abc", "2_ab", "3_c")
    text = (folder / "3_abc.sql").read_text().replace("-- replaces: 1_a 2_b\n", "")
    (folder / "3_abc.sql").write_text(text.replace("-- replaces: ", "-- replaces: 1_a 2_b "))
    assert apply(database, folder) == ()
    assert states(database, folder) == {"3_abc": State.APPLIED}


@pytest.mark.one_server
def test_files_that_are_still_there_beside_their_squash_stop_everything(database: Database, folder: Path) -> None:
    (folder / "2_ab.sql").write_text("-- replaces: 1_a 2_b\nSELECT 1;\n")
    with pytest.raises(BadMigrationFile) as caught:
        read_migrations(folder)
    assert "2_ab.sql replaces 1_a, 2_b" in caught.value.message
    assert all(f"{i}{end}" in caught.value.hint for i in ("1_a", "2_b") for end in (".sql", ".rollback.sql"))
    (folder / "2_ab.sql").unlink()
    (folder / "2_x.sql").write_text("-- was: 2_b\nSELECT 1;\n")
    with pytest.raises(BadMigrationFile, match="was 2_b"):
        read_migrations(folder)
    for name in ("2_b", "3_c"):
        (folder / f"{name}.sql").unlink()
    (folder / "3_x.sql").write_text("-- was: 2_b\nSELECT 1;\n")
    with pytest.raises(BadMigrationFile, match="both stand for 2_b"):
        read_migrations(folder)


# races and kills


@pytest.mark.one_server
def test_runners_at_once_follow_once_and_go_on(database: Database, folder: Path) -> None:
    apply(database, folder, to="2_b")
    squash(folder)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: apply(database, folder), range(8)))
    assert sorted(i for ids in done for i in ids) == ["3_c"]
    assert rows(database) == [("1_a", False), ("2_ab", True), ("2_b", False), ("3_c", True)]
    with database.connect() as connection:
        text = "SELECT count(*) FROM _yoyo_log WHERE operation = 'follow'"
        assert connection.execute(text).fetchone() == (1,)


@pytest.mark.one_server
def test_a_runner_killed_while_it_follows_leaves_all_or_nothing(database: Database, folder: Path) -> None:
    apply(database, folder, to="2_b")
    squash(folder)
    chance = random.Random(7)
    for _ in range(6):
        with database.connect(autocommit=False) as holder:  # the runner waits for this row, in its transaction
            is_waiting = holder.execute("SELECT FROM _yoyo_migration WHERE migration_id = '2_b' FOR UPDATE").rowcount
            assert is_waiting == 1
            process = subprocess.Popen(
                [sys.executable, "-m", "wflo_schema", "migrate", "--migrations", str(folder)],
                env={**os.environ, "DATABASE_URL": database.url},
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0.3, 1.2))
            process.send_signal(signal.SIGKILL)
            process.wait()
            holder.rollback()
        found = rows(database)
        whole = [("1_a", False), ("2_ab", True), ("2_b", False)]
        assert found in ([("1_a", True), ("2_b", True)], whole, [*whole, ("3_c", True)])
    assert apply(database, folder) in ((), ("3_c",))
    assert rows(database) == [("1_a", False), ("2_ab", True), ("2_b", False), ("3_c", True)]


@pytest.mark.one_server
def test_an_older_checkout_runs_nothing_again(database: Database, folder: Path) -> None:
    apply(database, folder)
    old = {p.name: p.read_text() for p in folder.iterdir()}
    squash(folder)
    apply(database, folder)
    for path in folder.iterdir():
        path.unlink()
    for name, text in old.items():
        (folder / name).write_text(text)
    with pytest.raises(Refused) as caught:
        apply(database, folder)
    assert caught.value.case == "missing"
    found = operations.migrate(database, read_migrations(folder), allow=(Allow.MISSING,))
    assert found.ids == ()


def test_two_files_that_exchanged_their_names_are_not_advised_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("-- was: 2_b\nCREATE TABLE b ()")
    (tmp_path / "2_b.sql").write_text("-- was: 1_a\nCREATE TABLE a ()")
    with pytest.raises(BadMigrationFile, match="still there") as refused:
        read_migrations(tmp_path)
    assert ": rm " not in refused.value.hint and "no migration had" in refused.value.hint
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a ()")
    with pytest.raises(BadMigrationFile, match="still there") as refused:
        read_migrations(tmp_path)
    assert f"remove the old files: rm {tmp_path / '1_a.sql'}" in refused.value.hint


# an accent that is spelt in two ways


@pytest.mark.one_server
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_record_of_the_same_name_in_another_spelling_is_named_and_nothing_runs_again(
    database: Database, tmp_path: Path, form: Literal["NFC", "NFD"]
) -> None:
    name = unicodedata.normalize("NFC", "2_café")
    other = unicodedata.normalize("NFD", "2_café")
    recorded, on_disk = (name, other) if form == "NFC" else (other, name)
    for one in ("1_a", recorded, "3_c"):
        (tmp_path / f"{one}.sql").write_text("SELECT 1;\n")
        (tmp_path / f"{one}.rollback.sql").write_text("SELECT 1;\n")
    apply(database, tmp_path)
    (tmp_path / f"{recorded}.sql").rename(tmp_path / f"{on_disk}.sql")
    (tmp_path / f"{recorded}.rollback.sql").rename(tmp_path / f"{on_disk}.rollback.sql")
    before = rows(database)
    with pytest.raises(Refused) as caught:
        apply(database, tmp_path)
    assert "is recorded in another spelling" in caught.value.message and "rename the file" in caught.value.hint
    assert "-- was:" not in caught.value.hint and "move" not in caught.value.hint and "git log" not in caught.value.hint
    with pytest.raises(Refused, match="another spelling"):
        operations.rollback(database, read_migrations(tmp_path), only=on_disk)
    found = check_database(database, None, migrations=read_migrations(tmp_path), only=("ledger",)).findings
    assert "rename the file" in {f.code: f.help for f in found}["ledger-missing"]
    with pytest.raises(Refused, match="another spelling"):
        operations.rollback(database, read_migrations(tmp_path), count=2)
    assert rows(database) == before
    (tmp_path / f"{on_disk}.sql").rename(tmp_path / f"{recorded}.sql")  # as the refusal says
    (tmp_path / f"{on_disk}.rollback.sql").rename(tmp_path / f"{recorded}.rollback.sql")
    assert apply(database, tmp_path) == ()
    assert operations.rollback(database, read_migrations(tmp_path), count=2).ids == ("3_c", recorded)
