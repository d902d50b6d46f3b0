"""One part of another tool's migration as the text of a file of ours: what means the same here, and what does not.

Hides transactions of a file's own, values that the tool puts in, and comments that would mean something else here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import LATE, UNWRITTEN, head, lines_like_directives, read_directives
from wflo_schema.files.layouts import section_marks
from wflo_schema.files.script import Script, Statement, Statements, is_control, opens_ours
from wflo_schema.files.splitting import Piece, bare, pieces, strings
from wflo_schema.files.statements import refuse_outside_transaction
from wflo_schema.files.tokens import tokens
from wflo_schema.imports.source import Note, Section, Source, script_of
from wflo_schema.words import counted, shown

# How often the comments of a file are looked through for those that are to be given other words: a word that is put
# in front of one may show another.
_MOST_ROUNDS = 10

# What stands before a comment that would mean something here; see `files.layouts` and `files.directives`.
_REWORDED = "as it was: "

_ENUM_VALUE = re.compile(rb"ALTER\s+TYPE\s[\s\S]*\bADD\s+VALUE\b", re.IGNORECASE)
_LOCAL = re.compile(rb"SET\s+LOCAL\b", re.IGNORECASE)
_COMMITS = re.compile(r"(?:COMMIT|END)(?: (?:WORK|TRANSACTION))?(?: AND NO CHAIN)?", re.IGNORECASE)
_ROLLS_BACK = re.compile(r"(?:ROLLBACK|ABORT)(?: (?:WORK|TRANSACTION))?(?: AND NO CHAIN)?", re.IGNORECASE)
_ISOLATION = re.compile(r"\b(?:SERIALIZABLE|REPEATABLE READ|READ ONLY)\b", re.IGNORECASE)
_SETS_TRANSACTION = re.compile(rb"SET\s+(?:LOCAL\s+|SESSION\s+)?TRANSACTION(?:_ISOLATION)?\b", re.IGNORECASE)
_AS_OURS = re.compile(rb"TRANSACTION\s+(?:ISOLATION\s+LEVEL\s+READ\s+COMMITTED|READ\s+WRITE)\s*\Z", re.IGNORECASE)
# What holds for the rest of a transaction.
_ENDS_WITH_IT = re.compile(
    rb"SET\s+(?:LOCAL|CONSTRAINTS)\b|CREATE\b.*\bON\s+COMMIT\b|SELECT\b.*\bset_config\s*\(.*,\s*true\s*\)",
    re.IGNORECASE | re.DOTALL,
)
_TIMEOUT = re.compile(rb"\b(?:\w+_timeout|client_min_messages)\b", re.IGNORECASE)
# What stands behind a statement and belongs to it.
_END = re.compile(rb"[ \t]*;?[ \t]*")
_ONLY_INSIDE = re.compile(rb"(?:SAVEPOINT|RELEASE|ROLLBACK|LOCK|SET\s+CONSTRAINTS|DECLARE)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a migration as it is written here.

    ``sent`` is the section with its values put in: what the tool itself would run.  ``is_transactional`` is False
    where the file must say so.  ``is_empty``: it holds no statement.
    """

    sent: Section
    text: bytes
    is_transactional: bool
    is_empty: bool
    notes: tuple[Note, ...] = ()

    @property
    def is_open(self) -> bool:
        """Is there something that a person must do before it can be run?"""
        return any(note.is_open for note in self.notes)


