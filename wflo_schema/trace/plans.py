"""Which tables a query would read as a whole, and whose rows it changes, from its plan without sequential scans.

Hides EXPLAIN's nodes.  On empty tables PostgreSQL reads a table as a whole rather than by an index; where it is told
not to, what is still read so has no index that could serve.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

# Schema and name.
Place = tuple[str, str]

# Nodes that hand on a row as soon as they have one: a LIMIT above them ends the reading below.
_AT_ONCE = frozenset(
    {"Limit", "Append", "Result", "Subquery Scan", "LockRows", "ModifyTable", "ProjectSet", "Gather", "Nested Loop"}
)
_WHOLE = frozenset({"Seq Scan", "Sample Scan"})
_BY_INDEX = frozenset({"Index Scan", "Index Only Scan"})


@dataclass(slots=True)
class Plan:
    """``whole`` are the tables read as a whole, ``read`` all that are read, ``changed`` those with what is done.

    UPSERT is an INSERT that may update, and a MERGE that deletes nothing.
    """

    whole: set[Place] = field(default_factory=set)
    read: set[Place] = field(default_factory=set)
    changed: set[tuple[str, Place]] = field(default_factory=set)


def read_plan(text: str, *, may_delete: bool = True) -> Plan:
    """The plan that EXPLAIN (VERBOSE, FORMAT JSON) gives; it does not say what a MERGE does."""
    plan = Plan()
    for one in json.loads(text):
        if "Plan" in one:
            _walk(one["Plan"], plan, is_limited=False)
    if not may_delete:
        plan.changed = {("UPSERT" if what == "MERGE" else what, place) for what, place in plan.changed}
    return plan


def _walk(node: dict[str, Any], plan: Plan, *, is_limited: bool) -> None:
    kind = node.get("Node Type", "")
    if "Relation Name" in node:
        place = (node.get("Schema", ""), node["Relation Name"])
        if kind == "ModifyTable":
            _changed(node, place, plan)
        elif kind != "Foreign Scan":
            plan.read.add(place)
            if _is_whole(node) and not (is_limited and "Filter" not in node):
                plan.whole.add(place)
    for one in node.get("Target Tables", ()):
        _changed(node, (one.get("Schema", ""), one["Relation Name"]), plan)
    goes_on = kind == "Limit" or (is_limited and kind in _AT_ONCE)
    for below in node.get("Plans", ()):
        _walk(below, plan, is_limited=goes_on)


def _changed(node: dict[str, Any], place: Place, plan: Plan) -> None:
    operation = str(node.get("Operation", "")).upper()
    plan.changed.add(("UPSERT" if node.get("Conflict Resolution") == "UPDATE" else operation, place))


def _is_whole(node: dict[str, Any]) -> bool:
    kind = node["Node Type"]
    if kind == "Bitmap Heap Scan":
        return not any("Index Cond" in one for one in _below(node))
    return kind in _WHOLE or (kind in _BY_INDEX and "Index Cond" not in node and "Order By" not in node)


def _below(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(node.get("Plans", ()))
    for one in found:
        found += one.get("Plans", ())
    return found
