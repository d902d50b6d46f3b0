"""The options that several commands share, and what the environment says in their stead."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wflo_schema.cli.settings import (
    TYPED_VARIABLES,
    URL_VARIABLES,
    given_by_settings,
    libpq_source,
    refuse_empty_url,
    take_settings,
    told,
    url_source,
    variable_of,
    variables_in_force,
)
from wflo_schema.errors import ConnectionFailed, NoDatabase, Refused, UsageError, WfloSchemaError
from wflo_schema.files.packaged import PACKAGED, packaged_folder
from wflo_schema.show.check_formats import FORMATS
from wflo_schema.show.lint_formats import LINT_FORMATS

if TYPE_CHECKING:
    from wflo_schema.connect.database import Database
    from wflo_schema.engine.locks import LockOptions
    from wflo_schema.files.directives import Phase
    from wflo_schema.files.folder import Migrations
    from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.cli.streams import say, warn

_NO_FOLDER = "there is no folder ./migrations here, and no other is named"

# Where a context keeps that sub-folders are read, and that several targets are named, which nobody asked for yet.
_RECURSIVE, FLEET = "wflo_schema.recursive", "wflo_schema.fleet"

_F = TypeVar("_F", bound=Callable[..., Any])


class _Option(click.Option):
    """An option that shows in --help which variable sets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("show_envvar", True)
        super().__init__(*args, **kwargs)


class _Once(_Option):
    """An option that other commands take several times, and this one once: of what is typed, nothing is passed over."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append")

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, click.core.ParameterSource]:
        """Take the one that is typed.  Raise `UsageError` where there are several."""
        value, source = super().consume_value(ctx, opts)
        if source is not click.core.ParameterSource.COMMANDLINE or not isinstance(value, list):
            return value, source
        if len(value) > 1 and not ctx.resilient_parsing:
            raise UsageError(
                f"{self.opts[0]} is given {len(value)} times, and {ctx.info_name} takes one schema",
                hint=f"give the one that is meant; several are taken by {', '.join(_of_fleets(ctx))}",
            )
        return value[-1], source


def _of_fleets(context: click.Context) -> list[str]:
    """The commands that work on several targets."""
    group = context.find_root().command
    if not isinstance(group, click.Group):
        return []
    commands = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [name for name, one in commands if one is not None and any(p.name == "schemas" for p in one.params)]


class _Repeating(click.Command):
    """It takes values from the settings file.  Its errors repeat the options that say where, in what to type next."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_env_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; where the settings file has given a bad one, say so."""
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            setting = given_by_settings(ctx, error.param.name or "") if error.param else None
            if setting is None:
                raise
            raise UsageError(f"{setting.source}: {error.format_message()}", hint="mend it there") from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under headings, and the commands of a group."""
        from wflo_schema.cli.headings import write_options

        write_options(self, ctx, formatter)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, and let its error say where again."""
        try:
            return super().invoke(ctx)
        except WfloSchemaError as error:
            from wflo_schema.cli.suggestions import with_given_options

            error.hint = with_given_options(error.hint, ctx)
            raise


class Command(_Repeating):
    """A command whose errors can be pasted from."""


class Group(_Repeating, click.Group):
    """The same for a group, and for the commands in it."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, which sees no option of the group's own."""
        name, command, rest = super().resolve_command(ctx, args)
        if any(ctx.get_parameter_source(p.name or "") is click.core.ParameterSource.COMMANDLINE for p in self.params):
            from wflo_schema.cli.suggestions import refuse_options_before

            refuse_options_before(ctx, name or "")
        return name, command, rest


def option(*names: str, **settings: Any) -> Callable[[_F], _F]:
    """Declare an option as click.option does, and name its variable in the help."""
    return click.option(*names, **{"cls": _Option, **settings})


