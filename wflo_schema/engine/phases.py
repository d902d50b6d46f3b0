"""What is applied before and after a new version of the application is started, and which files cannot wait so.

Hides which orders of two files are possible: with a phase, a before-deploy file is applied ahead of the after-deploy
files that come before it and are pending.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.words import counted, listed, plural

BEFORE, AFTER = Phase.BEFORE_DEPLOY, Phase.AFTER_DEPLOY

# How each phase is applied.
MIGRATE_BEFORE, MIGRATE_AFTER = (f"wflo-schema migrate --phase {phase}" for phase in Phase)


def comes_first(one: Migration, behind: Migration) -> bool:
    """Must a file be applied before another that sorts behind it, whatever phases are asked for?"""
    return one.phase is BEFORE or behind.phase is AFTER


def of_phase(wanted: Sequence[Migration], waiting: Collection[str], phase: Phase | None) -> tuple[Migration, ...]:
    """Of these the pending ones that are applied in the phase; None: in all."""
    return tuple(m for m in wanted if m.id in waiting and phase in (None, m.phase))


def refuse_other_phase(last: Migration, phase: Phase | None) -> None:
    """Raise `Refused` where the migration that is to be applied last would be left out."""
    if phase not in (None, last.phase):
        raise Refused(
            f"{last.id} is {last.phase}, and --phase {phase} leaves it out",
            hint=f"name a {phase} migration, or give --phase {last.phase}",
        )


def out_of_turn(
    migrations: Migrations, waiting: Collection[str], to_run: Sequence[Migration], phase: Phase | None
) -> Iterator[tuple[str, str]]:
    """What stands against applying these alone: each as what it is, and what to do about it."""
    if phase is AFTER:
        yield from _without_what_comes_before(migrations, waiting, to_run)
    if phase is BEFORE:
        for behind in to_run:
            for first in _passed(migrations, waiting, behind):
                why = _why_bound(first, behind)
                if why:
                    yield _bound(migrations, waiting, first, behind, why)


def passed_in_vain(
    migrations: Migrations, waiting: Collection[str], to_run: Sequence[Migration]
) -> Iterator[tuple[str, str]]:
    """After-deploy files that would be applied behind a before-deploy one with which they have something in common."""
    order = {m.id: n for n, m in enumerate(migrations)}
    for first in to_run:
        for behind in migrations.items[order[first.id] + 1 :] if first.phase is AFTER else ():
            if behind.phase is BEFORE and behind.id not in waiting and (why := _why_bound(first, behind)):
                yield first.id, f"{first.id} is pending, and {behind.id}, which sorts behind it and is applied, {why}"
                break


def _without_what_comes_before(
    migrations: Migrations, waiting: Collection[str], to_run: Sequence[Migration]
) -> Iterator[tuple[str, str]]:
    order = {m.id: n for n, m in enumerate(migrations)}
    before = [m for m in migrations if m.id in waiting and m.phase is BEFORE]
    last = next((m for m in reversed(to_run) if before and order[m.id] > order[before[0].id]), None)
    if last is None:
        return
    lacking = [m.id for m in before if order[m.id] < order[last.id]]
    ready = [m.id for m in to_run if order[m.id] < order[lacking[0]]]
    how = f"{MIGRATE_BEFORE}; then start the new version, and run this again"
    if ready:
        how += f"; or only what comes before: {MIGRATE_AFTER} --to {ready[-1]}"
    are = plural(len(lacking), "is", "are")
    yield f"{counted(len(lacking), 'before-deploy migration')} before {last.id} {are} pending: {listed(lacking)}", how


def _passed(migrations: Migrations, waiting: Collection[str], behind: Migration) -> Iterator[Migration]:
    """The pending after-deploy files that come before this one."""
    for m in migrations:
        if m.id == behind.id:
            return
        if m.id in waiting and m.phase is AFTER:
            yield m


def _why_bound(first: Migration, behind: Migration) -> str:
    """Why a file cannot be applied ahead of another, as what it does; empty where it can."""
    if first.id in behind.depends:
        return "depends on it"
    from wflo_schema.files.overlaps import Uses

    with suppress(BadMigrationFile):  # said where it is to be run
        of_both = (Uses(load_script(m.with_any_values())) for m in (first, behind))
        shared = next(of_both).overlap(next(of_both))
        return f"has to do with {shared}, too" if shared else ""
    return ""


def _bound(
    migrations: Migrations, waiting: Collection[str], first: Migration, behind: Migration, why: str
) -> tuple[str, str]:
    order = {m.id: n for n, m in enumerate(migrations)}
    before = [m.id for m in migrations if m.id in waiting and m.phase is BEFORE and order[m.id] < order[first.id]]
    steps = [*([f"{MIGRATE_BEFORE} --to {before[-1]}"] if before else []), f"{MIGRATE_AFTER} --to {first.id}"]
    others = f"or let {behind.id} be after-deploy, too"
    if why != "depends on it":
        others += f"; or, if no database has {first.id}, let it come last: wflo-schema move {first.id} --last"
    return (
        f"{first.id} is after-deploy and pending, and {behind.id}, which is before-deploy and sorts behind it, {why}",
        f"apply {first.id} first: {', then '.join(steps)}; {others}",
    )