def with_values(
    section: Section, placeholder: re.Pattern[bytes] | None, values: Mapping[str, str]
) -> tuple[Section, tuple[Note, ...]]:
    """The section with the values of its placeholders put in, and a note for each that has none."""
    if placeholder is None or section.is_literal or not placeholder.search(section.text):
        return section, ()
    missing: dict[str, tuple[str, int]] = {}
    codes: list[Note] = []
    spelt: Callable[[str], str] = str.lower if placeholder.flags & re.IGNORECASE else str
    known = {spelt(name): value for name, value in values.items()}

    def place(found: re.Match[bytes]) -> tuple[str, int]:
        return section.place(section.text.count(b"\n", 0, found.start()) + 1)

    def value(found: re.Match[bytes]) -> bytes:
        if found.groupdict().get("code") is not None:
            path, line = place(found)
            said = shown(found.group())
            how = "write the SQL that it makes in its place"
            codes.append(Note(path, f"{said} is a template, which only its tool can fill in", how, line, True))
            return found.group()
        if found["name"] is None:
            return found.group()  # it has no end
        name = found["name"].decode()
        default = found.groupdict().get("default")
        if spelt(name) not in known and default is None:
            if name not in missing:
                missing[name] = place(found)
            return found.group()
        return known[spelt(name)].encode() if spelt(name) in known else default or b""

    text = placeholder.sub(value, section.text)
    notes = tuple(
        Note(path, f"the value of {name} is not given", f"give it: --set {name}=VALUE", line, is_open=True)
        for name, (path, line) in missing.items()
    )
    return section.with_text(text), (*notes, *codes)


# What a session keeps, and what decides about later statements.
_KEPT = rb"(search_path|role|session\s+authorization|default_\w+|time\s*zone|session_replication_role|lock_timeout)\b"
_NEVER_BACK = (b"role", b"session authorization")  # by RESET ALL
_SETS = re.compile(rb"\A\s*SET\s+(?:SESSION\s+(?!AUTH))?" + _KEPT, re.IGNORECASE)
_SETS_CONFIG = re.compile(rb"\A\s*SELECT\s[^;]*\bset_config\s*\(\s*'" + _KEPT + rb"'[^;]*\bfalse\s*\)", re.IGNORECASE)
_RESETS = re.compile(rb"\A\s*(?:RESET|DISCARD)\s+(?:ALL\b|" + _KEPT + rb")", re.IGNORECASE)


def of_session(section: Section, source: Source) -> tuple[Note, ...]:
    """A note where a file sets for its session what its tool keeps for the files after it, and we do not."""
    try:
        statements = _statements(section)
    except BadMigrationFile:
        return ()  # said by `translate`
    kept: dict[bytes, Statement] = {}
    for s in statements:
        if found := _SETS.match(s.raw) or _SETS_CONFIG.match(s.raw):
            kept[found[1].lower()] = s
        elif found := _RESETS.match(s.raw):
            kept = {name: at for name, at in kept.items() if found[1] is not None and name != found[1].lower()}
    return tuple(
        Note(
            section.path,
            f"{name.decode()} is set for the session, which {source.tool} keeps for the files after it, "
            "and here is not",
            "write it into each file that needs it",
            section.line + s.line - 1,
        )
        for name, s in kept.items()
        if name.decode() not in source.puts_back and ("ALL" not in source.puts_back or name in _NEVER_BACK)
    )


_OF_TABLE = (
    rb"\A\s*(?:(?:ALTER\s+TABLE|UPDATE|DELETE\s+FROM|INSERT\s+INTO|TRUNCATE(?:\s+TABLE)?|LOCK(?:\s+TABLE)?|"
    rb"DROP\s+TABLE|COMMENT\s+ON\s+TABLE|CREATE\s+(?:UNIQUE\s+)?INDEX\b[^(]*\bON)(?:\s+IF\s+(?:NOT\s+)?EXISTS)?"
    rb"(?:\s+ONLY)?|(?:GRANT|REVOKE)\s[^;]*?\sON(?:\s+TABLE)?)\s+"
    rb"(?:\"?(?:%s)\"?\s*\.\s*)?\"?(?:%s)\"?(?![\w.\"]|\s*,)"
)


