"""Liquibase: changesets of formatted SQL, and the SQL in changelogs of XML, YAML and JSON.

Source: https://github.com/liquibase/liquibase (``AbstractFormattedChangeLogParser``, ``DatabaseChangeLog``,
``StringUtil.processMultiLineSQL``, ``SimpleSqlGrammar.jj``, ``SqlChangeLogParser``, ``ExpressionExpander``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.listing import REPEATABLE
from wflo_schema.imports.changelog import Change, ChangeSet, Include, Property, read_changelog
from wflo_schema.imports.settings import read_properties
from wflo_schema.imports.source import RUNS_ONCE, Folder, Note, Section, Source, Step, Tool, Wishes, is_sql
from wflo_schema.words import listed

# Folders above the one that is read from which a changelog may name its files.
_MOST_ABOVE = 8

_STRUCTURED = re.compile(r".*\.(?:xml|ya?ml|json)\Z", re.IGNORECASE)
_IS_CHANGELOG = re.compile(rb"databaseChangeLog")

# --- formatted SQL ----------------------------------------------------------------------------


def _mark(pattern: str) -> re.Pattern[str]:
    return re.compile(r"\s*--\s*" + pattern, re.IGNORECASE)


_HEADER = _mark(r"liquibase\s*formatted.*")
_CHANGESET = _mark(r'changeset\s++(?P<author>"[^"]+"|[^:]++):(?P<id>"[^"]+"|\S+)(?P<rest>.*)')
_NO_CHANGESET = _mark(r"changeset.*")
_PROPERTY = _mark(r"property\s++[^:]*+:\S*+\s.*:.*")
_ROLLBACK = _mark(r"rollback (?P<text>.*)")
_PRECONDITIONS = _mark(r"preconditions(?P<text>.*)")
_PRECONDITION = _mark(r"precondition-(?P<text>[a-zA-Z0-9-]+ .*)")
_IGNORE = _mark(r"ignoreLines:(?P<what>\w+)")
_COMMENT = _mark(r"(?:comment:? |validCheckSum:? ).*")
_INCLUDE = _mark(r"include\s+(?P<rest>file:.*)")
_INCLUDE_ALL = _mark(r"includeAll\s+(?P<rest>.*)")
_LONG_ROLLBACK = re.compile(r"\s*/\*\s*liquibase\s*rollback\s*", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(?P<name>\w+):(?P<value>\"[^\"]*\"|\S*)")


def _attributes(text: str) -> dict[str, str]:
    """What is said as name:value; names in lower case, the last of each."""
    return {m["name"].lower(): m["value"].strip('"') for m in _ATTRIBUTE.finditer(text)}


@dataclass
class _Open:
    """A changeset of formatted SQL that is being read."""

    author: str
    id: str
    said: Mapping[str, str]
    line: int
    sql: list[str] = field(default_factory=list)
    rollback: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def closed(self) -> ChangeSet:
        """As it is, with its defaults: comments are left out of what is sent, but not of a rollback."""
        sql = {"stripcomments": "true", **self.said, "sql": "\n".join(self.sql).rstrip()}
        back = {
            "splitstatements": self.said.get("rollbacksplitstatements", "true"),
            "enddelimiter": self.said.get("rollbackenddelimiter", ""),
            "sql": "\n".join(self.rollback),
        }
        change = Change("sql", sql, self.line + 1)
        undo = (Change("sql", back, self.line + 1),) if self.rollback else None
        return ChangeSet(
            self.id, self.author, self.said, (change,), undo, self.line, tuple(self.conditions), tuple(self.doubts)
        )


def _read_formatted(path: str, text: str) -> Iterator[ChangeSet | Include | Property]:
    """The entries of a formatted SQL file."""
    now: _Open | None = None
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if _PROPERTY.fullmatch(line):
            said = _attributes(re.sub(r":\s+", ":", line))
            yield Property(said.get("name", ""), said.get("value", ""), said)
        elif found := _IGNORE.fullmatch(line):
            _skip(lines, found["what"], path, number)
        elif found := _CHANGESET.fullmatch(line):
            if now is not None:
                yield now.closed()
            author, name = found["author"].strip('"'), found["id"].strip('"')
            now = _Open(author, name, _attributes(found["rest"]), number)
        elif _NO_CHANGESET.fullmatch(line) and now is not None:
            now.sql.append(line)
            now.doubts.append(f"line {number} names no author and id: to old versions a comment, refused by new ones")
        elif _NO_CHANGESET.fullmatch(line):
            raise BadMigrationFile(
                f"{path}:{number}: this names no author and id: {line.strip()}",
                hint="Liquibase refuses it: write --changeset AUTHOR:ID",
            )
        elif found := _INCLUDE.fullmatch(line):
            yield Include(_attributes(found["rest"]))
        elif found := _INCLUDE_ALL.fullmatch(line):
            yield Include(_attributes(found["rest"]), is_all=True)
        elif now is not None:
            _add(now, line, lines)
    if now is not None:
        yield now.closed()


def _skip(lines: Iterator[tuple[int, str]], what: str, path: str, number: int) -> None:
    """Pass over the lines that are to be ignored: so many, or as far as the end is said."""
    if what.isdecimal():
        for _ in range(int(what)):
            next(lines, None)
    elif what == "start":
        for _, line in lines:
            found = _IGNORE.fullmatch(line)
            if found and found["what"] == "end":
                return
    else:
        raise BadMigrationFile(f"{path}:{number}: Liquibase knows no ignoreLines:{what}")


def _add(now: _Open, line: str, lines: Iterator[tuple[int, str]]) -> None:
    """Put a line where it belongs."""
    if _COMMENT.fullmatch(line):
        now.sql.append(line)
    elif found := _ROLLBACK.fullmatch(line):
        now.rollback.append(found["text"])
    elif _LONG_ROLLBACK.fullmatch(line):
        for _, more in lines:
            if more.rstrip().endswith("*/"):
                now.rollback.append(more.rstrip().removesuffix("*/"))
                return
            now.rollback.append(more)
    elif found := _PRECONDITION.fullmatch(line):
        now.conditions.append(found["text"].strip())
    elif found := _PRECONDITIONS.fullmatch(line):
        now.conditions += [found["text"].strip()] if found["text"].strip() else []
    else:
        now.sql.append(line)


def is_formatted(text: bytes) -> bool:
    """Does its first line that is not blank say that it is formatted SQL?"""
    first = text.lstrip().partition(b"\n")[0]
    return _HEADER.fullmatch(first.decode("utf-8", "replace").rstrip("\r")) is not None


# --- how Liquibase cuts a text ----------------------------------------------------------------

_TOKEN = re.compile(
    rb"(?P<blank>\s+)|(?P<comment>--[^\r\n]*|/\*(?:.*?\*/|.*\Z))"
    rb"|(?:[UENRB]|RB|_utf8)?(?:'(?:''|\\.|[^\\'])*'|\"(?:\"\"|\\.|[^\\\"])*\")"
    rb"|[^\W\d][\w$@#]*(?:\s*\.\s*[^\W\d][\w$@#]*)*|[$_@#][\w$@#]*|\d+(?:\.\d+)?|\[[^\d,\n\r\]][^\n\r\]]*\]|.",
    re.DOTALL | re.IGNORECASE,
)
_NO_BEGIN = (b"TRANSACTION", b"TRANS", b"TRAN", b"DIALOG", b"CONVERSATION", b"DISTRIBUTED")


def _pieces(text: bytes, *, strips: bool, delimiter: str = "") -> Iterator[tuple[bytes, bytes]]:
    """The messages in which Liquibase sends a text, and what ends each; BEGIN … END is not cut."""
    tokens = [m.group() for m in _TOKEN.finditer(text) if not (strips and m.lastgroup == "comment")]
    tokens = _merged(tokens, delimiter.encode()) if delimiter else tokens
    now: list[bytes] = []
    depth, before = 0, b""
    for token, after in zip(tokens, _following(tokens), strict=True):
        upper = token.upper()
        if upper == b"BEGIN" and after not in _NO_BEGIN:
            depth += 1
        elif upper == b"END" and depth and after not in _NO_BEGIN[:3]:
            depth -= 1
        if depth == 0 and _is_delimiter(token, before, delimiter):
            yield b"".join(now).strip(), token
            now = []
        else:
            now.append(token)
        before = token
    yield b"".join(now).strip(), b""


def _cut(text: bytes, *, strips: bool, delimiter: str = "") -> list[bytes]:
    return [piece for piece, _ in _pieces(text, strips=strips, delimiter=delimiter) if piece]


def _following(tokens: Sequence[bytes]) -> list[bytes]:
    """For each token the next one that is not blank, in upper case."""
    found: list[bytes] = []
    after = b""
    for token in reversed(tokens):
        found.append(after)
        after = token.strip().upper() or after
    return found[::-1]


def _merged(tokens: Sequence[bytes], delimiter: bytes) -> list[bytes]:
    """The tokens, with those that make the delimiter together as one."""
    found: list[bytes] = []
    maybe: list[bytes] = []
    for token in tokens:
        text = b"".join((*maybe, token))
        if delimiter == text:
            found.append(text)
            maybe = []
        elif delimiter.startswith(text):
            maybe.append(token)
        else:
            found += [*maybe, token]
            maybe = []
    return [*found, *maybe]


def _is_delimiter(token: bytes, before: bytes, delimiter: str) -> bool:
    if not delimiter:
        is_alone = not before or before.endswith(b"\n")
        return token == b";" or (is_alone and token.upper() in (b"GO", b"/"))
    if len(delimiter) == 1:
        return token == delimiter.encode() and (delimiter != "/" or not before or before.endswith(b"\n"))
    if token.lower() == delimiter.lower().encode():
        return True
    try:
        return re.fullmatch(rb"\s*(?:" + delimiter.lower().encode() + rb")", (before + token).lower()) is not None
    except re.error:
        return False


_BODY = re.compile(
    rb"--[^\n]*|/\*(?:.*?\*/|.*\Z)|'(?:[^']|'')*'|\"[^\"]*\"|(?P<tag>(?<![\w$])\$(?:[^\W\d]\w*)?\$)(?P<body>.*?)(?P=tag)",
    re.DOTALL,
)


def _without_inner_comments(text: bytes) -> bytes:
    """The text without the comments in bodies between $$, which Liquibase leaves out of what it sends."""

    def bare(found: re.Match[bytes]) -> bytes:
        if found["tag"] is None:
            return found.group()
        kept = (m.group() for m in _TOKEN.finditer(found["body"]) if m.lastgroup != "comment")
        return found["tag"] + b"".join(kept) + found["tag"]

    return _BODY.sub(bare, text)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The text of one change as PostgreSQL reads it, and how it is cut; None: sent as one."""

    text: bytes
    cut: Callable[[bytes], Sequence[bytes]] | None


