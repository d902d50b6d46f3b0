"""Tools whose file holds both directions between marks: dbmate, goose, sql-migrate and those like them.

Hides each tool's marks, and how it cuts a file into messages: one row of ``_MARKED`` is one tool.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.splitting import bare, comments
from wflo_schema.imports.cutting import cut_as, ended
from wflo_schema.imports.settings import read_properties
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    natural,
    numbered,
    refuse_doubled,
    source_of,
)
from wflo_schema.words import shown

# Files that a tool refuses are told at once; more than this are one mistake, made everywhere.
_MOST_FAULTS = 10

_COMMENT = re.compile(rb"\s*--")
_BLANK_OR_COMMENT = re.compile(rb"\s*(?:--|\Z)")
_REMARK = re.compile(rb"\s*--|#|//")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a direction, from 1.  ``kind`` is empty, or what a mark in its place does: "begin" or "end"."""

    number: int
    text: bytes
    kind: str = ""


# The messages of one direction, and what is left behind the last.
_Cut = Callable[["_Marked", Sequence[_Line]], tuple[list[bytes], bytes]]


@dataclass(frozen=True, slots=True)
class _Marked:
    """How one tool reads a folder and its files.

    ``file`` finds the version in the name of a file that counts, and ``ignored`` says why the others do not.
    ``version`` is what the ledger records for it: by the version in the name and the name itself.  ``order`` sorts.
    ``mark`` is a line that is a mark, with a group ``word`` and perhaps ``options``, and ``words`` what it does: up,
    down, begin, end, apart, fill, plain.  ``is_strict``: up once, then down at most once, nothing before, and no other
    mark; ``needs`` are directions without which the tool refuses a file.  ``starts`` is the direction before a mark.
    ``up`` is the mark as its users write it.  ``apart`` is the option of a part that is to run in no transaction.

    ``cut`` makes the messages, None: a direction is one.  ``ends`` says that a line ends a statement; ``skips`` are
    lines that are left out before a statement, and ``drops`` those left out everywhere, in quotes as well.
    ``needs_end``: a last statement without an end is refused, else never run.  ``remarks`` begin lines that are
    comments for the tool alone.  ``reshapes``: in quotes, too, it changes how lines begin or leaves out blank ones.
    ``is_folded``: case does not matter in marks.  ``is_once``: of several pairs of parts, the first counts.
    ``is_psql``: psql runs it.  ``stops_at_gap``: nothing behind a missing number is run.  ``other_code`` is how the
    names of migrations end that are programs.  ``first`` is a file that is run by hand before all others, and
    ``settings`` reads what stands beside the folder.

    ``value`` finds what is replaced by a value: its groups are ``name`` (or ``plain``), ``default``, ``kept`` for what
    is written of an escape, and ``odd`` for what the tool cannot read.  ``values`` are those of the tool itself.
    ``fills_at_once``: values are put in from the first line on.

    ``layout`` and ``ledger`` are what `files.tools` and `catalog.other_ledgers` call it, where that is not ``name``.
    """

    name: str
    file: re.Pattern[str]
    ignored: str
    mark: re.Pattern[bytes]
    words: Mapping[bytes, str]
    up: str
    version: Callable[[str, str], str] = lambda version, _: version
    order: Callable[[str, str], tuple[object, ...]] = lambda _, name: (name,)
    is_strict: bool = False
    needs: tuple[str, ...] = ()
    starts: str = ""
    is_wrapped: bool = True
    is_psql: bool = False
    apart: bytes = b""
    cut: _Cut | None = None
    ends: Callable[[bytes], bool] = lambda _: False
    skips: re.Pattern[bytes] = re.compile(rb"(?!)")
    drops: re.Pattern[bytes] = re.compile(rb"(?!)")
    needs_end: bool = False
    is_folded: bool = False
    is_once: bool = False
    remarks: bytes = b""
    stops_at_gap: bool = False
    first: str = ""
    settings: Callable[[_Marked, Folder], _Marked] | None = None
    reshapes: bool = False
    value: re.Pattern[bytes] | None = None
    fills_at_once: bool = False
    values: dict[str, str] = field(default_factory=dict)
    other_code: str = ""
    layout: str = ""
    ledger: str = ""


@dataclass(slots=True)
class _Read:
    """What is found in one file: its lines by direction, the lines before, and notes."""

    path: str
    parts: dict[str, list[_Line]] = field(default_factory=dict)
    before: list[_Line] = field(default_factory=list)
    apart: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    faults: list[Note] = field(default_factory=list)

    def fault(self, what: str, how: str, line: int = 0) -> None:
        """Say why the tool refuses the file."""
        self.faults.append(Note(self.path, what, how, line))


