"""The pytest plugin, run as a user runs it."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import BIN, IS_INSTALLED, VERSIONS, RunningServer, start_server, stop_server
from tests.engine.test_faults import wait_until
from wflo_schema.files.folder import read_migrations
from wflo_schema.server.embedded import find_embedded, status_embedded, stop_embedded
from wflo_schema.testdb import pytest_plugin
from wflo_schema.testdb.databases import list_test_databases, prune_test_databases
from wflo_schema.testdb.pytest_plugin import _OPTIONS
from wflo_schema.testdb.recipe import Recipe
from wflo_schema.testdb.session import Made, ServerSession

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
# pytest-asyncio warns without it.
_INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
PLUGIN = () if IS_INSTALLED else ("-p", "wflo_schema.testdb.pytest_plugin")

pytestmark = [
    pytest.mark.skipif("18" not in BIN, reason="the embedded server is not installed"),
    pytest.mark.spread_over_servers,
]


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A folder for an embedded test server of these tests' own."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="wfs-plugin-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    yield directory
    stop_embedded(directory)
    shutil.rmtree(directory)


@pytest.fixture
def project(pytester: pytest.Pytester, server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with two migrations, on the embedded server.  Its template is that of the tests before: see `_cold`."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    migrations = pytester.mkdir("migrations")
    (migrations / "0001-a.sql").write_text("CREATE TABLE a (id integer PRIMARY KEY);\n")
    (migrations / "0001-a.rollback.sql").write_text("DROP TABLE a;\n")
    (migrations / "0002-b.sql").write_text("ALTER TABLE a ADD COLUMN b integer;\n")
    (migrations / "0002-b.rollback.sql").write_text("ALTER TABLE a DROP COLUMN b;\n")
    pytester.makeini(f"{_INI}wflo_server_directory = {server_directory}\n")
    return pytester


def _cold(project: pytest.Pytester) -> None:
    """Give the project a migration that nobody else has, so that its template has yet to be built."""
    project.path.joinpath("migrations", "0001-a.sql").write_text(
        f"-- {secrets.token_hex(8)}\nCREATE TABLE a (id integer PRIMARY KEY);\n"
    )


def _run(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Run pytest within this process, which has imported what it needs; with workers as `_run_apart` does."""
    if "-n" in words:
        return _run_apart(project, *words)
    return project.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", *words)


def _run_apart(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Run pytest as a process of its own, where the point is what it imports, forks or leaves open at its end."""
    return project.runpytest_subprocess(*PLUGIN, "-p", "no:cacheprovider", *words)


def _times_told(result: pytest.RunResult, text: str) -> int:
    """How often ``text`` is in what pytest tells of each test, without its summary, which may repeat all (CI=true)."""
    lines = list(itertools.takewhile(lambda line: "short test summary info" not in line, result.outlines))
    return "\n".join(lines).count(text)


def _databases(server_directory: Path) -> list[Made]:
    found = find_embedded(server_directory, database_name="postgres")
    assert found is not None
    return [m for m in list_test_databases(found.database) if m.purpose != "template"]


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
    left = [m for m in list_test_databases(server.database) if m.purpose in ("clone", "building")]
    assert [m for m in left if not m.is_alive] == []  # those that live belong to this session here


def test_workers_share_a_template_and_leave_nothing(project: pytest.Pytester, server_directory: Path) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(24))
        def test_commit(wflo_connection, number):
            wflo_connection.execute("INSERT INTO a VALUES (1, 2)")
        """
    )
    _cold(project)
    _run(project, "-n", "4").assert_outcomes(passed=24)
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
    found = find_embedded(server_directory, database_name="postgres")
    assert found is not None
    assert kept.name in [m.name for m in prune_test_databases(found.database, kept=True).dropped]


def test_kept_databases_command_shows_no_password(project: pytest.Pytester, server: RunningServer) -> None:
    url = server.database.url.replace("postgres@", "postgres:topsecret@")
    project.makepyfile("def test_bad(wflo_connection):\n    assert False\n")
    result = _run(project, "--wflo-keep", f"--wflo-database-url={url}", "--tb=short")
    result.assert_outcomes(failed=1)
    assert any(line.startswith("psql ") for line in result.outlines)
    assert "topsecret" not in "\n".join(result.outlines)
    prune_test_databases(server.database, kept=True)


