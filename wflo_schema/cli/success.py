"""The commands of the project's settings file that follow a run which changed something.

Hides how they are run: by the shell, one after the other, in the file's folder, and without the database's password.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from wflo_schema.cli.settings import ON_SUCCESS, told
from wflo_schema.errors import CommandFailed
from wflo_schema.words import counted

if TYPE_CHECKING:
    import click

    from wflo_schema.engine.events import Result

# The variable that has the ids, one a line, by what was done with them.
_VARIABLES = {"apply": "WFLO_SCHEMA_APPLIED", "rollback": "WFLO_SCHEMA_ROLLED_BACK"}
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
    here = told(context)
    if not result.done or here.file is None or ON_SUCCESS not in here.said:
        return
    setting = here.said[ON_SUCCESS]
    commands = [setting.value] if isinstance(setting.value, str) else setting.value
    told_to_them = {_VARIABLES[result.operation]: "\n".join(result.ids), "WFLO_SCHEMA_DATABASE": result.label}
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
            are = "is" if len(result.done) == 1 else "are"
            stay = f"{counted(len(result.done), 'migration')} {are} {_DONE[result.operation]} all the same"
            how = f"ended with {ended}" if ended > 0 else f"was ended by signal {-ended}"
            behind = len(commands) - number
            left = (
                f"; {counted(behind, 'command')} behind it {'was' if behind == 1 else 'were'} not run" if behind else ""
            )
            failed = CommandFailed(
                f"on-success in {setting.source}: {command} {how}; {stay}{left}",
                hint="when it is mended, run it by hand: it follows only a run that does something",
            )
            failed.applied, failed.operation = result.ids, result.operation
            raise failed
