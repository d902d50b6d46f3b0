"""Liquibase's changelogs: read in the order that they name, proven as it sends them, and adopted by its ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.changelog import ChangeSet, Include, Property, read_changelog
from wflo_schema.imports.liquibase import _cut
from wflo_schema.imports.operations import import_folder

pytestmark = pytest.mark.spread_over_servers

MASTER = """databaseChangeLog:
- property: {name: unused, value: x}
  # by hand
- include:
    file: db/sql/users.sql
- include: # beside it
    file: sql/more.sql
    relativeToChangelogFile: true
"""

USERS = """-- liquibase formatted sql

--property name:word value:said dbms:postgresql
--property name:word value:other
--changeset ann:1 labels:a
--comment: the users
CREATE TABLE users (id int PRIMARY KEY, name text); -- ; and so on
INSERT INTO users VALUES (1, '${word}; ${WORD}');
--rollback DROP TABLE users;

--changeset "bo smith":f splitStatements:false rollbackSplitStatements:false
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
DECLARE a int; -- a number
BEGIN
  /* one */ RETURN 1;
END $$;
--rollback DROP FUNCTION f();

--changeset ann:2 runInTransaction:false
CREATE INDEX CONCURRENTLY users_name ON users (name);
CREATE INDEX users_both ON users (id, name)
/* liquibase rollback
DROP INDEX users_name;
DROP INDEX users_both; */
"""

MORE = """

--liquibase formatted sql
--changeset ann:1 endDelimiter:// context:test
CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END $$
//
CREATE VIEW v AS SELECT g()
//
--rollback empty
--changeset ann:3 dbms:mysql
CREATE TABLE t (id int auto_increment);
--changeset ann:4 runOnChange:true
--preconditions onFail:MARK_RAN
--precondition-sql-check expectedResult:0 SELECT 0
--ignoreLines:1
no SQL at all
UPDATE users SET name = 'x'
GO
UPDATE users SET name = 'y'
--rollback not required
--changeset ann:5
CREATE TABLE t5 ();
--rollback DROP TABLE t5;
--changeset ann:6
DROP TABLE t5;
--rollback changesetId:5 changesetAuthor:ann
"""

IDS = ["0001_users_1", "0002_users_f", "0003_users_2", "0004_more_1", "0005_more_4", "0006_more_5", "0007_more_6"]

# As Liquibase makes it.
LEDGER = """CREATE TABLE databasechangelog (
    id varchar(255) NOT NULL, author varchar(255) NOT NULL, filename varchar(255) NOT NULL,
    dateexecuted timestamp NOT NULL, orderexecuted integer NOT NULL, exectype varchar(10) NOT NULL, md5sum varchar(35),
    description varchar(255), comments varchar(255), tag varchar(255), liquibase varchar(20), contexts varchar(255),
    labels varchar(255), deployment_id varchar(10));
CREATE TABLE databasechangeloglock (
    id integer NOT NULL PRIMARY KEY, locked boolean NOT NULL, lockgranted timestamp, lockedby varchar(255));
INSERT INTO databasechangeloglock VALUES (1, false);
"""


def ledger(*applied: tuple[str, str]) -> str:
    """Liquibase's ledger, holding these files and ids."""
    rows = [f"('{i}', 'ann', '{path}', now(), {n}, 'EXECUTED')" for n, (path, i) in enumerate(applied, 1)]
    return f"{LEDGER}INSERT INTO databasechangelog VALUES {', '.join(rows)};\n"


def test_liquibase_is_proven_in_the_order_of_its_changelog(tmp_path: Path, database: Database) -> None:
    files = {
        "db/master.yaml": MASTER,
        "db/sql/users.sql": USERS,
        "db/sql/more.sql": MORE,
    }
    found = imported(tmp_path, {**files, "readme.txt": "x"}, database)
    assert [m.id for m in ours(tmp_path)] == IDS
    assert found.proof is not None and found.proof.is_whole, found.proof
    assert found.proof.rolled_back == 7 and found.exit_code == 0, found.proof
    assert "'said; said'" in text_of(tmp_path, f"{IDS[0]}.sql")
    assert text_of(tmp_path, f"{IDS[2]}.sql").startswith("-- transactional: false\n")
    body = text_of(tmp_path, f"{IDS[1]}.sql")
    assert "a number" not in body and "one" not in body  # as Liquibase has sent it
    assert "//" not in text_of(tmp_path, f"{IDS[3]}.sql")
    assert text_of(tmp_path, f"{IDS[3]}.rollback.sql").startswith("-- nothing-to-undo")
    assert '"db/sql/more.sql::1::ann" = "0004_more_1"' in text_of(tmp_path, "adopt.toml")
    notes = " ".join((*found.left_out, *(note for f in found.files for note in f.notes)))
    for said in ("ann:3 is for mysql", "readme.txt", "context test", "expectedResult:0", "whenever its text changed"):
        assert said in notes


