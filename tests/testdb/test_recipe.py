"""A test database is what the migrations make of production: its settings, its grants, its encoding."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import sql

from tests.conftest import RunningServer
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import DatabaseError, MigrationFailed
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.testdb.databases import make_test_database
from wflo_schema.testdb.recipe import Recipe
from wflo_schema.testdb.suite import Databases, SuiteOptions

pytestmark = pytest.mark.spread_over_servers

SETS = """
CREATE TABLE t (id integer);
ALTER DATABASE "TARGET" SET work_mem = '5MB';
ALTER DATABASE "TARGET" SET search_path = app, "$user", public, "Odd, one";
ALTER DATABASE "TARGET" SET app.tenant = 'a b''c, d';
ALTER DATABASE "TARGET" SET DateStyle TO 'ISO, DMY';
ALTER ROLE ROLE IN DATABASE "TARGET" SET search_path TO 'private';
ALTER ROLE ROLE IN DATABASE "TARGET" SET statement_timeout = 5000;
REVOKE ALL ON DATABASE "TARGET" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE "TARGET" TO ROLE WITH GRANT OPTION;
"""

SETTINGS = """
SELECT COALESCE(pg_get_userbyid(NULLIF(setrole, 0))::text, ''), o FROM pg_db_role_setting AS s
JOIN pg_database AS d ON d.oid = s.setdatabase CROSS JOIN LATERAL unnest(setconfig) AS o
WHERE d.datname = %s ORDER BY 1, 2
"""


def carried(database: Database) -> tuple[list[tuple[object, ...]], set[str]]:
    """What is set for a database's sessions, and who may do what in it."""
    with database.with_name("postgres").connect() as connection:
        settings = connection.execute(SETTINGS, (database.name,)).fetchall()
        row = connection.execute("SELECT datacl::text[] FROM pg_database WHERE datname = %s", (database.name,))
        acl = row.fetchone()
    return settings, set(acl[0] or ()) if acl else set()


@pytest.fixture
def role(database: Database) -> str:
    name = f"app{secrets.token_hex(4)}"
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    return name


@pytest.fixture
def files(database: Database, tmp_path: Path, role: str) -> Migrations:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_sets.sql").write_text(SETS.replace("TARGET", database.name).replace("ROLE ROLE", f"ROLE {role}"))
    text = (folder / "0001_sets.sql").read_text().replace("TO ROLE WITH", f"TO {role} WITH")
    (folder / "0001_sets.sql").write_text(text)
    return read_migrations(folder)


def test_what_a_migration_sets_on_the_database_is_on_the_test_database_too(
    database: Database, files: Migrations
) -> None:
    first = make_test_database(database, files).database
    found = carried(first)
    again = make_test_database(database, files)
    assert again.was_cloned and carried(again.database) == found
    assert carried(database) == ([], set())
    operations.migrate(database, files)
    assert found == carried(database)
    assert len(found[0]) == 6
    with again.database.connect() as connection, database.connect() as real:
        for name in ("search_path", "work_mem", "app.tenant", "DateStyle"):
            show = sql.SQL("SELECT current_setting({})").format(sql.Literal(name))
            assert connection.execute(show).fetchone() == real.execute(show).fetchone()


def test_so_it_is_for_each_test_of_the_plugin(database: Database, files: Migrations) -> None:
    options = SuiteOptions(migrations=tuple(Path(d) for d in files.directories), server="url", url=database.url)
    left = [3]
    databases = Databases(options, wanted=lambda kind: left[0])
    try:
        found = []
        for _ in range(3):
            found.append(carried(databases.take()))
            left[0] -= 1
    finally:
        databases.close()
    assert carried(database) == ([], set())
    operations.migrate(database, files)
    assert found == [carried(database)] * 3


