"""Begin migration files, and give one another name."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wflo_schema.cli.options import (
    FOLDER,
    Command,
    database_url_option,
    format_option,
    option,
    phase_option,
    read_files,
    recursive_option,
    refuse_second_folder,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
    target_options,
)
from wflo_schema.cli.recipes import given_options, recipe_options, write_recipe
from wflo_schema.cli.streams import EXIT_CODES, answer, warn
from wflo_schema.errors import NoDatabase, Refused, UsageError
from wflo_schema.files.packaged import PACKAGED

if TYPE_CHECKING:
    from wflo_schema.files.directives import Phase
    from wflo_schema.scratch.replay import ScratchOptions


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("words", nargs=-1, metavar="[MESSAGE | ARGUMENT ...]")
@option("--depends", metavar="ID", multiple=True, help="A migration that must come first; repeatable.")
@option(
    "--merge",
    is_flag=True,
    help="Write one that joins the heads of the history: it depends on all of them, and does nothing.",
)
@phase_option("Say in the file that it is applied after the new version of the application started: after-deploy.")
@option("--repeatable", is_flag=True, help="Write a file that is applied again when it changes: a view, a function.")
@option(
    "--migrations",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    default=(Path("migrations"),),
    envvar="WFLO_SCHEMA_MIGRATIONS",
    show_default=True,
    help="Folder to write into; created if missing.",
)
@recursive_option
@recipe_options
@database_url_option
@schema_option
@server_directory_option
@format_option
# many parameters: one for each option
def new(
    words: tuple[str, ...],
    recipe: str | None,
    depends: tuple[str, ...],
    merge: bool,
    phase: Phase | None,
    repeatable: bool,
    migrations: tuple[Path, ...],
    database_url: str | None,
    schema: str | None,
    server_directory: Path,
    format_: str,
    **wishes: Any,
) -> None:
    """Write an empty migration and its rollback file, a repeatable file, or those of a recipe.

    Changes no database, and only a recipe reads one. The name begins with date and time in UTC, and
    sorts after all others, those of sub-folders, too.

    \b
    Example:
      wflo-schema new "add a column"
      wflo-schema new "drop the old column" --phase after-deploy
      wflo-schema new --merge
      wflo-schema new --repeatable "active users"
      wflo-schema new --recipe not-null orders.customer_id
      wflo-schema new --recipe help
    """
    if len(migrations) > 1:
        raise UsageError(
            f"{len(migrations)} migrations folders are named, and a new migration goes into one: "
            f"{', '.join(map(str, migrations))}",
            hint=f"say which: --migrations {migrations[-1]}",
        )
    if str(migrations[0]) == PACKAGED:
        raise UsageError(
            f"{PACKAGED} is the name of wflo's own migrations", hint=f"for a folder: --migrations ./{PACKAGED}"
        )
    if recipe is not None:
        if merge or repeatable or depends or phase:
            raise UsageError(
                "a recipe writes files of its own", hint="leave out --merge, --repeatable, --phase and --depends"
            )
        reach = functools.partial(resolve_database, database_url, schema, server_directory)
        return write_recipe(recipe, words, wishes, migrations, reach, format_=format_)
    if given := given_options(wishes):
        raise UsageError(
            f"{given[0]} is for a recipe", hint="say which: wflo-schema new --recipe NAME; help lists them"
        )
    if len(words) > 1:
        raise UsageError(
            f"a migration has one message, and there are {len(words)}",
            hint=f"quote it: wflo-schema new {shlex.quote(' '.join(words))}",
        )
    _begin(words[0] if words else None, depends, merge, phase, repeatable, migrations, format_)


def _begin(
    message: str | None,
    depends: tuple[str, ...],
    merge: bool,
    phase: Phase | None,
    repeatable: bool,
    migrations: tuple[Path, ...],
    format_: str,
) -> None:
    """Write an empty file, and its rollback file where it has one."""
    from wflo_schema.files.naming import merge_migration, new_migration, new_repeatable
    from wflo_schema.show.text import json_text

    if message is None and not merge:
        raise UsageError("say in a few words what it does", hint='wflo-schema new "add a column"')
    if repeatable and (merge or depends or phase == "after-deploy"):
        raise UsageError(
            "a repeatable file comes behind all migrations, and depends on what it is made from, as PostgreSQL tells",
            hint="leave that out",
        )
    refuse_second_folder(shlex.quote(message) if message else "--merge")
    if repeatable:
        paths = new_repeatable(migrations[0], message or "")
    elif merge:
        paths = merge_migration(migrations[0], message or "", depends=depends)
    else:
        paths = new_migration(migrations[0], message or "", depends=depends, phase=phase)
    written = [str(path) for path in paths]
    text = json_text({"paths": paths}) if format_ == "json" else "\n".join(written)
    answer(text, f"written: {', '.join(written)}")


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("id")
@option("--last", is_flag=True, required=True, help="Give it a name that sorts after all others.")
@target_options
def move(
    id: str,
    last: bool,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
) -> None:
    """Rename a pending migration, with its rollback file, so that it comes last.

    For a file that was merged late. Changes the depends lines that name it. Refuses a migration that
    the database has; warns without a database. It cannot know what other databases have.

    \b
    Example:
      wflo-schema move 20251110_02 --last
    """
    from wflo_schema.engine import operations
    from wflo_schema.files.naming import move_last
    from wflo_schema.show.text import json_text

    files = read_files(migrations)
    chosen = files.resolve(id)
    try:
        target = resolve_database(database_url, schema, server_directory)
    except NoDatabase:
        warn(f"no database was asked whether {chosen.id} is applied: rename it only if none has it")
    else:
        status = operations.status(target, files)
        entry = next(e for e in status.entries if e.id == chosen.id)
        if entry.applied_at is not None or entry.statements_done is not None:
            raise Refused(
                f"{chosen.id} is {'applied' if entry.applied_at else 'half applied'} in {target.label}: "
                "it keeps its place",
                hint="move the one that is pending; wflo-schema status shows both",
            )
        applied = {e.id for e in status.entries if e.applied_at is not None}
        dependent = [m.id for m in files if chosen.id in m.depends and m.id in applied]
        if dependent:
            raise Refused(
                f"{', '.join(dependent)} depends on {chosen.id} and is applied, so its file must stay as it is",
                hint=f"apply it where it is: wflo-schema migrate --to {chosen.id} --allow late",
            )
    moved = move_last(files, chosen.id)
    written = [str(path) for path in moved.paths]
    lines = [*written, *(f"{path}  (depends on it)" for path in moved.edited)]
    answer(json_text(moved) if format_ == "json" else "\n".join(lines), f"moved: {', '.join(written)}")


@click.command(cls=Command, epilog=EXIT_CODES)
@option("--to", metavar="ID", required=True, help="The last migration to squash.")
@option("--from", "since", metavar="ID", help="The first migration to squash. Default: the first there is.")
@option("--message", metavar="WORDS", default="", help="What the new file is called.")
@option("--remove", is_flag=True, help="Delete the files that it replaces.")
@target_options
@scratch_options
# many parameters: one for each option
def squash(
    to: str,
    since: str | None,
    message: str,
    remove: bool,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Write one migration in place of many, proven by replay to make the same.

    Changes no database: replays the old files and the new one in scratch databases, and compares
    catalogs, privileges and rows. Keeps and names the statements that no catalog shows. A database
    that has all of the old ones records the new one as applied at its next migrate.

    \b
    Example:
      wflo-schema squash --to 20251110_03
    """
    from wflo_schema.show.text import json_text, squashed_text
    from wflo_schema.squash.operations import squash_migrations

    files = read_files(migrations)
    given = scratch()
    try:
        target = resolve_database(database_url, schema, server_directory)
    except NoDatabase:
        if given.on is None:
            raise
        target = None
    server = (given.on if target is None else target) or target
    assert server is not None
    found = squash_migrations(
        server.with_schema(schema),
        files,
        to,
        since=since,
        message=message,
        remove=remove,
        scratch=given,
        target=target,
    )
    answer(json_text(found) if format_ == "json" else squashed_text(found), "the squashed migration was written")
