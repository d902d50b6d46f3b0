"""A replay changes nothing outside its database, whatever the files say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from tests.conftest import BIN, RunningServer, start_server, stop_server
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.catalog.objects import Catalog
from wflo_schema.catalog.read import read_catalog
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine.events import Event, Notice
from wflo_schema.engine.operations import migrate
from wflo_schema.errors import MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.scratch.replay import ScratchOptions, replayed, scratch_database
from wflo_schema.testdb.databases import make_test_database

pytestmark = pytest.mark.spread_over_servers

# Everything that all databases of a server share, but for what test databases themselves come and go with.
_CLUSTER = (
    "SELECT rolname, rolsuper, rolcreatedb, rolcanlogin, rolconnlimit, rolpassword, rolvaliduntil FROM pg_authid",
    "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members",
    (
        "SELECT COALESCE(d.datname, ''), s.setrole, s.setconfig FROM pg_db_role_setting AS s "
        "LEFT JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname IS NULL OR d.datname !~ '^wflo_|_test$'"
    ),
    (
        "SELECT classoid, objoid, description FROM pg_shdescription AS c "
        "WHERE description !~ 'wflo_schema' OR classoid <> 'pg_database'::regclass"
    ),
    (
        "SELECT datname, datdba, datacl::text, datconnlimit, dattablespace, datistemplate FROM pg_database "
        "WHERE datname !~ '^wflo_|_test$'"
    ),
    "SELECT spcname, spcowner, spcacl::text, spcoptions FROM pg_tablespace",
    "SELECT slot_name FROM pg_replication_slots",
    "SELECT roname FROM pg_replication_origin",
    "SELECT subname FROM pg_subscription",
    "SELECT name, setting FROM pg_file_settings",
    "SELECT label FROM pg_shseclabel",
)


Cluster = Callable[[], dict[str, list[tuple[object, ...]]]]


@pytest.fixture(scope="module")
def cluster(server: RunningServer) -> Iterator[Cluster]:
    """Reads what all databases of the server share."""
    with server.database.connect() as connection:

        def read() -> dict[str, list[tuple[object, ...]]]:
            found = {}
            queries = list(_CLUSTER)
            if connection.info.server_version >= 150000:
                queries.append("SELECT parname, paracl::text FROM pg_parameter_acl")
            for query in queries:
                found[query] = sorted(connection.execute(query.encode()).fetchall(), key=repr)
            found["postgresql.auto.conf"] = [((server.data / "postgresql.auto.conf").read_text(),)]
            return found

        yield read


@pytest.fixture(scope="module")
def unwritten(server: RunningServer) -> Iterator[Database]:
    """An empty database that nothing is done to: what is tried on it happens in another."""
    database = server.database.with_name("wflo_unwritten")
    with server.database.connect() as connection:
        connection.execute(f'CREATE DATABASE "{database.name}"'.encode())
        yield database
        for name in (f"{database.name}_test", database.name):
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="module")
def made(unwritten: Database) -> Iterator[Database]:
    """One scratch database for many replays; see `replay`."""
    with scratch_database(unwritten) as empty:
        yield empty


_EMPTY_IT = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('DROP EVENT TRIGGER %I', name); END LOOP;
    END $$;
    DROP SCHEMA public CASCADE; CREATE SCHEMA public;
"""


def replay(made: Database, files: Migrations) -> Catalog:
    """What `replayed` does, in a scratch database that is emptied and not made anew."""
    assert made.replay is not None
    with made.connect() as connection:
        connection.execute(_EMPTY_IT.encode())
    migrate(made.for_replay(replace(made.replay, roles_left_out={}, memory={})), files)
    with made.connect() as connection:
        return read_catalog(connection)


@pytest.fixture
def target(unwritten: Database) -> Database:
    return with_roles(unwritten)


@pytest.fixture
def own_target(database: Database) -> Database:
    """A target that this test may change."""
    return with_roles(database)


def with_roles(database: Database) -> Database:
    """A target whose role `app` has a password, a setting and a comment, and which records nothing."""
    with database.connect() as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database.name}_test" WITH (FORCE)'.encode())
        for role in ("app", "other"):
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {role}".encode())
        granted = "SELECT datname FROM pg_database WHERE datacl::text LIKE '%other=%'"
        for (name,) in connection.execute(granted).fetchall():  # the template of another test
            connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM other'.encode())
        connection.execute("ALTER ROLE app PASSWORD 'rotated'")
        connection.execute(f'GRANT CONNECT ON DATABASE "{database.name}" TO app'.encode())
    return database


def files_of(path: Path, target: Database, *texts: str) -> Migrations:
    folder = path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("CREATE TABLE before (id integer);\n")
    for number, text in enumerate(texts, 2):
        (folder / f"{number:04}_reach.sql").write_text(text.replace("TARGET", target.name))
    (folder / "9999_last.sql").write_text("CREATE TABLE behind (id integer);\n")
    return read_migrations(folder)


def in_code(statement: str) -> str:
    return f"DO $do$ BEGIN {statement}; END $do$;"


def in_dynamic_code(statement: str) -> str:
    half = len(statement) // 2
    return f"DO $do$ BEGIN EXECUTE $a${statement[:half]}$a$ || $b${statement[half:]}$b$; END $do$;"


def in_function(statement: str) -> str:
    return (
        f"CREATE FUNCTION reach() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN {statement}; END $f$;\nSELECT reach();\n"
    )


def in_deferred_trigger(statement: str) -> str:
    return (
        f"CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {statement}; RETURN NULL; END $f$;\n"
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON before DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION late();\nINSERT INTO before VALUES (1);\n"
    )


def in_subtransaction(statement: str) -> str:
    return f"DO $do$ BEGIN BEGIN {statement}; EXCEPTION WHEN division_by_zero THEN NULL; END; END $do$;"