def _read_marked(marked: _Marked, folder: Folder, wishes: Wishes) -> Source:
    if marked.settings is not None:
        marked = marked.settings(marked, folder)
    values = {**marked.values, **wishes.values}
    steps: list[Step] = []
    left_out: list[Note] = []
    faults: list[Note] = []
    for name in folder.files:
        found = marked.file.fullmatch(name)
        if name == marked.first:
            read = _scan(marked, folder.where(name), folder.text(name), values)
            if not all(_BLANK_OR_COMMENT.match(line.text) for line in read.parts["up"]):
                what = f"{marked.name} runs it by hand, before the first migration; here it is the first"
                read.notes.append(Note(read.path, what))
                steps.append(replace(_step(marked, read, name, ""), number="0"))
                continue
            left_out.append(Note(read.path, "is no migration: it holds nothing but comments"))
        elif found is None or "/" in name:
            why = f"{marked.name} does not look into folders" if "/" in name else marked.ignored
            left_out.append(Note(folder.where(name), f"is no migration: {why}"))
        elif marked.other_code and name.endswith(marked.other_code):
            steps.append(_other_step(marked, folder, name, found["version"]))
        else:
            read = _scan(marked, folder.where(name), folder.text(name), values)
            step = _step(marked, read, name, found["version"])
            faults += read.faults
            steps.append(step)
    if faults:
        more = [f.text for f in faults[1:_MOST_FAULTS]]
        raise BadMigrationFile(
            "\n".join((f"{marked.name} cannot run {faults[0].place}: {faults[0].what}", *more)), hint=faults[0].how
        )
    steps.sort(key=lambda step: marked.order(step.version or step.number, os.path.basename(step.path)))
    refuse_doubled(steps, marked.name)
    if marked.stops_at_gap:
        gap = next((n for n, step in enumerate(steps, 1) if step.version != str(n)), len(steps) + 1)
        why = f"is never run: {marked.name} stops where there is no {gap}.sql"
        left_out += [Note(step.path, why) for step in steps[gap - 1 :]]
        del steps[gap - 1 :]
    return source_of(folder, marked.name, steps, left_out, ledgers=(marked.ledger or marked.name,), keeps_session=True)


def _other_step(marked: _Marked, folder: Folder, name: str, version: str) -> Step:
    """A step that is a program."""
    path = folder.where(name)
    number, words = _named(name, version)
    note = Note(
        path,
        f"is a program that {marked.name} runs",
        "write what it does to the database as SQL, here and in a .rollback.sql",
        is_open=True,
    )
    return Step(marked.version(version, name), number, words, path, None, notes=(note,))


def _named(name: str, version: str) -> tuple[str, str]:
    """What the name sorts by, and its words: the version, where the tool finds one in it, ends the number."""
    stem = name.rpartition(".")[0]
    return (version, stem[stem.index(version) + len(version) :].strip("-_. ")) if version else numbered(stem)


# --- a file -----------------------------------------------------------------------------------


def _scan(marked: _Marked, path: str, text: bytes, values: Mapping[str, str]) -> _Read:
    """Divide a file at its marks, as the tool does."""
    read = _Read(path, {marked.starts: []} if marked.starts else {})
    part, fills = marked.starts, marked.fills_at_once
    for number, line in enumerate(text.split(b"\n"), 1):
        found = marked.mark.match(line)
        if found is None:
            filled = _filled(marked, read, line, number, values) if fills else line
            (read.parts[part] if part else read.before).append(_Line(number, filled))
            continue
        said = _said(marked, found)
        does = marked.words.get(said, "")
        if does == "up" and marked.is_once and "down" in read.parts and "up" in read.parts:
            what = f"{marked.name} never gets behind its second part up: from here on it is left out"
            read.notes.append(Note(path, what, "make a migration of its own of it if it is to run", number))
            break
        if does in ("up", "down"):
            _look_at_order(marked, read, does, number)
            part = does
            read.parts.setdefault(part, []).append(_Line(number, b"", "mark"))
            if marked.apart and marked.apart in (found.groupdict().get("options") or b"").split():
                read.apart.add(part)
        elif does in ("fill", "plain"):
            fills = does == "fill"
        elif does == "apart":
            read.apart |= {"up", "down"}
        elif does and part:
            read.parts[part].append(_Line(number, b"", does))
        elif marked.is_strict:
            what = f"{said.decode()} stands before {marked.up}" if does else f"{shown(line)} is no mark that it knows"
            read.fault(what, f"the file begins with {marked.up}, then come the other marks", number)
        elif not does and marked.cut is _by_marks:
            part = ""
    _look_at_all(marked, read)
    return read