def test_drift_compares_what_is_set_on_the_database(
    database: Database, files: Migrations, tmp_path: Path, role: str
) -> None:
    operations.migrate(database, files)
    words = ["check", "--only", "drift", "--privileges", "--database-url", database.url]
    words += ["--migrations", str(files.directories[0])]
    assert CliRunner().invoke(cli, words).exit_code == 0
    changes = (
        f"ALTER DATABASE \"{database.name}\" SET work_mem = '6MB'",
        f'ALTER ROLE {role} IN DATABASE "{database.name}" RESET ALL',
        f'GRANT CONNECT ON DATABASE "{database.name}" TO PUBLIC',
    )
    for change in changes:
        with database.connect() as connection:
            connection.execute(change.encode())
        found = CliRunner().invoke(cli, words)
        assert (found.exit_code, "database itself differs in" in found.stdout) == (1, True), change
        assert "PUBLIC CONNECT" in found.stdout or "PUBLIC" not in change


def test_a_test_database_has_the_targets_encoding_and_locale(
    server: RunningServer, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "0001_t.sql").write_text("CREATE TABLE t (name text);\n")
    files = read_migrations(tmp_path)
    target = database.with_name(f"latin{secrets.token_hex(4)}")
    create = f"CREATE DATABASE \"{target.name}\" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    with server.database.connect() as connection:
        connection.execute(create.encode())
        try:
            options = SuiteOptions(migrations=(tmp_path,), server="url", url=target.url)
            databases = Databases(options, wanted=lambda kind: 1)
            try:
                for made in (*(make_test_database(target, files).database for _ in range(2)), databases.take()):
                    with made.connect() as inside:
                        assert inside.execute("SHOW server_encoding").fetchone() == ("LATIN1",)
            finally:
                databases.close()
            assert not make_test_database(database, files).was_cloned  # another encoding is another template
        finally:
            for name in (target.name, f"{target.name}_test"):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def test_what_the_migrations_take_for_granted_is_prepared_or_copied(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_t.sql").write_text("CREATE TABLE t (mail dba.mail);\n")
    files = read_migrations(folder)
    with pytest.raises(MigrationFailed) as caught:
        make_test_database(database, files)
    assert caught.value.message.startswith("in the test database, 0001_t failed")
    assert "--prepare FILE" in caught.value.hint and "--template NAME" in caught.value.hint
    prepare = tmp_path / "prepare.sql"
    prepare.write_text("CREATE SCHEMA dba; CREATE DOMAIN dba.mail AS text;\n")
    assert not make_test_database(database, files, recipe=Recipe(prepare=prepare)).was_cloned
    prepare.write_text("CREATE SCHEMA dba; CREATE DOMAIN dba.mail AS text CHECK (value <> '');\n")
    assert not make_test_database(database, files, recipe=Recipe(prepare=prepare)).was_cloned
    prepare.write_text("CREATE SCHEMA;")
    with pytest.raises(DatabaseError, match=r"prepare\.sql:1 was refused"):
        make_test_database(database, files, recipe=Recipe(prepare=prepare))
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA dba; CREATE DOMAIN dba.mail AS text")
    words = ["test-db", "--template", database.name, "--database-url", database.url, "--migrations", str(folder)]
    assert CliRunner().invoke(cli, words).exit_code == 0


def test_roles_are_made_where_the_user_lets_them(database: Database, tmp_path: Path) -> None:
    role = f"made{secrets.token_hex(4)}"
    (tmp_path / "0001_r.sql").write_text(
        f"CREATE ROLE {role};\nCREATE TABLE t (id integer);\nGRANT SELECT ON t TO {role};\n"
        f"ALTER ROLE {role} SET work_mem = '5MB';\nDO $$ BEGIN ALTER ROLE {role} NOLOGIN; END $$;\nDROP ROLE {role};\n"
    )
    words = ["test-db", "--database-url", database.url, "--migrations", str(tmp_path)]
    refused = CliRunner().invoke(cli, words)
    assert isinstance(refused.exception, MigrationFailed) and "--allow-outside" in refused.exception.hint
    for text in ("SELECT 1;\n", "SELECT 2;\n"):
        (tmp_path / "0002_s.sql").write_text(text)
        assert CliRunner().invoke(cli, [*words, "--allow-outside"]).exit_code == 0
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", (role,)).fetchone() == (1,)
