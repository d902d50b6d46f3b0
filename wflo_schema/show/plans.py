"""A plan with what is ahead, for a person who decides: who is stopped first, on what, how big, how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from wflo_schema.engine.planning import Plan
from wflo_schema.findings import Severity
from wflo_schema.lint.values import LintResult
from wflo_schema.show.text import json_text, plain, plan_text, without_passwords
from wflo_schema.trace.estimate import Estimate
from wflo_schema.trace.holders import Held, Holder
from wflo_schema.trace.outlook import Ahead, Outlook
from wflo_schema.trace.sizes import Size
from wflo_schema.trace.values import Lock
from wflo_schema.words import counted, duration, listed, plural

# Characters of a statement, and of somebody's query, that are shown.
_STATEMENT, _QUERY = 100, 80

# Of whom a statement waits for, and of what it builds, so many are shown; JSON has all.
_MOST = 3

# Statements of one file that are shown one by one.
_MOST_STATEMENTS = 20

# Findings of lint that the trace has told already.
_TOLD = ("undecided", "statement-refused")

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def outlook_json(plan: Plan, outlook: Outlook, linted: LintResult | None) -> str:
    """The fields of `Plan`; ``statements`` (null where they were not rehearsed), ``sizes``, ``findings`` and notes."""
    return json_text({**plain(plan), **outlook_values(outlook, linted)})


def outlook_values(outlook: Outlook, linted: LintResult | None) -> dict[str, object]:
    """What is ahead, in the keys of JSON."""
    statements = None
    if outlook.trace is not None:
        statements = [
            {
                **plain(one.statement),
                "locks": [{**plain(lock), "blocks": lock.blocks} for lock in one.statement.locks],
                **{name: plain(getattr(one, name)) for name in ("estimate", "until_end", "waits_for", "waits_out")},
            }
            for one in outlook.statements
        ]
    return {
        "statements": statements,
        "sizes": outlook.sizes,
        "findings": linted.findings if linted is not None else (),
        "allowed": linted.allowed if linted is not None else (),
        "notes": _notes(outlook),
        "not_rehearsed": outlook.why_not,
    }


def outlook_text(plan: Plan, outlook: Outlook, linted: LintResult | None) -> str:
    """What `migrate` would do, and under each file its statements with what lint says, those first that stop others."""
    findings: dict[tuple[str, int], list[str]] = {}
    for f in linted.findings if linted is not None else ():
        if f.code in _TOLD:
            continue
        said = f"{f.severity.value} [{f.code}] {f.message}".partition("\n")[0]
        findings.setdefault((f.id, f.statement), []).append(said)
    under: dict[str, list[Ahead]] = {}
    for one in outlook.statements:
        under.setdefault(one.statement.id, []).append(one)
    lines = {
        id_: [*_file(some, outlook, findings), *(f"    lint: {said}" for said in findings.get((id_, 0), ()))]
        for id_, some in under.items()
    }
    notes = [f"note: {note}" for note in _notes(outlook)]
    if outlook.why_not:
        notes.append(f"note: what the statements do is not known, as they were not rehearsed: {outlook.why_not}")
    text = plan_text(plan, under=lines, notes=notes)
    if linted is None or linted.exit_code != 1 or plan.refusals:
        return text
    errors = sum(f.severity is Severity.ERROR for f in linted.findings)
    return f"{text}\nno: lint objects ({counted(errors, 'error')}); wflo-schema lint says what to write instead"


def _notes(outlook: Outlook) -> tuple[str, ...]:
    """What could not be made for the rehearsal, and what was not reached in it."""
    return () if outlook.trace is None else (*outlook.trace.notes, *outlook.trace.untouched_note)


def _file(
    statements: Sequence[Ahead], outlook: Outlook, findings: Mapping[tuple[str, int], Sequence[str]]
) -> list[str]:
    """The lines under one file."""
    shown, quiet = [], 0
    for one in sorted(statements, key=lambda one: (one.rank, one.statement.number)):
        said = findings.get((one.statement.id, one.statement.number), ())
        lines = [*_effects(one, outlook), *(f"lint: {line}" for line in said)]
        if not lines:
            quiet += 1
            continue
        at = f"hook {one.statement.hook}, " if one.statement.hook else ""
        shown.append([f"    {at}line {one.statement.line}: {_short(one.statement.text, _STATEMENT)}"])
        shown[-1] += [f"      {line}" for line in lines]
    most = shown[:_MOST_STATEMENTS]
    if len(shown) > len(most):
        most.append([f"    … and {len(shown) - len(most)} more statements; --format json shows all"])
    if quiet:
        others = "other " if shown else ""
        most.append([f"    {counted(quiet, f'{others}statement')} behind which nobody waits"])
    return [line for lines in most for line in lines]


def _effects(one: Ahead, outlook: Outlook) -> list[str]:
    s = one.statement
    lines = [_stops(lock, one, outlook) for lock in _worst_first(one.blocking, outlook)]
    work = [
        (verb, names)
        for verb, names in (
            ("rewrites", s.rewrites),
            ("reads all of", s.scans),
            ("builds", s.builds),
            ("changes rows of", s.changes),
        )
        if names
    ]
    if work and (one.estimate is not None or one.blocking):
        told, parts = {lock.relation for lock in one.blocking}, []
        for verb, names in work:
            parts.append(f"{verb} {_sized(names, outlook, told)}")
            told |= set(names)
        said = "; ".join(parts)
        took = f": {_takes(one.estimate)}" if one.estimate is not None else ""
        lines.append(f"{said}{took}")
    lines += [f"would wait now for {_who(held)}" for held in one.waits_for[:_MOST]]
    if len(one.waits_for) > _MOST:
        lines.append(f"and for {counted(len(one.waits_for) - _MOST, 'other session')}")
    lines += [f"goes on only once this transaction ends: {_who(old)}" for old in one.waits_out[:_MOST]]
    lines += [f"cannot be told: {s.undecided}"] if s.undecided and (one.estimate is None or not work) else []
    if s.error:
        lines.append(f"PostgreSQL refuses it in the rehearsal: {s.error}")
        lines += [f"{what}: {said}" for what, said in (("detail", s.detail), ("hint", s.hint)) if said]
    return lines


def _worst_first(locks: Sequence[Lock], outlook: Outlook) -> list[Lock]:
    """What a statement stops, whole stops first; no indexes, and no partition that is stopped with its table."""
    parts: dict[str, Lock] = {}
    for lock in locks:
        size = outlook.size(lock.relation)
        parts.update(dict.fromkeys(size.parts if size is not None else (), lock))
    tables = [
        lock
        for lock in locks
        if "index" not in lock.kind
        and lock.kind != "sequence"
        and not (lock.relation in parts and parts[lock.relation].stops_reads >= lock.stops_reads)
    ]
    return sorted(tables, key=lambda lock: not lock.stops_reads)


def _stops(lock: Lock, one: Ahead, outlook: Outlook) -> str:
    what = "readers and writers" if lock.stops_reads else "writers"
    time = one.until_end if lock.held_until == "commit" else one.estimate
    size = outlook.size(lock.relation)
    much = f" ({_much(size)})" if size is not None else " (not there any more)" if outlook.sizes else ""
    return f"stops {what} of {lock.relation}{much} {_for_how_long(time, lock)}"


def _for_how_long(time: Estimate | None, lock: Lock) -> str:
    end = "" if lock.held_until != "commit" else ", until it commits"
    if time is None:
        return f"for a moment{end}"
    if time.is_small:
        return f"for a moment{end}: little is to be gone through"
    if time.low_ms is None or time.high_ms is None:
        return f"for how long is not known: {time.why_not}"
    return f"for {_between(time.low_ms, time.high_ms)}{end}"


def _takes(time: Estimate) -> str:
    if time.is_small:
        return "little"
    if time.low_ms is None or time.high_ms is None:
        return f"no estimate: {time.why_not}"
    return _between(time.low_ms, time.high_ms)


def _between(low_ms: float, high_ms: float) -> str:
    low, high = (_rounded(ms) for ms in (low_ms, high_ms))
    return duration(high) if low == high else f"{duration(low)} to {duration(high)}"


def _rounded(ms: float) -> float:
    """As exact as it is: two digits."""
    return float(f"{ms:.2g}")


def _sized(names: Sequence[str], outlook: Outlook, known: Set[str]) -> str:
    """Relations with how big they are, apart from those of which that is known already."""
    parts = []
    for name in names[:_MOST]:
        size = outlook.size(name) if name not in known else None
        parts.append(f"{name} ({_much(size)})" if size is not None and size.kind != "i" else name)
    rest = len(names) - len(parts)
    return listed(parts, _MOST) + (f" and {rest} more" if rest else "")


def _much(size: Size) -> str:
    """How big, in the fewest words."""
    rows = "rows never counted" if size.rows is None else f"{size.rows:,} {plural(size.rows, 'row')}"
    parts = [rows, _bytes(size.own_bytes)]
    if size.indexes:
        parts.append(f"{counted(size.indexes, 'index', 'indexes')} of {_bytes(size.index_bytes)}")
    if size.partitions:
        parts.append(counted(size.partitions, "partition"))
    return ", ".join(parts) + ("" if size.is_measured else ", as counted last")


def _bytes(number: int) -> str:
    size, unit = float(number), 0
    while size >= 10_000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}"


def _who(one: Holder) -> str:
    """A session, as far as it may be seen."""
    if one.prepared_as is not None:
        who = f"the prepared transaction {one.prepared_as}"
    else:
        names = ", ".join(filter(None, (one.role, one.application)))
        who = (f"{one.kind} " if one.kind not in ("", "client backend") else "") + f"pid {one.pid}"
        who += f" ({names})" if names else ""
    since = "" if one.age_s is None else f"{' ' + one.state if one.state else ''} for {duration(one.age_s * 1000)}"
    query = f": {without_passwords(_short(one.query, _QUERY))}" if one.query else ""
    on = f" on {one.relation}" if isinstance(one, Held) else ""
    return f"{who}{on},{since or ' since when is not known'}{query}"


def _short(text: str, most: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
