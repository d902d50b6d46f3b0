"""Proves an import: the folder as its own tool runs it, and the files of ours, make the same of an empty database.

Hides that both are run at once, how the file is found after which they differ, and what is done again for that.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.events import Event, Notice
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.files.listing import AFTER_ALL, AFTER_EACH, AFTER_ROLLBACK, BEFORE_ALL, BEFORE_EACH, HOOKS, REPEATABLE
from wflo_schema.files.splitting import pieces
from wflo_schema.imports.sending import Refusal, SourceRun
from wflo_schema.imports.source import Section, Source
from wflo_schema.imports.translate import of_session
from wflo_schema.imports.writing import Imported
from wflo_schema.scratch.replay import Scratches, ScratchOptions, scratch_databases
from wflo_schema.squash.proof import Made, Unlike, changing_columns, line_of, look_at, unlike
from wflo_schema.words import listed, shown

_One = TypeVar("_One")
_Other = TypeVar("_Other")

_CORRECT = "look at both, and correct the file"

_FAILURES = (MigrationFailed, BadMigrationFile, Refused)

# Differences that are shown of one file, and files that are looked for: each takes some replays.
_MOST_SHOWN = 4
_MOST_NAMED = 5

# Rollbacks behind which both are compared before the last: each look takes as long as a few migrations.
_MOST_LOOKS = 8

# How often a rollback that stops, at a file that has none or fails, is begun anew below it.
_MOST_BEGINNINGS = 20

# Migrations that are sooner run again than copied: a copy of both sides takes as long as so many.
_FEWEST_COPIED = 50

# What is missing that a migration takes for granted; see `engine.confinement`.
_PREPARE = (
    "prepare what it takes for granted: name a file of SQL that makes it (--scratch-prepare FILE), "
    "or a database to copy (--scratch-template NAME)"
)


@dataclass(frozen=True, slots=True)
class Said:
    """What the proof has to say of one migration, or, without an ``id``, of all.

    ``how`` says what a person can do.  ``is_open``: somebody must, before it can be called proven.
    """

    id: str
    what: str
    is_open: bool = True
    how: str = ""

    @property
    def text(self) -> str:
        """One line for people, without the id."""
        return f"{self.what}; {self.how}" if self.how else self.what


@dataclass(frozen=True, slots=True)
class Proof:
    """What was replayed, and what came of it.

    ``replayed`` counts the migrations, from the first on, that were run both ways; ``is_equal`` says that both then
    made the same ``objects``, and the same rows in ``filled`` tables and sequences, but for the columns
    ``not_compared``, which differ from run to run of the same files.  ``rolled_back`` counts those that were rolled
    back, both ways, with the same result, and applied again, unless that fails both ways, or ``leaves_nothing``: all
    were rolled back to the empty database, from which they had been applied.  ``said`` names what differs, and what
    cannot be replayed.
    """

    label: str
    total: int
    replayed: int
    is_equal: bool
    objects: int
    filled: int
    rolled_back: int
    with_rollback: int
    leaves_nothing: bool = False
    not_compared: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Were all of them replayed, with the same result, and all that can be rolled back?"""
        is_forward = self.is_equal and self.replayed == self.total
        return is_forward and self.rolled_back == self.with_rollback and not any(s.is_open for s in self.said)


@dataclass(frozen=True, slots=True)
class _Stopped:
    """How far one side came of what it was to run, and why no further."""

    done: int
    refusal: Refusal


