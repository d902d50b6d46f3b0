"""Every result as text or JSON; a check's other formats are in `check_formats`.

Hides layout and escaping; computes nothing and prints nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wflo_schema.engine.events import Begun, Done, Event, Notice, Result, Retrying, Running, Waiting
from wflo_schema.engine.planning import TAKE_OVER, Plan, State, Status, insisting
from wflo_schema.engine.repeatables import RepeatableEntry, RepeatableState
from wflo_schema.errors import BadMigrationFile, MigrationFailed, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.listing import BEFORE_ALL, HOOKS, REPEATABLE
from wflo_schema.findings import Finding, Location, Severity
from wflo_schema.show.progress import progress_text
from wflo_schema.words import counted, duration, listed, plural

if TYPE_CHECKING:
    from wflo_schema.adopt.found import Adoption
    from wflo_schema.catalog.objects import Difference
    from wflo_schema.check.rules import Rule
    from wflo_schema.check.verdict import CheckResult
    from wflo_schema.engine.seeding import Seeded, SeedPlan, SeedResult, SeedStatus
    from wflo_schema.engine.taken_over import OtherLedger
    from wflo_schema.imports.operations import Import
    from wflo_schema.imports.proof import Proof
    from wflo_schema.server.installed import Programs
    from wflo_schema.server.values import ServerStatus
    from wflo_schema.squash.operations import Squashed
    from wflo_schema.testdb.session import Made, Pruned, TestDatabase


# The key of JSON under which the ids are.
_DONE = {"apply": "applied", "rollback": "rolled_back", "mark": "recorded", "seed": "seeded"}

# What a run had done when it stopped.
_BEFORE = {
    "apply": "applied before it, and kept",
    "rollback": "rolled back before it, and not applied any more",
    "mark": "recorded before it, and kept",
    "seed": "seeded before it, and kept",
}

_DOING = {"apply": "migrating", "rollback": "rolling back", "mark": "recording in", "seed": "seeding"}
_VERBS = {"apply": "applied", "rollback": "rolled back", "mark": "recorded"}
# Most names that a list shows; JSON has them all.
_MOST_NAMES = 10
_MARKS = {
    State.APPLIED: "✓",
    State.PENDING: "·",
    State.CHANGED: "≠",
    State.MISSING: "?",
    State.AHEAD: "+",
}

_REPEATABLE_MARKS = {
    RepeatableState.APPLIED: "✓",
    RepeatableState.PENDING: "·",
    RepeatableState.EDITED: "≠",
    RepeatableState.GONE: "?",
    RepeatableState.DELETED: "?",
}


def json_text(value: object) -> str:
    """Any result as JSON; the keys are the fields' names."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False)


