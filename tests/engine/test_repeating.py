"""Repeatable files: applied when they change, in the order that the catalogs tell, and made again around migrations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engine.test_faults import wait_until
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.repeatables import RepeatableState
from wflo_schema.errors import MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.show.text import result_text

pytestmark = pytest.mark.spread_over_servers


class Folder:
    """A folder of migrations, whose files are written as a test goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "repeatable").mkdir(parents=True)

    def write(self, **texts: str) -> None:
        """Migrations by id, and repeatable files by their names: those that begin with no digit."""
        for name, text in texts.items():
            inner = self.path if name.startswith("_") else self.path / "repeatable"
            (inner / f"{name.lstrip('_').replace('__', '.')}.sql").write_text(text)

    def delete(self, name: str) -> None:
        (self.path / "repeatable" / f"{name}.sql").unlink()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "migrations")


def apply(database: Database, folder: Folder, *, to: str | None = None, drop_deleted: bool = False) -> tuple[str, ...]:
    files = read_migrations(folder.path)
    return operations.migrate(database, files, to=to, drop_deleted=drop_deleted).ids


def states(database: Database, folder: Folder) -> dict[str, RepeatableState]:
    found = operations.status(database, read_migrations(folder.path)).repeatables
    return {e.id.removeprefix("repeatable/"): e.state for e in found}


def run(database: Database, *statements: str) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        for text in statements:
            cursor = connection.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


TABLE = "CREATE TABLE users (id integer PRIMARY KEY, name text, age integer);"


def test_files_are_applied_in_the_order_in_which_they_need_each_other(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        a="CREATE OR REPLACE VIEW a AS SELECT * FROM b;",
        b="CREATE VIEW b AS SELECT c(id) AS n FROM users;",
        c="CREATE OR REPLACE FUNCTION c(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';",
    )
    assert apply(database, folder) == ("1_a", "repeatable/c", "repeatable/b", "repeatable/a")
    assert apply(database, folder) == ()
    assert set(states(database, folder).values()) == {RepeatableState.APPLIED}


def test_columns_are_reordered_under_what_depends_on_a_view(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        base="CREATE OR REPLACE VIEW base AS SELECT id, name FROM users;",
        top="CREATE VIEW top AS SELECT name, id FROM base;",
        sums="CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, max(id) AS id FROM top;",
    )
    apply(database, folder)
    run(
        database,
        "GRANT SELECT ON top TO PUBLIC",
        "GRANT SELECT (id) ON base TO PUBLIC",
        "COMMENT ON VIEW base IS 'the base'",
        "COMMENT ON COLUMN top.name IS 'a name'",
        "COMMENT ON MATERIALIZED VIEW sums IS 'the sums'",
        "CREATE UNIQUE INDEX sums_id ON sums (id)",
        "COMMENT ON INDEX sums_id IS 'one each'",
        "ALTER VIEW top ALTER COLUMN id SET DEFAULT 7",
        "ALTER VIEW top SET (security_barrier = true)",
    )
    before = described(database)
    folder.write(base="CREATE OR REPLACE VIEW base AS SELECT name, id FROM users;")
    assert set(apply(database, folder)) == {"repeatable/base", "repeatable/top", "repeatable/sums"}
    assert described(database) == before
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'base' ORDER BY ordinal_position"
    assert run(database, columns) == [("name",), ("id",)]


DESCRIBED = """
    SELECT relname::text, relacl::text, reloptions::text, pg_get_userbyid(relowner)::text,
        obj_description(oid, 'pg_class'),
        (SELECT string_agg(attname || attacl::text, ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = c.oid),
        (SELECT string_agg(col_description(c.oid, attnum), ',' ORDER BY attname)
            FROM pg_attribute WHERE attrelid = c.oid),
        (SELECT string_agg(pg_get_expr(adbin, adrelid), ',') FROM pg_attrdef WHERE adrelid = c.oid)
    FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_' ORDER BY 1
"""


def described(database: Database) -> list[tuple[object, ...]]:
    """What relations have been given besides their columns."""
    return run(database, DESCRIBED)


