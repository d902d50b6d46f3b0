"""Compare files and ledger, and say what would be done: nothing here asks a server or writes.

Hides where migrations without a file stand in the order, and what forbids migrating.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.flaws import Flaw, Grant
from wflo_schema.engine.ledger import DUE, Ledger, Progress, Record, forget_progress, move_ledger
from wflo_schema.engine.phases import (
    AFTER,
    BEFORE,
    comes_first,
    of_phase,
    out_of_turn,
    passed_in_vain,
    refuse_other_phase,
)
from wflo_schema.engine.repeatables import RepeatableEntry, RepeatableState
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import (
    Migration,
    Migrations,
    first_use,
    load_rollback,
    load_script,
    migration_hash,
    resolve_id,
    rolling_back,
)
from wflo_schema.files.listing import AFTER_ALL, AFTER_ROLLBACK, HOOKS
from wflo_schema.files.variables import how_to_give
from wflo_schema.words import counted, listed, plural

if TYPE_CHECKING:
    from wflo_schema.files.script import Script

# Bytes of migration text kept from validation to execution; what is beyond is read again.
_KEPT_TEXT = 4_000_000


class State(enum.StrEnum):
    """Where one migration stands."""

    APPLIED = "applied"
    """Recorded in the ledger; the file is there, and equal where its checksum is known."""
    PENDING = "pending"
    """On disk and not recorded."""
    CHANGED = "changed"
    """Recorded, and the file's checksum differs."""
    MISSING = "missing"
    """Recorded, and there is no such file; other files sort after it."""
    AHEAD = "ahead"
    """Recorded, and it sorts after every file: the database is ahead of the files."""


class Allow(enum.StrEnum):
    """What stops `migrate` unless it is allowed by name."""

    CHANGED = "changed"
    MISSING = "missing"
    AHEAD = "ahead"
    LATE = "late"
    """A pending migration sorts before one that is applied."""
    HEADS = "heads"
    """The ``-- depends:`` lines make a history with two ends."""
    HALF_DONE = "half-done"
    """A non-transactional file was interrupted, and `migrate` cannot finish it."""
    NOT_EMPTY = "not-empty"
    """Nothing is recorded here, and the database is not empty: made by hand, or by another tool."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration and its state.

    ``applied_at`` is UTC in ISO 8601, ``has_checksum`` False where plain yoyo recorded it.
    ``is_late`` says that a migration after it is applied, ``recorded_as`` under which other
    names it is recorded; where it is `CHANGED` as well, it was renamed and edited, and is never followed.
    Of a non-transactional one that was interrupted, ``interrupted`` is apply or rollback, and ``statements_done``
    counts what it did.  ``phase`` is None where there is no file.
    """

    id: str
    state: State
    path: str | None = None
    applied_at: str | None = None
    has_checksum: bool = False
    is_late: bool = False
    statements_done: int | None = None
    interrupted: str | None = None
    recorded_as: tuple[str, ...] = ()
    phase: Phase | None = None


@dataclass(frozen=True, slots=True)
class HalfDone:
    """What `migrate` cannot finish: why, what finishes it, if anything, and the statement that forgets it."""

    id: str
    reason: str
    way: str
    forget: str

    @property
    def help(self) -> str:
        """What to type."""
        return f"{self.way}; or finish or undo by hand what it has begun, then {self.forget}"


