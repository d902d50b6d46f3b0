"""Other tools' folders: how each is recognised, so that nothing of one is ever run, planned or recorded.

A folder is told by what stands in it (a tool's own file, a pair of names of which one undoes the other) or by
what a file says (a comment that begins a section).  One record of `tools.LAYOUTS` is one tool; what no record names is
caught by the words of `tools.FORWARD` and `tools.UNDO`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.tools import EVERYDAY, FORWARD, LAYOUTS, UNDO, UNDO_PARTS
from wflo_schema.findings import Location
from wflo_schema.words import shown


def way_out(folder: str) -> str:
    """What every refusal below says: nothing was run, and the command that reads the folder as its own tool does."""
    return (
        "nothing of it was run; to see it as plain files, proven by replay, and then write them: "
        f"{import_command(folder)}"
    )


def import_command(folder: str) -> str:
    """What reads the folder as its own tool does, and says what it is where no file of SQL shows it."""
    elsewhere = " --into migrations-as-sql" if os.path.realpath(folder) == os.path.realpath("migrations") else ""
    return f"wflo-schema import {shlex.quote(folder)}{elsewhere}"


# These need no partner.  Between dots: nobody calls a migration X.down.sql who wants it applied.
_TELLING = frozenset("up down downs do undo revert downgrade backward backwards back rb".split())
# The whole name of a file or of a sub-folder, and of a file alone.
_HALVES = UNDO - {"d"}
_HALF_FILES = frozenset({"up", "drop"})

# --- names ------------------------------------------------------------------------------------


def refuse_layout(directory: str, names: Sequence[str], folders: Mapping[str, Sequence[str]]) -> None:
    """Raise `BadMigrationFile` where the names in a folder, and in each of its sub-folders, are another tool's."""
    for tool, what in _by_names(names, folders):
        raise BadMigrationFile(f"{_this_is(tool)}: {os.path.join(directory, what)}", hint=way_out(directory))


def _this_is(tool: str) -> str:
    return f"this is a{'n' * (tool[0] in 'AEIOU')} {tool} folder" if tool else "this is another tool's folder"


