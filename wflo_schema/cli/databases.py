"""The test database beside a target."""

from __future__ import annotations

from pathlib import Path

import click

from wflo_schema.cli.options import (
    Group,
    all_of,
    database_url_option,
    format_option,
    option,
    read_files,
    resolve_database,
    seeds_folder,
    seeds_option,
    server_directory_option,
    target_options,
)
from wflo_schema.cli.progress import Display
from wflo_schema.cli.streams import EXIT_CODES, answer


@click.group("test-db", cls=Group, epilog=EXIT_CODES, invoke_without_command=True)
@click.pass_context
@target_options
@option("--keep", is_flag=True, help="Keep the database and its data; only apply what is pending.")
@option(
    "--prepare",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of SQL to run before the migrations: it makes what they take for granted, such as an extension.",
)
@option(
    "--template",
    metavar="NAME",
    help="A database to copy, with what the migrations take for granted. Default: an empty one.",
)
@option("--allow-outside", is_flag=True, help="Let the migrations change roles and settings of the server, too.")
@option("--seed", "seeds", metavar="NAME", multiple=True, help="A set of seeds to load after them, repeatable.")
@seeds_option
@option("--name", metavar="NAME", help="The test database's name, ending in _test. Default: the target's name + _test.")
# many parameters: one for each option
def test_db(
    context: click.Context,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    keep: bool,
    prepare: Path | None,
    template: str | None,
    allow_outside: bool,
    seeds: tuple[str, ...],
    directory: Path | None,
    name: str | None,
) -> None:
    """Drop, create and migrate the test database, on the same server.

    Nothing outside of it changes: of the migrations, ALTER ROLE and its like are left out, and what
    they set on the database is set on this one. Closes open connections to the old one. Never drops
    the target, nor a database whose name does not end in _test.

    \b
    Example:
      wflo-schema test-db               drops and recreates wflo_test
      wflo-schema test-db --keep        applies only what is pending
      wflo-schema test-db --seed demo   with the rows of seeds/demo
    """
    from wflo_schema.files.seeds import read_seeds
    from wflo_schema.show.text import json_text, plain, test_database_text
    from wflo_schema.testdb.databases import make_test_database
    from wflo_schema.testdb.recipe import Recipe

    if context.invoked_subcommand is not None:
        return
    folder = seeds_folder(directory, migrations) if seeds else Path()
    sets = read_seeds(folder, seeds)
    files = read_files(migrations, declared={v for one in sets for f in one.files for v in f.variables})
    target = resolve_database(database_url, schema, server_directory, is_server=True)
    with Display(format_) as notify:
        recipe = Recipe(base=template, prepare=prepare, allow_outside=allow_outside)
        made = make_test_database(
            target,
            files,
            name=name,
            keep=keep,
            recipe=recipe,
            seeds=[one.directory for one in sets],
            notify=notify,
        )
    answer(
        json_text({**plain(made), "url": made.database.without_password.url})
        if format_ == "json"
        else test_database_text(made),
        f"{made.database.label} was {'brought up to date' if keep else 'made anew'}",
    )


@test_db.command("list", epilog=EXIT_CODES, short_help="List the databases that wflo-schema made.")
@all_of(database_url_option, format_option, server_directory_option)
def test_db_list(database_url: str | None, format_: str, server_directory: Path) -> None:
    """List the databases that wflo-schema made on this server: templates, clones, test databases.

    Writes nothing.

    \b
    Example:
      wflo-schema test-db list
    """
    from wflo_schema.show.text import json_text, made_text
    from wflo_schema.testdb.databases import list_test_databases

    found = list_test_databases(resolve_database(database_url, None, server_directory))
    answer(json_text(found) if format_ == "json" else made_text(found))


@test_db.command("prune", epilog=EXIT_CODES, short_help="Drop what killed test sessions left behind.")
@all_of(database_url_option, format_option, server_directory_option)
@option("--kept", is_flag=True, help="Also drop what pytest --wflo-keep left.")
def test_db_prune(database_url: str | None, format_: str, server_directory: Path, kept: bool) -> None:
    """Drop what killed test sessions left, and unused templates that are over a week old.

    Never touches a database that wflo-schema did not make, nor one that is in use.

    \b
    Example:
      wflo-schema test-db prune
    """
    from wflo_schema.show.text import json_text, pruned_text
    from wflo_schema.testdb.databases import prune_test_databases
    from wflo_schema.words import listed

    found = prune_test_databases(resolve_database(database_url, None, server_directory), kept=kept)
    dropped = listed(m.name for m in found.dropped) or "nothing"
    answer(json_text(found) if format_ == "json" else pruned_text(found), f"dropped: {dropped}")
