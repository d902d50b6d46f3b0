"""Real PostgreSQL for every test: one server a version and session, one database a test.

A test that uses `server` runs on every version of VERSIONS.  Everyday runs leave out what hardly differs by version:

- ``@pytest.mark.one_server``: on one version only, the newest that is here;
- ``@pytest.mark.spread_over_servers``: each test on one of the versions, chosen by its name, and its cases in turn, so
  that each version has its share of a module.

``@pytest.mark.citus`` says that a test needs a cluster: see `tests.citus`.

``@pytest.mark.every_version`` is for what depends on the catalogs: it runs on, or is spread over, every supported
version that is here, not VERSIONS only.

They also stand for a whole module, as ``pytestmark``.  A test that tries the same thing at very many places tries a
sample of them: see `is_whole`.  ``--all-versions`` (``make test-all``) leaves nothing out, and neither does naming a
single test.
"""

from __future__ import annotations

import atexit
import gc
import importlib.metadata
import os
import shutil
import socket
import subprocess
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from psycopg import sql

from tests import citus, servers
from wflo_schema.connect.database import Database
from wflo_schema.server.account import choose_account

# What would lead a test to another server, or change what pytest, Click, Rich and a make inside of make print.
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
        "ARGS",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MAKEOVERRIDES",
        "MFLAGS",
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

# The versions that tests run on where no marker says otherwise, the newest first.
VERSIONS = ("18", "15")

# Fixtures that are a server of one version, which their parameter names.
_SERVERS = ("server", "own_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-versions", action="store_true", help="leave nothing out that an everyday run leaves out")
    parser.addoption("--servers", default="", help="run what needs a server on these versions only, as in 14,16")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: somebody always waits for a lock or for the end of a server."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_finish() -> None:
    """What was imported and collected stays: to look through it for garbage again and again only costs time."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "one_server: run on the newest version of PostgreSQL only")
    config.addinivalue_line("markers", "spread_over_servers: run each case on one of the versions, in turn")
    config.addinivalue_line("markers", "every_version: for every supported version, not for VERSIONS only")
    config.addinivalue_line("markers", f"citus: needs a Citus cluster, which {citus.VARIABLE} names")


def pool_of(item: pytest.Item) -> tuple[str, ...]:
    """The versions that a test is for: those of VERSIONS, or every supported one where it is marked so."""
    return servers.SUPPORTED if item.get_closest_marker("every_version") else VERSIONS


def versions_for(item: pytest.Item, case: int) -> tuple[str, ...]:
    """The versions that an everyday run runs a test on.  ``case`` counts those of its function, from 0."""
    pool = pool_of(item)
    here = tuple(v for v in pool if v in BIN and _has(v, item)) or pool
    if item.get_closest_marker("one_server"):
        return here[:1]
    if item.get_closest_marker("spread_over_servers"):
        return (here[(zlib.crc32(_function_of(item).encode()) + case) % len(here)],)
    return pool


def _has(version: str, item: pytest.Item) -> bool:
    """Whether that version has what the test's case is about: a case may say ``since`` when, or ``versions``."""
    given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return all(
        int(version) >= getattr(case, "since", 0) and int(version) in getattr(case, "versions", (int(version),))
        for case in given
    )


def _function_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _is_whole(config: pytest.Config) -> bool:
    """Whether nothing is left out that an everyday run leaves out."""
    return config.getoption("--all-versions") or any("::" in str(arg) for arg in config.args)


def _version_of(item: pytest.Item) -> str | None:
    """The version of the server that a test was parametrised with, None without one."""
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return next((str(given[name]) for name in _SERVERS if name in given), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the versions that `versions_for` leaves out."""
    only = tuple(filter(None, config.getoption("--servers").split(",")))
    chosen: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    cases: Counter[tuple[str, str]] = Counter()
    for item in items:
        version = _version_of(item)
        if version is None:
            chosen.append(item)
            continue
        counted = (_function_of(item), version)
        wanted = only or (pool_of(item) if _is_whole(config) else versions_for(item, cases[counted]))
        (chosen if version in wanted else left_out).append(item)
        cases[counted] += 1
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen


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
            [str(self.bin / "pg_ctl"), "-D", str(self.data), "-t", "300", *words],
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
    bin_directory = BIN[version]
    subprocess.run(["cp", "-a", str(_initialised(version)), str(data)], check=True)
    if account:
        os.chown(root, account.uid, account.gid)
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
            conf.writelines(f"{key} = '{value}'\n" for key, value in chosen.items())
        database = Database.parse(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        server = RunningServer(version, bin_directory, data, database, user)
        try:
            server.pg_ctl("-w", "-l", str(root / "log"), "start")
            break
        except subprocess.CalledProcessError:
            if not left:  # else somebody took the port in between
                raise
    return server


@cache
def _initialised(version: str) -> Path:
    """A data directory that no server runs in: initdb once for each version and process, since a copy costs a tenth."""
    account = choose_account()
    root = Path(tempfile.mkdtemp(prefix="wfs", dir=_in_memory()))
    root.chmod(0o755)
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    data = root / "data"
    data.mkdir(mode=0o700)
    if account:
        os.chown(data, account.uid, account.gid)
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    subprocess.run(
        [str(BIN[version] / "initdb"), "-D", str(data), *options],
        check=True,
        user=account.name if account else None,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    return data


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


@pytest.fixture(scope="module")
def guarded() -> Iterator[Database]:
    """A database of a server of its own, as the superuser ``guarded``, who must give a password and has none yet."""
    started = start_server("18" if "18" in BIN else "15")
    try:
        with started.database.connect() as connection:
            connection.execute("CREATE ROLE guarded SUPERUSER LOGIN")
        hba = started.data / "pg_hba.conf"
        hba.write_text("host all guarded all scram-sha-256\n" + hba.read_text())
        started.pg_ctl("reload")
        yield Database.parse(f"postgresql://guarded@127.0.0.1:{started.database.parameters['port']}/postgres")
    finally:
        stop_server(started)


def set_password(guarded: Database, password: str) -> None:
    """Give the role of `guarded` this password."""
    with guarded.with_parameters(user="postgres").connect() as connection:
        connection.execute(sql.SQL("ALTER ROLE guarded PASSWORD {}").format(sql.Literal(password)))


@pytest.fixture(scope="session")
def is_whole(pytestconfig: pytest.Config) -> bool:
    """Whether a test that can be sampled is to try everything."""
    return _is_whole(pytestconfig)


@pytest.fixture(scope="session")
def wflo_server(server: RunningServer) -> Database:
    """Where the project's own plugin makes the databases of the project's own tests."""
    return server.database


@pytest.fixture
def database(wflo_empty_database: Database) -> Database:
    """An empty database of this test's own, as superuser."""
    return wflo_empty_database


@pytest.fixture
def second(server: RunningServer, database: Database) -> Iterator[Database]:
    """Another database."""
    name = f"{database.name}_second"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield database.with_name(name)
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def cluster() -> Iterator[citus.Cluster]:
    """A Citus cluster, which the environment names, with names of this test's own."""
    if not citus.URL:
        pytest.skip(citus.SKIPPED)
    with citus.cluster_of(citus.URL) as found:
        yield found
