"""The options that say which targets are meant, and how many are worked on at once.

Hides which of them counts, where the command line, a variable and the settings file each name some.
"""

from __future__ import annotations

import difflib
import functools
import re
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wflo_schema.cli.options import (
    FLEET,
    all_of,
    as_asked,
    database_url_option,
    duration_ms,
    format_option,
    keep,
    ledger_schema_option,
    migrations_option,
    option,
    pasteable,
    resolve_database,
    server_directory_option,
)
from wflo_schema.cli.streams import warn
from wflo_schema.errors import UsageError
from wflo_schema.words import counted, listed

if TYPE_CHECKING:
    from wflo_schema.connect.database import Database
    from wflo_schema.fleet.outcomes import FleetOptions
    from wflo_schema.fleet.targets import Target, Targets, Wishes

_SOURCES = click.core.ParameterSource
# What is nearer to who runs the command goes before what is farther.
_NEARNESS = {_SOURCES.COMMANDLINE: 3, _SOURCES.ENVIRONMENT: 2, _SOURCES.DEFAULT_MAP: 1}
_TYPED = _NEARNESS[_SOURCES.COMMANDLINE]

_DASH = "-"

# Most schemas, or databases, that are named one by one in a command to be pasted.
_MOST_NAMED = 20


class _Lines(type(click.STRING)):  # type: ignore[misc]
    """A text as it is; in a variable, one a line, since a name may have blanks in it."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return [line for line in rv.splitlines() if line]


def _keep_schema(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> str | None:
    context.meta["wflo_schema.schema"] = value
    return value[0] if len(value) == 1 else None


def _kept(*names: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    variable = f"WFLO_SCHEMA_{names[0].removeprefix('--').replace('-', '_').upper()}"
    return option(*names, envvar=variable, expose_value=False, callback=keep, **settings)


_selection = all_of(
    option(
        "--schema",
        metavar="NAME",
        multiple=True,
        type=_Lines(),
        envvar="WFLO_SCHEMA_SCHEMA",
        callback=_keep_schema,
        help="The schema of tables and ledger; repeatable.",
    ),
    ledger_schema_option,
    _kept(
        "--schemas",
        metavar="PATTERN",
        multiple=True,
        type=_Lines(),
        help="Schemas that fit LIKE 'tenant_%'; repeatable.",
    ),
    _kept(
        "--schemas-from",
        metavar="QUERY",
        help="Schemas that this query's first column names.",
    ),
    _kept(
        "--databases",
        metavar="PATTERN",
        multiple=True,
        type=_Lines(),
        help="Databases that fit LIKE 'shop_%'; repeatable. With schemas: these of each.",
    ),
    _kept(
        "--targets",
        metavar="FILE",
        type=click.Path(path_type=Path),  # whether it can be read is said where it is read
        help="Lines of a file: URL or URL#schema; - is stdin.",
    ),
)


def fleet_options(function: Callable[..., None]) -> Callable[..., None]:
    """Declare --schema, --ledger-schema and what names several targets, for a command that asks `fleet_of` first.

    The command gets ``schema`` as ever where one target is meant.
    """

    @functools.wraps(function)
    def select(**rest: Any) -> None:
        context = click.get_current_context()
        if FLEET not in context.meta:  # else another command hands on what it was asked
            context.meta[FLEET] = _asked(context)
        function(**rest)

    return _selection(select)


# In place of `target_options`.
fleet_target_options = all_of(
    database_url_option, fleet_options, migrations_option, format_option, server_directory_option
)

jobs_option = _kept(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="At most so many at once on a server.",
)

# For what changes targets.
wave_options = all_of(
    jobs_option,
    _kept(
        "--canary",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="So many first, alone; then waves that double.",
    ),
    _kept(
        "--stop-after-failures",
        metavar="N",
        type=click.IntRange(min=1),
        help="Begin no other once so many have failed. Default: begin all.",
    ),
)


def pace() -> FleetOptions:
    """What --jobs, --canary and --stop-after-failures say."""
    from wflo_schema.fleet.outcomes import FleetOptions

    kept = click.get_current_context().meta
    said = {name: kept.get(f"wflo_schema.{name}") for name in ("jobs", "canary", "stop_after_failures")}
    return FleetOptions(**{name: value for name, value in said.items() if value is not None})


def fleet_of(
    url: str | None,
    server_directory: Path,
    *,
    create: bool = False,
    create_database: bool = False,
) -> Targets | None:
    """The targets that are meant, None where it is a single database, as `resolve_database` finds it.

    ``create``: schemas that are named and not there are to be made.  Raise as `find_targets` does, and `UsageError`
    where the list cannot be read.
    """
    find = fleet_finder(url, server_directory, create=create, create_database=create_database)
    if find is None:
        return None
    found = find()
    if found.without:
        warn(f"passed over, as no schema there is meant: {listed(found.without)}")
    return found


def fleet_finder(
    url: str | None,
    server_directory: Path,
    *,
    create: bool = False,
    create_database: bool = False,
    waits: bool = True,
) -> Callable[[], Targets] | None:
    """What finds the targets as `fleet_of` does, whenever it is called; ``waits`` as `resolve_database` has it."""
    context = click.get_current_context()
    asked: _Asked | None = context.meta.get(FLEET)
    if asked is None:
        return None
    from wflo_schema.fleet.targets import find_targets

    context.meta[FLEET] = None  # it is answered
    database = None
    if asked.targets is None:
        make = create_database and not asked.databases
        database = resolve_database(url, None, server_directory, create_database=make, waits=waits)
    wait = context.meta.get("wflo_schema.wait") if waits else None
    wait_s = None if wait is None else duration_ms(wait, "--wait 30s") / 1000
    return functools.partial(find_targets, database, asked.wishes(), create=create, wait_s=wait_s)


def naming_of(names: Collection[str], targets: Sequence[Target]) -> dict[str, list[str]] | None:
    """The options that name exactly those of the targets, each by itself; None where none do, or they are too many."""
    kept = click.get_current_context().meta
    wanted = frozenset(names)
    those = [t for t in targets if t.name in wanted]
    bases = dict.fromkeys(t.place for t in those)
    schemas = list(dict.fromkeys(t.database.schema for t in those if t.database.schema is not None))
    found = {"--schema": schemas} if schemas else {}
    if kept.get("wflo_schema.databases"):
        if len(bases) > _MOST_NAMED:
            return None
        found["--databases"] = [re.sub(r"([\\%_])", r"\\\1", base.name) for base in bases]
        if all(t.name in wanted for t in targets if t.place in bases):
            found.pop("--schema", None)  # all that are meant there
        elif len(those) != len(bases) * len(schemas):
            return None
    elif not schemas or kept.get("wflo_schema.targets") or len(bases) > 1:
        return None
    return found if max(map(len, found.values())) <= _MOST_NAMED else None


def pasteable_for(text: str, names: Collection[str], targets: Sequence[Target]) -> str:
    """The text whose commands are for exactly those of the targets; where no options name them, it says so.

    What takes one target alone is for the one that it names.
    """
    if len(names) > 1 and not _is_for_one(text):
        wanted = frozenset(names)
        for schema in {t.database.schema for t in targets if t.name in wanted} - {None}:
            text = text.replace(f" --schema {shlex.quote(schema or '')}", "")
    if len(names) == len(targets):
        return pasteable(text)
    naming = naming_of(names, targets)
    said = pasteable(text, naming)
    is_more = naming is None and said != text
    return f"{said}  # that is for all {counted(len(targets), 'target')}, not {len(names)} alone" if is_more else said


def _is_for_one(text: str) -> bool:
    """Is a command of the text one that takes no other target than the one that it names?"""
    context = click.get_current_context().find_root()
    group = context.command
    assert isinstance(group, click.Group)
    named = (group.get_command(context, name) for name in re.findall(r"wflo-schema ([a-z-]+)", text))
    return any(one is not None and not any(p.name == "schemas" for p in one.params) for one in named)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What names several targets.  ``yields``: where a line of the list names a schema, ``schemas`` says another."""

    schemas: tuple[str, ...]
    patterns: tuple[str, ...]
    query: str | None
    databases: tuple[str, ...]
    targets: Path | None
    yields: bool

    def wishes(self) -> Wishes:
        """The same with the list read."""
        from wflo_schema.fleet.targets import Wishes

        found = Wishes(self.schemas, self.patterns, self.query, self.databases)
        if self.targets is None:
            return found
        lines = tuple(map(as_asked, _read_list(self.targets)))
        if self.yields and len(self.schemas) == 1 and not self.patterns and self.query is None:
            default = self.schemas[0]
            lines = tuple(line if line.schema is not None else line.with_schema(default) for line in lines)
            return Wishes(lines=lines)
        return replace(found, lines=lines)


