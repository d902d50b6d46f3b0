"""Say whether PostgreSQL in fact keeps one foreign key that a contract requires, and if not, what to type.

Hides how it enforces keys (the internal triggers on both sides and on every partition, as whom they act)
and everything in the tables that defeats them: other keys, row triggers, rules, privileges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from wflo_schema.catalog.keys import ACTIONS, MATCHES, RELKINDS, Key, Relation, key_columns
from wflo_schema.check.contract import Contract, RequiredKey
from wflo_schema.check.facts import Facts, KeyTrigger
from wflo_schema.check.foreign import cannot_have
from wflo_schema.check.refusals import refusals
from wflo_schema.check.rules import NOTHING, finding
from wflo_schema.check.tables import absent, absent_columns
from wflo_schema.check.triggers import No, events_of, judge_triggers
from wflo_schema.findings import Finding, Location, Severity
from wflo_schema.names import NAME_BYTES, identifiers, qualified, quote

# Object ids of pg_catalog's RI_FKey_… functions, fixed in PostgreSQL's src/include/catalog/pg_proc.dat:
# compared instead of names, so that neither a search_path nor a namesake matters.
_CHECK_INSERT, _CHECK_UPDATE = 1644, 1645
_ON_DELETE = {"c": 1646, "r": 1648, "n": 1650, "d": 1652, "a": 1654}
_ON_UPDATE = {"c": 1647, "r": 1649, "n": 1651, "d": 1653, "a": 1655}
# tgtype of an AFTER trigger FOR EACH ROW, PostgreSQL's src/include/catalog/pg_trigger.h.
_AFTER_INSERT, _AFTER_DELETE, _AFTER_UPDATE = 5, 9, 17


@dataclass(frozen=True, slots=True)
class _Sought:
    """A required key, the table that must have it, and what all findings about it share."""

    facts: Facts
    key: RequiredKey
    table: Relation
    label: str
    want: str
    location: Location | None

    def finding(self, code: str, message: str, *, have: str, help_: str = "") -> Finding:
        return finding(code, self.label, message, have=have, want=self.want, help_=help_, location=self.location)


def judge(facts: Facts, contract: Contract, key: RequiredKey) -> Iterator[Finding]:
    """Say where the key is missing, not as required or not enforced.  No finding: PostgreSQL keeps it."""
    where, want = contract.location(key.line), facts.wanted(key)
    for name in dict.fromkeys((key.table, key.to_table)):
        if name not in contract.listed:
            yield from absent(facts, name, where)
    shown, table, target = facts.full(key.table), facts.table(key.table), facts.table(key.to_table)
    label = facts.label(key)
    if table is None:
        found = facts.find(key.table)
        said, have = f"there is no table {shown}", NOTHING
        if found is not None:
            kind = RELKINDS.get(found.kind, "relation")
            said, have = f"{shown} is a {kind}", f"{kind} {shown}"
        yield finding("key-missing", label, said, have=have, want=want, location=where)
        return
    yield from absent_columns(facts, table, key.columns, where)
    yield from absent_columns(facts, target, key.to_columns, where)
    sought = _Sought(facts, key, table, label, want, where)
    candidates = facts.keys_on(table.oid)
    exact = facts.keys_like(key.pairs, table, target) if target is not None else ()
    if target is None or not exact:
        near = _nearest(sought, candidates)
        can_be = target is not None and not any(
            True
            for t, c in ((table, key.columns), (target, key.to_columns))
            for _ in absent_columns(facts, t, c, where)
        )
        yield near if can_be else replace(near, help="")  # its SQL would fail, or drop a good key
    else:
        yield from _judge_best(sought, target, exact, candidates)


def _judge_best(
    sought: _Sought, target: Relation, exact: Iterable[Key], candidates: Sequence[Key]
) -> Iterator[Finding]:
    """Judge the key that comes nearest to the required one, where several have its columns and its target."""
    wanted = sought.key.name
    best, defects = min(
        ((k, list(_defects(sought, target, k))) for k in exact),
        key=lambda j: (
            wanted is not None and j[0].name != wanted,
            sum(f.severity is Severity.ERROR for f in j[1]),
            j[0].oid,
        ),
    )
    yield from defects
    yield from _others(sought, target, best, candidates)


def _nearest(sought: _Sought, candidates: Sequence[Key]) -> Finding:
    """What the table has in place of the key: one of its name or on its columns, or nothing."""
    facts, key, table = sought.facts, sought.key, sought.table
    same_columns = [k for k in candidates if Counter(k.columns) == Counter(key.columns)]
    named = [k for k in candidates if key.name is not None and k.name == key.name]
    near = next((k for k in named if k in same_columns), None) or next(iter(same_columns or named), None)
    if near is None:
        elsewhere = [qualified(s, t) for n, s, t in facts.namesakes if n == key.name]
        cannot = cannot_have(facts, table)
        hint = f"; {quote(key.name or '')} is a key of {', '.join(elsewhere[:3])}" if elsewhere else ""
        return sought.finding(
            "key-missing",
            f"{table}({identifiers(key.columns)}) has no foreign key{cannot or hint}",
            have=NOTHING,
            help_="" if cannot else _add(facts, key, table),
        )
    mend = _add(facts, key, table, drop=near.name)
    same_target = (near.to_schema, near.to_table) == (key.to_table.schema or facts.schema, key.to_table.name)
    if near in same_columns and not (
        same_target and len(near.columns) > 1 and set(near.to_columns) == set(key.to_columns)
    ):
        seen = f"{qualified(near.to_schema, near.to_table)}({identifiers(near.to_columns)})"
        return sought.finding(
            "key-wrong-target",
            f"{quote(near.name)} references {seen}, not {facts.full(key.to_table)}({identifiers(key.to_columns)})",
            have=str(near),
            help_=mend,
        )
    return sought.finding(
        "key-wrong-columns",
        f"{quote(near.name)} is on ({identifiers(near.columns)}), referencing ({identifiers(near.to_columns)})",
        have=str(near),
        help_=mend,
    )


def _add(facts: Facts, key: RequiredKey, table: Relation, *, drop: str | None = None) -> str:
    """The statements that put the right key there, in place of another where ``drop`` names one."""
    _, _, rest = facts.wanted(key).partition(" REFERENCES ")
    named = f"CONSTRAINT {quote(key.name)} " if key.name else ""
    dropped = f"DROP CONSTRAINT {quote(drop)}, " if drop else ""
    freed = _freed(facts, key, table) if drop != key.name else ""
    columns = key_columns(key.columns, key.period)
    add = f"{freed}ALTER TABLE {table} {dropped}ADD {named}FOREIGN KEY ({columns}) REFERENCES {rest}"
    if table.kind == "p" or not key.name:
        return f"{add};"
    return f"{add} NOT VALID; ALTER TABLE {table} VALIDATE CONSTRAINT {quote(key.name)};"


def _freed(facts: Facts, key: RequiredKey, table: Relation) -> str:
    """The statement that renames another constraint which has the key's name, if there is one."""
    if key.name is None or (table.oid, key.name) not in facts.taken:
        return ""
    other = key.name.encode()[: NAME_BYTES - 4].decode(errors="ignore") + "_was"
    return f"ALTER TABLE {table} RENAME CONSTRAINT {quote(key.name)} TO {quote(other)}; "


