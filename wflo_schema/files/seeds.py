"""Seeds: folders of rows that are loaded once, as SQL, CSV or the text of COPY.

Hides how a file's name says its place and its table, and what of a file of rows is looked at before any of it is sent:
its encoding, its header, where its rows begin.  Such a file is read a part at a time, whatever its size.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wflo_schema.errors import BadMigrationFile, Refused, UsageError
from wflo_schema.files.directives import head, read_directives
from wflo_schema.files.folder import read_source
from wflo_schema.findings import Location
from wflo_schema.names import qualified, quote
from wflo_schema.words import listed

# What a file's name may end in.
KINDS = (".sql", ".csv", ".tsv", ".copy")

# Nobody's rows: passed over.
_NOTES = (".md", ".txt", ".rst", "~")

# The number that gives a file its place; behind it stands the table.
_NUMBER = re.compile(r"\d+[_-]")
_DIGITS = re.compile(r"(\d+)")

# Bytes that are read at once, and at most of a header.
_AT_ONCE, _LONGEST_HEADER = 1 << 18, 1 << 20


@dataclass(frozen=True, slots=True)
class SeedFile:
    """One file of a set.  ``id`` is ``SET/FILE``.

    ``table`` is what COPY fills, schema and name, and ``columns`` those of the header; ``rows_at`` is where what COPY
    reads begins, in bytes, and ``first_line`` the line that PostgreSQL counts as its first.
    """

    set: str
    name: str
    path: str
    checksum: str
    table: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows_at: int = 0
    size: int = 0
    first_line: int = 1
    variables: tuple[str, ...] = ()
    """Names that statements declare, as those of a migration do."""

    @property
    def id(self) -> str:
        """Its set and its name."""
        return f"{self.set}/{self.name}"

    @property
    def is_sql(self) -> bool:
        """Are they statements, and not rows of one table?"""
        return not self.table

    @property
    def meaning(self) -> tuple[str, ...]:
        """What its name says of its text: how that is read, and for which table."""
        return meaning_of(self.name)

    @property
    def copy(self) -> str:
        """The statement that reads its rows."""
        columns = f" ({', '.join(map(quote, self.columns))})" if self.columns else ""
        form = "csv, HEADER true" if self.name.lower().endswith(".csv") else "text"
        return f"COPY {qualified(*self.table)}{columns} FROM STDIN WITH (FORMAT {form}, ENCODING 'UTF8')"


@dataclass(frozen=True, slots=True)
class SeedSet:
    """The files of a folder of seeds, in the order of their names."""

    name: str
    directory: str
    files: tuple[SeedFile, ...]


class Rows:
    """The rows of a file, read a part at a time, in order."""

    def __init__(self, file: SeedFile) -> None:
        self._file = file
        self._stream = open(file.path, "rb")  # noqa: SIM115
        self._digest = hashlib.sha256(self._stream.read(file.rows_at))

    def __len__(self) -> int:
        return self._file.size - self._file.rows_at

    def __getitem__(self, part: slice) -> bytes:
        """What comes next; ``part`` says how much."""
        found = self._stream.read(min(part.stop, len(self)) - part.start)
        self._digest.update(found)
        return found

    def close(self) -> bool:
        """Close the file; was it the one that was looked at?"""
        with self._stream:
            self._digest.update(self._stream.read(1))
        return self._digest.hexdigest() == self._file.checksum

    def changed(self) -> BadMigrationFile:
        """The error for one that was not."""
        return BadMigrationFile(
            f"{self._file.path} was changed while it was being read", hint="run it again when nobody edits the file"
        )


def seed_sets(directory: Path) -> tuple[str, ...]:
    """The names of the sets in a folder.  Raise `UsageError` where it is not there."""
    try:
        found = [e.name for e in os.scandir(directory) if e.is_dir() and not e.name.startswith((".", "_"))]
    except FileNotFoundError:
        raise UsageError(
            f"there is no folder {directory}",
            hint=f"make a set, as {directory / 'demo'}, and put files into it: 01_users.csv, 02_orders.sql",
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot look into {directory}: {error.strerror}", hint="name the folder with --seeds"
        ) from None
    return tuple(sorted(found))


def read_seeds(directory: Path, names: Sequence[str]) -> tuple[SeedSet, ...]:
    """Read these sets.

    Raise `UsageError` for one that is not there, `Refused` for one without files and for a file that is none,
    `BadMigrationFile` for what cannot be sent.
    """
    known = seed_sets(directory) if names else ()
    for name in names:
        if name not in known:
            has = (
                f"{directory} has {listed(known, 10)}" if known else f"{directory} has no set, which is a folder in it"
            )
            raise UsageError(f"there is no set of seeds {name}", hint=has)
    return tuple(read_set(directory / name) for name in dict.fromkeys(names))


def read_set(directory: Path) -> SeedSet:
    """Read the set that is this folder.  Raise as `read_seeds` does."""
    try:
        names = sorted(os.listdir(directory), key=_place)
    except OSError as error:
        raise Refused(f"cannot look into {directory}: {error.strerror}", hint="let this user read it") from None
    wanted = [n for n in names if not (n.startswith(".") or n.lower().endswith(_NOTES))]
    for name in wanted:
        path = directory / name
        if not name.lower().endswith(KINDS):
            what = "is a folder, and a set has none" if path.is_dir() else "is no file of seeds"
            raise Refused(
                f"{path} {what}",
                hint=f"a set holds files that end in {', '.join(KINDS)}; unpack it, rename it or move it away",
            )
    if not wanted:
        raise Refused(f"{directory} holds no file of seeds", hint=f"put files into it that end in {', '.join(KINDS)}")
    return SeedSet(directory.name, str(directory), tuple(_read(directory.name, directory / n) for n in wanted))


def _place(name: str) -> tuple[list[tuple[str, int]], str]:
    """In the order of names, with numbers as numbers: 2 before 10."""
    parts = _DIGITS.split(name)
    return [("", int(p)) if n % 2 else (p, 0) for n, p in enumerate(parts)], name


def _read(of: str, path: Path) -> SeedFile:
    if path.name.lower().endswith(".sql"):
        source, checksum = read_source(str(path))
        variables = tuple(read_directives(str(path), head(source)).variables)
        return SeedFile(of, path.name, str(path), checksum, size=len(source), variables=variables)
    checksum, size = _look_through(str(path), is_csv=path.name.lower().endswith(".csv"))
    return _with_header(SeedFile(of, path.name, str(path), checksum, _table(path), size=size))


def meaning_of(name: str) -> tuple[str, ...]:
    """What a file's name says of its text: ``sql``; or ``csv``, ``tsv``, ``copy``, and the table of its rows."""
    kind = name[name.rindex(".") + 1 :].lower()
    return (kind,) if kind == "sql" else (kind, *_named(name))


