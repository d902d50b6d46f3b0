"""Who holds a table now, and would make a statement wait.  Hides which lock modes conflict, and where sessions show."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.database import PATIENT, Database, database_error
from wflo_schema.connect.queries import fetch
from wflo_schema.trace.values import MODES, Lock, Traced

# Seconds: a transaction that is younger is over before anybody has read of it.
_OLD_S = 2.0

# Each mode with those that it has to wait for
# (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES).
_AS, _RS, _RX, _SUX, _S, _SRX, _X, _AX = MODES
CONFLICTS = {
    _AS: {_AX},
    _RS: {_X, _AX},
    _RX: {_S, _SRX, _X, _AX},
    _SUX: {_SUX, _S, _SRX, _X, _AX},
    _S: {_RX, _SUX, _SRX, _X, _AX},
    _SRX: {_RX, _SUX, _S, _SRX, _X, _AX},
    _X: {_RS, _RX, _SUX, _S, _SRX, _X, _AX},
    _AX: set(MODES),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """A session, or a prepared transaction, as far as this role may see it.

    ``role``, ``query`` and ``state`` are empty where that is hidden.  ``age_s`` is that of its transaction, None
    where it is not known; ``kind`` the backend type; ``prepared_as`` the name of a prepared transaction.
    """

    pid: int | None
    role: str | None
    application: str
    kind: str
    state: str
    query: str
    age_s: float | None
    prepared_as: str | None


@dataclass(frozen=True, slots=True)
class Held(Holder):
    """The same with the lock that it has, or (not ``is_granted``) waits for itself, on a relation."""

    relation: str
    mode: str
    is_granted: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Who is there now: the locks on relations that were asked for, and transactions that go on for long."""

    locks: tuple[Held, ...] = ()
    old: tuple[Holder, ...] = ()

    def of(self, lock: Lock) -> tuple[Held, ...]:
        """Whom this lock would wait for: one entry for each session."""
        found = {
            (held.pid, held.prepared_as): held
            for held in self.locks
            if held.relation == lock.relation and held.mode in CONFLICTS[lock.mode]
        }
        return tuple(found.values())

    def for_concurrent(self, s: Traced) -> tuple[Holder, ...]:
        """The transactions that a statement waits for which does its work CONCURRENTLY."""
        return self.old if s.is_alone and (s.builds or s.works_on) else ()


def read_holders(database: Database, relations: Collection[str]) -> Holders:
    """Who holds these relations, by their qualified names, or has a transaction open for long.  Waits for nobody."""
    with database.connect(settings=PATIENT) as connection:
        return holders_of(connection, relations)


def holders_of(connection: psycopg.Connection[TupleRow], relations: Iterable[str]) -> Holders:
    """The same, over a connection that is in no transaction."""
    try:
        with connection.transaction():
            connection.execute("SELECT pg_catalog.set_config('search_path', '', TRUE)")
            locks = fetch(connection, Held, "trace", "holders", {"names": sorted(set(relations))})
            return Holders(locks, fetch(connection, Holder, "trace", "old_transactions", {"seconds": _OLD_S}))
    except psycopg.Error as error:
        raise database_error(error, "reading who holds tables") from error