@dataclass(frozen=True, slots=True)
class Followed:
    """A migration that is recorded under other names: it was renamed, or replaces them.

    ``hashes`` are those of the rows that `migrate` sets aside when it records it; ``is_verified``
    says that the checksums of a renamed one are known and equal.
    """

    id: str
    recorded_as: tuple[str, ...]
    hashes: tuple[str, ...]
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class HalfReplaced:
    """A file that replaces others, of which the database has only some."""

    id: str
    recorded: tuple[str, ...]
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Every migration of the files and of the ledger, in order of application."""

    label: str
    schema: str
    server_version: str
    has_ledger: bool
    entries: tuple[Entry, ...]
    heads: tuple[tuple[str, ...], ...] = ()
    half_done: tuple[HalfDone, ...] = ()
    followed: tuple[Followed, ...] = ()
    half_replaced: tuple[HalfReplaced, ...] = ()
    look_alikes: tuple[tuple[str, str], ...] = ()
    """A record without a file, and a pending file with the very same text."""
    elsewhere: tuple[str, ...] = ()
    """Other schemas whose ledgers record these migrations, where the search_path led to one that records none."""
    flaws: tuple[Flaw, ...] = ()
    """What is wrong with the ledger's tables."""
    grants: tuple[Grant, ...] = ()
    """What others than its owner may do to the ledger, where that was asked for."""
    unrecorded: tuple[str, ...] = ()
    """What is there although nothing is recorded: another tool's ledger, and what the schema holds."""
    source: str = ""
    """The folders of the files."""
    repeatables: tuple[RepeatableEntry, ...] = ()
    """The files that are applied again when they change."""
    hooks_due: tuple[str, ...] = ()
    """Hooks that an earlier run left undone, or that one at work comes to: the next `migrate` runs them."""

    @property
    def said_due(self) -> str:
        """That hooks are due, as a sentence."""
        return f"{listed(self.hooks_due)} was not run yet behind what is applied: wflo-schema migrate runs it"

    @property
    def deleted(self) -> tuple[RepeatableEntry, ...]:
        """The repeatable files that are gone, and of which what they made stays until somebody asks to drop it."""
        return tuple(e for e in self.repeatables if e.state is RepeatableState.DELETED)

    @property
    def to_repeat(self) -> tuple[RepeatableEntry, ...]:
        """The repeatable files that `migrate` applies once no migration of its phase is pending."""
        waiting = (RepeatableState.PENDING, RepeatableState.EDITED, RepeatableState.GONE)
        return tuple(e for e in self.repeatables if e.state in waiting)

    @property
    def is_up_to_date(self) -> bool:
        """Is every migration applied, and every repeatable file as it is, and no hook due?"""
        return self.is_applied()

    def is_applied(self, phase: Phase | None = None) -> bool:
        """Is all done that is to be once this phase is over, repeatable files and hooks too?  None: once all are."""
        return not (self.pending_by(phase) or self.to_repeat or self.hooks_due)

    def pending_by(self, phase: Phase | None = None) -> tuple[Entry, ...]:
        """What is pending and should not be any more once this phase is over; None: once all are."""
        return tuple(e for e in self.pending if phase is not BEFORE or e.phase is BEFORE)

    @property
    def for_later(self) -> tuple[Entry, ...]:
        """What is pending and for after the deploy."""
        return tuple(e for e in self.pending if e.phase is AFTER)

    is_ledger_apart: bool = False
    """The ledger is in a schema of its own, apart from the tables."""

    @property
    def led_here(self) -> str:
        """What led to this ledger, as the end of a sentence on it."""
        return "which --ledger-schema names" if self.is_ledger_apart else "to which the search_path leads"

    @property
    def how_to_name(self) -> str:
        """What to do where other schemas record these migrations and this ledger does not."""
        other = self.elsewhere[0]
        if not self.is_ledger_apart:
            return (
                f"name the schema that you mean: --schema {other}; "
                f"or, where nothing but the ledger is there, --ledger-schema {other}"
            )
        moving = "" if self.has_ledger else f"; or move the ledger: {move_ledger(other, self.schema)}"
        return f"leave out --ledger-schema{moving}"

    @property
    def said_elsewhere(self) -> str:
        """Whose ledgers record these migrations, as the beginning of a sentence."""
        one = len(self.elsewhere) == 1
        whose = "the ledger of schema" if one else "the ledgers of the schemas"
        return f"{whose} {listed(self.elsewhere)} {'records' if one else 'record'}"

    def _of(self, *states: State) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.state in states)

    @property
    def applied(self) -> tuple[Entry, ...]:
        """Recorded, with an unchanged file."""
        return self._of(State.APPLIED)

    @property
    def pending(self) -> tuple[Entry, ...]:
        """Not recorded."""
        return self._of(State.PENDING)

    @property
    def changed(self) -> tuple[Entry, ...]:
        """Recorded, and the file was edited since."""
        return self._of(State.CHANGED)

    @property
    def missing(self) -> tuple[Entry, ...]:
        """Recorded, and the file is gone."""
        return self._of(State.MISSING)

    @property
    def ahead(self) -> tuple[Entry, ...]:
        """Recorded, and newer than every file."""
        return self._of(State.AHEAD)

    @property
    def not_empty(self) -> str:
        """What is there although nothing is recorded, as a sentence; empty where nothing is, or nothing is pending."""
        if not self.unrecorded or not self.pending:
            return ""
        return f"nothing is recorded here, but {self.label} is not empty: {'; '.join(self.unrecorded)}"

    @property
    def edited_names(self) -> dict[str, tuple[str, ...]]:
        """Of those that were renamed and edited since: under which names they are recorded."""
        return {e.id: e.recorded_as for e in self.changed if e.recorded_as}

    @property
    def recorded(self) -> frozenset[str]:
        """Ids that have a row of their own, or will have one once what was renamed or squashed is recorded."""
        return frozenset(e.id for e in self.entries if e.state is not State.PENDING) - self.edited_names.keys()

    @property
    def without_file(self) -> tuple[Entry, ...]:
        """Recorded, and there is no such file here: missing or ahead."""
        return self._of(State.MISSING, State.AHEAD)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `migrate` would do: migrations to run, in order, and why it would refuse to."""

    status: Status
    pending: tuple[Migration, ...]
    refusals: tuple[tuple[Allow | None, str, str], ...]
    """Case (None where nothing allows it), what is wrong, how to mend it."""
    wrapped: tuple[str, ...] = ()
    """Ids of those whose BEGIN … COMMIT around the whole file is left out."""
    hooks: tuple[str, ...] = ()
    """Ids of the hooks that would be run."""
    repeatables: tuple[Migration, ...] = ()
    """The repeatable files that are applied behind them."""
    phase: Phase | None = None
    """The phase that was asked for; None: all, in order."""
    is_last: bool = True
    """Nothing of the phase, or of one before it, stays pending behind them."""
    drops: tuple[str, ...] = ()
    """Ids of deleted repeatable files of which what they made would be dropped."""

    def __len__(self) -> int:
        return len(self.pending) + len(self.repeatables)

    @property
    def files(self) -> tuple[Migration, ...]:
        """All that is run."""
        return (*self.pending, *self.repeatables)


def compare(
    label: str, ledger: Ledger, migrations: Migrations, recorded: Sequence[Record], progress: Sequence[Progress]
) -> Status:
    """Where every migration of the files and of the ledger stands."""
    status = compare_with(label, migrations, recorded, progress)
    half_done = tuple(_half_done(ledger, {m.hash: m for m in migrations}, {r.hash for r in recorded}, progress))
    return replace(
        status,
        schema=ledger.schema,
        server_version=ledger.server_version,
        has_ledger=ledger.is_there,
        half_done=half_done,
        hooks_due=_hooks_due(migrations, progress),
        flaws=ledger.flaws,
        source=migrations.where,
    )


def compare_with(
    label: str, migrations: Migrations, recorded: Sequence[Record], progress: Sequence[Progress] = ()
) -> Status:
    """The same for records of whatever kind: no ledger is asked."""
    by_hash = {r.hash: r for r in recorded}
    migrations.refuse_absent(by_hash)
    half_way = {p.hash: p for p in progress}
    followed, edited, half_replaced = _stand_ins(migrations, by_hash)
    states = dict.fromkeys(followed, State.APPLIED) | dict.fromkeys(edited, State.CHANGED)
    former = {f.id: f for f in states}
    entries: list[Entry] = []
    hashes = [m.hash for m in migrations]
    applied = [n for n, m in enumerate(migrations) if hashes[n] in by_hash or m.id in former]
    for number, (m, known_as) in enumerate(zip(migrations, hashes, strict=True)):
        record = by_hash.get(known_as)
        begun = half_way.get(known_as)
        done, what = (begun.statements_done, begun.operation) if begun else (None, None)
        if m.id in former:
            one = former[m.id]
            at = max(by_hash[h].applied_at for h in one.hashes)
            entries.append(Entry(m.id, states[one], m.path, at, True, False, done, what, one.recorded_as, m.phase))
            continue
        if record is None:
            behind = [n for n in applied if n > number and comes_first(m, migrations.items[n])]
            is_late = bool(behind) and not _is_merged(migrations, number, behind)
            entries.append(Entry(m.id, State.PENDING, m.path, None, False, is_late, done, what, (), m.phase))
            continue
        is_changed = record.checksum is not None and record.checksum != m.checksum
        state = State.CHANGED if is_changed else State.APPLIED
        has_checksum = record.checksum is not None
        entries.append(Entry(m.id, state, m.path, record.applied_at, has_checksum, False, done, what, (), m.phase))
    newest = max((m.id for m in migrations), default="")
    known = {*hashes, *(h for f in states for h in f.hashes)}
    gone = sorted((r for r in recorded if r.hash not in known and not r.is_beside), key=lambda r: r.id)
    for record in gone:
        state = State.AHEAD if record.id > newest else State.MISSING
        entries.append(Entry(record.id, state, None, record.applied_at, record.checksum is not None))
    if gone:
        entries.sort(key=lambda e: (e.state == State.AHEAD, e.id) if e.path is None else (False, e.id))
        order = {m.id: n for n, m in enumerate(migrations)}
        if any(m.depends for m in migrations):
            entries.sort(key=lambda e: order.get(e.id, len(order) if e.state == State.AHEAD else -1))
    pending = {m.checksum: m.id for m, h in zip(migrations, hashes, strict=True) if h not in by_hash}
    return Status(
        label,
        "",
        "",
        has_ledger=False,
        entries=tuple(entries),
        heads=migrations.heads(),
        followed=followed,
        half_replaced=half_replaced,
        look_alikes=tuple((r.id, pending[r.checksum]) for r in gone if r.checksum in pending),
    )


def _stand_ins(
    migrations: Migrations, by_hash: Mapping[str, Record]
) -> tuple[tuple[Followed, ...], tuple[Followed, ...], tuple[HalfReplaced, ...]]:
    """Which migrations are recorded under the names that they had, or of those that they replace.

    In the middle those that have another text than what is recorded under the old name.  A row that was set aside
    counts for nothing by itself: its migration may have been rolled back since.
    """
    followed, edited, half = [], [], []
    for m in migrations:
        own = by_hash.get(m.hash)
        if not (m.was or m.replaces) or (own is not None and not own.is_beside):
            continue
        rows = {i: by_hash[migration_hash(i)] for i in (*m.was, *m.replaces) if migration_hash(i) in by_hash}
        standing = {i: r for i, r in rows.items() if not r.is_beside}
        was = {i: r for i, r in standing.items() if i in m.was}
        same = {i: r for i, r in was.items() if r.checksum in (None, *m.former_checksums)}
        replaced = [i for i in m.replaces if i in standing]
        if same:
            is_verified = all(r.checksum is not None for r in same.values())
            followed.append(Followed(m.id, tuple(same), tuple(r.hash for r in same.values()), is_verified))
        elif was and own is None:
            edited.append(Followed(m.id, tuple(was), tuple(r.hash for r in was.values())))
        elif replaced and all(i in rows for i in m.replaces):
            followed.append(Followed(m.id, tuple(replaced), tuple(standing[i].hash for i in replaced)))
        elif replaced:
            half.append(HalfReplaced(m.id, tuple(replaced), tuple(i for i in m.replaces if i not in rows)))
    return tuple(followed), tuple(edited), tuple(half)


def _is_merged(migrations: Migrations, number: int, applied: Sequence[int], *, heads: Sequence[str] = ()) -> bool:
    """Whether merges say that all that is applied after this one may as well run before it."""
    items = migrations.items
    after = [n for n in applied if n > number]
    return all(migrations.are_joined(items[number].id, items[n].id, also=heads) for n in after)


def _half_done(
    ledger: Ledger, files: Mapping[str, Migration], recorded: Collection[str], progress: Sequence[Progress]
) -> Iterator[HalfDone]:
    for p in progress:
        m = files.get(p.hash)
        so_far = counted(p.statements_done, "statement")
        forget = forget_progress(ledger.schema, p.id)
        if m is None and p.operation == "apply" and p.hash not in recorded:
            why = f"{p.id} was interrupted after {so_far}, and its file is gone"
            yield HalfDone(p.id, why, "bring the file back as it was", forget)
        elif m is not None and p.operation == "apply" and p.hash not in recorded and m.is_transactional:
            why = f"{m.id} was interrupted after {so_far} of a non-transactional file, and is transactional now"
            yield HalfDone(m.id, why, "bring -- transactional: false back", forget)
        elif p.operation == "rollback" and p.hash in recorded:
            why = f"{p.id} is half rolled back: its rollback was interrupted after {so_far}"
            yield HalfDone(p.id, why, f"finish the rollback: wflo-schema rollback {p.id}", forget)


def _hooks_due(migrations: Migrations, progress: Sequence[Progress]) -> tuple[str, ...]:
    """The hook after all where it is due: a run runs it unless it is gone, or only comments."""
    hook = migrations.hook(AFTER_ALL)
    if hook is None or not any(p.operation == DUE for p in progress):
        return ()
    with suppress(BadMigrationFile):  # that is said when it is run
        if not load_script(hook.with_any_values()).statements:
            return ()
    return (hook.id,)


def plan_migrations(
    status: Status,
    migrations: Migrations,
    to: str | None,
    allow: Collection[Allow],
    *,
    together: bool = False,
    phase: Phase | None = None,
) -> Plan:
    """What would be applied of the phase (None: of all), up to and including ``to``, and what stands against it.

    ``together``: as one transaction.
    """
    waiting = {e.id: e for e in status.pending}
    wanted = list(migrations)
    if to is not None:
        last = resolve_wish(to, status, migrations)
        refuse_other_phase(last, phase)
        wanted = wanted[: wanted.index(last) + 1]
    pending = of_phase(wanted, waiting, phase)
    refused = {e.id for e in status.without_file if Allow(e.state) not in allow}
    alike = (*status.look_alikes, *other_spellings(status).items())
    renamed = {new for old, new in alike if old in refused}  # to be named, not moved
    late = [m.id for m in pending if waiting[m.id].is_late and m.id not in renamed]
    found = _objections(status, pending, late=late, late_help=_late_help(status, migrations, late) if late else "")
    bound = [(i, what) for i, what in passed_in_vain(migrations, waiting, pending) if i not in late]
    passed = ((Allow.LATE, what, _late_help(status, migrations, [i])) for i, what in bound)
    turns = [(None, *told) for told in out_of_turn(migrations, waiting, pending, phase)]
    apart = [(None, *told)] if together and (told := _apart(pending)) else []
    is_last = len(pending) == (len(status.pending_by(BEFORE)) if phase is BEFORE else len(waiting))
    ids = {e.id for e in status.to_repeat} if is_last else set()
    again = tuple(m for m in migrations.repeatables if m.id in ids)
    around = [h for h in migrations.hooks if h.id != f"{HOOKS}/{AFTER_ROLLBACK}"] if pending or again else []
    against = (f for f in (*found, *passed) if f[0] not in allow)
    refusals = (*_without_values((*pending, *again, *around)), *against, *turns, *apart)
    return Plan(status, pending, refusals, repeatables=again, phase=phase, is_last=is_last)


def _without_values(files: Sequence[Migration]) -> Iterator[tuple[Allow | None, str, str]]:
    unset = {name: m for m in reversed(files) for name in m.unset}
    if unset:
        where = [f"{name} ({first_use(unset[name], name)})" for name in sorted(unset)]
        which = "this variable has" if len(where) == 1 else f"{len(where)} variables have"
        yield None, f"{which} no value: {listed(where, 10)}", how_to_give(*sorted(unset))


def _apart(targets: Sequence[Migration]) -> tuple[str, str] | None:
    """What cannot be in one transaction with others, and how it is applied apart."""
    apart = [(n, m) for n, m in enumerate(targets) if not m.is_transactional]
    if not apart:
        return None
    number, first = apart[0]
    ids = listed(m.id for _, m in apart)
    before = f"wflo-schema migrate --together --to {targets[number - 1].id}, then " if number else ""
    behind = ", then the rest" if number < len(targets) - 1 else ""
    return (
        f"--together is one transaction, and {ids} {plural(len(apart), 'is', 'are')} non-transactional",
        f"{before}wflo-schema migrate --to {first.id}{behind}; or leave out --together",
    )


def refuse_apart(targets: Sequence[Migration]) -> None:
    """Raise `Refused` where one of those to be rolled back together cannot be in one transaction with others."""
    told = _apart(targets)
    if told is not None:
        raise Refused(told[0], hint="roll back one after the other: leave out --together")


def _late_help(status: Status, migrations: Migrations, late: Sequence[str]) -> str:
    """What to do about migrations that come late: the merge that the heads need, or another name."""
    waiting = {e.id for e in status.pending}
    applied = [n for n, m in enumerate(migrations) if m.id not in waiting]
    order = {m.id: n for n, m in enumerate(migrations)}
    if any(all(_is_merged(migrations, order[i], applied, heads=ends) for i in late) for ends in status.heads):
        return "join the branches: wflo-schema new --merge"
    from wflo_schema.files.versions import keeper_of

    free = [i for i in late if (m := migrations.get(i)) is not None and keeper_of(m) is None]
    if not free:
        return "adopt.toml or import.toml names it, so its name stays"
    step = f"wflo-schema move {late[0]} --last" if len(late) == 1 else "for each: wflo-schema move ID --last"
    return f"give it a name that comes last, if no database has it: {step}"


# What to do about a file that was edited after it was applied, and about one that was renamed as well.
RESTORE = "bring the file back as it was and write a new migration for the change"
RESTORE_RENAMED = (
    "give the file the text that was applied (git log --follow -p shows it), below its -- was: line, "
    "and write a new migration for the change"
)


def edited_since(e: Entry) -> str:
    """That a file was renamed, and is not what was applied under its old name."""
    since = f"{e.applied_at[:19].replace('T', ' ')} UTC" if e.applied_at else "then"
    return f"{e.id} was {listed(e.recorded_as)}, and its text is not the one that was applied ({since})"


RESPELL = "rename the file to what is recorded (has macOS, an archive or git changed its accents?)"

# What to do where there is something although nothing is recorded.
TAKE_OVER = "if these migrations describe what is there, take it over: wflo-schema adopt"

_NEWER_FILES = "run it with the newer files, or name their folder with --migrations"
_BRING_BACK = "bring the file back (git log --diff-filter=D -- '*.sql')"


def resolve_wish(wish: str, status: Status, migrations: Migrations) -> Migration:
    """The migration that is meant.  Raise `Refused` for one that is recorded and has no file here."""
    try:
        return migrations.resolve(wish)
    except BadMigrationFile:
        states = {e.id: e.state for e in status.without_file}
        with suppress(BadMigrationFile):
            gone = resolve_id(wish, states, migrations.where)
            how = _NEWER_FILES if states[gone] is State.AHEAD else _BRING_BACK
            raise Refused(
                f"{gone} is applied, and has no file in {migrations.where}",
                hint=f"{how}; or name a migration that has one: wflo-schema status lists them",
            ) from None
        raise


def _objections(
    status: Status, pending: Sequence[Migration], *, late: Sequence[str], late_help: str
) -> Iterator[tuple[Allow | None, str, str]]:
    """What stands against migrating: the case, what it is, and how to put it right."""
    changed = [e.id for e in status.changed if not e.recorded_as]
    if changed:
        were = counted(len(changed), "applied migration was", "applied migrations were")
        yield Allow.CHANGED, f"{were} changed since: {listed(changed)}", RESTORE
    for e in status.changed:
        if e.recorded_as:
            yield Allow.CHANGED, edited_since(e), RESTORE_RENAMED
    for half in status.half_done:
        yield Allow.HALF_DONE, half.reason, half.help
    for part in status.half_replaced:
        yield None, *_half_replaced(part)
    spelt = other_spellings(status)
    states = {e.id: e.state for e in status.without_file}
    for one, file in spelt.items():
        yield Allow(states[one]), _spelt(one, file), RESPELL
    told = {*spelt, *(i for part in status.half_replaced for i in part.recorded)}
    missing = [e.id for e in status.missing if e.id not in told]
    ahead = [e.id for e in status.ahead if e.id not in told]
    same = {old: new for old, new in status.look_alikes if old not in told}
    if missing:
        have = counted(len(missing), "applied migration has", "applied migrations have")
        yield (
            Allow.MISSING,
            f"{have} no file any more: {listed(missing)}",
            renamed(same, missing) or _BRING_BACK,
        )
    if ahead:
        yield (
            Allow.AHEAD,
            f"the database is ahead of the files: it has {listed(ahead)}",
            renamed(same, ahead) or _NEWER_FILES,
        )
    if late:
        sort = counted(len(late), "pending migration sorts", "pending migrations sort")
        yield (
            Allow.LATE,
            f"{sort} before one that is applied: {listed(late)}",
            late_help,
        )
    if status.unrecorded and pending:
        yield Allow.NOT_EMPTY, status.not_empty, TAKE_OVER
    if status.heads and pending:
        ends = "; ".join(" and ".join(h) for h in status.heads)
        yield (
            Allow.HEADS,
            f"the history has {len(status.heads[0])} heads: {ends}",
            "join them: wflo-schema new --merge",
        )


def _half_replaced(part: HalfReplaced) -> tuple[str, str]:
    all_of_them = counted(len(part.recorded) + len(part.pending), "migration")
    has = f"this database has only {listed(part.recorded)}, not {listed(part.pending)}"
    where = f"git log --diff-filter=A -- '*{part.id}.sql' shows the commit of the squash"
    how = "check out the last commit before the squash, run wflo-schema migrate there, and come back"
    return f"{part.id} replaces {all_of_them}, and {has}", f"{how} ({where})"


def renamed(same: Mapping[str, str], gone: Sequence[str]) -> str:
    """What to do about records whose file is there under another name; empty where there is none."""
    lines = [f"begin {new}.sql with the line -- was: {old}" for old, new in same.items() if old in gone]
    return f"renamed? {'; '.join(lines)}; or give the old name back" if lines else ""


def other_spellings(status: Status) -> dict[str, str]:
    """Records without a file that are to the eye a pending one, by id: é has two spellings."""
    gone = [e.id for e in status.without_file if not e.id.isascii()]
    if not gone:
        return {}
    from wflo_schema.files.numbering import visible

    pending = {visible(e.id): e.id for e in status.pending if not e.id.isascii()}
    return {one: pending[visible(one)] for one in gone if visible(one) in pending}


def _spelt(one: str, file: str) -> str:
    from wflo_schema.files.numbering import spelling

    return f"{file} is recorded in another spelling: as {spelling(one)}, and the file is {spelling(file)}"


def _refuse_other_spelling(status: Status, ids: Collection[str]) -> None:
    """Raise `Refused` where one of these is recorded in another spelling than its file's."""
    for one, file in other_spellings(status).items():
        if one in ids or file in ids:
            raise Refused(_spelt(one, file), hint=RESPELL, case=Allow.MISSING.value)


