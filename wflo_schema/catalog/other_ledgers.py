"""Where migrations are recorded: our own tables, and those of other tools, that no migration makes."""

from __future__ import annotations

# What records migrations is no part of what migrations make.
LEDGER_TABLES: frozenset[str] = frozenset(
    {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "_wflo_schema_progress"}
)

# What other tools record their migrations in: no contract should require it, and an adopted database keeps it.
OTHER_LEDGERS: frozenset[str] = frozenset(
    {
        "alembic_version",
        "ar_internal_metadata",
        "django_migrations",
        "flyway_schema_history",
        "goose_db_version",
        "schema_migrations",
    }
)

# Sqitch keeps a schema of its own, of whatever name, with these and nothing else.
SQITCH_TABLES = frozenset({"changes", "dependencies", "events", "projects", "releases", "tags"})