def test_project_that_gives_its_own_servers_has_every_test_and_free_test_on_each(
    project: pytest.Pytester, server_directory: Path, own_server: RunningServer
) -> None:
    _run(project, "--wflo-free-tests")  # so that the other server runs
    embedded = find_embedded(server_directory, database_name="postgres")
    assert embedded is not None
    project.makeconftest(
        f"""
        import pytest
        from wflo_schema import Database

        @pytest.fixture(scope="session", params=[{embedded.database.url!r}, {own_server.database.url!r}])
        def wflo_server(request):
            return Database.parse(request.param)
        """
    )
    project.makepyfile(
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("number", range(3))
        def test_migrated(wflo_connection, wflo_server, number):
            wflo_connection.execute("INSERT INTO a VALUES (1)")
            seen.append(wflo_server.conninfo)

        @pytest.mark.parametrize("number", range(3))
        def test_empty(wflo_empty_database, number):
            with wflo_empty_database.connect() as connection:
                assert connection.execute("SELECT to_regclass('a')").fetchone() == (None,)
                connection.execute("CREATE TABLE a (id integer)")

        def test_migrations(wflo_free_test):
            wflo_free_test()

        def test_transaction(wflo_transaction):
            wflo_transaction.execute("INSERT INTO a VALUES (1)")

        def test_end():
            assert len(set(seen)) == 2
        """
    )
    _run(project).assert_outcomes(passed=19)
    _run(project, "-n", "2", "-k", "not end").assert_outcomes(passed=18)
    assert _databases(server_directory) == []
    assert _left(own_server) == []


def test_wflo_free_test_says_what_is_broken_without_a_traceback(project: pytest.Pytester) -> None:
    (project.path / "migrations" / "0002-b.rollback.sql").write_text("SELECT 1;\n")
    project.makepyfile("def test_migrations(wflo_free_test):\n    wflo_free_test()\n")
    result = _run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["after rolling back 0002-b the database is not as it was before", "column *"])
    assert "def _run_free_test" not in "\n".join(result.outlines)


def test_seed_of_the_free_tests_is_in_no_other_database(project: pytest.Pytester) -> None:
    project.path.joinpath("rows.sql").write_text("INSERT INTO a (id) VALUES (1), (2);\n")
    project.makepyfile(
        """
        def test_it(wflo_connection):
            assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
        """
    )
    result = _run(project, "--wflo-free-tests", "--wflo-free-seed=rows.sql")
    result.assert_outcomes(passed=4, skipped=1)


def test_every_fixture_and_option_is_in_the_examples_document() -> None:
    text = (ROOT / "examples" / "shop" / "README.md").read_text(encoding="utf-8")
    for option in _OPTIONS:
        assert f"| `{option.name}` |" in text
    for name in dir(pytest_plugin):
        if name.startswith("wflo_"):
            assert f"| `{name}` |" in text


# --- options ----------------------------------------------------------------------------------


def test_ini_and_command_line_agree_and_the_command_line_wins(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        from wflo_schema.testdb.pytest_plugin import _options

        def pytest_terminal_summary(terminalreporter, config):
            terminalreporter.write_line("OPTIONS " + repr(_options(config)))
        """
    )
    values = {
        "migrations": "m",
        "server": "docker",
        "database-url": "postgresql://h/x",
        "schema": "app",
        "seed": "s.sql",
        "contract": "c.toml",
        "compose-file": "d.yml",
        "server-directory": "v",
        "ahead": "9",
        "free-seed": "f.sql",
    }
    project.makepyfile("def test_nothing():\n    pass\n")

    def shown(*words: str) -> str:
        result = _run(project, *words)
        return next(line for line in result.outlines if line.startswith("OPTIONS "))

    project.makeini(_INI)
    from_command_line = shown(*(f"--wflo-{k}={v}" for k, v in values.items()))
    project.makeini(_INI + "".join(f"wflo_{k.replace('-', '_')} = {v}\n" for k, v in values.items()))
    assert shown() == from_command_line
    for value in values.values():
        assert value in from_command_line
    assert "ahead=3" in shown("--wflo-ahead=3")
    assert "server='embedded'" in shown("--wflo-server=embedded")


