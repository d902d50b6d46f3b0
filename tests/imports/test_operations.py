"""One command for another tool's folder: what it refuses, what it says, and how it follows a folder that grows."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, Refused, UsageError, WfloSchemaError
from wflo_schema.files.directives import UNWRITTEN
from wflo_schema.files.folder import read_migrations
from wflo_schema.imports.operations import Import, import_folder
from wflo_schema.imports.proof import Proof
from wflo_schema.imports.source import Wishes
from wflo_schema.show.text import import_text

pytestmark = pytest.mark.spread_over_servers

FILES: dict[str, str | bytes] = {
    "1_a.up.sql": "CREATE TABLE a (id int);",
    "1_a.down.sql": "DROP TABLE a;",
    "2_b.up.sql": "CREATE TABLE b (id int);",
    "2_b.down.sql": "DROP TABLE b;",
}


def follow(root: Path, database: Database | None = None, *, write: bool = True) -> Import:
    return import_folder(None, root / "ours", server=database, follow=True, write=write)


def names(root: Path) -> list[str]:
    return sorted(p.name for p in (root / "ours").iterdir())


def command(root: Path, *more: str) -> list[str]:
    program = [sys.executable, "-m", "wflo_schema", "import", *more]
    return [*program, "--into", str(root / "ours"), "--server-directory", str(root / "none")]


ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DATABASE", "WFLO"))}


# --- following --------------------------------------------------------------------------------


def test_what_is_new_is_added_and_the_rest_stays(tmp_path: Path, database: Database) -> None:
    imported(tmp_path, FILES, database)
    before = {name: text_of(tmp_path, name) for name in names(tmp_path) if name.endswith(".sql")}
    lay(tmp_path, {"3_c.up.sql": "CREATE TABLE c (id int);", "10_d.up.sql": "ALTER TABLE c ADD x int;"})
    found = follow(tmp_path, database)
    assert [(f.id, f.is_new) for f in found.files] == [
        ("0001_a", False),
        ("0002_b", False),
        ("0003_c", True),
        ("0010_d", True),
    ]
    assert {name: text_of(tmp_path, name) for name in before} == before
    assert found.proof is not None and found.proof.is_whole and found.exit_code == 0
    assert "2 migrations imported before" in import_text(found)
    assert '"10" = "0010_d"' in text_of(tmp_path, "adopt.toml")
    again = follow(tmp_path, database)
    assert again.paths == () and again.exit_code == 0
    assert "nothing is new" in import_text(again)
    assert not import_text(follow(tmp_path, write=False)).count("would be")


def edit(side: str, name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / side / name).write_text("SELECT 2;")

    return change


def remove(side: str, name: str) -> Callable[[Path], None]:
    return lambda root: (root / side / name).unlink()


def rename(side: str, name: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / side / name).rename(root / side / new)

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (edit("theirs", "1_a.up.sql"), "1_a.up.sql"),
        (edit("theirs", "1_a.down.sql"), "1_a.down.sql"),
        (remove("theirs", "2_b.up.sql"), "2_b.up.sql"),
        (remove("theirs", "2_b.down.sql"), "2_b.down.sql"),
        (edit("ours", "0001_a.sql"), "0001_a.sql"),
        (edit("ours", "0001_a.rollback.sql"), "0001_a.rollback.sql"),
        (remove("ours", "0002_b.sql"), "0002_b.sql"),
        (remove("ours", "0002_b.rollback.sql"), "0002_b.rollback.sql"),
        (rename("ours", "0002_b.sql", "0002_c.sql"), "0002_b.sql"),
        (edit("ours", "adopt.toml"), "adopt.toml"),
    ],
)
def test_an_edit_on_either_side_is_refused_by_name(tmp_path: Path, change: Callable[[Path], None], named: str) -> None:
    imported(tmp_path, FILES)
    lay(tmp_path, {"3_c.up.sql": "SELECT 3;"})
    change(tmp_path)
    before = {p.name: p.read_text() for p in (tmp_path / "ours").iterdir()}
    with pytest.raises(Refused, match=named):
        follow(tmp_path)
    assert {p.name: p.read_text() for p in (tmp_path / "ours").iterdir()} == before


@pytest.mark.parametrize("late", ["0_z.up.sql", "1_5_x.up.sql"])
def test_what_sorts_before_the_imported_is_refused(tmp_path: Path, late: str) -> None:
    imported(tmp_path, {**FILES, "9_z.up.sql": "SELECT 9;"})
    lay(tmp_path, {late.replace("1_5", "5"): "SELECT 5;"})
    with pytest.raises(Refused, match="would come before what was imported already"):
        follow(tmp_path)


def test_numbers_that_outgrow_their_width_still_come_last(tmp_path: Path) -> None:
    imported(tmp_path, {"9998_a.up.sql": "SELECT 1;", "9999_b.up.sql": "SELECT 2;"})
    lay(tmp_path, {"10000_c.up.sql": "SELECT 3;", "10001_d.up.sql": "SELECT 4;"})
    follow(tmp_path)
    lay(tmp_path, {"10002_e.up.sql": "SELECT 5;"})
    follow(tmp_path)
    assert [m.id.rpartition("_")[2] for m in ours(tmp_path)] == ["a", "b", "c", "d", "e"]


def test_what_a_person_has_finished_is_proven_and_recorded(tmp_path: Path, database: Database) -> None:
    files: dict[str, str | bytes] = {
        "0001_a.sql": "CREATE TABLE a (id int);",
        "0002_b.sql": "\\connect other\nCREATE TABLE b (id int);",
        "0003_c.sql": "ALTER TABLE b ADD x int;",
    }
    folder = lay(tmp_path, files)
    wishes = Wishes("name")
    found = import_folder(str(folder), tmp_path / "ours", tool="plain", wishes=wishes, server=database, write=True)
    assert [f.is_open for f in found.files] == [False, True, False]
    assert found.exit_code == 1
    text = import_text(found)
    assert "proven only up to 0001_a" in text and "left for you: 1 migration" in text
    path = tmp_path / "ours" / "0002_b.sql"
    assert UNWRITTEN in path.read_text()
    path.write_text("-- written by hand\nCREATE TABLE b (id bigint);\n")
    done = follow(tmp_path, database)
    assert done.proof is not None and done.proof.is_whole and done.exit_code == 0
    assert done.proof.replayed == 3
    assert path.read_text() == "-- written by hand\nCREATE TABLE b (id bigint);\n"
    path.write_text("-- edited\nCREATE TABLE b (id bigint);\n")
    with pytest.raises(Refused, match=r"0002_b\.sql"):
        follow(tmp_path, database)


@pytest.mark.parametrize("has_server", [True, False])
def test_an_undo_part_that_is_no_sql_waits_and_its_migration_does_not(
    tmp_path: Path, database: Database, has_server: bool
) -> None:
    files = {
        "1_t.up.sql": "CREATE TABLE t (id int, n int);\n",
        "1_t.down.sql": "DROP TABLE t;\n",
        "2_n.up.sql": "ALTER TABLE t DROP COLUMN n;\n",
        "2_n.down.sql": "SELECT 1;\nALTER TABLE t ADD IF EXISTS COLUMN n;\n",
    }
    found = imported(tmp_path, files, database if has_server else None)
    assert [f.is_open for f in found.files] == [False, True] and found.exit_code == 1
    back = tmp_path / "ours" / "0002_n.rollback.sql"
    assert "2_n.down.sql:2: in what takes it back: syntax error at or near" in back.read_text()
    operations.migrate(database, ours(tmp_path))
    assert not operations.status(database, ours(tmp_path)).pending
    back.write_text("ALTER TABLE t ADD COLUMN n int;\n")
    more = import_folder(None, tmp_path / "ours", server=database, follow=True, write=True)
    assert more.exit_code == 0 and more.proof is not None and more.proof.rolled_back == 2


def test_a_folder_that_was_not_imported_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nothing was imported"):
        follow(tmp_path)
    with pytest.raises(UsageError, match="not named"):
        import_folder(None, tmp_path / "ours")


def test_a_file_of_the_same_name_is_never_overwritten(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    lay(tmp_path, {"3_c.up.sql": "SELECT 3;"})
    (tmp_path / "ours" / "0003_c.sql").write_text("-- mine\n")
    with pytest.raises(Refused, match=r"0003_c\.sql"):
        follow(tmp_path)
    assert text_of(tmp_path, "0003_c.sql") == "-- mine\n"


def test_a_migration_that_got_another_number_is_not_imported_twice(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    for name in ("2_b.up.sql", "2_b.down.sql"):
        if (there := tmp_path / "theirs" / name).exists():
            there.rename(there.with_name(name.replace("2_", "3_")))
    with pytest.raises(Refused, match=r"edited, renamed or removed since: .*2_b\.up\.sql"):
        follow(tmp_path)


@pytest.mark.parametrize(
    ("tool", "values", "said"),
    [("sqlx", {}, "was imported as a folder of golang-migrate"), (None, {"x-multi-statement": "false"}, "value of x")],
)
def test_what_was_imported_is_not_read_in_another_way_later(
    tmp_path: Path, tool: str | None, values: dict[str, str], said: str
) -> None:
    wishes = Wishes("", {"x-multi-statement": "true"})
    import_folder(str(lay(tmp_path, FILES)), tmp_path / "ours", wishes=wishes, write=True)
    held = text_of(tmp_path, "import.toml")
    with pytest.raises(Refused, match=said):
        import_folder(None, tmp_path / "ours", tool=tool, wishes=Wishes("", values), follow=True, write=True)
    assert text_of(tmp_path, "import.toml") == held


def test_it_is_followed_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"b.sql": "CREATE TABLE b (id int);", "a.sql": "CREATE TABLE a (id int);"}
    lay(tmp_path, listed)
    (tmp_path / "order").write_text("b.sql\na.sql\n")
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    import_folder("theirs", Path("ours"), wishes=Wishes("order"), write=True)
    monkeypatch.chdir(tmp_path / "inner")
    assert import_folder(None, Path("../ours"), follow=True, write=True).paths == ()
    assert import_folder("../theirs/", Path("../ours"), follow=True, write=True).paths == ()
    assert import_folder(str(tmp_path / "theirs"), tmp_path / "ours", follow=True, write=True).paths == ()


def test_line_ends_that_git_has_changed_are_no_edit(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    for path in (*(tmp_path / "ours").iterdir(), *(tmp_path / "theirs").iterdir()):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert follow(tmp_path).paths == ()
    lay(tmp_path, {"3_c.up.sql": "SELECT 3;"})
    assert names_of(follow(tmp_path).paths) == ["0003_c.sql", "adopt.toml", "import.toml"]


def names_of(paths: Sequence[Path]) -> list[str]:
    return sorted(path.name for path in paths)


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "core.autocrlf=false")
    subprocess.run(["git", *who, *words], cwd=root, capture_output=True, check=words[0] != "merge")


@pytest.mark.parametrize("style", ["merge", "diff3"])
@pytest.mark.parametrize("mine", ["4_mine.up.sql", "3_mine.up.sql"])
def test_what_two_people_have_imported_is_merged(tmp_path: Path, style: str, mine: str) -> None:
    git(tmp_path, "init", "-b", "main")
    git(tmp_path, "config", "merge.conflictStyle", style)
    imported(tmp_path, FILES)
    theirs = "3_theirs.up.sql" if mine.startswith("4") else "4_theirs.up.sql"
    for branch, name in (("main", ""), ("other", theirs), ("main", mine)):
        git(tmp_path, "checkout", *(["-b"] if branch == "other" else []), branch) if name else None
        if name:
            lay(tmp_path, {name: f"SELECT '{name}';\n"})
            follow(tmp_path)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-m", "x")
    git(tmp_path, "merge", "other")
    assert "<<<<<<<" in text_of(tmp_path, "import.toml")
    assert names_of(follow(tmp_path).paths) == ["adopt.toml", "import.toml"]
    for name in ("import.toml", "adopt.toml"):
        told = re.findall(r"^\"\S+\" = \"(000[34]_(?:mine|theirs))\"$", text_of(tmp_path, name), re.MULTILINE)
        assert len(set(told)) == 2
    assert follow(tmp_path).paths == () and len(ours(tmp_path)) == 4


def test_a_file_that_both_have_imported_otherwise_is_named(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    path = tmp_path / "ours" / "import.toml"
    text = path.read_text()
    other = re.sub(r'("2_b\.up\.sql" = ")\w', r"\1x", text)
    assert other != text
    path.write_text(f"<<<<<<< HEAD\n{text}=======\n{other}>>>>>>> other\n")
    with pytest.raises(BadMigrationFile, match=r"two sides .*2_b\.up\.sql"):
        follow(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "Invalid"),
        ("", "no tool"),
        ('tool = 3\nfolder = ""\nopen = []\n[ids]\n[sources]\n[written]\n', "tool is no text"),
        ('tool = "x"\nfolder = "y"\nopen = "abc"\n[ids]\n[sources]\n[written]\n', "open is no list"),
        ('tool = "x"\nfolder = "y"\nopen = []\nids = 3\n[sources]\n[written]\n', "ids is no table"),
        ('tool = "x"\nfolder = "y"\nopen = []\n[ids]\na = 1\n[sources]\n[written]\n', "ids is no table"),
    ],
)
def test_a_record_that_a_hand_has_broken_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    imported(tmp_path, FILES)
    (tmp_path / "ours" / "import.toml").write_text(text)
    with pytest.raises(BadMigrationFile, match=rf"cannot read .*import\.toml: .*{said}"):
        follow(tmp_path)


# --- where it is written ----------------------------------------------------------------------


@pytest.mark.parametrize("held", ["README.md", "0001_a.sql", "adopt.toml"])
def test_a_folder_with_files_is_refused_and_an_empty_one_is_taken(tmp_path: Path, held: str) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / ".gitkeep").touch()
    assert len(imported(tmp_path, FILES).files) == 2
    other = tmp_path / "other"
    (other / "ours").mkdir(parents=True)
    (other / "ours" / held).write_text("x")
    with pytest.raises(Refused, match="is not empty"):
        imported(other, FILES)
    assert names(other) == [held]


def test_imported_twice_without_follow_is_refused(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    with pytest.raises(Refused, match=r"holds what was imported from "):
        imported(tmp_path, FILES)


def test_a_project_whose_plan_names_its_files_may_hold_the_plain_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = "%project=shop\n\none 2024-01-01T00:00:00Z A <a@b> # one\n"
    folder = lay(tmp_path, {"sqitch.plan": plan, "deploy/one.sql": "CREATE TABLE a ();"})
    monkeypatch.chdir(folder)
    import_folder(".", Path("migrations"), write=True)
    with (folder / "sqitch.plan").open("a") as file:
        file.write("two 2024-01-02T00:00:00Z A <a@b> # two\n")
    (folder / "deploy/two.sql").write_text("CREATE TABLE b ();")
    found = import_folder(".", Path("migrations"), follow=True, write=True)
    assert [f.id for f in found.files if f.is_new] == ["0002_two"]
    assert not found.left_out
    assert found.reason == "as migrations/import.toml says"


@pytest.mark.parametrize("into", ["theirs", "theirs/ours", "link", "theirs/../theirs", "."])
def test_folders_that_are_the_same_or_nested_are_refused(tmp_path: Path, into: str) -> None:
    folder = lay(tmp_path, FILES)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(Refused, match=r"same folder|one in the other"):
        import_folder(str(folder), tmp_path / into, write=True)
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("into", ["file", "file/deeper", "link"])
def test_a_file_that_is_no_folder_is_refused(tmp_path: Path, into: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    for write in (False, True):
        with pytest.raises(Refused, match="is no folder"):
            import_folder(str(lay(tmp_path, FILES)), tmp_path / into, write=write)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("place", ["into", "parent", "source", "file"])
def test_what_may_not_be_read_or_written_is_one_clear_error(tmp_path: Path, place: str) -> None:
    folder = lay(tmp_path, FILES)
    (tmp_path / "ours").mkdir()
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, 0o755)
    if place == "parent":
        (tmp_path / "ours").rmdir()
    if place == "source":
        folder.chmod(0o700)
    if place == "file":
        (folder / "2_b.up.sql").chmod(0o600)
        (tmp_path / "ours").chmod(0o777)
    imported(tmp_path / "before", FILES)  # whatever is imported lazily, is now
    os.seteuid(65534)
    try:
        with pytest.raises(BadMigrationFile, match=r"\Acannot (?:read|write|make)") as caught:
            import_folder(str(folder), tmp_path / "ours", tool="golang-migrate", write=True)
    finally:
        os.seteuid(0)
    named = {"into": "ours", "parent": "ours", "source": "theirs", "file": "2_b.up.sql"}[place]
    assert named in caught.value.message
    assert not (tmp_path / "ours").exists() or not names(tmp_path)


def test_a_full_disk_is_one_clear_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    folder = lay(tmp_path, {f"{n}_a.up.sql": f"CREATE TABLE t{n} (id int);" for n in range(1, 60)})
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
    limit += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); sys.argv = sys.argv[1:]; "
    program = [sys.executable, "-c", limit + "runpy.run_module('wflo_schema', run_name='__main__')"]
    words = command(tmp_path, str(folder), "--write")[2:]
    environment = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"}  # else it leaves half of a module's code behind
    done = subprocess.run([*program, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 3 and done.stderr.count("error:") == 1, done.stderr
    assert "import.toml" in done.stderr
    found = import_folder(str(folder), tmp_path / "ours", write=True)
    assert len(ours(tmp_path)) == len(found.files) == 59


# --- killed -----------------------------------------------------------------------------------


def test_a_killed_run_is_begun_anew_with_nothing_half_done(tmp_path: Path) -> None:
    first = {f"{n}_a.up.sql": f"CREATE TABLE t{n} (id int);" for n in range(1, 40)}
    more = {f"{n}_b.up.sql": f"CREATE TABLE t{n} (id int);" for n in range(40, 80)}
    chance = random.Random(7)
    kills = 0
    for number in range(8):
        root = tmp_path / str(number)
        folder = lay(root, first)
        is_follow = number % 2 == 1
        if is_follow:
            import_folder(str(folder), root / "ours", write=True)
            lay(root, more)
        pid = os.fork()
        if not pid:
            import_folder(None if is_follow else str(folder), root / "ours", follow=is_follow, write=True)
            os._exit(0)
        goal = (39 if is_follow else 0) + chance.randrange(40)
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            held = len(list((root / "ours").glob("*.sql"))) if (root / "ours").exists() else -1
            if held >= goal:
                os.kill(pid, signal.SIGKILL)
                break
        kills += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        if chance.random() < 0.5:  # the folder grows meanwhile
            lay(root, {"900_z.up.sql": "SELECT 1;"})
        try:
            import_folder(None if is_follow else str(folder), root / "ours", follow=is_follow, write=True)
        except Refused as error:
            assert "--follow" in error.hint  # the killed run had come to its end
            import_folder(None, root / "ours", follow=True, write=True)
        steps = len(list(folder.iterdir()))
        found = read_migrations(root / "ours")
        assert len(found) == steps
        assert len({m.checksum for m in found}) == steps
        assert not [p.name for p in (root / "ours").iterdir() if p.name.startswith(".")]
        assert "[writing]" not in (root / "ours" / "import.toml").read_text()
        assert import_folder(None, root / "ours", follow=True, write=True).paths == ()
    assert kills


def test_what_a_killed_run_has_left_is_not_taken_when_it_was_edited(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    record = text_of(tmp_path, "import.toml")
    writing = record[record.index("[written]") :].replace("[written]", "[writing]")
    begun = 'tool = ""\nfolder = ""\nopen = []\n[ids]\n[sources]\n[written]\n'
    (tmp_path / "ours" / "import.toml").write_text(f"{begun}{writing}")
    (tmp_path / "ours" / "0001_a.sql").write_text("-- mine\n")
    with pytest.raises(Refused, match=r"stopped half-way.*0001_a\.sql"):
        imported(tmp_path, FILES)
    (tmp_path / "ours" / "0001_a.sql").unlink()
    assert len(imported(tmp_path, FILES).files) == 2


# --- what is said -----------------------------------------------------------------------------

WHOLE = Proof("it", 2, 2, is_equal=True, objects=2, filled=0, rolled_back=2, with_rollback=2)


@pytest.mark.parametrize(
    ("proof", "is_proven", "said"),
    [
        (None, False, "not proven: no server"),
        (WHOLE, True, "proven on it: "),
        (replace(WHOLE, with_rollback=0, rolled_back=0), True, "no rollbacks"),
        (replace(WHOLE, rolled_back=1), False, "not all rollbacks are proven: 1 of 2"),
        (replace(WHOLE, rolled_back=0), False, "not all rollbacks are proven: 0 of 2"),
        (replace(WHOLE, replayed=1, rolled_back=1), False, "proven only up to 0001_a, on it: "),
        (replace(WHOLE, replayed=0, rolled_back=0), False, "not proven: it stops at the first migration, 0001_a"),
        (replace(WHOLE, is_equal=False, rolled_back=0), False, "not proven: run as golang-migrate runs them"),
    ],
)
def test_only_what_was_proven_is_called_so(tmp_path: Path, proof: Proof | None, is_proven: bool, said: str) -> None:
    found = replace(imported(tmp_path, FILES), proof=proof)
    text = import_text(found)
    assert (found.is_proven, found.exit_code) == (is_proven, 0 if is_proven else 1)
    assert said in text
    claims = [line for line in text.splitlines() if line.startswith(("proven on it", "rollbacks proven"))]
    if proof is None or not proof.is_equal or proof.replayed < proof.total:
        assert not [line for line in claims if line.startswith("proven on it")]
    if proof is None or proof.rolled_back < proof.with_rollback:
        assert not [line for line in claims if line.startswith("rollbacks")]


def test_long_lists_are_cut_and_json_has_all(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{n}_a.up.sql": "SELECT 1;" for n in range(1, 301)}
    folder = lay(tmp_path, {**files, **{f"x{n}.sql": "SELECT 1;" for n in range(40)}})
    words = command(tmp_path, str(folder), "--from", "golang-migrate", "--write")
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) < 60
    assert "… and 280 more" in done.stdout
    words = [*command(tmp_path, "--follow", "--format", "json")]
    told = json.loads(subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True).stdout)
    assert len(told["files"]) == 300 and told["is_proven"] is False and told["exit_code"] == 1


@pytest.mark.parametrize(
    ("values", "unused"), [({"p": "x"}, ()), ({"p": "x", "typo": "1"}, ("typo",)), ({"p": "d"}, ("p",))]
)
def test_a_value_that_changes_nothing_is_said(tmp_path: Path, values: dict[str, str], unused: tuple[str, ...]) -> None:
    folder = lay(tmp_path, {"1_a.sql": "-- +goose Up\n-- +goose ENVSUB ON\nCREATE TABLE ${p:-d}_t (id int);\n"})
    found = import_folder(str(folder), tmp_path / "ours", wishes=Wishes("", values))
    assert found.unused == unused
    assert [name for name in values if f"--set {name} changes nothing" in import_text(found)] == [*unused]


def test_a_value_that_changes_nothing_is_said_of_what_follows_too(tmp_path: Path) -> None:
    imported(tmp_path, FILES)
    found = import_folder(None, tmp_path / "ours", follow=True, wishes=Wishes("", {"typo": "1"}))
    assert found.unused == ("typo",)


def test_two_values_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = lay(tmp_path, FILES)
    words = command(tmp_path, str(folder), "--set", "a=1", "--set", "a=2")
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 2 and "--set gives a two values" in done.stderr


# --- large files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "name", "text"),
    [
        ("goose", "1_a.sql", f"-- +goose Up\nSELECT 1;{' ' * 500_000}\n;\n"),
        ("tern", "001_a.sql", f"SELECT 1;{' ' * 500_000}\n"),
        ("liquibase", "a.sql", f"--liquibase formatted sql\n--changeset a:1\nSELECT 1;{chr(10) * 500_000}"),
        ("liquibase", "a.sql", f"--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n--property a:{' ' * 20_000}\n"),
        ("golang-migrate", "1_a.up.sql", f"SELECT 1 -- {'CREATE TABLE ' * 50_000}\n;"),
        ("plain", "1_a.sql", f"BEGIN;\n{'SELECT 1;' * 100_000}\nCOMMIT;\nSELECT 2;\n"),
        ("plain", "1_a.sql", "BEGIN;SELECT 1;COMMIT;\n" * 30_000),
    ],
)
def test_a_large_file_is_read_to_its_end(tmp_path: Path, tool: str, name: str, text: str) -> None:
    found = import_folder(str(lay(tmp_path, {name: text})), tmp_path / "ours", tool=tool)
    assert [f.is_open for f in found.files] == [False]


# --- bad input --------------------------------------------------------------------------------


def bad(root: Path, make: Callable[[Path], object]) -> WfloSchemaError:
    folder = lay(root, FILES)
    make(folder)
    with pytest.raises(WfloSchemaError) as caught:
        import_folder(str(folder), root / "ours", tool="golang-migrate", write=True)
    assert not (root / "ours").exists()
    return caught.value


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: (f / "3_c.up.sql").write_bytes("SELECT 'é';".encode("latin-1")), r"3_c\.up\.sql.*UTF-8"),
        (lambda f: (f / "3_c.up.sql").write_bytes("SELECT 1;".encode("utf-16")), r"3_c\.up\.sql"),
        (lambda f: (f / "3_c.up.sql").write_bytes("SELECT 1;".encode("utf-16-le")), r"3_c\.up\.sql.*NUL"),
        (lambda f: os.mkfifo(f / "3_c.up.sql"), r"3_c\.up\.sql is a pipe"),
        (lambda f: (f / "3_c.up.sql").symlink_to("nowhere"), r"3_c\.up\.sql is a link to a file that is not there"),
        (lambda f: (f / "3_c.up.sql").symlink_to("3_c.up.sql"), r"3_c\.up\.sql"),
        (lambda f: (f / os.fsdecode(b"3_\xff.up.sql")).write_text("SELECT 1;"), "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    error = bad(tmp_path, make)
    assert isinstance(error, BadMigrationFile)
    assert re.search(said, error.message), error.message


def test_links_and_line_ends_are_taken_as_what_they_mean(tmp_path: Path) -> None:
    folder = lay(tmp_path, FILES)
    (tmp_path / "elsewhere.sql").write_bytes(b"\xef\xbb\xbfCREATE TABLE c (id int);\r\nSELECT 1;\r\n")
    (folder / "3_c.up.sql").symlink_to(tmp_path / "elsewhere.sql")
    (folder / "again").symlink_to(folder)
    found = import_folder(str(folder), tmp_path / "ours", tool="golang-migrate", write=True)
    assert [f.id for f in found.files] == ["0001_a", "0002_b", "0003_c"]
    assert text_of(tmp_path, "0003_c.sql") == "CREATE TABLE c (id int);\nSELECT 1;\n"


def test_files_without_a_statement_are_migrations_that_do_nothing(tmp_path: Path, database: Database) -> None:
    files: dict[str, str | bytes] = {
        **FILES,
        "3_c.up.sql": "-- later\n/* and more */\n",
        "3_c.down.sql": "",
        "4_d.up.sql": "",
        "5_e.up.sql": "\ufeff\r\n",
        "6_f.up.sql": ";;\n",
    }
    found = imported(tmp_path, files, database)
    assert [f.id for f in found.files] == ["0001_a", "0002_b", "0003_c", "0004_d", "0005_e", "0006_f"]
    assert found.proof is not None and found.proof.replayed == 6, found.proof


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: None, lambda p: p.symlink_to(p)])
def test_no_folder_or_an_empty_one_is_one_clear_error(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "theirs")
    with pytest.raises(BadMigrationFile, match="there is no f"):
        import_folder(str(tmp_path / "theirs"), tmp_path / "ours")


def test_files_that_include_others_too_deep_are_refused_with_one_error(tmp_path: Path) -> None:
    files = {f"s/{n}.sql": f'SELECT 1;\n{{{{ template "s/{n + 1}.sql" . }}}}' for n in range(3_000)}
    with pytest.raises(BadMigrationFile, match="include others too deep"):
        imported(tmp_path, {"001_a.sql": '{{ template "s/0.sql" . }}', "s/3000.sql": "SELECT 1;", **files}, tool="tern")
