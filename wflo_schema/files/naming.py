"""Begins new migration files, and gives one another name: each comes after all that are there.

Hides what a name is made of: ``YYYYMMDD_HHMMSS_xxxxx-slug``, in UTC, so that the files of two branches have an order.
It is yoyo's form of a name, whose number of the day is the time here.
"""

from __future__ import annotations

import datetime
import os
import re
import secrets
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import UNDO_UNWRITTEN, UNWRITTEN, Phase, read_directives
from wflo_schema.files.folder import Migration, Migrations, read_migrations
from wflo_schema.files.listing import MAX_ID_LENGTH, REPEATABLE
from wflo_schema.files.versions import keeper_of
from wflo_schema.words import listed

# What stands before the words of a name: a date, a number, and five random characters.
BEFORE_WORDS = re.compile(r"[VvUu]?\d[\d._]*(?:_+|-+|\Z)(?:[0-9a-z]{5}-)?")

_LONGEST_SLUG = 80


@dataclass(frozen=True, slots=True)
class Moved:
    """A migration that got another name; ``edited`` are files whose ``-- depends:`` names it."""

    id: str
    new_id: str
    paths: tuple[Path, ...]
    edited: tuple[Path, ...]


def new_migration(
    directory: Path | str,
    message: str,
    *,
    depends: Sequence[str] = (),
    phase: Phase | None = None,
    now: datetime.datetime | None = None,
) -> tuple[Path, Path]:
    """Write an empty migration and its rollback file; return both paths.

    Its name sorts after every other of the folder, which is made if it is not there.  ``depends``
    are ids, or beginnings of them, that a ``-- depends:`` line names; a ``-- phase:`` line says what is not before
    the deploy.  Raise `BadMigrationFile`
    when the message has nothing to name a file by, or there is no such migration.
    """
    slug = slug_of(message)
    if not slug:
        raise BadMigrationFile(
            "a migration needs a few words that say what it does", hint='wflo-schema new "add a column"'
        )
    existing = _existing(Path(directory))
    parents = [existing.resolve(i).id for i in depends]
    title = " ".join(message.split())
    line = f"-- depends: {' '.join(parents)}\n" if parents else ""
    line += f"-- phase: {phase}\n" if phase is Phase.AFTER_DEPLOY else ""
    return write_pair(
        Path(directory) / name_after(existing, slug, now=now),
        f"-- {title}\n{line}\n{UNWRITTEN}\n",
        f"-- undo: {title}\n{UNDO_UNWRITTEN}\n\n",
    )


def new_repeatable(folder: Path, message: str) -> tuple[Path, ...]:
    """Write an empty repeatable file, whose name is made of the message.  Raise `Refused` where it is there already."""
    title, slug = " ".join(message.split()), slug_of(message).replace("-", "_")
    if not slug:
        raise BadMigrationFile(
            "a repeatable file is named after what it makes", hint='wflo-schema new --repeatable "active users"'
        )
    path = folder / REPEATABLE / f"{slug}.sql"
    if path.exists():
        raise Refused(f"{path} is there already", hint="edit it: it is applied again when its text changed")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"-- {title}\n{UNWRITTEN}\n")
    return (path,)


def merge_migration(
    directory: Path | str, message: str = "", *, depends: Sequence[str] = (), now: datetime.datetime | None = None
) -> tuple[Path, Path]:
    """Write a migration that does nothing and depends on all heads, or on ``depends``; return both paths.

    Raise `Refused` where the history has no heads to join.
    """
    existing = _existing(Path(directory))
    heads = [existing.resolve(i).id for i in depends] or sorted({i for ends in existing.heads() for i in ends})
    if len(heads) < 2:
        raise Refused(
            f"the history in {directory} has one end, so there is nothing to merge",
            hint="a pending migration that sorts before an applied one gets a later name: wflo-schema move ID --last",
        )
    title = " ".join(message.split()) or f"merge {listed(heads)}"
    return write_pair(
        Path(directory) / name_after(existing, slug_of(message) or "merge", now=now),
        f"-- {title}\n-- depends: {' '.join(heads)}\n\nSELECT 1;  -- nothing to do\n",
        f"-- undo: {title}\n-- nothing-to-undo: it only joins two branches\n",
    )


