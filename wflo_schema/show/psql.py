"""What a run would send, as a script for psql.  Hides how psql reads a file: its variables, its commands, COPY's data.

See https://www.postgresql.org/docs/current/app-psql.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg import sql

from wflo_schema.connect.pipeline import Command
from wflo_schema.engine.scripting import MADE_NOW, Block, Written
from wflo_schema.files.tokens import tokens

_HEAD = r"""-- What wflo-schema migrate would send to {label} (PostgreSQL {version}), as the role {role}.
-- psql -X -v ON_ERROR_STOP=1 -f FILE        (psql 14 or later, without -1; -o /dev/null hides rows)
-- It fails, and runs nothing, where the ledger is not as it was when this was printed.
\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on
\set SINGLELINE off
\set QUIET on
\encoding UTF8
"""

_PARAMETER = re.compile(r"\$(\d+)")

# Where psql would put a variable: behind one colon, as in an array's slice.
_VARIABLE = re.compile(r"(?<!:):(?=[\w'\"{])")

# What brings the encoding back that psql has begun with.
_RESETS = re.compile(rb"\s*(?:DISCARD|RESET)\s+ALL\b", re.IGNORECASE)

_COMMENT = re.compile(r"^[ \t]*--.*\n", re.MULTILINE)


def psql_text(written: Written) -> str:
    """The script."""
    head = _HEAD.format(label=_one_line(written.label), version=written.server_version, role=_one_line(written.role))
    if written.secrets:
        head += f"-- KEEP IT SECRET: it holds the values of {', '.join(map(_one_line, written.secrets))}.\n"
    if written.made:
        head += (
            f"\n-- What repeatable files made, with all that it was given: is asked below.\n{_variable(written.made)}\n"
        )
    return head + "\n".join(line for block in written.blocks for line in _block(block))


def _variable(query: str) -> str:
    """What keeps a query as a variable of psql, which DISCARD ALL does not take away."""
    return f"SELECT $query$\n{query}$query$ AS {MADE_NOW} \\gset"


def _block(block: Block) -> Iterator[str]:
    yield f"\n-- {_one_line(block.title)}"
    yield f"\\echo {_word(block.title)}"
    for number, command in enumerate(block.commands):
        yield from _command(command, is_asking=number in block.asking)


def _command(command: Command, *, is_asking: bool) -> Iterator[str]:
    text = command.sent.decode()
    text = _with_values(text, command.parameters) if command.parameters else _without_variables(text)
    text = text.replace(f"({MADE_NOW})", f"(:{MADE_NOW})")
    last = text.rpartition("\n")[2]
    end = "\\gexec" if is_asking else ";"
    yield f"{text}\n{end}" if is_asking or "--" in last else f"{text}{end}"
    if command.data is not None:
        data = bytes(command.data[0 : len(command.data)]).decode()
        yield f"{data.removesuffix(chr(10))}\n\\." if data else "\\."
    if _RESETS.match(command.sent):
        yield "\\encoding UTF8"


def _with_values(text: str, values: tuple[str | None, ...]) -> str:
    """A statement of ours with its parameters in their places."""

    def literal(found: re.Match[str]) -> str:
        return sql.Literal(values[int(found[1]) - 1]).as_string().strip()

    return _PARAMETER.sub(literal, _COMMENT.sub("", text))


def _without_variables(text: str) -> str:
    """A statement in which psql finds no variable of its own: outside of texts, a colon is set apart."""
    if not _VARIABLE.search(text):
        return text
    hidden = [(t.start, t.end) for t in tokens(text) if t.kind in ("text", "quoted")]
    places = [m.end() for m in _VARIABLE.finditer(text) if not any(a <= m.start() < b for a, b in hidden)]
    for place in reversed(places):
        text = f"{text[:place]} {text[place:]}"
    return text


def _word(text: str) -> str:
    """One argument of a command of psql, whatever it holds."""
    return "'" + _one_line(text).replace("\\", "\\\\").replace("'", "''") + "'"


def _one_line(text: str) -> str:
    return " ".join(text.split())
