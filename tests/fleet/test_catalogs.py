"""A hash tells apart what a comparison tells apart, and nothing else: least of all the names of tenants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from tests.catalog.test_compare import BASE, CASES
from tests.catalog.test_round_trip import make_everything, pg_dump, psql
from tests.check.test_drift import KEYS, SEEN, TOGETHER
from tests.citus import Cluster
from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.diff.corpus import PAIRS
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet import catalogs
from wflo_schema.fleet.catalogs import CatalogGroups, group_catalogs, hash_catalogs, hash_of_migrations, read_hashes

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

MIGRATIONS = Path(__file__).parents[2] / "migrations"

Connection = psycopg.Connection[TupleRow]

# Names that would be something else in a pattern, or a part of another's.
AWKWARD = (
    "t",
    "t_1",
    "t_10",
    "Tenant 1",
    'with "quotes"',
    "a.b",
    "(x|y)*",
    "back\\slash",
    "it's",
    "été",
    "select",
    "$1",
)

# What belongs to no schema, or to one that it names.
_ELSEWHERE = re.compile(
    r"\bpublic\b|create schema|extension|create role|publication|event trigger|foreign data|create server|create cast"
    r"|transform|search_path|create language|access method|create user mapping",
    re.IGNORECASE,
)

# Since which version it can be run, and what is there before and after a change.
CHANGES = tuple(
    (since, before, after)
    for since, before, after in (
        *((pair.since, pair.before, pair.after) for pair in PAIRS[::2]),
        *((one.since, one.setup, f"{one.setup};{one.change}") for one in (*KEYS, *TOGETHER, *SEEN)),
    )
    if not _ELSEWHERE.search(before + after)
)


def in_schema(connection: Connection, schema: str, *scripts: str) -> None:
    """Run them where names lead to that schema, which is made."""
    with connection.transaction():
        path = sql.SQL("CREATE SCHEMA {0}; SET LOCAL search_path = {0}").format(sql.Identifier(schema))
        connection.execute(path)
        for script in scripts:
            connection.execute(script.encode())


def tenants(database: Database, *names: str) -> Mapping[str, Database]:
    return {name: database.with_schema(name) for name in names}


def shown(found: CatalogGroups) -> list[tuple[tuple[str, ...], list[str]]]:
    return [(group.names, [finding.message for finding in group.findings]) for group in found.groups]


def test_hashes_differ_exactly_where_a_comparison_finds_a_difference(database: Database) -> None:
    with database.connect() as connection:
        version = connection.info.server_version // 10000
        numbers = [n for n, (since, _, _) in enumerate(CHANGES) if since <= version]
        for number in numbers:
            _, before, after = CHANGES[number]
            name = AWKWARD[number % len(AWKWARD)]
            in_schema(connection, f"{name}{number}", before)
            in_schema(connection, f"{name}{number}1", after)
            in_schema(connection, f"_{number}{name}", before)
        found = read_catalog(connection).by_schema()
    assert len(numbers) > 190
    hashed = hash_catalogs(database, found)
    assert hashed.failed == {}
    assert set(hashed.hashes) == set(found)
    for number in numbers:
        name = AWKWARD[number % len(AWKWARD)]
        before, after, again = f"{name}{number}", f"{name}{number}1", f"_{number}{name}"
        differences = compare_catalogs(found[after], found[before], ignore_schema_names={after: before})
        is_equal = hashed.hashes[before] == hashed.hashes[after]
        assert is_equal == (differences == ()), (CHANGES[number], differences)
        assert hashed.hashes[before] == hashed.hashes[again], CHANGES[number]


def test_every_single_change_of_a_database_changes_its_hash(database: Database, is_whole: bool) -> None:
    with database.connect() as connection:
        connection.execute(BASE)
        version = connection.info.server_version // 10000
        hashes = {"": read_hashes(connection, None)[catalogs.WHOLE]}
        assert hash_catalogs(database, None).hashes == {catalogs.WHOLE: hashes[""]}
        for case in CASES if is_whole else CASES[version % 8 :: 8]:
            if case.since <= version:
                with connection.transaction(force_rollback=True):
                    connection.execute(case.change.encode())
                    hashes[case.change] = read_hashes(connection, None)[catalogs.WHOLE]
        assert read_hashes(connection, None)[catalogs.WHOLE] == hashes[""]
    assert len(set(hashes.values())) == len(hashes)


def test_a_schema_keeps_its_hash_under_every_name(server: RunningServer, database: Database) -> None:
    make_everything(server, database, with_later=True)
    seen = set()
    with database.connect() as connection:
        name = "app"
        for other in AWKWARD:
            rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(*map(sql.Identifier, (name, other)))
            connection.execute(rename)
            name = other
            if name != "t":  # the alias of a table in one of the views
                seen.add(read_hashes(connection, (name,), privileges=True)[name])
    assert len(seen) == 1


def test_what_leads_into_another_tenants_schema_is_a_difference(database: Database) -> None:
    own = (
        "CREATE TABLE a (id integer PRIMARY KEY, b integer REFERENCES a);"
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql SET search_path = {path} AS 'SELECT 1';"
        "CREATE VIEW v AS SELECT id FROM {of}.a"
    )
    with database.connect() as connection:
        for name in ("t_1", "t_10", "t_11"):
            in_schema(connection, name, own.format(of=name, path=f"pg_catalog, {name}, pg_temp"))
        in_schema(connection, "t_2", own.format(of="t_1", path="t_2"))
        in_schema(connection, "t_3", own.format(of="t_3", path="pg_catalog, t_1, pg_temp"))
    found = group_catalogs(tenants(database, "t_1", "t_10", "t_11", "t_2", "t_3"))
    assert shown(found) == [
        (("t_1", "t_10", "t_11"), []),
        (("t_2",), ["function t_2.f() differs in definition", "view t_2.v differs in definition"]),
        (("t_3",), ["function t_3.f() differs in definition"]),
    ]


def test_two_tenants_that_lead_into_each_other_are_not_alike(database: Database) -> None:
    with database.connect() as connection:
        for name in ("a", "b", "c"):
            in_schema(connection, name, "CREATE TABLE t (a integer)")
        for name, other in (("a", "b"), ("b", "a"), ("c", "b")):
            connection.execute(f"CREATE VIEW {name}.v AS SELECT a FROM {other}.t".encode())
    found = group_catalogs(tenants(database, "a", "b", "c"))
    assert shown(found) == [(("a", "c"), []), (("b",), ["view b.v differs in definition"])]
    (difference,) = found.groups[1].findings
    assert "FROM a.t" in difference.have
    assert "b, another tenant's" in difference.want


def test_what_only_looks_like_a_schemas_name_is_no_difference(database: Database) -> None:
    with database.connect() as connection:
        for name in ("x", "u", "v"):
            in_schema(connection, name, "CREATE TABLE a (a integer); CREATE VIEW w AS SELECT x.a FROM a AS x, a AS u")
    found = group_catalogs(tenants(database, "u", "v", "x"))
    assert shown(found) == [(("u", "v", "x"), [])]
    assert len(found.groups[0].hashes) == 2


def test_columns_that_are_missing_behind_a_ledger_that_says_all_is_applied_are_found(database: Database) -> None:
    migrations = read_migrations(MIGRATIONS)
    names = [f"tenant_{n}" for n in range(1, 9)]
    for name in names:
        operations.migrate(database.with_schema(name), migrations, create_schema=True)
    with database.connect() as connection:
        for name in ("tenant_3", "tenant_7"):
            connection.execute(
                f"ALTER TABLE {name}.workflow_executions DROP inputs, DROP cost_total_usd;"
                f"ALTER TABLE {name}.step_executions DISABLE TRIGGER ALL".encode()
            )
        connection.execute("CREATE TABLE tenant_8.alembic_version (version_num text)")
    for name in names:
        assert not operations.status(database.with_schema(name), migrations).pending
    wanted = hash_of_migrations(database.with_schema("tenant_1"), migrations)
    for made in (wanted, None):
        whole, broken = group_catalogs(tenants(database, *names), wanted=made).groups
        assert (whole.names, whole.findings) == (tuple(n for n in names if n not in ("tenant_3", "tenant_7")), ())
        assert (broken.names, len(broken.hashes)) == (("tenant_3", "tenant_7"), 1)
        assert sorted((f.code, f.message) for f in broken.findings) == [
            ("drift", "column tenant_3.workflow_executions.cost_total_usd is not there"),
            ("drift", "column tenant_3.workflow_executions.inputs is not there"),
            ("drift", "constraint tenant_3.step_executions.fk_step_executions_execution_id differs in triggers"),
        ]
        assert (whole.compared_to, whole.hashes == (wanted.hash,)) == ("" if made else "tenant_1", True)


def test_a_tenants_own_roles_are_alike_and_other_roles_are_not(database: Database) -> None:
    roles = ("fleet_catalogs_a", "fleet_catalogs_b", "fleet_catalogs_zz")
    text = (
        "CREATE TABLE t (a integer); ALTER SCHEMA {own} OWNER TO {own}; ALTER TABLE t OWNER TO {own};"
        "GRANT SELECT ON t TO {other}, pg_monitor; GRANT UPDATE (a) ON t TO PUBLIC;"
        "ALTER DEFAULT PRIVILEGES FOR ROLE {own} IN SCHEMA {own} GRANT SELECT ON TABLES TO {own}, pg_monitor"
    )
    with database.connect() as connection:
        for role in roles:
            connection.execute(
                f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$".encode()
            )
        for role in roles:
            in_schema(connection, role, text.format(own=role, other="pg_read_all_data"))
        connection.execute("GRANT INSERT ON fleet_catalogs_b.t TO pg_monitor")
    targets = tenants(database, *roles)
    assert shown(group_catalogs(targets)) == [(roles, [])]
    found = group_catalogs(targets, privileges=True)
    assert shown(found) == [
        (("fleet_catalogs_a", "fleet_catalogs_zz"), []),
        (("fleet_catalogs_b",), ["table fleet_catalogs_b.t differs in privileges"]),
    ]
    assert [len(group.hashes) for group in found.groups] == [1, 1]
    with database.connect() as connection:
        connection.execute(f"DROP OWNED BY {', '.join(roles)} CASCADE".encode())


def test_a_role_without_any_privilege_sees_the_same_hashes(server: RunningServer, database: Database) -> None:
    make_everything(server, database, with_later=True)
    with database.connect() as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE fleet_catalogs_nobody; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
        hashes = [read_hashes(connection, schemas, privileges=True) for schemas in (None, ["app", "public"])]
        connection.execute("SET SESSION AUTHORIZATION fleet_catalogs_nobody")
        assert [read_hashes(connection, s, privileges=True) for s in (None, ["app", "public"])] == hashes


def test_what_pg_dump_restores_is_one_group_with_what_was_there(
    server: RunningServer, database: Database, second: Database
) -> None:
    if not (server.bin / "pg_dump").exists():
        pytest.skip(f"pg_dump of PostgreSQL {server.version} is not here, and a newer one writes what it does not read")
    make_everything(server, database, with_later=True)
    psql(server, second, pg_dump(server, database))
    found = group_catalogs({"was": database, "is": second})
    assert shown(found) == [(("is", "was"), [])]


def test_a_target_that_cannot_be_read_is_named_and_stops_no_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogs, "LOCK_TIMEOUT_MS", 1000)
    with database.connect() as connection, database.connect(autocommit=False) as busy:
        for name in ("a", "b", "c"):
            in_schema(connection, name, "CREATE TABLE t (a integer); CREATE VIEW v AS SELECT a FROM t")
        busy.execute("LOCK TABLE b.t IN ACCESS EXCLUSIVE MODE")
        nowhere = database.with_name("not_there")
        targets = {**tenants(database, "a", "b", "c", "d"), "e": nowhere, "f": nowhere.with_schema("a")}
        found = group_catalogs(targets)
    assert shown(found) == [(("a", "c"), [])]
    assert list(found.failed) == ["b", "d", "e", "f"]
    assert "lock timeout" in str(found.failed["b"])
    assert "there is no schema d" in str(found.failed["d"])
    assert "not_there" in str(found.failed["e"])


@pytest.mark.one_server
def test_schemas_with_many_views_are_asked_about_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"t{n}" for n in range(5))
    with database.connect() as connection:
        for name in names:
            in_schema(connection, name, "CREATE TABLE t (a integer); CREATE VIEW v AS SELECT a FROM t")
        assert len(catalogs._chunks(connection, names, (), 1)) == 1
        at_once = hash_catalogs(database, names)
        monkeypatch.setattr(catalogs, "_SHARE_OF_LOCKS", 10**9)
        assert len(catalogs._chunks(connection, names, (), 1)) == len(names)
        assert hash_catalogs(database, names) == at_once


@pytest.mark.one_server
def test_targets_on_two_major_versions_are_one_group_where_only_the_printing_differs(
    server: RunningServer, database: Database
) -> None:
    other = start_server(min(BIN) if server.version != min(BIN) else max(BIN))
    try:
        targets: dict[str, Database] = {}
        for one in (database, other.database):
            with one.connect() as connection:
                for name in ("a", "b"):
                    in_schema(
                        connection, name, "CREATE TABLE t (a serial PRIMARY KEY); CREATE VIEW v AS SELECT t.a FROM t"
                    )
                    targets[f"{len(targets)}"] = one.with_schema(name)
        found = group_catalogs(targets)
    finally:
        stop_server(other)
    assert shown(found) == [(("0", "1", "2", "3"), [])]
    assert len(found.groups[0].hashes) == 2
    assert ["the two may print the same definition differently" in note for note in found.notes] == [True]


@pytest.mark.citus
def test_how_citus_distributes_a_tenants_tables_counts(cluster: Cluster) -> None:
    ways = {
        "a": ("create_distributed_table('t', 'id', colocate_with => 'none')", "create_distributed_table('u', 'id')"),
        "b": ("create_distributed_table('t', 'id', colocate_with => 'none')", "create_reference_table('u')"),
        "c": ("create_distributed_table('t', 'id', colocate_with => 'none')", "create_distributed_table('u', 'id')"),
        "d": (),
    }
    targets = {name: cluster.local(name) for name in ways} | {name: cluster.tenant(name) for name in ("e", "f")}
    for name, target in targets.items():
        with target.connect() as connection:
            connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(target.schema or "")))
            for table in ("t", "u"):
                connection.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY)".encode())
            for way in ways.get(name, ()):
                connection.execute(f"SELECT {way}".encode())
    found = group_catalogs(targets)
    assert [group.names for group in found.groups] == [("d", "e", "f"), ("a", "c"), ("b",)]
    assert [[f.message.split(" differs in ")[1] for f in group.findings] for group in found.groups] == [
        [],
        ["distribution", "distribution"],
        ["distribution", "distribution"],
    ]
