"""The other head: five foreign keys without names and without CASCADE, and two indexes changed."""

from __future__ import annotations

from alembic import op

revision = "ec1673bcefc3"
down_revision = "6d27a51e02d6"


def upgrade() -> None:
    for table, column, target in (
        ("workflow_executions", "workflow_id", "workflow_definitions"),
        ("step_executions", "execution_id", "workflow_executions"),
        ("state_snapshots", "execution_id", "workflow_executions"),
        ("approval_requests", "execution_id", "workflow_executions"),
        ("rollback_actions", "execution_id", "workflow_executions"),
    ):
        op.create_foreign_key(None, table, target, [column], ["id"])
    op.create_index("ix_rollback_actions_status", "rollback_actions", ["status"])
    op.drop_index("ix_workflow_name", "workflow_definitions")
    op.create_index("ix_workflow_definitions_name", "workflow_definitions", ["name"])
