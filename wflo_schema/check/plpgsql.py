"""The body of a PL/pgSQL function as a tree of statements, cut by PostgreSQL's own scanner.

Hides the language's grammar.  Expressions stay as they are written, for PostgreSQL's own parser; what it may not
read as the server does (escapes, texts that depend on settings) stands there as an unknown name.  Knows no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from wflo_schema.files.tokens import Token, tokens
from wflo_schema.names import quote_always

# Stands in an expression for a text whose content is not known.
SOME_TEXT = '"?"'
# The condition of a handler that catches every error.
OTHERS = "others"

# What makes a variable's name of a word like ELSIF and EXCEPTION, which may be one.
_BEHIND_NAME = frozenset({":=", "=", ".", "["})
# What can follow the type of a variable.
_BEHIND_TYPE = frozenset({"collate", "not", "default", ":=", "="})

Path = tuple[str, ...]
"""A variable, or a variable and its column; longer where only a part of that is meant."""


class Unreadable(Exception):
    """The body is no PL/pgSQL that is understood here."""


@dataclass(frozen=True, slots=True)
class Return:
    """RETURN; the expression is empty where nothing is returned."""

    expression: str


@dataclass(frozen=True, slots=True)
class Raise:
    """RAISE of an error; a notice is no statement that counts."""


@dataclass(frozen=True, slots=True)
class Assign:
    """``target := expression``."""

    target: Path
    expression: str


@dataclass(frozen=True, slots=True)
class Fill:
    """INTO: ``query`` is a SELECT without it, empty where the values come from elsewhere."""

    targets: tuple[Path, ...]
    query: str


@dataclass(frozen=True, slots=True)
class Run:
    """A statement that may change rows: SQL without INTO, or EXECUTE and its expression."""

    query: str


@dataclass(frozen=True, slots=True)
class If:
    """Also a CASE, whose ``otherwise`` raises an error where it is not written."""

    branches: tuple[tuple[str, Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Loop:
    """``turns``: how it begins: always (LOOP, or from 1 to 3), while (a condition), or maybe (over rows)."""

    label: str
    turns: str
    condition: str
    targets: tuple[Path, ...]
    is_endless: bool
    body: Body


@dataclass(frozen=True, slots=True)
class Leave:
    """EXIT or CONTINUE.  An empty condition always holds."""

    is_exit: bool
    label: str
    condition: str


@dataclass(frozen=True, slots=True)
class Declared:
    """A variable with its first value, empty where it has none.  ``stands_for`` is what an ALIAS names."""

    name: str
    expression: str = ""
    stands_for: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """BEGIN … END.  Each of ``handlers`` has the conditions that it catches, and what it does then."""

    label: str
    declared: tuple[Declared, ...]
    body: Body
    handlers: tuple[tuple[frozenset[str], Body], ...]


Statement = Return | Raise | Assign | Fill | Run | If | Loop | Leave | Block
Body = tuple[Statement, ...]


@lru_cache(maxsize=256)
def parse(source: str, *, has_plain_texts: bool = True) -> Body:
    r"""Read a function's body.  Raise `Unreadable` where that cannot be done.

    ``has_plain_texts`` is False where standard_conforming_strings may be off: then '\' may be an escape.
    """
    found = list(tokens(source))
    while [t.text for t in found[:1]] == ["#"]:
        del found[:3]  # an option of the function: #variable_conflict use_column
    for token in found:
        if token.kind == "open" or (not has_plain_texts and token.text[:1] == "'" and "\\" in token.text):
            raise Unreadable(token.text)
    try:
        return _Parser(found).body(frozenset(), is_all=True)
    except (IndexError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def written(body: Iterable[Statement]) -> Iterator[Path]:
    """What the statements may give another value: a variable, or one column of it."""
    for one in body:
        if isinstance(one, Assign):
            yield one.target
        elif isinstance(one, Fill):
            yield from one.targets
        elif isinstance(one, If):
            for _, inner in one.branches:
                yield from written(inner)
            yield from written(one.otherwise)
        elif isinstance(one, Loop):
            yield from one.targets
            yield from written(one.body)
        elif isinstance(one, Block):
            yield from ((d.stands_for or d.name,) for d in one.declared)
            yield from written(one.body)
            for _, inner in one.handlers:
                yield from written(inner)


class _Parser:
    """Goes through the tokens once."""

    def __init__(self, found: Sequence[Token]) -> None:
        self.tokens = found
        # Keywords and signs; empty for what can be neither, as a column behind a dot: NEW.end
        self.words = [
            t.name if t.kind == "word" and (n == 0 or found[n - 1].text != ".") else t.text if t.kind == "sign" else ""
            for n, t in enumerate(found)
        ]
        self.place = 0

    def word(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.words[place] if place < len(self.words) else ""

    def name(self, place: int) -> str:
        return self.tokens[place].name

    def until(self, ends: Iterable[str], start: int) -> int:
        """The place of the next of these words outside of brackets.  Of a CASE, PL/pgSQL knows as little."""
        depth = 0
        place = start
        while True:
            word = self.words[place]
            if depth == 0 and word in ends:
                return place
            depth += (word in ("(", "[")) - (word in (")", "]"))
            place += 1

    def text(self, start: int, end: int) -> str:
        """An expression, without comments."""
        return " ".join(_spelled(t) for t in self.tokens[start:end])

    def upto(self, *ends: str) -> str:
        """The expression up to one of these words, which becomes the current one."""
        start, self.place = self.place, self.until(ends, self.place)
        return self.text(start, self.place)

    def after_semicolon(self) -> None:
        self.place = self.until((";",), self.place) + 1

    def body(self, ends: frozenset[str], *, is_all: bool = False) -> Body:
        """Statements up to one of these words."""
        found: list[Statement] = []
        label = ""
        while self.place < len(self.tokens) and not (self.word() in ends and self.word(1) not in _BEHIND_NAME):
            if self.word() == ";":
                self.place += 1
            elif self.word() == "<<":
                label = self.name(self.place + 1)
                self.place += 3
            else:
                found += self.statement(label)
                label = ""
        if self.place >= len(self.tokens) and not is_all:
            raise IndexError(self.place)
        return tuple(found)

    def statement(self, label: str) -> Iterable[Statement]:
        path, after = self.path(self.place)
        if path and self.words[after : after + 1] in ([":="], ["="]):
            self.place = after + 1
            found = Assign(path, self.upto(";"))
            return (found,)
        word = self.word()
        if word in ("declare", "begin"):
            return (self.block(label),)
        if word == "if":
            return (self.branches(),)
        if word == "case":
            return (self.cases(),)
        if word in ("loop", "while", "for", "foreach"):
            return self.loop(label, word)
        start = self.place
        self.after_semicolon()
        return self.simple(word, start, self.place - 1)

    def path(self, place: int) -> tuple[Path, int]:
        """The variable or column that stands here and the place behind it."""
        parts = [self.name(place)]
        place += 1
        while self.words[place : place + 1] == ["."]:
            parts.append(self.name(place + 1))
            place += 2
        while self.words[place : place + 1] == ["["]:
            parts += ["[]"] * (3 - len(parts))
            place = self.until(("]",), place + 1) + 1
        return (tuple(parts) if all(parts) else ()), place

    def simple(self, word: str, start: int, end: int) -> Iterable[Statement]:
        if word == "return":
            return (Return(self.text(start + 1, end)),)
        if word == "raise":
            is_note = self.words[start + 1] in ("debug", "log", "info", "notice", "warning")
            return () if is_note else (Raise(),)
        if word in ("exit", "continue"):
            place, label = start + 1, ""
            if place < end and self.words[place] != "when":
                label, place = self.name(place), place + 1
            return (Leave(word == "exit", label, self.text(place + 1, end)),)
        if word in ("call", "get", "open"):
            places = range(start + 1, end)
            return (Fill(tuple(self.path(n)[0] for n in places if self.is_name(n)), ""),)
        return self.into(word, start, end)

    def is_name(self, place: int) -> bool:
        return bool(self.name(place)) and self.tokens[place - 1].text != "."

    def into(self, word: str, start: int, end: int) -> Iterable[Statement]:
        depth = 0
        for place in range(start, end):
            depth += (self.words[place] in ("(", "[")) - (self.words[place] in (")", "]"))
            if depth or self.words[place] != "into" or self.words[place - 1] in ("insert", "merge"):
                continue
            targets, after = [], place + 1 + (self.words[place + 1] == "strict")
            while True:
                path, after = self.path(after)
                if not path:
                    raise Unreadable(self.text(start, end))
                targets.append(path)
                if self.words[after] != ",":
                    break
                after += 1
            query = f"{self.text(start, place)} {self.text(after, end)}"
            return (*_run(word, query), Fill(tuple(targets), query if word == "select" else ""))
        return _run(word, self.text(start, end))

    def block(self, label: str) -> Block:
        declared: list[Declared] = []
        while self.word() != "begin":
            if self.word() == "declare":
                self.place += 1
            else:
                declared += self.declaration()
        self.place += 1
        body = self.body(frozenset({"exception", "end"}))
        handlers: list[tuple[frozenset[str], Body]] = []
        if self.word() == "exception":
            self.place += 1
            while self.word() == "when":
                start = self.place + 1
                self.upto("then")
                caught = frozenset(self.words[start : self.place]) - {"or", ""}
                self.place += 1
                handlers.append((caught, self.body(frozenset({"when", "end"}))))
        self.after_end()
        return Block(label, tuple(declared), body, tuple(handlers))

    def after_end(self) -> None:
        """Behind END and what names it; the last one needs no semicolon."""
        left = self.words[self.place :]
        self.place += left.index(";") + 1 if ";" in left else len(left)

    def declaration(self) -> Iterable[Declared]:
        start = self.place
        self.after_semicolon()
        end = self.place - 1
        name, words = self.name(start), self.words[start + 1 : end]
        if words[:1] == ["alias"]:
            if len(words) != 3:
                raise Unreadable(self.text(start, end))  # of a variable behind a label
            return (Declared(name, stands_for=self.name(end - 1)),)
        if words[:1] == ["cursor"] or words[:2] == ["scroll", "cursor"] or words[:3] == ["no", "scroll", "cursor"]:
            return (Declared(name, SOME_TEXT),)
        first = start + 1 + (words[:1] == ["constant"])
        after = next((n for n in range(first, end) if self.words[n] in _BEHIND_TYPE), end)
        value = next((n + 1 for n in range(after, end) if self.words[n] in (":=", "=", "default")), end)
        return (Declared(name, self.text(value, end), type=self.text(first, after)),)

    def branches(self) -> If:
        """IF … ELSIF … ELSE … END IF."""
        found: list[tuple[str, Body]] = []
        otherwise: Body = ()
        while self.word() in ("if", "elsif", "elseif"):
            self.place += 1
            condition = self.upto("then")
            self.place += 1
            found.append((condition, self.body(frozenset({"elsif", "elseif", "else", "end"}))))
        if self.word() == "else":
            self.place += 1
            otherwise = self.body(frozenset({"end"}))
        self.after_end()
        return If(tuple(found), otherwise)

    def cases(self) -> If:
        """CASE [operand] WHEN … ELSE … END CASE."""
        self.place += 1
        operand = self.upto("when")
        found: list[tuple[str, Body]] = []
        otherwise: Body = (Raise(),)
        while self.word() == "when":
            self.place += 1
            condition = self.upto("then")
            self.place += 1
            condition = f"( {operand} ) IN ( {condition} )" if operand else condition
            found.append((condition, self.body(frozenset({"when", "else", "end"}))))
        if self.word() == "else":
            self.place += 1
            otherwise = self.body(frozenset({"end"}))
        self.after_end()
        return If(tuple(found), otherwise)

    def loop(self, label: str, word: str) -> Iterable[Statement]:
        start = self.place + 1
        self.place = self.until(("loop",), self.place)
        head, condition, targets = self.words[start : self.place], "", list[Path]()
        turns = "always" if word == "loop" else "maybe"
        over: Iterable[Statement] = ()
        if word == "while":
            turns, condition = "while", self.text(start, self.place)
        elif word in ("for", "foreach"):
            place = start
            while self.words[place] != "in" and (place == start or self.words[place] != "slice"):
                if self.is_name(place):
                    targets.append(self.path(place)[0])
                place += 1
            first = head.index("in") + 1
            over = _run(head[first], self.text(start + first, self.place))
            turns = "always" if _counts_up(head[first:]) else "maybe"
        self.place += 1
        body = self.body(frozenset({"end"}))
        self.after_end()
        return (*over, Loop(label, turns, condition, tuple(targets), word == "loop", body))


def _run(word: str, query: str) -> Iterable[Statement]:
    """The statement, where its first word says that it may change rows."""
    return (Run(query),) if word in ("update", "delete", "merge", "insert", "with", "truncate", "execute") else ()


def _counts_up(head: Sequence[str]) -> bool:
    """Whether a FOR goes over numbers, the first of which is surely there, as 1 .. 3."""
    is_range = len(head) == 3 and head[1] == ".." and head[0].isdecimal() and head[2].isdecimal()
    return is_range and int(head[0]) <= int(head[2])


def _spelled(token: Token) -> str:
    if token.kind == "text":
        return SOME_TEXT if token.value is None else "'" + token.value.replace("'", "''") + "'"
    return quote_always(token.name) if token.kind == "quoted" else token.text
