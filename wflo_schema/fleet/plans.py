"""What migrating many targets would do: those to which the same would happen are one group.

Hides what tells two plans apart, and which targets need not be asked by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import psycopg

from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow, Plan, compare, plan_migrations
from wflo_schema.errors import BadMigrationFile, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.outcomes import Cause, FleetOptions, causes_of_failed, placeless
from wflo_schema.fleet.reading import Read
from wflo_schema.fleet.runs import Leased
from wflo_schema.fleet.surveys import NotifyAsked, Survey
from wflo_schema.fleet.targets import Target, by_database


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """Targets to which the same would happen: one of them with its plan, and the names of all.

    ``shown`` is the one for whose sizes it takes longest, as ``is_largest`` says, else the first.
    """

    shown: Target
    plan: Plan
    names: tuple[str, ...]
    is_largest: bool = False

    @property
    def is_nothing(self) -> bool:
        """Is there nothing to do, and nothing against it?"""
        plan = self.plan
        return not (len(plan) or plan.refusals or plan.hooks or plan.drops or plan.status.followed)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What would be done, the largest group first, and why some targets cannot be told."""

    targets: tuple[Target, ...]
    groups: tuple[PlanGroup, ...]
    failed: Mapping[str, WfloSchemaError]
    source: str

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why nothing can be told of some."""
        return causes_of_failed(self.failed)

    @property
    def is_refused(self) -> bool:
        """Would one of them be refused?"""
        return any(group.plan.refusals for group in self.groups)


# many parameters: those of the engine's `plan`
def plan_fleet(
    targets: Sequence[Target],
    migrations: Migrations,
    *,
    to: str | None = None,
    allow: Collection[Allow] = (),
    together: bool = False,
    create_schema: bool = False,
    drop_deleted: bool = False,
    phase: Phase | None = None,
    options: FleetOptions | None = None,
    notify: NotifyAsked | None = None,
    stop: Stop | None = None,
) -> FleetPlan:
    """Say what `migrate_fleet` would do with the same arguments, and what would stop it.  Writes nothing.

    Raise `BadMigrationFile` as `migrate_fleet` does; what is wrong with one target stops no other.
    """
    migrations.refuse_empty()
    plans: dict[str, Plan] = {}
    survey = Survey(targets, migrations, options=options, notify=notify, stop=stop)
    shared = survey.shared

    def is_told(target: Target, read: Read) -> bool:
        known = read.known
        if known is None or read.repeatables is None or drop_deleted:
            return False
        status = shared.status(known.records, lambda: compare("", known.ledger, migrations, known.records, ()))
        status = replace(status, repeatables=read.repeatables)
        planned = plan_migrations(status, migrations, to, allow, together=together, phase=phase)
        if len(planned) or planned.refusals or status.followed:
            return False
        plans[target.name] = planned
        return True

    def ask(target: Target, leased: Leased) -> None:
        plans[target.name] = operations.plan(
            target.database,
            migrations,
            to=to,
            allow=allow,
            together=together,
            create_schema=create_schema,
            drop_deleted=drop_deleted,
            phase=phase,
            runs_in=leased,
        )

    survey.begin("targets")
    survey.ask(survey.read(is_told), ask)
    failed = dict(survey.failed)
    bad = next((error for error in failed.values() if isinstance(error, BadMigrationFile)), None)
    if bad is not None:
        raise bad
    return FleetPlan(
        tuple(targets), _grouped(targets, plans, (options or FleetOptions()).jobs), failed, migrations.where
    )


def _grouped(targets: Sequence[Target], plans: Mapping[str, Plan], jobs: int) -> tuple[PlanGroup, ...]:
    alike: dict[Hashable, list[Target]] = {}
    for target in targets:
        if (planned := plans.get(target.name)) is not None:
            alike.setdefault(_key(planned, target.name), []).append(target)
    groups = [PlanGroup(those[0], plans[those[0].name], tuple(t.name for t in those)) for those in alike.values()]
    several = [t for those in alike.values() if len(those) > 1 and len(plans[those[0].name]) for t in those]
    pages = _pages(several, jobs)
    for number, those in enumerate(alike.values()):
        known = [pages.get(t.name, 0) for t in those]
        if max(known) > min(known):
            shown = those[known.index(max(known))]
            groups[number] = replace(groups[number], shown=shown, plan=plans[shown.name], is_largest=True)
    return tuple(sorted(groups, key=lambda group: -len(group.names)))


def _pages(targets: Sequence[Target], jobs: int) -> dict[str, int]:
    """How big each is, by its name; what cannot be read is left out."""
    databases = by_database(targets)
    found: dict[str, int] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for those, pages in zip(databases.values(), pool.map(_pages_of, databases), strict=True):
            for one in those:
                schema = one.database.schema
                found[one.name] = sum(pages.values()) if schema is None else pages.get(schema, 0)
    return found


def _pages_of(database: Database) -> dict[str, int]:
    """The same by schema; empty where it cannot be read."""
    try:
        with database.connect(settings=PATIENT) as connection:
            rows = connection.execute(load_sql("fleet", "pages")).fetchall()
    except (psycopg.Error, WfloSchemaError):
        return {}
    return {str(schema): int(pages) for schema, pages in rows}


def _key(planned: Plan, target: str) -> Hashable:
    """What is equal where the same would happen."""
    return (
        tuple(m.id for m in planned.files),
        planned.hooks,
        planned.wrapped,
        planned.drops,
        planned.status.followed,
        tuple(e.id for e in planned.status.for_later),
        tuple((case, placeless(what, target)) for case, what, _ in planned.refusals),
    )
