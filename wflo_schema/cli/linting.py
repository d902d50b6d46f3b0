"""Lint migration files."""

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
    folders_of,
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
from wflo_schema.cli.settings import refuse_empty_url
from wflo_schema.cli.streams import EXIT_CODES, answer, say, warn
from wflo_schema.errors import NoDatabase
from wflo_schema.show.lint_formats import LINT_FORMATS

if TYPE_CHECKING:
    from wflo_schema.check.contract import Contract
    from wflo_schema.connect.database import Database
    from wflo_schema.scratch.replay import ScratchOptions


class _LintCommand(Command):
    """Lists the codes of `RULES` in --help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from wflo_schema.lint.rules import RULES
        from wflo_schema.show.check_formats import rules_text

        with formatter.section("Codes"):
            for line in rules_text(RULES).splitlines():
                formatter.write(f"  {line}\n")
        super().format_epilog(ctx, formatter)


@click.command(cls=_LintCommand, epilog=EXIT_CODES)
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@format_option_of(*LINT_FORMATS)
@scratch_options
@option("--files", metavar="FILE", multiple=True, help="Judge this file, by path or id, applied or not; repeatable.")
@option("--since", metavar="GIT-REV", help="Judge what is new since then, behind a replay of what there was.")
@option(
    "--contract",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What must hold once all has run. Default: contract.toml in the migrations folder.",
)
@option("--to", metavar="ID", help="Judge nothing behind this migration.")
@option(
    "--rows-that-matter",
    metavar="N",
    type=click.IntRange(0),
    help="Tables that have fewer rows in the database need no care; 0: each table needs it. "
    "Default: 10000 where some table there has as many, else 0.",
)
@option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit with 1 on findings of this severity or worse.",
)
@option("--fix", is_flag=True, help="Write the safe way into pending files, where it is mechanical.")
@option("--with-squawk", is_flag=True, help="Add what squawk says of style, where squawk-cli is installed.")
# many parameters: one for each option
def lint(
    paths: tuple[str, ...],
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    scratch: Callable[[], ScratchOptions],
    files: tuple[str, ...],
    contract: Path | None,
    since: str | None,
    to: str | None,
    rows_that_matter: int | None,
    fail_on: str,
    fix: bool,
    with_squawk: bool,
) -> None:
    """Say what pending files would block, break or lose, before they run.

    Rehearses them, or FILEs, in a scratch database, where PostgreSQL itself says what each statement locks,
    rewrites and reads.
    Changes nothing in the target.

    \b
    Example:
      wflo-schema lint
      wflo-schema lint migrations/20260601_02_bbbbb-tidy-up.sql
      wflo-schema lint --fix
      wflo-schema lint --since origin/main --format github
    """
    from wflo_schema.findings import Severity
    from wflo_schema.lint import operations

    files = (*files, *paths)
    target = _target(database_url, schema, server_directory, is_needed=fix)
    given = scratch()
    if target is None and given.on is not None:
        given = replace(given, on=given.on.with_schema(schema))
    held_to = _contract(contract, migrations)
    options = operations.LintOptions(files, since, to, held_to, rows_that_matter, Severity(fail_on), with_squawk)
    found = read_files(migrations)
    if fix and target is not None:
        from wflo_schema.lint import fixing

        fixed = fixing.fix(target, found, options=options, scratch=given)
        for path in fixed.paths:
            say(f"wrote {path}")
        for i, why in fixed.left:
            is_cut = any(path.stem == i for path in fixed.paths)
            warn(f"{i} is {'cut no further' if is_cut else 'left as it is'}: {why}")
        found = read_files(migrations)
        files = tuple(dict.fromkeys((*files, *(m.id for m in found if files and Path(m.path) in fixed.paths))))
        options = replace(options, files=files)
    result = operations.lint(target, found, options=options, scratch=given)
    result = replace(result, findings=tuple(replace(f, help=pasteable(f.help)) for f in result.findings))
    answer(LINT_FORMATS[format_](result))
    sys.exit(result.exit_code)


def _contract(path: Path | None, migrations: tuple[Path, ...]) -> Contract | None:
    """The one that is named, else that of the migrations folder, where there is one."""
    named = path or folders_of(migrations)[0] / "contract.toml"
    if path is None and not named.is_file():
        return None
    from wflo_schema.check.contract_file import read_contract

    return read_contract(named)


def _target(url: str | None, schema: str | None, server_directory: Path, *, is_needed: bool) -> Database | None:
    """The database that is meant; None where none is named, and none is needed."""
    refuse_empty_url()
    try:
        return resolve_database(url, schema, server_directory)
    except NoDatabase as error:
        if url is not None:
            raise
        if is_needed:
            why = "--fix leaves applied files alone, and no database is named that says which these are"
            raise NoDatabase(why, hint=error.hint) from None
        return None
