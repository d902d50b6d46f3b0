"""The project's own PostgreSQL, or Docker's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.options import (
    Group,
    all_of,
    format_option,
    option,
    server_directory_option,
)
from wflo_schema.cli.settings import is_database_named
from wflo_schema.cli.streams import EXIT_CODES, answer, say
from wflo_schema.errors import NoDatabase, UsageError

if TYPE_CHECKING:
    from wflo_schema.server.values import ServerStatus


@click.group(cls=Group)
def server() -> None:
    """The project's own PostgreSQL, or the one of docker-compose.yml."""


_docker = all_of(
    option("--docker", is_flag=True, help="Use the PostgreSQL of docker-compose.yml, through Docker."),
    option(
        "--compose-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("docker-compose.yml"),
        show_default=True,
        envvar="WFLO_SCHEMA_COMPOSE_FILE",
        help="The file that holds image, port and password.",
    ),
    option(
        "--docker-image",
        metavar="NAME",
        envvar="WFLO_SCHEMA_DOCKER_IMAGE",
        help="Run this image instead of the file's.",
    ),
    option(
        "--docker-port",
        metavar="PORT",
        type=click.IntRange(1, 65535),
        envvar="WFLO_SCHEMA_DOCKER_PORT",
        help="Listen on this port of 127.0.0.1 instead of the file's.",
    ),
)


@server.command(epilog=EXIT_CODES)
@all_of(server_directory_option, format_option, _docker)
@option(
    "--name",
    "database_name",
    metavar="NAME",
    help="The database to make in it. Default: the last one named, else wflo.",
)
@option(
    "--postgres",
    metavar="VERSION|DIR",
    help="An installed PostgreSQL to run: a version, or the folder with its programs. "
    "Default: the one that made the data, else the Python package's.",
)
@option("--if-needed", is_flag=True, help="Do nothing where DATABASE_URL or libpq's variables name a database.")
# many parameters: one for each option
def start(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
    database_name: str | None,
    postgres: str | None,
    if_needed: bool,
) -> None:
    """Start the PostgreSQL, create it the first time, and print its URL.

    Without --docker: PostgreSQL 18 from a Python package, or one that is installed here, kept in the
    project's folder, on a Unix socket only. Never deletes data.

    \b
    Example:
      wflo-schema server start
      wflo-schema server start --postgres 15
      wflo-schema server start --docker
    """
    from wflo_schema.server.docker import start_docker
    from wflo_schema.server.embedded import start_embedded
    from wflo_schema.show.text import json_text, plain

    if if_needed and is_database_named(click.get_current_context()):
        return
    if database_name == "":
        raise UsageError("the database's name is empty", hint="leave --name out to get wflo")
    if docker:
        started = start_docker(compose_file, image=docker_image, port=docker_port)
    else:
        started = start_embedded(server_directory, database_name=database_name, postgres=postgres)
    if if_needed:
        if started.started:
            say(f"started: PostgreSQL {started.version}, {started.database.label}")
        return
    verb = "started" if started.started else "already running"
    if format_ == "json":
        answer(json_text({**plain(started), "url": started.database.url}), f"{verb}: {started.database.label}")
    else:
        say(f"{verb}: PostgreSQL {started.version}, {started.database.label}")
        answer(started.database.url, f"{verb}: {started.database.label}")


@server.command("list", epilog=EXIT_CODES)
@format_option
def list_(format_: str) -> None:
    """List the versions of PostgreSQL on this machine.

    \b
    Example:
      wflo-schema server list
    """
    from wflo_schema.server.installed import find_installed
    from wflo_schema.show.text import installed_text, json_text

    found = find_installed()
    click.echo(json_text(found) if format_ == "json" else installed_text(found))


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
    """Stop the PostgreSQL; its data stays.

    \b
    Example:
      wflo-schema server stop
    """
    from wflo_schema.server.docker import stop_docker
    from wflo_schema.server.embedded import stop_embedded
    from wflo_schema.show.text import json_text, server_status_text

    found = stop_docker(compose_file) if docker else stop_embedded(server_directory)
    answer(json_text(found) if format_ == "json" else server_status_text(found), "it does not run any more")


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
    """Say whether the PostgreSQL runs, and where its data is. Exits with 1 when it does not run.

    \b
    Example:
      wflo-schema server status
    """
    from wflo_schema.show.text import json_text, server_status_text

    found = _server_of(server_directory, compose_file if docker else None, docker_image, docker_port)
    answer(json_text(found) if format_ == "json" else server_status_text(found))
    sys.exit(0 if found.state == "running" else 1)


@server.command("url", epilog=EXIT_CODES)
@all_of(server_directory_option, _docker)
def server_url(
    server_directory: Path, docker: bool, compose_file: Path, docker_image: str | None, docker_port: int | None
) -> None:
    """Print the URL of the running PostgreSQL, for psql or DATABASE_URL.

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
    answer(found.database.url)


def _server_of(directory: Path, compose_file: Path | None, image: str | None, port: int | None) -> ServerStatus:
    """The project's own server: in Docker, where there is a Compose file, else the embedded one."""
    from wflo_schema.server.docker import status_docker
    from wflo_schema.server.embedded import status_embedded

    return status_docker(compose_file, image=image, port=port) if compose_file else status_embedded(directory)