def test_plugin_imports_nothing_heavy_until_it_is_used() -> None:
    program = (
        "import sys, wflo_schema.testdb.pytest_plugin; "
        "heavy = {'psycopg', 'yoyo', 'click', 'rich', 'docker', 'postgast', 'wflo_schema.testdb.suite'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_project_that_does_not_use_it_notices_nothing(project: pytest.Pytester) -> None:
    shutil.rmtree(project.path / "migrations")
    project.makeini(_INI)
    project.makepyfile(
        """
        import sys

        def test_nothing():
            assert "wflo_schema.testdb.suite" not in sys.modules
            assert "yoyo" not in sys.modules
        """
    )
    result = _run_apart(project)
    result.assert_outcomes(passed=1)
    assert not [line for line in result.outlines if "wflo" in line and "plugins:" not in line and "rootdir" not in line]


_FIFTY = """
import pytest

@pytest.mark.parametrize("number", range(50))
def test_it(wflo_connection, number):
    pass

def test_transaction(wflo_transaction):
    pass

def test_more(wflo_make_database):
    wflo_make_database()

def test_without_a_database():
    pass
"""


def test_server_that_does_not_answer_is_one_message(project: pytest.Pytester) -> None:
    project.makepyfile(_FIFTY)
    result = _run(project, "--wflo-database-url=postgresql://me:topsecret@127.0.0.1:1/x", "-rs")
    result.assert_outcomes(errors=1, skipped=51, passed=1)
    said = "\n".join(result.outlines)
    assert _times_told(result, "wflo-schema cannot make a database: no server answers at me@127.0.0.1:1/") == 1
    assert "Traceback" not in said
    assert "During handling" not in said
    assert "topsecret" not in said
    result.stdout.fnmatch_lines(["SKIPPED ?49?*wflo-schema cannot make a database, as *::test_it?0? says"])


def test_broken_migration_is_tried_and_told_once(project: pytest.Pytester, server_directory: Path) -> None:
    log = f"tried-{secrets.token_hex(4)}"  # in the server's data directory, where no rollback reaches
    broken = f"COPY (SELECT 'tried') TO PROGRAM 'cat >> {log}';\nSELECT 1 / 0;\n"
    project.path.joinpath("migrations", "0003-c.sql").write_text(broken)
    project.makepyfile(_FIFTY)
    result = _run(project, "--wflo-allow-outside")
    assert [path.read_text() for path in server_directory.rglob(log)] == ["tried\n"]
    result.assert_outcomes(errors=1, skipped=51, passed=1)
    assert _times_told(result, "statement 2 of 2") == 1
    result.stdout.fnmatch_lines(
        [
            "wflo-schema cannot make a database: in the test database, 0003-c failed in statement 2 of 2: division*",
            "*--> migrations/0003-c.sql:2*",
            "*2 | SELECT 1 / 0;",
            "*| ^",
            "hint: *",
        ],
        consecutive=True,
    )
    assert "kept: 0001-a" not in "\n".join(result.outlines)


def test_broken_migration_is_told_once_a_worker(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")  # pytest then says it again in its summary
    project.path.joinpath("migrations", "0003-c.sql").write_text("SELECT 1 / 0;\n")
    project.makepyfile(_FIFTY)
    result = _run(project, "-n", "2")
    assert 1 <= _times_told(result, "wflo-schema cannot make a database: in the test database, 0003-c failed") <= 2


def test_seed_that_fails_is_told_once_with_its_line(project: pytest.Pytester) -> None:
    project.path.joinpath("seed.sql").write_text("INSERT INTO a (id) VALUES (1);\nINSERT INTO nowhere VALUES (1);\n")
    project.makepyfile(_FIFTY)
    result = _run(project, "--wflo-seed=seed.sql")
    result.assert_outcomes(errors=1, skipped=51, passed=1)
    result.stdout.fnmatch_lines(["*the seed file *seed.sql:2 was refused: *nowhere*"])


def test_free_tests_of_a_broken_migration_tell_it_once(project: pytest.Pytester) -> None:
    project.path.joinpath("migrations", "0001-a.sql").write_text("SELECT 1 / 0;\n")
    result = _run(project, "--wflo-free-tests")
    result.assert_outcomes(failed=1, skipped=1)
    assert _times_told(result, "-> migrations/0001-a.sql:1") == 1


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
        assert status_embedded(directory).state == "running"
        _run(project, *asked).assert_outcomes(passed=1, failed=1)
        assert status_embedded(directory).state == "stopped"
    finally:
        stop_embedded(directory)
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
    result.stdout.fnmatch_lines(["after rolling back 0002-b the database is not as it was before", "column *"])


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
                time.sleep(600)

        def test_other(wflo_connection):
            assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", *PLUGIN, "-q"],
        cwd=project.path,
        env={**os.environ, "SLEEP": "1"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: child.poll() is not None or (project.path / "reached").exists(), "the test")
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    wait_until(
        lambda: not any(m.is_alive or m.connections for m in _databases(server_directory)), "the end of the session"
    )
    left = _databases(server_directory)
    assert left
    assert {m.purpose for m in left} == {"clone"}
    _run(project).assert_outcomes(passed=2)
    assert _databases(server_directory) == []


# --- what tests do to their databases -----------------------------------------------------------


@pytest.fixture(scope="module", params=VERSIONS)
def own_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server of a user's own, on which everything is allowed that hinders DROP DATABASE."""
    if request.param not in BIN:
        pytest.skip(f"no programs of PostgreSQL {request.param} here")
    started = start_server(
        request.param, settings={"wal_level": "logical", "max_prepared_transactions": "10", "max_connections": "30"}
    )
    yield started
    stop_server(started)


@pytest.fixture
def theirs(project: pytest.Pytester, own_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The project on that server."""
    monkeypatch.setenv("WFLO_TEST_DATABASE_URL", own_server.database.url)
    return project


def _left(server: RunningServer) -> list[str]:
    """Databases that neither the server nor a template is."""
    with server.database.connect() as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
        ).fetchall()
    return [str(name) for (name,) in rows]


def test_whatever_a_test_leaves_in_its_database_is_dropped_with_it(
    theirs: pytest.Pytester, own_server: RunningServer
) -> None:
    theirs.makepyfile(
        """
        import subprocess, sys
        import psycopg, pytest
        from psycopg import sql

        held = []

        def test_open_transaction(wflo_url):
            held.append(psycopg.connect(wflo_url))
            held[-1].execute("LOCK TABLE a")

        def test_cursor_copy(wflo_connection):
            copy = wflo_connection.cursor().copy("COPY a FROM STDIN")
            copy.__enter__()
            held.append(copy)

        def test_prepared_transaction(wflo_connection):
            wflo_connection.execute("BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'it''s \u00fc'")

        def test_slot(wflo_connection):
            wflo_connection.execute("SELECT pg_create_logical_replication_slot('left', 'pgoutput')")

        def test_subscription(wflo_connection, wflo_url):
            wflo_connection.execute(
                sql.SQL("CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION p WITH (connect = false)").format(
                    sql.Identifier('odd "name"'), sql.Literal(wflo_url)))

        def test_template(wflo_connection, wflo_database):
            name = sql.Identifier(wflo_database.name)
            wflo_connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(name))

        def test_no_connections(wflo_database):
            with psycopg.connect(wflo_database.with_name("postgres").url, autocommit=True) as connection:
                name = sql.Identifier(wflo_database.name)
                connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))

        def test_read_only(wflo_connection, wflo_database):
            name = sql.Identifier(wflo_database.name)
            wflo_connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
            wflo_connection.execute("BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'ro'")

        def test_drops_it(wflo_connection, wflo_database):
            name, url = wflo_database.name, wflo_database.with_name("postgres").url
            wflo_connection.close()
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

        def test_outlived(wflo_url):
            program = (
                "import psycopg, sys, time; c = psycopg.connect(sys.argv[1]); print('in', flush=True); time.sleep(600)")
            child = subprocess.Popen([sys.executable, "-c", program, wflo_url], stdout=subprocess.PIPE)
            assert child.stdout.readline() == b"in\\n"
            held.append(child)

        @pytest.mark.parametrize("number", range(5))
        def test_after(wflo_connection, number):
            assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (0,)

        def test_end():
            held[-1].kill()
            held[-1].wait()
            held[-1].stdout.close()
        """
    )
    result = _run_apart(theirs, "-p", "no:logging")
    result.assert_outcomes(passed=16)
    assert _left(own_server) == []
    with own_server.database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone() == (0,)


def test_renamed_database_is_the_tests_own_affair(theirs: pytest.Pytester, own_server: RunningServer) -> None:
    theirs.makepyfile(
        """
        import psycopg
        from psycopg import sql

        def test_renames_it(wflo_database):
            with psycopg.connect(wflo_database.with_name("postgres").url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO mine").format(sql.Identifier(wflo_database.name)))

        def test_other(wflo_database):
            pass
        """
    )
    _run(theirs).assert_outcomes(passed=2)
    assert _left(own_server) == ["mine"]
    with own_server.database.connect() as connection:
        connection.execute("DROP DATABASE mine")


def test_test_that_cuts_every_connection_fails_nobody_else(theirs: pytest.Pytester, own_server: RunningServer) -> None:
    theirs.makepyfile(
        """
        import psycopg, pytest

        @pytest.mark.parametrize("number", range(3))
        def test_before(wflo_connection, number):
            pass

        def test_cuts(wflo_url):
            with psycopg.connect(wflo_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")

        @pytest.mark.parametrize("number", range(9))
        def test_after(wflo_url, number):
            with psycopg.connect(wflo_url) as connection:
                assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)

        def test_transaction(wflo_transaction):
            wflo_transaction.execute("INSERT INTO a VALUES (1)")
        """
    )
    _run_apart(theirs).assert_outcomes(passed=14)
    _run(theirs, "-k", "before").assert_outcomes(passed=3, deselected=11)
    assert _left(own_server) == []


def test_migrations_that_change_during_a_session_are_the_next_sessions(theirs: pytest.Pytester) -> None:
    theirs.makepyfile(
        """
        import pathlib, pytest

        def test_changes(wflo_connection):
            pathlib.Path("migrations", "0002-b.sql").write_text("ALTER TABLE a ADD COLUMN c integer;\\n")
            pathlib.Path("migrations", "0003-bad.sql").write_text("SELECT 1 / 0;\\n")

        @pytest.mark.parametrize("number", range(8))
        def test_same(wflo_connection, wflo_make_database, number):
            wflo_connection.execute("SELECT b FROM a")
            with wflo_make_database().connect() as connection:
                connection.execute("SELECT b FROM a")
        """
    )
    _run(theirs).assert_outcomes(passed=9)
    theirs.path.joinpath("migrations", "0003-bad.sql").unlink()
    theirs.path.joinpath("migrations", "0002-b.rollback.sql").unlink()
    theirs.makepyfile(test_next="def test_next(wflo_connection):\n    wflo_connection.execute('SELECT c FROM a')\n")
    _run(theirs, "test_next.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("odd", ['we"ird', "Grö ße %s{}", "x" * 63, "ü" * 31])
def test_odd_names_of_schema_and_folders(theirs: pytest.Pytester, own_server: RunningServer, odd: str) -> None:
    folder = theirs.path / odd[:20]
    shutil.move(theirs.path / "migrations", folder)
    (theirs.path / f"{odd[:20]}.sql").write_text("INSERT INTO a (id) VALUES (1);\n")
    theirs.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("odd", [NAME])
        def test_it(wflo_connection, wflo_transaction, odd):
            for connection in (wflo_connection, wflo_transaction):
                assert connection.execute("SELECT count(*) FROM a").fetchone() == (1,)
                assert connection.execute("SELECT current_schema()").fetchone() == (odd,)
            assert False
        """.replace("NAME", repr(odd))
    )
    words = (f"--wflo-migrations={folder}", f"--wflo-seed={odd[:20]}.sql", f"--wflo-schema={odd}")
    result = _run(theirs, *words, "--wflo-keep", "--wflo-free-tests", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=3, skipped=1)
    pruned = prune_test_databases(own_server.database, kept=True)
    assert [m.purpose for m in pruned.dropped] == ["kept"]
    assert pruned.dropped[0].about.startswith("test_odd_names")


