"""wflo-schema seed, and seeds in test databases, as they are typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import count, run, write
from wflo_schema.connect.database import Database
from wflo_schema.connect.maintenance import connect_for_making

pytestmark = pytest.mark.one_server

USERS = "id,name\n1,Ann\n2,Bob\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    write(tmp_path, **{"1_a": "CREATE TABLE users (id serial PRIMARY KEY, name text);"})
    lay(tmp_path, "seeds/demo/1_users.csv", USERS)
    return tmp_path


def lay(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def env(project: Path, database: Database) -> dict[str, str]:
    found = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=project, env=found).code == 0
    return found


def test_seeds_are_loaded_once_and_listed(project: Path, env: dict[str, str], database: Database) -> None:
    planned = run("seed", "demo", "--dry-run", cwd=project, env=env)
    assert (planned.code, planned.out.splitlines()[1:]) == (0, ["  would run demo/1_users.csv", "1 file to run"])
    first = run("seed", "demo", cwd=project, env=env)
    begun, seeded, sequence, done = first.out.splitlines()
    assert (first.code, first.err) == (0, "")
    assert begun.startswith("seeding ")
    assert begun.endswith("schema public, from seeds")
    assert seeded.startswith("  seeded demo/1_users.csv  (2 rows, ")
    assert sequence == "  sequence public.users_id_seq continues after 2"
    assert done.startswith("1 file seeded in ")
    again = run("seed", "demo", "--format", "json", cwd=project, env=env)
    assert (again.code, again.json["done"], again.json["already"]) == (0, [], 1)
    listed = run("seed", cwd=project, env=env)
    assert listed.out.splitlines()[1] == "demo"
    assert listed.out.splitlines()[2].startswith("  ✓ applied  1_users.csv  ")
    assert count(database, "SELECT count(*) FROM users") == 2


def test_a_fault_is_shown_with_its_line_and_as_json(project: Path, env: dict[str, str]) -> None:
    lay(project, "seeds/demo/1_users.csv", "id,name\n1,Ann\nx,Bob\n")
    ran = run("seed", "demo", "--format", "json", cwd=project, env=env)
    assert ran.code == 3
    assert ran.json["error"]["location"] == {"path": "seeds/demo/1_users.csv", "line": 3, "column": 1}
    assert "  3 | x,Bob" in ran.err
    assert "context: COPY users, line 3, column id" in ran.err


def test_what_stands_against_a_run_is_said_with_what_to_type(project: Path, env: dict[str, str]) -> None:
    write(project, **{"2_b": "SELECT 1;"})
    ran = run("seed", "demo", cwd=project, env=env)
    assert (ran.code, ran.err.splitlines()[0]) == (3, "error: 1 migration is pending: 2_b")
    planned = run("seed", "demo", "--dry-run", cwd=project, env=env)
    assert (planned.code, planned.out.splitlines()[-1]) == (1, "no: seed would run nothing")
    assert run("seed", "dmo", cwd=project, env=env).code == 2
    assert run("seed", "demo", "--allow", "pending", cwd=project, env=env).code == 0


def test_contract_settings_and_typed_words_say_what_production_is(
    project: Path, env: dict[str, str], database: Database
) -> None:
    lay(project, "migrations/contract.toml", f'[contract]\nproduction = ["{database.name}"]\n')
    ran = run("seed", "demo", cwd=project, env=env)
    assert ran.code == 3
    assert f'is production\'s: migrations/contract.toml says production = ["{database.name}"]' in ran.err
    lay(project, "migrations/contract.toml", "[contract]\nproduction = true\n")
    ran = run("seed", "demo", cwd=project, env=env)
    assert "contract.toml:2: production must be a list of databases" in ran.err
    (project / "migrations/contract.toml").unlink()
    lay(project, "wflo-schema.toml", '[env.live]\nproduction = true\n[env.sly.seed]\nallow = "production"\n')
    ran = run("seed", "demo", "--env", "live", cwd=project, env=env)
    assert "is production's: production = true in wflo-schema.toml [env.live]" in ran.err
    denied = run("seed", "demo", "--env", "live", cwd=project, env={**env, "WFLO_SCHEMA_PRODUCTION": "no"})
    assert denied.err == ran.err
    ran = run("seed", "demo", "--env", "sly", cwd=project, env=env)
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --allow production counts only where it is typed")
    assert count(database, "SELECT count(*) FROM users") == 0
    assert run("seed", "demo", "--env", "live", "--allow", "production", cwd=project, env=env).code == 0


def test_freezing_a_contract_keeps_what_it_says_of_production(project: Path, env: dict[str, str]) -> None:
    lay(project, "migrations/contract.toml", '[contract]\nproduction = ["shop", "db.example.com/*"]\n')
    assert run("contract", "freeze", "--output", "migrations/contract.toml", cwd=project, env=env).code == 0
    text = (project / "migrations/contract.toml").read_text(encoding="utf-8")
    assert 'production = ["shop", "db.example.com/*"]' in text


def test_the_folder_of_seeds_stands_in_the_settings(project: Path, env: dict[str, str]) -> None:
    (project / "seeds").rename(project / "rows")
    assert run("seed", "demo", cwd=project, env=env).code == 2
    lay(project, "wflo-schema.toml", 'seeds = "rows"\n')
    assert run("seed", "demo", cwd=project, env=env).code == 0
    assert "rows" in run("config", cwd=project, env=env).out


def test_variables_of_statements_have_values_as_those_of_migrations(
    project: Path, env: dict[str, str], database: Database
) -> None:
    lay(project, "seeds/demo/2_more.sql", "-- variables: who\nINSERT INTO users (id, name) VALUES (3, :'who');\n")
    ran = run("seed", "demo", cwd=project, env=env)
    assert ran.code == 3
    assert "who" in ran.err
    assert count(database, "SELECT count(*) FROM users") == 0
    ran = run("seed", "demo", "--set", "who=O'Neil", cwd=project, env=env)
    assert (ran.code, ran.err) == (0, "")
    assert count(database, "SELECT name FROM users WHERE id = 3") == "O'Neil"


@pytest.fixture
def made(database: Database) -> Iterator[Database]:
    """The test database that is made; dropped afterwards, with the templates."""
    found = database.with_name(f"{database.name}_test")
    yield found
    with connect_for_making(database) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{found.name}" WITH (FORCE)'.encode())


def test_a_test_database_has_its_seeds_and_a_template_of_its_own(
    project: Path, env: dict[str, str], made: Database
) -> None:
    ran = run("test-db", "--seed", "demo", cwd=project, env=env)
    assert ran.code == 0, ran.err
    assert count(made, "SELECT count(*) FROM users") == 2
    assert "cloned" in run("test-db", "--seed", "demo", cwd=project, env=env).out
    lay(project, "seeds/demo/1_users.csv", USERS + "3,Cleo\n")
    ran = run("test-db", "--seed", "demo", cwd=project, env=env)
    assert "cloned" not in ran.out
    assert count(made, "SELECT count(*) FROM users") == 3
    lay(project, "seeds/demo/2_users.csv", "id,name\n4,Dan\n")
    assert run("test-db", "--seed", "demo", "--keep", cwd=project, env=env).code == 0
    assert count(made, "SELECT max(id) FROM users") == 4
    assert run("test-db", cwd=project, env=env).code == 0
    assert count(made, "SELECT count(*) FROM users") == 0
