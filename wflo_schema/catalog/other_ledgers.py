"""Where migrations are recorded: our own tables, and those of other tools, that no migration makes.

Another tool's ledger is one entry of `OTHER_TOOLS`, and a query file where its query is long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from wflo_schema.connect.queries import load_sql

# What records migrations is no part of what migrations make.
LEDGER_TABLES: frozenset[str] = frozenset(
    {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "_wflo_schema_progress"}
)

# Schema and name of tables, and what columns each has.
Tables = Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class OtherTool:
    """How a tool's ledger is recognised and read: its table, columns it has, and a table that stands beside it.

    ``query`` gives a row (version, has_failed) for each migration: SQL, or the name of a file with it, in
    which {table} and {beside} stand for those two.  All columns that it reads are among those named here.

    ``own_schema`` names all tables of a tool that keeps a schema of its own, of whatever name, with nothing else
    in it; ``own_column`` of ``table`` is then enough to tell that schema from another.
    """

    name: str
    table: str
    columns: frozenset[str]
    query: LiteralString
    beside: str = ""
    beside_columns: frozenset[str] = frozenset()
    own_schema: frozenset[str] = frozenset()
    own_column: str = ""

    @property
    def tables(self) -> frozenset[str]:
        """The tables by which it is recognised."""
        return frozenset({self.table, self.beside} - {""})

    def select(self, schema: str) -> sql.Composed:
        """The query for its ledger in that schema."""
        text = self.query if " " in self.query else load_sql("catalog", self.query)
        beside = self.beside or self.table
        return sql.SQL(text).format(table=sql.Identifier(schema, self.table), beside=sql.Identifier(schema, beside))

    def is_in(self, schema: str, tables: Tables) -> bool:
        """Whether its ledger is among these tables, in that schema."""
        has = tables.get((schema, self.table))
        beside = tables.get((schema, self.beside), frozenset()) if self.beside else self.beside_columns
        is_beside = not self.beside or (schema, self.beside) in tables
        return has is not None and self.columns <= has and is_beside and self.beside_columns <= beside

    def owns(self, schema: str, tables: Tables) -> bool:
        """Whether that schema, with these tables in it, is one that the tool keeps for itself."""
        names = {name for where, name in tables if where == schema}
        return self.tables <= names <= self.own_schema and self.own_column in tables[schema, self.table]


# The first that fits counts: what several tools call schema_migrations is told apart by its columns.
OTHER_TOOLS: tuple[OtherTool, ...] = (
    OtherTool(
        "alembic",
        "alembic_version",
        frozenset({"version_num"}),
        "SELECT version_num::text AS version, FALSE AS has_failed FROM {table} "
        "WHERE version_num IS NOT NULL ORDER BY 1",
    ),
    OtherTool(
        "flyway",
        "flyway_schema_history",
        frozenset({"installed_rank", "version", "type", "script", "success"}),
        "ledger_flyway",
    ),
    OtherTool("goose", "goose_db_version", frozenset({"id", "version_id", "is_applied"}), "ledger_goose"),
    OtherTool(
        "sqitch",
        "changes",
        frozenset({"change_id", "change", "script_hash", "committed_at"}),
        "ledger_sqitch",
        beside="events",
        beside_columns=frozenset({"change_id", "change", "event", "committed_at"}),
        own_schema=frozenset({"changes", "dependencies", "events", "projects", "releases", "tags"}),
        own_column="script_hash",
    ),
    OtherTool(
        "django",
        "django_migrations",
        frozenset({"id", "app", "name", "applied"}),
        "SELECT app || '.' || name AS version, FALSE AS has_failed FROM {table} "
        "WHERE app IS NOT NULL AND name IS NOT NULL ORDER BY id",
    ),
    OtherTool(
        "golang-migrate",
        "schema_migrations",
        frozenset({"version", "dirty"}),
        "SELECT version::text AS version, dirty IS NOT FALSE AS has_failed FROM {table} WHERE version IS NOT NULL",
    ),
    OtherTool(
        "ecto",
        "schema_migrations",
        frozenset({"version", "inserted_at"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
    ),
    OtherTool(
        "rails",
        "schema_migrations",
        frozenset({"version"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
        "ar_internal_metadata",
    ),
    OtherTool(
        "dbmate",
        "schema_migrations",
        frozenset({"version"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
    ),
)

# What other tools record their migrations in, known by name alone: no contract should require it, no dump should
# make it, and an adopted database keeps it.  A tool with a schema of its own has tables of everyday names.
OTHER_LEDGERS: frozenset[str] = frozenset(name for t in OTHER_TOOLS if not t.own_schema for name in t.tables)


def recognise(schema: str, table: str, tables: Tables) -> OtherTool | None:
    """The tool whose ledger that table is, None for any other table."""
    return next((t for t in OTHER_TOOLS if t.table == table and t.is_in(schema, tables)), None)


def own_schemas(tables: Tables) -> frozenset[str]:
    """The schemas among these that a tool keeps for its ledger and for nothing else."""
    keepers = [t for t in OTHER_TOOLS if t.own_schema]
    return frozenset(schema for schema, _ in tables if any(t.owns(schema, tables) for t in keepers))


def ledgers_of_everyday_names(tables: Tables) -> frozenset[tuple[str, str]]:
    """The ledger's tables of a tool with a schema of its own, where it was told to use one with other things in it.

    All that are called like the tool's own are its own: it could not have made its ledger beside others of these names.
    """
    keepers = [t for t in OTHER_TOOLS if t.own_schema]
    return frozenset(
        (schema, name)
        for schema, table in tables
        for t in keepers
        if table == t.table and t.is_in(schema, tables)
        for name in t.own_schema
        if (schema, name) in tables
    )