def _env_option() -> click.Option:
    return _Option(
        ["--env"],
        metavar="NAME",
        envvar="WFLO_SCHEMA_ENV",
        is_eager=True,  # the others have their defaults from it
        expose_value=False,
        callback=take_settings,
        help="The environment, [env.NAME] of the settings.",
    )


def all_of(*decorators: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Make one decorator of several; their options stand in the help in this order."""

    def decorate(function: _F) -> _F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep an option's value for who asks the context; a callback."""
    context.meta[f"wflo_schema.{parameter.name}"] = value


database_url_option = all_of(
    option(
        "--database-url",
        metavar="URL",
        envvar=URL_VARIABLES,
        help="The database. Without it: PGHOST, PGSERVICE …, else the project's own server.",
    ),
    option(
        "--wait",
        metavar="DURATION",
        envvar="WFLO_SCHEMA_WAIT",
        expose_value=False,
        callback=keep,
        help="Wait so long for a server to start (30s).",
    ),
    option(
        "--password-command",
        metavar="COMMAND",
        envvar="WFLO_SCHEMA_PASSWORD_COMMAND",
        expose_value=False,
        callback=keep,
        help="Prints the password, for each connection.",
    ),
    option(
        "--role",
        metavar="NAME",
        envvar="WFLO_SCHEMA_ROLE",
        expose_value=False,
        callback=keep,
        help="Do it as this role, which owns what is made.",
    ),
)
ledger_schema_option = option(
    "--ledger-schema",
    metavar="NAME",
    envvar="WFLO_SCHEMA_LEDGER_SCHEMA",
    expose_value=False,
    callback=keep,
    help="That of the ledger, where it is another.",
)
schema_option = all_of(
    option(
        "--schema",
        cls=_Once,
        metavar="NAME",
        envvar="WFLO_SCHEMA_SCHEMA",
        help="The schema of tables and ledger.",
    ),
    ledger_schema_option,
)


class _Folder(click.Path):
    """A folder; ./wflo is one, and wflo is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        return Path.cwd() / found if found == Path(PACKAGED) and str(value) != PACKAGED else found


FOLDER = _Folder(file_okay=False, path_type=Path)


def _keep_recursive(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[_RECURSIVE] = value or context.meta.get(_RECURSIVE, False)


recursive_option = option(
    "--recursive",
    is_flag=True,
    expose_value=False,
    callback=_keep_recursive,
    envvar="WFLO_SCHEMA_RECURSIVE",
    help="Take the files of sub-folders, too.",
)


def _keep_set(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    context.meta[TYPED_VARIABLES] = dict(variable_of(one) for one in value)


set_option = option(
    "--set",
    metavar="NAME=VALUE",
    multiple=True,
    is_eager=True,  # a settings file has a table of them
    expose_value=False,
    callback=_keep_set,
    show_envvar=False,
    help="The value of :'NAME' in the files, repeatable; or WFLO_SCHEMA_SET_NAME.",
)
migrations_option = all_of(
    option(
        "--migrations",
        metavar="DIR",
        multiple=True,
        type=FOLDER,
        envvar="WFLO_SCHEMA_MIGRATIONS",
        help=f"The folder of the files, repeatable; {PACKAGED}: wflo's own. Default: ./migrations.",
    ),
    recursive_option,
    set_option,
)

if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # no generic before Click 8.2


class _SomeOf(_Choice):
    """One of these words, or several with commas between them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        one = super().convert
        return tuple(one(word.strip(), param, ctx) for word in value.split(","))


def _every(context: click.Context, parameter: click.Parameter, value: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for words in value for word in words))


def some_of(name: str, choices: Sequence[str], *, help: str) -> Callable[[_F], _F]:
    """Declare an option that takes these words: repeated, or with commas between them."""
    return option(name, type=_SomeOf(choices), multiple=True, callback=_every, help=help)