def _sent(change: Change, text: bytes) -> _Sent:
    said = change.said
    strips = said.get("stripcomments", "false").lower() == "true"
    delimiter = said.get("enddelimiter", "")
    delimiter = "" if delimiter == ";" else delimiter
    if said.get("splitstatements", "true").lower() != "true":
        return _Sent(_without_inner_comments(text) if strips else text, None)
    ends = {end for _, end in _pieces(text, strips=strips, delimiter=delimiter)}
    if ends <= {b";", b""}:
        return _Sent(_without_inner_comments(text) if strips else text, partial(_cut, strips=strips))
    pieces = _cut(text, strips=strips, delimiter=delimiter)
    joined = b"".join(piece.rstrip(b";") + b";\n" for piece in pieces)
    return _Sent(joined, None if any(b";\n" in piece for piece in pieces) else lambda t: t.split(b";\n"))


# --- steps ------------------------------------------------------------------------------------

_EXPRESSION = re.compile(r"\$\{([^{}]*+)\}")


class _Reader:
    """Follows the changelogs, and gathers the changesets in the order in which Liquibase runs them."""

    def __init__(self, folder: Folder, wishes: Wishes, values: Mapping[str, str]) -> None:
        self._folder = folder
        self._wishes = wishes
        self.values = {name.lower(): value for name, value in {**values, **wishes.values}.items()}
        self.steps: list[Step] = []
        self.left: list[Note] = []
        self.seen: set[str] = set()
        self._repeating: dict[str, int] = {}
        self._sets: dict[tuple[str, str], ChangeSet] = {}
        self._versions: set[str] = set()

    def read(self, name: str, by: str = "") -> None:
        """Read a changelog, and those that it includes; ``by`` is the path that includes it."""
        if name in self.seen:
            return
        self.seen.add(name)
        text = self._folder.text(name)
        own: dict[str, str] = {}
        path = name
        if is_sql(name):
            path = _attributes(text.decode().lstrip().partition("\n")[0]).get("logicalfilepath", name)
        for entry in self._entries(name, text):
            if isinstance(entry, Property):
                self._take(entry, own)
            elif isinstance(entry, Include):
                self._include(entry, name)
            else:
                self._add(entry, name, entry.said.get("logicalfilepath") or path, own)

    def _entries(self, name: str, text: bytes) -> Iterable[ChangeSet | Include | Property]:
        where = self._folder.where(name)
        if not is_sql(name):
            return read_changelog(where, text)
        if is_formatted(text):
            return _read_formatted(where, text.decode())
        raw = Change("sql", {"sql": text.decode(), "splitstatements": "false"}, 1)
        return (ChangeSet("raw", "includeAll", {}, (raw,), None, 1),)

    def _take(self, entry: Property, own: dict[str, str]) -> None:
        """The first value that is given counts; one that is not global counts in its own file."""
        if not _fits_dbms(entry.said.get("dbms", "")):
            return
        is_own = entry.said.get("global", "true").lower() == "false"
        (own if is_own else self.values).setdefault(entry.name.lower(), self._expanded(entry.value, own))

    def _expanded(self, text: str, own: Mapping[str, str]) -> str:
        wishes = {name.lower(): value for name, value in self._wishes.values.items()}
        values = {**self.values, **own, **wishes}
        return _EXPRESSION.sub(lambda m: values.get(m[1].strip().lower(), m[0]), text)

    def _include(self, entry: Include, name: str) -> None:
        said = self._expanded(entry.said.get("file") or entry.said.get("path") or "", {})
        is_relative = entry.said.get("relativetochangelogfile", "false").lower() == "true"
        found = resolve(self._folder, said, name if is_relative else None, is_folder=entry.is_all)
        if found is None and entry.said.get("errorifmissing", "true").lower() == "false":
            return
        if found is None:
            raise BadMigrationFile(
                f"{self._folder.where(name)} includes {said or 'nothing'}, which is not there",
                hint="import it from the tree that holds all of it, or correct the path",
            )
        end = entry.said.get("endswithfilter", "")
        for file in _below(self._folder, found) if entry.is_all else (found,):
            if file.endswith(end) and (is_sql(file) or _STRUCTURED.fullmatch(file)):
                self.read(file, name)
            else:
                self.left.append(Note(self._folder.where(file), "is no changelog that is read here"))

    def _add(self, entry: ChangeSet, name: str, path: str, own: Mapping[str, str]) -> None:
        where = self._folder.where(name)
        said = {name: self._expanded(value, own) for name, value in entry.said.items()}
        who = self._expanded(entry.author, own)
        entry = replace(entry, id=self._expanded(entry.id, own), author=who, said=said)
        reason = self._why_not(entry)
        if reason:
            self.left.append(Note(where, f"{entry.author}:{entry.id} {reason}", line=entry.line))
            return
        version = f"{path}::{entry.id}::{entry.author}"
        if version in self._versions:
            what = f"{where}:{entry.line} is one more changeset {entry.author}:{entry.id} of {path}"
            raise BadMigrationFile(what, hint="Liquibase refuses both: give one another id")
        self._versions.add(version)
        self._sets[entry.id, entry.author] = entry
        forward, notes = self._section(entry, entry.changes, name, own)
        undo = self._undo(entry, name, own) if entry.undo is not None else None
        if said.get("runonchange", "").lower() == "true" and said.get("runalways", "").lower() != "true":
            self._repeating[version] = entry.line
        stem = os.path.basename(name).rpartition(".")[0]
        words = entry.id if stem.lower() in entry.id.lower() else f"{stem}_{entry.id}"
        self.steps.append(
            Step(
                version,
                "",
                words,
                where,
                forward,
                undo,
                (*notes, *_notes(entry, where, is_chosen=bool(self._wishes.values.get("contexts")))),
            )
        )

    def repeated(self) -> Iterator[Step]:
        """The steps, of which those are repeatable that run on change and behind which none is that runs once."""
        once = [n for n, s in enumerate(self.steps) if s.version not in self._repeating or _is_apart(s.forward)]
        for number, step in enumerate(self.steps):
            if step.version not in self._repeating:
                yield step
            elif once and number <= once[-1]:
                what = f"Liquibase runs {step.name} again whenever its text changed; {RUNS_ONCE}"
                how = "behind all that run once it would be repeatable here, too"
                yield replace(step, notes=(*step.notes, Note(step.path, what, how, self._repeating[step.version])))
            else:
                notes = step.notes
                if step.undo is not None:
                    what = "its rollback is left out: the rollback of a migration puts the former text back"
                    notes = (*notes, Note(step.path, what, line=self._repeating[step.version]))
                yield replace(step, notes=notes).at_home(REPEATABLE)

    def _why_not(self, entry: ChangeSet) -> str:
        """Why Liquibase does not run it on PostgreSQL, or as the user says; else nothing."""
        if not _fits_dbms(entry.said.get("dbms", "")):
            return f"is for {entry.said['dbms']}"
        if entry.said.get("ignore", "").lower() == "true":
            return "is ignored"
        context = entry.said.get("contextfilter") or entry.said.get("context", "")
        wanted = self._wishes.values.get("contexts", "")
        if context and wanted and not _fits_context(context, wanted):
            return f"has the context {context}"
        return ""

    def _undo(self, entry: ChangeSet, name: str, own: Mapping[str, str]) -> Section | None:
        """The rollback: its own statements, nothing, or what another changeset does."""
        assert entry.undo is not None
        text = " ".join(c.said.get("sql", "") for c in entry.undo).strip()
        if re.match(r"(?:not required|empty)", text, re.IGNORECASE):
            return Section(self._folder.where(name), b"", entry.line)
        changes = entry.undo
        if "changesetid" in text.lower():
            said = _attributes(text)
            other = self._sets.get((said.get("changesetid", ""), said.get("changesetauthor", "")))
            if other is None:
                raise BadMigrationFile(
                    f"{self._folder.where(name)}:{entry.line}: its rollback names a changeset that is not before it",
                    hint=f"correct this: {text}",
                )
            changes = other.changes
        section, notes = self._section(entry, changes, name, own)
        if section is None:
            where = self._folder.where(name)
            return Section(where, b"", entry.line, notes=notes)
        return section

    def _section(
        self, entry: ChangeSet, changes: Sequence[Change], name: str, own: Mapping[str, str]
    ) -> tuple[Section | None, tuple[Note, ...]]:
        where = self._folder.where(name)
        foreign = [c.kind for c in changes if c.kind not in ("sql", "sqlFile")]
        if foreign:
            what = f"{entry.author}:{entry.id} is no SQL: {listed(foreign)}"
            note = Note(where, what, "liquibase update-sql prints its SQL: write that here", entry.line, is_open=True)
            return None, (note,)
        parts = [
            _sent(c, self._expanded(self._text(c, name), own).encode())
            for c in changes
            if _fits_dbms(c.said.get("dbms", ""))
        ]
        text = b"\n".join(_ended(p.text) for p in parts[:-1]) + b"\n" * (len(parts) > 1)
        text += parts[-1].text if parts else b""
        line = changes[0].line if changes else entry.line
        is_wrapped = entry.said.get("runintransaction", "true").lower() == "true"
        return Section(where, text, line, is_wrapped=is_wrapped, cut=parts[0].cut if len(parts) == 1 else None), ()

    def _text(self, change: Change, name: str) -> str:
        if change.kind == "sql":
            return change.said.get("sql", "")
        said = change.said.get("path", "")
        is_relative = change.said.get("relativetochangelogfile", "false").lower() == "true"
        found = resolve(self._folder, said, name if is_relative else None)
        if found is None:
            raise BadMigrationFile(f"{self._folder.where(name)}:{change.line}: there is no file {said}")
        self.seen.add(found)
        return self._folder.text(found).decode()


