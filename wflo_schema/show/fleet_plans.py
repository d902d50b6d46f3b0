"""What migrating many targets would do, as text and as one line of JSON a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wflo_schema.show.fleet_states import MOST_NAMES, indented, json_line, not_done_text, target_fields
from wflo_schema.show.plans import outlook_text, outlook_values
from wflo_schema.show.text import error_fields, plain, plan_text, relative_path
from wflo_schema.words import counted, listed

if TYPE_CHECKING:
    from wflo_schema.engine.planning import Plan
    from wflo_schema.fleet.plans import FleetPlan
    from wflo_schema.lint.values import LintResult
    from wflo_schema.trace.outlook import Outlook

# The name of the target that is shown of a group → what is ahead of it.
Outlooks = Mapping[str, "tuple[Outlook, LintResult | None]"]


def fleet_plan_text(found: FleetPlan, outlooks: Outlooks) -> str:
    """Each group of targets to which the same would happen, shown for one of them as `plan` shows it."""
    lines = [f"{counted(len(found.targets), 'target')}, from {relative_path(found.source)}"]
    for group in found.groups:
        number = counted(len(group.names), "target")
        if group.is_nothing:
            lines.append(f"{number}: nothing to do")
            continue
        largest = ", the largest" if group.is_largest else ""
        alike = f"; shown for {group.shown.name}{largest}" if len(group.names) > 1 else ""
        lines.append(f"{number}: {listed(group.names, MOST_NAMES)}{alike}")
        ahead = outlooks.get(group.shown.name)
        text = plan_text(group.plan) if ahead is None else outlook_text(group.plan, *ahead)
        lines += indented(text.split("\n"), "  ")
    lines += not_done_text(found.causes, "cannot be planned")
    due = sum(len(group.names) for group in found.groups if len(group.plan) and not group.plan.refusals)
    refused = sum(len(group.names) for group in found.groups if group.plan.refusals)
    sums = [f"{counted(due, 'target')} to migrate"] if due or not (refused or found.failed) else []
    sums += [f"{refused} would be refused"] if refused else []
    sums += [f"{len(found.failed)} cannot be planned"] if found.failed else []
    lines.append(", ".join(sums))
    return "\n".join(lines)


def fleet_plan_json(found: FleetPlan, outlooks: Outlooks) -> Iterator[str]:
    """One line a target; ``alike`` names the one whose line says what is ahead of all that are alike."""
    groups = {name: group for group in found.groups for name in group.names}
    for target in found.targets:
        name = target.name
        if name in found.failed:
            yield json_line({**target_fields(target), "error": error_fields(found.failed[name])})
            continue
        group = groups[name]
        line: dict[str, object] = {**target_fields(target), "alike": group.shown.name, **_ids(group.plan)}
        if name == group.shown.name and name in outlooks:
            line |= {key: plain(value) for key, value in outlook_values(*outlooks[name]).items()}
        yield json_line(line)


def _ids(plan: Plan) -> dict[str, object]:
    return {
        "pending": [m.id for m in plan.pending],
        "repeatables": [m.id for m in plan.repeatables],
        "hooks": plan.hooks,
        "drops": plan.drops,
        "refusals": plan.refusals,
    }
