"""What one file says: its bytes, and where in them each statement is.

Hides that a statement is made only when it is looked at: a file of a million statements is its own size and
some bytes for each.  Hides, too, what of a file is no work: BEGIN … COMMIT around the whole of it.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any, TypeVar, overload

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import LATE, Directives, head
from wflo_schema.files.splitting import Rewritten, as_written, bare, pieces, place, refusal
from wflo_schema.files.tokens import skip_blank, tokens
from wflo_schema.files.variables import Use, refuse_misused
from wflo_schema.findings import Location

_Found = TypeVar("_Found")

_WORDS_SHOWN = 8
# Words that only blanks divide, and behind them nothing that hides another: no comment, no E'…', no U&"…".  They
# are read without the scanner, whose import takes time.  A word is ASCII letters, "_" and all beyond ASCII, then
# digits and "$" too; the classes say what it is not, because one that reaches to U+10FFFF takes milliseconds to
# compile.
_PLAIN_WORD = r"""(?:[^\x00-@\[-^`{-\x7f][^\x00-\#%-/:-@\[-^`{-\x7f]*+|"[^"]++")"""
_PLAIN_HEAD = re.compile(
    rf"""{_PLAIN_WORD}(?:\s++{_PLAIN_WORD}){{0,{_WORDS_SHOWN - 1}}}+(?!\s*+(?:--|/\*)|["'&])""", re.ASCII
)
_EACH_WORD = re.compile(_PLAIN_WORD)

# Bytes of a statement in which its first words are looked for, and what may hide behind the last of them.
_HEAD, _MARGIN = 2_000, 100


class Statement:
    """One statement of a file, without leading comments and without its semicolon.

    ``start`` and ``end`` are places in the file, in bytes; ``data`` are those of the lines that a COPY reads.
    """

    __slots__ = ("data", "end", "source", "start")

    def __init__(self, source: bytes, start: int = 0, end: int | None = None, data: tuple[int, int] | None = None):
        self.source = source
        self.start = start
        self.end = len(source) if end is None else end
        self.data = data

    @property
    def raw(self) -> bytes:
        """Its text as it is sent."""
        return self.source[self.start : self.end]

    @property
    def text(self) -> str:
        """Its text."""
        return self.raw.decode()

    @property
    def written(self) -> str:
        """Its text as the file has it, without the values of variables."""
        source, start = as_written(self.source, self.start)
        return source[start : as_written(self.source, self.end)[1]].decode()

    @property
    def line(self) -> int:
        """The line where it begins, from 1."""
        return place(self.source, self.start)[0]

    @property
    def column(self) -> int:
        """The column where it begins, in characters from 1."""
        return place(self.source, self.start)[1]

    @property
    def _head(self) -> str:
        return self.source[self.start : min(self.end, self.start + _HEAD)].decode("utf-8", "ignore")

    @property
    def words(self) -> tuple[str, ...]:
        """Its first words in upper case (at most 8), comments left out."""
        text = self._head
        head = _PLAIN_HEAD.match(text)
        if head and (self.end - self.start <= _HEAD or head.end() + _MARGIN < len(text)):
            found = _EACH_WORD.findall(head.group())
        else:
            taken = takewhile(lambda token: token.kind in ("word", "quoted"), tokens(self.text))
            found = [token.text for token in islice(taken, _WORDS_SHOWN)]
        return tuple(word if '"' in word else word.upper() for word in found)

    @property
    def first_word(self) -> str:
        """The first of its words, or nothing."""
        match = _EACH_WORD.match(self._head)
        return match.group().upper() if match else ""

    def location(self, path: str, position: int = 1) -> Location:
        """Where a character of it, counted from 1, is in the file."""
        before = len(self.text[: position - 1].encode()) if position > 1 else 0
        return Location(path, *place(self.source, max(min(self.start + before, len(self.source) - 1), 0)))


class Statements(Sequence[Statement]):
    """The statements of a file, in order; each is made when it is asked for."""

    __slots__ = ("_by_word", "_data", "_ends", "_source", "_starts", "is_wrapped")

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = array("Q")
        self._ends = array("Q")
        self._data: dict[int, tuple[int, int]] = {}
        self._by_word: dict[bytes, array[int]] = {}
        self.is_wrapped = False
        """Is a BEGIN before all of it, and a COMMIT behind, that are not counted?"""

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, number: int) -> Statement: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Statement, ...]: ...
    def __getitem__(self, number: int | slice) -> Statement | tuple[Statement, ...]:
        if isinstance(number, slice):
            return tuple(self[n] for n in range(*number.indices(len(self))))
        known = self._data.get(number % len(self)) if self._data else None
        return Statement(self._source, self._starts[number], self._ends[number], known)

    def __iter__(self) -> Iterator[Statement]:
        source, data = self._source, self._data
        for number, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            yield Statement(source, start, end, data.get(number) if data else None)

    def is_inside(self, place: int) -> bool:
        """Is that place in one of them?"""
        before = bisect_right(self._starts, place) - 1
        return before >= 0 and place < self._ends[before]

    def beginning_with(self, *words: str) -> Iterator[tuple[int, Statement]]:
        """Those whose first word is one of these, with their numbers, word by word."""
        for word in words:
            for number in self._by_word.get(word.encode(), ()):
                yield number, self[number]

    def add(self, start: int, end: int, first: bytes, data: tuple[int, int] | None) -> None:
        """Put one behind those that there are."""
        number = len(self._starts)
        self._starts.append(start)
        self._ends.append(end)
        if data is not None:
            self._data[number] = data
        known = self._by_word.get(first)
        if known is None:
            known = self._by_word[first] = array("Q")
        known.append(number)

    def in_source(self, source: Rewritten) -> Statements:
        """The same statements where other texts stand in the file's places."""
        moved = Statements(source)
        moved.is_wrapped = self.is_wrapped
        words = {n: word for word, numbers in self._by_word.items() for n in numbers}
        for number, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            data = self._data.get(number)
            moved.add(
                source.at(start), source.at(end), words[number], data and (source.at(data[0]), source.at(data[1]))
            )
        return moved

    def without(self, *left_out: int) -> Statements:
        """All but these."""
        rest = Statements(self._source)
        words = {n: word for word, numbers in self._by_word.items() for n in numbers}
        for number, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            if number not in left_out:
                rest.add(start, end, words[number], self._data.get(number))
        return rest


