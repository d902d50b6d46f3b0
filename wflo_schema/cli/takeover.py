"""Take over a database that another tool made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.options import (
    EXIT_CODES,
    Command,
    option,
    pasteable,
    read_files,
    resolve_database,
    scratch_options,
    target_options,
)
from wflo_schema.cli.streams import answer, warn

if TYPE_CHECKING:
    from wflo_schema.adopt.found import Adoption
    from wflo_schema.scratch.replay import ScratchOptions


@click.command(cls=Command, epilog=EXIT_CODES)
@target_options
@option("--apply", is_flag=True, help="Record the migrations if the catalogs are equal. Without it, only look.")
@option("--to", metavar="ID", help="The migration that you expect, if several fit or two tools were at work.")
@scratch_options
def adopt(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    apply: bool,
    to: str | None,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Take over a live database that another tool made, or that was made by hand.

    Replays the migrations in a scratch database and compares the catalogs. Says up to which
    migration the two match; if none, shows each difference from the nearest.
    The catalog decides. Another tool's ledger says where to look first, and tells apart migrations
    that differ in rows only.
    Never changes a table, and leaves the other ledger as it is.

    \b
    Example:
      wflo-schema adopt
      wflo-schema adopt --apply && wflo-schema migrate
    """
    from wflo_schema.adopt.judge import adopt_database

    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    found = adopt_database(
        target,
        files,
        apply=apply,
        to=to,
        scratch=scratch(),
    )
    _answer(found, format_)


@click.command(cls=Command, epilog=EXIT_CODES)
@target_options
@option("--to", metavar="ID", required=True, help="The last migration to record.")
@option("--unverified", is_flag=True, help="Compare nothing; record on your word alone.")
@scratch_options
def baseline(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    to: str,
    unverified: bool,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Record migrations as applied without running them, for a database made by hand.

    Records only if the catalog is the one that the migrations up to --to make. Ignores other
    tools' ledgers; adopt does not. Never changes a table.

    \b
    Example:
      wflo-schema baseline --to 20251110_03
    """
    from wflo_schema.adopt.judge import baseline
    from wflo_schema.words import listed

    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    found = baseline(
        target,
        files,
        to,
        verified=not unverified,
        scratch=scratch(),
    )
    if unverified and found.is_applied:
        warn(
            f"recorded on your word alone, nothing was compared: {listed(found.record, 10)}; "
            "wflo-schema adopt says whether the catalog agrees"
        )
    _answer(found, format_)


def _answer(found: Adoption, format_: str) -> None:
    """Print what was found, with what to type next fit to be pasted, and exit."""
    from wflo_schema.show.text import adoption_json, adoption_text
    from wflo_schema.words import listed

    found = replace(
        found,
        next_steps=tuple(map(pasteable, found.next_steps)),
        objections=tuple(map(pasteable, found.objections)),
    )
    done = f"recorded: {listed(found.record)}" if found.is_applied else ""
    answer(adoption_json(found) if format_ == "json" else adoption_text(found), done)
    sys.exit(found.exit_code)
