"""What a recipe is asked for, and what it answers: steps, each a migration and its rollback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wflo_schema.errors import UsageError

if TYPE_CHECKING:
    from wflo_schema.recipes.live import Live

# How many rows are changed between two commits.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: the words, and the options as they were given, empty where they were not."""

    words: tuple[str, ...]
    name: str = ""
    where: str = ""
    using: str = ""
    default: str = ""
    until: str = ""
    on_delete: str = ""
    on_update: str = ""
    not_null: bool = False
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Step:
    """One migration.  ``title`` names the file, ``why`` says why it is apart.

    ``undo`` is the SQL of its rollback, ``keeps`` why there is none.  ``alone`` and ``undo_alone``: not transactional.
    ``is_after_deploy``: the old version of an application must not run any more.
    ``loses``: its rollback brings no rows back.
    """

    title: str
    why: str
    sql: str
    undo: str = ""
    keeps: str = ""
    undo_why: str = ""
    alone: bool = False
    undo_alone: bool = False
    is_after_deploy: bool = False
    loses: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The steps, none where the database has it already, and what a person should know of it."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe: its name, how it is asked for, what it is for, and which options it knows."""

    name: str
    grammar: str
    meaning: str
    options: frozenset[str]
    cook: Callable[[Live, Wish], Answer]
    words: tuple[int, int]

    @property
    def usage(self) -> str:
        """What to type."""
        return f"wflo-schema new --recipe {self.name} {self.grammar}"

    def refuse_wrong(self, words: Sequence[str], given: Sequence[str]) -> None:
        """Raise `UsageError` for a number of words, or an option, that this one does not take."""
        least, most = self.words
        if not least <= len(words) <= most:
            many = f"{len(words)} given" if words else "none is given"
            raise UsageError(
                f"the recipe {self.name} takes {least if least == most else f'{least} or {most}'} "
                f"argument{'s' if most > 1 else ''}, and {many}",
                hint=f"{self.usage}\n(quote what has blanks in it)",
            )
        if unknown := [one for one in given if one not in self.options]:
            raise UsageError(f"the recipe {self.name} takes no --{unknown[0].replace('_', '-')}", hint=self.usage)


@dataclass(frozen=True, slots=True)
class Written:
    """The files, each migration before its rollback, and what a person should know of them."""

    recipe: str
    paths: tuple[Path, ...]
    notes: tuple[str, ...]
