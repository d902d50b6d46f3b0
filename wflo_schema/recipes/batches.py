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
        return _by_key(table.spelled, key, change, batch)
    places = [*([] if table.is_partitioned else [table.spelled]), *(one.spelled for one in below)]
    only = "ONLY " if below else ""
    return "\n\n".join(_by_block(f"{only}{place}", place, change, batch) for place in places)


def _by_key(table: str, key: Sequence[str], change: Change, batch: int) -> str:
    numbered = [f"k{n}" for n in range(1, len(key) + 1)]
    return _filled(
        "batches_by_key",
        {
            "declarations": "\n".join(
                f"    {prefix}_{k} {table}.{quote(column)}%TYPE;"
                for prefix in ("first", "upto", "last")
                for k, column in zip(numbered, key, strict=True)
            ),
            "table": table,
            "key": identifiers(key),
            "key_down": ", ".join(f"{quote(k)} DESC" for k in key),
            "row": _row([quote(k) for k in key]),
            "first": _row([f"first_{k}" for k in numbered]),
            "upto": _row([f"upto_{k}" for k in numbered]),
            "last": _row([f"last_{k}" for k in numbered]),
            "into_first": ", ".join(f"first_{k}" for k in numbered),
            "into_upto": ", ".join(f"upto_{k}" for k in numbered),
            "into_last": ", ".join(f"last_{k}" for k in numbered),
            "same": " AND ".join(f"t.{quote(k)} = mine.{quote(k)}" for k in key),
            "sets": change.sets,
            "where": change.where,
            "batch": str(batch),
        },
    )


def _by_block(only: str, table: str, change: Change, batch: int) -> str:
    literal = "'" + table.replace("'", "''") + "'"
    filled = {"only": only, "literal": literal, "sets": change.sets, "where": change.where, "batch": str(batch)}
    return _filled("batches_by_block", filled)


def _row(values: Sequence[str]) -> str:
    return f"({', '.join(values)})" if len(values) > 1 else values[0]


def _filled(name: str, values: dict[str, str]) -> str:
    text = load_sql("recipes", name).partition("\n")[2].strip()
    whole = "".join(values.values())
    tag = next(t for t in ("batches", "batches_", "batches__") if f"${t}$" not in whole)
    for key, value in {**values, "tag": f"${tag}$"}.items():
        text = text.replace("{" + key + "}", value)
    return text
