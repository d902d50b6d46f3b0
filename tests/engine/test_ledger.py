"""The ledger holds whatever files and people do: its key, its place, its owner, its order, and the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import RunningServer, start_server, stop_server
from tests.engine.test_faults import do, is_waiting, one, start_cli, wait_until, write
from tests.engine.test_operations import Folder, folder, role
from tests.forks import forks
from tests.forks import migrate as migrate_folder
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Notice
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import CannotRead, DatabaseError, LockNotAcquired, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import read_migrations

__all__ = ["folder"]

NT = "-- transactional: false\n"

pytestmark = pytest.mark.spread_over_servers


# the key is the lock

_COPY = "CREATE TABLE kept (LIKE _yoyo_migration); INSERT INTO kept SELECT * FROM _yoyo_migration"
_NO_KEY = "ALTER TABLE _yoyo_migration DROP CONSTRAINT _yoyo_migration_pkey"

FLAWS = {
    "no key": _NO_KEY,
    "no key, and NULL": f"{_NO_KEY}, ALTER migration_hash DROP NOT NULL",
    "a deferrable key": f"{_NO_KEY}, ADD PRIMARY KEY (migration_hash) DEFERRABLE",
    "a key with more columns": f"{_NO_KEY}, ADD PRIMARY KEY (migration_hash, migration_id)",
    "a key of the id": f"{_NO_KEY}, ADD PRIMARY KEY (migration_id)",
    "an index of some rows": f"{_NO_KEY}; CREATE UNIQUE INDEX i ON _yoyo_migration (migration_hash) "
    "WHERE migration_id <> '2_b'",
    "an index of an expression": f"{_NO_KEY}; CREATE UNIQUE INDEX i ON _yoyo_migration (lower(migration_hash))",
    "an index that is not unique": f"{_NO_KEY}; CREATE INDEX i ON _yoyo_migration (migration_hash)",
    "an invalid index": f"{_NO_KEY}; CREATE UNIQUE INDEX i ON _yoyo_migration (migration_hash); "
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
    "a nullable key": f"{_NO_KEY}, ALTER migration_hash DROP NOT NULL, ADD UNIQUE (migration_hash)",
    "unlogged": "ALTER TABLE _yoyo_migration SET UNLOGGED",
    "a child": "CREATE TABLE child () INHERITS (_yoyo_migration)",
    "partitioned": f"{_COPY}; DROP TABLE _yoyo_migration; CREATE TABLE _yoyo_migration (LIKE kept, "
    "PRIMARY KEY (migration_hash)) PARTITION BY HASH (migration_hash); "
    "CREATE TABLE part PARTITION OF _yoyo_migration FOR VALUES WITH (MODULUS 1, REMAINDER 0); "
    "INSERT INTO _yoyo_migration SELECT * FROM kept",
}


def mend(folder: Folder, hint: str) -> None:
    """Type what the hint says, as far as it is needed."""
    statements = hint.partition("; where it says")[0].removeprefix("make one of it: ")
    folder.do(*statements.split("; "))


@pytest.mark.parametrize("what", FLAWS)
def test_ledger_whose_key_locks_nothing_is_not_trusted_until_it_is_mended(folder: Folder, what: str) -> None:
    folder.write("1_a", "CREATE TABLE a ()", rollback="DROP TABLE a")
    folder.migrate()
    folder.do(FLAWS[what])
    migrations = read_migrations(folder.path)
    assert folder.migrate().ids == () and len(folder.status().applied) == 1  # reading it is no harm
    (found,) = (f for f in check_database(folder.database, None, migrations=migrations, only=("ledger",)).findings)
    assert found.code == "ledger-flawed"
    folder.write("2_b", "CREATE TABLE b ()")
    refused = folder.refuse()
    assert '"public"."_yoyo_migration"' in refused.message and not folder.has("b")
    with pytest.raises(Refused, match="_yoyo_migration"):
        operations.plan(folder.database, read_migrations(folder.path))
    with pytest.raises(Refused, match="_yoyo_migration"):
        folder.roll_back()
    with pytest.raises(Refused, match="_yoyo_migration"):
        operations.baseline(folder.database, read_migrations(folder.path), ["2_b"])
    mend(folder, refused.hint)
    assert folder.migrate().ids == ("2_b",)
    assert folder.recorded() == ["1_a", "2_b"]


@pytest.mark.parametrize("what", ["no key", "unlogged", "a child", "partitioned"])
def test_file_that_makes_the_ledger_s_key_no_lock_is_the_last_of_its_run(folder: Folder, what: str) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.write("2_b", FLAWS[what])
    folder.write("3_c", "CREATE TABLE c ()")
    refused = folder.refuse()
    assert refused.applied == ("1_a", "2_b") and not folder.has("c")
    mend(folder, refused.hint)
    assert folder.migrate().ids == ("3_c",)


def test_flaw_of_the_table_of_progress_stops_a_run_too(folder: Folder) -> None:
    folder.write("1_a", f"{NT}CREATE TABLE a ()")
    folder.migrate()
    folder.do("ALTER TABLE _wflo_schema_progress SET UNLOGGED")
    folder.write("2_b", f"{NT}CREATE TABLE b ()")
    refused = folder.refuse()
    assert "_wflo_schema_progress" in refused.message and "UNLOGGED" in refused.message
    mend(folder, refused.hint)
    assert folder.migrate().ids == ("2_b",)


def test_double_rows_of_a_ledger_without_a_key_are_mended_as_the_hint_says(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    folder.do(_NO_KEY, "INSERT INTO _yoyo_migration SELECT * FROM _yoyo_migration")
    folder.write("2_b", "CREATE TABLE b ()")
    add, _, delete = folder.refuse().hint.partition(
        "; where it says that a key is duplicated, delete the double first: "
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        folder.do(add)
    folder.do(delete, add)
    assert folder.migrate().ids == ("2_b",)


@pytest.mark.parametrize(
    "change",
    [
        f"{_NO_KEY}, ADD UNIQUE (migration_hash)",
        f"{_NO_KEY}; CREATE UNIQUE INDEX i ON _yoyo_migration (migration_hash) INCLUDE (migration_id)",
        "ALTER TABLE _yoyo_migration ALTER migration_hash TYPE text, ALTER migration_id TYPE text",
        "CLUSTER _yoyo_migration USING _yoyo_migration_pkey",
        "COMMENT ON TABLE _yoyo_migration IS 'ours'",
        "CREATE TABLE child () INHERITS (_yoyo_migration); DROP TABLE child",
        "ALTER TABLE _yoyo_migration ENABLE ROW LEVEL SECURITY",  # not for its owner
    ],
)
def test_ledger_whose_key_is_as_good_as_yoyos_is_trusted(folder: Folder, change: str) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    folder.do(change)
    folder.write("2_b", "CREATE TABLE b ()")
    assert folder.migrate().ids == ("2_b",)


def test_many_at_once_on_a_ledger_without_its_key_apply_nothing(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "m", {"1_a": "CREATE TABLE a (id int)"})
    operations.migrate(database, read_migrations(path))
    do(database, f"{_NO_KEY}, ALTER migration_hash DROP NOT NULL")
    write(path, {"2_b": "INSERT INTO a VALUES (1); SELECT pg_sleep(0.3)"})
    runs = [forks.Process(target=migrate_folder, args=(database, str(path))) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert one(database, "SELECT count(*) FROM a") == (0,)


def test_policies_that_hide_rows_from_a_role_stop_it(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    with role(folder, server) as other:
        user = other.parameters["user"]
        folder.do(
            f"GRANT ALL ON _yoyo_migration, _yoyo_log TO {user}",
            f"GRANT ALL ON SCHEMA public TO {user}",
            "ALTER TABLE _yoyo_migration ENABLE ROW LEVEL SECURITY",
        )
        refused = folder.refuse(database=other)
        assert "row-level security" in refused.message and "BYPASSRLS" in refused.hint


def test_what_a_role_lacks_on_the_ledger_is_granted_by_the_hint_as_it_stands(
    folder: Folder, server: RunningServer
) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    folder.write("2_b", "CREATE TABLE b ()")
    with role(folder, server) as other:
        folder.do(f"GRANT CREATE ON SCHEMA public TO {other.parameters['user']}")
        with pytest.raises(CannotRead) as unread:
            operations.status(other, read_migrations(folder.path))
        folder.do(unread.value.hint)
        with pytest.raises(DatabaseError, match="could not be written") as unwritten:
            folder.migrate(database=other)
        folder.do(unwritten.value.hint)
        assert folder.migrate(database=other).ids == ("2_b",)


_RAISES = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not today'; END$$; "

# What the owner's own database does to the ledger → what the error says, and what its hint names.
REFUSALS = {
    "ALTER TABLE _yoyo_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY": (
        "row-level security",
        "ALTER TABLE _yoyo_log DISABLE ROW LEVEL SECURITY",
    ),
    "ALTER TABLE _yoyo_migration ADD ticket text CHECK (ticket > 'a'), ADD CHECK (migration_id < '2')": (
        "violates check constraint",
        "constraints and triggers of _yoyo_migration",
    ),
    f"{_RAISES}CREATE TRIGGER t BEFORE INSERT ON _yoyo_log FOR EACH ROW EXECUTE FUNCTION f()": (
        "not today",
        "triggers of _yoyo_migration and _yoyo_log",
    ),
    "DELETE FROM _yoyo_migration; ALTER TABLE _yoyo_migration ADD ticket text NOT NULL": (
        'null value in column "ticket"',
        "columns",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_ledger_that_refuses_a_record_says_which_part_of_it_does(
    folder: Folder, server: RunningServer, what: str
) -> None:
    said, hint = REFUSALS[what]
    with role(folder, server) as other:
        folder.do(f"GRANT CREATE ON SCHEMA public TO {other.parameters['user']}")
        folder.write("1_a", "CREATE TABLE a ()")
        folder.migrate(database=other)
        folder.do(what)
        folder.write("1_a" if "DELETE" in what else "2_b", "CREATE TABLE b ()")
        with pytest.raises(DatabaseError) as caught:
            folder.migrate(database=other, allow=list(Allow))
    assert said in caught.value.message and hint in caught.value.hint
    assert not folder.has("b")


def test_statement_timeout_that_is_too_short_for_the_ledger_is_no_colleague(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    folder.do(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(9); RETURN NEW; END$$",
        "CREATE TRIGGER t BEFORE INSERT ON _yoyo_log FOR EACH ROW EXECUTE FUNCTION f()",
        f"ALTER DATABASE {folder.database.name} SET statement_timeout = '1500ms'",
    )
    folder.write("2_b", "CREATE TABLE b ()")
    with pytest.raises(DatabaseError) as caught:
        folder.migrate(locks=LockOptions(wait_s=0.5))
    assert caught.value.sqlstate == "57014" and "statement timeout" in caught.value.message
    assert "statement_timeout" in caught.value.hint and not folder.has("b")
    assert not any(isinstance(e, Notice) and "another run" in e.message for e in folder.events)


# its place


PLACES = {
    "of the database": "ALTER DATABASE {database} SET search_path = app",
    "of the role": "ALTER ROLE {role} SET search_path = app",
    "of the role in the database": "ALTER ROLE {role} IN DATABASE {database} SET search_path = app, public",
}


@pytest.mark.parametrize("what", PLACES)
def test_search_path_that_a_migration_sets_does_not_lead_to_a_second_ledger(
    folder: Folder, server: RunningServer, what: str
) -> None:
    with role(folder, server, "CREATEROLE SUPERUSER") as user:
        database, name = folder.database.name, user.parameters["user"]
        folder.write("1_a", "CREATE TABLE public.a (id int)", rollback="DROP TABLE a")
        folder.write("2_b", f"CREATE SCHEMA IF NOT EXISTS app; {PLACES[what].format(database=database, role=name)}")
        assert folder.migrate(database=user).ids == ("1_a", "2_b")
        if "public" in PLACES[what]:  # the ledger is still on the path
            assert folder.migrate(database=user).ids == ()
            return
        migrations = read_migrations(folder.path)
        refused = folder.refuse(database=user)
        assert "schema public records these migrations" in refused.message and "--schema public" in refused.hint
        for verb in (operations.plan, operations.rollback):
            with pytest.raises(Refused, match="schema public records"):
                verb(user, migrations)
        with pytest.raises(Refused, match="schema public records"):
            operations.baseline(user, migrations, ["1_a"])
        assert operations.status(user, migrations).elsewhere == ("public",)
        found = check_database(user, None, migrations=migrations, only=("ledger",)).findings
        assert found[0].code == "ledger-elsewhere" and "--schema public" in found[0].help
        assert not folder.has("app._yoyo_migration")
        assert folder.migrate(database=user.with_schema("public")).ids == ()
        folder.events.clear()
        (folder.path / "1_a.sql").write_text("CREATE TABLE a (id int)")
        assert folder.migrate(database=user.with_schema("app")).ids == ("1_a", "2_b")  # asked for by name
        assert not [e for e in folder.events if isinstance(e, Notice) and "--schema" in e.message]
        assert folder.migrate(database=user).ids == ()  # and from now on it is the one


def test_second_schema_named_in_the_url_has_a_ledger_of_its_own(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    folder.do("CREATE SCHEMA app")
    there = folder.database.with_parameters(options="-c search_path=app")
    assert folder.migrate(database=there).ids == ("1_a",)


def test_ledger_of_other_files_in_another_schema_is_no_obstacle(folder: Folder) -> None:
    folder.write("1_z", "CREATE TABLE z ();")
    folder.migrate()
    (folder.path / "1_z.sql").unlink()
    folder.do("CREATE SCHEMA app", f"ALTER DATABASE {folder.database.name} SET search_path = app")
    folder.write("1_a", "CREATE TABLE a ();")
    folder.events.clear()
    assert folder.migrate().ids == ("1_a",)
    assert [e.message for e in folder.events if isinstance(e, Notice) and e.severity == "WARNING"] == [
        (
            "there is no ledger in schema app yet, so one is made; "
            "the ledger of schema public is not used: if you mean that one, name it with --schema"
        )
    ]


# its owner


def test_ledger_is_open_to_nobody_whom_default_privileges_let_in(folder: Folder, server: RunningServer) -> None:
    with role(folder, server) as api:
        user = api.parameters["user"]
        folder.do(
            f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {user} WITH GRANT OPTION",
            "ALTER DEFAULT PRIVILEGES GRANT INSERT, UPDATE ON TABLES TO PUBLIC",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, TRUNCATE ON TABLES TO pg_monitor",
        )
        folder.write("1_a", "CREATE TABLE a ()")
        folder.write("2_b", f"{NT}CREATE TABLE b ()")
        folder.migrate()
        query = """
            SELECT string_agg(DISTINCT concat_ws(' ', x.grantee::regrole, x.privilege_type), ', ')
            FROM pg_class AS c, aclexplode(c.relacl) AS x
            WHERE c.relname ~ '^(_yoyo|_wflo)' AND c.relkind = 'r' AND x.grantee <> c.relowner
        """
        assert folder.ask(query) == f"pg_monitor SELECT, {user} SELECT"
        assert folder.ask("SELECT count(*) FROM pg_class WHERE relname ~ '^(_yoyo|_wflo)' AND relkind = 'r'") == 4
        assert folder.ask("SELECT has_table_privilege(%s, 'a', 'DELETE')", user) is True  # a table of theirs
        folder.do(f"DROP OWNED BY {user}", "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC")


def test_who_may_read_the_ledger_may_read_what_is_made_beside_it(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    with role(folder, server) as reader:
        user = reader.parameters["user"]
        folder.do(f"GRANT SELECT ON _yoyo_migration, _yoyo_log, _yoyo_version TO {user}")
        folder.write("2_b", f"{NT}CREATE TABLE b ()")
        folder.write("3_c", "-- variables: c\nCREATE TABLE c (c text DEFAULT :'c')")
        (folder.path / "repeatable").mkdir()
        (folder.path / "repeatable" / "v.sql").write_text("CREATE VIEW v AS SELECT 1 AS one;\n")
        files = read_migrations(folder.path, variables={"c": "it's"})
        assert operations.status(reader, files).pending
        operations.migrate(folder.database, files)
        found = operations.status(reader, files)
        assert not found.pending and not operations.plan(reader, files).repeatables
        assert operations.with_recorded_values(reader, read_migrations(folder.path)).items[2].values == {"c": "it's"}
        assert folder.ask("SELECT count(*) FROM pg_class WHERE relname ~ '^(_yoyo|_wflo)' AND relkind = 'r'") == 6
        assert operations.status(folder.database, files, with_grants=True).grants == ()
        folder.do(f"REVOKE SELECT ON _wflo_schema_repeatable FROM {user}")
        with pytest.raises(CannotRead, match="reading which repeatable files were applied") as refused:
            operations.status(reader, files)
        assert "GRANT SELECT ON public._yoyo_migration" in refused.value.hint
        folder.do(f"DROP OWNED BY {user}")


OPEN = {
    "a role": ("GRANT DELETE, SELECT ON _yoyo_migration TO {user}", "DELETE"),
    "everybody": ("GRANT INSERT, UPDATE ON _yoyo_log TO PUBLIC", "INSERT, UPDATE"),
    "a column": ("GRANT UPDATE (checksum) ON _yoyo_migration TO {user}", "UPDATE (checksum)"),
    "a role's role": ("GRANT TRUNCATE ON _yoyo_migration TO {group}; GRANT {group} TO {user}", "TRUNCATE"),
    "progress": ("GRANT UPDATE ON _wflo_schema_progress TO {user}", "UPDATE"),
}


@pytest.mark.parametrize("what", OPEN)
def test_check_says_who_else_may_write_to_the_ledger(folder: Folder, server: RunningServer, what: str) -> None:
    folder.write("1_a", f"{NT}CREATE TABLE a ()")
    folder.migrate()
    migrations = read_migrations(folder.path)
    with role(folder, server) as api:
        user = api.parameters["user"]
        group = f"writers_{folder.database.name}"
        statement, privileges = OPEN[what]
        folder.do(f"CREATE ROLE {group}")
        folder.do(*statement.format(user=user, group=group).split("; "))
        result = check_database(folder.database, None, migrations=migrations, only=("ledger",))
        (found,) = result.findings
        assert (found.code, result.exit_code) == ("ledger-open", 0)
        assert privileges in found.have and found.help.startswith(f"REVOKE {privileges} ON TABLE public.")
        folder.do(found.help.partition(";")[0])
        assert not check_database(folder.database, None, migrations=migrations, only=("ledger",)).findings
        folder.do(f"DROP OWNED BY {group}", f"DROP ROLE {group}")


def test_who_is_the_owner_anyway_is_no_finding(folder: Folder, server: RunningServer) -> None:
    folder.write("1_a", "CREATE TABLE a ()")
    folder.migrate()
    with role(folder, server) as owner:
        user, member, admin = owner.parameters["user"], f"m_{folder.database.name}", f"s_{folder.database.name}"
        folder.do(
            f"CREATE ROLE {member} ROLE postgres",
            f"CREATE ROLE {admin} SUPERUSER",
            f"GRANT {user} TO {member}",
            f"ALTER TABLE _yoyo_migration OWNER TO {user}",
            f"GRANT ALL ON _yoyo_migration TO {member}, {admin}",
            "GRANT SELECT ON _yoyo_migration TO PUBLIC",
        )
        assert not check_database(
            folder.database, None, migrations=read_migrations(folder.path), only=("ledger",)
        ).findings
        folder.do(f"DROP OWNED BY {member}, {admin}", f"DROP ROLE {member}", f"DROP ROLE {admin}")


# its order


def test_last_one_is_what_was_applied_last(folder: Folder) -> None:
    for n in (1, 3):
        folder.write(f"{n}_t", f"CREATE TABLE t{n} ()", rollback=f"DROP TABLE t{n}")
    folder.migrate()
    folder.write("2_t", "CREATE TABLE t2 ()", rollback="DROP TABLE t2")
    folder.migrate(allow={Allow.LATE})
    assert folder.roll_back(to="3_t").ids == ("2_t",)
    folder.migrate(allow={Allow.LATE})
    assert folder.roll_back(to="2_t").ids == ()
    assert folder.roll_back(count=2).ids == ("2_t", "3_t")


def test_clock_that_jumped_back_does_not_change_what_is_last(folder: Folder) -> None:
    folder.write("1_t", "CREATE TABLE t1 ()", rollback="DROP TABLE t1")
    folder.migrate()
    folder.do("UPDATE _yoyo_migration SET applied_at_utc = applied_at_utc + interval '1 hour'")
    folder.write("3_t", "CREATE TABLE t3 ()", rollback="DROP TABLE t3")
    folder.write("4_t", f"{NT}CREATE TABLE t4 ()", rollback="DROP TABLE t4")
    folder.migrate()
    folder.write("2_t", "CREATE TABLE t2 ()", rollback="DROP TABLE t2")
    folder.migrate(allow={Allow.LATE})
    assert folder.recorded()[0] == "1_t" and folder.recorded()[-1] == "2_t"
    assert folder.roll_back().ids == ("2_t",)
    assert folder.roll_back(count=3).ids == ("4_t", "3_t", "1_t")


def test_nothing_is_rolled_back_before_what_depends_on_it_whatever_the_times_say(folder: Folder) -> None:
    folder.write("1_t", "CREATE TABLE t (id int PRIMARY KEY)", rollback="DROP TABLE t")
    folder.write("2_u", "-- depends: 1_t\nCREATE TABLE u (t int REFERENCES t)", rollback="DROP TABLE u")
    folder.migrate()
    folder.do(
        "UPDATE _yoyo_migration SET applied_at_utc = applied_at_utc - interval '1 hour' WHERE migration_id = '2_u'"
    )
    assert folder.roll_back(count=2).ids == ("2_u", "1_t")


def test_of_equal_times_the_file_that_sorts_last_is_the_last(folder: Folder) -> None:
    for n in (1, 2, 3):
        folder.write(f"{n}_t", f"CREATE TABLE t{n} ()", rollback=f"DROP TABLE t{n}")
    folder.migrate()
    folder.do("UPDATE _yoyo_migration SET applied_at_utc = now() AT TIME ZONE 'UTC'")
    assert folder.roll_back(count=2).ids == ("3_t", "2_t")


def test_rollback_that_fails_on_the_way_says_what_was_rolled_back(folder: Folder) -> None:
    folder.write("1_t", "CREATE TABLE t1 ()", rollback="DROP TABLE t1")
    folder.write("2_t", "CREATE TABLE t2 ()", rollback="DROP TABLE nix")
    folder.write("3_t", "CREATE TABLE t3 ()", rollback="DROP TABLE t3")
    folder.migrate()
    run = start_cli(folder.database, folder.path, "rollback", "-n", "3")
    code, _, said = run.finish()
    assert code == 3
    assert "rolled back before it, and not applied any more: 3_t" in said and "applied before it" not in said


# the clock


@pytest.mark.parametrize("shift", ["- interval '1 hour'", "+ interval '1 hour'"])
def test_interrupted_file_goes_on_whatever_the_clock_says(folder: Folder, shift: str) -> None:
    folder.write("1_t", f"{NT}CREATE TABLE t (a int);\nSELECT 1 / count(*) FROM t;\nCREATE TABLE u ();")
    folder.fail()
    folder.do(
        f"UPDATE _wflo_schema_progress SET updated_at_utc = updated_at_utc {shift}",
        "INSERT INTO _yoyo_log (id, migration_hash, operation, created_at_utc) VALUES ('x', 'x', 'apply', now())",
        "INSERT INTO t VALUES (1)",
    )
    assert folder.migrate().ids == ("1_t",)


@pytest.mark.parametrize("shift", ["- interval '1 hour'", "+ interval '1 hour'"])
def test_what_another_tool_did_since_is_seen_whatever_the_clock_says(folder: Folder, shift: str) -> None:
    folder.write("1_t", f"{NT}CREATE TABLE t (a int);\nSELECT 1 / count(*) FROM t;")
    folder.fail()
    key = read_migrations(folder.path).items[0].hash
    folder.do(
        *(
            "INSERT INTO _yoyo_log (id, migration_hash, operation, created_at_utc) "
            f"VALUES ('{what}', '{key}', '{what}', now() AT TIME ZONE 'UTC' {shift})"
            for what in ("apply", "rollback")
        )
    )
    assert "another tool has applied it or rolled it back since" in folder.refuse().message


def test_table_of_progress_of_an_earlier_version_is_gone_on_with(folder: Folder) -> None:
    folder.write("1_t", f"{NT}CREATE TABLE t (a int);\nSELECT 1 / count(*) FROM t;\nCREATE TABLE u ();")
    folder.fail()
    folder.do("ALTER TABLE _wflo_schema_progress DROP COLUMN log_rows", "INSERT INTO t VALUES (1)")
    assert folder.status().entries[0].statements_done == 1
    assert folder.migrate().ids == ("1_t",) and folder.has("u")


# who is in the way


@pytest.fixture(scope="module")
def own(server: RunningServer) -> Iterator[RunningServer]:
    """A server of one's own, that prepares transactions and takes its time to write what is not waited for."""
    settings = {"max_prepared_transactions": "5", "fsync": "on", "full_page_writes": "on", "wal_writer_delay": "10s"}
    started = start_server(server.version, settings=settings)
    yield started
    stop_server(started)


