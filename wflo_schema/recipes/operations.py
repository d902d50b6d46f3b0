"""Write a recipe's files: ``write_recipe(database, folder, "not-null", "orders.customer_id")``."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, UsageError, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, load_script, read_migrations
from wflo_schema.files.naming import name_after
from wflo_schema.files.overlaps import Uses
from wflo_schema.recipes import columns, constraints, indexes, tables, twins
from wflo_schema.recipes.live import Relation, opened
from wflo_schema.recipes.values import Recipe, Wish, Written
from wflo_schema.recipes.writing import second_after, slug, write_step


def _recipe(name: str, grammar: str, meaning: str, cook: object, words: tuple[int, int], *options: str) -> Recipe:
    return Recipe(name, grammar, meaning, frozenset(options), cook, words)  # type: ignore[arg-type]


RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        _recipe(
            "index", "TABLE COLUMNS [--where CONDITION] [--using METHOD]", "an index", indexes.index, (2, 2),
            "name", "where", "using",
        ),
        _recipe(
            "unique", "TABLE COLUMNS [--where CONDITION]", "a UNIQUE constraint, or a unique index",
            indexes.unique, (2, 2), "name", "where",
        ),
        _recipe("primary-key", "TABLE COLUMNS", "a primary key", constraints.primary_key, (2, 2), "name"),
        _recipe("not-null", "TABLE.COLUMN", "NOT NULL for a column", constraints.not_null, (1, 1), "name"),
        _recipe("check", "TABLE CONDITION", "a CHECK constraint", constraints.check, (2, 2), "name"),
        _recipe(
            "foreign-key", "TABLE.COLUMN TABLE.COLUMN [--on-delete ACTION] [--on-update ACTION]", "a foreign key",
            constraints.foreign_key, (2, 2), "name", "on_delete", "on_update",
        ),
        _recipe("validate", "TABLE CONSTRAINT", "prove what is NOT VALID", constraints.validate, (2, 2)),
        _recipe(
            "add-column", "TABLE.COLUMN TYPE [--default EXPRESSION] [--not-null]", "a column, filled in batches",
            columns.add_column, (2, 2), "default", "not_null", "batch",
        ),
        _recipe("drop-column", "TABLE.COLUMN", "drop a column that nobody uses any more", columns.drop_column, (1, 1)),
        _recipe(
            "backfill", "TABLE 'COLUMN = EXPRESSION' [--where CONDITION] [--batch ROWS]", "change all rows, in batches",
            columns.backfill, (2, 2), "where", "batch",
        ),
        _recipe(
            "rename-column", "TABLE.COLUMN NAME", "another name for a column, old and new at once for a while",
            twins.rename_column, (2, 2), "batch",
        ),
        _recipe(
            "change-type", "TABLE.COLUMN TYPE [--using EXPRESSION]", "another type for a column",
            twins.change_type, (2, 2), "using", "batch",
        ),
        _recipe(
            "partition", "TABLE 'RANGE (COLUMN)' [--until VALUE]", "make a table the first partition of its like",
            tables.partition, (2, 2), "until",
        ),
        _recipe("drop-table", "TABLE", "drop a table that nobody uses any more", tables.drop_table, (1, 1)),
    )
}  # fmt: skip


def write_recipe(
    database: Database,
    folder: Path | str,
    recipe: str,
    *words: str,
    now: datetime.datetime | None = None,
    **options: Any,
) -> Written:
    """Write the files of a recipe, right for the table as it is in the database, which is only read.

    ``words`` and ``options`` are those of the command (``on_delete="cascade"``, ``not_null=True``, ``batch=500``).
    Raise `UsageError` for a wish that makes no sense there, `Refused` where there is no safe way.
    """
    chosen = find_recipe(recipe)
    chosen.refuse_wrong(words, tuple(options))
    with opened(database) as live:
        answer = chosen.cook(live, Wish(words, **options))
    if not answer.steps:
        return Written(recipe, (), answer.notes)
    place, at = Path(folder), now or datetime.datetime.now(datetime.UTC)
    place.mkdir(parents=True, exist_ok=True)
    before = read_migrations(place, recursive=True)
    paths: list[Path] = []
    for number, step in enumerate(answer.steps):
        existing = read_migrations(place, recursive=True)
        stem = name_after(existing, slug(step), now=second_after(at, number))
        paths += write_step(place, stem, step)
    return Written(recipe, tuple(paths), (*answer.notes, *_pending(database, before, live.used)))


def _pending(database: Database, before: Migrations, tables: Sequence[Relation]) -> tuple[str, ...]:
    """A note where files that are pending change what these are written for."""
    if not before:
        return ()
    try:
        waiting = {one.id for one in operations.status(database, before).pending}
    except WfloSchemaError:
        return ()  # who may read the table need not be able to read the ledger
    if not waiting:
        return ()
    for m in before:
        if m.id in waiting and (names := _names(m, tables)):
            again = "delete these files, which are right without it, apply it, and write them again"
            return (f"{m.id} is pending and has to do with {names}, too: {again}",)
    return ()


def _names(pending: Migration, tables: Sequence[Relation]) -> str:
    """The table of these with which a file has to do."""
    try:
        uses = Uses(load_script(pending.with_any_values()))
    except BadMigrationFile:
        return ""  # said where it is to be run
    return next((one.spelled for one in tables if uses.names(one.schema, one.name)), "")


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.  Raise `UsageError` with the nearest one where there is none."""
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean --recipe {near[0]}?" if near else f"there are {', '.join(RECIPES)}"
    raise UsageError(f"there is no recipe {name}", hint=hint)
