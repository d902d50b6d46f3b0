"""A rehearsal of several statements and files: what one does after another, and where it starts from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import sql

from tests.trace.test_operations import AX, RX, SCHEMA, SRX, SUX, S, locks_of, rehearse
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.show.traces import trace_text
from wflo_schema.trace.operations import trace
from wflo_schema.trace.values import Trace

pytestmark = pytest.mark.spread_over_servers

__all__ = ["rehearse"]  # a fixture

Rehearse = Callable[..., Trace]


def folder_of(tmp_path: Path, **files: str) -> Path:
    """A folder with these files; double underscores stand for a folder."""
    folder = tmp_path / "migrations"
    for name, text in files.items():
        path = folder / (name.removeprefix("f").replace("__", "/").replace("_", "-") + ".sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_lock_that_is_held_already_is_said_again(rehearse: Rehearse) -> None:
    found = rehearse("ALTER TABLE t ADD x1 int; ALTER TABLE t ADD x2 int; CREATE INDEX i ON t (b); SELECT id FROM u;")
    first, second, third, fourth = found.statements

    assert locks_of(first) == locks_of(second) == {"public.t": AX}
    assert locks_of(third) == {"public.t": S}
    assert "public.t" not in locks_of(fourth)
    assert [one.locks[0].since_line for one in (first, second, third)] == [None, 1, None]
    assert "stops readers and writers of public.t since line 1, until commit" in trace_text(found)


def test_not_valid_and_validate_in_one_transaction_are_two_locks(rehearse: Rehearse) -> None:
    one, two = rehearse(
        "ALTER TABLE u ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES t NOT VALID; ALTER TABLE u VALIDATE CONSTRAINT k;"
    ).statements

    assert locks_of(one) == {"public.t": SRX, "public.u": SRX}
    assert locks_of(two)["public.u"] == SUX
    assert two.scans == ("public.u", "public.t")


def test_truncate_behind_a_rewrite_reads_nothing(rehearse: Rehearse) -> None:
    _, truncate = rehearse("ALTER TABLE w ALTER id TYPE bigint; TRUNCATE w;").statements

    assert (truncate.scans, truncate.rewrites, truncate.builds) == ((), (), ())
    assert locks_of(truncate) == {"public.w": AX}


def test_what_is_rolled_back_to_a_savepoint_was_done_all_the_same(rehearse: Rehearse) -> None:
    _, alter, _, after = rehearse(
        "SAVEPOINT a; ALTER TABLE w ALTER id TYPE bigint; ROLLBACK TO SAVEPOINT a; ALTER TABLE w ADD f int;"
    ).statements

    assert alter.rewrites == ("public.w",)
    assert [lock.held_until for lock in alter.locks] == ["rollback"]
    assert [lock.held_until for lock in after.locks] == ["commit"]


def test_a_table_has_the_name_that_it_had_before_the_transaction(rehearse: Rehearse) -> None:
    found = rehearse(
        "ALTER SCHEMA s1 RENAME TO s2; ALTER TABLE s2.z RENAME TO zz; ALTER TABLE s2.zz ADD CHECK (g > 0);",
        "ALTER TABLE s2.zz ADD f int;",
    )

    assert [locks_of(s) for s in found.statements[1:]] == [{"s1.z": AX}, {"s1.z": AX}, {"s2.zz": AX}]
    assert found.statements[2].scans == ("s1.z",)


def test_what_an_earlier_file_made_is_new(rehearse: Rehearse) -> None:
    _, index = rehearse("CREATE TABLE n (id int);", "CREATE INDEX i ON n (id);").statements

    assert [(lock.relation, lock.is_new) for lock in index.locks] == [("public.n", True)]


def test_what_the_same_file_made_is_not_said(rehearse: Rehearse) -> None:
    one, two, three = rehearse("CREATE TABLE n (id int); CREATE INDEX i ON n (id); ALTER TABLE n ADD f int;").statements

    assert one.made == ("public.n",)
    assert not (one.locks or two.locks or two.builds or three.locks)


@pytest.mark.parametrize("reset", ["SET client_min_messages = error", "RESET ALL", "RESET client_min_messages"])
def test_silenced_messages_are_heard_all_the_same(rehearse: Rehearse, reset: str) -> None:
    _, found = rehearse(f"{reset}; ALTER TABLE w ALTER g SET NOT NULL;").statements

    assert "existing constraints" in found.proven[0]
    assert found.scans == ()


def test_row_triggers_and_actions_of_keys_are_named(rehearse: Rehearse) -> None:
    delete, update = rehearse("DELETE FROM t WHERE id = 1; UPDATE audited SET id = 2 WHERE id = 1;").statements

    assert delete.fires == ("key u_t_id_fkey of public.u: CASCADE",)
    assert {lock.relation: lock.mode for lock in delete.locks}["public.u"] == RX
    assert update.fires == ("trigger audit of public.audited",)


def test_statement_that_is_refused_ends_the_trace_with_its_place(rehearse: Rehearse) -> None:
    found = rehearse("ALTER TABLE t ADD f int;\nALTER TABLE t\n  ADD g nonsense;\nDROP TABLE w;", "DROP TABLE p;")

    assert [s.error for s in found.statements] == ["", 'type "nonsense" does not exist']
    refused = found.failed[0]
    assert (refused.line, refused.error_line, refused.error_column) == (2, 3, 9)
    assert found.not_rehearsed == ("02-file", "03-file")


def test_code_is_shown_as_the_file_has_it(rehearse: Rehearse) -> None:
    texts = [f"DO $$ BEGIN EXECUTE 'UPDATE {table} SET a = 1'; END $$" for table in ("t", "nowhere")]
    found = rehearse(";\n".join(texts))
    assert [s.text for s in found.statements] == texts
    assert [s.source_line for s in found.statements] == [f"{texts[0]};", texts[1]]
    assert [s.error for s in found.statements] == ["", 'relation "nowhere" does not exist']


def test_what_needs_rows_that_the_target_has_is_undecided_and_the_rest_goes_on(rehearse: Rehearse) -> None:
    found = rehearse(
        "ALTER TABLE u ADD y int; INSERT INTO u (id, t_id) VALUES (1, 7); INSERT INTO u (id, t_id) VALUES (2, 7);"
        "DO $$BEGIN IF NOT EXISTS (SELECT FROM t) THEN RAISE 'no t'; END IF; END$$; ALTER TABLE w ADD x int;",
        "CREATE INDEX i ON u (y);",
        schema=f"{SCHEMA}INSERT INTO t (id) VALUES (7);",
    )

    assert [one.number for one in found.statements] == [1, 2, 3, 4, 5, 1]
    assert ["without the rows that the target has" in one.undecided for one in found.statements[:5]] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert locks_of(found.statements[4]) == {"public.w": AX}
    assert not found.failed
    assert not found.not_rehearsed


def test_what_needs_large_objects_or_a_row_for_a_cursor_is_undecided(rehearse: Rehearse) -> None:
    found = rehearse(
        "COMMENT ON LARGE OBJECT 4711 IS 'x'; SELECT lo_unlink(4711);"
        "DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE; FETCH c; UPDATE t SET a = 1 WHERE CURRENT OF c;",
        schema=f"{SCHEMA}INSERT INTO t (id) VALUES (7); SELECT lo_create(4711);",
    )

    assert [bool(one.undecided) for one in found.statements] == [True, True, False, False, True]
    assert not found.failed


def test_values_that_come_out_of_empty_tables_refuse_nothing(rehearse: Rehearse) -> None:
    found = rehearse(
        "SELECT setval('s', coalesce((SELECT max(id) FROM t), 0));"
        "DO $$BEGIN EXECUTE (SELECT 'ALTER TABLE u ADD z int' FROM t); END$$; SELECT 'x'::int;",
        schema=f"{SCHEMA}CREATE SEQUENCE s; INSERT INTO t (id) VALUES (7);",
    )

    assert [bool(one.undecided) for one in found.statements] == [True, True, False]
    assert [one.number for one in found.failed] == [3]


def test_what_reaches_outside_of_the_database_is_told_of_in_its_place(rehearse: Rehearse) -> None:
    found = rehearse("CREATE ROLE wflo_nobody; GRANT SELECT ON t TO wflo_nobody; ALTER TABLE t OWNER TO wflo_nowhere;")
    made, granted, owned = found.statements

    assert (made.number, made.is_left_out) == (1, True)
    assert granted.number == 2
    assert "its role is made at" in granted.undecided
    assert (owned.number, owned.error) == (3, 'role "wflo_nowhere" does not exist')


@pytest.mark.parametrize("text", ["", "-- transational: false\nSELECT 1;"])
@pytest.mark.one_server
def test_file_that_migrate_refuses_as_unfinished_is_refused(rehearse: Rehearse, text: str) -> None:
    with pytest.raises(BadMigrationFile):
        rehearse(text)


@pytest.mark.one_server
def test_of_a_file_that_was_interrupted_the_rest_is_rehearsed(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        f01="CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1);",
        f02="-- transactional: false\nCREATE INDEX CONCURRENTLY i ON t (id);\n"
        "CREATE UNIQUE INDEX CONCURRENTLY j ON t (id);",
    )
    with pytest.raises(MigrationFailed):
        engine.migrate(database, read_migrations(folder))
    (one,) = trace(database, read_migrations(folder)).statements

    assert (one.number, one.error, one.builds) == (2, "", ("public.j",))


def test_what_rows_of_the_file_itself_refuse_is_refused(rehearse: Rehearse) -> None:
    found = rehearse("INSERT INTO t (id, c) VALUES (1, NULL);", "SELECT 1;")

    assert [one.sqlstate for one in found.failed] == ["23502"]


def test_query_that_is_refused_has_its_place_too(rehearse: Rehearse) -> None:
    (refused,) = rehearse("UPDATE t SET nonsense = 1;").failed

    assert (refused.error_line, refused.error_column) == (1, 14)


def test_deferred_constraint_that_fails_is_said_of_the_last_statement(rehearse: Rehearse) -> None:
    schema = SCHEMA + "CREATE TABLE df (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED);"
    found = rehearse("INSERT INTO df VALUES (7); ALTER TABLE w ADD f int;", schema=schema)

    assert "violates foreign key constraint" in found.failed[0].error


def test_procedure_that_commits_is_run_outside(rehearse: Rehearse) -> None:
    (found,) = rehearse("-- transactional: false\nCALL commits();").statements

    assert locks_of(found)["public.w"] == AX
    assert found.is_alone


def test_settings_of_a_non_transactional_file_hold_for_its_statements(rehearse: Rehearse) -> None:
    found = rehearse("-- transactional: false\nSET search_path = s1;\nCREATE INDEX CONCURRENTLY i ON z (g);")

    assert found.statements[1].builds == ("s1.i",)


def test_code_that_catches_an_error_inside_a_function_is_undecided(rehearse: Rehearse) -> None:
    schema = SCHEMA + (
        "CREATE FUNCTION tries() RETURNS void LANGUAGE plpgsql AS 'BEGIN ALTER TABLE w ADD f int; "
        "RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END';"
    )
    (found,) = rehearse("SELECT tries();", schema=schema).statements

    assert "caught an error" in found.undecided


def test_target_is_as_it_was(database: Database, rehearse: Rehearse) -> None:
    rehearse("ALTER TABLE t ADD f int; INSERT INTO t (id) VALUES (1);")

    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE '%scratch%'").fetchone() == (0,)


def test_time_zone_of_the_target_decides(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE z (at timestamp);")
    engine.migrate(database, read_migrations(folder))
    folder_of(tmp_path, f02_b="ALTER TABLE z ALTER at TYPE timestamptz;")

    for zone, rewrites in (("Europe/Berlin", ("public.z",)), ("UTC", ())):
        with database.connect() as connection:
            alter = sql.SQL("ALTER DATABASE {} SET timezone = {}")
            connection.execute(alter.format(sql.Identifier(database.name), sql.Literal(zone)))
        assert trace(database, read_migrations(folder)).statements[0].rewrites == rewrites


def test_a_table_is_in_the_tablespace_that_it_has_in_the_target(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, f01_a="CREATE TABLE far (a int); CREATE TABLE near (a int); CREATE INDEX i ON far (a);"
    )
    engine.migrate(database, read_migrations(folder))
    text = "ALTER TABLE {} SET TABLESPACE pg_default;"
    folder_of(tmp_path, f02_b="\n".join(text.format(one) for one in ("far", "i", "near")))
    place = sql.Identifier(f"far_{database.name}")
    with database.connect() as connection:
        if connection.info.server_version < 150_000:
            pytest.skip("a tablespace needs a directory there")
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION ''").format(place))
        try:
            for name in ("far", "i"):
                connection.execute(sql.SQL("ALTER TABLE {} SET TABLESPACE {}").format(sql.Identifier(name), place))
            found = trace(database, read_migrations(folder))
        finally:
            connection.execute("DROP TABLE far")
            connection.execute(sql.SQL("DROP TABLESPACE {}").format(place))

    assert [one.rewrites for one in found.statements] == [("public.far",), ("public.i",), ()]
    assert found.notes == ()


def test_hooks_are_rehearsed_around_each(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        f01_a="CREATE TABLE a (id int);",
        hooks__before_all="CREATE TABLE told (id int);",
        hooks__before_each="LOCK TABLE told IN EXCLUSIVE MODE;",
        hooks__after_each="SELECT 1;",
        hooks__after_all="SELECT 2;",
    )
    found = trace(database, read_migrations(folder))

    assert not found.failed
    assert [s.hook for s in found.statements] == ["before-all", "before-each", "", "after-each", "after-all"]
    assert locks_of(found.statements[1]) == {"public.told": "ExclusiveLock"}


def test_repeatable_files_come_behind(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        f01_a="CREATE TABLE a (id int);",
        repeatable__a="CREATE OR REPLACE VIEW w AS SELECT * FROM v;",
        repeatable__v="CREATE OR REPLACE VIEW v AS SELECT id FROM a;",
    )
    found = trace(database, read_migrations(folder))

    assert not found.failed
    assert [s.id for s in found.statements] == ["01-a", "repeatable/v", "repeatable/a"]


def test_view_that_is_in_the_way_is_left_to_the_engine(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        f01_a="CREATE TABLE a (id int, b int);",
        repeatable__v="CREATE OR REPLACE VIEW v AS SELECT b FROM a;",
    )
    engine.migrate(database, read_migrations(folder))
    folder_of(tmp_path, f02_b="ALTER TABLE a ALTER b TYPE bigint;", f03_c="ALTER TABLE a ADD c int;")
    found = trace(database, read_migrations(folder))

    assert not found.failed
    assert [(s.id, s.undecided) for s in found.statements] == [("02-b", ""), ("03-c", "")]
    assert locks_of(found.statements[0]) == {"public.a": AX, "public.v": AX}
    assert found.statements[0].rewrites == ("public.a",)
    assert "02-b: wflo-schema takes down around it" in found.notes[0]


def test_view_with_other_columns_is_made_anew_by_the_engine(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, f01_a="CREATE TABLE a (id int, b int);", repeatable__v="CREATE OR REPLACE VIEW v AS SELECT b FROM a;"
    )
    engine.migrate(database, read_migrations(folder))
    folder_of(tmp_path, repeatable__v="CREATE OR REPLACE VIEW v AS SELECT id, b FROM a;")
    (found,) = trace(database, read_migrations(folder)).statements

    assert not found.error
    assert not found.undecided


def test_edited_files_without_or_replace_are_made_anew_by_the_engine(database: Database, tmp_path: Path) -> None:
    trigger = "CREATE TRIGGER t BEFORE {} ON a FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();"
    folder = folder_of(
        tmp_path,
        f01_a="CREATE TABLE a (id int, b int);",
        repeatable__v="CREATE VIEW v AS SELECT id, b FROM a;",
        repeatable__w="CREATE VIEW w AS SELECT id FROM v;",
        repeatable__f="CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        repeatable__t=trigger.format("UPDATE"),
    )
    engine.migrate(database, read_migrations(folder))
    folder_of(
        tmp_path,
        repeatable__v="CREATE VIEW v AS SELECT id, b AS c FROM a;",
        repeatable__f="CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2';",
        repeatable__t=trigger.format("UPDATE OF b"),
        repeatable__n="CREATE VIEW n AS SELECT id FROM w;",
    )
    found = trace(database, read_migrations(folder))
    ids = {f"repeatable/{name}" for name in "vftn"}

    assert not found.failed
    assert {s.id for s in found.statements} == ids and len(found.statements) == 4
    assert {note.partition(":")[0] for note in found.notes} >= ids - {"repeatable/n"}
    assert locks_of(next(s for s in found.statements if s.id == "repeatable/t"))["public.a"] == AX
    engine.migrate(database, read_migrations(folder))
    with pytest.raises(MigrationFailed):
        folder_of(tmp_path, repeatable__v="CREATE VIEW v AS SELECT nothing FROM a;")
        engine.migrate(database, read_migrations(folder))
    assert trace(database, read_migrations(folder)).failed


def test_variables_have_their_values(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a='-- variables: name\nCREATE TABLE :"name" (id int);')
    found = trace(database, read_migrations(folder, variables={"name": "a table"}))

    assert found.statements[0].made == ('public."a table"',)


def test_files_that_are_applied_are_rehearsed_behind_those_before(database: Database, tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, f01_a="CREATE TABLE a (id int);", f02_b="CREATE INDEX i ON a (id);", f03_c="DROP TABLE a;"
    )
    engine.migrate(database, read_migrations(folder))
    found = trace(database, read_migrations(folder), files=[str(folder / "02-b.sql")])

    assert [s.id for s in found.statements] == ["02-b"]
    assert found.statements[0].builds == ("public.i",)


def test_files_may_be_pending_and_behind_others(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);", f02_b="CREATE INDEX i ON a (id);")
    found = trace(database, read_migrations(folder), files=["02-b"])

    assert [s.id for s in found.statements] == ["02-b"]


def test_a_file_of_another_folder_comes_behind(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    engine.migrate(database, read_migrations(folder))
    draft = tmp_path / "draft.sql"
    draft.write_text("ALTER TABLE a ADD b int;")
    (found,) = trace(database, read_migrations(folder), files=[str(draft)]).statements

    assert found.file == str(draft)
    assert locks_of(found) == {"public.a": AX}


def test_since_a_revision_needs_no_ledger(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);", f03_c="CREATE TABLE c (id int);")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    folder_of(tmp_path, f02_b="CREATE INDEX i ON a (id);", f04_d="DROP TABLE c;")
    found = trace(database, read_migrations(folder), since="HEAD")

    assert [s.id for s in found.statements] == ["02-b", "04-d"]
    assert found.statements[0].builds == ("public.i",)
    assert not any(lock.is_new for s in found.statements for lock in s.locks)
    assert [s.id for s in trace(database, read_migrations(folder), since="HEAD", to="02-b").statements] == ["02-b"]


def spoil(database: Database) -> None:
    """Leave an index whose function is immutable no longer: as it is it cannot be made again."""
    with database.connect() as connection:
        connection.execute("CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END'")
        connection.execute("CREATE INDEX i ON a (f(id))")
        connection.execute("ALTER FUNCTION f VOLATILE")


def test_catalog_that_cannot_be_made_again_is_replayed(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    engine.migrate(database, read_migrations(folder))
    spoil(database)
    folder_of(tmp_path, f02_b="ALTER TABLE a ADD b int;")
    found = trace(database, read_migrations(folder))

    assert not found.failed
    assert "replayed" in found.start
    assert "cannot be made in a scratch database" in found.notes[0]


def test_neither_catalog_nor_history_is_one_error_with_both_reasons(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    engine.migrate(database, read_migrations(folder))
    spoil(database)
    (folder / "01-a.sql").write_text("CREATE TABLE a (id nonsense);")
    folder_of(tmp_path, f02_b="ALTER TABLE a ADD b int;")

    with pytest.raises(Refused, match=r"(?s)cannot be made in a scratch database.*does not replay.*nonsense"):
        trace(database, read_migrations(folder))


def test_schema_and_ledger_schema_are_those_of_the_target(database: Database, tmp_path: Path) -> None:
    there = database.with_schema("app").with_ledger_schema("ledger")
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA app; CREATE SCHEMA ledger; CREATE TABLE public.a (id int)")
    engine.migrate(there, read_migrations(folder))
    folder_of(tmp_path, f02_b="ALTER TABLE a ADD b int;")
    (found,) = trace(there, read_migrations(folder)).statements

    assert locks_of(found) == {"app.a": AX}


def test_empty_target_is_no_start_to_make(database: Database, tmp_path: Path) -> None:
    found = trace(database, read_migrations(folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")))

    assert found.statements[0].made == ("public.a",)


def test_nothing_pending_is_an_empty_array(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    engine.migrate(database, read_migrations(folder))
    url = ["--database-url", database.conninfo, "--migrations", str(folder)]

    assert json.loads(CliRunner().invoke(cli, ["trace", *url, "--format", "json"]).stdout) == []
    assert "nothing is pending" in CliRunner().invoke(cli, ["trace", *url]).stdout


@pytest.mark.one_server
def test_command_says_what_stops_whom(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    engine.migrate(database, read_migrations(folder))
    folder_of(tmp_path, f02_b="CREATE INDEX i ON a (id);\nALTER TABLE a ADD b nonsense;", f03_c="SELECT 1;")
    url = ["--database-url", database.conninfo, "--migrations", str(folder)]
    done = CliRunner().invoke(cli, ["trace", *url])

    assert done.exit_code == 1
    assert "stops writers of public.a until commit  (SHARE)" in done.stdout
    assert 'refused: type "nonsense" does not exist' in done.stdout
    assert "not rehearsed, as PostgreSQL refuses 02-b: 03-c" in done.stdout
    assert "2 statements, 1 stops writers, 1 builds an index, 1 is refused" in done.stdout
    statements = json.loads(CliRunner().invoke(cli, ["trace", *url, "--format", "json"]).stdout)
    assert {"file", "line", "locks", "rewrites", "scans", "builds"} <= statements[0].keys()
    assert statements[0]["locks"] == [
        {
            "relation": "public.a",
            "kind": "table",
            "mode": S,
            "held_until": "commit",
            "is_new": False,
            "since_line": None,
            "blocks": ["writes", "ddl"],
        }
    ]


@pytest.mark.one_server
def test_scratch_database_on_another_server_is_said(database: Database, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, f01_a="CREATE TABLE a (id int);")
    found = trace(database, read_migrations(folder), scratch=ScratchOptions(database))

    assert not found.failed
