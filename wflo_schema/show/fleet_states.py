"""What a look at many targets found, as text and as one line of JSON a target.

Hides how many names are listed, and what is said once for all that are alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wflo_schema.engine.planning import TAKE_OVER, Status
from wflo_schema.fleet.looking import FleetStatus, Group, Look, Standing
from wflo_schema.fleet.outcomes import placeless
from wflo_schema.show.text import (
    DROP_DELETED,
    Fit,
    adoption_text,
    elsewhere_text,
    error_fields,
    error_text,
    finding_lines,
    plain,
    relative_path,
)
from wflo_schema.words import counted, listed, plural

if TYPE_CHECKING:
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.findings import Finding
    from wflo_schema.fleet.adopting import FleetAdoption
    from wflo_schema.fleet.catalogs import CatalogGroup
    from wflo_schema.fleet.dumping import FleetDump
    from wflo_schema.fleet.outcomes import Cause
    from wflo_schema.fleet.targets import Target

# Most names that a line lists; JSON has them all.
MOST_NAMES = 10


def json_line(value: object) -> str:
    """A value as one line of JSON."""
    return json.dumps(plain(value), ensure_ascii=False)


def indented(lines: Sequence[str], by: str = "    ") -> list[str]:
    """The lines further to the right."""
    return [f"{by}{line}" for line in lines]


def error_lines(error: WfloSchemaError, example: str = "") -> list[str]:
    """What stopped a target, without the word error, which the line above it says.

    ``example``: what is said is said of this target, and of others in other words.
    """
    return error_text(error, example=example).removeprefix("error: ").split("\n")


def fleet_status_text(found: FleetStatus, fit: Fit = lambda text, names: text) -> str:
    """How many stand how, the largest group first; then whose catalogs are odd."""
    lines = [f"{counted(len(found.looks), 'target')}, from {relative_path(found.source)}"]
    for group in found.groups:
        lines += _group_lines(group, fit)
    lines += _catalog_lines(found, fit)
    return "\n".join(lines)


def _group_lines(group: Group, fit: Fit) -> list[str]:
    number = len(group.names)
    what = _SAID[group.standing](group.first, number)
    status, error = group.first.status, group.first.error
    deleted = status.deleted if status is not None else ()
    is_named = bool(deleted) or group.standing is not Standing.UP_TO_DATE
    lines = [f"  {number} {what}{f': {listed(group.names, MOST_NAMES)}' if is_named else ''}"]
    if deleted:
        lines += indented([f"{listed(e.id for e in deleted)}: no such file; {fit(DROP_DELETED, group.names)}"])
    if status is not None and status.elsewhere:
        lines += indented([elsewhere_text(status)])
    if group.standing is Standing.UNRECORDED and status is not None:
        said = [placeless(one, group.first.target) if number > 1 else one for one in status.unrecorded]
        lines += indented([*said, fit(TAKE_OVER, group.names)])
    if group.standing is Standing.HALF_DONE and status is not None:
        lines += indented([f"{h.reason}; {fit(h.help, group.names)}" for h in status.half_done])
    if error is not None:
        lines += indented(fit("\n".join(error_lines(error, group.example)), group.names).split("\n"))
    return lines


def _status(look: Look) -> Status:
    assert look.status is not None
    return look.status


def _pending(look: Look, number: int) -> str:
    status = _status(look)
    ids = [e.id for e in status.pending]
    again = [e.id for e in status.to_repeat]
    late = [e.id for e in status.pending if e.is_late]
    parts = [f"{len(ids)} pending ({listed(ids)})"] if ids else []
    parts += [f"{counted(len(again), 'repeatable file')} to apply again ({listed(again)})"] if again else []
    parts += [f"{listed(status.hooks_due)} to run, which an earlier run left undone"] if status.hooks_due else []
    parts += (
        [f"of which {listed(late)} {plural(len(late), 'sorts', 'sort')} before one that is applied"] if late else []
    )
    return f"{plural(number, 'has', 'have')} {', '.join(parts)}"


def _half_done(look: Look, number: int) -> str:
    status = _status(look)
    begun = [e for e in status.entries if e.statements_done is not None]
    what = "rolled back" if begun and all(e.interrupted == "rollback" for e in begun) else "applied"
    said = [f"{e.id}, interrupted after {counted(e.statements_done or 0, 'statement')}" for e in begun]
    where = listed(said or [h.id for h in status.half_done])
    return f"{plural(number, 'is', 'are')} half {what} ({where})"


def _ahead(look: Look, number: int) -> str:
    ids = [e.id for e in _status(look).ahead]
    return f"{plural(number, 'is', 'are')} ahead of these files (recorded: {listed(ids)})"


def _disagrees(look: Look, number: int) -> str:
    status = _status(look)
    parts = [f"{len(status.changed)} changed since ({listed(e.id for e in status.changed)})"] if status.changed else []
    missing = [e.id for e in status.missing]
    parts += [f"{len(missing)} without a file ({listed(missing)})"] if missing else []
    parts += [f"a part of what {h.id} replaces" for h in status.half_replaced] if not parts else []
    parts += [f"{len(status.pending)} pending"] if status.pending else []
    return f"{plural(number, 'has', 'have')} {', '.join(parts)}"


# How it is said of so many targets.
_SAID: Mapping[Standing, Callable[[Look, int], str]] = {
    Standing.UP_TO_DATE: lambda look, number: f"{plural(number, 'is', 'are')} up to date",
    Standing.PENDING: _pending,
    Standing.NEW: lambda look, number: f"{plural(number, 'was', 'were')} never migrated (empty)",
    Standing.UNRECORDED: lambda look, number: f"{plural(number, 'is', 'are')} not empty, and nothing is recorded there",
    Standing.HALF_DONE: _half_done,
    Standing.DISAGREES: _disagrees,
    Standing.AHEAD: _ahead,
    Standing.ELSEWHERE: lambda look, number: (
        f"{plural(number, 'has its', 'have their')} migrations recorded in another schema"
    ),
    Standing.UNREADABLE: lambda look, number: "cannot be read",
}


def _catalog_lines(found: FleetStatus, fit: Fit) -> Iterator[str]:
    """Whose catalogs are not like those of the others whose ledgers record the same."""
    named = [[name for g in of_ledger.groups for name in g.names] for of_ledger in found.catalogs]
    compared = [of_ledger for of_ledger, names in zip(found.catalogs, named, strict=True) if len(names) > 1]
    alone = [names[0] for names in named if len(names) == 1]
    number = sum(len(names) for names in named) - len(alone)
    odd = [(of_ledger.groups[0], g) for of_ledger in compared for g in of_ledger.groups if g.findings]
    among = "" if len(compared) < 2 else ", each with those whose ledgers record the same"
    many = sum(len(g.names) for _, g in odd)
    said = "all are alike" if not odd else f"{many} {plural(many, 'differs', 'differ')} from what the others have"
    if compared:
        yield f"catalogs of {counted(number, 'target')} compared{among}: {said}"
    for _, group in odd:
        yield fit("\n".join(odd_lines(group)), group.names)
    if alone:
        yield f"catalogs not compared, as no other target records the same migrations: {listed(alone, MOST_NAMES)}"
    failed = {name: error for of_ledger in found.catalogs for name, error in of_ledger.failed.items()}
    for name, error in failed.items():
        yield f"  the catalog of {name} cannot be read"
        yield fit("\n".join(indented(error_lines(error))), (name,))


def odd_lines(group: CatalogGroup) -> Iterator[str]:
    """Targets whose catalog is odd, and in what, once."""
    number = len(group.names)
    like = f"from {group.compared_to}" if group.compared_to else "from what the migrations make"
    shown = shown_for(group.names, group.findings)
    yield f"  {number} {plural(number, 'differs', 'differ')} {like}: {listed(group.names, MOST_NAMES)}{shown}"
    for one in group.findings:
        yield from indented(finding_lines(one))


def shown_for(names: Sequence[str], findings: Iterable[Finding]) -> str:
    """Of which of the targets findings are told that all of them have, where they name it."""
    texts = (text for f in findings for text in (f.object, f.message, f.have, f.want, f.help))
    is_named = len(names) > 1 and any(placeless(text, names[0]) != text for text in texts)
    return f"; shown for {names[0]}" if is_named else ""


def target_fields(target: Target) -> dict[str, object]:
    """What names a target in JSON; the database is without a password."""
    database = target.database
    return {"target": target.name, "database": database.with_schema(None).label, "schema": database.schema}


def fleet_ready_json(targets: Iterable[Target]) -> Iterator[str]:
    """One line for each target whose server lets us in."""
    return (json_line(target_fields(target)) for target in targets)


def fleet_status_json(found: FleetStatus, targets: Iterable[Target]) -> Iterator[str]:
    """One line a target: how it stands, the ids of each state, the hash of its catalog, and in what that is odd."""
    groups = {name: g for of_ledger in found.catalogs for g in of_ledger.groups for name in g.names}
    failed: dict[str, WfloSchemaError] = {}
    for of_ledger in found.catalogs:
        failed |= of_ledger.failed
    from wflo_schema.fleet.catalogs import renamed

    those = tuple(targets)
    schemas = {target.name: target.database.schema for target in those}
    for look, target in zip(found.looks, those, strict=True):
        line: dict[str, Any] = {**target_fields(target), "standing": look.standing.replace(" ", "-")}
        if look.status is not None:
            line |= _ids(look.status)
        if (group := groups.get(look.target)) is not None:
            findings = renamed(group.findings, schemas[group.names[0]], schemas[look.target])
            line |= {"catalog": group.hashes[0], "compared_to": group.compared_to, "findings": findings}
        error = look.error or failed.get(look.target)
        if error is not None:
            line["error"] = error_fields(error)
        yield json_line(line)


def _ids(status: Status) -> dict[str, object]:
    states = ("applied", "pending", "changed", "missing", "ahead")
    half_done = [e.id for e in status.entries if e.statements_done is not None]
    return {
        **{name: [e.id for e in getattr(status, name)] for name in states},
        "to_repeat": [e.id for e in status.to_repeat],
        "deleted": [e.id for e in status.deleted],
        "hooks_due": status.hooks_due,
        "half_done": list(dict.fromkeys((*half_done, *(h.id for h in status.half_done)))),
        "unrecorded": status.unrecorded,
        "elsewhere": status.elsewhere,
    }


def not_done_text(causes: Iterable[Cause], what: str) -> Iterator[str]:
    """Targets for which something could not be done, by cause."""
    for cause in causes:
        yield f"{counted(len(cause.targets), 'target')} {what}: {listed(cause.targets, MOST_NAMES)}"
        yield from indented(error_lines(cause.error, cause.example))


def fleet_dump_warnings(found: FleetDump) -> Iterator[str]:
    """What is to be known of dumps beside their text, once for all of which it is true."""
    said: dict[str, list[tuple[str, str]]] = {}
    for name, made in found.written.items():
        texts = [f"left out, because another tool records its migrations there: {one}" for one in made.ledgers]
        texts += [f"not in the target's schema, and needed to load it: {one}" for one in made.needs]
        texts += [f"the SQL does not create this, only the comments hold it: {one}" for one in made.left_out]
        for text in texts:
            said.setdefault(placeless(text, name), []).append((text, name))
    for those in said.values():
        names = [name for _, name in those]
        yield f"{those[0][0]} (in {counted(len(names), 'target')}: {listed(names, MOST_NAMES)})"


def fleet_adoption_text(found: FleetAdoption) -> str:
    """Each group of targets that are alike, shown for the first of them as `adopt` shows it; then the sums."""
    lines = [f"{counted(len(found.targets), 'target')}, from {relative_path(found.source)}"]
    for group in found.groups:
        alike = f"; shown for {group.first.name}" if len(group.names) > 1 else ""
        lines.append(f"{counted(len(group.names), 'target')}: {listed(group.names, MOST_NAMES)}{alike}")
        lines += indented(adoption_text(group.adoption).split("\n"), "  ")
    lines += not_done_text(found.causes, "failed")
    verdicts: Counter[str] = Counter()
    for group in found.groups:
        verdicts[group.adoption.verdict] += 0 if group.recorded else len(group.names)
    sums = [f"{number} {verdict}" for verdict, number in verdicts.most_common() if number]
    recorded = sum(len(group.recorded) for group in found.groups)
    sums = [f"recorded in {counted(recorded, 'target')}"] * bool(recorded) + sums
    sums += [f"{len(found.failed)} failed"] if found.failed else []
    lines.append(", ".join(sums))
    return "\n".join(lines)


def fleet_adoption_json(found: FleetAdoption) -> Iterator[str]:
    """One line a target: the verdict, what it rests on, and whether it was recorded."""
    groups = {name: group for group in found.groups for name in group.names}
    for target in found.targets:
        line: dict[str, object] = {**target_fields(target)}
        group = groups.get(target.name)
        if group is not None:
            one = group.adoption
            line |= {"alike": group.first.name, "verdict": one.verdict, "id": one.id, "record": one.record}
            line |= {"objections": one.objections, "is_applied": target.name in group.recorded}
            if target.name == group.first.name:
                line |= {"differences": plain(one.differences), "notes": one.notes, "next_steps": one.next_steps}
        if target.name in found.failed:
            line["error"] = error_fields(found.failed[target.name])
        yield json_line(line)