# --- other ways to run --------------------------------------------------------------------------


_TWENTY = """
import pytest, time

@pytest.mark.parametrize("number", range(20))
def test_commit(wflo_connection, number):
    wflo_connection.execute("INSERT INTO a VALUES (1)")
    time.sleep(0.03)
    assert number != 7
"""


def test_x_lf_and_no_xdist(theirs: pytest.Pytester, own_server: RunningServer) -> None:
    theirs.makepyfile(_TWENTY)
    theirs.runpytest_inprocess(*PLUGIN, "-x").assert_outcomes(passed=7, failed=1)
    assert _left(own_server) == []
    theirs.runpytest_inprocess(*PLUGIN, "--lf").assert_outcomes(failed=1)
    theirs.runpytest_inprocess(*PLUGIN, "-p", "no:xdist", "--sw").assert_outcomes(passed=7, failed=1)
    _run(theirs, "-n", "2", "-x", "--maxfail=1")
    assert _left(own_server) == []


def test_each_test_in_a_process_of_its_own(theirs: pytest.Pytester, own_server: RunningServer) -> None:
    theirs.makeconftest(
        """
        import os, pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            child = os.fork()
            if not child:
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
                os._exit(0 if all(r.passed for r in reports) else 1)
            status = os.waitpid(child, 0)[1]
            with open("statuses", "a") as file:
                file.write(f"{status}\\n")
            return True
        """
    )
    theirs.makepyfile(_TWENTY.replace("range(20)", "range(6)"))
    _run_apart(theirs)
    assert theirs.path.joinpath("statuses").read_text() == "0\n" * 6
    theirs.path.joinpath("conftest.py").unlink()
    _run(theirs, "-k", "commit and 5").assert_outcomes(passed=1, deselected=5)
    assert _left(own_server) == []


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_both_modes_of_pytest_asyncio(theirs: pytest.Pytester, mode: str) -> None:
    mark = "@pytest.mark.asyncio\n" if mode == "strict" else ""
    fixture = "pytest_asyncio" if mode == "strict" else "pytest"
    theirs.makepyfile(
        f"""
import psycopg, pytest, pytest_asyncio

@{fixture}.fixture
async def connection(wflo_url):
    async with await psycopg.AsyncConnection.connect(wflo_url) as connection:
        yield connection

{mark}@pytest.mark.parametrize("number", range(4))
async def test_commit(connection, wflo_connection, number):
    await connection.execute("INSERT INTO a VALUES (1)")
    await connection.commit()
    assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (1,)

class TestIt:
    {mark}    async def test_transaction(self, wflo_transaction):
        wflo_transaction.execute("INSERT INTO a VALUES (1)")
""".replace(f"{mark}    async", f"{mark.strip()}\n    async")
    )
    _run(theirs, f"--asyncio-mode={mode}").assert_outcomes(passed=5)