def plain(value: Any) -> Any:
    """A value as dicts, lists, strings and numbers; a `Database` as its label, so without a password."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Location):
        return {"path": value.path, "line": value.line, "column": value.column}
    if hasattr(value, "conninfo"):
        return value.label
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if not f.name.startswith("_")}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 3)
    return value


# In what a file or the server says: what stands behind PASSWORD, in a connection string, in a URL.
_PASSWORD = re.compile(
    r"""(?P<before>\bpassword\s*=?\s*(?:E|U&)?)(?P<secret>'(?:[^']|'')*'?|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
      | (?P<before2>password\s*=\s*)(?P<secret2>[^\s'"]+)
      | (?P<before3>://[^\s:@/'"]+:)(?P<secret3>[^\s@/'"]+)(?=@)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def without_passwords(text: str) -> str:
    """The text with a star for each character of a password."""
    if "://" not in text and "password" not in text.lower():
        return text  # a run may have a hundred thousand notices

    def hidden(found: re.Match[str]) -> str:
        before = found["before"] or found["before2"] or found["before3"]
        return before + "*" * (len(found[0]) - len(before))

    return _PASSWORD.sub(hidden, text)


# Makes the commands of a text fit to be pasted, for the targets of these names.
Fit = Callable[[str, Sequence[str]], str]


def error_text(error: WfloSchemaError, *, alone: bool = True, hint: str | None = None, example: str = "") -> str:
    """What happened, where, and how to fix it.

    ``alone``: and what its run did before.  ``hint`` in the place of the error's own.  ``example``: it happened to
    this target, and to others in other words.
    """
    what = f"for example in {example}" if example else "error"
    lines = _indent_rest(f"{what}: {without_passwords(error.message)}")
    if isinstance(error, MigrationFailed | BadMigrationFile):
        lines += _excerpt(error)
    if isinstance(error, MigrationFailed):
        lines += _labelled("detail", error.detail)
        lines += _labelled("server's hint", error.server_hint)
        lines += _labelled("context", without_passwords(error.context))
        if error.orphans is not None:
            many = "some rows" if error.orphans.count is None else counted(error.orphans.count, "row")
            verb = "points" if error.orphans.count == 1 else "point"
            lines.append(f"  {many} of {error.orphans.key} {verb} nowhere:")
            lines += [f"    {row}" for row in error.orphans.sample]
            if error.orphans.count is None or error.orphans.count > len(error.orphans.sample):
                lines.append("    …")
            lines += ["  list them all with:", f"    {error.orphans.query}"]
    if error.applied and alone:
        lines.append(f"  {_BEFORE[error.operation]}: {listed(error.applied, _MOST_NAMES)}")
    if error.not_tried and alone:
        lines.append(f"  not tried: {listed(error.not_tried, _MOST_NAMES)}")
    for line in filter(None, (error.hint if hint is None else hint).split("\n")):
        lines.append(f"hint: {line}")
    return "\n".join(lines)


def error_json(error: WfloSchemaError, *, is_line: bool = False) -> str:
    """The same as an object under ``error``; what was done before under ``applied``, ``rolled_back``, ``recorded``.

    ``is_line``: all in one line.
    """
    said = {"error": error_fields(error), _DONE[error.operation]: error.applied, "not_tried": error.not_tried}
    return json.dumps(plain(said), ensure_ascii=False) if is_line else json_text(said)


def error_fields(error: WfloSchemaError) -> dict[str, object]:
    """The same as a dict for JSON."""
    fields: dict[str, object] = {
        "code": error.code,
        "message": without_passwords(error.message),
        "hint": error.hint,
    }
    for name in ("case", "sqlstate", "migration_id", "location", "statement", "detail", "server_hint", "orphans"):
        value = getattr(error, name, None)
        if value:
            fields[name] = plain(without_passwords(value) if name == "statement" else value)
    return fields


def _excerpt(error: MigrationFailed | BadMigrationFile) -> list[str]:
    if error.location is None:
        return []
    lines = [f"  --> {_relative(error.location)}"]
    if error.source_line:
        number = str(error.location.line)
        source = without_passwords(error.source_line).expandtabs(4)
        before = error.source_line[: max(error.location.column - 1, 0)].expandtabs(4)
        start = max(0, len(before) - 80)
        import unicodedata

        cells = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in before[start:])
        shown = source[start : start + 110]
        lines.append(f"  {number} | {'…' if start else ''}{shown}{'…' if len(source) > start + 110 else ''}")
        if error.location.column:
            lines.append(f"  {' ' * len(number)} | {' ' * (cells + bool(start))}^")
    return lines


def _relative(location: Location) -> str:
    return str(dataclasses.replace(location, path=relative_path(location.path)))


def relative_path(path: str) -> str:
    """The path relative to the working directory where it is below that, else unchanged."""
    try:
        shown = os.path.relpath(path)
    except (OSError, ValueError):  # there is no working directory any more; on another drive
        return path
    return path if shown.startswith("..") else shown


def seed_text(result: SeedResult) -> str:
    """What a run of seeds did: a line for each file, the sequences, the sum."""
    lines = [f"  seeded {one.id}  ({_much(one)}, {duration(one.duration_ms)})" for one in result.done]
    lines += [f"  sequence {name} continues after {value}" for name, value in result.sequences]
    return "\n".join([*lines, seed_line(result)])


def seed_line(result: SeedResult) -> str:
    """The sum alone."""
    already = f"{counted(result.already, 'file')} {plural(result.already, 'was', 'were')} run before"
    if not result.done:
        return f"nothing to do: {already}"
    rest = f"; {already}" if result.already else ""
    return f"{counted(len(result.done), 'file')} seeded in {duration(result.duration_ms)}{rest}"


def _much(one: Seeded) -> str:
    return counted(one.statements, "statement") if one.rows is None else counted(one.rows, "row")


def seed_status_text(status: SeedStatus) -> str:
    """The sets with their files, and what is recorded of each."""
    lines = [_heading(status)]
    width = max((len(e.name) for e in status.entries), default=0)
    for n, e in enumerate(status.entries):
        if n == 0 or status.entries[n - 1].set != e.set:
            lines.append(e.set)
        notes = [f"{e.applied_at[:19].replace('T', ' ')} UTC"] if e.applied_at else []
        notes += [f"as {e.recorded_as}"] if e.recorded_as else []
        notes += ["no such file"] if e.state is State.MISSING else []
        lines.append(f"  {_MARKS[e.state]} {e.state.value:<8} {e.name:<{width}}  {', '.join(notes)}".rstrip())
    return "\n".join(lines)


def seed_plan_text(planned: SeedPlan) -> str:
    """What a run would do, and what stands against it."""
    lines = [_heading(planned.status), *(f"  would run {one}" for one in planned.files)]
    for _, what, how in planned.refusals:
        lines += [f"  refused: {what}", *(f"    {line}" for line in how.split("\n"))]
    if planned.refusals:
        return "\n".join([*lines, "no: seed would run nothing"])
    sum_ = f"{counted(len(planned.files), 'file')} to run" if planned.files else "nothing to do: every file is recorded"
    return "\n".join([*lines, sum_])


def _heading(of: Status | Adoption | SeedStatus) -> str:
    place = "ledger in schema" if isinstance(of, Status) and of.is_ledger_apart else "schema"
    return f"{of.label} (PostgreSQL {of.server_version}), {place} {of.schema}{_source(of.source)}"


def _source(where: str) -> str:
    return f", from {relative_path(where)}" if where else ""


def _labelled(label: str, text: str) -> list[str]:
    return _indent_rest(f"  {label}: {text}", "    ") if text else []


def indent(text: str) -> list[str]:
    """Its lines, each further to the right."""
    return [f"  {line}" for line in text.split("\n")]


def _indent_rest(text: str, by: str = "  ") -> list[str]:
    first, *rest = text.split("\n")
    return [first, *(by + line for line in rest)]


def event_text(event: Event) -> str:
    """One line for an event; empty for those that only a progress bar shows."""
    match event:
        case Begun():
            doing = _DOING[event.operation]
            where = f"{event.label} (PostgreSQL {event.server_version}), schema {event.schema}"
            return f"{doing} {where}{_source(event.source)}"
        case Done():
            many = f"{counted(event.statements, 'statement')}, " if event.operation != "mark" else ""
            return f"  {_VERBS[event.operation]} {event.id}  ({many}{duration(event.duration_ms)})"
        case Waiting():
            whom = without_passwords("; ".join(str(b) for b in event.blockers))
            if event.blockers and all(b.is_colleague for b in event.blockers):
                return f"  {event.id} waits for another run of wflo-schema ({event.waited_s:.0f} s): {whom}"
            where = next((f" on {b.relation}" for b in event.blockers if b.relation), "")
            far = progress_text(event.progress) if event.progress and event.progress.command else ""
            at = f": {far}" if far else ""
            return f"  {event.id} waits for a lock{where} ({event.waited_s:.1f} s){at}, blocked by {whom}"
        case Retrying():
            follows = f"try {event.attempt + 1} follows in {event.pause_s:.1f} s"
            return f"  {event.id} did not get through ({without_passwords(event.reason)}); {follows}"
        case Notice():
            return f"  {event.severity.lower()}: {without_passwords(event.message)}"
        case Running():
            return ""


def result_text(result: Result) -> str:
    """The last line of a run."""
    if result.dropped:
        done = f"{counted_files(result.ids)} applied in {duration(result.duration_ms)}" if result.done else ""
        return f"{done or 'every migration is applied'}; dropped: what {listed(result.dropped)} made"
    if not result.done and result.hooks and result.operation == "apply":
        if f"{HOOKS}/{BEFORE_ALL}" in result.hooks:
            return f"nothing was left to do: another run was faster; {listed(result.hooks)} was run"
        return f"every migration is applied; {listed(result.hooks)} was run, which an earlier run left undone"
    left = f"; left for {Phase.AFTER_DEPLOY}: {listed(result.for_later)}" if result.for_later else ""
    if not result.done:
        return {
            "apply": f"nothing to do: every {_of_phase(result.phase)}migration is applied{left}",
            "rollback": "nothing to roll back",
            "mark": "nothing to record",
        }[result.operation]
    verb = _VERBS[result.operation]
    return f"{counted_files(result.ids)} {verb} in {duration(result.duration_ms)}{left}"


def _of_phase(phase: Phase | None) -> str:
    return f"{phase} " if phase else ""


def counted_files(ids: Sequence[str]) -> str:
    """So many migrations, and so many repeatable files, whose ids say that they are."""
    repeatables = sum(i.startswith(f"{REPEATABLE}/") for i in ids)
    migrations = len(ids) - repeatables
    parts = [counted(migrations, "migration")] if migrations or not repeatables else []
    parts += [counted(repeatables, "repeatable file")] if repeatables else []
    return " and ".join(parts)


def result_line(result: Result) -> str:
    """The same with the migrations' names, for where no other line could be written."""
    return ": ".join(filter(None, (result_text(result), listed(result.ids, _MOST_NAMES))))


def result_json(result: Result) -> str:
    """The run as JSON: the fields of `Result`, and the ids under ``applied`` or ``rolled_back``."""
    return json_text({**plain(result), _DONE[result.operation]: result.ids})


def elsewhere_text(status: Status) -> str:
    """Which other schemas record the migrations, and how to say which is meant."""
    how = (
        "--ledger-schema leads to an empty one"
        if status.is_ledger_apart
        else "name the one that you mean with --schema, or with --ledger-schema where the tables are elsewhere"
    )
    return f"{status.said_elsewhere} them: {how}"


def status_text(status: Status) -> str:
    """One line per migration, then the sums."""
    lines = [_heading(status)]
    width = max((len(e.id) for e in status.entries), default=0)
    for e in status.entries:
        notes = []
        if e.applied_at:
            notes.append(f"{e.applied_at[:19].replace('T', ' ')} UTC")
            if not e.has_checksum:
                notes.append("recorded without checksum")
        if e.recorded_as:
            notes.append(f"recorded as {listed(e.recorded_as)}")
        if e.state is State.PENDING and e.phase is Phase.AFTER_DEPLOY:
            notes.append(Phase.AFTER_DEPLOY)
        if e.is_late:
            notes.append("sorts before one that is applied")
        if e.statements_done is not None:
            what = "its rollback was " if e.interrupted == "rollback" else ""
            notes.append(f"{what}interrupted after {counted(e.statements_done, 'statement')}")
        if e.state in (State.MISSING, State.AHEAD):
            notes.append("no such file" if e.state == State.MISSING else "newer than every file")
        lines.append(f"  {_MARKS[e.state]} {e.state.value:<8} {e.id:<{width}}  {', '.join(notes)}".rstrip())
    lines += _repeatable_lines(status.repeatables)
    if status.hooks_due:
        lines.append(f"  {status.said_due}")
    for ends in status.heads:
        lines.append(f"  the history has {len(ends)} heads: {', '.join(ends)}")
    lines += [f"  {h.reason}" for h in status.half_done if h.id not in {e.id for e in status.entries}]
    if status.not_empty:
        lines += [f"  {status.not_empty}", f"  {TAKE_OVER}"]
    if status.elsewhere:
        lines.append(f"  {elsewhere_text(status)}")
    groups = (
        ("applied", status.applied),
        ("pending", status.pending),
        ("changed", status.changed),
        ("missing", status.missing),
        ("ahead of the files", status.ahead),
    )
    sums = [f"{len(g)} {name}" for name, g in groups if g or name in ("applied", "pending")]
    if status.for_later:
        sums[1] += f" ({'all' if len(status.for_later) == len(status.pending) else len(status.for_later)} after-deploy)"
    if status.repeatables:
        again = f", {len(status.to_repeat)} to apply again" if status.to_repeat else ""
        sums.append(f"{counted(len(status.repeatables), 'repeatable file')}{again}")
    lines.append(", ".join(sums))
    return "\n".join(lines)


# What to do about what a deleted repeatable file made.
DROP_DELETED = "to drop what it made: wflo-schema migrate --drop-deleted"


def _repeatable_lines(entries: Sequence[RepeatableEntry]) -> list[str]:
    said = {
        RepeatableState.EDITED: "will be applied again",
        RepeatableState.GONE: "what it made is not there; will be applied again",
        RepeatableState.DELETED: f"no such file; {DROP_DELETED}",
    }
    width = max((len(e.id) for e in entries), default=0)
    lines = []
    for e in entries:
        at = f"{e.applied_at[:19].replace('T', ' ')} UTC" if e.applied_at else ""
        notes = ", ".join(filter(None, (at, said.get(e.state, ""))))
        lines.append(f"  {_REPEATABLE_MARKS[e.state]} {e.state.value:<8} {e.id:<{width}}  {notes}".rstrip())
    return lines


def status_json(status: Status) -> str:
    """The fields of `Status`, and the ids of each state."""
    states = {
        name: [e.id for e in getattr(status, name)] for name in ("applied", "pending", "changed", "missing", "ahead")
    }
    return json_text({**plain(status), **states})


def plan_text(plan: Plan, *, under: Mapping[str, Sequence[str]] = {}, notes: Sequence[str] = ()) -> str:
    """What `migrate` would run, and what would stop it; ``under`` each file, by its id, these lines."""
    lines = [
        _heading(plan.status)
        if plan.status.server_version
        else f"a database with all files of {plan.status.label}; no database was asked"
    ]
    lines += [f"  would record {f.id} in place of {listed(f.recorded_as)}" for f in plan.status.followed]
    for m in plan.pending:
        said = [m.phase.value] if m.phase is Phase.AFTER_DEPLOY else []
        said += [] if m.is_transactional else ["statement by statement"]
        lines.append(f"  would apply {m.id}{f'  ({listed(said)})' if said else ''}")
        lines += under.get(m.id, ())
    states = {e.id: e.state for e in plan.status.repeatables}
    for m in plan.repeatables:
        again = "" if states[m.id] is RepeatableState.PENDING else f"  (again: {states[m.id]})"
        lines.append(f"  would apply {m.id}{again}")
        lines += under.get(m.id, ())
    if plan.phase is Phase.BEFORE_DEPLOY:
        lines += [f"  would leave {e.id}  ({Phase.AFTER_DEPLOY})" for e in plan.status.for_later]
    lines += [f"  would drop what {id_} made" for id_ in plan.drops]
    lines += _plan_of_hooks(plan)
    if plan.wrapped:
        lines.append(f"  left out, as each migration is one transaction: BEGIN … COMMIT around {listed(plan.wrapped)}")
    for case, what, how in plan.refusals:
        lines += [f"  would refuse: {what}", *_indent_rest(f"    {how}{insisting(case, '; or ')}", "    ")]
    lines += [f"  {note}" for note in notes]
    if plan.refusals:
        lines.append("no: migrate would apply nothing")
    elif len(plan):
        lines.append(f"{counted_files([m.id for m in plan.files])} to apply")
    elif not (plan.hooks or plan.drops):
        lines.append(f"nothing to do: every {_of_phase(plan.phase)}migration is applied")
    return "\n".join(lines)


def _plan_of_hooks(plan: Plan) -> list[str]:
    if plan.hooks and not len(plan):
        return [f"  would run {listed(plan.hooks)}, which an earlier run left undone"]
    return [f"  would run {listed(plan.hooks)}, too"] if plan.hooks else []


def check_text(result: CheckResult) -> str:
    """A table that a person reads in five seconds, then one block per finding."""
    schema = f", schema {result.schema}" if result.schema else ""
    lines = [f"{result.label} (PostgreSQL {result.server_version}){schema}, as {result.role}{_source(result.source)}"]
    keys = [v for v in result.verified if v.kind == "foreign key"]
    width = max((len(v.source) for v in keys), default=0)
    for v in keys:
        mark = {"yes": "✓", "no": "✗"}.get(v.verdict, "?")
        lines.append(f"  {mark} {v.source:<{width}} → {v.target}  {v.name}")
    for kind, good, number in result.counts:
        what = plural(number, kind, "indexes" if kind == "index" else "")
        verb = "applied, as its file says" if number == 1 else "applied, as their files say"
        if kind != "migration":
            verb = _holds(good, number)
        elif good == number or all(v.codes == ("ledger-pending",) for v in result.verified if v.verdict == "no"):
            verb = "applied"
        unknown = sum(v.kind == kind and v.verdict == "cannot tell" for v in result.verified)
        if unknown == number:
            lines.append(f"  {number} {what}: cannot tell")
        else:
            rest = f", {unknown} could not be verified" if unknown else ""
            lines.append(f"  {good} of {number} {what} {verb}{rest}")
    if result.information_schema is not None:
        seen = result.information_schema
        if not seen.agrees:
            known = "is hidden" if seen.catalog is None else f"has {seen.catalog}"
            lines.append(
                f"  information_schema shows this role {counted(seen.constraints, 'foreign key')} "
                f"({counted(seen.joined, 'row')} when joined by name, {seen.with_actions} with actions); "
                f"pg_catalog {known}"
            )
    for o in result.orphans:
        count = "not finished" if o.count is None else counted(o.count, "orphan row")
        lines.append(f"  {o.name}: {count}")
    for note in result.notes:
        lines.append(f"  note: {note}")
    for f in result.findings:
        lines += finding_lines(f)
    lines += allowed_lines(result)
    by_orphan = [o for o in result.orphans if o.count or (o.count is None and o.sample)]
    for o in by_orphan:
        lines.append(f"orphan rows of {o.source} → {o.target}:")
        lines += ["  " + ", ".join("NULL" if v is None else v for v in row) for row in o.sample]
        lines.append(f"  list them all: {o.query}")
        lines += [f"  repair: {r}" for r in o.repairs]
    errors = sum(f.severity is Severity.ERROR for f in result.findings)
    warnings = sum(f.severity is Severity.WARNING for f in result.findings)
    unknowns = sum(f.severity is Severity.UNKNOWN for f in result.findings)
    sums = [counted(n, word) for n, word in ((errors, "error"), (warnings, "warning")) if n]
    sums += [f"{unknowns} could not be verified"] if unknowns else []
    sums += [f"{len(result.allowed)} allowed"] if result.allowed else []
    verdict = {0: "ok", 1: "no", 3: "cannot tell"}[result.exit_code]
    keys_good = sum(v.verdict == "yes" for v in keys)
    said = "checked " + ", ".join(result.sections)
    if keys:
        said = f"{keys_good} of {counted(len(keys), 'foreign key')} {_holds(keys_good, len(keys))}"
    lines.append(f"{verdict}: {', '.join([said, *sums]) if sums else said} ({duration(result.duration_ms)})")
    return "\n".join(lines)


def _holds(good: int, number: int) -> str:
    return "holds" if 1 in (good, number) else "hold"


def allowed_lines(result: CheckResult) -> list[str]:
    """What the contract allows: a line for each allowance that allowed something."""
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for one in result.allowed:
        where = f"  ({_relative(one.location)})" if one.location else ""
        groups.setdefault((one.finding.code, one.pattern, one.reason, where), []).append(one.finding)
    lines = []
    for (code, pattern, reason, where), found in groups.items():
        what = found[0].object if len(found) == 1 else f"{pattern}: {len(found)} findings"
        lines.append(f"allowed: [{code}] {what}: {reason}{where}")
    return lines


def finding_lines(f: Finding) -> list[str]:
    """One finding: code, object, message, then have, want and help where there are any."""
    where = f"  ({_relative(f.location)})" if f.location else ""
    lines = [f"{f.severity.value}: [{f.code}] {f.object}: {f.message}{where}"]
    for label, text in (("have", f.have), ("want", f.want), ("help", f.help)):
        if text:
            lines += _indent_rest(f"  {label}: {text}", "        ")
    return lines


def check_json(result: CheckResult, rules: Sequence[Rule]) -> str:
    """The fields of `CheckResult`, the sums, the exit code, and what each code found means."""
    found = {f.code for f in result.findings}
    return json_text({**check_values(result), "rules": [r for r in rules if r.code in found]})


def check_values(result: CheckResult) -> dict[str, Any]:
    """The fields of `CheckResult`, the sums and the exit code."""
    counts = {kind: {"holding": good, "required": number} for kind, good, number in result.counts}
    return {**plain(result), "counts": counts, "exit_code": result.exit_code}


def adoption_text(found: Adoption) -> str:
    """Which ledgers there are, how far each migration is from the catalog, the verdict, and what to type next."""
    lines = [_heading(found)]
    lines += [f"  {_ledger_line(ledger)}" for ledger in found.ledgers] or ["  no other tool's ledger"]
    width = max((len(p.id) for p in found.places), default=0)
    for place in found.places:
        distance = counted(place.differences, "difference") if place.differences else "equal"
        more = f", {place.cosmetic} cosmetic" if place.cosmetic else ""
        mark = "·" if place.differences else "="
        lines.append(f"  {mark} after {place.id:<{width}}  {distance}{more}")
    if found.beside:
        lines.append(f"  also there, and not ours: {listed(found.beside, _MOST_NAMES)}")
    if found.differences:
        lines.append(f"differences from {found.id}:")
        for d in found.differences:
            lines += _difference_lines(d)
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"objection: {objection}" for objection in found.objections]
    lines.append(_verdict_line(found))
    lines += [f"next: {step}" for step in found.next_steps]
    return "\n".join(lines)


def _ledger_line(ledger: OtherLedger) -> str:
    said = f"{counted(len(ledger.versions), 'version')}: {listed(ledger.versions)}" if ledger.versions else "nothing"
    failed = f"; failed half way: {listed(ledger.failed, _MOST_NAMES)}" if ledger.failed else ""
    return f"{ledger.tool}: {ledger.table} records {said}{failed}"


def _difference_lines(d: Difference) -> list[str]:
    what = f" {d.attribute}" if d.attribute else ""
    lines = [f"  {d.kind} {d.object}{what}{' (cosmetic)' if d.cosmetic else ''}"]
    for label, text in (("have", d.have), ("want", d.want)):
        lines += _indent_rest(f"    {label}: {text}", "          ")
    return lines


def _verdict_line(found: Adoption) -> str:
    where = f"{found.id} (migration {found.number} of {found.total})"
    if found.is_applied:
        aside = f"; {counted(len(found.aside), 'ledger row')} of other files set aside" if found.aside else ""
        return f"recorded: {counted_files([*found.record, *found.repeatables])}, up to {where}{aside}"
    said = {
        "equal": f"equal: this database matches the migrations up to {where}",
        "ambiguous": "equal: this database matches several migrations, which differ in rows only: name one with --to",
        "reconcile": f"no: this database needs {found.reconciling} to match the migrations up to {where}",
        "different": f"no: this database matches none of the migrations compared; the nearest is {where}",
        "empty": "nothing to adopt: none of the tables is there",
        "ours": f"nothing to do: recorded by wflo-schema already, up to {where}",
        "drift": f"no: wflo-schema's own ledger says {where}, but the catalog differs",
    }[found.verdict.value]
    return f"{said}; nothing was recorded" if found.verdict.value == "equal" else said


def adoption_json(found: Adoption) -> str:
    """The fields of `Adoption` and the exit code."""
    return json_text({**plain(found), "exit_code": found.exit_code})


def squashed_text(found: Squashed) -> str:
    """What was written and kept, what was proven, and what to type next."""
    lines = [f"{counted(len(found.replaces), 'migration')} squashed into {found.paths[0]}"]
    if found.reason:
        lines.append(f"  every statement is kept in its order: {found.reason}")
    said = [(f"kept, because no catalog shows it ({k.kind})", k) for k in found.kept if not found.reason]
    said += [("left out, because a new database does not need it", k) for k in found.left_out]
    lines += [f"  {why}: {_relative(k.location)}  {k.statement}" for why, k in said]
    lines.append(f"  rollback: {found.paths[1]}" if found.has_rollback else "  no rollback file: none was proven")
    many = counted(found.tables_with_rows, "table or sequence", "tables and sequences")
    rows = f", and the rows of {many}" if found.tables_with_rows else ", and no rows"
    but = f" (except {listed(found.not_compared)}, which differ from run to run)" if found.not_compared else ""
    lines.append(f"proven by replay: both make the same {counted(found.objects, 'object')}{rows}{but}")
    if found.is_removed:
        lines.append(f"removed: {counted(len(found.to_remove), 'file')}")
    else:
        lines.append(f"next: rm {' '.join(shlex.quote(str(p)) for p in found.to_remove)}")
    return "\n".join(lines)


# Lines of one kind that are shown of an import; the files themselves say the rest, and JSON all of it.
_MOST_LINES = 20


def _first_lines(lines: Sequence[str], what: str) -> list[str]:
    """The first of some lines, and how many more there are."""
    rest = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"  … and {rest} more {what}; --format json shows all"] if rest > 0 else [])]