def _asked(context: click.Context) -> _Asked | None:
    """What names several targets, None where nothing does.

    What is typed goes before variables, and these before the settings file: who types --schema means it alone.
    """
    kept = context.meta
    near = {name: _nearness(context, name) for name in ("database_url", *_WHICH, *_WHERE)}
    loudest = max(near[name] for name in _WHICH)
    schemas, patterns, query = (
        kept.get(f"wflo_schema.{name}") if near[name] == loudest and loudest else None for name in _WHICH
    )
    databases, targets = _where(context, near)
    if not (patterns or query is not None or databases or targets or len(schemas or ()) > 1):
        return None
    yields = loudest < near["targets"]
    return _Asked(schemas or (), patterns or (), query, databases, targets, yields)


_WHICH, _WHERE = ("schema", "schemas", "schemas_from"), ("databases", "targets")


def _nearness(context: click.Context, name: str) -> int:
    source = context.get_parameter_source(name)
    return _NEARNESS.get(source, 0) if source is not None else 0


def _where(context: click.Context, near: dict[str, int]) -> tuple[tuple[str, ...], Path | None]:
    """The patterns of databases and the list, of which one counts.  Raise `UsageError` where that is not clear."""
    kept = context.meta
    databases, targets = kept.get("wflo_schema.databases") or (), kept.get("wflo_schema.targets")
    if targets is not None and databases:
        if near["targets"] == near["databases"]:
            raise UsageError("--targets and --databases each say which databases are meant", hint="give one of them")
        databases, targets = (databases, None) if near["databases"] > near["targets"] else ((), targets)
    if targets is not None and near["database_url"]:
        typed = [name for name in ("database_url", "targets") if near[name] == _TYPED]
        if len(typed) != 1:
            raise UsageError(
                "--targets names the databases that are meant, and --database-url one",
                hint="give one of them; where a variable or the settings file names the other, type the one you mean",
            )
        targets = targets if typed == ["targets"] else None
    return databases, targets


