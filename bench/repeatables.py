"""How long repeatable files take beside `psql -1` with the same files in the right order, whole commands.

    python -m bench.repeatables                          10, 100 and 1,000 views, the worst order by name
    python -m bench.repeatables --count 300 --server 15

*first*: into a database that has the table only; *again*: nothing to do; *edited*: the view that all others are made
from has other columns.  Chains of ten views each, so that the depth does not grow with the number.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from bench.peers import Tool, compare_counts, fresh_database, measure
from tests.conftest import RunningServer

# Time of the first run over that of psql, at most.
TARGET = 3.0

_CHAIN = 10


def view(number: int, count: int, columns: str) -> str:
    """The text of a view: of the next one, or of the table."""
    is_last = number % _CHAIN == _CHAIN - 1 or number == count - 1
    source = f"SELECT {columns} FROM t" if is_last else f"SELECT * FROM v{number + 1:04}"
    return f"CREATE OR REPLACE VIEW v{number:04} AS {source};\n"


def write(folder: Path, count: int, columns: str) -> None:
    """The folder with one migration and so many repeatable files."""
    (folder / "repeatable").mkdir(parents=True, exist_ok=True)
    (folder / "1_t.sql").write_text("CREATE TABLE t (a int, b int, c int);\n")
    for number in range(count):
        (folder / "repeatable" / f"v{number:04}.sql").write_text(view(number, count, columns))


def compare(server: RunningServer, tool: Tool, folder: Path, count: int, rounds: int) -> bool:
    """Print a row for each; say whether the target is met."""
    took: dict[str, list[float]] = {}
    in_order = folder / "in_order.sql"
    in_order.write_text("".join(view(n, count, "a, b, c") for n in reversed(range(count))))
    psql = [str(server.bin / "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(in_order)]
    for _ in range(rounds):
        write(folder / "m", count, "a, b, c")
        with fresh_database(server, "bench") as database:
            measure([*psql[:-2], "-c", "CREATE TABLE t (a int, b int, c int)", database.url], folder)
            took.setdefault("psql", []).append(measure([*psql, database.url], folder).seconds)
        with fresh_database(server, "bench") as database:
            command = tool.command(folder / "m", database.url)
            took.setdefault("first", []).append(measure(command, folder).seconds)
            took.setdefault("again", []).append(measure(command, folder).seconds)
            write(folder / "m", count, "b, a, c")
            took.setdefault("edited", []).append(measure(command, folder).seconds)
    middle = {name: statistics.median(seconds) for name, seconds in took.items()}
    ratio = middle["first"] / middle["psql"]
    cells = " | ".join(f"{middle[name]:.2f} s" for name in ("psql", "first", "again", "edited"))
    print(f"| {count} | {cells} | {ratio:.1f} | ≤ {TARGET:.0f} |", flush=True)
    return ratio <= TARGET


def main() -> int:
    """Read the options, run, and return 1 where the target is missed."""
    columns = ("views", "psql -1", "first", "again", "edited", "first / psql", "target")
    return compare_counts(__doc__, compare, what="views", counts=(10, 100, 1000), columns=columns)


if __name__ == "__main__":
    sys.exit(main())
