"""The text of a migration and of its rollback, from statements."""

from __future__ import annotations

from collections.abc import Sequence

from wflo_schema.catalog.changing import Statement


def sql_of(statements: Sequence[Statement]) -> str:
    """The statements with what a reader must know before each."""
    parts = []
    made = [s for s in statements if s.text.startswith("CREATE ")]
    if len(made) > 1 and any(s.kind in ("function", "procedure") for s in made):  # one may name what is made after it
        parts.append("SET LOCAL check_function_bodies = off;")
    for one in statements:
        said = [*(f"-- loses data: {text}" for text in one.loses), *(f"-- {text}" for text in one.notes)]
        parts.append("\n".join((*said, one.text)))
    return "\n\n".join(parts) + "\n"
