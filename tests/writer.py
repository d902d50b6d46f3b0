"""A program that works with wflo's tables all the time: ``python -m tests.writer URL`` until its input ends.

Prints one JSON object: how many rows of each table it left, its longest transaction in seconds,
how many transactions it made, and every error's SQLSTATE.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections import deque

import psycopg
from psycopg import sql

LEAVES = {
    "step_executions": "INSERT INTO step_executions (id, execution_id, step_id, status) VALUES (%s, %s, 's', 'DONE')",
    "state_snapshots": "INSERT INTO state_snapshots (id, execution_id, step_id, variables, version)"
    " VALUES (%s, %s, 's', '{}', 1)",
    "approval_requests": "INSERT INTO approval_requests"
    " (id, execution_id, step_id, message, timeout_seconds, expires_at)"
    " VALUES (%s, %s, 's', 'm', 1, now())",
    "rollback_actions": "INSERT INTO rollback_actions (id, execution_id, snapshot_id, reason, initiated_by)"
    " VALUES (%s, %s, 'x', 'r', 'i')",
}

# So that one whose parent was killed ends by itself.
LONGEST_RUN_S = 600.0

# Transactions after which it says that it is ready.
AT_WORK = 10


def insert(connection: psycopg.Connection, key: str) -> None:
    connection.execute(
        "INSERT INTO workflow_definitions (id, name, steps, policies) VALUES (%s, %s, '[]', '{}')", (key, key)
    )
    connection.execute(
        "INSERT INTO workflow_executions (id, workflow_id, status, trace_id, correlation_id)"
        " VALUES (%s, %s, 'RUNNING', 't', 'c')",
        (key, key),
    )
    for statement in LEAVES.values():
        connection.execute(statement, (key, key))


def delete(connection: psycopg.Connection, key: str) -> None:
    for table in LEAVES:
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table)), (key,))
    connection.execute("DELETE FROM workflow_executions WHERE id = %s", (key,))
    connection.execute("DELETE FROM workflow_definitions WHERE id = %s", (key,))


def main(url: str) -> None:
    longest_s, rounds, number = 0.0, 0, 0
    errors: list[str] = []
    kept: deque[str] = deque()
    ends_at = time.monotonic() + LONGEST_RUN_S
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < ends_at and not select.select([sys.stdin], [], [], 0.002)[0]:
            began = time.monotonic()
            number += 1
            try:
                with connection.transaction():
                    if number % 4 == 0:
                        delete(connection, kept[0])
                    else:
                        insert(connection, f"w{number}")
                if number % 4 == 0:
                    kept.popleft()
                else:
                    kept.append(f"w{number}")
            except psycopg.Error as error:
                errors.append(f"{error.sqlstate}: {error.diag.message_primary}")
            longest_s = max(longest_s, time.monotonic() - began)
            rounds += 1
            if rounds == AT_WORK:
                print("ready", flush=True)
    print(json.dumps({"kept": len(kept), "longest_s": longest_s, "rounds": rounds, "errors": errors}))


if __name__ == "__main__":
    main(sys.argv[1])
