"""Take over a database that another tool made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.fleets import fleet_of, fleet_target_options, jobs_option
from wflo_schema.cli.looking import adopt_of_fleet
from wflo_schema.cli.options import (
    FOLDER,
    Command,
    database_url_option,
    format_option,
    option,
    pasteable,
    read_files,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
    target_options,
)
from wflo_schema.cli.streams import EXIT_CODES, answer, warn
from wflo_schema.errors import NoDatabase, UsageError
from wflo_schema.words import counted

if TYPE_CHECKING:
    from wflo_schema.adopt.found import Adoption
    from wflo_schema.connect.database import Database
    from wflo_schema.scratch.replay import ScratchOptions


@click.command(cls=Command, epilog=EXIT_CODES)
@fleet_target_options
@jobs_option
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

    if (targets := fleet_of(database_url, server_directory)) is not None:
        adopt_of_fleet(targets, read_files(migrations), format_, apply=apply, to=to, scratch=scratch())
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


@click.command("import", cls=Command, epilog=EXIT_CODES)
@click.argument("folder", metavar="FOLDER", required=False)
@option("--from", "tool", metavar="TOOL", help="The tool that the folder is of. Default: the one that its files show.")
@option(
    "--into",
    metavar="DIR",
    type=FOLDER,
    default=Path("migrations"),
    show_default=True,
    help="The folder for the new files; it is made if it is not there.",
)
@option("--write", is_flag=True, help="Write the files. Without it, only say what would be written.")
@option("--follow", is_flag=True, help="Add what is new since the last import. FOLDER may be left out.")
@option(
    "--set", "values", metavar="NAME=VALUE", multiple=True, help="The value of a placeholder or variable; repeatable."
)
@option(
    "--order",
    metavar="ORDER",
    default="",
    help="The order of files that no tool reads: name, number, or a file that lists them.",
)
@database_url_option
@schema_option
@format_option
@server_directory_option
@scratch_options
# many parameters: one for each option
def import_(
    folder: str | None,
    tool: str | None,
    into: Path,
    write: bool,
    follow: bool,
    values: tuple[str, ...],
    order: str,
    database_url: str | None,
    schema: str | None,
    format_: str,
    server_directory: Path,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Turn another tool's folder into plain migration files, and prove that both make the same.

    Runs the old files by the rules of their tool in one scratch database, the new ones in another,
    and compares catalogs and rows; then rolls both back. Says of each file what is left for you to
    do. Changes neither FOLDER nor any database of yours.

    \b
    Example:
      wflo-schema import db/migrations
      wflo-schema import db/migrations --write && wflo-schema adopt
    """
    from wflo_schema.imports.operations import import_folder
    from wflo_schema.imports.source import Wishes
    from wflo_schema.show.text import import_text, json_text, plain

    given = scratch()
    server: Database | None
    try:
        server = resolve_database(database_url, schema, server_directory, is_server=True)
    except NoDatabase:
        server = given.on.with_schema(schema) if given.on is not None else None
    found = import_folder(
        folder,
        into,
        tool=tool,
        wishes=Wishes(order, _values(values)),
        server=server,
        scratch=given,
        follow=follow,
        write=write,
    )
    done = f"written: {counted(len(found.paths), 'file')} in {into}" if write and found.paths else ""
    verdict = {"is_proven": found.is_proven, "exit_code": found.exit_code}
    text = json_text({**plain(found), **verdict}) if format_ == "json" else import_text(found)
    answer(pasteable(text) if format_ != "json" else text, done)
    sys.exit(found.exit_code)


def _values(given: Sequence[str]) -> dict[str, str]:
    """The values of --set by their names.  Raise `UsageError` where there is no name, or two values."""
    found: dict[str, str] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"--set {one} gives no value", hint="--set NAME=VALUE")
        if found.get(name.strip(), value) != value:
            raise UsageError(f"--set gives {name.strip()} two values", hint="give it once")
        found[name.strip()] = value
    return found


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