@dataclass(frozen=True, slots=True)
class Script:
    """What one file says: its bytes, its directives, and its statements in order.

    The bytes have the values of variables in their places.
    """

    path: str
    source: bytes
    checksum: str
    statements: Statements
    directives: Directives = field(default_factory=lambda: Directives("", {}, {}))
    uses: tuple[Use, ...] = ()
    """What looks like a variable, in a file that declares some."""
    _known: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, find: Callable[[Script], _Found]) -> _Found:
        """What ``find`` finds in it; it is looked for once, however many targets it is applied to."""
        if find not in self._known:
            self._known[find] = find(self)
        found: _Found = self._known[find]
        return found

    @property
    def nothing_to_undo(self) -> bool:
        """Does the file say so?"""
        return self.directives.says("nothing-to-undo")

    def refuse_doubtful(self) -> None:
        """Raise `BadMigrationFile`, in a file to be run, for what nearly is a directive, or stands too late."""
        self.directives.refuse_doubtful(head(self.source))
        if names := self.directives.variables:
            refuse_misused(self.path, as_written(self.source)[0], self.uses, names, self.directives.lines["variables"])
        for start in self.late_directives():
            line = place(self.source, start)[0]
            said = self.source_line(line).strip()
            raise BadMigrationFile(
                f"{self.path}:{line}: {said} stands behind a statement, where it does not count",
                hint="move it to the top of the file; or, if it is only a comment, put other words in front of it",
                location=Location(self.path, line),
            )

    def late_directives(self) -> Iterator[int]:
        """Where directives begin that stand too late to count."""
        beginning = head(self.source)
        first = len(beginning[: skip_blank(beginning, 0, len(beginning))].encode())
        for late in LATE.finditer(self.source, first):
            if not self.statements.is_inside(late.start()):
                yield late.start()

    def source_line(self, line: int) -> str:
        """The text of a line of the file, counted from 1."""
        begin, source = 0, as_written(self.source)[0]
        for _ in range(line - 1):
            begin = source.find(b"\n", begin) + 1
            if begin == 0:
                return ""
        end = source.find(b"\n", begin)
        return source[begin : end if end >= 0 else len(source)].decode() if line > 0 else ""


