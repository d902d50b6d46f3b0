"""How many network round trips a migration costs, on a link with 20 ms of round trip.

    python -m bench.latency

Each tool applies the same files twice, over a link that delays and over one that does not; the
difference, divided by the round trip, is the number of round trips of the whole command, connecting,
reading the ledger and making it included.  The slope between few and many files is what one more
migration costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.peers import Tool, choose, fresh_database, measure, one_table, versions
from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.proxy import Proxy

# Round trips a migration, the command's own ones shared out among all of them.
TARGET = 1.2


def seconds(server: RunningServer, tool: Tool, folder: Path, *, delay_s: float) -> float:
    """Apply what is in ``folder`` to an empty database through the proxy."""
    port = int(server.database.parameters["port"])
    with fresh_database(server, "bench") as database, Proxy("127.0.0.1", port, delay_s=delay_s) as proxy:
        url = database.with_parameters(port=str(proxy.port)).url
        return measure(tool.command(folder, url), folder).seconds


def compare(
    server: RunningServer, tools: Sequence[Tool], folder: Path, *, few: int, many: int, rtt_ms: float, rounds: int
) -> bool:
    """Print the table; say whether the target is met."""
    trips: dict[tuple[str, int], list[float]] = {}
    took: dict[str, list[float]] = {}
    for tool in tools:
        for count in (few, many):
            tool.write(folder / f"{tool.name}{count}", [one_table(n) for n in range(count)])
    for _ in range(rounds):
        for tool in tools:
            for count in (few, many):
                there = folder / f"{tool.name}{count}"
                near = seconds(server, tool, there, delay_s=0.0)
                far = seconds(server, tool, there, delay_s=rtt_ms / 2000)
                trips.setdefault((tool.name, count), []).append((far - near) * 1000 / rtt_ms)
                if count == many:
                    took.setdefault(tool.name, []).append(far)
    is_met = True
    print(f"\n{many} migrations over a link of {rtt_ms:.0f} ms, median of {rounds}\n")
    print("| tool | seconds | round trips in all | a migration, all shared out | one more migration | target |")
    print("|---|---|---|---|---|---|")
    for tool in tools:
        a, b = (statistics.median(trips[tool.name, c]) for c in (few, many))
        cell = ""
        if tool.name == "wflo-schema":
            is_met = b / many <= TARGET
            cell = f"≤ {TARGET}: {'met' if is_met else 'MISSED'}"
        print(
            f"| {tool.name} | {statistics.median(took[tool.name]):.2f} | {b:.0f} | {b / many:.2f} "
            f"| {(b - a) / (many - few):.2f} | {cell} |",
            flush=True,
        )
    return is_met


def main() -> int:
    """Read the options, run, and return 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), default="15" if "15" in BIN else max(BIN))
    parser.add_argument("--tool", action="append", help="beside wflo-schema; default: all")
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--many", type=int, default=60)
    parser.add_argument("--rtt", type=float, default=20.0, help="milliseconds")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tools = choose(["wflo-schema", *options.tool] if options.tool else None)
    print(versions(tools))
    server = start_server(options.server)
    try:
        with tempfile.TemporaryDirectory(prefix="wfs") as name:
            is_met = compare(
                server, tools, Path(name), few=options.few, many=options.many, rtt_ms=options.rtt, rounds=options.rounds
            )
    finally:
        stop_server(server)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