# Where the key is replaced anyway, its replacement has these right as well, and its old name is gone.
_MENDED_BY_REPLACING = frozenset(
    {"key-wrong-name", "key-wrong-deferrability", "key-not-valid", "key-not-enforced", "key-trigger-disabled"}
)

_EDITED = " -- where that fails or changes nothing, pg_catalog was edited: pg_dump, and restore into a new database"


def _defects(sought: _Sought, target: Relation, have: Key) -> Iterator[Finding]:
    """Everything in which one key with the right columns on both sides is not what is required."""
    facts, key, table = sought.facts, sought.key, sought.table
    name, replaced = quote(have.name), _add(facts, key, table, drop=have.name)
    on_delete, on_update = ACTIONS.get(have.on_delete, "?"), ACTIONS.get(have.on_update, "?")
    is_other_action = on_delete != key.on_delete or (
        on_delete in ("SET NULL", "SET DEFAULT")
        and sorted(have.set_columns or have.columns) != sorted(key.set_columns or key.columns)
    )
    is_other_match = MATCHES.get(have.match) != key.match
    must_be_replaced = have.is_period != key.period or is_other_action or on_update != key.on_update or is_other_match

    def no(code: str, message: str, mend: str = "", have_: str = "") -> Finding:
        if not mend or (must_be_replaced and code in _MENDED_BY_REPLACING):
            mend = replaced
        return sought.finding(code, message, have=have_ or str(have), help_=mend)

    if have.is_period != key.period:
        yield no("key-wrong-kind", f"{name} is {'a' if have.is_period else 'not a'} PERIOD key")
    if is_other_action:
        yield no(
            "key-wrong-on-delete",
            f"{name} is ON DELETE {on_delete}"
            + (f" ({identifiers(have.set_columns)})" if have.set_columns else "")
            + f", not {key.on_delete}"
            + (f" ({identifiers(key.set_columns)})" if key.set_columns else ""),
        )
    if on_update != key.on_update:
        yield no("key-wrong-on-update", f"{name} is ON UPDATE {on_update}, not {key.on_update}")
    if is_other_match:
        yield no("key-wrong-match", f"{name} is MATCH {MATCHES.get(have.match, '?')}, not {key.match}")
    if have.deferrable != key.deferrable:
        yield no(
            "key-wrong-deferrability",
            f"{name} is {have.deferrable}, not {key.deferrable}",
            f"ALTER TABLE {table} ALTER CONSTRAINT {name} {key.deferrable};",
        )
    yield from _strength(facts, table, target, have, no)
    yield from _collations(facts, table, target, have, no)
    yield from _stoppers(facts, table, target, have, no)
    yield from _refused(facts, table, target, have, no)
    yield from _privileges(table, target, have, no)
    for child in facts.children(table):
        yield from _inherited(sought, child, target, have, no)
    if key.name is not None and have.name != key.name:
        yield no(
            "key-wrong-name",
            f"the key is called {name}, not {quote(key.name)}",
            f"{_freed(facts, key, table)}ALTER TABLE {table} RENAME CONSTRAINT {name} TO {quote(key.name)};",
            f"CONSTRAINT {name} {have}",
        )


