"""Flyway's folders: read in its order, proven as it sends them, and adopted by its ledger."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.imports.flyway import _cut, _messages
from wflo_schema.imports.operations import Import, import_folder

pytestmark = pytest.mark.spread_over_servers

HISTORY = {
    "V1__users.sql": "CREATE TABLE users (id int PRIMARY KEY, name text);\nCOPY users FROM STDIN;\n1\tann; bo\n\\.\n",
    "U1__users.sql": "DROP TABLE users;\n",
    "more/V1_2__index.sql": "CREATE INDEX CONCURRENTLY users_name ON users (name);\n",
    "more/U1_2__index.sql": "DROP INDEX users_name;\n",
    "V1.10__key.sql": "\ufeffALTER TABLE users ADD CHECK (id > 0);\r\nVACUUM users;\r\n",
    "U1.10__key.sql": "-- nothing\n",
    "V2__nothing.sql": "",
    "R__b view.sql": "CREATE OR REPLACE VIEW b AS SELECT * FROM a;\n",
    "R__a_view.sql": "CREATE OR REPLACE VIEW a AS SELECT id, '${word}' AS w FROM ${flyway:defaultSchema}.users;\n",
    "afterMigrate__grants.sql": "GRANT SELECT ON users TO PUBLIC;\n",
    "beforeMigrate.sql": "CREATE SCHEMA IF NOT EXISTS before_all;\n",
    "afterClean.sql": "SELECT 1;\n",
    "notes.md": "how we do it\n",
}

IDS = ["0001.00_users", "0001.02_index", "0001.10_key", "0002.00_nothing"]
BESIDE = ["repeatable/a_view", "repeatable/b-view", "hooks/after-all", "hooks/before-all"]

# As Flyway makes it (PostgreSQLDatabase.getRawCreateScript).
LEDGER = """CREATE TABLE flyway_schema_history (
    installed_rank INT NOT NULL, version VARCHAR(50), description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL,
    script VARCHAR(1000) NOT NULL, checksum INTEGER, installed_by VARCHAR(100) NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT now(), execution_time INTEGER NOT NULL, success BOOLEAN NOT NULL);
ALTER TABLE flyway_schema_history ADD CONSTRAINT flyway_schema_history_pk PRIMARY KEY (installed_rank);
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);
"""


def ledger(*applied: tuple[str | None, str]) -> str:
    """Flyway's ledger, holding these versions and scripts."""
    rows = [
        f"({n}, nullif('{version or ''}', ''), 'x', 'SQL', '{script}', 0, 'me', now(), 1, true)"
        for n, (version, script) in enumerate(applied, 1)
    ]
    return f"{LEDGER}INSERT INTO flyway_schema_history VALUES {', '.join(rows)};\n"


def test_flyway_is_proven_in_its_order_and_as_it_sends_each_file(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, HISTORY, database, word="said")
    assert [m.id for m in ours(tmp_path)] == IDS
    assert {m.id for m in ours(tmp_path).beside} == {*BESIDE}
    assert found.proof is not None and found.proof.is_whole, found.proof
    assert found.proof.replayed == 7 and found.proof.with_rollback == 3
    assert found.exit_code == 0
    assert text_of(tmp_path, "0001.02_index.sql").startswith("-- transactional: false\n")
    assert "mixed=true" in text_of(tmp_path, "0001.10_key.sql")
    assert "'said' AS w FROM public.users" in text_of(tmp_path, "repeatable/a_view.sql")
    assert [note.partition(": ")[0].rpartition("/")[2] for note in found.left_out] == ["afterClean.sql", "notes.md"]


def test_a_database_of_flyways_is_adopted_where_its_ledger_says(tmp_path: Path, database: Database) -> None:
    files = {
        "V1__users.sql": "CREATE TABLE users (id bigint PRIMARY KEY);\n",
        "V01_02__rows.sql": "INSERT INTO users VALUES (1);\n",
        "V1.3__more_rows.sql": "INSERT INTO users VALUES (2);\n",
        "sub/R__view.sql": "CREATE VIEW v AS SELECT * FROM users;\n",
    }
    imported(tmp_path, files)
    with database.connect() as connection:
        connection.execute("CREATE TABLE users (id bigint PRIMARY KEY); INSERT INTO users VALUES (1)")
        connection.execute(ledger(("1", "V1__users.sql"), ("01.02", "V01_02__rows.sql")))
    found = adopt_database(database, ours(tmp_path), apply=True)
    assert (found.verdict, found.id, found.is_applied) == (Verdict.EQUAL, "0001.02_rows", True)
    assert not found.ledgers[0].unknown
    operations.migrate(database, ours(tmp_path))
    assert not operations.status(database, ours(tmp_path)).pending


