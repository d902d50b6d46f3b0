"""Which targets are at work at the same time: some first and alone, then waves that double, a few of each at once.

Hides threads, and what happens where two targets want the same lock.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.connect.pipeline import Stop, StoppedWaiting
from wflo_schema.engine.kept import Known
from wflo_schema.errors import WfloSchemaError
from wflo_schema.fleet.connections import Keeper, NoSlot, Server, server_of
from wflo_schema.fleet.outcomes import FleetOptions
from wflo_schema.fleet.reading import Read, Reader
from wflo_schema.fleet.targets import Target, by_database

# Ledgers that are read by one connection before others may help, the first ones, from which it is soon known whether
# there is something to do, and how many connections of a server read.
_READ_AT_ONCE, _READ_FIRST, _READERS = 500, 50, 2

# What the engine, and what it stands on, import only when they need it.  It is imported before there are threads that
# work: of two that import the same at once, one may see half a module.
_WHEN_NEEDED = (
    "difflib",
    "pwd",
    "random",
    "shlex",
    "stat",
    "unicodedata",
    "uuid",
    "postgast",
    "wflo_schema.catalog.orphans",
    "wflo_schema.connect.passwords",
    "wflo_schema.connect.versions",
    "wflo_schema.engine.first_run",
    "wflo_schema.engine.repeating",
    "wflo_schema.engine.stepwise",
    "wflo_schema.engine.taken_over",
    "wflo_schema.files.creations",
    "wflo_schema.files.faults",
    "wflo_schema.files.layouts",
    "wflo_schema.files.numbering",
    "wflo_schema.files.overlaps",
    "wflo_schema.files.splitting",
    "wflo_schema.files.statements",
    "wflo_schema.files.tokens",
    "wflo_schema.files.variables",
    "wflo_schema.files.versions",
    "wflo_schema.server.installed",
)

# Seconds between two looks whether a signal came.
_LOOK_S = 0.2

# Does one target on the worker's connection.
Work = Callable[[Target, Keeper], None]


def waves(targets: Sequence[Target], canary: int) -> Iterator[Sequence[Target]]:
    """The first ``canary`` of them, then each time twice as many; all at once where it is 0."""
    at, size = 0, canary or len(targets)
    while at < len(targets):
        yield targets[at : at + size]
        at, size = at + size, size * 2


class Crew:
    """Workers for each server, each with its connection; ``keeps``: these stay open until it is closed."""

    def __init__(
        self, options: FleetOptions, stop: Stop, *, settings: Mapping[str, str] = WATCHED, keeps: bool = False
    ) -> None:
        self._options, self._stop, self._keeps = options, stop, keeps
        self._idle: dict[tuple[str, str], list[Keeper]] = {}
        self._settings = settings
        self._servers: dict[tuple[str, str], Server] = {}
        self._gates: dict[Database, Gate] = {}
        self._is_ended = threading.Event()
        self._changed = threading.Condition()
        self._at_work = 0
        self._is_engine_needed = False
        self.make_room: Callable[[], None] = lambda: None
        """Is called where a server has no room for any connection of a worker: gives up what is not needed most."""

    def run(
        self,
        targets: Sequence[Target],
        work: Work,
        *,
        end: Callable[[Keeper], None] = lambda keeper: None,
        reads: bool = False,
    ) -> None:
        """Do all of them, as many at once as each server has workers, until a stop is requested or the end is said.

        ``end`` is called by each worker behind its last.  It only ``reads`` ledgers: two workers of a server do, and
        the engine is not needed, unless `get_ready` says that it will be.

        What ``work`` raises ends it, and is raised once all workers are done.
        """
        self._is_engine_needed = not reads
        if not reads:
            _import_all()
        queues: dict[tuple[str, str], _Queue] = {}
        for place, those in by_database(targets).items():
            queues.setdefault(server_of(place), _Queue()).add(place, those)
            self._gates.setdefault(place, Gate(self._stop))
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=self._work, args=(self._keeper(key), key, queue, work, end, failures), daemon=True)
            for key, queue in queues.items()
            for _ in range(queue.begin(min(self._options.jobs, _READERS) if reads else self._options.jobs))
        ]
        self._at_work = len(threads)
        for thread in threads:
            thread.start()
        try:
            with self._changed:
                while self._at_work and not self._is_engine_needed:
                    self._changed.wait(_LOOK_S)  # a signal is handled in between
            if self._is_engine_needed:
                _import_all()
            _join(threads)
        except BaseException:
            self._stop.request(signal.SIGINT)
            _join(threads)
            raise
        if failures:
            raise failures[0]

    def get_ready(self) -> None:
        """There will be something to do once all is read: what that needs is imported meanwhile."""
        with self._changed:
            self._is_engine_needed = True
            self._changed.notify_all()

    def end(self) -> None:
        """Begin no other target."""
        self._is_ended.set()

    def gate(self, target: Target) -> Gate:
        """Where the runs in its database go through."""
        return self._gates[target.place]

    def close(self) -> None:
        """Close all connections."""
        for keeper in itertools.chain.from_iterable(self._idle.values()):
            keeper.close()
        self._idle.clear()

    def _keeper(self, key: tuple[str, str]) -> Keeper:
        idle = self._idle.get(key)
        return idle.pop() if idle else Keeper(self._server(key))

    def _server(self, key: tuple[str, str]) -> Server:
        if key not in self._servers:
            options = self._options
            self._servers[key] = Server(
                options.jobs,
                patience_s=options.patience_s,
                stop=self._stop,
                settings=self._settings,
                make_room=self.make_room,
            )
        return self._servers[key]

    def _work(
        self,
        keeper: Keeper,
        key: tuple[str, str],
        queue: _Queue,
        work: Work,
        end: Callable[[Keeper], None],
        failures: list[BaseException],
    ) -> None:
        keeper.waits = False
        try:
            while not (self._is_ended.is_set() or self._stop.is_requested):
                target = queue.take(keeper.at)
                if target is None:
                    break
                try:
                    work(target, keeper)
                except NoSlot:
                    if queue.give_back(target):
                        break
                    keeper.waits = True
            end(keeper)
        except BaseException as failure:  # noqa: BLE001 -- raised where all workers are done
            failures.append(failure)
            self._is_ended.set()
        finally:
            if not self._keeps or keeper.held:
                keeper.close()
            with self._changed:
                self._idle.setdefault(key, []).append(keeper)
                self._at_work -= 1
                self._changed.notify_all()


def _import_all() -> None:
    for name in _WHEN_NEEDED:
        importlib.import_module(name)


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_LOOK_S)


class _Queue:
    """Targets of one server that wait for a worker: each takes those of its database first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Database, deque[Target]] = {}
        self._workers = 0

    def add(self, place: Database, targets: Iterable[Target]) -> None:
        self._waiting[place] = deque(targets)

    def begin(self, most: int) -> int:
        """How many workers there are: no more than targets."""
        self._workers = min(most, sum(map(len, self._waiting.values())))
        return self._workers

    def take(self, at: Database | None) -> Target | None:
        """The next one in the database that the worker is connected to, else in the one that most wait for.

        A worker who gets none leaves.
        """
        with self._lock:
            if not self._waiting:
                self._workers -= 1
                return None
            place = at if at in self._waiting else max(self._waiting, key=lambda d: len(self._waiting[d]))
            assert place is not None
            target = self._waiting[place].popleft()
            if not self._waiting[place]:
                del self._waiting[place]
            return target

    def give_back(self, target: Target) -> bool:
        """Leave it to others; say whether there are any, else it must be waited for."""
        with self._lock:
            self._waiting.setdefault(target.place, deque()).appendleft(target)
            has_others = self._workers > 1
            self._workers -= has_others
            return has_others