def _ended(text: bytes) -> bytes:
    """The text, so that its last statement ends."""
    return text.rstrip() + (b"" if text.rstrip().endswith(b";") else b"\n;")


def _notes(entry: ChangeSet, where: str, *, is_chosen: bool) -> Iterator[Note]:
    """What a person must know of it; ``is_chosen``: the contexts are said of which it is one."""
    said = entry.said
    if said.get("runalways", "").lower() == "true":
        yield Note(where, f"Liquibase runs {entry.id} again at each update; {RUNS_ONCE}", line=entry.line)
    if not is_chosen and (context := said.get("contextfilter") or said.get("context")):
        how = "leave out what your databases have not run: --set contexts=NAME"
        yield Note(where, f"{entry.id} has the context {context}", how, entry.line)
    for doubt in entry.doubts:
        yield Note(where, f"{entry.id}: {doubt}", line=entry.line)
    if entry.conditions:
        what = f"{entry.id} runs only if: {'; '.join(entry.conditions)}; here it always runs"
        yield Note(where, what, line=entry.line)
    if said.get("failonerror", "").lower() == "false":
        yield Note(where, f"{entry.id} may fail with Liquibase (failOnError:false), and must not here", line=entry.line)
    if said.get("runwith"):
        yield Note(where, f"{entry.id} is run by {said['runwith']}", line=entry.line)