def _named(name: str) -> tuple[str, ...]:
    """What stands between the number and the ending of a file's name, cut at each dot."""
    name = name[: name.rindex(".")]
    number = _NUMBER.match(name)
    return tuple(name[number.end() if number else 0 :].split("."))


def _table(path: Path) -> tuple[str, ...]:
    """The table that a file's name means: ``01_public.orders.csv`` is for public.orders."""
    parts = _named(path.name)
    if not all(parts) or len(parts) > 2:
        raise Refused(
            f"the name of {path} says no table",
            hint="name it TABLE or SCHEMA.TABLE, with a number before it for its place: 01_users.csv, 02_app.jobs.csv",
        )
    return parts


def _look_through(path: str, *, is_csv: bool) -> tuple[str, int]:
    """The checksum and the size of a file of rows.

    Raise `BadMigrationFile` for what COPY cannot take, or would lose.
    """
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    line, at, tail = 1, 0, b"\n"
    mark: tuple[int, int] | None = None
    for part in _parts(path):
        digest.update(part)
        seam = tail + part
        if mark is None and (found := _END_MARK.search(seam)):
            mark = (
                at - len(tail) + found.start() + 1,
                line - tail.count(b"\n") + seam.count(b"\n", 0, found.start() + 1),
            )
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(part)
        except UnicodeDecodeError as error:
            raise _not_utf8(path, part, line, error, held) from None
        if "\x00" in text:
            raise BadMigrationFile(
                f"{path} holds a NUL character, which PostgreSQL cannot take",
                hint="is it saved as UTF-16? save it as UTF-8",
                location=Location(path, line + text.count("\n", 0, text.index("\x00"))),
            )
        line += part.count(b"\n")
        at += len(part)
        tail = seam[-3:]
    if decoder.getstate()[0]:
        raise BadMigrationFile(
            f"{path} ends within a character of UTF-8", hint="is it whole? copy it again", location=Location(path, line)
        )
    if mark is None and tail.endswith(b"\\.") and tail[:1] in b"\r\n":
        mark = at - 2, line
    if mark is not None and (is_csv or at - mark[0] > len(b"\\.\r\n")):
        raise BadMigrationFile(
            f"{path}:{mark[1]}: a line that is \\. alone ends the rows for PostgreSQL, and what is behind it is lost",
            hint="remove it; where it is part of a value, write that row into a file of SQL"
            if is_csv
            else "remove it, or what is behind it",
            location=Location(path, mark[1]),
        )
    return digest.hexdigest(), at