# How many go one at a time after two have been in each other's way; twice as many each time it happens again.
_FIRST_SPELL, _LONGEST_SPELL = 16, 4096


class Gate:
    """Lets runs go side by side until one is in another's way; then it goes alone, and some after it one at a time.

    Tenants share what their migrations reference or change in a common schema.  Who steps aside holds nothing: its
    transaction was rolled back.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._inside = self._aside = 0
        self._spell = _FIRST_SPELL
        self._one_by_one = 0
        """How many more go one at a time."""

    @contextlib.contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait until one more may go, and let it."""
        turn = Turn(self)
        with self._changed:
            self._wait(lambda: not self._aside and not (self._one_by_one and self._inside))
            self._inside += 1
            self._one_by_one -= self._one_by_one > 0
        try:
            yield turn
        finally:
            with self._changed:
                self._inside -= 1
                self._aside -= turn.is_alone
                self._changed.notify_all()

    def wait_alone(self) -> None:
        """Wait until no other run is inside; keep all others out until this one leaves."""
        with self._changed:
            self._inside -= 1
            self._aside += 1
            self._one_by_one, self._spell = self._spell, min(self._spell * 2, _LONGEST_SPELL)
            self._changed.notify_all()
            self._wait(lambda: not self._inside)
            self._inside += 1

    def let_in(self) -> None:
        """Who is alone is in the way of somebody else: there is no use in keeping others waiting."""
        with self._changed:
            self._aside -= 1
            self._one_by_one = 0
            self._changed.notify_all()

    def _wait(self, is_free: Callable[[], bool]) -> None:
        while not is_free() and not self._stop.is_requested:
            self._changed.wait(0.2)


