"""What it costs to start: the whole command beside a bare Python that imports and does the least it could.

    python -m bench.startup

``migrate`` with nothing to do, beside a Python that imports psycopg and click, connects and runs one query;
``--version`` and ``--help`` beside one that imports click.  The two are run in turn, and each pair gives a
ratio, of wall time and of CPU time; the median counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.migrate import BARE, median, spread, verdict
from bench.peers import fresh_database, measure
from tests.conftest import BIN, start_server, stop_server

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

# Our time over theirs, at most.
MIGRATE, CLICK = 1.1, 1.3

# Prints how many modules are loaded when a command has run.
COUNT = """
import atexit, sys
atexit.register(lambda: print(len(sys.modules), sum(m.startswith("wflo_schema") for m in sys.modules), file=sys.stderr))
from wflo_schema.__main__ import main
main()
"""


def modules(words: Sequence[str]) -> tuple[int, int]:
    """How many modules a command loads, and how many of them are ours."""
    done = subprocess.run([sys.executable, "-c", COUNT, *words], capture_output=True, text=True, check=True)
    every, ours = done.stderr.split()[-2:]
    return int(every), int(ours)


def compare(name: str, ours: Sequence[str], theirs: Sequence[str], most: float, rounds: int) -> bool:
    """Print one row; say whether the target is met."""
    folder = Path.cwd()
    measure(ours, folder)
    measure(theirs, folder)
    wall: list[float] = []
    cpu: list[float] = []
    least = 0.0
    for number in range(rounds):
        pair = (ours, theirs) if number % 2 else (theirs, ours)
        runs = [measure(command, folder) for command in pair]
        a, b = runs if number % 2 else reversed(runs)
        wall.append(a.seconds / b.seconds)
        cpu.append(a.cpu_s / b.cpu_s)
        least = b.seconds if not least else min(least, b.seconds)
    every, own = modules(ours[3:])
    is_met = median(wall) <= most
    print(
        f"| {name} | {spread(wall)} | {median(cpu):.2f} "
        f"| {least * 1000:.0f} ms | {every}, {own} ours | ≤ {most}: {verdict(is_met)} |",
        flush=True,
    )
    return is_met


def main() -> int:
    """Read the options, run, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), default=max(BIN))
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    python = [sys.executable, "-c"]
    command = [sys.executable, "-m", "wflo_schema"]
    server = start_server(options.server)
    try:
        with fresh_database(server, "bench") as database:
            words = ["migrate", "--database-url", database.url, "--migrations", str(MIGRATIONS)]
            measure([*command, *words], Path.cwd())
            print(f"median of {options.rounds} pairs, Python {sys.version.split()[0]}, PostgreSQL {options.server}\n")
            print("| | wall, ours / bare (least–most) | CPU, ours / bare | bare, least | modules | target |")
            print("|---|---|---|---|---|---|")
            click = [*python, "import click"]
            met = [
                compare(
                    "migrate, nothing to do", [*command, *words], [*python, BARE, database.url], MIGRATE, options.rounds
                ),
                compare("--version", [*command, "--version"], click, CLICK, options.rounds),
                compare("--help", [*command, "--help"], click, CLICK, options.rounds),
            ]
    finally:
        stop_server(server)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