# What begins or ends a transaction, always or in some forms.
_CONTROL = frozenset("BEGIN START COMMIT END ABORT ROLLBACK PREPARE".split())
_CONTROL_BYTES = frozenset(word.encode() for word in _CONTROL)
_BEGINS = frozenset({"BEGIN", "START"})
_COMMITS = re.compile(r"(?:COMMIT|END)(?:\s+(?:WORK|TRANSACTION))?(?:\s+AND\s+NO\s+CHAIN)?", re.IGNORECASE)
# A transaction as ours is: any other mode is more, or less, than a migration gives.
_BEGINS_OURS = re.compile(
    r"(?:BEGIN(?:\s+(?:WORK|TRANSACTION))?|START\s+TRANSACTION)"
    r"(?:[\s,]+(?:ISOLATION\s+LEVEL\s+READ\s+COMMITTED|READ\s+WRITE|NOT\s+DEFERRABLE))*",
    re.IGNORECASE,
)
# What may stand around BEGIN … COMMIT: it sets what holds for the session, and changes nothing.
_SETS = ("SET", "RESET")


def split_statements(path: str, source: bytes) -> Statements:
    """Find the statements of a file.

    Raise `BadMigrationFile` where it holds what cannot be run as a migration: a transaction of its own, unless
    that is all of the file, commands of psql, COPY to the client or without its data.
    """
    found = Statements(source)
    control: list[int] = []
    for piece in pieces(path, source):
        if piece.first in _CONTROL_BYTES and is_control(Statement(source, piece.start, piece.end)):
            control.append(len(found))
        found.add(*piece)
    if control:
        found = _unwrapped(path, found, control)
    for _, statement in found.beginning_with("SET", "SELECT"):
        said = statement.raw.lower()
        if _STRINGS.encode() in said and _reads_backslashes(statement.text):
            _refuse_backslashes(path, source, statement)
        if b"client_encoding" in said or (said.startswith(b"set") and statement.words[:2] == ("SET", "NAMES")):
            _refuse_encoding(path, source, statement)
    return found


def is_control(statement: Statement) -> bool:
    """Does it begin or end a transaction, as no statement of a migration may?"""
    if statement.first_word not in _CONTROL:
        return False
    words = statement.words
    if words[0] == "ROLLBACK":
        return not _rolls_back_to_savepoint(words)
    return words[0] != "PREPARE" or words[1:2] == ("TRANSACTION",)


def opens_ours(statement: Statement) -> bool:
    """Does it begin a transaction of the kind that a migration has?"""
    return _BEGINS_OURS.fullmatch(bare(statement.raw)) is not None


