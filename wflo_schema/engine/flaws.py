"""What keeps the ledger's tables from doing their part: a key that locks nothing, rows that a crash takes, grants.

Hides how that is seen in PostgreSQL's catalogs, and the SQL that mends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from wflo_schema.connect.pipeline import Command, Row, array
from wflo_schema.connect.queries import load_sql


@dataclass(frozen=True, slots=True)
class Flaw:
    """What keeps the ledger from doing what every promise rests on, and what to type."""

    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody other than its owner may do to a table of the ledger; ``privileges`` as in GRANT."""

    relation: str
    grantee: str
    privileges: str

    @property
    def revoke(self) -> str:
        """The statement that takes it back."""
        return f"REVOKE {self.privileges} ON TABLE {self.relation} FROM {self.grantee}"


# What the query says → what it means, and what mends it.  {detail} is the child table, or the name of the primary key.
_FLAWS = {
    "kind": (
        "{table} is not a plain table, so its key locks nothing",
        (
            "make one of it: ALTER TABLE {table} RENAME TO {before}; CREATE TABLE {table} (LIKE {schema}.{before}); "
            "INSERT INTO {table} SELECT * FROM {schema}.{before}; ALTER TABLE {table} ADD PRIMARY KEY (migration_hash)"
        ),
    ),
    "unlogged": ("{table} is UNLOGGED: a crash of the server would empty it", "ALTER TABLE {table} SET LOGGED"),
    "child": (
        "{table} has the child table {detail}, whose rows its key does not see",
        "ALTER TABLE {detail} NO INHERIT {table}",
    ),
    "key": (
        (
            "{table} has no key on migration_hash that is whole, valid and not deferrable: "
            "two runs at once would apply a migration twice"
        ),
        (
            "ALTER TABLE {table} {drop}ADD PRIMARY KEY (migration_hash); "
            "where it says that a key is duplicated, delete the double first: "
            "DELETE FROM {table} a USING {table} b WHERE a.migration_hash = b.migration_hash AND a.ctid > b.ctid"
        ),
    ),
    "nullable": (
        "{table} lets migration_hash be NULL: a migration could be applied without what it builds on",
        "ALTER TABLE {table} ALTER COLUMN migration_hash SET NOT NULL",
    ),
    "policies": (
        "{table} has row-level security, which may hide rows from this role",
        "run it as its owner or as a role with BYPASSRLS, or ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    ),
}


def flaws_command(*schemas: str) -> Command:
    """The query that looks at the tables whose key is a lock, in the ledgers of these schemas."""
    return Command(load_sql("engine", "ledger_tables"), (array(schemas),), keeps_rows=True)


def flaws(rows: Sequence[Row]) -> tuple[Flaw, ...]:
    """What `flaws_command` found."""
    found = []
    for place, name, flaw, detail in rows:
        schema = place or ""
        if flaw:
            values = {
                "table": sql.Identifier(schema, name or "").as_string(),
                "schema": sql.Identifier(schema).as_string(),
                "before": f"{name}_before",
                "detail": detail or "",
                "drop": f"DROP CONSTRAINT {detail}, " if detail else "",
            }
            what, mend = _FLAWS[flaw]
            found.append(Flaw(what.format(**values), mend.format(**values)))
    return tuple(found)


def grants_command(schema: str, tables: Sequence[str]) -> Command:
    """The query for what others than the owner may do to these tables, reading apart."""
    names = "{" + ",".join(tables) + "}"
    return Command(load_sql("engine", "ledger_grants"), (schema, names), keeps_rows=True)


def readers_command(schema: str, tables: Sequence[str]) -> Command:
    """The query for the statements that let those read these tables who may read the ledger."""
    names = "{" + ",".join(tables) + "}"
    return Command(load_sql("engine", "ledger_readers"), (schema, names), keeps_rows=True)


def grants(rows: Sequence[Row]) -> tuple[Grant, ...]:
    """What `grants_command` found."""
    return tuple(Grant(relation or "", grantee or "", privileges or "") for relation, grantee, privileges in rows)