def test_two_projects_with_the_same_migrations_at_the_same_time(
    theirs: pytest.Pytester, own_server: RunningServer
) -> None:
    theirs.makepyfile(_TWENTY.replace("number != 7", "True"))
    folders = [theirs.path]
    _cold(theirs)
    for name in ("second", "third"):
        folders.append(theirs.path.parent / f"{theirs.path.name}-{name}")
        shutil.copytree(theirs.path, folders[-1])
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "pytest", *PLUGIN, "-q", "-p", "no:cacheprovider"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder in folders
    ]
    for child in children:
        assert "20 passed" in child.communicate(timeout=300)[0]
    assert _left(own_server) == []


def test_server_that_is_almost_full_is_enough(theirs: pytest.Pytester, own_server: RunningServer) -> None:
    theirs.makepyfile(_TWENTY.replace("number != 7", "True"))
    with contextlib.ExitStack() as held:
        for _ in range(24):  # of 30, three are the superuser's own
            held.enter_context(own_server.database.connect())
        _run(theirs).assert_outcomes(passed=20)
        for _ in range(4):
            held.enter_context(own_server.database.connect())
        _run(theirs).assert_outcomes(passed=20)
        held.enter_context(own_server.database.connect())
        result = _run(theirs)
        result.assert_outcomes(errors=1, skipped=19)
        result.stdout.fnmatch_lines(["wflo-schema cannot make a database: *too many clients*"])
    _run(theirs, "-k", "commit and 19").assert_outcomes(passed=1, deselected=19)
    assert _left(own_server) == []