class _Formats(_Choice):
    """The formats that a command has.  One of another command is the default here, unless it is typed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if ctx is not None and param is not None and param.name is not None and value not in self.choices:
            typed = ctx.get_parameter_source(param.name) is click.core.ParameterSource.COMMANDLINE
            if not typed and (value in FORMATS or value in LINT_FORMATS):
                return str(param.default)
        return super().convert(value, param, ctx)


def format_option_of(*names: str) -> Callable[[_F], _F]:
    """Declare --format with these names to choose from."""
    return option(
        "--format",
        "format_",
        type=_Formats(names),
        default=names[0],
        envvar="WFLO_SCHEMA_FORMAT",
        help="How to print the result.",
        show_default=True,
    )


format_option = format_option_of("text", "json")


def _phase(value: str | None) -> Phase | None:
    from wflo_schema.files.directives import Phase

    return None if value is None else Phase(value)


create_database_option = option("--create-database", is_flag=True, help="Make the database, if it is not there.")
create_schema_option = option(
    "--create-schema",
    "--create",
    "create_schema",
    is_flag=True,
    help="Make the schemas that are named, if they are not there.",
)


def phase_option(help: str) -> Callable[[_F], _F]:
    """Declare --phase."""
    return option(
        "--phase",
        type=click.Choice(["before-deploy", "after-deploy"]),
        callback=lambda context, parameter, value: _phase(value),
        help=help,
    )


server_directory_option = option(
    "--server-directory",
    metavar="DIR",
    type=click.Path(path_type=Path),  # whether it can be used is checked where it is used
    default=Path(".wflo-schema"),
    envvar="WFLO_SCHEMA_SERVER_DIRECTORY",
    help="Where the project's own server is kept.",
    show_default=True,
)

seeds_option = option(
    "--seeds",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="WFLO_SCHEMA_SEEDS",
    help="The folder of the sets of seeds. Default: seeds, beside the folder of migrations.",
)


def seeds_folder(named: Path | None, migrations: Sequence[Path]) -> Path:
    """The folder of the sets: the one named, else the one beside the first folder of migrations."""
    return named or folders_of(migrations)[0].parent / "seeds"


scratch_url_option = option(
    "--scratch-url",
    metavar="URL",
    envvar="WFLO_SCHEMA_SCRATCH_URL",
    help="Its server. Default: the target's own.",
)


def scratch_database_of(url: str | None) -> Database | None:
    """A database of the server that --scratch-url names."""
    from wflo_schema.connect.database import Database

    return None if url is None else Database.parse(url, source="--scratch-url")


def scratch_options(function: Callable[..., None]) -> Callable[..., None]:
    """Take the options of scratch databases, and hand them on together, as ``scratch``."""

    @functools.wraps(function)
    def collect(
        *,
        scratch_url: str | None,
        scratch_template: str | None,
        scratch_prepare: Path | None,
        allow_outside: bool,
        **rest: Any,
    ) -> None:
        def scratch() -> ScratchOptions:
            from wflo_schema.scratch.replay import ScratchOptions

            return ScratchOptions(scratch_database_of(scratch_url), scratch_template, scratch_prepare, allow_outside)

        function(scratch=scratch, **rest)

    return all_of(
        scratch_url_option,
        option(
            "--scratch-template",
            metavar="NAME",
            envvar="WFLO_SCHEMA_SCRATCH_TEMPLATE",
            help="The database that it is a copy of. Default: an empty one.",
        ),
        option(
            "--scratch-prepare",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="WFLO_SCHEMA_SCRATCH_PREPARE",
            help="SQL that is run in it before the migrations, such as CREATE EXTENSION.",
        ),
        option(
            "--allow-outside",
            is_flag=True,
            help="Let them change its server's roles and settings.",
        ),
    )(collect)


def explain_refused(target: Database, files: Migrations, refused: Refused) -> Refused:
    """Add to a refused migration what is known of another tool's ledger in the target."""
    from wflo_schema.adopt.judge import explain_refusal

    return explain_refusal(target, files, refused)


