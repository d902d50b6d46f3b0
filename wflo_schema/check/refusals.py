"""Say whether a table refuses what a foreign key's action sets in it: by NOT NULL, a domain, CHECK, a generated column.

Hides how an expression is held against the row before and the row after the action.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wflo_schema.catalog.keys import Relation
from wflo_schema.check.facts import Facts
from wflo_schema.check.outcomes import (
    FALSE,
    NULL,
    UNKNOWN,
    Evaluator,
    Event,
    Outcomes,
    Row,
    Value,
    World,
    both,
    expression,
)
from wflo_schema.names import quote


@dataclass(frozen=True, slots=True)
class Refusal:
    """What refuses the action, for every row or ``is_always`` not; ``mend`` is the SQL that takes it away."""

    by: str
    is_always: bool
    mend: str


def refusals(facts: Facts, where: Relation, event: Event) -> Iterator[Refusal]:
    """What of the table refuses the event, an UPDATE that sets NULL or defaults.

    ``event.changed`` are columns that triggers may change before, None: any.
    """
    its = facts.refusing_on(where.oid)
    defaults = {r.name: r.expression for r in its if r.kind == "default"}
    given: dict[str, Value] = dict.fromkeys(sorted(event.written), NULL)
    if event.action == "d":
        given = {c: _constant(event, defaults.get(c, "NULL")) for c in given}
    changed = event.changed
    is_open = changed is None or bool(changed & event.written)
    generated = {r.name for r in its if r.kind == "generated"}
    event = replace(event, changed=None if changed is None else changed | generated)
    columns, domains = facts.columns_of(where.oid), {r.name for r in its if r.kind == "domain"}
    for name, value in given.items():
        shown = quote(name)
        if value == NULL and name in columns and not columns[name].is_nullable:
            mend = f"ALTER TABLE {where} ALTER COLUMN {shown} DROP NOT NULL; -- in a primary key: another action"
            yield Refusal(f"{shown} of {where} is NOT NULL", not is_open, mend)
        elif value == NULL and name in domains:
            yield Refusal(f"the domain of {shown} of {where} is NOT NULL", not is_open, "")
    for one in its:
        if one.kind == "check":
            said = _after(event, one.expression, given, FALSE)
            mend = f"ALTER TABLE {where} DROP CONSTRAINT {quote(one.name)}; -- or let it accept what the key sets"
            by = f"CHECK {quote(one.name)} of {where}"
        elif one.kind == "generated" and one.name in columns and not columns[one.name].is_nullable:
            said = _after(event, one.expression, given, NULL)
            mend = f"ALTER TABLE {where} ALTER COLUMN {quote(one.name)} DROP NOT NULL;"
            by = f"NOT NULL of the generated column {quote(one.name)} of {where}"
        else:
            continue
        if said is not None:
            yield Refusal(by, said and not is_open, mend)


def _constant(event: Event, text: str) -> Value:
    found = Evaluator(event, {}).text(text)
    return found[0][0] if len(found) == 1 else UNKNOWN


def _after(event: Event, text: str, given: Mapping[str, Value], refused: Value) -> bool | None:
    """Whether the expression comes to ``refused`` for every row that it accepted before; None: for none."""
    node = expression(text)
    if node is None or not any(name in text for name in given):
        return None
    before, after = (
        _values(Evaluator(event, {}, row), node, refused) for row in (Row("old"), Row("new", tuple(given.items())))
    )
    kept = [w for v, w in before if v != refused]
    said = [(v, w) for world in kept for v, other in after if (w := both(event, world, other)) is not None]
    if not any(v == refused for v, _ in said):
        return None
    return all(v == refused for v, _ in said)


def _values(evaluator: Evaluator, node: Any, refused: Value) -> Outcomes:
    if refused == FALSE:
        return evaluator.truths(node)
    guess = World(is_guess=True)
    found = evaluator.of(node)
    return [(v, w) for v, w in found] + [(NULL, guess) for v, _ in found if v == UNKNOWN]