@dataclass(slots=True)
class _Place:
    """What is proven, and where."""

    scratches: Scratches
    source: Source
    migrations: Migrations
    total: int
    hooks: Mapping[str, Imported] = field(default_factory=dict)
    """What is run before all steps and around them, by the names of the hooks."""
    left_out: dict[tuple[str, str], None] = field(default_factory=dict)
    """What was run on neither side: the migration's id, and what is said of it; in order."""
    leaves_nothing: bool = False
    """Were all rolled back to the empty database?"""
    base: Made | None = None
    """What is in the database before the first migration."""
    looks: int = _MOST_LOOKS
    """How often both may still be compared between rollbacks."""
    kept: list[tuple[int, list[Database]]] = field(default_factory=list)
    """Copies of both sides behind so many migrations; those behind the most come last."""

    @contextmanager
    def pair(self, steps: Sequence[Imported] = ()) -> Iterator[_Pair]:
        """Two empty databases, one for each side, and these migrations run in them."""
        theirs, ours = self.scratches.new(2)
        pair = _Pair(self, theirs, ours)
        try:
            if steps:
                pair.up(steps)
            yield pair
        finally:
            pair.close()
        self.scratches.retire((theirs, ours))

    @contextmanager
    def below(self, steps: Sequence[Imported], changing: Mapping[str, frozenset[str]]) -> Iterator[tuple[_Pair, Made]]:
        """As `pair`, for one call after the other with fewer migrations; and what ours has made.

        Each goes on from a copy that one before it has made half-way, as the tool does when it is started again there.
        """
        pair = self._from_copy(steps)
        try:
            want, have = pair.look(changing)
            if not unlike(have, want).lines:
                yield pair, have
                return
        finally:
            pair.close()
            self.scratches.retire((pair.theirs, pair.ours))
        with self.pair(steps) as other:
            yield other, look_at(other.ours, without=changing)

    def _from_copy(self, steps: Sequence[Imported]) -> _Pair:
        while self.kept and self.kept[-1][0] > len(steps):
            self.scratches.retire(self.kept.pop()[1])
        done, both = self.kept[-1] if self.kept else (0, [])
        made = self.scratches.copies(both) if both else None
        done = done if made else 0
        theirs, ours = made or self.scratches.new(2)
        pair = _Pair(self, theirs, ours, is_plain=not done)
        while done < len(steps):
            left = len(steps) - done
            half = done + left // 2 if left > _FEWEST_COPIED else len(steps)
            pair.up(steps[:half], behind=done)
            done = half
            if done < len(steps):
                pair.close()
                copies = self.scratches.copies((theirs, ours))
                self.kept += [(done, copies)] if copies else []
        return pair

    def only(self, steps: Sequence[Imported]) -> Migrations:
        """The files of these migrations."""
        if len(steps) == self.total and not any(one.is_open for one in self.hooks.values()):
            return self.migrations
        ids = {one.id for one in (*steps, *self.hooks.values()) if not one.is_open}
        items, repeatables, hooks = (
            tuple(m for m in some if m.id in ids)
            for some in (self.migrations, self.migrations.repeatables, self.migrations.hooks)
        )
        return replace(
            self.migrations,
            items=items,
            repeatables=repeatables,
            hooks=hooks,
            stray_rollbacks=(),
            _by_id={m.id: m for m in items},
        )

    def around(self, *names: str) -> list[Section]:
        """What the tool runs at these hooks."""
        return [self.hooks[name].forward.sent for name in names if name in self.hooks and not self.hooks[name].is_open]

    def notify(self, event: Event) -> None:
        """Keep what is said of statements that are left out."""
        if isinstance(event, Notice) and event.severity == "LEFT OUT":
            self.left_out.setdefault((event.id, event.message.partition(": ")[2]))


