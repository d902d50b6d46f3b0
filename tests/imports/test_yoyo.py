"""yoyo's folders: Python that only lists SQL becomes SQL of the same id, and what is SQL stays as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, Refused

FILES = {
    "0001.users.py": '''"""
Users: the first table
"""
import yoyo
from textwrap import dedent
from yoyo import group as together, step

__depends__ = {}
TABLE = "users"
first = step(f"CREATE TABLE {TABLE} (id int PRIMARY KEY, name text) -- no end", "DROP TABLE " + TABLE)
steps = [
    first,
    together(
        step(dedent("""
            CREATE INDEX users_name ON users (name);
            CREATE INDEX users_lower ON users (lower(name))
        """), "DROP INDEX users_lower; DROP INDEX users_name"),
        [yoyo.step(apply="INSERT INTO users VALUES (1, '50%;')", rollback="DELETE FROM users")],
        ignore_errors="rollback",
    ),
    step("INSERT INTO users VALUES (2, 'b')", None),
]
''',
    "0002-more.sql": "-- More: two\n-- depends: 0001.users\n\nCREATE TABLE m (id int);\nCREATE TABLE n (id int);\n",
    "0002-more.rollback.sql": "DROP TABLE n;\nDROP TABLE m;\n",
    "0003_index.py": "from yoyo import *\n__depends__ = '0002-more'\n__transactional__ = False\n"
    "step('CREATE INDEX CONCURRENTLY m_id ON m (id)', 'DROP INDEX CONCURRENTLY m_id')\n",
    "post-apply.sql": "SELECT 1;",
    "__init__.py": "",
    "yoyo.ini": "[DEFAULT]",
}


@pytest.mark.spread_over_servers
def test_a_mixed_folder_is_proven_and_its_databases_go_on_with_the_same_ids(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, FILES, database)
    assert found.tool == "yoyo" and found.exit_code == 0, found
    assert [m.id for m in ours(tmp_path)] == ["0001.users", "0002-more", "0003_index"]
    assert found.proof is not None and (found.proof.replayed, found.proof.rolled_back) == (3, 3)
    for name in ("0002-more.sql", "0002-more.rollback.sql"):
        assert text_of(tmp_path, name) == FILES[name]
    assert text_of(tmp_path, "0003_index.sql").splitlines()[:2] == ["-- depends: 0002-more", "-- transactional: false"]
    assert "0001.users.py:14: yoyo goes on where this step fails" in " ".join(found.files[0].notes)
    assert [line.rpartition("/")[2].partition(":")[0] for line in found.left_out] == [
        "post-apply.sql",
        "__init__.py",
        "yoyo.ini",
    ]
    (tmp_path / "theirs/post-apply.sql").unlink()
    url = database.url.replace("postgresql://", "postgresql+psycopg://")
    yoyo = [str(Path(sys.executable).parent / "yoyo"), "apply", "--batch", "--no-config-file", "--database", url]
    subprocess.run([*yoyo, str(tmp_path / "theirs")], check=True, capture_output=True)
    taken = adopt_database(database, ours(tmp_path), apply=True)
    assert taken.is_applied and taken.record == ("0001.users", "0002-more", "0003_index")
    assert len(operations.rollback(database, ours(tmp_path), count=3).ids) == 3


PYTHON = {
    "a function": ("steps = [step('SELECT 1', 'SELECT 2'), step(apply_it, undo_it)]", (3, 3)),
    "a call": ("steps = [step('SELECT %s'.format(1))]", (3,)),
    "a loop": ("for i in range(2):\n    step(f'SELECT {i}')", (3,)),
    "a comprehension": ("steps = [step(f'SELECT {i}') for i in range(2)]", (3,)),
    "a name of another module": ("steps = [step(SQL)]", (3,)),
    "a name that changed": ("sql = 'SELECT 1'\nsql = load()\nsteps = [step(sql)]", (5,)),
    "what it depends on": ("__depends__ = find()\nsteps = [step('SELECT 1')]", (3,)),
    "arguments from elsewhere": ("steps = [step(*pairs)]", (3,)),
}


@pytest.mark.parametrize("case", PYTHON)
def test_what_is_not_literal_waits_for_a_person_and_is_never_run(tmp_path: Path, case: str) -> None:
    body, lines = PYTHON[case]
    found = imported(tmp_path / "one", {"0001_x.py": f"from yoyo import step\nfrom m import *\n{body}\n"})
    assert found.open_files == found.files
    said = [note for note in found.files[0].notes if "runs Python here" in note]
    assert [int(note.split(":")[1]) for note in said] == list(lines)
    known = imported(
        tmp_path / "two", {"0001_x.py": f"from yoyo import step\nfrom m import *\n{body}\n"}, python="nothing"
    )
    assert not known.open_files


def test_python_that_changes_the_schema_waits_whatever_is_said_and_stands_in_the_file(tmp_path: Path) -> None:
    text = (
        "from yoyo import step\ndef go(conn):\n    'create rows'\n    conn.execute('ALTER TABLE a ADD COLUMN b int')\n"
        "def rows(conn):\n    'create rows'\n    conn.execute('UPDATE a SET b = 1')\n"
    )
    files = {
        "1.py": text + "step('SELECT 1')\nstep(go)",
        "2.py": text + "__depends__ = ['1']\nstep(rows, go)",
        "3.py": text,
    }
    files["3.py"] += "__depends__ = {'2'}\nstep(go)"
    found = imported(tmp_path, files, python="nothing")
    assert [f.is_open for f in found.files] == [True, True, True]  # of the second, the way back waits
    assert text_of(tmp_path, "3.sql").startswith("-- depends: 2\n-- import: ")
    assert "1.py:9: runs Python here, and with it ALTER TABLE a ADD COLUMN b int" in found.files[0].notes[0]
    assert "\n-- | SELECT 1;\n" in text_of(tmp_path, "1.sql")
    assert "conn.execute('ALTER TABLE a ADD COLUMN b int')" in text_of(tmp_path, "1.sql")
    assert "ALTER TABLE a" in text_of(tmp_path, "2.rollback.sql")


BAD = {
    "two of one id": ({"a.py": "from yoyo import step", "a.sql": "SELECT 1;"}, "two migrations have one id"),
    "no Python": ({"a.py": "from yoyo import step\nsteps = ["}, "a.py is no Python"),
    "what it depends on is not there": (
        {"a.py": "from yoyo import step\n__depends__ = {'b'}\nstep('SELECT 1')"},
        "a.py depends on b, and there is no such migration",
    ),
    "a circle": (
        {"a.py": "from yoyo import step\n__depends__ = {'b'}", "b.sql": "-- depends: a\nSELECT 1;"},
        "in a circle",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(tmp_path: Path, case: str) -> None:
    files, what = BAD[case]
    with pytest.raises(BadMigrationFile, match=what):
        imported(tmp_path, files)


def test_a_folder_of_ours_is_said_to_be_one(tmp_path: Path) -> None:
    files = {"0001_a.sql": "CREATE TABLE a ();\n", "0001_a.rollback.sql": "DROP TABLE a;\n"}
    with pytest.raises(Refused, match="is a folder of ours already") as refused:
        imported(tmp_path, files)
    assert f"wflo-schema status --migrations {lay(tmp_path, {})}" in (refused.value.hint or "")