def without_ledger(
    section: Section, tables: Collection[str], schemas: Collection[str], tool: str
) -> tuple[Section, tuple[Note, ...]]:
    """The section without what changes its tool's own ledger, which we do not keep; a note for each.

    ``tables`` are its names, and ``schemas`` those in which it may be: in any other, it is another table.
    """
    names = [name.encode() for name in tables]
    if not any(name in section.text for name in names):
        return section, ()
    places, known = (b"|".join(map(re.escape, some)) for some in ([s.encode() for s in schemas], names))
    pattern = re.compile(_OF_TABLE % (places, known), re.IGNORECASE)

    def about(text: bytes) -> list[Statement]:
        return [s for s in _statements(section.with_text(text)) if pattern.match(s.raw)]

    def rest(text: bytes) -> Sequence[bytes]:
        messages = (_without(m, about(m)) for m in section.cut(text)) if section.cut is not None else ()
        return [m for m in messages if not m.isspace() and m]

    try:
        found = about(section.text)
    except BadMigrationFile:
        return section, ()  # said by `translate`
    notes = tuple(
        Note(
            section.path,
            f"left out, for it is about the ledger of {tool}: {' '.join(s.text.split())[:80]}",
            line=section.line + s.line - 1,
        )
        for s in found
    )
    kept = section.with_text(_without(section.text, found))
    return replace(kept, cut=rest if section.cut is not None else None), notes


def translate(section: Section, committing: list[str] | None = None) -> Part:
    """Write one section as a file of ours says it; nothing is left out without a note.

    ``committing`` are the procedures of the files before it that end a transaction; its own are added.
    """
    if section.is_ours:
        return _as_it_is(section)
    if any(note.is_open for note in section.notes):
        return Part(section, section.text, is_transactional=True, is_empty=False, notes=section.notes)
    try:
        statements = _statements(section)
    except BadMigrationFile as error:
        path, line = section.place(error.location.line if error.location else 1)
        note = Note(path, _bare(error), error.hint, line, is_open=True)
        return Part(section, section.text, is_transactional=True, is_empty=False, notes=(*section.notes, note))
    found = _Transactions(section, statements)
    committing = committing if committing is not None else []
    committing += [s.text for s in statements if _commits_when_called(s)]
    is_transactional = not _runs_apart(section, statements, found, committing)
    notes = [*section.notes, *found.notes(is_one=is_transactional)]
    if not is_transactional:
        notes += _of_apart(section, statements, found)
    dropped = [] if any(n.is_open for n in notes) else [statements[n] for n in sorted(found.dropped)]
    return Part(section, _without(section.text, dropped), is_transactional, is_empty=not found.rest, notes=tuple(notes))


def _as_it_is(section: Section) -> Part:
    """A file of ours: its directives say how it is run."""
    directives = read_directives(section.path, head(section.text))
    is_empty = next(pieces(section.path, section.text), None) is None
    is_transactional = directives.is_transactional is not False
    return Part(section, section.text, is_transactional, is_empty, section.notes)


def _bare(error: BadMigrationFile) -> str:
    """What the error says, without the place that it begins with."""
    return re.sub(r"\A\S+:\d+: ", "", error.message)


class _Placed(Statement):
    """A statement that knows its line: to count it for each of many takes long."""

    __slots__ = ("_line",)

    def __init__(self, source: bytes, piece: Piece, line: int) -> None:
        super().__init__(source, piece.start, piece.end, piece.data)
        self._line = line

    @property
    def line(self) -> int:
        """The line where it begins, from 1."""
        return self._line


def _statements(section: Section) -> list[Statement]:
    found: list[Statement] = []
    line, counted_to = 1, 0
    for piece in pieces(section.path, section.text):
        line, counted_to = line + section.text.count(b"\n", counted_to, piece.start), piece.start
        found.append(_Placed(section.text, piece, line))
    return found


_HAS_BODY = frozenset({"DO", "FUNCTION", "PROCEDURE"})


