"""The pytest plugin: a fresh, fully migrated database for every test.

Hides options, the order of hooks, xdist and what is printed.  Imports nothing but pytest until a
fixture is used, and does nothing to a project that uses none.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    from wflo_schema.database import Database
    from wflo_schema.testing import Databases, FreeTest, Options, ServerKind

URL_VARIABLE = "WFLO_TEST_DATABASE_URL"
# A URL often has a password, which belongs neither into an ini file nor on a command line.

_SERVERS = ("embedded", "docker", "url")


@dataclass(frozen=True)
class _Option:
    """``--wflo-NAME`` on the command line and ``wflo_NAME`` in the ini file: the same thing."""

    name: str
    kind: Literal["text", "flag", "paths", "path"]
    help: str
    choices: tuple[str, ...] = ()

    @property
    def ini(self) -> str:
        return "wflo_" + self.name.replace("-", "_")


_OPTIONS = (
    _Option("migrations", "paths", "folder with migrations (again for more); default: migrations"),
    _Option(
        "server", "text", "where test databases are made; default: url if one is given, else embedded", _SERVERS
    ),
    _Option("database-url", "text", f"any database of the server for --wflo-server=url; or {URL_VARIABLE}"),
    _Option("schema", "text", "schema for the ledger and for unqualified objects"),
    _Option("seed", "paths", "SQL file that is run after the migrations (again for more)"),
    _Option("contract", "path", "contract for the free tests; default: contract.toml beside the migrations"),
    _Option("compose-file", "path", "Compose file for --wflo-server=docker; default: docker-compose.yml"),
    _Option("server-directory", "path", "where the embedded test server is kept; default: in memory if it is enough"),
    _Option("ahead", "text", "databases to keep ready for each process"),
    _Option("keep", "flag", "leave the database of a failed test, and print how to connect"),
    _Option("free-tests", "flag", "collect the free tests: up-down-up, on-top-of-data, contract-holds"),
    _Option("stop-server", "flag", "stop the embedded test server at the end (else the next run finds it warm)"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer every option twice, on the command line and in the ini file."""
    group = parser.getgroup("wflo-schema", "databases from migrations (wflo-schema)")
    for option in _OPTIONS:
        flag = f"--wflo-{option.name}"
        dest = f"wflo_option_{option.ini}"
        if option.kind == "flag":
            group.addoption(flag, dest=dest, action="store_true", default=None, help=option.help)
            parser.addini(option.ini, option.help, type="bool", default=False)
        elif option.kind == "paths":
            group.addoption(flag, dest=dest, action="append", default=None, metavar="PATH", help=option.help)
            parser.addini(option.ini, option.help, type="paths", default=[])
        else:
            metavar = "PATH" if option.kind == "path" else option.name.rpartition("-")[2].upper()
            group.addoption(
                flag, dest=dest, default=None, help=option.help,
                **({"choices": option.choices} if option.choices else {"metavar": metavar}),
            )  # fmt: skip
            if option.kind == "path":
                parser.addini(option.ini, option.help, type="paths", default=[])
            else:
                parser.addini(option.ini, option.help, default="")


def _option(config: pytest.Config, name: str) -> Any:
    """The command line's word, else the ini file's, as text, bool or list of paths."""
    option = next(o for o in _OPTIONS if o.name == name)
    given = config.getoption(f"wflo_option_{option.ini}")
    if option.kind in ("paths", "path"):
        if given is None:
            return [Path(p) for p in config.getini(option.ini)]
        base = config.invocation_params.dir
        return [base / p for p in ([given] if isinstance(given, str) else given)]
    return config.getini(option.ini) if given is None else given


def _options(config: pytest.Config) -> Options:
    from wflo_schema.testing import AHEAD, AHEAD_OF_A_WORKER, Options

    def path(name: str) -> Path | None:
        found = _option(config, name)
        return found[0] if found else None

    url = _option(config, "database-url") or os.environ.get(URL_VARIABLE, "")
    server: ServerKind = _option(config, "server") or ("url" if url else "embedded")
    ahead = _option(config, "ahead") or str(AHEAD_OF_A_WORKER if hasattr(config, "workerinput") else AHEAD)
    if server not in _SERVERS or not ahead.isdigit() or ahead == "0":
        wrong = f"wflo_server is {server}" if server not in _SERVERS else f"wflo_ahead is {ahead}"
        raise pytest.UsageError(f"{wrong}: choose {', '.join(_SERVERS)}; ahead is a number from 1")
    migrations = tuple(_option(config, "migrations")) or (config.rootpath / "migrations",)
    contract = path("contract")
    if contract is None and (migrations[0] / "contract.toml").is_file():
        contract = migrations[0] / "contract.toml"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Options(
        migrations=migrations,
        server=server,
        url=url,
        schema=_option(config, "schema") or None,
        seeds=tuple(_option(config, "seed")),
        contract=contract,
        compose_file=path("compose-file") or config.rootpath / "docker-compose.yml",
        server_directory=path("server-directory"),
        cache=Path(cache) / "wflo-schema",
        ahead=int(ahead),
    )