def test_role_that_may_not_create_databases_is_told_what_to_type(
    theirs: pytest.Pytester, own_server: RunningServer
) -> None:
    with own_server.database.connect() as connection:
        connection.execute('CREATE ROLE "no ""one" LOGIN')
    theirs.makepyfile(_TWENTY)
    url = own_server.database.with_parameters(user='no "one').url
    result = _run(theirs, f"--wflo-database-url={url}")
    result.assert_outcomes(errors=1, skipped=19)
    result.stdout.fnmatch_lines(['hint: as a superuser: ALTER ROLE "no ""one" CREATEDB'])
    with own_server.database.connect() as connection:
        connection.execute('DROP ROLE "no ""one"')


def test_template_name_that_somebody_has_taken_is_refused_and_left(
    theirs: pytest.Pytester, own_server: RunningServer
) -> None:
    theirs.makepyfile("def test_it(wflo_url):\n    pass\n")
    _cold(theirs)
    with ServerSession.open(own_server.database, Recipe(like=own_server.database.name)) as session:
        name, _ = session._template_name(read_migrations(theirs.path / "migrations"), None, [""])
    with own_server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    result = _run(theirs)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"wflo-schema cannot make a database: there is a database {name}*did not make"])
    assert _left(own_server) == [name]
    with own_server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_template_that_somebody_opened_and_is_connected_to_is_one_message(
    theirs: pytest.Pytester, own_server: RunningServer
) -> None:
    theirs.makepyfile(_TWENTY)
    _cold(theirs)
    _run(theirs, "-k", "commit and 19").assert_outcomes(passed=1, deselected=19)
    with ServerSession.open(own_server.database) as session:
        name = session.template(read_migrations(theirs.path / "migrations")).name
        session.connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
    with own_server.database.with_name(name).connect():
        result = _run(theirs, "-k", "commit and 19")
        result.assert_outcomes(errors=1, deselected=19)
        result.stdout.fnmatch_lines(["wflo-schema cannot make a database: somebody is connected while cloning *"])
    _run(theirs, "-k", "commit and 19").assert_outcomes(passed=1, deselected=19)


# --- kills and interrupts at any moment ---------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
@pytest.mark.parametrize("words", [(), ("-n", "2")])
def test_session_ended_at_any_moment_leaves_nothing_to_the_session_after_the_next(
    theirs: pytest.Pytester, own_server: RunningServer, name: str, words: tuple[str, ...]
) -> None:
    theirs.makepyfile(_TWENTY.replace("number != 7", "True"))
    seed = secrets.randbits(32)
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(2):
        _cold(theirs)
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", *PLUGIN, "-q", "-p", "no:cacheprovider", *words],
            cwd=theirs.path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(dice.uniform(0.4, 2.0))
        os.killpg(child.pid, getattr(signal, name))
        child.wait(timeout=120)
    wait_until(lambda: not any(m.is_alive for m in list_test_databases(own_server.database)), "the end of the sessions")
    _run(theirs, "-k", "commit and 19").assert_outcomes(passed=1, deselected=19)
    assert _left(own_server) == []


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
        cwd=shop,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"13 passed, 1 skipped", done.stdout)
    assert done.stdout.count("PASSED") == 13