def pasteable(text: str, naming: Mapping[str, Sequence[str]] | None = None) -> str:
    """A text whose commands repeat the options of this command line that say where; ``naming``: which targets."""
    from wflo_schema.cli.suggestions import with_given_options

    return with_given_options(text, click.get_current_context(), naming)


def lock_options(function: _F) -> _F:
    """Declare --lock-timeout, --block-timeout and --lock-wait."""
    return all_of(
        option(
            "--lock-timeout",
            metavar="DURATION",
            envvar="WFLO_SCHEMA_LOCK_TIMEOUT",
            help="Wait so long for a lock (500ms; 0: for ever). Default: what the file says, else 900ms.",
        ),
        option(
            "--block-timeout",
            metavar="DURATION",
            envvar="WFLO_SCHEMA_BLOCK_TIMEOUT",
            help="Stop what blocks others longer than this (2s; 0: never). Default: what the file says, else 2s.",
        ),
        option(
            "--lock-wait",
            metavar="DURATION",
            default="60s",
            envvar="WFLO_SCHEMA_LOCK_WAIT",
            show_default=True,
            help="Try a migration again for so long in all (90s, 5min; 0: once).",
        ),
    )(function)


target_options = all_of(database_url_option, schema_option, migrations_option, format_option, server_directory_option)


def resolve_database(
    url: str | None,
    schema: str | None,
    server_directory: Path,
    *,
    create_database: bool = False,
    waits: bool = True,
    is_server: bool = False,
) -> Database:
    """The database that is meant: option, variable, libpq's variables, the project's own server.

    With ``--wait``, it has let us in once, where ``waits``; with ``create_database``, it is
    made where it is not there.  ``is_server``: its server is meant, and no schema.  Raise `NoDatabase` where none of
    them names one: a database is never invented; `UsageError` where several targets are named.
    """
    kept = click.get_current_context().meta
    if kept.get(FLEET) is not None:
        raise UsageError("several targets are named, and this works on one", hint="name one: --schema NAME")
    if (schema is None or "\n" in schema) and not is_server:
        _refuse_schemas(click.get_current_context())
    target = _in_role(_named_database(url, schema, server_directory))
    wait = kept.get("wflo_schema.wait")
    if waits and wait is not None:
        from wflo_schema.connect.database import wait_until_ready

        timeout_s = duration_ms(wait, "--wait 30s") / 1000
        try:
            wait_until_ready(target, timeout_s, notify=lambda error: say(f"{error.message}; waiting up to {wait}"))
        except ConnectionFailed as error:
            if not (create_database and error.is_missing):
                raise
    if create_database:
        from wflo_schema.connect.maintenance import create_missing_database

        if create_missing_database(target):
            say(f"created the database: {target.label}")
    return target


def _refuse_schemas(context: click.Context) -> None:
    """Raise `UsageError` where a variable or a file names several schemas, and this command takes one of them.

    It would work on the one that the search_path leads to, which nobody means.
    """
    names = {parameter.name for parameter in context.command.params}
    if "schemas" in names or "schema" not in names:
        return
    for key in ("schema", "schemas", "schemas-from"):
        variable = f"WFLO_SCHEMA_{key.replace('-', '_').upper()}"
        said = told(context).said.get(key)
        source = variable if os.environ.get(variable) else None if said is None else said.source
        if source is not None:
            raise UsageError(
                f"{source} names several targets ({key}), and this command works on one",
                hint="say for which it is: --schema NAME",
            )


def as_asked(database: Database) -> Database:
    """A database of a list, with what the options say of the password, the role and the ledger."""
    return _in_role(_with_password_command(database))


def _in_role(database: Database) -> Database:
    kept = click.get_current_context().meta
    if (role := kept.get("wflo_schema.role")) is not None:
        database = database.with_role(role)
    return database.with_ledger_schema(kept.get("wflo_schema.ledger_schema"))


