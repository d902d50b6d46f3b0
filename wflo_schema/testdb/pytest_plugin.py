"""The pytest plugin: a fresh, fully migrated database for every test.

Hides options, the order of hooks, xdist and what is printed.  Imports nothing but pytest until a
fixture is used, and does nothing to a project that uses none.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

import pytest

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    from wflo_schema.connect.database import Database
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.testdb.free_tests import FreeTest
    from wflo_schema.testdb.suite import Databases, Kind, ServerKind, SuiteOptions

# A URL often has a password, which belongs neither into an ini file nor on a command line.
URL_VARIABLE = "WFLO_TEST_DATABASE_URL"

# The variables that the Compose file and the command line read, too.
IMAGE_VARIABLE = "WFLO_SCHEMA_DOCKER_IMAGE"
PORT_VARIABLE = "WFLO_SCHEMA_DOCKER_PORT"

SET_VARIABLE = "WFLO_SCHEMA_SET_"

T = TypeVar("T")

_SERVERS = ("embedded", "docker", "url")


@dataclass(frozen=True)
class _Option:
    """``--wflo-NAME`` on the command line and ``wflo_NAME`` in the ini file: the same thing."""

    name: str
    kind: Literal["text", "texts", "flag", "paths", "path"]
    help: str
    choices: tuple[str, ...] = ()

    @property
    def ini(self) -> str:
        return "wflo_" + self.name.replace("-", "_")


_OPTIONS = (
    _Option("migrations", "paths", "folder with migrations, repeatable; wflo: those of wflo; default: migrations"),
    _Option("recursive", "flag", "take the migrations of sub-folders, too"),
    _Option("set", "texts", f"NAME=VALUE, a variable of the migrations, repeatable; or {SET_VARIABLE}NAME"),
    _Option("server", "text", "where test databases are made; default: url if one is given, else embedded", _SERVERS),
    _Option("database-url", "text", f"any database of the server for --wflo-server=url; or {URL_VARIABLE}"),
    _Option("schema", "text", "schema for the ledger and for unqualified objects"),
    _Option("seed", "paths", "SQL file that is run after the migrations, or folder of seeds, repeatable"),
    _Option("free-seed", "paths", "SQL file with rows for the free tests, repeatable; default: that of seed"),
    _Option("prepare", "path", "SQL file to run before the migrations: it makes what they take for granted"),
    _Option("template", "text", "database to copy, with what the migrations take for granted; default: an empty one"),
    _Option("allow-outside", "flag", "let migrations change roles and settings outside of their database"),
    _Option("contract", "path", "contract for the free tests; default: contract.toml beside the migrations"),
    _Option("compose-file", "path", "Compose file for --wflo-server=docker; default: docker-compose.yml"),
    _Option("postgres", "text", "installed PostgreSQL for the embedded test server: a version, or its folder"),
    _Option("server-directory", "path", "where the embedded test server is kept; default: in memory, else on disk"),
    _Option("ahead", "text", "databases to keep ready for each process"),
    _Option("keep", "flag", "keep the database of a failed test, and print how to connect"),
    _Option("free-tests", "flag", "collect the free tests: up-down-up, on-top-of-data, contract-holds"),
    _Option("stop-server", "flag", "stop the embedded test server at the end (else the next run uses it again)"),
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
        elif option.kind == "texts":
            group.addoption(flag, dest=dest, action="append", default=None, metavar="NAME=VALUE", help=option.help)
            parser.addini(option.ini, option.help, type="linelist", default=[])
        elif option.kind == "paths":
            group.addoption(flag, dest=dest, action="append", default=None, metavar="PATH", help=option.help)
            parser.addini(option.ini, option.help, type="paths", default=[])
        else:
            metavar = "PATH" if option.kind == "path" else option.name.rpartition("-")[2].upper()
            group.addoption(
                flag,
                dest=dest,
                default=None,
                help=option.help,
                **({"choices": option.choices} if option.choices else {"metavar": metavar}),
            )
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


def _variables(config: pytest.Config) -> dict[str, str]:
    """The values of variables: those of the ini file, of the environment before these, and first what was typed."""
    found: dict[str, str] = {}
    given = {n.removeprefix(SET_VARIABLE): v for n, v in os.environ.items() if n.startswith(SET_VARIABLE)}
    ini, typed = config.getini("wflo_set"), config.getoption("wflo_option_wflo_set") or ()
    for lines, between in ((ini, given), (typed, {})):
        for line in lines:
            name, sign, value = line.partition("=")
            if not sign or not name.strip().isidentifier():
                raise pytest.UsageError(f"wflo_set (--wflo-set) is {name}: give NAME=VALUE")
            found[name.strip()] = value
        found |= between
    return found


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that make no sense, once and before anything is collected."""
    _checked(config)
    _variables(config)


