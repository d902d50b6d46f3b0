"""What was found in a database that is to be taken over, as values."""

from __future__ import annotations

import enum
import os
import shlex
from dataclasses import dataclass

from wflo_schema.catalog.objects import Difference
from wflo_schema.engine.taken_over import OtherLedger
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.files.listing import RECONCILING_FOLDER


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
    records (or gives a checksum), ``repeatables`` those of repeatable files that it records as
    applied, ``aside`` those of other files whose rows it sets aside; ``is_applied`` says that this
    was done.
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
    repeatables: tuple[str, ...] = ()
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


def read_reconciling(migrations: Migrations) -> tuple[Migrations, ...]:
    """The reconciling sets: one per folder in ``reconcile`` beside the migrations, sorted by name."""
    found = []
    for directory in migrations.directories:
        root = os.path.join(directory, RECONCILING_FOLDER)
        if os.path.isdir(root):
            folders = [os.path.join(root, name) for name in sorted(os.listdir(root)) if not name.startswith((".", "_"))]
            given = next((m.given for m in migrations), {})
            found += [read_migrations(folder, variables=given) for folder in folders if os.path.isdir(folder)]
    return tuple(found)
