"""The command line: options, one call, one rendering, one exit code.

The only module that reads the environment and prints.
"""

from __future__ import annotations

import codecs
import gc
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from wflo_schema.errors import NoDatabase, Refused, UsageError, WfloSchemaError

if TYPE_CHECKING:
    from wflo_schema.adopt.judge import Options
    from wflo_schema.connect.database import Database
    from wflo_schema.connect.pipeline import Stop
    from wflo_schema.engine.events import Event
    from wflo_schema.engine.locks import LockOptions
    from wflo_schema.files.folder import Migrations

# Variables of libpq that say which database is meant; a user or password alone says nothing.
_LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE")

# The first that is set and not empty counts.
_URL_VARIABLES = ["WFLO_SCHEMA_DATABASE_URL", "DATABASE_URL"]

_F = TypeVar("_F", bound=Callable[..., Any])

EXIT_CODES = """\b
Exit codes: 0 done, nothing found; 1 answered, and the answer is no;
2 usage; 3 could not do it; 130/143 stopped by Ctrl-C/SIGTERM."""


class _Option(click.Option):
    """An option that shows in --help which variable sets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("show_envvar", True)
        super().__init__(*args, **kwargs)


def _option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    return click.option(*names, cls=_Option, **settings)


def _all(*decorators: Callable[[_F], _F]) -> Callable[[_F], _F]:
    def decorate(function: _F) -> _F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_database_url = _option(
    "--database-url",
    metavar="URL",
    envvar=_URL_VARIABLES,
    help="The database. Without it: libpq's variables (PGHOST, PGSERVICE …), else the project's own server.",
)
_schema = _option("--schema", metavar="NAME", envvar="WFLO_SCHEMA_SCHEMA", help="Where ledger and tables live.")
_migrations = _option(
    "--migrations",
    metavar="DIR",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    envvar="WFLO_SCHEMA_MIGRATIONS",
    help="Folder of migration files, repeatable. Default: ./migrations, else the package's own.",
)
_format = _option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="WFLO_SCHEMA_FORMAT",
    help="How to print the result.",
    show_default=True,
)
_server_directory = _option(
    "--server-directory",
    metavar="DIR",
    type=click.Path(path_type=Path),  # whether it can be used is asked where it is
    default=Path(".wflo-schema"),
    envvar="WFLO_SCHEMA_SERVER_DIRECTORY",
    help="Where the project's own server is kept.",
    show_default=True,
)


_scratch_url = _option(
    "--scratch-url",
    metavar="URL",
    envvar="WFLO_SCHEMA_SCRATCH_URL",
    help="A server for the scratch database. Default: the target's own.",
)


def _explained(target: Database, files: Migrations, refused: Refused) -> Refused:
    from wflo_schema.adopt.judge import explain_refusal

    return explain_refusal(target, files, refused, options=_given())


def _given() -> Options:
    """The options of this command line that the next one must have too; what the environment says, it says again."""
    from wflo_schema.adopt.judge import Options
    from wflo_schema.connect.database import Database

    context = click.get_current_context()

    def words(parameter: str, option: str) -> tuple[str, ...]:
        if context.get_parameter_source(parameter) is not click.core.ParameterSource.COMMANDLINE:
            return ()
        value = context.params[parameter]
        if parameter.endswith("_url"):
            value = Database.parse(value).without_password.url
        values = value if isinstance(value, tuple) else (value,)
        return tuple(word for one in values for word in (option, str(one)))

    return Options(
        database=words("database_url", "--database-url") + words("server_directory", "--server-directory"),
        migrations=words("migrations", "--migrations"),
        scratch=words("scratch_url", "--scratch-url"),
    )


def _scratch(url: str | None) -> Database | None:
    from wflo_schema.connect.database import Database

    return None if url is None else Database.parse(url, source="--scratch-url")


def _lock_options(function: _F) -> _F:
    return _all(
        _option(
            "--lock-timeout",
            metavar="DURATION",
            envvar="WFLO_SCHEMA_LOCK_TIMEOUT",
            help="The most that a statement waits for a lock (500ms, 2s; 0 waits for ever). "
            "Default: what the file says, else 900ms.",
        ),
        _option(
            "--lock-wait",
            metavar="DURATION",
            default="60s",
            envvar="WFLO_SCHEMA_LOCK_WAIT",
            show_default=True,
            help="How long in all a migration is tried again after lock timeouts.",
        ),
    )(function)


_target = _all(_database_url, _schema, _migrations, _format, _server_directory)


def resolve_database(url: str | None, schema: str | None, server_directory: Path) -> Database:
    """The database that is meant: option, variable, libpq's variables, the project's own server.

    Raise `NoDatabase` where nothing says it: a database is never invented.
    """
    from wflo_schema.connect.database import Database

    if url is not None:
        context = click.get_current_context(silent=True)
        source = context.get_parameter_source("database_url") if context else None
        named = "--database-url"
        if source is click.core.ParameterSource.ENVIRONMENT:
            named = next((name for name in _URL_VARIABLES if os.environ.get(name)), named)
        if not url.strip():
            raise NoDatabase(f"{named} is empty", hint="give it a URL, or leave it away")
        return Database.parse(url, schema=schema, source=named)
    for name in _URL_VARIABLES:
        if name in os.environ:
            raise NoDatabase(f"{name} is set, and empty", hint=f"give it a URL, or remove it: unset {name}")
    given = [name for name in _LIBPQ if os.environ.get(name)]
    if given:
        return Database.parse("", schema=schema, source=", ".join(given))
    why = "is not running"
    if _is_there(server_directory):
        from wflo_schema.server.embedded import find_embedded, status_embedded

        running = find_embedded(server_directory)
        if running is not None:
            return running.database.with_schema(schema)
        note = status_embedded(server_directory).note
        why = f"cannot be used: {note}" if note else why
    raise NoDatabase(
        f"no database is named, and the project's own server {why}",
        hint="set DATABASE_URL (postgresql://user:password@host:5432/name) or give --database-url; "
        "or start the project's own server: wflo-schema server start",
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UsageError(f"cannot look into {path}: {error.strerror}", hint="run it in a folder of your own") from None


def _read_migrations(directories: Sequence[Path]) -> Migrations:
    from wflo_schema.files.folder import read_migrations

    found = read_migrations(*(directories or (_default_directory(),)))
    for stray in found.stray_rollbacks:
        _warn(f"{stray} belongs to no migration: is one of the two names mistyped?")
    return found


def _default_directory() -> Path:
    here = Path("migrations")
    if _is_there(here) and here.is_dir():
        return here
    package = Path(__file__).parent.parent / "migrations"
    return package if package.is_dir() else package.parent.parent / "migrations"


def _warn(text: str) -> None:
    _say(f"{click.style('warning:', fg='yellow')} {_visible(text)}")


def _say(text: str) -> None:
    """Print on stderr; what cannot be shown stops nothing."""
    try:
        click.echo(text, err=True)
    except OSError:
        _discard(sys.stderr)


def _visible(text: str) -> str:
    """With the control characters of names from files and servers written out, so that none steers a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


