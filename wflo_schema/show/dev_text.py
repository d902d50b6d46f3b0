"""What the development loop tells, as text."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wflo_schema.show.text import error_text, event_text, finding_lines
from wflo_schema.words import counted, listed

if TYPE_CHECKING:
    from wflo_schema.check.verdict import CheckResult
    from wflo_schema.dev.databases import DevDatabase
    from wflo_schema.dev.rounds import Round
    from wflo_schema.dev.watching import Told

# How what was undone was undone.
_WAYS = {
    "rollback": "rolled back by its file",
    "clone": "gone back to the clone taken before",
    "files": "made anew from the files",
}

# Most findings that are written out after a save.
_MOST_FINDINGS = 5


def round_text(done: Round) -> str:
    """One line for what was done, and one for each thing to know."""
    lines = []
    if done.made or done.switched:
        of_branch = f"the database of branch {done.branch}" if done.branch else "the development database"
        lines.append(f"{done.database.name} is {of_branch} now{', and new' if done.made else ''}")
    lines += [f"note: {note}" for note in done.notes]
    took = f"{done.duration_ms:.0f} ms"
    again = [i for i in done.applied if i in done.undone]
    new = [i for i in done.applied if i not in done.undone]
    gone = [i for i in done.undone if i not in done.applied]
    for ids, verb in ((again, "applied again"), (gone, "undone"), (new, "applied")):
        if ids:
            way = f", {_WAYS[done.way]}" if done.way and verb != "applied" else ""
            lines.append(f"{verb}: {listed(ids, 5)}{way} ({took})")
    if not done.did_something:
        lines.append(f"nothing to do: {done.database.name} is as the files say ({took})")
    lines += [f"warning: the rows of {one.table} could not be kept: {one.why}" for one in done.lost]
    return "\n".join(lines)


def told_text(told: Told) -> str:
    """Anything that the loop tells."""
    from wflo_schema.check.verdict import CheckResult
    from wflo_schema.dev.rounds import Round
    from wflo_schema.errors import WfloSchemaError

    if isinstance(told, str):
        return told
    if isinstance(told, WfloSchemaError):
        return error_text(told)
    if isinstance(told, Round):
        return round_text(told)
    if isinstance(told, CheckResult):
        return _findings_text(told)
    return event_text(told)


def _findings_text(found: CheckResult) -> str:
    section = found.sections[0]
    if not found.findings:
        return f"{section}: holds"
    lines = [f"{section}: {counted(len(found.findings), 'finding')}"]
    for finding in found.findings[:_MOST_FINDINGS]:
        lines += finding_lines(finding)
    if len(found.findings) > _MOST_FINDINGS:
        lines.append(f"  … {counted(len(found.findings) - _MOST_FINDINGS, 'more')}: wflo-schema check")
    return "\n".join(lines)


def dev_databases_text(found: Sequence[DevDatabase]) -> str:
    """One line a database."""
    if not found:
        return "no development database yet: wflo-schema dev"
    width = max(len(d.name) for d in found)
    return "\n".join(_database_line(d, width) for d in found)


def _database_line(one: DevDatabase, width: int) -> str:
    what = one.branch or "no branch"
    if one.purpose == "dev-clone":
        what = f"{what}, before what is not committed" if one.branch else "before what is not committed"
    size = "" if one.size_bytes is None else f"{one.size_bytes / 1024 / 1024:.0f} MB"
    used = datetime.datetime.fromisoformat(one.used_at).astimezone().strftime("%Y-%m-%d %H:%M")
    gone = ", its branch is gone" if one.is_gone else ""
    mark = "*" if one.is_current else " "
    return f"{mark} {one.name:<{width}}  {size:>7}  {used}  {what}{gone}"
