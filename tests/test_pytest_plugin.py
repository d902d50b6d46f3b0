"""The pytest plugin, run as a user runs it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import BIN, RunningServer
from wflo_schema import server as server_module
from wflo_schema import testdb

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parent.parent
IS_INSTALLED = bool(importlib.metadata.entry_points(group="pytest11", name="wflo_schema"))
PLUGIN = () if IS_INSTALLED else ("-p", "wflo_schema.pytest_plugin")

pytestmark = pytest.mark.skipif("18" not in BIN, reason="the embedded server is not installed")


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A folder for an embedded test server of these tests' own."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="wfs-plugin-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    yield directory
    server_module.stop_embedded(directory)
    shutil.rmtree(directory)


@pytest.fixture
def project(pytester: pytest.Pytester, server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with two migrations, on the embedded server."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    migrations = pytester.mkdir("migrations")
    (migrations / "0001-a.sql").write_text(f"-- {secrets.token_hex(8)}\nCREATE TABLE a (id integer PRIMARY KEY);\n")
    (migrations / "0001-a.rollback.sql").write_text("DROP TABLE a;\n")
    (migrations / "0002-b.sql").write_text("ALTER TABLE a ADD COLUMN b integer;\n")
    (migrations / "0002-b.rollback.sql").write_text("ALTER TABLE a DROP COLUMN b;\n")
    pytester.makeini(f"[pytest]\nwflo_server_directory = {server_directory}\n")
    return pytester


def _run(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    return project.runpytest_subprocess(*PLUGIN, "-p", "no:cacheprovider", *words)


def _databases(server_directory: Path) -> list[testdb.Made]:
    found = server_module.find_embedded(server_directory, database_name="postgres")
    assert found is not None
    return [m for m in testdb.list_(found.database) if m.purpose != "template"]


# --- fixtures ---------------------------------------------------------------------------------


def test_every_test_has_a_migrated_database_of_its_own(project: pytest.Pytester, server_directory: Path) -> None:
    project.makepyfile(
        """
        import psycopg, pytest

        @pytest.mark.parametrize("number", range(5))
        def test_commit(wflo_connection, wflo_url, wflo_database, number):
            wflo_connection.execute("INSERT INTO a VALUES (1, 2)")
            with psycopg.connect(wflo_url) as other:
                assert other.execute("SELECT count(*) FROM a").fetchone() == (1,)
            assert wflo_connection.info.dbname == wflo_database.name
        """
    )
    _run(project).assert_outcomes(passed=5)
    assert _databases(server_directory) == []


@pytest.mark.parametrize("words", [(), ("-n", "3")])
def test_own_server_by_url(
    project: pytest.Pytester, server: RunningServer, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("WFLO_TEST_DATABASE_URL", server.database.url)
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_commit(wflo_connection, number):
            wflo_connection.execute("INSERT INTO a VALUES (1, 2)")
            assert wflo_connection.info.server_version // 10000 == {server.version}
        """
    )
    _run(project, *words).assert_outcomes(passed=4)
    assert [m for m in testdb.list_(server.database) if m.purpose in ("clone", "building")] == []


