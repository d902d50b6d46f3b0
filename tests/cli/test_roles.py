"""``--role``: everything is done by that role, and belongs to it, however the user logs in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import sql

from tests.cli.test_commands import count, run, write
from tests.engine.test_faults import needs_pgbouncer, pgbouncer
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed, UsageError
from wflo_schema.files.folder import read_migrations

# Everything that belongs to somebody, apart from what initdb made and the indexes and toast tables that go with it.
OWNERS = (
    "SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class "
    "WHERE oid >= 16384 AND relnamespace NOT IN ('pg_toast'::regnamespace)"
)


@dataclass(frozen=True)
class Roles:
    """A database of the role ``owner``, seen by ``login``, who is no superuser and a member of it."""

    database: Database
    login: str
    owner: str

    @property
    def url(self) -> str:
        return self.database.url

    def execute(self, text: str) -> None:
        with self.database.with_parameters(user="postgres").connect() as connection:
            names = {"login": sql.Identifier(self.login), "owner": sql.Identifier(self.owner)}
            connection.execute(sql.SQL(text).format(**names, database=sql.Identifier(self.database.name)))


@pytest.fixture
def roles(database: Database) -> Iterator[Roles]:
    made = Roles(database.with_parameters(user=f"in_{database.name}"), f"in_{database.name}", f"Own_{database.name}")
    made.execute(
        "CREATE ROLE {owner} NOLOGIN; CREATE ROLE {login} LOGIN CREATEDB; GRANT {owner} TO {login};"
        "ALTER DATABASE {database} OWNER TO {owner}"
    )
    yield made
    made.execute("ALTER DATABASE {database} OWNER TO postgres; REASSIGN OWNED BY {owner}, {login} TO postgres")
    made.execute("DROP OWNED BY {owner}, {login}; DROP ROLE {owner}, {login}")


FILES = {
    "1_a": "CREATE TABLE a (id int PRIMARY KEY); RESET ROLE; CREATE TABLE a2 (); DISCARD TEMP; RESET ALL;",
    "1_a_rollback": "DROP TABLE a2; DROP TABLE a;",
    "2_b": "-- transactional: false\nCREATE INDEX CONCURRENTLY a_id ON a (id);",
    "2_b_rollback": "-- transactional: false\nDROP INDEX CONCURRENTLY a_id;",
    "3_c": "SET SESSION AUTHORIZATION DEFAULT; SET ROLE NONE; SET ROLE %s; CREATE TABLE c (id int);",
    "3_c_rollback": "DROP TABLE c;",
    "4_d": "CREATE VIEW d AS SELECT id FROM a; CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1;",
    "4_d_rollback": "DROP VIEW d; DROP FUNCTION f();",
}


@pytest.fixture
def shop(roles: Roles, folder: Path) -> Path:
    write(folder, **{name: text.replace("%s", f'"{roles.owner}"') for name, text in FILES.items()})
    (folder / ".git").mkdir()
    (folder / "wflo-schema.toml").write_text(f'role = "{roles.owner}"\ndatabase-url = "{roles.url}"\n')
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    return tmp_path


@pytest.mark.every_version
def test_everything_belongs_to_the_role_and_replays_are_equal_with_owners(roles: Roles, shop: Path) -> None:
    ran = run("migrate", cwd=shop)
    assert ran.code == 0, ran.err
    assert count(roles.database, OWNERS) == f'"{roles.owner}"'
    ran = run("check", "--only", "ledger,drift", "--privileges", cwd=shop)
    assert ran.code == 0, ran.out + ran.err
    ran = run("rollback", "--to", "1_a", cwd=shop)
    assert ran.code == 0, ran.err
    ran = run("baseline", "--to", "4_d", "--unverified", cwd=shop)
    assert ran.code == 0, ran.err
    assert count(roles.database, OWNERS) == f'"{roles.owner}"'
    assert run("status", cwd=shop).code == 0
    assert count(roles.database, "SELECT count(*) FROM pg_database WHERE datname ~ '^wflo_scratch'") == 0


@pytest.mark.one_server
def test_a_user_that_inherits_nothing_from_the_role_is_no_hindrance(roles: Roles, shop: Path) -> None:
    roles.execute("REVOKE {owner} FROM {login}; ALTER ROLE {login} NOINHERIT; GRANT {owner} TO {login}")
    assert run("migrate", cwd=shop).code == 0
    ran = run("check", "--only", "ledger,drift", "--privileges", cwd=shop)
    assert ran.code == 0, ran.out + ran.err
    made = "SELECT count(*) FROM pg_database WHERE datdba::regrole::text = '\"{}\"'"
    assert count(roles.database, made.format(roles.owner)) == 1  # the scratch databases are gone


@pytest.mark.one_server
def test_a_missing_database_is_made_for_the_role(roles: Roles, shop: Path) -> None:
    new = roles.database.with_name(f"{roles.database.name}_new")
    try:
        ran = run("migrate", "--database-url", new.url, "--create-database", cwd=shop)
        assert ran.code == 0, ran.err
        owner = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
        assert count(new, owner) == f'"{roles.owner}"' == count(new, OWNERS)
        ran = run("test-db", "--database-url", new.url, cwd=shop)
        assert ran.code == 0, ran.err
        test = new.with_name(f"{new.name}_test")
        assert count(test, owner) == f'"{roles.owner}"' == count(test, OWNERS)
        assert run("test-db", "--database-url", new.url, cwd=shop).code == 0
    finally:
        for name in (new.name, f"{new.name}_test"):
            with roles.database.with_parameters(user="postgres").connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        run("test-db", "prune", "--database-url", roles.url, cwd=shop)
        with roles.database.with_parameters(user="postgres").connect() as connection:
            query = "SELECT datname FROM pg_database WHERE datname ~ '^wflo_template' AND datdba::regrole::text = %s"
            for (name,) in connection.execute(query, (f'"{roles.owner}"',)).fetchall():
                connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.every_version
@pytest.mark.spread_over_servers
def test_no_such_role_and_no_member_are_told_before_anything_runs(roles: Roles, shop: Path) -> None:
    roles.execute("REVOKE {owner} FROM {login}")
    ran = run("migrate", cwd=shop)
    assert (ran.code, ran.out) == (3, "")
    assert f"{roles.login} may not work as the role {roles.owner} at" in ran.err
    assert f'GRANT "{roles.owner}" TO {roles.login}' in ran.err
    ran = run("migrate", "--role", "nobody here", cwd=shop)
    assert ran.code == 3
    assert "there is no role nobody here at" in ran.err and 'CREATE ROLE "nobody here"' in ran.err
    for wrong in ("", "none", "x" * 64):
        assert run("migrate", "--role", wrong, cwd=shop).code == 2


@pytest.mark.one_server
def test_the_role_comes_from_option_variable_file_or_url_in_this_order(roles: Roles, shop: Path) -> None:
    env = {"WFLO_SCHEMA_ROLE": "of_variable"}
    assert "no role of_variable" in run("status", cwd=shop, env=env).err
    assert "no role of_option" in run("status", "--role", "of_option", cwd=shop, env=env).err
    ran = run("status", cwd=shop, env={"DATABASE_URL": f"{roles.url}?role=of_url"})
    assert ran.code == 0, ran.err  # the file's: nothing is applied yet
    (shop / "wflo-schema.toml").unlink()
    ran = run("status", cwd=shop, env={"DATABASE_URL": f"{roles.url}?role=of_url"})
    assert "no role of_url" in ran.err
    asked = Database.parse(f"{roles.url}?role=a%20b")
    assert asked.role == "a b" and Database.parse(asked.url).parameters["options"] == r"-c role=a\ b"


@needs_pgbouncer
@pytest.mark.one_server
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_that_does_not_pass_the_role_on_is_told_and_the_users_own_default_serves(
    database: Database, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a (); RESET ROLE; CREATE TABLE b ();")
    (tmp_path / "2_c.sql").write_text("CREATE TABLE c (); DISCARD TEMP; RESET ALL; CREATE TABLE d ();")
    role = f"own_{database.name}"
    default = f"ALTER ROLE postgres IN DATABASE {database.name} SET role = {role}"
    with database.connect() as connection:
        connection.execute(f"CREATE ROLE {role}; ALTER DATABASE {database.name} OWNER TO {role}".encode())
    try:
        with pgbouncer(database, mode, 2) as pooled:
            with pytest.raises(ConnectionFailed) as caught:
                operations.migrate(pooled.with_role(role), read_migrations(tmp_path))
            assert "does not pass on" in caught.value.message and default in caught.value.hint
        with database.connect() as connection:
            connection.execute(default.encode())
        with pgbouncer(database, mode, 2) as pooled:
            operations.migrate(pooled.with_role(role), read_migrations(tmp_path))
        assert count(database, OWNERS) == role
    finally:
        with database.with_role("postgres").connect() as connection:
            connection.execute(f"ALTER ROLE postgres IN DATABASE {database.name} RESET role".encode())
            connection.execute(f"ALTER DATABASE {database.name} OWNER TO postgres".encode())
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


@pytest.mark.one_server
def test_who_blocks_the_role_is_seen(roles: Roles, shop: Path) -> None:
    assert run("migrate", "--to", "1_a", cwd=shop).code == 0
    write(shop, **{"2_b": "ALTER TABLE a ADD x int;"})
    with roles.database.connect(autocommit=False) as blocker:
        blocker.execute("SET ROLE {}".format(f'"{roles.owner}"').encode())
        blocker.execute("LOCK TABLE a")
        pid = blocker.info.backend_pid
        ran = run("migrate", "--to", "2_b", "--lock-wait", "2s", cwd=shop)
    assert ran.code == 3
    assert re.search(rf"blocked by .*{pid}", ran.err), ran.err


def test_a_name_that_no_role_can_have_is_refused() -> None:
    with pytest.raises(UsageError):
        Database.parse("postgresql://h/d").with_role("none")


@pytest.mark.one_server
def test_repeatables_hooks_seeds_and_diff_are_the_roles_too_with_the_ledger_apart(roles: Roles, shop: Path) -> None:
    (shop / "migrations" / "repeatable").mkdir()
    (shop / "migrations" / "hooks").mkdir()
    (shop / "seeds" / "demo").mkdir(parents=True)
    (shop / "migrations" / "repeatable" / "v.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT id FROM a;\n")
    (shop / "migrations" / "hooks" / "after-all.sql").write_text("CREATE TABLE IF NOT EXISTS hooked (who name);\n")
    (shop / "seeds" / "demo" / "1.sql").write_text("INSERT INTO c VALUES (1); CREATE TABLE of_seed ();\n")
    with (shop / "wflo-schema.toml").open("a") as file:
        file.write('ledger-schema = "meta"\n')
    for words in (
        ("migrate", "--create-schema"),
        ("seed", "demo"),
        ("check", "--only", "ledger"),
    ):
        ran = run(*words, cwd=shop)
        assert ran.code == 0, (words, ran.out, ran.err)
    (shop / "migrations" / "repeatable" / "v.sql").write_text(
        "CREATE OR REPLACE VIEW v AS SELECT id, 2 AS two FROM a;\n"
    )
    ran = run("migrate", cwd=shop)
    assert ran.code == 0, ran.err
    assert count(roles.database, OWNERS) == f'"{roles.owner}"'
    ledgers = "SELECT string_agg(DISTINCT relnamespace::regnamespace::text, ',') FROM pg_class WHERE relkind = 'r'"
    assert count(roles.database, f"{ledgers} AND relname ~ '^_(yoyo|wflo)'") == "meta"
    roles.execute("DROP TABLE of_seed")
    ran = run("diff", cwd=shop)
    assert ran.code == 0 and "meta" not in ran.out + ran.err, ran.out + ran.err
    ran = run("check", "--only", "drift", "--privileges", cwd=shop)
    assert ran.code == 0 and f"as {roles.owner}" in ran.out, ran.out + ran.err