# Statements of the cluster that a transaction may hold.
TRANSACTIONAL = (
    "CREATE ROLE made",
    "CREATE USER made PASSWORD 'made'",
    "CREATE GROUP made",
    "ALTER ROLE app PASSWORD 'first'",
    "ALTER USER app VALID UNTIL '2030-01-01'",
    "ALTER ROLE app SET work_mem = '4MB'",
    "ALTER ROLE ALL SET work_mem = '4MB'",
    "ALTER ROLE app CREATEDB",
    "ALTER ROLE app CONNECTION LIMIT 3",
    "ALTER ROLE other RENAME TO another",
    "ALTER GROUP app ADD USER other",
    "DROP ROLE other",
    "GRANT app TO other",
    "GRANT pg_monitor TO app WITH ADMIN OPTION",
    "COMMENT ON ROLE app IS 'changed'",
    "COMMENT ON DATABASE \"TARGET\" IS 'changed'",
    "COMMENT ON TABLESPACE pg_default IS 'changed'",
    "ALTER DATABASE \"TARGET\" SET work_mem = '4MB'",
    'ALTER DATABASE "TARGET" CONNECTION LIMIT 30',
    'ALTER DATABASE "TARGET" OWNER TO app',
    "ALTER ROLE app IN DATABASE \"TARGET\" SET work_mem = '4MB'",
    'GRANT TEMPORARY ON DATABASE "TARGET" TO other',
    'REVOKE CONNECT ON DATABASE "TARGET" FROM app',
    "GRANT CREATE ON DATABASE postgres TO app",
    "GRANT CREATE ON TABLESPACE pg_default TO app",
    "ALTER TABLESPACE pg_default SET (random_page_cost = 1)",
    "UPDATE pg_catalog.pg_authid SET rolvaliduntil = '2030-01-01' WHERE rolname = 'app'",
    "UPDATE pg_catalog.pg_database SET datconnlimit = 30 WHERE datname = 'TARGET'",
    "DELETE FROM pg_catalog.pg_shdescription WHERE classoid = 'pg_database'::regclass",
    "DROP OWNED BY app",
)

WAYS = (in_code, in_dynamic_code, in_function, in_deferred_trigger, in_subtransaction)


# These are no statements of the cluster by their words.
WRITING = ("UPDATE", "DELETE", "DROP OWNED")


@pytest.mark.parametrize("door", ["replay", "test database"])
def test_statements_of_the_cluster_are_left_out(cluster: Cluster, target: Database, tmp_path: Path, door: str) -> None:
    before = cluster()
    statements = [s for s in TRANSACTIONAL if not s.startswith(WRITING)]
    files = files_of(tmp_path, target, *(f"{s};\n" for s in statements))
    if door == "replay":
        assert replayed(target, files).find("table", "public", "behind") is not None
    else:
        told: list[Event] = []
        make_test_database(target, files, notify=told.append)
        left_out = {one.id for one in told if isinstance(one, Notice) and one.severity == "LEFT OUT"}
        assert {m.id for m, s in zip(files.items[1:], statements, strict=False) if "TARGET" not in s} <= left_out
        assert make_test_database(target, files).was_cloned
    assert cluster() == before


@pytest.mark.parametrize("statement", [s for s in TRANSACTIONAL if s.startswith(WRITING)])
def test_a_statement_that_writes_what_is_shared_is_refused(
    cluster: Cluster, target: Database, made: Database, tmp_path: Path, statement: str
) -> None:
    before = cluster()
    with pytest.raises(Refused, match=r"0002_reach\.sql:1: this (UPDATE|DELETE|DROP) changes"):
        replay(made, files_of(tmp_path, target, statement + ";\n"))
    assert cluster() == before


@pytest.mark.parametrize("statement", [s for s in TRANSACTIONAL if "DELETE" not in s])
def test_code_that_reaches_the_cluster_is_refused_by_name(
    cluster: Cluster, target: Database, made: Database, tmp_path: Path, statement: str
) -> None:
    before = cluster()
    way = WAYS[TRANSACTIONAL.index(statement) % len(WAYS)]
    files = files_of(tmp_path, target, way(statement))
    for door in (lambda: replay(made, files), lambda: make_test_database(target, files)):
        with pytest.raises(Refused, match=r"0002_reach\.sql:\d+: .*outside of the database") as caught:
            door()
        assert "--allow-outside" in caught.value.hint
    assert cluster() == before


class Leaving(NamedTuple):
    text: str
    is_left_out: bool


LEAVING = (
    Leaving("COPY before TO PROGRAM 'cat > FILE'", True),
    Leaving("COPY before TO 'FILE'", True),
    Leaving("COPY before FROM PROGRAM 'echo 1 | tee FILE'", False),
    Leaving("SELECT pg_create_physical_replication_slot('made')", True),
    Leaving("SELECT pg_catalog.pg_create_physical_replication_slot('made')", True),
    Leaving("CREATE TABLE x AS SELECT pg_create_physical_replication_slot('made')", False),
    Leaving("SELECT pg_replication_origin_create('made')", True),
    Leaving("SELECT lo_export(lo_from_bytea(0, 'x'), 'FILE')", False),
    Leaving("DO $$ BEGIN PERFORM pg_create_physical_replication_slot('made'); END $$", False),
    Leaving("DO $$ BEGIN COPY before TO 'FILE'; END $$", False),
    Leaving("DO $$ BEGIN EXECUTE 'COPY before TO ''FILE'''; END $$", False),
    Leaving("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_reload_conf()';\nSELECT f()", False),
    Leaving(
        "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; RETURN NULL; END $$;\n"
        "CREATE TRIGGER g AFTER INSERT ON before EXECUTE FUNCTION g();\nINSERT INTO before VALUES (1)",
        False,
    ),
    Leaving(
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; END $$;\n"
        "ALTER FUNCTION f() RENAME TO other;\nSELECT other()",
        False,
    ),
    Leaving(
        "CREATE FUNCTION f(integer, integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; "
        "RETURN 1; END $$;\nCREATE OPERATOR ### (LEFTARG = integer, RIGHTARG = integer, FUNCTION = f);\nSELECT 1 ### 2",
        False,
    ),
    Leaving(
        "CREATE FUNCTION f(integer, integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; "
        "RETURN 1; END $$;\nCREATE AGGREGATE a(integer) (SFUNC = f, STYPE = integer);\n"
        "SELECT a(n) FROM generate_series(1, 2) AS n",
        False,
    ),
    Leaving("CREATE SUBSCRIPTION made CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)", True),
    Leaving(
        "DO $$ BEGIN EXECUTE 'CREATE SUBSCRIPTION made CONNECTION ''host=/nowhere'' PUBLICATION p "
        "WITH (connect = false)'; END $$",
        False,
    ),
    Leaving("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", True),
)