def test_return_type_of_a_function_changes_under_a_view(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        f="CREATE OR REPLACE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';",
        v="CREATE VIEW v AS SELECT f(id) AS n FROM users;",
    )
    apply(database, folder)
    run(database, "REVOKE ALL ON FUNCTION f(integer) FROM PUBLIC", "COMMENT ON FUNCTION f(integer) IS 'f'")
    folder.write(f="CREATE OR REPLACE FUNCTION f(integer) RETURNS bigint LANGUAGE sql AS 'SELECT $1::bigint';")
    assert apply(database, folder) == ("repeatable/f", "repeatable/v")
    assert run(
        database,
        "SELECT prorettype::regtype::text, obj_description(oid), proacl::text LIKE '%{=%' FROM pg_proc"
        " WHERE proname = 'f'",
    ) == [("bigint", "f", False)]
    assert run(database, "SELECT data_type FROM information_schema.columns WHERE table_name = 'v'") == [("bigint",)]


def test_migration_alters_a_column_under_a_view_that_did_not_change(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        v="CREATE OR REPLACE VIEW v AS SELECT id, age FROM users;",
        w="CREATE OR REPLACE VIEW w AS SELECT age FROM v;",
        other="CREATE VIEW other AS SELECT name FROM users;",
    )
    apply(database, folder)
    run(database, "GRANT SELECT ON v, w TO PUBLIC", "COMMENT ON VIEW w IS 'w'")
    before, oid = described(database), run(database, "SELECT 'other'::regclass::oid")
    folder.write(_2_b="ALTER TABLE users ALTER COLUMN age TYPE bigint;")
    assert apply(database, folder) == ("2_b",)
    assert described(database) == before
    assert run(database, "SELECT 'other'::regclass::oid") == oid
    assert run(database, "SELECT data_type FROM information_schema.columns WHERE table_name = 'w'") == [("bigint",)]
    assert set(states(database, folder).values()) == {RepeatableState.APPLIED}


