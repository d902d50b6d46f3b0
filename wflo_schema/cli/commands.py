"""The command line: options, one call, one rendering, one exit code.

The only module that reads the environment and prints.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wflo_schema.cli.options import (
    EXIT_CODES,
    LIBPQ,
    URL_VARIABLES,
    all_of,
    database_url_option,
    default_directory,
    explain_refused,
    format_option,
    given_options,
    lock_options,
    locks_of,
    migrations_option,
    option,
    read_files,
    resolve_database,
    schema_option,
    scratch_database_of,
    scratch_url_option,
    server_directory_option,
    target_options,
)
from wflo_schema.cli.progress import Display, Terminated, stoppable, terminate
from wflo_schema.cli.streams import ReaderGone, discard, make_streams_safe, print_json, say, show_error, warn
from wflo_schema.errors import NoDatabase, Refused, UsageError, WfloSchemaError
from wflo_schema.show.check_formats import FORMATS

if TYPE_CHECKING:
    from wflo_schema.server.values import ServerStatus


class _CheckCommand(click.Command):
    """Lists the codes in --help, from where they are documented."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from wflo_schema.check.rules import RULES
        from wflo_schema.show.check_formats import rules_text

        with formatter.section("Codes"):
            for line in rules_text(RULES).splitlines():
                formatter.write(f"  {line}\n")
        super().format_epilog(ctx, formatter)


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGone from None


