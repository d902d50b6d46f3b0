"""Plain SQL migrations for PostgreSQL, applied safely and verified in the live catalog.

::

    from wflo_schema import Database, check_database, migrate, read_contract, read_migrations

    database = Database.parse("postgresql://wflo_user@localhost/wflo")
    migrations = read_migrations("migrations")
    print(migrate(database, migrations).ids)
    contract = read_contract("migrations/contract.toml")
    print(check_database(database, contract, migrations=migrations).exit_code)

Every operation takes a `Database` first and returns a frozen dataclass; every error is a
`WfloSchemaError`.  (``check_database`` is `wflo_schema.check.check`; the shorter name is the module's.)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wflo_schema.check import CheckResult
    from wflo_schema.check import check as check_database
    from wflo_schema.contract import Contract
    from wflo_schema.contract import read as read_contract
    from wflo_schema.database import Database
    from wflo_schema.engine import baseline, migrate, plan, rollback, status
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.events import Result
    from wflo_schema.findings import Finding, Severity
    from wflo_schema.migration import Migration, Migrations
    from wflo_schema.migration import new as new_migration
    from wflo_schema.migration import read as read_migrations
    from wflo_schema.pipeline import Stop
    from wflo_schema.planning import Allow, Plan, State, Status
    from wflo_schema.server import Server, start_docker, start_embedded, stop_embedded
    from wflo_schema.session import LockOptions

__all__ = [
    "Allow",
    "CheckResult",
    "Contract",
    "Database",
    "Finding",
    "LockOptions",
    "Migration",
    "Migrations",
    "Plan",
    "Result",
    "Server",
    "Severity",
    "State",
    "Status",
    "Stop",
    "WfloSchemaError",
    "baseline",
    "check_database",
    "migrate",
    "new_migration",
    "plan",
    "read_contract",
    "read_migrations",
    "rollback",
    "start_docker",
    "start_embedded",
    "status",
    "stop_embedded",
]

_HOMES = {
    "check": ["CheckResult", "check_database"],
    "contract": ["Contract", "read_contract"],
    "database": ["Database"],
    "engine": ["baseline", "migrate", "plan", "rollback", "status"],
    "errors": ["WfloSchemaError"],
    "events": ["Result"],
    "findings": ["Finding", "Severity"],
    "migration": ["Migration", "Migrations", "new_migration", "read_migrations"],
    "pipeline": ["Stop"],
    "planning": ["Allow", "Plan", "State", "Status"],
    "session": ["LockOptions"],
    "server": ["Server", "start_docker", "start_embedded", "stop_embedded"],
}
_ORIGINAL = {"check_database": "check", "read_contract": "read", "read_migrations": "read", "new_migration": "new"}


def __getattr__(name: str) -> object:
    """Import on first use, so that the command line starts fast."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"wflo_schema.{home}"), _ORIGINAL.get(name, name))
    raise AttributeError(f"module 'wflo_schema' has no attribute {name!r}")