def _inherited(sought: _Sought, child: Relation, target: Relation, like: Key, no: No) -> Iterator[Finding]:
    """What lets an inheritance child's rows, which show in the table, escape the key."""
    facts, table = sought.facts, sought.table
    same = facts.keys_like(like.pairs, child, target)
    on_delete, on_update = ACTIONS.get(like.on_delete, "?"), ACTIONS.get(like.on_update, "?")
    sets = f" ({identifiers(like.set_columns)})" if like.set_columns else ""
    add = (
        f"FOREIGN KEY ({identifiers(like.columns)}) REFERENCES {target} ({identifiers(like.to_columns)})"
        f" ON DELETE {on_delete}{sets} ON UPDATE {on_update};"
    )

    def defects(mine: Key) -> list[Finding]:
        name = quote(mine.name)
        mend_ = f"ALTER TABLE {child} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {add}"

        def no_(code: str, message: str, mend: str = "", have: str = "") -> Finding:
            return no(code, message, mend or mend_, have or str(mine))

        return [
            *_strength(facts, child, target, mine, no_),
            *_collations(facts, child, target, mine, no_),
            *_stoppers(facts, child, target, mine, no_),
            *_refused(facts, child, target, mine, no_),
            *_privileges(child, target, mine, no_),
            *_others(replace(sought, table=child, location=None), target, mine, facts.keys_on(child.oid)),
        ]

    equal = [k for k in same if (k.on_delete, k.on_update) == (like.on_delete, like.on_update)]
    if equal:
        yield from min(map(defects, equal), key=lambda found: sum(f.severity is Severity.ERROR for f in found))
        return
    drops = "".join(f"DROP CONSTRAINT {quote(k.name)}, " for k in same)
    yield no(
        "key-not-inherited",
        f"{child} inherits from {table}: its rows show there, but no equal key checks them",
        f"ALTER TABLE {child} {drops}ADD {add}" if child.kind != "f" else f"ALTER TABLE {child} NO INHERIT {table};",
        "; ".join(map(str, same)) or f"{child} without a foreign key",
    )