def refuse(planned: Plan) -> None:
    """Raise `Refused` with all that stands against the plan."""
    if not planned.refusals:
        return
    case, what, _ = planned.refusals[0]
    lines = [what, *(w for _, w, _ in planned.refusals[1:])]
    hints = [how + insisting(case, "; to go on all the same: ") for case, _, how in planned.refusals]
    raise Refused("\n".join(lines), hint="\n".join(hints), case=case.value if case else "")


def insisting(case: Allow | None, words: str) -> str:
    """The option that goes on all the same, after ``words``; empty where nothing may."""
    return f"{words}--allow {case}" if case else ""


def refuse_elsewhere(status: Status) -> None:
    """Raise `Refused` where another schema records these migrations: they would all be applied once more."""
    if not status.elsewhere:
        return
    raise Refused(
        f"{status.said_elsewhere} these migrations; the ledger of schema {status.schema}, "
        f"{status.led_here}, records none of them",
        hint=status.how_to_name
        if status.is_ledger_apart
        else f"{status.how_to_name}; or, to have them in schema {status.schema} as well, "
        f"--schema {status.schema}; if a migration has set the search_path of the database or the role, "
        "each new session begins with it: always give --schema, or RESET that setting and qualify names instead",
    )


def rollback_targets(
    status: Status, migrations: Migrations, count: int, to: str | None, only: str | None
) -> tuple[Migration, ...]:
    """What would be rolled back, in that order, or `Refused`."""
    targets = tuple(rolling_back(m) for m in _chosen_targets(status, migrations, count, to, only))
    chosen = {m.id for m in targets}
    for e in status.changed:
        if e.id in chosen and e.recorded_as:
            raise Refused(edited_since(e), hint=RESTORE_RENAMED, case=Allow.CHANGED.value)
    last = min((n for n, m in enumerate(migrations) if m.id in chosen), default=len(migrations))
    known = {m.id: n for n, m in enumerate(migrations)}
    for e in status.entries:
        if targets and e.state is State.PENDING and e.interrupted == "apply" and known.get(e.id, last) >= last:
            raise Refused(
                f"{e.id} is half applied ({counted(e.statements_done or 0, 'statement')}), and "
                "builds on what would be rolled back",
                hint="finish it first: wflo-schema migrate; or undo by hand what it has begun, then "
                f"{forget_progress(status.schema, e.id)}",
                case=Allow.HALF_DONE.value,
            )
    transactional = {m.id for m in targets if m.is_transactional}
    for half in status.half_done:
        if targets and half.id not in known:
            raise Refused(half.reason, hint=half.help, case=Allow.HALF_DONE.value)
        if half.id in transactional:
            now = replace(half, way=f"bring -- transactional: false back, and {half.way}")
            raise Refused(
                f"{half.reason} of a non-transactional file, and is transactional now",
                hint=now.help,
                case=Allow.HALF_DONE.value,
            )
    return targets


