"""How many targets stand: by their ledgers, and by their catalogs where the ledgers say the same.

Hides which targets are alike: what is equal is compared once.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.planning import State, Status, compare
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.catalogs import CatalogGroups, group_catalogs
from wflo_schema.fleet.outcomes import FleetOptions, causes_of, placeless
from wflo_schema.fleet.outcomes import Outcome as _Outcome
from wflo_schema.fleet.outcomes import State as _Became
from wflo_schema.fleet.reading import Read
from wflo_schema.fleet.runs import Leased
from wflo_schema.fleet.surveys import NotifyAsked, Survey
from wflo_schema.fleet.targets import Target


class Standing(enum.StrEnum):
    """How a target stands; where several are true, the one that must be seen to first."""

    UP_TO_DATE = "up to date"
    PENDING = "pending"
    NEW = "new"
    """Never migrated, and empty."""
    UNRECORDED = "unrecorded"
    """Nothing is recorded, and it is not empty: half built, made by hand or by another tool."""
    HALF_DONE = "half done"
    """A non-transactional file was interrupted."""
    DISAGREES = "disagrees"
    """What is applied was changed since, or has no file any more."""
    AHEAD = "ahead"
    """It records what is newer than every file."""
    ELSEWHERE = "recorded elsewhere"
    """Its ledger records none of the migrations, and that of another schema does."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Look:
    """What the ledger of one target says, or why that cannot be told.

    ``status`` may be shared with others that record the same: its label and its schema count for nothing, nor does what
    repeatable files made.
    """

    target: str
    status: Status | None
    error: WfloSchemaError | None = None

    @property
    def standing(self) -> Standing:
        """How it stands."""
        status = self.status
        if status is None:
            return Standing.UNREADABLE
        if status.elsewhere:
            return Standing.ELSEWHERE
        if status.half_done or any(e.statements_done is not None for e in status.entries):
            return Standing.HALF_DONE
        if status.ahead:
            return Standing.AHEAD
        if status.changed or status.missing or status.half_replaced:
            return Standing.DISAGREES
        if not status.is_up_to_date and status.unrecorded:
            return Standing.UNRECORDED
        if not status.is_up_to_date:
            return Standing.PENDING if status.has_ledger else Standing.NEW
        return Standing.UP_TO_DATE


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that stand alike, by name, and the first of them.

    ``example`` is its name where their errors differ in words.
    """

    standing: Standing
    first: Look
    names: tuple[str, ...]
    example: str = ""


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """How each target stands, in their order.

    ``catalogs``: those whose ledgers record the same, each compared with the others; empty where no catalog was read.
    """

    looks: tuple[Look, ...]
    catalogs: tuple[CatalogGroups, ...]
    source: str
    duration_ms: float

    @property
    def groups(self) -> tuple[Group, ...]:
        """Those that stand alike, the largest group first."""
        found: dict[Hashable, list[Look]] = {}
        for look in self.looks:
            if look.status is not None:
                found.setdefault(_key(look, look.status), []).append(look)
        alike = [(those[0], tuple(one.target for one in those), "") for those in found.values()]
        by_name = {look.target: look for look in self.looks}
        failed = (_Outcome(o.target, _Became.FAILED, error=o.error) for o in self.looks if o.error is not None)
        alike += [(by_name[cause.targets[0]], cause.targets, cause.example) for cause in causes_of(failed)]
        groups = [Group(first.standing, first, names, example) for first, names, example in alike]
        return tuple(sorted(groups, key=lambda g: -len(g.names)))

    @property
    def hashes(self) -> Mapping[str, str]:
        """Target → the hash of its catalog: equal for those that are alike."""
        groups = (group for of_ledger in self.catalogs for group in of_ledger.groups)
        return {name: group.hashes[0] for group in groups for name in group.names}


def _key(look: Look, status: Status) -> Hashable:
    """What is equal for targets that stand alike."""
    entries = tuple(
        (e.id, e.state, e.statements_done, e.interrupted, e.is_late)
        for e in status.entries
        if e.state is not State.APPLIED or e.statements_done is not None
    )
    repeatables = tuple((e.id, e.state) for e in (*status.to_repeat, *status.deleted))
    unrecorded = tuple(placeless(said, look.target) for said in status.unrecorded)
    half_done = tuple(h.id for h in status.half_done)
    return look.standing, entries, repeatables, status.hooks_due, unrecorded, half_done, status.elsewhere


def status_fleet(
    targets: Sequence[Target],
    migrations: Migrations,
    *,
    options: FleetOptions | None = None,
    catalogs: bool = True,
    notify: NotifyAsked | None = None,
    stop: Stop | None = None,
) -> FleetStatus:
    """Say how each target stands.  Writes nothing.

    Ledgers of one database are read together.  ``catalogs``: compare, too, the catalogs of those that record the same.
    A target that cannot be read stops no other.  Raise `Refused` where the folders hold no migration.
    """
    migrations.refuse_empty()
    began = time.monotonic()
    survey = Survey(targets, migrations, options=options, notify=notify, stop=stop)
    looks = _look(survey, migrations)
    survey.begin("catalogs" if catalogs else "")
    found = tuple(looks[t.name] for t in targets)
    alike = tuple(_compared(targets, looks, options or FleetOptions())) if catalogs else ()
    return FleetStatus(found, alike, migrations.where, (time.monotonic() - began) * 1000)


def _look(survey: Survey, migrations: Migrations) -> dict[str, Look]:
    looks: dict[str, Look] = {}

    def is_told(target: Target, read: Read) -> bool:
        known = read.known
        if known is None or read.repeatables is None:
            return False
        status = survey.shared.status(known.records, lambda: compare("", known.ledger, migrations, known.records, ()))
        if not known.records:
            status = replace(status, has_ledger=known.ledger.is_there)
        looks[target.name] = Look(target.name, replace(status, repeatables=read.repeatables))
        return True

    def ask(target: Target, leased: Leased) -> None:
        looks[target.name] = Look(target.name, operations.status(target.database, migrations, runs_in=leased))

    survey.begin("ledgers")
    survey.ask(survey.read(is_told), ask)
    return looks | {name: Look(name, None, error) for name, error in survey.failed.items()}


def _compared(targets: Sequence[Target], looks: Mapping[str, Look], options: FleetOptions) -> Iterable[CatalogGroups]:
    """Those that record the same, each with the others; those that record nothing are not compared."""
    alike: dict[Hashable, dict[str, Target]] = {}
    for target in targets:
        status = looks[target.name].status
        if status is not None and status.recorded:
            alike.setdefault(_recorded(status), {})[target.name] = target
    for those in alike.values():
        yield group_catalogs({name: t.database for name, t in those.items()}, jobs=options.jobs)


def _recorded(status: Status) -> Hashable:
    """What is equal where the ledgers say the same."""
    half_way = tuple((e.id, e.statements_done) for e in status.entries if e.statements_done is not None)
    return frozenset(status.recorded), half_way, tuple((e.id, e.state) for e in status.repeatables)