def _strength(facts: Facts, table: Relation, target: Relation, have: Key, no: No) -> Iterator[Finding]:
    """Enforced, validated, and every internal trigger there and on, on both sides and on every partition."""
    name = quote(have.name)
    inside = {table.oid, *facts.partitions(table)}
    members = {k.oid for k in facts.family(have)}
    mine = sorted((k for k in facts.keys_within(inside) if k.oid in members), key=lambda k: (k.relation, k.oid))
    if not all(k.is_enforced for k in mine):
        yield no(
            "key-not-enforced",
            f"{name} is NOT ENFORCED: PostgreSQL checks nothing",
            f"ALTER TABLE {table} ALTER CONSTRAINT {name} ENFORCED;",
            f"{have} NOT ENFORCED",
        )
        return
    for k in dict.fromkeys(k.relation for k in mine if not k.is_validated):
        weak = next(m for m in mine if m.relation == k and not m.is_validated)
        place = qualified(weak.schema, weak.table)
        yield no(
            "key-not-valid",
            f"{quote(weak.name)} of {place} is NOT VALID: rows from before were never checked",
            f"ALTER TABLE {place} VALIDATE CONSTRAINT {quote(weak.name)};",
            f"{weak} NOT VALID",
        )
    if facts.odd_keys and facts.odd_keys & members:
        yield no(
            "key-wrong-operator",
            f"{name} does not compare for equality: its operators in pg_constraint were edited",
            "",
            f"{have} with {' and '.join(have.operators)}",
        )
    if facts.key_triggers is not None:
        yield from _triggers(facts, facts.stores(table), target, have, no)


def _triggers(facts: Facts, stores: Sequence[Relation], target: Relation, have: Key, no: No) -> Iterator[Finding]:
    """Every internal trigger of the key that is missing or does not fire."""
    name = quote(have.name)
    needed = [
        *((r, _CHECK_INSERT, _AFTER_INSERT, "inserts into") for r in stores),
        *((r, _CHECK_UPDATE, _AFTER_UPDATE, "updates of") for r in stores),
        *((r, _ON_DELETE.get(have.on_delete, 0), _AFTER_DELETE, "deletes from") for r in facts.stores(target)),
        *((r, _ON_UPDATE.get(have.on_update, 0), _AFTER_UPDATE, "updates of") for r in facts.stores(target)),
        *((r, _ON_UPDATE.get(have.on_update, 0), _AFTER_UPDATE, "moved rows of") for r in facts.routes(target)),
    ]
    for relation, routine, kind, event in needed:
        found = facts.triggers_of(have, relation.oid, routine, kind)
        if not found:
            missing = no(
                "key-trigger-missing",
                f"the trigger of {name} that watches {event} {relation} does not exist as PostgreSQL made it",
                "",
                f"no internal trigger on {relation}",
            )
            yield replace(missing, help=missing.help + _EDITED)
        elif not any(t.is_on for t in found):
            state = "fires in replica sessions only" if found[0].enabled == "R" else "is disabled"
            yield no(
                "key-trigger-disabled",
                f"the trigger of {name} that watches {event} {relation} {state}",
                f"ALTER TABLE {relation} ENABLE TRIGGER {quote(found[0].name)}; -- then: wflo-schema check --only rows",
                f"trigger {quote(found[0].name)} on {relation} {'REPLICA' if found[0].enabled == 'R' else 'DISABLED'}",
            )
        elif not relation.has_triggers:
            yield no(
                "key-trigger-disabled",
                f"pg_class.relhastriggers is false for {relation}: none of its triggers fires",
                "",
                f"{relation} with its triggers hidden",
            )


