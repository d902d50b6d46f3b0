"""The development database that follows the files, and those of other branches."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wflo_schema.cli.options import (
    Group,
    all_of,
    database_url_option,
    folders_of,
    format_option,
    is_recursive,
    migrations_option,
    option,
    pasteable,
    resolve_database,
    schema_option,
    server_directory_option,
)
from wflo_schema.cli.settings import is_database_named, variables_in_force
from wflo_schema.cli.signals import signals, stoppable
from wflo_schema.cli.streams import EXIT_CODES, answer, say
from wflo_schema.errors import WfloSchemaError

if TYPE_CHECKING:
    from wflo_schema.dev.databases import Project
    from wflo_schema.dev.watching import Told

_name_option = option(
    "--dev-database",
    "name",
    metavar="NAME",
    envvar="WFLO_SCHEMA_DEV_DATABASE",
    help="The development database's name. Default: that of the project's folder + _dev.",
)
_where = all_of(
    database_url_option, schema_option, migrations_option, server_directory_option, _name_option, format_option
)


@click.group("dev", cls=Group, epilog=EXIT_CODES, invoke_without_command=True)
@click.pass_context
@_where
@option("--once", is_flag=True, help="Do what there is to do, and end.")
@option(
    "--base",
    metavar="REV",
    help="What this git revision has counts as committed (origin/main). Default: what HEAD has.",
)
@option("--edit-committed", is_flag=True, help="Follow edits of committed files, too: by a clone, with the rows.")
@option(
    "--contract",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What to hold the database to. Default: contract.toml in the migrations folder.",
)
@option("--no-check", is_flag=True, help="Look neither at the contract nor for drift.")
@option("--allow-outside", is_flag=True, help="Let the migrations change roles and settings of the server, too.")
# many parameters: one for each option
def dev(
    context: click.Context,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    name: str | None,
    format_: str,
    once: bool,
    base: str | None,
    edit_committed: bool,
    contract: Path | None,
    no_check: bool,
    allow_outside: bool,
) -> None:
    """Keep a development database as the files say, at each save.

    What is not committed yet is undone and applied again; rows stay. Each git branch has a database
    of its own. Makes them itself, on the same server, and touches no other: not that of the URL.

    \b
    Example:
      wflo-schema dev                   until Ctrl-C
      wflo-schema dev --once
    """
    if context.invoked_subcommand is not None:
        return
    from wflo_schema.dev.watching import Watched, follow, follow_once
    from wflo_schema.show.text import json_text

    folders = tuple(map(str, folders_of(migrations)))
    project = replace(_project(database_url, schema, server_directory, folders, name), allow_outside=allow_outside)
    held_to = None if no_check else contract or Path(folders[0]) / "contract.toml"
    values = {variable: setting.value for variable, setting in variables_in_force(context).items()}
    watched = Watched(project, folders, is_recursive(), base, edit_committed, held_to, not no_check, values)
    if once:
        with stoppable() as stop:
            done = follow_once(watched, tell=_say if format_ == "json" else _tell, stop=stop)
        if format_ == "json":
            answer(json_text({**_plain(done), "url": project.database.without_password.url}))
        return
    say(f"development database: {project.database.without_password.url}")
    say(f"watching {' and '.join(folders)}; Ctrl-C ends it")
    with stoppable() as stop:
        follow(watched, tell=_tell, stop=stop)
    say(f"{project.name} stays as it is")
    sys.exit(signals.exit_code if stop.is_requested else 0)


@dev.command("url", epilog=EXIT_CODES, short_help="Print the development database's URL.")
@_where
def dev_url(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    name: str | None,
    format_: str,
) -> None:
    """Print the URL of the development database, which is the same for every branch.

    Its password, if the URL that was given has one, is in it. Makes and starts nothing.

    \b
    Example:
      psql "$(wflo-schema dev url)"
    """
    from wflo_schema.show.text import json_text

    folders = tuple(map(str, folders_of(migrations)))
    url = _project(database_url, schema, server_directory, folders, name, starts=False).database.url
    answer(json_text({"url": url}) if format_ == "json" else url)


@dev.command("branch", epilog=EXIT_CODES, short_help="List the databases of branches, switch, drop.")
@click.argument("branch", required=False)
@_where
@option("--drop", metavar="BRANCH", help="Drop the database of this branch, and its clone.")
@option("--prune", is_flag=True, help="Drop those whose git branch is gone.")
# many parameters: one for each option
def dev_branch(
    branch: str | None,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    name: str | None,
    format_: str,
    drop: str | None,
    prune: bool,
) -> None:
    """List the development databases of this project; with BRANCH, let that branch's have the project's name.

    wflo-schema dev does that by itself when git goes to another branch. Whoever is connected is sent
    away, and finds the other database when they come again.

    \b
    Example:
      wflo-schema dev branch
      wflo-schema dev branch feature/weights
      wflo-schema dev branch --prune
    """
    from wflo_schema.dev.branches import drop_branch, list_branches, prune_branches, switch_branch
    from wflo_schema.errors import UsageError
    from wflo_schema.show.dev_text import dev_databases_text, round_text
    from wflo_schema.show.text import json_text
    from wflo_schema.words import listed

    if sum((branch is not None, drop is not None, prune)) > 1:
        raise UsageError("give one of BRANCH, --drop and --prune", hint="wflo-schema dev branch --help")
    folders = tuple(map(str, folders_of(migrations)))
    project = _project(database_url, schema, server_directory, folders, name)
    if branch is not None:
        done = switch_branch(project, folders, branch, recursive=is_recursive())
        answer(json_text(_plain(done)) if format_ == "json" else round_text(done))
    elif drop is not None or prune:
        names = prune_branches(project, folders) if drop is None else drop_branch(project, drop)
        answer(json_text({"dropped": names}) if format_ == "json" else f"dropped: {listed(names) or 'nothing'}")
    else:
        found = list_branches(project, folders)
        answer(json_text(found) if format_ == "json" else dev_databases_text(found))


def _project(
    database_url: str | None,
    schema: str | None,
    server_directory: Path,
    folders: tuple[str, ...],
    name: str | None,
    *,
    starts: bool = True,
) -> Project:
    """The project that is meant; its own server is started where no database is named."""
    from wflo_schema.dev.checkout import project_folder
    from wflo_schema.dev.databases import Project, dev_name

    is_own = database_url is None and not is_database_named(click.get_current_context())
    if is_own and starts:
        from wflo_schema.server.embedded import start_embedded

        started = start_embedded(server_directory)
        if started.started:
            say(f"started: PostgreSQL {started.version}, {started.database.label}")
    target = resolve_database(database_url, schema, server_directory, is_server=True)
    chosen = name or dev_name(project_folder(folders[0]))
    return Project(target, chosen, os.path.realpath(folders[0]), is_own_server=is_own)


def _plain(done: Any) -> dict[str, Any]:
    from wflo_schema.show.text import plain

    found = plain(done)
    assert isinstance(found, dict)
    return found


def _tell(told: Told) -> None:
    """What happens, on stdout; what goes wrong, on stderr."""
    from wflo_schema.show.dev_text import told_text

    if isinstance(told, WfloSchemaError):
        told.hint = pasteable(told.hint)
        say(told_text(told))
    else:
        click.echo(told_text(told))
        sys.stdout.flush()


def _say(told: Told) -> None:
    """The same, all on stderr: stdout is for the answer."""
    from wflo_schema.show.dev_text import told_text

    say(told_text(told))
