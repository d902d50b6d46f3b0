"""Sqitch's projects: its plan, its settings, its reworked changes, and its ledger, made by Sqitch itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, sqitch, text_of
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.imports.operations import import_folder

WHO = "2024-01-01T00:00:00Z N <n@example.org>"

REWORKED = {
    "sqitch.conf": """[core]
	engine = pg
	top_dir = db ; a comment
[engine "pg"]
	deploy_dir = db/up
	extension = ddl
[deploy "variables"]
	Owner = the	 "\\"one\\""\\\\owner ; of it
[revert "variables"]
	Owner = other
""",
    "db/sqitch.plan": f"""%syntax-version=1.0.0
%project = shop # a note
%uri=https://example.org/shop

users {WHO} # makes users
# a note
+ fn [users other:thing !other:never] {WHO} # a function
@v1 {WHO} # the first
@v1.1 {WHO}
fn [fn@v1] {WHO} # reworked

dir/last [fn @v1] {WHO} # in a folder
@v2 {WHO}
fn [fn@v2]{WHO}
""",
    "db/up/users.ddl": "BEGIN;\nCREATE TABLE users (id int DEFAULT 1);\nCOMMENT ON TABLE users IS :'Owner';\nCOMMIT;\n",
    "db/revert/users.ddl": "BEGIN;\n\\if :{?Owner}\nDROP TABLE users;\n\\endif\nCOMMIT;\n",
    "db/verify/users.ddl": "SELECT id FROM users WHERE false;\nROLLBACK;\n",
    "db/deploy/fn@v1.ddl": "CREATE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    "db/revert/fn@v1.ddl": "DROP FUNCTION fn();\n",
    "db/deploy/fn@v2.ddl": "CREATE OR REPLACE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 2';\n",
    "db/revert/fn@v2.ddl": "CREATE OR REPLACE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    "db/up/dir/last.ddl": "\\ir ../parts/part.ddl\n\\i db/up/parts/part.ddl\n",
    "db/up/parts/part.ddl": "INSERT INTO users SELECT count(*) FROM users;\n",
    "db/revert/dir/last.ddl": "DELETE FROM users;\n",
    "db/up/fn.ddl": "CREATE OR REPLACE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 3';\n",
    "db/revert/fn.ddl": "CREATE OR REPLACE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 2';\n",
    "db/up/forgotten.ddl": "SELECT 1;\n",
    "README.md": "# shop\n",
}


@pytest.mark.spread_over_servers
def test_a_plan_with_reworked_changes_is_proven_in_its_order(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, REWORKED, database)
    ids = ["0001_users", "0002_fn-v1", "0003_fn-v2", "0004_dir-last", "0005_fn"]
    assert (found.tool, [m.id for m in ours(tmp_path)]) == ("sqitch", ids)
    assert found.proof is not None and found.proof.is_whole, found.files
    assert found.proof.rolled_back == found.proof.with_rollback == 5
    assert r""" E'the \\"one\\"\\owner';""" in text_of(tmp_path, "0001_users.sql")
    for line in ('"fn" = "0002_fn-v1"', '"fn#2" = "0003_fn-v2"', '"dir/last" = "0004_dir-last"', '"fn#3" = "0005_fn"'):
        assert line in text_of(tmp_path, "adopt.toml")
    said = "\n".join(found.left_out)
    for part in (
        "db/verify: 1 file that verify changes",
        "forgotten.ddl: the plan names no such change",
        "README.md: no script of a change in it: 1 file",
    ):
        assert part in said
    assert any("needs other:thing, of another project" in note for note in found.files[1].notes)
    assert found.exit_code == 0


PLAN = "%project=p\n\n"


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("a {WHO}\nb [missing] {WHO}\n", ":4: b needs missing, and the plan names no such change before it"),
        ("a [b] {WHO}\nb {WHO}\n", ":3: a needs b, and the plan names no such change before it"),
        ("a {WHO}\nb [a@v9] {WHO}\n", ":4: b needs a@v9"),
        ("a {WHO}\nb [!a] {WHO}\n", ":4: b conflicts with a, which is deployed before it"),
        ("a {WHO}\nb [!missing] {WHO}\n", ":4: b conflicts with missing, which the plan does not name"),
        ("a {WHO}\na {WHO}\n", ":4: the change a stands in line 3 as well, with no tag between them"),
        ("@v1 {WHO}\n", ":3: the tag @v1 stands before all changes"),
        ("a {WHO}\n@v1 {WHO}\n@v1 {WHO}\n", ":5: the tag @v1 stands twice"),
        ("a\n", ":3: is no line of a plan: a"),
        ("<<<<<<< HEAD\na {WHO}\n", ":3: is no line of a plan: <<<<<<< HEAD"),
    ],
)
def test_a_plan_that_sqitch_would_not_take_is_refused(tmp_path: Path, plan: str, said: str) -> None:
    files = sqitch({"a": "SELECT 1;"}) | {"sqitch.plan": PLAN + plan.replace("{WHO}", WHO)}
    with pytest.raises(BadMigrationFile) as caught:
        imported(tmp_path, files)
    assert f"sqitch.plan{said}" in str(caught.value)


def test_what_is_not_there_waits_for_a_person_or_is_refused(tmp_path: Path) -> None:
    files = sqitch({"a": "SELECT 1;", "b": "SELECT 2;"})
    del files["deploy/b.sql"]
    found = imported(tmp_path, files)
    (missing,) = found.open_files
    assert "sqitch.plan:5: the plan names the change b, and there is no " in missing.notes[0]
    (tmp_path / "theirs" / "sqitch.conf").write_text("[core]\n\tengine = mysql\n")
    with pytest.raises(BadMigrationFile, match="its engine is mysql"):
        import_folder(str(tmp_path / "theirs"), tmp_path / "other")
    (tmp_path / "theirs" / "sqitch.conf").write_text("[core]\n\tengine = pg\n\ttop_dir = elsewhere\n")
    with pytest.raises(BadMigrationFile, match=r"there is no plan .*elsewhere/sqitch.plan"):
        import_folder(str(tmp_path / "theirs"), tmp_path / "other", tool="sqitch")


def test_a_change_that_was_reworked_since_is_followed(tmp_path: Path) -> None:
    files = sqitch({"fn": "SELECT 1;", "last": "SELECT 2;\n"}, **{"revert/fn.sql": "SELECT 0;\n"})
    imported(tmp_path, files)
    folder = tmp_path / "theirs"
    with (folder / "sqitch.plan").open("a") as plan:
        plan.write(f"@v1 {WHO}\nfn [fn@v1] {WHO}\n")
    for place in ("deploy", "revert"):
        (folder / place / "fn.sql").rename(folder / place / "fn@v1.sql")
    (folder / "deploy" / "fn.sql").write_text("SELECT 3;\n")
    (folder / "revert" / "fn.sql").write_text("SELECT 1;\n")
    found = import_folder(str(folder), tmp_path / "ours", follow=True, write=True)
    assert [(f.id, f.is_new) for f in found.files] == [("0001_fn", False), ("0002_last", False), ("0003_fn", True)]
    assert '"fn" = "0001_fn"' in text_of(tmp_path, "adopt.toml") and '"fn#2" = "0003_fn"' in text_of(
        tmp_path, "adopt.toml"
    )
    (folder / "deploy" / "fn.sql").write_text("SELECT 2;\n")
    (folder / "deploy" / "last.sql").write_text("SELECT 3;\n")
    with pytest.raises(Refused, match=r"has been edited, renamed or removed since: deploy/fn.sql, deploy/last.sql"):
        import_folder(str(folder), tmp_path / "ours", follow=True, write=True)


@pytest.mark.spread_over_servers
def test_a_database_that_sqitch_made_is_adopted_right_there(tmp_path: Path, database: Database) -> None:
    if shutil.which("sqitch") is None or subprocess.run(["perl", "-MDBD::Pg", "-e1"], capture_output=True).returncode:
        pytest.skip("sqitch or its PostgreSQL driver is not here")
    files = {**REWORKED, "db/sqitch.plan": REWORKED["db/sqitch.plan"].replace("other:thing !other:never", "")}
    folder = lay(tmp_path, files)
    imported(tmp_path, files)
    uri = f"db:pg{database.url.removeprefix('postgresql')}"

    def run(*words: str) -> None:
        who = {"SQITCH_FULLNAME": "N", "SQITCH_EMAIL": "n@example.org", "HOME": str(folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(["sqitch", *words], cwd=folder, env=who, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    migrations = ours(tmp_path)
    deployed = {"fn@v1": "0002_fn-v1", "dir/last": "0004_dir-last", "@HEAD": "0005_fn"}
    for upto, last in deployed.items():
        run("deploy", "--to", upto, uri)
        found = adopt_database(database, migrations)
        assert found.differences == ()
        assert (found.verdict, found.id, found.ledgers[0].unknown) == ("equal", last, ())
    run("revert", "-y", "--to", "users", uri)
    assert adopt_database(database, migrations, apply=True).id == "0001_users"
    assert operations.migrate(database, migrations).ids == tuple(m.id for m in migrations)[1:]
