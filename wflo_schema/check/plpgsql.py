"""Say what a PL/pgSQL trigger function does to one kind of event: lets it pass, stops it or fails, without running it.

Hides the language's statements.  Conditions on what is known of the event (TG_OP, TG_TABLE_NAME …), on
pg_trigger_depth() and on the row that an event lacks are decided; every other condition may hold or not.
Follows variables from their assignment to RETURN.  Knows no database.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wflo_schema.files.tokens import tokens
from wflo_schema.names import quote

# pg_trigger_depth() in a row trigger that a foreign key's own query fires: the key's trigger is the first.
_DEPTH_IN_A_CASCADE = 2

# Stands for a text whose content is not known.
_SOME_TEXT = "'"
_TEXT_TYPES = (["text"], ["varchar"], ["name"])
_EVENT_NAME = re.compile(r"old|new|tg_[a-z]+")

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Effect(enum.Enum):
    """What a trigger does to the row or statement that fires it."""

    PASSES = "lets it pass"
    STOPS = "can cancel it without a word, or undo it"
    FAILS = "always raises an error"
    UNCLEAR = "cannot be known"


@dataclass(frozen=True, slots=True)
class Returned:
    """``expressions`` that RETURN can reach, in upper case, and the ``code`` without comments and texts.

    ``values`` are what they can be: the row ``old`` or ``new``, ``null``, another ``row``, or ``?``.
    ``is_unclear`` says that a condition on the event could not be decided, ``asks_depth`` that one
    asks pg_trigger_depth() in a way that could not.  No expressions: none can be reached.
    """

    expressions: frozenset[str]
    values: frozenset[str]
    code: str
    is_unclear: bool
    asks_depth: bool


_Values = dict[str, frozenset[str]]
_NULL, _UNKNOWN, _ROW = frozenset({"null"}), frozenset({"?"}), frozenset({"row"})


def returned(source: str, event: str, known: Mapping[str, str] | None = None) -> Returned:
    """What the body of a trigger's function can return on ``event``: insert, update or delete.

    ``known`` are more of the TG_ variables, in lower case: ``{"tg_level": "ROW", "tg_argv[0]": "x"}``.
    """
    words = list(_words(source))
    while words[:1] == ["#"]:
        del words[:3]  # an option of the function: #variable_conflict use_column
    code = " ".join("' '" if w.startswith("'") else w for w in words)
    walk = _Walk(words, event.upper(), known=dict(known or {}))
    try:
        walk.block(0, frozenset(), is_alive=True)
    except (IndexError, ValueError, RecursionError):
        walk.found |= set(re.findall(r"\breturn\b\s*([^;]*);", code, re.IGNORECASE))
        walk.results |= _UNKNOWN
        walk.is_unclear = True
    return Returned(
        frozenset(_plain(f) for f in walk.found), frozenset(walk.results), code, walk.is_unclear, walk.asks_depth
    )


def effect(source: str, event: str, columns: Iterable[str] = (), *, known: Mapping[str, str] | None = None) -> Effect:
    """What a BEFORE ROW trigger's function does to the event, delete or update.

    ``columns`` are those that the UPDATE sets, ``known`` as in `returned`.
    """
    seen = returned(source, event, known)
    if not seen.values:
        return Effect.UNCLEAR if seen.is_unclear or seen.asks_depth else Effect.FAILS
    lost = seen.values & {"null", *(() if event == "delete" else ("old",))}
    if lost:
        is_certain = lost == seen.values or not (seen.is_unclear or seen.asks_depth)
        return Effect.STOPS if is_certain else Effect.UNCLEAR
    if "?" in seen.values or (event != "delete" and "row" in seen.values):
        return Effect.UNCLEAR
    return Effect.PASSES if event == "delete" else _kept(seen.code, columns)


def _kept(code: str, columns: Iterable[str]) -> Effect:
    """Whether the function puts what the key takes away back into the new row, which it returns."""
    found = Effect.PASSES
    for column in columns:
        name = rf'(?:{re.escape(column)}|"{re.escape(quote(column).strip(chr(34)))}")'
        values = re.findall(rf"\bNEW\s*\.\s*{name}\s*:?=([^;]*);", code, re.IGNORECASE)
        into = rf"([^;]*)\bINTO\b(?:(?!\bFROM\b)[^;])*?\bNEW\s*\.\s*{name}(?![\w$])([^;]*);"
        values += [" ".join(m) for m in re.findall(into, code, re.IGNORECASE)]
        for value in values:
            if re.search(r"\bOLD\b", value, re.IGNORECASE):
                return Effect.STOPS
            if value.strip().upper() != "NULL":
                found = Effect.UNCLEAR
    return found


def condition_holds(text: str, event: str) -> bool | None:
    """Whether a trigger's WHEN holds for what a key's own query does; None: for some rows, or not known."""
    walk = _Walk([], event.upper(), depth_here=_DEPTH_IN_A_CASCADE - 1)
    return walk.holds(list(_words(text)))


def speaks_of_rows(source: str) -> bool:
    """Whether the body names the row that an event finds or makes."""
    return any(word.lower() in ("old", "new") for word in _words(source))


def _words(source: str) -> Iterator[str]:
    """As `tokens` are written, but texts: each 'in these quotes', or `_SOME_TEXT`."""
    for token in tokens(source):
        if token.kind == "text":
            yield _SOME_TEXT if token.value is None else "'" + token.value.replace("'", "''") + "'"
        elif token.kind == "quoted" and not _EVENT_NAME.fullmatch(token.name):
            yield '"' + token.name.replace('"', '""') + '"'
        else:
            yield token.name or token.text


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


def _name(token: str) -> str:
    return token[1:-1].replace('""', '"') if token.startswith('"') else token.lower()


def _joined(*states: Mapping[str, frozenset[str]]) -> _Values:
    return {n: frozenset().union(*(s.get(n, frozenset()) for s in states)) for n in {n for s in states for n in s}}


@dataclass(slots=True)
class _Walk:
    tokens: list[str]
    event: str
    known: dict[str, str] = field(default_factory=dict)
    depth_here: int = _DEPTH_IN_A_CASCADE
    found: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    is_unclear: bool = False
    asks_depth: bool = False
    values: _Values = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    recorders: list[dict[str, set[str]]] = field(default_factory=list)
    """What each variable was given inside of each loop and block that is being walked."""

    def __post_init__(self) -> None:
        self.known.setdefault("tg_op", self.event)
        self.values = {
            "old": _NULL if self.event == "INSERT" else frozenset({"old"}),
            "new": _NULL if self.event == "DELETE" else frozenset({"new"}),
        }

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

    def give(self, name: str, value: frozenset[str]) -> None:
        name = self.aliases.get(name, name)
        self.values[name] = value
        for recorder in self.recorders:
            recorder.setdefault(name, set()).update(value)

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
        if word == "<<":
            return place + 3, is_alive  # a label
        if word == "declare":
            return self.declarations(place + 1), is_alive
        if word == "begin":
            return self.compound(place + 1, is_alive=is_alive)
        if word == "if":
            return self.branches(place, frozenset({"elsif", "elseif"}), "if", (), is_alive=is_alive)
        if word == "case":
            start = self.until(place + 1, frozenset({"when"}))
            return self.branches(start, frozenset({"when"}), "case", self.tokens[place + 1 : start], is_alive=is_alive)
        if word in ("loop", "while", "for", "foreach"):
            return self.loop(place, word, is_alive=is_alive)
        end = self.until(place, frozenset({";"}))
        if not is_alive:
            return end + 1, False
        if word == "return":
            self.found.add(" ".join(self.tokens[place + 1 : end]))
            self.results |= self.value(self.tokens[place + 1 : end])
            return end + 1, False
        self.assign(self.tokens[place:end])
        is_refused = word == "raise" and self.at(place + 1) not in ("debug", "log", "info", "notice", "warning")
        return end + 1, not is_refused

    def declarations(self, place: int) -> int:
        while self.at(place) != "begin":
            end = self.until(place, frozenset({";"}))
            name, words = _name(self.tokens[place]), self.tokens[place + 1 : end]
            starts = [n for n, w in enumerate(words) if w.lower() in (":=", "=", "default")]
            if words[:1] and words[0].lower() == "alias":
                self.aliases[name] = _name(words[-1])
            elif name in self.values:
                self.give(name, _UNKNOWN)
            else:
                self.give(name, self.value(words[starts[0] + 1 :]) if starts else _NULL)
            place = end + 1
        return place

    def loop(self, place: int, word: str, *, is_alive: bool) -> tuple[int, bool]:
        body = self.until(place, frozenset({"loop"})) + 1
        started, recorder = dict(self.values), dict[str, set[str]]()
        self.recorders.append(recorder)
        for _ in range(3):  # what the end of one turn leaves, the next one finds
            if word in ("for", "foreach") and is_alive:
                for token in self.tokens[place + 1 : body]:
                    if token.lower() in ("in", "slice"):
                        break
                    if _name(token) in self.values:
                        self.give(_name(token), _UNKNOWN)
            end, _ = self.block(body, frozenset({"end"}), is_alive=is_alive)
            self.values = _joined(started, self.values, _frozen(recorder))
        self.recorders.pop()
        return self.tokens.index(";", end) + 1, is_alive

    def assign(self, words: Sequence[str]) -> None:
        """Note what a statement does to variables."""
        first = _name(words[0])
        if len(words) > 2 and words[1] in (":=", "="):
            self.give(first, self.value(words[2:]))
        elif len(words) > 4 and words[1] == "." and words[3] in (":=", "="):
            self.filled(first)
        elif words[0].lower() == "call":
            for token in words:
                if _name(token) in self.values:
                    self.give(_name(token), _UNKNOWN)
        else:
            depth = 0
            for number, token in enumerate(words):
                depth += (token == "(") - (token == ")")
                before = words[number - 1].lower() if number else ""
                if depth == 0 and token.lower() == "into" and before not in ("insert", "merge"):
                    self.into(words[number + 1 :])

    def into(self, words: Sequence[str]) -> None:
        words = words[1:] if words and words[0].lower() == "strict" else words
        while words:
            if words[1:2] == ["."]:
                self.filled(_name(words[0]))
                words = words[3:]
            else:
                self.give(_name(words[0]), _UNKNOWN)
                words = words[1:]
            if words[:1] != [","]:
                return
            words = words[1:]

    def filled(self, name: str) -> None:
        """A column was set, so the row is not NULL."""
        now = self.values.get(self.aliases.get(name, name), _UNKNOWN)
        if "null" in now:
            self.give(name, _UNKNOWN if name in ("old", "new") else now - _NULL | _ROW)

    def value(self, words: Sequence[str]) -> frozenset[str]:
        """Which of old, new, null, another row or unknown (?) an expression can be."""
        words = _without_cast(words)
        while _is_wrapped(words):
            words = _without_cast(words[1:-1])
        first = words[0].lower() if words else ""
        if len(words) == 1:
            name = _name(words[0])
            return _NULL if first == "null" else self.values.get(self.aliases.get(name, name), _UNKNOWN)
        if first == "coalesce" and _is_wrapped(words[1:]):
            found: frozenset[str] = frozenset()
            for part in _split(words[2:-1], ","):
                one = self.value(part)
                found |= one - _NULL
                if "?" not in one and "null" not in one:
                    return found
            return found | _NULL
        if first == "cast" and _is_wrapped(words[1:]):
            return self.value(_split(words[2:-1], "as")[0])
        if first == "row" and _is_wrapped(words[1:]):
            return _ROW
        if first == "case" and words[-1].lower() == "end":
            return self.case(words[1:-1])
        return _UNKNOWN

    def case(self, words: Sequence[str]) -> frozenset[str]:
        parts: list[tuple[str, list[str]]] = [("operand", [])]
        depth = cases = 0
        for word in words:
            low = word.lower()
            depth += (low == "(") - (low == ")")
            if depth == 0 and cases == 0 and low in ("when", "then", "else"):
                parts.append((low, []))
            else:
                cases += (low == "case") - (low == "end")
                parts[-1][1].append(word)
        operand, found, holds = parts[0][1], frozenset[str](), None
        for kind, part in parts[1:]:
            if kind == "when":
                holds = self.holds([*operand, "=", *part] if operand else part)
            elif kind == "else":
                return found | self.value(part)
            elif holds is not False:
                found |= self.value(part)
                if holds:
                    return found
        return found | _NULL

    def compound(self, place: int, *, is_alive: bool) -> tuple[int, bool]:
        """BEGIN … [EXCEPTION WHEN … THEN …] END; a handler can be reached wherever the block can."""
        began, started, recorder = place, dict(self.values), dict[str, set[str]]()
        self.recorders.append(recorder)
        place, after = self.block(place, frozenset({"exception", "end"}), is_alive=is_alive)
        self.recorders.pop()
        anywhere = _joined(started, self.values, _frozen(recorder))
        ends = [self.values] if after else []
        if is_alive and "exit" in (t.lower() for t in self.tokens[began:place]):
            after, ends = True, [anywhere]
        if self.at(place) == "exception":
            place += 1
            while self.at(place) == "when":
                self.values = dict(anywhere)
                place = self.until(place, frozenset({"then"})) + 1
                place, handled = self.block(place, frozenset({"when", "end"}), is_alive=is_alive)
                after = after or handled
                ends += [self.values] if handled else []
        self.values = _joined(*ends) if ends else anywhere
        if ";" not in self.tokens[place:]:
            return len(self.tokens), after
        return self.tokens.index(";", place) + 1, after

    def branches(
        self, place: int, again: frozenset[str], closing: str, operand: Sequence[str], *, is_alive: bool
    ) -> tuple[int, bool]:
        """IF … ELSIF … ELSE … END IF, or CASE [operand] WHEN … ELSE … END CASE."""
        left, after = is_alive, False
        first, started, ends = True, dict(self.values), list[_Values]()
        while first or self.at(place) in again:
            first = False
            then = self.until(place + 1, frozenset({"then"}))
            condition = self.tokens[place + 1 : then]
            if operand:
                condition = [*operand, "in", "(", *condition, ")"]
            holds = self.holds(condition) if left else None
            self.values = dict(started)
            place, goes_on = self.block(then + 1, again | {"else", "end"}, is_alive=left and holds is not False)
            ends += [self.values] if goes_on else []
            after = after or goes_on
            left = left and holds is not True
        self.values = dict(started)
        if self.at(place) == "else":
            place, goes_on = self.block(place + 1, frozenset({"end"}), is_alive=left)
            ends += [self.values] if goes_on else []
            after = after or goes_on
        elif closing == "if":
            ends += [self.values] if left else []
            after = after or left
        self.values = _joined(*ends) if ends else started
        return self.tokens.index(";", place) + 1, after

    def holds(self, condition: Sequence[str]) -> bool | None:
        while _is_wrapped(condition):
            condition = condition[1:-1]
        for word, decisive in (("or", True), ("and", False)):
            parts = _split(condition, word)
            if len(parts) > 1 and not (word == "and" and "between" in (c.lower() for c in condition)):
                said = [self.holds(p) for p in parts]
                return decisive if decisive in said else None if None in said else not decisive
        if condition and condition[0].lower() == "not":
            inner = self.holds(condition[1:])
            return None if inner is None else not inner
        return self.simple([c if c.startswith("'") else c.lower() for c in condition])

    def simple(self, words: list[str]) -> bool | None:
        if words in (["true"], ["false"]):
            return words == ["true"]
        gone = {"DELETE": "new", "INSERT": "old"}.get(self.event)
        decided = _compared(self.spelled_out(words))
        if decided is not None:
            return decided
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

    def spelled_out(self, words: Sequence[str]) -> list[str]:
        """The words, each TG_ variable that is known replaced by its text."""
        spelled: list[str] = []
        place = 0
        while place < len(words):
            name, size = words[place], 1
            if words[place + 1 : place + 2] == ["["] and words[place + 3 : place + 4] == ["]"]:
                name, size = "".join(words[place : place + 4]), 4
            if (
                words[place] == "::"
                and words[place + 1 : place + 2] in _TEXT_TYPES
                and spelled
                and _is_literal(spelled[-1])
            ):
                place += 2  # it was a text
            elif name in self.known:
                value = self.known[name].replace("'", "''")
                spelled.append(value if name == "tg_nargs" else f"'{value}'")
                place += size
            else:
                spelled.append(words[place])
                place += 1
        return spelled

    def depth(self, words: list[str]) -> bool | None:
        if words[2:] == ["pg_trigger_depth", "(", ")"]:
            words = [*words[2:], _FLIPPED.get(words[1], words[1]), words[0]]
        if words[:3] == ["pg_trigger_depth", "(", ")"] and len(words) == 5 and words[4].isdecimal():
            number = int(words[4])
            if words[3] in (">", ">=") and number <= self.depth_here - (words[3] == ">"):
                return True
            if words[3] in ("<", "<=", "=") and number < self.depth_here + (words[3] == "<"):
                return False
            if words[3] in ("<>", "!=") and number < self.depth_here:
                return True
            return None  # a key's query can be at any greater depth
        self.asks_depth = True
        return None


def _frozen(recorder: Mapping[str, set[str]]) -> _Values:
    return {name: frozenset(values) for name, values in recorder.items()}


def _without_cast(words: Sequence[str]) -> Sequence[str]:
    depth = 0
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == "::":
            return words[:place]
    return words


def _is_literal(word: str) -> bool:
    return word.startswith("'") and word != _SOME_TEXT


def _is_same(one: str, other: str) -> bool | None:
    if one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    return one == other if _is_literal(one) and _is_literal(other) else None


def _compared(words: Sequence[str]) -> bool | None:
    """The truth of a comparison of texts, or of numbers, with each other."""
    if len(words) == 3 and words[1] in ("=", "<>", "!="):
        is_same = _is_same(words[0], words[2])
        return is_same if words[1] == "=" or is_same is None else not is_same
    is_negated = words[1:2] == ["not"]
    opening, listed = words[1 + is_negated : 3 + is_negated], words[3 + is_negated : -1]
    if opening == ["in", "("] and words[-1] == ")" and all(comma == "," for comma in listed[1::2]):
        said = [_is_same(words[0], item) for item in listed[::2]]
        return None if None in said else (True in said) is not is_negated
    return None
