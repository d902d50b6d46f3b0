"""Partitions and children that are foreign tables: what they promise and nobody checks, and whether they answer.

Hides what postgres_fdw takes for granted, and how a wait for another server is kept within its time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
from psycopg import sql

from wflo_schema.catalog.keys import Relation
from wflo_schema.check.contract import Contract
from wflo_schema.check.facts import Facts, ForeignTable, Reader
from wflo_schema.check.rules import finding
from wflo_schema.connect import versions
from wflo_schema.findings import Finding, Location
from wflo_schema.names import qualified, quote
from wflo_schema.words import duration

# Milliseconds for one look at another server: what does not answer must not use up the time for all the other rows.
LOOK_TIMEOUT_MS = 10_000


def unguarded(
    facts: Facts, table: Relation, which: str, what: str, mend: str, where: Location | None
) -> Iterator[Finding]:
    """The foreign tables whose rows show in the table, and of which ``what`` is required in vain.

    ``which`` is how a finding goes on behind the foreign table's name, ``mend`` what ALTER TABLE would have to say of
    the remote table.
    """
    for relation, foreign in facts.foreign_below(table):
        remote = qualified(foreign.remote_schema, foreign.remote_name)
        yield finding(
            "foreign-unguarded",
            f"{relation}{which}",
            f"{relation} is a foreign table: PostgreSQL takes {what} there for granted and checks nothing",
            have=f"foreign table {relation}, server {quote(foreign.server)}",
            want=what,
            help_=f"on the server {quote(foreign.server)}: ALTER TABLE {remote} {mend}; then allow this finding here",
            location=where,
        )


def cannot_have(facts: Facts, table: Relation) -> str:
    """Say of a partitioned table why it can have no foreign key and no unique constraint; empty where it can."""
    below = [r for r, _ in facts.foreign_below(table)] if table.kind == "p" else []
    return f", and can have none: its partition {below[0]} is a foreign table" if below else ""


def look(reader: Reader, facts: Facts, contract: Contract, *, deadline: float) -> tuple[list[Finding], frozenset[int]]:
    """Read one row of each foreign table below the contract's: what was found, and those that cannot be read.

    One that does not answer in time is not asked again, nor is its server.
    """
    findings: list[Finding] = []
    silent: set[int] = set()
    faults: dict[str, str] = {}
    seen: set[int] = set()
    for name in contract.names:
        table = facts.table(name)
        for relation, foreign in facts.foreign_below(table) if table is not None else ():
            if relation.oid in seen:
                continue
            seen.add(relation.oid)
            found = _look_at(reader, facts, relation, foreign, faults, deadline)
            if found is not None:
                findings.append(found)
                silent.add(relation.oid)
    return findings, frozenset(silent)


def _look_at(
    reader: Reader, facts: Facts, relation: Relation, foreign: ForeignTable, faults: dict[str, str], deadline: float
) -> Finding | None:
    server = quote(foreign.server)
    if foreign.waits and not versions.FOREIGN_SERVER_WAIT.is_in(reader.session.version):
        return finding(
            "rows-unreadable",
            str(relation),
            f"{relation} is not read: nothing would end the wait for the server {server}, if that does not answer",
            want=f"connect_timeout for the server {server}",
            help_=f"ALTER SERVER {server} OPTIONS (ADD connect_timeout '10');",
        )
    if foreign.server in faults:
        said = faults[foreign.server]
        return _silent(relation, f"the server {server} says: {said}")
    columns = sql.SQL(", ").join(map(sql.Identifier, facts.columns_of(relation.oid)))
    query = sql.SQL("SELECT {} FROM ONLY {} LIMIT 1").format(columns, sql.Identifier(relation.schema, relation.name))
    left = max(1, min(LOOK_TIMEOUT_MS, round((deadline - time.monotonic()) * 1000)))
    try:
        with reader.connection.transaction():
            reader.connection.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (str(left),))
            reader.connection.execute(query)
    except psycopg.Error as error:
        if reader.connection.closed:
            raise
        said = error.diag.message_primary or str(error)
        if error.sqlstate in ("42P01", "42703") and (error.diag.context or "").startswith("remote SQL"):
            return _differs(relation, foreign, said)
        if error.sqlstate == "57014":
            said = f"it did not answer within {duration(left)}"
        if error.sqlstate == "57014" or (error.sqlstate or "").startswith("08"):
            faults[foreign.server] = said
        return _silent(relation, f"the server {server} says: {said}")
    return None


def _silent(relation: Relation, message: str) -> Finding:
    return finding(
        "rows-unreadable",
        str(relation),
        f"{relation} is not read: {message}",
        want=f"the rows of {relation}",
        help_="run it again when the server is there",
    )


def _differs(relation: Relation, foreign: ForeignTable, said: str) -> Finding:
    remote = qualified(foreign.remote_schema, foreign.remote_name)
    return finding(
        "foreign-differs",
        str(relation),
        f"{relation} cannot be read, nor any query that reaches it: the server {quote(foreign.server)} says: {said}",
        have=f"{remote} on the server {quote(foreign.server)}: {said}",
        want=f"{remote} with the columns of {relation}",
        help_=f"ALTER TABLE {remote} … on {quote(foreign.server)}, or here ALTER FOREIGN TABLE {relation} OPTIONS …",
    )