def _is_apart(section: Section | None) -> bool:
    return section is not None and not section.is_wrapped


def _fits_dbms(said: str) -> bool:
    """Does Liquibase run on PostgreSQL what is for these databases?"""
    names = [name.strip().lower() for name in said.split(",") if name.strip()]
    if not names or "all" in names:
        return True
    if "none" in names or "!postgresql" in names:
        return False
    return "postgresql" in names or all(name.startswith("!") for name in names)


def _fits_context(said: str, wanted: str) -> bool:
    """Is one of the wanted contexts what it says?  ``and``, ``or``, ``!`` and commas, without brackets."""
    have = {name.strip().lower() for name in wanted.split(",")}

    def is_so(term: str) -> bool:
        bare = re.sub(r"\A\s*(?:!|not\b)\s*", "", term, flags=re.IGNORECASE).strip().lower()
        return (bare in have) is (bare == term.strip().lower())

    ways = re.split(r",|\bor\b", said, flags=re.IGNORECASE)
    return any(all(is_so(t) for t in re.split(r"\band\b", way, flags=re.IGNORECASE)) for way in ways)


# --- the folder -------------------------------------------------------------------------------


def resolve(folder: Folder, said: str, beside: str | None, *, is_folder: bool = False) -> str | None:
    """The file, or folder, that a changelog names, by its path in the folder; None where there is none.

    It is named from beside the changelog, or from where Liquibase looks: the folder or one above it.
    """
    bare = re.sub(r"\Aclasspath\*?:", "", said).replace("\\", "/").strip("/")
    starts = [os.path.dirname(beside)] if beside is not None else ["/".join([".."] * n) for n in range(_MOST_ABOVE)]
    exists = os.path.isdir if is_folder else os.path.isfile
    paths = (folder.where(os.path.join(start, bare).replace(os.sep, "/")) for start in starts)
    there = next((path for path in paths if bare and exists(path)), None)
    return os.path.relpath(there, folder.root or ".").replace(os.sep, "/") if there is not None else None