class _Terminal(io.TextIOWrapper):
    """A terminal to which no control characters are sent."""

    def write(self, text: str) -> int:
        return super().write(_visible(text))


def _discard(stream: IO[str]) -> None:
    """Let what cannot be written go nowhere, so that Python does not fail over it at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        pass


def _make_streams_safe() -> None:
    """Have a stream that was closed lead nowhere, and one that lacks a character write it as JSON would."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # opened in this order each gets its own number again
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("wflo-schema", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="wflo-schema")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():
        encoding = sys.stdout.encoding
        sys.stdout = _Terminal(sys.stdout.detach(), encoding=encoding, errors="wflo-schema", line_buffering=True)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    import json

    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _locks(timeout: str | None, wait: str) -> LockOptions:
    from wflo_schema.engine.locks import LockOptions
    from wflo_schema.files.directives import parse_duration_ms

    try:
        return LockOptions(None if timeout is None else parse_duration_ms(timeout), parse_duration_ms(wait) / 1000)
    except ValueError as error:
        raise UsageError(str(error), hint="for example --lock-timeout 500ms --lock-wait 5min") from None


@contextmanager
def _stoppable() -> Iterator[Stop]:
    """A `Stop` that SIGINT and SIGTERM request."""
    from wflo_schema.connect.pipeline import Stop

    stop = Stop()
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda n, frame: stop.request(n)) for number in wanted}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """Prints events: results on stdout, the rest on stderr, a bar where stderr is a terminal."""

    def __init__(self, format_: str) -> None:
        self._is_text = format_ == "text"
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        from wflo_schema.engine.events import Begun, Done, Notice, Running
        from wflo_schema.show.text import event_text

        if isinstance(event, Begun) and event.total > 1 and sys.stderr.isatty():
            self._start(event.total)
        if isinstance(event, Running):
            self._running(event)
        line = event_text(event)
        if not line:
            return
        if isinstance(event, Begun | Done):
            if self._bar is not None and isinstance(event, Done):
                self._bar.update(self._task, completed=event.number, total=event.total)
            if self._is_text:
                self._print(line, err=False)
        elif not (isinstance(event, Notice) and event.severity in ("DEBUG", "LOG", "INFO")):
            self._print(line, err=True)

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=total)
        self._bar.start()

    def _running(self, event: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=f"{event.id}  {event.progress}".rstrip())
        elif event.elapsed_s >= 1 and sys.stderr.isatty():
            said = f", {event.progress}" if event.progress else ""
            self._print(f"  {event.id} is running ({event.elapsed_s:.0f} s{said})", err=True)

    def _print(self, line: str, *, err: bool) -> None:
        stream_is_terminal = (sys.stderr if err else sys.stdout).isatty()
        line = _visible(line) if stream_is_terminal else line
        try:
            if self._bar is not None and stream_is_terminal:
                self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                click.echo(line, err=err)
        except OSError:  # nobody reads it, or the disk it goes to is full: no reason to stop between two migrations
            if err:
                _discard(sys.stderr)