VIEW = "CREATE OR REPLACE VIEW v AS SELECT id FROM t;\nGRANT SELECT ON v TO PUBLIC;\n"


def test_a_repeatable_that_flyway_applied_is_recorded_as_applied(tmp_path: Path, database: Database) -> None:
    rows = "DELETE FROM t;\nINSERT INTO t VALUES (1);\n"
    imported(tmp_path, {"V1__t.sql": "CREATE TABLE t (id int);\n", "sub/R__v.sql": VIEW, "R__rows.sql": rows})
    with database.connect() as connection:
        connection.execute(f"CREATE TABLE t (id int); {VIEW}".encode())
        connection.execute(ledger(("1", "V1__t.sql"), (None, "db/sub/R__v.sql"), (None, "R__rows.sql")))
    found = adopt_database(database, ours(tmp_path), apply=True)
    assert found.verdict is Verdict.EQUAL and not found.ledgers[0].unknown
    assert found.ledgers[0].stands_for == found.id == "0001_t"
    assert (found.repeatables, found.is_applied) == (("repeatable/v",), True)
    status = operations.status(database, ours(tmp_path))
    assert not status.pending and [e.id for e in status.to_repeat] == ["repeatable/rows"]  # no catalog shows rows
    assert adopt_database(database, ours(tmp_path)).verdict is Verdict.OURS


@pytest.mark.parametrize(
    ("made", "applied"),
    [
        ("", []),
        ("CREATE VIEW v AS SELECT 1 AS other; CREATE VIEW w AS SELECT 1 AS one", [(None, "R__v.sql")]),
    ],
)
def test_a_repeatable_that_is_not_as_its_text_says_is_applied_by_migrate(
    tmp_path: Path, database: Database, made: str, applied: list[tuple[None, str]]
) -> None:
    files = {
        "V1__t.sql": "CREATE TABLE t (id int);\n",
        "R__v.sql": VIEW,
        "R__w.sql": "CREATE VIEW w AS SELECT 1 AS one;\n",
    }
    imported(tmp_path, {**files})
    with database.connect() as connection:
        connection.execute(f"CREATE TABLE t (id int); {made}".encode())
        connection.execute(ledger(("1", "V1__t.sql"), *applied))
    found = adopt_database(database, ours(tmp_path), apply=True)
    assert (found.verdict, found.id, found.repeatables) == (Verdict.EQUAL, "0001_t", ())
    assert any("was not compared: migrate applies" in note for note in found.notes)
    operations.migrate(database, ours(tmp_path))
    with database.connect() as connection:
        assert connection.execute("SELECT count(id) FROM v").fetchone() == (0,)


def test_a_database_is_adopted_that_is_behind_the_files_of_its_repeatables(tmp_path: Path, database: Database) -> None:
    imported(
        tmp_path,
        {
            "V1__t.sql": "CREATE TABLE t (id int);\n",
            "V2__more.sql": "ALTER TABLE t ADD COLUMN more int;\n",
            "R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT id, more FROM t;\n",
        },
    )
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t")
        connection.execute(ledger(("1", "V1__t.sql"), (None, "R__v.sql")))
    found = adopt_database(database, ours(tmp_path), apply=True)
    assert (found.verdict, found.id, found.repeatables) == (Verdict.EQUAL, "0001_t", ())
    operations.migrate(database, ours(tmp_path))
    with database.connect() as connection:
        assert connection.execute("SELECT count(more) FROM v").fetchone() == (0,)


def test_repeatable_files_alone_need_not_be_adopted(tmp_path: Path, database: Database) -> None:
    imported(tmp_path, {"R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;\n"})
    with pytest.raises(Refused, match="holds repeatable files alone"):
        adopt_database(database, ours(tmp_path))
    operations.migrate(database, ours(tmp_path))