def _unwrapped(path: str, found: Statements, control: Sequence[int]) -> Statements:
    """The statements between a BEGIN and a COMMIT that hold the whole file; raise `BadMigrationFile` for any other."""
    first, last = control[0], control[-1]
    begin, end = found[first], found[last]
    around = [*found[:first], *found[last + 1 :]]
    is_pair = (
        len(control) == 2
        and begin.words[0] in _BEGINS
        and _COMMITS.fullmatch(bare(end.raw))
        and all(_only_sets(s) for s in around)
    )
    if is_pair and opens_ours(begin):
        rest = found.without(first, last)
        rest.is_wrapped = True
        return rest
    what, hint = (
        "begins or ends a transaction, and the whole file is in one already",
        "remove it; statements that cannot run in one go into a migration that begins with -- transactional: false",
    )
    wrong = begin
    if is_pair:
        what = "begins a transaction of another kind, and that of a migration is READ COMMITTED and READ WRITE"
        hint = "write plain BEGIN, and LOCK TABLE what must not change meanwhile"
    elif len(control) > 2 and begin.words[0] in _BEGINS and found[control[1]].words[0] in ("COMMIT", "END"):
        wrong = found[control[2]]
        what = "begins or ends a second transaction, and a migration is one"
        hint = "make a migration of each transaction; or remove BEGIN and COMMIT, so that all of it is one"
    elif len(control) == 2 and begin.words[0] in _BEGINS and _COMMITS.fullmatch(bare(end.raw)):
        wrong = next(s for s in around if not _only_sets(s))
        what = "stands outside of BEGIN … COMMIT, and a migration is one transaction"
        hint = "remove BEGIN and COMMIT, so that all of it is one; or move this statement into a migration of its own"
    elif len(control) == 1 and begin.words[0] in _BEGINS:
        what = "begins a transaction that nothing ends"
        hint = "remove it: each migration and its record are one transaction already"
    raise refusal(path, wrong.source, wrong.start, f"{_words_shown(wrong.words)} {what}", hint=hint)


def _only_sets(statement: Statement) -> bool:
    words = statement.words or ("",)
    return words[0] in _SETS and words[1:2] not in (("LOCAL",), ("CONSTRAINTS",), ("TRANSACTION",))


_STRINGS = "standard_conforming_strings"


def _reads_backslashes(text: str) -> bool:
    """Does it switch standard_conforming_strings off, by SET or set_config()?"""
    said = [(t.value or t.text.strip('"')).lower() for t in tokens(text)] if _STRINGS in text.lower() else []
    value = said[said.index(_STRINGS) + 2 :][:1] if _STRINGS in said else []
    return value == ["0"] or any(word.startswith(v) for v in value for word in ("off", "false", "no"))


def _refuse_backslashes(path: str, source: bytes, statement: Statement) -> None:
    if source.find(b"\\", statement.start) >= 0:
        raise refusal(
            path,
            source,
            statement.start,
            "with standard_conforming_strings off a backslash in a string is an escape, "
            "so it is not certain where statements end",
            hint="remove it, and write E'…' where a string has escapes",
        )


_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UTF8 = frozenset({"utf8", "utf-8", "unicode", "default", "utf_8"})


def _refuse_encoding(path: str, source: bytes, statement: Statement) -> None:
    """Raise `BadMigrationFile` where the server would read the file's UTF-8 as something else."""
    said = [t.value or t.text.strip('"') for t in tokens(statement.text) if t.text not in ("=", ",", "(", ")")]
    lower = [word.lower() for word in said]
    name = "names" if "names" in lower[:3] else "client_encoding"
    value = lower[lower.index(name) + 1 :] if name in lower else []
    if value[:1] == ["to"]:
        value = value[1:]
    if value and value[0] not in _UTF8 and _BEYOND_ASCII.search(source, statement.end):
        raise refusal(
            path,
            source,
            statement.start,
            f"the file is UTF-8, and would be read as {value[0].upper()} from here on",
            hint="remove the line (a dump: write it with pg_dump --encoding=UTF8)",
        )


def _rolls_back_to_savepoint(words: tuple[str, ...]) -> bool:
    rest = [w for w in words[1:] if w not in ("WORK", "TRANSACTION")]
    return rest[:1] == ["TO"]


def _words_shown(words: tuple[str, ...]) -> str:
    both = " ".join(words[:2])
    return both if both in ("START TRANSACTION", "PREPARE TRANSACTION", "COMMIT PREPARED") else words[0]
