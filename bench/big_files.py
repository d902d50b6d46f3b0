"""How long one big file takes, and how much memory: wflo-schema beside ``psql -1`` on the same file.

    python -m bench.big_files                    PostgreSQL 15 and 18, in memory
    python -m bench.big_files --server 15 --only inserts --rounds 3

Runs are interleaved (A B A B …) and compared within a round; what counts is the median of the rounds' ratios.
Then the same INSERTs ten and a hundred times over: what one costs should stay what it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.migrate import median, spread, verdict
from bench.peers import Run, Tool, choose, fresh_database, measure, versions
from tests.conftest import BIN, RunningServer, start_server, stop_server

# Our time over psql's, at most.
TARGET = 1.3

# Peak memory over that of a file with one statement: so many times the file's size, at most, and that much beside.
# Of a long statement libpq keeps two copies, psql's as well as ours: there it is what psql takes, and the file.
MEMORY, BESIDE_MIB = 2.0, 24.0


@dataclass(frozen=True)
class Case:
    """One kind of big file.  ``write`` yields it in parts, for a number of pieces; ``target``: None for no verdict."""

    name: str
    number: int
    write: Callable[[int], Iterator[str]]
    what: str
    target: float | None = TARGET


def _table() -> str:
    return "CREATE TABLE t (id integer, name text, at timestamptz);\n"


def _inserts(number: int) -> Iterator[str]:
    yield _table()
    for n in range(number):
        yield f"INSERT INTO t (id, name) VALUES ({n}, 'the name of {n}');\n"


_LONG = "a long; one " * 15


def _long_inserts(number: int) -> Iterator[str]:
    yield _table()
    for n in range(number):
        yield f"INSERT INTO t (id, name) VALUES ({n}, '{'its long; ' * 16}{n}');\n"


def _one_statement(number: int) -> Iterator[str]:
    yield _table()
    yield "INSERT INTO t (id, name) VALUES\n"
    for n in range(number):
        yield f"{',' if n else ''}({n}, 'the name of {n}')\n"
    yield ";\n"


def _literal(number: int) -> Iterator[str]:
    yield _table()
    yield "INSERT INTO t (name) VALUES ('"
    for n in range(number):
        yield f"line {n} of one; long text\n"
    yield "');\n"


def _copy(number: int) -> Iterator[str]:
    yield _table()
    yield "COPY t (id, name) FROM stdin;\n"
    for n in range(number):
        yield f"{n}\tthe name of {n}\n"
    yield "\\.\n"


def _notices(number: int) -> Iterator[str]:
    yield f"DO $$ BEGIN FOR n IN 1..{number} LOOP RAISE NOTICE 'notice %', n; END LOOP; END $$;\n"


CASES = (
    Case("inserts", 300_000, _inserts, "one-line INSERTs"),
    Case("long", 100_000, _long_inserts, "INSERTs of 200 bytes and more"),
    Case("statement", 850_000, _one_statement, "rows in one INSERT"),
    Case("literal", 900_000, _literal, "lines in one literal"),
    Case("copy", 700_000, _copy, "rows of COPY data"),
    Case("notices", 100_000, _notices, "NOTICEs"),
)


def _write(case: Case, number: int, folder: Path) -> float:
    """Write the file; return its size in MiB."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "1_big.sql"
    with path.open("w") as file:
        file.writelines(case.write(number))
    return path.stat().st_size / (1 << 20)


def _run(server: RunningServer, tool: Tool, folder: Path) -> Run:
    with fresh_database(server, "bench") as database:
        command = tool.command(folder, database.url)
        if tool.name == "psql":
            command = [*command[:-2], "-1", "-f", "1_big.sql"]
        return measure(command, folder)


def beside_psql(server: RunningServer, tools: dict[str, Tool], case: Case, *, number: int, rounds: int) -> bool:
    """Print the times and the memory of one kind of file; say whether the targets are met."""
    with tempfile.TemporaryDirectory(prefix="wfs") as name:
        folder = Path(name)
        _write(CASES[-1], 1, folder / "small")
        small = _run(server, tools["wflo-schema"], folder / "small").peak_kib / 1024
        size = _write(case, number, folder / "big")
        ours, theirs = [], []
        for n in range(rounds):
            for tool in tools.values() if n % 2 else reversed(tools.values()):
                (ours if tool.name == "wflo-schema" else theirs).append(_run(server, tool, folder / "big"))
    ratios = [a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True)]
    more = median([r.peak_kib for r in ours]) / 1024 - small
    is_fast = case.target is None or median(ratios) <= case.target
    psqls = median([r.peak_kib for r in theirs]) / 1024
    is_small = more <= max(MEMORY * size, psqls + size) + BESIDE_MIB
    print(
        f"| {number:,} {case.what} | {size:.1f} | {median([r.seconds for r in ours]):.2f} "
        f"| {median([r.seconds for r in theirs]):.2f} | {spread(ratios)} | ≤ {case.target}: {verdict(is_fast)} "
        f"| {more:.0f} | {psqls:.0f} | {verdict(is_small)} |",
        flush=True,
    )
    return is_fast and is_small


def growth(server: RunningServer, ours: Tool, *, number: int) -> None:
    """Print what one INSERT costs in files of 1, 10 and 100 times the size."""
    case = CASES[0]
    print("\n| INSERTs in one file | seconds | µs each |\n|---|---|---|")
    for times in (1, 10, 100):
        with tempfile.TemporaryDirectory(prefix="wfs") as name:
            _write(case, number * times, Path(name))
            seconds = _run(server, ours, Path(name)).seconds
        print(f"| {number * times:,} | {seconds:.2f} | {seconds / number / times * 1e6:.0f} |", flush=True)


def main() -> int:
    """Read the options, run, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), action="append", help="version; default: all here")
    parser.add_argument("--only", choices=[*(c.name for c in CASES), "growth"], action="append")
    parser.add_argument("--scale", type=float, default=1.0, help="of the files' sizes")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tools = {t.name: t for t in choose(["wflo-schema", "psql"])}
    print(versions(tuple(tools.values())))
    is_met = True
    for version in options.server or sorted(BIN):
        server = start_server(version)
        try:
            print(f"\n## PostgreSQL {version}, in memory, median of {options.rounds} rounds\n")
            print("| file | MiB | s | psql -1, s | ratio | target | MiB more than a small file | psql | small |")
            print("|---|---|---|---|---|---|---|---|---|")
            for case in CASES:
                if not options.only or case.name in options.only:
                    number = max(1, int(case.number * options.scale))
                    is_met &= beside_psql(server, tools, case, number=number, rounds=options.rounds)
            if not options.only or "growth" in options.only:
                growth(server, tools["wflo-schema"], number=max(1, int(10_000 * options.scale)))
        finally:
            stop_server(server)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
