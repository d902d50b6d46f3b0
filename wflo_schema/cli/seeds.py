"""Load seeds, and ask whether a database is production's."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wflo_schema.cli.options import (
    Command,
    all_of,
    folders_of,
    lock_options,
    locks_of,
    option,
    pasteable,
    read_files,
    resolve_database,
    seeds_folder,
    seeds_option,
    some_of,
    target_options,
)
from wflo_schema.cli.progress import Display
from wflo_schema.cli.settings import told
from wflo_schema.cli.signals import stoppable
from wflo_schema.cli.streams import EXIT_CODES, answer
from wflo_schema.errors import UsageError

if TYPE_CHECKING:
    from wflo_schema.engine.production import Production

production_options = all_of(
    option(
        "--contract",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="What names production's databases. Default: contract.toml in the migrations folder.",
    ),
    option(
        "--production",
        is_flag=True,
        envvar="WFLO_SCHEMA_PRODUCTION",
        help="This database is production's; meant for [env.production] of the settings file.",
    ),
)


def production_of(contract: Path | None, migrations: tuple[Path, ...], is_production: bool) -> Production:
    """What is known of production: the settings, and the contract where there is one.

    What the settings file says of its environment holds, whatever a variable says.
    Raise `BadContract` for one that cannot be read.
    """
    from wflo_schema.check.contract_file import read_contract
    from wflo_schema.engine.production import Production

    setting = told(click.get_current_context()).said.get("production")
    said = "--production, or WFLO_SCHEMA_PRODUCTION, says so" if is_production else ""
    if setting is not None and setting.value:
        said = f"production = true in {setting.source}"
    path = contract or folders_of(migrations)[0] / "contract.toml"
    names = read_contract(path).production if contract is not None or path.is_file() else ()
    return Production(names, str(path), said)


def refuse_untyped(allow: Collection[str]) -> None:
    """Raise `UsageError` where a file or a variable allows production: that is typed each time, or not at all."""
    is_typed = click.get_current_context().get_parameter_source("allow") is click.core.ParameterSource.COMMANDLINE
    if "production" in allow and not is_typed:
        raise UsageError(
            "--allow production counts only where it is typed",
            hint="take it out of the settings file or the variable that holds it",
        )


@click.command(cls=Command, epilog=EXIT_CODES)
@target_options
@seeds_option
@option(
    "--again",
    type=click.Choice(["changed", "all"]),
    help="Run once more what was edited since it was run, or all of the set.",
)
@some_of(
    "--allow",
    ("production", "pending", "changed"),
    help="Run although it is production's database, migrations are pending, or files were edited; repeatable.",
)
@option("--dry-run", is_flag=True, help="Say what would be run, and what would stop it; write nothing.")
@production_options
@lock_options
@click.argument("names", metavar="[NAME]...", nargs=-1)
# many parameters: one for each option
def seed(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    directory: Path | None,
    again: str | None,
    allow: tuple[str, ...],
    dry_run: bool,
    contract: Path | None,
    production: bool,
    lock_timeout: str | None,
    block_timeout: str | None,
    lock_wait: str,
    names: tuple[str, ...],
) -> None:
    """Load a set of seeds: the files of seeds/NAME, in order of their names, each once.

    All files of a run and their records are one transaction. Files are .sql, or rows: TABLE.csv and
    TABLE.tsv with a first line of columns, TABLE.copy as COPY writes it. Without NAME it lists the
    sets and what is recorded. Never runs where the database is production's.

    \b
    Example:
      wflo-schema seed                  lists the sets
      wflo-schema seed demo             runs what is new in seeds/demo
      wflo-schema seed demo --again changed
    """
    from wflo_schema.engine import seeding
    from wflo_schema.files.seeds import read_seeds, seed_sets
    from wflo_schema.show.text import json_text, seed_line, seed_plan_text, seed_status_text, seed_text

    refuse_untyped(allow)
    folder = seeds_folder(directory, migrations)
    sets = read_seeds(folder, names or seed_sets(folder))
    files = read_files(migrations, declared={v for one in sets for f in one.files for v in f.variables})
    target = resolve_database(database_url, schema, server_directory)
    if not names:
        status = seeding.seed_status(target, files, sets)
        answer(json_text(status) if format_ == "json" else seed_status_text(status))
        return
    wish = None if again is None else seeding.Again(again)
    cases = [seeding.SeedCase(case) for case in allow]
    known = production_of(contract, migrations, production)
    if dry_run:
        planned = seeding.plan_seeds(target, files, sets, again=wish, allow=cases, production=known)
        answer(json_text(planned) if format_ == "json" else pasteable(seed_plan_text(planned)))
        sys.exit(1 if planned.refusals else 0)
    locks = locks_of(lock_timeout, lock_wait, block_timeout)
    with stoppable() as stop, Display(format_) as notify:
        result = seeding.seed(
            target, files, sets, again=wish, allow=cases, production=known, locks=locks, notify=notify, stop=stop
        )
    answer(json_text(result) if format_ == "json" else seed_text(result), seed_line(result))
