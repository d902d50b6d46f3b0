"""Check a database against its contract; write a contract or a dump of it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.fleets import fleet_of, fleet_options, jobs_option
from wflo_schema.cli.looking import check_of_fleet, dump_of_fleet
from wflo_schema.cli.options import (
    Command,
    Group,
    all_of,
    database_url_option,
    duration_ms,
    folders_of,
    format_option_of,
    migrations_option,
    option,
    pasteable,
    phase_option,
    read_files,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
    some_of,
)
from wflo_schema.cli.streams import EXIT_CODES, answer, warn, write_file
from wflo_schema.errors import BadContract, UsageError
from wflo_schema.show.check_formats import FORMATS

if TYPE_CHECKING:
    from wflo_schema.files.directives import Phase
    from wflo_schema.scratch.replay import ScratchOptions


class _CheckCommand(Command):
    """Lists the codes of `RULES` in --help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from wflo_schema.check.rules import RULES
        from wflo_schema.show.check_formats import rules_text

        with formatter.section("Codes"):
            for line in rules_text(RULES).splitlines():
                formatter.write(f"  {line}\n")
        super().format_epilog(ctx, formatter)


@click.command(cls=_CheckCommand, epilog=EXIT_CODES)
@all_of(database_url_option, fleet_options, migrations_option, server_directory_option)
@jobs_option
@format_option_of(*FORMATS)
@option(
    "--contract",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The contract. Default: contract.toml in the folder of migrations.",
)
@option(
    "--allowances",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with more [[allow]], as in a contract; repeatable.",
)
@some_of(
    "--only",
    ("contract", "ledger", "rows", "drift", "indexes"),
    help="Only this; a,b is both. Default: contract, ledger and indexes.",
)
@phase_option("With before-deploy, what is pending for after it is no finding.")
@option("--rows", is_flag=True, help="Also look for orphan rows.")
@option("--drift", is_flag=True, help="Also compare the catalog with what the migrations make.")
@scratch_options
@option(
    "--snapshot",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare it with this file of wflo-schema dump instead.",
)
@option("--privileges", is_flag=True, help="Also compare owners and grants. Implies --drift.")
@option(
    "--timeout",
    metavar="DURATION",
    default="60s",
    show_default=True,
    help="Look so long for orphan rows in all (90s, 5min).",
)
@option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit with 1 on findings of this severity, or worse.",
)
# many parameters: one for each option
# long: half of it is options and help
def check(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    contract: Path | None,
    allowances: tuple[Path, ...],
    only: tuple[str, ...],
    phase: Phase | None,
    rows: bool,
    drift: bool,
    scratch: Callable[[], ScratchOptions],
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
    from wflo_schema.check.contract_file import read_contract, with_allowances
    from wflo_schema.check.verdict import DEFAULT_SECTIONS, check_database
    from wflo_schema.findings import Severity
    from wflo_schema.scratch.replay import replayed

    started = time.monotonic()
    targets = fleet_of(database_url, server_directory)
    sections = tuple(only or DEFAULT_SECTIONS)
    asked = (("rows", rows), ("drift", drift or privileges or snapshot is not None))
    sections += tuple(s for s, on in asked if on and s not in sections)
    timeout_s = duration_ms(timeout, "--timeout 5min") / 1000
    needs_contract = bool({"contract", "rows", "indexes"} & set(sections))
    needs_files = bool({"ledger", "drift"} & set(sections))
    files = read_files(migrations) if needs_files else None
    path = contract or folders_of(migrations)[0] / "contract.toml"
    try:
        held_to = read_contract(path) if needs_contract or contract is not None or path.is_file() else None
    except BadContract as error:
        if not path.exists() and contract is None:
            error.hint += _without_contract(sections, snapshot, privileges)
        raise
    held_to = with_allowances(held_to, allowances)
    wanted = None
    if snapshot is not None and privileges:
        raise UsageError("a snapshot holds no owners and no grants", hint="leave --snapshot or --privileges out")
    if targets is not None:
        check_of_fleet(
            targets,
            held_to,
            format_,
            migrations=files,
            only=sections,
            compared=not only,
            rows_timeout_s=timeout_s,
            snapshot=read_snapshot(snapshot) if snapshot is not None else None,
            scratch=scratch(),
            privileges=privileges,
            fail_on=Severity(fail_on),
            phase=phase,
        )
    target = resolve_database(database_url, schema, server_directory)
    if snapshot is not None:
        wanted = read_snapshot(snapshot)
    elif "drift" in sections and files is not None:
        wanted = replayed(target, files, scratch=scratch(), privileges=privileges, phase=phase)
    result = check_database(
        target,
        held_to,
        migrations=files,
        only=sections,
        rows_timeout_s=timeout_s,
        wanted=wanted,
        privileges=privileges,
        fail_on=Severity(fail_on),
        phase=phase,
    )
    result = replace(result, duration_ms=round((time.monotonic() - started) * 1000))  # the replay took its time, too
    if wanted is not None:
        result = replace(result, source=str(snapshot) if files is None or snapshot else files.where)
    result = result.changed(lambda f: replace(f, help=pasteable(f.help)))
    answer(FORMATS[format_](result))
    sys.exit(result.exit_code)


def _without_contract(sections: Sequence[str], snapshot: Path | None, privileges: bool) -> str:
    """The command that checks as much of the sections as needs no contract."""
    words = [w for s in sections if s in ("ledger", "drift") for w in ("--only", s)]
    words += ["--privileges"] if privileges else []
    words += ["--snapshot", str(snapshot)] if snapshot is not None else []
    return f"; what needs none: wflo-schema check {shlex.join(words)}" if words else ""


@click.group(cls=Group)
def contract() -> None:
    """Write down what a database must keep."""


@contract.command(epilog=EXIT_CODES)
@all_of(database_url_option, schema_option, server_directory_option)
@option("--all-schemas", is_flag=True, help="Take in every schema that holds tables, not one alone.")
@option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file once all is read, and keep what it allows and says of production. Default: stdout.",
)
def freeze(
    database_url: str | None, schema: str | None, server_directory: Path, all_schemas: bool, output: Path | None
) -> None:
    """Write a contract from a live database to stdout, or to a file.

    Reads only. Writes down what is there, right or wrong.

    \b
    Example:
      wflo-schema contract freeze --output migrations/contract.toml
    """
    from wflo_schema.check.contract import Contract
    from wflo_schema.check.contract_file import read_contract
    from wflo_schema.check.freeze import freeze_contract

    target = resolve_database(database_url, schema, server_directory)
    is_there = output is not None and output.is_file() and output.stat().st_size > 0
    kept = read_contract(output) if output is not None and is_there else Contract()
    text = freeze_contract(
        target, schema=schema, all_schemas=all_schemas, allowances=kept.allowances, production=kept.production
    )
    if output is None:
        answer(text.encode())  # TOML is UTF-8
    else:
        write_file(output, text)


