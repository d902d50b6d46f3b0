"""What pg_dump writes is a migration: it makes the same database again, with its rows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from tests.conftest import RunningServer
from tests.engine.test_operations import Folder
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import State
from wflo_schema.errors import BadMigrationFile, MigrationFailed
from wflo_schema.files.folder import load_script, read_migrations

pytestmark = pytest.mark.spread_over_servers

ROWS = r'''
CREATE SCHEMA "odd schema; x";
CREATE TABLE "odd schema; x"."Tab'le" (
    "col ""1""" text, "b;c" bytea, n numeric, a int[], j jsonb, d date, "e\f" text, id serial PRIMARY KEY
);
INSERT INTO "odd schema; x"."Tab'le" ("col ""1""", "b;c", n, a, j, d, "e\f") VALUES
    (E'tab\there\nnew line \\ back', '\xdeadbeef', 1.5, '{1,2}', '{"a": "\\"}', '2020-01-01', E'\\.'),
    (NULL, NULL, NULL, NULL, NULL, NULL, E'\\N'),
    ('', '', 'NaN', '{}', '[]', 'infinity', E'; -- ''quote $$ 🐘\r\n\\.\n');
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN /* ; */ RETURN NEW; END $_$;
CREATE TRIGGER tr BEFORE INSERT ON "odd schema; x"."Tab'le" FOR EACH ROW EXECUTE FUNCTION f();
CREATE FUNCTION g(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC
    SELECT 1; SELECT CASE WHEN x > 1 THEN 2 ELSE 3 END;
END;
CREATE VIEW v AS SELECT * FROM "odd schema; x"."Tab'le" WHERE "e\f" <> ';';
CREATE TABLE empty ();
CREATE TABLE p (id int, t text) PARTITION BY LIST (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
INSERT INTO p VALUES (1, E'\\'), (1, E'a\tb\\N'), (1, E'\\restrict x'), (1, 'COMMIT;');
CREATE RULE r AS ON INSERT TO p1 DO ALSO (SELECT 1; SELECT 2);
COMMENT ON TABLE p IS 'it''s; a comment \ with BEGIN;';
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a;
CREATE INDEX ON p (t);
'''


@pytest.fixture
def source(server: RunningServer) -> Iterator[Database]:
    database = server.database.with_name(f"source_{os.getpid()}")
    with server.database.connect() as connection:
        connection.execute(f"CREATE DATABASE {database.name}".encode())
    try:
        with database.connect() as connection:
            connection.execute(ROWS.encode())
        yield database
    finally:
        with server.database.connect() as connection:
            connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)".encode())


def dump(server: RunningServer, database: Database, *options: str) -> str:
    program = server.bin / "pg_dump"
    if not program.exists():
        pytest.skip("there is no pg_dump of this version")
    command = [str(program), *options, "-d", database.url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def without_key(text: str) -> list[str]:
    """The lines, but for those that differ from dump to dump."""
    return [line for line in text.split("\n") if not line.startswith(("\\restrict", "\\unrestrict"))]


@pytest.fixture
def folder(tmp_path: Path, database: Database) -> Folder:
    path = tmp_path / "migrations"
    path.mkdir()
    return Folder(path, database)


@pytest.mark.parametrize("options", ["", "--schema-only", "--inserts", "--column-inserts", "--no-owner --no-acl"])
@pytest.mark.parametrize("is_transactional", [True, False])
def test_a_dump_is_a_first_migration(
    folder: Folder, source: Database, server: RunningServer, options: str, *, is_transactional: bool
) -> None:
    said = dump(server, source, *options.split())
    folder.write("0001_dump", said if is_transactional else f"-- transactional: false\n{said}")
    folder.write("0002_next", "CREATE TABLE public.next (id int);", rollback="DROP TABLE public.next;")
    assert folder.migrate().ids == ("0001_dump", "0002_next")
    assert folder.states() == {"0001_dump": State.APPLIED, "0002_next": State.APPLIED}
    folder.roll_back()
    ours = dump(server, folder.database, *options.split(), "--exclude-table=*yoyo_*", "--exclude-table=_wflo_schema_*")
    assert without_key(ours) == without_key(said)


def test_a_dump_is_replayed_like_any_migration(
    folder: Folder, source: Database, server: RunningServer, tmp_path: Path
) -> None:
    folder.write("0001_dump", dump(server, source))
    folder.migrate()
    for words in (("check", "--only", "drift"), ("check", "--only", "ledger"), ("status",), ("plan",)):
        ran = run(*words, cwd=tmp_path, env={"DATABASE_URL": folder.database.url})
        assert ran.code == 0, ran


def test_rows_of_every_format_are_copied(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a (id int, t text);\nCOPY a FROM stdin;\n1\ta\\tb\n\\N\t\\\\.\n\\.\n")
    folder.write("2_b", 'COPY a FROM STDIN WITH (FORMAT csv, HEADER);\nid,t\n3,"x\ny; ""\n"\n4,é\n\\.\n\nSELECT 1;')
    copy = "copy a (id) /* ; */ from stdin; -- none\n\\.\nCOPY a FROM stdin;\n5\t\n\\."
    folder.write("3_c", f"-- transactional: false\n{copy}")
    folder.write("4_d", "COPY a FROM '/dev/null';\nINSERT INTO a VALUES (6, 'six');")
    assert folder.migrate().ids == ("1_a", "2_b", "3_c", "4_d")
    with folder.database.connect() as connection:
        rows = connection.execute("SELECT id, t FROM a ORDER BY id").fetchall()
    assert rows == [(1, "a\tb"), (3, 'x\ny; "\n'), (4, "é"), (5, ""), (6, "six"), (None, "\\.")]


def test_rows_that_say_what_another_tool_writes_are_rows(folder: Folder) -> None:
    rows = ["-- migrate:down", "-- +goose Down", "-- Down", "---- create above / drop below ----", "it's", "/*"]
    folder.write("1_a", "CREATE TABLE a (t text);\n\nCOPY a FROM stdin;\n" + "\n".join(rows) + "\n\\.\n\nSELECT 1;\n")
    folder.migrate()
    with folder.database.connect() as connection:
        assert connection.execute("SELECT array_agg(t) FROM a").fetchall() == [(rows,)]


@pytest.mark.parametrize("head", ["", "-- transactional: false\n"])
def test_a_row_that_does_not_fit_is_shown_and_nothing_of_its_copy_is_kept(folder: Folder, head: str) -> None:
    folder.write("1_a", "CREATE TABLE a (id int, t text);")
    folder.write("2_b", f"{head}INSERT INTO a VALUES (0);\nCOPY a FROM stdin;\n1\tx\nzz\ty\n\\.\n\nSELECT 1;\n")
    error = folder.fail()
    assert error.location is not None and error.location.line == 4 + head.count("\n")
    assert error.source_line == "zz\ty"
    assert folder.ask("SELECT count(*) FROM a") == (1 if head else 0)
    assert folder.recorded() == ["1_a"]
    folder.write("2_b", f"{head}INSERT INTO a VALUES (0);\nCOPY a FROM stdin;\n1\tx\n2\ty\n\\.\n\nSELECT 1;\n")
    assert folder.migrate().ids == ("2_b",)
    assert folder.ask("SELECT count(*) FROM a") == 3


def test_data_without_an_end_and_a_stray_end_are_refused(folder: Folder) -> None:
    for text, line, said in (
        ("SELECT 1;\nCOPY a FROM stdin;\n1\n", 2, "has no end"),
        ("COPY a FROM stdin", 1, "has no end"),
        ("COPY a FROM stdin; SELECT 1;\n1\n\\.\n", 1, "this line goes on"),
        ("SELECT 1;\n1\n\\.\n", 3, r"there is none"),
        ("COPY a TO STDOUT;", 1, "nowhere to go"),
        ("COPY (SELECT 1 AS stdin) TO STDOUT;", 1, "nowhere to go"),
    ):
        folder.write("1_a", text)
        with pytest.raises(BadMigrationFile, match=said) as caught:
            load_script(read_migrations(folder.path).items[0])
        assert caught.value.location is not None and caught.value.location.line == line


def test_data_that_changed_since_an_interruption_is_noticed(folder: Folder) -> None:
    text = "-- transactional: false\nCREATE TABLE a (id int);\nCOPY a FROM stdin;\n1\n\\.\nSELECT 1 / 0;\n"
    folder.write("1_a", text)
    folder.fail()
    folder.write("1_a", text.replace("\n1\n", "\n2\n").replace("1 / 0", "1"))
    assert "these were edited since" in folder.refuse().message


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER SCHEMA public OWNER TO nobody_at_all;", "--no-owner"),
        ("GRANT ALL ON SCHEMA public TO nobody_at_all;", "--no-privileges"),
        ("CREATE SCHEMA public;", "IF NOT EXISTS"),
        ("SET timeout_of_the_future = 0;", "newer pg_dump"),
        ("CREATE TABLE _yoyo_log (id int);", "--exclude-table"),
    ],
)
def test_what_a_dump_of_another_place_fails_with_says_how_to_write_it(
    folder: Folder, statement: str, said: str
) -> None:
    folder.write("1_a", f"SELECT 1;\n{statement}\n")
    error = folder.fail()
    assert error.location is not None and error.location.line == 2
    assert said in error.hint


WRAPPED = (
    "BEGIN;\n{}\nCOMMIT;\n",
    "-- why\n\nbegin transaction;\n{}\nend;\n-- done\n",
    "START TRANSACTION; {} COMMIT WORK;",
    "/* x */ BEGIN /* y */ WORK -- z\n;\n{}\nCOMMIT AND NO CHAIN",
    "\\set ON_ERROR_STOP on\nSET row_security = off;\nBEGIN;\n{}\nEND TRANSACTION;\nRESET row_security;\n",
    "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE;\n{}\nCOMMIT;\n",
)


@pytest.mark.parametrize("text", WRAPPED)
def test_begin_and_commit_around_a_whole_file_are_left_out(folder: Folder, text: str) -> None:
    folder.write(
        "1_a",
        text.format("CREATE TABLE a (id int); SAVEPOINT s; INSERT INTO a VALUES (1); ROLLBACK TO s;"),
        rollback=text.format("DROP TABLE a;"),
    )
    planned = operations.plan(folder.database, read_migrations(folder.path))
    assert planned.wrapped == ("1_a",)
    assert folder.migrate().ids == ("1_a",)
    assert folder.ask("SELECT count(*) FROM a") == 0
    folder.roll_back()
    assert not folder.has("a") and folder.recorded() == []


def test_a_wrapped_file_that_fails_leaves_nothing_and_names_its_own_line(folder: Folder) -> None:
    folder.write("1_a", "BEGIN;\nCREATE TABLE a (id int);\n\n  SELECT 1/0;\nCOMMIT;\n")
    error = folder.fail()
    assert isinstance(error, MigrationFailed) and error.location is not None
    assert (error.location.line, error.location.column) == (4, 3)
    assert not folder.has("a") and folder.recorded() == []


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("BEGIN;\nCREATE TABLE a ();\nCOMMIT;\nBEGIN;\nCREATE TABLE b ();\nCOMMIT;\n", 4, "second transaction"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE a ();\nCOMMIT;\n", 1, "a transaction of another kind"),
        ("BEGIN READ ONLY;\nSELECT 1;\nCOMMIT;\n", 1, "a transaction of another kind"),
        ("BEGIN;\nCREATE TABLE a ();\nROLLBACK;\n", 1, "begins or ends a transaction"),
        ("BEGIN;\nCREATE TABLE a ();\n", 1, "nothing ends"),
        ("CREATE TABLE a ();\nCOMMIT;\n", 2, "begins or ends a transaction"),
        ("CREATE TABLE b ();\nBEGIN;\nCREATE TABLE a ();\nCOMMIT;\n", 1, "outside of BEGIN"),
        ("BEGIN;\nCREATE TABLE a ();\nCOMMIT;\nSELECT 1;\n", 4, "outside of BEGIN"),
        ("BEGIN;\nCREATE TABLE a ();\nCOMMIT AND CHAIN;\n", 1, "begins or ends a transaction"),
        ("-- transactional: false\nBEGIN;\nCREATE TABLE a ();\nCOMMIT;\n", 1, "says -- transactional: false"),
    ],
)
def test_any_other_transaction_in_a_file_is_refused_with_its_line(
    folder: Folder, text: str, line: int, said: str
) -> None:
    folder.write("1_a", text)
    with pytest.raises(BadMigrationFile, match=said) as caught:
        folder.migrate()
    assert caught.value.location is not None and caught.value.location.line == line
    assert not folder.has("_yoyo_migration")


def test_a_dump_in_another_encoding_is_refused_before_its_rows_are_garbled(folder: Folder) -> None:
    for statement in (
        "SET client_encoding = 'LATIN1'",
        "SET NAMES latin1",
        "SELECT set_config('client_encoding', 'LATIN1', false)",
    ):
        folder.write("1_a", f"{statement};\nCREATE TABLE a AS SELECT 'é' AS t;")
        with pytest.raises(BadMigrationFile, match="would be read as LATIN1"):
            folder.migrate()
    folder.write("1_a", "SET client_encoding = 'UTF8';\nCREATE TABLE a AS SELECT 'é' AS t;")
    folder.migrate()
    assert folder.ask("SELECT t FROM a") == "é"
