"""``new --recipe``: its options, the list of recipes, and what was written."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wflo_schema.cli.options import all_of, option, refuse_second_folder
from wflo_schema.cli.streams import answer, say, warn
from wflo_schema.errors import NoDatabase

if TYPE_CHECKING:
    from wflo_schema.connect.database import Database

_ACTION = click.Choice(["cascade", "restrict", "set-null", "set-default", "no-action"], case_sensitive=False)

recipe_options = all_of(
    option(
        "--recipe",
        metavar="NAME",
        help="Write the safe way of a change, for the table as it is in the database; help lists the recipes.",
    ),
    option("--name", metavar="NAME", help="For a recipe: what the index or the constraint is called."),
    option("--where", metavar="CONDITION", help="For a recipe: in which rows."),
    option("--using", metavar="WORDS", help="For a recipe: the method of an index, or how a type is changed."),
    option("--default", metavar="EXPRESSION", help="For a recipe: the default of a column."),
    option("--until", metavar="VALUE", help="For a partition: rows that are there lie below it."),
    option("--not-null", is_flag=True, help="For a recipe: the column is NOT NULL in the end."),
    option("--on-delete", type=_ACTION, help="For a foreign key: what happens when the row it points to is deleted."),
    option("--on-update", type=_ACTION, help="For a foreign key: what happens when the key it points to is changed."),
    option(
        "--batch", metavar="ROWS", type=click.IntRange(1), help="For a recipe: most rows between two commits.  [1000]"
    ),
)


def given_options(wishes: Mapping[str, Any]) -> list[str]:
    """The options of recipes that were given, as they are typed."""
    return [f"--{name.replace('_', '-')}" for name, value in wishes.items() if value]


def write_recipe(
    name: str,
    words: Sequence[str],
    wishes: Mapping[str, Any],
    migrations: Sequence[Path],
    reach: Callable[[], Database],
    *,
    format_: str,
) -> None:
    """Write the files of a recipe and say which; or list the recipes.  Raise `NoDatabase` where none is named."""
    from wflo_schema.recipes.operations import RECIPES, find_recipe, write_recipe
    from wflo_schema.show.text import json_text

    if name == "help":
        lines = [line for r in RECIPES.values() for line in (f"{r.name} {r.grammar}", f"    {r.meaning}")]
        answer("\n".join(lines))
        return
    given = {key: value for key, value in wishes.items() if value}
    find_recipe(name).refuse_wrong(words, tuple(given))
    refuse_second_folder(shlex.join(["--recipe", name, *words]))
    try:
        target = reach()
    except NoDatabase as error:
        why = "a recipe is written for the table as it is, and no database is named"
        raise NoDatabase(why, hint=error.hint) from None
    found = write_recipe(target, migrations[0], name, *words, **given)
    for note in found.notes:
        (warn if found.paths else say)(note)
    written = [str(path) for path in found.paths]
    if not written and format_ == "text":
        return
    answer(json_text(found) if format_ == "json" else "\n".join(written), f"written: {', '.join(written)}")
