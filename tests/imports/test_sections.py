"""Tools with marks of their own in plain files: node-pg-migrate, tern, postgres-migrations, Marv."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.operations import Import, import_folder

USERS = "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n"


def names_of(root: Path) -> list[str]:
    return [m.id for m in ours(root)]


def notes_of(found: Import) -> str:
    return "\n".join(note for f in found.files for note in f.notes)


NODE = {
    "1577836800000_users.sql": f"-- all who buy\n-- Up Migration\n{USERS}\n-- Down Migration\nDROP TABLE users;\n",
    "20200103000000000_orders.sql": "--- up migration: orders\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY);\n---- DOWN MIGRATION ----\nDROP TABLE orders;\n",
    "1577923200000_email.sql": "-- Down Migration\r\nALTER TABLE users DROP email;\r\n"
    "-- Up Migration\r\nALTER TABLE users ADD email text;\r\n",
    "1578100000000_view.sql": "CREATE VIEW v AS SELECT id FROM users;\n",
    "README.md": "how to\n",
}


@pytest.mark.spread_over_servers
def test_node_pg_migrate_is_proven_in_the_order_of_its_times(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, NODE, database)
    assert found.tool == "node-pg-migrate" and found.exit_code == 0
    assert [f.version for f in found.files] == [
        "1577836800000_users",
        "1577923200000_email",
        "20200103000000000_orders",
        "1578100000000_view",
    ]
    assert found.proof is not None and found.proof.is_whole and found.proof.with_rollback == 3
    first = names_of(tmp_path)[0]
    assert text_of(tmp_path, f"{first}.sql") == f"-- all who buy\n\n{USERS}"
    assert "\nALTER TABLE users DROP email;" in "\n" + text_of(tmp_path, f"{names_of(tmp_path)[1]}.rollback.sql")
    assert text_of(tmp_path, f"{names_of(tmp_path)[2]}.sql").startswith("-- orders\nCREATE TABLE orders")
    assert f'"1577836800000_users" = "{first}"' in text_of(tmp_path, "adopt.toml")
    assert any("README.md" in note for note in found.left_out)


def test_what_node_pg_migrate_runs_otherwise_than_it_looks_is_said(tmp_path: Path) -> None:
    files = {
        "1_a.sql": f"{USERS}-- Down Migration\nDROP TABLE IF EXISTS nothing;\n",
        "2_b.sql": "SELECT 'never run';\n-- Up Migration\nSELECT 2;\n",
        "3_c.js": "exports.up = (pgm) => pgm.dropTable('users');\n",
        "4_d.sql": "-- Up Migration\nSELECT 4;\n-- Down Migration\n",
    }
    found = imported(tmp_path, files)
    said = notes_of(found)
    assert "1_a.sql:2: it has no -- Up Migration" in said
    assert "2_b.sql:1: what stands before its first mark is run by nobody" in said
    assert [f.id for f in found.open_files] == ["0003_c"] and "3_c.js: is a program" in said
    assert "DROP TABLE IF EXISTS nothing" in text_of(tmp_path, "0001_a.sql")
    assert "never run" not in text_of(tmp_path, "0002_b.sql")
    assert "nothing-to-undo" in text_of(tmp_path, "0004_d.rollback.sql")


def test_pairs_are_of_node_pg_migrate_where_its_newer_loader_reads_them(tmp_path: Path) -> None:
    files = {"1_a.up.sql": USERS, "1_a.down.sql": "DROP TABLE users;\n", "2_b.sql": "-- Up Migration\nSELECT 2;\n"}
    found = imported(tmp_path, files, tool="node-pg-migrate")
    assert [f.version for f in found.files] == ["1_a", "2_b"] and found.files[0].has_rollback
    lay(tmp_path / "more", {"1_a.down.sql": "DROP TABLE users;\n", "2_b.sql": "SELECT 2;\n"})
    with pytest.raises(BadMigrationFile, match="takes back what no file makes"):
        import_folder(str(tmp_path / "more" / "theirs"), tmp_path / "into", tool="node-pg-migrate")


@pytest.mark.parametrize(
    ("package", "files"),
    [
        ("node-pg-migrate", {"1_a.sql": USERS}),
        ("postgres-migrations", {"1-a.sql": USERS, "2-b.sql": "SELECT 2;\n"}),
    ],
)
def test_what_a_program_asks_for_shows_its_tool(tmp_path: Path, package: str, files: dict[str, str]) -> None:
    (tmp_path / "package.json").write_text(f'{{"devDependencies": {{"{package}": "^1"}}}}')
    found = imported(tmp_path, files)
    assert found.tool == package and f"asks for {package}" in found.reason


def test_what_stands_beside_the_folder_shows_tern_and_gives_values(tmp_path: Path) -> None:
    (tmp_path / "tern.conf").write_text("[data]\nprefix = shop_\n")
    found = imported(tmp_path, {"001_a.sql": "CREATE TABLE {{.prefix}}t (id int);\n"})
    assert (found.tool, found.reason) == ("tern", "../tern.conf") and not found.open_files
    assert "CREATE TABLE shop_t" in text_of(tmp_path, "001_a.sql")


TERN = {
    "1_users.sql": '{{ template "shared/table.sql" . }}\n'
    "---- create above / drop below ----\ndrop table {{.prefix}}users;\n",
    "2_index.sql": "---- tern: disable-tx ----\ncreate index concurrently n on {{ .prefix -}}\n users (name);\n"
    "create index concurrently m on {{.prefix}}users (id);\n"
    "---- create above / drop below ----\n\ndrop index n, m;\n",
    "10_ten.sql": "select 10; -- Write your migrate up statements here\n",
    "shared/table.sql": "{{/* all of them */}}create table {{.prefix}}users (id int, name text default '{{ .name }}');",
    "tern.conf": '[database]\npassword = secret\n[data]\n# no = no\nprefix = shop_\nname = {{ env "NAME" }}\n',
    "notes.sql": "select 'no number';\n",
} | {f"{n}_n.sql": f"select {n};\n" for n in range(3, 10)}


@pytest.mark.spread_over_servers
def test_terns_templates_are_filled_in_and_proven(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, TERN, database, name="ann")
    assert found.exit_code == 0, (found.proof, notes_of(found))
    assert names_of(tmp_path)[0] == "0001_users" and names_of(tmp_path)[-1] == "0010_ten"
    assert "create table shop_users (id int, name text default 'ann');" in text_of(tmp_path, "0001_users.sql")
    assert text_of(tmp_path, "0002_index.sql").startswith("-- transactional: false\n")
    assert '"10" = "0010_ten"' in text_of(tmp_path, "adopt.toml")
    left = "\n".join(found.left_out)
    assert "prefix" in left and "secret that" not in left and "notes.sql" in left and "shared/table.sql" in left


def test_what_only_go_can_fill_in_waits_for_a_person(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        {
            "1_a.sql": "select 1;\n{{ if .x }}\nselect 2;\n{{ end }}\n",
            "2_b.sql": 'select {{ .missing }};\n{{ template "none.sql" . }}',
            "3_c.sql": '{{ "select 3;" }}\n---- create above / drop below ----\n{{ install_snapshot "x" }}\n',
        },
        tool="tern",
    )
    said = notes_of(found)
    assert "1_a.sql:2: {{ if .x }} is of Go's templates" in said and "1_a.sql:4: {{ end }}" in said
    assert "the value of missing is not given; give it: --set missing=VALUE" in said
    assert "3_c.sql:3: {{ install_snapshot" in said and "select 3;" in text_of(tmp_path, "0003_c.sql")
    assert [f.id for f in found.open_files][:2] == ["0001_a", "0002_b"]


@pytest.mark.parametrize("tool", ["tern", "postgres-migrations"])
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("1_a.sql", "3_c.sql"), "2 is missing"),
        (("2_b.sql",), "1 is missing"),
        (("0_z.sql", "1_a.sql"), "0 is no number of a migration"),
        (("1_a.sql", "01_b.sql"), "two migrations have the version 1"),
    ],
)
def test_gaps_and_doubles_are_refused_as_the_tool_does(
    tmp_path: Path, tool: str, names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadMigrationFile, match=said):
        imported(tmp_path, dict.fromkeys(names, "SELECT 1;\n"), tool=tool)


def test_a_forward_part_without_sql_is_refused_as_tern_does(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=r"1_a\.sql holds no SQL in its forward part"):
        imported(tmp_path, {"1_a.sql": "-- Write your migrate up statements here\n"})


POSTGRES_MIGRATIONS = {
    "1_users.sql": USERS,
    "2-index.sql": "-- postgres-migrations disable-transaction\nCREATE INDEX CONCURRENTLY n ON users (name);\n",
    "3backfill.SQL": "-- postgres-migrations disable-transaction\n"
    "DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO users VALUES (i); COMMIT; END LOOP; END $$;\n",
    "README.md": "",
}


@pytest.mark.spread_over_servers
def test_postgres_migrations_is_proven_with_what_commits_inside(tmp_path: Path, database: Database) -> None:
    found = imported(tmp_path, POSTGRES_MIGRATIONS, database)
    assert found.tool == "postgres-migrations" and found.exit_code == 0, notes_of(found)
    assert names_of(tmp_path) == ["0001_users", "0002_index", "0003_backfill"]
    for name in ("0002_index", "0003_backfill"):
        assert text_of(tmp_path, f"{name}.sql").startswith("-- transactional: false\n")
        assert "disable-transaction" not in text_of(tmp_path, f"{name}.sql")
    assert '"3" = "0003_backfill"' in text_of(tmp_path, "adopt.toml")


def test_a_file_without_a_number_is_refused_as_postgres_migrations_does(tmp_path: Path) -> None:
    with pytest.raises(BadMigrationFile, match=r"seed.sql begins with no number"):
        imported(tmp_path, {"1_a.sql": USERS, "seed.sql": "SELECT 1;\n"}, tool="postgres-migrations")


@pytest.mark.spread_over_servers
def test_marvs_directives_are_obeyed(tmp_path: Path, database: Database) -> None:
    files = {
        "001.users.sql": USERS,
        "010.rows.sql": "-- @MARV AUDIT = false\nINSERT INTO users VALUES (1) ON CONFLICT DO NOTHING;\n",
        "011.later.sql": "-- @marv skip = true\nSELECT 1 / 0;\n",
        "012.notes.txt": "no SQL\n",
        ".marvrc": '{"filter": "\\\\.sql$"}',
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "Marv" and found.exit_code == 0, notes_of(found)
    assert names_of(tmp_path) == ["001_users", "010_rows"]
    assert "Marv runs it again each time" in text_of(tmp_path, "010_rows.sql")
    assert "@MARV" not in text_of(tmp_path, "010_rows.sql")
    assert '["marv"]\n"1" = "001_users"\n' in text_of(tmp_path, "adopt.toml")
    assert len(found.left_out) == 2
