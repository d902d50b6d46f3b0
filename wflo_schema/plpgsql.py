"""Say what a PL/pgSQL trigger function can return for one kind of event, and whether that stops it, without running it.

Hides the language's statements.  Conditions on TG_OP, on pg_trigger_depth() and on the row that an
event lacks are decided; every other condition may hold or not.  Knows no database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wflo_schema.contract import identifier

_TOKEN = re.compile(
    r"""
      (?P<skip> \s+ | --[^\n]* | /\*.*?\*/ | <<\s*\w+\s*>> )
    | (?P<text> [eE]?'(?:[^'\\]|''|\\.)*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<word> "(?:[^"]|"")+" | [^\W\d][\w$]* )
    | (?P<sign> := | <> | != | <= | >= | \d[\w.]* | . )
    """,
    re.DOTALL | re.VERBOSE,
)
_DEPTH_IN_A_CASCADE = 2
# pg_trigger_depth() in a row trigger that a foreign key's own query fires: the key's trigger is the first.
_NULL = re.compile(r"\bNULL\b", re.IGNORECASE)
_IS_NULL = re.compile(r"\bIS\s+(?:NOT\s+)?NULL\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Returned:
    """``expressions`` that RETURN can reach, in upper case, and the ``code`` without comments and texts.

    ``is_unclear`` says that a condition on the event could not be decided, ``asks_depth`` that one
    asks pg_trigger_depth() in a way that could not.  No expressions: none can be reached.
    """

    expressions: frozenset[str]
    code: str
    is_unclear: bool
    asks_depth: bool


def returned(source: str, event: str) -> Returned:
    """What the body of a row trigger's function can return on ``event``: insert, update or delete."""
    tokens = list(_tokens(source))
    code = " ".join("' '" if t.startswith(("'", "$")) and len(t) > 1 else t for t in tokens)
    walk = _Walk(tokens, event.upper())
    try:
        walk.block(0, frozenset(), is_alive=True)
    except (IndexError, ValueError, RecursionError):
        walk.found |= set(re.findall(r"\breturn\b\s*([^;]*);", code, re.IGNORECASE))
        walk.is_unclear = True
    return Returned(frozenset(_plain(f) for f in walk.found), code, walk.is_unclear, walk.asks_depth)


def can_stop(source: str, event: str, columns: Iterable[str] = ()) -> bool | None:
    """Whether the body of a BEFORE ROW trigger's function cancels the event (delete or update), or undoes it.

    True, False, or None where that cannot be known.  ``columns`` are those that the UPDATE sets.
    """
    seen = returned(source, event)
    expressions = seen.expressions
    if not expressions:
        return None
    kept, lost = ("OLD", "NEW") if event == "delete" else ("NEW", "OLD")
    stops: bool | None = None
    if expressions == {lost} or any(_NULL.search(_IS_NULL.sub(" ", e)) for e in expressions):
        stops = True
    elif lost in expressions and not seen.is_unclear:
        stops = True
    elif expressions == {kept}:
        stops = _is_undone(seen.code, kept, lost, columns)
    elif len(expressions) == 1:
        stops = _is_lost(seen.code, next(iter(expressions)), kept)
    return None if stops and seen.asks_depth else stops


def _is_undone(code: str, kept: str, lost: str, columns: Iterable[str]) -> bool | None:
    """Whether the row that is returned was emptied, or was given back the value that the key takes away."""
    if re.search(rf"\b{kept}\s*:?=\s*(?:NULL|{lost})\s*;", code, re.IGNORECASE):
        return True
    undone: bool | None = False
    if re.search(rf"\b{kept}\s*:?=|\binto\s+(?:strict\s+)?{kept}\b", code, re.IGNORECASE):
        undone = None
    for column in columns if kept == "NEW" else ():
        name = rf'(?:{re.escape(column)}|"{re.escape(identifier(column).strip(chr(34)))}")'
        for value in re.findall(rf"\bNEW\s*\.\s*{name}\s*:?=([^;]*);", code, re.IGNORECASE):
            if re.search(r"\bOLD\b", value, re.IGNORECASE):
                return True
            if value.strip().upper() != "NULL":
                undone = None
    return undone