@dataclass(slots=True)
class _Pair:
    """Two databases, in one of which the folder is run, and our files in the other, both at once."""

    place: _Place
    theirs: Database
    ours: Database
    stop: Stop = field(default_factory=Stop)
    stop_ours: Stop = field(default_factory=Stop)
    is_plain: bool = True
    """Was nothing run in them yet that could have made code?"""
    _run: SourceRun | None = None

    @property
    def run(self) -> SourceRun:
        """The session in which the folder is run."""
        if self._run is None:
            self._run = SourceRun(self.place.source, self.theirs, self.stop, is_plain=self.is_plain)
        return self._run

    def close(self) -> None:
        """End that session: what is run next is run in a new one, as where the tool is started once more."""
        if self._run is not None:
            self.is_plain = self._run.is_plain
            self._run.close()
            self._run = None

    def up(self, steps: Sequence[Imported], *, behind: int = 0) -> tuple[_Stopped | None, _Stopped | None]:
        """Run these migrations both ways, ``behind`` of which were run before; say how each was stopped."""

        def ours_up() -> _Stopped | None:
            if self.place.base is None and _goes_back(steps[0]):
                self.place.base = look_at(self.ours)
            return self.ours_up(steps)

        return self._at_once(lambda: self.theirs_up(steps[behind:], is_first=not behind), ours_up)

    def down(self, steps: Sequence[Imported], *, goes_on: bool = False) -> tuple[_Stopped | None, _Stopped | None]:
        """Roll these back both ways, in this order; ``goes_on``: in the session in which those before were."""
        if not goes_on:
            self.close()
        return self._at_once(lambda: self._theirs_down(steps), lambda: self._ours_down(steps))

    def look(self, without: Mapping[str, frozenset[str]] | None = None) -> tuple[Made, Made]:
        """What both have made: theirs, ours."""
        return self._at_once(lambda: look_at(self.theirs, without=without), lambda: look_at(self.ours, without=without))

    def _at_once(self, theirs: Callable[[], _One], ours: Callable[[], _Other]) -> tuple[_One, _Other]:
        """Do both, theirs in a thread; where one raises, stop the other, and wait until both have ended."""

        def end_ours(done: Future[_One]) -> None:
            if done.exception() is not None:
                self.stop_ours.request(signal.SIGINT)

        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(theirs)
            other.add_done_callback(end_ours)
            try:
                if self.place.scratches.allow_outside:
                    other.result()  # a role that theirs makes is there for both
                own = ours()
            except BaseException:
                if self.stop_ours.is_requested:
                    other.result()  # raises what has ended both
                self.stop.request(signal.SIGINT)
                raise
            return other.result(), own

    def theirs_up(self, steps: Sequence[Imported], *, is_first: bool = True) -> _Stopped | None:
        """Run the folder's migrations; ``is_first``: with what comes before the first."""
        self.close()
        for hook in self.place.around(BEFORE_ALL) if is_first else ():
            refusal = self.run.run(f"{HOOKS}/{BEFORE_ALL}", hook)
            if refusal is not None:
                return _Stopped(0, replace(refusal, message=f"{refusal.message} ({hook.path})"))
        before, behind = self.place.around(BEFORE_EACH), self.place.around(AFTER_EACH)
        for n, one in enumerate(steps):
            is_hook = one.step.home == HOOKS
            refusal = self.run.run(
                one.id, one.forward.sent, before=() if is_hook else before, behind=() if is_hook else behind
            )
            if refusal is not None:
                return _Stopped(n, refusal)
        return None

    def _theirs_down(self, steps: Sequence[Imported]) -> _Stopped | None:
        for n, one in enumerate(steps):
            assert one.undo is not None
            behind = self.place.around(AFTER_ROLLBACK)
            is_nothing = one.undo.is_empty and not behind
            refusal = None if is_nothing else self.run.run(one.id, one.undo.sent, behind=behind)
            if refusal is not None:
                return _Stopped(n, refusal)
        return None

    def ours_up(self, steps: Sequence[Imported]) -> _Stopped | None:
        """Apply our files of these migrations."""
        try:
            operations.migrate(self.ours, self.place.only(steps), notify=self.place.notify, stop=self.stop_ours)
        except _FAILURES as error:
            return _stopped(error, steps)
        return None

    def _ours_down(self, steps: Sequence[Imported]) -> _Stopped | None:
        try:
            files, notify = self.place.only(steps), self.place.notify
            operations.rollback(self.ours, files, count=len(steps), notify=notify, stop=self.stop_ours)
        except _FAILURES as error:
            return _stopped(error, steps)
        return None


def _stopped(error: WfloSchemaError, steps: Sequence[Imported]) -> _Stopped:
    """How far our side came, and why no further."""
    applied = set(error.applied)
    done = next((n for n, one in enumerate(steps) if one.id not in applied), len(steps))
    blamed = _id_of(error)
    at = next((n for n, one in enumerate(steps) if one.id == blamed), done)
    location = getattr(error, "location", None)
    said = error.message.splitlines()[0]
    said = re.sub(r"\A(?:in the scratch database, )?(?:\S+\.sql(?::\d+)*: )?", "", said)
    said = re.sub(r"\A\S+ failed in statement \d+ of \d+: ", "", said)
    if isinstance(error, MigrationFailed):
        line = location.line if location is not None else 0
        return _Stopped(at, Refusal(said, line, shown(error.statement), error.sqlstate, error.hint))
    return _Stopped(at, Refusal(said, location.line if location is not None else 0, hint=error.hint))


def _id_of(error: WfloSchemaError) -> str:
    """The migration that an error is about, empty where it names none."""
    if isinstance(error, MigrationFailed) and error.migration_id:
        return error.migration_id
    beside = re.search(rf"\b(?:{REPEATABLE}|{HOOKS})/[\w-]+", error.message)
    named = re.search(r"([^/\s]+?)(?:\.rollback)?\.sql\b", error.message)
    return beside[0] if beside is not None else named[1] if named is not None else ""


# --- the proof --------------------------------------------------------------------------------


