"""Folders with a file for each direction: read in their tool's order, proven, rolled back, and adopted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.imports.laid import imported, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.operations import Import

pytestmark = pytest.mark.spread_over_servers

GOLANG = {
    "1_users.up.sql": "BEGIN;\nCREATE TABLE users (id bigint PRIMARY KEY, name text);\nCOMMIT;\n",
    "1_users.down.sql": "DROP TABLE users;\n",
    "2_index.up.sql": "CREATE INDEX CONCURRENTLY users_name ON users (name);\n",
    "2_index.down.sql": "DROP INDEX users_name;\n",
    "10_data.up.sql": "INSERT INTO users VALUES (1, 'a'); INSERT INTO users VALUES (2, 'b');\n",
    "10_data.down.sql": "\n",
}
T = "CREATE TABLE t (a integer);\n"


def is_proven(found: Import, *, rolled_back: int | None = None) -> bool:
    """Were all migrations proven, and so many rolled back, both ways?"""
    proof = found.proof
    assert proof is not None
    assert [s for s in proof.said if s.is_open] == []
    return proof.is_whole and (rolled_back is None or proof.rolled_back == rolled_back)


def run(database: Database, *statements: str) -> None:
    """Run these in a database, as another tool would have."""
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def notes(found: Import) -> str:
    """All that is said of the files, those that are left out among them."""
    return "\n".join([*found.left_out, *(note for file in found.files for note in file.notes)])


# --- golang-migrate ---------------------------------------------------------------------------


def test_golang_migrate_is_proven_in_the_order_of_its_numbers(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, GOLANG, database)
    assert found.tool == "golang-migrate"
    assert [m.id for m in ours(tmp_path)] == ["0001_users", "0002_index", "0010_data"]
    assert is_proven(found, rolled_back=3)
    assert found.exit_code == 0
    assert text_of(tmp_path, "0001_users.sql").startswith("CREATE TABLE users")
    assert text_of(tmp_path, "0002_index.sql").startswith("-- transactional: false\n")
    assert text_of(tmp_path, "0010_data.rollback.sql").startswith("-- nothing-to-undo: ")
    assert '"10" = "0010_data"' in text_of(tmp_path, "adopt.toml")


def test_golang_migrate_pairs_by_number_whatever_stands_behind_it(tmp_path: Path, database: Database) -> None:
    files = {
        "01_make.up.pgsql": T,
        "1_remove.down.sql": "DROP TABLE t;",
        "2_b.up.down.up.sql": "CREATE TABLE b (a integer);",
        "03_alone.down.sql": "DROP TABLE b;",
        "4_blank.up.sql": "",
        "5_Upper.UP.sql": "CREATE TABLE never (a integer);",
        "18446744073709551616_far.up.sql": "CREATE TABLE never (a integer);",
        "old/6_x.up.sql": "CREATE TABLE never (a integer);",
    }
    found = imported(tmp_path, files, database, tool="golang-migrate")
    assert [f.version for f in found.files] == ["1", "2", "3", "4"]
    assert is_proven(found)
    assert text_of(tmp_path, "0003_alone.rollback.sql") == "DROP TABLE b;\n"
    assert "no file makes what it takes back" in text_of(tmp_path, "0003_alone.sql")
    assert "4_blank.up.sql holds no statement" in text_of(tmp_path, "0004_blank.sql")
    said = "\n".join(found.left_out)
    assert all(name in said for name in ("5_Upper.UP.sql", "18446744073709551616_far.up.sql", "6_x.up.sql"))


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"1_a.up.sql": T, "01_b.up.sql": T}, "two files are the version 1: "),
        ({"1_a.up.sql": T, "1_a.up.sql.bak": T}, "two files are the version 1: "),
        ({"9223372036854775808_a.up.sql": T}, "does not fit a bigint"),
    ],
)
def test_golang_migrate_refuses_what_it_could_not_run(files: Mapping[str, str], what: str, tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=what):
        imported(tmp_path, files, tool="golang-migrate")


def test_golang_migrate_with_several_statements_apart_is_read_with_its_option(
    tmp_path: Path, database: Database
) -> None:
    files = {
        "1_t.up.sql": T + "CREATE INDEX CONCURRENTLY t_a ON t (a);\nCREATE INDEX CONCURRENTLY t_b ON t (a DESC)",
        "1_t.down.sql": "DROP TABLE t;",
    }
    found = imported(tmp_path, files, database)
    assert "x-multi-statement=true" in found.reason
    assert is_proven(found, rolled_back=1)
    assert not found.files[0].is_transactional


def test_a_setting_that_the_session_keeps_is_named(tmp_path: Path) -> None:
    files = {
        "1_a.up.sql": "CREATE SCHEMA app;\nSET search_path TO app;\nSET LOCAL role postgres;\n",
        "2_b.up.sql": "SELECT pg_catalog.set_config('search_path', 'app', false);\nSET role postgres; RESET role;\n",
        "3_c.up.sql": "SET search_path = app;\n",
    }
    found = imported(tmp_path, files)
    said = [[n for n in f.notes if "set for the session" in n] for f in found.files]
    assert [len(n) for n in said] == [1, 1, 0]
    assert said[0][0].startswith(f"{tmp_path}/theirs/1_a.up.sql:2: search_path ")
    assert all("role" not in n for one in said for n in one)


def test_what_changes_the_tools_own_ledger_is_left_out(tmp_path: Path, database: Database) -> None:
    files = {
        "1_t.up.sql": T,
        "2_l.up.sql": 'ALTER TABLE "public".schema_migrations ADD COLUMN more text;\nCREATE TABLE u (a integer);\n'
        "DELETE FROM schema_migrations WHERE version = 7;\nCREATE TABLE schema_migrations_of_mine (a integer);\n"
        "DROP TABLE schema_migrations_of_mine;\n",
    }
    found = imported(tmp_path, files, database)
    assert is_proven(found)
    assert len([n for n in found.files[1].notes if "about the ledger" in n]) == 2
    text = text_of(tmp_path, "0002_l.sql")
    assert "\nALTER TABLE" not in text
    assert "\nDROP TABLE schema_migrations_of_mine" in text


def test_the_tools_ledger_may_be_in_a_schema_that_the_folder_fills(tmp_path: Path, database: Database) -> None:
    comment = "COMMENT ON TABLE auth.schema_migrations IS 'of its tool'"
    files = {
        "1_t.up.sql": "CREATE SCHEMA auth;\nCREATE TABLE auth.t (id int);\n",
        "2_l.up.sql": f"{comment};\nCOMMENT ON TABLE auth.t IS 'of ours';\n",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.replayed == 2
    assert any("about the ledger" in note for note in found.files[1].notes)
    assert "IS 'of ours'" in text_of(tmp_path, "0002_l.sql")


def test_a_procedure_that_commits_is_called_outside_of_a_transaction(tmp_path: Path, database: Database) -> None:
    fill = "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$;\n"
    more = "CREATE PROCEDURE more() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (2); END $$;\n"
    files = {
        "1_t.up.sql": "CREATE TABLE t (a integer);\n",
        "2_fill.up.sql": fill,
        "3_more.up.sql": more,
        "4_call.up.sql": "CALL fill();\n",
        "5_call.up.sql": "CALL more();\n",
    }
    found = imported(tmp_path, files, database)
    assert is_proven(found)
    assert [f.is_transactional for f in found.files] == [True, True, True, False, True]


# --- sqlx -------------------------------------------------------------------------------------


def test_sqlx_is_read_with_its_mark_and_without_pairs(tmp_path: Path, database: Database) -> None:
    files = {
        "20240101000000_t.sql": T,
        "20240102000000_i.up.sql": "-- no-transaction: it builds an index\nCREATE INDEX CONCURRENTLY i ON t (a);",
        "20240102000000_i.down.sql": "-- no-transaction\nDROP INDEX CONCURRENTLY i;",
        "20240103000000_c.sql": "INSERT INTO t VALUES (1);\n-- no-transaction\nINSERT INTO t VALUES (2);",
        "20240104000000_gone.down.sql": "DROP TABLE t;",
        "README.md": "ours",
        "schema.sql": "CREATE TABLE never (a integer);",
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "sqlx"
    assert [(f.version, f.is_transactional) for f in found.files] == [
        ("20240101000000", True),
        ("20240102000000", False),
        ("20240103000000", True),
    ]
    assert is_proven(found)
    assert "no-transaction" not in text_of(tmp_path, "20240102000000_i.sql")
    assert all(name in notes(found) for name in ("gone.down.sql", "README.md", "schema.sql"))


@pytest.mark.parametrize(
    ("beside", "tool"),
    [
        ({"../Cargo.toml": '[dependencies]\nsqlx = "0.8"\n'}, "sqlx"),
        ({"../Cargo.toml": "[package]\n"}, "sqlx"),
        ({"../go.mod": "module x\n"}, "golang-migrate"),
        ({}, "golang-migrate"),
    ],
)
def test_sqlx_and_golang_migrate_are_told_apart_by_what_stands_beside(
    beside: Mapping[str, str], tool: str, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    found = imported(tmp_path, {"1_t.up.sql": T, "1_t.down.sql": "DROP TABLE t;", **beside})
    assert found.tool == tool
    assert ("[sqlx]" in text_of(tmp_path, "adopt.toml").replace('"', "")) == (beside.keys() != {"../go.mod"})


def test_sqlx_refuses_a_folder_with_a_name_without_number(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match="sqlx refuses the whole folder"):
        imported(tmp_path, {"1_t.sql": T, "seed_data.sql": T}, tool="sqlx")


@pytest.mark.parametrize(
    "ledger",
    [
        "CREATE TABLE schema_migrations AS SELECT bigint '2' AS version, false AS dirty",
        (
            "CREATE TABLE _sqlx_migrations AS SELECT v::bigint AS version, 'x' AS description, now() AS installed_on, "
            "true AS success, bytea 'x' AS checksum, bigint '1' AS execution_time FROM generate_series(1, 2) AS v"
        ),
    ],
)
def test_a_folder_that_both_may_own_is_adopted_with_either_ledger(
    ledger: str, tmp_path: Path, database: Database
) -> None:
    imported(
        tmp_path, {"1_t.up.sql": T, "2_rows.up.sql": "INSERT INTO t VALUES (1);", "3_more.up.sql": "DELETE FROM t;"}
    )
    run(database, T, "INSERT INTO t VALUES (1)", ledger)
    found = adopt_database(database, ours(tmp_path), apply=True)
    assert found.verdict is Verdict.EQUAL  # the ledger's number decides where only rows tell
    assert (found.id, found.is_applied) == ("0002_rows", True)
    operations.migrate(database, ours(tmp_path))
    assert operations.status(database, ours(tmp_path)).pending == ()


def test_the_ledger_that_names_what_the_catalog_equals_is_believed_beside_another(
    tmp_path: Path, database: Database
) -> None:
    stamp = "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);\n"
    imported(tmp_path, {"1_t.up.sql": T + stamp, "2_rows.up.sql": "INSERT INTO t VALUES (1);"})
    ledger = "CREATE TABLE schema_migrations AS SELECT bigint '2' AS version, false AS dirty"
    run(database, T, stamp, "INSERT INTO alembic_version VALUES ('old')", "INSERT INTO t VALUES (1)", ledger)
    found = adopt_database(database, ours(tmp_path))
    assert (found.verdict, found.id, found.objections) == (Verdict.EQUAL, "0002_rows", ())


def test_sqlx_without_pairs_is_told_by_its_crate(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    found = imported(tmp_path, {"1_t.sql": T, "../Cargo.toml": "sqlx = { workspace = true }\n"})
    assert found.tool == "sqlx"
    assert "Cargo.toml beside it" in found.reason


# --- pop --------------------------------------------------------------------------------------


def test_pop_takes_the_file_for_postgres_and_fills_in_its_templates(tmp_path: Path, database: Database) -> None:
    files = {
        "20200101_t.up.sql": 'CREATE TABLE {{ index .Options "Namespace" }}.t (a integer);\n',
        "20200101_t.down.sql": 'DROP TABLE {{index .Options "Namespace"}}.t;\n',
        "20200102_both.up.sql": "SELECT not sql at all;",
        "20200102_both.postgres.up.sql": "CREATE TABLE public.u (a integer);",
        "20200102_both.mysql.up.sql": "CREATE TABLE `u` (a integer);",
        "20200102_both.down.sql": "DROP TABLE public.u;",
        "20200103_alone.autocommit.up.sql": "CREATE INDEX CONCURRENTLY i ON public.u (a);",
        "20200103_alone.autocommit.down.sql": "DROP INDEX CONCURRENTLY public.i;",
        "deeper/20200104_x.up.sql": "CREATE TABLE public.v (a integer);",
        "schema.sql": "-- a dump",
    }
    found = imported(tmp_path, files, database, Namespace="public")
    assert found.tool == "pop"
    assert [f.version for f in found.files] == ["20200101", "20200102", "20200103", "20200104"]
    assert is_proven(found)
    assert [f.is_transactional for f in found.files] == [True, True, False, True]
    assert text_of(tmp_path, "20200101_t.rollback.sql") == "DROP TABLE public.t;\n"
    assert "mysql" in notes(found)
    assert "schema.sql" in notes(found)


def test_what_only_pop_can_run_waits_for_a_person(tmp_path: Path) -> None:
    files = {
        "20200101_t.up.fizz": 'create_table("t") {}\n',
        "20200101_t.down.sql": "DROP TABLE t;",
        "20200102_if.up.sql": '{{ if eq .Dialect "postgres" }}CREATE TABLE a ();{{ end }}\n',
        "20200103_no.up.sql": 'CREATE TABLE {{ index .Options "Missing" }}.t ();\n',
        "20200104_fine.up.sql": "CREATE TABLE {{ .Dialect }} ();\n",
        "20200104_fine.down.fizz": 'drop_table("postgres")\n',
    }
    found = imported(tmp_path, files)
    assert [f.is_open for f in found.files] == [True, True, True, False]
    assert "--set Missing=VALUE" in found.files[2].notes[0]
    assert "is a template" in found.files[1].notes[0]
    assert not found.files[3].has_rollback
    assert "CREATE TABLE postgres" in text_of(tmp_path, "20200104_fine.sql")


@pytest.mark.parametrize(
    "ledger",
    [
        "schema_migration (version varchar(48) NOT NULL, version_self int NOT NULL DEFAULT 0)",
        "schema_migration (version char(14) NOT NULL)",
        "schema_migrations (version char(14) NOT NULL)",
    ],
)
def test_pops_ledger_is_known_to_adopt_whatever_it_is_called(ledger: str, tmp_path: Path, database: Database) -> None:
    files = {"20200101_t.up.sql": T, "20200102_r.up.sql": "INSERT INTO t VALUES (1);", "3_x.up.sql": "DELETE FROM t;"}
    imported(tmp_path, files, tool="pop")  # as texts, 3 comes last
    run(
        database,
        T,
        "INSERT INTO t VALUES (1)",
        f"CREATE TABLE {ledger}",
        f"INSERT INTO {ledger.split()[0]} VALUES ('20200101'), ('20200102')",
    )
    found = adopt_database(database, ours(tmp_path))
    assert (found.verdict, found.number) == (Verdict.EQUAL, 2)


# --- Bun --------------------------------------------------------------------------------------


def test_bun_is_read_message_by_message_without_blank_lines(tmp_path: Path, database: Database) -> None:
    files = {
        "20230101000000_t.tx.up.sql": T
        + "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\nSELECT 'a\n\n  \nb'\n$$;",
        "20230101000000_t.tx.down.sql": "DROP FUNCTION f();\n--bun:split\nDROP TABLE t;",
        "20230102000000_i.up.sql": "SET statement_timeout = 0;\n\n--bun:split\n\nCREATE INDEX CONCURRENTLY i ON t (a);",
        "20230102000000_i.down.sql": "DROP INDEX i;",
        "20230103000000_none.down.sql": "SELECT 1;",
        "main.go": "package migrations\n",
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "bun"
    assert is_proven(found, rolled_back=3)
    assert [f.is_transactional for f in found.files] == [True, False, True]
    assert "bun:split" not in text_of(tmp_path, "20230101000000_t.rollback.sql")
    assert "'a\nb'" in text_of(tmp_path, "20230101000000_t.sql")


def test_bun_is_told_by_its_go_file_whose_migrations_wait_for_a_person(tmp_path: Path) -> None:
    go = 'package migrations\nimport "github.com/uptrace/bun/migrate"\n'
    files = {
        "main.go": go,
        "20230101000000_t.up.sql": T,
        "20230102000000_go.go": go + "func init() { Migrations.MustRegister(up, down) }\n",
    }
    found = imported(tmp_path, files)
    assert (found.tool, [f.is_open for f in found.files]) == ("bun", [False, True])


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"1_a.tx.up.sql": "--bun:splits\n"}, "Bun refuses --bun:splits"),
        ({"1_a.tx.up.sql": T, "1_A.up.sql": T}, "refuses the whole folder"),
        ({"1_a.tx.up.sql": T, "1_a.up.sql": T}, "two files are the version 1"),
    ],
)
def test_bun_refuses_what_it_could_not_run(files: Mapping[str, str], what: str, tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=what):
        imported(tmp_path, files)


# --- Postgrator, db-migrate -------------------------------------------------------------------


def test_postgrator_is_proven_and_its_ledger_adopted(tmp_path: Path, database: Database) -> None:
    files = {
        "001.do.t.sql": T,
        "001.undo.t.sql": "DROP TABLE t;",
        "2.do.sql": "INSERT INTO t VALUES (1);",
        "010.do.more.sql": "DELETE FROM t;",
        "003.DO.shout.sql": "CREATE TABLE never (a integer);",
        "000.do.zero.sql": "CREATE TABLE never (a integer);",
        "011.undo.alone.sql": "DROP TABLE t;",
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "postgrator"
    assert [f.version for f in found.files] == ["1", "2", "10"]
    assert is_proven(found)
    assert all(name in notes(found) for name in ("003.DO", "000.do", "011.undo"))
    run(
        database,
        T,
        "CREATE TABLE schemaversion (version bigint PRIMARY KEY, name text, md5 text, run_at timestamptz)",
        "INSERT INTO schemaversion (version) VALUES (0), (1), (2), (10)",
    )
    adoption = adopt_database(database, ours(tmp_path))
    assert (adoption.verdict, adoption.number) == (Verdict.EQUAL, 3)
    assert (adoption.ledgers[0].versions, adoption.ledgers[0].unknown) == (("1", "2", "10"), ())


LOADER = """exports.up = function(db) { var filePath = path.join(__dirname, 'sqls', 'NAME-up.sql'); return
  read(filePath).then(function(data) { return db.runSql(data); }); };