@pytest.mark.parametrize("case", LEAVING, ids=lambda case: case.text[:40])
def test_what_leaves_the_server_does_not_run(
    server: RunningServer, cluster: Cluster, target: Database, made: Database, tmp_path: Path, case: Leaving
) -> None:
    before = cluster()
    left = server.data / "left"
    files = files_of(tmp_path, target, case.text.replace("FILE", str(left)) + ";\n")
    with server.database.connect() as bystander:
        if case.is_left_out:
            assert replay(made, files).find("table", "public", "behind") is not None
        else:
            with pytest.raises(Refused, match=r"0002_reach\.sql:\d+: "):
                replay(made, files)
        bystander.execute("SELECT")
    assert cluster() == before
    assert not left.exists()


ALONE = (
    "ALTER SYSTEM SET work_mem = '4MB'",
    "CREATE DATABASE made",
    "DROP DATABASE IF EXISTS made",
    'ALTER DATABASE "TARGET" SET TABLESPACE pg_default',
    "CREATE TABLESPACE made LOCATION '/nowhere'",
    "DO $$ BEGIN ALTER ROLE app PASSWORD 'first'; COMMIT; END $$",
    "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE app PASSWORD 'first'; COMMIT; END $$;\nCALL p()",
    "DO $$ BEGIN ALTER ROLE app PASSWORD 'first'; END $$",
    "ALTER ROLE app PASSWORD 'first'",
    "ALTER DATABASE \"TARGET\" SET work_mem = '4MB'",
    "REINDEX SYSTEM",
    "VACUUM",
)


@pytest.mark.parametrize("statement", ALONE)
def test_a_file_without_a_transaction_changes_no_more(
    cluster: Cluster, target: Database, made: Database, tmp_path: Path, statement: str
) -> None:
    before = cluster()
    files = files_of(tmp_path, target, f"-- transactional: false\n{statement};\n")
    if "$$" in statement:
        with pytest.raises(Refused, match=r"0002_reach\.sql:\d+: "):
            replay(made, files)
    else:
        assert replay(made, files).find("table", "public", "behind") is not None
    assert cluster() == before


def test_ordinary_work_is_no_reach(cluster: Cluster, target: Database, tmp_path: Path) -> None:
    text = (
        "CREATE SCHEMA s AUTHORIZATION app;\nGRANT ALL ON SCHEMA s TO other;\nCREATE TABLE s.t (id integer);\n"
        "ALTER TABLE s.t OWNER TO app;\nCREATE POLICY p ON s.t TO app USING (true);\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO other;\nREVOKE ALL ON s.t FROM PUBLIC;\n"
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app; END IF; END $$;\n"
        "DO $$ BEGIN CREATE ROLE app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '5MB'); END $$;\n"
        "DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO app', current_database()); END $$;\n"
        "COMMENT ON TABLE s.t IS 'ALTER ROLE app PASSWORD; COPY t TO PROGRAM';\nDROP OWNED BY other;\n"
    )
    before = cluster()
    assert replayed(target, files_of(tmp_path, target, text)).find("table", "s", "t") is not None
    assert cluster() == before


def test_a_role_that_is_missing_is_named_with_the_way_out(cluster: Cluster, target: Database, tmp_path: Path) -> None:
    text = "CREATE ROLE made NOLOGIN;\nGRANT SELECT ON before TO made;\n"
    files = files_of(tmp_path, target, text)
    before = cluster()
    with pytest.raises(MigrationFailed, match="in the scratch database, 0002_reach failed") as caught:
        replayed(target, files)
    assert "its CREATE ROLE (" in caught.value.message and "0002_reach.sql:1" in caught.value.message
    assert "--allow-outside" in caught.value.hint
    assert cluster() == before
    try:
        for _ in range(2):  # the second time it is there
            replayed(target, files, scratch=ScratchOptions(allow_outside=True))
        replayed(target, files)
    finally:
        with target.connect() as connection:
            connection.execute("DROP ROLE made")


def test_what_is_missing_in_the_scratch_database_is_said_and_can_be_prepared(
    own_target: Database, tmp_path: Path
) -> None:
    files = files_of(tmp_path, own_target, "CREATE TABLE t (mail citext);\n")
    with pytest.raises(MigrationFailed, match="in the scratch database, 0002_reach failed in statement 1") as caught:
        replayed(own_target, files)
    assert "--scratch-prepare FILE" in caught.value.hint and "--scratch-template NAME" in caught.value.hint
    assert "correct the file" not in caught.value.hint
    assert not caught.value.applied  # the database is dropped, and 0001 with it
    prepare = tmp_path / "prepare.sql"
    prepare.write_text("CREATE TYPE public.citext AS (value text);\n")
    assert replayed(own_target, files, scratch=ScratchOptions(prepare=prepare)).find("table", "public", "t") is not None
    with own_target.connect() as connection:
        connection.execute(prepare.read_bytes())
    assert (
        replayed(own_target, files, scratch=ScratchOptions(template=own_target.name)).find("table", "public", "t")
        is not None
    )