def test_ids_that_files_share_are_told_apart_by_liquibases_ledger(tmp_path: Path, database: Database) -> None:
    one = "--liquibase formatted sql\n--changeset ann:1\nCREATE TABLE a (id int);\n--changeset ann:2\nSELECT 1;\n"
    two = "--liquibase formatted sql\n--changeset ann:1\nINSERT INTO a VALUES (1);\n--changeset ann:2\nSELECT 2;\n"
    imported(tmp_path, {"a/one.sql": one, "b/two.sql": two})
    with database.connect() as connection:
        connection.execute("CREATE TABLE a (id int); INSERT INTO a VALUES (1)")
        applied = [("classpath:db/a/one.sql", "1"), ("db/a/one.sql", "2"), ("db/b/two.sql", "1")]
        connection.execute(ledger(*applied))
    found = adopt_database(database, ours(tmp_path), apply=True)
    assert (found.verdict, found.id, found.is_applied) == (Verdict.EQUAL, "0003_two_1", True)
    assert not found.ledgers[0].unknown
    operations.migrate(database, ours(tmp_path))
    assert not operations.status(database, ours(tmp_path)).pending


def test_an_id_that_somebody_wrote_down_still_stands_for_a_changeset(tmp_path: Path, database: Database) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "0001_a.sql").write_text("CREATE TABLE a ();\n")
    (folder / "0002_b.sql").write_text("SELECT 1;\n")
    (folder / "adopt.toml").write_text('[liquibase]\n"first" = "0001_a"\n"then" = "0002_b"\n')
    with database.connect() as connection:
        connection.execute("CREATE TABLE a ()")
        connection.execute(ledger(("x.xml", "first"), ("x.xml", "then")))
    from wflo_schema.files.folder import read_migrations

    found = adopt_database(database, read_migrations(folder))
    assert (found.verdict, found.id, found.ledgers[0].unknown) == (Verdict.EQUAL, "0002_b", ())


def test_sql_in_xml_is_translated_and_all_else_waits_for_a_person(tmp_path: Path, database: Database) -> None:
    master = """<?xml version="1.0"?>
    <databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog">
      <property name="schema" value="public"/>
      <changeSet id="1" author="ann"><sql>CREATE TABLE ${schema}.a (id int); SELECT 1</sql>
        <sqlFile path="one.txt" relativeToChangelogFile="true" splitStatements="false"/>
        <rollback>DROP TABLE b; DROP TABLE a</rollback></changeSet>
      <includeAll path="all" relativeToChangelogFile="true"/>
      <changeSet id="2" author="ann" dbms="oracle"><sql>no</sql></changeSet>
      <changeSet id="3" author="ann"><createTable tableName="c"/></changeSet>
    </databaseChangeLog>"""
    files = {
        "changelog.xml": master,
        "one.txt": "CREATE TABLE b (id int)",
        "all/b.sql": "INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);",
        "all/a.sql": "--liquibase formatted sql\n--changeset ann:x\nSELECT 5;\n--rollback SELECT 6;\n",
    }
    found = imported(tmp_path, files, database)
    assert [(f.id, f.is_open) for f in found.files] == [
        ("0001_changelog_1", False),
        ("0002_a_x", False),
        ("0003_b_raw", False),
        ("0004_changelog_3", True),
    ]
    assert found.proof is not None and found.proof.is_equal and found.proof.replayed == 3, found.proof
    assert "createTable" in text_of(tmp_path, "0004_changelog_3.sql")
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"changelog.xml": "<databaseChangeLog>"}, "cannot read"),
        ({"changelog.yaml": "databaseChangeLog:\n- include:\n    file: gone.sql\n"}, "gone.sql, which is not there"),
        (
            {"a-changelog.yaml": "databaseChangeLog: []", "b-changelog.yaml": "databaseChangeLog: []"},
            "included by no",
        ),
        ({"a.sql": "--liquibase formatted sql\n--changeset 1\nSELECT 1;\n"}, "a.sql:2: this names no author and id"),
        (
            {"a.sql": "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n--changeset a:1\nSELECT 2;\n"},
            "one more changeset a:1",
        ),
        (
            {"a.sql": "--liquibase formatted sql\n--changeset a:1\n;\n--rollback changesetId:9 changesetAuthor:x\n"},
            "a changeset that is not before it",
        ),
        ({"a.sql": "--liquibase formatted sql\n"}, "no migration of liquibase"),
        ({"a.sql": "--liquibase formatted sql\n--changeset a:1\n--ignoreLines:some\n"}, "no ignoreLines:some"),
    ],
)
def test_what_liquibase_refuses_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(BadMigrationFile, match=message):
        imported(tmp_path, files, tool="liquibase")


