"""A password from a command of the user's: rotating ones, tokens that soon end, a vault."""

from __future__ import annotations

import subprocess

from wflo_schema.errors import ConnectionFailed

# Seconds that it may take: whoever has to sign in by hand does so before.
_LONGEST_S = 60

_HOW = "run it by hand: it is the password command of the command line, a variable or the settings file"


def ask_password(command: str) -> str:
    """Run a command line in the shell, and return the one line that it prints.

    Raise `ConnectionFailed` where it fails, takes more than a minute, or prints no line or several.  What it prints
    is in no message.
    """
    try:
        done = subprocess.run(
            command, shell=True, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LONGEST_S
        )
    except subprocess.TimeoutExpired:
        raise ConnectionFailed(
            f"the command that gives the password took more than {_LONGEST_S} s", hint=_HOW
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        code = done.returncode
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise ConnectionFailed(f"the command that gives the password {how}{f': {said}' if said else ''}", hint=_HOW)
    lines = done.stdout.decode(errors="surrogateescape").splitlines()
    if len(lines) != 1 or not lines[0] or "\x00" in lines[0]:
        said = "nothing" if not any(lines) else "more than one line"
        raise ConnectionFailed(f"the command that gives the password printed {said}", hint=_HOW)
    return lines[0]
