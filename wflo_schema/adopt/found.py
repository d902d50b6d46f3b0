"""What was found in a database that is to be taken over, as values."""

from __future__ import annotations

import enum
import os
import shlex
import tomllib
from dataclasses import dataclass

from wflo_schema.catalog.objects import Difference
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.files.listing import NAMES_FILE, RECONCILING_FOLDER


class Verdict(enum.StrEnum):
    """What the catalog says."""

    EQUAL = "equal"
    """The database matches the migrations up to one of them."""
    AMBIGUOUS = "ambiguous"
    """It matches several migrations, which differ in rows only."""
    RECONCILE = "reconcile"
    """It is in the state that a reconciling set was written for."""
    DIFFERENT = "different"
    """It matches none."""
    EMPTY = "empty"
    """None of the tables is there."""
    OURS = "ours"
    """Already recorded by this tool, and equal to what is recorded."""
    DRIFT = "drift"
    """Recorded by this tool, and not like what is recorded."""


@dataclass(frozen=True, slots=True)
class OtherLedger:
    """What another tool's ledger says.

    ``versions`` are in its own order and spelling; ``failed`` those it marks as failed half way.
    ``stands_for`` is the id of our migration that the last of them stands for, empty where that is
    not known or no migration leads there; ``unknown`` are versions that no file here names.
    """

    tool: str
    table: str
    versions: tuple[str, ...]
    failed: tuple[str, ...] = ()
    stands_for: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """How far the database is from ours after one migration; ``cosmetic`` are not among ``differences``."""

    id: str
    differences: int
    cosmetic: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found, and what was recorded.

    ``id`` is the migration that the catalog equals, the nearest one where none does, or None.
    ``differences`` are those to ``id``; ``beside`` names what the database has and no migration makes:
    it prevents nothing.  ``objections`` say why nothing would be recorded although the catalog is
    equal; ``notes`` and ``next_steps`` are for people.  ``record`` are the ids that ``--apply``
    records (or gives a checksum), ``aside`` those of other files whose rows it sets aside;
    ``is_applied`` says that this was done.
    """

    label: str
    schema: str
    server_version: str
    verdict: Verdict
    ledgers: tuple[OtherLedger, ...]
    total: int
    id: str | None = None
    number: int = 0
    places: tuple[Place, ...] = ()
    differences: tuple[Difference, ...] = ()
    beside: tuple[str, ...] = ()
    reconciling: str | None = None
    objections: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    record: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    is_applied: bool = False
    source: str = ""
    """The folders of the migrations."""

    @property
    def exit_code(self) -> int:
        """0 where the database is ours, can be taken over or is empty; else 1."""
        is_fine = self.verdict in (Verdict.EQUAL, Verdict.EMPTY, Verdict.OURS) and not self.objections
        return 0 if is_fine else 1


def command(words: str, schema: str | None) -> str:
    """What to type next; the command line repeats its options in it."""
    return " ".join(("wflo-schema", words, *(("--schema", shlex.quote(schema)) if schema else ())))


def read_names(migrations: Migrations) -> dict[str, dict[str, str]]:
    """What other tools' revisions stand for: ``adopt.toml`` beside the migrations, empty without it.

    One section per tool, one line per revision: the last migration whose state it leaves, or "".
    Raise `BadMigrationFile` when it cannot be understood or names a migration that is not there.
    """
    found: dict[str, dict[str, str]] = {}
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
                if stands_for and migrations.get(stands_for) is None:
                    raise BadMigrationFile(
                        f"{path}: {revision} stands for {stands_for}, but there is no such migration"
                    )
            found.setdefault(tool, {}).update(revisions)
    return found


def read_reconciling(migrations: Migrations) -> tuple[Migrations, ...]:
    """The reconciling sets: one per folder in ``reconcile`` beside the migrations, sorted by name."""
    found = []
    for directory in migrations.directories:
        root = os.path.join(directory, RECONCILING_FOLDER)
        if os.path.isdir(root):
            folders = [os.path.join(root, name) for name in sorted(os.listdir(root)) if not name.startswith((".", "_"))]
            found += [read_migrations(folder) for folder in folders if os.path.isdir(folder)]
    return tuple(found)