def test_contexts_that_are_not_asked_for_are_left_out(tmp_path: Path) -> None:
    contexts = {"1": "prod", "2": "test", "3": "!test", "4": '"prod and !test"', "5": "test,prod", "6": '"not prod"'}
    sets = "".join(f"--changeset a:{i} context:{c}\nSELECT {i};\n" for i, c in contexts.items())
    found = imported(tmp_path, {"a.sql": f"--liquibase formatted sql\n{sets}"}, contexts="prod")
    assert [f.version.split("::")[1] for f in found.files] == ["1", "3", "4", "5"]
    assert not any("has the context" in note for one in found.files for note in one.notes)


def test_a_value_that_is_not_given_waits_for_a_person(tmp_path: Path) -> None:
    (tmp_path / "liquibase.properties").write_text("changeLogFile: a.sql\nparameter.known=k\n")
    sql = "--liquibase formatted sql\n--changeset a:1\nSELECT '${known}', '${b}', '${unknown}';\n"
    found = imported(tmp_path, {"a.sql": sql, "z.sql": "SELECT 1;\n"}, b="c")
    assert [f.is_open for f in found.files] == [True]
    assert "--set unknown=VALUE" in found.files[0].notes[0] and "'k', 'c'" in text_of(tmp_path, "0001_a_1.sql")


def test_settings_of_an_application_name_the_changelog_and_values(tmp_path: Path) -> None:
    (tmp_path / "application.properties").write_text(
        "spring.liquibase.change-log=classpath:/b.xml\nspring.liquibase.parameters.known=k\n"
    )
    changes = '<databaseChangeLog><changeSet id="{}" author="a"><sql>SELECT 1</sql></changeSet></databaseChangeLog>'
    found = imported(tmp_path, {"a.xml": changes.format(1), "b.xml": changes.format("${known}")})
    assert [f.id for f in found.files] == ["0001_b_k"] and found.reason == "a.xml, a databaseChangeLog"


def test_what_is_new_in_a_changelog_is_added_behind_all(tmp_path: Path) -> None:
    one = "--liquibase formatted sql\n--changeset ann:1\nSELECT 1;\n"
    imported(tmp_path, {"a.sql": one, "b.sql": one})
    folder = lay(tmp_path, {"a.sql": f"{one}--changeset ann:2\nSELECT 2;\n"})
    import_folder(str(folder), tmp_path / "ours", follow=True, write=True)
    assert [m.id for m in ours(tmp_path)] == ["0001_a_1", "0002_b_1", "0003_a_2"]


def test_statements_are_cut_as_liquibase_cuts_them() -> None:
    cut = {
        b"SELECT 'a;b'; -- ;\nSELECT /* ; */ 2;": [b"SELECT 'a;b'", b"SELECT  2"],
        b"SELECT 1\nGO\nSELECT 2\n/\nSELECT 3": [b"SELECT 1", b"SELECT 2", b"SELECT 3"],
        b"BEGIN a; b; END; c; BEGIN TRANSACTION; d": [b"BEGIN a; b; END", b"c", b"BEGIN TRANSACTION", b"d"],
        b"DECLARE a; $$ b; $$": [b"DECLARE a", b"$$ b", b"$$"],
    }
    assert {text: _cut(text, strips=True) for text in cut} == cut
    assert _cut(b"a; b //\nc //", strips=False, delimiter="//") == [b"a; b", b"c"]
    assert _cut(b"a; b\n/\nc/d", strips=False, delimiter="\\n/") == [b"a; b", b"c/d"]