def import_text(found: Import) -> str:
    """Whose folder it is, each migration, what is left out, what was proven, what a person must do, the next step."""
    whose = "SQL of no tool, read" if found.tool == "plain" else f"a folder of {found.tool}:"
    lines = [f"{found.folder} is {whose} {found.reason}"]
    new = [f for f in found.files if f.is_new]
    if len(new) < len(found.files):
        lines.append(f"  {counted(len(found.files) - len(new), _kind_of(found))} imported before")
    new.sort(key=lambda f: not f.is_open)  # those that wait are never cut off by the others
    waiting = sum(f.is_open for f in new)
    shown = new if len(new) <= _MOST_LINES else [*new[:waiting], *new[waiting:][:_MOST_LINES]]
    width = max((len(f.id) for f in shown), default=0)
    for f in sorted(shown, key=lambda f: f.id):
        how = [] if "/" in f.id else ["with rollback" if f.has_rollback else "no rollback"]
        how += ["not transactional"] if not f.is_transactional else []
        how += ["waits for you"] if f.is_open else []
        lines.append(f"  {f.id:<{width}}  {', '.join(how)}".rstrip())
    if len(shown) < len(new):
        lines.append(f"  … and {len(new) - len(shown)} more; --format json shows all")
    lines += _first_lines([f"left out: {what}" for what in found.left_out], "left out")
    lines += [
        f"note: --set {name} changes nothing: no file asks for it, or it has this value anyhow" for name in found.unused
    ]
    said = {(s.id, s.text) for s in found.proof.said} if found.proof is not None else set()
    notes = [n for f in found.files for n in f.notes if (f.id, n.removeprefix(f"{f.path}: ")) not in said]
    lines += _first_lines([f"note: {note}" for note in notes], "notes")
    lines += _proof_lines(found)
    return "\n".join([*lines, *_outcome_lines(found)])