# A line with only this in it.
_END_MARK = re.compile(rb"[\r\n]\\\.(?=[\r\n])")


def _parts(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            while part := file.read(_AT_ONCE):
                yield part
    except OSError as error:
        raise BadMigrationFile(f"cannot read {path}: {error.strerror}") from None


def _not_utf8(path: str, part: bytes, line: int, error: UnicodeDecodeError, held: int) -> BadMigrationFile:
    """``held``: bytes of a character that the part before has begun."""
    at = max(error.start - held, 0)
    return BadMigrationFile(
        f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line + part.count(10, 0, at)}",
        hint="save it as UTF-8 (iconv -f latin1 -t utf-8, if it is Latin-1; iconv -f utf-16, if it is UTF-16)",
        location=Location(path, line + part.count(10, 0, at)),
    )


def _with_header(file: SeedFile) -> SeedFile:
    """The file with the columns that its first line names, and where its rows begin behind that.

    The text of COPY (``.copy``) has no such line.  Raise `BadMigrationFile` where the line names no columns.
    """
    with open(file.path, "rb") as stream:
        first = stream.read(_LONGEST_HEADER)
    begin = len(codecs.BOM_UTF8) if first.startswith(codecs.BOM_UTF8) else 0
    if file.name.lower().endswith(".copy"):
        return replace(file, rows_at=begin)
    is_csv = file.name.lower().endswith(".csv")
    end = _end_of_header(first, begin, quotes=is_csv)
    text = first[begin:end].decode("utf-8", "replace")
    line = text.rstrip("\r\n")
    try:
        columns = tuple(next(csv.reader([line], strict=True), [])) if is_csv else tuple(line.split("\t"))
    except csv.Error as error:
        raise _bad_header(file, f"its first line is no CSV: {error}", "close each quote that it opens") from None
    if is_csv and len(columns) == 1 and (other := next((c for c in ";\t|" if c in line), "")):
        shown = {"\t": "tabs", ";": "semicolons"}.get(other, other)
        raise _bad_header(file, f"its columns are divided by {shown}, and not by commas", "write it with commas")
    if not columns or "" in columns:
        raise _bad_header(file, "its first line must name the columns, and one name is empty", "name each column")
    twice = next((c for n, c in enumerate(columns) if c in columns[:n]), None)
    if twice is not None:
        raise _bad_header(file, f"its first line names column {quote(twice)} twice", "remove one of the two")
    if not is_csv:
        return replace(file, columns=columns, rows_at=end, first_line=2)
    # PostgreSQL passes over the header itself, by which it knows the line ends, and can count those in quotes behind it
    return replace(file, columns=columns, rows_at=begin, first_line=max(text.count("\n"), text.count("\r"), 1))


def _end_of_header(first: bytes, begin: int, *, quotes: bool) -> int:
    """Where the line behind the header begins; a line end in quotes is none."""
    is_quoted = False
    for found in re.finditer(rb'"|\r\n?|\n', first[begin:]):
        if found.group() == b'"':
            is_quoted = is_quoted != quotes
        elif not is_quoted:
            return begin + found.end()
    return len(first)


def _bad_header(file: SeedFile, what: str, hint: str) -> BadMigrationFile:
    return BadMigrationFile(f"{file.path}:1: {what}", hint=hint, location=Location(file.path, 1))