def _is_lost(code: str, variable: str, kept: str) -> bool | None:
    """Whether the variable that is returned is always NULL, always the row, or who knows."""
    if not re.fullmatch(r"[A-Z_]\w*", variable):
        return None
    if re.search(rf"\b(?:into|for)\s+(?:strict\s+)?{variable}\b|,\s*{variable}\b", code, re.IGNORECASE):
        return None
    found = re.findall(rf"(?<![\w.]){variable}\s*:?=(?!=)([^;]*);", code, re.IGNORECASE)
    values = {v.strip().upper() for v in found}
    return True if values == {"NULL"} else False if values == {kept} else None


def _tokens(source: str) -> Iterator[str]:
    for match in _TOKEN.finditer(source):
        if match["text"]:
            yield "'" + match["text"].strip("eE").strip("'") + "'"
        elif not match["skip"]:
            yield match[0]


def _plain(text: str) -> str:
    return " ".join(text.split()).strip("() ").upper()


def _split(tokens: Sequence[str], word: str) -> list[list[str]]:
    """Cut at a word that stands outside of brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth == 0 and token.lower() == word:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _is_wrapped(tokens: Sequence[str]) -> bool:
    depth = 0
    for number, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return number == len(tokens) - 1 and number > 0
    return False


@dataclass(slots=True)
class _Walk:
    tokens: list[str]
    event: str
    found: set[str] = field(default_factory=set)
    is_unclear: bool = False
    asks_depth: bool = False

    def at(self, place: int) -> str:
        return self.tokens[place].lower() if place < len(self.tokens) else ""

    def until(self, place: int, ends: frozenset[str]) -> int:
        """The place of the next of these words outside of brackets and CASE expressions."""
        depth = cases = 0
        while True:
            word = self.tokens[place].lower()
            if depth == 0 and cases == 0 and word in ends:
                return place
            depth += (word == "(") - (word == ")")
            cases += (word == "case") - (word == "end")
            place += 1

    def block(self, place: int, ends: frozenset[str], *, is_alive: bool) -> tuple[int, bool]:
        """Walk statements up to one of these words.  Return its place and whether it can be reached."""
        while place < len(self.tokens) and self.at(place) not in ends:
            place, is_alive = self.statement(place, is_alive=is_alive)
        if ends and place >= len(self.tokens):
            raise IndexError(place)
        return place, is_alive

    def statement(self, place: int, *, is_alive: bool) -> tuple[int, bool]:
        word = self.at(place)
        if word == ";":
            return place + 1, is_alive
        if word == "declare":
            return self.until_begin(place + 1), is_alive
        if word == "begin":
            return self.compound(place + 1, is_alive=is_alive)
        if word == "if":
            return self.branches(place, frozenset({"elsif", "elseif"}), "if", (), is_alive=is_alive)
        if word == "case":
            start = self.until(place + 1, frozenset({"when"}))
            return self.branches(start, frozenset({"when"}), "case", self.tokens[place + 1 : start], is_alive=is_alive)
        if word in ("loop", "while", "for", "foreach"):
            body = self.until(place, frozenset({"loop"})) + 1
            end, _ = self.block(body, frozenset({"end"}), is_alive=is_alive)
            return self.tokens.index(";", end) + 1, is_alive
        end = self.until(place, frozenset({";"}))
        if word == "return" and is_alive:
            self.found.add(" ".join(self.tokens[place + 1 : end]))
        is_refused = word == "raise" and self.at(place + 1) not in ("debug", "log", "info", "notice", "warning")
        return end + 1, is_alive and word != "return" and not is_refused

    def until_begin(self, place: int) -> int:
        while self.at(place) != "begin":
            place = self.until(place, frozenset({";"})) + 1
        return place

    def compound(self, place: int, *, is_alive: bool) -> tuple[int, bool]:
        """BEGIN … [EXCEPTION WHEN … THEN …] END; a handler can be reached wherever the block can."""
        place, after = self.block(place, frozenset({"exception", "end"}), is_alive=is_alive)
        if self.at(place) == "exception":
            place += 1
            while self.at(place) == "when":
                place = self.until(place, frozenset({"then"})) + 1
                place, handled = self.block(place, frozenset({"when", "end"}), is_alive=is_alive)
                after = after or handled
        if ";" not in self.tokens[place:]:
            return len(self.tokens), after
        return self.tokens.index(";", place) + 1, after

    def branches(
        self, place: int, again: frozenset[str], closing: str, operand: Sequence[str], *, is_alive: bool
    ) -> tuple[int, bool]:
        """IF … ELSIF … ELSE … END IF, or CASE [operand] WHEN … ELSE … END CASE."""
        left, after = is_alive, False
        first = True
        while first or self.at(place) in again:
            first = False
            then = self.until(place + 1, frozenset({"then"}))
            condition = self.tokens[place + 1 : then]
            if operand:
                condition = [*operand, "in", "(", *condition, ")"]
            holds = self.holds(condition) if left else None
            place, goes_on = self.block(then + 1, again | {"else", "end"}, is_alive=left and holds is not False)
            after = after or goes_on
            left = left and holds is not True
        if self.at(place) == "else":
            place, goes_on = self.block(place + 1, frozenset({"end"}), is_alive=left)
            after = after or goes_on
        elif closing == "if":
            after = after or left
        return self.tokens.index(";", place) + 1, after

    def holds(self, condition: Sequence[str]) -> bool | None:
        while _is_wrapped(condition):
            condition = condition[1:-1]
        for word, decisive in (("or", True), ("and", False)):
            parts = _split(condition, word)
            if len(parts) > 1:
                said = [self.holds(p) for p in parts]
                return decisive if decisive in said else None if None in said else not decisive
        if condition and condition[0].lower() == "not":
            inner = self.holds(condition[1:])
            return None if inner is None else not inner
        return self.simple([c if c.startswith("'") else c.lower() for c in condition])

    def simple(self, words: list[str]) -> bool | None:
        gone = {"DELETE": "new", "INSERT": "old"}.get(self.event)
        here = f"'{self.event}'"
        if len(words) == 3 and words[2] == "tg_op":
            words = words[::-1]
        if words[:1] == ["tg_op"] and len(words) == 3 and words[2].startswith("'"):
            if words[1] == "=":
                return words[2] == here
            if words[1] in ("<>", "!="):
                return words[2] != here
        if words[:3] == ["tg_op", "in", "("] and words[-1] == ")":
            return here in words[3:-1]
        if words[:4] == ["tg_op", "not", "in", "("] and words[-1] == ")":
            return here not in words[4:-1]
        if gone and words == [gone, "is", "null"]:
            return True
        if gone and words == [gone, "is", "not", "null"]:
            return False
        if words == ["old" if gone == "new" else "new", "is", "null"]:
            return False
        if "pg_trigger_depth" in words:
            return self.depth([w for w in words if w not in ("pg_catalog", ".")])
        if any(w == gone or w.startswith("tg_") for w in words):
            self.is_unclear = True
        return None

    def depth(self, words: list[str]) -> bool | None:
        if words[:3] == ["pg_trigger_depth", "(", ")"] and len(words) == 5 and words[4].isdecimal():
            number = int(words[4])
            if words[3] in (">", ">=") and number <= _DEPTH_IN_A_CASCADE - (words[3] == ">"):
                return True
            if words[3] in ("<", "<=", "=") and number < _DEPTH_IN_A_CASCADE + (words[3] == "<"):
                return False
            if words[3] in ("<>", "!=") and number < _DEPTH_IN_A_CASCADE:
                return True
        self.asks_depth = True
        return None