def _below(folder: Folder, name: str) -> tuple[str, ...]:
    """The files of a folder in it, in the order of their paths."""
    start = "" if name == "." else f"{name}/"
    return tuple(f"{start}{file}" for file in Folder(folder.where(name)).files)


# What settings say: the changelog, and values of parameters.
_SETTING = re.compile(
    r"(?:(?:spring|quarkus)\.liquibase\.|liquibase\.command\.)?(?:change-?log(?:file)?|parameters?\.(?P<name>.+))",
    re.IGNORECASE,
)


def _settings(folder: Folder) -> tuple[str, str, dict[str, str]]:
    """The nearest settings: their path, the changelog that they name, and values."""
    for path in folder.above("liquibase.properties", "application.properties"):
        text = Folder(path).text(os.path.basename(path)).decode()
        said = [(m["name"], value) for n, value in read_properties(text).items() if (m := _SETTING.fullmatch(n))]
        if said or path.endswith("liquibase.properties"):
            changelog = next((value for name, value in said if name is None), "")
            return path, changelog, {name: value for name, value in said if name}
    return "", "", {}


def _root(folder: Folder, said: str) -> list[str]:
    """The changelogs from which Liquibase begins: the one that names all others, or all files, by name."""
    if folder.is_file:
        return list(folder.files)
    chosen = resolve(folder, said, None) if said else None
    if chosen is not None:
        return [chosen]
    texts = {name: folder.text(name) for name in folder.files if is_sql(name) or _STRUCTURED.fullmatch(name)}
    masters = [n for n, t in texts.items() if not is_sql(n) and _IS_CHANGELOG.search(t)]
    formatted = [n for n, t in texts.items() if is_sql(n) and is_formatted(t)]
    masters += [n for n in formatted if re.search(rb"(?mi)^[ \t]*--[ \t]*include(?:All)?\s", texts[n])]
    included = _included(folder, masters)
    roots = [m for m in masters if m not in included]
    named = [m for m in roots if re.search(r"master|root", m, re.IGNORECASE)]
    roots = named if len(named) == 1 else roots
    if len(roots) > 1:
        raise BadMigrationFile(
            f"{len(roots)} changelogs of {folder.path} are included by no other: {listed(roots, 3)}",
            hint=f"name the one that Liquibase begins with: wflo-schema import {folder.where(roots[0])}",
        )
    return roots or formatted


