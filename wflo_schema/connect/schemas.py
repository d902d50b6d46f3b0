"""A schema that was named and is not there: most likely a typo, so the nearest one is shown."""

from __future__ import annotations

import contextlib

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
    import difflib
    import shlex

    there: list[str] = []
    with contextlib.suppress(ConnectionFailed), database.connect() as connection:  # the caller may have the only slot
        there = [name for (name,) in connection.execute(_OTHERS)]
    option, wish = "--schema", database.schema or ""
    if of_ledger:
        option, wish = "--ledger-schema", database.ledger_schema or ""
    near = difflib.get_close_matches(wish.lower(), [name.lower() for name in there], n=1, cutoff=0.6)
    meant = next((name for name in there if near and name.lower() == near[0]), None)
    known = f"did you mean {option} {shlex.quote(meant)}?\n" if meant else ""
    if there and not meant:
        known = f"its schemas are {listed(there, 10)}\n"
    making = f"to make it: wflo-schema migrate {option} {shlex.quote(wish)} --create-schema"
    where = f"{database.label}, for the ledger" if of_ledger else database.label
    if of_ledger:  # where the tables are there already, migrate is not what makes it
        owner = f" AUTHORIZATION {quote(database.role)}" if database.role else ""
        making += f"; or before adopt and baseline: CREATE SCHEMA {quote(wish)}{owner};"
    refused = Refused(f"there is no schema {wish} in {where}", hint=f"{known}{making}")
    refused.is_missing = True
    return refused


def refuse_missing_schema(database: Database) -> None:
    """Raise `Refused` where the target names a schema that is not there."""
    if database.schema is None:
        return
    with database.connect() as connection:
        query = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s"
        is_there = connection.execute(query, (database.schema,)).fetchone() is not None
    if not is_there:
        raise missing_schema(database)