def _kind_of(found: Import) -> str:
    """What its files are called where they are counted."""
    return "file" if any("/" in f.id for f in found.files) else "migration"


def _outcome_lines(found: Import) -> list[str]:
    """What was written, what is left for a person, and what to type next."""
    many = counted(len(found.paths), "file")
    if not found.paths:
        lines = [f"nothing is new: {found.into} holds all of {found.folder}"]
    elif found.is_written:
        lines = [f"written: {many} in {found.into}"]
    else:
        lines = [f"nothing is written yet: {many} would go into {found.into}"]
    into = shlex.quote(str(found.into))
    if found.open_files:
        names = listed([f.id for f in found.open_files])
        many_open = counted(len(found.open_files), _kind_of(found))
        lines.append(f"left for you: {many_open}, with comments at the top that say what to do: {names}")
    if not found.is_written:
        lines += [] if not found.paths else ["next: the same command with --write"]
    elif found.open_files:
        lines.append(f"next: do what they say, then: wflo-schema import --follow --write --into {into}")
    else:
        lines.append(f"next: wflo-schema adopt --migrations {into}")
    return lines


def _proof_lines(found: Import) -> list[str]:
    """What was proven, how far, and what was not."""
    proof = found.proof
    if proof is None:
        return ["not proven: no server is named; for one of the project's own: wflo-schema server start"]
    runner = "psql" if found.tool in ("plain", "structure.sql") else found.tool
    lines = _first_lines([f"proof: {s.id + ': ' if s.id else ''}{s.text}" for s in proof.said], "of the proof")
    if not proof.replayed:
        first = found.files[0].id if found.files else ""
        return [*lines, f"not proven: it stops at the first migration, {first}"]
    of = f"{proof.replayed} of {counted(proof.total, _kind_of(found))}"
    how = f"run as {runner} runs them, the old files"
    if not proof.is_equal:
        lines.append(f"not proven: {how} do not make the same as the new ones ({of})")
        return lines + (["no rollback was tried"] if proof.with_rollback else [])
    rows = f"the rows of {counted(proof.filled, 'table or sequence', 'tables and sequences')}"
    same = f"{counted(proof.objects, 'object')}, {rows if proof.filled else 'no rows'}"
    but = f", except {listed(proof.not_compared)}, which differ from run to run" if proof.not_compared else ""
    is_whole = proof.replayed == proof.total
    so_far = "" if is_whole else f" only up to {found.files[proof.replayed - 1].id},"
    lines.append(f"proven{so_far} on {proof.label}: {how} make the same as the new ones ({of}; {same}{but})")
    lines += [] if is_whole else [f"not proven: {found.files[proof.replayed].id} and what comes after it"]
    return [*lines, _rollback_line(proof, runner)]