@pytest.mark.parametrize("gid", ["a job", "it's"])
@pytest.mark.parametrize("text", ["ALTER TABLE a ADD b int", "UPDATE a SET id = 2"])
def test_prepared_transaction_is_named_with_what_ends_it(
    own: RunningServer, tmp_path: Path, gid: str, text: str
) -> None:
    name = f"prepared{abs(hash((gid, text)))}"
    do(own.database, f"CREATE DATABASE {name}")
    folder = Folder(tmp_path, own.database.with_name(name))
    folder.write("1_a", "CREATE TABLE a (id int); INSERT INTO a VALUES (1)")
    folder.migrate()
    quoted = "'" + gid.replace("'", "''") + "'"
    with folder.database.connect(autocommit=False) as other:
        other.execute("UPDATE a SET id = id")
        other.execute(f"PREPARE TRANSACTION {quoted}".encode())
    with folder.database.connect(autocommit=False) as other:  # another one, which is not in the way
        other.execute("CREATE TABLE elsewhere ()")
        other.execute("PREPARE TRANSACTION 'innocent'")
    folder.write("2_b", text)
    with pytest.raises(LockNotAcquired) as caught:
        folder.migrate(locks=LockOptions(timeout_ms=200, wait_s=0.5))
    assert f"blocked by the prepared transaction '{gid}' (postgres) for " in caught.value.message
    assert f"ROLLBACK PREPARED {quoted}" in caught.value.hint and "innocent" not in str(caught.value.message)
    folder.do(f"ROLLBACK PREPARED {quoted}", "ROLLBACK PREPARED 'innocent'")
    assert folder.migrate().ids == ("2_b",)