def move_last(migrations: Migrations, wish: str, *, now: datetime.datetime | None = None) -> Moved:
    """Give a migration that nobody has applied, and its rollback file, a name that sorts last.

    Changes the ``-- depends:`` lines that name it.  The caller must know that it is not applied.
    Raise `Refused` where adopt.toml or import.toml name it.
    """
    m = migrations.resolve(wish)
    if keeper := keeper_of(m):
        raise Refused(
            f"{m.id} keeps its name: {keeper} names it",
            hint=f"apply it where it is: wflo-schema migrate --to {shlex.quote(m.id)} --allow late",
        )
    directory = Path(m.path).parent
    stem = name_after(migrations, slug_of(BEFORE_WORDS.sub("", m.id, count=1)) or "moved", now=now)
    edited = [_follow(one, m.id, stem) for one in migrations if m.id in one.depends]
    moves = [(Path(m.path), directory / f"{stem}.sql")]
    if m.rollback_path is not None:  # first: a migration without a rollback file is noticed, one of an old name is not
        moves.insert(0, (Path(m.rollback_path), directory / f"{stem}.rollback.sql"))
    for old, new in moves:
        try:
            old.rename(new)
        except OSError as error:
            raise BadMigrationFile(f"cannot rename {old}: {error.strerror}") from None
    return Moved(m.id, stem, tuple(new for _, new in reversed(moves)), tuple(edited))


def slug_of(message: str) -> str:
    """The words of a message as they stand in a file's name."""
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-")


def name_after(existing: Migrations, slug: str, *, now: datetime.datetime | None = None) -> str:
    """A name for a new file, without its suffix, that sorts after every other."""
    at = (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC)
    tail = f"{secrets.token_hex(3)[:5]}-{slug}"
    last = max((m.id for m in existing), key=_sorted_as, default="")
    letters = re.match(r"\D*", last)
    assert letters is not None
    candidates = (
        f"{at:%Y%m%d_%H%M%S}_{tail}",
        f"{letters[0]}{at:%Y%m%d_%H%M%S}_{tail}",
        *_next_numbers(last, tail),
        f"{last}_{at:%Y%m%d_%H%M%S}_{tail}",
    )
    stem = next(c for c in candidates if _sorted_as(c) > _sorted_as(last))
    if len(stem) > MAX_ID_LENGTH:
        raise BadMigrationFile(f"the name of a new file would be longer than {MAX_ID_LENGTH} characters: {stem}")
    return stem


def _sorted_as(migration_id: str) -> str:
    return f"{migration_id}.sql"


def _next_numbers(last: str, tail: str) -> Sequence[str]:
    """The name with the next number, where that of today is not the last: 20261127_18 is after 20261127_1745."""
    found = re.match(r"(?P<before>\D*(?:\d{8}_)?)(?P<number>\d+)(?=_|-|\Z)", last)
    if found is None:
        return ()
    number = found["number"]
    following = f"{int(number) + 1:0{len(number)}}"
    return (f"{found['before']}{following}_{tail}",)


def _existing(folder: Path) -> Migrations:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadMigrationFile(
            f"cannot make the folder {folder}: {error.strerror}",
            hint="name another folder with --migrations DIR, or go to a folder that is there and may be written to",
        ) from None
    return read_migrations(folder, recursive=True)  # it comes after what is in sub-folders, too


def write_pair(stem: Path, forward: str, back: str) -> tuple[Path, Path]:
    """Write a migration and its rollback file, the rollback file first: no migration is ever there without it."""
    paths = stem.with_name(f"{stem.name}.sql"), stem.with_name(f"{stem.name}.rollback.sql")
    for path, text in zip(reversed(paths), (back, forward), strict=True):
        write_whole(path, text)
    return paths


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is never there in part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BadMigrationFile(f"cannot write {path}: {error.strerror}") from None


def _follow(m: Migration, old: str, new: str) -> Path:
    """Write the new id into the ``-- depends:`` lines of a file, and leave all else as it is."""
    path = Path(m.path)
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    lines = text.split("\n")
    for n, line in enumerate(lines):
        if read_directives(m.path, line.lstrip("\ufeff")).says("depends"):
            lines[n] = re.sub(rf"(?<!\S){re.escape(old)}(?!\S)", lambda _: new, line)
    write_whole(path, "\n".join(lines))
    return path