def test_a_file_that_prepares_and_fails_is_named(target: Database, tmp_path: Path) -> None:
    prepare = tmp_path / "prepare.sql"
    prepare.write_text("\nCREATE EXTENSION;\n")
    files = files_of(tmp_path, target, "SELECT 1;\n")
    with pytest.raises(WfloSchemaError, match=r"prepare\.sql:2 was refused"):
        replayed(target, files, scratch=ScratchOptions(prepare=prepare))
    with pytest.raises(WfloSchemaError, match="no_such"):
        replayed(target, files, scratch=ScratchOptions(template="no_such"))


@pytest.mark.parametrize(
    ("write", "said"),
    [
        ("CREATE VIEW seen AS SELECT * FROM there; CREATE TABLE c AS SELECT * FROM seen", ""),
        ("SELECT * FROM busy", "5: this SELECT changes rows of another server"),
        (
            "CREATE TABLE c AS SELECT busy.id FROM there CROSS JOIN busy",
            "5: this CREATE changes rows of",
        ),
        ("DO $$ BEGIN EXECUTE 'SELECT * FROM bu' || 'sy'; END $$", "5: this DO changes rows of another server"),
        ("DO $$ BEGIN EXECUTE 'TRUNC' || 'ATE there'; END $$", "5: this DO changes rows of another server"),
        ("INSERT INTO there VALUES (2)", "5: this INSERT changes rows of another server"),
        ("TRUNCATE there", ""),
        ("TRUNCATE before, there", "5: TRUNCATE of there acts outside"),
        ("DO $$ BEGIN TRUNCATE there; END $$", "5: DO … TRUNCATE of there acts outside"),
        ("ALTER FOREIGN TABLE there RENAME TO moved;\nTRUNCATE moved", ""),
        (
            "CREATE TABLE w (id int) PARTITION BY LIST (id);\nALTER TABLE w ATTACH PARTITION there DEFAULT; TRUNCATE w",
            "",
        ),
        (
            "CREATE FUNCTION clear() RETURNS void LANGUAGE sql AS 'TRUNCATE there';\nSELECT clear()",
            r"6: SELECT … clear\(\) acts outside",
        ),
    ],
)
def test_rows_of_another_server_are_not_written(
    server: RunningServer, own_target: Database, tmp_path: Path, write: str, said: str
) -> None:
    with own_target.connect() as connection:
        try:
            connection.execute("CREATE EXTENSION postgres_fdw")
        except psycopg.Error:
            pytest.skip("no postgres_fdw here")
        connection.execute(
            "CREATE TABLE there (id integer); INSERT INTO there VALUES (1); "
            "CREATE FUNCTION busy() RETURNS int LANGUAGE sql AS 'INSERT INTO public.there VALUES (3) RETURNING id'; "
            "CREATE VIEW busy AS SELECT public.busy() AS id"
        )
    info = server.database.parameters
    text = (
        "CREATE EXTENSION postgres_fdw;\n"
        "CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw "
        f"OPTIONS (host '{info['host']}', port '{info['port']}', dbname 'TARGET');\n"
        "CREATE USER MAPPING FOR CURRENT_USER SERVER back OPTIONS (user 'postgres', password_required 'false');\n"
        "CREATE FOREIGN TABLE there (id integer) SERVER back; CREATE FOREIGN TABLE busy (id integer) SERVER back;\n"
        f"{write};\n"
    )
    files = files_of(tmp_path, own_target, text)
    if said:
        with pytest.raises(Refused, match=rf"0002_reach\.sql:{said}"):
            replayed(own_target, files)
    else:  # nothing in the database depends on it
        assert replayed(own_target, files).find("table", "public", "behind") is not None
    with own_target.connect() as connection:
        assert connection.execute("SELECT count(*) FROM there").fetchone() == (1,)


