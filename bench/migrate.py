"""How long whole commands take to apply migrations: wflo-schema beside one psql process, yoyo, Alembic and dbmate.

    python -m bench.migrate                      PostgreSQL 15 and 18, durable, 1,000 and 10,000 files
    python -m bench.migrate --only pending --server 18 --fsync off

Runs are interleaved (A B C A B C …) and compared within a round, so that a busy machine slows all
of them: what counts is the median of the rounds' ratios.  Each server is a throwaway one with its
default settings, fsync among them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.peers import File, Run, Tool, choose, fresh_database, measure, one_table, versions
from tests.conftest import BIN, RunningServer, start_server, stop_server

# Our time over theirs, at most; and that of the server's processors beside psql, with one insert into a ledger each.
TARGETS = {"psql": 1.0, "yoyo": 1 / 2.2, "alembic": 1.0, "dbmate": 1.0}
CONCURRENT = {"psql": 1.5}
BACKEND = 1.05

# In the table whose indexes are built one by one.
ROWS = (0, 10_000)

NOTHING_TO_DO = 1.5
MEMORY = 1.5

BARE = """
import sys, psycopg, click
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute("SELECT 1").fetchone()
"""


def median(numbers: Sequence[float]) -> float:
    return statistics.median(numbers)


def spread(numbers: Sequence[float]) -> str:
    """The median with the smallest and the largest."""
    return f"{median(numbers):.2f} ({min(numbers):.2f}–{max(numbers):.2f})"


def verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def filled(rows: int) -> File:
    """The file of `one_table` (0), with rows in the table."""
    table = one_table(0)
    sql = f"INSERT INTO t0 (id, name) SELECT n, md5(n::text) FROM generate_series(1, {rows}) AS n;\n"
    return replace(table, sql=table.sql + sql)


def one_index(number: int) -> File:
    """A file that builds an index without stopping writers, of the table of `filled`."""
    sql = f"CREATE INDEX CONCURRENTLY i{number} ON t0 (name);\n"
    return File(f"{20250101000000 + number}_index-i{number}", sql, is_transactional=False)


def pending(
    server: RunningServer,
    tools: Sequence[Tool],
    folder: Path,
    files: Sequence[File],
    *,
    what: str,
    rounds: int,
    targets: Mapping[str, float],
) -> bool:
    """Print the times of applying ``files``; say whether the targets are met."""
    for tool in tools:
        tool.write(folder / tool.name, files)
    runs: dict[str, list[Run]] = {t.name: [] for t in tools}
    for number in range(rounds):
        for tool in (*tools[number % len(tools) :], *tools[: number % len(tools)]):
            with fresh_database(server, "bench") as database:
                command = tool.command(folder / tool.name, database.url)
                runs[tool.name].append(measure(command, folder / tool.name, server=server))
    ours = [r.seconds for r in runs["wflo-schema"]]
    print(f"\n{len(files)} pending {what}, median of {rounds} interleaved rounds\n")
    print(
        "| tool | seconds | CPU s, client + backends | peak MiB | wflo-schema / it (least–most) | target "
        "| CPU of backends / its |"
    )
    print("|---|---|---|---|---|---|---|")
    is_met = True
    for tool in tools:
        theirs = runs[tool.name]
        ratios = [a / b.seconds for a, b in zip(ours, theirs, strict=True)]
        cells = ["", "", ""]
        if tool.name in targets:
            met = median(ratios) <= targets[tool.name]
            is_met &= met
            pairs = zip(runs["wflo-schema"], theirs, strict=True)
            backends = [a.backend_cpu_s / b.backend_cpu_s for a, b in pairs if b.backend_cpu_s]  # in ticks of 10 ms
            said = spread(backends) if backends else "too short to tell"
            cells = [spread(ratios), f"≤ {targets[tool.name]:.2f}: {verdict(met)}", said]
            if backends and tool.name == "psql" and targets is TARGETS:
                is_met &= median(backends) <= BACKEND
                cells[2] += f", ≤ {BACKEND}: {verdict(median(backends) <= BACKEND)}"
        print(
            f"| {tool.name} | {median([r.seconds for r in theirs]):.2f} | "
            f"{median([r.cpu_s for r in theirs]):.2f} + {median([r.backend_cpu_s for r in theirs]):.2f} "
            f"| {median([r.peak_kib for r in theirs]) / 1024:.0f} | {' | '.join(cells)} |",
            flush=True,
        )
    return is_met


def nothing_to_do(server: RunningServer, ours: Tool, folder: Path, *, count: int, rounds: int) -> bool:
    """Print what a run costs that finds ``count`` applied, beside a bare Python that connects."""
    ours.write(folder / "nothing", [one_table(n) for n in range(count)])
    found: list[float] = []
    bare_s: list[float] = []
    with fresh_database(server, "bench") as database:
        command = ours.command(folder / "nothing", database.url)
        bare = [str(ours.program), "-c", BARE, database.url]
        measure(command, folder)
        measure(bare, folder)
        for _ in range(rounds):
            a, b = measure(command, folder).seconds, measure(bare, folder).seconds
            found.append(a / b)
            bare_s.append(b)
    met = median(found) <= NOTHING_TO_DO
    print(
        f"\nnothing to do, {count} applied: {spread(found)} × a bare Python that imports psycopg and click, "
        f"connects and runs one query ({median(bare_s):.3f} s); target ≤ {NOTHING_TO_DO}: {verdict(met)}",
        flush=True,
    )
    return met


def scale(server: RunningServer, ours: Tool, folder: Path, *, small: int, large: int, rounds: int) -> bool:
    """Print time for each file and peak memory of ``large`` against ``small``."""
    is_met = True
    seconds: dict[tuple[str, int], list[float]] = {}
    peaks: dict[tuple[str, int], list[float]] = {}
    for count in (small, large):
        ours.write(folder / f"scale{count}", [one_table(n) for n in range(count)])
    for _ in range(rounds):
        for count in (small, large):
            with fresh_database(server, "bench") as database:
                command = ours.command(folder / f"scale{count}", database.url)
                for kind in ("pending", "nothing to do"):
                    run = measure(command, folder)
                    seconds.setdefault((kind, count), []).append(run.seconds)
                    peaks.setdefault((kind, count), []).append(run.peak_kib / 1024)
    print(f"\n{large} files beside {small}, median of {rounds}\n")
    print(f"| | ms a file, {small} | {large} | ratio | peak MiB, {small} | {large} | ratio | target |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("pending", "nothing to do"):
        a, b = (median(seconds[kind, c]) * 1000 / c for c in (small, large))
        x, y = (median(peaks[kind, c]) for c in (small, large))
        met = y / x < MEMORY
        is_met &= met
        print(
            f"| {kind} | {a:.3f} | {b:.3f} | {b / a:.2f} | {x:.1f} | {y:.1f} | {y / x:.2f} "
            f"| memory < {MEMORY}: {verdict(met)} |",
            flush=True,
        )
    return is_met


def main() -> int:
    """Read the options, run, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), action="append", help="version; default: all here")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--only", choices=("pending", "concurrent", "nothing", "scale"), action="append")
    parser.add_argument("--tool", action="append", help="beside wflo-schema: psql, yoyo, alembic, dbmate; default: all")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    tools = choose(["wflo-schema", *options.tool] if options.tool else None)
    ours = tools[0]
    print(versions(tools))
    parts = options.only or ["pending", "concurrent", "nothing", "scale"]
    is_met = True
    for version in options.server or sorted(BIN):
        settings = {"fsync": options.fsync, "full_page_writes": options.fsync}
        server = start_server(version, settings=settings, is_on_disk=options.fsync == "on")
        try:
            with tempfile.TemporaryDirectory(prefix="wfs") as name, server.database.connect() as connection:
                row = connection.execute("SHOW server_version").fetchone()
                connection.close()
                place = "on disk" if options.fsync == "on" else "in memory"
                print(f"\n## PostgreSQL {row[0] if row else version}, fsync {options.fsync}, {place}", flush=True)
                folder = Path(name)
                if "pending" in parts:
                    tables = [one_table(n) for n in range(options.count)]
                    what = "one-table migrations"
                    is_met &= pending(server, tools, folder, tables, what=what, rounds=options.rounds, targets=TARGETS)
                if "concurrent" in parts:
                    both = [t for t in tools if t.name in ("wflo-schema", *CONCURRENT)]
                    for rows in ROWS:
                        files = [filled(rows), *(one_index(n) for n in range(1, 101))]
                        what = f"migrations, all but the first CREATE INDEX CONCURRENTLY on {rows:,} rows"
                        is_met &= pending(
                            server, both, folder, files, what=what, rounds=options.rounds, targets=CONCURRENT
                        )
                if "nothing" in parts:
                    is_met &= nothing_to_do(server, ours, folder, count=options.count, rounds=options.rounds * 3)
                if "scale" in parts:
                    rounds = max(1, options.rounds // 3)
                    is_met &= scale(server, ours, folder, small=options.count, large=options.large, rounds=rounds)
        finally:
            stop_server(server)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