def _read_list(path: Path) -> Iterator[Database]:
    """The lines of a list of targets.  Raise `UsageError` where it cannot be read, or one of them."""
    from wflo_schema.connect.database import is_login
    from wflo_schema.fleet.targets import read_lines

    if str(path) == _DASH:
        if sys.stdin.isatty():
            raise UsageError(
                "--targets - reads the list from stdin, and that is a terminal",
                hint="pipe it in: list-tenants | wflo-schema … --targets -; or name a file",
            )
        return read_lines(_decoded(sys.stdin.buffer.read(), "stdin"), "stdin")
    try:
        return read_lines(_decoded(path.read_bytes(), str(path)), str(path))
    except OSError as error:
        if is_login(str(path)) or re.match(r"[^/]*:[^/]*@", str(path)):
            raise UsageError(
                "--targets names a file, and what is given is a database",
                hint="give it by --database-url, or write it into a file, a URL a line",
            ) from None
        if not isinstance(error, FileNotFoundError):
            raise UsageError(
                f"cannot read {path}: {error.strerror}", hint="--targets names a file, or - for stdin"
            ) from None
        raise UsageError(f"there is no file {path}", hint=_near(path) or "--targets names a file") from None


def _decoded(text: bytes, where: str) -> list[str]:
    try:
        return text.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{where}:{line}: this is not UTF-8", hint="write the list as UTF-8 text") from None


def _near(path: Path) -> str:
    try:
        names = [one.name for one in path.parent.iterdir() if one.is_file()]
    except OSError:
        return f"there is no folder {path.parent}, either"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f"did you mean {shlex.quote(str(path.with_name(near[0])))}?" if near else ""
