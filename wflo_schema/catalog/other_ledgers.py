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
    {
        "_yoyo_migration",
        "_yoyo_log",
        "_yoyo_version",
        "yoyo_lock",
        "_wflo_schema_progress",
        "_wflo_schema_repeatable",
        "_wflo_schema_seed",
        "_wflo_schema_variable",
    }
)

# Schema and name of tables, and what columns each has.
Tables = Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class OtherTool:
    """How a tool's ledger is recognised and read: its table, columns it has, and a table that stands beside it.

    ``query`` gives a row (version, has_failed) for each migration: SQL, or the name of a file with it, in
    which {table} and {beside} stand for those two.  All columns that it reads are among those named here.
    ``is_everyday``: the table's name is anybody's, so that a table with one more column is not the tool's.
    ``more``: names of tables that the tool makes too, but not always, and that say nothing.
    ``keeps_last``: its ledger holds the last version alone, and so says by no other word what was run before it.

    ``own_schema`` names all tables of a tool that keeps a schema of its own, of whatever name, with nothing else
    in it; ``own_column`` of ``table`` is then enough to tell that schema from another.  ``home`` is what the tool
    calls that schema where nobody chose; without ``own_schema`` all that is in a schema of that name is its own.
    """

    name: str
    table: str
    columns: frozenset[str]
    query: LiteralString
    beside: str = ""
    beside_columns: frozenset[str] = frozenset()
    own_schema: frozenset[str] = frozenset()
    own_column: str = ""
    home: str = ""
    is_everyday: bool = False
    more: frozenset[str] = frozenset()
    keeps_last: bool = False

    @property
    def tables(self) -> frozenset[str]:
        """The tables by which it is recognised."""
        return frozenset({self.table, self.beside} - {""})

    @property
    def all_tables(self) -> frozenset[str]:
        """The names of every table that it may make."""
        return self.tables | self.more | self.own_schema

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
        if has is None or not is_beside or not self.beside_columns <= beside:
            return False
        return has == self.columns if self.is_everyday else self.columns <= has

    def owns(self, schema: str, tables: Tables) -> bool:
        """Whether that schema, with these tables in it, is one that the tool keeps for itself."""
        if not all((schema, name) in tables for name in self.tables):
            return False
        if not self.own_schema:
            return bool(self.home) and schema == self.home and self.is_in(schema, tables)
        names = {name for where, name in tables if where == schema}
        return names <= self.own_schema and self.own_column in tables[schema, self.table]


# many parameters: one ledger is a few words, and says only what is its own
def _simple(
    name: str,
    table: str,
    columns: str,
    *,
    version: LiteralString,
    failed: LiteralString = "FALSE",
    order: LiteralString = "1",
    where: LiteralString = "TRUE",
    more: str = "",
    is_everyday: bool = False,
    keeps_last: bool = False,
    own_schema: str = "",
    own_column: str = "",
    home: str = "",
) -> OtherTool:
    query: LiteralString = (
        "SELECT " + version + "::text AS version, " + failed + " AS has_failed FROM {table} "
        "WHERE " + version + " IS NOT NULL AND " + where + " ORDER BY " + order
    )
    return OtherTool(
        name,
        table,
        frozenset(columns.split()),
        query,
        more=frozenset(more.split()),
        is_everyday=is_everyday,
        keeps_last=keeps_last,
        own_schema=frozenset(own_schema.split()),
        own_column=own_column,
        home=home,
    )


