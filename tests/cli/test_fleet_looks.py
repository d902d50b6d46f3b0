"""What looks at many targets, as a user types and sees it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.test_commands import Ran, run
from tests.engine.test_faults import write
from wflo_schema.cli.looking import file_name
from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.operations import migrate_fleet
from wflo_schema.fleet.targets import Target

pytestmark = pytest.mark.one_server

NAMES = ("tenant_1", "tenant_2", "tenant_3")
FILES = {"1_a": "CREATE TABLE a (n int)", "2_b": "CREATE TABLE b (n int)"}


@pytest.fixture
def fleet(database: Database, tmp_path: Path) -> Database:
    """Three tenants, of whom the second lacks a column and the third a migration."""
    write(tmp_path / "migrations", FILES, dict.fromkeys(FILES, "SELECT 1"))
    (tmp_path / "migrations" / "contract.toml").write_text('[contract]\ntables = ["a"]\n')
    do(database, *(f"CREATE SCHEMA {name}" for name in NAMES))
    targets = [Target(name, database.with_schema(name)) for name in NAMES]
    assert migrate_fleet(targets, read_migrations(tmp_path / "migrations")).is_success
    do(
        database,
        "ALTER TABLE tenant_2.a ADD COLUMN extra int",
        "DELETE FROM tenant_3._yoyo_migration WHERE migration_id = '2_b'",
        "DROP TABLE tenant_3.b",
    )
    return database


def do(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def on(database: Database, *words: str, cwd: Path) -> Ran:
    return run(words[0], "--schemas", "tenant_%", *words[1:], cwd=cwd, env={"DATABASE_URL": database.url})


def test_status_says_how_many_stand_how(fleet: Database, tmp_path: Path) -> None:
    ran = on(fleet, "status", cwd=tmp_path)
    assert ran.out.splitlines()[:3] == [
        "3 targets, from migrations",
        "  2 are up to date",
        "  1 has 1 pending (2_b): tenant_3",
    ]
    assert "tenant_2.a.extra" in ran.out and (ran.code, ran.err) == (0, "")
    assert "catalogs" not in on(fleet, "status", "--no-catalogs", cwd=tmp_path).out


def test_status_as_json_is_one_line_a_target(fleet: Database, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in on(fleet, "status", "--format", "json", cwd=tmp_path).out.splitlines()]
    assert [(line["target"], line["schema"], line["standing"], line["pending"]) for line in lines] == [
        ("tenant_1", "tenant_1", "up-to-date", []),
        ("tenant_2", "tenant_2", "up-to-date", []),
        ("tenant_3", "tenant_3", "pending", ["2_b"]),
    ]
    assert lines[0]["catalog"] != lines[1]["catalog"]
    do(fleet, *(f"CREATE SCHEMA {name}" for name in ("tenant_4", "tenant_5")))
    assert (
        run(
            "migrate", "--schema", "tenant_4", "--schema", "tenant_5", cwd=tmp_path, env={"DATABASE_URL": fleet.url}
        ).code
        == 0
    )
    do(fleet, "ALTER TABLE tenant_5.a ADD COLUMN extra int")
    lines = [json.loads(line) for line in on(fleet, "status", "--format", "json", cwd=tmp_path).out.splitlines()]
    said = {line["target"]: [f["object"] for f in line["findings"]] for line in lines}
    assert (said["tenant_2"], said["tenant_5"]) == (["tenant_2.a.extra"], ["tenant_5.a.extra"])
    assert "2 differ from tenant_1: tenant_2, tenant_5; shown for tenant_2\n" in on(fleet, "status", cwd=tmp_path).out


def test_status_exits_with_3_where_one_cannot_be_read(fleet: Database, tmp_path: Path) -> None:
    with fleet.connect(autocommit=False) as connection:
        connection.execute("LOCK TABLE tenant_2._yoyo_migration")
        ran = on(fleet, "status", "--no-catalogs", cwd=tmp_path)
    assert ran.code == 3 and "  1 cannot be read: tenant_2\n    " in ran.out


def test_plan_shows_each_plan_once(fleet: Database, tmp_path: Path) -> None:
    ran = on(fleet, "plan", cwd=tmp_path)
    assert ran.out.splitlines()[1:3] == ["2 targets: nothing to do", "1 target: tenant_3"]
    assert "    would apply 2_b" in ran.out and ran.out.endswith("1 target to migrate\n") and ran.code == 0
    lines = [json.loads(line) for line in on(fleet, "plan", "--format", "json", cwd=tmp_path).out.splitlines()]
    assert [(line["target"], line["alike"], line["pending"], "statements" in line) for line in lines] == [
        ("tenant_1", "tenant_1", [], False),
        ("tenant_2", "tenant_1", [], False),
        ("tenant_3", "tenant_3", ["2_b"], True),
    ]
    refused = on(fleet, "plan", "--sql", cwd=tmp_path)
    assert refused.code == 2 and "--schema NAME" in refused.err


def test_check_exits_with_1_and_writes_every_format(fleet: Database, tmp_path: Path) -> None:
    ran = on(fleet, "check", cwd=tmp_path)
    assert ran.code == 1 and ran.out.splitlines()[-1].startswith("no: 1 of 3 targets is ok, 2 errors")
    junit = on(fleet, "check", "--format", "junit", cwd=tmp_path)
    assert len(ElementTree.fromstring(junit.out.encode()).findall("testsuite")) == 3 and junit.code == 1
    assert on(fleet, "check", "--only", "contract", cwd=tmp_path).code == 0


def test_dump_writes_a_file_for_each(fleet: Database, tmp_path: Path) -> None:
    ran = on(fleet, "dump", cwd=tmp_path)
    assert ran.code == 2 and "--output DIR" in ran.err and not ran.out
    assert on(fleet, "dump", "--output", "out/of", cwd=tmp_path).out == "3 targets written to out/of\n"
    assert sorted(p.name for p in (tmp_path / "out/of").iterdir()) == [f"{name}.sql" for name in NAMES]
    alone = ("dump", "--schema", "tenant_1", "--output", "one.sql")
    assert run(*alone, cwd=tmp_path, env={"DATABASE_URL": fleet.url}).code == 0
    assert (tmp_path / "one.sql").read_text() == (tmp_path / "out/of/tenant_1.sql").read_text()


def test_names_of_targets_are_fit_for_files() -> None:
    names = ["tenant_1", "shop#tenant 1", "host:5432/shop#a/b", "été", "..\\x"]
    assert [file_name(n) for n in names] == [
        "tenant_1",
        "shop#tenant 1",
        "host%3A5432%2Fshop#a%2Fb",
        "%C3%A9t%C3%A9",
        "..%5Cx",
    ]


def test_wait_exits_with_1_where_one_is_not_migrated_in_time(fleet: Database, tmp_path: Path) -> None:
    ran = on(fleet, "wait", "--applied", "--timeout", "0", cwd=tmp_path)
    assert ran.code == 1 and "1 of 3 targets is not migrated yet: tenant_3" in ran.err
    assert on(fleet, "wait", cwd=tmp_path).out == "ready: 3 targets\n"
    assert run("migrate", "--schema", "tenant_3", cwd=tmp_path, env={"DATABASE_URL": fleet.url}).code == 0
    assert on(fleet, "wait", "--applied", "--timeout", "60s", cwd=tmp_path).code == 0


def test_adopt_records_where_it_is_equal(fleet: Database, tmp_path: Path) -> None:
    do(fleet, *(f"DROP TABLE {name}._yoyo_migration, {name}._yoyo_log, {name}._yoyo_version" for name in NAMES))
    ran = on(fleet, "adopt", cwd=tmp_path)
    assert ran.code == 1 and ran.out.splitlines()[-1] == "2 equal, 1 different"
    assert "next: wflo-schema adopt --apply --schema tenant_3\n" in ran.out
    lines = on(fleet, "adopt", "--apply", "--format", "json", cwd=tmp_path).out.splitlines()
    applied = [(line["target"], line["id"], line["is_applied"]) for line in map(json.loads, lines)]
    assert applied == [("tenant_1", "2_b", True), ("tenant_2", "2_b", False), ("tenant_3", "1_a", True)]


def test_what_to_type_next_is_for_a_group_and_no_other_target(fleet: Database, tmp_path: Path) -> None:
    do(fleet, *(f"DROP TABLE {name}._yoyo_migration, {name}._yoyo_log, {name}._yoyo_version" for name in NAMES))
    do(fleet, "ALTER TABLE tenant_2.a DROP COLUMN extra")
    both = "--schema tenant_1 --schema tenant_2"
    ran = on(fleet, "adopt", cwd=tmp_path)
    assert f"next: wflo-schema adopt {both} --apply\n" in ran.out
    assert "next: wflo-schema adopt --apply --schema tenant_3\n" in ran.out
    ran = on(fleet, "adopt", "--databases", fleet.name, cwd=tmp_path)
    pattern = fleet.name.replace("_", "\\_")
    assert f"adopt {both} --databases '{pattern}' --apply\n" in ran.out
    (tmp_path / "list").write_text("".join(f"{fleet.url}#{name}\n" for name in NAMES))
    ran = run("adopt", "--targets", "list", cwd=tmp_path)
    assert "adopt --targets list --apply  # that is for all 3 targets, not 2 alone\n" in ran.out
    for command in ("status", "plan"):
        ran = on(fleet, command, cwd=tmp_path)
        assert f"take it over: wflo-schema adopt {both}" in ran.out
        assert "take it over: wflo-schema adopt --schema tenant_3" in ran.out


def test_one_cause_is_told_by_an_example_and_json_has_the_words_of_each(fleet: Database, tmp_path: Path) -> None:
    do(fleet, *(f"ALTER TABLE {name}._yoyo_migration RENAME TO gone" for name in NAMES[:2]))
    do(fleet, *(f"CREATE VIEW {name}._yoyo_migration AS SELECT 1 AS n" for name in NAMES[:2]))
    ran = on(fleet, "status", cwd=tmp_path)
    assert "  2 cannot be read: tenant_1, tenant_2\n    for example in tenant_1: " in ran.out, ran.out
    lines = [json.loads(line) for line in on(fleet, "status", "--format", "json", cwd=tmp_path).out.splitlines()]
    assert [name in line["error"]["message"] for line, name in zip(lines, NAMES[:2], strict=False)] == [True, True]