def _chosen_targets(
    status: Status, migrations: Migrations, count: int, to: str | None, only: str | None
) -> tuple[Migration, ...]:
    in_order = as_applied(status, migrations)
    wish = only if only is not None else to
    named = _recorded_id(wish, status, migrations) if wish is not None else None
    _refuse_other_spelling(status, (named or "",))
    if named is not None and named not in in_order:
        in_vain = ", so nothing can be rolled back to it" if to is not None else ""
        raise Refused(f"{named} is not applied{in_vain}", hint="wflo-schema status lists what is applied")
    if only is not None and named is not None:
        chosen = [named]
    elif named is not None:
        chosen = in_order[in_order.index(named) + 1 :]
    else:
        chosen = in_order[-count:] if count > 0 else []
    _refuse_other_spelling(status, chosen)
    _refuse_gone(status, chosen)
    targets = tuple(m for i in reversed(chosen) if (m := migrations.get(i)))
    dependents = _dependents(targets[0], [m for m in migrations if m.id in in_order]) if only is not None else []
    if dependents:
        raise Refused(
            f"{named} cannot be rolled back: "
            f"{counted(len(dependents), 'applied migration depends', 'applied migrations depend')}"
            f" on it: {', '.join(dependents)}",
            hint=f"roll them back first: wflo-schema rollback --to {named}",
        )
    return targets


