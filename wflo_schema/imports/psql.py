"""What psql does to a file before PostgreSQL sees it: its commands, and the values of its variables.

Hides where psql looks for a variable or a command (psql's ``psqlscan.l`` and ``psqlscanslash.l``), from where it
reads another file, and which of its commands say the same as SQL.

Source: https://www.postgresql.org/docs/current/app-psql.html.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from wflo_schema.connect.queries import load_sql
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_source
from wflo_schema.files.splitting import COMMENT, LINE_COMMENT, QUOTED, bare, behind_comment
from wflo_schema.imports.source import Note, Section
from wflo_schema.names import quote_always

_NAME = rb"[A-Za-z_0-9\x80-\xff]+"
_VARIABLE = rb":(?:'(?P<text>" + _NAME + rb")'|\"(?P<ident>" + _NAME + rb")\"|\{\?(?P<is_set>" + _NAME + rb")\}"
_VARIABLE += rb"|(?P<plain>" + _NAME + rb"))"
_NEXT = re.compile(
    rb"(?P<hidden>" + QUOTED + rb"|" + LINE_COMMENT + rb"|" + COMMENT + rb")|(?P<nested>/\*)|(?P<cast>::|:=)"
    rb"|(?P<variable>" + _VARIABLE + rb")|(?P<end>;)|\\(?P<forced>[;:])|(?P<command>\\)"
)
# Without it a file has nothing of psql's: a cast and a slice by numbers are none.
_SOMETHING = re.compile(rb"\\|(?<!:):(?:['\"{]|(?!\d+\b)" + _NAME + rb")")

# One part of an argument; a backslash ends them all.
_ARGUMENT = re.compile(
    rb"(?P<quoted>'(?:[^'\\\n]|\\[^\n]|'')*')|(?P<program>`[^`\n]*`)|(?P<double>\"[^\"\n]*\"?)|(?P<variable>"
    + _VARIABLE
    + rb")|(?P<plain_text>[^\s'\"`\\:]+|['\":`])"
)
_BLANK = re.compile(rb"[ \t\f\v\r]*")
_COMMAND = re.compile(rb"\\(?P<name>[^\s\\]*)")
_ESCAPE = re.compile(r"\\(?:x(?P<hex>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})|(?P<one>.))|''")
_ESCAPED = {"n": "\n", "t": "\t", "b": "\b", "r": "\r", "f": "\f"}

# They show, or say how something is shown.
_SHOWS = re.compile(
    r"(?:echo|qecho|warn|timing|pset|x|a|t|o|out|C|f|H|html|T|p|print|w|write|r?estrict|unrestrict|errverbose|conninfo"
    r"|copyright|s|h|help|\?|z|l\+?|list\+?|d[A-Za-z]*[S+]*|sf\+?|sv\+?|reset)\Z"
)
# psql has values of its own for these.
_OF_PSQL = frozenset(
    "DBNAME USER HOST PORT ERROR SQLSTATE ROW_COUNT LAST_ERROR_MESSAGE LAST_ERROR_SQLSTATE SERVER_VERSION_NAME "
    "SERVER_VERSION_NUM VERSION VERSION_NAME VERSION_NUM SERVICE".split()
)
_ALWAYS = {"AUTOCOMMIT": "on", "ENCODING": "UTF8", "ON_ERROR_STOP": "on", "ON_ERROR_ROLLBACK": "off", "QUIET": "on"}

_CAT = re.compile(r"\s*cat\s+(?:'(?P<quoted>[^']+)'|(?P<path>[^\s'\"$;|&<>*?()\\]+))\s*")

# Bytes of a file that \copy reads; more is no part of a migration.
_MOST_COPIED = 1_000_000
# Variables in values of variables, and files in files.
_DEEPEST = 50

_COPY = re.compile(
    rb"(?P<what>\s*+(?:\((?P<query>)|(?:[^\s()'\"]|\"[^\"]*\")+(?:\s*+\([^()]*\))?))\s*+\bfrom\s++"
    rb"(?:(?P<program>program\b)|(?P<stdin>p?stdin\b)|'(?P<quoted>(?:[^']|'')*)'|(?P<file>[^\s;]+))(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_FROM_STDIN = re.compile(r"\bFROM\s+STDIN\b", re.IGNORECASE)
_BRACKET = re.compile(r"(?P<word>\w*)\s*(?P<opens>[\[(])|[\])]")
_LINE = re.compile(rb"[^\n]*")
_CANNOT_IN_DO = re.compile(
    rb"\b(?:concurrently|vacuum|(?:create|drop)\s+(?:database|tablespace)|alter\s+system|commit|rollback)\b",
    re.IGNORECASE,
)
_QUERY = re.compile(rb"\s*(?:\(|SELECT\b|VALUES\b|WITH\b|TABLE\b)", re.IGNORECASE)
_CHANGES = re.compile(rb"\b(?:INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|MERGE\s+INTO|INTO)\b", re.IGNORECASE)


def expand(section: Section, values: Mapping[str, str]) -> Section:
    """The section as SQL alone, with a note for each command that cannot be written as SQL, or loses something.

    Where a person must look at something first, the text stays as it was.
    """
    if not section.is_psql or not _SOMETHING.search(section.text):
        return section
    reading = _Reading(section, values)
    try:
        reading.read(_File(section.path, section.text, section.line))
    except BadMigrationFile:
        return section  # whoever splits it says so
    notes = (*section.notes, *dict.fromkeys(reading.notes))
    files = tuple(dict.fromkeys(reading.files))
    if any(note.is_open for note in notes):
        return replace(section, notes=notes, files=files)
    return replace(section, text=bytes(reading.out), places=tuple(reading.places), files=files, notes=notes)


@dataclass(slots=True)
class _File:
    """A file that is being read: ``at`` is a place in its text, and the text begins at ``line``."""

    path: str
    text: bytes
    line: int = 1
    at: int = 0
    is_ended: bool = False
    _counted: int = 0
    _lines: int = 0

    @property
    def line_now(self) -> int:
        """The line of that place."""
        self._lines += self.text.count(b"\n", self._counted, self.at)
        self._counted = self.at
        return self.line + self._lines


@dataclass(slots=True)
class _Branch:
    """One \\if: ``is_on``: are its statements read now; ``is_done``: has one of its branches been read."""

    is_on: bool
    is_done: bool
    depth: int
    line: int
    is_last: bool = False


class _Reading:
    """What has been read of a file and of those in it."""

    def __init__(self, section: Section, values: Mapping[str, str]) -> None:
        self.given = values
        self.variables = {**_ALWAYS, **values}
        self.out = bytearray()
        self.places: list[tuple[int, str, int]] = []
        self.notes: list[Note] = []
        self.files: list[str] = []
        self.directory = section.directory
        self._root = _root_of(section.path, section.directory)
        self._stack: list[str] = []
        self._branches: list[_Branch] = []
        self._begin = 0  # of the statement in ``out``
        self._lines = 1  # of ``out``
        self._brackets: list[str] = []  # open ones of the statement that begins there, as far as they were read
        self._brackets_of = self._brackets_to = 0
        self._asked: dict[str, int] = {}  # what a query is to find, and the line of the query
        self._runs_program = False  # does the command that is read?

    # --- what is written ---

    @property
    def _is_on(self) -> bool:
        return not self._branches or self._branches[-1].is_on  # which it is only in one that is on

    @property
    def _statement(self) -> bytes:
        return bytes(self.out[self._begin :])

    def _put(self, text: bytes) -> None:
        if self._is_on:
            self.out += text
            self._lines += text.count(b"\n")

    def _mark(self, file: _File) -> None:
        """From here on, what is written stands there in the file."""
        self.places.append((self._lines, file.path, file.line_now))

    def _end(self) -> None:
        """End the statement that stands there, if any."""
        if bare(self._statement):
            if b"--" in self._statement.rpartition(b"\n")[2]:
                self._put(b"\n")
            self._put(b";")
        self._begin = len(self.out)

    def _note(self, file: _File, what: str, how: str = "", *, is_open: bool = True) -> None:
        self.notes.append(Note(file.path, what, how, file.line_now, is_open=is_open))

    # --- SQL ---

    def read(self, file: _File) -> None:
        """Read a file to its end."""
        depth = len(self._branches)
        real = os.path.realpath(file.path)
        self._stack.append(real)
        self._mark(file)
        seen = file.at
        while not file.is_ended and (found := _NEXT.search(file.text, seen)) is not None:
            if found["hidden"] or found["cast"]:
                seen = found.end()
                continue
            if found["nested"]:
                seen = behind_comment(file.path, file.text, found.start())
                continue
            self._put(file.text[file.at : found.start()])
            file.at = found.start()
            self._one(file, found)
            seen = file.at
        if not file.is_ended:
            self._put(file.text[file.at :])
        if len(self._branches) > depth:
            line = self._branches[depth].line
            self.notes.append(Note(file.path, "the \\if has no \\endif", "write the \\endif", line, is_open=True))
            del self._branches[depth:]
        self._stack.pop()

    def _one(self, file: _File, found: re.Match[bytes]) -> None:
        if found["command"]:
            self._command(file)
            return
        file.at = found.end()
        if found["variable"]:
            if self._is_on:
                self._put(self._value(file, found))
        elif found["forced"] == b";":
            self._note(
                file, "\\; sends several statements as one message", "write each by itself"
            ) if self._is_on else 0
            self._put(b";")
        elif found["forced"]:
            self._put(found["forced"])
        else:
            is_copy = self._is_on and self._copies()
            self._put(b";")
            self._begin = len(self.out)
            if is_copy:
                self._data(file)

    def _copies(self) -> bool:
        statement = self._statement
        return b"stdin" in statement.lower() and bool(
            re.match("COPY\\b.*" + _FROM_STDIN.pattern, bare(statement), re.IGNORECASE | re.DOTALL)
        )

    def _data(self, file: _File) -> None:
        """Pass over the rows of a COPY, in which nothing is replaced."""
        end = re.compile(rb"^\\\.$\n?", re.MULTILINE).search(file.text, file.at)
        stop = end.end() if end else len(file.text)
        self._put(file.text[file.at : stop])
        file.at = stop
        self._begin = len(self.out)

    def _is_slice(self) -> bool:
        """May a colon stand there for itself: a[1:n], json_object('a':n)?"""
        if self._brackets_of != self._begin:
            self._brackets_of = self._brackets_to = self._begin
            self._brackets.clear()
        begin = min(self._brackets_to, len(self.out))  # of a line of commands nothing stays
        for sign in _BRACKET.finditer(bare(bytes(self.out[begin:]))):
            if sign["opens"]:
                self._brackets.append(sign["word"].lower() if sign["opens"] == "(" else "[")
            elif self._brackets:
                self._brackets.pop()
        self._brackets_to = len(self.out)  # a variable stands outside of quotes
        return bool(self._brackets) and (self._brackets[-1] == "[" or self._brackets[-1].startswith("json_object"))

    def _value(self, file: _File, found: re.Match[bytes], depth: int = 0) -> bytes:
        name = (found["text"] or found["ident"] or found["is_set"] or found["plain"]).decode()
        value = self.variables.get(name)
        if found["is_set"]:
            return b"TRUE" if value is not None or name in _OF_PSQL else b"FALSE"
        if value is None:
            if not (found["plain"] and (name.isdecimal() or self._is_slice())):
                self._missing(file, name)
            return found.group()
        if found["text"]:
            return _literal(value)
        if found["ident"]:
            return quote_always(value).encode()
        inner = value.encode()
        if depth > _DEEPEST:
            self._note(file, f"the value of {name} holds itself", "give it a value: \\set")
            return inner
        return _NEXT.sub(lambda m: self._value(file, m, depth + 1) if m["variable"] else m.group(), inner)

    def _missing(self, file: _File, name: str) -> None:
        what = f"the value of {name} is not given"
        if name in self._asked or "*" in self._asked:
            line = self._asked.get(name, self._asked.get("*"))
            what = f"the value of {name} is what the query at line {line} finds"
        elif name in _OF_PSQL:
            what = f"the value of {name} is psql's own"
        self._note(file, what, f"give it: --set {name}=VALUE")

    # --- commands ---

    def _command(self, file: _File) -> None:
        found = _COMMAND.match(file.text, file.at)
        assert found is not None
        name = found["name"].decode("utf-8", "replace")
        name = "copy" if name.lower() == "copy" else name  # of no other command psql takes capitals for small letters
        end = found.end()
        if name in ("copy", "!", "ef", "ev", "e", "edit", "h", "help"):
            rest = _LINE.match(file.text, end)
            assert rest is not None
            words, end, is_sure = [rest.group().decode("utf-8", "replace")], rest.end(), True
        else:
            words, end, is_sure = self._arguments(file, end)
        file.at = end
        if name in ("if", "elif", "else", "endif"):
            self._branch(file, name, words, is_sure)
        elif self._is_on:
            does = self._does.get(name.removesuffix("+"))
            if does is not None:
                does(self, file, name, words if is_sure else [*words, ""])
            elif not _SHOWS.match(name):
                self._note(file, f"\\{name} is a command of psql", "write as SQL what it is to do")
        line = self.out.rfind(b"\n") + 1
        if not self.out[line:].strip() and file.text[file.at : file.at + 1] == b"\n":
            del self.out[max(line, self._begin) :]  # a line that held nothing else is left out
            file.at += 1
        self._mark(file)

    def _arguments(self, file: _File, at: int) -> tuple[list[str], int, bool]:
        """The words behind a command, where they end, and whether all of them are known."""
        words: list[str] = []
        is_sure = True
        self._runs_program = False
        while True:
            blank = _BLANK.match(file.text, at)
            assert blank is not None
            at = blank.end()
            word, begin = "", at
            while (part := _ARGUMENT.match(file.text, at)) is not None:
                at = part.end()
                if part["quoted"]:
                    word += _ESCAPE.sub(_unescaped, part["quoted"][1:-1].decode())
                elif part["variable"]:
                    name = next(g for g in (part["text"], part["ident"], part["is_set"], part["plain"]) if g).decode()
                    is_sure = is_sure and bool(part["is_set"] or name in self.variables)
                    word += self._word(part, name)
                elif part["program"]:
                    word += self._printed(file, part["program"][1:-1].decode("utf-8", "replace"))
                else:
                    word += part.group().decode("utf-8", "replace")
            if at == begin:
                is_command = file.text[at : at + 2] == b"\\\\"
                return words, at + 2 if is_command else at, is_sure and not self._runs_program
            words.append(word)

    def _printed(self, file: _File, program: str) -> str:
        """What a program prints: of cat with one file, its text."""
        named = _CAT.fullmatch(program) if self._is_on else None
        if named is None:
            self._runs_program = True
            return f"`{program}`"
        path = self._found(file, "cat", named["quoted"] or named["path"], "")
        if not path:
            return ""
        self.files.append(path)
        try:
            return read_source(path)[0].decode().removesuffix("\n")
        except BadMigrationFile as error:
            self._note(file, f"cat: {error.message}", error.hint)
            return ""

    def _word(self, part: re.Match[bytes], name: str) -> str:
        value = self.variables.get(name)
        if part["is_set"]:
            return "TRUE" if value is not None or name in _OF_PSQL else "FALSE"
        if value is None:
            return part.group().decode()
        return _literal(value).decode() if part["text"] else quote_always(value) if part["ident"] else value

    def _branch(self, file: _File, name: str, words: Sequence[str], is_sure: bool) -> None:
        above = self._branches[-1] if self._branches and self._branches[-1].depth == len(self._stack) else None
        if name == "if":
            is_read = self._is_on
            value = is_read and self._truth(file, words, is_sure)
            self._branches.append(_Branch(value, value or not is_read, len(self._stack), file.line_now))
        elif above is None:
            self._note(file, f"\\{name} without an \\if", "write the \\if, or remove it")
        elif name == "endif":
            self._branches.pop()
        elif above.is_last:
            self._note(file, f"\\{name} behind \\else", "remove it")
        else:
            above.is_last = name == "else"
            above.is_on = False
            is_read = len(self._branches) < 2 or self._branches[-2].is_on
            if not above.is_done and is_read:
                above.is_on = name == "else" or self._truth(file, words, is_sure)
            above.is_done = above.is_done or above.is_on

    def _truth(self, file: _File, words: Sequence[str], is_sure: bool) -> bool:
        """What \\if makes of a condition, as psql reads a Boolean."""
        said = " ".join(words)
        value = said.lower()
        if not is_sure:
            named = re.findall(r":(\w+)", said)
            how = f"give it: --set {named[0]}=VALUE" if named else "leave the branch that is meant, without \\if"
            self._note(file, f"which branch \\if {said} takes is not known here", how)
        for word, meaning in (("true", True), ("false", False), ("yes", True), ("no", False)):
            if value and word.startswith(value):
                return meaning
        if value in ("on", "1"):
            return True
        if value not in ("of", "off", "0") and is_sure:
            self._note(file, f"\\if {said} is no Boolean, which psql takes for false", is_open=False)
        return False

    def _set(self, file: _File, name: str, words: Sequence[str]) -> None:
        if not words:
            return
        variable, value = words[0], "".join(words[1:])
        if self._runs_program:
            self._from_outside(file, variable, "a program")
            return
        if variable == "AUTOCOMMIT" and value.lower() in ("off", "0", "false", "no"):
            self._note(file, "with AUTOCOMMIT off, psql keeps what it committed alone", "remove it")
        elif variable in ("ON_ERROR_STOP", "ON_ERROR_ROLLBACK"):
            goes_on = (
                value.lower() in ("off", "0", "false", "no")
                if variable == "ON_ERROR_STOP"
                else value.lower() in ("on", "1", "interactive")
            )
            if goes_on:
                self._note(
                    file,
                    f"with {variable} {value} psql goes on behind an error; here the first one ends it",
                    is_open=False,
                )
        self.variables[variable] = value

    def _unset(self, file: _File, name: str, words: Sequence[str]) -> None:
        for word in words:
            self.variables.pop(word, None)

    def _ask(self, file: _File, name: str, words: Sequence[str]) -> None:
        """\\prompt, \\getenv: a value from outside."""
        self._from_outside(file, words[0 if name == "getenv" else -1] if words else "", f"\\{name}")

    def _from_outside(self, file: _File, variable: str, by: str) -> None:
        """A variable gets a value that is not known here, unless it is given."""
        if variable in self.given:
            self.variables[variable] = self.given[variable]
        else:
            self._note(file, f"the value of {variable} is made by {by}", f"give it: --set {variable}=VALUE")
            self.variables[variable] = ""

    def _send(self, file: _File, name: str, words: Sequence[str]) -> None:
        """\\g and its like: a semicolon."""
        if words and name == "g":
            self._note(file, f"the rows of \\g {words[0]} are written nowhere", is_open=False)
        self._end()

    def _into_variables(self, file: _File, name: str, words: Sequence[str]) -> None:
        """\\gset: what the query finds is not known here, unless it is given."""
        query = self._statement.decode("utf-8", "replace").lower()
        prefix = words[0] if words else ""
        line = file.line_now
        for word in {"*"} if "*" in query else set(re.findall(r"\w+", query)):
            self._asked[word if word == "*" else prefix + word] = line
        for variable in set(self.variables) - set(self.given) - set(_ALWAYS):
            if variable in self._asked or "*" in self._asked:
                del self.variables[variable]
        self._end()

    def _execute(self, file: _File, name: str, words: Sequence[str]) -> None:
        """\\gexec: a DO block that executes each value of each row."""
        query = self._statement
        said = bare(query)
        is_query = _QUERY.match(said.encode()) is not None and not _CHANGES.search(said.encode())
        if not is_query or _CANNOT_IN_DO.search(query):
            self._note(file, "\\gexec runs statements that a query makes", "write these statements")
            return
        tag = "$gexec$"
        while tag.encode() in query:
            tag = f"{tag[:-1]}_$"
        block = load_sql("imports", "gexec").partition("\n")[2].rstrip().replace("$gexec$", tag)
        del self.out[self._begin + len(query) - len(query.lstrip()) :]
        self._lines = self.out.count(b"\n") + 1
        self._put(block.replace("{query}", query.decode().strip()).encode())
        self._begin = len(self.out)

    def _include(self, file: _File, name: str, words: Sequence[str]) -> None:
        if len(words) != 1 or not words[0]:
            self._note(file, f"\\{name} names no file that is known here", "write what that file says")
            return
        if bare(self._statement):
            self._note(file, f"\\{name} stands in the middle of a statement", "end the statement before it")
            return
        base = os.path.dirname(file.path) if name in ("ir", "include_relative") else ""
        path = self._found(file, f"\\{name}", words[0], base)
        if not path:
            return
        if os.path.realpath(path) in self._stack or len(self._stack) > _DEEPEST:
            self._note(file, f"\\{name} {words[0]} leads back to a file that it is read for", "leave one of them out")
            return
        try:
            text = read_source(path)[0]
        except BadMigrationFile as error:
            self._note(file, f"\\{name}: {error.message}", error.hint)
            return
        self.files.append(path)
        self.read(_File(path, text))
        self._end()
        if self.out and not self.out.endswith(b"\n"):
            self._put(b"\n")
        self._begin = len(self.out)

    def _found(self, file: _File, command: str, name: str, base: str) -> str:
        """The path of a file that a command reads; empty, with a note, where it is not to be read."""
        if os.path.isabs(name) or name.startswith("~"):
            candidates = [name]
        elif base or self.directory:
            candidates = [os.path.join(base or self.directory, name)]
        else:
            candidates = [os.path.join(folder, name) for folder in _above(file.path, self._root)]
        there = {os.path.realpath(path): path for path in candidates if os.path.isfile(path)}
        if not there:
            places = " or ".join(candidates[:2])
            self._note(file, f"there is no {places}, which {command} reads", "bring it back, or remove the line")
        elif len(there) > 1:
            both = " and ".join(list(there.values())[:2])
            self._note(file, f"{command} {name} may be {both}: psql's own folder is not known", "write \\ir instead")
        else:
            real, path = next(iter(there.items()))
            if os.path.commonpath((real, os.path.realpath(self._root))) == os.path.realpath(self._root):
                return os.path.normpath(path)
            self._note(
                file, f"{command} {name} is outside of {self._root}", "copy it to the migrations, and write \\ir"
            )
        return ""

    def _copy(self, file: _File, name: str, words: Sequence[str]) -> None:
        found = _COPY.fullmatch(words[0].encode())
        if found is None or found["query"] is not None or found["program"]:
            self._note(
                file, f"\\copy{words[0][:60]} has no rows to bring along", "write it as COPY … FROM stdin with its rows"
            )
            return
        rest = found["rest"].strip().removesuffix(b";").rstrip()
        head = b"COPY " + found["what"].strip() + b" FROM stdin" + (b" " + rest if rest else b"") + b";\n"
        if found["stdin"]:
            self._stdin(file, head)
            return
        path = self._found(file, "\\copy", (found["quoted"] or found["file"]).decode().replace("''", "'"), "")
        if not path:
            return
        rows, why = _rows(path, rest)
        if why:
            self._note(file, f"\\copy reads {path}, {why}", "write it as COPY … FROM stdin with its rows")
            return
        self.files.append(path)
        self._put(head + rows + b"\\.\n")
        self._begin = len(self.out)

    def _stdin(self, file: _File, head: bytes) -> None:
        """\\copy … from stdin: the rows stand below it."""
        end = re.compile(rb"^\\\.$", re.MULTILINE).search(file.text, file.at)
        line = file.text.find(b"\n", file.at) + 1
        if end is None or not line:
            self._note(file, "\\copy … from stdin has no rows below it", "end them with \\.")
            return
        self._put(head + file.text[line : end.end()] + b"\n")
        self._begin = len(self.out)
        file.at = end.end()

    def _encoding(self, file: _File, name: str, words: Sequence[str]) -> None:
        if words and words[0].upper().replace("-", "").replace("_", "") not in ("UTF8", "UNICODE", "SQLASCII"):
            self._note(
                file, f"\\encoding {words[0]}, and files are UTF-8 here", "write the file as UTF-8, and remove it"
            )

    def _quit(self, file: _File, name: str, words: Sequence[str]) -> None:
        file.is_ended = True
        if file.text[file.at :].partition(b"\n")[2].strip():
            self._note(file, "\\q ends it: what stands below is not run", is_open=False)
        self._branches = [b for b in self._branches if b.depth < len(self._stack)]

    def _forget(self, file: _File, name: str, words: Sequence[str]) -> None:
        """\\r, \\gdesc: the statement that stands there is not run."""
        del self.out[self._begin :]
        self._lines = self.out.count(b"\n") + 1

    def _change_folder(self, file: _File, name: str, words: Sequence[str]) -> None:
        if words and self.directory:
            self.directory = os.path.join(self.directory, words[0])
        else:
            self._note(file, f"\\{name}, and psql's own folder is not known", "write \\ir instead of \\i")

    _does: ClassVar[Mapping[str, Callable[[_Reading, _File, str, Sequence[str]], None]]] = {
        "set": _set,
        "unset": _unset,
        "prompt": _ask,
        "getenv": _ask,
        "g": _send,
        "gx": _send,
        "crosstabview": _send,
        "gset": _into_variables,
        "gexec": _execute,
        "i": _include,
        "ir": _include,
        "include": _include,
        "include_relative": _include,
        "copy": _copy,
        "encoding": _encoding,
        "q": _quit,
        "quit": _quit,
        "r": _forget,
        "reset": _forget,
        "gdesc": _forget,
        "cd": _change_folder,
    }


def _literal(value: str) -> bytes:
    doubled = value.replace("'", "''")
    return (" E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in value else f"'{doubled}'").encode()


def _unescaped(found: re.Match[str]) -> str:
    if found["hex"] or found["octal"]:
        return chr(int(found["hex"], 16) if found["hex"] else int(found["octal"], 8))
    return _ESCAPED.get(found["one"], found["one"]) if found["one"] else "'"


def _rows(path: str, options: bytes) -> tuple[bytes, str]:
    """The rows of a file as they stand below a COPY, and why not."""
    try:
        size = os.path.getsize(path)
        if size > _MOST_COPIED:
            return b"", f"which has {size:,} bytes"
        with open(path, "rb") as source:
            raw = source.read()
        raw.decode()
    except OSError as error:
        return b"", f"which cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return b"", "which is not UTF-8"
    said = options.lower()
    if re.search(rb"\bbinary\b|\bencoding\b", said) or b"\0" in raw:
        return b"", "which is not text in UTF-8"
    rows = raw.replace(b"\r\n", b"\n")
    is_csv = re.search(rb"\bcsv\b", said) is not None
    if b"\r" in rows or (is_csv and rows != raw and any(line.count(b'"') % 2 for line in rows.split(b"\n"))):
        return b"", "whose rows have line ends in them that would be changed"
    if re.search(rb"^\\\.$", rows, re.MULTILINE):
        if is_csv:
            return b"", "which has a line with \\. alone"
        rows = rows[: re.search(rb"^\\\.$", rows, re.MULTILINE).start()]  # type: ignore[union-attr]
    return rows + b"\n" * bool(rows and not rows.endswith(b"\n")), ""


def _above(path: str, root: str) -> list[str]:
    """The folders above a file, the nearest first, up to the root."""
    found = [os.path.dirname(path) or "."]
    while os.path.realpath(found[-1]) != os.path.realpath(root) and len(found) < _DEEPEST:
        found.append(os.path.join(found[-1], ".."))
    return [os.path.normpath(folder) for folder in found]


def _root_of(path: str, directory: str) -> str:
    """The folder beyond which nothing is read: that of the repository, else psql's own, or the one above the file's."""
    folder = os.path.dirname(path) or "."
    above = os.path.realpath(folder)
    while above != os.path.dirname(above):
        if os.path.exists(os.path.join(above, ".git")):
            return above
        above = os.path.dirname(above)
    return os.path.normpath(directory or os.path.join(folder, ".."))
