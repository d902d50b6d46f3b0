"""Tools with a folder for each migration, or for all: what counts, in which order, and where in a project it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.operations import import_folder
from wflo_schema.scratch.replay import ScratchOptions

T, DROP = "CREATE TABLE {} (id int);\n", "DROP TABLE {};\n"
# The last two differ in rows only: which of them was run, a ledger alone can say.
A, B, C = T.format("a"), "INSERT INTO a VALUES (1);\n", "INSERT INTO a VALUES (2);\n"


@pytest.mark.spread_over_servers
def test_diesel_is_proven_in_the_order_of_its_versions(tmp_path: Path, database: Database) -> None:
    files = {
        "00000000000000_diesel_initial_setup/up.sql": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
        "00000000000000_diesel_initial_setup/down.sql": "DROP FUNCTION f();\n",
        "2019-02-26-002946_users/up.sql": "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n",
        "2019-02-26-002946_users/down.sql": "DROP TABLE users;\n",
        "2019-03-01-000000_index/up.sql": "CREATE INDEX CONCURRENTLY users_name ON users (name);\n",
        "2019-03-01-000000_index/down.sql": "DROP INDEX CONCURRENTLY users_name;\n",
        "2019-03-01-000000_index/metadata.toml": "run_in_transaction = false\n",
        "20200101000000_data/up.sql": "INSERT INTO users VALUES (1, 'a');\n",
        "20200101000000_data/down.sql": "",
        "README.md": "read me",
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "diesel" and found.exit_code == 0
    assert [m.id for m in ours(tmp_path)] == [
        "00000000000000_diesel_initial_setup",
        "20190226002946_users",
        "20190301000000_index",
        "20200101000000_data",
    ]
    assert found.proof is not None and found.proof.is_whole and found.proof.rolled_back == 4
    assert text_of(tmp_path, "20190301000000_index.sql").startswith("-- transactional: false\n")
    assert "the down part of down.sql" in text_of(tmp_path, "20200101000000_data.rollback.sql")
    assert '"00000000000000" = "00000000000000_diesel_initial_setup"' in text_of(tmp_path, "adopt.toml")
    assert '["diesel"]\n' in text_of(tmp_path, "adopt.toml")
    assert [left.rpartition("theirs/")[2] for left in found.left_out] == ["README.md: no migration of diesel"]


def test_diesel_sorts_versions_as_texts(tmp_path: Path) -> None:
    files = {f"{name}/up.sql": T.format(name[-1]) for name in ("2_b", "10_a", "9_c", "words_d")}
    imported(tmp_path, files)
    assert [m.id for m in ours(tmp_path)] == ["0001_10_a", "0002_2_b", "0003_9_c", "0004_words_d"]
    assert '"words" = "0004_words_d"' in text_of(tmp_path, "adopt.toml")


def test_diesel_reads_metadata_as_diesel_does(tmp_path: Path) -> None:
    two = "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY ai ON a (id);\n"
    files = {
        "1_empty/up.sql": two,
        "1_empty/metadata.toml": "",
        "2_broken/up.sql": T.format("b"),
        "2_broken/metadata.toml": "run_in_transaction: false",
        "3_more/up.sql": T.format("c"),
        "3_more/metadata.toml": "run_in_transaction = true\nowner = 'me'\n",
    }
    found = imported(tmp_path, files)
    assert [f.is_transactional for f in found.files] == [False, True, True]
    assert "is no TOML, and diesel does as if it were not there" in found.files[1].notes[0]
    assert "says owner as well" in found.files[2].notes[0]


@pytest.mark.spread_over_servers
def test_prisma_is_proven_by_the_whole_names_of_its_folders(tmp_path: Path, database: Database) -> None:
    files = {
        "schema.prisma": "datasource db {}",
        "migrations/migration_lock.toml": '# do not edit\nprovider = "postgresql"\n',
        "migrations/0_init/migration.sql": '-- CreateTable\nCREATE TABLE "User" (id serial PRIMARY KEY);\n',
        "migrations/20230817024711_more/migration.sql": 'BEGIN;\nALTER TABLE "User" ADD a int;\nCOMMIT;\n',
        "migrations/20230817024711_more/README.md": "why",
        "migrations/20230901000000_empty/migration.sql": "-- This is an empty migration.",
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "prisma" and found.exit_code == 0
    assert [m.id for m in ours(tmp_path)] == ["00000000000000_init", "20230817024711_more", "20230901000000_empty"]
    assert found.proof is not None and found.proof.is_whole and found.proof.with_rollback == 0
    assert '"20230817024711_more" = "20230817024711_more"' in text_of(tmp_path, "adopt.toml")
    assert '"0_init" = "00000000000000_init"' in text_of(tmp_path, "adopt.toml")
    assert "schema.prisma: no migration of prisma" in "\n".join(found.left_out)
    assert "more/README.md" in "\n".join(found.left_out)


def test_a_program_among_prismas_folders_waits_for_a_person(tmp_path: Path) -> None:
    files = {
        "20230101000000_a/migration.sql": T.format("a"),
        "20230102000000_b/migration.ts": "export const b = {};",
    }
    found = imported(tmp_path, files)
    assert [f.is_open for f in found.files] == [False, True]
    assert "migration.ts: is no SQL" in found.files[1].notes[0]


@pytest.mark.spread_over_servers
def test_hasura_is_proven_wherever_its_project_keeps_it(tmp_path: Path, database: Database) -> None:
    files = {
        "config.yaml": "version: 3\n",
        "metadata/tables.yaml": "[]",
        "seeds/default/1_seed.sql": "INSERT INTO b VALUES (1);\n",
        "migrations/default/1591085467216_init/up.sql": T.format("a"),
        "migrations/default/1591085467216_init/down.sql": DROP.format("a"),
        "migrations/default/999_first/up.sql": T.format("b"),
        "migrations/default/1591085467217_meta/up.yaml": "- type: track_table\n",
        "migrations/default/1591085467218_old.up.sql": T.format("c"),
        "migrations/default/1591085467218_old.down.sql": DROP.format("c"),
        "migrations/default/1591085467219_alone/down.sql": DROP.format("d"),
    }
    found = imported(tmp_path, files, database, tool="hasura")
    assert found.tool == "hasura" and found.exit_code == 0
    assert [f.version for f in found.files] == ["999", "1591085467216", "1591085467218"]
    assert found.proof is not None and found.proof.is_whole
    said = "\n".join(found.left_out)
    assert "changes Hasura's metadata" in said and "takes back what no file makes" in said
    assert "config.yaml" in said and "1_seed.sql" in said


def test_sql_in_hasuras_yaml_waits_for_a_person(tmp_path: Path) -> None:
    yaml = "- args:\n    sql: CREATE TABLE a (id int);\n  type: run_sql\n"
    found = imported(tmp_path, {"1591085467216_a/up.yaml": yaml}, tool="hasura")
    assert found.files[0].is_open and "run_sql" in found.files[0].notes[0]


@pytest.mark.parametrize("below", ["", "migrations/", "supabase/migrations/", "apps/api/supabase/migrations/"])
def test_supabase_is_found_where_a_user_points(tmp_path: Path, below: str) -> None:
    files = {
        f"{below}20200101000000_init.sql": "not what is run;\n",
        f"{below}20230101000000_a.sql": T.format("a") + "SET search_path = pg_catalog;\n",
        f"{below}20230102000000_b.sql": "BEGIN;\n" + T.format("b") + "COMMIT;\n",
        f"{below}notes.sql": "SELECT 1;\n",
        "config.toml": 'project_id = "x"\n[api]\n' if "supabase" not in below else "",
        "seed.sql": "INSERT INTO a VALUES (1);\n",
    }
    found = imported(tmp_path, files)
    assert found.tool == "supabase"
    assert [m.id for m in ours(tmp_path)] == ["20230101000000_a", "20230102000000_b"]
    said = "\n".join(found.left_out)
    assert "as a first _init.sql of old" in said and "its name is not NUMBER_NAME.sql" in said
    assert "seed.sql" in said and "config.toml" in said


@pytest.mark.spread_over_servers
def test_supabase_sends_by_itself_what_cannot_run_in_a_transaction(tmp_path: Path, database: Database) -> None:
    files = {
        "20230101000000_a.sql": T.format("a")
        + "CREATE INDEX CONCURRENTLY i ON a (id); "
        + T.format("b")
        + "VACUUM a;\n",
        "20230102000000_b.sql": "-- nothing runs CONCURRENTLY here\n" + T.format("c") + T.format("d"),
        "20230103000000_c.sql": "DROP INDEX CONCURRENTLY i;\n",
    }
    found = imported(tmp_path, files, database, tool="supabase")
    assert found.exit_code == 0 and found.proof is not None and found.proof.is_whole
    assert [f.is_transactional for f in found.files] == [False, True, False]


def test_what_supabase_provides_is_named_once(tmp_path: Path) -> None:
    policy = "CREATE POLICY p ON a FOR SELECT TO authenticated USING (auth.uid() = id);\n"
    below = "supabase/migrations"
    files = {f"{below}/20230101000000_a.sql": T.format("a") + policy, f"{below}/20230102000000_b.sql": policy}
    found = imported(tmp_path, files)
    assert "needs the schema auth, the role authenticated" in found.files[0].notes[0]
    assert "--scratch-prepare FILE" in found.files[0].notes[0]
    assert not found.files[1].notes


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"1_a/up.sql": "SELECT 1;", "1_b/up.sql": "SELECT 1;"}, "two migrations have the version 1"),
        ({"1_a/up.sql": "SELECT 1;", "2_b/down.sql": "SELECT 1;"}, "2_b has no up.sql; it holds down.sql"),
        ({"pg/1_a/up.sql": "SELECT 1;", "my/1_a/up.sql": "SELECT 1;"}, "holds 2 folders with migrations of diesel"),
        ({"1_a/migration.sql": "", "migration_lock.toml": 'provider = "mysql"'}, "are for mysql"),
        ({"1_a/migration.sql": "", "migration_lock.toml": "provider"}, "cannot read"),
        ({"1_a/migration.sql": "", "2_b/notes.txt": ""}, "2_b has no migration.sql"),
        ({"a/1_a/migration.sql": "", "b/1_a/migration.sql": ""}, "holds 2 folders with migrations of prisma"),
        (
            {"a/1591085467216_a/up.sql": ";", "b/1591085467216_a/up.sql": ";"},
            "holds 2 folders with migrations of hasura",
        ),
        (
            {"1591085467216_a/up.sql": ";", "1591085467216_b/up.sql": ";"},
            "two migrations have the version 1591085467216",
        ),
        ({"1_a/migration.sql": "", "1_a/up.sql": ""}, "holds files of 2 tools"),
        ({"1_a/up.sql": b"\xff\xfeS"}, "is not UTF-8"),
        (
            {"a/supabase/migrations/1_a.sql": "", "b/supabase/migrations/1_a.sql": ""},
            "2 folders with migrations of supabase",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        imported(tmp_path, files)
    assert said in caught.value.message
    assert not (tmp_path / "ours").exists()


# --- the ledgers, as the tools make them ------------------------------------------------------

_LEDGERS = {
    "diesel": (
        {"2020-01-01-000000_a/up.sql": A, "2020-01-02-000000_b/up.sql": B, "2020-01-03-000000_c/up.sql": C},
        (
            "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on timestamp DEFAULT now());"
            "INSERT INTO __diesel_schema_migrations VALUES ('20200101000000'), ('20200102000000')"
        ),
    ),
    "prisma": (
        {"10_a/migration.sql": A, "1_b/migration.sql": B, "2_c/migration.sql": C},
        (
            "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at "
            "timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at "
            "timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0);"
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, started_at) "
            "VALUES ('x', '', '10_a', now(), now()), ('y', '', '1_b', now(), now() + '1s')"
        ),
    ),
    "hasura": (
        {"1591085467216_a/up.sql": A, "1591085467217_b/up.sql": B, "1591085467218_c/up.sql": C},
        (
            "CREATE SCHEMA hdb_catalog; CREATE TABLE hdb_catalog.hdb_version (hasura_uuid uuid, version text, "
            "upgraded_on timestamptz, cli_state jsonb, console_state jsonb);"
            "INSERT INTO hdb_catalog.hdb_version (cli_state) VALUES "
            """('{"migrations": {"default": {"1591085467216": false, "1591085467217": false}}}')"""
        ),
    ),
    "supabase": (
        {f"supabase/migrations/2020010{n + 1}000000_x.sql": sql for n, sql in enumerate((A, B, C))},
        (
            "CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations (version "
            "text PRIMARY KEY, statements text[], name text); "
            "CREATE TABLE supabase_migrations.seed_files (path text, hash text);"
            "INSERT INTO supabase_migrations.schema_migrations VALUES ('20200101000000'), ('20200102000000')"
        ),
    ),
}


@pytest.mark.spread_over_servers
@pytest.mark.parametrize("tool", _LEDGERS)
def test_a_tools_ledger_says_where_its_database_is(tmp_path: Path, database: Database, tool: str) -> None:
    files, ledger = _LEDGERS[tool]
    found = imported(tmp_path, files)
    assert found.tool == tool
    with database.connect() as connection:
        connection.execute(f"{A}{B}{ledger}")
    done = adopt_database(database, ours(tmp_path), apply=True, to=None, scratch=ScratchOptions())
    assert (done.verdict, done.is_applied, done.number) == (Verdict.EQUAL, True, 2)
    assert done.ledgers[0].tool == tool and done.ledgers[0].stands_for == done.id == found.files[1].id
    assert [m.id for m in operations.migrate(database, ours(tmp_path)).done] == [found.files[2].id]


@pytest.mark.parametrize(
    ("first", "second", "ids"),
    [
        ("20230101000000_a/migration.sql", "20230102000000_b/migration.sql", ["20230101000000_a", "20230102000000_b"]),
        ("2023-01-01-000000_a/up.sql", "2023-01-02-000000_b/up.sql", ["20230101000000_a", "20230102000000_b"]),
        ("supabase/migrations/1_a.sql", "supabase/migrations/2_b.sql", ["0001_a", "0002_b"]),
        ("1591085467216_a/up.sql", "1591085467217_b/up.sql", ["1591085467216_a", "1591085467217_b"]),
    ],
)
def test_what_is_new_in_a_folder_is_added(tmp_path: Path, first: str, second: str, ids: list[str]) -> None:
    imported(tmp_path, {first: A})
    folder = lay(tmp_path, {second: B})
    found = import_folder(str(folder), tmp_path / "ours", follow=True, write=True)
    assert [f.id for f in found.files if f.is_new] == ids[1:]
    assert [m.id for m in ours(tmp_path)] == ids


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfCREATE TABLE a (\r\nid int);\r\n", b"-- only a comment\n", b""])
def test_line_ends_marks_of_an_encoding_and_comments_alone_are_read(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "migration.sql").write_bytes(text)
    folder = lay(tmp_path, {"1_a/migration.sql": A})
    (folder / "2_b").symlink_to(tmp_path / "elsewhere")
    found = import_folder(str(folder), tmp_path / "ours", write=True)
    assert [f.id for f in found.files] == ["0001_a", "0002_b"]
    written = text_of(tmp_path, "0002_b.sql").encode()
    assert written.endswith(text.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"")) and not found.files[1].is_open
