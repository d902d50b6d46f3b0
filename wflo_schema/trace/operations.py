"""Rehearse migrations in a scratch database at the target's schema, and say what each statement does there."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from wflo_schema.connect.database import WATCHED, Database
from wflo_schema.connect.pipeline import Command
from wflo_schema.connect.replaying import unmarked
from wflo_schema.engine import operations as engine
from wflo_schema.engine.planning import Allow, Status
from wflo_schema.engine.repeatables import Text
from wflo_schema.engine.repeating import IN_THE_WAY
from wflo_schema.errors import WfloSchemaError
from wflo_schema.files.creations import load_parser
from wflo_schema.files.faults import refuse_unfinished
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.listing import AFTER_ALL, AROUND_APPLYING, BEFORE_ALL, BEFORE_EACH
from wflo_schema.files.script import Script
from wflo_schema.files.statements import index_build
from wflo_schema.scratch.replay import ScratchOptions, scratch_databases
from wflo_schema.trace.choosing import Chosen, choose_files, choose_pending, choose_without_target
from wflo_schema.trace.onlooking import Onlooker
from wflo_schema.trace.rehearsal import Rehearsal
from wflo_schema.trace.start import Start, of_other_version, replayed_start, start_of_target
from wflo_schema.trace.values import Trace, Traced

# What an engine's run makes room for: a view of a repeatable file is in the way, or what one makes is not there yet.
_ROOM = ("2BP01", "0A000", "42P16", "42P01", "42883", "42704", "42703", "3F000", "42P13")

# What PostgreSQL says where rows that are asked for are not there: of a key, of a query, in code (RAISE, INTO STRICT,
# ASSERT, division by zero), of a cursor that is on none.
_NO_SUCH_ROW = ("23503", "P0001", "P0002", "P0004", "22012", "24000")
# What it says of a value that is none, or another one, where it comes out of a query.
_NO_VALUE = re.compile(r"23502|23514|22...")
_QUERIES = re.compile(r"\bSELECT\b.*\bFROM\b", re.IGNORECASE | re.DOTALL)
# A statement that code puts together from values is none where these are not there.
_NO_STATEMENT, _PUTS_TOGETHER = "42601", re.compile(r"(?:DO|CALL|SELECT)\b.*\bEXECUTE\b", re.IGNORECASE | re.DOTALL)
# Large objects are rows, too.
_NO_OBJECT, _LARGE_OBJECT = "42704", re.compile(r"\bLARGE\s+OBJECT\b|\blo_\w+\s*\(", re.IGNORECASE)
_NO_ROLE = re.compile(r'role "(.*)" does not exist\Z')
_CHANGE = re.compile(r"(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\s+(?:ONLY\s+)?([^\s(;]+)", re.IGNORECASE)
# So many times one file is rehearsed again without what needs rows: it names hardly more tables that do.
_ROUNDS = 16


Look = Callable[[Database, Sequence[str], Sequence[Traced]], None]


# many parameters: what is rehearsed, where, and who looks on
def trace(
    database: Database,
    migrations: Migrations,
    *,
    only: Collection[str] = (),
    files: Sequence[str] = (),
    since: str | None = None,
    to: str | None = None,
    scratch: ScratchOptions | None = None,
    look: Look | None = None,
    is_target: bool = True,
    closing: ExitStack | None = None,
    takes_unfinished: bool = False,
) -> Trace:
    """Rehearse what is pending in ``database``, at its schema, in a scratch database.

    ``only``: of what is pending, these ids.  ``files``: these, by path or id, applied or not.  ``since``: what is new
    since a revision of git, behind a replay of what that had; ``database`` is then only asked where it is there.
    ``to``: up to and including this one.  ``look`` is called with the scratch database and the ids of what is
    rehearsed, before that and behind it, with the statements so far.  Without ``is_target``, ``database`` is only a
    server that holds nothing of theirs: the files before them are replayed, and all are pending.  ``closing``: the
    scratch database goes while the caller works on the answer, and is gone once that is closed; else when this returns.
    With ``takes_unfinished``, a file in which nothing is written yet, or a directive is misspelt, is rehearsed, too.

    Writes nothing in ``database``.  A statement that PostgreSQL refuses ends the trace, and has its ``error``.
    Raise `Refused` where neither catalog nor history can be made in a scratch database, `BadMigrationFile` as reading.
    """
    migrations.refuse_empty()
    found = engine.status(database, migrations) if is_target and since is None else None
    migrations, chosen, texts = _choose(database, migrations, found, only, files, since, to)
    if not chosen.wanted and not chosen.repeatables:
        version = found.server_version if found is not None else ""
        return Trace(database.label, version, "", ())
    load_parser()
    with ExitStack() as own:
        made = (closing or own).enter_context(scratch_databases(database, scratch=scratch))
        if chosen.before is not None:
            start = replayed_start(made, database, chosen.before, chosen.start, scratch=scratch)
        else:
            assert found is not None
            start = start_of_target(made, database, migrations, found, chosen.wanted, scratch=scratch)
        if look is not None:
            look(start.database, chosen.ids, ())
        settings = {**WATCHED, "synchronous_commit": "off", **dict(start.settings)}
        with Rehearsal.on(start.database, settings=settings) as rehearsal:
            rehearsing = _Rehearsing(rehearsal, start, migrations, chosen, texts)
            rehearsing.takes_unfinished = takes_unfinished
            if found is not None and start.lacks_rows:
                rehearsing.begun = {e.id: e.statements_done or 0 for e in found.entries if e.interrupted == "apply"}
            rehearsing.run()
            version = rehearsal.ledger.server_version
        if look is not None:
            look(start.database, chosen.ids, rehearsing.statements)
        made.begin_dropping()
    other = of_other_version(version, found.server_version) if found is not None else ""
    notes = (*filter(None, (other,)), *start.notes, *rehearsing.notes)
    return Trace(
        database.label, version, start.said, tuple(rehearsing.statements), chosen.ids, notes,
        tuple(rehearsing.not_rehearsed),
    )  # fmt: skip


def _choose(
    database: Database,
    migrations: Migrations,
    found: Status | None,
    only: Collection[str],
    files: Sequence[str],
    since: str | None,
    to: str | None,
) -> tuple[Migrations, Chosen, Sequence[Text]]:
    """What is run, with the values that it was applied with, and what repeatable files have made there."""
    if found is None:
        return *choose_without_target(migrations, files, since, to), ()
    migrations = engine.with_recorded_values(database, migrations)
    if files:
        migrations, chosen = choose_files({e.id for e in found.pending}, migrations, files)
    else:
        chosen = choose_pending(found, migrations, to, only)
    return migrations, chosen, engine.repeatable_texts(database) if found.repeatables else ()


# As `wflo_schema` exports it, where `trace` is this package.
trace_migrations = trace


class _Rehearsing:
    """The course of one rehearsal."""

    takes_unfinished = False
    begun: Mapping[str, int] = {}
    """Of what was interrupted, how many statements the target has already."""

    def __init__(
        self, run: Rehearsal, start: Start, migrations: Migrations, chosen: Chosen, texts: Sequence[Text]
    ) -> None:
        self._run = run
        self._empty = start.database
        self._lacks_rows = start.lacks_rows
        self._migrations = migrations
        self._chosen = chosen
        self._texts = texts
        wanted = {m.id for m in chosen.wanted}
        self._done = [m.id for m in migrations if m.id not in wanted]
        self._load: Callable[[Migration], Script] = load_script
        self._next: tuple[Migration, Script] | None = None
        self.statements: list[Traced] = []
        self.notes: list[str] = []
        self.not_rehearsed: list[str] = []

    def run(self) -> None:
        """Rehearse all, until one is refused."""
        run, chosen = self._run, self._chosen
        run.get_ready()
        self._load = run.loader(load_script)
        run.read_hooks(self._migrations, AROUND_APPLYING, self._load)
        queue = [*chosen.wanted, *chosen.repeatables]
        for name in (BEFORE_ALL,) if BEFORE_ALL in run.hooks else ():
            if not self._add(list(run.rehearse_hook(name)), is_shown=True):
                self.not_rehearsed = list(chosen.ids)
                return
        while queue:
            m = queue.pop(0)
            is_shown = chosen.shown is None or m.id in chosen.shown
            if not self._one(m, is_shown=is_shown, waiting=queue):
                self.not_rehearsed = [m.id, *(one.id for one in queue)]
                return
        if AFTER_ALL in run.hooks:
            self._add(list(run.rehearse_hook(AFTER_ALL)), is_shown=True)

    def _one(self, m: Migration, *, is_shown: bool, waiting: list[Migration]) -> bool:
        """Rehearse one; did it run?"""
        known = self._next
        script = known[1] if known is not None and known[0] is m else self._script(m)
        traced = self._rehearse(m, script, waiting)
        refused = traced[-1] if traced and traced[-1].error else None
        if refused is None:
            self._done.append(m.id)
            return self._add(traced, is_shown=is_shown)
        chosen, is_again = self._chosen, any(m.id == one.id for one in self._migrations.repeatables)
        is_room = refused.sqlstate in _ROOM or (is_again and refused.sqlstate in IN_THE_WAY)
        if is_room and (self._texts or self._migrations.repeatables) and m.is_transactional:
            if m in chosen.repeatables and any(one in chosen.repeatables for one in waiting):
                waiting.append(m)  # what it needs may be made by another
                self._chosen = replace(chosen, repeatables=tuple(r for r in chosen.repeatables if r != m))
                return True
            if (made := self._by_engine(m, script, waiting)) is not None:
                for one, its_script, of_one in made:
                    left = self._left_out(one, its_script)
                    shown = chosen.shown is None or one.id in chosen.shown
                    self._add(_together(of_one, left, _numbers(its_script, left)), is_shown=shown)
                return True
        return self._add(traced, is_shown=True)

    def _script(self, m: Migration) -> Script:
        """The statements of one.  Raise `BadMigrationFile` where it is not finished."""
        script = self._load(m)
        if not self.takes_unfinished:
            refuse_unfinished(script)
        return script

    def _resumed(
        self, done: int, left: list[Traced], numbers: list[int], script: Script
    ) -> tuple[list[Traced], list[int], Script]:
        """The same without what an interrupted run has done; an index that it left INVALID is built again."""
        over = [n for n, number in enumerate(numbers) if number <= done]
        script = replace(script, statements=script.statements.without(*over))
        for build in filter(None, (index_build(one.text) for one in script.statements)):
            for oid in self._run.relations.find({("", build.name)}, self._run.relations.known):
                self._run.must([Command(f"DROP INDEX {self._run.relations.known[oid].qualified}")])
        self._run.look_again()
        return [one for one in left if one.number > done], numbers[len(over) :], script

    def _left_out(self, m: Migration, script: Script) -> list[Traced]:
        """The statements of one that are not rehearsed: what they change is outside of the database."""
        replay = self._empty.replay
        left = replay.left_out.get(script.path) if replay is not None else None
        written = load_script(m) if left else script
        return [
            replace(
                _undecided(
                    m, written, number, number + 1, f"{what} reaches outside of the database: it is not rehearsed"
                ),
                is_left_out=True,
            )
            for number, what in sorted((left or {}).items())
        ]

    def _following(self, waiting: Sequence[Migration]) -> tuple[Migration, Script] | None:
        """The next file, where the rehearsal ends with the one that is refused."""
        if not waiting or self._texts or self._migrations.repeatables:
            return None
        try:
            self._next = waiting[0], self._script(waiting[0])
        except WfloSchemaError:
            return None  # said when it is its turn
        return self._next

    def _rehearse(self, m: Migration, script: Script, waiting: Sequence[Migration]) -> list[Traced]:
        """Rehearse one file, without the statements that need rows of the target: these are undecided."""
        left = self._left_out(m, script)
        numbers = _numbers(script, left)
        if done := self.begun.get(m.id, 0):
            left, numbers, script = self._resumed(done, left, numbers, script)
        traced = list(self._run.rehearse(m, script, lambda: self._following(waiting)))
        rounds = _ROUNDS if m.is_transactional else 0
        while rounds and traced and (why := self._only_here(traced[-1])):
            rounds -= 1
            refused = traced[-1]
            out = {refused.number - 1}
            if changed := _changed(refused.text):
                later = range(refused.number, len(script.statements))
                out |= {n for n in later if _changed(script.statements[n].written) == changed}
            left += [_undecided(m, script, n, numbers[n], f"{why}: {refused.error}") for n in sorted(out)]
            numbers = [number for n, number in enumerate(numbers) if n not in out]
            script = replace(script, statements=script.statements.without(*out))
            traced = list(self._run.rehearse(m, script))
        return _together(traced, left, numbers)

    def _only_here(self, refused: Traced) -> str:
        """Why it is refused in the scratch database, where that is no reason in the target; else empty."""
        replay, role = self._empty.replay, _NO_ROLE.match(refused.error)
        if refused.hook or not refused.sqlstate:
            return ""
        if role is not None and replay is not None and role[1] in replay.roles_left_out:
            return f"its role is made at {replay.roles_left_out[role[1]]}, which is not rehearsed"
        if self._lacks_rows and _needs_rows(refused):
            return "PostgreSQL refuses it without the rows that the target has"
        return ""

    def _by_engine(
        self, m: Migration, script: Script, waiting: list[Migration]
    ) -> list[tuple[Migration, Script, list[Traced]]] | None:
        """Have it applied as `migrate` does, and look on; None where that is refused, too.

        With a repeatable file all are applied: those of ``waiting`` that were seen wait no longer.
        """
        migrations = self._migrations
        is_again = any(m.id == one.id for one in migrations.repeatables)
        files = {m.id: (m, script)} | {one.id: (one, self._script(one)) for one in waiting if is_again}
        try:
            pending = {e.id for e in engine.status(self._empty, migrations).pending}
            done = [i for i in self._done if i in pending]
            if done:
                engine.baseline(self._empty, migrations, done, repeatables=self._texts)
            self._run.look_again()
            onlooker = Onlooker(self._run.relations)
            to = m.id if migrations.get(m.id) is not None else None
            runs_in = onlooker.watch_for(dict(files.values()))
            engine.migrate(self._empty, migrations, to=to, allow=tuple(Allow), runs_in=runs_in)
        except WfloSchemaError:
            return None
        self._run.look_again()
        made: dict[str, list[Traced]] = {}
        for place, of_statement in onlooker.seen:
            made.setdefault(place[0].id, []).append(self._run.traced(*place, of_statement))
        refused = {m.id, *(one.id for one in waiting if one not in self._chosen.repeatables)}
        waiting[:] = [one for one in waiting if one.id not in made]
        self._done += [m.id, *(i for i in made if i != m.id)]
        said = "wflo-schema takes down around it what repeatable files made, and makes it again"
        self.notes += [f"{i}: {said}" for i in made if i in refused]
        return [(*files[i], of_one) for i, of_one in made.items()]

    def _add(self, traced: list[Traced], *, is_shown: bool) -> bool:
        if is_shown or (traced and traced[-1].error):
            self.statements += traced
        return not (traced and traced[-1].error)


def _numbers(script: Script, left: Collection[Traced]) -> list[int]:
    """The numbers in the file of the statements that are rehearsed."""
    out = {one.number for one in left}
    return [n for n in range(1, len(script.statements) + len(left) + 1) if n not in out]


def _together(traced: list[Traced], left: Sequence[Traced], numbers: Sequence[int]) -> list[Traced]:
    """What was rehearsed and what was not, in their order; ``numbers`` are those of the first in the file."""
    if not left and list(numbers) == list(range(1, len(numbers) + 1)):
        return traced
    own = [replace(one, number=numbers[one.number - 1]) for one in traced if not one.hook]
    refused = own[-1].number if own and own[-1].error else None
    told = (one for one in left if refused is None or one.number < refused)
    own = sorted((*own, *told), key=lambda one: one.number)
    hooked = [one for one in traced if one.hook]
    before = [one for one in hooked if one.hook == BEFORE_EACH]
    return [*before, *own, *(one for one in hooked if one.hook != BEFORE_EACH)]


def _undecided(m: Migration, script: Script, index: int, number: int, why: str) -> Traced:
    """A statement that is not rehearsed."""
    statement = script.statements[index]
    return Traced(
        m.id, script.path, statement.line, statement.column, number, unmarked(statement.written),
        undecided=why, source_line=unmarked(script.source_line(statement.line)), is_transactional=m.is_transactional,
        is_alone=not m.is_transactional,
    )  # fmt: skip


def _needs_rows(refused: Traced) -> bool:
    """Is it refused because rows are not there that the target may have?"""
    if refused.sqlstate == _NO_STATEMENT:
        return _PUTS_TOGETHER.match(refused.text) is not None
    if refused.sqlstate == _NO_OBJECT:
        return _LARGE_OBJECT.search(refused.text) is not None
    is_of_query = _NO_VALUE.fullmatch(refused.sqlstate) is not None and _QUERIES.search(refused.text) is not None
    return is_of_query or refused.sqlstate in _NO_SUCH_ROW


def _changed(text: str) -> str:
    """The table whose rows a statement begins to change, as it is written; empty for others."""
    found = _CHANGE.match(text)
    return found[1].lower() if found else ""
