"""One part of another tool's migration as the text of a file of ours: what means the same here, and what does not.

Hides transactions of a file's own, values that the tool puts in, and comments that would mean something else here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import UNWRITTEN, head, read_directives
from wflo_schema.files.layouts import refuse_sections
from wflo_schema.files.script import CONTROL, Script, Statement, Statements, is_control, opens_ours
from wflo_schema.files.splitting import pieces
from wflo_schema.files.statements import refuse_outside_transaction
from wflo_schema.imports.source import Note, Section
from wflo_schema.words import counted

# How often a comment is given other words in one file; a file with more is no SQL.
_MOST_REWORDED = 1_000

# What stands before a comment that would mean something here; see `files.layouts` and `files.directives`.
_REWORDED = "as it was: "

_ENUM_VALUE = re.compile(rb"\A\s*ALTER\s+TYPE\s[\s\S]*\bADD\s+VALUE\b", re.IGNORECASE)
_LOCAL = re.compile(rb"\A\s*SET\s+LOCAL\b", re.IGNORECASE)


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
    if placeholder is None or not placeholder.search(section.text):
        return section, ()
    missing: dict[str, int] = {}
    codes: list[Note] = []

    def value(found: re.Match[bytes]) -> bytes:
        line = section.line + section.text.count(b"\n", 0, found.start())
        if found.groupdict().get("code") is not None:
            said = " ".join(found.group().decode().split())[:60]
            how = "write the SQL that it makes in its place"
            codes.append(Note(section.path, f"{said} is a template, which only its tool can fill in", how, line, True))
            return found.group()
        name = found["name"].decode()
        default = found.groupdict().get("default")
        if name not in values and default is None:
            missing.setdefault(name, line)
            return found.group()
        return values[name].encode() if name in values else default or b""

    text = placeholder.sub(value, section.text)
    notes = tuple(
        Note(section.path, f"the value of {name} is not given", f"give it: --set {name}=VALUE", line, is_open=True)
        for name, line in missing.items()
    )
    return section.with_text(text), (*notes, *codes)


# What a session keeps, and what decides about later statements.
_KEPT = rb"(search_path|role|session\s+authorization|default_\w+|time\s*zone|session_replication_role|lock_timeout)\b"
_SETS = re.compile(rb"\A\s*SET\s+(?:SESSION\s+(?!AUTH))?" + _KEPT, re.IGNORECASE)
_SETS_CONFIG = re.compile(rb"\A\s*SELECT\s[^;]*\bset_config\s*\(\s*'" + _KEPT + rb"'[^;]*\bfalse\s*\)", re.IGNORECASE)
_RESETS = re.compile(rb"\A\s*(?:RESET|DISCARD)\s+(?:ALL\b|" + _KEPT + rb")", re.IGNORECASE)


def of_session(section: Section, tool: str) -> tuple[Note, ...]:
    """A note where a file sets for its session what its tool keeps for the files after it, and we do not."""
    try:
        statements = _statements(section)
    except BadMigrationFile:
        return ()  # said by `translate`
    kept: dict[bytes, int] = {}
    for s in statements:
        if found := _SETS.match(s.raw) or _SETS_CONFIG.match(s.raw):
            kept[found[1].lower()] = section.line + s.line - 1
        elif found := _RESETS.match(s.raw):
            kept = {name: line for name, line in kept.items() if found[1] is not None and name != found[1].lower()}
    return tuple(
        Note(
            section.path,
            f"{name.decode()} is set for the session, which {tool} keeps for the files after it, and here is not",
            "write it into each file that needs it",
            line,
        )
        for name, line in kept.items()
    )


_OF_TABLE = (
    rb"\A\s*(?:(?:ALTER\s+TABLE|UPDATE|DELETE\s+FROM|INSERT\s+INTO|TRUNCATE(?:\s+TABLE)?|LOCK(?:\s+TABLE)?|DROP\s+TABLE|"
    rb"COMMENT\s+ON\s+TABLE)(?:\s+IF\s+EXISTS)?(?:\s+ONLY)?|(?:GRANT|REVOKE)\s[^;]*?\sON(?:\s+TABLE)?)\s+"
    rb"(?:[\w\"]+\s*\.\s*)?\"?(?:%s)\"?(?![\w.\"]|\s*,)"
)


def without_ledger(section: Section, tables: Collection[str], tool: str) -> tuple[Section, tuple[Note, ...]]:
    """The section without what it does to its tool's own ledger, which no migration of ours has; a note for each."""
    names = [name.encode() for name in tables]
    if not any(name in section.text for name in names):
        return section, ()
    try:
        statements = _statements(section)
    except BadMigrationFile:
        return section, ()  # said by `translate`
    pattern = re.compile(_OF_TABLE % b"|".join(map(re.escape, names)), re.IGNORECASE)
    found = [s for s in statements if pattern.match(s.raw)]
    notes = tuple(
        Note(
            section.path,
            f"left out, for it changes the ledger of {tool}: {' '.join(s.text.split())[:80]}",
            line=section.line + s.line - 1,
        )
        for s in found
    )
    return section.with_text(_without(section.text, found)), notes


