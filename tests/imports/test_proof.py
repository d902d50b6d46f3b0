"""What an import proves: both sides are run, what differs is named by file, and nothing outside is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from tests.imports.laid import imported, lay, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.check.verdict import check_drift
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionLost
from wflo_schema.files.folder import read_migrations
from wflo_schema.imports import proof
from wflo_schema.imports.operations import import_folder
from wflo_schema.imports.source import Wishes
from wflo_schema.scratch.replay import Scratches, ScratchOptions, replayed
from wflo_schema.show.text import import_text

pytestmark = pytest.mark.spread_over_servers


def pairs(*ups: str, **downs: str) -> dict[str, str | bytes]:
    """A folder of golang-migrate; a down file is named by its number: ``_2="DROP …"``."""
    files: dict[str, str | bytes] = {f"{n:04}_s{n}.up.sql": up for n, up in enumerate(ups, 1)}
    return files | {f"{int(n[1:]):04}_s{n[1:]}.down.sql": down for n, down in downs.items()}


NOTHING = ("SELECT 1;",) * 4

TABLES = tuple(f"CREATE TABLE t{n} (id bigint PRIMARY KEY);" for n in range(1, 12))


def scratch_databases(database: Database) -> list[str]:
    with database.connect() as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'wflo_schema_scratch_%'")
        return [row[0] for row in rows.fetchall()]


@pytest.mark.parametrize(
    "up",
    [
        "ALTER ROLE {role}\n  SET work_mem = '5MB'; -- ä\nCREATE TABLE t1 (id int);",
        "CREATE TABLE t1 (id int); GRANT {role} TO {role}_of; CREATE TABLE t2 (id int);",
        "GRANT CONNECT ON DATABASE wflo_not_there TO {role}; CREATE TABLE t1 (id int);",
        "ALTER ROLE {role} SET work_mem = '5MB'; ALTER ROLE {role} NOLOGIN;",
    ],
)
def test_what_is_left_out_is_run_on_neither_side_of_one_message(tmp_path: Path, database: Database, up: str) -> None:
    role = f"wflo_{database.name}"
    looks = """SELECT (SELECT count(*) FROM pg_db_role_setting WHERE setrole = r.oid),
        (SELECT count(*) FROM pg_auth_members WHERE roleid = r.oid),
        rolcanlogin FROM pg_roles r WHERE rolname = %s"""
    with database.connect() as connection:
        connection.execute(f'CREATE ROLE "{role}" LOGIN; CREATE ROLE "{role}_of"')
    try:
        found = imported(tmp_path, pairs(up.format(role=f'"{role}"').replace('"_of', '_of"')), database)
        assert found.exit_code == 0, found.proof
        assert found.proof is not None and all("left out of both" in s.what for s in found.proof.said)
        with database.connect() as connection:
            assert connection.execute(looks, (role,)).fetchone() == (0, 0, True)
    finally:
        with database.connect() as connection:
            connection.execute(f'DROP ROLE "{role}", "{role}_of"')


@pytest.mark.parametrize(
    ("up", "said", "advised"),
    [
        (
            "DROP TABLE t9; SELECT 1 +;",
            'syntax error at or near ";"; and here: line 1, DROP TABLE t9',
            "take it for granted",
        ),
        ("SELECT 1;\nSELECT 1 +;", "and here: line 2", "correct the statement"),
    ],
)
def test_advice_is_of_the_refusal_that_is_shown(
    tmp_path: Path, database: Database, up: str, said: str, advised: str
) -> None:
    found = imported(tmp_path, pairs(up), database)
    assert found.proof is not None
    (one,) = found.proof.said
    assert said in one.what and advised in one.how
    assert import_text(found).count(one.text) == 1


# --- what differs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "differs", "said"),
    [
        ("SET search_path TO app;", "CREATE TABLE here (id int);", "table app.here"),
        ("SET ROLE wflo_proof;", "CREATE TABLE here (id int);", "owner"),
        (
            "SET TimeZone TO 'Asia/Tokyo';",
            "INSERT INTO t1 SELECT extract(timezone FROM now());",
            "the rows of public.t1",
        ),
        ("SET default_toast_compression = 'lz4'; SET check_function_bodies = off;", "", ""),
    ],
)
def test_what_differs_is_named_at_the_first_file_after_which_it_does(
    tmp_path: Path, database: Database, before: str, differs: str, said: str
) -> None:
    with database.connect() as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE wflo_proof SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    start = ("CREATE SCHEMA app; CREATE TABLE t1 (a numeric);", before)
    found = imported(tmp_path, pairs(*start, *NOTHING, differs or "SELECT 1;", *NOTHING), database)
    assert found.proof is not None
    if not differs:
        assert found.proof.is_whole
        return
    assert found.exit_code == 1
    assert not found.proof.is_equal
    told = {one.id: one.what for one in found.proof.said}
    assert set(told) >= {"0007_s7"}
    assert said in told["0007_s7"]
    assert "-- import: " in text_of(tmp_path, "0007_s7.sql")
    assert "otherwise than golang-migrate" in text_of(tmp_path, "0007_s7.sql")
    assert "0002_s2.up.sql:1 sets for the session, write that at the head of this file" in found.proof.said[0].how
    assert "otherwise than" not in text_of(tmp_path, "0006_s6.sql")


TOKYO = "SET TimeZone TO 'Asia/Tokyo';"
ZONE = "CREATE TABLE zone AS SELECT extract(timezone FROM now());"
PATH = "CREATE SCHEMA IF NOT EXISTS app; SET search_path TO app;"
OFFLINE = (
    "-- Running upgrade {} -> {}\n\n{}\n\nUPDATE alembic_version SET version_num='{}' WHERE version_num = '{}';\n\n"
)


def two_of(tool: str, one: str, other: str) -> dict[str, str]:
    """A folder of that tool with two migrations."""
    if tool == "alembic":
        steps = ((" ", "aaaa", one), ("aaaa", "bbbb", other))
        return {"up.sql": f"BEGIN;\n\n{''.join(OFFLINE.format(a, b, sql, b, a) for a, b, sql in steps)}COMMIT;\n"}
    return {
        "flyway": {"V1__a.sql": one, "V2__b.sql": other},
        "liquibase": {"a.sql": f"--liquibase formatted sql\n--changeset n:1\n{one}\n--changeset n:2\n{other}\n"},
        "django": {"plan.txt": "[ ]  a.0001_a\n[ ]  a.0002_b\n", "a.0001_a.sql": one, "a.0002_b.sql": other},
        "supabase": {"supabase/migrations/1_a.sql": one, "supabase/migrations/2_b.sql": other},
    }[tool]


@pytest.mark.parametrize(
    ("tool", "one", "other", "is_same"),
    [
        ("flyway", TOKYO, ZONE, False),
        ("flyway", f"{PATH} SET ROLE pg_monitor;", "CREATE TABLE here (id int);", True),
        ("liquibase", TOKYO, ZONE, False),
        ("alembic", PATH, "CREATE TABLE here (id int);", False),
        ("django", TOKYO, ZONE, False),
        ("supabase", "CREATE TEMPORARY TABLE zone (a numeric);", "INSERT INTO zone VALUES (1);", False),
        ("supabase", f"{TOKYO} {PATH}", ZONE, True),
    ],
)
def test_what_a_tool_keeps_for_its_next_file_is_kept_in_the_proof(
    tmp_path: Path, database: Database, tool: str, one: str, other: str, is_same: bool
) -> None:
    files = two_of(tool, one, other)
    found = imported(tmp_path, {**files, "supabase/config.toml": ""} if tool == "supabase" else files, database)
    assert found.tool == tool
    assert found.proof is not None and len(found.files) == 2
    assert found.proof.is_whole is is_same
    assert any("is set for the session" in note for note in found.files[0].notes) is (not is_same and "SET " in one)


@pytest.mark.parametrize(
    ("start", "differs", "said"),
    [
        (
            """CREATE TABLE f (a numeric); ALTER TABLE f ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
            CREATE POLICY i ON f FOR INSERT WITH CHECK (true);""",
            "INSERT INTO f SELECT extract(timezone FROM now());",
            "the rows of public.f",
        ),
        (
            """CREATE TABLE f (id serial, a numeric); REVOKE ALL ON f, f_id_seq FROM CURRENT_USER;
            GRANT INSERT ON f TO CURRENT_USER; GRANT USAGE ON f_id_seq TO CURRENT_USER;""",
            "INSERT INTO f (a) SELECT extract(timezone FROM now());",
            "the rows of public.f",
        ),
        (
            "SELECT lo_create(0);",
            "SELECT lo_from_bytea(0, extract(timezone FROM now())::text::bytea);",
            "the rows of large objects",
        ),
    ],
)
def test_rows_that_are_not_shown_to_the_role_are_compared_too(
    tmp_path: Path, database: Database, start: str, differs: str, said: str
) -> None:
    with database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS wflo_plain; CREATE ROLE wflo_plain LOGIN CREATEDB")
    plain = database.with_parameters(user="wflo_plain")
    found = imported(tmp_path, pairs(start, TOKYO, differs), plain)
    assert found.proof is not None and not found.proof.is_equal
    assert [(one.id, said in one.what) for one in found.proof.said] == [("0003_s3", True)]


def test_what_differs_in_several_files_is_named_at_each(tmp_path: Path, database: Database) -> None:
    files = pairs(
        "CREATE SCHEMA app; SET search_path TO app;",
        "CREATE TABLE a ();",
        "SELECT 1;",
        "CREATE TABLE b ();",
        "SELECT 2;",
    )
    found = imported(tmp_path, files, database)
    assert found.proof is not None
    assert [one.id for one in found.proof.said] == ["0002_s2", "0004_s4"]


def test_a_rollback_that_does_otherwise_is_named(tmp_path: Path, database: Database) -> None:
    downs = {f"_{n}": f"DROP TABLE t{n};" for n in (1, 2, 4)}
    files = pairs(*TABLES[:4], **downs, _3="SET search_path TO public; DROP TABLE t3;")
    files["0004_s4.down.sql"] = "DROP TABLE t4; SET search_path TO nowhere;"
    files["0003_s3.down.sql"] = "DROP TABLE IF EXISTS t3;"
    files["0002_s2.down.sql"] = "SET search_path TO public; DROP TABLE t2;"
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_equal and not found.proof.is_whole
    assert [one.id for one in found.proof.said] == ["0003_s3"]
    assert "rollback" in found.proof.said[0].what
    assert found.exit_code == 1


def test_what_a_rollback_does_otherwise_is_seen_though_the_next_one_drops_it(
    tmp_path: Path, database: Database
) -> None:
    downs = {"_1": "DROP TABLE zone;", "_2": "INSERT INTO zone SELECT extract(timezone FROM now());", "_3": TOKYO}
    found = imported(tmp_path, pairs("CREATE TABLE zone (a numeric);", *NOTHING[:2], **downs), database)
    assert found.proof is not None and found.proof.is_equal and not found.proof.is_whole
    assert [(one.id, "the rows of public.zone" in one.what) for one in found.proof.said] == [("0002_s2", True)]


def test_rows_of_a_rollback_that_differ_from_run_to_run_are_no_difference(tmp_path: Path, database: Database) -> None:
    table = "CREATE TABLE t (a int, at timestamptz DEFAULT clock_timestamp());"
    downs = {"_1": "DROP TABLE t;", "_2": f"{table} INSERT INTO t VALUES (1);", "_3": "DROP TABLE t1;"}
    found = imported(tmp_path, pairs(table, "DROP TABLE t;", TABLES[0], **downs), database)
    assert found.exit_code == 0 and found.proof is not None
    assert (found.proof.rolled_back, found.proof.not_compared) == (3, ("public.t.at",))


def test_what_code_makes_of_the_name_of_its_database_is_no_difference(tmp_path: Path, database: Database) -> None:
    """The two databases of a proof have names of their own, and the target another: nobody sees them."""
    code = """CREATE TABLE t (a int);
    DO $$ BEGIN
        EXECUTE format('COMMENT ON TABLE t IS %L', 'of ' || current_database());
        EXECUTE format('CREATE VIEW v AS SELECT %L::text AS db', current_database());
    END $$;"""
    found = imported(tmp_path, pairs(code, _1="DROP VIEW v; DROP TABLE t;"), database)
    assert found.exit_code == 0 and found.proof is not None and found.proof.is_whole, found.proof
    migrations = read_migrations(tmp_path / "ours")
    operations.migrate(database, migrations)
    assert check_drift(database, replayed(database, migrations)) == ()
    assert adopt_database(database, migrations).verdict is Verdict.OURS


def test_a_rollback_finds_no_setting_of_the_session_that_ran_the_files(tmp_path: Path, database: Database) -> None:
    """A session that was only reset would still know its name."""
    down = "INSERT INTO t SELECT current_setting('my.way', TRUE) IS NULL;"
    found = imported(tmp_path, pairs("CREATE TABLE t (a bool);", "SET my.way = '1';", _2=down), database)
    assert found.exit_code == 0 and found.proof is not None and found.proof.rolled_back == 1, found.proof


def test_rollbacks_above_and_below_one_that_does_otherwise_are_proven(tmp_path: Path, database: Database) -> None:
    downs = {"_1": "DROP TABLE zone;", "_2": "INSERT INTO zone SELECT extract(timezone FROM now());"}
    downs |= {"_3": f"{TOKYO} DELETE FROM zone;", "_4": "INSERT INTO zone VALUES (1);", "_5": "SELECT 1;"}
    found = imported(tmp_path, pairs("CREATE TABLE zone (a numeric);", *NOTHING[:4], **downs), database)
    assert found.proof is not None and found.proof.rolled_back == 4
    assert [one.id for one in found.proof.said if one.is_open] == ["0002_s2"]


def test_a_role_that_may_be_made_is_made_once_for_both_sides(tmp_path: Path, database: Database) -> None:
    role = f"wflo_made_{os.getpid()}"
    folder = lay(
        tmp_path, pairs(f"CREATE TABLE t (); CREATE ROLE {role}; GRANT SELECT ON t TO {role};", _1="DROP TABLE t;")
    )
    try:
        scratch = ScratchOptions(allow_outside=True)
        found = import_folder(str(folder), tmp_path / "ours", server=database, scratch=scratch)
        assert found.exit_code == 0 and found.proof is not None and found.proof.rolled_back == 1
    finally:
        with database.connect() as connection:
            connection.execute(f"DROP ROLE IF EXISTS {role}")


# --- what cannot be replayed ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("CREATE EXTENSION nothing_like_it;", "nothing_like_it"),
        ("CREATE TABLE x (id int);\n\nGRANT SELECT ON x TO nobody_like_it;", "nobody_like_it"),
        ("SELECT no_such_function();", "no_such_function"),
    ],
)
def test_what_fails_both_ways_is_named_with_what_to_prepare(
    tmp_path: Path, database: Database, statement: str, missing: str
) -> None:
    found = imported(tmp_path, pairs(TABLES[0], TABLES[1], statement, TABLES[3]), database)
    assert found.proof is not None and not found.proof.is_whole and found.exit_code == 1
    assert (found.proof.replayed, found.proof.total) == (2, 4)
    (said,) = found.proof.said
    assert said.id == "0003_s3"
    assert missing in said.what
    assert "--scratch-prepare" in said.how
    assert missing in text_of(tmp_path, "0003_s3.sql")


def test_what_is_prepared_is_proven(tmp_path: Path, database: Database) -> None:
    folder = lay(tmp_path, pairs(TABLES[0], "INSERT INTO here VALUES (1);"))
    prepare = tmp_path / "prepare.sql"
    prepare.write_text("CREATE TABLE here (id int);")
    found = import_folder(str(folder), tmp_path / "ours", server=database, scratch=ScratchOptions(prepare=prepare))
    assert found.proof is not None and found.proof.is_whole


def test_what_fails_on_one_side_is_named(tmp_path: Path, database: Database) -> None:
    only_theirs = pairs("CREATE TEMP TABLE kept (id int);", "INSERT INTO kept VALUES (1);", TABLES[2])
    found = imported(tmp_path / "a", only_theirs, database)
    assert found.proof is not None and found.proof.replayed == 1
    assert found.proof.said[0].id == "0002_s2"
    assert "runs as golang-migrate runs it, and fails here" in found.proof.said[0].what
    only_ours = pairs(TABLES[0], "SELECT 1; SAVEPOINT one; ROLLBACK TO one;")  # one message has no transaction block
    found = imported(tmp_path / "b", only_ours, database)
    assert found.proof is not None and found.proof.replayed == 1
    assert "fails on this server as golang-migrate runs it, and not as it is written" in found.proof.said[0].what


@pytest.mark.parametrize("gap", [2, 3])
def test_below_a_file_without_rollback_the_others_are_rolled_back_too(
    tmp_path: Path, database: Database, gap: int
) -> None:
    downs = {f"_{n}": f"DROP TABLE t{n};" for n in range(1, 5) if n != gap}
    found = imported(tmp_path, pairs(*TABLES[:4], **downs), database)
    assert found.proof is not None and found.proof.is_whole
    assert (found.proof.rolled_back, found.proof.with_rollback) == (3, 3)


def test_a_rollback_that_fails_both_ways_leaves_the_others_proven(tmp_path: Path, database: Database) -> None:
    files = pairs(*TABLES[:3], _1="DROP TABLE t1;", _2="DROP TABLE nothing;", _3="DROP TABLE t3;")
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_equal and not found.proof.is_whole
    assert (found.proof.rolled_back, found.proof.with_rollback) == (2, 3)
    assert [one.id for one in found.proof.said] == ["0002_s2"]


@pytest.mark.parametrize(
    ("third", "is_copied"),
    [
        ("SELECT 1;", True),
        ("ALTER DATABASE wflo SET work_mem = '5MB';", False),  # no copy of the database would have it
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", True),
        (TOKYO, True),  # kept for the next files, and gone where the tool begins anew
    ],
)
def test_below_each_rollback_that_fails_the_others_are_rolled_back_too(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, third: str, is_copied: bool
) -> None:
    made: list[int] = []

    def copies(self: Scratches, of: Sequence[Database]) -> list[Database] | None:
        found = copy(self, of)
        made.append(len(found or ()))
        return found

    copy = Scratches.copies
    monkeypatch.setattr(Scratches, "copies", copies)
    monkeypatch.setattr(proof, "_FEWEST_COPIED", 2)
    ups = ("CREATE SCHEMA app;", *TABLES[:9])
    downs = {f"_{n}": f"DROP TABLE t{n - 1};" for n in range(2, 11)} | {"_1": "DROP SCHEMA app;", "_3": "SELECT 1;"}
    failing = {f"_{n}": f"DROP TABLE t{n - 1}; DROP TABLE nothing;" for n in (10, 7, 5)}
    third = third.replace("wflo", f'"{database.name}"')
    found = imported(tmp_path, pairs(*ups[:2], third, *ups[3:], **(downs | failing)), database)
    assert found.proof is not None and found.proof.is_equal and not found.proof.is_whole
    failed = [one for one in found.proof.said if "rollback fails" in one.what]
    assert [one.id for one in failed] == ["0010_s10", "0007_s7", "0005_s5"]
    assert (found.proof.rolled_back, found.proof.with_rollback) == (7, 10)
    assert bool(made[0]) is is_copied  # behind four of nine
    assert scratch_databases(database) == []


def test_what_a_rollback_that_fails_has_kept_is_not_taken_for_the_others(tmp_path: Path, database: Database) -> None:
    kept = "BEGIN; CREATE TABLE kept (); COMMIT; DROP TABLE nothing;"  # here it is one transaction
    files = pairs(*TABLES[:3], _1="DROP TABLE t1;", _2=kept, _3="DROP TABLE t3;")
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_equal
    assert (found.proof.rolled_back, found.proof.with_rollback) == (2, 3)
    assert [one.id for one in found.proof.said if one.is_open] == ["0002_s2"]


# --- nothing outside is changed ---------------------------------------------------------------

REACHING = (
    "ALTER ROLE wflo_app PASSWORD 'changed';",
    "BEGIN; ALTER ROLE wflo_app PASSWORD 'changed'; COMMIT;",
    "DO $$ BEGIN EXECUTE 'ALTER RO' || 'LE wflo_app PASSWORD ''changed'''; END $$;",
    "BEGIN; DO $$ BEGIN EXECUTE 'ALTER RO' || 'LE wflo_app PASSWORD ''changed'''; END $$; COMMIT;",
    "SELECT 1; DO $$ BEGIN EXECUTE 'ALTER RO' || 'LE wflo_app PASSWORD ''changed'''; END $$;",
    "DO $$ BEGIN EXECUTE 'ALTER RO' || 'LE wflo_app PASSWORD ''changed'''; COMMIT; END $$;",
    "BEGIN; UPDATE pg_catalog.pg_authid SET rolpassword = 'changed' WHERE rolname = 'wflo_app'; COMMIT; SELECT 1;",
    "UPDATE pg_catalog.pg_authid SET rolpassword = 'changed' WHERE rolname = 'wflo_app';",
    "SELECT 1; BEGIN; SELECT 2; COMMIT; UPDATE pg_catalog.pg_authid SET rolpassword = 'x' WHERE rolname = 'wflo_app';",
    "COPY t1 TO PROGRAM 'touch MARK';",
    "BEGIN; COPY t1 TO PROGRAM 'touch MARK'; COMMIT;",
    "DO $$ BEGIN EXECUTE 'COPY t1 TO PRO' || 'GRAM ''touch MARK'''; END $$;",
    "ALTER SYSTEM SET work_mem = '5MB';",
)


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """What the server keeps of a role's password."""
    with database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS wflo_app; CREATE ROLE wflo_app PASSWORD 'kept'")
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'wflo_app'").fetchone()
        assert row is not None
        yield row[0]
        connection.execute("DROP ROLE wflo_app")


