"""What is wrong with a file that is about to be run, as far as its text tells: found before anything runs.

Hides how much of a text PostgreSQL's grammar is asked about at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.directives import UNWRITTEN
from wflo_schema.files.folder import Migration, load_rollback, rolling_back
from wflo_schema.files.grammar import Fault, fault_of
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.statements import refuse_outside_transaction, refuse_unresumable
from wflo_schema.findings import Location

# Bytes of statements that are parsed at once, and a statement that is left to the server: a tree takes some twenty
# times as much memory as its text.
_PARSED_AT_ONCE = 1 << 17
_LONGEST_PARSED = 1 << 20


def refuse_unfit(script: Script, *, is_transactional: bool) -> None:
    """Raise `BadMigrationFile` for what cannot run, or not be resumed, in a file of this kind."""
    if is_transactional:
        refuse_outside_transaction(script)
        return
    if script.statements.is_wrapped:
        raise BadMigrationFile(
            f"{script.path} is wrapped in BEGIN … COMMIT, and says -- transactional: false",
            hint="to run it as one transaction, remove -- transactional: false; to run each statement by itself, "
            "remove BEGIN and COMMIT",
            location=Location(script.path, script.directives.lines.get("transactional", 1)),
        )
    for statement in script.statements:
        refuse_unresumable(script, statement)


def refuse_unready(m: Migration, script: Script, judge: Callable[[Script], None]) -> None:
    """Raise `BadMigrationFile` for what was forgotten or misspelt in a migration that is to be applied.

    Its rollback file counts.  ``judge`` raises what is wrong with the SQL of one.
    """
    refuse_unfinished(script)
    judge(script)
    back = load_rollback(m)
    if back is not None:
        back.refuse_doubtful()
        judge(back)
        refuse_unfit(back, is_transactional=rolling_back(m).is_transactional)


def refuse_unfinished(script: Script) -> None:
    """Raise `BadMigrationFile` for a misspelt directive, and for a file in which nothing is written yet."""
    script.refuse_doubtful()
    if not script.source or script.source.isspace():  # strip() would copy a big file
        raise _unwritten(script, "")
    refuse_unwritten(script)


def refuse_unwritten(script: Script) -> None:
    """Raise `BadMigrationFile` for a file in which `new` left a place that nobody filled."""
    if not script.statements and UNWRITTEN.encode() in script.source:
        raise _unwritten(script, f" in place of the line {UNWRITTEN}")


def _unwritten(script: Script, place: str) -> BadMigrationFile:
    return BadMigrationFile(
        f"{script.path}: nothing is written in it yet",
        hint=f"write its SQL; or, if it is to do nothing, a comment that says why{place}",
        location=Location(script.path, 1),
    )


def syntax_faults(script: Script) -> Iterator[tuple[Statement, Fault]]:
    """The statements that PostgreSQL's grammar, as we have it, does not take.

    A server of another version may take them all the same; of a very long one nothing is said.
    """
    together: list[Statement] = []
    size = 0
    for statement in chain(script.statements, (None,)):
        if statement is None or size >= _PARSED_AT_ONCE:
            # one by one only where it does not take them all
            if together and fault_of(b";\n".join(s.raw for s in together)) is not None:
                for one in together:
                    fault = fault_of(one.raw)
                    if fault is not None:
                        yield one, fault
            together, size = [], 0
        if statement is not None and statement.end - statement.start <= _LONGEST_PARSED:
            together.append(statement)
            size += statement.end - statement.start