def _by_names(names: Sequence[str], folders: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The tool, "" for one without a name here, and what shows it."""
    present = [*names, *folders, *(f"{folder}/{name}" for folder, inner in folders.items() for name in inner)]
    scripts = [name for name in names if _is_sql(name)]
    pair = next(find_pairs(scripts), None)
    for layout in LAYOUTS:
        if own := _first(layout.own, present):
            yield layout.tool, own
        if one := _first_script(layout.names, pair or scripts) or _first_script(layout.pair, pair or ()):
            yield layout.tool, _undone(*pair) if pair else one
    if pair is not None:
        yield "", _undone(*pair)
    for halves in find_pairs([*folders]):
        yield "", _undone(*(f"{half}/" for half in halves))
    for folder, inner in folders.items():
        for halves in find_pairs([name for name in inner if _is_sql(name)]):
            yield "", _undone(*(f"{folder}/{half}" for half in halves))
        if _is_half(folder) and any(_may_hold_sql(name) for name in inner):
            yield "", f"{folder}/, which by its name takes back what others do"
    for name in scripts:
        first, *rest = _stem(name).lower().split(".")
        if _TELLING & set(rest) or (not rest and (first in _HALF_FILES or _is_half(first))):
            yield "", name


def _is_half(name: str) -> bool:
    """Does the whole name say that it undoes: down, rollbacks, undo_scripts?"""
    words = re.sub(r"[\W_]+", " ", name.lower())
    return (
        words.isascii()
        and not re.search(r"\d", words)
        and (words.removesuffix("s") in _HALVES or _direction(words) in _HALVES)
    )


def _may_hold_sql(name: str) -> bool:
    return _is_sql(name) or "." not in name


# How the names of migrations end, those of other tools and of templates among them.
_SQL = re.compile(
    r"\.(?:(?:pg|p|pl|plpg)?sql|ddl)(?:\.(?:(?:go)?te?mpl(?:ate)?|tpl|j2|jinja2?|erb|in))?", re.IGNORECASE
)


def _is_sql(name: str) -> bool:
    return _stem(name) != name


def _first(pattern: str, names: Iterable[str]) -> str:
    return next((n for n in names if pattern and re.fullmatch(pattern, n, re.IGNORECASE)), "")


def _first_script(pattern: str, names: Iterable[str]) -> str:
    """The first whose name fits, as if it ended in .sql."""
    return next((n for n in names if _first(pattern, [f"{_stem(n)}.sql"])), "")


def _undone(forward: str, undo: str) -> str:
    return f"{forward}, and {undo} takes it back"


def _stem(name: str) -> str:
    end = next((m for m in _SQL.finditer(name) if m.end() == len(name)), None)
    return name[: end.start()] if end else name


# Words, numbers and what stands between them; usersDown is two words.
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[\W_]+|.")


def find_pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Two names that are the same but for a word, which goes forward in one and back in the other.

    The word may be missing where it goes forward (x.sql, x_down.sql).  Behind a number, which is then the pair's,
    the rest may differ (7-up-create.sql, 7-down-drop.sql).  Or the same but for two versions, the other way round.
    """
    forward: dict[str, str] = {_stem(name).lower(): name for name in names if not _is_rollback(name)}
    pieces = {name: [p.lower() for p in _PIECE.findall(_stem(name))] for name in names}
    for is_undo in (False, True):
        for name, parts in pieces.items():
            if is_undo and _is_rollback(name) and ".".join(_stem(name).split(".")[:-1]).lower() in forward:
                continue  # ours: x.rollback.sql beside x.sql
            for key in _keys(parts, is_undo=is_undo):
                if not is_undo:
                    forward.setdefault(key, name)
                elif key in forward and forward[key] != name:
                    yield forward[key], name
    seen: dict[str, str] = {}
    for name in names:
        if way := _FROM_TO.fullmatch(_stem(name).lower()):
            seen[way[0]] = name
            if way["one"] != way["two"] and (other := seen.get(way["before"] + way["two"] + way["to"] + way["one"])):
                yield other, name


# v1-to-v2, 1.0--1.1: from one version to another.
_FROM_TO = re.compile(r"(?P<before>|.*?[\W_])(?P<one>v?\d[\d.]*)(?P<to>[-_ ]?to[-_ ]?|--|[-=]*>)(?P<two>v?\d[\d.]*)")


# A day that begins a name: 20240105, 2024-01-05, 240105; of the last, no number of many zeros.
_DAY = re.compile(r"(?:(?:19|20)\d\d|[129]\d)(?P<sign>[-_. ]?)(?:0[1-9]|1[0-2])(?P=sign)(?:0[1-9]|[12]\d|3[01])(?!\d)")


def _keys(parts: Sequence[str], *, is_undo: bool) -> Iterator[str]:
    """What a name has in common with its partner; the word itself is a NUL in it."""
    words = UNDO if is_undo else FORWARD
    everyday = frozenset(EVERYDAY.values() if is_undo else EVERYDAY)
    is_day = _DAY.match("".join(parts)) is not None  # on one day, something is reverted, and something else applied
    for n, part in enumerate(parts):
        if part in words and len(part) + len(parts) > 2:  # not the file of one letter between c.sql and e.sql
            yield "".join(parts[:n]) + "\0" + "".join(parts[n + 1 :])
            if is_undo and 0 < n == len(parts) - 1 and len(part) > 1:
                yield "".join(parts[: n if parts[n - 1].isalpha() else n - 1])
            if is_undo and n == 0 and len(parts) > 2 and len(part) > 1:
                yield "".join(parts[1 if parts[1].isalpha() else 2 :])
            if n == 2 and parts[0].isdigit() and (not is_day or part in ("up", "down")):
                yield f"{parts[0]}\0"
                if is_undo and len(part) > 1:
                    yield "".join((parts[0], *parts[3:]))
        elif part in everyday and n >= 2 and parts[0].isdigit() and not is_day:
            yield "".join(parts[:n]) + "\0everyday" + "".join(parts[n + 1 :])


def _is_rollback(name: str) -> bool:
    return name.endswith(".rollback.sql")


def undone_by(names: Sequence[str]) -> dict[str, str]:
    """Of files of no known tool, by their paths: each that takes back another, and that other; "" where it is alone.

    Raise `BadMigrationFile` where a file may be of two pairs.
    """
    present = set(names)
    found: dict[str, set[str]] = {}
    for name in names:
        if _is_rollback(name):
            found[name] = {f"{_stem(name).removesuffix('.rollback')}.sql"} & present
    for forward, undo in _pairs_of_paths([name for name in names if name not in found]):
        found.setdefault(undo, set()).add(forward)
    _refuse_two_pairings(found)
    used = {word for undo, forward in found.items() for word in _words(undo) - _words(*forward)} & UNDO
    for name in present - found.keys():
        *above, base = name.split("/")
        first, *rest = _stem(base).lower().split(".")
        is_half = any(map(_is_half, above)) or bool((_TELLING - FORWARD) & set(rest)) or (not rest and _is_half(first))
        is_forward = any(name in forward for forward in found.values())
        if is_half or (not is_forward and used & set(_WORD.findall(_stem(base).lower())[-1:])):
            found[name] = set()
    return {name: next(iter(forward), "") for name, forward in found.items()}


def forward_name(forward: str, undo: str) -> str:
    """The path of a pair's forward file, without what it ends in and the word that says its direction."""
    pieces, other = ([p.lower() for p in _PIECE.findall(_stem(name))] for name in (forward, undo))
    kept = [
        "" if piece in FORWARD and other[n : n + 1] != [piece] else said
        for n, (piece, said) in enumerate(zip(pieces, _PIECE.findall(_stem(forward)), strict=True))
    ]
    return re.sub(r"([\W_])[\W_]*", r"\1", "".join(kept)).strip("-_./ ")


def _pairs_of_paths(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs by their paths; where a folder takes back another, names in these may say it once more."""
    yield from find_pairs(names)
    by_folder: dict[str, list[str]] = {}
    for name in names:
        by_folder.setdefault(os.path.dirname(name), []).append(os.path.basename(name))
    for there, back in find_pairs([folder for folder in by_folder if folder]):
        here, other = set(by_folder[there]), set(by_folder[back])
        for forward, undo in find_pairs(sorted(here ^ other)):
            if forward in here and undo in other:
                yield f"{there}/{forward}", f"{back}/{undo}"


def _words(*names: str) -> set[str]:
    return {word for name in names for word in _WORD.findall(_stem(name).lower())}


def _refuse_two_pairings(found: Mapping[str, Collection[str]]) -> None:
    taken: dict[str, str] = {}
    for undo, forwards in sorted(found.items()):
        other = next((taken[f] for f in forwards if f in taken), "")
        if len(forwards) > 1 or other or any(f in found for f in forwards):
            both = " and ".join(sorted(forwards))
            raise BadMigrationFile(
                f"two pairings are possible: {undo} may take back {both}" + (f", and so may {other}" if other else ""),
                hint="rename one of them so that one pairing is left, or move it out of the folder",
            )
        taken |= dict.fromkeys(forwards, undo)


def refuse_undo_half(directory: str) -> None:
    """Raise `BadMigrationFile` where the folder itself is the half that undoes: ``down`` beside ``up``."""
    parent, basename = os.path.split(os.path.abspath(directory))
    if basename.lower() not in UNDO:
        return
    with os.scandir(parent.encode("utf-8", "surrogateescape")) as entries:
        siblings = [e.name.decode("utf-8", "surrogateescape") for e in entries if e.is_dir()]
    for forward, undo in find_pairs(siblings):
        if undo == basename:
            what = os.path.join(parent, _undone(forward, undo))
            raise BadMigrationFile(f"{_this_is('')}: {what}", hint=way_out(_above(directory)))


def _above(directory: str) -> str:
    return os.path.normpath(os.path.join(directory, os.pardir))


def refuse_inner(directory: str, names: Sequence[str]) -> None:
    """Raise `BadMigrationFile` where the folder itself is one migration of a tool that has a folder for each."""
    scripts = [name for name in names if _is_sql(name)]
    parent, basename = os.path.split(os.path.abspath(directory))
    beside = os.listdir(parent) if scripts and os.access(parent, os.R_OK) else []
    for layout in LAYOUTS:
        is_whole = bool(scripts) and all(_first(layout.own, [f"{basename}/{name}"]) for name in scripts)
        if is_whole and (basename[:1].isdigit() or _first(layout.own, beside)):
            raise BadMigrationFile(
                f"{_this_is(layout.tool)}: {os.path.join(directory, scripts[0])}", hint=way_out(_above(directory))
            )


# --- names and texts --------------------------------------------------------------------------

_KINDS = (
    r"(?:\s+(?:or|replace|unique|materialized|temp|temporary|unlogged|foreign|table|view|index|sequence|type|domain|schema|"
    r"extension|function|procedure|trigger|policy|rule|role|column|constraint|concurrently|if|not|exists|only))*"
    r"\s+(?:[\w\"]+\.)?\"?(\w+)"
)
_MADE = re.compile(rf"\b(?:create|add){_KINDS}|\binsert\s+into{_KINDS}", re.IGNORECASE)
_UNMADE = re.compile(rf"\bdrop{_KINDS}|\bdelete\s+from{_KINDS}", re.IGNORECASE)
_MORE = re.compile(r"\b(?:create|add|insert|update|select|call|do|grant|rename)\b", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n\r]*|/\*.*?\*/", re.DOTALL)


def refuse_undone(files: Iterable[tuple[str, str]]) -> None:
    """Raise `BadMigrationFile` where, of files with one number, one takes away what another makes, and no more.

    Its name may then be in any language.  ``files`` are their paths and texts.  Of one day, they are of no one number.
    """
    plain = [(path, _COMMENT.sub(" ", text)) for path, text in files if not _DAY.match(os.path.basename(path))]
    for path, text in plain:
        unmade = set() if _MORE.search(text) else _names_of(_UNMADE, text)
        for forward, made in plain:
            if unmade and unmade <= _names_of(_MADE, made):
                what = _undone(forward, os.path.basename(path))
                raise BadMigrationFile(f"{_this_is('')}: {what}", hint=way_out(os.path.dirname(path)))


def _names_of(pattern: re.Pattern[str], text: str) -> set[str]:
    return {(one or other).lower() for one, other in pattern.findall(text)}


# --- texts ------------------------------------------------------------------------------------

_ANY_TOOL = "|".join(f"(?:{layout.line})" for layout in LAYOUTS if layout.line)
# Each is looked at although it may stand in another; a long one says more than a section's name.
_AT_LINE_BEGIN = re.compile(rb"^(?=[ \t#]*(--[^\n]*|/\*.{0,1000}?\*/))", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"[a-z]+")

_DIRECTIONS = frozenset(word for word in UNDO | FORWARD if len(word) > 1)

# What begins a section in no other sense than that.
_SECTION_UNDO = frozenset("down downs undo revert rollback downgrade backward backwards teardown unapply".split())
# Words that stand beside one of these there.
_BESIDE = frozenset(
    "migrate migration migrations section script scripts sql part block step steps statement statements "
    "start begin end here below direction name to on mode region changes this "
    "db dbs database databases file files".split()
)
# "+tool Down", "@Down()", "#down", ";; down", "tool:down".
_SIGNED = re.compile(
    r"(?:\+\s*[\w-]+[\s:]+(?P<of_tool>[a-z]+)\b.*|(?:[+@!#;]+\s*|[\w-]+:)(?P<word>[a-z]+)\b[^a-z]*)", re.DOTALL
)
_COMMENTED_OUT = re.compile(
    rb"(?:\s|--[-=*~_#/ \t]*+\n)*+(?:--[-* \t(]*|/\*[-*\s(]*)"
    rb"(?:(?:drop|alter|delete|update|insert|create|truncate|revoke|grant)\s|(?:none|nothing|not|no|n/a|see)\b)",
    re.IGNORECASE,
)
# "UP: creates users", "Down Migration (drops them)": prose, unless one of each divides the file.
_HEADED = re.compile(r"(?P<word>up|down)(?:\s+migration\b|\s*[:(\u2013\u2014]|\s+-).*", re.DOTALL)


class _Comment(NamedTuple):
    """A comment that begins its line.  ``is_between``: no statement is open there."""

    text: str
    start: int
    end: int
    is_between: bool
    has_before: bool


def refuse_sections(path: str, source: bytes) -> None:
    """Raise `BadMigrationFile` where a comment says that this is another tool's file, or begins what undoes it."""
    for start, tool in section_marks(path, source):
        _refuse_at(path, source, start, tool)


def section_marks(path: str, source: bytes) -> Iterator[tuple[int, str]]:
    """Where comments begin by which this is a tool's file, and the tool; else those that begin what undoes it.

    What stands in quotes, function bodies and the data of a COPY is no comment.  Without a tool's own sign, a comment
    begins a section only where it divides the file: a statement behind it, and before it a statement, or anywhere a
    section that goes forward; or where the whole file only takes away.  Where SQL follows that is commented out, or
    a word of there being none, it is only documentation.
    """
    source = source.replace(b"\r", b"\n")  # either ends a comment
    if not any(_is_doubtful(m[1].decode()) for m in _AT_LINE_BEGIN.finditer(source)):
        return  # to split a long file takes long
    found, last = _comments(path, source)
    signs = [(comment.start, tool) for comment in found if (tool := tool_of(comment.text))]
    if signs:
        yield from signs
        return
    between = [
        (c, direction, "" if direction else _headed(c.text))
        for c in found
        if c.is_between
        for direction in (_direction(c.text),)
    ]
    goes_forward = any(direction in FORWARD or headed == "up" for _, direction, headed in between)
    only_undoes = not _MORE.search(_COMMENT.sub(" ", source.decode()))
    for c, direction, headed in between:
        ends = direction in _SECTION_UNDO and (c.has_before or only_undoes)
        divides = c.start < last and (goes_forward or ends)
        if headed == "down":
            divides = c.start < last and c.has_before and goes_forward
        if (direction in UNDO or headed == "down") and divides and not _COMMENTED_OUT.match(source, c.end):
            yield c.start, ""


def _is_doubtful(comment: str) -> bool:
    lowered = comment.lower()
    may_undo = any(part in lowered for part in UNDO_PARTS)  # the quick look: a long file has many comments
    return _is_tools(comment) or (may_undo and (_direction(comment) in UNDO or _headed(comment) == "down"))


def _is_tools(comment: str) -> bool:
    return re.match(_ANY_TOOL, comment, re.IGNORECASE) is not None


def tool_of(comment: str) -> str:
    """The tool that a comment is a sign of, or nothing."""
    if not _is_tools(comment):
        return ""
    return next(w.tool for w in LAYOUTS if w.line and re.match(w.line, comment, re.IGNORECASE))


def _comments(path: str, source: bytes) -> tuple[list[_Comment], int]:
    """The comments that begin a line, and where the last statement begins."""
    from wflo_schema.files.splitting import comments, pieces

    found: list[_Comment] = []
    position, last = 0, -1

    def look(start: int, stop: int, *, is_between: bool) -> None:
        for begin, end in comments(path, source, start, stop):
            if source[source.rfind(b"\n", 0, begin) + 1 : begin].strip() in (b"", b"#"):
                found.append(_Comment(source[begin:end].decode(), begin, end, is_between, last >= 0))

    try:
        for piece in pieces(path, source):
            look(position, piece.start, is_between=True)
            last = piece.start
            look(piece.start, piece.end, is_between=False)
            position = piece.data[1] if piece.data else piece.end
    except BadMigrationFile:
        last = len(source)  # what cannot be split is refused when it is to be run
    with contextlib.suppress(BadMigrationFile):
        look(position, len(source), is_between=True)
    return found, last


def _direction(comment: str) -> str:
    """The word of `FORWARD` or `UNDO` that a comment, as a whole, says; else nothing."""
    said = _said(comment)
    if said == "rollback;":
        return ""  # a statement that is commented out
    signed = _SIGNED.fullmatch(said)
    if signed is not None and (signed["of_tool"] or signed["word"]) in _DIRECTIONS:
        return signed["of_tool"] or signed["word"]
    words = _WORD.findall(said.replace("roll back", "rollback").replace("tear down", "teardown"))
    if not all(word in _BESIDE or word in _DIRECTIONS for word in words):
        return ""
    return max(_DIRECTIONS.intersection(words), key=UNDO.__contains__, default="")


# migrateDown
_CAMEL = re.compile("(?<=[a-z])(?=[A-Z])")


def _said(comment: str) -> str:
    return _CAMEL.sub(" ", comment).lower().removeprefix("/*").removesuffix("*/").strip("-=*~_<>[]() \t\r\n")


def _headed(comment: str) -> str:
    """``up`` or ``down`` where a comment, which is no direction, begins with it and goes on in prose; else nothing."""
    found = _HEADED.fullmatch(_said(comment))
    return found["word"] if found else ""


def _refuse_at(path: str, source: bytes, start: int, tool: str) -> None:
    from wflo_schema.files.splitting import place

    line, column = place(source, start)
    said = shown(source[start:].split(b"\n", 1)[0])
    raise BadMigrationFile(
        f"{_this_is(tool)}: {path}:{line} says {said}",
        hint=way_out(os.path.dirname(path)),
        location=Location(path, line, column),
    )