def test_a_search_path_of_the_database_leads_no_step_of_a_replay_astray(database: Database, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE SCHEMA app;\nCREATE TABLE public.a (id integer);\n")
    (tmp_path / "0002_b.sql").write_text(f'ALTER DATABASE "{database.name}" SET search_path = app, public;\n')
    (tmp_path / "0003_c.sql").write_text("CREATE TABLE app.c (id integer);\n")
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA app; CREATE TABLE public.a (id integer); CREATE TABLE app.c (id integer)")
    found = adopt_database(database, read_migrations(tmp_path), apply=True)
    assert (found.id, found.is_applied) == ("0003_c", True), found


def test_what_is_left_out_is_told_without_a_secret(target: Database, tmp_path: Path) -> None:
    text = "ALTER ROLE app PASSWORD 'topsecret';\nALTER DATABASE \"TARGET\" SET work_mem = '5MB';\n"
    told: list[Event] = []
    make_test_database(target, files_of(tmp_path, target, text), notify=told.append)
    said = [one for one in told if isinstance(one, Notice)]
    assert [(one.id, one.severity) for one in said] == [("0002_reach", "LEFT OUT")]
    assert said[0].message.endswith("0002_reach.sql:1: ALTER ROLE app reaches outside of the test database")


# Texts that are put together while they run; FILE must not be there afterwards.
PROGRAM = "'COPY (SELECT 1) TO PROGRAM ''touch FILE'''"
BUILT = (
    "DO $$ BEGIN EXECUTE 'co'||'py (select 1) to program ''touch FILE'''; END $$",
    "DO $$ DECLARE c text := 'touch FILE'; BEGIN EXECUTE format('COPY %I TO PROGRAM %L', 'before', c); END $$",
    "DO 'BEGIN EXECUTE ''co'' || ''py (select 1) to ''''FILE''''''; END'",
    r"DO E'BEGIN EXECUTE \'co\' || \'py (select 1) to \'\'FILE\'\'\'; END'",
    "DO LANGUAGE plpgsql $$ BEGIN EXECUTE 'SELECT lo_' || 'export(lo_from_bytea(0, ''x''), ''FILE'')'; END $$",
    "DO LANGUAGE 'plpgsql' $$ BEGIN EXECUTE 'SELECT pg_catalog.\"lo_' || 'export\"(lo_create(0), ''FILE'')'; END $$",
    "DO $$ DECLARE n oid; BEGIN EXECUTE 'SELECT lo_exp' || 'ort($1, $2)' USING lo_create(0), 'FILE'; END $$",
    "DO $$ DECLARE n int; BEGIN EXECUTE 'SELECT lo_exp' || 'ort(lo_create(0), ''FILE'')' INTO STRICT n; END $$",
    (
        f"CREATE TABLE texts (ddl text);\nINSERT INTO texts VALUES ({PROGRAM});\n"
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT ddl FROM texts LOOP EXECUTE r.ddl; END LOOP; END $$"
    ),
    (
        f"CREATE TABLE texts (ddl text);\nINSERT INTO texts VALUES ({PROGRAM});\n"
        "DO $$ BEGIN EXECUTE string_agg(ddl, '; ') FROM texts WHERE ddl <> ''; END $$"
    ),
    (
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT 'COPY before TO ' || quote_literal('FILE') AS ddl LOOP "
        "EXECUTE r.ddl; END LOOP; END $$"
    ),
    "DO $$ DECLARE r int; BEGIN FOR r IN EXECUTE 'SELECT l' || 'o_export(0, ''FILE'')' LOOP END LOOP; END $$",
    (
        "DO $$ DECLARE c refcursor; r int; BEGIN OPEN c FOR EXECUTE 'SELECT lo_' || 'export(lo_create(0), ''FILE'')'; "
        "FETCH c INTO r; END $$"
    ),
    "DO $$ BEGIN EXECUTE 'DO $x$ BEGIN EXECUTE ''co''||''py before to ''''FILE''''''; END $x$'; END $$",
    "DO $$ BEGIN EXECUTE '/* all */ sel' || 'ect 1; -- the rest\n CO' || 'PY before TO ''FILE'''; END $$",
    (
        "DO $$ BEGIN IF true THEN EXECUTE 'SELECT query_to_xml(''SELECT lo_'' || ''export(0, ''''FILE'''')'', "
        "true, true, '''')'; END IF; END $$"
    ),
    "DO $$ BEGIN BEGIN EXECUTE 'co'||'py before to ''FILE'''; EXCEPTION WHEN undefined_table THEN NULL; END; END $$",
    "DO $$ BEGIN EXECUTE 'SELECT pg_create_physical' || '_replication_slot(''made'')'; END $$",
    (
        "CREATE FUNCTION f(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE what; END $$;\n"
        f"SELECT f({PROGRAM})"
    ),
    (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE ''co''||''py a to ''''FILE''''''; END';\n"
        "SELECT f()"
    ),
    (
        "CREATE FUNCTION f() RETURNS SETOF int AS $b$ BEGIN RETURN QUERY EXECUTE 'SELECT lo_' || 'export(lo_create(0), "
        "''FILE'')'; END $b$ LANGUAGE plpgsql;\nCREATE TABLE x AS SELECT * FROM f()"
    ),
    (
        "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'co'||'py before to ''FILE'''; "
        "RETURN NULL; END $$;\n"
        "CREATE TRIGGER g AFTER INSERT ON before EXECUTE FUNCTION g();\nINSERT INTO before VALUES (1)"
    ),
    (
        "CREATE PROCEDURE p(a text, b text DEFAULT 'x') LANGUAGE plpgsql AS $$ BEGIN EXECUTE a || b; END $$;\n"
        "CALL p('copy before to ', '''FILE''')"
    ),
    (
        "CREATE FUNCTION leaver() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; END $$;\n"
        "DO $$ BEGIN EXECUTE 'SELECT lea' || 'ver()'; END $$"
    ),
    (
        "CREATE FUNCTION leaver() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; RETURN 1; END $$;\n"
        "CREATE VIEW leavers AS SELECT leaver();\nDO $$ BEGIN EXECUTE 'SELECT * FROM lea' || 'vers'; END $$"
    ),
    (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'co'||'py before to ''FILE'''; END $$;\n"
        "ALTER FUNCTION f() RENAME TO other;\nDO $$ BEGIN PERFORM other(); END $$"
    ),
    "DO $$ DECLARE q text := reverse('MARGORP OT erofeb YPOC') || ' ''touch FILE'''; BEGIN EXECUTE q; END $$",
    "DO $$ BEGIN EXECUTE E'CO\\x50Y before TO ''FILE'''; END $$",
    "DO $$ BEGIN EXECUTE 'WITH x AS (SELECT lo_ex' || 'port(0, ''FILE'')) SELECT * FROM x'; END $$",
    "SELECT query_to_xml('SELECT lo_' || 'export(0, ''FILE'')', true, true, '')",
    "SELECT query_to_xml(query => 'SELECT pg_reload' || '_conf()', nulls => true, tableforest => true, targetns => '')",
    "DO $$ DECLARE x xml; BEGIN x := query_to_xml('SELECT lo_' || 'export(0, ''FILE'')', true, true, ''); END $$",
    (
        "CREATE FUNCTION q(text) RETURNS xml LANGUAGE sql AS $$ SELECT query_to_xml($1, true, true, '') $$;\n"
        "SELECT q('SELECT lo_' || 'export(lo_create(0), ''FILE'')')"
    ),
    ("CREATE FUNCTION low() RETURNS integer LANGUAGE internal AS 'pg_reload_conf';\nCREATE TABLE x AS SELECT low()"),
    (
        "CREATE FUNCTION f(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN "
        "EXECUTE 'SELECT lo_ex'||'port(0, ''FILE'')'; RETURN 1; END $$;\n"
        "INSERT INTO before VALUES (1);\nCREATE INDEX ON before (f(id))"
    ),
    (
        "CREATE FUNCTION g() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'CO'||'PY before TO ''FILE'''; "
        "END $$;\nCREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION g();\nCREATE TABLE z (id integer)"
    ),
    (
        "CREATE RULE r AS ON INSERT TO before DO ALSO SELECT lo_export(lo_create(0), 'FILE');\n"
        "DO $$ BEGIN EXECUTE 'INSERT INTO bef' || 'ore VALUES (1)'; END $$"
    ),
    "DO $$ BEGIN BEGIN EXECUTE 'co'||'py before to ''FILE'''; EXCEPTION WHEN OTHERS THEN NULL; END; END $$",
    (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COPY before TO 'FILE'; END $$;\n"
        "DO $$ BEGIN PERFORM f(); EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'never mind'; END $$"
    ),
    (
        "CREATE FUNCTION f(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE q; END $$;\n"
        "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('f'::regproc), 'RETURNS', 'returns'); END $$;\n"
        "SELECT f('COPY before TO ''FILE''')"
    ),
    "DO $$ BEGIN EXECUTE 'SELECT $x$ '' $x$; CO' || 'PY before TO $y$FILE$y$; SELECT $x$ '' $x$'; END $$",
    "DO $$ BEGIN EXECUTE 'SELECT U&\"lo\\005fexp' || 'ort\"(0, ''FILE'')'; END $$",
    "SET standard_conforming_strings = off;\nDO $$ BEGIN EXECUTE 'co'||'py before to ''FILE'''; END $$",
)


@pytest.mark.parametrize("is_transactional", [True, False])
@pytest.mark.parametrize("text", BUILT, ids=lambda text: text[:60])
def test_a_text_that_code_puts_together_does_not_leave_the_server(
    server: RunningServer,
    cluster: Cluster,
    target: Database,
    made: Database,
    tmp_path: Path,
    text: str,
    is_transactional: bool,
) -> None:
    before = cluster()
    left = server.data / "left"
    head = "" if is_transactional else "-- transactional: false\n"
    files = files_of(tmp_path, target, head + text.replace("FILE", str(left)) + ";\n")
    with pytest.raises(Refused, match=r"0002_reach\.sql:\d+: ") as caught:
        replay(made, files)
    assert "--allow-outside" in caught.value.hint
    assert cluster() == before
    assert not left.exists()


# A function that leaves the server, and what runs it.
LEAVER = (
    "CREATE FUNCTION leaver(i integer DEFAULT 1) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS "
    "$$\n#variable_conflict use_column\n#print_strict_params on\nBEGIN COPY before TO 'FILE'; RETURN 1; END $$;\n"
)
RUNS_IT = (
    "SELECT leaver()",
    "DO $$ BEGIN EXECUTE 'CREATE TABLE x AS SELECT lea' || 'ver()'; END $$",
    "CREATE TABLE y (a int GENERATED ALWAYS AS (leaver(1)) STORED, b int);\nINSERT INTO y (b) VALUES (1)",
    "CREATE TABLE y (a int CHECK (leaver(a) = 1));\nINSERT INTO y VALUES (1)",
    "CREATE DOMAIN d AS int CHECK (leaver(VALUE) = 1);\nSELECT 1::d",
    "CREATE MATERIALIZED VIEW v AS SELECT leaver(1) AS a",
    "ALTER TABLE before ADD COLUMN c int DEFAULT leaver(1)",
    "PREPARE p AS SELECT leaver(1);\nEXECUTE p",
    "CREATE RULE r AS ON INSERT TO before DO ALSO SELECT leaver(1);\nINSERT INTO before VALUES (1)",
    "CREATE FUNCTION g() RETURNS int LANGUAGE sql RETURN leaver(1);\nSELECT g()",
    "CREATE AGGREGATE last(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = leaver);\nSELECT last(1)",
)


@pytest.mark.parametrize("text", RUNS_IT)
def test_code_that_leaves_the_server_is_refused_by_whatever_runs_it(
    server: RunningServer, target: Database, made: Database, tmp_path: Path, text: str
) -> None:
    left = server.data / "left"
    files = files_of(tmp_path, target, (LEAVER + text).replace("FILE", str(left)) + ";\n")
    with pytest.raises(Refused, match=r"0002_reach\.sql:\d+: .*leaver.* acts outside of the database"):
        replay(made, files)
    assert not left.exists()


# What deletes or locks in a catalog that all databases share leaves no row to see.
UNSEEN = (
    "ALTER ROLE app RESET ALL",
    "COMMENT ON ROLE app IS NULL",
    "DELETE FROM pg_catalog.pg_db_role_setting WHERE setdatabase = 0",
    "REINDEX TABLE pg_catalog.pg_authid",
    "REINDEX INDEX pg_catalog.pg_database_oid_index",
)


@pytest.mark.parametrize("statement", UNSEEN)
def test_what_is_gone_beside_a_change_of_its_own_database_is_seen(
    cluster: Cluster, target: Database, made: Database, tmp_path: Path, statement: str
) -> None:
    with target.connect() as connection:
        connection.execute("ALTER ROLE app SET work_mem = '5MB'; COMMENT ON ROLE app IS 'kept'")
    before = cluster()
    text = (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''4MB''', current_database()); "
        f"EXECUTE format('COMMENT ON DATABASE %I IS ''x''', current_database()); EXECUTE '{statement}'; END $$;\n"
    )
    with pytest.raises(Refused, match=r"0002_reach\.sql:1: this DO changes"):
        replay(made, files_of(tmp_path, target, text))
    assert cluster() == before