def _checked(config: pytest.Config) -> tuple[str, int | None, int | None]:
    """Kind of server, databases to keep ready and Docker's port, where they are given."""
    server = _option(config, "server")
    if server and server not in _SERVERS:
        raise pytest.UsageError(f"wflo_server is {server}: choose one of {', '.join(_SERVERS)}")
    ahead = _option(config, "ahead").strip()
    if ahead and not re.fullmatch(r"[1-9][0-9]{0,3}", ahead):
        raise pytest.UsageError(f"wflo_ahead (--wflo-ahead) is {ahead}: give a number from 1 to 9999")
    for flag in (option for option in _OPTIONS if option.kind == "flag"):
        try:
            _option(config, flag.name)
        except (ValueError, pytest.UsageError):
            raise pytest.UsageError(f"{flag.ini} in the ini file is neither true nor false") from None
    port = os.environ.get(PORT_VARIABLE, "") if server == "docker" else ""
    if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise pytest.UsageError(f"{PORT_VARIABLE} is {port}: give a port from 1 to 65535")
    return server, int(ahead) if ahead else None, int(port) if port else None


def _options(config: pytest.Config) -> SuiteOptions:
    from wflo_schema.files.packaged import PACKAGED, packaged_folder
    from wflo_schema.testdb.suite import AHEAD, AHEAD_OF_A_WORKER, SuiteOptions

    def path(name: str) -> Path | None:
        found = _option(config, name)
        return found[0] if found else None

    url = _option(config, "database-url") or os.environ.get(URL_VARIABLE, "")
    chosen, ahead, port = _checked(config)
    server = cast("ServerKind", chosen or ("url" if url else "embedded"))
    named = [root / PACKAGED for root in (config.rootpath, config.invocation_params.dir)]
    migrations = tuple(
        packaged_folder() if folder in named and not folder.is_dir() else folder
        for folder in _option(config, "migrations") or (config.rootpath / "migrations",)
    )
    contract = path("contract")
    if contract is None and (migrations[0] / "contract.toml").is_file():
        contract = migrations[0] / "contract.toml"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return SuiteOptions(
        migrations=migrations,
        server=server,
        url=url,
        schema=_option(config, "schema") or None,
        seeds=tuple(_option(config, "seed")),
        free_seeds=tuple(_option(config, "free-seed")),
        contract=contract,
        prepare=path("prepare"),
        template=_option(config, "template") or None,
        allow_outside=bool(_option(config, "allow-outside")),
        compose_file=path("compose-file") or config.rootpath / "docker-compose.yml",
        docker_image=os.environ.get(IMAGE_VARIABLE) or None,
        docker_port=port,
        postgres=_option(config, "postgres") or None,
        server_directory=path("server-directory"),
        cache=Path(cache) / "wflo-schema",
        recursive=_option(config, "recursive"),
        variables=_variables(config),
        ahead=ahead or (AHEAD_OF_A_WORKER if hasattr(config, "workerinput") else AHEAD),
    )


# --- what lives as long as the session --------------------------------------------------------


@dataclass
class _PluginState:
    """``remaining`` counts the tests that will still take a pooled database, for each fixture.

    ``is_connected``: at least one test wants it with a connection.  ``told`` has the test that
    reported each error in full; ``databases`` are those of the free tests.
    """

    remaining: dict[str, int] = field(default_factory=dict)
    is_connected: bool = False
    databases: Databases | None = None
    told: dict[str, str] = field(default_factory=dict)
    has_failed: bool = False


