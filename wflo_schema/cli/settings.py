"""What the settings file and ``.env`` say in place of options that neither the command line nor a variable gives."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from wflo_schema import __version__
from wflo_schema.cli.streams import remember_format, warn
from wflo_schema.errors import NoDatabase, UsageError
from wflo_schema.files.packaged import PACKAGED
from wflo_schema.settings import DOTENV, VARIABLES, Setting, Settings, Table, read_dotenv, read_settings, settings_of
from wflo_schema.words import counted, listed

# The first that is set and not empty counts.
URL_VARIABLES = ["WFLO_SCHEMA_DATABASE_URL", "DATABASE_URL"]

# Variables of libpq that say which database is meant, and its parameters; a user or password alone says nothing.
LIBPQ = {"PGSERVICE": "service", "PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGPORT": "port", "PGDATABASE": "dbname"}

# Whoever gives one of these names a database as a whole.
_NAMING = (*URL_VARIABLES, "--database-url")

# What a settings file may say to all commands at once; any other option stands in the table of its command.
SHARED = frozenset(
    "block-timeout canary compose-file contract database-url databases dev-database docker-image docker-port format "
    "jobs ledger-schema lock-timeout lock-wait migrations password-command production recursive role schema schemas "
    "schemas-from scratch-prepare scratch-template scratch-url seeds server-directory stop-after-failures targets "
    "wait".split()
)

# What the file alone says to these commands: nothing that a variable, .env or a command line says is run.
ON_SUCCESS = "on-success"
_OF_FILE_ALONE: dict[tuple[str, ...], tuple[str, ...]] = {("migrate",): (ON_SUCCESS,), ("rollback",): (ON_SUCCESS,)}

# Where a context keeps what it was told; the environment alone stands where each option's value is looked for.
_TOLD, _ENVIRONMENT = "wflo_schema.told", "wflo_schema.env"

# Where a context keeps the variables of files that were typed, and what a variable of the environment begins with.
TYPED_VARIABLES, _SET = "wflo_schema.set", "WFLO_SCHEMA_SET_"

# Where the contexts of one command line keep what was read.
_FILES = "wflo_schema.files"


@dataclass(frozen=True, slots=True)
class Told:
    """What the files tell a command.

    ``said``: all that the settings file says to it, by key, and ``own``, of that, what the environment's table says.
    ``options``: the command's options, by key.  ``variables``: the names that ``.env`` has set.
    """

    environment: str | None = None
    file: Settings | None = None
    said: Mapping[str, Setting] = field(default_factory=dict)
    own: Mapping[str, Setting] = field(default_factory=dict)
    options: Mapping[str, click.Option] = field(default_factory=dict)
    variables: Collection[str] = ()


def told(context: click.Context) -> Told:
    """What the files tell this command."""
    found: Told = context.meta.get(_TOLD, Told())
    return found


def take_settings(context: click.Context, parameter: click.Parameter, environment: str | None) -> None:
    """Let the files say what neither the command line nor a variable says; the callback of ``--env``.

    Raise `UsageError` for a key that no command has, or whose value is not of its kind.
    """
    if context.resilient_parsing:  # for a shell that completes a line
        return
    if environment == "":
        raise UsageError("the environment's name is empty", hint="say which is meant, or leave out --env")
    for name in told(context).variables:  # which the group that this command is in has set
        os.environ.pop(name, None)
    if _FILES not in context.meta:
        try:
            here = Path.cwd()
        except FileNotFoundError:
            return  # whoever needs a folder will say so
        context.meta[_FILES] = _read_files(here)
    file, given = context.meta[_FILES]
    variables = dict(given)
    environment = environment or variables.get("WFLO_SCHEMA_ENV") or None
    if file is None and environment is not None:
        raise UsageError(
            f"no settings file says what the environment {environment} is",
            hint=f"write wflo-schema.toml with a table [env.{environment}], or leave out --env",
        )
    tables, way, options = file.tables(environment) if file else (), _way(context), _options(context.command)
    said, own = settings_of(tables, way), settings_of(tables[:-1], way)
    if "into" in options and "migrations" in said:  # what import writes is what the others read
        where = said["migrations"]
        folders = where.value if isinstance(where.value, list) else [where.value]
        said.setdefault("into", Setting(folders[0] if len(folders) == 1 else folders, where.source))
    if file is not None:
        for option in options.values():
            if isinstance(variable := option.envvar, str) and variable in variables:
                values = variables[variable].split(os.pathsep) if option.multiple else [variables[variable]]
                variables[variable] = os.pathsep.join(_from_folder(v, option, file.folder) for v in values)
    new = _take_variables(context, variables, own)
    if "format" in options:
        remember_format(os.environ.get("WFLO_SCHEMA_FORMAT") or (said["format"].value if "format" in said else ""))
    for table in tables:
        _refuse_unknown(table, way, options, context)
    _refuse_unfit(said, way)
    context.meta[_ENVIRONMENT] = environment
    context.meta[_TOLD] = Told(environment, file, said, own, options, new)
    if file is not None:
        context.default_map = {
            options[k].name or "": _value(k, options[k], s, file)
            for k, s in said.items()
            if k in options and s.value != []
        }


def _read_files(here: Path) -> tuple[Settings | None, dict[str, str]]:
    """The settings file and the variables of ``.env``; warns of what is passed over."""
    passed_over: list[str] = []
    file = read_settings(here, passed_over)
    variables = read_dotenv(file.folder if file else here, passed_over)
    for odd in passed_over:
        warn(odd)
    return file, variables


def variable_of(typed: str) -> tuple[str, str]:
    """The name and value of NAME=VALUE.  Raise `UsageError` where it is not that."""
    name, sign, value = typed.partition("=")
    if not sign or not name.isidentifier():
        raise UsageError(
            f"--set {name} is not NAME=VALUE" if not sign else f"--set: {name or 'nothing'} is no name of a variable",
            hint="write --set name=value; a name is made of letters, digits and _",
        )
    return name, value


def variables_in_force(context: click.Context) -> dict[str, Setting]:
    """The values of the variables of files, and where each comes from.  Raise `UsageError` for one that is no text."""
    here = told(context)
    found = {name: Setting(value, "command line") for name, value in context.meta.get(TYPED_VARIABLES, {}).items()}
    of_file = [
        dict(table.of((VARIABLES,)).settings()) for table in (here.file.tables(here.environment) if here.file else ())
    ]
    given = {name: value for name, value in os.environ.items() if name.startswith(_SET)}
    typed = {n.removeprefix(_SET): Setting(v, n) for n, v in given.items() if n not in here.variables}
    dotenv = {n.removeprefix(_SET): Setting(v, f"{n} in {DOTENV}") for n, v in given.items() if n in here.variables}
    for more in (typed, *of_file[:-1], dotenv, *of_file[-1:]):
        for name, setting in more.items():
            if not isinstance(setting.value, (str, int)) or isinstance(setting.value, bool):
                raise UsageError(
                    f"{setting.source}: {name} must be text, and is {_shown(setting.value)}", hint="put it in quotes"
                )
            found.setdefault(name, Setting(str(setting.value), setting.source))
    return found


def given_by_settings(context: click.Context, name: str) -> Setting | None:
    """What the settings file says for a parameter of this command, None where something else goes before it."""
    if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT_MAP:
        return None
    here = told(context)
    return next((here.said[key] for key, option in here.options.items() if option.name == name), None)


def url_source(context: click.Context, url: str) -> str:
    """Who has given this URL.  Raise `UsageError` where a file and a variable name a database each."""
    here, source = told(context), context.get_parameter_source("database_url")
    if source is click.core.ParameterSource.COMMANDLINE:
        return "--database-url"
    variable = next((name for name in URL_VARIABLES if os.environ.get(name)), "")
    if source is click.core.ParameterSource.ENVIRONMENT and variable not in here.variables:
        setting = here.own.get("database-url")
        if setting is not None and setting.value != os.environ[variable]:
            raise _two_databases(variable, setting.source)
        return variable
    if source is click.core.ParameterSource.ENVIRONMENT:
        named, beside = f"{variable} in {DOTENV}", here.variables
    elif (setting := given_by_settings(context, "database_url")) is not None:
        named, beside = f"database-url in {setting.source}", ()
        if "database-url" not in here.own:
            refuse_empty_url()
    else:
        return "--database-url"
    _refuse_libpq(named, url, here, beside)
    return named


def refuse_empty_url() -> None:
    """Raise `NoDatabase` where a variable was to name a database, and is empty."""
    for name in URL_VARIABLES:
        if os.environ.get(name) == "":
            raise NoDatabase(f"{name} is set, and empty", hint=f"give it a URL, or remove it: unset {name}")


def _refuse_libpq(named: str, url: str, here: Told, beside: Collection[str]) -> None:
    """libpq would take the file's URL, and whoever typed PGDATABASE=… before the command means another database.

    ``beside``: variables of the same file, where that is meant.
    """
    from psycopg.conninfo import conninfo_to_dict

    from wflo_schema.connect.database import Database

    given = conninfo_to_dict(Database.parse(url, source=named).conninfo)
    for name, parameter in LIBPQ.items():
        value = os.environ.get(name)
        is_whole = name in ("PGSERVICE", "PGHOSTADDR")  # the URL's host and name go before what these say
        if value and name not in beside and given.get(parameter, "" if is_whole else value) != value:
            raise _two_databases(f"{name} in {DOTENV}" if name in here.variables else name, named)


def libpq_source(context: click.Context) -> str:
    """Which of libpq's variables name a database, empty where none does.  Raise `UsageError` for a service and more."""
    given, of_file = [name for name in LIBPQ if os.environ.get(name)], told(context).variables
    others = [name for name in given if name not in of_file]
    if others and "PGSERVICE" in of_file:
        raise _two_databases(others[0], f"PGSERVICE in {DOTENV}")
    return ", ".join(given)