# --- what lives as long as the session --------------------------------------------------------


@dataclass
class _State:
    """``remaining`` counts the tests that will still take a pooled database.

    ``is_connected``: at least one of all tests wants it with a connection.
    """

    remaining: int = 0
    is_connected: bool = False
    databases: Databases | None = None
    has_failed: bool = False


_STATE = pytest.StashKey[_State]()
_OURS = pytest.StashKey[list["Database"]]()
_KEPT = pytest.StashKey[bool]()
_CONNECTION = pytest.StashKey["psycopg.Connection[TupleRow]"]()


def _state(config: pytest.Config) -> _State:
    return config.stash.setdefault(_STATE, _State())


def _databases(config: pytest.Config) -> Databases:
    state = _state(config)
    if state.databases is None:
        from wflo_schema.testing import Databases

        state.databases = Databases(
            _options(config),
            wanted=lambda: state.remaining,
            connected=state.is_connected,
            makers=1 if hasattr(config, "workerinput") else 2,
        )
    return state.databases


def _takes_from_pool(item: pytest.Item) -> bool:
    return "wflo_database" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the tests that will take a database, so that no more are made ahead."""
    state = _state(session.config)
    state.remaining = sum(map(_takes_from_pool, session.items))
    state.is_connected = any("wflo_connection" in getattr(item, "fixturenames", ()) for item in session.items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Under xdist this process does not run every test it collected: with the last one it is over."""
    if nextitem is None:
        _state(item.config).remaining = int(_takes_from_pool(item))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop what was made."""
    state = _state(session.config)
    state.has_failed = session.testsfailed > 0
    if state.databases is not None:
        state.databases.close()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the embedded test server where that was asked for, when all workers are done."""
    if hasattr(config, "workerinput") or not _option(config, "stop-server"):
        return
    if _option(config, "keep") and _state(config).has_failed:
        return  # databases were kept for looking at
    from wflo_schema import server
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.testing import server_directory

    options = _options(config)
    if options.server == "embedded":
        try:
            server.stop_embedded(options.server_directory or server_directory(options.cache))
        except WfloSchemaError as error:
            print(f"wflo-schema: {error.message}")