def _recorded_id(wish: str, status: Status, migrations: Migrations) -> str:
    """The id that is meant: of a file, or of a record whose file is not here."""
    gone = {e.id for e in status.without_file}
    meant = resolve_id(wish, [*(m.id for m in migrations), *gone], migrations.where)
    return meant if meant in gone else migrations.resolve(wish).id


def as_applied(status: Status, migrations: Migrations) -> list[str]:
    """The ids of what is recorded, in the order in which it was applied.

    That is the order of the times, except that nothing comes before what it depends on; of two with one time, the file
    that sorts first comes first, and one without a file where it sorts: first of all, or ahead of them.
    """
    times = {e.id: e.applied_at or "" for e in status.entries if e.state is not State.PENDING}
    places = {m.id: n for n, m in enumerate(migrations)}
    for m in migrations:
        if m.id in times:
            times[m.id] = max(times[m.id], *(times.get(i, "") for i in m.depends), "")
    places.update((e.id, len(places)) for e in status.ahead)
    return sorted(times, key=lambda i: (times[i], places.get(i, -1), i))


def _refuse_gone(status: Status, chosen: Collection[str]) -> None:
    """Raise `Refused` if one of those to be rolled back has no file: nothing says how, and others may need it."""
    gone = [e for e in status.without_file if e.id in chosen]
    if not gone:
        return
    ahead = [e for e in gone if e.state is State.AHEAD]
    how = renamed(dict(status.look_alikes), [e.id for e in gone]) or (_NEWER_FILES if ahead else _BRING_BACK)
    others = "; or roll back another one alone, by id: wflo-schema rollback ID" if len(chosen) > 1 and not ahead else ""
    raise Refused(
        f"{counted(len(gone), 'migration')} that would be rolled back {plural(len(gone), 'has', 'have')} no file here: "
        f"{listed(e.id for e in gone)}",
        hint=how + others,
        case=(Allow.AHEAD if ahead else Allow.MISSING).value,
    )


