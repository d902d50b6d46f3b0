"""Show what separates two databases, files or snapshots, and write it as a migration."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.options import (
    Command,
    all_of,
    database_url_option,
    format_option_of,
    migrations_option,
    option,
    pasteable,
    read_files,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
)
from wflo_schema.cli.streams import EXIT_CODES, answer, say, visible, warn
from wflo_schema.errors import NoDatabase, Refused, UsageError

if TYPE_CHECKING:
    from wflo_schema.connect.database import Database
    from wflo_schema.diff.operations import Source
    from wflo_schema.diff.renames import Ask, Likely, Renaming
    from wflo_schema.scratch.replay import ScratchOptions

# What --from and --to take besides a URL and a snapshot.
_FILES, _TARGET = "migrations", "database"


@click.command(cls=Command, epilog=EXIT_CODES)
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@format_option_of("sql", "json")
@option(
    "--from",
    "start",
    metavar="SOURCE",
    default=_FILES,
    show_default=True,
    help="Where the statements begin: migrations, database (the target), a URL, or a file of wflo-schema dump.",
)
@option(
    "--to",
    "goal",
    metavar="SOURCE",
    default=_TARGET,
    show_default=True,
    help="Where they lead: the same words.",
)
@option(
    "--rename",
    "renames",
    metavar="OLD=NEW",
    multiple=True,
    help="What has another name now, as in public.users.name=full_name; repeatable.",
)
@option(
    "--drop",
    "drops",
    metavar="NAME",
    multiple=True,
    help="What is gone and was not renamed, although something like it is new; repeatable.",
)
@option("--write", is_flag=True, help="Write the migration and its rollback file, if both do what they should.")
@option("--name", metavar="WORDS", default="", help="What the migration is called; with --write.")
@option("--privileges", is_flag=True, help="Compare owners and grants too; no snapshot holds them.")
@scratch_options
# many parameters: one for each option
def diff(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    start: str,
    goal: str,
    renames: tuple[str, ...],
    drops: tuple[str, ...],
    write: bool,
    name: str,
    privileges: bool,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Show what was done by hand in a database as SQL, or write it as a migration and its rollback.

    Changes no database: replays the migrations in a scratch database, runs there what it shows, and
    compares. Asks about what may have been renamed. Exits with 1 where there is a difference.

    \b
    Example:
      wflo-schema diff
      wflo-schema diff --write --name "add weights"
      wflo-schema diff --from old.sql --to new.sql
    """
    from wflo_schema.diff import operations
    from wflo_schema.diff.renames import Wishes
    from wflo_schema.show.differences import diff_sql, diff_summary
    from wflo_schema.show.text import json_text

    if write != bool(name):
        raise UsageError("--write and --name go together", hint='wflo-schema diff --write --name "add weights"')
    if write and start != _FILES:
        raise UsageError("--write continues the migrations, so it starts from them", hint="leave --from out")
    places = _Places(lambda: resolve_database(database_url, schema, server_directory), schema, migrations)
    one, other = places.source(start), places.source(goal)
    given = scratch()
    wishes = Wishes(renames, drops, _ask())
    server = places.server(given.on)
    if server is None:
        assert isinstance(one, operations.Snapshot)
        assert isinstance(other, operations.Snapshot)
        found = operations.diff_catalogs(one, other, wishes=wishes)
    else:
        found = operations.diff(server, one, other, scratch=given, wishes=wishes, privileges=privileges, name=name)
    found = replace(found, next_step=pasteable(found.next_step))
    answer(json_text(found) if format_ == "json" else diff_sql(found), "the migration was written" if write else "")
    for line in diff_summary(found):
        say(visible(line))
    for note in found.notes:
        warn(note)
    if not (found.is_equal or found.paths):
        sys.exit(1)


class _Places:
    """Reads what --from and --to name; the target is looked for only where it is needed."""

    def __init__(self, target: Callable[[], Database], schema: str | None, migrations: tuple[Path, ...]) -> None:
        self._target, self._schema, self._migrations = target, schema, migrations
        self._sources: list[Source] = []

    def source(self, word: str) -> Source:
        from wflo_schema.catalog.snapshot import read_snapshot
        from wflo_schema.connect.database import Database
        from wflo_schema.diff.operations import Snapshot

        found: Source
        if word == _FILES:
            found = read_files(self._migrations)
        elif word == _TARGET:
            found = self._target()
        elif "://" in word:
            found = Database.parse(word, schema=self._schema, source="--from or --to")
        else:
            found = Snapshot(Path(word), read_snapshot(Path(word)))
        self._sources.append(found)
        return found

    def server(self, on: Database | None) -> Database | None:
        """Where scratch databases are made: beside one that is compared, or the target; None for two snapshots."""
        from wflo_schema.connect.database import Database
        from wflo_schema.diff.operations import Snapshot

        if found := next((s for s in reversed(self._sources) if isinstance(s, Database)), None):
            return found
        if on is not None:
            return on.with_schema(self._schema)
        try:
            return self._target()
        except NoDatabase:
            if all(isinstance(s, Snapshot) for s in self._sources):
                return None
            raise


def _ask() -> Ask | None:
    """What asks about renames; None where nobody is there to answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(likely: Likely) -> Renaming | None:
        ways = likely.renamings()
        say(visible(f"{likely.text}."))
        for number, way in enumerate(ways, 1):
            say(visible(f"  {number}  it was renamed: --rename {way.option}"))
        say(visible("  d  it is dropped, with what it holds; the other is new"))
        choices = click.Choice([*(str(n) for n in range(1, len(ways) + 1)), "d"])
        try:
            chosen: str = click.prompt("which?", type=choices, err=True, show_choices=True)
        except click.Abort:
            raise Refused("nobody said which it is", hint="say it with --rename or --drop") from None
        return None if chosen == "d" else ways[int(chosen) - 1]

    return ask