def _said(marked: _Marked, found: re.Match[bytes]) -> bytes:
    """What a mark says."""
    if not marked.is_folded:
        return found["word"].strip()
    said = (found["lead"] + found["word"]).replace(b"--", b"").strip().lower()
    return b"" if found["indent"] else said


def _look_at_order(marked: _Marked, read: _Read, direction: str, line: int) -> None:
    """A fault where this is not the place of the mark."""
    if not marked.is_strict:
        return
    if direction in read.parts:
        read.fault(f"it has a second part {direction}", "make a file of its own of each migration", line)
    elif direction == "down" and "up" not in read.parts:
        read.fault("its part down stands before its part up", f"begin the file with {marked.up}", line)


def _look_at_all(marked: _Marked, read: _Read) -> None:
    """What the tool says of a file without a mark that it needs, and of what stands in no part."""
    for direction in marked.needs:
        if direction not in read.parts and not read.faults:
            how = f"write {marked.up} above what goes forward"
            if direction == "down":
                how = f"write {marked.up.replace('up', 'down')} at its end, with nothing behind it if need be"
            read.fault(f"it has no part {direction}", how)
    if not read.parts and not read.faults:
        read.fault("it has no mark, so nothing of it is run", f"write {marked.up} above what goes forward")
    remark = _COMMENT if marked.is_strict else _REMARK
    sql = [line for line in read.before if line.text.strip() and not remark.match(line.text)]
    if sql and marked.is_strict and not read.faults:
        read.fault(f"SQL stands before {marked.up}", "put it behind the mark", sql[0].number)
    elif sql and not marked.is_strict:
        what = f"what stands in no part is never run by {marked.name}, and is left out: {shown(sql[0].text)}"
        read.notes.append(Note(read.path, what, line=sql[0].number))
    first = min((lines[0].number for lines in read.parts.values() if lines), default=0)
    read.before = [
        _Line(line.number, b"--" + line.text.lstrip(b"#/ ") if line.text.startswith((b"#", b"//")) else line.text)
        for line in read.before
        if line.number < first and (remark.match(line.text) or not line.text.strip())
    ]


def _filled(marked: _Marked, read: _Read, line: bytes, number: int, values: Mapping[str, str]) -> bytes:
    """The line with its values put in; a note for each that is missing."""

    def value(found: re.Match[bytes]) -> bytes:
        groups = found.groupdict()
        if groups.get("kept") is not None:
            return groups["kept"] or b""
        if groups.get("odd") is not None:
            what = f"{marked.name} takes {shown(line[found.start() :])} for a value, and cannot read it"
            read.notes.append(Note(read.path, what, "write what is meant", number, is_open=True))
        given = groups.get("name") or groups.get("plain")
        if given is None:
            return found.group()
        name, default = given.decode(), groups.get("default")
        if values.get(name) or (name in values and default is None):
            return values[name].encode()
        if default is None:
            what = f"the value of {name} is not given"
            read.notes.append(Note(read.path, what, f"give it: --set {name}=VALUE", number, is_open=True))
            return found.group()
        return default

    return marked.value.sub(value, line) if marked.value is not None else line


def _step(marked: _Marked, read: _Read, name: str, version: str) -> Step:
    number, words = _named(name, version)
    forward = _section(marked, read, "up") or Section(read.path, b"")
    undo = _section(marked, read, "down")
    notes = tuple(dict.fromkeys(read.notes))
    return Step(marked.version(version, name), number, words, read.path, forward, undo, notes)