def _dependents(one: Migration, applied: Sequence[Migration]) -> list[str]:
    inside = {one.id}
    for m in applied:
        if inside & set(m.depends):
            inside.add(m.id)
    return [m.id for m in applied if m.id in inside and m.id != one.id]


def load_rollback_or_refuse(m: Migration) -> Script:
    """The rollback file's statements; `Refused` where it is missing or would undo nothing."""
    script = load_rollback(m)
    if script is None:
        raise Refused(
            f"{m.id} has no rollback file, so it cannot be rolled back",
            hint=f"write {m.path.removesuffix('.sql')}.rollback.sql; "
            "if there is nothing to undo, write in it: -- nothing-to-undo: why",
        )
    script.refuse_doubtful()
    if not script.statements and not script.nothing_to_undo:
        raise Refused(
            f"{script.path} holds no statement, so rolling back {m.id} would undo nothing",
            hint="write what takes it back, or say so in the file: -- nothing-to-undo: why",
        )
    return script


class Scripts:
    """The statements of the migrations to run: all are read and checked before anything runs."""

    def __init__(self, migrations: Sequence[Migration], loader: Callable[[Migration], Script]) -> None:
        self.files = migrations
        self._loader = loader
        self._kept: dict[str, Script] = {}
        self.wrapped: list[str] = []
        """Ids of those whose BEGIN … COMMIT around the whole file is left out."""

    def validate(self, between: Callable[[], None], check: Callable[[Migration, Script], None]) -> None:
        """Read every file; raise what is wrong with one, or what ``check`` raises.  Call ``between`` before each."""
        from wflo_schema.files.faults import refuse_unfit

        kept = 0
        for m in self.files:
            between()
            script = self._loader(m)
            check(m, script)  # first: what seems unfit may only have misspelt its directive
            refuse_unfit(script, is_transactional=m.is_transactional)
            if script.statements.is_wrapped:
                self.wrapped.append(m.id)
            kept += len(script.source)
            if kept <= _KEPT_TEXT or not self._kept:  # one alone is not read twice, however big
                self._kept[m.id] = script

    def take(self, m: Migration) -> Script:
        """The statements of one."""
        return self._kept.pop(m.id, None) or self._loader(m)

    def give_back(self, m: Migration, script: Script) -> None:
        """It was taken too early."""
        self._kept[m.id] = script


def ledger_statements(status: Status, migrations: Migrations) -> list[str]:
    """The SQL that makes the ledger and its rows, without the times, which differ from database to database."""
    schema = sql.Identifier(status.schema)
    made = sql.SQL(load_sql("engine", "ledger_create")).format(schema=schema).as_string().partition("\n")[2]
    recorded = sorted(e.id for e in status.entries if e.state is not State.PENDING)
    rows = []
    for migration_id in recorded:
        known = migrations.get(migration_id)
        rows.append(
            sql.SQL("    ({}, {}, pg_catalog.now() AT TIME ZONE 'UTC', {})")
            .format(
                sql.Literal(migration_hash(migration_id)),
                sql.Literal(migration_id),
                sql.Literal(known.checksum if known else None),
            )
            .as_string()
        )
    head = sql.SQL("INSERT INTO {} (migration_hash, migration_id, applied_at_utc, checksum) VALUES").format(
        sql.Identifier(status.schema, "_yoyo_migration")
    )
    return [made.strip() + ";", *([head.as_string() + "\n" + ",\n".join(rows) + ";"] if rows else [])]
