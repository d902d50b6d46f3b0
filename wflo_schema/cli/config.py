"""Show which settings are in force, and where each comes from."""

from __future__ import annotations

import copy
import importlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from wflo_schema.cli.options import Command, set_option
from wflo_schema.cli.settings import LIBPQ, SHARED, refuse_bad_settings, told, url_source, variables_in_force
from wflo_schema.cli.streams import EXIT_CODES, answer
from wflo_schema.cli.suggestions import without_password
from wflo_schema.settings import DOTENV, VARIABLES, Table


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting: its name, as in the file, its value, and where that comes from."""

    name: str
    value: Any
    source: str


class _WithAll(Command):
    """It has every option that several commands share."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found: dict[str, click.Option] = {}
        for module in ("checks", "migrations", "seeds", "servers"):
            for command in vars(importlib.import_module(f"wflo_schema.cli.{module}")).values():
                inner = command.commands.values() if isinstance(command, click.Group) else ()
                for one in (command, *inner) if isinstance(command, click.Command) else ():
                    for option in one.params:
                        if (key := option.opts[0].removeprefix("--")) in SHARED and isinstance(option, click.Option):
                            found.setdefault(key, copy.copy(option))
        for option in found.values():
            option.callback, option.expose_value = None, True
        self.params = [*(found[key] for key in sorted(found)), *self.params]


@click.command(cls=_WithAll, epilog=EXIT_CODES)
@set_option
@click.pass_context
def config(context: click.Context, /, **values: Any) -> None:
    """Show which settings are in force, and where each comes from.

    Looks at the command line, the variables, .env and the settings file, in this order; connects to
    nothing. Refuses a settings file with a key that no command has, and two databases where one is
    meant, as every command does.

    \b
    Example:
      wflo-schema config --env staging
    """
    from wflo_schema.show.text import json_text

    refuse_bad_settings(context)
    if values["database_url"] is not None:
        url_source(context, values["database_url"])
    here = told(context)
    found = [_in_force(context, parameter, values) for parameter in context.command.params if not parameter.is_eager]
    commands: dict[str, InForce] = {}
    for table in reversed(here.file.tables(here.environment) if here.file else ()):
        goes_before = {key for key, _ in table.settings()}
        commands = {name: one for name, one in commands.items() if name.rpartition(".")[2] not in goes_before}
        commands |= {one.name: one for one in _of_commands(table)}
    found += commands.values()
    for name, setting in sorted(variables_in_force(context).items()):
        found.append(InForce(f"{VARIABLES}.{name}", _safe(name, setting.value), setting.source))
    if values["format_"] == "json":
        answer(
            json_text(
                {
                    "file": here.file and here.file.path,
                    "environment": here.environment,
                    "environments": list(here.file.environments) if here.file else [],
                    "settings": found,
                }
            )
        )
        return
    lines = [f"settings file: {here.file.path}" if here.file else "no settings file"]
    if here.file and here.file.environments:
        chosen = f"; {here.environment} is meant" if here.environment else "; none is asked for"
        lines.append(f"environments: {', '.join(here.file.environments)}{chosen}")
    shown = [(s.name, _text(s.value), s.source) for s in found]
    names, widths = max(len(n) for n, _, _ in shown), max(len(v) for _, v, _ in shown)
    lines += [f"  {name:{names}}  {value:{min(widths, 60)}}  {source}".rstrip() for name, value, source in shown]
    answer("\n".join(lines))


def _in_force(context: click.Context, parameter: click.Parameter, values: Mapping[str, Any]) -> InForce:
    name = parameter.name or ""
    value, source = values[name], context.get_parameter_source(name)
    key = parameter.opts[0].removeprefix("--")
    said = "default"
    if source is click.core.ParameterSource.COMMANDLINE:
        said = "command line"
    elif source is click.core.ParameterSource.ENVIRONMENT:
        names = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
        said = _variable(context, next((n for n in names if os.environ.get(n)), ""))
    elif source is click.core.ParameterSource.DEFAULT_MAP:
        said = told(context).said[key].source
    elif key == "database-url" and (given := [n for n in LIBPQ if os.environ.get(n)]):
        said = ", ".join(_variable(context, n) for n in given)
    if key == "schema" and isinstance(value, tuple) and len(value) < 2:  # several are the exception
        value = next(iter(value), None)
    if isinstance(value, tuple):
        value = [str(v) for v in value]
    return InForce(
        key, _safe(key, value if value is None or isinstance(value, (bool, int, list)) else str(value)), said
    )


def _safe(key: str, value: Any) -> Any:
    if _SECRET.search(key) and isinstance(value, str) and not key.endswith("command"):
        return "…"
    return without_password(value) if key.endswith("-url") and isinstance(value, str) else value


# What a variable is called whose value is nobody's business.
_SECRET = re.compile(r"password|passwd|secret|token|api_?key", re.IGNORECASE)


def _variable(context: click.Context, name: str) -> str:
    return f"{name} in {DOTENV}" if name in told(context).variables else name


def _of_commands(table: Table, way: tuple[str, ...] = ()) -> Iterator[InForce]:
    """What a table says to single commands."""
    for key, setting in table.settings() if way else ():
        yield InForce(".".join((*way, key)), _safe(key, setting.value), setting.source)
    for key, value in table.values.items():
        if isinstance(value, Mapping) and (way or key != VARIABLES):
            yield from _of_commands(table.of((key,)), (*way, key))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) or "-"  # a setting is a line