def test_workers_share_a_template_and_leave_nothing(project: pytest.Pytester, server_directory: Path) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(24))
        def test_commit(wflo_connection, number):
            wflo_connection.execute("INSERT INTO a VALUES (1, 2)")
        """
    )
    _run(project, "-n", "8").assert_outcomes(passed=24)
    assert _databases(server_directory) == []


def test_transaction_is_rolled_back_after_each_test(project: pytest.Pytester, server_directory: Path) -> None:
    project.makepyfile(
        """
        import psycopg, pytest

        @pytest.mark.parametrize("number", range(3))
        def test_insert(wflo_transaction, number):
            assert wflo_transaction.execute("SELECT count(*) FROM a").fetchone() == (0,)
            wflo_transaction.execute("INSERT INTO a VALUES (1)")
            wflo_transaction.execute("SET search_path = pg_catalog")

        def test_nested(wflo_transaction):
            with wflo_transaction.transaction():
                wflo_transaction.execute("INSERT INTO a VALUES (1)")

        def test_failed_statement(wflo_transaction):
            with pytest.raises(psycopg.errors.DivisionByZero):
                wflo_transaction.execute("SELECT 1 / 0")

        def test_closed(wflo_transaction):
            wflo_transaction.execute("INSERT INTO a VALUES (1)")
            wflo_transaction.close()

        def test_after(wflo_transaction):
            assert wflo_transaction.execute("SELECT count(*) FROM a").fetchone() == (0,)
        """
    )
    _run(project).assert_outcomes(passed=7)
    assert _databases(server_directory) == []


@pytest.mark.parametrize(
    "ending",
    [
        "execute('COMMIT')",
        "commit()",
        "execute('COMMIT; BEGIN')",
        "execute('ROLLBACK; INSERT INTO a VALUES (1); BEGIN')",
        "execute('COMMIT; BEGIN'); error(wflo_transaction)",
        "execute('COMMIT; BEGIN; SAVEPOINT wflo_schema_begin'); error(wflo_transaction)",
    ],
)
def test_transaction_that_is_committed_fails_its_test_and_not_the_next(project: pytest.Pytester, ending: str) -> None:
    project.makepyfile(
        f"""
        import psycopg, pytest

        def error(connection):
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("SELECT 1 / 0")

        def test_commits(wflo_transaction):
            wflo_transaction.execute("INSERT INTO a VALUES (1)")
            wflo_transaction.{ending}

        def test_next(wflo_transaction):
            assert wflo_transaction.execute("SELECT count(*) FROM a").fetchone() == (0,)
        """
    )
    result = _run(project)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the test ended the transaction of wflo_transaction*"])


def test_more_databases_with_other_migrations_schema_and_seed(project: pytest.Pytester, server_directory: Path) -> None:
    other = project.mkdir("other")
    (other / "0001-x.sql").write_text("CREATE TABLE x (id integer);\n")
    project.path.joinpath("seed.sql").write_text("INSERT INTO a (id) VALUES (1), (2);\n")
    project.makepyfile(
        """
        def count(database, query):
            with database.connect() as connection:
                return connection.execute(query).fetchone()[0]

        def test_more(wflo_make_database, wflo_connection):
            one, two = wflo_make_database(), wflo_make_database()
            assert len({one.name, two.name, wflo_connection.info.dbname}) == 3
            assert count(wflo_make_database("other"), "SELECT count(*) FROM x") == 0
            assert count(wflo_make_database(schema="app"), "SELECT count(*) FROM app.a") == 0
            assert count(wflo_make_database(seeds=["seed.sql"]), "SELECT count(*) FROM a") == 2
            assert count(one, "SELECT count(*) FROM a") == 0
        """
    )
    _run(project).assert_outcomes(passed=1)
    assert _databases(server_directory) == []


def test_async_tests_use_the_url(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import psycopg, pytest

        @pytest.mark.asyncio
        async def test_commit(wflo_url):
            async with await psycopg.AsyncConnection.connect(wflo_url) as connection:
                cursor = await connection.execute("SELECT count(*) FROM a")
                assert await cursor.fetchone() == (0,)
        """
    )
    _run(project).assert_outcomes(passed=1)


def test_failed_tests_database_is_kept_and_the_printed_command_connects(
    project: pytest.Pytester, server_directory: Path
) -> None:
    project.makepyfile(
        """
        def test_good(wflo_connection):
            pass

        def test_bad(wflo_connection):
            wflo_connection.execute("INSERT INTO a VALUES (42)")
            assert False
        """
    )
    result = _run(project, "--wflo-keep")
    result.assert_outcomes(passed=1, failed=1)
    (kept,) = _databases(server_directory)
    assert kept.purpose == "kept"
    assert kept.about.endswith("::test_bad")
    command = next(line for line in result.outlines if line.startswith("psql "))
    with psycopg.connect(shlex.split(command)[1]) as connection:
        assert connection.execute("SELECT id FROM a").fetchone() == (42,)
    _run(project, "-k", "good").assert_outcomes(passed=1, deselected=1)
    assert _databases(server_directory) == [kept]
    found = server_module.find_embedded(server_directory, database_name="postgres")
    assert found is not None
    assert kept.name in [m.name for m in testdb.prune(found.database, kept=True).dropped]


def test_kept_databases_command_shows_no_password(
    project: pytest.Pytester, server: RunningServer
) -> None:
    url = server.database.url.replace("postgres@", "postgres:topsecret@")
    project.makepyfile("def test_bad(wflo_connection):\n    assert False\n")
    result = _run(project, "--wflo-keep", f"--wflo-database-url={url}", "--tb=short")
    result.assert_outcomes(failed=1)
    assert any(line.startswith("psql ") for line in result.outlines)
    assert "topsecret" not in "\n".join(result.outlines)
    testdb.prune(server.database, kept=True)


