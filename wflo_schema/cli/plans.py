"""Show what migrate would do, and what that would do to the database."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.fleets import fleet_of, fleet_target_options, wave_options
from wflo_schema.cli.looking import look_ahead_of, pasteable_plan, plan_of_fleet
from wflo_schema.cli.options import (
    Command,
    all_of,
    create_database_option,
    create_schema_option,
    folders_of,
    is_recursive,
    lock_options,
    locks_of,
    option,
    phase_option,
    read_files,
    resolve_database,
    scratch_options,
    some_of,
)
from wflo_schema.cli.settings import given_by_settings
from wflo_schema.cli.streams import EXIT_CODES, answer
from wflo_schema.errors import UsageError

if TYPE_CHECKING:
    from wflo_schema.connect.database import Database
    from wflo_schema.engine.planning import Plan
    from wflo_schema.files.directives import Phase
    from wflo_schema.files.folder import Migrations
    from wflo_schema.scratch.replay import ScratchOptions

# What says of `migrate` which files it applies, and of `plan` as well.
apply_options = all_of(
    option("--to", metavar="ID", help="Stop after this one; the first part of its id is enough."),
    some_of(
        "--allow",
        ("changed", "missing", "ahead", "late", "heads", "half-done", "not-empty"),
        help="Go on although files, ledger and database disagree in this way; repeatable.",
    ),
    phase_option("Only what is for before, or for after the new version starts. Default: all."),
    option("--drop-deleted", is_flag=True, help="Drop what deleted repeatable files have made."),
    option("--together", is_flag=True, help="All in one transaction: all, or none."),
    create_database_option,
    create_schema_option,
    wave_options,
)


@click.command(cls=Command, epilog=EXIT_CODES)
@fleet_target_options
@lock_options
@apply_options
@option(
    "--against", metavar="REV", help="Plan without a database, as if one had applied all files of this git revision."
)
@option("--no-trace", is_flag=True, help="Do not rehearse the statements: no scratch database is made, nothing linted.")
@option("--sql", is_flag=True, help="Print the script for psql that does what migrate would, ledger included.")
@scratch_options
# many parameters: one for each option
# long: half of it is options and help
def plan(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    lock_wait: str,
    block_timeout: str | None,
    to: str | None,
    allow: tuple[str, ...],
    phase: Phase | None,
    drop_deleted: bool,
    together: bool,
    create_database: bool,
    create_schema: bool,
    against: str | None,
    no_trace: bool,
    sql: bool,
    scratch: Callable[[], ScratchOptions],
) -> None:
    """Show what migrate would do, whom it would stop and for how long.

    Takes the options of migrate, and writes nothing in the target. Rehearses the statements in a scratch
    database, looks how big what they touch is, and who holds it now. Exits with 1 when migrate would refuse, and
    when lint objects. With --against it says whether this branch's files come last once it is merged into REV: for
    CI, without a database.

    \b
    Example:
      wflo-schema plan --to 20251110_02
      wflo-schema plan --no-trace       only the list, and what would be refused
      wflo-schema plan --sql > release.sql
      wflo-schema plan --against origin/main
    """
    from wflo_schema.engine import operations
    from wflo_schema.engine.planning import Allow
    from wflo_schema.engine.scripting import write_script
    from wflo_schema.show.psql import psql_text
    from wflo_schema.show.text import json_text
    from wflo_schema.trace.recording import record

    if against is not None:
        _against(migrations, against, format_, to=to, together=together, phase=phase)
    locks = locks_of(lock_timeout, lock_wait, block_timeout)
    targets = fleet_of(database_url, server_directory, create=create_schema)
    files = read_files(migrations)
    allowed = [Allow(a) for a in allow]
    if targets is not None:
        if sql:
            raise UsageError(
                "--sql writes the script of one target", hint="name one: --schema NAME, or --database-url alone"
            )
        plan_of_fleet(
            targets,
            files,
            format_,
            scratch=None if no_trace else scratch(),
            to=to,
            allow=allowed,
            together=together,
            create_schema=create_schema,
            drop_deleted=drop_deleted,
            phase=phase,
        )
    target = resolve_database(database_url, schema, server_directory)
    if sql:
        write = functools.partial(write_script, to=to, allow=allowed, together=together, create_schema=create_schema)
        looking_on = functools.partial(record, scratch=scratch())
        script = psql_text(write(target, files, drop_deleted=drop_deleted, phase=phase, locks=locks, record=looking_on))
        answer(json_text({"sql": script}) if format_ == "json" else script)
        return
    planned = operations.plan(
        target,
        files,
        to=to,
        allow=allowed,
        together=together,
        phase=phase,
        create_schema=create_schema,
        drop_deleted=drop_deleted,
    )
    if planned.refusals:
        from wflo_schema.adopt.judge import explain_plan

        planned = pasteable_plan(explain_plan(target, files, planned))
    if no_trace:
        _answer(planned, format_)
    _look_ahead(target, files, planned, format_, scratch())


def _look_ahead(target: Database, files: Migrations, planned: Plan, format_: str, scratch: ScratchOptions) -> None:
    """Print the list with what is ahead, and exit."""
    from wflo_schema.show.plans import outlook_json, outlook_text

    outlook, found = look_ahead_of(target, files, planned, scratch)
    answer((outlook_json if format_ == "json" else outlook_text)(planned, outlook, found))
    sys.exit(1 if planned.refusals or (found is not None and found.exit_code == 1) else 0)


def _answer(planned: Plan, format_: str) -> None:
    """Print the list alone, and exit."""
    from wflo_schema.show.text import json_text, plan_text

    answer(json_text(planned) if format_ == "json" else plan_text(planned))
    sys.exit(1 if planned.refusals else 0)


def _against(
    migrations: tuple[Path, ...],
    revision: str,
    format_: str,
    *,
    to: str | None,
    together: bool,
    phase: Phase | None,
) -> None:
    """Plan without a database, and exit."""
    from wflo_schema.engine.against import plan_against

    if is_recursive():
        how = (
            "write recursive = false into [plan]"
            if given_by_settings(click.get_current_context(), "recursive")
            else "leave out --recursive"
        )
        raise UsageError("--against reads no sub-folders", hint=f"{how}, and name each folder")
    _answer(
        pasteable_plan(plan_against(folders_of(migrations), revision, to=to, together=together, phase=phase)), format_
    )
