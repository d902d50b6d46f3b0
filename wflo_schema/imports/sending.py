"""Runs a folder's migrations in a scratch database as their own tool runs them.

Hides how another tool sends a file: as one message, cut in its own way, or statement by statement as psql does; and
keeps inside the database what the file would do outside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from wflo_schema.connect.database import Database, put_schema_first
from wflo_schema.connect.pipeline import COMMIT, DISCARD, ROLLBACK, Command, Pipeline, ServerError, Stop
from wflo_schema.engine.confinement import confinement_of
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.folder import Migration
from wflo_schema.files.script import Script, Statement, is_control
from wflo_schema.files.splitting import place
from wflo_schema.files.statements import only_drops, runs_no_code
from wflo_schema.imports.source import Section, Source, script_of
from wflo_schema.imports.translate import runs_outside
from wflo_schema.words import shown

_BEGIN = Command("BEGIN")

# Makes a command one that is sent as a message of its own, of as many statements as it holds; nothing reads it.
_NOTHING_FED = memoryview(b"")

# What is refused in a message of many statements, though that is one transaction.
_NEEDS_BEGIN = frozenset({"SAVEPOINT", "RELEASE", "ROLLBACK"})

# Nothing that is replayed is kept.
_SETTINGS = {"synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a section was not run.  ``line`` is that of its file, 0 where none is to blame; ``sqlstate`` may be empty.

    ``keeps_nothing``: what was run of it is undone, for certain.
    """

    message: str
    line: int = 0
    statement: str = ""
    sqlstate: str = ""
    hint: str = ""
    keeps_nothing: bool = False

    @property
    def text(self) -> str:
        """One line for people."""
        where = f"line {self.line}" if self.line else ""
        what = f"{where}, {self.statement}" if where and self.statement else where or self.statement
        return f"{what}: {self.message}" if what else self.message


@dataclass(frozen=True, slots=True)
class _Message:
    """What is sent at once, and where it stands in its file."""

    command: Command
    script: Script
    line: int
    number: int | None = None
    """The statement, from 0, where it is one alone."""
    is_looked_at: bool = False
    """Is it looked at behind it what it has changed outside, in the same transaction?"""


class SourceRun:
    """A session in which a folder is run as its own tool runs it."""

    def __init__(self, source: Source, database: Database, stop: Stop, *, is_plain: bool = True) -> None:
        self._source = source
        self._database = database
        self._stop = stop
        connection = database.connect(settings=_SETTINGS)
        put_schema_first(connection, database.schema)
        found = connection.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
        self._search_path = str(found[0]) if found is not None else ""
        triggers = connection.execute("SELECT 1 FROM pg_catalog.pg_event_trigger LIMIT 1").fetchone()
        self.is_plain = is_plain and triggers is None
        """So far nothing was run that could have made code, which a later migration may run unseen."""
        self._pipeline = Pipeline(connection, stop=stop)
        self._confinement = confinement_of(database)
        self._script: Script | None = None
        self._load: Callable[[Migration], Script] = self._loaded
        if self._confinement is not None:  # what is left out is told by ours
            self._load = self._confinement.loader(self._loaded, self._pipeline, lambda _: None)

    def close(self) -> None:
        """End its session."""
        self._pipeline.close()

    def run(
        self, id: str, section: Section, *, before: Sequence[Section] = (), behind: Sequence[Section] = ()
    ) -> Refusal | None:
        """Run one section, with hooks around it; return what was refused, None where all of it was run.

        Raise `ConnectionLost`, and `Interrupted` where a stop was requested.
        """
        if self._stop.is_requested:
            raise self._stop.interrupted("nothing was written")
        try:
            messages, is_one = self._messages(id, section)
            messages[:0] = [m for hook in before for m in self._messages(id, hook)[0]]
            messages += [m for hook in behind for m in self._messages(id, hook)[0]]
        except (Refused, BadMigrationFile) as error:
            return Refusal(_without_place(error.message), hint=error.hint, keeps_nothing=True)
        self.is_plain = self.is_plain and _run_no_code(messages)
        if is_one:
            refusal = self._in_one_transaction(messages)
        else:
            refusal = next((r for m in messages if (r := self._alone(m)) is not None), None)
            refusal = refusal or self._exchange(self._resetting(), [])
        if refusal is not None:
            self._pipeline.exchange([ROLLBACK])
            self._pipeline.exchange(self._resetting())
            refusal = replace(refusal, keeps_nothing=_is_undone_whole(messages, is_one=is_one))
        return refusal

    def _in_one_transaction(self, messages: Sequence[_Message]) -> Refusal | None:
        look = [] if self._confinement is None or self.is_plain else self._confinement.look
        commands = [_BEGIN, *(m.command for m in messages), *look, COMMIT, *self._resetting()]
        return self._exchange(commands, messages, before=1)

    def _alone(self, message: _Message) -> Refusal | None:
        """Send one message as a transaction of its own, or within one that an earlier message has begun."""
        is_looked_at = message.is_looked_at and not self.is_plain
        look = self._confinement.look if self._confinement is not None and is_looked_at else ()
        return self._exchange([message.command, *look], [message])

    def _resetting(self) -> list[Command]:
        """What the tool itself does to the session between two migrations: most begin a new one, or do nothing."""
        return self._put_back(self._source.puts_back) if self._source.keeps_session else self._anew()

    def _anew(self) -> list[Command]:
        return [DISCARD, *(self._put_back(("search_path",)) if self._database.schema is not None else ())]

    def _put_back(self, names: Iterable[str]) -> list[Command]:
        put_first = Command("SELECT pg_catalog.set_config('search_path', $1, FALSE)", (self._search_path,))
        return [put_first if name == "search_path" else Command(f"RESET {name}") for name in names]

    def _exchange(self, commands: Sequence[Command], messages: Sequence[_Message], before: int = 0) -> Refusal | None:
        """Send commands, behind the first ``before`` of which stand these messages."""
        error = self._pipeline.exchange(commands).error if commands else None
        if error is None:
            return None
        number = error.index - before
        message = messages[number] if 0 <= number < len(messages) else None
        script = message.script if message is not None else self._script
        if self._confinement is not None and script is not None:
            refused = self._confinement.refusal(script, error, message.number if message is not None else None)
            if refused is not None:
                return Refusal(_without_place(refused.message), hint=refused.hint)
        return _refusal_of(error, message)

    # --- what is sent -------------------------------------------------------------------------

    def _messages(self, id: str, section: Section) -> tuple[list[_Message], bool]:
        """What is sent of a section, without what reaches beyond the database; is it one transaction?"""
        texts = [section.text] if section.cut is None or section.is_psql else list(section.cut(section.text))
        scripts = [script_of(section.path, text) for text in texts]
        control = any(is_control(s) for script in scripts for s in script.statements)
        is_message = section.cut is None and not section.is_psql and len(scripts[0].statements) > 1
        is_alone = control or any(s.first_word in _NEEDS_BEGIN for script in scripts for s in script.statements)
        is_one = section.is_wrapped or (is_message and not is_alone and not runs_outside(scripts[0]))
        made: list[_Message] = []
        line, done, is_begun = section.line, 0, False
        for text, script in zip(texts, scripts, strict=True):
            at = section.text.find(text, done)
            if at >= 0:
                line, done = line + section.text.count(b"\n", done, at), at
            self._script = script
            kept = self._load(Migration(id, section.path, "", is_transactional=is_one and not control))
            if section.is_psql or len(script.statements) == 1:
                for one in self._each_statement(kept, line):
                    is_begun = _is_begun_behind(kept, one, is_begun=is_begun)
                    made.append(replace(one, is_looked_at=not is_begun))
            elif kept.statements or section.cut is None:
                sent = kept.source if is_one and not control else self._looking(kept)
                made.append(_Message(Command(sent, data=_NOTHING_FED), kept, line))
        return made, is_one

    def _each_statement(self, script: Script, line: int) -> Iterator[_Message]:
        """The statements one by one, with a look before each that commits."""
        begin, counted = line, 0
        for number, s in enumerate(script.statements):
            begin += script.source.count(b"\n", counted, s.start)
            counted = s.start
            if self._confinement is not None and _commits(s):
                yield from (_Message(look, script, begin) for look in self._confinement.look)
            yield _Message(Command(s.raw, data=_data_of(script.source, s.data)), script, begin, number)

    def _looking(self, script: Script) -> bytes:
        """The text of many statements, with a look before each by which the text itself commits, and one at its end."""
        look = "" if self._confinement is None else self._confinement.look_text
        if not look:
            return script.source
        text = script.source
        for start in reversed([s.start for s in script.statements if _commits(s)]):
            text = text[:start] + f"{look}; ".encode() + text[start:]
        return text + f"\n;{look}".encode()

    def _loaded(self, _: Migration) -> Script:
        assert self._script is not None
        return self._script


