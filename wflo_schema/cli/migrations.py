"""Apply, roll back, look at and begin migrations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wflo_schema.cli.fleet_runs import begin, run_on_all
from wflo_schema.cli.fleets import fleet_finder, fleet_of, fleet_target_options, jobs_option, wave_options
from wflo_schema.cli.looking import status_of_fleet, wait_of_fleet
from wflo_schema.cli.options import (
    Command,
    duration_ms,
    explain_refused,
    lock_options,
    locks_of,
    option,
    pasteable,
    phase_option,
    read_files,
    resolve_database,
)
from wflo_schema.cli.plans import apply_options, plan
from wflo_schema.cli.progress import Display
from wflo_schema.cli.signals import stoppable
from wflo_schema.cli.streams import EXIT_CODES, answer, say, warn
from wflo_schema.cli.success import follow_success
from wflo_schema.errors import Refused, UsageError

if TYPE_CHECKING:
    from wflo_schema.files.directives import Phase


@click.command(cls=Command, epilog=EXIT_CODES)
@fleet_target_options
@lock_options
@apply_options
@option("--dry-run", is_flag=True, help="Only show what it would do: the same as wflo-schema plan.")
# many parameters: one for each option
# long: its options and its help take most of it
def migrate(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    block_timeout: str | None,
    lock_wait: str,
    to: str | None,
    allow: tuple[str, ...],
    phase: Phase | None,
    drop_deleted: bool,
    together: bool,
    create_database: bool,
    create_schema: bool,
    dry_run: bool,
) -> None:
    """Apply every pending migration, each with its record in one transaction.

    Then applies those files of migrations/repeatable/ that changed, all in one transaction. Never runs a
    migration twice. If several run at once, each migration is applied once. After a kill, run it again.

    \b
    Example:
      DATABASE_URL=postgresql://wflo_user@localhost/wflo wflo-schema migrate
      wflo-schema migrate --to 20251110_02 --lock-timeout 500ms
      wflo-schema migrate --together    all of them, or none
      wflo-schema migrate --phase before-deploy
      wflo-schema migrate --dry-run     what it would do
      wflo-schema migrate --schemas 'tenant_%' --canary 2
    """
    from wflo_schema.engine import operations
    from wflo_schema.engine.planning import Allow
    from wflo_schema.show.text import result_json, result_line, result_text
    from wflo_schema.words import listed

    if dry_run:  # by a settings file; what is typed leads to plan itself
        context = click.get_current_context()
        context.invoke(plan, **{name: value for name, value in context.params.items() if name != "dry_run"})
        return
    begin(format_)
    files = read_files(migrations)
    asked: dict[str, Any] = {
        "to": to,
        "allow": [Allow(a) for a in allow],
        "together": together,
        "create_schema": create_schema,
        "drop_deleted": drop_deleted,
        "phase": phase,
        "locks": locks_of(lock_timeout, lock_wait, block_timeout),
    }
    targets = fleet_of(database_url, server_directory, create=create_schema, create_database=create_database)
    if targets is None:
        target = resolve_database(database_url, schema, server_directory, create_database=create_database)
    if files.without_rollback:
        warn(f"no rollback file, so cannot be rolled back: {listed(files.without_rollback)}")
    if targets is not None:
        from wflo_schema.fleet.operations import migrate_fleet

        run_on_all(migrate_fleet, targets, files, format_, name="apply", **asked)
    try:
        with stoppable() as stop, Display(format_) as notify:
            result = operations.migrate(target, files, **asked, notify=notify, stop=stop)
    except Refused as refused:
        raise explain_refused(target, files, refused) from None
    follow_success(click.get_current_context(), result)
    answer(result_json(result) if format_ == "json" else result_text(result), result_line(result))


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("id", required=False)
@fleet_target_options
@lock_options
@option("-n", "--count", type=click.IntRange(min=0), default=None, help="How many, the last one first. Default: 1.")
@option("--to", metavar="ID", help="Roll back every migration applied after this one, and keep this one.")
@option("--together", is_flag=True, help="Roll back all of them in one transaction: all, or none.")
@wave_options
# many parameters: one for each option
def rollback(
    id: str | None,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    block_timeout: str | None,
    lock_wait: str,
    count: int | None,
    to: str | None,
    together: bool,
) -> None:
    """Roll back the last migration, the last N, all after one, or just ID.

    Does nothing at all when one of the rollback files is missing or empty. Repeatable files that were
    applied after a migration get the text back that they had before it; repeatable/NAME puts back the
    former text of one.

    \b
    Example:
      wflo-schema rollback              the last one
      wflo-schema rollback -n 2
      wflo-schema rollback --schemas 'tenant_%' --to 20251110_01
    """
    from wflo_schema.cli.suggestions import is_count, meant
    from wflo_schema.engine import operations
    from wflo_schema.show.text import result_json, result_line, result_text

    begin(format_)
    if sum(x is not None for x in (id, count, to)) > 1:
        raise UsageError("give one of ID, -n and --to", hint="wflo-schema rollback --help")
    targets = fleet_of(database_url, server_directory)
    target = None if targets is not None else resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    if id is not None and is_count(id) and files.get(id) is None:
        raise UsageError(
            f"{id} is no migration's whole id, and may be meant as a number of migrations",
            hint=f"for the last {id}: {meant()}; for one migration, give the whole id",
        )
    asked: dict[str, Any] = {
        "count": 1 if count is None else count,
        "to": to,
        "only": id,
        "together": together,
        "locks": locks_of(lock_timeout, lock_wait, block_timeout),
    }
    if targets is not None:
        from wflo_schema.fleet.operations import rollback_fleet

        run_on_all(rollback_fleet, targets, files, format_, name="rollback", **asked)
    assert target is not None
    try:
        with stoppable() as stop, Display(format_) as notify:
            result = operations.rollback(target, files, **asked, notify=notify, stop=stop)
    except Refused as refused:
        raise explain_refused(target, files, refused) from None
    follow_success(click.get_current_context(), result)
    answer(result_json(result) if format_ == "json" else result_text(result), result_line(result))


@click.command(cls=Command, epilog=EXIT_CODES)
@fleet_target_options
@jobs_option
@option("--no-catalogs", is_flag=True, help="Of several targets, read the ledgers alone: compare no catalogs.")
def status(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    no_catalogs: bool,
) -> None:
    """Show which migrations are applied, pending, changed or missing.

    Writes nothing, and works for a role that may only read. For a gate in CI use
    wflo-schema check --only ledger, which exits with 1 where something is pending.

    \b
    Example:
      wflo-schema status --format json | jq .pending
      wflo-schema status --schemas 'tenant_%'    of each, and whose catalogs are odd
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import status_json, status_text

    if (targets := fleet_of(database_url, server_directory)) is not None:
        status_of_fleet(targets, read_files(migrations), format_, catalogs=not no_catalogs)
    target = resolve_database(database_url, schema, server_directory)
    found = operations.status(target, read_files(migrations))
    answer(status_json(found) if format_ == "json" else pasteable(status_text(found)))


