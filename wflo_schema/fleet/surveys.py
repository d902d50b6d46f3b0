"""Ask many targets: those of a database together where their ledgers can say it, and each other one by itself.

Hides connections and threads, and how a target that cannot be asked stops no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wflo_schema.connect.database import PATIENT
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine.kept import Known
from wflo_schema.engine.operations import reading
from wflo_schema.errors import ConnectionLost, WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.connections import Keeper
from wflo_schema.fleet.outcomes import FleetOptions
from wflo_schema.fleet.reading import Read, Reader
from wflo_schema.fleet.runs import Leased, Shared
from wflo_schema.fleet.targets import Target
from wflo_schema.fleet.waves import Crew, read_ledgers

# How often a target is asked where the connection is lost.
_MOST_TRIES = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """So many of all targets were asked; ``doing`` says what."""

    doing: str
    number: int
    total: int


NotifyAsked = Callable[[Asked], None]

# Asks one target in the session that it is given.
_Ask = Callable[[Target, Leased], None]


class Survey:
    """Asks the targets of one command.  Reads only, under short timeouts."""

    def __init__(
        self,
        targets: Sequence[Target],
        migrations: Migrations,
        *,
        options: FleetOptions | None = None,
        notify: NotifyAsked | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.targets = targets
        self.shared = Shared(migrations, frozenset(t.database.schema for t in targets if t.database.schema is not None))
        self.failed: dict[str, WfloSchemaError] = {}
        """By the name of the target."""
        self._crew = Crew(options or FleetOptions(patience_s=0), stop or Stop(), settings={**PATIENT, **reading()})
        self._known: dict[str, Known] = {}
        self._lock = threading.Lock()
        self._notify = notify or (lambda asked: None)
        self._number = 0
        self._doing = ""

    def begin(self, doing: str) -> None:
        """What is told from now on."""
        self._doing, self._number = doing, 0
        self._notify(Asked(doing, 0, len(self.targets)))

    def done(self, target: Target) -> None:
        """One more was asked."""
        with self._lock:
            self._number += 1
            self._notify(Asked(self._doing, self._number, len(self.targets)))

    def read(self, is_told: Callable[[Target, Read], bool]) -> list[Target]:
        """Read the ledgers of databases with several targets; return the targets that must be asked by themselves.

        ``is_told``: does what was read say all of this target?
        """
        for t in self.targets:
            if t.failure is not None:
                self.fail(t, t.failure)

        def tell(target: Target, one: Read) -> bool:
            if one.known is None or not is_told(target, one):
                return False
            self.done(target)
            return True

        reachable = [t for t in self.targets if t.failure is None]
        left, self._known = read_ledgers(self._crew, reachable, Reader(self.shared.migrations), tell)
        return left

    def ask(self, targets: Sequence[Target], ask: _Ask) -> None:
        """Ask each by itself; what is raised is in `failed`."""

        def work(target: Target, keeper: Keeper) -> None:
            for attempt in range(_MOST_TRIES):
                known = self._known.pop(target.name, None)
                try:
                    ask(target, Leased(keeper.connection(target.place), self.shared, known))
                except ConnectionLost as error:
                    if attempt + 1 < _MOST_TRIES:
                        continue
                    self.fail(target, error)
                    return
                except WfloSchemaError as error:
                    self.fail(target, error)
                    return
                self.done(target)
                return

        self._crew.run(targets, work)

    def fail(self, target: Target, error: WfloSchemaError) -> None:
        """This target could not be asked."""
        self.failed[target.name] = error
        self.done(target)
