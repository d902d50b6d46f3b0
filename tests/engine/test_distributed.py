"""Citus: the ledger beside the tables of a tenant whose schema is distributed, on a real cluster."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.citus import Cluster
from tests.conftest import BIN
from tests.engine.test_faults import is_running, start_cli, wait_until
from tests.engine.test_operations import Folder
from wflo_schema.connect.database import Database, put_schema_first
from wflo_schema.engine import operations
from wflo_schema.engine.events import Blocker, Retrying, Waiting
from wflo_schema.engine.planning import State
from wflo_schema.engine.scripting import write_script
from wflo_schema.engine.seeding import Again, seed, seed_status
from wflo_schema.files.folder import read_migrations
from wflo_schema.files.seeds import read_seeds
from wflo_schema.show.psql import psql_text
from wflo_schema.trace.recording import record

pytestmark = pytest.mark.citus

KINDS = (
    "SELECT string_agg(DISTINCT t.citus_table_type, ' ') FROM citus_tables AS t "
    "JOIN pg_class AS c ON c.oid = t.table_name WHERE c.relnamespace = to_regnamespace(%s)"
)

FILES = {
    "1_tables": (
        "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);",
        "DROP TABLE b; DROP TABLE a;",
    ),
    "2_rows": (
        "INSERT INTO a VALUES (1, 1), (2, 2); ALTER TABLE a ADD COLUMN label text;",
        "DELETE FROM a; ALTER TABLE a DROP label;",
    ),
    "3_indexes": (
        """-- transactional: false
        CREATE INDEX CONCURRENTLY a_n ON a (n);
        UPDATE a SET n = n + 1;
        CREATE INDEX CONCURRENTLY a_label ON a (label);""",
        "-- transactional: false\nDROP INDEX CONCURRENTLY a_label;\nDROP INDEX CONCURRENTLY a_n;",
    ),
    "4_check": (
        "ALTER TABLE b ADD CONSTRAINT b_pos CHECK (a_id > 0) NOT VALID; ALTER TABLE b VALIDATE CONSTRAINT b_pos;",
        "ALTER TABLE b DROP CONSTRAINT b_pos;",
    ),
}


class Tenant(Folder):
    """A folder and the schema that it is for."""

    def write_all(self) -> Tenant:
        for name, (text, rollback) in FILES.items():
            self.write(name, text, rollback=rollback)
        return self

    def ask(self, query: str, *parameters: object) -> Any:
        with self.inside() as connection:
            row = connection.execute(query.encode(), parameters or None).fetchone()
        return row[0] if row else None

    def recorded(self) -> list[str]:
        return str(
            self.ask("SELECT string_agg(migration_id, ' ' ORDER BY applied_at_utc) FROM _yoyo_migration") or ""
        ).split()

    @contextmanager
    def inside(self, database: Database | None = None) -> Iterator[psycopg.Connection[TupleRow]]:
        with (database or self.database).connect() as connection:
            put_schema_first(connection, self.database.schema)
            yield connection

    def blockers(self) -> list[Blocker]:
        return [b for e in self.events if isinstance(e, Waiting) for b in e.blockers]

    @property
    def schema(self) -> str:
        return str(self.database.schema)


@pytest.fixture
def tenant(cluster: Cluster, tmp_path: Path) -> Tenant:
    path = tmp_path / "migrations"
    path.mkdir()
    return Tenant(path, cluster.tenant())


def worker_of(tenant: Tenant) -> Database:
    """The worker that the tenant's tables are on; it answers queries, too."""
    with tenant.database.connect() as connection:
        row = connection.execute(
            "SELECT nodename, nodeport FROM citus_shards WHERE split_part(table_name::text, '.', 1) = %s LIMIT 1",
            (tenant.schema,),
        ).fetchone()
    assert row is not None
    return tenant.database.with_parameters(host=row[0], port=str(row[1]))


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
def test_a_tenant_is_migrated_rolled_back_and_migrated_again(tenant: Tenant, together: bool) -> None:
    tenant.write_all()
    first = {"to": "2_rows"} if together else {}
    tenant.migrate(together=together, **first)
    tenant.migrate()
    assert tenant.recorded() == list(FILES)
    assert tenant.ask(KINDS, tenant.schema) == "schema"
    assert tenant.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'a'::regclass") == 0
    tenant.roll_back(count=2)
    assert tenant.recorded() == ["1_tables", "2_rows"]
    tenant.roll_back(count=2, together=together)
    assert tenant.recorded() == [] and set(tenant.states().values()) == {State.PENDING}
    tenant.migrate()
    assert tenant.recorded() == list(FILES)
    assert tenant.ask("SELECT sum(n) FROM a") == 5