def _run_no_code(messages: Sequence[_Message]) -> bool:
    scripts = {id(message.script): message.script for message in messages}
    return all(runs_no_code(script) or only_drops(script) for script in scripts.values())


def _is_undone_whole(messages: Sequence[_Message], *, is_one: bool) -> bool:
    """Is all undone where one of these is refused, but for what no transaction undoes?"""
    statements = [s for script in {id(m.script): m.script for m in messages}.values() for s in script.statements]
    is_alone = len(statements) == 1 and statements[0].first_word not in ("DO", "CALL")
    return (is_one or is_alone) and not any(map(is_control, statements))


def _commits(statement: Statement) -> bool:
    """Does it end a transaction so that what was done stays?"""
    return is_control(statement) and statement.words[0] in ("COMMIT", "END", "PREPARE")


def _is_begun_behind(script: Script, message: _Message, *, is_begun: bool) -> bool:
    """Is a transaction open behind it that the file itself began?"""
    statement = None if message.number is None else script.statements[message.number]
    if statement is None or not is_control(statement):
        return is_begun
    return statement.words[0] in ("BEGIN", "START")


def _data_of(source: bytes, at: tuple[int, int] | None) -> memoryview | None:
    return None if at is None else memoryview(source)[at[0] : at[1]]


def _refusal_of(error: ServerError, message: _Message | None) -> Refusal:
    if message is None:
        return Refusal(error.message, sqlstate=error.sqlstate, hint=error.hint)
    sent = message.command.sent
    at = len(sent.decode("utf-8", "replace")[: max(error.position - 1, 0)].encode())
    statements = message.script.statements
    number = message.number
    if number is None and error.position:
        number = next((n for n in reversed(range(len(statements))) if statements[n].start <= at), None)
    statement = statements[number] if number is not None else None
    line = message.line + (place(sent, at)[0] - 1 if error.position else 0)
    said = shown(statement.text) if statement is not None else ""
    is_known = bool(error.position) or message.number is not None
    return Refusal(error.message, line if is_known else 0, said, error.sqlstate, error.hint)


def _without_place(message: str) -> str:
    """What an error says, without the path that it begins with; the line stays."""
    first, _, rest = message.partition(": ")
    path, colon, line = first.rpartition(":")
    return f"line {line}: {rest}" if rest and colon and path and line.isdigit() else message