def _rollback_line(proof: Proof, runner: str) -> str:
    back, of = proof.rolled_back, proof.with_rollback
    if not of:
        return "no rollbacks: the folder has none"
    again = "" if any("applied again" in s.what for s in proof.said) else "; applied again, all is as before"
    end = ", down to the empty database" if proof.leaves_nothing else again
    said = f"{back} of {of} leave the same as those of {runner}{end}"
    return f"rollbacks proven: {said}" if back == of else f"not all rollbacks are proven: {said}"


def test_database_text(made: TestDatabase) -> str:
    """One line: what was made, how, and how long it took."""
    how = "cloned from a template" if made.was_cloned else f"{counted(len(made.applied), 'migration')} applied"
    return f"{made.database.label} is ready: {how}, in {duration(made.duration_ms)}"


def made_text(found: Sequence[Made]) -> str:
    """One line per database that wflo-schema made."""
    if not found:
        return "wflo-schema made no test database on this server"
    width = max(len(m.name) for m in found)
    return "\n".join(_made_line(m, width) for m in found)


def _made_line(made: Made, width: int = 0) -> str:
    size = "" if made.size_bytes is None else f"{made.size_bytes / 1_000_000:.0f} MB, "
    used = "in use, " if made.is_alive or made.connections else ""
    about = f"  {made.about}" if made.about else ""
    return f"{made.name:<{width}}  {made.purpose}, {used}{size}{duration(made.age_s * 1000)} old{about}"