class _CheckCommand(click.Command):
    """Lists the codes in --help, from where they are documented."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from wflo_schema.check.rules import RULES
        from wflo_schema.show.check_formats import rules_text

        with formatter.section("Codes"):
            for line in rules_text(RULES).splitlines():
                formatter.write(f"  {line}\n")
        super().format_epilog(ctx, formatter)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, for commands that have something to clear away but no migration to stop."""


def _terminate(number: int, frame: object) -> None:
    raise _Terminated


class _ReaderGone(Exception):
    """Nobody reads stdout any more; not an OSError, which click would turn into exit code 1."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGone from None


@click.group(
    cls=_Group,
    context_settings={"auto_envvar_prefix": "WFLO_SCHEMA", "help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="wflo-schema")
def cli() -> None:
    """Plain SQL migrations for PostgreSQL, verified in the live catalog.

    \b
    Start here:
      wflo-schema server start      a PostgreSQL of the project's own, if you have none
      wflo-schema migrate           apply what is pending
      wflo-schema check             verify tables, ledger and foreign keys
    """


@cli.command(epilog=EXIT_CODES)
@_target
@_lock_options
@_option("--to", metavar="ID", help="Stop after this migration; the beginning of its id will do.")
@_option(
    "--allow",
    type=click.Choice(["changed", "missing", "ahead", "late", "heads", "half-done"]),
    multiple=True,
    help="Go on although files and ledger do not fit; names the case, repeatable.",
)
def migrate(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    lock_wait: str,
    to: str | None,
    allow: tuple[str, ...],
) -> None:
    """Apply every pending migration, each with its record in one transaction.

    Does not create the database, and never runs a migration twice. Any number of them at once do
    the work once; after a kill, run it again.

    \b
    Example:
      DATABASE_URL=postgresql://wflo_user@localhost/wflo wflo-schema migrate
      wflo-schema migrate --to 20251110_02 --lock-timeout 500ms
    """
    from wflo_schema.engine import operations
    from wflo_schema.engine.planning import Allow
    from wflo_schema.show.text import listed, result_json, result_text

    target = resolve_database(database_url, schema, server_directory)
    files = _read_migrations(migrations)
    if files.without_rollback:
        shown = listed(files.without_rollback, 5)
        _warn(f"no rollback file, so it cannot be rolled back: {shown}")
    try:
        with _stoppable() as stop, _Progress(format_) as notify:
            result = operations.migrate(
                target,
                files,
                to=to,
                allow=[Allow(a) for a in allow],
                locks=_locks(lock_timeout, lock_wait),
                notify=notify,
                stop=stop,
            )
    except Refused as refused:
        raise _explained(target, files, refused) from None
    click.echo(result_json(result) if format_ == "json" else result_text(result))


@cli.command(epilog=EXIT_CODES)
@click.argument("id", required=False)
@_target
@_lock_options
@_option("-n", "--count", type=click.IntRange(min=0), default=None, help="How many, the last one first. Default: 1.")
@_option("--to", metavar="ID", help="Roll back everything after this migration; it stays itself.")
def rollback(
    id: str | None,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    lock_timeout: str | None,
    lock_wait: str,
    count: int | None,
    to: str | None,
) -> None:
    """Roll back the last migration, the last N, all after one, or just ID.

    Does nothing at all when one of the rollback files is missing or empty.

    \b
    Example:
      wflo-schema rollback              the last one
      wflo-schema rollback -n 2
      wflo-schema rollback --to 20251110_01
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import result_json, result_text

    if sum(x is not None for x in (id, count, to)) > 1:
        raise UsageError("give one of ID, -n and --to", hint="wflo-schema rollback --help")
    target = resolve_database(database_url, schema, server_directory)
    files = _read_migrations(migrations)
    try:
        with _stoppable() as stop, _Progress(format_) as notify:
            result = operations.rollback(
                target,
                files,
                count=1 if count is None else count,
                to=to,
                only=id,
                locks=_locks(lock_timeout, lock_wait),
                notify=notify,
                stop=stop,
            )
    except Refused as refused:
        raise _explained(target, files, refused) from None
    click.echo(result_json(result) if format_ == "json" else result_text(result))