def prove(
    server: Database,
    source: Source,
    imported: Sequence[Imported],
    migrations: Migrations,
    *,
    scratch: ScratchOptions | None = None,
) -> Proof:
    """Replay the folder as its tool runs it, and the files of ours, in scratch databases, and compare the two.

    Both go as far as the first migration that waits for a person, or that one of them refuses; then down as far as
    there are undo parts, and up again.  Where the two differ, the file is found after which they do.  Raise as
    `scratch_database` does, and `ConnectionLost`.
    """
    in_order = [one for one in imported if one.step.home != HOOKS or one.step.name == AFTER_ALL]
    hooks = {one.step.name: one for one in imported if one not in in_order}
    first_open = next((n for n, one in enumerate(in_order) if one.is_open), len(in_order))
    steps = in_order[:first_open]
    said: list[Said] = []
    proof = Proof(server.label, len(in_order), 0, is_equal=True, objects=0, filled=0, rolled_back=0, with_rollback=0)
    with scratch_databases(server, scratch=scratch) as scratches:
        place = _Place(scratches, source, migrations, len(in_order), hooks)
        proof = _proven(place, steps, proof, said)
    said += [Said(one, f"{what}; it was left out of both replays", is_open=False) for one, what in place.left_out]
    return replace(proof, said=tuple(said), with_rollback=sum(one.undo is not None for one in imported))


def _proven(place: _Place, steps: Sequence[Imported], proof: Proof, said: list[Said]) -> Proof:
    """The proof of these migrations, as far as none is refused."""
    while steps:
        with place.pair() as pair:
            theirs, ours = pair.up(steps)
            if theirs is None and ours is None:
                return _compared(place, pair, steps, proof, said)
            stopped = [s for s in (theirs, ours) if s is not None]
            done = min(s.done for s in stopped)
            said.append(_failed(place, steps[done], *(s if s and s.done == done else None for s in (theirs, ours))))
            steps = steps[:done]
    return proof


def _failed(place: _Place, one: Imported, theirs: _Stopped | None, ours: _Stopped | None) -> Said:
    """What is said of a migration that was refused, on one side or both."""
    tool = place.source.tool
    if theirs is not None and ours is not None:
        what = f"fails on this server as {tool} runs it, and here: {theirs.refusal.text}"
        if _are_two(theirs.refusal, ours.refusal):  # what is advised is of ours
            what = f"fails on this server as {tool} runs it: {theirs.refusal.text}; and here: {ours.refusal.text}"
        return Said(one.id, what, how=ours.refusal.hint or theirs.refusal.hint or _PREPARE)
    if theirs is not None:
        what = f"fails on this server as {tool} runs it, and not as it is written here: {theirs.refusal.text}"
        return Said(one.id, what, how=theirs.refusal.hint or "look whether the tool has ever run it")
    assert ours is not None
    return Said(one.id, f"runs as {tool} runs it, and fails here: {ours.refusal.text}", how=ours.refusal.hint)


def _are_two(theirs: Refusal, ours: Refusal) -> bool:
    """Were both refused, each for a reason of its own?"""
    return bool(theirs.sqlstate and ours.sqlstate) and theirs.sqlstate != ours.sqlstate


def _compared(place: _Place, pair: _Pair, steps: Sequence[Imported], proof: Proof, said: list[Said]) -> Proof:
    """The proof of these migrations, which have been run both ways."""
    want, have = pair.look()
    found = unlike(have, want)
    changing: dict[str, frozenset[str]] = {}
    if found.tables:
        changing = _changing(place, steps, have)
        if changing:
            want_rest, have_rest = pair.look(changing)
            found = unlike(have_rest, want_rest)

    def after(count: int) -> Unlike:
        if count == len(steps):
            return found
        with place.pair(steps[:count]) as other:
            theirs, ours = other.look(changing)
            return unlike(ours, theirs)

    tool = place.source.tool
    said += _blamed(found, steps, after, f"makes it otherwise than {tool} does", _remedy(place.source, steps))
    rolled_back = _rolled_back(place, pair, steps, (have, changing), said) if not found.lines else 0
    return replace(
        proof,
        replayed=len(steps),
        is_equal=not found.lines,
        objects=len(want.catalog.objects),
        filled=want.filled,
        rolled_back=rolled_back,
        leaves_nothing=place.leaves_nothing,
        not_compared=tuple(f"{table}.{c}" for table, columns in sorted(changing.items()) for c in sorted(columns)),
    )