@pytest.mark.parametrize("head", ["", NT])
@pytest.mark.parametrize(
    "rename", ["SET application_name = 'mine'", "SELECT set_config('application_' || 'name', 'mine', false)"]
)
def test_blocker_of_a_file_that_changes_its_name_is_named(folder: Folder, head: str, rename: str) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.migrate()
    folder.write("2_b", f"{head}{rename};\nALTER TABLE a ADD b int;")
    with folder.database.with_parameters(application_name="report").connect(autocommit=False) as other:
        other.execute("SELECT * FROM a")
        with pytest.raises(LockNotAcquired) as caught:
            folder.migrate(locks=LockOptions(timeout_ms=200, wait_s=0.5))
        assert f"pid {other.info.backend_pid} (postgres, report)" in caught.value.message
        assert f"pg_terminate_backend({other.info.backend_pid})" in caught.value.hint


# A table → whose ledger is locked with it, and what is to read it.
LOCKED = {
    "_wflo_schema_repeatable": ("the ledger in schema public", "migrate"),
    "_wflo_schema_variable": ("the ledger in schema public", "roll_back"),
    "_yoyo_log": ("the ledger in schema public", "migrate"),
    "other._yoyo_migration": ("a ledger in another schema", "migrate"),
}


@pytest.mark.parametrize("table", LOCKED)
def test_a_table_of_the_ledger_that_stays_locked_is_not_waited_for_without_end(folder: Folder, table: str) -> None:
    (folder.path / "repeatable").mkdir()
    (folder.path / "repeatable" / "v.sql").write_text("CREATE VIEW v AS SELECT 1 AS n")
    folder.write("1_a", '-- variables: name\nCREATE TABLE :"name" (id int)', rollback="DROP TABLE a")
    given = {"name": "a"}
    files = read_migrations(folder.path, variables=given)
    if table.startswith("other"):
        folder.do("CREATE SCHEMA other")
        operations.migrate(folder.database.with_schema("other"), files)
    else:
        operations.migrate(folder.database, files)
    if table == "_yoyo_log":
        operations.rollback(folder.database, files)
    ledger, what = LOCKED[table]
    run = operations.migrate if what == "migrate" else operations.rollback
    with folder.database.with_parameters(application_name="report").connect(autocommit=False) as other:
        other.execute(f"LOCK TABLE {table}".encode())
        with pytest.raises(DatabaseError) as caught:
            run(folder.database, files, locks=LockOptions(timeout_ms=200, wait_s=0.5))
        assert caught.value.message.startswith(f"{ledger} was locked in ")
        assert f"pid {other.info.backend_pid} (postgres, report)" in caught.value.message
        assert caught.value.sqlstate == "55P03"