@cli.command(epilog=EXIT_CODES)
@_target
def status(
    database_url: str | None, schema: str | None, migrations: tuple[Path, ...], format_: str, server_directory: Path
) -> None:
    """Show which migrations are applied, pending, changed or missing.

    Writes nothing, and works for a role that may only read. For a gate in CI use
    wflo-schema check --only ledger, which exits with 1 where something is pending.

    \b
    Example:
      wflo-schema status --format json | jq .pending
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import status_json, status_text

    target = resolve_database(database_url, schema, server_directory)
    found = operations.status(target, _read_migrations(migrations))
    click.echo(status_json(found) if format_ == "json" else status_text(found))


@cli.command(epilog=EXIT_CODES)
@_target
@_option("--to", metavar="ID", help="As for migrate.")
def plan(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    to: str | None,
) -> None:
    """Show what migrate would do, and what would stop it.

    Writes nothing and runs nothing. Exits with 1 when migrate would refuse.

    \b
    Example:
      wflo-schema plan --to 20251110_02
    """
    from wflo_schema.engine import operations
    from wflo_schema.show.text import json_text, plan_text

    target = resolve_database(database_url, schema, server_directory)
    files = _read_migrations(migrations)
    planned = operations.plan(target, files, to=to)
    if planned.refusals:
        from wflo_schema.adopt.judge import explain_plan

        planned = explain_plan(target, files, planned, options=_given())
    click.echo(json_text(planned) if format_ == "json" else plan_text(planned))
    sys.exit(1 if planned.refusals else 0)


@cli.command(epilog=EXIT_CODES)
@click.argument("message")
@_option(
    "--migrations",
    metavar="DIR",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    default=(Path("migrations"),),
    envvar="WFLO_SCHEMA_MIGRATIONS",
    show_default=True,
    help="Folder to write into; it is made if it is not there.",
)
@_format
def new(message: str, migrations: tuple[Path, ...], format_: str) -> None:
    """Write an empty migration and its rollback file.

    Does not touch a database. The new one depends on the last of the folder.

    \b
    Example:
      wflo-schema new "add a column"
    """
    from wflo_schema.files.folder import new_migration
    from wflo_schema.show.text import json_text

    if len(migrations) > 1:
        raise UsageError(
            f"{len(migrations)} folders of migrations are named, and a new one goes into one: "
            f"{', '.join(map(str, migrations))}",
            hint=f"say which: --migrations {migrations[-1]}",
        )
    paths = new_migration(migrations[0], message)
    click.echo(json_text({"paths": paths}) if format_ == "json" else "\n".join(str(p) for p in paths))


@cli.command(cls=_CheckCommand, epilog=EXIT_CODES)
@_all(_database_url, _schema, _migrations, _server_directory)
@_option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "junit", "sarif", "github"]),
    default="text",
    envvar="WFLO_SCHEMA_FORMAT",
    help="How to print the result.",
    show_default=True,
)
@_option(
    "--contract",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What must hold. Default: contract.toml in the migrations folder.",
)
@_option(
    "--only",
    type=click.Choice(["contract", "ledger", "rows", "drift", "indexes"]),
    multiple=True,
    help="Check just that, repeatable. Default: contract, ledger and indexes.",
)
@_option("--rows", is_flag=True, help="Also look for orphan rows.")
@_option("--drift", is_flag=True, help="Also compare the catalog with the migrations replayed in a scratch database.")
@_scratch_url
@_option(
    "--snapshot",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare with this file of wflo-schema dump instead: needs no scratch database.",
)
@_option("--privileges", is_flag=True, help="Compare owners and grants too. Implies --drift; no snapshot holds them.")
@_option("--timeout", metavar="DURATION", default="60s", show_default=True, help="For looking at rows, in all.")
@_option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="What makes it exit with 1.",
)
def check(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    format_: str,
    contract: Path | None,
    only: tuple[str, ...],
    rows: bool,
    drift: bool,
    scratch_url: str | None,
    snapshot: Path | None,
    privileges: bool,
    timeout: str,
    fail_on: str,
) -> None:
    """Verify that the database keeps what the contract requires.

    Reads only. Says yes to a foreign key only if PostgreSQL enforces it; what cannot be seen is
    "cannot tell" (exit 3), never yes.

    \b
    Example:
      wflo-schema check
      wflo-schema check --rows --drift
      wflo-schema check --drift --snapshot schema.sql
      wflo-schema check --only contract --format github
    """
    from wflo_schema.catalog.snapshot import read_snapshot
    from wflo_schema.check.contract_file import read_contract
    from wflo_schema.check.rules import RULES
    from wflo_schema.check.verdict import DEFAULT_SECTIONS, check_database
    from wflo_schema.files.directives import parse_duration_ms
    from wflo_schema.findings import Severity
    from wflo_schema.scratch.replay import replayed
    from wflo_schema.show.check_formats import FORMATS, check_sarif
    from wflo_schema.show.text import check_json

    target = resolve_database(database_url, schema, server_directory)
    sections = tuple(only or DEFAULT_SECTIONS)
    asked = (("rows", rows), ("drift", drift or privileges or snapshot is not None))
    sections += tuple(s for s, on in asked if on and s not in sections)
    try:
        timeout_s = parse_duration_ms(timeout) / 1000
    except ValueError as error:
        raise UsageError(str(error), hint="for example --timeout 5min") from None
    needs_contract = bool({"contract", "rows", "indexes"} & set(sections))
    needs_files = bool({"ledger", "drift"} & set(sections))
    files = _read_migrations(migrations) if needs_files else None
    wanted = None
    if snapshot is not None and privileges:
        raise UsageError("a snapshot holds no owners and no grants", hint="leave --snapshot or --privileges out")
    if snapshot is not None:
        wanted = read_snapshot(snapshot)
    elif "drift" in sections and files is not None:
        wanted = replayed(target, files, on=_scratch(scratch_url), privileges=privileges)
    path = contract or (migrations[0] if migrations else _default_directory()) / "contract.toml"
    result = check_database(
        target,
        read_contract(path) if needs_contract else None,
        migrations=files,
        only=sections,
        rows_timeout_s=timeout_s,
        wanted=wanted,
        privileges=privileges,
        fail_on=Severity(fail_on),
    )
    if format_ == "sarif":
        click.echo(check_sarif(result, RULES))
    elif format_ == "json":
        click.echo(check_json(result, RULES))
    else:
        click.echo(FORMATS[format_](result))
    sys.exit(result.exit_code)


@cli.group()
def contract() -> None:
    """Write down what a database must keep."""


@contract.command(epilog=EXIT_CODES)
@_all(_database_url, _schema, _server_directory)
def freeze(database_url: str | None, schema: str | None, server_directory: Path) -> None:
    """Write a contract from a live database to stdout.

    Reads only; does not say whether what is there is right.

    \b
    Example:
      wflo-schema contract freeze > migrations/contract.toml
    """
    from wflo_schema.check.freeze import freeze_contract

    target = resolve_database(database_url, schema, server_directory)
    click.echo(freeze_contract(target, schema=schema).encode(), nl=False)  # TOML is UTF-8


@cli.command(epilog=EXIT_CODES)
@_target
@_option("--apply", is_flag=True, help="Record it, where the catalog is equal. Without it the database is only read.")
@_option("--to", metavar="ID", help="The migration that you expect, where several are equal or two tools were at work.")
@_scratch_url
def adopt(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    apply: bool,
    to: str | None,
    scratch_url: str | None,
) -> None:
    """Take over a live database that another tool made, or nobody's.

    Finds the other tool's ledger, replays the migrations in a scratch database, and says after
    which one this database equals ours, or every difference from the nearest. Decides by the
    catalog, never by a ledger. Never changes a table, and leaves the other ledger as it is.

    \b
    Example:
      wflo-schema adopt
      wflo-schema adopt --apply && wflo-schema migrate
    """
    from wflo_schema.adopt.judge import adopt_database, read_names, read_reconciling
    from wflo_schema.show.text import adoption_json, adoption_text

    target = resolve_database(database_url, schema, server_directory)
    files = _read_migrations(migrations)
    found = adopt_database(
        target,
        files,
        apply=apply,
        to=to,
        scratch_on=_scratch(scratch_url),
        names=read_names(files),
        reconciling=read_reconciling(files),
        options=_given(),
    )
    click.echo(adoption_json(found) if format_ == "json" else adoption_text(found))
    sys.exit(found.exit_code)


@cli.command(epilog=EXIT_CODES)
@_target
@_option("--to", metavar="ID", required=True, help="The last migration to record.")
@_option("--unverified", is_flag=True, help="Compare nothing: record what you say.")
@_scratch_url
def baseline(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    to: str,
    unverified: bool,
    scratch_url: str | None,
) -> None:
    """Record migrations as applied without running them, for a database made by hand.

    Only once the catalog is seen to equal ours after --to. Unlike adopt it does not mind what other
    tools have recorded. Never changes a table.

    \b
    Example:
      wflo-schema baseline --to 20251110_03
    """
    from wflo_schema.adopt.judge import baseline, read_reconciling
    from wflo_schema.show.text import adoption_json, adoption_text, listed

    target = resolve_database(database_url, schema, server_directory)
    files = _read_migrations(migrations)
    found = baseline(
        target,
        files,
        to,
        verified=not unverified,
        scratch_on=_scratch(scratch_url),
        reconciling=read_reconciling(files),
        options=_given(),
    )
    if unverified and found.is_applied:
        _warn(
            f"recorded on your word alone, and compared with nothing: {listed(found.record)}; "
            "wflo-schema adopt says whether it is so"
        )
    click.echo(adoption_json(found) if format_ == "json" else adoption_text(found))
    sys.exit(found.exit_code)


@cli.command(epilog=EXIT_CODES)
@_all(_database_url, _schema, _migrations, _server_directory)
@_option("--with-ledger", is_flag=True, help="Also the ledger, with the migrations that are recorded.")
def dump(
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    server_directory: Path,
    with_ledger: bool,
) -> None:
    """Write the schema to stdout, for review in version control.

    SQL that loads into an empty database, and the catalog in comments, for check --snapshot. The
    same schema gives the same text, whoever writes it and when. Holds no rows, owners or grants.

    \b
    Example:
      wflo-schema dump > schema.sql
      wflo-schema check --drift --snapshot schema.sql
    """
    from wflo_schema.catalog.snapshot import dump_schema

    target = resolve_database(database_url, schema, server_directory)
    ledger = []
    if with_ledger:
        from wflo_schema.engine.operations import status as read_status
        from wflo_schema.engine.planning import ledger_statements

        files = _read_migrations(migrations)
        ledger = ledger_statements(read_status(target, files), files)
    made = dump_schema(target, ledger=ledger)
    for one in made.left_out:
        _warn(f"the SQL does not make this; only the comments have it: {one}")
    click.echo(made.text.encode(), nl=False)  # it is read back as UTF-8


@cli.group("test-db", epilog=EXIT_CODES, invoke_without_command=True)
@click.pass_context
@_target
@_option("--keep", is_flag=True, help="Keep the database and its data; only apply what is pending.")
@_option("--name", metavar="NAME", help="Its name; it must end in _test. Default: the target's name and _test.")
def test_db(
    context: click.Context,
    database_url: str | None,
    schema: str | None,
    migrations: tuple[Path, ...],
    format_: str,
    server_directory: Path,
    keep: bool,
    name: str | None,
) -> None:
    """Drop, create and migrate the test database, on the same server.

    Open connections to the old one do not stop it. Refuses to drop a database whose name does not
    end in _test, and the target itself, whatever is asked.

    \b
    Example:
      wflo-schema test-db               wflo_test, made anew
      wflo-schema test-db --keep        only what is pending
    """
    from wflo_schema.show.text import json_text, plain, test_database_text
    from wflo_schema.testdb.databases import make_test_database

    if context.invoked_subcommand is not None:
        return
    target = resolve_database(database_url, schema, server_directory)
    with _Progress(format_) as notify:
        made = make_test_database(target, _read_migrations(migrations), name=name, keep=keep, notify=notify)
    click.echo(
        json_text({**plain(made), "url": made.database.without_password.url})
        if format_ == "json"
        else test_database_text(made)
    )


@test_db.command("list", epilog=EXIT_CODES)
@_all(_database_url, _format, _server_directory)
def test_db_list(database_url: str | None, format_: str, server_directory: Path) -> None:
    """List the databases on this server that were made here: templates, clones, test databases.

    Writes nothing.

    \b
    Example:
      wflo-schema test-db list
    """
    from wflo_schema.show.text import json_text, made_text
    from wflo_schema.testdb.databases import list_test_databases

    found = list_test_databases(resolve_database(database_url, None, server_directory))
    click.echo(json_text(found) if format_ == "json" else made_text(found))


@test_db.command("prune", epilog=EXIT_CODES)
@_all(_database_url, _format, _server_directory)
@_option("--kept", is_flag=True, help="Also those that were kept for looking at.")
def test_db_prune(database_url: str | None, format_: str, server_directory: Path, kept: bool) -> None:
    """Drop what killed test sessions left, and templates that nobody has used for long.

    Never touches a database that was not made here, nor one that is in use.

    \b
    Example:
      wflo-schema test-db prune
    """
    from wflo_schema.show.text import json_text, pruned_text
    from wflo_schema.testdb.databases import prune_test_databases

    found = prune_test_databases(resolve_database(database_url, None, server_directory), kept=kept)
    click.echo(json_text(found) if format_ == "json" else pruned_text(found))


@cli.group()
def server() -> None:
    """The project's own PostgreSQL, or the one of docker-compose.yml."""