def _changing(place: _Place, steps: Sequence[Imported], have: Made) -> dict[str, frozenset[str]]:
    """The columns that differ from run to run of our own files."""
    (again,) = place.scratches.new()
    operations.migrate(again, place.only(steps))
    changing = changing_columns(have, look_at(again))
    place.scratches.retire((again,))
    return changing


def _remedy(source: Source, steps: Sequence[Imported]) -> str:
    """What a person can do where a file makes something else."""
    notes = [note for one in steps for note in of_session(one.forward.sent, source)] if source.keeps_session else []
    if not notes:
        return _CORRECT
    places = listed(note.place for note in notes)
    return f"if it needs what {places} sets for the session, write that at the head of this file as well"


def _blamed(
    found: Unlike, steps: Sequence[Imported], after: Callable[[int], Unlike], what: str, how: str = _CORRECT
) -> Iterator[Said]:
    """Each file behind which the two differ in something new, as far as few replays find them.

    ``after`` says in what they differ after so many of the steps; it is asked as seldom as can be.
    """
    known: dict[int, dict[str, str]] = {len(steps): _by_object(found)}
    left = dict(known[len(steps)])
    for _ in range(_MOST_NAMED):
        if not left:
            return
        same, differs = 0, len(steps)
        while differs - same > 1:
            middle = (same + differs) // 2
            if middle not in known:
                known[middle] = _by_object(after(middle))
            if known[middle].keys() & left.keys():
                differs = middle
            else:
                same = middle
        here = [left.pop(name) for name in known[differs] if name in left]
        yield Said(steps[differs - 1].id, f"{what}: {_cut(here)}", how=how)
    if left:
        yield Said("", f"{what}: {_cut(left.values())}")


def _by_object(found: Unlike) -> dict[str, str]:
    """What differs, by the object that it is of, one line each."""
    lines: dict[str, str] = {}
    for d in found.catalog:
        lines.setdefault(f"{d.kind} {d.object}", line_of(d))
    return lines | {f"rows {t}": f"the rows of {t}" for t in found.tables}