def _said(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f"{getattr(error, 'message', error)}" + (f"\nhint: {hint}" if hint else "")


# --- fixtures ---------------------------------------------------------------------------------


class MakeDatabase(Protocol):
    """What the fixture `wflo_make_database` gives: a function that makes one more database."""

    def __call__(
        self,
        *directories: Path | str,
        schema: str | None = None,
        seeds: Sequence[Path | str] | None = None,
    ) -> Database:
        """Make a database from the migrations in ``directories`` (the project's own where none is given).

        It is dropped when the test is over.
        """
        ...


def _lent(request: pytest.FixtureRequest, make: Callable[[Databases], Database]) -> Database:
    """Make a database for this test; the failure to is one message, not a traceback."""
    from wflo_schema.errors import WfloSchemaError

    try:
        database = make(_databases(request.config))
    except WfloSchemaError as error:
        pytest.fail(f"wflo-schema cannot make a database: {_said(error)}", pytrace=False)
    request.node.stash.setdefault(_OURS, []).append(database)
    return database


def _give_back(request: pytest.FixtureRequest, database: Database) -> None:
    if not request.node.stash.get(_KEPT, False):
        _databases(request.config).release(database)


@pytest.fixture
def wflo_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of this test's own with every migration applied.  Commits are real."""

    def take(databases: Databases) -> Database:
        if "wflo_connection" not in request.fixturenames:
            return databases.take()
        database, connection = databases.take_connected()
        request.node.stash[_CONNECTION] = connection
        return database

    database = _lent(request, take)
    state = _state(request.config)
    state.remaining = max(0, state.remaining - 1)
    yield database
    unused = request.node.stash.get(_CONNECTION, None)
    if unused is not None:  # closed already, unless the fixture that was to lend it never came to run
        unused.close()
    _give_back(request, database)


@pytest.fixture
def wflo_url(wflo_database: Database) -> str:
    """The URL of `wflo_database` for any client: ``postgresql://…``."""
    return wflo_database.url


@pytest.fixture
def wflo_connection(
    request: pytest.FixtureRequest, wflo_database: Database
) -> Iterator[psycopg.Connection[TupleRow]]:
    """A psycopg connection on `wflo_database`, in autocommit mode; unqualified names are in its schema."""
    connection = request.node.stash.get(_CONNECTION, None)
    if connection is None:  # asked for by getfixturevalue, when the test had begun
        from wflo_schema.testing import connect

        connection = connect(wflo_database)
    yield connection
    connection.close()


@pytest.fixture
def wflo_make_database(request: pytest.FixtureRequest) -> Iterator[MakeDatabase]:
    """A function that makes more databases for this test: other migrations, schema or seed files."""
    made: list[Database] = []

    def make(
        *directories: Path | str, schema: str | None = None, seeds: Sequence[Path | str] | None = None
    ) -> Database:
        made.append(_lent(request, lambda databases: databases.make(*directories, schema=schema, seeds=seeds)))
        return made[-1]

    yield make
    for database in made:
        _give_back(request, database)


@pytest.fixture
def wflo_transaction(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection in a transaction that is rolled back after the test; the fastest of all.

    All tests share one database.  Sequences are not rolled back.  A test that commits fails, and
    the next one gets a new database.
    """
    from wflo_schema.errors import WfloSchemaError

    databases = _databases(request.config)
    try:
        connection = databases.begin_shared()
    except WfloSchemaError as error:
        pytest.fail(f"wflo-schema cannot make a database: {_said(error)}", pytrace=False)
    yield connection
    if not databases.end_shared():
        pytest.fail(
            "the test ended the transaction of wflo_transaction; use wflo_database or wflo_connection where it commits",
            pytrace=False,
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the databases of a failed test where that was asked for, and say how to connect."""
    report = yield
    ours = item.stash.get(_OURS, None)
    if not ours or not report.failed or report.when == "teardown" or not _option(item.config, "keep"):
        return report
    item.stash[_KEPT] = True
    from wflo_schema.errors import WfloSchemaError

    for database in ours:
        try:
            _databases(item.config).keep(database, item.nodeid)
            report.sections.append(("wflo-schema kept the database", _how_to_connect(database)))
        except WfloSchemaError as error:
            report.sections.append(("wflo-schema could not keep the database", _said(error)))
    return report


def _how_to_connect(database: Database) -> str:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    known = conninfo_to_dict(database.conninfo)
    had_password = known.pop("password", None) is not None
    command = f"psql {shlex.quote(make_conninfo('', **known))}"
    password = "\n(the password is that of the URL that was given)" if had_password else ""
    return f"{command}{password}\nwflo-schema test-db prune drops it when it is told to drop kept ones too"


# --- free tests -------------------------------------------------------------------------------


class FreeTestItem(pytest.Item):
    """One free test, named ``wflo-schema::NAME``."""

    def __init__(self, *, test: FreeTest, **rest: Any) -> None:
        super().__init__(**rest)
        self.test = test

    def runtest(self) -> None:
        """Run it; what does not apply is skipped with its reason."""
        from wflo_schema.testing import NotApplicable

        try:
            self.test.run(_databases(self.config))
        except NotApplicable as reason:
            pytest.skip(str(reason))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected and found, without a traceback through this package."""
        from wflo_schema.errors import WfloSchemaError
        from wflo_schema.testing import PromiseBroken

        if isinstance(excinfo.value, (WfloSchemaError, PromiseBroken)):
            return _said(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says it is: at the top of the project."""
        return self.config.rootpath, None, self.nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the free tests behind the others, before -k and -m choose; not where single tests are named."""
    if not _option(config, "free-tests") or any("::" in str(arg) for arg in config.args):
        return
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.testing import free_tests

    try:
        tests = free_tests(_options(config))
    except WfloSchemaError as error:
        raise pytest.UsageError(f"wflo-schema: {_said(error)}") from error
    for test in tests:
        items.append(
            FreeTestItem.from_parent(session, name=test.name, nodeid=f"wflo-schema::{test.name}", test=test)
        )