# --- options ----------------------------------------------------------------------------------


def test_ini_and_command_line_agree_and_the_command_line_wins(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        from wflo_schema.pytest_plugin import _options

        def pytest_terminal_summary(terminalreporter, config):
            terminalreporter.write_line("OPTIONS " + repr(_options(config)))
        """
    )
    values = {
        "migrations": "m", "server": "docker", "database-url": "postgresql://h/x", "schema": "app", "seed": "s.sql",
        "contract": "c.toml", "compose-file": "d.yml", "server-directory": "v", "ahead": "9",
    }  # fmt: skip
    project.makepyfile("def test_nothing():\n    pass\n")

    def shown(*words: str) -> str:
        result = _run(project, *words)
        return next(line for line in result.outlines if line.startswith("OPTIONS "))

    project.makeini("[pytest]\n")
    from_command_line = shown(*(f"--wflo-{k}={v}" for k, v in values.items()))
    project.makeini("[pytest]\n" + "".join(f"wflo_{k.replace('-', '_')} = {v}\n" for k, v in values.items()))
    assert shown() == from_command_line
    for value in values.values():
        assert value in from_command_line
    assert "ahead=3" in shown("--wflo-ahead=3")
    assert "server='embedded'" in shown("--wflo-server=embedded")


def test_plugin_imports_nothing_heavy_until_it_is_used() -> None:
    program = (
        "import sys, wflo_schema.pytest_plugin; "
        "heavy = {'psycopg', 'yoyo', 'click', 'rich', 'docker', 'postgast', 'wflo_schema.testing'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_project_that_does_not_use_it_notices_nothing(project: pytest.Pytester) -> None:
    shutil.rmtree(project.path / "migrations")
    project.makeini("[pytest]\n")
    project.makepyfile(
        """
        import sys

        def test_nothing():
            assert "wflo_schema.testing" not in sys.modules
            assert "yoyo" not in sys.modules
        """
    )
    result = _run(project)
    result.assert_outcomes(passed=1)
    assert not [line for line in result.outlines if "wflo" in line and "plugins:" not in line and "rootdir" not in line]


def test_server_that_does_not_answer_is_one_message_a_test(project: pytest.Pytester) -> None:
    project.makepyfile("def test_one(wflo_url):\n    pass\n\n\ndef test_two(wflo_transaction):\n    pass\n")
    result = _run(project, "--wflo-database-url=postgresql://me:topsecret@127.0.0.1:1/x")
    result.assert_outcomes(errors=2)
    said = "\n".join(result.outlines)
    assert "wflo-schema cannot make a database: no server answers at me@127.0.0.1:1/" in said
    assert "Traceback" not in said
    assert "topsecret" not in said


def test_broken_migration_is_one_message_a_test(project: pytest.Pytester) -> None:
    project.path.joinpath("migrations", "0003-c.sql").write_text("SELECT 1 / 0;\n")
    project.makepyfile("def test_one(wflo_url):\n    pass\n")
    result = _run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*division by zero*"])


@pytest.mark.parametrize("words", [(), ("-n", "2")])
def test_server_is_stopped_where_that_is_asked_for_and_no_database_was_kept(
    project: pytest.Pytester, words: tuple[str, ...]
) -> None:
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="wfs-plugin-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    asked = (f"--wflo-server-directory={directory}", "--wflo-stop-server", *words)
    project.makepyfile("def test_good(wflo_url):\n    pass\n\n\ndef test_bad(wflo_url):\n    assert False\n")
    try:
        _run(project, "--wflo-keep", *asked).assert_outcomes(passed=1, failed=1)
        assert server_module.status_embedded(directory).state == "running"
        _run(project, *asked).assert_outcomes(passed=1, failed=1)
        assert server_module.status_embedded(directory).state == "stopped"
    finally:
        server_module.stop_embedded(directory)
        shutil.rmtree(directory)


# --- free tests -------------------------------------------------------------------------------


def test_free_tests_are_off_unless_switched_on(project: pytest.Pytester) -> None:
    project.makepyfile("def test_nothing():\n    pass\n")
    _run(project).assert_outcomes(passed=1)


def test_free_tests_pass_on_good_migrations_and_say_what_does_not_apply(project: pytest.Pytester) -> None:
    folder = project.path / "migrations"
    (folder / "0003-c.sql").write_text("CREATE INDEX a_b_idx ON a (b);\n")
    (folder / "contract.toml").write_text('[contract]\ntables = ["a"]\n')
    project.path.joinpath("seed.sql").write_text("INSERT INTO a (id) VALUES (1), (2);\n")
    result = _run(project, "--wflo-free-tests", "--wflo-seed=seed.sql", "-v", "-rs")
    result.assert_outcomes(passed=5, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "wflo-schema::up-down-up?0001-a? PASSED*",
            "wflo-schema::up-down-up?0002-b? PASSED*",
            "wflo-schema::up-down-up?0003-c? SKIPPED*",
            "wflo-schema::on-top-of-data?0001-a? SKIPPED*",
            "wflo-schema::on-top-of-data?0002-b? PASSED*",
            "wflo-schema::on-top-of-data?0003-c? PASSED*",
            "wflo-schema::contract-holds PASSED*",
        ]
    )
    result.stdout.fnmatch_lines(["*0003-c has no rollback file*", "*the seed goes in after 0001-a or later*"])


def test_free_tests_find_a_rollback_that_leaves_something(project: pytest.Pytester) -> None:
    (project.path / "migrations" / "0002-b.rollback.sql").write_text("SELECT 1;\n")
    result = _run(project, "--wflo-free-tests")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["after rolling 0002-b back the database is not as it was before it", "column *"])


def test_free_tests_find_a_migration_that_fails_on_data(project: pytest.Pytester) -> None:
    (project.path / "migrations" / "0002-b.sql").write_text("ALTER TABLE a ADD COLUMN b integer NOT NULL;\n")
    project.path.joinpath("seed.sql").write_text("INSERT INTO a (id) VALUES (1), (2);\n")
    result = _run(project, "--wflo-free-tests", "--wflo-seed=seed.sql", "-k", "on-top-of-data")
    result.assert_outcomes(failed=1, skipped=1, deselected=2)
    result.stdout.fnmatch_lines(["*contains null values*"])


def test_free_tests_find_a_broken_contract(project: pytest.Pytester) -> None:
    (project.path / "migrations" / "contract.toml").write_text('[contract]\ntables = ["a", "nowhere"]\n')
    result = _run(project, "--wflo-free-tests", "-k", "contract")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*nowhere*"])


def test_free_tests_find_a_seed_that_never_goes_in(project: pytest.Pytester) -> None:
    project.path.joinpath("seed.sql").write_text("INSERT INTO nowhere VALUES (1);\n")
    result = _run(project, "--wflo-free-tests", "--wflo-seed=seed.sql", "-k", "on-top")
    result.assert_outcomes(failed=1, skipped=1, deselected=2)
    result.stdout.fnmatch_lines(["the seed is not accepted after any migration", "*seed.sql:1*nowhere*"])


def test_free_tests_are_shared_out_among_workers(project: pytest.Pytester) -> None:
    _run(project, "--wflo-free-tests", "-n", "2").assert_outcomes(passed=2)


# --- kills ------------------------------------------------------------------------------------


def test_session_killed_in_the_middle_of_a_test_is_cleaned_up_by_the_next(
    project: pytest.Pytester, server_directory: Path
) -> None:
    project.makepyfile(
        """
        import os, pathlib, time

        def test_sleeps(wflo_connection):
            wflo_connection.execute("INSERT INTO a VALUES (1)")
            pathlib.Path("reached").touch()
            if "SLEEP" in os.environ:
                time.sleep(60)

        def test_other(wflo_connection):
            assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", *PLUGIN, "-q"],
        cwd=project.path, env={**os.environ, "SLEEP": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not (project.path / "reached").exists():
            assert child.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    end = time.monotonic() + 10
    while any(m.is_alive or m.connections for m in _databases(server_directory)) and time.monotonic() < end:
        time.sleep(0.05)
    left = _databases(server_directory)
    assert left
    assert {m.purpose for m in left} == {"clone"}
    _run(project).assert_outcomes(passed=2)
    assert _databases(server_directory) == []


# --- the example ------------------------------------------------------------------------------


def test_example_project_passes_as_a_user_would_run_it(
    tmp_path: Path, server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("asyncpg")
    pytest.importorskip("sqlalchemy")
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", shop, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, f"--wflo-server-directory={server_directory}", "-v"],
        cwd=shop, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"13 passed, 1 skipped", done.stdout)
    assert done.stdout.count("PASSED") == 13
