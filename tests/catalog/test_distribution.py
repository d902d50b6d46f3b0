"""Citus: a snapshot says how tables are kept, loads so, and a difference in it is one that is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql

from tests.check.test_distribution import TABLES, do, statements_of
from tests.citus import Cluster
from tests.cli.test_commands import run, write
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.catalog.snapshot import dump_schema, parse_snapshot
from wflo_schema.connect.database import Database
from wflo_schema.fleet.catalogs import hash_catalogs

pytestmark = pytest.mark.citus


def load(database: Database, text: str) -> None:
    """Send each statement of a snapshot by itself, as psql does."""
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    with database.connect() as connection:
        connection.execute("SET client_min_messages = error")
        for statement in statements_of(code):
            connection.execute(statement.encode())


@pytest.mark.parametrize("kind", ["local", "tenant"])
def test_a_snapshot_loads_with_its_distribution(cluster: Cluster, kind: str) -> None:
    database = cluster.local() if kind == "local" else cluster.tenant()
    tables = TABLES if kind == "local" else "CREATE TABLE a (id integer PRIMARY KEY);\nCREATE TABLE b (id integer);\n"
    do(database, *statements_of(tables))
    before = dump_schema(database)
    assert (before.left_out, before.needs) == ((), ("extension citus",))

    with database.connect() as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(str(database.schema))))
    load(database, before.text)

    assert dump_schema(database).text == before.text
    found = parse_snapshot(before.text)
    kept = {o.path[-1]: (o.get("distribution"), o.get("colocated with")) for o in found.objects if o.kind == "table"}
    schema = found.find("schema", str(database.schema))
    assert schema is not None
    if kind == "tenant":
        assert schema.get("distributed") == "DISTRIBUTED"
        assert set(kept.values()) == {("", "")}
        return
    events = f"{database.schema}.events"
    assert schema.get("distributed") == ""
    assert kept == {
        "kinds": ("REFERENCE", ""),
        "tenants": ("HASH (id)", events),
        "events": ("HASH (tenant_id)", ""),
        "parts": ("HASH (tenant_id)", events),
        "parts_1": ("", ""),
        "jobs": ("SINGLE SHARD", ""),
        "plain": ("", ""),
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("SELECT undistribute_table('b')", {("b", "distribution")}),
        ("SELECT create_reference_table('plain')", {("plain", "distribution")}),
        ("SELECT create_distributed_table('plain', 'id')", {("plain", "distribution")}),
        ("SELECT alter_distributed_table('b', distribution_column => 'n')", {("b", "distribution")}),
        ("SELECT alter_distributed_table('b', colocate_with => 'none')", {("b", "colocated with")}),
        (
            "SELECT alter_distributed_table('a', colocate_with => 'none')",
            {("b", "colocated with"), ("c", "colocated with")},
        ),
        ("SELECT alter_distributed_table('b', shard_count => 5, cascade_to_colocated => true)", set()),
    ],
)
def test_what_is_kept_otherwise_is_a_difference_and_its_mend_mends_it(
    cluster: Cluster, change: str, told: set[tuple[str, str]]
) -> None:
    database = cluster.local()
    do(
        database,
        *(f"CREATE TABLE {name} (id integer, n integer)" for name in ("a", "b", "c", "plain")),
        "SELECT create_distributed_table('a', 'id', colocate_with => 'none', shard_count => 2)",
        "SELECT create_distributed_table('b', 'id', colocate_with => 'a')",
        "SELECT create_distributed_table('c', 'id', colocate_with => 'a')",
    )
    schemas = (str(database.schema),)
    with database.connect() as connection:
        want = read_catalog(connection, schemas=schemas)
    before = hash_catalogs(database, schemas).hashes
    do(database, change)
    with database.connect() as connection:
        have = read_catalog(connection, schemas=schemas)
    differences = compare_catalogs(have, want)

    assert {(d.object.rpartition(".")[2], d.attribute) for d in differences if not d.cosmetic} == told
    assert hash_catalogs(database, schemas).hashes != before
    for one in differences:
        load(database, one.mend)
    with database.connect() as connection:
        assert not compare_catalogs(read_catalog(connection, schemas=schemas), want)


def test_drift_says_a_table_that_is_local_and_should_not_be(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    database = cluster.local()
    write(
        tmp_path,
        **{
            "1_a": "CREATE TABLE a (id integer);\nSELECT create_distributed_table('a', 'id');",
            "1_a_rollback": "DROP TABLE a;",
        },
    )
    target = ("--database-url", database.url, "--schema", str(database.schema))
    assert run("migrate", *target, cwd=tmp_path).code == 0
    ran = run("check", "--only", "drift", *target, cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err

    do(database, "SELECT undistribute_table('a')")
    ran = run("check", "--only", "drift", *target, cwd=tmp_path)
    assert ran.code == 1
    assert "differs in distribution\n  have: NOT DISTRIBUTED\n  want: HASH (id)\n" in ran.out


def test_a_tenant_made_beforehand_has_no_drift(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    write(tmp_path, **{"1_a": "CREATE TABLE a (id integer);", "1_a_rollback": "DROP TABLE a;"})
    tenant = cluster.tenant()
    target = ("--database-url", tenant.url, "--schema", str(tenant.schema))
    assert run("migrate", *target, cwd=tmp_path).code == 0

    ran = run("check", "--only", "drift", *target, cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