def translate(section: Section) -> Part:
    """Write one section as a file of ours says it; nothing is left out without a note."""
    if section.is_ours:
        return _as_it_is(section)
    try:
        statements = _statements(section)
    except BadMigrationFile as error:
        line = error.location.line if error.location else 1
        note = Note(section.path, _bare(error), error.hint, section.line + line - 1, is_open=True)
        return Part(section, section.text, is_transactional=True, is_empty=False, notes=(*section.notes, note))
    control = [n for n, s in enumerate(statements) if s.first_word in CONTROL and is_control(s)]
    rest = [s for n, s in enumerate(statements) if n not in set(control)]
    is_transactional = not _runs_apart(section, rest)
    notes = [*section.notes, *_of_transactions(section, statements, control, is_one=is_transactional)]
    text = section.text if any(n.is_open for n in notes) else _without(section.text, [statements[n] for n in control])
    if not is_transactional:
        notes += _of_apart(section, rest, has_control=bool(control))
    return Part(section, text, is_transactional, is_empty=not rest, notes=tuple(notes))


def _as_it_is(section: Section) -> Part:
    """A file of ours: its directives say how it is run."""
    directives = read_directives(section.path, head(section.text))
    is_empty = next(pieces(section.path, section.text), None) is None
    is_transactional = directives.is_transactional is not False
    return Part(section, section.text, is_transactional, is_empty, section.notes)


def _bare(error: BadMigrationFile) -> str:
    """What the error says, without the place that it begins with."""
    return re.sub(r"\A\S+:\d+: ", "", error.message)


def _statements(section: Section) -> list[Statement]:
    return [Statement(section.text, p.start, p.end, p.data) for p in pieces(section.path, section.text)]


def _of_transactions(
    section: Section, statements: Sequence[Statement], control: Sequence[int], *, is_one: bool
) -> Iterable[Note]:
    """What is to be said of the transactions that a file begins and ends itself; ``is_one``: it is one here."""
    is_open = False
    begun = 0
    outside = [s for n, s in enumerate(statements) if n not in set(control)] if control else []
    for number in control:
        statement = statements[number]
        line = section.line + statement.line - 1
        said = " ".join(statement.text.split())[:60]
        begins = statement.words[0] in ("BEGIN", "START")
        commits = re.fullmatch(r"(?:COMMIT|END)(?:\s+(?:WORK|TRANSACTION))?", said, re.IGNORECASE)
        if begins and opens_ours(statement):
            begun += 1
            is_open = True
        elif commits:
            is_open = False
        else:
            what = f"{said} is no part of a migration, which is one transaction"
            yield Note(section.path, what, "write what it is to do without it", line, is_open=True)
    if is_open and section.is_psql:
        yield Note(
            section.path, "it begins a transaction that nothing ends", "the tool has run none of it", is_open=True
        )
    first, last = (control[0], control[-1]) if control else (0, 0)
    around = [s for n, s in enumerate(statements) if (n < first or n > last) and s.first_word != "SET"]
    if is_one and (begun > 1 or (control and outside and around)):
        yield Note(section.path, f"its {counted(max(begun, 2), 'transaction')} are one here")


