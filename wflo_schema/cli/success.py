"""The commands of the project's settings file that follow a run which changed something.

Hides how they are run: by the shell, one after the other, in the file's folder, and without the database's password.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from wflo_schema.cli.settings import ON_SUCCESS, told
from wflo_schema.errors import CommandFailed
from wflo_schema.words import counted

if TYPE_CHECKING:
    import click

    from wflo_schema.engine.events import Result
    from wflo_schema.fleet.outcomes import FleetResult
    from wflo_schema.fleet.targets import Targets

# The variable that has the ids, one a line, by what was done with them.
_VARIABLES = {"apply": "WFLO_SCHEMA_APPLIED", "rollback": "WFLO_SCHEMA_ROLLED_BACK"}
# Bytes of a variable: Linux starts no command with one of 128 kB.
_MOST_BYTES = 100_000

_DONE = {"apply": "applied", "rollback": "rolled back"}


def _stderr() -> int:
    """Where they print: stdout is for the answer."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def follow_success(context: click.Context, result: Result) -> None:
    """Run what the settings file has under ``on-success``, where the run has done something.

    Raise `CommandFailed` for the first that fails; those behind it are not run.
    """
    if _has_commands(context):
        _follow(context, result.operation, result.ids, {"WFLO_SCHEMA_DATABASE": result.label})


def follow_success_of_all(context: click.Context, result: FleetResult, targets: Targets) -> None:
    """The same once for many targets, with the ids that were done in any of them.  Raise as `follow_success`."""
    if not _has_commands(context):
        return
    changed = {o.target for o in result.outcomes if o.ids}
    databases = [d.label for d, those in targets.by_database.items() if not changed.isdisjoint(t.name for t in those)]
    ids = sorted({i for o in result.outcomes for i in o.ids}, reverse=result.operation == "rollback")
    several = {"WFLO_SCHEMA_DATABASE": "\n".join(databases), "WFLO_SCHEMA_TARGETS": "\n".join(sorted(changed))}
    told_to_them = {name: value for name, value in several.items() if len(value.encode()) < _MOST_BYTES}
    _follow(context, result.operation, ids, told_to_them)


def _has_commands(context: click.Context) -> bool:
    here = told(context)
    return here.file is not None and ON_SUCCESS in here.said


def _follow(context: click.Context, operation: str, ids: Sequence[str], more: Mapping[str, str]) -> None:
    here = told(context)
    if not ids or here.file is None:
        return
    setting = here.said[ON_SUCCESS]
    commands = [setting.value] if isinstance(setting.value, str) else setting.value
    told_to_them = {_VARIABLES[operation]: "\n".join(ids), **more}
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # one may be closed, or the disk that it goes to is full
            stream.flush()  # what they print comes behind
    for number, command in enumerate(commands, 1):
        ended = subprocess.run(
            command,
            shell=True,  # it is a line for the shell, and only the project's own file has it
            check=False,
            cwd=here.file.folder,
            env={**os.environ, **told_to_them},
            stdin=subprocess.DEVNULL,
            stdout=_stderr(),
        ).returncode
        if ended:
            are = "is" if len(ids) == 1 else "are"
            stay = f"{counted(len(ids), 'migration')} {are} {_DONE[operation]} all the same"
            how = f"ended with {ended}" if ended > 0 else f"was ended by signal {-ended}"
            behind = len(commands) - number
            left = (
                f"; {counted(behind, 'command')} behind it {'was' if behind == 1 else 'were'} not run" if behind else ""
            )
            failed = CommandFailed(
                f"on-success in {setting.source}: {command} {how}; {stay}{left}",
                hint="when it is mended, run it by hand: it follows only a run that does something",
            )
            failed.applied, failed.operation = tuple(ids), operation
            raise failed
