"""Say whether a table refuses what a foreign key's action sets in it, by its columns, constraints or the key itself.

Hides how an expression is held against the row before and the row after the action.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wflo_schema.catalog.keys import Key, Relation
from wflo_schema.check.facts import Facts
from wflo_schema.check.outcomes import (
    FALSE,
    NULL,
    TRUE,
    UNKNOWN,
    Const,
    Evaluator,
    Event,
    Outcomes,
    Row,
    Value,
    World,
    both,
    columns_of,
    expression,
)
from wflo_schema.check.triggers import changed_before, is_sure
from wflo_schema.names import quote


@dataclass(frozen=True, slots=True)
class Refusal:
    """What refuses the action, for every row or ``is_always`` not; ``mend`` is the SQL that takes it away."""

    by: str
    is_always: bool
    mend: str


def refusals(facts: Facts, table: Relation, have: Key, event: Event) -> Iterator[Refusal]:
    """What of the table, or of a partition of its own accord, refuses the key's UPDATE that sets NULL or defaults."""
    defaults = {r.name: r.expression for r in facts.refusing_on(table.oid) if r.kind == "default"}
    given: dict[str, Value] = dict.fromkeys(sorted(event.written), NULL)
    if event.action == "d":  # the defaults of the table that the key's query names, not those of a partition
        given = {c: _constant(event, defaults.get(c, "NULL")) for c in given}
    said: set[str] = set()
    stores = facts.stores(table)
    for where in dict.fromkeys((table, *stores)):
        its = stores if where.oid == table.oid else (where,)
        changes = [changed_before(facts, None, r, event) for r in its]
        known = replace(
            event,
            changed=None if None in changes else frozenset(c for names in changes for c in names or ()),
            not_null=event.not_null | facts.never_null(where.oid),
            types={n: c.type if c.is_deterministic else "?" for n, c in facts.columns_of(where.oid).items()},
        )
        for one in (*_by_match(have, where, given), *_in(facts, where, known, given)):
            if (what := one.by.replace(str(where), "")) not in said:
                said.add(what)
                is_of_all = where.oid == table.oid and all(is_sure(facts, r, event) for r in its)
                yield replace(one, is_always=one.is_always and is_of_all)


def _by_match(have: Key, where: Relation, given: Mapping[str, Value]) -> Iterator[Refusal]:
    """MATCH FULL, of a key of which only a part is set to NULL."""
    values = [given.get(c, TRUE) for c in have.columns]  # what is not set has a value
    if have.match == "f" and NULL in values and any(isinstance(v, Const) and v != NULL for v in values):
        mend = "let the key's action set all its columns, or none to NULL, or give it MATCH SIMPLE"
        yield Refusal(f"MATCH FULL of {quote(have.name)} on {where}", True, mend)


def _in(facts: Facts, where: Relation, event: Event, given: Mapping[str, Value]) -> Iterator[Refusal]:
    its, columns = facts.refusing_on(where.oid), facts.columns_of(where.oid)
    generated = {r.name: r.expression for r in its if r.kind == "generated"}
    for name, value in given.items():
        shown = quote(name)
        if value == NULL and name in columns and not columns[name].is_nullable:
            mend = f"ALTER TABLE {where} ALTER COLUMN {shown} DROP NOT NULL; -- in a primary key: another action"
            yield Refusal(f"{shown} of {where} is NOT NULL", True, mend)
    for one in its:
        if one.kind == "domain" and one.name in given:
            said = _demanded(event, one.expression, given[one.name])
            by = f"{one.expression} of the domain of {quote(one.name)} of {where}"
            mend = f"give {quote(one.name)} a type that accepts what the key sets, or the key another action"
        elif one.kind == "check":
            said = _after(event, one.expression, given, generated, FALSE, is_passed=one.is_validated)
            mend = f"ALTER TABLE {where} DROP CONSTRAINT {quote(one.name)}; -- or let it accept what the key sets"
            by = f"CHECK {quote(one.name)} of {where}"
        elif one.kind == "generated" and one.name in columns and not columns[one.name].is_nullable:
            said = _after(event, quote(one.name), given, generated, NULL)
            mend = f"ALTER TABLE {where} ALTER COLUMN {quote(one.name)} DROP NOT NULL;"
            by = f"NOT NULL of the generated column {quote(one.name)} of {where}"
        else:
            continue
        if said is not None:
            yield Refusal(by, said, mend)


def _demanded(event: Event, text: str, value: Value) -> bool | None:
    """Whether a domain refuses the value; None also where it is not known."""
    node = expression(text)
    is_known = node is not None and value != UNKNOWN
    return _verdict(Evaluator(event, {"value": value}).truths(node), FALSE) if is_known else None


def _constant(event: Event, text: str) -> Value:
    found = Evaluator(event, {}).text(text)
    return found[0][0] if len(found) == 1 else UNKNOWN


def _after(
    event: Event,
    text: str,
    given: Mapping[str, Value],
    generated: Mapping[str, str],
    refused: Value,
    *,
    is_passed: bool = True,
) -> bool | None:
    """Whether the expression comes to ``refused`` for every row, of those that passed it before; None: for none."""
    node = expression(text)
    its = {*given, *(name for name, of in generated.items() if not columns_of(of).isdisjoint(given))}
    if node is None or columns_of(text).isdisjoint(its):
        return None
    rows = Row("old"), Row("new", tuple(given.items()))
    before, after = (_values(Evaluator(event, {}, row, generated), node, refused) for row in rows)
    kept = [w for v, w in before if v != refused or not is_passed]
    return _verdict([(v, w) for k in kept for v, a in after if (w := both(event, k, a)) is not None], refused)


def _verdict(said: Outcomes, refused: Value) -> bool | None:
    """Whether all is ``refused``; None: nothing."""
    return all(v == refused for v, _ in said) if any(v == refused for v, _ in said) else None


def _values(evaluator: Evaluator, node: Any, refused: Value) -> Outcomes:
    if refused == FALSE:
        return evaluator.truths(node)
    guess = World(is_guess=True)
    found = evaluator.of(node)
    return [(v, w) for v, w in found] + [(NULL, guess) for v, _ in found if v == UNKNOWN]