_STATE = pytest.StashKey[_PluginState]()
_OURS = pytest.StashKey[list["tuple[Databases, Database]"]]()
_KEPT = pytest.StashKey[bool]()
_CONNECTION = pytest.StashKey["psycopg.Connection[TupleRow]"]()

# Fixtures that take from a pool, and what they take.
_POOLED: dict[str, Kind] = {"wflo_database": "migrated", "wflo_empty_database": "empty"}


def _state(config: pytest.Config) -> _PluginState:
    return config.stash.setdefault(_STATE, _PluginState())


def _databases(config: pytest.Config, server: Database | None) -> Databases:
    from wflo_schema.testdb.suite import Databases

    state = _state(config)
    fixtures = {kind: fixture for fixture, kind in _POOLED.items()}
    return Databases(
        _options(config),
        server=server,
        wanted=lambda kind: state.remaining.get(fixtures[kind], 0),
        connected=state.is_connected,
        makers=1 if hasattr(config, "workerinput") else 2,
    )


def _count(items: Sequence[pytest.Item]) -> dict[str, int]:
    return {f: sum(f in getattr(item, "fixturenames", ()) for item in items) for f in _POOLED}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the tests that will take a database, so that no more are made ahead."""
    state = _state(session.config)
    state.remaining = _count(session.items)
    state.is_connected = any("wflo_connection" in getattr(item, "fixturenames", ()) for item in session.items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Before the last test count that one alone: under xdist a process does not run all that it collected."""
    if nextitem is None:
        _state(item.config).remaining = _count([item])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop what the free tests made."""
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
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.server.embedded import stop_embedded
    from wflo_schema.testdb.suite import server_directory

    options = _options(config)
    if options.server == "embedded":
        try:
            stop_embedded(options.server_directory or server_directory(options.cache, options.postgres))
        except WfloSchemaError as error:
            print(f"wflo-schema: {error.message}")


def _said(error: WfloSchemaError) -> str:
    from wflo_schema.show.text import error_text

    text = error_text(error).removeprefix("error: ")
    return re.sub(r"(?<!\S)--(migrations|recursive)\b", r"--wflo-\1", text)  # what they are called here


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


@pytest.fixture(scope="session")
def wflo_server() -> Database | None:
    """The server that test databases are made on; None: the one that the options name.

    For a server of your own, define a session-scoped fixture of this name in conftest.py that
    returns any of its databases; with ``params``, of several servers, one after the other.
    """
    return None


@pytest.fixture(scope="session")
def _wflo_databases(request: pytest.FixtureRequest, wflo_server: Database | None) -> Iterator[Databases]:
    """What all fixtures below stand on; with the last test on this server everything is dropped."""
    databases = _databases(request.config, wflo_server)
    yield databases
    databases.close()


def _or_refuse(item: pytest.Item, get: Callable[[], T], what: str = "wflo-schema cannot make a database") -> T:
    """Call ``get``; the first test that meets an error reports it in full, the others name that test."""
    from wflo_schema.errors import WfloSchemaError

    try:
        return get()
    except WfloSchemaError as error:
        said = _said(error)
    told = _state(item.config).told  # outside of the except clause, or pytest shows both
    key = re.sub(r"wflo_(clone|building)_\w+", "", said)
    if key in told:
        pytest.skip(f"{what}, as {told[key]} says")
    told[key] = item.nodeid
    pytest.fail(f"{what}: {said}", pytrace=False)


def _lent(request: pytest.FixtureRequest, databases: Databases, make: Callable[[], Database]) -> Database:
    """Make a database for this test; a failure is one message, not a traceback."""
    database = _or_refuse(request.node, make)
    request.node.stash.setdefault(_OURS, []).append((databases, database))
    return database


def _pooled(request: pytest.FixtureRequest, databases: Databases, fixture: str) -> Callable[[], Database]:
    """What takes a database from the pool, with a connection where the test wants one."""
    remaining = _state(request.config).remaining

    def take() -> Database:
        remaining[fixture] = max(0, remaining.get(fixture, 0) - 1)
        if fixture != "wflo_database" or "wflo_connection" not in request.fixturenames:
            return databases.take(_POOLED[fixture])
        database, connection = databases.take_connected()
        request.node.stash[_CONNECTION] = connection
        return database

    return take


def _give_back(request: pytest.FixtureRequest, databases: Databases, database: Database) -> None:
    if not request.node.stash.get(_KEPT, False):
        databases.release(database)


@pytest.fixture
def wflo_database(request: pytest.FixtureRequest, _wflo_databases: Databases) -> Iterator[Database]:
    """A database of this test's own with every migration applied.  Commits are real."""
    database = _lent(request, _wflo_databases, _pooled(request, _wflo_databases, "wflo_database"))
    yield database
    unused = request.node.stash.get(_CONNECTION, None)
    if unused is not None:  # closed already, unless the fixture that lends it never ran
        unused.close()
    _give_back(request, _wflo_databases, database)