def _section(marked: _Marked, read: _Read, direction: str) -> Section | None:
    """What is run in that direction; None where there is no such part."""
    lines = read.parts.get(direction)
    if lines is None:
        return None
    is_wrapped = marked.is_wrapped and direction not in read.apart
    kept = [*read.before, *lines] if direction == "up" else lines
    line = kept[0].number if kept else 1
    text = _plain(marked, kept)
    if marked.is_psql:
        sent = b"\n".join(n.text for n in lines if not marked.drops.match(n.text))
        text = sent if _is_altered(marked, text, [sent]) else text
    if marked.cut is None:
        return Section(read.path, text, line, is_wrapped, is_psql=marked.is_psql)
    messages, rest = marked.cut(marked, lines)
    if rest:
        what = f"its last statement in the part {direction} has no end: {shown(rest)}"
        if marked.needs_end:
            last = next(n.number for n in reversed(lines) if n.text.strip())
            is_block = next((n.kind for n in reversed(lines) if n.kind), "") == "begin"
            end = marked.up.replace("Up", "StatementEnd")
            read.fault(what, f"write {end} behind it" if is_block else "end its last line with a semicolon", last)
        else:
            read.notes.append(Note(read.path, f"{what}; {marked.name} never runs it, and it is left out"))
    if marked.cut is _by_marks and direction == "down":
        messages.reverse()
    if _is_altered(marked, text, messages):
        text = _joined(messages)
    return Section(read.path, text, line, is_wrapped, cut=cut_as(messages), is_asked=marked.is_wrapped)


def _plain(marked: _Marked, lines: Sequence[_Line]) -> bytes:
    """The lines as a text of SQL, each in its place; a statement that a mark ends gets its semicolon."""
    made: list[bytes] = []
    start = 0
    for line in lines:
        made += [b""] * (line.number - lines[0].number - len(made))
        if line.kind == "begin":
            start = len(made)
        block = b"\n".join(made[start:]) if line.kind == "end" else b""
        start = len(made) if line.kind == "end" else start
        text = b"-- " + line.text if marked.remarks and line.text.lstrip().startswith(marked.remarks) else line.text
        made.append(b";" if ended(block) != block else text)
    return b"\n".join(made)


def _joined(messages: Sequence[bytes]) -> bytes:
    """The messages as a text of SQL."""
    return b"\n".join(ended(message.strip(b"\n")) + b"\n" for message in messages)


def _uncommented(text: bytes) -> bytes:
    made, position = [], 0
    try:
        for start, end in comments("", text, 0, len(text)):
            made += [text[position:start], b" "]
            position = end
    except BadMigrationFile:  # it is told when the file is read
        return text
    return b"".join((*made, text[position:]))


def _is_altered(marked: _Marked, text: bytes, messages: Sequence[bytes]) -> bool:
    """Does the tool send something else than stands in the file?"""
    own = _uncommented(text).strip()
    spans = bare(own).count("\n") != own.count(b"\n")
    return _squeezed(own) != _squeezed(_uncommented(_joined(messages))) or (marked.reshapes and spans)


def _squeezed(text: bytes) -> bytes:
    """The text, however its blanks and empty statements stand."""
    return b" ; ".join(b" ".join(words) for part in text.split(b";") if (words := part.split()))


# --- how a tool cuts --------------------------------------------------------------------------


def _by_lines(marked: _Marked, lines: Sequence[_Line]) -> tuple[list[bytes], bytes]:
    """At lines that end in a semicolon, and where a mark says so."""
    made: list[bytes] = []
    held: list[bytes] = []
    in_block = False
    for line in lines:
        is_end = line.kind == "end" and in_block
        if line.kind == "mark" and marked.needs_end and b"".join(held).strip():
            break
        if line.kind:
            in_block = line.kind == "begin" or (in_block and line.kind != "end")
        elif not marked.drops.match(line.text) and (held or not marked.skips.match(line.text)):
            held.append(line.text)
            is_end = not in_block and marked.ends(line.text)
        if is_end:
            made.append(b"\n".join(held))
            held = []
    return [m for m in made if m.strip()], b"\n".join(held).strip()


def _by_marks(_: _Marked, lines: Sequence[_Line]) -> tuple[list[bytes], bytes]:
    """Each part is one message."""
    made: list[list[bytes]] = []
    for line in lines:
        if line.kind == "mark":
            made.append([])
        else:
            made[-1].append(line.text)
    return [text for part in made if (text := b"\n".join(part).strip())], b""


def _by_semicolons(_: _Marked, lines: Sequence[_Line]) -> tuple[list[bytes], bytes]:
    """At each semicolon, in quotes as well; two are one that does not cut."""
    text = b"\n".join(line.text.strip() for line in lines)
    found = (part.strip().replace(b";;", b";") for part in re.split(rb"(?<!;);(?!;)", text))
    return [part for part in found if part], b""


_DELIMITER = re.compile(rb"\s*(?:--|//)?\s*(?://)?\s*@DELIMITER\s+(?P<sign>\S+)", re.IGNORECASE)