def test_two_first_runs_at_once_do_the_work_once(tenant: Tenant) -> None:
    tenant.write_all()
    with ThreadPoolExecutor(2) as pool:
        done = [run.result().done for run in [pool.submit(tenant.migrate) for _ in range(2)]]
    assert sorted(d.id for one in done for d in one) == list(FILES)
    assert tenant.recorded() == list(FILES)


def test_nothing_is_written_here_behind_the_seal(tenant: Tenant, cluster: Cluster) -> None:
    local = cluster.local().schema
    with tenant.inside() as connection:
        connection.execute(f"CREATE TABLE {local}.late (n int)".encode())
        connection.execute(
            f"CREATE FUNCTION {local}.late(n int) RETURNS int LANGUAGE plpgsql VOLATILE AS "
            f"'BEGIN INSERT INTO {local}.late VALUES (n); RETURN n; END'".encode()
        )
    tenant.write("1_late", f"DECLARE c CURSOR WITH HOLD FOR SELECT {local}.late(n) FROM generate_series(1, 2) AS n;")
    failed = tenant.fail()
    assert failed.sqlstate == "25006" and "nothing may be left for COMMIT to do" in failed.hint
    assert tenant.recorded() == [] and tenant.ask(f"SELECT count(*) FROM {local}.late") == 0


def test_a_file_that_takes_its_own_record_away_is_not_kept(tenant: Tenant) -> None:
    tenant.write("1_a", "CREATE TABLE a (id int PRIMARY KEY); DELETE FROM _yoyo_migration;")
    assert "or its own record" in tenant.fail().message
    assert tenant.recorded() == [] and not tenant.has(f"{tenant.schema}.a")


def test_the_lock_of_non_transactional_runs_is_taken_here_and_kept_after_a_kill(tenant: Tenant) -> None:
    tenant.write_all()
    tenant.migrate(to="2_rows")
    with tenant.inside() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("SELECT count(*) FROM a")
        blocker.execute("LOCK TABLE a IN ROW EXCLUSIVE MODE")
        first = start_cli(tenant.database, tenant.path, "migrate", "--schema", tenant.schema)
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 2003201135 AND objsubid = 2"
        building = "SELECT running_statement FROM _wflo_schema_progress"
        wait_until(
            lambda: tenant.has(f"{tenant.schema}._wflo_schema_progress") and tenant.ask(building), "the first statement"
        )
        assert tenant.ask(held) >= 1
        second = start_cli(tenant.database, tenant.path, "migrate", "--schema", tenant.schema)
        wait_until(lambda: "another run is at work" in second.err, "the second run")
        first.process.kill()
        first.finish()
        blocker.execute("ROLLBACK")
    code, _, err = second.finish()
    assert code == 0, err
    assert tenant.recorded() == list(FILES)
    assert tenant.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'a'::regclass") == 0
    assert tenant.ask("SELECT count(*) FROM _wflo_schema_progress") == 0