# --- walked over by a new user ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--wflo-ahead", "0"), "wflo_ahead (--wflo-ahead) is 0: give a number"),
        (("--wflo-ahead", "²"), "wflo_ahead (--wflo-ahead) is ²: give a number"),
        (("-o", "wflo_ahead=many"), "wflo_ahead (--wflo-ahead) is many: give a number"),
        (("-o", "wflo_server=nowhere"), "wflo_server is nowhere: choose one of embedded, docker, url"),
        (("-o", "wflo_keep=maybe"), "wflo_keep in the ini file is neither true nor false"),
    ],
)
def test_wrong_options_are_refused_once_at_the_start(
    project: pytest.Pytester, words: tuple[str, ...], said: str
) -> None:
    project.makepyfile("def test_it(wflo_database): pass\ndef test_other(wflo_database): pass")
    result = _run(project, *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (result.stderr.str() + result.stdout.str()).count(said) == 1


def test_missing_folder_is_said_with_the_options_of_pytest(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(wflo_database): pass")
    result = _run(project, "--wflo-migrations=nowhere")
    result.assert_outcomes(errors=1)
    assert "--wflo-migrations" in result.stdout.str()
    assert " --migrations" not in result.stdout.str()


_RESTART = """
    import os, subprocess, time
    from pathlib import Path
    import psycopg, pytest

    def restart(url):
        with psycopg.connect(url) as connection:
            data = connection.execute("SHOW data_directory").fetchone()[0]
        os.kill(int(Path(data, "postmaster.pid").read_text().split()[0]), THE_SIGNAL)
        for _ in range(6000):
            try:
                psycopg.connect(url).close()
            except psycopg.Error as error:
                if "refused" in str(error) or "No such file" in str(error):
                    return data  # it is down; one that is shutting down has sessions that still answer
            time.sleep(0.01)
        raise AssertionError("the server stays up")
"""


@pytest.mark.parametrize("how", ["signal.SIGINT", "signal.SIGQUIT"])
@pytest.mark.parametrize("words", [(), ("-n", "2")])
def test_a_server_that_is_restarted_during_a_run_costs_no_other_test(
    theirs: pytest.Pytester, own_server: RunningServer, how: str, words: tuple[str, ...]
) -> None:
    start = [str(own_server.bin / "pg_ctl"), "-D", str(own_server.data), "-w", "-l", "/dev/null", "start"]
    theirs.makepyfile(
        "import signal\n"
        + textwrap.dedent(_RESTART).replace("THE_SIGNAL", how)
        + textwrap.dedent(
            f"""
            @pytest.mark.parametrize("number", range(4))
            def test_before(wflo_connection, number):
                wflo_connection.execute("INSERT INTO a (id) VALUES (1)")
                Path("seen-" + os.environ.get("PYTEST_XDIST_WORKER", "one")).write_text("")

            def test_restarts(wflo_url):
                while len(list(Path(".").glob("seen-*"))) < {2 if words else 1}:
                    time.sleep(0.01)
                restart(wflo_url)
                time.sleep(0.3)
                subprocess.Popen(
                    ["sh", "-c", 'sleep 1; exec "$@"', "sh", *{start!r}], user={own_server.user!r}, cwd="/",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

            @pytest.mark.parametrize("number", range(10))
            def test_behind(wflo_connection, wflo_url, number):
                assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
                psycopg.connect(wflo_url).close()

            def test_transaction(wflo_transaction):
                wflo_transaction.execute("INSERT INTO a (id) VALUES (1)")
            """
        )
    )
    result = _run_apart(theirs, *words)
    passed = result.parseoutcomes()
    # a test of another worker may be at work when the server goes; none is skipped, and none finds no database
    assert passed.get("passed", 0) >= (16 if not words else 14), result.stdout.str()
    assert "skipped" not in passed and "wflo-schema cannot" not in result.stdout.str()


def test_the_plugins_own_server_that_is_stopped_during_a_run_is_started_again(project: pytest.Pytester) -> None:
    project.makepyfile(
        "import signal\n"
        + textwrap.dedent(_RESTART).replace("THE_SIGNAL", "signal.SIGINT")
        + textwrap.dedent(
            """
            def test_stops(wflo_url):
                restart(wflo_url)

            @pytest.mark.parametrize("number", range(4))
            def test_behind(wflo_connection, number):
                assert wflo_connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
            """
        )
    )
    _run(project).assert_outcomes(passed=5)


_FAILING = (
    "def test_0(wflo_url):\n    assert 0\n",
    "def test_1(wflo_url):\n    assert wflo_url == 'postgresql://elsewhere'\n",
    "def test_2(wflo_url):\n    url = wflo_url.replace('postgresql', 'postgresql+psycopg')\n    assert url == 'x'\n",
    "def test_3(wflo_url):\n    print(wflo_url)\n    raise ValueError(f'cannot reach {wflo_url}')\n",
    "def test_4(wflo_database):\n    raise ValueError(wflo_database.conninfo)\n",
    "def inner(url):\n    assert 0\ndef test_5(wflo_url):\n    inner(wflo_url + '?application_name=x')\n",
    "import pytest\ndef test_6(wflo_url):\n    pytest.fail(wflo_url, pytrace=False)\n",
)


def test_a_failing_test_shows_no_password(project: pytest.Pytester, server: RunningServer) -> None:
    url = server.database.with_parameters(password="top secret/1").url
    project.makepyfile("".join(_FAILING))
    words = ("--wflo-server=url", f"--wflo-database-url={url}", "--junitxml=junit.xml", "--showlocals", "-vv", "-rA")
    result = _run_apart(project, *words)
    result.assert_outcomes(failed=len(_FAILING))
    said = "\n".join(line for line in result.outlines if not line.startswith(("rootdir:", "args:")))
    for text in (said, (project.path / "junit.xml").read_text()):
        assert "secret" not in text
    assert "elsewhere" in said and said.count("127.0.0.1") >= len(_FAILING)


def test_the_url_is_whole_for_whoever_uses_it(project: pytest.Pytester, server: RunningServer) -> None:
    url = server.database.with_parameters(password="secret").url
    project.makepyfile(
        """
        import pickle
        from urllib.parse import urlsplit

        def test(wflo_url, wflo_database):
            assert urlsplit(wflo_url).password == "secret" == urlsplit(str(wflo_url)).password
            assert wflo_url == wflo_database.url and f"{wflo_url}" == wflo_database.url
            assert "secret" not in repr(wflo_url) and "secret" in "".join([wflo_url, ""])
            assert pickle.loads(pickle.dumps(str(wflo_url))) == wflo_database.url
        """
    )
    _run(project, "--wflo-server=url", f"--wflo-database-url={url}").assert_outcomes(passed=1)


@pytest.mark.parametrize("given", ["ini", "option"])
def test_recursive_takes_the_migrations_of_sub_folders(project: pytest.Pytester, given: str) -> None:
    (project.path / "migrations/2026").mkdir()
    (project.path / "migrations/2026/0003-c.sql").write_text("CREATE TABLE c (id integer);\n")
    project.makepyfile("def test_c(wflo_connection): wflo_connection.execute('SELECT a.b, c.id FROM a, c')")
    refused = project.runpytest_subprocess(*PLUGIN)
    assert refused.ret != 0
    refused.stdout.fnmatch_lines(["*0003-c.sql would be left out*", "*--wflo-recursive*"])
    if given == "ini":
        with (project.path / "tox.ini").open("a") as file:
            file.write("\nwflo_recursive = true\n")
    result = project.runpytest_subprocess(*PLUGIN, *(["--wflo-recursive"] if given == "option" else []))
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("given", ["ini", "option", "variable"])
def test_migrations_have_the_values_that_are_given(
    project: pytest.Pytester, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "-- variables: word\nCREATE TABLE c (word text DEFAULT :'word');\n"
    (project.path / "migrations/0003-c.sql").write_text(text)
    project.makepyfile(
        """
        def test_c(wflo_connection):
            wflo_connection.execute("INSERT INTO c DEFAULT VALUES")
            assert wflo_connection.execute("SELECT word FROM c").fetchone() == ("it's = so",)
        """
    )
    if given == "ini":
        with (project.path / "tox.ini").open("a") as file:
            file.write("\nwflo_set = word=it's = so\n")
    elif given == "variable":
        monkeypatch.setenv("WFLO_SCHEMA_SET_word", "it's = so")
    options = ["--wflo-set", "word=it's = so"] if given == "option" else []
    project.runpytest_subprocess(*PLUGIN, *options).assert_outcomes(passed=1)


@pytest.mark.parametrize("given", ["ini", "option"])
def test_the_packaged_migrations_are_known_by_name(project: pytest.Pytester, given: str) -> None:
    project.makepyfile("def test_it(wflo_connection): wflo_connection.execute('TABLE workflow_executions')")
    if given == "ini":
        with (project.path / "tox.ini").open("a") as file:
            file.write("\nwflo_migrations = wflo\n")
    options = ["--wflo-migrations", "wflo"] if given == "option" else []
    project.runpytest_subprocess(*PLUGIN, *options, "-k", "test_it").assert_outcomes(passed=1)
    own = project.mkdir("wflo")  # a folder of that name is the folder
    (own / "1_a.sql").write_text("CREATE TABLE own ();\n")
    project.makepyfile("def test_it(wflo_connection): wflo_connection.execute('TABLE own')")
    project.runpytest_subprocess(*PLUGIN, *options, "-k", "test_it").assert_outcomes(passed=1)
