"""How long it takes to import another tool's folder and prove it, beside migrating an empty database, whole commands.

    python -m bench.imports                       100 and 1,000 migrations
    python -m bench.imports --count 1000 --server 15

The folder is golang-migrate's: each migration has a file that takes it back (*pairs*), or none has (*forward*).  The
proof of pairs runs them up both ways, and down both ways.  What is migrated are the very files that were
imported.  Runs are interleaved, and compared within a round.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from pathlib import Path

from bench.peers import Tool, compare_counts, fresh_database, measure, one_table
from tests.conftest import RunningServer

# Time of `import` over that of `migrate`, at most.
TARGET = 3.0

CASES = ("pairs", "forward")


def write_folder(folder: Path, *, count: int, with_down: bool) -> None:
    """Write a folder of golang-migrate with so many one-table migrations."""
    folder.mkdir()
    for n in range(count):
        (folder / f"{n + 1:06}_create_t{n}.up.sql").write_text(one_table(n).sql)
        if with_down:
            (folder / f"{n + 1:06}_create_t{n}.down.sql").write_text(f"DROP TABLE t{n};\n")


def compare(server: RunningServer, tool: Tool, folder: Path, count: int, rounds: int) -> bool:
    """Print one line a case; say whether the target is met in each."""
    met = [_compare_case(server, tool, folder, case, count=count, rounds=rounds) for case in CASES]
    return all(met)


def _compare_case(server: RunningServer, tool: Tool, folder: Path, case: str, *, count: int, rounds: int) -> bool:
    theirs = folder / f"{case}{count}"
    write_folder(theirs, count=count, with_down=case == "pairs")
    importing: list[float] = []
    migrating: list[float] = []
    for n in range(rounds):
        ours = folder / f"{case}{count}-{n}"
        with fresh_database(server, "bench") as database:
            command = [str(tool.program), "-m", "wflo_schema", "import", str(theirs), "--into", str(ours), "--write"]
            importing.append(measure([*command, "--database-url", database.url], folder).seconds)
        with fresh_database(server, "bench") as database:
            migrating.append(measure(tool.command(ours, database.url), ours).seconds)
        shutil.rmtree(ours)
    ratio = statistics.median(i / m for i, m in zip(importing, migrating, strict=True))
    i, m = statistics.median(importing), statistics.median(migrating)
    aim = f"≤ {TARGET:.0f}: {'met' if ratio <= TARGET else 'MISSED'}"
    load = os.getloadavg()[0]
    print(
        f"| {count} | {case} | {m:.2f} | {i:.2f} | {i * 1000 / count:.1f} | {ratio:.2f} | {aim} | {load:.1f} |",
        flush=True,
    )
    return ratio <= TARGET


def main() -> int:
    """Read the options, run, and return 1 where the target is missed."""
    columns = ("migrations", "with", "migrate, s", "import, s", "ms a migration", "import / migrate", "target", "load")
    return compare_counts(__doc__, compare, what="migrations", counts=(100, 1000), columns=columns)


if __name__ == "__main__":
    sys.exit(main())
