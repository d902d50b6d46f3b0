"""Clients that write a row every 2 ms, and say how long the slowest of their statements took.

``python -m bench.writers URL TABLE SEED`` is one of them: it inserts a row and updates one by its key, in turn, each in
a transaction of its own.  A line on its input ends a window: it prints one JSON object about it.  The end of its
input ends the writer.
"""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from bench.peers import ENVIRONMENT, ROOT

EVERY_S = 0.002

# So that one whose parent was killed ends by itself.
LONGEST_RUN_S = 1800.0

# The row that the client of `bench.live` holds, which no writer asks for.
HELD_KEY = 1

_INSERT = (
    "INSERT INTO {table} (customer, quantity, price, total, city, status, note) "
    "VALUES (%(any)s, 1 + %(any)s %% 50, 7, 7 * (1 + %(any)s %% 50), 'a city', 'new', 'written by a writer')"
)
_UPDATE = (
    "UPDATE {table} SET quantity = 1 + %(any)s %% 50, total = price * (1 + %(any)s %% 50), changed_at = now() "
    "WHERE id = %(key)s"
)


@dataclass(frozen=True)
class Window:
    """What writers saw between two lines: all of them together, where there are several."""

    longest_s: float
    statements: int
    errors: tuple[str, ...]


class Writers:
    """Running writers of one table."""

    def __init__(self, programs: Sequence[subprocess.Popen[str]]) -> None:
        self._programs = programs

    def window(self) -> Window:
        """End the window that began at the last call, and wait for those who still wait for their statement."""
        for program in self._programs:
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        said = []
        for program in self._programs:
            assert program.stdout is not None
            line = program.stdout.readline()
            if not line:
                raise RuntimeError(f"a writer ended with exit code {program.wait()}")
            said.append(json.loads(line))
        return Window(
            max((s["longest_s"] for s in said), default=0.0),
            sum(s["statements"] for s in said),
            tuple(sorted({e for s in said for e in s["errors"]})),
        )


@contextmanager
def writing(url: str, table: str, *, count: int) -> Iterator[Writers]:
    """So many writers, each at work and past its first statements."""
    command = [sys.executable, "-m", "bench.writers", url, table]
    programs = [
        subprocess.Popen(
            [*command, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=ENVIRONMENT,
        )
        for seed in range(count)
    ]
    try:
        writers = Writers(programs)
        while writers.window().statements < 20 * count:
            time.sleep(0.1)
        yield writers
    finally:
        for program in programs:
            assert program.stdin is not None
            program.stdin.close()
        for program in programs:
            try:
                program.wait(timeout=10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


def main(url: str, table: str, seed: int) -> None:
    """Write until the input ends."""
    chance = random.Random(seed)
    statements = [text.format(table=table) for text in (_INSERT, _UPDATE)]
    longest_s, done = 0.0, 0
    errors: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(f"SELECT max(id) FROM {table}").fetchone()
        last = row[0] if row and row[0] else HELD_KEY + 1
        due = time.monotonic()
        ends_at = due + LONGEST_RUN_S
        while (now := time.monotonic()) < ends_at:
            if select.select([sys.stdin], [], [], max(0.0, due - now))[0]:
                if not sys.stdin.readline():
                    return
                print(json.dumps({"longest_s": longest_s, "statements": done, "errors": errors}), flush=True)
                longest_s, done, errors = 0.0, 0, []
                continue
            began = time.monotonic()
            due = max(began, due + EVERY_S)
            values = {"any": chance.randrange(1_000_000), "key": chance.randint(HELD_KEY + 1, last)}
            try:
                connection.execute(statements[done % 2], values)
            except psycopg.Error as error:
                errors.append(f"{error.sqlstate}: {error.diag.message_primary}")
                if connection.closed:
                    raise
            longest_s = max(longest_s, time.monotonic() - began)
            done += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