def test_a_baseline_takes_the_place_of_what_it_holds(tmp_path: Path, database: Database) -> None:
    files = {
        "V1__a.sql": "CREATE TABLE a ();\n",
        "V2__b.sql": "CREATE TABLE b ();\n",
        "U2__b.sql": "DROP TABLE b;\n",
        "B2__both.sql": "CREATE TABLE a (); CREATE TABLE b ();\n",
        "U3__c.sql": "DROP TABLE c;\n",
        "V3__c.sql": "CREATE TABLE c ();\n",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_whole and found.proof.rolled_back == 1
    assert [m.id for m in ours(tmp_path)] == ["0002_both", "0003_c"] and found.exit_code == 0
    assert any("V1__a.sql: is in B2__both.sql" in note for note in found.left_out)
    names = text_of(tmp_path, "adopt.toml")
    assert '"1" = "0002_both"' in names and '"2" = "0002_both"' in names and '"3" = "0003_c"' in names


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"V1__a.sql": "", "V1.0__b.sql": ""}, "two migrations have the version"),
        ({"V1_1__a.sql": "", "sub/V01.1.0__b.sql": ""}, "two migrations have the version"),
        ({"R__a_b.sql": "", "sub/R__a b.sql": ""}, "two migrations have the description a b"),
        ({"V1__a.sql": "", "V1__a.java": ""}, "two migrations have the version"),
        ({"V1__a.sql": b"\xff\xfe"}, "UTF-8"),
    ],
)
def test_what_flyway_refuses_is_refused(tmp_path: Path, files: dict[str, str | bytes], message: str) -> None:
    with pytest.raises(BadMigrationFile, match=message):
        imported(tmp_path, files)


def test_settings_are_read_from_above_and_from_beside_a_file(tmp_path: Path) -> None:
    (tmp_path / "flyway.conf").write_text(
        "# flyway.x=1\nflyway.placeholders.Name=users\nflyway.sqlMigrationPrefix=M\nflyway.sqlMigrationSeparator=-\n"
    )
    files = {
        "M1-a.sql": "CREATE TABLE ${name} (id int);\n",
        "M2-b.sql": "INSERT INTO users SELECT '${name}'::int;\n",
        "M2-b.sql.conf": "placeholderReplacement=false\nexecuteInTransaction=false\n",
        "M3-c.sql": "SELECT 1;\n",
        "M3-c.sql.conf": "shouldExecute=false\n",
        "M4-d.sql": "SELECT 1;\n",
        "M4-d.sql.conf": "shouldExecute=${env}==prod\n",
    }
    found = imported(tmp_path, files)
    assert [(f.id, f.is_open) for f in found.files] == [("0001_a", False), ("0002_b", False), ("0004_d", True)]
    assert text_of(tmp_path, "0001_a.sql") == "CREATE TABLE users (id int);\n"
    assert "'${name}'" in text_of(tmp_path, "0002_b.sql")
    assert any("flyway.conf: its settings are used" in note for note in found.left_out)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flyway.toml", '[flyway]\nsqlMigrationSuffixes = [".sql", ".pg"]\n[flyway.placeholders]\nwhat = "t"\n'),
        (
            "application.properties",
            "spring.flyway.sql-migration-suffixes=.sql,.pg\nspring.flyway.placeholders.what=t",
        ),
        (
            "application.yml",
            "spring:\n  flyway:\n    sqlMigrationSuffixes: .sql,.pg\n    placeholders:\n      what: t # so\n",
        ),
        (
            "pom.xml",
            """<project><plugin><artifactId>flyway-maven-plugin</artifactId><configuration>
            <sqlMigrationSuffixes>.sql,.pg</sqlMigrationSuffixes><placeholders><what>t</what></placeholders>
            </configuration></plugin></project>""",
        ),
    ],
)
def test_settings_are_read_from_each_place(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    imported(tmp_path, {"V1__a.sql": "CREATE TABLE ${what} ();\n", "V2__b.pg": "DROP TABLE ${What};\n"})
    assert [m.id for m in ours(tmp_path)] == ["0001_a", "0002_b"]
    assert text_of(tmp_path, "0002_b.sql") == "DROP TABLE t;\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flyway.toml", '[flyway]\nlocations = ["filesystem:sql", "filesystem:./more"]\n'),
        ("conf/flyway.conf", "flyway.locations=filesystem:sql,filesystem:more\n"),
        ("application.properties", "spring.flyway.locations=classpath:sql,classpath:/more\n"),
    ],
)
def test_of_a_project_only_what_lies_in_the_locations_is_read(tmp_path: Path, name: str, text: str) -> None:
    place = "src/main/resources/" if name.startswith("app") else ""
    files = {f"{place}sql/V1__a.sql": "", f"{place}more/R__z.sql": "", "seeds/V9__s.sql": "SELECT 1;\n", name: text}
    found = imported(tmp_path, files)
    assert [file.id for file in found.files] == ["0001_a", "repeatable/z"]
    assert [left.rpartition("theirs/")[2] for left in found.left_out if "V9" in left.partition(":")[0]]
    assert name in found.reason


