"""Take over many targets that another tool made: proven once for all that are alike, recorded in each.

Hides what alike means: one catalog by its hash, and ledgers that say the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from wflo_schema.adopt.found import Adoption, Verdict
from wflo_schema.adopt.judge import adopt_database, record
from wflo_schema.adopt.look import Look, take_look
from wflo_schema.connect.pipeline import Stop
from wflo_schema.errors import ConnectionFailed, ConnectionLost, Refused, WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.fleet.catalogs import WHOLE, group_catalogs, hash_catalogs
from wflo_schema.fleet.outcomes import Cause, FleetOptions, causes_of_failed, placeless
from wflo_schema.fleet.runs import Leased
from wflo_schema.fleet.surveys import NotifyAsked, Survey
from wflo_schema.fleet.targets import Target
from wflo_schema.scratch.replay import ScratchOptions


@dataclass(frozen=True, slots=True)
class AdoptionGroup:
    """Targets that are alike: the first of them, what was found of it, the names of all, and where it was recorded."""

    first: Target
    adoption: Adoption
    names: tuple[str, ...]
    recorded: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Can it be recorded?"""
        return self.adoption.verdict is Verdict.EQUAL and not self.adoption.objections


@dataclass(frozen=True, slots=True)
class FleetAdoption:
    """What was found, the largest group first, and why some targets could not be looked at or recorded."""

    targets: tuple[Target, ...]
    groups: tuple[AdoptionGroup, ...]
    failed: Mapping[str, WfloSchemaError]
    source: str

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why some could not be looked at or recorded."""
        return causes_of_failed(self.failed)

    @property
    def exit_code(self) -> int:
        """As `Adoption.exit_code`: 1 where one cannot be taken over; 3 where one failed."""
        return 3 if self.failed else max((group.adoption.exit_code for group in self.groups), default=0)


def adopt_fleet(
    targets: Sequence[Target],
    migrations: Migrations,
    *,
    apply: bool = False,
    to: str | None = None,
    scratch: ScratchOptions | None = None,
    options: FleetOptions | None = None,
    notify: NotifyAsked | None = None,
    stop: Stop | None = None,
) -> FleetAdoption:
    """Say up to which migration each target matches ours, as `adopt_database` does; with ``apply``, record that.

    The migrations are replayed once for all that are alike.  Before it is recorded in a target, that is looked at once
    more: it must still be what was proven.  What is wrong with one target stops no other.
    """
    migrations.refuse_empty()
    options = options or FleetOptions(patience_s=0)
    survey = Survey(targets, migrations, options=options, notify=notify, stop=stop)
    keys: dict[str, Hashable] = {}
    hashes: dict[str, tuple[str, ...]] = {}

    def look(target: Target, leased: Leased) -> None:
        keys[target.name] = _key(target, take_look(target.database, migrations))

    survey.begin("targets")
    survey.ask([t for t in targets if t.failure is None], look)
    for target in targets:
        if target.failure is not None:
            survey.fail(target, target.failure)
    survey.begin("catalogs")
    compared = group_catalogs({t.name: t.database for t in targets if t.name in keys}, jobs=options.jobs)
    for group in compared.groups:
        hashes.update((name, group.hashes) for name in group.names)
    alike: dict[Hashable, list[Target]] = {}
    for target in targets:
        if target.name in compared.failed:
            survey.fail(target, compared.failed[target.name])
        elif target.name in keys:
            alike.setdefault((keys[target.name], hashes[target.name]), []).append(target)
    survey.begin("proofs")
    groups = [g for those in alike.values() if (g := _proven(those, migrations, to, scratch, survey)) is not None]
    if apply:
        survey.begin("records")
        groups = [_recorded(g, targets, migrations, to, scratch, survey, keys, hashes) for g in groups]
    groups.sort(key=lambda group: -len(group.names))
    failed = {t.name: survey.failed[t.name] for t in targets if t.name in survey.failed}
    return FleetAdoption(tuple(targets), tuple(groups), failed, migrations.where)


def _key(target: Target, look: Look) -> Hashable:
    """What a verdict rests on, beside the catalog."""
    name = target.name
    status = look.status
    return (
        look.database.schema is None or look.database.schema == target.database.schema,
        status.server_version.partition(".")[0],
        tuple((e.id, e.state, e.has_checksum, e.recorded_as, e.statements_done) for e in status.entries),
        tuple((e.id, e.state) for e in status.repeatables),
        tuple(replace(ledger, table=placeless(ledger.table, name)) for ledger in look.ledgers),
        tuple((m.id, tuple(sorted(m.values.items()))) for m in (*look.migrations, *look.migrations.beside)),
    )


def _proven(
    targets: Sequence[Target], migrations: Migrations, to: str | None, scratch: ScratchOptions | None, survey: Survey
) -> AdoptionGroup | None:
    """What is found of targets that are alike: of the first that can be reached."""
    left = list(targets)
    while left:
        first = left[0]
        try:
            found = adopt_database(first.database, migrations, to=to, scratch=scratch)
        except (ConnectionFailed, ConnectionLost) as error:
            survey.fail(left.pop(0), error)
        except WfloSchemaError as error:  # it would be the same of the others
            for target in left:
                survey.fail(target, error)
            return None
        else:
            for target in left:
                survey.done(target)
            return AdoptionGroup(first, found, tuple(t.name for t in left))
    return None


def _recorded(
    group: AdoptionGroup,
    targets: Sequence[Target],
    migrations: Migrations,
    to: str | None,
    scratch: ScratchOptions | None,
    survey: Survey,
    keys: Mapping[str, Hashable],
    hashes: Mapping[str, tuple[str, ...]],
) -> AdoptionGroup:
    """Record it in each target of a group that is equal."""
    if not group.is_equal:
        return group
    recorded: dict[str, Adoption] = {}
    members = [t for t in targets if t.name in set(group.names)]

    def work(target: Target, leased: Leased) -> None:
        if group.adoption.repeatables:  # their texts hold what they make in this very target
            recorded[target.name] = adopt_database(target.database, migrations, apply=True, to=to, scratch=scratch)
            return
        look = take_look(target.database, migrations)
        schema = target.database.schema
        now = hash_catalogs(target.database.with_schema(None), None if schema is None else (schema,)).hashes
        if _key(target, look) != keys[target.name] or now.get(schema or WHOLE) not in hashes[target.name]:
            raise Refused(
                f"{target.name} changed while it was looked at; nothing was recorded in it",
                hint="run it again when nobody changes tables: wflo-schema adopt --apply",
            )
        own = look.adoption(group.adoption.verdict)
        found = replace(group.adoption, label=own.label, schema=own.schema, ledgers=own.ledgers)
        recorded[target.name] = record(look, found)

    survey.ask(members, work)
    if not recorded:
        return group
    in_order = tuple(t.name for t in members if t.name in recorded)
    return replace(group, adoption=recorded.get(group.first.name) or recorded[in_order[0]], recorded=in_order)