def _named_database(url: str | None, schema: str | None, server_directory: Path) -> Database:
    import logging

    from wflo_schema.connect.database import Database

    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it would warn of every connection that is gone already

    if url is not None:
        named = url_source(click.get_current_context(), url)
        if not url.strip():
            raise NoDatabase(f"{named} is empty", hint="give it a URL, or leave it out")
        return _with_password_command(Database.parse(url, schema=schema, source=named))
    refuse_empty_url()
    if given := libpq_source(click.get_current_context()):
        return _with_password_command(Database.parse("", schema=schema, source=given))
    why, how = "is not running", "start the project's own server: wflo-schema server start"
    if _is_there(server_directory):
        from wflo_schema.server.embedded import find_embedded, status_embedded

        running = find_embedded(server_directory)
        if running is not None:
            return running.database.with_schema(schema)
        note = status_embedded(server_directory).note
        why = f"cannot be used: {note}" if note else why
    elif folder := _folder_above(server_directory):
        why, how = f"is kept in a folder above, {folder}", f"go there: cd {shlex.quote(str(folder))}"
    raise NoDatabase(
        f"no database is named, and the project's own server {why}",
        hint=f"set DATABASE_URL (postgresql://user:password@host:5432/name) or give --database-url; or {how}",
    )


def _with_password_command(database: Database) -> Database:
    """With the command that gives its password.  Raise `UsageError` where it has one, and neither goes first."""
    context = click.get_current_context()
    command, own = context.meta.get("wflo_schema.password_command"), told(context).own
    if command is None:
        return database
    try:
        return database.with_password_command(command)
    except UsageError:
        of_file = [given_by_settings(context, name) is not None for name in ("password_command", "database_url")]
        if of_file == [True, False] or (all(of_file) and "database-url" in own and "password-command" not in own):
            return database
        raise


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UsageError(f"cannot look into {path}: {error.strerror}", hint="run it in a folder of your own") from None


def is_recursive() -> bool:
    """Whether this command line asks for the files of sub-folders, too."""
    return bool(click.get_current_context().meta.get(_RECURSIVE, False))


def read_files(directories: Sequence[Path], *, declared: Collection[str] = ()) -> Migrations:
    """Read the migrations of these folders, and warn of rollback files that belong to none.

    ``declared``: variables that other files have.  Raise `Refused` where there is no migration.
    """
    from wflo_schema.files.folder import read_migrations

    context = click.get_current_context()
    values = {name: setting.value for name, setting in variables_in_force(context).items()}
    found = read_migrations(*folders_of(directories), recursive=is_recursive(), variables=values)
    known = {name for m in (*found, *found.beside) for name in m.variables}
    for name in sorted(set(context.meta.get(TYPED_VARIABLES, ())) - known.union(declared)):
        warn(f"no migration declares the variable {name}")
    for stray in found.stray_rollbacks:
        warn(f"{stray} belongs to no migration: is its name mistyped, or the migration's?")
    found.refuse_empty()
    return found


def folders_of(directories: Sequence[Path]) -> tuple[Path, ...]:
    """The folders that are meant: those named, else ./migrations.  Raise `UsageError` where it is not there."""
    if directories:
        return tuple(_packaged() if str(d) == PACKAGED else d for d in directories)
    here = Path("migrations")
    if _is_there(here) and here.is_dir():
        return (here,)
    above = _folder_above(here)
    likely = _likely_folders()
    second = "--migrations migrations " if any(map(_is_of_migrations, likely)) else ""
    raise UsageError(
        _NO_FOLDER,
        hint="\n".join(
            (
                *((f"a folder above has one: cd {shlex.quote(str(above))}",) if above else ()),
                *(_offered(folder, f"--migrations {shlex.quote(folder)}") for folder in likely),
                *(() if likely or above else ("name the folder of your migrations: --migrations DIR",)),
                f'or start one: wflo-schema new {second}"create tables"',
            )
        ),
    )