_docker = _all(
    _option("--docker", is_flag=True, help="The PostgreSQL of docker-compose.yml, through Docker."),
    _option(
        "--compose-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("docker-compose.yml"),
        show_default=True,
        envvar="WFLO_SCHEMA_COMPOSE_FILE",
        help="Where image, port and password are written.",
    ),
    _option("--docker-image", metavar="NAME", envvar="WFLO_SCHEMA_DOCKER_IMAGE", help="Instead of the file's image."),
    _option(
        "--docker-port",
        metavar="PORT",
        type=click.IntRange(1, 65535),
        envvar="WFLO_SCHEMA_DOCKER_PORT",
        help="Instead of the file's port on 127.0.0.1.",
    ),
)


@server.command(epilog=EXIT_CODES)
@_all(_server_directory, _format, _docker)
@_option(
    "--name", "database_name", metavar="NAME", default="wflo", show_default=True, help="The database to make in it."
)
@_option("--if-needed", is_flag=True, help="Do nothing where DATABASE_URL or libpq's variables name a database.")
def start(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
    database_name: str,
    if_needed: bool,
) -> None:
    """Start it, make it where it is not there, and print its URL.

    Without --docker: PostgreSQL 18 from a Python package, kept in the project's folder, on a Unix
    socket only. Never deletes data.

    \b
    Example:
      wflo-schema server start
      wflo-schema server start --docker
    """
    from wflo_schema.server.docker import start_docker
    from wflo_schema.server.embedded import start_embedded
    from wflo_schema.show.text import json_text, plain

    variables = (*_URL_VARIABLES, *_LIBPQ)
    if if_needed and any(os.environ.get(name) for name in variables):
        return
    if not database_name:
        raise UsageError("the database's name is empty", hint="leave --name away for wflo")
    if docker:
        started = start_docker(compose_file, image=docker_image, port=docker_port)
    else:
        started = start_embedded(server_directory, database_name=database_name)
    if if_needed:
        if started.started:
            _say(f"started: PostgreSQL {started.version}, {started.database.label}")
        return
    if format_ == "json":
        click.echo(json_text({**plain(started), "url": started.database.url}))
    else:
        verb = "started" if started.started else "already running"
        _say(f"{verb}: PostgreSQL {started.version}, {started.database.label}")
        click.echo(started.database.url)