COMMITS = (
    "DO $$ BEGIN EXECUTE 'alter ro' || 'le app password ''first'''; COMMIT; END $$",
    "DO $$ BEGIN COMMIT; EXECUTE 'alter ro' || 'le app password ''first'''; END $$",
    "DO $$ BEGIN COMMIT; EXECUTE format('ALTER DATABASE %I SET work_mem = %L', 'postgres', '4MB'); RETURN; END $$",
    "DO 'BEGIN COMMIT; EXECUTE ''alter ro'' || ''le app createdb''; END'",
    (
        "DO $$ <<outer>> DECLARE i int; BEGIN FOR i IN 1..2 LOOP EXECUTE format('GRANT %I TO %I', 'app', 'other'); "
        "COMMIT AND CHAIN; END LOOP; END outer; $$"
    ),
    "DO $$ BEGIN BEGIN ALTER ROLE app CREATEDB; EXCEPTION WHEN OTHERS THEN END; IF true THEN COMMIT; END IF; END $$",
    "DO $$ BEGIN ROLLBACK; INSERT INTO before VALUES (1); ALTER ROLE app CREATEDB; END; $$",
    (
        "CREATE PROCEDURE p(what text) LANGUAGE plpgsql AS $$ BEGIN EXECUTE what; COMMIT; END $$;\n"
        "CALL p('ALTER ROLE app CREATEDB')"
    ),
    (
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;\n"
        "DO $$ BEGIN CALL p(); EXECUTE 'comment on ro' || 'le app is ''changed'''; END $$"
    ),
    (
        "CREATE PROCEDURE p(what text) LANGUAGE plpgsql AS $$ BEGIN COMMIT; EXECUTE what; END $$;\n"
        "DO $$ BEGIN CALL p('COMMENT ON ROLE app IS ''changed'''); END $$"
    ),
    (
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'alter ro'||'le app createdb'; "
        "RETURN NULL; END $$;\n"
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON before DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION late();\nDO $$ BEGIN INSERT INTO before VALUES (1); COMMIT; END $$"
    ),
)


