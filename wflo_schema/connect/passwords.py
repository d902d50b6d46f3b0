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
    on stdout is in no message.
    """
    try:
        done = subprocess.run(
            command, shell=True, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LONGEST_S
        )
    except subprocess.TimeoutExpired:
        raise _failed(f"took more than {_LONGEST_S} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        code = done.returncode
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise _failed(f"{how}{f': {said}' if said else ''}")
    line = done.stdout.removesuffix(b"\n").removesuffix(b"\r")
    if not line.strip(b"\r\n"):
        raise _failed("printed nothing")
    if b"\n" in line:
        raise _failed("printed more than one line")
    try:
        password = line.decode()
    except UnicodeDecodeError:
        password = "\x00"
    if "\x00" in password:
        raise _failed("printed what is not UTF-8 text")
    return password


def _failed(how: str) -> ConnectionFailed:
    """No other database of the server would have it."""
    return ConnectionFailed(f"the command that gives the password {how}", hint=_HOW, is_of_server=True)