@click.command(cls=Command, epilog=EXIT_CODES)
@all_of(database_url_option, fleet_options, migrations_option, server_directory_option)
@jobs_option
@option("--with-ledger", is_flag=True, help="Write the ledger too, with its rows.")
@option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Write to this file once all is read; of several targets, to a file for each in this folder. Default: stdout.",
)
def dump(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    with_ledger: bool,
    output: Path | None,
) -> None:
    """Write the schema to stdout, for review in version control.

    SQL that loads into an empty database, and the catalog in comments, for check --snapshot. The
    same schema gives the same text, whoever writes it and when. Holds no rows, owners or grants.
    What the SQL cannot make is named on stderr, and the exit status is then 1.

    \b
    Example:
      wflo-schema dump > schema.sql
      wflo-schema check --drift --snapshot schema.sql
      wflo-schema dump --schemas 'tenant_%' --output schemas
    """
    from wflo_schema.catalog.snapshot import dump_schema

    if (targets := fleet_of(database_url, server_directory)) is not None:
        dump_of_fleet(targets, read_files(migrations) if with_ledger else None, output)
    target = resolve_database(database_url, schema, server_directory)
    ledger = []
    if with_ledger:
        from wflo_schema.engine.operations import status as read_status
        from wflo_schema.engine.planning import ledger_statements

        files = read_files(migrations)
        ledger = ledger_statements(read_status(target, files), files)
    made = dump_schema(target, ledger=ledger)
    for one in made.ledgers:
        warn(f"left out, because another tool records its migrations there: {one}")
    for one in made.needs:
        warn(f"not in schema {target.schema}, and needed to load it: {one}")
    for one in made.left_out:
        warn(f"the SQL does not create this, only the comments hold it: {one}")
    if output is None:
        answer(made.text.encode())  # it is read back as UTF-8
    else:
        write_file(output, made.text)
    if made.left_out:
        sys.exit(1)
