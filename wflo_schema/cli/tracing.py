"""Rehearse migrations, and say what PostgreSQL says of each statement."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
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
    read_files,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
)
from wflo_schema.cli.streams import EXIT_CODES, answer
from wflo_schema.errors import NoDatabase, UsageError

if TYPE_CHECKING:
    from wflo_schema.connect.database import Database
    from wflo_schema.scratch.replay import ScratchOptions
    from wflo_schema.trace.values import Trace


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@format_option_of("text", "json", "timeline", "svg", "html")
@option("--files", multiple=True, metavar="FILE", help="Rehearse this file, by path or id, applied or not; repeatable.")
@option("--since", metavar="GIT-REV", help="Rehearse what is new since then, behind a replay of what there was.")
@option("--to", metavar="ID", help="Rehearse up to and including this migration.")
@scratch_options
# many parameters: one for each option
def trace(
    paths: tuple[str, ...],
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    files: tuple[str, ...],
    since: str | None,
    to: str | None,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Show what each pending statement locks, rewrites, reads and builds, as PostgreSQL says.

    Runs the pending migrations, or FILEs, in a scratch database at the target's schema, without its rows.
    Changes nothing in the target. Exits with 1 where a statement is refused there.
    What a statement does that no rehearsal without rows can tell is called undecided.

    \b
    Example:
      wflo-schema trace
      wflo-schema trace --since origin/main
      wflo-schema trace --format json | jq '.[] | {file, line, locks}'
      wflo-schema trace --format html > trace.html
    """
    from wflo_schema.show.timeline import timeline_html, timeline_svg, timeline_text
    from wflo_schema.show.traces import trace_json, trace_text
    from wflo_schema.trace import operations

    wanted = (*files, *paths)
    if since is not None and wanted:
        raise UsageError("--since names the files already", hint="leave out --since, or the files")
    if to is not None and wanted:
        raise UsageError("--to is for what is pending, or new since a revision", hint="leave out --to, or the files")
    target = _target(database_url, schema, server_directory, scratch(), is_replayed=since is not None)
    read = read_files(migrations)
    pictures = {"timeline": timeline_text, "svg": timeline_svg, "html": timeline_html}
    with ExitStack() as closing:
        found = operations.trace(target, read, files=wanted, since=since, to=to, scratch=scratch(), closing=closing)
        if format_ in pictures:
            seconds = {} if since is not None else _seconds(target, found, scratch())
            answer(pictures[format_](found, seconds))
        else:
            answer(trace_json(found) if format_ == "json" else trace_text(found, style=click.style))
    sys.exit(1 if found.failed else 0)


def _seconds(target: Database, found: Trace, scratch: ScratchOptions) -> dict[int, tuple[float, float]]:
    """How long the statements would take in the target, by their place; nothing where none takes long."""
    from wflo_schema.show.timeline import A_MOMENT, NOT_KNOWN
    from wflo_schema.trace.outlook import estimates_of

    estimates, _ = estimates_of(target, found, scratch=scratch)
    if all(one is None or one.is_small for one in estimates):
        return {}
    return {
        n: A_MOMENT
        if one is None or one.is_small
        else NOT_KNOWN
        if one.low_ms is None or one.high_ms is None
        else (one.low_ms / 1000, one.high_ms / 1000)
        for n, one in enumerate(estimates)
        if not found.statements[n].error
    }


def _target(
    url: str | None, schema: str | None, server_directory: Path, scratch: ScratchOptions, *, is_replayed: bool
) -> Database:
    """The target; where history is replayed, any server will do."""
    try:
        return resolve_database(url, schema, server_directory)
    except NoDatabase:
        if is_replayed and scratch.on is not None:
            return scratch.on.with_schema(schema)
        raise