def _cut(lines: Iterable[str]) -> str:
    """The first of some differences, and how many more there are."""
    known = list(lines)
    rest = len(known) - _MOST_SHOWN
    return "; ".join(known[:_MOST_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


# --- down, and up again -----------------------------------------------------------------------


def _goes_back(one: Imported) -> bool:
    return one.undo is not None and not one.undo.is_open


def _rolled_back(
    place: _Place,
    pair: _Pair,
    steps: Sequence[Imported],
    made: tuple[Made, dict[str, frozenset[str]]],
    said: list[Said],
) -> int:
    """Roll back, both ways, what has an undo part, from the last on; compare; apply again; return how many.

    Below one that has none, or whose undo part fails, it is begun anew.
    """
    have, changing = made
    top = len(steps)
    count = 0
    for beginning in range(_MOST_BEGINNINGS):
        while top and not _goes_back(steps[top - 1]):
            top -= 1
        run = []
        for one in reversed(steps[:top]):
            if not _goes_back(one):
                break
            run.append(one)
        if not run:
            return count
        if top == len(steps) and not beginning:
            done = _down_and_up(place, pair, steps, run, (have, changing), said)
        else:
            with place.below(steps[:top], changing) as (other, at_top):
                done = _down_and_up(place, other, steps[:top], run, (at_top, changing), said)
        count += done
        top -= min(done + 1, len(run))
    if any(_goes_back(one) for one in steps[:top]):
        said.append(Said(steps[top - 1].id, "its rollback was not tried, nor were those below it", is_open=False))
    return count


def _looked_at(place: _Place, run: Sequence[Imported]) -> list[int]:
    """Behind how many of these rollbacks both are compared: all of them, and some that do more than drop.

    What one of them has brought back, those behind it may drop.
    """
    makes = [n for n, one in enumerate(run[:-1], 1) if one.undo is not None and not _only_drops(one.undo.sent)]
    some = makes[:: -(-len(makes) // place.looks) or 1] if place.looks else []
    place.looks -= len(some)
    return [*some, len(run)]


def _only_drops(section: Section) -> bool:
    try:
        return all(piece.first == b"DROP" for piece in pieces(section.path, section.text))
    except BadMigrationFile:
        return False


def _undone_alike(
    place: _Place,
    steps: Sequence[Imported],
    run: Sequence[Imported],
    made: tuple[Made, Made],
    changing: dict[str, frozenset[str]],
    said: list[Said],
) -> int:
    """Behind how many of these rollbacks are the two the same, of which this was ``made``?  Say what differs then.

    Columns that differ from run to run of our own files are added to ``changing``.
    """
    want, left = made
    found = unlike(left, want)
    if found.tables:
        with place.pair(steps) as again:
            again.down(run)
            for table, columns in changing_columns(left, look_at(again.ours, without=changing)).items():
                changing[table] = changing.get(table, frozenset()) | columns
            theirs, ours = again.look(changing)
            found = unlike(ours, theirs)

    def after(count: int) -> Unlike:
        if count == len(run):
            return found
        with place.pair(steps) as other:
            other.down(run[:count])
            theirs, ours = other.look(changing)
            return unlike(ours, theirs)

    blamed = [*_blamed(found, run, after, f"its rollback takes it back otherwise than {place.source.tool} does")]
    said += blamed
    ids = {one.id for one in blamed}
    return next((n for n, one in enumerate(run) if one.id in ids), len(run))


def _kept_nothing(one: Imported, theirs: _Stopped | None, ours: _Stopped | None) -> bool:
    """Is all as it was before this rollback, which both have refused?"""
    if theirs is None or ours is None or theirs.done != ours.done:
        return False
    return theirs.refusal.keeps_nothing and one.undo is not None and one.undo.is_transactional


def _down_and_up(
    place: _Place,
    pair: _Pair,
    steps: Sequence[Imported],
    run: Sequence[Imported],
    made: tuple[Made, dict[str, frozenset[str]]],
    said: list[Said],
) -> int:
    """Roll ``run`` back, the last of ``steps``, and apply it again; return how many of it came back the same.

    Where a rollback fails that keeps nothing, it goes on with those before it; else all is begun anew for these.
    """
    have, changing = made
    back, left = 0, have

    def anew(count: int) -> int:
        with place.pair(steps) as other:
            return _down_and_up(place, other, steps, run[:count], made, said)

    for count in _looked_at(place, run):
        theirs, ours = pair.down(run[back:count], goes_on=back > 0)
        stopped = [s for s in (theirs, ours) if s is not None]
        if stopped:
            done = min(s.done for s in stopped)
            told = _failed(place, run[back + done], *(s if s and s.done == done else None for s in (theirs, ours)))
            said.append(replace(told, what=f"its rollback {told.what}"))
            count = back + done
            if count and not _kept_nothing(run[count], theirs, ours):
                return anew(count)
        if count > back:
            want, left = pair.look(changing)
            if stopped and unlike(left, want).lines:
                return anew(count)
            alike = _undone_alike(place, steps, run[:count], (want, left), changing, said)
            if alike < count:
                return anew(alike) if alike else 0
        back = count
        if stopped:
            break
    return _applied_again(place, pair, steps, run[:back], (have, left), said) if back else 0


def _applied_again(
    place: _Place,
    pair: _Pair,
    steps: Sequence[Imported],
    run: Sequence[Imported],
    made: tuple[Made, Made],
    said: list[Said],
) -> int:
    """Apply ``run`` again where it does not lead to the empty database; return how many of it came back the same.

    ``made`` is what ours had made before it was rolled back, and after.
    """
    have, left = made
    tool = place.source.tool
    if len(run) == len(steps):
        assert place.base is not None
        stays = list(unlike(left, place.base).lines)
        if not stays:
            place.leaves_nothing = True
            return len(run)
        said.append(Said("", f"all rollbacks, with {tool} as well, leave: {_cut(stays)}", is_open=False))
    again = pair.ours_up(steps)
    if again is not None:
        upwards = run[::-1]
        as_well = pair.theirs_up(upwards)
        one = steps[again.done]
        how = "let its rollback take back all that it makes"
        if as_well is None or upwards[as_well.done].id != one.id:
            what = f"cannot be applied again after its rollback, and can with {tool}: {again.refusal.text}"
            said.append(Said(one.id, what, how=how))
            return 0
        what = f"cannot be applied again after its rollback, with {tool} neither: {again.refusal.text}"
        said.append(Said(one.id, what, is_open=False, how=how))
        return len(run)
    differs = [line_of(d) for d in compare_catalogs(look_at(pair.ours).catalog, have.catalog)]
    if differs:
        said.append(Said("", f"rolled back and applied again: {_cut(differs)}", is_open=False))
    return len(run)
