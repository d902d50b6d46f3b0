"""Real PostgreSQL for every test: one server a version and session, one database a test."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import servers
from wflo_schema.connect.database import Database
from wflo_schema.server.account import choose_account

# What would lead a test to another server, or change what pytest, Click and Rich print.
_UNWANTED = frozenset(
    {
        "DATABASE_URL",
        "CI",
        "BUILD_NUMBER",
        "COLUMNS",
        "LINES",
        "FORCE_COLOR",
        "NO_COLOR",
        "PY_COLORS",
        "TTY_COMPATIBLE",
        "TTY_INTERACTIVE",
        "PYTEST_ADDOPTS",
    }
)
for name in list(os.environ):
    if name.startswith(("PG", "WFLO_SCHEMA_")) or name in _UNWANTED:
        del os.environ[name]


IS_INSTALLED = bool(importlib.metadata.entry_points(group="pytest11", name="wflo_schema"))
if not IS_INSTALLED or os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
    pytest_plugins = ("wflo_schema.testdb.pytest_plugin",)


# Version → the folder with its programs, of those that are here.
BIN = servers.find_all()

# The versions that tests run on where no marker says otherwise.
VERSIONS = ("18", "15")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-versions", action="store_true", help="leave nothing out that an everyday run leaves out")
    parser.addoption("--servers", default="", help="run what needs a server on these versions only, as in 14,16")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "every_version: run on every supported version; in_turn: each case on one of those between only"
    )


def versions_for(item: pytest.Function) -> tuple[str, ...]:
    """The versions that an everyday run runs this test on."""
    return pool_of(item)


def pool_of(item: pytest.Function) -> tuple[str, ...]:
    """The versions that a test may run on: those of VERSIONS, or every supported one for a test that is marked so.

    ``in_turn``: on those of VERSIONS, and on one of the others, chosen by the case's number.
    """
    marker = item.get_closest_marker("every_version")
    if marker is None:
        return VERSIONS
    if not marker.kwargs.get("in_turn") or item.config.getoption("--all-versions"):
        return servers.SUPPORTED
    others = [version for version in servers.SUPPORTED if version not in VERSIONS]
    number = sum(index for name, index in item.callspec.indices.items() if name != "server")
    return (*VERSIONS, others[number % len(others)])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the versions that `versions_for` leaves out."""
    only = tuple(filter(None, config.getoption("--servers").split(",")))
    left_out = []
    for item in items:
        if isinstance(item, pytest.Function) and "server" in item.fixturenames:
            version = str(item.callspec.params["server"])
            if version not in (only or versions_for(item)):
                left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@dataclass(frozen=True)
class RunningServer:
    """A throwaway server.  ``database`` is its maintenance database, as the superuser ``postgres``."""

    version: str
    bin: Path
    data: Path
    database: Database
    user: str | None
    """The system user to run its programs as, None for our own."""

    @property
    def psql(self) -> Path:
        """Its own psql, else the one of 18: npm's packages have none."""
        own = self.bin / "psql"
        return own if own.exists() else BIN["18"] / "psql"

    def pg_ctl(self, *words: str) -> None:
        subprocess.run(
            [str(self.bin / "pg_ctl"), "-D", str(self.data), *words],
            check=True,
            user=self.user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )


def start_server(version: str, *, settings: dict[str, str] | None = None, is_on_disk: bool = False) -> RunningServer:
    """Start a fresh server on a unix socket and on a free port of 127.0.0.1, in memory if there is enough."""
    account = choose_account()
    user = account.name if account else None
    root = Path(tempfile.mkdtemp(prefix="wfs", dir="/tmp" if is_on_disk else _in_memory()))
    root.chmod(0o755)
    data = root / "data"
    data.mkdir(mode=0o700)
    if account:
        os.chown(data, account.uid, account.gid)
        os.chown(root, account.uid, account.gid)
    bin_directory = BIN[version]
    subprocess.run(
        [
            str(bin_directory / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    for left in reversed(range(5)):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        chosen = {
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "100",
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(root),
            **(settings or {}),
        }
        with open(data / "postgresql.auto.conf", "a") as conf:
            for key, value in chosen.items():
                conf.write(f"{key} = '{value}'\n")
        database = Database.parse(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        server = RunningServer(version, bin_directory, data, database, user)
        try:
            server.pg_ctl("-w", "-l", str(root / "log"), "start")
            break
        except subprocess.CalledProcessError:
            if not left:  # else somebody took the port in between
                raise
    return server


def _in_memory() -> str:
    """A database is some 300 files: in memory they are made several times faster than on a disk."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2_000_000_000:
        return memory
    return "/tmp"


def stop_server(server: RunningServer) -> None:
    subprocess.run(
        [str(server.bin / "pg_ctl"), "-D", str(server.data), "-m", "immediate", "-w", "stop"],
        check=False,
        user=server.user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    shutil.rmtree(server.data.parent, ignore_errors=True)


@pytest.fixture(scope="session", params=servers.SUPPORTED)
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """PostgreSQL in each version on which the test runs and whose programs are here."""
    if request.param not in BIN:
        pytest.skip(f"no programs of PostgreSQL {request.param} here; make servers fetches them")
    started = start_server(request.param)
    yield started
    stop_server(started)


@pytest.fixture(scope="session")
def wflo_server(server: RunningServer) -> Database:
    """Where the project's own plugin makes the databases of the project's own tests."""
    return server.database


@pytest.fixture
def database(wflo_empty_database: Database) -> Database:
    """An empty database of this test's own, as superuser."""
    return wflo_empty_database