def of_line_ends(section: Section) -> tuple[Note, ...]:
    """A note where a text of many lines stands in a file of CR LF: most tools send it so, and we do not.

    Bodies of functions are left out: they do the same.
    """
    try:
        with open(section.path, "rb") as file:
            if b"\r\n" not in file.read():
                return ()
        found = [s for s in _statements(section) if not _HAS_BODY & {*s.words[:4]}]
    except (OSError, BadMigrationFile):
        return ()  # said elsewhere
    places = [section.place(s.line) for s in found if any(b"\n" in text for text in strings(s.raw))]
    what = "a text of many lines is written here with LF at their ends, and with CR LF in this file"
    how = "where the CR counts, write the text as E'…\\r\\n…'"
    return (Note(places[0][0], what, how, places[0][1]),) if places else ()


# --- transactions of a file's own -------------------------------------------------------------


@dataclass(slots=True)
class _Block:
    """One transaction: the numbers of the statements that begin and end it, -1 where the tool or nothing does."""

    begin: int
    end: int = -1
    is_kept: bool = True


class _Transactions:
    """The transactions that a file begins and ends itself, as its own tool runs them.

    ``control`` are the numbers of the statements that do it; ``dropped`` those and others that stand for nothing
    here, and ``rest`` all others; ``blocks`` are in order.
    """

    def __init__(self, section: Section, statements: Sequence[Statement]) -> None:
        self._section = section
        self._statements = statements
        self.control = [n for n, s in enumerate(statements) if is_control(s)]
        self.blocks: list[_Block] = [_Block(-1)] if section.is_wrapped else []
        self._refused: list[Note] = []
        for number in self.control:
            self._read(number)
        self._block_of: list[_Block | None] = [None] * len(statements)
        for one in self.blocks:
            for number in range(one.begin + 1, one.end if one.end >= 0 else len(statements)):
                self._block_of[number] = one
        self.dropped = set(self.control)
        if section.is_psql and not section.is_wrapped:
            self.dropped |= {n for n, block in enumerate(self._block_of) if block is not None and not block.is_kept}
            self.dropped |= {n for n in range(len(statements)) if self.is_idle(n)}
        self.rest = [n for n in range(len(statements)) if n not in self.dropped]

    def _read(self, number: int) -> None:
        statement = self._statements[number]
        said = " ".join(bare(statement.raw).split())
        open_block = self.blocks[-1] if self.blocks and self.blocks[-1].end < 0 else None
        if statement.words[0] in ("BEGIN", "START") and opens_ours(statement):
            if open_block is None:
                self.blocks.append(_Block(number))
        elif _COMMITS.fullmatch(said):
            if open_block is not None:
                open_block.end = number
        elif _ROLLS_BACK.fullmatch(said) and self._section.is_psql and not self._section.is_wrapped:
            if open_block is not None:
                open_block.end, open_block.is_kept = number, False
        else:
            what = f"{shown(statement.text)} is no part of a migration, which is one transaction"
            how = "write what it is to do without it"
            if _ISOLATION.search(said):
                what = f"{shown(statement.text)}: a migration's transaction is READ COMMITTED"
                how = "write plain BEGIN, and LOCK TABLE what must not change meanwhile"
            self._refused.append(self.note(number, what, how, is_open=True))
            if open_block is not None:
                open_block.end = number

    def note(self, number: int, what: str, how: str = "", *, is_open: bool = False) -> Note:
        """What is to be said of a statement."""
        path, line = self._section.place(self._statements[number].line)
        return Note(path, what, how, line, is_open=is_open)

    def block_of(self, number: int) -> _Block | None:
        """The transaction in which a statement stands."""
        return self._block_of[number]

    def is_idle(self, number: int) -> bool:
        """Is it a SET LOCAL outside of a transaction, which psql runs in vain?"""
        return bool(_LOCAL.match(self._statements[number].raw)) and self.block_of(number) is None

    def ends_before_another(self, number: int) -> bool:
        """Has what the statement did been committed before another, which stands behind it, is run?"""
        block = self.block_of(number)
        if block is None:
            return number < self.rest[-1] and (self._section.is_psql or self._section.cut is not None)
        return 0 <= block.end < self.rest[-1]

    def notes(self, *, is_one: bool) -> Iterable[Note]:
        """What is to be said of them; ``is_one``: all of the file is one here."""
        yield from self._refused
        section, statements = self._section, self._statements
        if section.is_psql and not section.is_wrapped and self.blocks and self.blocks[-1].end < 0:
            what = "it begins a transaction that nothing ends"
            yield self.note(self.blocks[-1].begin, what, "the tool has run none of it", is_open=True)
        for block in self.blocks:
            if not block.is_kept:
                what = f"its own tool rolls back what it does up to line {section.place(statements[block.end].line)[1]}"
                yield self.note(block.begin, f"{what}: left out here")
        if is_one and self.control:
            filled = {block.begin for block in map(self.block_of, self.rest) if block is not None}
            is_around = any(
                self.block_of(n) is None and statements[n].first_word not in ("SET", "RESET") for n in self.rest
            )
            if filled and len(filled) + is_around > 1:
                yield Note(section.path, f"its {counted(len(filled) + is_around, 'transaction')} are one here")
        for number in self.rest:
            yield from self._of_one(number)
        for number in sorted(self.dropped - set(self.control)):
            if self.is_idle(number):
                yield self.note(
                    number, f"{shown(statements[number].text)} has no effect outside of a transaction: left out"
                )

    def _of_one(self, number: int) -> Iterable[Note]:
        """What one statement means otherwise where all transactions are one."""
        statement, block = self._statements[number], self.block_of(number)
        if _SETS_TRANSACTION.match(statement.raw) and not _AS_OURS.search(statement.raw):
            how = "leave it out, and LOCK TABLE what must not change meanwhile"
            what = f"{shown(statement.text)}: a migration's transaction is READ COMMITTED"
            yield self.note(number, what, how, is_open=True)
        is_last = block is None or block.end < 0 or self.rest[-1] < block.end
        if not is_last and _ENDS_WITH_IT.match(statement.raw) and not _TIMEOUT.search(statement.raw):
            what = f"{shown(statement.text)} ends with its transaction there, and holds to the end of the file here"
            yield self.note(number, what, "make a migration of each transaction", is_open=True)