@pytest.fixture
def wflo_empty_database(request: pytest.FixtureRequest, _wflo_databases: Databases) -> Iterator[Database]:
    """A database of this test's own as the server makes them, without any migration."""
    database = _lent(request, _wflo_databases, _pooled(request, _wflo_databases, "wflo_empty_database"))
    yield database
    _give_back(request, _wflo_databases, database)


class _Url(str):
    """A URL that pytest shows without its password."""

    _shown: str

    def __new__(cls, database: Database) -> _Url:
        made = super().__new__(cls, database.url)
        made._shown = database.without_password.url
        return made

    def __repr__(self) -> str:
        return repr(self._shown)


@pytest.fixture
def wflo_url(wflo_database: Database) -> str:
    """The URL of `wflo_database` for any client: ``postgresql://…``."""
    return _Url(wflo_database)


@pytest.fixture
def wflo_connection(request: pytest.FixtureRequest, wflo_database: Database) -> Iterator[psycopg.Connection[TupleRow]]:
    """A psycopg connection on `wflo_database`, in autocommit mode; unqualified names are in its schema."""
    connection = request.node.stash.get(_CONNECTION, None)
    if connection is None:  # asked for by getfixturevalue, when the test had begun
        from wflo_schema.testdb.suite import connect

        connection = connect(wflo_database)
    yield connection
    connection.close()


@pytest.fixture
def wflo_make_database(request: pytest.FixtureRequest, _wflo_databases: Databases) -> Iterator[MakeDatabase]:
    """A function that makes more databases for this test: other migrations, schema or seed files."""
    databases = _wflo_databases
    made: list[Database] = []

    def make(
        *directories: Path | str, schema: str | None = None, seeds: Sequence[Path | str] | None = None
    ) -> Database:
        made.append(_lent(request, databases, lambda: databases.make(*directories, schema=schema, seeds=seeds)))
        return made[-1]

    yield make
    for database in made:
        _give_back(request, databases, database)


@pytest.fixture
def wflo_transaction(
    request: pytest.FixtureRequest, _wflo_databases: Databases
) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection in a transaction that is rolled back after the test; the fastest of all.

    All tests share one database.  Sequences are not rolled back.  A test that commits fails, and
    the next one gets a new database.
    """
    connection = _or_refuse(request.node, _wflo_databases.begin_shared)
    yield connection
    if not _wflo_databases.end_shared():
        pytest.fail(
            "the test ended the transaction of wflo_transaction; use wflo_database or wflo_connection if it commits",
            pytrace=False,
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the databases of a failed test where that was asked for, and say how to connect."""
    report = yield
    ours = item.stash.get(_OURS, None)
    if ours:
        _hide_passwords(report, [database for _, database in ours])
    if not ours or not report.failed or report.when == "teardown" or not _option(item.config, "keep"):
        return report
    item.stash[_KEPT] = True
    from wflo_schema.errors import WfloSchemaError

    for databases, database in ours:
        try:
            databases.keep(database, item.nodeid)
            report.sections.append(("wflo-schema kept the database", _how_to_connect(database)))
        except WfloSchemaError as error:
            report.sections.append(("wflo-schema could not keep the database", _said(error)))
    return report


