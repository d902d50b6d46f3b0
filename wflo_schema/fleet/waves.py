"""Which targets are at work at the same time: some first and alone, then waves that double, a few of each at once.

Hides threads, and what happens where two targets want the same lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.fleet.connections import Keeper, NoSlot, Server, server_of, without_schema
from wflo_schema.fleet.outcomes import FleetOptions
from wflo_schema.fleet.targets import Target

# Ledgers that are read by one connection before others may help, and how many connections of a server read.
_READ_AT_ONCE, READERS = 500, 2

# Does one target on the worker's connection.
Work = Callable[[Target, Keeper], None]


def waves(targets: Sequence[Target], canary: int) -> Iterator[Sequence[Target]]:
    """The first ``canary`` of them, then each time twice as many; all at once where it is 0."""
    at, size = 0, canary or len(targets)
    while at < len(targets):
        yield targets[at : at + size]
        at, size = at + size, size * 2


class Crew:
    """Workers for each server, each with its connection; they stay from wave to wave."""

    def __init__(self, options: FleetOptions, stop: Stop, *, settings: Mapping[str, str] = WATCHED) -> None:
        self._options, self._stop = options, stop
        self._settings = settings
        self._servers: dict[tuple[str, str], Server] = {}
        self._keepers: dict[tuple[str, str], list[Keeper]] = {}
        self._is_ended = threading.Event()
        self.gate = Gate(stop)

    def run(self, targets: Sequence[Target], work: Work, *, most: int | None = None) -> list[Target]:
        """Do all of them, as many at once as each server has workers (or ``most``); return those that were not begun.

        What ``work`` raises ends it, and is raised once all workers are done.
        """
        by_server: dict[tuple[str, str], _Queue] = {}
        for target in targets:
            by_server.setdefault(server_of(target.database), _Queue()).add(target)
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=self._work, args=(keeper, queue, work, failures), daemon=True)
            for key, queue in by_server.items()
            for keeper in self._of(key, queue.count)[:most]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # a signal is handled in between
        if failures:
            raise failures[0]
        return [target for queue in by_server.values() for target in queue.rest()]

    def end(self) -> None:
        """Begin no other target."""
        self._is_ended.set()

    def close(self) -> None:
        """Close all connections."""
        for keepers in self._keepers.values():
            for keeper in keepers:
                keeper.close()

    def _of(self, key: tuple[str, str], targets: int) -> Sequence[Keeper]:
        """The workers of a server, no more than it has work for."""
        options = self._options
        if key not in self._servers:
            self._servers[key] = Server(
                options.jobs, patience_s=options.patience_s, stop=self._stop, settings=self._settings
            )
            self._keepers[key] = []
        keepers = self._keepers[key]
        while len(keepers) < min(options.jobs, targets):
            keepers.append(Keeper(self._servers[key]))
        return keepers[:targets]

    def _work(self, keeper: Keeper, queue: _Queue, work: Work, failures: list[BaseException]) -> None:
        number = self._keepers_before(keeper)
        try:
            while not (self._is_ended.is_set() or self._stop.is_requested):
                if number >= keeper.server.jobs or (target := queue.take(keeper.at)) is None:
                    break
                try:
                    work(target, keeper)
                except NoSlot:
                    queue.add(target)
                    break
        except BaseException as failure:  # noqa: BLE001 -- raised where all workers are done
            failures.append(failure)
            self._is_ended.set()

    def _keepers_before(self, keeper: Keeper) -> int:
        return next(k.index(keeper) for k in self._keepers.values() if keeper in k)


class _Queue:
    """Targets of one server that wait for a worker: each takes those of its database first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Database, deque[Target]] = {}
        self.count = 0

    def add(self, target: Target) -> None:
        with self._lock:
            self._waiting.setdefault(without_schema(target.database), deque()).append(target)
            self.count += 1

    def take(self, at: Database | None) -> Target | None:
        """The next one in the database that the worker is connected to, else in the one that most wait for."""
        with self._lock:
            if not self._waiting:
                return None
            place = at if at in self._waiting else max(self._waiting, key=lambda d: len(self._waiting[d]))
            assert place is not None
            target = self._waiting[place].popleft()
            if not self._waiting[place]:
                del self._waiting[place]
            return target

    def rest(self) -> list[Target]:
        return [target for waiting in self._waiting.values() for target in waiting]


class Gate:
    """Lets runs go side by side until one waits for what another of them holds; from then on one at a time.

    Tenants share what their migrations reference in a common schema.  Who steps aside holds nothing: its transaction
    was rolled back.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._inside = self._aside = 0
        self.is_serial = False

    def __enter__(self) -> None:
        with self._changed:
            self._wait(lambda: not self.is_serial or not (self._inside or self._aside))
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def step_aside(self) -> None:
        """Wait until no other run is inside; keep all others out until this one leaves."""
        with self._changed:
            self.is_serial = True
            self._inside -= 1
            self._aside += 1
            self._changed.notify_all()
            self._wait(lambda: not self._inside)
            self._aside -= 1
            self._inside += 1

    def _wait(self, is_free: Callable[[], bool]) -> None:
        while not is_free() and not self._stop.is_requested:
            self._changed.wait(0.2)


def by_database(targets: Sequence[Target]) -> Mapping[Database, list[Target]]:
    """Those of each database, in order."""
    found: dict[Database, list[Target]] = {}
    for target in targets:
        found.setdefault(without_schema(target.database), []).append(target)
    return found


def read_together(targets: Sequence[Target]) -> dict[str, list[Target]]:
    """Those whose ledgers are read together, by the name of the first of them; a target by itself is in none."""
    found: dict[str, list[Target]] = {}
    for of_database in by_database(targets).values():
        together = [
            t
            for t in of_database
            if t.failure is None and t.database.schema is not None and t.database.ledger_apart is None
        ]
        for at in range(0, len(together), _READ_AT_ONCE) if len(together) > 1 else ():
            found[together[at].name] = together[at : at + _READ_AT_ONCE]
    return found
