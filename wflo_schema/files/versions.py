"""What the versions in another tool's ledger stand for: ``adopt.toml`` beside the migrations says it.

Hides how a version may be spelt: in the ledger, in that file, and in the names of migrations.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import Migration, Migrations
from wflo_schema.files.listing import NAMES_FILE, RECORD_FILE

# What a tool puts before a number, and the number: 20251110_01, V1.2, 000003.
_NUMBER = re.compile(r"[VvUu]?(?P<number>\d+(?:[._]\d+)*)(?![0-9A-Za-z])")


def read_names(migrations: Migrations) -> dict[str, dict[str, str]]:
    """What other tools' revisions stand for: ``adopt.toml`` beside the migrations, empty without it.

    One section per tool, one line per revision: the last migration whose state it leaves, or "", or a repeatable file.
    Of a migration that was renamed or squashed it may have the old id.
    Raise `BadMigrationFile` when it cannot be understood or names a migration that is not there.
    """
    found: dict[str, dict[str, str]] = {}
    since = _ids_since(migrations)
    for directory in migrations.directories:
        path = os.path.join(directory, NAMES_FILE)
        try:
            with open(path, "rb") as file:
                content = tomllib.load(file)
        except FileNotFoundError:
            continue
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadMigrationFile(f"cannot read {path}: {error}") from None
        for tool, revisions in content.items():
            if not isinstance(revisions, dict) or not all(isinstance(v, str) for v in revisions.values()):
                raise BadMigrationFile(
                    f'{path}: [{tool}] must hold lines of the form revision = "ID of a migration"',
                    hint='write revision = "" where no migration leads to that state',
                )
            for revision, stands_for in revisions.items():
                if stands_for and stands_for not in since:
                    raise BadMigrationFile(
                        f"{path}: {revision} stands for {stands_for}, but there is no such migration",
                        hint="bring its file back, or correct this line if the file has another name now",
                    )
            known = {r: since.get(old, "") for r, old in revisions.items()}
            found.setdefault(tool, {}).update({r: new for r, new in known.items() if new is not None})
    return found


def _ids_since(migrations: Migrations) -> dict[str, str | None]:
    """The id that each migration has now, by all that it had; None where it is a part of one, not the last."""
    found: dict[str, str | None] = {m.id: m.id for m in migrations.repeatables}
    for m in migrations:
        found |= dict.fromkeys(m.replaces[:-1])
        found |= dict.fromkeys((m.id, *m.was, *m.replaces[-1:]), m.id)
    return found


def keeper_of(migration: Migration) -> str | None:
    """The file beside it that names it, so that it must keep its name."""
    beside = (os.path.join(os.path.dirname(migration.path), name) for name in (RECORD_FILE, NAMES_FILE))
    return next((path for path in beside if _is_in(path, f'"{migration.id}"')), None)


def _is_in(path: str, text: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return text in file.read()
    except (OSError, UnicodeDecodeError):
        return False


def find_version(names: Mapping[str, str] | None, ids: Collection[str]) -> Callable[[str], str | None]:
    """Finds what a version stands for: by ``names``, as one of the ids, or (without names) by the number in them.

    What is found is "" where no migration leads there, None where nobody names it.
    """
    given = _by_spelling({**{i: i for i in ids}, **(names or {})})
    numbered = _numbered(ids) if names is None else dict[str, str]().get

    def find(version: str) -> str | None:
        for spelling in (*_spellings(version), version.partition("::")[2].partition("::")[0]):
            if spelling and (spelling in given or numbered(spelling)):
                return given.get(spelling) if spelling in given else numbered(spelling)
        return None

    return find


def _spellings(version: str) -> Iterator[str]:
    """How a version may be written: without zeros in front, Liquibase's ``path::id::author`` with less of the path."""
    yield version
    if version.isdecimal():
        yield version.lstrip("0") or "0"
    path, sign, rest = version.partition("::")
    if sign:
        parts = path.removeprefix("classpath:").strip("/").split("/")
        yield from ("/".join(parts[n:]) + sign + rest for n in range(len(parts)))


def _by_spelling(names: Mapping[str, str]) -> dict[str, str]:
    """What versions stand for, by each way to write one that means it only."""
    found: dict[str, str] = {}
    doubtful = set()
    for version, stands_for in names.items():
        for spelling in _spellings(version):
            if found.setdefault(spelling, stands_for) != stands_for:
                doubtful.add(spelling)
    return {s: i for s, i in found.items() if s not in doubtful} | dict(names)


def _numbered(ids: Collection[str]) -> Callable[[str], str | None]:
    """Finds the one id that begins with the number of a version, however many zeros it has; else None."""
    by_number: dict[tuple[int, ...], list[str]] = {}
    for i in ids:
        number = _number_of(i)
        for length in range(1, len(number) + 1):
            by_number.setdefault(number[:length], []).append(i)

    def find(version: str) -> str | None:
        number = _number_of(version) if _NUMBER.fullmatch(version) else ()
        fitting = by_number.get(number, [])
        exact = [i for i in fitting if _number_of(i) == number]
        return next((one[0] for one in (exact, fitting) if len(one) == 1), None)

    return find


def _number_of(text: str) -> tuple[int, ...]:
    found = _NUMBER.match(text)
    return tuple(int(part) for part in re.split("[._]", found["number"])) if found else ()