def _without(text: bytes, statements: Sequence[Statement]) -> bytes:
    """The text without these statements, and without the lines that then are blank."""
    for statement in reversed(statements):
        begin, end = statement.start, statement.end
        found = re.compile(rb"[ \t]*;?[ \t]*").match(text, end)
        end = found.end() if found else end
        line = text.rfind(b"\n", 0, begin) + 1
        if not text[line:begin].strip() and text[end : end + 1] in (b"\n", b""):
            begin, end = line, end + 1
        text = text[:begin] + text[end:]
    return text


def _runs_apart(section: Section, statements: Sequence[Statement]) -> bool:
    """Must the statements run each by itself?"""
    script = _script(section, statements)
    try:
        refuse_outside_transaction(script)
    except BadMigrationFile:
        return True
    if section.is_wrapped or len(statements) < 2:
        return False
    is_apart = section.cut is not None and section.is_asked
    has_pieces = section.is_psql or section.cut is not None
    return is_apart or (has_pieces and any(_ENUM_VALUE.match(s.raw) for s in statements))


def _script(section: Section, statements: Sequence[Statement]) -> Script:
    found = Statements(section.text)
    for s in statements:
        found.add(s.start, s.end, s.first_word.encode(), s.data)
    return Script(section.path, section.text, "", found)


def _of_apart(section: Section, statements: Sequence[Statement], *, has_control: bool) -> Iterable[Note]:
    if has_control and len(statements) > 1:
        yield Note(
            section.path, "its statements run each by itself here, because one of them cannot run in a transaction"
        )
    for statement in statements:
        if _LOCAL.match(statement.raw):
            line = section.line + statement.line - 1
            said = " ".join(statement.text.split())[:60]
            yield Note(section.path, f"{said} has no effect outside of a transaction", "write SET without LOCAL", line)


# --- the whole file ---------------------------------------------------------------------------


def as_file(part: Part, directives: Sequence[str], notes: Sequence[Note], *, nothing: str = "") -> str:
    """The text of the file: directives, notes, and the SQL; what a person must look at first is commented out.

    ``nothing`` stands for SQL where there is none.
    """
    if part.sent.is_ours and not any(note.is_open for note in notes):
        return part.text.decode()
    lines = [f"-- {d}" for d in directives]
    if not part.is_transactional and not part.is_empty:
        lines.append("-- transactional: false")
    body = part.text.decode().strip("\n")
    if part.is_empty and nothing:
        lines.append(f"-- {nothing}")
    lines += [f"-- import: {' '.join(note.text.split())}" for note in notes]
    if any(note.is_open for note in notes):
        lines += [UNWRITTEN, *(f"-- | {line}" for line in body.split("\n"))]
        return _reworded("\n".join(lines)) + "\n"
    return "\n".join((*lines, _reworded(body))).strip("\n") + "\n"


def _reworded(text: str) -> str:
    """The text, with other words before each comment that would mean something here."""
    for _ in range(_MOST_REWORDED):
        line = _first_misread(text)
        if not line:
            return text
        lines = text.split("\n")
        said = lines[line - 1]
        lines[line - 1] = re.sub(r"(--|/\*)\s*", lambda m: f"{m[1]} {_REWORDED}", said, count=1)
        text = "\n".join(lines)
    return text


def _first_misread(text: str) -> int:
    """The line of the first comment that would be taken for a directive, or for another tool's mark; 0 without one."""
    path, source = "it", text.encode()
    beginning = head(source)
    try:
        refuse_sections(path, source)
        directives = read_directives(path, beginning)
        if directives.lines:
            return min(directives.lines.values())
        found = Statements(source)
        for piece in pieces(path, source):
            found.add(*piece)
        Script(path, source, "", found, directives).refuse_doubtful()
    except BadMigrationFile as error:
        return error.location.line if error.location else 0
    return 0