def _by_delimiter(_: _Marked, lines: Sequence[_Line]) -> tuple[list[bytes], bytes]:
    """At lines with the delimiter in them, which a comment can change; what is behind the last in a line is lost."""
    made: list[bytes] = []
    held: list[bytes] = []
    sign = b";"
    for line in lines:
        said = line.text.strip()
        if said.startswith((b"//", b"--")):
            found = _DELIMITER.match(said)
            sign = found["sign"] if found is not None else sign
        elif sign in said:
            held.append(line.text[: line.text.rindex(sign)])
            made.append(b"\n".join(held))
            held = []
        elif said:
            held.append(line.text)
    return made, b"\n".join(held).strip()


def _last_word_ends(line: bytes) -> bool:
    """Does the last word before one that begins with -- end in a semicolon?"""
    before = re.split(rb"(?:\A|(?<=\s))--", line, maxsplit=1)[0]
    return before.rstrip().endswith(b";")


def _ends_before_comment(line: bytes) -> bool:
    return line.partition(b"--")[0].strip().endswith(b";")


# What is no value of MyBatis' own.
_MYBATIS_OWN = re.compile(
    r"time_zone|script_char_set|delimiter|full_line_delimiter|send_full_script|auto_commit|remove_crs|ignore_warnings|"
    r"driver|driver_path|url|username|password|hook_.*"
)


def _as_mybatis_is_set(marked: _Marked, folder: Folder) -> _Marked:
    """As environments/development.properties says; without it, as ``migrate init`` writes that file."""
    path = "../environments/development.properties"
    if not folder.has(path):
        return marked
    said = read_properties(folder.text(path).decode())
    return replace(
        marked,
        cut=None if said.get("send_full_script", "").lower() == "true" else _by_delimiter,
        is_wrapped=said.get("auto_commit", "").lower() != "true",
        values=marked.values | {key: value for key, value in said.items() if not _MYBATIS_OWN.fullmatch(key)},
    )


# --- the tools --------------------------------------------------------------------------------


def _as_number(version: str, _: str) -> str:
    return str(int(version))


def _as_name(_: str, name: str) -> str:
    return name


def _by_number(version: str, name: str) -> tuple[object, ...]:
    return (*natural(version), name)


def _numbers_first(_: str, name: str) -> tuple[object, ...]:
    found = re.match(r"\d+", name)
    return (0, int(found[0]), name) if found else (1, 0, name)


