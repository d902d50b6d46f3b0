"""The development loop beside what a person does otherwise, in one run.

Ten edits of a migration and ten of a view, with wflo's three files below them, on one server (PostgreSQL 18,
embedded, fsync on, as a developer has it).  Ours: ``wflo-schema dev`` is watching; the clock runs from the save until
it has told the result.  By hand: ``wflo-schema rollback && wflo-schema migrate`` after each save, one after another as
a shell runs them; for a view, ``wflo-schema migrate``.  Both in turns, edit by edit.  At the end the rows that were
there before the first edit are counted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from wflo_schema.connect.database import Database
from wflo_schema.server.embedded import start_embedded, stop_embedded

ROOT = Path(__file__).resolve().parent.parent
OURS = (sys.executable, "-m", "wflo_schema")

DRAFT = "20260101_01_aaaaa-add-weights"
TABLE = "CREATE TABLE weights (id serial PRIMARY KEY, grams int NOT NULL);\n"

# What a save may take, in milliseconds.
BUDGET_MS = 500.0

# Rows that every edit must leave, in a table of wflo's and in the draft's own.
ROWS = """INSERT INTO workflow_definitions (id, name, version, steps, policies)
SELECT 'w' || n, 'name ' || n, n, '{}', '{}' FROM generate_series(1, 1000) AS n;
INSERT INTO weights (grams) SELECT n FROM generate_series(1, 1000) AS n"""
COUNT = "SELECT (SELECT count(*) FROM workflow_definitions), (SELECT count(*) FROM weights)"


class Project:
    """A folder with wflo's files, committed, and a draft and a view that are not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.migrations = folder / "migrations"
        shutil.copytree(ROOT / "migrations", self.migrations)
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "first")):
            subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b.c", *words], cwd=folder, check=True)
        (self.migrations / f"{DRAFT}.rollback.sql").write_text("DROP TABLE weights;\n")
        (self.migrations / "repeatable").mkdir()
        self.edit(0)
        self.edit_view(0)

    def edit(self, number: int) -> None:
        """Save the migration with another index."""
        (self.migrations / f"{DRAFT}.sql").write_text(f"{TABLE}CREATE INDEX edit_{number} ON weights (grams);\n")

    def edit_view(self, number: int) -> None:
        """Save the view with another column."""
        view = f"CREATE VIEW names AS SELECT id, {number} AS edit, name FROM workflow_definitions;\n"
        (self.migrations / "repeatable" / "names.sql").write_text(view)


class Loop:
    """A running ``wflo-schema dev``: what it says, and when."""

    def __init__(self, project: Project, url: str) -> None:
        self.process = subprocess.Popen(
            [*OURS, "dev", "--database-url", url], cwd=project.folder, stdout=subprocess.PIPE, text=True
        )
        self._said: list[tuple[float, str]] = []
        assert self.process.stdout is not None
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in iter(stream.readline, ""):
            self._said.append((time.monotonic(), line))

    def next(self, after: float, *begins: str) -> float:
        """When it has said a line that begins so."""
        while self.process.poll() is None:
            for at, line in self._said:
                if at > after and line.startswith(begins):
                    return at
            time.sleep(0.001)
        raise SystemExit("".join(line for _, line in self._said))

    def close(self) -> None:
        """End it as Ctrl-C does."""
        self.process.terminate()
        self.process.wait()


def by_hand(project: Project, url: str, *commands: str) -> float:
    """Milliseconds that these commands take, one after another."""
    began = time.monotonic()
    for command in commands:
        subprocess.run(
            [*OURS, command, "--database-url", url], cwd=project.folder, check=True, stdout=subprocess.DEVNULL
        )
    return (time.monotonic() - began) * 1000


def main() -> int:
    """Print the table; exit code 1 where a save took longer than it may, or rows are gone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=10)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="wfb", dir="/tmp"))
    base.chmod(0o755)
    try:
        server = start_embedded(base / "server", database_name="by_hand")
        return measure(base, server.database, options.edits)
    finally:
        stop_embedded(base / "server")
        shutil.rmtree(base, ignore_errors=True)


def measure(base: Path, database: Database, edits: int) -> int:
    """Measure both, in turns."""
    ours, theirs = Project(_folder(base / "ours")), Project(_folder(base / "by-hand"))
    by_hand(theirs, database.url, "migrate")
    loop = Loop(ours, database.url)
    try:
        loop.next(0.0, "applied")
        dev = database.with_name("ours_dev")
        for one in (dev, database):
            with one.connect() as connection:
                connection.execute(ROWS.encode())
        times: dict[str, tuple[list[float], list[float]]] = {"a migration": ([], []), "a view": ([], [])}
        for number in range(1, edits + 1):
            for what, edit, commands in (
                ("a migration", Project.edit, ("rollback", "migrate")),
                ("a view", Project.edit_view, ("migrate",)),
            ):
                time.sleep(0.7)  # as a person does, who looks at the result: by then drift was looked for
                began = time.monotonic()
                edit(ours, number)
                times[what][0].append((loop.next(began, "applied") - began) * 1000)
                edit(theirs, number)
                times[what][1].append(by_hand(theirs, database.url, *commands))
        counts = []
        for one in (dev, database):
            with one.connect() as connection:
                counts.append(connection.execute(COUNT).fetchone())
    finally:
        loop.close()
    print("| edits of | dev, ms from save to result | the slowest | by hand, ms | ratio |")
    print("|---|---|---|---|---|")
    for what, (mine, hand) in times.items():
        a, b = statistics.median(mine), statistics.median(hand)
        print(f"| {what} | {a:.0f} | {max(mine):.0f} | {b:.0f} | {a / b:.2f} |")
    print(f"\nrows at the end, of 1000 and 1000: dev {counts[0]}, by hand {counts[1]}")
    slowest = max(max(mine) for mine, _ in times.values())
    return 0 if slowest <= BUDGET_MS and counts[0] == (1000, 1000) else 1


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


if __name__ == "__main__":
    for name in list(os.environ):
        if name.startswith(("PG", "WFLO_SCHEMA_")) or name == "DATABASE_URL":
            del os.environ[name]
    sys.exit(main())