exports.down = function(db) { var filePath = path.join(__dirname + '/sqls/NAME-down.sql'); return db.runSql(data); };
"""


@pytest.mark.parametrize("inner", ["", "sqls"])
def test_db_migrate_is_read_by_its_js(inner: str, tmp_path: Path, database: Database) -> None:
    one, two, three = ("20150101000000-one", "20150102000000-two", "20150103000000-three")
    files = {
        f"{one}.js": LOADER.replace("NAME", one),
        f"sqls/{one}-up.sql": T,
        f"sqls/{one}-down.sql": "DROP TABLE t;",
        f"{two}.js": LOADER.replace("NAME", two),
        f"sqls/{two}-up.sql": "/* Replace with your SQL commands */",
        f"sqls/{two}-down.sql": "/* Replace with your SQL commands */",
        f"sqls/{three}-up.sql": "CREATE TABLE never (a integer);",
        "package.json": "{}",
    }
    if inner:
        imported(tmp_path, files, tool="db-migrate")
        from wflo_schema.imports.operations import import_folder

        found = import_folder(str(tmp_path / "theirs" / inner), tmp_path / "again", server=database, write=True)
    else:
        found = imported(tmp_path, files, database)
    assert found.tool == "db-migrate"
    assert [f.version for f in found.files] == [f"/{one}", f"/{two}"]
    assert is_proven(found, rolled_back=2)
    assert three in notes(found)


def test_js_that_does_more_than_run_a_file_waits_for_a_person(tmp_path: Path) -> None:
    name = "20150101000000-one"
    files = {
        f"{name}.js": LOADER.replace("NAME", name).replace("db.runSql(data)", "db.createTable('x', {})", 1),
        f"sqls/{name}-up.sql": T,
        f"sqls/{name}-down.sql": "DROP TABLE t;",
    }
    assert [f.is_open for f in imported(tmp_path, files).files] == [True]


def test_of_db_migrates_programs_those_that_run_one_text_are_read(tmp_path: Path, database: Database) -> None:
    programs = {
        "01": "exports.up = function (db, cb) {\n  db.runSql(\n `\n CREATE TABLE t (a text);`,\n cb,\n );\n};\n"
        "exports.down = (db, cb) => { db.runSql('DROP TABLE t;', [], cb); };\nexports._meta = { version: 1 };\n",
        "02": r"""exports.up = async function(db) { await db.runSql("INSERT INTO t VALUES ('a\nb\\c')"); }