_MARKED: tuple[_Marked, ...] = (
    # https://github.com/amacneil/dbmate (pkg/dbmate/migration.go, db.go)
    _Marked(
        "dbmate",
        re.compile(r"(?P<version>\d+)[^/]*\.sql"),
        "its name is not NUMBER, words and .sql",
        re.compile(rb"--\s*migrate:(?P<word>up|down)(?:[ \t\r]*\Z|[ \t]+(?P<options>\S.*))"),
        {b"up": "up", b"down": "down"},
        "-- migrate:up",
        is_strict=True,
        is_once=True,
        needs=("up", "down"),
        apart=b"transaction:false",
    ),
    # https://github.com/pressly/goose (internal/sqlparser/parser.go, provider_collect.go, migrate.go);
    # values: https://github.com/mfridman/interpolate
    _Marked(
        "goose",
        re.compile(r"(?P<version>0*[1-9]\d{0,18})_[^/]*(?:\.sql|(?<!_test)\.go)"),
        "its name is not NUMBER_words.sql, with a number from 1 on that fits a bigint",
        re.compile(rb"(?P<indent>\s*)--(?P<lead>.*?)\+goose(?P<word>.*)"),
        {
            b"up": "up",
            b"down": "down",
            b"statementbegin": "begin",
            b"statementend": "end",
            b"no transaction": "apart",
            b"envsub on": "fill",
            b"envsub off": "plain",
        },
        "-- +goose Up",
        version=_as_number,
        order=_by_number,
        is_strict=True,
        needs=("up",),
        cut=_by_lines,
        ends=_last_word_ends,
        skips=re.compile(rb"\s*--|\Z"),
        needs_end=True,
        is_folded=True,
        value=re.compile(
            rb"\\\\|[\\$](?P<kept>\$)|\$\(|\$(?P<plain>[A-Za-z]\w*)|"
            rb"\$\{(?P<name>[A-Za-z]\w*)(?::?-(?P<default>[^{}$]*))?\}|(?P<odd>\$(?=.))"
        ),
        other_code=".go",
    ),
    # https://github.com/rubenv/sql-migrate (sqlparse/sqlparse.go, migrate.go)
    _Marked(
        "sql-migrate",
        re.compile(r"(?P<version>)[^/]*\.sql"),
        "its name does not end in .sql",
        re.compile(rb"-- \+migrate (?P<word>\s*\S*)(?P<options>.*)"),
        {b"Up": "up", b"Down": "down", b"StatementBegin": "begin", b"StatementEnd": "end"},
        "-- +migrate Up",
        version=_as_name,
        order=_numbers_first,
        apart=b"notransaction",
        cut=_by_lines,
        ends=_last_word_ends,
        skips=re.compile(rb"\s*\Z"),
        drops=re.compile(rb"-- "),
        needs_end=True,
    ),
    # https://github.com/amberframework/micrate (src/micrate/migration.cr, src/micrate.cr)
    _Marked(
        "micrate",
        re.compile(r"(?P<version>\d+)_[^/]+\.sql"),
        "its name is not NUMBER_words.sql",
        re.compile(rb"-- \+micrate (?P<word>.*)"),
        {b"Up": "up", b"Down": "down", b"StatementBegin": "begin", b"StatementEnd": "end"},
        "-- +micrate Up",
        version=_as_number,
        order=_by_number,
        is_wrapped=False,
        cut=_by_lines,
        ends=_ends_before_comment,
        skips=_BLANK_OR_COMMENT,
        layout="Micrate",
    ),
    # https://github.com/elwinar/rambler (migration.go, service.go)
    _Marked(
        "rambler",
        re.compile(r"(?P<version>)[^/]*\.sql"),
        "its name does not end in .sql",
        re.compile(rb"-- rambler(?P<word>.*)"),
        {b"up": "up", b"down": "down"},
        "-- rambler up",
        version=_as_name,
        is_wrapped=False,
        cut=_by_marks,
        layout="Rambler",
    ),
    # https://github.com/mbucc/shmig (shmig: migration_section, postgresql_cli)
    _Marked(
        "shmig",
        re.compile(r"(?P<version>\d+)-[^/]*\.sql"),
        "its name is not NUMBER-words.sql",
        re.compile(rb"-- ==== (?P<word> UP |DOWN) ====\Z"),
        {b"UP": "up", b"DOWN": "down"},
        "-- ====  UP  ====",
        version=_as_number,
        order=_by_number,
        needs=("up",),
        is_wrapped=False,
        is_psql=True,
        drops=re.compile(rb"--"),
    ),
    # https://github.com/mybatis/migrations (MigrationReader.java, FileMigrationLoader.java, ScriptRunner.java)
    _Marked(
        "mybatis",
        re.compile(r"(?P<version>\d+(?:\.\d+)?)(?:_[^/]*)?\.sql"),
        "its name is not NUMBER_words.sql",
        re.compile(rb"[ \t]*(?://|--)[ \t]*//[ \t]*@(?P<word>UNDO).*"),
        {b"UNDO": "down"},
        "its SQL",
        order=_by_number,
        starts="up",
        needs_end=True,
        remarks=b"//",
        reshapes=True,
        value=re.compile(rb"\\(?P<kept>\$\{)|\$\{(?P<name>[^}]+)\}"),
        fills_at_once=True,
        values={"changelog": "CHANGELOG"},
        first="bootstrap.sql",
        settings=_as_mybatis_is_set,
        layout="MyBatis Migrations",
        ledger="mybatis migrations",
    ),
    # https://github.com/playframework/playframework (EvolutionsApi.scala, Evolutions.scala)
    _Marked(
        "play",
        re.compile(r"0*(?P<version>[1-9]\d*)\.sql"),
        "its name is not a number",
        re.compile(rb"\s*(?:#|--).*?!(?P<word>Ups|Downs)"),
        {b"Ups": "up", b"Downs": "down"},
        "-- !Ups",
        order=_by_number,
        is_wrapped=False,
        cut=_by_semicolons,
        reshapes=True,
        value=re.compile(rb"!(?P<kept>\$evolutions\{\{\{[^}]*\}\}\})|\$evolutions\{\{\{(?P<name>[^}]*)\}\}\}"),
        fills_at_once=True,
        stops_at_gap=True,
        layout="Play evolutions",
    ),
)

TOOLS: tuple[Tool, ...] = tuple(
    Tool(marked.name, partial(_read_marked, marked), marked.layout or marked.name, is_flat=True) for marked in _MARKED
)