# The first that fits counts: what several tools call schema_migrations, or migrations, is told apart by its columns.
OTHER_TOOLS: tuple[OtherTool, ...] = (
    _simple("alembic", "alembic_version", "version_num", version="version_num", keeps_last=True),
    OtherTool(
        "flyway",
        "flyway_schema_history",
        frozenset({"installed_rank", "version", "type", "script", "success"}),
        "ledger_flyway",
    ),
    OtherTool(
        "flyway",  # before its version 5
        "schema_version",
        frozenset({"installed_rank", "version", "type", "script", "success"}),
        "ledger_flyway",
    ),
    OtherTool("goose", "goose_db_version", frozenset({"id", "version_id", "is_applied"}), "ledger_goose"),
    OtherTool("micrate", "micrate_db_version", frozenset({"id", "version_id", "is_applied"}), "ledger_goose"),
    OtherTool(
        "sqitch",
        "changes",
        frozenset({"change_id", "change", "script_hash", "committed_at"}),
        "ledger_sqitch",
        beside="events",
        beside_columns=frozenset({"change_id", "change", "event", "committed_at"}),
        own_schema=frozenset({"changes", "dependencies", "events", "projects", "releases", "tags"}),
        own_column="script_hash",
        home="sqitch",
    ),
    OtherTool(
        "django",
        "django_migrations",
        frozenset({"id", "app", "name", "applied"}),
        "SELECT app || '.' || name AS version, FALSE AS has_failed FROM {table} "
        "WHERE app IS NOT NULL AND name IS NOT NULL ORDER BY id",
    ),
    _simple(
        "prisma",
        "_prisma_migrations",
        "id checksum finished_at migration_name rolled_back_at started_at",
        version="migration_name",
        failed="finished_at IS NULL",
        where="rolled_back_at IS NULL",
        order="started_at",
    ),
    _simple("diesel", "__diesel_schema_migrations", "version run_on", version="version"),
    _simple(
        "sqlx",
        "_sqlx_migrations",
        "version description installed_on success checksum",
        version="version",
        failed="success IS NOT TRUE",
        order="version::numeric",
    ),
    _simple("pop", "schema_migration", "version", version="version", is_everyday=True),
    _simple("pop", "schema_migration", "version version_self", version="version", is_everyday=True),  # Ory's
    _simple(
        "postgrator",
        "schemaversion",
        "version name md5 run_at",
        version="version",
        order="version::numeric",
        where="version::text <> '0'",  # the row with which it begins
    ),
    _simple("node-pg-migrate", "pgmigrations", "id name run_on", version="name", order="id"),
    _simple(
        "knex",
        "knex_migrations",
        "id name batch migration_time",
        version="name",
        order="id",
        more="knex_migrations_lock",
    ),
    _simple("sequelize", "SequelizeMeta", "name", version="name"),
    OtherTool(
        "liquibase",
        "databasechangelog",
        frozenset({"id", "author", "filename", "dateexecuted", "orderexecuted", "exectype", "md5sum"}),
        "SELECT concat_ws('::', filename, id, author) AS version, exectype = 'FAILED' AS has_failed FROM {table} "
        "WHERE id IS NOT NULL ORDER BY orderexecuted",
        more=frozenset({"databasechangeloglock"}),
    ),
    _simple("ef core", "__EFMigrationsHistory", "MigrationId ProductVersion", version='"MigrationId"'),
    _simple(
        "atlas",
        "atlas_schema_revisions",
        "version description type applied total executed_at execution_time hash operator_version",
        version="version",
        failed="applied < total",
        where="version::text <> '.atlas_cloud_identifier'",  # a row of its own, which is no migration
        own_schema="atlas_schema_revisions",
        own_column="operator_version",
        home="atlas_schema_revisions",
    ),
    _simple(
        "drizzle",
        "__drizzle_migrations",
        "id hash created_at",
        version="hash",
        order="id",
        own_schema="__drizzle_migrations",
        own_column="hash",
        home="drizzle",
    ),
    _simple(
        "supabase",
        "schema_migrations",
        "version statements",
        version="version",
        own_schema="schema_migrations seed_files",
        own_column="statements",
        home="supabase_migrations",
    ),
    _simple(
        "graphile-migrate",
        "migrations",
        "hash previous_hash filename date",
        version="filename",
        order="filename",
        own_schema="migrations current",
        own_column="previous_hash",
        home="graphile_migrate",
    ),
    _simple(
        "pgroll",
        "migrations",
        "schema name migration created_at parent done resulting_schema",
        version="name",
        failed="done::text <> 'true'",
        order="created_at",
        own_schema="migrations pgroll_version",
        own_column="resulting_schema",
        home="pgroll",
    ),
    OtherTool(
        "hasura",
        "hdb_version",
        frozenset({"hasura_uuid", "version", "upgraded_on", "cli_state"}),
        "ledger_hasura",
        home="hdb_catalog",
    ),
    _simple("doctrine", "doctrine_migration_versions", "version executed_at execution_time", version="version"),
    _simple(
        "phinx", "phinxlog", "version migration_name start_time end_time breakpoint", version="version", order="version"
    ),
    _simple("mikro-orm", "mikro_orm_migrations", "id name executed_at", version="name", order="id"),
    _simple(
        "refinery", "refinery_schema_history", "version name applied_on checksum", version="version", order="version"
    ),
    _simple("sql-migrate", "gorp_migrations", "id applied_at", version="id"),
    _simple("sea-orm", "seaql_migrations", "version applied_at", version="version"),
    _simple("kysely", "kysely_migration", "name timestamp", version="name", more="kysely_migration_lock"),
    _simple(
        "bun", "bun_migrations", "id name group_id migrated_at", version="name", order="id", more="bun_migration_locks"
    ),
    _simple(
        "play",
        "play_evolutions",
        "id hash applied_at apply_script revert_script state",
        version="id",
        failed="state <> 'applied'",
        order="id",
        more="play_evolutions_lock",
    ),
    _simple("shmig", "shmig_version", "version migrated_at", version="version", order="version"),
    _simple("rambler", "migrations", "migration", version="migration", is_everyday=True),
    _simple("mybatis migrations", "changelog", "id applied_at description", version="id", order="id", is_everyday=True),
    _simple("aerich", "aerich", "id version app content", version="version", order="id", is_everyday=True),
    _simple("typeorm", "migrations", "id timestamp name", version="name", order="id", is_everyday=True),
    _simple("laravel", "migrations", "id migration batch", version="migration", order="id", is_everyday=True),
    _simple(
        "postgres-migrations",
        "migrations",
        "id name hash executed_at",
        version="id",
        where="id::text <> '0'",  # 0 is the table itself
        order="id",
        is_everyday=True,
    ),
    _simple(
        "marv",
        "migrations",
        "level comment timestamp checksum namespace",
        version="level",
        order="level",
        more="migrations_lock",
        is_everyday=True,
    ),
    _simple("db-migrate", "migrations", "id name run_on", version="name", order="id", is_everyday=True),
    OtherTool(
        "golang-migrate",
        "schema_migrations",
        frozenset({"version", "dirty"}),
        "SELECT version::text AS version, dirty IS NOT FALSE AS has_failed FROM {table} WHERE version IS NOT NULL",
        keeps_last=True,
    ),
    _simple("ecto", "schema_migrations", "version inserted_at", version="version", is_everyday=True),
    OtherTool(
        "rails",
        "schema_migrations",
        frozenset({"version"}),
        "SELECT version::text AS version, FALSE AS has_failed FROM {table} WHERE version IS NOT NULL ORDER BY 1",
        "ar_internal_metadata",
        is_everyday=True,
    ),
    _simple("dbmate", "schema_migrations", "version", version="version", is_everyday=True),
    _simple(
        "tern",
        "schema_version",
        "version",
        version="version",
        where="version::text <> '0'",
        is_everyday=True,
        keeps_last=True,
    ),
)

