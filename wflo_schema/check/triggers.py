"""Say what the triggers of a table do to a foreign key's own DELETE or UPDATE of its rows.

Hides which of them fire, in which order, and what each knows of the row when its function begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from wflo_schema.catalog.keys import Key, Relation
from wflo_schema.check import effects
from wflo_schema.check.effects import Effect
from wflo_schema.check.facts import Facts, RowTrigger
from wflo_schema.check.outcomes import Event
from wflo_schema.check.rules import with_body
from wflo_schema.findings import Finding
from wflo_schema.names import quote

No = Callable[..., Finding]
"""Makes the finding of a code about one key: ``no(code, message, mend, have)``."""


def events_of(facts: Facts, target: Relation, have: Key) -> tuple[Event, ...]:
    """What the key does to its rows when a row that they reference is deleted, and when it is updated."""
    whole = frozenset(have.columns)
    found = []
    if have.on_delete == "c":
        found.append(Event("DELETE", written=whole))
    elif have.on_delete in "nd":
        found.append(Event("UPDATE", have.on_delete, frozenset(have.set_columns or have.columns)))
    if have.on_update in "cnd":
        found.append(Event("UPDATE", have.on_update, whole))
    has_whole = facts.never_null(target.oid).issuperset(have.to_columns)
    found = [
        replace(
            e,
            is_new_key_whole=e.action == "c" and has_whole,
            is_full=have.match == "f",
            not_null=whole - e.written,
        )
        for e in found
    ]
    return tuple(e for n, e in enumerate(found) if e not in found[:n])


def judge_triggers(facts: Facts, table: Relation, have: Key, events: Sequence[Event], no: No) -> Iterator[Finding]:
    """What the key's own DELETE or UPDATE runs into, trigger by trigger."""
    stores = {r.oid: r for r in facts.stores(table)}
    for trigger in (t for relation in dict.fromkeys((table.oid, *stores)) for t in facts.row_triggers_on(relation)):
        if not trigger.is_row and trigger.relation != table.oid:
            continue  # PostgreSQL names the whole table in the key's query.
        if trigger.is_row and trigger.relation not in stores:
            continue
        where = stores.get(trigger.relation, table)
        yield from _moving(facts, table, trigger, where, have, events, no)
        for operation in ("DELETE", "UPDATE"):
            its = [_effect(facts, trigger, where, e) for e in events if e.operation == operation]
            worst = next((e for e in _WORST_FIRST if e in its), Effect.PASSES)
            if worst is not Effect.PASSES:
                yield _stopped(facts, trigger, where, have, operation, worst, no)


def _moving(
    facts: Facts,
    table: Relation,
    trigger: RowTrigger,
    where: Relation,
    have: Key,
    events: Sequence[Event],
    no: No,
) -> Iterator[Finding]:
    """A trigger on DELETE that keeps a row which the key's UPDATE would move to another partition."""
    updates = [e for e in events if e.operation == "UPDATE" and facts.moves(table, e.written)]
    if not (updates and trigger.is_delete and trigger.is_row and trigger.is_before):
        return
    effect = _effect(facts, trigger, where, Event("DELETE", written=frozenset(have.columns)))
    if effect in (Effect.STOPS, Effect.UNCLEAR):
        yield _stopped(facts, trigger, where, have, "DELETE", Effect.UNCLEAR, no)


def _sees(facts: Facts, trigger: RowTrigger, where: Relation, event: Event) -> bool | None:
    """Whether the event fires the trigger; None: if the key sets what one of its columns is generated from."""
    if event.operation == "DELETE":
        return trigger.is_delete
    if not trigger.update_of or event.written.intersection(trigger.update_of):
        return trigger.is_update
    columns = facts.columns_of(where.oid)
    return None if any(columns[c].is_generated for c in trigger.update_of if c in columns) else False