@pytest.mark.parametrize("how", ["sqlx", "golang-migrate", "plain"])
def test_a_source_changes_nothing_outside_of_the_scratch_database(
    tmp_path: Path, database: Database, role: str, how: str
) -> None:
    for number, text in enumerate(REACHING):
        mark = tmp_path / f"mark{number}"
        text = text.replace("MARK", str(mark))
        files: dict[str, str | bytes]
        files = pairs(TABLES[0], text) if how == "golang-migrate" else {"0001_a.sql": TABLES[0], "0002_b.sql": text}
        found = imported(tmp_path / str(number), files, database, tool=how, order="name" if how == "plain" else "")
        with database.connect() as connection:
            row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'wflo_app'").fetchone()
            settings = connection.execute("SELECT name FROM pg_file_settings WHERE name = 'work_mem'").fetchall()
        assert row == (role,), text
        assert not settings, text
        assert not mark.exists(), text
        assert found.proof is not None
        if found.proof.is_whole:  # it was left out of both, which is said
            assert any("left out of both replays" in one.what for one in found.proof.said), text


# --- stopped ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["up", "down"])
def test_a_signal_ends_the_proof_with_one_error_and_leaves_nothing(
    tmp_path: Path, database: Database, number: int, moment: str
) -> None:
    slow = "SELECT pg_sleep(60);"
    texts = pairs(TABLES[0], slow) if moment == "up" else pairs(TABLES[0], TABLES[1], _2=f"DROP TABLE t2; {slow}")
    folder = lay(tmp_path, texts)
    command = [sys.executable, "-m", "wflo_schema", "import", str(folder), "--into", str(tmp_path / "ours"), "--write"]
    environment = {**os.environ, "DATABASE_URL": database.url}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _wait_for_sleepers(database, 2)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert (out, err.count("error:"), "Traceback" in err) == ("", 1, False)
    assert not (tmp_path / "ours").exists()
    assert scratch_databases(database) == []


