"""Which files are rehearsed, and which are replayed before them.

Hides what is pending, what a revision of git had, and where a file stands that is named.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wflo_schema.engine.planning import Allow, Status, plan_migrations
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import Migration, Migrations, read_beside
from wflo_schema.files.git import commit_of, files_in
from wflo_schema.files.listing import REPEATABLE
from wflo_schema.words import counted


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is run, in its order; ``shown`` are the ids of which is told.

    ``before`` is replayed first; None: they start from what the target holds.
    """

    wanted: tuple[Migration, ...]
    repeatables: tuple[Migration, ...] = ()
    shown: frozenset[str] | None = None
    before: Migrations | None = None
    start: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all that are told of."""
        return tuple(m.id for m in (*self.wanted, *self.repeatables) if self.shown is None or m.id in self.shown)


def choose_pending(found: Status, migrations: Migrations, to: str | None, only: Collection[str]) -> Chosen:
    """What `migrate` would apply; of that, what is in ``only``, where that says something."""
    planned = plan_migrations(found, migrations, to, tuple(Allow))
    if not only:
        return Chosen(planned.pending, planned.repeatables)
    last = max((n for n, m in enumerate(planned.pending) if m.id in only), default=-1)
    again = tuple(m for m in planned.repeatables if m.id in only)
    return Chosen(planned.pending if again else planned.pending[: last + 1], again, frozenset(only))


def choose_without_target(
    migrations: Migrations, files: Sequence[str], since: str | None, to: str | None
) -> tuple[Migrations, Chosen]:
    """Where no database is asked what is applied: these files, or what is new since a revision, or else all.

    The files before them are replayed first.
    """
    if since is not None:
        return migrations, choose_since(migrations, since, to)
    if files:
        migrations, chosen = choose_files(frozenset(), migrations, files)
        if chosen.before is None:
            before = _part(migrations, migrations.items)
            chosen = replace(
                chosen, before=before, start=f"the {counted(len(before), 'migration')} of {migrations.where}"
            )
        return migrations, chosen
    last = len(migrations) if to is None else migrations.items.index(migrations.resolve(to)) + 1
    again = migrations.repeatables if to is None else ()
    return migrations, Chosen(migrations.items[:last], again, None, _part(migrations, ()), "an empty database")


def choose_files(waiting: Collection[str], migrations: Migrations, names: Sequence[str]) -> tuple[Migrations, Chosen]:
    """These files, by their paths or ids, applied or not; one of another folder comes behind what is pending.

    ``waiting``: the ids of all that is pending.
    """
    others: list[Migration] = []
    ids: list[str] = []
    for name in names:
        of_repeatable = _repeatable(migrations, name)
        if of_repeatable is not None:
            ids.append(of_repeatable.id)
        elif os.path.isfile(name) and not _is_of(name, migrations):
            others.append(read_beside(name))
            ids.append(others[-1].id)
        else:
            ids.append(migrations.resolve(name).id)
    known = {m.id for m in migrations}
    doubled = next((m for m in others if m.id in known), None)
    if doubled is not None:
        raise BadMigrationFile(
            f"{doubled.path} has the id of another file of {migrations.where}", hint="rename one of them"
        )
    applied = [n for n, m in enumerate(migrations) if m.id in ids and m.id not in waiting]
    last = max((n for n, m in enumerate(migrations) if m.id in ids), default=-1)
    again = tuple(m for m in migrations.repeatables if m.id in ids)
    if not applied:
        pending = tuple(m for n, m in enumerate(migrations) if m.id in waiting and (n <= last or again))
        return migrations, Chosen((*pending, *others), again, frozenset(ids))
    first = applied[0]
    before = _part(migrations, migrations.items[:first])
    run = (*migrations.items[first : last + 1], *others)
    return migrations, Chosen(
        run, again, frozenset(ids), before, f"the {counted(first, 'migration')} before {run[0].id}"
    )


def choose_since(migrations: Migrations, revision: str, to: str | None) -> Chosen:
    """The files that are new since a revision of git, behind those that it had."""
    known: dict[str, bytes] = {}
    repeatable: dict[str, bytes] = {}
    for folder in migrations.directories:
        commit = commit_of(folder, revision)
        known |= files_in(folder, commit)
        beside = os.path.join(folder, REPEATABLE)
        if os.path.isdir(beside):
            repeatable |= files_in(beside, commit)
    had = {name.removesuffix(".sql") for name in known}
    new = [m for m in migrations if m.id not in had and had.isdisjoint((*m.was, *m.replaces))]
    ids = {m.id for m in new}
    before = [m for m in migrations if m.id not in ids]
    again = tuple(m for m in migrations.repeatables if repeatable.get(Path(m.path).name) != Path(m.path).read_bytes())
    if to is not None:
        last = migrations.items.index(migrations.resolve(to))
        new = [m for n, m in enumerate(migrations) if m.id in ids and n <= last]
        again = ()
    kept = tuple(m for m in migrations.repeatables if m not in again)
    return Chosen(
        tuple(new), again, None, replace(_part(migrations, before), repeatables=kept), f"the migrations of {revision}"
    )


def _part(migrations: Migrations, items: Sequence[Migration]) -> Migrations:
    return replace(migrations, items=tuple(items), repeatables=(), absent=(), _by_id={m.id: m for m in items})


def _is_of(name: str, migrations: Migrations) -> bool:
    return any(os.path.samefile(name, m.path) for m in migrations if os.path.exists(m.path))


def _repeatable(migrations: Migrations, name: str) -> Migration | None:
    for m in migrations.repeatables:
        if name == m.id or (os.path.isfile(name) and os.path.samefile(name, m.path)):
            return m
    return None
