"""Lint migration files."""

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
    option,
    read_files,
    resolve_database,
    schema_option,
    scratch_options,
    server_directory_option,
)
from wflo_schema.cli.streams import EXIT_CODES, answer
from wflo_schema.show.lint_formats import LINT_FORMATS

if TYPE_CHECKING:
    from wflo_schema.files.folder import Migrations
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
@all_of(database_url_option, schema_option, migrations_option, server_directory_option)
@format_option_of(*LINT_FORMATS)
@scratch_options
@option(
    "--files",
    metavar="FILE",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Judge only these, repeatable, on top of all that come before them. Default: what is pending.",
)
@option("--since", metavar="REV", help="Judge only files that this git revision does not have as they are.")
@option("--to", metavar="ID", help="Judge nothing behind this migration.")
@option(
    "--rows-that-matter",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Tables that have fewer rows in the database need no care; 0: each table needs it.",
)
@option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit with 1 on findings of this severity or worse.",
)
# many parameters: one for each option
def lint(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    scratch: Callable[[], ScratchOptions],
    files: tuple[Path, ...],
    since: str | None,
    to: str | None,
    rows_that_matter: int,
    fail_on: str,
) -> None:
    """Say what pending files would block, break or lose, before they run.

    Rehearses them in a scratch database, where PostgreSQL itself says what each statement locks, rewrites and reads.
    Changes nothing in the target.

    \b
    Example:
      wflo-schema lint
      wflo-schema lint --since origin/main --format github
    """
    from wflo_schema.findings import Severity
    from wflo_schema.lint import operations

    target = resolve_database(database_url, schema, server_directory)
    found = read_files(migrations)
    options = operations.LintOptions(_only(found, files, since), to, rows_that_matter, Severity(fail_on))
    result = operations.lint(target, found, options=options, scratch=scratch())
    answer(LINT_FORMATS[format_](result))
    sys.exit(result.exit_code)


def _only(found: Migrations, files: tuple[Path, ...], since: str | None) -> frozenset[str] | None:
    """The ids that are to be judged; None where it is not said."""
    if not files and since is None:
        return None
    named = {found.resolve(str(path)).id for path in files}
    if since is not None:
        from wflo_schema.files.git import changed_since

        changed = changed_since(found, since)
        named = named & changed if files else set(changed)
    return frozenset(named)