def _wait_for_sleepers(database: Database, count: int) -> list[int]:
    query = (
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' "
        "AND pid <> pg_backend_pid()"
    )
    until = time.monotonic() + 60
    with database.connect() as connection:
        while time.monotonic() < until:
            rows = connection.execute(query).fetchall()
            if len(rows) >= count:
                return [row[0] for row in rows]
            time.sleep(0.05)
    raise AssertionError(f"no {count} sessions sleep")


@pytest.mark.parametrize("side", [0, 1])
def test_a_lost_connection_ends_the_proof_and_leaves_nothing(tmp_path: Path, database: Database, side: int) -> None:
    """At once: nobody waits for what the other side does."""
    folder = lay(tmp_path, pairs(TABLES[0], "SELECT pg_sleep(600);"))

    def cut() -> None:
        pids = _wait_for_sleepers(database, 2)
        with database.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (sorted(pids)[side],))

    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(ConnectionLost, match="the connection to the server was lost") as lost:
        import_folder(str(folder), tmp_path / "ours", server=database, write=True, wishes=Wishes())
    cutting.join()
    assert "nothing was written" in lost.value.hint
    assert not (tmp_path / "ours").exists()
    assert scratch_databases(database) == []


def test_a_role_that_may_not_create_databases_gets_one_clear_error(tmp_path: Path, database: Database) -> None:
    from wflo_schema.errors import Refused

    with database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS wflo_small; CREATE ROLE wflo_small LOGIN NOCREATEDB")
    try:
        with pytest.raises(Refused, match="may not create the scratch database"):
            imported(tmp_path, pairs(TABLES[0]), database.with_parameters(user="wflo_small"))
    finally:
        with database.connect() as connection, pytest.raises(psycopg.errors.UndefinedObject):
            connection.execute("DROP ROLE wflo_small")
            connection.execute("DROP ROLE wflo_small")
    assert not (tmp_path / "ours").exists()