def _collations(facts: Facts, table: Relation, target: Relation, have: Key, no: No) -> Iterator[Finding]:
    left, right = facts.columns_of(table.oid), facts.columns_of(target.oid)
    for a, b in zip(have.columns, have.to_columns, strict=True):
        one, other = left.get(a), right.get(b)
        if one is None or other is None or one.collation == other.collation:
            continue
        if not (one.is_deterministic and other.is_deterministic):
            yield no(
                "key-collation",
                f"{quote(a)} and {target}.{quote(b)} have different collations, "
                "one of which takes different texts for equal",
                f"ALTER TABLE {table} ALTER COLUMN {quote(a)} TYPE {one.type} COLLATE {other.collation_name};",
            )


def _stoppers(facts: Facts, table: Relation, target: Relation, have: Key, no: No) -> Iterator[Finding]:
    """Rules and row triggers of users that the key's own DELETE or UPDATE runs into."""
    events = events_of(facts, target, have)
    yield from _rules(facts, table, have, {e.operation.lower() for e in events}, no)
    yield from judge_triggers(facts, table, have, events, no)


def _refused(facts: Facts, table: Relation, target: Relation, have: Key, no: No) -> Iterator[Finding]:
    """What the table's columns and constraints refuse of that which the key sets."""
    for event in (e for e in events_of(facts, target, have) if e.action in ("n", "d")):
        if facts.refusing is None:
            message = (
                f"whether {table} refuses what {quote(have.name)} sets cannot be read: another session holds a lock"
            )
            yield no("cannot-see", message, "run it again when the other session is done")
            return
        act = f"SET {'NULL' if event.action == 'n' else 'DEFAULT'} ({identifiers(sorted(event.written))})"
        for one in refusals(facts, table, have, event):
            yield no(
                "key-action-refused" if one.is_always else "key-action-maybe-refused",
                f"{one.by} refuses the {act} of {quote(have.name)}" + ("" if one.is_always else " for some rows"),
                one.mend,
                one.by,
            )


def _rules(facts: Facts, table: Relation, have: Key, acts: Collection[str], no: No) -> Iterator[Finding]:
    name, members = quote(have.name), facts.family(have)
    places = {table.oid: str(table)} | {k.relation: qualified(k.schema, k.table) for k in members}
    rules = [r for relation in places for r in facts.rules_on(relation)]
    if not rules:
        return
    acts_ = (*_ON_DELETE.values(), *_ON_UPDATE.values())
    acting = {k.oid for k in members if any(t.routine in acts_ for t in facts.triggers_by(k))}
    entries = {k.relation for k in members if k.oid in acting} or {table.oid}
    for rule in rules:
        event = {"2": "update", "4": "delete"}[rule.event]
        if rule.relation in entries and event in acts:
            way = "INSTEAD" if rule.is_instead else "ALSO"
            yield no(
                "key-stopped-by-rule" if rule.is_instead else "key-maybe-stopped",
                f"the rule {quote(rule.name)} replaces the {event} that {name} needs"
                if rule.is_instead
                else f"the rule {quote(rule.name)} changes rows before the {event} that {name} needs: "
                "it may no longer find its own",
                f"DROP RULE {quote(rule.name)} ON {places[rule.relation]};",
                f"rule {quote(rule.name)} ON {event.upper()} DO {way}",
            )