def test_hooks_variables_repeatables_and_seeds(tenant: Tenant) -> None:
    tenant.write("2_i", "-- transactional: false\nCREATE INDEX CONCURRENTLY a_n ON a (n);")
    tenant.write("1_a", "-- variables: size\nCREATE TABLE a (id int PRIMARY KEY, n int DEFAULT :'size');")
    (tenant.path / "hooks").mkdir()
    (tenant.path / "repeatable").mkdir()
    for name, text in {
        "before-all": "CREATE TABLE IF NOT EXISTS said (what text PRIMARY KEY);",
        "after-each": "INSERT INTO said VALUES (current_setting('wflo_schema.migration'));",
        "after-all": "INSERT INTO said VALUES ('all') ON CONFLICT DO NOTHING;",
    }.items():
        (tenant.path / "hooks" / f"{name}.sql").write_text(text)
    view = tenant.path / "repeatable" / "v.sql"
    view.write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM a;")
    seeds = tenant.path.parent / "seeds" / "demo"
    seeds.mkdir(parents=True)
    (seeds / "1_a.csv").write_text("id,n\n1,10\n2,20\n")
    (seeds / "2_more.sql").write_text("INSERT INTO a VALUES (3, 30);")
    files = read_migrations(tenant.path, variables={"size": "7"})

    operations.migrate(tenant.database, files)
    assert tenant.ask("SELECT string_agg(what, ' ' ORDER BY what) FROM said") == "1_a 2_i all"
    assert tenant.ask("SELECT name || '=' || value FROM _wflo_schema_variable") == "size=7"
    sets = read_seeds(tenant.path.parent / "seeds", ["demo"])
    assert [d.id for d in seed(tenant.database, files, sets).done] == ["demo/1_a.csv", "demo/2_more.sql"]
    (seeds / "2_more.sql").write_text("INSERT INTO a VALUES (4, 40);")
    again = read_seeds(tenant.path.parent / "seeds", ["demo"])
    assert [d.id for d in seed(tenant.database, files, again, again=Again.CHANGED).done] == ["demo/2_more.sql"]
    assert {e.state for e in seed_status(tenant.database, files, again).entries} == {State.APPLIED}
    assert tenant.ask("SELECT sum(id) FROM v") == 10

    view.write_text("CREATE OR REPLACE VIEW v AS SELECT id, n FROM a;")
    for id_, kind, before in (("3_big", "bigint", "int"), ("4_numeric", "numeric", "bigint")):
        change = "ALTER TABLE a ALTER COLUMN n TYPE "
        tenant.write(id_, f"{change}{kind};", rollback=f"{change}{before};")
        files = read_migrations(tenant.path, variables={"size": "7"})
        operations.migrate(tenant.database, files)
        assert tenant.ask("SELECT pg_typeof(n)::text FROM v LIMIT 1") == kind
    operations.rollback(tenant.database, files)
    assert tenant.ask("SELECT pg_typeof(n)::text FROM v LIMIT 1") == "bigint"


