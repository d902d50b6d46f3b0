"""How long it takes to adopt a database, beside migrating an empty one with the same files, whole commands.

    python -m bench.adopt                        30, 300 and 1,000 one-table migrations
    python -m bench.adopt --count 300 --server 15

The database has all of them, and no ledger says so (*last*), or it has two thirds of them: then another tool's
ledger names the place (*named*), or nothing does (*sought*).  Runs are interleaved, and compared within a round.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from bench.peers import Tool, compare_counts, fresh_database, measure, one_table
from tests.conftest import RunningServer
from wflo_schema.connect.database import Database

# Time of `adopt` over that of `migrate`, at most, where the place is the last or is named.
TARGET = 3.0

CASES = ("last", "named", "sought")


def prepare(database: Database, tool: Tool, files: Path, case: str, *, count: int) -> None:
    """Make the database that is to be adopted."""
    number = count if case == "last" else count * 2 // 3
    part = files.parent / f"{files.name}-{number}"
    tool.write(part, [one_table(n) for n in range(number)])
    measure(tool.command(part, database.url), part)
    with database.connect() as connection:
        connection.execute("DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
        if case == "named":
            last = max(p.name for p in part.glob("*.sql") if not p.name.endswith(".rollback.sql"))
            connection.execute("CREATE TABLE schema_migrations (version text)")
            connection.execute("INSERT INTO schema_migrations VALUES (%s)", [last.removesuffix(".sql")])


def compare(server: RunningServer, tool: Tool, folder: Path, count: int, rounds: int) -> bool:
    """Print one line a case; say whether the targets are met."""
    files = folder / f"files{count}"
    tool.write(files, [one_table(n) for n in range(count)])
    migrating: list[float] = []
    adopting: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(rounds):
        with fresh_database(server, "bench") as database:
            migrating.append(measure(tool.command(files, database.url), files).seconds)
        for case in CASES:
            with fresh_database(server, "bench") as database:
                prepare(database, tool, files, case, count=count)
                command = [word if word != "migrate" else "adopt" for word in tool.command(files, database.url)]
                adopting[case].append(measure(command, files).seconds)
    is_met = True
    for case in CASES:
        ratio = statistics.median(a / m for a, m in zip(adopting[case], migrating, strict=True))
        met = case == "sought" or ratio <= TARGET
        is_met &= met
        aim = "" if case == "sought" else f"≤ {TARGET:.0f}: {'met' if met else 'MISSED'}"
        a, m = statistics.median(adopting[case]), statistics.median(migrating)
        print(f"| {count} | {case} | {m:.2f} | {a:.2f} | {a * 1000 / count:.1f} | {ratio:.2f} | {aim} |", flush=True)
    return is_met


def main() -> int:
    """Read the options, run, and return 1 where the target is missed."""
    columns = ("migrations", "the place is", "migrate, s", "adopt, s", "ms a migration", "adopt / migrate", "target")
    return compare_counts(__doc__, compare, what="files", counts=(30, 300, 1000), columns=columns)


if __name__ == "__main__":
    sys.exit(main())