class Turn:
    """One run that has come through a gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.is_alone = False
        self._was_alone = False

    def step_aside(self, *, is_ours: bool) -> None:
        """It was in the way of another one of this run, or (not ``is_ours``) of somebody whom nobody sees.

        So it goes alone, once: where that does not help it was an outsider, and others need not wait for it.
        """
        if self.is_alone:
            self.is_alone = False
            self._gate.let_in()
        elif is_ours or not self._was_alone:
            self.is_alone = self._was_alone = True
            self._gate.wait_alone()


def read_ledgers(
    crew: Crew, targets: Sequence[Target], reader: Reader, is_told: Callable[[Target, Read], bool]
) -> tuple[list[Target], dict[str, Known]]:
    """Read the ledgers of databases with several targets, those of a database together.

    ``is_told``: does what was read say all of this target?  Return the others in order, and what was read of them, by
    name; of those that cannot be read nothing: that is told when it is their turn.
    """
    left = {t.name: t for t in targets}
    found: dict[str, Known] = {}
    places = read_together(targets)

    def read(first: Target, keeper: Keeper) -> None:
        by_schema = {t.database.schema or "": t for t in places[first.name]}
        rest: dict[str, Known] = {}
        try:
            kept = keeper.connection(first.place)
            for schema, one in reader.read(kept, tuple(by_schema)):
                if is_told(by_schema[schema], one):
                    del left[by_schema[schema].name]
                elif one.known is not None:
                    rest[schema] = one.known
            for schema, known in reader.flawed(kept, rest).items():
                found[by_schema[schema].name] = known
        except (WfloSchemaError, StoppedWaiting):
            return

    crew.run([t for t in targets if t.name in places], read, reads=True)
    return [t for t in targets if t.name in left], found


def read_together(targets: Sequence[Target]) -> dict[str, list[Target]]:
    """Those whose ledgers are read together, by the name of the first of them; a target by itself is in none."""
    found: dict[str, list[Target]] = {}
    for of_database in by_database(targets).values():
        together = [
            t
            for t in of_database
            if t.failure is None and t.database.schema is not None and t.database.ledger_apart is None
        ]
        ends = [0, *range(_READ_FIRST, len(together), _READ_AT_ONCE), len(together)] if len(together) > 1 else []
        for begin, end in itertools.pairwise(ends):
            found[together[begin].name] = together[begin:end]
    return found
