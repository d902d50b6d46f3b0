"""Plain yoyo 9 and wflo-schema on the same folder and the same database, in both directions, at every step."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import State
from wflo_schema.files.folder import read_migrations

FILES = {
    "1_a": ("CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);", "DROP TABLE a;"),
    "2_b": ("-- depends: 1_a\nCREATE TABLE b (id int);", "DROP TABLE b;"),
    "3_c": (
        "-- depends: 2_b\n-- transactional: false\nCREATE INDEX CONCURRENTLY b_i ON b (id);",
        "DROP INDEX CONCURRENTLY b_i;",
    ),
    "4_d": ("-- depends: 3_c\nALTER TABLE b ADD COLUMN t text DEFAULT 'a;b';", "ALTER TABLE b DROP COLUMN t;"),
}
ALL = tuple(FILES)

pytestmark = pytest.mark.spread_over_servers


class Both:
    """The two tools on one folder and one database."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        for name, (forward, back) in FILES.items():
            (folder / f"{name}.sql").write_text(forward)
            (folder / f"{name}.rollback.sql").write_text(back)

    def yoyo(self, command: str, *options: str) -> str:
        where = self.database.parameters
        url = f"postgresql+psycopg://{where['user']}@{where['host']}:{where['port']}/{self.database.name}"
        run = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "yoyo",
                command,
                "--batch",
                "--no-config-file",
                "-d",
                url,
                *options,
                str(self.folder),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def yoyo_list(self) -> dict[str, str]:
        """Letter of each migration as yoyo lists it: A applied, U unapplied."""
        return {m[2]: m[1] for m in re.finditer(r"^([AU])\s+(\S+)", self.yoyo("list"), re.MULTILINE)}

    def migrate(self) -> tuple[str, ...]:
        return operations.migrate(self.database, read_migrations(self.folder)).ids

    def roll_back(self, count: int = 1) -> tuple[str, ...]:
        return operations.rollback(self.database, read_migrations(self.folder), count=count).ids

    def states(self) -> list[State]:
        return [e.state for e in operations.status(self.database, read_migrations(self.folder)).entries]

    def checksums(self) -> list[bool]:
        return [e.has_checksum for e in operations.status(self.database, read_migrations(self.folder)).entries]

    def agree(self, applied: int) -> None:
        """Both tools, and the catalog, say that exactly the first ``applied`` ones are there."""
        assert self.yoyo_list() == {name: "A" if n < applied else "U" for n, name in enumerate(ALL)}
        assert self.states() == [State.APPLIED if n < applied else State.PENDING for n in range(len(ALL))]
        with self.database.connect() as connection:
            row = connection.execute(
                "SELECT to_regclass('a') IS NOT NULL, to_regclass('b') IS NOT NULL, to_regclass('b_i') IS NOT NULL, "
                "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('b') AND attname = 't')"
            ).fetchone()
        assert row == tuple(n < applied for n in range(len(ALL)))


@pytest.fixture
def both(tmp_path: Path, database: Database) -> Both:
    return Both(tmp_path, database)


def test_yoyo_first_and_ours_after_it(both: Both) -> None:
    both.agree(0)
    both.yoyo("apply", "-r", "2_b")
    both.agree(2)
    assert both.checksums() == [False] * 4
    assert both.migrate() == ("3_c", "4_d")
    assert both.checksums() == [False, False, True, True]
    both.agree(4)
    assert both.yoyo("apply") is not None
    both.agree(4)


def test_ours_first_and_yoyo_after_it(both: Both) -> None:
    assert operations.migrate(both.database, read_migrations(both.folder), to="2_b").ids == ("1_a", "2_b")
    both.agree(2)
    both.yoyo("apply")
    both.agree(4)
    assert both.migrate() == ()


def test_yoyo_rolls_back_what_ours_applied(both: Both) -> None:
    both.migrate()
    for applied in (3, 2, 1, 0):
        both.yoyo("rollback", "-r", ALL[applied])
        both.agree(applied)
    assert both.migrate() == ALL
    both.agree(4)
    assert both.checksums() == [True] * 4


def test_ours_rolls_back_what_yoyo_applied(both: Both) -> None:
    both.yoyo("apply")
    for applied in (3, 2, 1, 0):
        assert both.roll_back() == (ALL[applied],)
        both.agree(applied)
    both.yoyo("apply")
    both.agree(4)


def test_yoyo_mark_unmark_and_reapply_are_understood(both: Both) -> None:
    both.migrate()
    both.yoyo("unmark", "-r", "4_d")
    assert both.states() == [State.APPLIED] * 3 + [State.PENDING]
    both.yoyo("mark", "-r", "4_d")
    both.agree(4)
    both.yoyo("reapply", "-r", "4_d")
    both.agree(4)


def test_yoyo_log_of_ours_has_what_yoyo_writes(both: Both) -> None:
    both.yoyo("apply", "-r", "1_a")
    both.migrate()
    with both.database.connect() as connection:
        rows = connection.execute(
            "SELECT migration_hash, operation, username, hostname <> '', id ~ '^[0-9a-f-]{36}$', comment, "
            "abs(extract(epoch FROM created_at_utc - clock_timestamp() AT TIME ZONE 'UTC')) < 60 "
            "FROM _yoyo_log ORDER BY created_at_utc"
        ).fetchall()
    theirs, *ours = rows
    assert len(ours) == 3
    for row in ours:
        assert row[1:] == theirs[1:]


def test_read_commands_of_ours_leave_no_trace_for_yoyo(both: Both) -> None:
    operations.status(both.database, read_migrations(both.folder))
    with both.database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ 'yoyo'").fetchone() == (0,)
