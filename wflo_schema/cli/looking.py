"""The commands that look, over several targets: each asks, prints and exits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from wflo_schema.cli.fleets import pace, pasteable_for
from wflo_schema.cli.options import pasteable
from wflo_schema.cli.streams import answer, say, warn, write_file
from wflo_schema.errors import UsageError
from wflo_schema.words import counted

if TYPE_CHECKING:
    from wflo_schema.check.contract import Contract
    from wflo_schema.connect.database import Database
    from wflo_schema.engine.planning import Plan
    from wflo_schema.files.directives import Phase
    from wflo_schema.files.folder import Migrations
    from wflo_schema.fleet.looking import FleetStatus
    from wflo_schema.fleet.outcomes import FleetOptions
    from wflo_schema.fleet.plans import PlanGroup
    from wflo_schema.fleet.surveys import Asked
    from wflo_schema.fleet.targets import Target, Targets
    from wflo_schema.lint.values import LintResult
    from wflo_schema.scratch.replay import ScratchOptions
    from wflo_schema.trace.outlook import Outlook


# Seconds after which a terminal shows how far it is.
_SHOWN_AFTER_S = 1.0


def _options() -> FleetOptions:
    from wflo_schema.fleet.outcomes import FleetOptions

    return FleetOptions(jobs=pace().jobs, patience_s=0)


@contextmanager
def _progress() -> Iterator[Callable[[Asked], None]]:
    """Shows on a terminal how many were asked, where that takes longer than a second."""
    if not sys.stderr.isatty():
        yield lambda asked: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), MofNCompleteColumn(), BarColumn(bar_width=30))
    console = Console(stderr=True)
    bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True, redirect_stdout=False)
    began = time.monotonic()
    task = bar.add_task("", total=None)
    bar.tasks[0].start_time = bar.get_time()
    is_shown = False

    def show(asked: Asked) -> None:
        nonlocal is_shown
        bar.update(task, description=asked.doing, completed=asked.number, total=asked.total)
        if not is_shown and not console.is_dumb_terminal and time.monotonic() - began > _SHOWN_AFTER_S:
            is_shown = True
            bar.start()

    try:
        yield show
    finally:
        if is_shown:
            bar.stop()


def status_of_fleet(targets: Targets, files: Migrations, format_: str, *, catalogs: bool) -> NoReturn:
    """Say how each target stands, and exit: with 3 where one could not be read."""
    from wflo_schema.fleet.looking import Standing, status_fleet
    from wflo_schema.show.fleet_states import fleet_status_json

    with _progress() as notify:
        found = status_fleet(targets.items, files, options=_options(), catalogs=catalogs, notify=notify)
    lines = fleet_status_json(found, targets) if format_ == "json" else (_status_text(found, targets.items),)
    answer("\n".join(lines))
    is_whole = all(look.standing is not Standing.UNREADABLE for look in found.looks)
    sys.exit(0 if is_whole and not any(one.failed for one in found.catalogs) else 3)


def _status_text(found: FleetStatus, targets: Sequence[Target]) -> str:
    from wflo_schema.show.fleet_states import fleet_status_text

    return fleet_status_text(found, lambda text, names: pasteable_for(text, names, targets))


def check_of_fleet(targets: Targets, contract: Contract | None, format_: str, **options: Any) -> NoReturn:
    """Check each target as `check_fleet` does with these options, print what was found, and exit."""
    from wflo_schema.fleet.checking import check_fleet
    from wflo_schema.show.fleet_checks import FLEET_FORMATS

    with _progress() as notify:
        found = check_fleet(targets.items, contract, options=_options(), notify=notify, **options)
    found = found.changed(lambda f: replace(f, help=pasteable(f.help)))
    answer(FLEET_FORMATS[format_](found))
    sys.exit(found.exit_code)


def plan_of_fleet(
    targets: Targets,
    files: Migrations,
    format_: str,
    *,
    scratch: ScratchOptions | None,
    **options: Any,
) -> NoReturn:
    """Say what would be done, as `plan_fleet` does with these options, and exit; ``scratch`` None: rehearse nothing."""
    from wflo_schema.fleet.plans import plan_fleet
    from wflo_schema.show.fleet_plans import fleet_plan_json, fleet_plan_text

    with _progress() as notify:
        found = plan_fleet(targets.items, files, options=_options(), notify=notify, **options)
    found = replace(found, groups=tuple(_explained(group, targets.items, files) for group in found.groups))
    outlooks = {}
    if scratch is not None:
        for group in found.groups:
            if not group.is_nothing:
                outlooks[group.shown.name] = look_ahead_of(group.shown.database, files, group.plan, scratch)
    lines = fleet_plan_json(found, outlooks) if format_ == "json" else (fleet_plan_text(found, outlooks),)
    answer("\n".join(lines))
    is_no = found.is_refused or any(linted is not None and linted.exit_code == 1 for _, linted in outlooks.values())
    sys.exit(1 if is_no else 3 if found.failed else 0)


def look_ahead_of(
    target: Database, files: Migrations, planned: Plan, scratch: ScratchOptions
) -> tuple[Outlook, LintResult | None]:
    """What is ahead of one target, and what lint says of it."""
    from wflo_schema.lint.operations import LintOptions, judge
    from wflo_schema.trace.outlook import ROWS_THAT_MATTER, look_ahead

    outlook = look_ahead(target, files, planned, scratch=scratch)
    options = LintOptions(rows_that_matter=ROWS_THAT_MATTER)
    return outlook, judge(target, files, outlook.trace, options=options) if outlook.trace is not None else None


def _explained(group: PlanGroup, targets: Sequence[Target], files: Migrations) -> PlanGroup:
    """The group with what is known of each refusal, and with what to do about it fit to be pasted."""
    from wflo_schema.adopt.judge import explain_plan

    if not group.plan.refusals:
        return group
    planned = explain_plan(group.shown.database, files, group.plan)
    refusals = tuple((case, what, pasteable_for(how, group.names, targets)) for case, what, how in planned.refusals)
    return replace(group, plan=replace(planned, refusals=refusals))


def pasteable_plan(planned: Plan) -> Plan:
    """The plan, with what to do about each refusal fit to be pasted."""
    return replace(planned, refusals=tuple((c, what, pasteable(how)) for c, what, how in planned.refusals))


def wait_of_fleet(
    find: Callable[[], Targets],
    files: Migrations | None,
    format_: str,
    *,
    timeout_s: float,
    phase: Phase | None,
    notify: Callable[[str], None],
) -> NoReturn:
    """Wait until the servers of all targets let us in, or with files until these are applied in all; and exit."""
    from wflo_schema.fleet.looking import Standing
    from wflo_schema.fleet.waiting import Patience, find_patiently, is_done, wait_for_fleet
    from wflo_schema.show.fleet_states import fleet_ready_json, fleet_status_json

    patience = Patience(timeout_s, notify)
    targets = find_patiently(lambda: find().items, patience)
    if files is None:
        text = f"ready: {counted(len(targets), 'target')}"
        answer("\n".join(fleet_ready_json(targets)) if format_ == "json" else text)
        sys.exit(0)
    found = wait_for_fleet(targets, files, patience, phase=phase, options=_options())
    lines = fleet_status_json(found, targets) if format_ == "json" else (_status_text(found, targets),)
    answer("\n".join(lines))
    left = [look for look in found.looks if not is_done(look, phase)]
    sys.exit(3 if any(look.standing is Standing.UNREADABLE for look in left) else 1 if left else 0)


def dump_of_fleet(targets: Targets, with_ledger: Migrations | None, folder: Path | None) -> NoReturn:
    """Write a file for each target into the folder, and exit: with 3 where one failed, with 1 where SQL lacks some."""
    from wflo_schema.fleet.dumping import dump_fleet
    from wflo_schema.show.fleet_states import fleet_dump_warnings, not_done_text

    if folder is None:
        raise UsageError(
            f"{counted(len(targets), 'target')} are named, and stdout takes one schema",
            hint="write a file for each: --output DIR; or name one: --schema NAME",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}", hint="--output names a folder") from error

    def write(target: Target, text: str) -> None:
        write_file(folder / f"{file_name(target.name)}.sql", text)

    with _progress() as notify:
        found = dump_fleet(targets.items, write, with_ledger=with_ledger, options=_options(), notify=notify)
    for said in fleet_dump_warnings(found):
        warn(said)
    answer(f"{counted(len(found.written), 'target')} written to {folder}")
    for line in not_done_text(found.causes, "could not be written"):
        say(pasteable(line))
    sys.exit(3 if found.failed else 1 if any(made.left_out for made in found.written.values()) else 0)


def file_name(target: str) -> str:
    """A target's name as that of a file: what may not stand in one is written as in a URL."""
    from urllib.parse import quote

    return quote(target, safe=" #@+,=")


def adopt_of_fleet(targets: Targets, files: Migrations, format_: str, **options: Any) -> NoReturn:
    """Say of each target where it stands, or record it, as `adopt_fleet` does with these options; and exit."""
    from wflo_schema.fleet.adopting import adopt_fleet
    from wflo_schema.show.fleet_states import fleet_adoption_json, fleet_adoption_text

    with _progress() as notify:
        found = adopt_fleet(targets.items, files, options=_options(), notify=notify, **options)

    groups = tuple(
        replace(
            group,
            adoption=replace(
                group.adoption,
                next_steps=tuple(pasteable_for(one, group.names, targets.items) for one in group.adoption.next_steps),
                objections=tuple(pasteable_for(one, group.names, targets.items) for one in group.adoption.objections),
            ),
        )
        for group in found.groups
    )
    found = replace(found, groups=groups)
    done = sum(len(group.recorded) for group in groups)
    lines = fleet_adoption_json(found) if format_ == "json" else (fleet_adoption_text(found),)
    answer("\n".join(lines), f"recorded in {counted(done, 'target')}" if done else "")
    sys.exit(found.exit_code)