def _two_databases(variable: str, named: str) -> UsageError:
    how = "leave one of them out" if variable.endswith(DOTENV) else f"unset {variable}"
    return UsageError(
        f"{variable} names one database, and {named} another",
        hint=f"{how}, or say which is meant: --database-url URL",
    )


def is_database_named(context: click.Context) -> bool:
    """Whether a variable or the settings file says which database is meant."""
    return "database-url" in told(context).said or any(os.environ.get(n) for n in (*URL_VARIABLES, *LIBPQ))


def refuse_bad_settings(context: click.Context) -> None:
    """Raise `UsageError` for a key that no command has, or a value of a wrong kind, in whichever table."""
    file, root = told(context).file, context.find_root()
    waiting = [root] if file is not None and isinstance(root.command, click.Group) else []
    while waiting:
        here = waiting.pop()
        group = here.command
        assert isinstance(group, click.Group) and file is not None
        for name in group.list_commands(here):
            command = group.get_command(here, name)
            assert command is not None
            inner = click.Context(command, parent=here, info_name=name)
            for table in (file.for_all, *file.environments.values()):
                options = _options(command)
                _refuse_unknown(table, _way(inner), options, inner)
                said = settings_of((table,), _way(inner))
                _refuse_unfit(said, _way(inner))
                for key, setting in said.items():
                    if key in options:
                        _value(key, options[key], setting, file)
            if isinstance(command, click.Group):
                waiting.append(inner)


