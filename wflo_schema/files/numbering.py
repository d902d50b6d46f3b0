"""Ids that a person reads in another way than a computer: numbers without leading zeros, one name in two spellings."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from wflo_schema.errors import BadMigrationFile

# The numbers that a name begins with: 7, V1.2, 20260102_03; no digits that letters follow, which are chance.
_NUMBERS = r"(?P<prefix>[A-Za-z]*[-_ ]?)(?P<numbers>\d+(?:[._-]\d+)*)(?![A-Za-z0-9])"

# Digits: so long a number is a date or a time, and of two that are not equally long the longer one is not the greater.
_DATE, _TIME_OF_DAY = 6, 4

# Most commands that are shown; the others are made in the same way.
_MOST = 20


class Named(NamedTuple):
    """A migration, as far as its name goes."""

    id: str
    path: str
    rollback_path: str | None
    depends: tuple[str, ...]


class _Numbered(NamedTuple):
    named: Named
    prefix: str
    numbers: tuple[str, ...]
    start: int


def refuse_misleading_order(in_order: Sequence[Named]) -> None:
    """Raise `BadMigrationFile` where 10 comes before 2 only because the names are sorted as texts."""
    groups: dict[str, list[_Numbered]] = {}
    for named in in_order:
        match = re.match(_NUMBERS, named.id)
        if match is not None:
            one = _Numbered(named, match["prefix"], tuple(re.split(r"[._-]", match["numbers"])), match.end("prefix"))
            groups.setdefault(match["prefix"], []).append(one)
    for group in groups.values():
        for first, then in zip(group, group[1:], strict=False):
            depth = _misleads(first, then)
            if depth is not None:
                raise _misleading(group, first, then, depth)


def refuse_numbers_begun_anew(in_order: Sequence[Named]) -> None:
    """Raise `BadMigrationFile` where each of several numbered sub-folders numbers its files from the beginning.

    Files are sorted by their own names: 1.0/02_b comes before 0.9/03_c.
    """
    if not in_order:
        return
    root = os.path.commonpath([os.path.dirname(os.path.abspath(named.path)) for named in in_order])
    ranks = [_rank(os.path.relpath(os.path.dirname(named.path), root)) for named in in_order]
    folders_of: dict[str, set[tuple[int, ...]]] = {}
    for named, rank in zip(in_order, ranks, strict=True):
        number = re.match(_NUMBERS, named.id)
        if number is not None and rank:
            folders_of.setdefault(number["numbers"], set()).add(rank)
    if all(len(folders) < 2 for folders in folders_of.values()):
        return
    for n, (rank, following) in enumerate(zip(ranks, ranks[1:], strict=False)):
        if following and rank > following:
            first, then = (os.path.relpath(named.path, root) for named in in_order[n : n + 2])
            raise BadMigrationFile(
                f"{first} would be applied before {then}: files of sub-folders are sorted by their own names",
                hint="give the files names that say the order without their folders: "
                f"mv {shlex.quote(then)} {shlex.quote(then.replace(os.sep, '_'))}, and so on, in {root}\n"
                "where one is applied already, begin it with the line -- was: and its old id\n"
                f"or keep the names, and say in {first} what comes before it: -- depends: {in_order[n + 1].id}",
            )


def _rank(folder: str) -> tuple[int, ...]:
    """The numbers of a folder that is named by them, as 0.10, v1.2 or 2024/05; none for any other."""
    is_numbered = all(re.match(r"[A-Za-z]*[-_ ]?\d", part) for part in folder.split(os.sep))
    return tuple(int(n) for n in re.findall(r"\d+", folder)) if is_numbered else ()


def _misleads(first: _Numbered, then: _Numbered) -> int | None:
    """Which of the numbers is the greater one in ``first``, although its name is the smaller one."""
    for depth, (a, b) in enumerate(zip(first.numbers, then.numbers, strict=False)):
        if int(a) != int(b):
            shortest = _TIME_OF_DAY if depth and len(first.numbers[0]) > _DATE else _DATE
            is_time = len(a) != len(b) and max(len(a), len(b)) >= shortest
            return depth if int(a) > int(b) and first.named.id < then.named.id and not is_time else None
    return None


def _misleading(group: Sequence[_Numbered], first: _Numbered, then: _Numbered, depth: int) -> BadMigrationFile:
    commands = list(_renames(group, depth))
    more = len(commands) - _MOST
    ids = {one.named.id for one in group}
    below = [one for one in group if _misleads(first, one) == depth]
    before = max(below, key=lambda one: int(one.numbers[depth]), default=then).named.id
    steps = commands[:_MOST]
    if more > 0:
        steps.append(f"and {more} more in the same way")
    if any(ids & set(one.named.depends) for one in group):
        steps.append("and write the new ids into the -- depends: lines")
    steps.append("where one is applied already, begin it with the line -- was: and its old id")
    steps.append(f"or keep the names, and say in {first.named.id}.sql what comes before it: -- depends: {before}")
    return BadMigrationFile(
        f"{first.named.id} would be applied before {then.named.id}: names are sorted as texts, here and by yoyo",
        hint="make all numbers equally long:\n" + "\n".join(steps),
    )


def _renames(group: Sequence[_Numbered], depth: int) -> Iterator[str]:
    width = max(len(one.numbers[depth]) for one in group if len(one.numbers) > depth)
    move = "git mv" if _is_in_git(group[0].named.path) else "mv"
    for one in group:
        if len(one.numbers) <= depth or len(one.numbers[depth]) == width:
            continue
        at = one.start + sum(len(n) + 1 for n in one.numbers[:depth])
        new = one.named.id[:at] + one.numbers[depth].zfill(width) + one.named.id[at + len(one.numbers[depth]) :]
        for path in (one.named.path, one.named.rollback_path):
            if path is not None:
                folder, name = os.path.split(path)
                to = os.path.join(folder, new + name[len(one.named.id) :])
                yield f"{move} {shlex.quote(path)} {shlex.quote(to)}"


def _is_in_git(path: str) -> bool:
    here = os.path.dirname(os.path.abspath(path))
    while not os.path.exists(os.path.join(here, ".git").encode("utf-8", "surrogateescape")):
        if here == (here := os.path.dirname(here)):
            return False
    return True


def refuse_look_alikes(ids: Iterable[tuple[str, str]]) -> None:
    """Raise `BadMigrationFile` where two ids (with their paths) are one text to the eye: é has two spellings."""
    seen: dict[str, tuple[str, str]] = {}
    for migration_id, path in ids:
        shown = visible(migration_id)
        if shown in seen:
            other_id, other = seen[shown]
            raise BadMigrationFile(
                f"two migration files have ids that look alike: {other} and {path}\n"
                f"the first is spelt {spelling(other_id)}\nthe second is spelt {spelling(migration_id)}",
                hint="remove one of them, or rename it",
            )
        seen[shown] = (migration_id, path)


def visible(text: str) -> str:
    """What a person sees of a name: one spelling for all that look alike, and nothing that is not shown."""
    import unicodedata

    return "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf")


def spelling(text: str) -> str:
    """The bytes of what is not ASCII, as ``printf`` and Python write them."""
    return repr(text.encode("utf-8"))[2:-1]