def _without(text: bytes, statements: Iterable[Statement]) -> bytes:
    """The text without these statements, which are in order, and without the lines that then are blank."""
    kept, position = bytearray(), 0
    for statement in statements:
        end = statement.data[1] + 2 if statement.data else statement.end
        found = _END.match(text, end)
        end = found.end() if found else end
        kept += text[position : statement.start]
        line = kept.rfind(b"\n") + 1
        if not kept[line:].strip() and text[end : end + 1] in (b"\n", b""):
            del kept[line:]
            end += 1
        position = end
    return bytes(kept + text[position:])


def _runs_apart(
    section: Section, statements: Sequence[Statement], found: _Transactions, committing: Sequence[str]
) -> bool:
    """Must the statements run each by itself?"""
    if runs_outside(_script(section, [statements[n] for n in found.rest])):
        return True
    for number in found.rest:
        statement = statements[number]
        if found.block_of(number) is None and _commits_itself(statement, committing):
            return True
        if _ENUM_VALUE.match(statement.raw) and found.ends_before_another(number):
            return True
    return section.cut is not None and section.is_asked and not section.is_wrapped and len(found.rest) > 1


def _commits_when_called(statement: Statement) -> bool:
    """Does it make a procedure that ends a transaction?"""
    return statement.first_word == "CREATE" and "PROCEDURE" in statement.words and _ends_transaction(statement.text)


def _commits_itself(statement: Statement, committing: Sequence[str]) -> bool:
    """Does code that it runs, as far as the folder holds it, end the transaction?"""
    if statement.first_word == "DO":
        return _ends_transaction(statement.text)
    if statement.first_word != "CALL" or not committing:
        return False
    name = next((t.name for t, after in pairwise(tokens(statement.text)) if after.text == "("), "")
    return any(name in text for text in committing)


