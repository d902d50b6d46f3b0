"""Citus: a contract says how it keeps tables, and check holds its catalog and every shard to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.citus import Cluster
from tests.conftest import RunningServer
from wflo_schema.check import distribution
from wflo_schema.check.contract import Contract
from wflo_schema.check.contract_file import parse_contract, read_contract
from wflo_schema.check.distribution import Shard
from wflo_schema.check.facts import begin_reading, read_facts
from wflo_schema.check.freeze import freeze_contract
from wflo_schema.check.verdict import CheckResult, check_database
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.citus

MIGRATIONS = Path(__file__).parents[2] / "migrations"

# Codes that no database without Citus can have; each is met below.
CODES = frozenset(
    {
        "schema-not-distributed",
        "table-not-distributed",
        "table-wrong-distribution",
        "table-wrong-shards",
        "table-not-colocated",
        "shard-differs",
        "shard-unreadable",
    }
)

TABLES = """
CREATE TABLE kinds (id integer PRIMARY KEY);
SELECT create_reference_table('kinds');
CREATE TABLE tenants (id integer PRIMARY KEY);
SELECT create_distributed_table('tenants', 'id', colocate_with => 'none', shard_count => 2);
CREATE TABLE events (tenant_id integer, id integer, kind integer CHECK (kind > 0), PRIMARY KEY (tenant_id, id));
SELECT create_distributed_table('events', 'tenant_id', colocate_with => 'tenants');
ALTER TABLE events ADD CONSTRAINT of_tenant FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE;
ALTER TABLE events ADD CONSTRAINT of_kind FOREIGN KEY (kind) REFERENCES kinds;
CREATE INDEX events_kind_ix ON events (kind);
CREATE TABLE parts (tenant_id integer, at date, kind integer, PRIMARY KEY (tenant_id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
SELECT create_distributed_table('parts', 'tenant_id', colocate_with => 'tenants');
ALTER TABLE parts ADD CONSTRAINT parts_kind FOREIGN KEY (kind) REFERENCES kinds;
ALTER TABLE parts ADD CONSTRAINT parts_tenant FOREIGN KEY (tenant_id) REFERENCES tenants;
CREATE TABLE jobs (id integer);
SELECT create_distributed_table('jobs', NULL, colocate_with => 'none');
CREATE TABLE plain (id integer PRIMARY KEY, kind integer);
"""

CONTRACT = """
[tables.kinds]
reference = true
[tables.tenants]
distributed_by = "id"
shards = 2
[tables.events]
distributed_by = "tenant_id"
colocated_with = "tenants"
[tables.parts]
colocated_with = "events"
[tables.jobs]
distributed = true
[[foreign_key]]
name = "of_tenant"
from = "events(tenant_id)"
to = "tenants(id)"
on_delete = "CASCADE"
[[foreign_key]]
from = "events(kind)"
to = "kinds(id)"
[[foreign_key]]
from = "parts(tenant_id)"
to = "tenants(id)"
[[foreign_key]]
from = "parts(kind)"
to = "kinds(id)"
[[unique]]
on = "events(tenant_id, id)"
[[check]]
name = "events_kind_check"
on = "events"
[[index]]
on = "events(kind)"
[columns.events]
tenant_id = "integer not null"
"""


def do(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f"SET search_path = {database.schema}, public".encode())
        for statement in statements:
            connection.execute(statement.encode())


def statements_of(text: str) -> list[str]:
    """Statements of whole lines, or beside each other, each as a message of its own, as Citus wants them."""
    return [s for s in re.split(r";\s*(?:\n|$|(?=ALTER |SELECT ))", text) if s.strip()]


@pytest.fixture
def tables(cluster: Cluster) -> Database:
    database = cluster.local()
    do(database, *statements_of(TABLES))
    return database


def check(database: Database, contract: str | Contract = CONTRACT, *only: str) -> CheckResult:
    wanted = parse_contract(contract) if isinstance(contract, str) else contract
    return check_database(database, wanted, only=only or ("contract",))


def said(result: CheckResult) -> str:
    return "\n".join(f"{f.severity} {f.code} {f.object}: {f.message}" for f in result.findings)


def on_a_shard(database: Database, table: str, statement: str) -> str:
    """Do something to one shard behind the coordinator's back; return the shard's name."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT n.nodename, n.nodeport, shard_name(s.logicalrelid, s.shardid), s.shardid FROM pg_dist_shard AS s"
            " JOIN pg_dist_placement AS p USING (shardid) JOIN pg_dist_node AS n USING (groupid)"
            " WHERE s.logicalrelid = %s::regclass AND n.groupid > 0 ORDER BY s.shardid LIMIT 1",
            (f"{database.schema}.{table}",),
        ).fetchone()
        assert row is not None
        done = connection.execute(
            "SELECT success, result FROM master_run_on_worker(ARRAY[%s], ARRAY[%s], ARRAY[%s], false)",
            (row[0], row[1], statement.format(shard=row[2], id=row[3])),
        ).fetchone()
    assert done is not None
    assert done[0], done
    return str(row[2])


def test_what_is_as_required_holds_on_coordinator_and_shards(tables: Database) -> None:
    result = check(tables, CONTRACT, "contract", "rows", "indexes")

    assert not [f for f in result.findings if f.code != "index-missing"], said(result)
    assert {v.verdict for v in result.verified} == {"yes"}
    assert ("distribution", 5, 5) in result.counts
    assert [o.count for o in result.orphans] == [0] * 4


def test_what_freeze_writes_down_holds_and_says_the_distribution(tables: Database) -> None:
    contract = parse_contract(freeze_contract(tables))

    found = {d.table.name: (d.column, d.is_reference, str(d.colocated_with)) for d in contract.distributions}
    assert found == {
        "events": ("tenant_id", False, "None"),
        "jobs": (None, False, "None"),
        "kinds": (None, True, "None"),
        "parts": ("tenant_id", False, "events"),
        "tenants": ("id", False, "events"),
    }
    assert not contract.is_schema_distributed
    assert check(tables, contract).exit_code == 0


@pytest.mark.parametrize(
    ("wanted", "code", "have"),
    [
        ("[tables.plain]\ndistributed_by = 'id'\ncolocated_with = 'tenants'", "table-not-distributed", "local table"),
        ("[tables.plain]\nreference = true", "table-not-distributed", "local table"),
        ("[tables.plain]\ndistributed = true", "table-not-distributed", "local table"),
        ("[tables.parts]\ndistributed_by = 'kind'", "table-wrong-distribution", "distributed by tenant_id, 2 shards"),
        ("[tables.jobs]\ndistributed_by = 'id'", "table-wrong-distribution", "distributed without a column, 1 shard"),
        ("[tables.jobs]\nreference = true", "table-wrong-distribution", "distributed without a column, 1 shard"),
        ("[tables.alone]\nshards = 2", "table-wrong-shards", "distributed by id, 3 shards"),
        ("[tables.alone]\ncolocated_with = 'tenants'", "table-not-colocated", "alone: distributed by id"),
    ],
)
def test_what_is_kept_otherwise_is_one_finding_whose_help_mends_it(
    tables: Database, wanted: str, code: str, have: str
) -> None:
    do(tables, "CREATE TABLE alone (id integer)", "SELECT create_distributed_table('alone', 'id', shard_count => 3)")
    do(tables, "ALTER TABLE parts DROP CONSTRAINT parts_pkey")  # or the column by which it is distributed has to stay
    (found,) = check(tables, wanted).findings

    assert found.code == code
    assert have in found.have
    assert found.location is not None
    do(tables, *statements_of(found.help + "\n"))
    result = check(tables, wanted)
    assert result.exit_code == 0, said(result)


def test_a_table_or_a_column_that_is_not_there_is_said(tables: Database) -> None:
    result = check(tables, "[tables.absent]\nreference = true\n[tables.events]\ndistributed_by = 'nothing'")

    assert [f.code for f in result.findings] == [
        "table-missing",
        "table-not-distributed",
        "column-missing",
        "table-wrong-distribution",
    ]
    assert result.findings[-1].help == ""


def test_a_schema_that_is_to_be_distributed_and_is_not(cluster: Cluster) -> None:
    database = cluster.local()
    do(database, "CREATE TABLE a (id integer PRIMARY KEY)", "CREATE TABLE b (id integer REFERENCES a)")
    key = "[[foreign_key]]\nfrom = 'b(id)'\nto = 'a(id)'"
    wanted = f"[contract]\ndistributed_schema = true\n[tables.b]\ncolocated_with = 'a'\n{key}"
    result = check(database, wanted)
    assert [f.code for f in result.findings] == ["schema-not-distributed", "table-not-distributed"]

    do(database, result.findings[0].help)
    result = check(database, wanted)
    assert result.exit_code == 0, said(result)
    assert parse_contract(freeze_contract(database)).is_schema_distributed


def test_wflos_five_keys_are_kept_in_a_tenants_schema(cluster: Cluster) -> None:
    tenant = cluster.tenant()
    for path in sorted(p for p in MIGRATIONS.glob("*.sql") if not p.name.endswith(".rollback.sql")):
        do(tenant, "BEGIN", *statements_of(path.read_text()), "COMMIT")
    contract = replace(read_contract(MIGRATIONS / "contract.toml"), is_schema_distributed=True)

    result = check(tenant, contract, "contract", "rows", "indexes")
    assert result.exit_code == 0, said(result)
    assert ("foreign key", 5, 5) in result.counts
    assert [o.count for o in result.orphans] == [0] * 5

    on_a_shard(tenant, "step_executions", "ALTER TABLE {shard} DISABLE TRIGGER ALL")
    result = check(tenant, contract)
    assert {f.code for f in result.findings} == {"shard-differs"}
    assert [v.name for v in result.verified if v.verdict == "no"] == ["fk_step_executions_execution_id"]


@pytest.mark.parametrize(
    ("table", "statement", "kinds", "is_mended"),
    [
        ("events", "ALTER TABLE {shard} DROP CONSTRAINT of_tenant_{id}", {"foreign key"}, True),
        ("events", "ALTER TABLE {shard} DISABLE TRIGGER ALL", {"foreign key"}, True),
        (
            "events",
            "UPDATE pg_constraint SET convalidated = false WHERE conname = 'of_kind_{id}'",
            {"foreign key"},
            True,
        ),
        ("parts_1", "ALTER TABLE {shard} DISABLE TRIGGER ALL", {"foreign key"}, False),
        ("kinds", "ALTER TABLE {shard} DISABLE TRIGGER ALL", {"foreign key"}, False),
        ("events", "ALTER TABLE {shard} DROP CONSTRAINT events_kind_check", {"check"}, False),
        (
            "events",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text ~ 'events_kind_ix_{id}'",
            {"index"},
            False,
        ),
        ("events", "ALTER TABLE {shard} DROP CONSTRAINT events_pkey_{id}", {"unique"}, False),
        ("events", "ALTER TABLE {shard} ALTER kind TYPE bigint", {"column"}, False),
    ],
)
def test_a_shard_without_what_the_coordinator_has_is_found(
    tables: Database, table: str, statement: str, kinds: set[str], is_mended: bool
) -> None:
    shard = on_a_shard(tables, table, statement)
    result = check(tables)

    found = [f for f in result.findings if f.code == "shard-differs"]
    assert found == list(result.findings)
    if table != "kinds":  # told of the shards that reference it
        assert all(shard in f.message for f in found), said(result)
    assert kinds <= {v.kind for v in result.verified if v.verdict == "no"}
    if is_mended:
        for one in found:
            do(tables, *statements_of(one.help + "\n"))
        result = check(tables)
        assert result.exit_code == 0, said(result)


def test_a_column_that_only_the_coordinator_has_is_found(tables: Database) -> None:
    do(tables, "SET citus.enable_ddl_propagation = off", "ALTER TABLE events ADD COLUMN more integer")

    (found,) = check(tables, "[contract]\ntables = ['events']").findings
    assert "without more as the coordinator has it" in found.message


def test_an_index_that_is_invalid_on_a_shard_is_told_among_the_indexes(tables: Database) -> None:
    on_a_shard(tables, "events", "DROP INDEX {shard}".replace("{shard}", f"{tables.schema}.events_kind_ix_{{id}}"))

    found = [f for f in check(tables, CONTRACT, "indexes").findings if f.code == "index-invalid"]
    assert [f.object for f in found] == [f"{tables.schema}.events_kind_ix"]


def test_a_key_of_a_local_table_to_a_reference_table_is_kept(tables: Database) -> None:
    do(tables, "CREATE TABLE notes (kind integer CONSTRAINT notes_kind REFERENCES kinds)")
    key = "[[foreign_key]]\nfrom = 'notes(kind)'\nto = 'kinds(id)'\n"

    result = check(tables, key, "contract", "rows")
    assert (result.exit_code, [o.count for o in result.orphans]) == (0, [0])
    (found,) = check(tables, "[tables.notes]\ndistributed = true").findings
    assert (found.code, found.have) == ("table-not-distributed", "local table")


def test_a_node_that_does_not_answer_is_neither_yes_nor_no(tables: Database) -> None:
    contract = parse_contract(CONTRACT)
    with tables.connect(autocommit=False) as connection:
        reader = begin_reading(connection)
        facts = read_facts(reader, contract, schema=tables.schema, deep=True)
        dist = distribution.read(reader, facts, contract, shards=True)
        away = tuple(replace(s, port=1) for s in dist.shards)
        silent = replace(dist, shards=away, nodes=distribution._ask_nodes(reader, away))

    assert all(isinstance(s, Shard) for s in away)
    for key in contract.foreign_keys:
        assert {f.code for f in distribution.judge_key(silent, facts, key)} == {"shard-unreadable"}


def test_orphan_rows_are_found_between_tables_that_citus_does_not_join(tables: Database) -> None:
    do(
        tables,
        "INSERT INTO tenants VALUES (1), (2)",
        "INSERT INTO plain VALUES (1), (3)",
        "INSERT INTO kinds VALUES (1), (4)",
        "INSERT INTO jobs VALUES (1), (5), (6)",
    )
    pairs = [("plain", "tenants"), ("tenants", "plain"), ("kinds", "tenants"), ("tenants", "jobs"), ("jobs", "kinds")]
    wanted = "".join(f"[[foreign_key]]\nfrom = '{a}(id)'\nto = '{b}(id)'\n" for a, b in pairs)

    result = check(tables, wanted, "rows")
    assert [o.count for o in result.orphans] == [1, 1, 1, 1, 2]
    for orphans in result.orphans:
        do(tables, orphans.query)


def test_a_role_that_may_not_read_citus_catalog_gets_no_answer(cluster: Cluster, tables: Database) -> None:
    contract = parse_contract(CONTRACT)
    with tables.connect(autocommit=False) as connection:
        reader = begin_reading(connection)
        reader.session.hidden.append("pg_dist_partition")
        facts = read_facts(reader, contract, schema=tables.schema, deep=True)
        dist = distribution.read(reader, facts, contract, shards=True)

    assert (dist.has_citus, dist.is_read) == (True, False)
    assert "pg_dist_partition" in reader.unread


def test_a_node_whose_sessions_write_past_keys_is_found() -> None:
    node = distribution._node(
        (
            "w1",
            5432,
            True,
            '{"is_replica": true, "shards": [], "columns": [], "checks": [], "indexes": [], "keys": []}',
        ),
        [],
    )
    (found,) = distribution.judge_nodes(distribution.Distribution(has_citus=True, nodes={node.place: node}))
    assert (found.code, found.object) == ("replication-role", "sessions on w1:5432")


def test_without_citus_nothing_more_is_asked(server: RunningServer, database: Database) -> None:
    with database.connect(autocommit=False) as connection:
        reader = begin_reading(connection)
        facts = read_facts(reader, parse_contract(CONTRACT), schema="public", deep=True)
        assert distribution.read(reader, facts, parse_contract(CONTRACT), shards=True) == distribution.Distribution()
