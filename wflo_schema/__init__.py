"""Plain SQL migrations for PostgreSQL, applied safely and verified in the live catalog.

::

    from wflo_schema import Database, check_database, migrate, read_contract, read_migrations

    database = Database.parse("postgresql://wflo_user@localhost/wflo")
    migrations = read_migrations("migrations")
    print(migrate(database, migrations).ids)
    contract = read_contract("migrations/contract.toml")
    print(check_database(database, contract, migrations=migrations).exit_code)

Every operation takes a `Database` first, or the `Target`s of a fleet, and returns a frozen
dataclass; every error is a `WfloSchemaError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wflo_schema.adopt.found import Adoption, Verdict
    from wflo_schema.adopt.judge import adopt_database, baseline
    from wflo_schema.catalog.snapshot import Snapshot, dump_schema, read_snapshot
    from wflo_schema.check.contract import Contract
    from wflo_schema.check.contract_file import read_contract
    from wflo_schema.check.freeze import freeze_contract
    from wflo_schema.check.verdict import CheckResult, check_database
    from wflo_schema.connect.database import Database
    from wflo_schema.connect.pipeline import Stop
    from wflo_schema.engine.against import plan_against
    from wflo_schema.engine.events import Result
    from wflo_schema.engine.locks import LockOptions
    from wflo_schema.engine.operations import migrate, plan, rollback, status
    from wflo_schema.engine.planning import Allow, Plan, State, Status
    from wflo_schema.errors import (
        BadContract,
        BadMigrationFile,
        CannotRead,
        ConnectionFailed,
        ConnectionLost,
        DatabaseError,
        Interrupted,
        LockNotAcquired,
        MigrationFailed,
        NoDatabase,
        Refused,
        ServerNotReady,
        UsageError,
        WfloSchemaError,
    )
    from wflo_schema.files.folder import Migration, Migrations, read_migrations
    from wflo_schema.files.naming import Moved, merge_migration, move_last, new_migration
    from wflo_schema.findings import Finding, Severity
    from wflo_schema.fleet.adopting import FleetAdoption, adopt_fleet
    from wflo_schema.fleet.checking import FleetCheck, check_fleet
    from wflo_schema.fleet.looking import FleetStatus, status_fleet
    from wflo_schema.fleet.operations import migrate_fleet, rollback_fleet
    from wflo_schema.fleet.outcomes import FleetOptions, FleetResult, Outcome
    from wflo_schema.fleet.plans import FleetPlan, plan_fleet
    from wflo_schema.fleet.targets import Target
    from wflo_schema.imports.operations import Import, import_folder
    from wflo_schema.imports.source import Wishes
    from wflo_schema.recipes.operations import write_recipe
    from wflo_schema.recipes.values import Written
    from wflo_schema.scratch.replay import replayed
    from wflo_schema.server.docker import start_docker
    from wflo_schema.server.embedded import start_embedded, stop_embedded
    from wflo_schema.server.values import Server
    from wflo_schema.squash.operations import Squashed, squash_migrations
    from wflo_schema.testdb.databases import list_test_databases, make_test_database, prune_test_databases
    from wflo_schema.trace.operations import trace_migrations
    from wflo_schema.trace.values import Lock, Trace, Traced

__version__ = "0.1.0"

__all__ = [
    "Adoption",
    "Allow",
    "BadContract",
    "BadMigrationFile",
    "CannotRead",
    "CheckResult",
    "ConnectionFailed",
    "ConnectionLost",
    "Contract",
    "Database",
    "DatabaseError",
    "Finding",
    "FleetAdoption",
    "FleetCheck",
    "FleetOptions",
    "FleetPlan",
    "FleetResult",
    "FleetStatus",
    "Import",
    "Interrupted",
    "Lock",
    "LockNotAcquired",
    "LockOptions",
    "Migration",
    "MigrationFailed",
    "Migrations",
    "Moved",
    "NoDatabase",
    "Outcome",
    "Plan",
    "Refused",
    "Result",
    "Server",
    "ServerNotReady",
    "Severity",
    "Snapshot",
    "Squashed",
    "State",
    "Status",
    "Stop",
    "Target",
    "Trace",
    "Traced",
    "UsageError",
    "Verdict",
    "WfloSchemaError",
    "Wishes",
    "Written",
    "adopt_database",
    "adopt_fleet",
    "baseline",
    "check_database",
    "check_fleet",
    "dump_schema",
    "freeze_contract",
    "import_folder",
    "list_test_databases",
    "make_test_database",
    "merge_migration",
    "migrate",
    "migrate_fleet",
    "move_last",
    "new_migration",
    "plan",
    "plan_against",
    "plan_fleet",
    "prune_test_databases",
    "read_contract",
    "read_migrations",
    "read_snapshot",
    "replayed",
    "rollback",
    "rollback_fleet",
    "squash_migrations",
    "start_docker",
    "start_embedded",
    "status",
    "status_fleet",
    "stop_embedded",
    "trace_migrations",
    "write_recipe",
]

_HOMES = {
    "adopt.found": (
        "Adoption",
        "Verdict",
    ),
    "adopt.judge": (
        "adopt_database",
        "baseline",
    ),
    "catalog.snapshot": (
        "Snapshot",
        "dump_schema",
        "read_snapshot",
    ),
    "check.contract": ("Contract",),
    "check.contract_file": ("read_contract",),
    "check.freeze": ("freeze_contract",),
    "check.verdict": (
        "CheckResult",
        "check_database",
    ),
    "connect.database": ("Database",),
    "connect.pipeline": ("Stop",),
    "engine.against": ("plan_against",),
    "engine.events": ("Result",),
    "engine.locks": ("LockOptions",),
    "engine.operations": (
        "migrate",
        "plan",
        "rollback",
        "status",
    ),
    "engine.planning": (
        "Allow",
        "Plan",
        "State",
        "Status",
    ),
    "errors": (
        "BadContract",
        "BadMigrationFile",
        "CannotRead",
        "ConnectionFailed",
        "ConnectionLost",
        "DatabaseError",
        "Interrupted",
        "LockNotAcquired",
        "MigrationFailed",
        "NoDatabase",
        "Refused",
        "ServerNotReady",
        "UsageError",
        "WfloSchemaError",
    ),
    "files.folder": (
        "Migration",
        "Migrations",
        "read_migrations",
    ),
    "files.naming": (
        "Moved",
        "merge_migration",
        "move_last",
        "new_migration",
    ),
    "findings": (
        "Finding",
        "Severity",
    ),
    "fleet.adopting": (
        "FleetAdoption",
        "adopt_fleet",
    ),
    "fleet.checking": (
        "FleetCheck",
        "check_fleet",
    ),
    "fleet.looking": (
        "FleetStatus",
        "status_fleet",
    ),
    "fleet.operations": (
        "migrate_fleet",
        "rollback_fleet",
    ),
    "fleet.outcomes": (
        "FleetOptions",
        "FleetResult",
        "Outcome",
    ),
    "fleet.plans": (
        "FleetPlan",
        "plan_fleet",
    ),
    "fleet.targets": ("Target",),
    "imports.operations": (
        "Import",
        "import_folder",
    ),
    "imports.source": ("Wishes",),
    "recipes.operations": ("write_recipe",),
    "recipes.values": ("Written",),
    "scratch.replay": ("replayed",),
    "server.docker": ("start_docker",),
    "server.embedded": (
        "start_embedded",
        "stop_embedded",
    ),
    "server.values": ("Server",),
    "squash.operations": (
        "Squashed",
        "squash_migrations",
    ),
    "testdb.databases": (
        "list_test_databases",
        "make_test_database",
        "prune_test_databases",
    ),
    "trace.operations": ("trace_migrations",),
    "trace.values": (
        "Lock",
        "Trace",
        "Traced",
    ),
}


def __getattr__(name: str) -> object:
    """Import on first use, so that the command line starts fast."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"wflo_schema.{home}"), name)
    raise AttributeError(f"module 'wflo_schema' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