@click.command(cls=Command, epilog=EXIT_CODES)
@fleet_target_options
@option("--applied", is_flag=True, help="Wait until every migration of the files is applied, too.")
@phase_option("Do not wait for what is for after the new version of the application starts: before-deploy.")
@option("--timeout", metavar="DURATION", help="How long to wait at most. Default: what --wait says, else 60s.")
@jobs_option
def wait(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    applied: bool,
    phase: Phase | None,
    timeout: str | None,
) -> None:
    """Wait until the server lets you in, or until the schema is there.

    For an application that must not start before its migrations are applied, by whomever: put it in
    front of the application's own command. Writes nothing. Exits with 1 where migrations are still
    pending when the time is over, or repeatable files or the hook after all are to be run.

    \b
    Example:
      wflo-schema wait --applied --timeout 5min && exec my-application
      wflo-schema wait --applied --phase before-deploy && exec my-application
      wflo-schema wait --applied --schemas 'tenant_%' && exec my-application
    """
    from wflo_schema.show.text import json_text, status_json, status_text

    timeout = timeout or click.get_current_context().meta.get("wflo_schema.wait") or "60s"
    timeout_s = duration_ms(timeout, "--timeout 30s") / 1000
    find = fleet_finder(database_url, server_directory, create=True, waits=False)
    if find is not None:
        files = read_files(migrations) if applied else None
        said = f"; waiting up to {timeout}"
        wait_of_fleet(find, files, format_, timeout_s=timeout_s, phase=phase, notify=lambda what: say(f"{what}{said}"))
    target = resolve_database(database_url, schema, server_directory, waits=False)
    if not applied:
        from wflo_schema.connect.database import wait_until_ready

        wait_until_ready(target, timeout_s, notify=lambda error: say(f"{error.message}; waiting up to {timeout}"))
        answer(json_text({"database": target.label}) if format_ == "json" else f"ready: {target.label}")
        return
    from wflo_schema.engine.waiting import wait_until_applied

    found = wait_until_applied(
        target,
        read_files(migrations),
        timeout_s=timeout_s,
        phase=phase,
        notify=lambda said: say(f"{said}; waiting up to {timeout}"),
    )
    answer(status_json(found) if format_ == "json" else pasteable(status_text(found)))
    sys.exit(0 if found.is_applied(phase) else 1)
