"""Rehearse migrations, and say what PostgreSQL says of each statement."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.options import (
    Command,
    all_of,
    database_url_option,
    format_option_of,
    migrations_option,
    read_files,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
)
from wflo_schema.cli.streams import EXIT_CODES, answer

if TYPE_CHECKING:
    from wflo_schema.scratch.replay import ScratchOptions


@click.command(cls=Command, epilog=EXIT_CODES)
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@format_option_of("text", "json", "timeline", "svg", "html")
@scratch_options
# many parameters: one for each option
def trace(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Show what each pending statement locks, rewrites, scans and builds, as PostgreSQL says.

    Runs the pending migrations in a scratch database at the target's schema, without its rows.
    Changes nothing in the target. Exits with 1 where a statement is refused there.

    \b
    Example:
      wflo-schema trace
      wflo-schema trace --format json | jq '.[] | {line, locks}'
      wflo-schema trace --format html > trace.html
    """
    from wflo_schema.show.timeline import timeline_html, timeline_svg, timeline_text
    from wflo_schema.show.traces import trace_json, trace_text
    from wflo_schema.trace import operations

    target = resolve_database(database_url, schema, server_directory)
    found = operations.trace(target, read_files(migrations), scratch=scratch())
    shown = {"json": trace_json, "timeline": timeline_text, "svg": timeline_svg, "html": timeline_html}
    answer(shown.get(format_, trace_text)(found))
    sys.exit(1 if found.failed else 0)
