"""From what a scratch database holds to a wanted catalog: statements that PostgreSQL itself has run.

Hides that some of what can be replaced in place can only be dropped and made again, which PostgreSQL says when it is
asked to, and that one change may bring another with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.catalog.altering import rights_again
from wflo_schema.catalog.changing import Statement, change_statements
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog, Difference, Key, Object, Path
from wflo_schema.diff.renames import Renaming, Wishes, owned_sequences
from wflo_schema.diff.writing import is_body, unchecked

Connection = psycopg.Connection[TupleRow]

# What PostgreSQL says where something cannot be replaced: a view's columns, a function's result.
_REMAKE = frozenset({"42P16", "42P13", "0A000"})
# A new enum value is used in the transaction that adds it.
_UNSAFE_VALUE = "55P04"

# How often what a change brought with it is looked at.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Way:
    """Statements that lead from one catalog to another, and what they leave.

    ``remaining`` are differences that are still there; ``failure`` what PostgreSQL said to the first statement that it
    refused.
    """

    statements: tuple[Statement, ...] = ()
    renamings: tuple[Renaming, ...] = ()
    remaining: tuple[Difference, ...] = ()
    failure: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether it leads there."""
        return not (self.remaining or self.failure)


def lead(
    connection: Connection,
    want: Catalog,
    read: Callable[[], Catalog],
    wishes: Wishes,
    *,
    rights: Callable[[], Catalog] | None = None,
) -> Way:
    """Run what makes the database as wanted, in the transaction that is open; say how.

    ``rights`` reads owners and grants as well, where ``want`` says nothing of them: what is dropped and made again is
    given those that it had.

    Raise `Refused` where something may have been renamed, as `Wishes.next` does.
    """
    steps: list[Statement] = []
    done: list[Renaming] = []
    while True:
        have = read()
        one = next(owned_sequences(have, want), None) or wishes.next(have, want)
        if one is None:
            break
        _run(connection, one.statements)
        done.append(one)
        steps.append(Statement(one.kind, one.option, one.statements))
    remade: set[Key] = set()
    before = rights() if rights is not None else None
    while True:
        try:
            with connection.transaction():
                more, remaining = _rounds(connection, have, want, read, frozenset(remade))
                if before is not None and rights is not None and any(" DROP " in f" {s.text}" for s in more):
                    more += _given_back(connection, before, rights())
            return Way((*steps, *more), tuple(done), remaining)
        except _Failed as failed:
            keys = _to_remake(failed) - remade
            if keys:
                remade |= keys
                continue
            return Way((*steps, *failed.all), tuple(done), compared(have, want), failed.said)


class _Failed(Exception):
    def __init__(self, statement: Statement, all_: tuple[Statement, ...], error: psycopg.Error) -> None:
        super().__init__()
        self.statement, self.all, self.sqlstate = statement, all_, error.sqlstate
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        self.said = f"{error.diag.message_primary or error}{detail}: {statement.text}"


def _to_remake(failed: _Failed) -> set[Key]:
    """What PostgreSQL takes only where it is dropped and made again."""
    if failed.sqlstate == _UNSAFE_VALUE:
        return {s.key for s in failed.all if s.kind == "type" and " ADD VALUE " in s.text}
    is_version = failed.statement.kind == "extension"  # the one that is wanted is not the newest: it is named at once
    return {failed.statement.key} - {("", ())} if failed.sqlstate in _REMAKE or is_version else set()


def _rounds(
    connection: Connection, have: Catalog, want: Catalog, read: Callable[[], Catalog], remade: frozenset[Key]
) -> tuple[list[Statement], tuple[Difference, ...]]:
    steps: list[Statement] = []
    last: tuple[Statement, ...] = ()
    for _ in range(_ROUNDS):
        change = change_statements(have, want, remade=remade)
        if not change.statements or change.statements == last:
            break
        steps += _in_turn(connection, change.statements, steps)
        last = change.statements
        have = read()
    return steps, compared(have, want)


