"""The project's settings file: which values it gives, to which command, and where each of them stands.

It is ``wflo-schema.toml``, or the table ``[tool.wflo-schema]`` of pyproject.toml, in this folder or in one above it, up
to the one that holds ``.git``, and while the folders are of one owner.  Variables may stand in ``.env`` beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wflo_schema import __version__
from wflo_schema.errors import UsageError
from wflo_schema.words import listed

FILE, PYPROJECT, DOTENV = "wflo-schema.toml", "pyproject.toml", ".env"

# The tables of the named environments, and the version of wflo-schema that the file is written for.
_ENVIRONMENTS, _REQUIRES = "env", "requires"

# The table of values of what files declare as -- variables:, which no command is called.
VARIABLES = "variables"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and the file and table where it stands."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file that says something to every command, and in tables of its own to single ones."""

    path: str
    names: tuple[str, ...]
    values: Mapping[str, Any]

    def of(self, command: Sequence[str]) -> Table:
        """What it says to one command alone."""
        values: Any = self.values
        for name in command:
            values = values.get(name, {})
            if not isinstance(values, Mapping):
                values = {}
        return Table(self.path, (*self.names, *command), values)

    def settings(self) -> Iterator[tuple[str, Setting]]:
        """The values, not the tables."""
        source = f"{self.path} [{'.'.join(self.names)}]" if self.names else self.path
        return ((k, Setting(v, source)) for k, v in self.values.items() if not isinstance(v, Mapping))


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings file says.

    ``folder``: where its relative paths begin.  ``path``: the file, from the folder that it was asked for in.
    """

    folder: Path
    path: str
    for_all: Table
    environments: Mapping[str, Table]

    def tables(self, environment: str | None) -> tuple[Table, ...]:
        """What goes before comes first: the environment's table, then what is said for all.  Raise `UsageError`."""
        if environment is None:
            return (self.for_all,)
        if environment not in self.environments:
            known = f"it has {listed(self.environments, 10)}" if self.environments else "it has none"
            raise UsageError(
                f"{self.path} has no environment {environment}", hint=f"{known}; one is a table [{_ENVIRONMENTS}.NAME]"
            )
        return (self.environments[environment], self.for_all)


def settings_of(tables: Sequence[Table], command: Sequence[str]) -> dict[str, Setting]:
    """What is said to a command, as ``("server", "start")``, by key.

    A table goes before those behind it; in each, a command's own table goes before the rest.
    """
    found: dict[str, Setting] = {}
    for table in tables:
        for name, setting in (*table.of(command).settings(), *table.settings()):
            found.setdefault(name, setting)
    return found


def read_settings(start: Path, passed_over: list[str]) -> Settings | None:
    """Read the settings file of the project that ``start`` lies in, None where there is none.

    Adds to ``passed_over`` what is, and why.  Raise `UsageError` where it cannot be read.
    """
    found = next(_files(start, passed_over), None)
    if found is None:
        return None
    file, names, values = found
    path = os.path.relpath(file, start)
    _refuse_newer(path, values.get(_REQUIRES))
    environments = values.get(_ENVIRONMENTS, {})
    if not isinstance(environments, Mapping) or not all(isinstance(v, Mapping) for v in environments.values()):
        named = ".".join((*names, _ENVIRONMENTS))
        raise UsageError(f"{path}: {named} is not made of tables", hint=f"write [{named}.staging]")
    return Settings(
        file.parent,
        path,
        Table(path, names, {k: v for k, v in values.items() if k not in (_ENVIRONMENTS, _REQUIRES)}),
        {name: Table(path, (*names, _ENVIRONMENTS, name), table) for name, table in environments.items()},
    )


def _refuse_newer(path: str, requires: object) -> None:
    """Raise `UsageError` where the file is for a newer version than this one; before any of its keys is looked at."""
    if requires is None:
        return
    wanted = re.fullmatch(r"\s*>=\s*(\d+(?:\.\d+)*)\s*", requires) if isinstance(requires, str) else None
    if wanted is None:
        raise UsageError(f"{path}: {_REQUIRES} is no version", hint=f'write {_REQUIRES} = ">={__version__}"')
    if _numbers(__version__) < _numbers(wanted[1]):
        raise UsageError(
            f"{path} requires wflo-schema {wanted[1]} or newer, and this is {__version__}",
            hint=f"pip install --upgrade 'wflo-schema>={wanted[1]}'",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The release that a version is of, or leads to: 1.2.0 is 1.2."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(n) for n in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def read_dotenv(folder: Path, passed_over: list[str]) -> dict[str, str]:
    """The variables that ``.env`` in this folder gives, empty where there is none.

    Adds to ``passed_over`` what is, and why.  Raise `UsageError` where it cannot be read.
    """
    path = folder / DOTENV
    if not os.path.isfile(path) or _is_of_others(path, folder, passed_over):
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _not_readable(path, error) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: {error}", hint="it must be UTF-8 text, NAME=value a line") from None
    import io
    import logging

    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    logging.getLogger("dotenv").setLevel(logging.ERROR)  # its warning names no file
    odd = [f"{path}:{one.original.line}" for one in parse_stream(io.StringIO(text)) if one.error]
    passed_over += [f"{place} is not NAME=value, and is passed over" for place in odd]
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def _files(start: Path, passed_over: list[str]) -> Iterator[tuple[Path, tuple[str, ...], Mapping[str, Any]]]:
    """The settings files, the nearest first: its path, the names of its table and what that holds.

    No folder above counts that is another's, or that cannot be looked into.
    """
    owner: int | None = None
    for folder in (start, *start.parents):
        try:
            has = [(folder / name).is_file() for name in (FILE, PYPROJECT)]
            of = folder.stat().st_uid
        except PermissionError:
            return
        owner = of if owner is None else owner
        if of != owner:
            return
        if has[0] and not _is_of_others(folder / FILE, start, passed_over):
            yield folder / FILE, (), _read(folder / FILE)
        elif has[1] and not _is_of_others(folder / PYPROJECT, start, passed_over):
            tool = _read(folder / PYPROJECT, b"wflo").get("tool", {})
            named = next((n for n in ("wflo-schema", "wflo_schema") if isinstance(tool, Mapping) and n in tool), "")
            if named and not (named == "wflo-schema" and isinstance(tool[named], Mapping)):
                raise UsageError(
                    f"{folder / PYPROJECT}: tool.{named} is no table of settings", hint="write [tool.wflo-schema]"
                )
            if named:
                yield folder / PYPROJECT, ("tool", named), tool[named]
        if (folder / ".git").exists():
            return


def _is_of_others(path: Path, folder: Path, passed_over: list[str]) -> bool:
    """Whether neither this user, root nor the folder's owner has written it: it could name another database."""
    if path.stat().st_uid in (os.geteuid(), 0, folder.stat().st_uid):
        return False
    passed_over.append(f"{path} is of another user than {folder}, and is passed over")
    return True


def _read(path: Path, word: bytes = b"") -> dict[str, Any]:
    """The file as TOML, empty where it does not hold the word."""
    try:
        text = path.read_bytes()
        if word not in text:
            return {}
        import tomllib

        return tomllib.loads(text.decode("utf-8-sig"))
    except OSError as error:
        raise _not_readable(path, error) from None
    except ValueError as error:
        raise UsageError(f"cannot read {path}: {error}", hint="it must be TOML: https://toml.io") from None


def _not_readable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot read {path}: {error.strerror}", hint="let this user read it, or move it away")