def test_migration_drops_a_column_that_the_edited_view_no_longer_needs(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT id, age FROM users;")
    apply(database, folder)
    run(database, "GRANT SELECT ON v TO PUBLIC")
    folder.write(_2_b="ALTER TABLE users DROP COLUMN age;", v="CREATE OR REPLACE VIEW v AS SELECT id FROM users;")
    folder.write(_2_b__rollback="ALTER TABLE users ADD COLUMN age integer;")
    apply(database, folder)
    assert run(
        database, "SELECT string_agg(column_name, ',') FROM information_schema.columns WHERE table_name = 'v'"
    ) == [("id",)]
    assert run(database, "SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE relname = 'v'") == [(True,)]
    operations.rollback(database, read_migrations(folder.path))
    assert run(
        database,
        "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns"
        " WHERE table_name = 'v'",
    ) == [("id,age",)]
    assert states(database, folder) == {"v": RepeatableState.EDITED}
    apply(database, folder)
    assert states(database, folder) == {"v": RepeatableState.APPLIED}


def test_what_depends_from_outside_is_named_and_nothing_is_done(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        v="CREATE OR REPLACE VIEW v AS SELECT id, name FROM users;",
    )
    apply(database, folder)
    run(database, "CREATE VIEW outside AS SELECT * FROM v")
    folder.write(v="CREATE OR REPLACE VIEW v AS SELECT name, id FROM users;")
    with pytest.raises(MigrationFailed, match=r"view public\.outside, which no repeatable file makes"):
        apply(database, folder)
    folder.write(
        _2_b="ALTER TABLE users ALTER COLUMN id TYPE bigint;",
        v="CREATE OR REPLACE VIEW v AS SELECT id, name FROM users;",
    )
    with pytest.raises(MigrationFailed, match="cannot alter type of a column used by a view"):
        apply(database, folder)
    assert run(database, "SELECT count(*) FROM outside") == [(0,)]


def test_two_files_that_make_the_same_are_refused(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        v="CREATE OR REPLACE VIEW v AS SELECT id FROM users;",
        w="CREATE OR REPLACE VIEW v AS SELECT id FROM users;",
    )
    with pytest.raises(Refused, match=r"repeatable/v and repeatable/w both make the view public\.v"):
        apply(database, folder)
    assert run(database, "SELECT to_regclass('v')") == [(None,)]


def test_circle_is_named(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE VIEW v AS SELECT * FROM w;", w="CREATE VIEW w AS SELECT * FROM v;")
    with pytest.raises(MigrationFailed) as failed:
        apply(database, folder)
    assert "repeatable/v, repeatable/w need each other" in failed.value.hint


def test_deleted_file_keeps_what_it_made_until_somebody_asks(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT id FROM users;")
    apply(database, folder)
    folder.delete("v")
    assert apply(database, folder) == ()
    assert states(database, folder) == {"v": RepeatableState.DELETED}
    dropped = operations.migrate(database, read_migrations(folder.path), drop_deleted=True)
    assert result_text(dropped) == "every migration is applied; dropped: what repeatable/v made"
    assert states(database, folder) == {}
    assert run(database, "SELECT to_regclass('v')") == [(None,)]


def test_renamed_file_takes_over_what_the_old_one_made(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE VIEW v AS SELECT id FROM users;")
    apply(database, folder)
    folder.delete("v")
    folder.write(v2="CREATE VIEW v AS SELECT id, name FROM users;")
    apply(database, folder)
    assert states(database, folder) == {"v2": RepeatableState.APPLIED}


def test_what_a_file_makes_no_longer_is_dropped(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, f="CREATE OR REPLACE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';")
    apply(database, folder)
    run(database, "COMMENT ON FUNCTION f(integer) IS 'kept'")
    folder.write(f="CREATE OR REPLACE FUNCTION f(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';")
    apply(database, folder)
    assert run(database, "SELECT oid::regprocedure::text, obj_description(oid) FROM pg_proc WHERE proname = 'f'") == [
        ("f(integer,integer)", "kept")
    ]


def test_view_that_needs_two_migrations_is_down_in_between_only(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT id, age FROM users;")
    apply(database, folder)
    run(database, "COMMENT ON VIEW v IS 'kept'")
    folder.write(
        _2_b="ALTER TABLE users DROP COLUMN age;",
        _3_c="ALTER TABLE users ADD COLUMN born date;",
        v="CREATE OR REPLACE VIEW v AS SELECT id, born FROM users;",
    )
    assert apply(database, folder) == ("2_b", "3_c", "repeatable/v")
    assert run(database, "SELECT obj_description('v'::regclass)") == [("kept",)]


def test_migration_whose_view_cannot_be_put_back_is_rolled_back(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT id, age FROM users;")
    apply(database, folder)
    folder.write(_2_b="ALTER TABLE users DROP COLUMN age;")
    with pytest.raises(MigrationFailed, match=r'repeatable/v failed.*column "age" does not exist'):
        apply(database, folder)
    assert run(database, "SELECT count(*) FROM v") == [(0,)]


def test_drop_and_create_in_a_file_keep_grants_and_dependents(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        v="DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT id, name FROM users;",
        w="CREATE VIEW w AS SELECT id FROM v;",
    )
    apply(database, folder)
    run(database, "GRANT SELECT ON v, w TO PUBLIC")
    before = described(database)
    folder.write(v="DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT name, id FROM users;")
    apply(database, folder)
    assert described(database) == before


def test_new_column_reaches_views_that_select_all(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        base="CREATE OR REPLACE VIEW base AS SELECT id FROM users;",
        all="CREATE OR REPLACE VIEW all_of AS SELECT * FROM base;",
    )
    apply(database, folder)
    folder.write(base="CREATE OR REPLACE VIEW base AS SELECT id, name FROM users;")
    apply(database, folder)
    assert run(database, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'all_of'") == [(2,)]


def test_trigger_and_policy_are_replaced(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        f="CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';",
        t="CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();",
        p="CREATE POLICY mine ON users USING (name = CURRENT_USER);",
    )
    apply(database, folder)
    run(database, "ALTER TABLE users DISABLE TRIGGER touched", "COMMENT ON POLICY mine ON users IS 'p'")
    folder.write(
        t="CREATE TRIGGER touched BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();",
        p="CREATE POLICY mine ON users USING (name = SESSION_USER);",
    )
    apply(database, folder)
    assert run(database, "SELECT tgenabled::text, tgtype FROM pg_trigger WHERE tgname = 'touched'") == [("D", 7)]
    assert run(database, "SELECT obj_description(oid, 'pg_policy') FROM pg_policy") == [("p",)]


def test_cascade_in_a_migration_loses_nothing(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE, v="CREATE OR REPLACE VIEW v AS SELECT 1 AS id;", w="CREATE VIEW w AS SELECT age FROM users;"
    )
    apply(database, folder)
    run(database, "GRANT SELECT ON w TO PUBLIC")
    before = described(database)
    folder.write(_2_b="ALTER TABLE users DROP COLUMN age CASCADE; ALTER TABLE users ADD COLUMN age integer;")
    apply(database, folder)
    assert described(database) == before


def test_view_is_not_dropped_from_under_another_that_needs_it(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        v="CREATE VIEW v AS SELECT id FROM users; CREATE VIEW other AS SELECT 1 AS n;",
        w="CREATE VIEW w AS SELECT id FROM v;",
    )
    apply(database, folder)
    folder.write(v="CREATE VIEW other AS SELECT 1 AS n;")
    with pytest.raises(MigrationFailed, match=r'repeatable/w failed.*relation "v" does not exist'):
        apply(database, folder)
    assert run(database, "SELECT count(*) FROM w") == [(0,)]
    folder.delete("v")
    with pytest.raises(MigrationFailed, match=r'repeatable/w failed.*relation "v" does not exist'):
        apply(database, folder, drop_deleted=True)
    folder.write(w="CREATE VIEW w AS SELECT id FROM users;")
    apply(database, folder, drop_deleted=True)
    assert run(database, "SELECT to_regclass('v'), count(*) FROM w") == [(None, 0)]


@pytest.mark.parametrize("together", [False, True])
def test_migration_that_uses_what_a_repeatable_file_makes_runs_in_a_fresh_database(
    database: Database, second: Database, folder: Folder, together: bool
) -> None:
    folder.write(
        _1_a=TABLE,
        lower="CREATE OR REPLACE FUNCTION lowered(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT low($1)';",
        low="CREATE OR REPLACE FUNCTION low(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';",
        v="CREATE OR REPLACE VIEW v AS SELECT id, mail FROM users;",
    )
    folder.write(_2_b="SET search_path = public; ALTER TABLE users ADD COLUMN mail text DEFAULT lowered('X');")
    folder.write(_3_c="ALTER TABLE users ALTER COLUMN name TYPE varchar(9); SELECT count(*) FROM v;")
    files = read_migrations(folder.path)
    ids = operations.migrate(database, files, together=together).ids
    assert set(ids) == {"1_a", "2_b", "3_c", "repeatable/low", "repeatable/lower", "repeatable/v"}
    assert run(database, "INSERT INTO users (id) VALUES (1)", "SELECT mail FROM v") == [("x",)]
    assert set(states(database, folder).values()) == {RepeatableState.APPLIED}
    assert operations.migrate(database, files).ids == ()


def test_migration_that_lacks_what_no_file_makes_fails_as_ever(database: Database, folder: Folder) -> None:
    folder.write(
        _1_a=TABLE,
        f="CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM later';",
        _2_b="SELECT f();",
        _3_c="CREATE TABLE later ();",
    )
    with pytest.raises(MigrationFailed, match=r"2_b failed in statement 1 of 1: function f\(\) does not exist"):
        apply(database, folder)
    assert run(database, "SELECT count(*) FROM _yoyo_migration") == [(1,)]


def test_what_bears_the_same_name_in_another_schema_is_nobody_elses(database: Database, folder: Folder) -> None:
    makes = "CREATE MATERIALIZED VIEW IF NOT EXISTS sums AS SELECT {} FROM users;"
    folder.write(_1_a=TABLE, sums=makes.format("id"))
    run(database, "CREATE SCHEMA one", "CREATE SCHEMA two")
    for schema in ("one", "two"):
        apply(database.with_schema(schema), folder)
    folder.write(sums=makes.format("id, name"))
    apply(database.with_schema("two"), folder)
    count = (
        "SELECT attrelid::regclass::text, count(*) FROM pg_attribute"
        " WHERE attrelid IN ('one.sums'::regclass, 'two.sums'::regclass) AND attnum > 0 GROUP BY 1 ORDER BY 1"
    )
    assert run(database, count) == [("one.sums", 1), ("two.sums", 2)]


def test_what_another_session_makes_meanwhile_is_none_of_a_files(database: Database, folder: Folder) -> None:
    folder.write(_1_a=TABLE, v="SELECT pg_advisory_xact_lock(14); CREATE VIEW v AS SELECT id FROM users;")
    run(database, "CREATE SCHEMA one", "CREATE SCHEMA two")
    with database.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_lock(14)")
        applied = pool.submit(apply, database.with_schema("one"), folder)
        waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: run(database, waits), "the file to wait")
        run(database, "CREATE VIEW two.v AS SELECT 1")
        other.execute("SELECT pg_advisory_unlock(14)")
        assert applied.result(60) == ("1_a", "repeatable/v")
    folder.write(v="CREATE VIEW v AS SELECT name FROM users;")
    apply(database.with_schema("one"), folder)
    assert run(database, "SELECT schemaname FROM pg_views WHERE viewname = 'v' ORDER BY 1") == [("one",), ("two",)]


VIEW = "CREATE VIEW v AS SELECT 1 AS n;"

# What leads to another schema → a file, and what it makes.
LED = {
    "name": ("CREATE VIEW other.v AS SELECT 1 AS n;", ["view other.v"]),
    "search_path": (f"SET search_path = other; {VIEW} SET search_path = public;", ["view other.v"]),
    "move": (f"DROP VIEW IF EXISTS other.v; {VIEW} ALTER VIEW v SET SCHEMA other;", ["view other.v"]),
    "code": (
        f"DROP VIEW IF EXISTS other.v; DO $$ BEGIN EXECUTE 'CREATE VIEW other.v AS SELECT 1'; END $$; {VIEW}",
        ["view other.v", "view public.v"],
    ),
    "event trigger": (VIEW, ["view other.v"]),
    "relation": (
        """CREATE TRIGGER t INSTEAD OF DELETE ON other.u FOR EACH ROW EXECUTE FUNCTION f();
        CREATE RULE r AS ON UPDATE TO u DO NOTHING;""",
        ["rule r on other.u", "trigger t on other.u"],
    ),
}


@pytest.mark.parametrize("what", LED)
def test_what_a_file_makes_is_found_in_another_schema(database: Database, folder: Folder, what: str) -> None:
    text, made = LED[what]
    folder.write(_1_a=TABLE)
    apply(database, folder)
    run(
        database,
        "CREATE SCHEMA other",
        "CREATE SCHEMA third",
        "CREATE VIEW third.v AS SELECT 1 AS n",
        "CREATE VIEW other.u AS SELECT 1 AS n",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    )
    there = database
    if what == "relation":
        there = database.with_parameters(options="-c search_path=public,other")
    if what == "event trigger":
        run(
            database,
            "CREATE FUNCTION moving() RETURNS event_trigger LANGUAGE plpgsql AS "
            "'BEGIN IF to_regclass(''public.v'') IS NOT NULL THEN ALTER VIEW v SET SCHEMA other; END IF; END'",
            "CREATE EVENT TRIGGER moving ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION moving()",
        )
    folder.write(v=text)
    apply(there, folder)
    (entry,) = operations.status(there, read_migrations(folder.path)).repeatables
    assert (entry.state, list(entry.made)) == (RepeatableState.APPLIED, made)
    if what == "event trigger":
        run(database, "DROP EVENT TRIGGER moving")
        made = ["view public.v"]
    folder.write(v=text.replace("1 AS n;", "2 AS n;").replace("NOTHING", "INSTEAD NOTHING"))
    apply(there, folder)
    (entry,) = operations.status(there, read_migrations(folder.path)).repeatables
    assert (entry.state, list(entry.made)) == (RepeatableState.APPLIED, made)
    folder.delete("v")
    apply(there, folder, drop_deleted=True)
    assert run(database, "SELECT schemaname FROM pg_views WHERE viewname = 'v'") == [("third",)]
    assert run(database, "SELECT count(*) FROM pg_trigger WHERE tgname = 't'") == [(0,)]


def test_triggers_of_each_tenant_are_told_apart(database: Database, folder: Folder) -> None:
    trigger = "CREATE TRIGGER touched BEFORE {} ON users FOR EACH ROW EXECUTE FUNCTION public.f();"
    folder.write(_1_a=TABLE)
    for schema in ("one", "two"):
        run(database, f"CREATE SCHEMA {schema}")
        apply(database.with_schema(schema), folder)
    run(database, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    for schema in ("one", "two"):
        run(database, f"SET search_path = {schema}; {trigger.format('UPDATE')}")
    folder.write(t=trigger.format("INSERT"))
    apply(database.with_schema("one"), folder)
    types = "SELECT tgrelid::regclass::text, tgtype FROM pg_trigger WHERE tgname = 'touched' ORDER BY 1"
    assert run(database, types) == [("one.users", 7), ("two.users", 19)]