def _privileges(table: Relation, target: Relation, have: Key, no: No) -> Iterator[Finding]:
    """PostgreSQL runs a key's queries as the owner of the table that they touch."""
    acts = ("UPDATE", *(("DELETE",) if have.on_delete == "c" else ()))  # checking or setting rows locks them: UPDATE
    for relation, wanted, reads in (
        (target, ("SELECT", "UPDATE"), have.to_owner_reads),
        (table, ("SELECT", *acts), have.owner_reads),
    ):
        lacks = [
            p
            for p, has in (
                ("SELECT", relation.owner_has_select and reads),
                ("UPDATE", relation.owner_has_update),
                ("DELETE", relation.owner_has_delete),
            )
            if p in wanted and not has
        ]
        owner = quote(relation.owner)
        if not relation.owner_has_usage:
            yield no(
                "key-owner-lacks-privilege",
                f"{owner}, who owns {relation}, may not use its schema: the queries of {quote(have.name)} fail",
                f"GRANT USAGE ON SCHEMA {quote(relation.schema)} TO {owner};",
                f"{owner} without USAGE",
            )
        elif lacks:
            yield no(
                "key-owner-lacks-privilege",
                f"{owner}, who owns {relation}, lacks {' and '.join(lacks)} on it: "
                f"the queries of {quote(have.name)} fail",
                f"GRANT {', '.join(lacks)} ON {relation} TO {owner};",
                f"{owner} without {', '.join(lacks)}",
            )


def _others(sought: _Sought, target: Relation, mine: Key, candidates: Sequence[Key]) -> Iterator[Finding]:
    """Other keys of the same column to the same table: their triggers fire in the order of their names."""
    facts = sought.facts
    if facts.key_triggers is None:
        return
    others = {k.top: k for k in facts.keys_within(facts.partitions(sought.table))} | {k.top: k for k in candidates}
    within = {target.oid, *facts.partitions(target)}
    for other in others.values():
        if other.top == mine.top or other.to_relation not in within or not set(other.columns) & set(mine.columns):
            continue
        top = next((k for k in facts.family(other) if k.oid == other.top), other)
        place = qualified(top.schema, top.table)
        drop = f"ALTER TABLE {place} DROP CONSTRAINT {quote(top.name)};"
        verdicts = set(_orders(facts, target, mine, other))
        name, have = quote(top.name), f"CONSTRAINT {quote(top.name)} {top}"
        if verdicts:
            is_defeated = any(code == "key-action-defeated" for code, _ in verdicts)
            code = "key-action-defeated" if is_defeated else "key-action-fragile"
            acts = sorted(
                f"ON {event.upper()} {ACTIONS.get(getattr(other, f'on_{event}'), '?')}"
                for c, event in verdicts
                if c == code
            )
            yield sought.finding(
                code,
                f"{name} ({', '.join(acts)}) "
                + (
                    f"is older, acts first and defeats {quote(mine.name)}"
                    if is_defeated
                    else f"acts after {quote(mine.name)} only because it is younger"
                ),
                have=have,
                help_=drop,
            )
        elif other.pairs == mine.pairs and other.to_relation == target.oid:
            yield sought.finding(
                "key-duplicate",
                f"{name} is the same key once more",
                have=have,
                help_=drop,
            )


def _orders(facts: Facts, target: Relation, mine: Key, other: Key) -> Iterator[tuple[str, str]]:
    """Which of two keys acts first, event by event, where they would do different things."""
    for event, routines, kind in (("delete", _ON_DELETE, _AFTER_DELETE), ("update", _ON_UPDATE, _AFTER_UPDATE)):
        my_action = getattr(mine, f"on_{event}")
        its_action = getattr(other, f"on_{event}")
        if my_action == its_action or {my_action, its_action} <= {"a", "r"}:
            continue
        for store in facts.stores(target):
            its = [t for t in facts.triggers_of(other, store.oid, routines.get(its_action, 0), kind) if t.is_on]
            ours = facts.triggers_of(mine, store.oid, routines.get(my_action, 0), kind)
            if its and ours:
                first = _moment(other, its_action, its[0]) < _moment(mine, my_action, ours[0])
                yield ("key-action-defeated" if first else "key-action-fragile"), event


def _moment(key: Key, action: str, trigger: KeyTrigger) -> tuple[bool, bytes]:
    """Deferred triggers wait for the commit; the others fire in the order of their names, compared as bytes."""
    return (action == "a" and key.is_deferred, trigger.name.encode())
