"""The four states in which wflo's databases are found, as ``wflo-schema.md`` tells them, built by plain SQL."""

from __future__ import annotations

from pathlib import Path

from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations

FOLDER = Path(__file__).parent.parent / "migrations"
MIGRATIONS = read_migrations(FOLDER)

KEYS = (
    ("workflow_executions", "workflow_id", "workflow_definitions"),
    ("step_executions", "execution_id", "workflow_executions"),
    ("state_snapshots", "execution_id", "workflow_executions"),
    ("approval_requests", "execution_id", "workflow_executions"),
    ("rollback_actions", "execution_id", "workflow_executions"),
)

TABLES = ("workflow_definitions", *(table for table, _, _ in KEYS))

_TABLES_SQL = (FOLDER / "20251110_01_6d27a-create-core-tables.sql").read_text(encoding="utf-8")

_NAMED = "\n".join(
    f"ALTER TABLE {t} ADD CONSTRAINT fk_{t}_{c} FOREIGN KEY ({c}) REFERENCES {u} (id) ON DELETE CASCADE;"
    for t, c, u in KEYS
)

UNNAMED = "\n".join(f"ALTER TABLE {t} ADD FOREIGN KEY ({c}) REFERENCES {u} (id);" for t, c, u in KEYS)

INDEXES = """
CREATE INDEX ix_rollback_actions_status ON rollback_actions (status);
DROP INDEX ix_workflow_name;
CREATE INDEX ix_workflow_definitions_name ON workflow_definitions (name);
"""

# Name, rows of alembic_version, statements.  Of both heads the keys that do not cascade are the older
# ones, so that they refuse every delete of a parent.
STATES: dict[str, tuple[tuple[str, ...], str]] = {
    "6d27a51e02d6": (("6d27a51e02d6",), _TABLES_SQL),
    "500165e12345": (("500165e12345",), _TABLES_SQL + _NAMED),
    "ec1673bcefc3": (("ec1673bcefc3",), _TABLES_SQL + UNNAMED + INDEXES),
    "both-heads": (("500165e12345", "ec1673bcefc3"), _TABLES_SQL + UNNAMED + INDEXES + _NAMED),
}

SEED = """
INSERT INTO workflow_definitions (id, name, steps, policies)
SELECT 'd' || n, 'name ' || n, '[]', '{}' FROM generate_series(1, 200) AS n;
INSERT INTO workflow_executions (id, workflow_id, status, trace_id, correlation_id)
SELECT 'e' || n, 'd' || 1 + n % 200, 'DONE', 't', 'c' FROM generate_series(1, 1000) AS n;
INSERT INTO step_executions (id, execution_id, step_id, status)
SELECT 's' || n, 'e' || 1 + n % 1000, 's', 'DONE' FROM generate_series(1, 2000) AS n;
INSERT INTO state_snapshots (id, execution_id, step_id, variables, version)
SELECT 's' || n, 'e' || 1 + n % 1000, 's', '{}', 1 FROM generate_series(1, 1000) AS n;
INSERT INTO approval_requests (id, execution_id, step_id, message, timeout_seconds, expires_at)
SELECT 's' || n, 'e' || 1 + n % 1000, 's', 'm', 1, now() FROM generate_series(1, 1000) AS n;
INSERT INTO rollback_actions (id, execution_id, snapshot_id, reason, initiated_by)
SELECT 's' || n, 'e' || 1 + n % 1000, 'x', 'r', 'i' FROM generate_series(1, 1000) AS n;
"""

ROWS = dict(zip(TABLES, (200, 1000, 2000, 1000, 1000, 1000), strict=True))


def build(database: Database, state: str, *, revisions: tuple[str, ...] | None = None, rows: bool = False) -> None:
    """Make the tables as they are at ``state``, and Alembic's ledger, which says so unless ``revisions`` is given."""
    said, statements = STATES[state]
    with database.connect(autocommit=False) as connection:
        connection.execute(statements.encode())
        if rows:
            connection.execute(SEED)
        connection.execute(
            "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)"
        )
        for revision in said if revisions is None else revisions:
            connection.execute("INSERT INTO alembic_version VALUES (%s)", [revision])


def counts(database: Database) -> dict[str, int]:
    """Rows of each table."""
    with database.connect() as connection:
        found = {}
        for table in TABLES:
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            assert row is not None
            found[table] = int(row[0])
    return found