def _hide_passwords(report: pytest.TestReport, databases: Sequence[Database]) -> None:
    """Take the passwords of these databases out of all that is reported, as part of a URL or a conninfo string."""
    from urllib.parse import quote

    passwords = {database.parameters.get("password", "") for database in databases if database.has_password} - {""}
    if not passwords:
        return
    spelled = "|".join(re.escape(one) for known in passwords for one in (known, quote(known, safe="")))
    secret = re.compile(rf"(?<=:)(?:{spelled})(?=@)|(?<=password=)'?(?:{spelled})'?(?!\w)")

    def hidden(value: Any) -> Any:
        if isinstance(value, str):
            return secret.sub("***", value)
        if isinstance(value, (list, tuple)):
            return type(value)(hidden(one) for one in value)
        if type(value).__module__.startswith("_pytest._code"):
            for name, inner in vars(value).items():
                setattr(value, name, hidden(inner))
        return value

    report.longrepr = hidden(report.longrepr)
    report.sections = hidden(report.sections)


def _how_to_connect(database: Database) -> str:
    command = f"psql {shlex.quote(database.without_password.conninfo)}"
    password = "\n(the password is the one in your URL)" if database.has_password else ""
    return f"{command}{password}\nwflo-schema test-db prune --kept drops it"


# --- free tests -------------------------------------------------------------------------------


class FreeTestItem(pytest.Item):
    """One free test, named ``wflo-schema::NAME``."""

    def __init__(self, *, test: FreeTest, **rest: Any) -> None:
        super().__init__(**rest)
        self.test = test

    def runtest(self) -> None:
        """Run it; what does not apply is skipped with its reason."""
        state = _state(self.config)
        if state.databases is None:
            state.databases = _databases(self.config, None)
        _run_free_test(self, self.test, state.databases)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says it is: at the top of the project."""
        return self.config.rootpath, None, self.nodeid


@pytest.fixture
def wflo_free_test(request: pytest.FixtureRequest, _wflo_databases: Databases) -> Callable[[], None]:
    """One of the free tests, to be called: for a project that overrides `wflo_server`.

    A test that asks for it is collected once for each of them.
    """
    return lambda: _run_free_test(request.node, request.param, _wflo_databases)


def _run_free_test(item: pytest.Item, test: FreeTest, databases: Databases) -> None:
    """Say what was expected and found, without a traceback through this package."""
    from wflo_schema.testdb.free_tests import NotApplicable, PromiseBroken

    def run() -> str:
        try:
            test.run(databases)
        except NotApplicable as reason:
            pytest.skip(str(reason))
        except PromiseBroken as broken:
            return str(broken)
        return ""

    broken = _or_refuse(item, run, "wflo-schema cannot try this")
    if broken:
        pytest.fail(broken, pytrace=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Collect a test that asks for `wflo_free_test` once for each free test."""
    if "wflo_free_test" in metafunc.fixturenames:
        tests = _free_tests(metafunc.config)
        metafunc.parametrize("wflo_free_test", tests, ids=[test.name for test in tests], indirect=True)


def _free_tests(config: pytest.Config) -> tuple[FreeTest, ...]:
    from wflo_schema.errors import WfloSchemaError
    from wflo_schema.testdb.free_tests import free_tests

    try:
        return free_tests(_options(config))
    except WfloSchemaError as error:
        raise pytest.UsageError(f"wflo-schema: {_said(error)}") from error


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the free tests behind the others, before -k and -m choose; not where single tests are named."""
    if not _option(config, "free-tests") or any("::" in str(arg) for arg in config.args):
        return
    for test in _free_tests(config):
        items.append(FreeTestItem.from_parent(session, name=test.name, nodeid=f"wflo-schema::{test.name}", test=test))
