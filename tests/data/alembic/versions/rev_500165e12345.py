"""The five foreign keys that cascade, under names of their own."""

from __future__ import annotations

from alembic import op

revision = "500165e12345"
down_revision = "6d27a51e02d6"


def upgrade() -> None:
    for table, column, target in (
        ("workflow_executions", "workflow_id", "workflow_definitions"),
        ("step_executions", "execution_id", "workflow_executions"),
        ("state_snapshots", "execution_id", "workflow_executions"),
        ("approval_requests", "execution_id", "workflow_executions"),
        ("rollback_actions", "execution_id", "workflow_executions"),
    ):
        op.create_foreign_key(f"fk_{table}_{column}", table, target, [column], ["id"], ondelete="CASCADE")
