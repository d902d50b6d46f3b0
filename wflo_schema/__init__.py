"""Plain SQL migrations for PostgreSQL, applied safely and verified in the live catalog.

::

    from wflo_schema import Database, check_database, migrate, read_contract, read_migrations

    database = Database.parse("postgresql://wflo_user@localhost/wflo")
    migrations = read_migrations("migrations")
    print(migrate(database, migrations).ids)
    contract = read_contract("migrations/contract.toml")
    print(check_database(database, contract, migrations=migrations).exit_code)

(``check_database`` is ``wflo_schema.check.check``: its own name is the module's.)  Every operation takes a `Database` first and returns a frozen dataclass; every error is a
`WfloSchemaError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wflo_schema.check import CheckResult as CheckResult
    from wflo_schema.check import check as check_database
    from wflo_schema.contract import Contract as Contract
    from wflo_schema.contract import read as read_contract
    from wflo_schema.database import Database as Database
    from wflo_schema.engine import Allow as Allow
    from wflo_schema.engine import LockOptions as LockOptions
    from wflo_schema.engine import Plan as Plan
    from wflo_schema.engine import Result as Result
    from wflo_schema.engine import State as State
    from wflo_schema.engine import Status as Status
    from wflo_schema.engine import baseline as baseline
    from wflo_schema.engine import migrate as migrate
    from wflo_schema.engine import plan as plan
    from wflo_schema.engine import rollback as rollback
    from wflo_schema.engine import status as status
    from wflo_schema.errors import WfloSchemaError as WfloSchemaError
    from wflo_schema.findings import Finding as Finding
    from wflo_schema.findings import Severity as Severity
    from wflo_schema.migration import Migration as Migration
    from wflo_schema.migration import Migrations as Migrations
    from wflo_schema.migration import new as new_migration
    from wflo_schema.migration import read as read_migrations
    from wflo_schema.pipeline import Stop as Stop
    from wflo_schema.server import Server as Server
    from wflo_schema.server import start_docker as start_docker
    from wflo_schema.server import start_embedded as start_embedded
    from wflo_schema.server import stop_embedded as stop_embedded

_HOMES = {
    "check": ("CheckResult",),
    "contract": ("Contract",),
    "database": ("Database",),
    "engine": (
        "Allow", "LockOptions", "Plan", "Result", "State", "Status", "baseline", "migrate", "plan", "rollback", "status",
    ),
    "errors": ("WfloSchemaError",),
    "findings": ("Finding", "Severity"),
    "migration": ("Migration", "Migrations"),
    "pipeline": ("Stop",),
    "server": ("Server", "start_docker", "start_embedded", "stop_embedded"),
}  # fmt: skip
_RENAMED = {
    "check_database": ("check", "check"),
    "new_migration": ("migration", "new"),
    "read_contract": ("contract", "read"),
    "read_migrations": ("migration", "read"),
}
_WHERE = {name: (home, name) for home, names in _HOMES.items() for name in names} | _RENAMED

__all__ = sorted(_WHERE)  # noqa: PLE0605


def __getattr__(name: str) -> object:
    """Import on first use, so that the command line starts fast."""
    if name not in _WHERE:
        raise AttributeError(f"module 'wflo_schema' has no attribute {name!r}")
    home, original = _WHERE[name]
    return getattr(importlib.import_module(f"wflo_schema.{home}"), original)