def _stopped(
    facts: Facts, trigger: RowTrigger, where: Relation, have: Key, operation: str, effect: Effect, no: No
) -> Finding:
    name = quote(have.name)
    tops = [r for r in facts.above(where) if r.oid == r.root]
    owners = [r for r in tops if r.kind == "p" and any(t.name == trigger.name for t in facts.row_triggers_on(r.oid))]
    shown = f"{'BEFORE' if trigger.is_before else 'AFTER'} {operation} trigger {quote(trigger.name)} on {where}"
    # a partition's copy goes with that of its table
    drop = f"DROP TRIGGER {quote(trigger.name)} ON {next(iter(owners), where)};"
    row = "OLD" if operation == "DELETE" else "NEW"
    after = "do that AFTER it" if operation == "DELETE" else "do that AFTER it, or give NEW's columns the values"
    if effect is Effect.CLASHES:
        found = no(
            "key-stopped-by-trigger",
            f"the {shown} changes the row that {name} is about to {operation.lower()}: PostgreSQL refuses that",
            f"{drop} -- or {after}",
            shown,
        )
    elif effect is Effect.MAY_CLASH:
        found = no(
            "key-maybe-stopped",
            f"the {shown} changes rows of the same table: PostgreSQL refuses to {operation.lower()} for {name} "
            "one that the trigger changed before",
            f"{drop} -- or {after}",
            shown,
        )
    elif effect is Effect.FAILS:
        found = no(
            "key-stopped-by-trigger",
            f"the {shown} always raises an error, so that {name} can never {operation.lower()}",
            f"{drop} -- or let the key's {operation} pass",
            shown,
        )
    elif effect is Effect.STOPS:
        back = "" if operation == "DELETE" else " or put the old value back"
        found = no(
            "key-stopped-by-trigger",
            f"the {shown} can return NULL{back}, which silently stops {name}",
            f"{drop} -- or let it RETURN {row}",
            shown,
        )
    else:
        back = "" if operation == "DELETE" else " or putting the old value back"
        found = no(
            "key-maybe-stopped",
            f"the {shown} may silently stop {name} by returning NULL{back}: what it returns cannot be known",
            f"{drop} -- or let it plainly RETURN {row}",
            shown,
        )
    return with_body(found, trigger.source, trigger.library)


_WORST_FIRST = (Effect.STOPS, Effect.FAILS, Effect.CLASHES, Effect.UNCLEAR, Effect.MAY_CLASH)

# Trigger functions that come with PostgreSQL, as (language, library, name there), and let a key's own query pass.
_NEVER_STOP = frozenset(
    {
        ("internal", "", "tsvector_update_trigger_byid"),
        ("internal", "", "tsvector_update_trigger_bycolumn"),
        ("internal", "", "suppress_redundant_updates_trigger"),
        ("c", "$libdir/lo", "lo_manage"),
        ("c", "$libdir/moddatetime", "moddatetime"),
        ("c", "$libdir/insert_username", "insert_username"),
        ("c", "$libdir/autoinc", "autoinc"),
    }
)


def _never_stops(trigger: RowTrigger) -> bool:
    return (trigger.language, trigger.library, trigger.source) in _NEVER_STOP


def _effect(facts: Facts, trigger: RowTrigger, where: Relation, event: Event) -> Effect:
    """What the trigger does to the key's event, or undoes of what it sets."""
    can_stop, sees = trigger.is_row and trigger.is_before, _sees(facts, trigger, where, event)
    if sees is False or _never_stops(trigger):
        return Effect.PASSES
    if trigger.language != "plpgsql":
        return Effect.UNCLEAR if can_stop else Effect.PASSES
    columns = facts.columns_of(where.oid)
    event = replace(
        event,
        is_row=trigger.is_row,
        changed=changed_before(facts, trigger, where, event) if event.operation == "UPDATE" else frozenset(),
        not_null=event.not_null | facts.never_null(where.oid),
        computed=frozenset(n for n, c in columns.items() if c.is_generated),
        types={n: c.type if c.is_deterministic else "?" for n, c in columns.items()},
        known=_known(trigger, where),
        tables=frozenset((r.schema, r.name, r.oid == where.oid and r.kind != "p") for r in facts.above(where)),
        checks=facts.checks_on(where.oid),
        is_last=_is_last(facts, trigger, where, event),
    )
    when = trigger.condition if trigger.has_condition else "true"
    effect = effects.effect(
        trigger.source, event, when=when if sees else None, has_plain_texts=_has_plain_texts(facts, trigger)
    )
    if not trigger.is_before and effect is not Effect.FAILS:
        return Effect.PASSES
    return Effect.MAY_CLASH if effect is Effect.CLASHES and not _is_done(facts, trigger, where) else effect