exports.down = function (db, cb) { cb(); };""",
        "03": "exports.setup = function () {};\nexports.up = function (db) { return db.runSql('SELECT 1'); };\n",
        "04": "exports.up = function (db, cb) { db.runSql(`CREATE TABLE ${name} ()`, cb); };\n",
        "05": "exports.up = (db, cb) => { db.runSql('SELECT 1', () => db.runSql('SELECT 2', cb)); };\n"
        "exports.down = (db, cb) => { db.dropTable('t', cb); };\n",
        "06": "exports.up = function (db) { return db.createTable('u', { id: 'int' }); };\n",
        "07": "module.exports = require('./other');\n",
    }
    found = imported(tmp_path, {f"201501{day}000000-x.js": code for day, code in programs.items()}, database)
    assert (found.tool, [f.is_open for f in found.files]) == ("db-migrate", [False] * 3 + [True] * 4)
    assert found.proof is not None
    assert (found.proof.replayed, found.proof.is_equal) == (3, True)
    assert text_of(tmp_path, "20150102000000_x.sql") == "INSERT INTO t VALUES ('a\nb\\c')\n"
    assert text_of(tmp_path, "20150102000000_x.rollback.sql").startswith("-- nothing-to-undo: ")


# --- pairs of no known tool -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("001_t_up.sql", "001_t_down.sql", "002_u_up.sql", "002_u_down.sql"), ["001_t", "002_u"]),
        (("up/001_t.sql", "down/001_t.sql", "up/002_u.sql", "down/002_u.sql"), ["001_t", "002_u"]),
        (("up/1-t.up.sql", "down/1-t.down.sql", "up/2-u.up.sql", "down/2-u.down.sql"), ["0001_t", "0002_u"]),
        (("01-t.sql", "01-t.down.sql", "02-u.sql", "02-u.undo.sql"), ["0001_t", "0002_u"]),
        (("1-up-make.sql", "1-down-drop.sql", "2-up-u.sql", "2-down-u.sql"), ["0001_make", "0002_u"]),
    ],
)
def test_pairs_of_no_tool_are_read_by_their_names(
    names: tuple[str, ...], ids: list[str], tmp_path: Path, database: Database
) -> None:
    texts = (T, "DROP TABLE t;", "CREATE TABLE u (a integer);", "DROP TABLE u;")
    found = imported(tmp_path, dict(zip(names, texts, strict=True)), database)
    assert (found.tool, [f.id for f in found.files]) == ("pairs", ids)
    assert "takes it back; 2 such pairs" in found.reason
    assert is_proven(found, rolled_back=2)


def test_of_pairs_of_no_tool_a_down_without_an_up_is_left_out(tmp_path: Path) -> None:
    files = {"001_t_up.sql": T, "001_t_down.sql": "DROP TABLE t;", "002_down.sql": "DROP TABLE u;", "003_x.sql": T}
    found = imported(tmp_path, files, tool="pairs")
    assert [f.id for f in found.files] == ["001_t", "003_x"]
    assert "002_down.sql" in notes(found)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("1_x.sql", "1_x_up.sql", "1_x_down.sql"), "1_x_down.sql may take back 1_x.sql and 1_x_up.sql"),
        (("1_x_up.sql", "1_x_down.sql", "1_x_revert.sql"), "1_x_revert.sql may take back 1_x_up.sql, and so may"),
    ],
)
def test_where_two_pairings_are_possible_none_is_taken(names: tuple[str, ...], what: str, tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=what):
        imported(tmp_path, dict.fromkeys(names, T))


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + T.encode().replace(b"\n", b"\r\n"), b"-- only this\n", b"\n \n"])
def test_line_ends_marks_and_blank_files_are_read(text: bytes, tmp_path: Path, database: Database) -> None:
    name = "1_" + "n" * 240
    found = imported(tmp_path, {f"{name}.up.sql": text, f"{name}.down.sql": b"DROP TABLE IF EXISTS t;\r\n"}, database)
    assert is_proven(found, rolled_back=1)
    assert found.exit_code == 0


def test_an_unreadable_file_and_two_tools_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=r"1_x\.up\.sql"):
        imported(tmp_path, {"1_x.up.sql": b"\xff\xfe\x00"})
    (tmp_path / "other").mkdir()
    with pytest.raises(BadMigrationFile, match="holds files of 2 tools"):
        imported(tmp_path / "other", {"1_x.up.sql": T, "2_x.sql": "-- migrate:up\n" + T})