def test_a_placeholder_without_a_value_and_code_wait_for_a_person(tmp_path: Path) -> None:
    files = {"V1__a.sql": "SELECT '${x}', '${flyway:user}', '${flyway:filename}';\n", "V2__b.java": "class V2__b {}\n"}
    found = imported(tmp_path, files)
    assert [f.is_open for f in found.files] == [True, True]
    notes = " ".join(note for f in found.files for note in f.notes)
    assert "--set x=VALUE" in notes and "--set flyway:user=VALUE" in notes and "V2__b.java is no SQL" in notes
    assert "V1__a.sql'" in text_of(tmp_path, "0001_a.sql")


def test_code_that_stands_where_the_build_keeps_it_is_seen(tmp_path: Path) -> None:
    lay(tmp_path, {"src/main/resources/db/V1__a.sql": "SELECT 1;\n", "src/main/java/db/V2__b.java": "class V2__b {}\n"})
    found = import_folder(str(tmp_path / "theirs/src/main/resources/db"), tmp_path / "ours")
    assert [(f.id, f.is_open) for f in found.files] == [("0001_a", False), ("0002_b", True)]


def test_names_that_flyway_passes_over_are_left_out(tmp_path: Path) -> None:
    names = ("v3__lower.sql", "V__none.sql", "Vx__word.sql", "R1__numbered.sql", "V4__text.txt", "U9__of_none.sql")
    found = imported(tmp_path, {"V1__a.sql": "SELECT 1;\n", **dict.fromkeys(names, "SELECT 1;\n")})
    assert len(found.files) == 1
    assert sorted(note.partition(": ")[0].rpartition("/")[2] for note in found.left_out) == sorted(names)


def test_statements_are_cut_as_flyway_cuts_them() -> None:
    texts = (
        b"SELECT 'a;b', \"c;d\", E'it\\';';",
        b"/* a; /* b; */ c; */ SELECT $x$ ; $$ ; $x$; -- d;",
        b"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
        b"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
        b"COPY t (a) FROM STDIN;\nx;y\n\\.\n",
    )
    assert [len(_cut(text)) for text in texts] == [1] * len(texts)
    assert [len(_cut(b"\n".join(texts)))] == [len(texts)]
    assert _cut(b" -- only\n/* words */ ;; ") == []


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", False),
        ("drop index concurrently if exists i", False),
        ("CREATE DATABASE d", False),
        ("REINDEX DATABASE d", False),
        ("VACUUM", False),
        ("ALTER SYSTEM SET a = 1", False),
        ("REINDEX INDEX CONCURRENTLY i", True),
        ("CREATE INDEX i ON t (a)", True),
        ("ALTER TYPE t ADD VALUE 'x'", True),
    ],
)
def test_what_runs_outside_of_a_transaction_is_known(text: str, runs: bool) -> None:
    assert [is_inside for _, is_inside in _messages(text.encode())] == [runs]