# one run at a time, even where a statement gives up the lock


UNLOCKS = {
    "all": "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_unlock_all()'",
    "ours": "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE l record; BEGIN "
    "FOR l IN SELECT * FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LOOP "
    "PERFORM pg_advisory_unlock(l.classid::int, l.objid::int); END LOOP; END $$",
}


@pytest.mark.parametrize("what", UNLOCKS)
@pytest.mark.parametrize("waits", ["SELECT pg_sleep(0.4)", "CALL slowly()"])
def test_no_statement_is_done_twice_where_a_function_gives_up_the_lock(
    database: Database, tmp_path: Path, what: str, waits: str
) -> None:
    slowly = "CREATE PROCEDURE slowly() LANGUAGE plpgsql AS 'BEGIN COMMIT; PERFORM pg_sleep(0.4); END'"
    path = write(tmp_path / "m", {"1_a": f"CREATE TABLE a (id int); {UNLOCKS[what]}; {slowly}"})
    operations.migrate(database, read_migrations(path))
    steps = ";\n".join(f"INSERT INTO a VALUES ({n});\nSELECT f();\n{waits}" for n in range(3))
    write(path, {"2_b": f"{NT}{steps};\nINSERT INTO a VALUES (3);"})
    runs = [forks.Process(target=migrate_folder, args=(database, str(path))) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    if one(database, "SELECT count(*) FROM _yoyo_migration") != (2,):  # a run that found the CALL under way
        operations.migrate(database, read_migrations(path))
    assert one(database, "SELECT array_agg(id ORDER BY id) FROM a") == ([0, 1, 2, 3],)
    assert one(database, "SELECT count(*) FROM _yoyo_migration") == (2,)
    assert one(database, "SELECT count(*) FROM _wflo_schema_progress") == (0,)


def test_progress_that_another_run_wrote_is_not_written_over(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int)")
    folder.migrate()
    folder.write("2_b", f"{NT}INSERT INTO a VALUES (1);\nSELECT pg_advisory_xact_lock(7);\nINSERT INTO a VALUES (2);")
    errors: list[Exception] = []

    def run() -> None:
        try:
            folder.migrate(locks=LockOptions(timeout_ms=300_000))
        except WfloSchemaError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    with folder.database.connect() as gate:
        gate.execute("SELECT pg_advisory_lock(7)")
        thread.start()
        wait_until(lambda: is_waiting(folder.database), "the second statement")
        checksum = "(SELECT encode(sha256('x'), 'hex'))"
        gate.execute(f"UPDATE _wflo_schema_progress SET statements_done = 2, done_checksum = {checksum}".encode())
    thread.join()
    assert [type(e) for e in errors] == [Refused] and "edited" in str(errors[0])
    assert folder.ask("SELECT count(*) FROM a") == 1


@pytest.mark.parametrize("how", ["DELETE FROM _wflo_schema_progress", "CALL forget()"])
def test_file_that_removes_the_record_of_its_progress_is_not_begun_anew(folder: Folder, how: str) -> None:
    folder.write(
        "1_a",
        "CREATE TABLE a (id int); CREATE PROCEDURE forget() LANGUAGE plpgsql "
        "AS 'BEGIN DELETE FROM _wflo_schema_progress; COMMIT; END'",
    )
    folder.migrate()
    folder.write("2_b", f"{NT}INSERT INTO a VALUES (1);\n{how};\nINSERT INTO a VALUES (2);")
    with pytest.raises((DatabaseError, MigrationFailed)):
        folder.migrate()
    assert folder.ask("SELECT array_agg(id) FROM a") == [1] and folder.recorded() == ["1_a"]


# the disk


LAZY = {
    "the file": "SET synchronous_commit = off;",
    "the transaction": "SET LOCAL synchronous_commit = off;",
    "a function": "CREATE FUNCTION lazy() RETURNS text LANGUAGE sql AS "
    "$$ SELECT set_config('synchronous_' || 'commit', 'off', false) $$; SELECT lazy();",
    "a trigger at COMMIT": "CREATE TABLE x (a int); CREATE FUNCTION lazy() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM set_config('synchronous_commit', 'off', false); RETURN NULL; END $$;"
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON x DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION lazy(); INSERT INTO x VALUES (1);",
    "the database": "",
}


@pytest.mark.parametrize("verb", ["migrate", "non-transactional", "rollback", "baseline"])
@pytest.mark.parametrize("what", LAZY)
def test_success_is_on_disk_before_it_is_said_whatever_was_set(
    own: RunningServer, tmp_path: Path, what: str, verb: str
) -> None:
    name = f"lazy{abs(hash((what, verb)))}"
    do(own.database, f"CREATE DATABASE {name}", "CHECKPOINT")
    if what == "the database":
        do(own.database, f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = own.database.with_name(name)
    head = NT if verb == "non-transactional" else ""
    path = write(tmp_path / "m", {"1_a": f"{head}CREATE TABLE a ();\n{LAZY[what]}"})
    if verb == "rollback":
        write(path, {"1_a": "CREATE TABLE b (a int)"}, {"1_a": f"INSERT INTO b VALUES (1);\n{LAZY[what]}"})
        operations.migrate(database, read_migrations(path))
        operations.rollback(database, read_migrations(path))
    elif verb == "baseline":
        operations.baseline(database, read_migrations(path), ["1_a"])
    else:
        operations.migrate(database, read_migrations(path))
    own.pg_ctl("-m", "immediate", "-w", "stop")
    own.pg_ctl("-w", "-l", str(own.data.parent / "log"), "start")
    if verb == "rollback":
        assert one(database, "SELECT (SELECT count(*) FROM _yoyo_migration), (SELECT count(*) FROM b)") == (0, 1)
    else:
        assert one(database, "SELECT count(*) FROM _yoyo_migration") == (1,)
        assert one(database, "SELECT to_regclass('a') IS NULL") == (verb == "baseline",)
