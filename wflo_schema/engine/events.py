"""What a run tells while it is at work, and what it has done in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wflo_schema.files.directives import Phase


@dataclass(frozen=True, slots=True)
class Begun:
    """A run is about to change this database.  ``source``: the folders that its files are from."""

    label: str
    schema: str
    server_version: str
    operation: str
    total: int
    source: str


@dataclass(frozen=True, slots=True)
class StatementProgress:
    """How far a statement is, as far as PostgreSQL tells.

    ``query`` is its text, perhaps cut off; it is ``number`` of ``of`` in its file, 0 where that is not known.
    ``command`` and ``phase`` are PostgreSQL's words.  ``done`` and ``total`` are bytes, rows, indexes or sessions (of
    those that are waited for), as ``unit`` says, None where they are not known; of what only reads a table, ``total``
    says how big that is.  ``left_s`` is what the phase will take at the rate measured so far.
    """

    query: str = ""
    command: str = ""
    phase: str = ""
    relation: str = ""
    done: int | None = None
    total: int | None = None
    unit: str = ""
    is_estimate: bool = False
    left_s: float | None = None
    number: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A migration is being run, for ``elapsed_s`` seconds now.

    ``progress`` is how far its statement is, ``waits`` what another run does meanwhile.
    """

    id: str
    number: int
    total: int
    elapsed_s: float = 0.0
    progress: StatementProgress | None = None
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A migration was applied or rolled back, and the commit is on disk."""

    id: str
    operation: str
    duration_ms: float
    statements: int
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session, or a prepared transaction (``gid``), that ours waits for.  ``is_colleague``: a run of this tool."""

    pid: int
    username: str
    application_name: str
    state: str
    since_s: float
    query: str
    relation: str
    gid: str = ""
    is_colleague: bool = False

    @property
    def end(self) -> str:
        """The SQL that ends it, where a run of this tool would not be ended by its own user."""
        if self.gid:
            name = "'" + self.gid.replace("'", "''") + "'"
            return f"ROLLBACK PREPARED {name}, or COMMIT PREPARED {name}"
        return f"SELECT pg_terminate_backend({self.pid or 'PID'})"

    def __str__(self) -> str:
        app = f", {self.application_name}" if self.application_name else ""
        query = " ".join(self.query.split())
        said = f": {query[:120]}{'…' if len(query) > 120 else ''}" if query else ""
        if self.gid:
            return f"the prepared transaction '{self.gid}' ({self.username}) for {self.since_s:.1f} s"
        who = f"pid {self.pid} ({self.username or 'unknown user'}{app})" if self.pid else "a prepared transaction"
        return f"{who} {self.state or 'active'} for {self.since_s:.1f} s{said}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A migration waits for a lock that these sessions hold or are queued for."""

    id: str
    blockers: tuple[Blocker, ...]
    waited_s: float
    progress: StatementProgress | None = None


@dataclass(frozen=True, slots=True)
class Retrying:
    """No lock was granted in time; the transaction was rolled back and will be tried again."""

    id: str
    reason: str
    pause_s: float
    attempt: int
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that PostgreSQL said about a migration, or the engine: REPAIR, WAITING, LEFT OUT, PUT BACK or RAN."""

    id: str
    severity: str
    message: str


Event = Begun | Running | Done | Waiting | Retrying | Notice

Notify = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did.  ``round_trips`` counts exchanges with the server after connecting."""

    label: str
    schema: str
    server_version: str
    operation: str
    done: tuple[Done, ...]
    duration_ms: float
    round_trips: int
    hooks: tuple[str, ...] = ()
    """Ids of the hooks that were run in a transaction of their own, in order."""
    dropped: tuple[str, ...] = ()
    """Deleted repeatable files whose things were dropped."""
    phase: Phase | None = None
    """The phase that was asked for; None: all, in order."""
    for_later: tuple[str, ...] = ()
    """After-deploy migrations that were left to their own phase."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The migrations that were done, in order."""
        return tuple(d.id for d in self.done)