@server.command("stop", epilog=EXIT_CODES)
@_all(_server_directory, _format, _docker)
def stop_(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
) -> None:
    """Stop it; its data stays.

    \b
    Example:
      wflo-schema server stop
    """
    from wflo_schema.server.docker import stop_docker
    from wflo_schema.server.embedded import stop_embedded
    from wflo_schema.show.text import json_text, server_status_text

    found = stop_docker(compose_file) if docker else stop_embedded(server_directory)
    click.echo(json_text(found) if format_ == "json" else server_status_text(found))


@server.command("status", epilog=EXIT_CODES)
@_all(_server_directory, _format, _docker)
def server_status(
    server_directory: Path,
    format_: str,
    docker: bool,
    compose_file: Path,
    docker_image: str | None,
    docker_port: int | None,
) -> None:
    """Say whether it runs, and where its data is. Exits with 1 when it does not run.

    \b
    Example:
      wflo-schema server status
    """
    from wflo_schema.server.docker import status_docker
    from wflo_schema.server.embedded import status_embedded
    from wflo_schema.show.text import json_text, server_status_text

    if docker:
        found = status_docker(compose_file, image=docker_image, port=docker_port)
    else:
        found = status_embedded(server_directory)
    click.echo(json_text(found) if format_ == "json" else server_status_text(found))
    sys.exit(0 if found.state == "running" else 1)


