"""Run the benchmarks: ``python -m bench`` all of them, ``python -m bench migrate faults`` some.

What follows ``--`` goes to the one benchmark that is named: ``python -m bench migrate -- --rounds 3``.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time

# Each benchmark is run once for each of its tuples of arguments when none are given.
NAMES = tuple(
    "startup migrate together big_files adopt imports latency faults check diff testdb dev trace live linters "
    "fleet".split()
)
DEFAULTS: dict[str, tuple[tuple[str, ...], ...]] = {"check": (("speed",), ("whole",), ("scores",))}


def main(words: list[str]) -> int:
    """Run each benchmark in a process of its own (peak memory is measured); return the worst exit code."""
    cut = words.index("--") if "--" in words else len(words)
    names, rest = words[:cut] or list(NAMES), words[cut + 1 :]
    unknown = [n for n in names if n not in NAMES]
    if unknown or (rest and len(names) != 1):
        print(f"usage: python -m bench [{' | '.join(NAMES)} …] [-- options of the one that is named]", file=sys.stderr)
        return 2
    worst = 0
    for name in names:
        if importlib.util.find_spec(f"bench.{name}") is None:
            print(f"# {name}: there is no such benchmark yet", flush=True)
            continue
        for arguments in (tuple(rest),) if rest else DEFAULTS.get(name, ((),)):
            print(f"# {' '.join((name, *arguments))}", flush=True)
            began = time.monotonic()
            worst = max(worst, subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments]).returncode)
            print(f"({time.monotonic() - began:.0f} s)\n", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
