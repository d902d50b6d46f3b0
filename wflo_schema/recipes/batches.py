"""Change all rows of a table a few at a time: a DO block that commits behind each batch and can be run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wflo_schema.connect.queries import load_sql
from wflo_schema.names import identifiers, quote
from wflo_schema.recipes.live import Table


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a row: ``sets`` as UPDATE has it, in rows of which ``where`` is true and then no longer is."""

    sets: str
    where: str


def batched(table: Table, change: Change, batch: int) -> str:
    """The statements that do it: one block for a table with a key, else one for each table that holds rows.

    Rows are taken in the order of a key; where there is none, in the order of the blocks they are stored in.
    """
    key = table.key()
    below = [one for one, _ in table.below if one.kind == "r"]
    if key and (table.is_partitioned or not below):
        return _by_key(table, key, change, batch)
    places = [*([] if table.is_partitioned else [table.spelled]), *(one.spelled for one in below)]
    only = "ONLY " if below else ""
    return "\n\n".join(_by_block(table, f"{only}{place}", place, change, batch) for place in places)


def _by_key(table: Table, key: Sequence[str], change: Change, batch: int) -> str:
    p = _prefix(table, change)
    numbers = range(1, len(key) + 1)

    def each(kind: str) -> list[str]:
        return [f"{p}{kind}_{n}" for n in numbers]

    return _filled(
        "batches_by_key",
        {
            "declarations": "\n".join(
                f"    {name} {table.spelled}.{quote(column)}%TYPE;"
                for kind in ("first", "upto", "last")
                for name, column in zip(each(kind), key, strict=True)
            ),
            "table": table.spelled,
            "key": identifiers(key),
            "key_down": ", ".join(f"{quote(k)} DESC" for k in key),
            "keys_named": ", ".join(f"{quote(k)} AS {n}" for k, n in zip(key, each("key"), strict=True)),
            "row": _row([quote(k) for k in key]),
            **{kind: _row(each(kind)) for kind in ("first", "upto", "last")},
            **{f"into_{kind}": ", ".join(each(kind)) for kind in ("first", "upto", "last")},
            "same": " AND ".join(f"{table.spelled}.{quote(k)} = {n}" for k, n in zip(key, each("key"), strict=True)),
        },
        table,
        change,
        batch,
    )


def _by_block(table: Table, only: str, place: str, change: Change, batch: int) -> str:
    literal = "'" + place.replace("'", "''") + "'"
    values = {"only": only, "place": place, "literal": literal}
    return _filled("batches_by_block", values, table, change, batch)


def _prefix(table: Table, change: Change) -> str:
    """What the names of the block begin with: no column, and nothing in the expressions, has such a name."""
    prefix = "batch_"
    while prefix in " ".join((*(c.name for c in table.columns), table.spelled, change.sets, change.where)):
        prefix = f"{prefix}_"
    return prefix


def _row(values: Sequence[str]) -> str:
    return f"({', '.join(values)})" if len(values) > 1 else values[0]


def _filled(name: str, values: dict[str, str], table: Table, change: Change, batch: int) -> str:
    prefix = _prefix(table, change)
    has_row_security = any(one.has_row_security for one in (table.relation, *(b for b, _ in table.below)))
    text = load_sql("recipes", name).partition("\n")[2].strip()
    tag = "batches"
    while f"${tag}$" in change.sets + change.where:
        tag += "_"
    # a row that is hidden would be left out
    seen = "\n    PERFORM set_config('row_security', 'off', false);" if has_row_security else ""
    # what may hold anything is put in last
    last = {"seen": seen, "sets": change.sets, "where": change.where}
    for key, value in {"tag": f"${tag}$", "p": prefix, "batch": str(batch), **values, **last}.items():
        text = text.replace("{" + key + "}", value)
    return text