# What the schemas are called that tools make for their ledgers alone.
HOMES: frozenset[str] = frozenset(t.home for t in OTHER_TOOLS if t.home)


def recognise(schema: str, table: str, tables: Tables) -> OtherTool | None:
    """The tool whose ledger that table is, None for any other table."""
    return next((t for t in OTHER_TOOLS if t.table == table and t.is_in(schema, tables)), None)


def keeps_last(tool: str) -> bool:
    """Whether the ledger of the tool of that name holds the last version alone."""
    return any(t.keeps_last for t in OTHER_TOOLS if t.name == tool)


def own_schemas(tables: Tables) -> frozenset[str]:
    """The schemas among these that a tool keeps for its ledger and for nothing else."""
    keepers = [t for t in OTHER_TOOLS if t.own_schema or t.home]
    return frozenset(schema for schema, _ in tables if any(t.owns(schema, tables) for t in keepers))


def ledger_tables(tables: Tables) -> frozenset[tuple[str, str]]:
    """Those of these tables in which other tools record their migrations: no migration makes them.

    No contract should require them, no dump should make them, and an adopted database keeps them.
    """
    return frozenset(
        (schema, name)
        for schema, table in tables
        if (tool := recognise(schema, table, tables)) is not None
        for name in tool.all_tables
        if (schema, name) in tables
    )