def _included(folder: Folder, masters: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for name in masters:
        where, text = folder.where(name), folder.text(name)
        entries = _read_formatted(where, text.decode()) if is_sql(name) else read_changelog(where, text)
        for entry in entries:
            if isinstance(entry, Include):
                said = entry.said.get("file") or entry.said.get("path") or ""
                is_relative = entry.said.get("relativetochangelogfile", "false").lower() == "true"
                there = resolve(folder, said, name if is_relative else None, is_folder=entry.is_all)
                found |= set(_below(folder, there) if there and entry.is_all else [there or ""]) - {name}
    return found


def read_liquibase(folder: Folder, wishes: Wishes) -> Source:
    """Liquibase: the changesets in the order in which the changelog includes them, each one transaction."""
    settings, changelog, values = _settings(folder)
    reader = _Reader(folder, wishes, values)
    roots = _root(folder, changelog)
    for name in roots:
        reader.read(name)
    if len(roots) > 1:
        reader.left.append(Note(folder.path, "no changelog says in which order: its files are taken by name"))
    if settings:
        reader.left.append(Note(settings, "its settings are used"))
    own = {n for n in folder.files if os.path.abspath(folder.where(n)) == settings}
    rest = [] if folder.is_file else [n for n in folder.files if n not in reader.seen | own]
    reader.left += [Note(folder.where(name), "is included by no changelog") for name in rest]
    return Source(
        "liquibase",
        folder.path,
        "",
        tuple(reader.repeated()),
        ledgers=("liquibase",),
        left_out=tuple(reader.left),
        placeholder=re.compile(rb"\$\{\s*+(?P<name>(?:[^{}\s]++|\s++(?!\}))*+)\s*+\}", re.IGNORECASE),
        values=reader.values,
        grows=True,
        keeps_session=True,
    )


def _shows(folder: Folder) -> str:
    """Is one of its files a changelog, whatever its name?"""
    names = (n for n in folder.files if _STRUCTURED.fullmatch(n) and _IS_CHANGELOG.search(folder.text(n)))
    found = next(names, None)
    return f"{found}, a databaseChangeLog" if found else ""


TOOLS: tuple[Tool, ...] = (Tool("liquibase", read_liquibase, "Liquibase", _shows),)
