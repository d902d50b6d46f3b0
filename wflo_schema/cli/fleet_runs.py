"""Migrate and roll back many targets: what is seen meanwhile, what is said at the end, and how it ends.

Hides what a run over targets ends with where some failed, nobody reads what it prints, or a signal came.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from wflo_schema.cli.fleet_progress import FleetDisplay
from wflo_schema.cli.fleets import naming_of, pace, pasteable_for
from wflo_schema.cli.options import FLEET
from wflo_schema.cli.signals import signals, stoppable
from wflo_schema.cli.streams import answer, say, warn, write_json_in_lines
from wflo_schema.cli.success import follow_success_of_all
from wflo_schema.cli.suggestions import typed_again
from wflo_schema.errors import Refused
from wflo_schema.words import listed

if TYPE_CHECKING:
    from wflo_schema.files.folder import Migrations
    from wflo_schema.fleet.outcomes import FleetResult
    from wflo_schema.fleet.targets import Targets

# Causes for which a target is asked what another tool did there.
_MOST_EXPLAINED = 3


def begin(format_: str) -> None:
    """Where several targets are named and JSON is asked for, each object of it is one line, also an error."""
    if format_ == "json" and click.get_current_context().meta.get(FLEET) is not None:
        write_json_in_lines()


def run_on_all(
    operation: Callable[..., FleetResult],
    targets: Targets,
    files: Migrations,
    format_: str,
    *,
    name: str,
    **more: Any,
) -> NoReturn:
    """Do it on all targets, say what became of them, and exit: with 0 only where all succeeded."""
    from wflo_schema.fleet.outcomes import FleetOptions
    from wflo_schema.show.fleets import fleet_text

    context = click.get_current_context()
    if targets.without:
        warn(f"passed over, as no schema there is meant: {listed(targets.without)}")
    paced = pace()
    how = FleetOptions(paced.jobs, paced.canary, paced.stop_after_failures)

    def fit(hint: str, name: str) -> str:
        if "wflo-schema " not in hint:
            return hint
        with context.scope(cleanup=False):  # the display has a thread of its own
            return pasteable_for(hint, (name,), targets.items)

    with stoppable() as stop, FleetDisplay(format_, targets.items, operation=name, fit=fit) as display:
        result = operation(targets.items, files, options=how, notify=display, stop=stop, **more)
    _explain(result, targets, files)
    text = fleet_text(
        result,
        phase=more.get("phase"),
        fit=lambda hint, names: pasteable_for(hint, names, targets.items),
        again=_again(context, result, targets),
    )
    if format_ == "json":
        say(text)
        display.refuse_lost(text.splitlines()[-1])
    else:
        answer(text, text.splitlines()[-1])
    if result.is_success:
        follow_success_of_all(context, result, targets)
        sys.exit(0)
    sys.exit(signals.exit_code if stop.is_requested else 3)


def _explain(result: FleetResult, targets: Targets, files: Migrations) -> None:
    """Add to what was refused what is known of another tool's ledger in the first of those targets."""
    from wflo_schema.cli.options import explain_refused
    from wflo_schema.errors import WfloSchemaError

    refused = [c for c in result.causes if isinstance(c.error, Refused)]
    by_name = {t.name: t for t in targets} if refused else {}
    for cause in refused[:_MOST_EXPLAINED]:
        assert isinstance(cause.error, Refused)
        try:
            explain_refused(by_name[cause.targets[0]].database, files, cause.error)
        except WfloSchemaError:
            continue  # it says what the engine said


def _again(context: click.Context, result: FleetResult, targets: Targets) -> str:
    """What to type to go on with what is left."""
    from wflo_schema.fleet.outcomes import State

    if result.is_success:
        return ""
    stdin = ", with the same list on stdin" if context.meta.get("wflo_schema.targets") == Path("-") else ""
    is_repeatable = result.operation == "apply" or context.params.get("to") is not None
    if is_repeatable:
        return f"to go on with what is left{stdin}: {typed_again(context)}"
    left = [o for o in result.outcomes if o.state in (State.FAILED, State.NOT_TRIED)]
    schemas = (naming_of({o.target for o in left}, targets.items) or {}).get("--schema")
    if schemas and not any(o.ids for o in left):
        return f"to go on with what is left: {typed_again(context, schemas=schemas)}"
    return "to go on with what is left, say with --to how far: it would be counted from where each target is now"