def _folder_above(path: Path) -> Path | None:
    """The nearest folder above this one that has ``path``, which is not here."""
    if path.is_absolute():
        return None
    try:
        return next((folder for folder in Path.cwd().parents if (folder / path).is_dir()), None)
    except OSError:  # this folder, or one above, cannot be looked into
        return None


def refuse_second_folder(words: str) -> None:
    """Raise `UsageError` where ./migrations would be begun beside a folder of migrations; ``words`` follow `new`."""
    if click.get_current_context().get_parameter_source("migrations") is not click.core.ParameterSource.DEFAULT:
        return
    likely = [] if _is_there(Path("migrations")) else list(filter(_is_of_migrations, _likely_folders()))
    if likely:
        asked = [_offered(f, f"wflo-schema new --migrations {shlex.quote(f)} {words}") for f in likely]
        started = f"or start one: wflo-schema new --migrations migrations {words}"
        raise UsageError(_NO_FOLDER, hint="\n".join((*asked, started)))


def _offered(folder: str, step: str) -> str:
    """What to type where this folder is meant: ``step``, or, where it is another tool's, what imports it."""
    from wflo_schema.files.folder import read_migrations
    from wflo_schema.files.layouts import import_command

    imported = import_command(folder)
    try:
        read_migrations(Path(folder))
    except WfloSchemaError as error:
        if imported in (error.hint or ""):
            return f"is it this one, another tool's? {imported}"
    return f"is it this one? {step}"


def _is_of_migrations(folder: str) -> bool:
    return "migrat" in folder.lower()


def _packaged() -> Path:
    """The folder of wflo's own files.

    Raise `UsageError` where a folder of that name with SQL in it is here: one of the two must be named clearly.
    """
    if any(Path(PACKAGED).glob("*.sql")):
        raise UsageError(
            f"{PACKAGED} is the name of wflo's own migrations, and there is a folder {PACKAGED} here",
            hint=f"for the folder: --migrations ./{PACKAGED}",
        )
    return packaged_folder()


# Most folders that are offered, and how far below this one they are looked for.
_MOST_LIKELY, _DEEPEST = 5, 3


def _likely_folders() -> list[str]:
    """Folders below this one that hold SQL and are called as folders of migrations are."""
    found = []
    for root, folders, names in os.walk("."):
        depth = 0 if root == "." else root.count(os.sep)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "_")) and f not in _NOBODYS)
        if depth >= _DEEPEST:
            folders.clear()
        called = os.path.basename(root).lower()
        if any(n.lower().endswith(".sql") for n in names) and ("migrat" in called or called in _CALLED):
            found.append(os.path.relpath(root))
        elif depth and "migrat" in called and folders:
            found.append(os.path.relpath(root))
            folders.clear()
    return sorted(found, key=lambda f: ("migrat" not in f, f.count(os.sep), f))[:_MOST_LIKELY]


_CALLED = frozenset({"sql", "db", "database", "schema", "deploy", "drizzle", "versions", "changes", "changelog", "up"})
_NOBODYS = frozenset({"node_modules", "vendor", "target", "build", "dist", "site-packages", "venv"})


def duration_ms(text: str, example: str) -> int:
    """Read an option's duration.  Raise `UsageError` with the example for what is none."""
    from wflo_schema.files.directives import parse_duration_ms

    try:
        return parse_duration_ms(text)
    except ValueError as error:
        raise UsageError(str(error), hint=f"for example {example}") from None


def locks_of(timeout: str | None, wait: str, block: str | None) -> LockOptions:
    """Parse --lock-timeout, --lock-wait and --block-timeout.  Raise `UsageError` where one is no duration."""
    from wflo_schema.engine.locks import LockOptions

    return LockOptions(
        None if timeout is None else duration_ms(timeout, "--lock-timeout 500ms"),
        duration_ms(wait, "--lock-wait 5min") / 1000,
        None if block is None else duration_ms(block, "--block-timeout 30s"),
    )