def test_the_script_for_psql_does_the_same(tenant: Tenant, cluster: Cluster) -> None:
    tenant.write_all()
    other = Tenant(tenant.path, cluster.tenant("other"))
    text = psql_text(write_script(other.database, read_migrations(other.path), record=record))
    script = tenant.path.parent / "out.sql"
    script.write_text(text)
    psql = next(p for p in (BIN["18"] / "psql", BIN["15"] / "psql", Path("/usr/bin/psql")) if p.exists())
    ran = subprocess.run(
        [str(psql), "-X", "-v", "ON_ERROR_STOP=1", "-f", str(script), other.database.url],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert other.recorded() == list(FILES) and set(other.states().values()) == {State.APPLIED}


def test_a_ledger_apart_stays_here_where_schemas_are_distributed(cluster: Cluster, tmp_path: Path) -> None:
    sharding = cluster.database.with_parameters(options="-c citus.enable_schema_based_sharding=on")
    target = sharding.with_schema(cluster.name("made")).with_ledger_schema(cluster.name("ledger"))
    (tmp_path / "migrations").mkdir()
    folder = Tenant(tmp_path / "migrations", target).write_all()
    folder.migrate(create_schema=True)
    assert folder.ask(KINDS, cluster.name("made")) == "schema"
    assert folder.ask(KINDS, cluster.name("ledger")) is None
    folder.roll_back(count=4)
    assert set(folder.states().values()) == {State.PENDING}


@pytest.mark.parametrize(("setting", "kinds"), [("on", "schema"), ("off", None)])
def test_a_schema_that_is_made_is_distributed_as_the_setting_says(
    cluster: Cluster, tmp_path: Path, setting: str, kinds: str | None
) -> None:
    target = cluster.database.with_parameters(options=f"-c citus.enable_schema_based_sharding={setting}")
    (tmp_path / "migrations").mkdir()
    folder = Tenant(tmp_path / "migrations", target.with_schema(cluster.name("made"))).write_all()
    folder.migrate(create_schema=True)
    assert folder.recorded() == list(FILES) and folder.ask(KINDS, folder.schema) == kinds


def test_schemas_that_are_made_for_a_fleet_are_distributed(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    names = [cluster.name(f"fleet_{n}") for n in range(3)]
    folders = [Tenant(tmp_path / "migrations", cluster.database.with_schema(name)) for name in names]
    folders[0].write_all()
    words = [word for name in names for word in ("--schema", name)]
    run = start_cli(cluster.database, folders[0].path, "migrate", "--create", *words)
    code, out, err = run.finish()
    assert code == 0, (out, err)
    for folder in folders:
        assert folder.recorded() == list(FILES) and folder.ask(KINDS, folder.schema) == "schema"
    code, out, err = start_cli(cluster.database, folders[0].path, "status", *words).finish()
    assert code == 0 and "are up to date" in out, (out, err)


def test_the_lock_timeout_of_a_file_holds_on_workers(tenant: Tenant) -> None:
    asked = (
        "DO $$ DECLARE got text; BEGIN SELECT current_setting('lock_timeout') INTO got FROM a LIMIT 1; "
        "IF got <> '{0}' THEN RAISE EXCEPTION 'it is %', got; END IF; END $$; "
    )
    tenant.write("1_a", "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1);")
    tenant.write("2_a", f"{asked.format('900ms')} SET LOCAL lock_timeout = '7s'; {asked.format('7s')}")
    tenant.write("3_a", f"-- lock-timeout: 8s\n{asked.format('8s')} SET lock_timeout = 9000; {asked.format('9s')}")
    tenant.migrate()
    assert tenant.recorded() == ["1_a", "2_a", "3_a"]


def test_what_citus_refuses_is_told_before_it_runs_and_sizes_are_those_of_shards(tenant: Tenant) -> None:
    tenant.write_all()
    tenant.migrate(to="2_rows")
    with tenant.inside() as connection:
        connection.execute("INSERT INTO b SELECT n, 1 FROM generate_series(1, 12345) AS n")
        connection.execute("ANALYZE b")
    tenant.write(
        "5_stamp",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();",
    )
    code, out, err = start_cli(tenant.database, tenant.path, "plan", "--schema", tenant.schema).finish(300)
    assert code == 1 and "refuses it in the rehearsal: triggers are not supported on distributed tables" in out, (
        out + err
    )
    assert "reads all of" in out and "12,345 rows" in out, out


def test_a_reader_on_a_worker_is_waited_for_no_longer_than_the_lock_timeout(tenant: Tenant) -> None:
    tenant.write_all()
    tenant.migrate(to="2_rows")
    tenant.write("2_y", "ALTER TABLE a ADD COLUMN more int;")
    with tenant.inside(worker_of(tenant)) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM a")
        run = pool.submit(tenant.migrate, to="2_y")
        wait_until(lambda: any(isinstance(e, Retrying) for e in tenant.events), "the second try")
        gpid = reader.execute("SELECT citus_backend_gpid()").fetchone()
        wait_until(lambda: gpid in [(b.pid,) for b in tenant.blockers()], "who blocks it")
        reader.execute("ROLLBACK")
        run.result()
    assert tenant.recorded()[-1] == "2_y"


def test_a_reader_on_a_worker_waits_behind_us_no_longer_than_the_block_timeout(tenant: Tenant) -> None:
    tenant.write_all()
    tenant.migrate(to="2_rows")
    sleep = f"SELECT pg_sleep(60), '{tenant.schema}'"  # tests run side by side
    tenant.write("2_y", f"-- block-timeout: 500ms\nALTER TABLE a ADD COLUMN more int;\n{sleep};")
    with tenant.inside(worker_of(tenant)) as reader, ThreadPoolExecutor(1) as pool:
        run = pool.submit(tenant.fail, to="2_y")
        wait_until(lambda: is_running(tenant.database, sleep), "the long statement")
        assert reader.execute("SELECT count(*) FROM a").fetchone() == (2,)
        failed = run.result()
    assert "and the block timeout is 500 ms" in failed.message and "(ACCESS SHARE) behind it" in failed.message
    assert tenant.recorded() == ["1_tables", "2_rows"]


def test_a_deadlock_between_nodes_is_tried_again(tenant: Tenant, cluster: Cluster) -> None:
    folder = Tenant(tenant.path, cluster.local())
    folder.write(
        "1_e",
        "CREATE TABLE e (id int PRIMARY KEY, n int); SELECT create_distributed_table('e', 'id'); "
        "INSERT INTO e SELECT n, 0 FROM generate_series(1, 40) AS n;",
    )
    folder.migrate()
    node_of = "SELECT nodeport FROM citus_shards WHERE shardid = get_shard_id_for_distribution_column('e', %s)"
    other = next((n for n in range(2, 41) if folder.ask(node_of, n) != folder.ask(node_of, 1)), None)
    if other is None:
        pytest.skip("the cluster has one worker only")
    change = "UPDATE e SET n = n + 1 WHERE id = {}"
    folder.write("2_e", f"-- lock-timeout: 1min\n{change.format(other)}; {change.format(1)};")
    with folder.inside() as older, ThreadPoolExecutor(1) as pool:
        older.execute("BEGIN")
        older.execute(change.format(1).encode())
        run = pool.submit(folder.migrate)
        wait_until(folder.blockers, "the migration waits")
        older.execute(change.format(other).encode())  # the younger of the two is to give way
        older.execute("COMMIT")
        run.result()
    assert any(isinstance(e, Retrying) and "deadlock" in e.reason for e in folder.events)
    assert folder.ask("SELECT sum(n) FROM e") == 4 and folder.recorded() == ["1_e", "2_e"]


def test_a_worker_that_is_lost_half_way_is_one_clear_error_and_nothing_is_recorded(tenant: Tenant) -> None:
    tenant.write_all()
    tenant.migrate(to="2_rows")
    sleep = f"SELECT pg_sleep(5), '{tenant.schema}'"  # tests run side by side
    patience = "-- block-timeout: 1min\n"  # what others make waits for the catalogs of Citus meanwhile
    tenant.write("2_y", f"{patience}ALTER TABLE a ADD COLUMN more int; {sleep}; ALTER TABLE a ADD COLUMN last int;")
    ends = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s"
    with worker_of(tenant).connect() as worker, ThreadPoolExecutor(1) as pool:
        run = pool.submit(tenant.fail, to="2_y")
        wait_until(lambda: is_running(tenant.database, sleep), "the statement in between")
        gpid = tenant.ask(
            "SELECT global_pid FROM citus_stat_activity WHERE query = %s AND state = 'active' AND NOT is_worker_query",
            sleep,
        )
        assert worker.execute(ends, (f"citus_internal gpid={gpid}",)).fetchone() == (1,)
        failed = run.result()
    assert "was lost" in failed.message and "\n" not in failed.message
    assert "bring the worker back" in failed.hint and "nothing of this migration was kept" in failed.hint
    assert tenant.recorded() == ["1_tables", "2_rows"]
    tenant.migrate()
    assert tenant.recorded() == ["1_tables", "2_rows", "2_y", "3_indexes", "4_check"]


def test_a_tenant_that_moves_meanwhile_is_migrated_all_the_same(tenant: Tenant) -> None:
    tenant.write_all()
    tenant.migrate()
    tenant.roll_back(count=3)
    with tenant.database.connect() as connection:
        nodes = connection.execute("SELECT nodename, nodeport FROM pg_dist_node WHERE shouldhaveshards").fetchall()
    ports = [str(port) for _, port in nodes]
    if len(ports) < 2:
        pytest.skip("the cluster has one worker only")
    is_over, moves = Event(), []

    def move() -> None:
        with tenant.database.connect() as connection:
            while not is_over.wait(1.0):
                now_at = worker_of(tenant).parameters["port"]
                name, port = next(node for node in nodes if str(node[1]) != now_at)
                with contextlib.suppress(psycopg.errors.LockNotAvailable, psycopg.errors.ObjectInUse):
                    connection.execute(
                        "SELECT citus_schema_move(%s::regnamespace, %s, %s)", (tenant.schema, name, port)
                    )
                    moves.append(port)

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        try:
            while not moves and not moving.done():
                tenant.migrate()
                tenant.roll_back(count=3)
            tenant.migrate()
        finally:
            is_over.set()
        moving.result()
    assert tenant.recorded() == list(FILES) and set(tenant.states().values()) == {State.APPLIED}
    assert tenant.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'a'::regclass") == 0
    assert tenant.ask("SELECT count(*) FROM _wflo_schema_progress") == 0


def test_a_parallel_operation_says_what_to_write(tenant: Tenant, cluster: Cluster) -> None:
    folder = Tenant(tenant.path, cluster.local())
    folder.write(
        "1_e",
        "CREATE TABLE e (id int PRIMARY KEY); CREATE TABLE kinds (id int PRIMARY KEY); "
        "SELECT create_distributed_table('e', 'id'); SELECT create_reference_table('kinds');",
    )
    text = "ALTER TABLE e ADD COLUMN x int; ALTER TABLE e ADD COLUMN kind int REFERENCES kinds;"
    folder.write("2_e", text)
    failed = folder.fail()
    assert "SET LOCAL citus.multi_shard_modify_mode TO 'sequential';" in failed.hint
    assert folder.recorded() == ["1_e"]
    folder.write("2_e", f"SET LOCAL citus.multi_shard_modify_mode TO 'sequential';\n{text}")
    folder.migrate()
    assert folder.recorded() == ["1_e", "2_e"]
