"""What the settings file and ``.env`` say in place of options that neither the command line nor a variable gives."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from wflo_schema.cli.streams import warn
from wflo_schema.errors import UsageError
from wflo_schema.files.packaged import PACKAGED
from wflo_schema.settings import Setting, Settings, Table, read_dotenv, read_settings, settings_of
from wflo_schema.words import listed

# The first that is set and not empty counts.
URL_VARIABLES = ["WFLO_SCHEMA_DATABASE_URL", "DATABASE_URL"]

# Variables of libpq that say which database is meant; a user or password alone says nothing.
LIBPQ = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE")

# What a settings file may say to all commands at once; any other option stands in the table of its command.
SHARED = frozenset(
    "compose-file contract database-url docker-image docker-port format lock-timeout lock-wait migrations recursive "
    "password-command schema scratch-prepare scratch-template scratch-url server-directory wait".split()
)

# Where a context keeps what it was told; the environment alone stands where each option's value is looked for.
_TOLD, _ENVIRONMENT = "wflo_schema.told", "wflo_schema.env"


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
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return  # whoever needs a folder will say so
    file = read_settings(here)
    odd: list[str] = []
    variables = read_dotenv(file.folder if file else here, odd)
    for place in odd:
        warn(f"{place} is not NAME=value, and is passed over")
    environment = environment or variables.get("WFLO_SCHEMA_ENV") or None
    if file is None and environment is not None:
        raise UsageError(
            f"no settings file says what the environment {environment} is",
            hint=f"write wflo-schema.toml with a table [env.{environment}], or leave out --env",
        )
    tables, way, options = file.tables(environment) if file else (), _way(context), _options(context.command)
    for table in tables:
        _refuse_unknown(table, way, options, context)
    said, own = settings_of(tables, way), settings_of(tables[:-1], way)
    if "into" in options and "migrations" in said:  # what import writes is what the others read
        where = said["migrations"]
        folders = where.value if isinstance(where.value, list) else [where.value]
        said.setdefault("into", Setting(folders[0] if len(folders) == 1 else folders, where.source))
    new = _take_variables(context, variables, own)
    context.meta[_ENVIRONMENT] = environment
    context.meta[_TOLD] = Told(environment, file, said, own, options, new)
    if file is not None:
        context.default_map = {
            options[k].name or "": _value(k, options[k], s, file) for k, s in said.items() if k in options
        }


def given_by_settings(context: click.Context, name: str) -> Setting | None:
    """What the settings file says for a parameter of this command, None where something else goes before it."""
    if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT_MAP:
        return None
    here = told(context)
    return next((here.said[key] for key, option in here.options.items() if option.name == name), None)


def refuse_two_databases(context: click.Context, variable: str) -> None:
    """Raise `UsageError` where ``variable`` names a database, and the environment that was asked for another one."""
    setting = told(context).own.get("database-url")
    if setting is not None and setting.value != os.environ[variable]:
        raise UsageError(
            f"{variable} names one database, and {setting.source} another",
            hint=f"unset {variable}, or say which is meant: --database-url URL",
        )


def is_database_named(context: click.Context) -> bool:
    """Whether a variable or the settings file says which database is meant."""
    return "database-url" in told(context).said or any(os.environ.get(n) for n in (*URL_VARIABLES, *LIBPQ))


def refuse_unknown_settings(context: click.Context) -> None:
    """Raise `UsageError` for a key that no command has, in the table of whichever command."""
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
                _refuse_unknown(table, _way(inner), _options(command), inner)
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
    for part, keys, group in (
        (table, SHARED, root),
        (table.of(way), options, context),
    ):
        commands = group.command.list_commands(group) if isinstance(group.command, click.Group) else []
        for key, value in part.values.items():
            known: Collection[str] = commands if isinstance(value, Mapping) else keys
            if key in known:
                continue
            where = f"{part.path} [{'.'.join(part.names)}]" if part.names else part.path
            if part is table and key in options:
                named = ".".join((*part.names, *way))
                raise UsageError(f"{where}: {key} is no setting of all commands", hint=f"it belongs to [{named}]")
            if key == "tool" and not part.names:
                raise UsageError(
                    f"{where}: the tables of this file have no tool.wflo-schema before them",
                    hint="write [check] for [tool.wflo-schema.check], or keep it in pyproject.toml",
                )
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
            what = "command" if isinstance(value, Mapping) else "setting"
            raise UsageError(
                f"{where}: there is no {what} {key}",
                hint=f"did you mean {near[0]}?" if near else f"known here: {listed(sorted(known), 30)}",
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
            return [_path(v, option, settings) for v in values]
        kind = "a list of texts"
    elif isinstance(option.type, type(click.INT)):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        kind = "a number"
    elif isinstance(value, str):
        return _path(value, option, settings)
    raise UsageError(f"{setting.source}: {key} must be {kind}, and is {value!r}", hint="mend it there")


def _path(value: str, option: click.Option, settings: Settings) -> str:
    """A path of the file begins at the file's folder."""
    if not isinstance(option.type, click.Path) or value == PACKAGED or settings.folder == Path.cwd():
        return value
    return os.path.relpath(settings.folder / value)


def _take_variables(context: click.Context, variables: Mapping[str, str], before: Collection[str]) -> frozenset[str]:
    """Set what is not set, while this command runs, and return the names.

    ``before``: the keys that go before variables of ``.env``.
    """
    ours = {name: value for name, value in variables.items() if name.startswith(("WFLO_SCHEMA_", "PG"))}
    ours |= {name: value for name, value in variables.items() if name in URL_VARIABLES}
    for key in before:
        ours.pop(f"WFLO_SCHEMA_{key.replace('-', '_').upper()}", None)
    if "database-url" in before:
        ours = {n: v for n, v in ours.items() if n not in URL_VARIABLES and not n.startswith("PG")}
    new = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(new)
    context.call_on_close(lambda: [os.environ.pop(name, None) for name in new])
    return frozenset(new)
