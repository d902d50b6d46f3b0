"""PL/pgSQL that puts together the text that it runs, or commits: a look is written into it where it does so.

Hides where in the language that is.  What is written is handed in, between marks by which it is taken out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wflo_schema.files.script import Statement
from wflo_schema.files.tokens import Token, tokens

# Behind these words a statement begins, and behind the others a text that RETURN QUERY, FOR or OPEN runs.
_BEGINS = frozenset({";", "begin", "then", "else", "loop"})
_RUNS_BEHIND = _BEGINS | {"query", "in", "for"}
# Functions that run the text that is their first argument.
RUNS_TEXT = re.compile(r"\b(?:query_to_xml\w*|ts_stat|crosstab\w*)\b")
_USES = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "EXPLAIN", "CALL", "VALUES")

_COMMITS = frozenset({"commit", "rollback", "call"})
_ENDS_ARGUMENT = frozenset({",", ")"})
_ENDS = frozenset({";", "into", "using", "loop"})


@dataclass(frozen=True, slots=True)
class Looks:
    """What is written into code: around a text that it runs, before it commits, and around all of it, to look last.

    ``refuse``: what, before SQL or around PL/pgSQL, fails, and says that ``{}`` was about to run.
    """

    around: tuple[str, str]
    before_commit: str
    around_all: tuple[str, str]
    refuse: tuple[str, str, str]

    def into(self, statement: Statement, *, runs_alone: bool) -> str:
        """The statement, or the code of a DO, function or procedure, with the looks in it; empty where it needs none.

        ``runs_alone``: no transaction is around it, so what it does behind its last COMMIT is looked at, too.
        """
        text = statement.text
        lower = text.lower()
        runs_text = RUNS_TEXT.search(lower) is not None
        if runs_text and statement.first_word in _USES:
            return self._written(text, self._around_arguments(list(tokens(text))))
        if statement.first_word not in ("DO", "CREATE"):
            return ""
        if not runs_text and not any(word in lower for word in ("execute", *_COMMITS)):
            return ""
        found = list(tokens(text))
        body, _ = _body(found)
        code = None if body is None else _value(body)
        if body is None or code is None:
            return ""
        is_procedure = any(t.text.upper() == "PROCEDURE" for t in found[1:4])
        made = self._into_code(code, ends_alone=is_procedure or (runs_alone and statement.first_word == "DO"))
        if made == code:
            return ""
        return text[: body.start] + _quoted(body, made) + text[body.end :]

    def refusing(self, statement: Statement, what: str) -> str:
        """The definition of a function whose code leaves the server, so that it says that when it is run."""
        text = statement.text
        body, language = _body(list(tokens(text)))
        code = None if body is None else _value(body)
        if body is None or code is None:
            return ""
        in_sql, before, behind = (one.replace("{}", what.replace("'", "''")) for one in self.refuse)
        if language == "sql":
            code = in_sql + code
        else:
            start, end = _span(list(tokens(code)))
            code = self._written(code, [(start, before), (end, behind)])
        return text[: body.start] + _quoted(body, code) + text[body.end :]

    def _into_code(self, code: str, *, ends_alone: bool) -> str:
        found = list(tokens(code))
        words = [t.text.lower() if t.kind in ("word", "sign") else "" for t in found]
        if any(t.kind == "open" for t in found):
            return code
        ends_alone = ends_alone and not _COMMITS.isdisjoint(words)
        writes: list[tuple[int, str]] = []
        for at, (before, word) in enumerate(zip(["", *words], words, strict=False)):
            if word == "execute" and before in _RUNS_BEHIND and at + 1 < len(words):
                end = _end_of_text(words, at + 1)
                if end > at + 1:
                    writes += [(found[at + 1].start, self.around[0]), (found[end - 1].end, self.around[1])]
            elif before in _BEGINS and (word == "commit" or (word == "return" and ends_alone)):
                writes.append((found[at].start, self.before_commit))
        if ends_alone:
            start, end = _span(found)
            writes = [(start, self.around_all[0]), *writes, (end, self.around_all[1])]
        return self._written(code, [*writes, *self._around_arguments(found)])

    def _around_arguments(self, found: Sequence[Token]) -> Iterator[tuple[int, str]]:
        """What is written around the first arguments of functions that run them."""
        for at, token in enumerate(found[:-3]):
            if RUNS_TEXT.fullmatch(token.name) and found[at + 1].text == "(":
                start = at + 4 if found[at + 3].text in ("=>", ":=") else at + 2
                end = _end_of_text([t.text for t in found], start, _ENDS_ARGUMENT)
                if end > start:
                    yield found[start].start, self.around[0]
                    yield found[end - 1].end, self.around[1]

    @staticmethod
    def _written(code: str, writes: Iterable[tuple[int, str]]) -> str:
        for place, written in sorted(writes, key=lambda one: one[0], reverse=True):
            code = code[:place] + written + code[place:]
        return code


def _end_of_text(words: Sequence[str], start: int, ends: frozenset[str] = _ENDS) -> int:
    """The place behind the expression that begins there."""
    depth = 0
    for at in range(start, len(words)):
        if depth == 0 and words[at] in ends:
            return at
        depth += (words[at] in ("(", "[")) - (words[at] in (")", "]"))
    return start


def _span(code: Sequence[Token]) -> tuple[int, int]:
    """Where the block of PL/pgSQL begins, behind its options, and where it ends."""
    at = 0
    while at + 3 < len(code) and code[at].text == "#":
        at += 3
    last = code[-2] if code[-1].text == ";" else code[-1]
    return (code[at].start if at else 0), last.end


def holds_code(found: Sequence[Token]) -> bool:
    """Does the statement define code, as a text, into which something can be written?"""
    return _body(found)[0] is not None


def code_of(statement: Statement) -> str | None:
    """The code that a DO or CREATE FUNCTION holds as a text, in SQL or PL/pgSQL; None where there is none."""
    if statement.first_word not in ("DO", "CREATE"):
        return None
    body, _ = _body(list(tokens(statement.text)))
    return None if body is None else _value(body)


def _body(found: Sequence[Token]) -> tuple[Token | None, str]:
    """The text that holds the code of a statement, and its language."""
    is_do = found[0].text.upper() == "DO"
    if not is_do and not {t.text.upper() for t in found[1:4]} & {"FUNCTION", "PROCEDURE"}:
        return None, ""
    body = None
    language = "plpgsql" if is_do else ""
    depth = 0
    for before, token in zip(found, found[1:], strict=False):
        depth += (before.text == "(") - (before.text == ")")
        if depth == 0 and before.kind == "word" and before.text.upper() == "LANGUAGE":
            language = (_value(token) or token.name).lower()
        elif depth == 0 and token.kind == "text" and before.text.upper() in ("AS", "DO", "PLPGSQL"):
            body = token
        elif depth == 0 and token.kind == "text" and is_do and before.kind == "text":
            body = token  # LANGUAGE 'plpgsql' '…'
    return (body, language) if language in ("plpgsql", "sql") else (None, language)


def _value(token: Token) -> str | None:
    """What a text says, its escapes read as PostgreSQL reads them."""
    if token.value is not None or token.kind != "text":
        return token.value
    import postgast

    try:
        parsed = postgast.parse(f"SELECT {token.text}")
    except postgast.PgQueryError:
        return None
    return str(parsed.stmts[0].stmt.select_stmt.target_list[0].res_target.val.a_const.sval.sval)


def _quoted(body: Token, code: str) -> str:
    """The code in the quotes of the text that it came from."""
    if body.text[0] == "$":
        tag = body.text[: body.text.index("$", 1) + 1]
        return tag + code + tag
    if body.value is not None and body.text[0] == "'":
        return "'" + code.replace("'", "''") + "'"
    return "$wflo_schema$" + code + "$wflo_schema$"
