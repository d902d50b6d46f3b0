"""What the migrations leave behind that was not there before: keys without an index, indexes twice, a broken contract.

Asked of the scratch database before the rehearsal and behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.queries import fetch
from wflo_schema.findings import Finding, Severity
from wflo_schema.lint.blocking import Flaw
from wflo_schema.lint.hinting import index_command
from wflo_schema.lint.rewriting import ALONE, NewConstraint
from wflo_schema.names import identifiers, qualified, quote

if TYPE_CHECKING:
    from wflo_schema.check.contract import Contract


@dataclass(frozen=True, slots=True)
class BareKey:
    """A foreign key without an index on its columns.  ``on_delete`` is as pg_constraint has it."""

    schema: str
    name: str
    constraint: str
    columns: list[str]
    on_delete: str

    @property
    def table(self) -> str:
        """Its table, qualified."""
        return qualified(self.schema, self.name)

    @property
    def spelled(self) -> str:
        """Its table as one types it."""
        return qualified(self.name) if self.schema == "public" else self.table

    def flaw(self) -> Flaw:
        """What is wrong with it."""
        what = f"{self.table}({identifiers(self.columns)}) references another table and has no index"
        return Flaw("key-without-index", self.table, what)

    def help(self, *, is_new: bool, kind: str) -> str:
        """What makes one: of a table that nobody uses yet, or of one of this ``kind`` of relation that is in use."""
        name = quote("_".join((self.name, *self.columns))[:59] + "_idx")
        on = f"{name} ON {self.spelled} ({identifiers(self.columns)});"
        if is_new:
            return f"CREATE INDEX {on}"
        if kind != "table":
            return index_command(self.spelled, self.columns)
        return f"{ALONE}CREATE INDEX CONCURRENTLY {on}"


@dataclass(frozen=True, slots=True)
class Twins:
    """An index that is there already under another name."""

    schema: str
    name: str
    index: str
    twin: str

    def flaw(self) -> Flaw:
        """What is wrong with it."""
        table, index, twin = qualified(self.schema, self.name), qualified(self.index), qualified(self.twin)
        return Flaw("index-twice", table, f"{index} of {table} is the same index as {twin}, which is there already")


@dataclass(frozen=True, slots=True)
class State:
    """What of this a database holds; ``constraints`` are checks and foreign keys."""

    bare_keys: tuple[BareKey, ...] = ()
    twins: tuple[Twins, ...] = ()
    constraints: tuple[NewConstraint, ...] = ()

    def since(self, before: State) -> State:
        """What of it was not there before."""
        keys = {(k.table, k.constraint) for k in before.bare_keys}
        return State(
            tuple(k for k in self.bare_keys if (k.table, k.constraint) not in keys),
            tuple(t for t in self.twins if t not in before.twins),
            tuple(c for c in self.constraints if c not in before.constraints),
        )


def read_state(connection: psycopg.Connection[TupleRow]) -> State:
    """Ask a database."""
    return State(
        fetch(connection, BareKey, "lint", "bare_keys", {}),
        fetch(connection, Twins, "lint", "index_twins", {}),
        fetch(connection, NewConstraint, "lint", "constraints", {}),
    )


def broken_by(database: Database, contract: Contract) -> Iterator[Finding]:
    """What the contract requires and the migrations, once they all have run, do not make."""
    from wflo_schema.check.verdict import check_database

    with database.connect(settings=PATIENT) as connection:
        schema = connection.execute("SELECT pg_catalog.current_schema()").fetchone()
    if contract.schema is None and (schema is None or schema[0] is None):
        return
    for found in check_database(database, contract, only=("contract",)).findings:
        if found.severity is Severity.ERROR:
            yield found