@server.command("url", epilog=EXIT_CODES)
@_all(_server_directory, _docker)
def server_url(
    server_directory: Path, docker: bool, compose_file: Path, docker_image: str | None, docker_port: int | None
) -> None:
    """Print the URL of the running one, for psql and for DATABASE_URL.

    \b
    Example:
      psql "$(wflo-schema server url)"
    """
    from wflo_schema.server.docker import status_docker
    from wflo_schema.server.embedded import status_embedded

    if docker:
        found = status_docker(compose_file, image=docker_image, port=docker_port)
    else:
        found = status_embedded(server_directory)
    if found.state != "running" or found.database is None:
        why = f"cannot be used: {found.note}" if found.note else "is not running"
        raise NoDatabase(
            f"the {found.kind} server {why}", hint="wflo-schema server start" + (" --docker" if docker else "")
        )
    click.echo(found.database.url)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one clear text on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        gc.set_threshold(100_000)  # what is imported stays: to look through it for garbage only costs time
    _make_streams_safe()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli.main(args=words, prog_name="wflo-schema", standalone_mode=False)
        sys.stdout.flush()
        code = 0
    except click.exceptions.Exit as stopped:
        code = stopped.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else ""
        _print_json(words, "usage-error", error.format_message(), hint)
        try:
            error.show()
        except OSError:
            _discard(sys.stderr)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt) as stopped_by:
        is_term = isinstance(stopped_by.__cause__ or stopped_by, _Terminated)  # click makes an Abort of it
        said = "terminated (SIGTERM)" if is_term else "interrupted (SIGINT)"
        _print_json(words, "interrupted", said)
        _say(f"error: {said}")
        code = 128 + (signal.SIGTERM if is_term else signal.SIGINT)
    except WfloSchemaError as error:
        _show(error, words)
        code = error.exit_code
    except (_ReaderGone, BrokenPipeError):
        _discard(sys.stdout)
        code = 128 + signal.SIGPIPE
    except OSError as error:
        _print_json(words, "os-error", f"cannot go on: {error}")
        _say(f"error: cannot go on: {error}")
        code = 3
    except Exception as error:  # the one net: a bug of ours, shown whole, with the exit code of "could not do it"
        import traceback

        said = f"this is a bug of wflo-schema: {type(error).__name__}"
        _print_json(words, "bug", said)
        _say(traceback.format_exc().rstrip())
        _say(f"error: {said}")
        code = 3
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _discard(stream)
    if arguments is None:
        gc.freeze()  # nor is it looked through at the end, which takes as long as the imports of psycopg
    sys.exit(code)


def _show(error: WfloSchemaError, words: Sequence[str]) -> None:
    from wflo_schema.show.text import error_json, error_text

    if _wants_json(words):
        _print(error_json(error))
    text = error_text(error)
    if sys.stderr.isatty():
        text = _visible(text)
        text = text.replace("error:", click.style("error:", fg="red"), 1)
    _say(text)


def _print_json(words: Sequence[str], code: str, message: str, hint: str = "") -> None:
    """What is no `WfloSchemaError`, in the shape of one, where JSON was asked for."""
    from wflo_schema.show.text import json_text

    if _wants_json(words):
        error = {"code": code, "message": message, "hint": hint}
        _print(json_text({"error": error, "applied": (), "not_tried": ()}))


def _print(text: str) -> None:
    """Print the answer when it is an error, which has its own exit code whoever reads it."""
    try:
        click.echo(text)
    except OSError:
        _discard(sys.stdout)


def _wants_json(words: Sequence[str]) -> bool:
    for before, word in zip(["", *words], words, strict=False):
        if word == "--format=json" or (before == "--format" and word == "json"):
            return True
    return os.environ.get("WFLO_SCHEMA_FORMAT") == "json" and not any(w.startswith("--format") for w in words)