def test_what_is_new_is_added_behind_a_repeatable(tmp_path: Path) -> None:
    imported(tmp_path, {"V1__a.sql": "SELECT 1;\n", "R__v.sql": "SELECT 2;\n"})
    folder = lay(tmp_path, {"V2__b.sql": "SELECT 3;\n"})
    import_folder(str(folder), tmp_path / "ours", follow=True, write=True)
    assert [m.id for m in (*ours(tmp_path), *ours(tmp_path).beside)] == ["0001_a", "0002_b", "repeatable/v"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flyway.conf", "flyway.schemas=Shop, other\nflyway.table=schema_version\n"),
        ("application.properties", "spring.flyway.default-schema=${DB_SCHEMA:Shop}\nspring.flyway.schemas=other\n"),
        ("flyway.toml", '[flyway]\nschemas = ["Shop", "other"]\n'),
    ],
)
def test_names_without_a_schema_are_in_the_one_that_flyway_makes(
    tmp_path: Path, database: Database, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    files = {
        "V1__t.sql": "CREATE TABLE t (id int);\n",
        "U1__t.sql": "DROP TABLE t;\n",
        "V2__i.sql": "CREATE INDEX CONCURRENTLY i ON t (id);\n",
        "U2__i.sql": "DROP INDEX i;\n",
        "V3__nothing.sql": "-- nothing\n",
        "R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT * FROM ${flyway:defaultSchema}.t;\n",
    }
    found = imported(tmp_path, {n: t.replace("${flyway:defaultSchema}", '"Shop"') for n, t in files.items()}, database)
    assert found.proof is not None and found.proof.is_whole, found.proof
    operations.migrate(database, ours(tmp_path))
    with database.connect() as connection:
        made = "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relname ~ '^[tiv]$'"
        assert sorted(connection.execute(made).fetchall()) == [('"Shop"', "i"), ('"Shop"', "t"), ('"Shop"', "v")]
        assert connection.execute("SELECT to_regnamespace('other') IS NOT NULL").fetchone() == (True,)


def test_the_schemas_that_a_program_names_can_be_said(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, {"V1__t.sql": "CREATE TABLE t ();\n"}, database, schemas="shop")
    assert found.exit_code == 0 and not found.unused
    assert text_of(tmp_path, "0001_t.sql").startswith("CREATE SCHEMA IF NOT EXISTS shop;\nSET search_path TO shop,")


def test_callbacks_are_hooks_where_they_mean_the_same(tmp_path: Path, database: Database) -> None:
    said = "INSERT INTO said (what) VALUES"
    files = {
        "V1__t.sql": "CREATE TABLE t ();\n",
        "U1__t.sql": "DROP TABLE t;\n",
        "V2__u.sql": "CREATE TABLE u ();\n",
        "U2__u.sql": "DROP TABLE u;\n",
        "beforeMigrate__1.sql": "CREATE TABLE IF NOT EXISTS said (id int GENERATED ALWAYS AS IDENTITY, what text)",
        "beforeMigrate__2.sql": f"{said} ('before all') -- no end",
        "beforeEachMigrate.sql": f"{said} ('before each');\n",
        "afterEachMigrate.sql": f"{said} ('after each');\n",
        "afterEachUndo.sql": f"{said} ('after undo');\n",
        "afterMigrateApplied.sql": f"{said} ('applied');\n",
        "afterMigrate__x.sql": f"{said} ('after all');\n",
        "afterUndo.sql": f"{said} ('never');\n",
        "afterMigrateError.sql": f"{said} ('never');\n",
        "beforeEachMigrateStatement.sql": f"{said} ('never');\n",
        "afterVersioned.sql": "ANALYZE t;\n",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_whole, found.proof
    assert (found.proof.rolled_back, found.exit_code) == (2, 0)
    assert [f.id for f in found.files] == [
        "0001.0_t",
        "0002.0_u",
        "0002.1_afterVersioned",
        "hooks/after-all",
        "hooks/before-all",
        "hooks/before-each",
        "hooks/after-each",
        "hooks/after-rollback",
    ]
    assert {n.partition(":")[0].rpartition("/")[2] for n in found.left_out} == {
        "afterUndo.sql",
        "afterMigrateError.sql",
        "beforeEachMigrateStatement.sql",
    }
    operations.migrate(database, ours(tmp_path))
    with database.connect() as connection:
        rows = [what for (what,) in connection.execute("SELECT what FROM said ORDER BY id")]
    assert rows == ["before all", *["before each", "after each"] * 3, "applied", "after all"]


def test_a_callback_that_is_no_transaction_is_left_out_with_the_reason(tmp_path: Path, database: Database) -> None:
    files = {
        "V1__t.sql": "CREATE TABLE t ();\n",
        "afterMigrate.sql": "VACUUM t;\n",
        "beforeMigrate.sql": "-- nothing\n",
    }
    found = imported(tmp_path, files, database)
    assert [f.id for f in found.files] == ["0001_t"] and found.exit_code == 0
    assert sorted(note.partition(": ")[2] for note in found.left_out) == [
        "cannot run in a transaction, and hooks/after-all.sql is part of one",
        "holds no statement",
    ]


def test_what_a_hook_does_otherwise_than_the_callback_is_found(tmp_path: Path, database: Database) -> None:
    files = {
        "V1__t.sql": "CREATE TABLE said (what text);\n",
        "R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;\n",
        "afterEachMigrate.sql": "INSERT INTO said VALUES ('each');\n",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and not found.proof.is_equal and found.exit_code == 1
    assert [(s.id, "the rows of public.said" in s.text) for s in found.proof.said] == [("repeatable/v", True)]


def test_a_hook_that_fails_is_named(tmp_path: Path, database: Database) -> None:
    files = {"V1__t.sql": "CREATE TABLE t ();\n", "beforeMigrate.sql": "SELECT * FROM nowhere;\n"}
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.replayed == 0 and found.exit_code == 1
    assert "nowhere" in found.proof.said[0].text and "beforeMigrate.sql" in found.proof.said[0].text


def test_what_is_repeatable_is_proven_in_an_order_of_its_own(tmp_path: Path, database: Database) -> None:
    files = {
        "V1__t.sql": "CREATE TABLE t (id int);\n",
        "U1__t.sql": "DROP TABLE t;\n",
        "R__01 z.sql": "CREATE OR REPLACE VIEW z AS SELECT id FROM t;\n",
        "R__02 a.sql": "CREATE OR REPLACE VIEW a AS SELECT id FROM z;\nGRANT SELECT ON a TO PUBLIC;\n",
        "R__03 rows.sql": "DELETE FROM t;\nINSERT INTO t VALUES (1);\n",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_whole, found.proof
    assert (found.proof.replayed, found.proof.total, found.proof.rolled_back) == (4, 4, 1)


def test_what_flyway_alone_cannot_order_is_said(tmp_path: Path, database: Database) -> None:
    files = {
        "R__a.sql": "CREATE OR REPLACE VIEW a AS SELECT one FROM z;\n",
        "R__z.sql": "CREATE OR REPLACE VIEW z AS SELECT 1 AS one;\n",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.replayed == 0
    assert "as flyway runs it, and not as it is written here" in found.proof.said[0].text


def test_a_repeatable_that_is_no_transaction_is_a_migration(tmp_path: Path, database: Database) -> None:
    files = {"V1__t.sql": "CREATE TABLE t ();\n", "R__vacuum.sql": "VACUUM t;\n"}
    found = imported(tmp_path, files, database)
    assert [f.id for f in found.files] == ["0001.0_t", "0001.1_repeatable_vacuum"] and found.exit_code == 0
    assert "runs it again whenever its text changed" in text_of(tmp_path, "0001.1_repeatable_vacuum.sql")


def test_a_repeatable_that_waits_for_a_person_is_not_run(tmp_path: Path, database: Database) -> None:
    files = {"V1__t.sql": "CREATE TABLE t ();\n", "R__v.sql": "CREATE VIEW v AS SELECT '${x}' AS x;\n"}
    found = imported(tmp_path, files, database)
    assert [f.id for f in found.open_files] == ["repeatable/v"] and found.exit_code == 1
    with pytest.raises(BadMigrationFile, match="nothing is written in it yet"):
        operations.migrate(database, ours(tmp_path))
    written = tmp_path / "ours" / "repeatable" / "v.sql"
    written.write_text("CREATE VIEW v AS SELECT 'mine' AS x;\n")
    again = import_folder(str(tmp_path / "theirs"), tmp_path / "ours", server=database, follow=True, write=True)
    assert again.exit_code == 0 and written.read_text() == "CREATE VIEW v AS SELECT 'mine' AS x;\n"


def follow(root: Path, files: dict[str, str | bytes], database: Database | None = None) -> Import:
    """Lay these files out in the folder that was imported, and follow it."""
    return import_folder(str(lay(root, files)), root / "ours", server=database, follow=True, write=True)


def test_following_rewrites_what_is_repeatable_and_hooks(tmp_path: Path, database: Database) -> None:
    view = "CREATE OR REPLACE VIEW v AS SELECT id FROM t;\n"
    files = {"V1__t.sql": "CREATE TABLE t (id int);\n", "R__v.sql": view, "afterMigrate__b.sql": "ANALYZE t;\n"}
    imported(tmp_path, files, database)
    operations.migrate(database, ours(tmp_path))
    assert not follow(tmp_path, {}).paths
    edited: dict[str, str | bytes] = {
        "V2__u.sql": "ALTER TABLE t ADD COLUMN more int;\n",
        "R__v.sql": "CREATE OR REPLACE VIEW v AS SELECT id, more FROM t;\n",
        "R__w.sql": "CREATE OR REPLACE VIEW w AS SELECT 1 AS one;\n",
        "afterMigrate__a.sql": "ANALYZE;\n",
    }
    found = follow(tmp_path, edited, database)
    assert found.exit_code == 0 and [f.id for f in found.files if f.is_new] == [
        "0002_u",
        "repeatable/v",
        "repeatable/w",
        "hooks/after-all",
    ]
    assert text_of(tmp_path, "repeatable/v.sql") == edited["R__v.sql"]
    assert text_of(tmp_path, "hooks/after-all.sql").endswith("\nANALYZE;\nANALYZE t;\n")
    operations.migrate(database, ours(tmp_path))
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM w, v").fetchone() == (0,)


def test_following_refuses_what_was_edited_here_or_is_gone_there(tmp_path: Path) -> None:
    imported(tmp_path, {"V1__t.sql": "SELECT 1;\n", "R__v.sql": "SELECT 2;\n"})
    written = tmp_path / "ours" / "repeatable" / "v.sql"
    written.write_text("SELECT 3;\n")
    with pytest.raises(Refused, match=r"edited, renamed or removed since: repeatable/v\.sql"):
        follow(tmp_path, {})
    written.write_text("SELECT 2;\n")
    (tmp_path / "theirs" / "R__v.sql").unlink()
    with pytest.raises(Refused, match=r"R__v\.sql"):
        follow(tmp_path, {})


def test_following_goes_on_where_a_run_that_rewrote_a_file_was_stopped(tmp_path: Path) -> None:
    imported(tmp_path, {"V1__t.sql": "SELECT 1;\n", "R__v.sql": "SELECT 2;\n", "R__w.sql": "SELECT 2;\n"})
    record = tmp_path / "ours" / "import.toml"
    before = record.read_text()
    follow(tmp_path, {"R__v.sql": "SELECT 3;\n", "R__w.sql": "SELECT 3;\n"})
    after = record.read_text()
    sums = dict(re.findall(r'"(repeatable/\w\.sql)" = "(\w+)"', after))
    writing = "".join(f'"{name}" = "{known}"\n' for name, known in sums.items())
    record.write_text(f"{before}\n[writing]\n{writing}")  # as one leaves it that was stopped between two files
    (tmp_path / "ours" / "repeatable" / "w.sql").write_text("SELECT 2;\n")
    follow(tmp_path, {})
    assert text_of(tmp_path, "repeatable/w.sql") == "SELECT 3;\n" and record.read_text() == after


def test_what_was_imported_as_a_migration_stays_one(tmp_path: Path) -> None:
    imported(tmp_path, {"V1__a.sql": "SELECT 1;\n", "V1.1__v.sql": "SELECT 2;\n"})
    theirs, record = tmp_path / "theirs", tmp_path / "ours" / "import.toml"
    (theirs / "V1.1__v.sql").rename(theirs / "R__v.sql")
    said = record.read_text().replace("V1.1__v.sql#1.1", "R__v.sql#R__v.sql").replace("V1.1__v.sql", "R__v.sql")
    record.write_text(said)
    found = follow(tmp_path, {"R__w.sql": "SELECT 3;\n"})
    assert [f.id for f in found.files] == ["0001.0_a", "0001.1_v", "repeatable/w"]
    with pytest.raises(Refused, match="edited"):
        follow(tmp_path, {"R__v.sql": "SELECT 4;\n"})