def _ends_transaction(text: str) -> bool:
    """Does a text of its code say COMMIT or ROLLBACK?"""
    code = [
        t.value
        for t in tokens(text)
        if t.kind == "text" and t.value and re.search(r"\b(?:commit|rollback)\b", t.value, re.IGNORECASE)
    ]
    return any(t.kind == "word" and t.text.upper() in ("COMMIT", "ROLLBACK") for c in code for t in tokens(c))


def runs_outside(script: Script) -> bool:
    """Is one of its statements refused inside of a transaction, whatever the database holds?"""
    try:
        refuse_outside_transaction(script)
    except BadMigrationFile:
        return True
    return False


def _script(section: Section, statements: Sequence[Statement]) -> Script:
    found = Statements(section.text)
    for s in statements:
        found.add(s.start, s.end, s.first_word.encode(), s.data)
    return Script(section.path, section.text, "", found)


def _of_apart(section: Section, statements: Sequence[Statement], found: _Transactions) -> Iterable[Note]:
    if found.control and len(found.rest) > 1:
        yield Note(
            section.path, "its statements run each by itself here, because one of them cannot run in a transaction"
        )
    for number in found.rest:
        statement = statements[number]
        if _LOCAL.match(statement.raw):
            what = f"{shown(statement.text)} has no effect outside of a transaction"
            is_open = not _TIMEOUT.search(statement.raw)
            yield found.note(number, what, "write SET without LOCAL", is_open=is_open)
        elif _ONLY_INSIDE.match(statement.raw):
            what = f"{shown(statement.text)} needs a transaction, and the statements of this file run each by itself"
            yield found.note(number, what, "make a migration of what is to be one transaction", is_open=True)


# --- the whole file ---------------------------------------------------------------------------


def as_file(part: Part, directives: Sequence[str], notes: Sequence[Note], *, nothing: str = "") -> str:
    """The text of the file: directives, notes, and the SQL; what a person must look at first is commented out.

    ``nothing`` stands for SQL where there is none.
    """
    if part.sent.is_ours:
        return part.text.decode()
    top = [f"-- {d}" for d in directives]
    lines: list[str] = []
    if not part.is_transactional and not part.is_empty:
        lines.append("-- transactional: false")
    body = part.text.decode().strip("\n")
    is_open = any(note.is_open for note in notes)
    if part.is_empty and nothing and not is_open:
        lines.append(f"-- {nothing}")
    lines += [f"-- import: {' '.join(note.text.split())}" for note in notes]
    if is_open:
        lines += [UNWRITTEN, *(f"-- | {line}" for line in body.splitlines())]
        return "\n".join((*top, _reworded("\n".join(lines)))) + "\n"
    return "\n".join((*top, *lines, _reworded(body))).strip("\n") + "\n"


def _reworded(text: str) -> str:
    """The text, with other words before each comment that would mean something here."""
    for _ in range(_MOST_ROUNDS):
        misread = _misread(text)
        if not misread:
            return text
        lines = text.split("\n")
        for line in misread:
            lines[line - 1] = re.sub(r"(--|/\*|^)\s*", lambda m: f"{m[1]} {_REWORDED}", lines[line - 1], count=1)
        text = "\n".join(lines)
    return text


def _misread(text: str) -> set[int]:
    """The lines of comments that would be taken for directives, or for another tool's marks."""
    path, source = "it", text.encode()
    lines = set(lines_like_directives(head(source)))
    places = [start for start, _ in section_marks(path, source)]
    if LATE.search(source):
        with contextlib.suppress(BadMigrationFile):  # said by `translate`
            places += script_of(path, source).late_directives()
    line, counted_to = 1, 0
    for start in sorted(places):
        line, counted_to = line + source.count(b"\n", counted_to, start), start
        lines.add(line)
    return lines