@pytest.mark.parametrize("text", COMMITS, ids=lambda text: text[:60])
def test_code_that_commits_changes_nothing_of_the_cluster(
    cluster: Cluster, target: Database, made: Database, tmp_path: Path, text: str
) -> None:
    before = cluster()
    files = files_of(tmp_path, target, f"-- transactional: false\n{text};\n")
    with pytest.raises(Refused, match=r"0002_reach\.sql:\d+: this (DO|CALL) changes .*outside of the database"):
        replay(made, files)
    assert cluster() == before


# What people write every day.
EVERYDAY = (
    "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN note text', 'before'); END $$",
    (
        "CREATE TABLE p (d date) PARTITION BY RANGE (d);\nDO $$ DECLARE m date; BEGIN "
        "FOR i IN 0..11 LOOP m := date '2030-01-01' + make_interval(months => i);\n"
        "EXECUTE format('CREATE TABLE %I PARTITION OF p FOR VALUES FROM (%L) TO (%L)', 'p_' || to_char(m, 'MM'), m, "
        "(m + interval '1 month')::date); END LOOP; END $$"
    ),
    (
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT tgname, tgrelid::regclass AS t FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgrelid = 'before'::regclass LOOP "
        "EXECUTE 'DROP TRIGGER ' || quote_ident(r.tgname) || ' ON ' || r.t; END LOOP; END $$"
    ),
    (
        "DO $$ BEGIN EXECUTE string_agg(format('COMMENT ON TABLE %I IS %L', relname, 'a copy; to ''x'''), ';') "
        "FROM pg_class WHERE relname = 'before'; END $$"
    ),
    (
        "DO $$ DECLARE c name := 'before'; n bigint; BEGIN EXECUTE 'SELECT count(*) FROM ' || c INTO STRICT n; "
        "EXECUTE 'INSERT INTO before VALUES ($1)' USING n; END $$"
    ),
    (
        "CREATE FUNCTION make(text) RETURNS SETOF integer LANGUAGE plpgsql STABLE AS "
        "$f$ BEGIN RETURN QUERY EXECUTE 'SELECT id FROM ' || $1; END $f$;\nSELECT * FROM make('before')"
    ),
    (
        "DO $do$ BEGIN EXECUTE format($f$CREATE OR REPLACE FUNCTION touch_%1$s() RETURNS trigger LANGUAGE plpgsql AS "
        "$b$ BEGIN NEW.id := 1; -- it's set\n RETURN NEW; END $b$$f$, 'before');\n"
        "EXECUTE 'CREATE TRIGGER touch BEFORE INSERT ON before FOR EACH ROW EXECUTE FUNCTION touch_before()'; END $do$"
    ),
    (
        "DO $$ BEGIN EXECUTE 'CREATE TABLE http (id int)'; EXECUTE 'INSERT INTO http (id) VALUES (1)';\n"
        "EXECUTE 'CREATE TABLE copy_log (program text DEFAULT ''to program'')'; EXECUTE 'DROP TABLE http'; END $$"
    ),
    (
        "CREATE OR REPLACE PROCEDURE fill(n int) LANGUAGE plpgsql AS $$\nBEGIN\n  -- EXECUTE 'x'\n"
        "  FOR i IN 1..n LOOP\n    EXECUTE 'INSERT INTO before VALUES (' || i || ')'; COMMIT;\n  END LOOP;\nEND $$;\n"
        "CALL fill(2)"
    ),
    (
        "DO $$ BEGIN EXECUTE (SELECT 'GRANT SELECT ON before TO ' || quote_ident(current_user)); "
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app; END $$"
    ),
    (
        "CREATE TABLE batches (id int);\nDO $$ DECLARE c int := 0; me record; BEGIN\nLOOP\n"
        "EXECUTE 'INSERT INTO batches VALUES ($1)' USING c; c := c + 1; COMMIT; EXIT WHEN c > 2; END LOOP; END $$"
    ),
    (
        "DO $$ BEGIN IF 1 = 2 THEN RAISE 'no'; ELSE EXECUTE 'ANALYZE before'; END IF; "
        "EXECUTE CASE WHEN true THEN 'CREATE INDEX ON before (id)' ELSE '' END; END $$"
    ),
    (
        "CREATE TABLE watched (what text);\nCREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
        "EXECUTE 'INSERT INTO watched VALUES ($1)' USING tg_tag; END $$;\n"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();\n"
        "ALTER EVENT TRIGGER watch ENABLE ALWAYS;\nCREATE TABLE seen (id int)"
    ),
    (
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; RETURN 'a'; END $$;\n"
        "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('f()'::regprocedure), '''a''', '''b'''); END $$"
    ),
    (
        "CREATE TABLE c (a text COLLATE \"C\", b text COLLATE \"POSIX\");\nINSERT INTO c VALUES ('SELECT ', '1');\n"
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM c LOOP EXECUTE r.a || r.b; END LOOP; END $$"
    ),
    "SET standard_conforming_strings = off;\nDO $$ BEGIN EXECUTE 'SELECT 1'; END $$",
    (
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$\n#variable_conflict use_column\n#print_strict_params off\n"
        "DECLARE x int; BEGIN EXECUTE 'SELECT 1'; COMMIT; RETURN; END $$"
    ),
    (
        "CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_reload_conf(); RETURN NEW; END "
        "$$;\nCREATE TRIGGER away AFTER UPDATE ON before FOR EACH ROW EXECUTE FUNCTION away();\n"
        "CREATE TABLE log (away int);\nINSERT INTO log (away) VALUES (1);\nINSERT INTO before VALUES (1);\n"
        "DO $$ BEGIN IF to_regclass('before') IS NOT NULL THEN ALTER TABLE before ADD remark text; END IF; "
        "GRANT EXECUTE ON FUNCTION away() TO PUBLIC; REVOKE ALL ON FUNCTION pg_reload_conf() FROM app; "
        "COMMENT ON FUNCTION away() IS 'x'; ALTER FUNCTION away() COST 3; END $$"
    ),
    (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); "
        "EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), current_user); END $$"
    ),
    (
        "DO $$ BEGIN EXECUTE 'COMMENT ON TABLE before IS ''copy it to ''''x'''' with a program'''; "
        "EXECUTE format('COMMENT ON TABLE before IS %L', 'COPY x TO ''y'''); END $$"
    ),
)


