"""The text of a migration and of its rollback, from statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from wflo_schema.catalog.changing import Statement


def is_body(one: Statement) -> bool:
    """Whether it makes a function or procedure, whose body PostgreSQL reads when it is made."""
    return one.kind in ("function", "procedure") and one.text.startswith("CREATE ")


def unchecked(one: Statement) -> Statement:
    """Let PostgreSQL take a body that reads what is not there yet.

    SET, not SET LOCAL, which psql ignores outside of a transaction.
    """
    return replace(one, text=f"SET check_function_bodies = off;\n{one.text}\nRESET check_function_bodies;")


def sql_of(statements: Sequence[Statement]) -> str:
    """The statements with what a reader must know before each."""
    parts = []
    for one in statements:
        said = [*(f"loses data: {text}" for text in one.loses), *one.notes]
        parts.append("\n".join((*map(commented, said), one.text)))
    return "\n\n".join(parts) + "\n"


def commented(text: str) -> str:
    """All lines of a text as comments, those too that end as PostgreSQL takes them to."""
    return re.sub(r"(?:\A|\r\n|\r|\n)(?=([^\r\n]?))", lambda m: f"{m[0]}--{' ' if m[1] else ''}", text)