def _is_done(facts: Facts, trigger: RowTrigger, where: Relation) -> bool:
    """Whether what the trigger's function does to its own table surely comes about."""
    path = [s for s in trigger.settings if s.lower().startswith("search_path=")]
    if facts.rules_on(where.oid) or (path and where.schema not in path[0]):
        return False
    others = [t for t in facts.row_triggers_on(where.oid) if t.is_row and t.is_before]
    events = [
        (t, Event(o)) for t in others for o, is_its in (("UPDATE", t.is_update), ("DELETE", t.is_delete)) if is_its
    ]
    return all(
        t.language == "plpgsql" and effects.effect(t.source, e) in (Effect.PASSES, Effect.FAILS) for t, e in events
    )


def _known(trigger: RowTrigger, where: Relation) -> dict[str, str]:
    arguments = trigger.arguments[:-1]
    return {
        "tg_name": trigger.name,
        "tg_when": "BEFORE" if trigger.is_before else "AFTER",
        "tg_level": "ROW" if trigger.is_row else "STATEMENT",
        "tg_table_name": where.name,
        "tg_relname": where.name,
        "tg_table_schema": where.schema,
        "tg_nargs": str(len(arguments)),
        **{f"tg_argv[{n}]": a for n, a in enumerate(arguments) if "\\" not in a},
    }


def _has_plain_texts(facts: Facts, trigger: RowTrigger) -> bool:
    """Whether a backslash in a text of the function is one, and no escape."""
    own = [s.partition("=")[2] for s in trigger.settings if s.lower().startswith("standard_conforming_strings=")]
    return own[0].lower() in ("on", "true", "yes", "1") if own else not facts.is_escaping


def changed_before(facts: Facts, trigger: RowTrigger | None, where: Relation, event: Event) -> frozenset[str] | None:
    """The columns that triggers which fire before this one, or all of them, may have changed; None: any.

    To those that the key sets, each that fires before one can put back one of several to be NULL, and no more.
    """
    columns = facts.columns_of(where.oid).values()
    generated = frozenset(c.name for c in columns if c.is_generated)  # NULL until they are computed
    changed = _changed_by(o for o in _updating(facts, where) if trigger is None or _turn(o) < _turn(trigger))
    is_kept = trigger is not None and (event.action != "n" or len(event.written) == 1)
    return None if changed is None else (generated | changed) - (event.written if is_kept else frozenset())


def _is_last(facts: Facts, trigger: RowTrigger, where: Relation, event: Event) -> bool:
    """Whether no trigger that fires later gives the key's columns other values."""
    changed = _changed_by(o for o in _updating(facts, where) if _turn(o) > _turn(trigger))
    return changed is not None and not changed & event.written


def _updating(facts: Facts, where: Relation) -> Iterator[RowTrigger]:
    return (t for t in facts.row_triggers_on(where.oid) if t.is_row and t.is_before and t.is_update)


def _turn(trigger: RowTrigger) -> bytes:
    return trigger.name.encode()


def _changed_by(triggers: Iterable[RowTrigger]) -> frozenset[str] | None:
    found: frozenset[str] = frozenset()
    for one in triggers:
        changed: frozenset[str] | None = None
        if one.language == "plpgsql":
            changed = effects.changed(one.source)
        elif _never_stops(one):
            changed = frozenset(one.arguments[:1])
        if changed is None:
            return None
        found |= changed
    return found


def is_sure(facts: Facts, where: Relation, event: Event) -> bool:
    """Whether no trigger and no rule cancels the event for any row, or gives the key's columns other values."""
    changed = changed_before(facts, None, where, event)
    if changed is None or changed & event.written or any(facts.rules_on(r.oid) for r in facts.above(where)):
        return False
    its = (t for t in facts.row_triggers_on(where.oid) if t.is_row and t.is_before)
    return all(_effect(facts, t, where, event) not in (Effect.STOPS, Effect.UNCLEAR) for t in its)
