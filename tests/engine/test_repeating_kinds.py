"""What repeatable files make is made anew with all that it was given: pg_dump tells no difference afterwards."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.engine.test_repeating import Folder, apply, run, states
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.repeatables import RepeatableState
from wflo_schema.engine.waiting import wait_until_applied
from wflo_schema.errors import MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers

TABLE = "CREATE TABLE users (id integer PRIMARY KEY, name text, age integer);"
NEW = "CREATE OR REPLACE FUNCTION on_v() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
BASE = "CREATE OR REPLACE VIEW v AS SELECT id, name FROM users;"
OTHER = "CREATE OR REPLACE VIEW v AS SELECT name, id FROM users;"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "migrations")


def dump(server: RunningServer, database: Database) -> list[str]:
    program = server.bin / "pg_dump"
    if not program.exists():
        pytest.skip("there is no pg_dump of this version")
    told = subprocess.run(
        [str(program), "--schema-only", "-T", "*_yoyo*", "-T", "*_wflo*", database.url],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in told.stdout.splitlines() if line and not line.startswith(("--", "\\"))]


# name: the files, what is given to them by hand, and the edits, after each of which the files are put back.
KINDS: dict[str, tuple[dict[str, str], list[str], dict[str, str]]] = {
    "view with triggers and rules": (
        {
            "v": BASE,
            "f": NEW,
            "t": "CREATE OR REPLACE TRIGGER t INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION on_v();",
            "r": "CREATE OR REPLACE RULE r AS ON DELETE TO v DO INSTEAD DELETE FROM users WHERE id = OLD.id;",
        },
        [
            "CREATE TRIGGER by_hand INSTEAD OF UPDATE ON v FOR EACH ROW EXECUTE FUNCTION on_v()",
            "COMMENT ON TRIGGER by_hand ON v IS 'a'",
            "COMMENT ON TRIGGER t ON v IS 'b'",
            "CREATE RULE q AS ON UPDATE TO v DO ALSO DELETE FROM users WHERE id = OLD.id",
            "COMMENT ON RULE q ON v IS 'c'",
            "COMMENT ON RULE r ON v IS 'd'",
        ],
        {"v": OTHER},
    ),
    "policy and function": (
        {
            "f": "CREATE OR REPLACE FUNCTION f(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';",
            "p": "CREATE POLICY p ON users USING (f(id));",
        },
        ["COMMENT ON POLICY p ON users IS 'p'", "REVOKE ALL ON FUNCTION f FROM PUBLIC"],
        {"f": "CREATE OR REPLACE FUNCTION f(n integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';"},
    ),
    "enum, domain, composite type": (
        {
            "mood": "CREATE TYPE mood AS ENUM ('a', 'b');",
            "positive": "CREATE DOMAIN positive AS integer CHECK (VALUE > 0);",
            "pair": "CREATE TYPE pair AS (a integer, m mood);",
            "make": "CREATE OR REPLACE FUNCTION make(positive) RETURNS pair LANGUAGE sql AS "
            "$$ SELECT ROW(1, 'a')::pair $$;",
            "v": "CREATE VIEW v AS SELECT (make(id)).a, ARRAY['a'::mood] AS moods FROM users;",
        },
        [
            "COMMENT ON TYPE mood IS 'm'",
            "COMMENT ON DOMAIN positive IS 'p'",
            "COMMENT ON COLUMN pair.a IS 'a'",
            "GRANT USAGE ON TYPE pair TO pg_monitor",
            "REVOKE USAGE ON DOMAIN positive FROM PUBLIC",
        ],
        {
            "mood": "CREATE TYPE mood AS ENUM ('a', 'b', 'c');",
            "positive": "CREATE DOMAIN positive AS integer CHECK (VALUE > 1);",
            "pair": "CREATE TYPE pair AS (a integer, m text);",
        },
    ),
    "function of a view's rows": (
        {
            "v": BASE,
            "all": "CREATE OR REPLACE FUNCTION all_of() RETURNS SETOF v LANGUAGE sql AS 'SELECT * FROM v';",
            "one": "CREATE OR REPLACE FUNCTION one(v) RETURNS integer LANGUAGE sql AS 'SELECT $1.id';",
            "w": "CREATE VIEW w AS SELECT id FROM all_of();",
        },
        ["COMMENT ON FUNCTION all_of IS 'x'", "GRANT SELECT ON w TO pg_monitor"],
        {"v": OTHER},
    ),
    "operator and aggregate": (
        {
            "f": "CREATE OR REPLACE FUNCTION f(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS "
            "'SELECT $1 = $2';",
            "op": "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = f);",
            "state": "CREATE OR REPLACE FUNCTION state(integer, integer) RETURNS integer LANGUAGE sql AS "
            "'SELECT $1 + $2';",
            "total": "CREATE OR REPLACE AGGREGATE total(integer) (SFUNC = state, STYPE = integer, INITCOND = '0');",
            "v": "CREATE VIEW v AS SELECT total(id) AS t, bool_or(id === 1) AS b FROM users;",
        },
        [
            "COMMENT ON OPERATOR === (integer, integer) IS 'o'",
            "COMMENT ON AGGREGATE total(integer) IS 't'",
            "GRANT EXECUTE ON FUNCTION total(integer) TO pg_monitor",
        ],
        {
            "f": "CREATE OR REPLACE FUNCTION f(a integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS "
            "'SELECT $1 = $2';",
            "state": "CREATE OR REPLACE FUNCTION state(a integer, integer) RETURNS integer LANGUAGE sql AS "
            "'SELECT $1 + $2';",
        },
    ),
    "names with dots, quotes and capitals, and overloads": (
        {
            "s": 'CREATE OR REPLACE VIEW "S.x"."Vé.""q""" AS SELECT id, name AS "a.B""" FROM users;',
            "w": 'CREATE VIEW other."Vé.""q""" AS SELECT * FROM "S.x"."Vé.""q""";',
            "f": 'CREATE OR REPLACE FUNCTION "S.x"."f.1"(integer) RETURNS integer LANGUAGE sql AS \'SELECT $1\';',
            "g": 'CREATE OR REPLACE FUNCTION "S.x"."f.1"(integer, text) RETURNS integer LANGUAGE sql AS \'SELECT $1\';',
        },
        [
            'COMMENT ON VIEW "S.x"."Vé.""q""" IS \'it\'\'s\'',
            'COMMENT ON COLUMN other."Vé.""q"""."a.B""" IS \'x\'',
            'GRANT SELECT ("a.B""") ON "S.x"."Vé.""q""" TO pg_monitor',
            'COMMENT ON FUNCTION "S.x"."f.1"(integer, text) IS \'two\'',
        ],
        {
            "s": 'CREATE OR REPLACE VIEW "S.x"."Vé.""q""" AS SELECT name AS "a.B""", id FROM users;',
            "g": 'CREATE OR REPLACE FUNCTION "S.x"."f.1"(integer, text) RETURNS bigint LANGUAGE sql AS '
            "'SELECT $1::bigint';",
        },
    ),
    "function whose body PostgreSQL has read": (
        {
            "v": BASE,
            "f": "CREATE OR REPLACE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(name) FROM v; END;",
        },
        ["COMMENT ON FUNCTION f IS 'f'"],
        {"v": OTHER},
    ),
    "materialized views, with what is made of them": (
        {
            "v": "CREATE OR REPLACE VIEW v AS SELECT id, name FROM users WHERE id > 0 WITH CASCADED CHECK OPTION;",
            "m": "CREATE MATERIALIZED VIEW m WITH (fillfactor = 70) AS SELECT id FROM v WITH NO DATA;"
            "CREATE INDEX of_the_file ON m (id);",
            "n": "CREATE MATERIALIZED VIEW n AS SELECT id FROM m WITH NO DATA;",
        },
        [
            "CREATE UNIQUE INDEX by_hand ON m (id)",
            "COMMENT ON INDEX by_hand IS 'i'",
            "COMMENT ON INDEX of_the_file IS 'j'",
            "CREATE INDEX ON m ((id + 1)) WHERE id > 3",
            "ALTER MATERIALIZED VIEW m CLUSTER ON by_hand",
            "ALTER MATERIALIZED VIEW m ALTER COLUMN id SET STATISTICS 7",
            "COMMENT ON MATERIALIZED VIEW n IS 'n'",
        ],
        {"v": "CREATE OR REPLACE VIEW v AS SELECT name, id FROM users WHERE id > 0 WITH CASCADED CHECK OPTION;"},
    ),
    "owners, and grants by others": (
        {
            "v": BASE,
            "f": "CREATE OR REPLACE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';",
            "d": "CREATE DOMAIN d AS text;",
        },
        [
            "ALTER VIEW v OWNER TO pg_database_owner",
            "GRANT SELECT ON v TO pg_monitor WITH GRANT OPTION",
            "SET ROLE pg_monitor; GRANT SELECT ON v TO pg_read_all_data; RESET ROLE",
            "REVOKE ALL ON FUNCTION f FROM PUBLIC",
            "ALTER DOMAIN d OWNER TO pg_database_owner",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_read_all_stats",
        ],
        {
            "v": OTHER,
            "f": "CREATE OR REPLACE FUNCTION f(integer) RETURNS bigint LANGUAGE sql AS 'SELECT $1::bigint';",
            "d": "CREATE DOMAIN d AS integer;",
        },
    ),
    "event trigger": (
        {
            "f": "CREATE OR REPLACE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';",
            "e": "CREATE EVENT TRIGGER repeated ON ddl_command_end EXECUTE FUNCTION f();",
        },
        ["COMMENT ON EVENT TRIGGER repeated IS 'e'"],
        {"e": "CREATE EVENT TRIGGER repeated ON sql_drop EXECUTE FUNCTION f();"},
    ),
    "procedure": (
        {"p": "CREATE OR REPLACE PROCEDURE p(a integer) LANGUAGE sql AS 'SELECT 1';"},
        ["GRANT EXECUTE ON PROCEDURE p TO pg_monitor"],
        {"p": "CREATE OR REPLACE PROCEDURE p(b integer) LANGUAGE sql AS 'SELECT 1';"},
    ),
    "recursive view": (
        {
            "v": "CREATE OR REPLACE RECURSIVE VIEW v (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < 5;",
            "w": "CREATE VIEW w AS SELECT count(*) FROM v;",
        },
        ["GRANT SELECT ON w TO pg_monitor"],
        {"v": "CREATE OR REPLACE RECURSIVE VIEW v (m) AS SELECT 1 UNION ALL SELECT m + 1 FROM v WHERE m < 5;"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_given_to_it_is_there_after_edits(
    kind: str, server: RunningServer, database: Database, folder: Folder
) -> None:
    files, given, edits = KINDS[kind]
    folder.write(_1_a=f'{TABLE} CREATE SCHEMA "S.x"; CREATE SCHEMA other;', **files)
    apply(database, folder)
    run(database, *given)
    before = dump(server, database)
    for name, edited in edits.items():
        folder.write(**{name: edited})
        assert f"repeatable/{name}" in apply(database, folder)
        folder.write(**{name: files[name]})
        apply(database, folder)
        assert list(difflib.unified_diff(before, dump(server, database), lineterm="", n=0)) == []
    assert apply(database, folder) == ()


# name: what is there before, the view, the migration, and the lines of pg_dump that it changes.
ALTERED: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "a table that is dropped and made anew": (
        TABLE,
        "CREATE VIEW v AS SELECT id, age FROM users;",
        f"DROP TABLE users; {TABLE}",
        (),
    ),
    "code that nobody can read": (
        TABLE,
        "CREATE VIEW v AS SELECT id, age FROM users;",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE users ALTER age TYPE bigint'; END $$;",
        ("age integer", "age bigint"),
    ),
    "a partition's column": (
        "CREATE TABLE p (k integer, x integer) PARTITION BY LIST (k);CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);",
        "CREATE VIEW v AS SELECT x FROM p1;",
        "ALTER TABLE p ALTER x TYPE bigint;",
        ("x integer", "x bigint"),
    ),
    "a function's return type": (
        f"{TABLE} CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';",
        "CREATE VIEW v AS SELECT f(age) AS n FROM users;",
        "DROP FUNCTION f(integer); CREATE FUNCTION f(integer) RETURNS bigint LANGUAGE sql AS 'SELECT $1::bigint';",
        ("FUNCTION public.f(", "AS $_$", "LANGUAGE sql"),
    ),
    "a type that is dropped": (
        "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (m mood);",
        "CREATE VIEW v AS SELECT m FROM t;",
        "ALTER TABLE t ALTER m TYPE text; DROP TYPE mood; CREATE TYPE mood AS ENUM ('a', 'b');",
        ("m public.mood", "m text", "'a'", "'b'"),
    ),
    "everything below a table": (
        TABLE,
        "CREATE MATERIALIZED VIEW v AS SELECT id FROM users; CREATE INDEX of_the_file ON v (id);",
        f"DROP TABLE users CASCADE; {TABLE}",
        (),
    ),
}


@pytest.mark.parametrize("case", ALTERED)
def test_migration_changes_what_a_view_is_made_from(
    case: str, server: RunningServer, database: Database, folder: Folder
) -> None:
    made, view, migration, changed = ALTERED[case]
    folder.write(_1_a=made, v=view)
    apply(database, folder)
    kind = "MATERIALIZED VIEW" if "MATERIALIZED" in view else "VIEW"
    run(database, "GRANT SELECT ON v TO pg_monitor", f"COMMENT ON {kind} v IS 'v'")
    before = dump(server, database)
    folder.write(_2_b=migration)
    assert apply(database, folder) == ("2_b",)
    lines = difflib.unified_diff(before, dump(server, database), lineterm="", n=0)
    assert [
        line for line in lines if line[:3] not in ("---", "+++", "@@ ") and not any(c in line for c in changed)
    ] == []
    assert states(database, folder) == {"v": RepeatableState.APPLIED}


def test_column_under_a_renamed_one_says_for_which_migration(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE)
    apply(database, folder)
    folder.write(
        _2_b="ALTER TABLE users RENAME name TO called;", _3_c="ALTER TABLE users ALTER called TYPE varchar(9);"
    )
    with pytest.raises(MigrationFailed, match=r"repeatable/v failed .*put back behind 3_c: column \"name\"") as failed:
        apply(database, folder)
    assert failed.value.hint.startswith("repeatable/v is made from what 3_c takes away")
    folder.write(v="CREATE OR REPLACE VIEW v AS SELECT id, called AS name FROM users;")
    assert apply(database, folder) == ("3_c", "repeatable/v")
    assert apply(database, folder) == ()


def test_one_file_gets_its_former_text_back(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w="CREATE VIEW w AS SELECT id FROM v;")
    apply(database, folder)
    folder.write(v=OTHER)
    apply(database, folder)
    files = read_migrations(folder.path)
    assert operations.rollback(database, files, only="repeatable/v").ids == ("repeatable/v",)
    assert columns(database, "v") == "id,name" and columns(database, "w") == "id"
    assert states(database, folder)["v"] is RepeatableState.EDITED
    with pytest.raises(Refused, match="repeatable/nothing is not applied"):
        operations.rollback(database, files, only="repeatable/nothing")
    assert operations.rollback(database, files, only="repeatable/w").ids == ("repeatable/w",)
    assert run(database, "SELECT to_regclass('w')") == [(None,)]


def columns(database: Database, view: str) -> str:
    found = run(
        database,
        "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
        f"'{view}'::regclass AND attnum > 0",
    )
    return str(found[0][0])


def test_rollback_goes_behind_all_edits_since(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT id FROM users;")
    apply(database, folder)
    folder.write(
        _2_b="ALTER TABLE users ADD x integer;",
        _2_b__rollback="ALTER TABLE users DROP x;",
        v="CREATE OR REPLACE VIEW v AS SELECT id, x FROM users;",
    )
    apply(database, folder)
    folder.write(v="CREATE OR REPLACE VIEW v AS SELECT id, x, name FROM users;")
    apply(database, folder)
    operations.rollback(database, read_migrations(folder.path))
    assert columns(database, "v") == "id"


@pytest.mark.parametrize("how", ["renamed", "alone"])
def test_rollback_of_what_was_renamed_or_runs_alone_puts_texts_back(
    how: str, database: Database, folder: Folder
) -> None:
    folder.write(_1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT id FROM users;")
    apply(database, folder)
    alone = "-- transactional: false\n" if how == "alone" else ""
    folder.write(_2_b=f"{alone}CREATE TABLE other ();", _2_b__rollback=f"{alone}DROP TABLE other;", v=BASE)
    apply(database, folder)
    if how == "renamed":
        (folder.path / "2_b.rollback.sql").rename(folder.path / "3_c.rollback.sql")
        (folder.path / "2_b.sql").rename(folder.path / "3_c.sql")
        folder.write(_3_c="-- was: 2_b\nCREATE TABLE other ();")
    operations.rollback(database, read_migrations(folder.path))
    assert columns(database, "v") == "id"


def test_check_and_wait_tell_of_repeatable_files(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v=BASE, w="CREATE VIEW w AS SELECT 1 AS n;")
    apply(database, folder)
    assert wait_until_applied(database, read_migrations(folder.path), timeout_s=0).is_up_to_date
    folder.delete("w")
    folder.write(v=OTHER, x="CREATE VIEW x AS SELECT 1 AS n;")
    said: list[str] = []
    found = wait_until_applied(database, read_migrations(folder.path), timeout_s=0, notify=said.append)
    assert not found.is_up_to_date
    assert said == ["2 repeatable files pending: repeatable/v, repeatable/x"]
    result = check_database(database, None, migrations=read_migrations(folder.path), only=("ledger",))
    assert [(f.code, f.object) for f in result.findings if f.code != "ledger-open"] == [
        ("ledger-repeatable", "repeatable/v"),
        ("ledger-deleted", "repeatable/w"),
        ("ledger-repeatable", "repeatable/x"),
    ]
    assert result.exit_code == 1


def test_order_of_many_files_is_found_with_few_tries(database: Database, folder: Folder) -> None:
    count = 120
    views = {
        f"v{n:03}": f"CREATE VIEW v{n:03} AS SELECT * FROM {f'v{n + 1:03}' if n + 1 < count else 'users'};"
        for n in range(count)
    }
    folder.write(_1_a=TABLE, **views)
    apply(database, folder)
    assert set(states(database, folder).values()) == {RepeatableState.APPLIED}
    last = f"v{count - 1:03}"
    folder.write(**{last: f"CREATE VIEW {last} AS SELECT name, id, age FROM users;"})
    assert len(apply(database, folder)) == count
    assert columns(database, "v000") == "name,id,age"


def test_what_is_there_already_is_taken_over(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE)
    apply(database, folder)
    run(database, "CREATE VIEW v AS SELECT name, id FROM users", "CREATE VIEW w AS SELECT id FROM v")
    run(database, "GRANT SELECT ON v, w TO pg_monitor")
    folder.write(v="CREATE VIEW v AS SELECT id, name FROM users;", w="CREATE VIEW w AS SELECT id FROM v;")
    assert set(apply(database, folder)) == {"repeatable/v", "repeatable/w"}
    assert columns(database, "v") == "id,name"
    assert run(
        database,
        "SELECT has_table_privilege('pg_monitor', 'v', 'SELECT'), has_table_privilege('pg_monitor', 'w', 'SELECT')",
    ) == [(True, True)]


def test_two_files_that_create_the_same_are_named(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE VIEW v AS SELECT id FROM users;", w="CREATE VIEW v AS SELECT name FROM users;")
    with pytest.raises(Refused, match=r"repeatable/v and repeatable/w both make the view public\.v"):
        apply(database, folder)


def test_repeatable_files_alone_are_a_folder(database: Database, folder: Folder) -> None:
    folder.write(v="CREATE VIEW v AS SELECT 1 AS n;")
    assert apply(database, folder) == ("repeatable/v",)
    assert apply(database, folder) == ()