def _in_turn(connection: Connection, statements: Sequence[Statement], before: Sequence[Statement]) -> list[Statement]:
    """Run them, a function whose body reads what is made later once that is there; return them as they ran."""
    done: list[Statement] = []
    waiting: list[Statement] = []
    for one in statements:
        error = _refused(connection, one)
        if error is not None and is_body(one) and _refused(connection, unchecked(one), is_tried=True) is None:
            waiting.append(one)
            continue
        if error is not None and waiting:  # it may call one of those
            done += _waited(connection, waiting)
            waiting = []
            error = _refused(connection, one)
        if error is not None:
            raise _Failed(one, (*before, *statements), error) from error
        done.append(one)
    return [*done, *_waited(connection, waiting)]


def _waited(connection: Connection, waiting: Sequence[Statement]) -> list[Statement]:
    """Run what waited: each once its body is right, and the rest unread."""
    done: list[Statement] = []
    left = list(waiting)
    while ready := next((one for one in left if _refused(connection, one) is None), None):
        done.append(ready)
        left.remove(ready)
    for one in map(unchecked, left):
        error = _refused(connection, one)
        if error is not None:
            raise _Failed(one, (*done, *waiting), error) from error
        done.append(one)
    return done


def _refused(connection: Connection, one: Statement, *, is_tried: bool = False) -> psycopg.Error | None:
    """What PostgreSQL says against it; it has run where that is nothing, and is taken back if it was only tried."""
    try:
        with connection.transaction(force_rollback=is_tried):
            _run(connection, one.text)
    except psycopg.Error as error:
        return error
    return None


def _given_back(connection: Connection, before: Catalog, after: Catalog) -> list[Statement]:
    """Give what is there again the owner and the grants that it had."""
    steps = []
    is_there = {one.key for one in after.objects}
    gone: dict[tuple[str, Path], list[Object]] = {}  # functions by name: other arguments make another one
    for one in before.objects:
        if one.kind in ("function", "procedure", "aggregate") and one.key not in is_there:
            gone.setdefault((one.kind, one.path[:2]), []).append(one)
    for now in after.objects:
        had = before.find(now.kind, *now.path)
        former = gone.get((now.kind, now.path[:2]), [])
        if had is None and len(former) == 1:
            had = replace(former[0], path=now.path)
        texts = [t for t in rights_again(now, had) if t] if had is not None else []
        if texts:
            steps.append(Statement(now.kind, now.name, "\n".join(texts), key=now.key))
            _run(connection, steps[-1].text)
    return steps


def compared(have: Catalog, want: Catalog) -> tuple[Difference, ...]:
    """In what they differ for whoever asks them."""
    return tuple(d for d in compare_catalogs(have, want) if not d.cosmetic)


def take_back(
    connection: Connection,
    want: Catalog,
    read: Callable[[], Catalog],
    done: tuple[Renaming, ...],
    *,
    rights: Callable[[], Catalog] | None = None,
) -> Way:
    """Run what leads back to a catalog once it was left by `lead`, whose renamings are taken back."""
    steps = []
    for one in reversed(done):
        if one.kind in ("table", "column") and read().find(one.kind, *one.new) is None:
            continue  # it was dropped, and is made below
        if read().find(one.kind, *one.old) is not None:  # something else has the name now, and goes below
            aside = Renaming(one.kind, one.old, (*one.old[:-1], f"{one.old[-1][:50]}_aside"))
            _run(connection, aside.statements)
            steps.append(Statement(one.kind, aside.option, aside.statements))
        _run(connection, one.back.statements)
        steps.append(Statement(one.kind, one.back.option, one.back.statements))
    way = lead(connection, want, read, Wishes(ask=lambda _: None), rights=rights)
    return Way((*steps, *way.statements), way.renamings, way.remaining, way.failure)


def _run(connection: Connection, text: str) -> None:
    connection.execute(text.encode(), prepare=False)