def _way(context: click.Context) -> tuple[str, ...]:
    """The names of the commands that lead here, without the program's."""
    way: list[str] = []
    here: click.Context | None = context
    while here is not None and here.parent is not None:
        way.insert(0, here.info_name or "")
        here = here.parent
    return tuple(way)


def _options(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by the key that a settings file has for each."""
    found = [p for p in command.params if isinstance(p, click.Option) and not p.is_eager]
    return {name.removeprefix("--"): p for p in found for name in p.opts if name.startswith("--")}


def _refuse_unknown(table: Table, way: Sequence[str], options: Collection[str], context: click.Context) -> None:
    root = context.find_root()
    options = [*options, *_OF_FILE_ALONE.get(tuple(way), ())]
    for part, keys, group in (
        (table, SHARED, root),
        (table.of(way), options, context),
    ):
        commands = group.command.list_commands(group) if isinstance(group.command, click.Group) else []
        commands = [*commands, *((VARIABLES,) if part is table else ())]
        for key, value in part.values.items():
            known: Collection[str] = commands if isinstance(value, Mapping) else keys
            if key in known:
                continue
            where = f"{part.path} [{'.'.join(part.names)}]" if part.names else part.path
            if key in (keys if isinstance(value, Mapping) else commands):
                named = ".".join((*part.names, key))
                raise UsageError(
                    f"{where}: {key} is {'no table' if key in keys else 'a table'}",
                    hint=f"write {key} = and its value" if key in keys else f"write [{named}], once",
                )
            if part is table and key in options:
                named = ".".join((*part.names, *way))
                raise UsageError(f"{where}: {key} is no setting of all commands", hint=f"it belongs to [{named}]")
            if key == "tool" and not part.names:
                raise UsageError(
                    f"{where}: the tables of this file have no tool.wflo-schema before them",
                    hint="write [check] for [tool.wflo-schema.check], or keep it in pyproject.toml",
                )
            import difflib

            near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
            what = "command" if isinstance(value, Mapping) else "setting"
            raise UsageError(
                f"{where}: there is no {what} {key}",
                hint=f"did you mean {near[0]}? This is wflo-schema {__version__}; a newer one may know {key}"
                if near
                else f"wflo-schema {__version__} knows here: {listed(sorted(known), 40) or 'none'}; "
                f"a newer one may know {key}",
            )


def _refuse_unfit(said: Mapping[str, Setting], way: tuple[str, ...]) -> None:
    """Raise `UsageError` where what is to be run is no command, nor a list of them."""
    for key in _OF_FILE_ALONE.get(way, ()):
        value = said[key].value if key in said else ""
        if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            raise UsageError(
                f"{said[key].source}: {key} must be text, or a list of it, and is {_shown(value)}", hint="mend it there"
            )


def _value(key: str, option: click.Option, setting: Setting, settings: Settings) -> Any:
    """The value as Click takes it: text, a list of texts, or yes and no."""
    value, kind = setting.value, "text"
    if option.is_flag:
        if isinstance(value, bool):
            return value
        kind = "true or false"
    elif option.multiple:
        values = value if isinstance(value, list) else [value]
        if all(isinstance(v, str) for v in values):
            return [_from_folder(v, option, settings.folder) for v in values]
        value = next(v for v in values if not isinstance(v, str))
        kind = "text, or a list of it"
    elif isinstance(option.type, type(click.INT)):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        kind = "a number"
    elif isinstance(value, str):
        return _from_folder(value, option, settings.folder)
    elif key == "schema" and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return value[0] if len(value) == 1 else None  # several are for the commands that take them
    raise UsageError(f"{setting.source}: {key} must be {kind}, and is {_shown(value)}", hint="mend it there")


def _shown(value: object) -> str:
    """A value of a wrong kind, without what may be a password."""
    if isinstance(value, list):
        return f"a list of {counted(len(value), 'value')}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else "text" if isinstance(value, str) else "a date or a time"


def _from_folder(value: str, option: click.Option, folder: Path) -> str:
    """A path or a command of a file in ``folder``, as it is called from here."""
    if folder == Path.cwd():
        return value
    if option.name == "password_command":
        return f"cd {shlex.quote(str(folder))}; {value}"
    if not isinstance(option.type, click.Path) or value in (PACKAGED, "-"):
        return value
    found = os.path.relpath(folder / value)
    return f"./{found}" if found == PACKAGED else found


def _take_variables(context: click.Context, variables: Mapping[str, str], before: Collection[str]) -> frozenset[str]:
    """Set what is not set, while this command runs, and return the names.

    ``before``: the keys that go before variables of ``.env``.  Where something else names a database, no part of it,
    such as its port or password, comes from there.
    """
    ours = {name: value for name, value in variables.items() if name.startswith(("WFLO_SCHEMA_", "PG"))}
    ours |= {name: value for name, value in variables.items() if name in URL_VARIABLES}
    for key in before:
        ours.pop(f"WFLO_SCHEMA_{key.replace('-', '_').upper()}", None)
    typed = (word.partition("=")[0] for word in context.find_root().obj or ())
    if "database-url" in before or os.environ.get("PGSERVICE") or not {*typed, *os.environ}.isdisjoint(_NAMING):
        ours = {n: v for n, v in ours.items() if n not in URL_VARIABLES and not n.startswith("PG")}
        ours.pop("WFLO_SCHEMA_PASSWORD_COMMAND", None)
    new = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(new)
    context.call_on_close(lambda: [os.environ.pop(name, None) for name in new])
    return frozenset(new)