def test_a_changelog_says_the_same_in_each_of_its_formats() -> None:
    yaml = """databaseChangeLog:
  - property:
      name: "a"
      value: 'it''s' # so
  - include: {file: x}
  - includeAll:
      path: all
      relativeToChangelogFile: true
  - changeSet:
      id: 1
      author: ann
      runInTransaction: false
      changes:
      - sql:
          splitStatements: false
          sql: |
            SELECT 1;

            SELECT 2;
      - createTable:
          tableName: t
          columns:
            - column:
                name: id
      rollback: DROP TABLE t
""".replace("  - include: {file: x}\n", "  - include:\n      file: x\n")
    json = """{"databaseChangeLog": [
        {"property": {"name": "a", "value": "it's"}}, {"include": {"file": "x"}},
        {"includeAll": {"path": "all", "relativeToChangelogFile": true}},
        {"changeSet": {"id": "1", "author": "ann", "runInTransaction": false, "changes": [
            {"sql": {"splitStatements": false, "sql": "SELECT 1;\\n\\nSELECT 2;"}},
            {"createTable": {"tableName": "t", "columns": [{"column": {"name": "id"}}]}}],
            "rollback": "DROP TABLE t"}}]}"""
    xml = """<databaseChangeLog><property name="a" value="it's"/><include file="x"/>
        <includeAll path="all" relativeToChangelogFile="true"/>
        <changeSet id="1" author="ann" runInTransaction="false">
        <sql splitStatements="false">SELECT 1;\n\nSELECT 2;</sql>
        <createTable tableName="t"><column name="id"/></createTable><rollback>DROP TABLE t</rollback></changeSet>
        </databaseChangeLog>"""
    for name, text in (("a.yaml", yaml), ("a.json", json), ("a.xml", xml)):
        value, include, every, changes = read_changelog(name, text.encode())
        assert isinstance(value, Property) and (value.name, value.value) == ("a", "it's"), name
        assert isinstance(include, Include) and include.said["file"] == "x"
        assert isinstance(every, Include) and every.is_all and every.said["relativetochangelogfile"] == "true"
        assert isinstance(changes, ChangeSet) and changes.said["runintransaction"] == "false"
        assert [c.kind for c in changes.changes] == ["sql", "createTable"]
        assert changes.changes[0].said == {"splitstatements": "false", "sql": "SELECT 1;\n\nSELECT 2;"}
        assert changes.undo is not None and changes.undo[0].said["sql"] == "DROP TABLE t"


RUN_ON_CHANGE = """--liquibase formatted sql
--changeset ann:early runOnChange:true
CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
--rollback DROP FUNCTION f();
--changeset ann:t
CREATE TABLE t (id int);
--rollback DROP TABLE t;
--changeset ann:v runOnChange:true
CREATE OR REPLACE VIEW v AS SELECT id FROM t;
--rollback DROP VIEW v;
--changeset ann:w runOnChange:true
CREATE OR REPLACE VIEW w AS SELECT id FROM v;
"""


def test_what_runs_on_change_behind_all_else_is_repeatable(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, {"b.sql": RUN_ON_CHANGE}, database)
    assert [f.id for f in found.files] == ["0001_b_early", "0002_b_t", "repeatable/b_v", "repeatable/b_w"]
    assert found.exit_code == 0, found.proof
    notes = [note for f in found.files for note in f.notes]
    assert len(notes) == 2 and "here it runs once" in notes[0] and "its rollback is left out" in notes[1]
    operations.migrate(database, ours(tmp_path))
    edited = RUN_ON_CHANGE.replace("VIEW w AS SELECT id FROM v", "VIEW w AS SELECT id, more FROM t")
    edited += "--changeset ann:more\nALTER TABLE t ADD COLUMN more int;\n"
    lay(tmp_path, {"b.sql": edited})
    again = import_folder(str(tmp_path / "theirs"), tmp_path / "ours", follow=True, write=True)
    assert [f.id for f in again.files if f.is_new] == ["0003_b_more", "repeatable/b_w"]
    operations.migrate(database, ours(tmp_path))
    with database.connect() as connection:
        assert connection.execute("SELECT count(more) FROM w").fetchone() == (0,)


def test_repeatables_of_one_name_are_told_apart(tmp_path: Path) -> None:
    view = (
        "--liquibase formatted sql\n--changeset ann:v runOnChange:true\nCREATE OR REPLACE VIEW {} AS SELECT 1 AS a;\n"
    )
    found = imported(tmp_path, {"1/x.sql": view.format("a"), "2/x.sql": view.format("b")})
    assert [f.id for f in found.files] == ["repeatable/x_v", "repeatable/x_v_2"]
