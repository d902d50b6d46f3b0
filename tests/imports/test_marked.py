"""Tools with both directions in one file: their marks, their own way to cut a file, and what they never run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.found import Adoption
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import Migrations
from wflo_schema.imports.operations import Import
from wflo_schema.imports.recognise import read_source_folder
from wflo_schema.imports.source import Source, Wishes

pytestmark = pytest.mark.spread_over_servers

BODY = "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 'a;';\nEND;\n$$"

# By tool: a folder, the versions in its ledger, and ours.
FOLDERS: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    "dbmate": (
        {
            "20240101000000_t.sql": "-- why\n-- migrate:up\nCREATE TABLE t (id int);\n-- migrate:down\nDROP TABLE t;\n",
            "20240102_i.sql": "-- migrate:up  transaction:false x:y\nCREATE INDEX CONCURRENTLY i ON t (id);\n"
            "--migrate:down transaction:false\nDROP INDEX CONCURRENTLY i;",
            "20240103000000-f.sql": f"--   migrate:up\r\n{BODY};\r\n-- migrate:down\r\n",
            "schema.sql": "CREATE TABLE t (id int);\n",
        },
        ["20240101000000", "20240102", "20240103000000"],
        ["0001_20240101000000_t", "0002_20240102_i", "0003_20240103000000_f"],
    ),
    "goose": (
        {
            "2_f.sql": "-- +goose up\n-- +goose statementbegin\n" + BODY + "\n-- +goose StatementEnd\n"
            "-- +goose StatementBegin\nCREATE VIEW v AS SELECT f() -- no end\n-- +goose STATEMENTEND\n"
            "-- +goose DOWN\nDROP VIEW v;\nDROP FUNCTION f();\n",
            "00001_t.sql": "-- some words\n\n-- +goose Up\n-- of t\nCREATE TABLE t (\n  id int -- of t;\n);\n"
            "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);\n-- +goose Down\n-- nothing\n",
            "20240101000000_i.sql": "--+goose no transaction\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON t (id);\n"
            "DROP INDEX i;\nCREATE INDEX CONCURRENTLY i ON t (id);\n-- +goose Down\nDROP INDEX CONCURRENTLY i;\n",
            "helper.go": "package migrations\n",
            "README.md": "how to\n",
        },
        ["1", "2", "20240101000000"],
        ["00000000000001_t", "00000000000002_f", "20240101000000_i"],
    ),
    "sql-migrate": (
        {
            "10-f.sql": "-- +migrate Up\n-- +migrate StatementBegin\n"
            + BODY.replace("BEGIN\n", "BEGIN\n-- gone\n  -- stays\n")
            + ";\n-- +migrate StatementEnd\n-- +migrate Down\nDROP FUNCTION f();\n",
            "2-i.sql": "-- +migrate Up notransaction\nCREATE INDEX CONCURRENTLY i ON t (id);\n"
            "-- +migrate Down notransaction\nDROP INDEX CONCURRENTLY i;\n",
            "1-t.sql": "CREATE TABLE never (id int);\n-- +migrate Down\nDROP TABLE t;\n-- +migrate Up\n"
            "CREATE TABLE t (id int);\n-- +migrate Up\nINSERT INTO t\nVALUES (1);\n",
            "last.sql": "-- +migrate Up\n-- +migrate Down\n",
        },
        ["1-t.sql", "2-i.sql", "10-f.sql", "last.sql"],
        ["0001_1_t", "0002_2_i", "0003_10_f", "0004_last"],
    ),
    "micrate": (
        {
            "1_t.sql": "-- +micrate Up\nCREATE TABLE t (id int);\nCREATE TABLE never (id int)\n"
            "-- +micrate Down\nDROP TABLE t; -- all of it\n",
            "2_f.sql": "-- +micrate Up\n-- +micrate StatementBegin\n" + BODY + "\n-- +micrate StatementEnd\n"
            "-- +micrate Down\nDROP FUNCTION f();\n",
        },
        ["1", "2"],
        ["0001_t", "0002_f"],
    ),
    "rambler": (
        {
            "1_t.sql": "-- rambler up\nCREATE TABLE t (id int)\n-- rambler up\nCREATE TABLE u (id int)\n"
            "-- rambler down\nDROP TABLE t\n-- rambler down\nDROP TABLE u;\n-- rambler other\nnot SQL\n",
            "2_f.sql": "-- rambler up\n" + BODY + ";\nCREATE TYPE e AS ENUM ('a')\n-- rambler down\n"
            "DROP TYPE e; DROP FUNCTION f()\n",
        },
        ["1_t.sql", "2_f.sql"],
        ["0001_t", "0002_f"],
    ),
    "shmig": (
        {
            "1485643154-t.sql": "-- Migration: t\n-- ====  UP  ====\nBEGIN;\nCREATE TABLE t (id int);\nCOMMIT;\n\n"
            "-- ==== DOWN ====\nBEGIN;\nDROP TABLE t;\nCOMMIT;\n",
            "1485643155-f.sql": "-- ==== DOWN ====\nDROP FUNCTION f();\n-- ====  UP  ====\n"
            + BODY.replace("BEGIN\n", "BEGIN\n-- gone\n  -- stays\n")
            + ";\n",
        },
        ["1485643154", "1485643155"],
        ["1485643154_t", "1485643155_f"],
    ),
    "mybatis": (
        {
            "1_changelog.sql": "-- // Make it\nCREATE TABLE ${changelog} (id numeric(20,0), applied_at varchar(25),\n"
            "description varchar(255));\n-- //@UNDO\nDROP TABLE ${changelog};\n",
            "2_t.sql": "CREATE TABLE t (id int, s text DEFAULT '\\${kept}');\n" + BODY + ";\n"
            "--  // @UNDO of t\nDROP FUNCTION f();\nDROP TABLE t;\n",
            "bootstrap.sql": "-- // nothing\n",
        },
        ["1", "2"],
        ["0001_changelog", "0002_t"],
    ),
    "play": (
        {
            "1.sql": "# --- First\n\n# --- !Ups\nCREATE TABLE t (\n    id int\n);\nINSERT INTO t VALUES (1);\n"
            "# --- !Downs\nDROP TABLE t;\n",
            "02.sql": "-- !Ups because\nCREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$\nBEGIN\n"
            "    RETURN 'a;;';;\nEND;;\n$$;\nALTER TYPE e ADD VALUE 'b';\n"
            "CREATE TABLE u (e e DEFAULT 'b');\n-- !Downs\nDROP TABLE u;\nDROP FUNCTION f();".replace(
                "ALTER TYPE e ADD VALUE 'b'", "CREATE TYPE e AS ENUM ('a'); ALTER TYPE e ADD VALUE 'b'"
            ).replace("DROP FUNCTION f()", "DROP FUNCTION f(); DROP TYPE e"),
            "4.sql": "-- !Ups\nnot run\n",
        },
        ["1", "2"],
        ["0001", "0002"],
    ),
}


@pytest.mark.parametrize("tool", FOLDERS)
def test_a_folder_is_proven_both_ways_with_the_versions_of_its_ledger(
    tmp_path: Path, database: Database, tool: str
) -> None:
    files, versions, ids = FOLDERS[tool]
    found = imported(tmp_path, files, database)
    assert (found.tool, [f.version for f in found.files]) == (tool, versions)
    assert [m.id for m in ours(tmp_path)] == ids
    assert found.proof is not None
    assert (found.proof.is_whole, [s.what for s in found.proof.said if s.is_open]) == (True, [])
    assert found.proof.rolled_back == found.proof.with_rollback == sum(f.has_rollback for f in found.files)
    assert found.exit_code == 0
    assert_nothing_is_dropped(found, files)
    operations.migrate(database, ours(tmp_path))
    adopted = adopt_with_ledger(database, ours(tmp_path), tool, versions)
    assert (adopted.is_applied, adopted.id, adopted.objections) == (True, ids[-1], ())
    assert [(w.versions, w.stands_for, w.unknown) for w in adopted.ledgers] == [(tuple(sorted(versions)), ids[-1], ())]
    assert operations.migrate(database, ours(tmp_path)).ids == ()


GOOSE = "id serial, version_id bigint, is_applied boolean, tstamp timestamp DEFAULT now()"

# By tool: its ledger, None where a migration makes it, and what a row of it is.
LEDGERS: dict[str, tuple[str, str | None, str]] = {
    "dbmate": ("schema_migrations (version)", "version varchar PRIMARY KEY", "%s"),
    "goose": ("goose_db_version (version_id, is_applied)", GOOSE, "%s, TRUE"),
    "sql-migrate": ("gorp_migrations (id, applied_at)", "id text PRIMARY KEY, applied_at timestamptz", "%s, now()"),
    "micrate": ("micrate_db_version (version_id, is_applied)", GOOSE, "%s, TRUE"),
    "rambler": ("migrations (migration)", "migration varchar(255) NOT NULL", "%s"),
    "shmig": ("shmig_version (version)", "version int PRIMARY KEY, migrated_at timestamp DEFAULT now()", "%s"),
    "mybatis": ("changelog (id)", None, "%s"),
    "play": (
        "play_evolutions (id, state)",
        "id int PRIMARY KEY, hash text, applied_at date, apply_script text, revert_script text, state text",
        "%s, 'applied'",
    ),
}


def adopt_with_ledger(database: Database, migrations: Migrations, tool: str, versions: list[str]) -> Adoption:
    """Adopt the database, in which the tool has recorded these versions, and nobody else anything."""
    table, columns, row = LEDGERS[tool]
    with database.connect() as connection:
        connection.execute("DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
        if columns is not None:
            connection.execute(f"CREATE TABLE {table.partition(' ')[0]} ({columns})".encode())
        for version in versions:
            connection.execute(f"INSERT INTO {table} VALUES ({row})".encode(), (version,))
    return adopt_database(database, migrations, apply=True)


def assert_nothing_is_dropped(found: Import, files: Mapping[str, str]) -> None:
    """Each file is a migration, or is named as none."""
    named = {Path(f.path).name for f in found.files} | {Path(text.partition(": ")[0]).name for text in found.left_out}
    assert named == set(files)


# By tool: a file that it does not take, what is said, and at which line.
FAULTY = {
    "dbmate": {
        "CREATE TABLE t ();\n-- migrate:up\n-- migrate:down\n": "1: SQL stands before -- migrate:up",
        "-- migrate:up\nCREATE TABLE t ();\n": "it has no part down",
        "-- migrate:down\n-- migrate:up\n": "1: its part down stands before its part up",
        "-- migrate:up\n-- migrate:down\n-- migrate:down\n": "3: it has a second part down",
        "-- Migrate:Up\n-- migrate:downs\n": "it has no part up",
        "": "it has no part up",
    },
    "goose": {
        "CREATE TABLE t ();\n": "it has no part up",
        "/* t */\n-- +goose Up\n": "1: SQL stands before -- +goose Up",
        "-- +goose Down\n-- +goose Up\n": "1: its part down stands before its part up",
        "-- +goose Up\n-- +goose Down\n-- +goose Up\n": "3: it has a second part up",
        "-- +goose Up\n -- +goose Down\n": "2: -- +goose Down is no mark that it knows",
        "-- +goose Up of t\n": "1: -- +goose Up of t is no mark that it knows",
        "-- +goose StatementBegin\n-- +goose Up\n": "1: statementbegin stands before -- +goose Up",
        "-- +goose Up\nSELECT 1\n-- +goose Down\n": "2: its last statement in the part up has no end: SELECT 1",
        "-- +goose Up\n-- +goose Down\nSELECT 1; SELECT 2;--x\n": "its last statement in the part down has no end",
        "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n": "its last statement in the part up has no end",
    },
    "sql-migrate": {
        "CREATE TABLE t ();\n-- +migrate up\n": "it has no mark",
        "-- +migrate Up\nSELECT 1\n-- +migrate Down\n": "2: its last statement in the part up has no end: SELECT 1",
        "-- +migrate Up\nSELECT 1\n-- +migrate Up\n;\n": "its last statement in the part up has no end: SELECT 1",
        "-- +migrate Up\n-- +migrate StatementBegin\nSELECT 1;\n": "its last statement in the part up has no end",
        "-- +migrate Up\n--not a comment to it\n": "its last statement in the part up has no end",
    },
    "micrate": {"SELECT 1;\n": "it has no mark"},
    "shmig": {"-- ==== DOWN ====\n": "it has no part up"},
    "rambler": {"SELECT 1;\n": "it has no mark"},
    "play": {"SELECT 1;\n": "it has no mark"},
}


@pytest.mark.parametrize(("tool", "text"), [(tool, text) for tool, texts in FAULTY.items() for text in texts])
def test_a_file_that_its_tool_does_not_take_is_named(tmp_path: Path, tool: str, text: str) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        read(tmp_path, {{"play": "1.sql", "shmig": "1-t.sql"}.get(tool, "1_t.sql"): text}, tool)
    assert caught.value.message.startswith(f"{tool} cannot run {tmp_path}/theirs/1")
    assert FAULTY[tool][text] in caught.value.message
    assert caught.value.hint
    assert ("StatementEnd" in caught.value.hint) == ("StatementBegin\nSELECT" in text)


def test_all_faulty_files_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=r"(?s)1_a\.sql.*\n.*2_b\.sql"):
        read(tmp_path, {"1_a.sql": "", "2_b.sql": "", "3_c.sql": "-- +goose Up\n"}, "goose")


@pytest.mark.parametrize("tool", ["goose", "dbmate", "micrate", "mybatis", "play"])
def test_two_files_of_one_version_are_refused(tmp_path: Path, tool: str) -> None:
    text = "-- migrate:up\n-- migrate:down\n-- +goose Up\n-- +micrate Up\n-- !Ups\n".splitlines()
    mark = {"dbmate": "\n".join(text[:2]), "goose": text[2], "micrate": text[3], "mybatis": "", "play": text[4]}[tool]
    names = ("1.sql", "01.sql") if tool == "play" else ("1_a.sql", "01_b.sql")
    with pytest.raises(BadMigrationFile, match=r"two migrations have the version 0?1"):
        read(tmp_path, dict.fromkeys(names, mark), tool)


def read(root: Path, files: Mapping[str, str], tool: str, **values: str) -> Source:
    """The folder as its tool reads it."""
    return read_source_folder(str(lay(root, files)), Wishes(values=values), tool=tool)


# By a line of goose between ENVSUB ON and OFF: what is sent, and what a person is asked.
VALUES = {
    "SELECT '${A}', '$A', '${A}x$A_';": ("SELECT '1', '1', '1x$A_';", ["the value of A_ is not given"]),
    "SELECT '${B:-b c}', '${B-}', '${A:-b}';": ("SELECT 'b c', '', '1';", []),
    "SELECT '$$', '\\$A', '\\\\', '$(ls)', 'a$';": ("SELECT '$', '$A', '\\\\', '$(ls)', 'a$';", ["$'; for a value"]),
    "SELECT ${B};": ("SELECT ${B};", ["the value of B is not given; give it: --set B=VALUE"]),
    "SELECT $1;": ("SELECT $1;", ["goose takes $1; for a value, and cannot read it"]),
    "SELECT '${A:-${B}}';": ("SELECT '${A:-${B}}';", ["cannot read it", "the value of B is not given"]),
}


@pytest.mark.parametrize("number", ["0", "00", "99999999999999999999"])
def test_a_number_that_goose_cannot_read_is_no_migration(tmp_path: Path, number: str) -> None:
    text = "-- +goose Up\nSELECT 1;\n"
    found = imported(tmp_path, {"1_a.sql": text, f"{number}_b.sql": text})
    assert [f.id for f in found.files] == ["0001_a"]
    assert "a number from 1 on that fits a bigint" in found.left_out[0]


@pytest.mark.parametrize("line", VALUES)
def test_values_are_put_in_where_goose_does(tmp_path: Path, line: str) -> None:
    around = "SELECT '${A} $$';"
    text = f"-- +goose Up\n{around}\n-- +goose ENVSUB ON\n{line}\n-- +goose envsub off\n{around}\n"
    step = read(tmp_path, {"1_a.sql": text}, "goose", A="1").steps[0]
    sent, asked = VALUES[line]
    assert step.forward is not None and step.forward.cut is not None
    assert [m.decode() for m in step.forward.cut(b"")] == [around, sent, around]
    assert len(step.notes) == len(asked)
    assert all(
        want in note.text and note.is_open and note.line == 4 for want, note in zip(asked, step.notes, strict=True)
    )


def test_values_of_mybatis_and_play_are_put_in(tmp_path: Path, database: Database) -> None:
    files = {"1_t.sql": "CREATE TABLE ${name} (id int DEFAULT ${n});\nCREATE TABLE u (s text DEFAULT '\\${name}');\n"}
    found = imported(tmp_path / "mybatis", files, database, tool="mybatis", name="t", n="5")
    assert found.exit_code == 0
    assert "CREATE TABLE t (id int DEFAULT 5);" in text_of(tmp_path / "mybatis", "0001_t.sql")
    assert "'${name}'" in text_of(tmp_path / "mybatis", "0001_t.sql")
    files = {
        "1.sql": "-- !Ups\nCREATE TABLE $evolutions{{{name}}} (s text DEFAULT '!$evolutions{{{x}}}');\n-- !Downs\n"
    }
    found = imported(tmp_path / "play", files, database, name="t")
    assert found.exit_code == 0
    assert "CREATE TABLE t (s text DEFAULT '$evolutions{{{x}}}');" in text_of(tmp_path / "play", "0001.sql")


def test_mybatis_cuts_as_its_settings_say(tmp_path: Path, database: Database) -> None:
    settings = "driver=x\nusername = me\npassword=secret\nauto_commit=false\nname: t\n"
    lay(tmp_path, {"../environments/development.properties": settings})
    text = (
        "-- // A comment\n// another\nCREATE TABLE ${name} (id int); INSERT INTO t VALUES (1); never run\n\n"
        "-- @DELIMITER !\nCREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\n-- gone\n\nSELECT 'a;b'\n$$\n!\n"
        "-- //@UNDO\nDROP FUNCTION f();\nDROP TABLE t;\n"
    )
    found = imported(tmp_path, {"1_t.sql": text}, database)
    assert (found.tool, found.exit_code) == ("mybatis", 0)
    assert found.proof is not None and found.proof.rolled_back == 1
    assert "secret" not in text_of(tmp_path, "0001_t.sql")


def test_a_go_migration_waits_for_a_person(tmp_path: Path, database: Database) -> None:
    sql = "-- +goose Up\nCREATE TABLE t{} (id int);\n"
    files = {"1_a.sql": sql.format(1), "00002_b.go": "package m\n", "3_c.sql": sql.format(3), "2_b_test.go": ""}
    found = imported(tmp_path, files, database)
    assert [(f.id, f.version, f.is_open) for f in found.files] == [
        ("00001_a", "1", False),
        ("00002_b", "2", True),
        ("00003_c", "3", False),
    ]
    assert "is a program that goose runs" in text_of(tmp_path, "00002_b.sql")
    assert found.proof is not None and (found.proof.replayed, found.exit_code) == (1, 1)
    assert '"2" = "00002_b"' in text_of(tmp_path, "adopt.toml")


def test_numbers_in_the_words_of_a_name_are_no_part_of_the_version(tmp_path: Path) -> None:
    files = {"20240102_0.42.3.sql": "-- +goose Up\n", "20240103_2_b.sql": "-- +goose Up\n", "3_c.sql": "-- +goose Up\n"}
    found = imported(tmp_path, files)
    assert [(f.id, f.version) for f in found.files] == [
        ("00000003_c", "3"),
        ("20240102_0-42-3", "20240102"),
        ("20240103_2_b", "20240103"),
    ]


def test_what_mybatis_runs_by_hand_comes_first(tmp_path: Path, database: Database) -> None:
    files = {
        "bootstrap.sql": "CREATE TABLE t (id int);\n",
        "20240101_t.sql": "ALTER TABLE t ADD n int;\n-- //@UNDO\nALTER TABLE t DROP n;\n",
        "onabort.sql": "SELECT 1;\n",
    }
    found = imported(tmp_path, files, database)
    assert [(f.id, f.version) for f in found.files] == [("00000000_bootstrap", ""), ("20240101_t", "20240101")]
    assert "mybatis runs it by hand" in found.files[0].notes[0]
    assert found.left_out == (f"{tmp_path}/theirs/onabort.sql: is no migration: its name is not NUMBER_words.sql",)
    assert found.exit_code == 0


def test_dbmate_runs_the_first_pair_of_parts(tmp_path: Path, database: Database) -> None:
    pair = "-- migrate:up\nCREATE TABLE {0} (id int);\n-- migrate:down\nDROP TABLE {0};\n"
    found = imported(tmp_path, {"1_t.sql": pair.format("t") + pair.format("u")}, database)
    assert found.exit_code == 0
    assert "dbmate never gets behind its second part up" in found.files[0].notes[0]
    assert "TABLE u" not in text_of(tmp_path, "0001_t.sql") + text_of(tmp_path, "0001_t.rollback.sql")


@pytest.mark.parametrize(
    ("tool", "up", "about", "down"),
    [
        ("dbmate", "-- migrate:up", "GRANT SELECT\n  ON schema_migrations TO PUBLIC", "-- migrate:down"),
        (
            "dbmate",
            "-- migrate:up",
            "ALTER TABLE ONLY public.schema_migrations OWNER TO CURRENT_USER",
            "-- migrate:down",
        ),
        ("goose", "-- +goose Up", "COMMENT ON TABLE \"goose_db_version\" IS 'its'", "-- +goose Down"),
        ("sql-migrate", "-- +migrate Up", "REVOKE ALL ON TABLE gorp_migrations FROM PUBLIC", "-- +migrate Down"),
    ],
)
def test_what_is_about_the_tools_own_ledger_is_left_out_and_named(
    tmp_path: Path, database: Database, tool: str, up: str, about: str, down: str
) -> None:
    text = f"{up}\nCREATE TABLE t (id int);\n{about};\nINSERT INTO t VALUES (1);\n{down}\nDROP TABLE t;\n"
    found = imported(tmp_path, {"1_t.sql": text}, database)
    assert (found.tool, found.exit_code) == (tool, 0)
    assert f"1_t.sql:3: left out, for it is about the ledger of {tool}: {about[:5]}" in found.files[0].notes[0]
    assert about not in re.sub("--.*", "", text_of(tmp_path, "0001_t.sql"))


@pytest.mark.parametrize(
    "other",
    [
        'ALTER TABLE IF EXISTS "auth".schema_migrations SET (fillfactor = 50)',
        "GRANT SELECT ON schema_migrations, t TO PUBLIC",
        "ALTER TABLE schema_migrations_of_ours ADD n int",
    ],
)
def test_a_table_that_is_not_the_ledger_alone_is_left_in(tmp_path: Path, other: str) -> None:
    text = f"-- migrate:up\n{other};\n-- migrate:down\n"
    found = imported(tmp_path, {"1_t.sql": text})
    assert (found.files[0].notes, other in text_of(tmp_path, "0001_t.sql")) == ((), True)


def test_comments_stay_and_lines_keep_their_order(tmp_path: Path) -> None:
    text = "-- of the file\n-- +goose Up\n-- of t\nCREATE TABLE t (\n  id int -- of id\n);\n\n-- the end\n"
    imported(tmp_path, {"1_t.sql": text})
    written = text_of(tmp_path, "0001_t.sql")
    assert [line for line in written.splitlines() if line] == [
        line for line in text.splitlines() if line and "+goose" not in line
    ]