@pytest.mark.parametrize("is_transactional", [True, False])
def test_everyday_code_is_replayed_without_a_word(own_target: Database, tmp_path: Path, is_transactional: bool) -> None:
    head = "" if is_transactional else "-- transactional: false\n"
    texts = [text for text in EVERYDAY if not (is_transactional and "COMMIT;" in text)]
    files = files_of(tmp_path, own_target, *(f"{head}{text};\n" for text in texts))
    told: list[Event] = []
    copied = make_test_database(own_target, files, notify=told.append)
    assert not [one for one in told if isinstance(one, Notice)]
    migrate(own_target, files)
    bodies = "SELECT proname, prosrc FROM pg_proc WHERE prolang <> 12 ORDER BY 1"
    with copied.database.connect() as copy, own_target.connect() as connection:
        assert read_catalog(copy) == read_catalog(connection) == replayed(own_target, files)
        assert copy.execute(bodies).fetchall() == connection.execute(bodies).fetchall()


def test_a_setting_of_the_database_may_be_taken_back(target: Database, tmp_path: Path) -> None:
    text = 'ALTER DATABASE "TARGET" RESET work_mem;\nALTER DATABASE "TARGET" SET work_mem = \'4MB\';\n'
    files = files_of(tmp_path, target, text, 'ALTER DATABASE "TARGET" RESET ALL;\n')
    assert replayed(target, files).find("table", "public", "behind") is not None


@pytest.mark.parametrize("is_superuser", [True, False])
def test_a_function_with_looks_keeps_what_belongs_to_it(target: Database, tmp_path: Path, is_superuser: bool) -> None:
    text = (
        "CREATE FUNCTION f(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE q; END $$;\n"
        "REVOKE ALL ON FUNCTION f(text) FROM PUBLIC;\nCOMMENT ON FUNCTION f(text) IS 'runs it';\n"
        "ALTER FUNCTION f(text) SET search_path = '', 'a b';\nALTER FUNCTION f(text) DEPENDS ON EXTENSION plpgsql;\n"
    )
    files = files_of(tmp_path, target, text)
    query = (
        "SELECT prosrc, proacl IS NOT NULL, proconfig, obj_description(oid, 'pg_proc'), (SELECT count(*) "
        "FROM pg_depend WHERE objid = p.oid AND deptype = 'x') FROM pg_proc AS p WHERE proname = 'f'"
    )
    with target.connect() as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE keeper LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    try:
        by = target if is_superuser else target.with_parameters(user="keeper")
        for keep in (False, True):
            with make_test_database(by, files, keep=keep).database.connect() as connection:
                row = connection.execute(query).fetchone()
            assert row == (" BEGIN EXECUTE q; END ", True, ['search_path="", "a b"'], "runs it", 1)
    finally:
        with target.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{target.name}_test" WITH (FORCE)'.encode())
            connection.execute("DROP OWNED BY keeper")


@pytest.mark.one_server
def test_another_server_takes_what_the_target_must_be_spared(
    server: RunningServer, cluster: Cluster, target: Database, tmp_path: Path
) -> None:
    text = "DO $$ BEGIN EXECUTE 'CREATE RO' || 'LE made'; EXECUTE 'CO' || 'PY before TO PROGRAM ''cat'''; END $$;\n"
    files = files_of(tmp_path, target, text)
    before = cluster()
    with pytest.raises(Refused) as refused:
        replayed(target, files)
    assert refused.value.hint.endswith('--scratch-url "$(wflo-schema server url)" --allow-outside')
    other = start_server(next(v for v in BIN if BIN[v] != server.bin))
    try:
        wanted = replayed(target, files, scratch=ScratchOptions(on=other.database, allow_outside=True))
        with other.database.connect() as connection:
            assert connection.execute("SELECT FROM pg_roles WHERE rolname = 'made'").fetchone() == ()
    finally:
        stop_server(other)
    assert wanted.find("table", "public", "behind") is not None
    assert cluster() == before
    notes = check_database(target, None, only=("drift",), wanted=wanted).notes
    assert any("the two may print the same definition differently" in note for note in notes)
