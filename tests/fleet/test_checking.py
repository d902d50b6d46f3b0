"""The check of many targets says what the check of each alone says, and says once what several have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.fleet.test_looking import execute, folder, migrated, tenants, write
from wflo_schema.catalog.snapshot import dump_schema, parse_snapshot
from wflo_schema.check.contract import Contract
from wflo_schema.check.contract_file import read_contract
from wflo_schema.check.freeze import freeze_contract
from wflo_schema.check.verdict import CheckResult, check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Finding, Severity
from wflo_schema.fleet.checking import FleetCheck, check_fleet
from wflo_schema.fleet.targets import Target
from wflo_schema.scratch.replay import replayed
from wflo_schema.show.fleet_checks import FLEET_FORMATS

pytestmark = pytest.mark.one_server

__all__ = ["folder"]

CONTRACT = """
[contract]
tables = ["plans", "tasks"]

[[foreign_key]]
from = "tasks(plan)"
to = "plans(id)"
"""

# What makes tenants odd, each in another way: in the catalog, in what no catalog holds, in rows, in the ledger.
ODD = (
    "ALTER TABLE tenant_01.tasks ADD COLUMN extra int",
    "ALTER TABLE tenant_02.tasks ADD COLUMN extra int",
    "ALTER TABLE tenant_03.tasks DISABLE TRIGGER ALL",
    "ALTER TABLE tenant_04.tasks DROP CONSTRAINT tasks_plan_fkey",
    "SET session_replication_role = replica",
    "INSERT INTO tenant_05.tasks VALUES (1, 7)",
    "RESET session_replication_role",
    "DELETE FROM tenant_06._yoyo_migration WHERE migration_id = 'b'",
    "ALTER TABLE tenant_07._yoyo_migration SET UNLOGGED",
    "CREATE INDEX again ON tenant_08.tasks (title)",
)


@pytest.fixture
def contract(folder: Path) -> Contract:
    (folder / "contract.toml").write_text(CONTRACT)
    return read_contract(folder / "contract.toml")


def said(result: CheckResult) -> tuple[object, ...]:
    """What counts of a result."""
    findings = [replace(f, help="") for f in result.findings]
    verified = [replace(v, shown=None) for v in result.verified]
    return (result.label, result.schema, findings, verified, result.orphans, result.allowed, result.exit_code)


def check_each(targets: Sequence[Target], contract: Contract, folder: Path, only: Sequence[str]) -> dict[str, object]:
    files = read_migrations(folder)
    return {
        t.name: said(
            check_database(
                t.database,
                contract,
                migrations=files,
                only=only,
                wanted=replayed(t.database, files) if "drift" in only else None,
            )
        )
        for t in targets
    }


@pytest.mark.parametrize(
    "only", [("contract", "ledger", "indexes"), ("contract", "ledger", "rows", "drift", "indexes")]
)
def test_says_the_same_as_the_check_of_each(
    database: Database, folder: Path, contract: Contract, only: tuple[str, ...]
) -> None:
    targets = migrated(database, folder, 10)
    execute(database, *ODD)
    found = check_fleet(targets, contract, migrations=read_migrations(folder), only=only)
    assert {name: said(result) for name, result in found.results.items()} == check_each(targets, contract, folder, only)
    assert found.exit_code == 1 and not found.failed


def test_what_several_have_is_one_finding(database: Database, folder: Path, contract: Contract) -> None:
    targets = migrated(database, folder, 6)
    execute(database, *ODD[:3])
    found = check_fleet(targets, contract, migrations=read_migrations(folder), compared=True)
    told = [(one.finding.code, one.targets) for one in found.findings if one.finding.severity is Severity.ERROR]
    assert ("drift", ("tenant_01", "tenant_02")) in told
    assert {names for _, names in told} == {("tenant_01", "tenant_02"), ("tenant_03",)}
    assert found.results["tenant_02"].findings[-1].object == "tenant_02.tasks.extra"


def test_findings_that_differ_in_a_number_are_two(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 4)
    execute(
        database,
        "ALTER TABLE tenant_01.tasks ADD COLUMN c1 int, ADD COLUMN c2 int",
        "ALTER TABLE tenant_02.tasks ADD COLUMN c2 int",
        "ALTER TABLE tenant_03.tasks ADD COLUMN c1 varchar(9)",
    )
    found = check_fleet(targets, None, migrations=read_migrations(folder), only=("ledger", "drift"))
    assert {(f.finding.object.partition(".")[2], f.finding.have, f.targets) for f in found.findings} == {
        ("tasks.c2", "integer", ("tenant_01", "tenant_02")),
        ("tasks.c1", "integer", ("tenant_01",)),
        ("tasks.c1", "character varying(9)", ("tenant_03",)),
    }


def test_where_all_is_well_the_answer_is_yes(database: Database, folder: Path, contract: Contract) -> None:
    targets = migrated(database, folder, 4)
    for sections in (("contract", "ledger", "indexes"), ("drift",)):
        found = check_fleet(targets, contract, migrations=read_migrations(folder), only=sections, compared=True)
        assert (found.exit_code, found.findings) == (0, ())


def test_a_snapshot_of_one_tenant_is_held_against_all(database: Database, folder: Path, contract: Contract) -> None:
    targets = migrated(database, folder, 4)
    snapshot = parse_snapshot(dump_schema(targets[0].database).text)
    execute(database, *ODD[:2])
    found = check_fleet(targets, contract, migrations=read_migrations(folder), only=("drift",), snapshot=snapshot)
    assert [(f.finding.object, f.targets) for f in found.findings] == [
        ("tenant_01.tasks.extra", ("tenant_01", "tenant_02"))
    ]


def test_an_allowance_is_unused_only_where_no_target_needs_it(
    database: Database, folder: Path, contract: Contract
) -> None:
    targets = migrated(database, folder, 4)
    execute(database, "DELETE FROM tenant_01._yoyo_migration WHERE migration_id = 'b'")
    allowed = "\n".join(
        f'[[allow]]\ncode = "ledger-pending"\nobject = "{name}"\nreason = "a test"\n' for name in ("b", "nix")
    )
    (folder / "contract.toml").write_text(CONTRACT + allowed)
    held_to = read_contract(folder / "contract.toml")
    found = check_fleet(targets, held_to, migrations=read_migrations(folder))
    assert [f.finding.object for f in found.findings] == ["ledger-pending nix"]
    assert found.exit_code == 0


def test_targets_with_values_of_their_own_are_each_held_to_these(
    database: Database, folder: Path, contract: Contract
) -> None:
    write(folder, c="-- variables: state\nALTER TABLE plans ADD COLUMN state text DEFAULT :'state';")
    targets = tenants(database, 4)
    for n, target in enumerate(targets):
        operations.migrate(target.database, read_migrations(folder, variables={"state": "new" if n % 2 else "old"}))
    execute(database, "ALTER TABLE tenant_03.plans ALTER state SET DEFAULT 'old'")
    found = check_fleet(targets, contract, migrations=read_migrations(folder), only=("drift",))
    assert [(f.finding.object, f.targets) for f in found.findings] == [("tenant_03.plans.state", ("tenant_03",))]


def test_a_contract_that_was_frozen_from_one_target_holds_all(database: Database, folder: Path) -> None:
    targets = migrated(database, folder, 3)
    execute(
        database,
        *(
            f"CREATE TYPE {t.name}.color AS ENUM ('red'); "
            f"ALTER TABLE {t.name}.tasks ADD color {t.name}.color DEFAULT 'red', ADD number serial"
            for t in targets
        ),
    )
    (folder / "contract.toml").write_text(freeze_contract(targets[1].database))
    frozen = read_contract(folder / "contract.toml")
    assert frozen.schema == "tenant_01"
    assert check_fleet(targets, frozen, only=("contract",)).findings == ()
    execute(database, "ALTER TABLE tenant_02.tasks DROP CONSTRAINT tasks_plan_fkey")
    found = check_fleet(targets, frozen, only=("contract",))
    assert {(f.finding.code, f.targets) for f in found.findings} == {("key-missing", ("tenant_02",))}
    whole = Target("whole", database)
    assert check_fleet((whole,), frozen, only=("contract",)).results["whole"].schema == "tenant_01"


def test_what_another_schema_records_is_found(database: Database, folder: Path) -> None:
    migrated(database, folder, 1)
    files = read_migrations(folder)
    result = check_fleet([Target("one", database)], None, migrations=files, only=("ledger",)).results["one"]
    assert said(result) == said(check_database(database, None, migrations=files, only=("ledger",)))
    assert "ledger-elsewhere" in {f.code for f in result.findings}


@pytest.fixture
def found(database: Database, folder: Path, contract: Contract) -> FleetCheck:
    """A check with what several have, and with one that could not be checked."""
    targets = migrated(database, folder, 4)
    execute(database, *ODD[:2])
    failed = Target("failed", database, failure=ConnectionFailed("it is away", hint="start it"))
    return check_fleet((*targets, failed), contract, migrations=read_migrations(folder), compared=True)


def test_the_text_says_each_finding_once(found: FleetCheck) -> None:
    text = FLEET_FORMATS["text"](found)
    assert (
        text.count("[drift]") == 1
        and "in 2 targets: tenant_01, tenant_02; shown for tenant_01\n  error: [drift]" in text
    )
    assert "1 target could not be checked: failed\n    it is away\n    hint: start it" in text
    assert "\nno: 2 of 5 targets are ok, 1 error, 1 could not be checked (" in text


def test_json_is_one_line_a_target(found: FleetCheck) -> None:
    lines = [json.loads(line) for line in FLEET_FORMATS["json"](found).splitlines()]
    assert [line["target"] for line in lines] == ["tenant_00", "tenant_01", "tenant_02", "tenant_03", "failed"]
    assert [line.get("exit_code") for line in lines] == [0, 1, 1, 0, None]
    assert lines[-1]["error"]["message"] == "it is away"


def test_junit_has_a_suite_for_each_target(found: FleetCheck) -> None:
    root = ElementTree.fromstring(FLEET_FORMATS["junit"](found).encode())
    suites = [(s.get("name"), s.get("failures"), s.get("errors")) for s in root.findall("testsuite")]
    assert suites[1] == ("wflo-schema check tenant_01", "1", "0")
    assert suites[-1] == ("wflo-schema check failed", "0", "1")
    assert root.get("failures") == "2" and len(suites) == 5


def test_sarif_and_github_name_the_targets_in_what_they_say(found: FleetCheck) -> None:
    results = json.loads(FLEET_FORMATS["sarif"](found))["runs"][0]["results"]
    assert [r["ruleId"] for r in results] == ["drift", "cannot-see"]
    assert "(in 2 targets: tenant_01, tenant_02; shown for tenant_01)" in results[0]["message"]["text"]
    errors = [line for line in FLEET_FORMATS["github"](found).splitlines() if line.startswith("::error")]
    assert len(errors) == 1 and "tenant_02" in errors[0]


def test_what_is_wanted_is_said_of_each(found: FleetCheck) -> None:
    one = found.results["tenant_02"].findings[-1]
    assert one == Finding("drift", Severity.ERROR, "tenant_02.tasks.extra", one.message, "integer", "NOTHING", one.help)