@click.group(
    cls=_Group,
    context_settings={"auto_envvar_prefix": "WFLO_SCHEMA", "help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="wflo-schema")
def cli() -> None:
    """Plain SQL migrations for PostgreSQL, verified in the live catalog.

    \b
    Start here:
      wflo-schema server start      a PostgreSQL of the project's own, if you have none
      wflo-schema migrate           apply what is pending
      wflo-schema check             verify tables, ledger and foreign keys
    """


@cli.command(epilog=EXIT_CODES)
@target_options
@lock_options
@option("--to", metavar="ID", help="Stop after this migration; the beginning of its id will do.")
@option(
    "--allow",
    type=click.Choice(["changed", "missing", "ahead", "late", "heads", "half-done"]),
    multiple=True,
    help="Go on although files and ledger do not fit; names the case, repeatable.",
)
# many parameters: one for each option
def migrate(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    lock_wait: str,
    to: str | None,
    allow: tuple[str, ...],
) -> None:
    """Apply every pending migration, each with its record in one transaction.

    Does not create the database, and never runs a migration twice. Any number of them at once do
    the work once; after a kill, run it again.

    \b
    Example:
      DATABASE_URL=postgresql://wflo_user@localhost/wflo wflo-schema migrate
      wflo-schema migrate --to 20251110_02 --lock-timeout 500ms
    """
    from wflo_schema.engine import operations
    from wflo_schema.engine.planning import Allow
    from wflo_schema.show.text import result_json, result_text
    from wflo_schema.words import listed

    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    if files.without_rollback:
        shown = listed(files.without_rollback)
        warn(f"no rollback file, so it cannot be rolled back: {shown}")
    try:
        with stoppable() as stop, Display(format_) as notify:
            result = operations.migrate(
                target,
                files,
                to=to,
                allow=[Allow(a) for a in allow],
                locks=locks_of(lock_timeout, lock_wait),
                notify=notify,
                stop=stop,
            )
    except Refused as refused:
        raise explain_refused(target, files, refused) from None
    click.echo(result_json(result) if format_ == "json" else result_text(result))


@cli.command(epilog=EXIT_CODES)
@click.argument("id", required=False)
@target_options
@lock_options
@option("-n", "--count", type=click.IntRange(min=0), default=None, help="How many, the last one first. Default: 1.")
@option("--to", metavar="ID", help="Roll back everything after this migration; it stays itself.")
# many parameters: one for each option
def rollback(
    id: str | None,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    lock_wait: str,
    count: int | None,
    to: str | None,
) -> None:
    """Roll back the last migration, the last N, all after one, or just ID.

    Does nothing at all when one of the rollback files is missing or empty.

    \b
    Example:
      wflo-schema rollback              the last one
      wflo-schema rollback -n 2
      wflo-schema rollback --to 20251110_01
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import result_json, result_text

    if sum(x is not None for x in (id, count, to)) > 1:
        raise UsageError("give one of ID, -n and --to", hint="wflo-schema rollback --help")
    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    try:
        with stoppable() as stop, Display(format_) as notify:
            result = operations.rollback(
                target,
                files,
                count=1 if count is None else count,
                to=to,
                only=id,
                locks=locks_of(lock_timeout, lock_wait),
                notify=notify,
                stop=stop,
            )
    except Refused as refused:
        raise explain_refused(target, files, refused) from None
    click.echo(result_json(result) if format_ == "json" else result_text(result))


@cli.command(epilog=EXIT_CODES)
@target_options
def status(
    database_url: str | None, schema: str | None, migrations: tuple[Path, ...], format_: str, server_directory: Path
) -> None:
    """Show which migrations are applied, pending, changed or missing.

    Writes nothing, and works for a role that may only read. For a gate in CI use
    wflo-schema check --only ledger, which exits with 1 where something is pending.

    \b
    Example:
      wflo-schema status --format json | jq .pending
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import status_json, status_text

    target = resolve_database(database_url, schema, server_directory)
    found = operations.status(target, read_files(migrations))
    click.echo(status_json(found) if format_ == "json" else status_text(found))


@cli.command(epilog=EXIT_CODES)
@target_options
@option("--to", metavar="ID", help="As for migrate.")
def plan(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    to: str | None,
) -> None:
    """Show what migrate would do, and what would stop it.

    Writes nothing and runs nothing. Exits with 1 when migrate would refuse.

    \b
    Example:
      wflo-schema plan --to 20251110_02
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import json_text, plan_text

    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    planned = operations.plan(target, files, to=to)
    if planned.refusals:
        from wflo_schema.adopt.judge import explain_plan

        planned = explain_plan(target, files, planned, options=given_options())
    click.echo(json_text(planned) if format_ == "json" else plan_text(planned))
    sys.exit(1 if planned.refusals else 0)


@cli.command(epilog=EXIT_CODES)
@click.argument("message")
@option(
    "--migrations",
    metavar="DIR",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    default=(Path("migrations"),),
    envvar="WFLO_SCHEMA_MIGRATIONS",
    show_default=True,
    help="Folder to write into; it is made if it is not there.",
)
@format_option
def new(message: str, migrations: tuple[Path, ...], format_: str) -> None:
    """Write an empty migration and its rollback file.

    Does not touch a database. The new one depends on the last of the folder.

    \b
    Example:
      wflo-schema new "add a column"
    """
    from wflo_schema.files.folder import new_migration
    from wflo_schema.show.text import json_text

    if len(migrations) > 1:
        raise UsageError(
            f"{len(migrations)} folders of migrations are named, and a new one goes into one: "
            f"{', '.join(map(str, migrations))}",
            hint=f"say which: --migrations {migrations[-1]}",
        )
    paths = new_migration(migrations[0], message)
    click.echo(json_text({"paths": paths}) if format_ == "json" else "\n".join(str(p) for p in paths))


@cli.command(cls=_CheckCommand, epilog=EXIT_CODES)
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="text",
    envvar="WFLO_SCHEMA_FORMAT",
    help="How to print the result.",
    show_default=True,
)
@option(
    "--contract",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What must hold. Default: contract.toml in the migrations folder.",
)
@option(
    "--only",
    type=click.Choice(["contract", "ledger", "rows", "drift", "indexes"]),
    multiple=True,
    help="Check just that, repeatable. Default: contract, ledger and indexes.",
)
@option("--rows", is_flag=True, help="Also look for orphan rows.")
@option("--drift", is_flag=True, help="Also compare the catalog with the migrations replayed in a scratch database.")
@scratch_url_option
@option(
    "--snapshot",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare with this file of wflo-schema dump instead: needs no scratch database.",
)
@option("--privileges", is_flag=True, help="Compare owners and grants too. Implies --drift; no snapshot holds them.")
@option("--timeout", metavar="DURATION", default="60s", show_default=True, help="For looking at rows, in all.")
@option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="What makes it exit with 1.",
)
# many parameters: one for each option
# long: its options and its help are the half of it
def check(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    contract: Path | None,
    only: tuple[str, ...],
    rows: bool,
    drift: bool,
    scratch_url: str | None,
    snapshot: Path | None,
    privileges: bool,
    timeout: str,
    fail_on: str,
) -> None:
    """Verify that the database keeps what the contract requires.

    Reads only. Says yes to a foreign key only if PostgreSQL enforces it; what cannot be seen is
    "cannot tell" (exit 3), never yes.

    \b
    Example:
      wflo-schema check
      wflo-schema check --rows --drift
      wflo-schema check --drift --snapshot schema.sql
      wflo-schema check --only contract --format github
    """
    from wflo_schema.catalog.snapshot import read_snapshot
    from wflo_schema.check.contract_file import read_contract
    from wflo_schema.check.verdict import DEFAULT_SECTIONS, check_database
    from wflo_schema.files.directives import parse_duration_ms
    from wflo_schema.findings import Severity
    from wflo_schema.scratch.replay import replayed

    target = resolve_database(database_url, schema, server_directory)
    sections = tuple(only or DEFAULT_SECTIONS)
    asked = (("rows", rows), ("drift", drift or privileges or snapshot is not None))
    sections += tuple(s for s, on in asked if on and s not in sections)
    try:
        timeout_s = parse_duration_ms(timeout) / 1000
    except ValueError as error:
        raise UsageError(str(error), hint="for example --timeout 5min") from None
    needs_contract = bool({"contract", "rows", "indexes"} & set(sections))
    needs_files = bool({"ledger", "drift"} & set(sections))
    files = read_files(migrations) if needs_files else None
    wanted = None
    if snapshot is not None and privileges:
        raise UsageError("a snapshot holds no owners and no grants", hint="leave --snapshot or --privileges out")
    if snapshot is not None:
        wanted = read_snapshot(snapshot)
    elif "drift" in sections and files is not None:
        wanted = replayed(target, files, on=scratch_database_of(scratch_url), privileges=privileges)
    path = contract or (migrations[0] if migrations else default_directory()) / "contract.toml"
    result = check_database(
        target,
        read_contract(path) if needs_contract else None,
        migrations=files,
        only=sections,
        rows_timeout_s=timeout_s,
        wanted=wanted,
        privileges=privileges,
        fail_on=Severity(fail_on),
    )
    click.echo(FORMATS[format_](result))
    sys.exit(result.exit_code)


@cli.group()
def contract() -> None:
    """Write down what a database must keep."""


@contract.command(epilog=EXIT_CODES)
@all_of(database_url_option, schema_option, server_directory_option)
def freeze(database_url: str | None, schema: str | None, server_directory: Path) -> None:
    """Write a contract from a live database to stdout.

    Reads only; does not say whether what is there is right.

    \b
    Example:
      wflo-schema contract freeze > migrations/contract.toml
    """
    from wflo_schema.check.freeze import freeze_contract

    target = resolve_database(database_url, schema, server_directory)
    click.echo(freeze_contract(target, schema=schema).encode(), nl=False)  # TOML is UTF-8


@cli.command(epilog=EXIT_CODES)
@target_options
@option("--apply", is_flag=True, help="Record it, where the catalog is equal. Without it the database is only read.")
@option("--to", metavar="ID", help="The migration that you expect, where several are equal or two tools were at work.")
@scratch_url_option
def adopt(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    apply: bool,
    to: str | None,
    scratch_url: str | None,
) -> None:
    """Take over a live database that another tool made, or nobody's.

    Finds the other tool's ledger, replays the migrations in a scratch database, and says after
    which one this database equals ours, or every difference from the nearest. Decides by the
    catalog, never by a ledger. Never changes a table, and leaves the other ledger as it is.

    \b
    Example:
      wflo-schema adopt
      wflo-schema adopt --apply && wflo-schema migrate
    """
    from wflo_schema.adopt.found import read_names
    from wflo_schema.adopt.judge import adopt_database
    from wflo_schema.adopt.reconciling import read_reconciling
    from wflo_schema.show.text import adoption_json, adoption_text

    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    found = adopt_database(
        target,
        files,
        apply=apply,
        to=to,
        scratch_on=scratch_database_of(scratch_url),
        names=read_names(files),
        reconciling=read_reconciling(files),
        options=given_options(),
    )
    click.echo(adoption_json(found) if format_ == "json" else adoption_text(found))
    sys.exit(found.exit_code)


@cli.command(epilog=EXIT_CODES)
@target_options
@option("--to", metavar="ID", required=True, help="The last migration to record.")
@option("--unverified", is_flag=True, help="Compare nothing: record what you say.")
@scratch_url_option
def baseline(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    to: str,
    unverified: bool,
    scratch_url: str | None,
) -> None:
    """Record migrations as applied without running them, for a database made by hand.

    Only once the catalog is seen to equal ours after --to. Unlike adopt it does not mind what other
    tools have recorded. Never changes a table.

    \b
    Example:
      wflo-schema baseline --to 20251110_03
    """
    from wflo_schema.adopt.judge import baseline
    from wflo_schema.adopt.reconciling import read_reconciling
    from wflo_schema.show.text import adoption_json, adoption_text
    from wflo_schema.words import listed

    target = resolve_database(database_url, schema, server_directory)
    files = read_files(migrations)
    found = baseline(
        target,
        files,
        to,
        verified=not unverified,
        scratch_on=scratch_database_of(scratch_url),
        reconciling=read_reconciling(files),
        options=given_options(),
    )
    if unverified and found.is_applied:
        warn(
            f"recorded on your word alone, and compared with nothing: {listed(found.record, 10)}; "
            "wflo-schema adopt says whether it is so"
        )
    click.echo(adoption_json(found) if format_ == "json" else adoption_text(found))
    sys.exit(found.exit_code)


@cli.command(epilog=EXIT_CODES)
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@option("--with-ledger", is_flag=True, help="Also the ledger, with the migrations that are recorded.")
def dump(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    with_ledger: bool,
) -> None:
    """Write the schema to stdout, for review in version control.

    SQL that loads into an empty database, and the catalog in comments, for check --snapshot. The
    same schema gives the same text, whoever writes it and when. Holds no rows, owners or grants.

    \b
    Example:
      wflo-schema dump > schema.sql
      wflo-schema check --drift --snapshot schema.sql
    """
    from wflo_schema.catalog.snapshot import dump_schema

    target = resolve_database(database_url, schema, server_directory)
    ledger = []
    if with_ledger:
        from wflo_schema.engine.operations import status as read_status
        from wflo_schema.engine.planning import ledger_statements

        files = read_files(migrations)
        ledger = ledger_statements(read_status(target, files), files)
    made = dump_schema(target, ledger=ledger)
    for one in made.left_out:
        warn(f"the SQL does not make this; only the comments have it: {one}")
    click.echo(made.text.encode(), nl=False)  # it is read back as UTF-8


@cli.group("test-db", epilog=EXIT_CODES, invoke_without_command=True)
@click.pass_context
@target_options
@option("--keep", is_flag=True, help="Keep the database and its data; only apply what is pending.")
@option("--name", metavar="NAME", help="Its name; it must end in _test. Default: the target's name and _test.")
def test_db(
    context: click.Context,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    keep: bool,
    name: str | None,
) -> None:
    """Drop, create and migrate the test database, on the same server.

    Open connections to the old one do not stop it. Refuses to drop a database whose name does not
    end in _test, and the target itself, whatever is asked.

    \b
    Example:
      wflo-schema test-db               wflo_test, made anew
      wflo-schema test-db --keep        only what is pending
    """
    from wflo_schema.show.text import json_text, plain, test_database_text
    from wflo_schema.testdb.databases import make_test_database

    if context.invoked_subcommand is not None:
        return
    target = resolve_database(database_url, schema, server_directory)
    with Display(format_) as notify:
        made = make_test_database(target, read_files(migrations), name=name, keep=keep, notify=notify)
    click.echo(
        json_text({**plain(made), "url": made.database.without_password.url})
        if format_ == "json"
        else test_database_text(made)
    )


@test_db.command("list", epilog=EXIT_CODES)
@all_of(database_url_option, format_option, server_directory_option)
def test_db_list(database_url: str | None, format_: str, server_directory: Path) -> None:
    """List the databases on this server that were made here: templates, clones, test databases.

    Writes nothing.

    \b
    Example:
      wflo-schema test-db list
    """
    from wflo_schema.show.text import json_text, made_text
    from wflo_schema.testdb.databases import list_test_databases

    found = list_test_databases(resolve_database(database_url, None, server_directory))
    click.echo(json_text(found) if format_ == "json" else made_text(found))


@test_db.command("prune", epilog=EXIT_CODES)
@all_of(database_url_option, format_option, server_directory_option)
@option("--kept", is_flag=True, help="Also those that were kept for looking at.")
def test_db_prune(database_url: str | None, format_: str, server_directory: Path, kept: bool) -> None:
    """Drop what killed test sessions left, and templates that nobody has used for long.

    Never touches a database that was not made here, nor one that is in use.

    \b
    Example:
      wflo-schema test-db prune
    """
    from wflo_schema.show.text import json_text, pruned_text
    from wflo_schema.testdb.databases import prune_test_databases

    found = prune_test_databases(resolve_database(database_url, None, server_directory), kept=kept)
    click.echo(json_text(found) if format_ == "json" else pruned_text(found))


@cli.group()
def server() -> None:
    """The project's own PostgreSQL, or the one of docker-compose.yml."""


_docker = all_of(
    option("--docker", is_flag=True, help="The PostgreSQL of docker-compose.yml, through Docker."),
    option(
        "--compose-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("docker-compose.yml"),
        show_default=True,
        envvar="WFLO_SCHEMA_COMPOSE_FILE",
        help="Where image, port and password are written.",
    ),
    option("--docker-image", metavar="NAME", envvar="WFLO_SCHEMA_DOCKER_IMAGE", help="Instead of the file's image."),
    option(
        "--docker-port",
        metavar="PORT",
        type=click.IntRange(1, 65535),
        envvar="WFLO_SCHEMA_DOCKER_PORT",
        help="Instead of the file's port on 127.0.0.1.",
    ),
)


@server.command(epilog=EXIT_CODES)
@all_of(server_directory_option, format_option, _docker)
@option(
    "--name", "database_name", metavar="NAME", default="wflo", show_default=True, help="The database to make in it."
)
@option("--if-needed", is_flag=True, help="Do nothing where DATABASE_URL or libpq's variables name a database.")
def start(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
    database_name: str,
    if_needed: bool,
) -> None:
    """Start it, make it where it is not there, and print its URL.

    Without --docker: PostgreSQL 18 from a Python package, kept in the project's folder, on a Unix
    socket only. Never deletes data.

    \b
    Example:
      wflo-schema server start
      wflo-schema server start --docker
    """
    from wflo_schema.server.docker import start_docker
    from wflo_schema.server.embedded import start_embedded
    from wflo_schema.show.text import json_text, plain

    variables = (*URL_VARIABLES, *LIBPQ)
    if if_needed and any(os.environ.get(name) for name in variables):
        return
    if not database_name:
        raise UsageError("the database's name is empty", hint="leave --name away for wflo")
    if docker:
        started = start_docker(compose_file, image=docker_image, port=docker_port)
    else:
        started = start_embedded(server_directory, database_name=database_name)
    if if_needed:
        if started.started:
            say(f"started: PostgreSQL {started.version}, {started.database.label}")
        return
    if format_ == "json":
        click.echo(json_text({**plain(started), "url": started.database.url}))
    else:
        verb = "started" if started.started else "already running"
        say(f"{verb}: PostgreSQL {started.version}, {started.database.label}")
        click.echo(started.database.url)


@server.command("stop", epilog=EXIT_CODES)
@all_of(server_directory_option, format_option, _docker)
def stop_(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
) -> None:
    """Stop it; its data stays.

    \b
    Example:
      wflo-schema server stop
    """
    from wflo_schema.server.docker import stop_docker
    from wflo_schema.server.embedded import stop_embedded
    from wflo_schema.show.text import json_text, server_status_text

    found = stop_docker(compose_file) if docker else stop_embedded(server_directory)
    click.echo(json_text(found) if format_ == "json" else server_status_text(found))


@server.command("status", epilog=EXIT_CODES)
@all_of(server_directory_option, format_option, _docker)
def server_status(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
) -> None:
    """Say whether it runs, and where its data is. Exits with 1 when it does not run.

    \b
    Example:
      wflo-schema server status
    """
    from wflo_schema.show.text import json_text, server_status_text

    found = _server_of(server_directory, compose_file if docker else None, docker_image, docker_port)
    click.echo(json_text(found) if format_ == "json" else server_status_text(found))
    sys.exit(0 if found.state == "running" else 1)


@server.command("url", epilog=EXIT_CODES)
@all_of(server_directory_option, _docker)
def server_url(
    server_directory: Path, docker: bool, compose_file: Path, docker_image: str | None, docker_port: int | None
) -> None:
    """Print the URL of the running one, for psql and for DATABASE_URL.

    \b
    Example:
      psql "$(wflo-schema server url)"
    """
    found = _server_of(server_directory, compose_file if docker else None, docker_image, docker_port)
    if found.state != "running" or found.database is None:
        why = f"cannot be used: {found.note}" if found.note else "is not running"
        raise NoDatabase(
            f"the {found.kind} server {why}", hint="wflo-schema server start" + (" --docker" if docker else "")
        )
    click.echo(found.database.url)


def _server_of(directory: Path, compose_file: Path | None, image: str | None, port: int | None) -> ServerStatus:
    """The project's own server: in Docker, where there is a Compose file, else the embedded one."""
    from wflo_schema.server.docker import status_docker
    from wflo_schema.server.embedded import status_embedded

    return status_docker(compose_file, image=image, port=port) if compose_file else status_embedded(directory)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one clear text on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        gc.set_threshold(100_000)  # what is imported stays: to look through it for garbage only costs time
    make_streams_safe()
    signal.signal(signal.SIGTERM, terminate)
    try:
        cli.main(args=words, prog_name="wflo-schema", standalone_mode=False)
        sys.stdout.flush()
        code = 0
    except click.exceptions.Exit as stopped:
        code = stopped.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else ""
        print_json(words, "usage-error", error.format_message(), hint)
        try:
            error.show()
        except OSError:
            discard(sys.stderr)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt) as stopped_by:
        is_term = isinstance(stopped_by.__cause__ or stopped_by, Terminated)  # click makes an Abort of it
        said = "terminated (SIGTERM)" if is_term else "interrupted (SIGINT)"
        print_json(words, "interrupted", said)
        say(f"error: {said}")
        code = 128 + (signal.SIGTERM if is_term else signal.SIGINT)
    except WfloSchemaError as error:
        show_error(error, words)
        code = error.exit_code
    except (ReaderGone, BrokenPipeError):
        discard(sys.stdout)
        code = 128 + signal.SIGPIPE
    except OSError as error:
        print_json(words, "os-error", f"cannot go on: {error}")
        say(f"error: cannot go on: {error}")
        code = 3
    # The one net: a bug of ours, shown whole, with the exit code of "could not do it".
    except Exception as error:  # noqa: BLE001
        import traceback

        said = f"this is a bug of wflo-schema: {type(error).__name__}"
        print_json(words, "bug", said)
        say(traceback.format_exc().rstrip())
        say(f"error: {said}")
        code = 3
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard(stream)
    if arguments is None:
        gc.freeze()  # nor is it looked through at the end, which takes as long as the imports of psycopg
    sys.exit(code)
