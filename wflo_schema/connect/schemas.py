"""A schema that was named and is not there: most likely a typo, so the nearest one is shown."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

from wflo_schema.connect.database import Database
from wflo_schema.errors import ConnectionFailed, Refused
from wflo_schema.names import quote
from wflo_schema.words import listed

_OTHERS = (
    "SELECT n.nspname FROM pg_catalog.pg_namespace AS n "
    "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
)


def missing_schema(database: Database, *, of_ledger: bool = False) -> Refused:
    """The error for a target whose schema is not there; ``of_ledger``: the one of the ledger."""
    import shlex

    there: list[str] = []
    with contextlib.suppress(ConnectionFailed), database.connect() as connection:  # the caller may have the only slot
        there = [name for (name,) in connection.execute(_OTHERS)]
    option, wish = "--schema", database.schema or ""
    if of_ledger:
        option, wish = "--ledger-schema", database.ledger_schema or ""
    where = f"{database.label}, for the ledger" if of_ledger else database.label
    pattern = "" if of_ledger else pattern_meant(wish, there)
    near = near_names(wish, there)
    known = f"did you mean {option} {shlex.quote(near[0])}?\n" if near else ""
    if there and not near:
        known = f"its schemas are {listed(there, 10)}\n"
    making = f"to make it: wflo-schema migrate {option} {shlex.quote(wish)} --create-schema"
    if of_ledger:  # where the tables are there already, migrate is not what makes it
        owner = f" AUTHORIZATION {quote(database.role)}" if database.role else ""
        making += f"; or before adopt and baseline: CREATE SCHEMA {quote(wish)}{owner};"
    hint = pattern_hint(pattern) if pattern else f"{known}{making}"
    refused = Refused(f"there is no schema {wish} in {where}", hint=hint)
    refused.is_missing = True
    return refused


def near_names(wish: str, there: Sequence[str], most: int = 1) -> list[str]:
    """Names that are like it, the nearest first: those whose numbers alone are written with other zeros, if any."""
    import difflib

    same = [name for name in there if _without_zeros(name) == _without_zeros(wish)]
    if same:
        return same[:most]
    by_lower: dict[str, list[str]] = {}
    for name in there:
        by_lower.setdefault(name.lower(), []).append(name)
    return [name for near in difflib.get_close_matches(wish.lower(), by_lower, n=most) for name in by_lower[near]]


def _without_zeros(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.lower())


def pattern_meant(wish: str, there: Sequence[str]) -> str:
    """The pattern of LIKE that was given for a schema's name; empty where it is a name."""
    if "%" in wish:
        return wish
    if "*" in wish:
        return wish.replace("_", r"\_").replace("*", "%")
    like = re.compile(re.escape(wish).replace("_", "."))
    return wish if "__" in wish and any(like.fullmatch(name) for name in there) else ""


def pattern_hint(pattern: str) -> str:
    """What to do where a pattern was given for a schema's name: one that is called so is never offered to be made."""
    import shlex

    return f"a pattern is given by --schemas {shlex.quote(pattern)}, to a command for several targets, such as status"


def refuse_missing_schema(database: Database) -> None:
    """Raise `Refused` where the target names a schema that is not there."""
    if database.schema is None:
        return
    with database.connect() as connection:
        query = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s"
        is_there = connection.execute(query, (database.schema,)).fetchone() is not None
    if not is_there:
        raise missing_schema(database)