def pruned_text(found: Pruned) -> str:
    """What was dropped, and what was left and why."""
    lines = [f"dropped {_made_line(m)}" for m in found.dropped]
    lines += [f"left {m.name}: {reason}" for m, reason in found.left]
    lines.append(f"{counted(len(found.dropped), 'database')} dropped, {len(found.left)} left")
    return "\n".join(lines)


def server_status_text(status: ServerStatus) -> str:
    """Whether there is a server, and where."""
    what = {"running": "is running", "stopped": "is stopped; its data is kept", "absent": "was never started"}
    what["unreachable"] = "cannot be reached"
    lines = [f"the {status.kind} server {what[status.state]}"]
    if status.location:
        lines.append(f"  in {status.location}")
    if status.version:
        lines.append(f"  PostgreSQL {status.version}" + (f", process {status.pid}" if status.pid else ""))
    if status.database is not None:
        lines.append(f"  {status.database.label}")
    if status.note:
        lines.append(f"  note: {status.note}")
    return "\n".join(lines)


def installed_text(installed: Sequence[Programs]) -> str:
    """Every PostgreSQL that can be run, one a line."""
    width = max((len(one.version) for one in installed), default=0)
    return "\n".join(f"{one.version:{width}}  {one.place}" for one in installed) or "there is no PostgreSQL here"
