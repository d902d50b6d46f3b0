"""Which system user a server's programs run as: never root, and one that can read them."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wflo_schema.errors import ServerNotReady


@dataclass(frozen=True, slots=True)
class Account:
    """A system user that programs are run as."""

    name: str
    uid: int
    gid: int


def choose_account(*owners: Path) -> Account | None:
    """Choose the system user to run PostgreSQL as: None (ourselves) unless we are root, as whom it never runs.

    For root: the owner of the first of ``owners`` that exists and is not root's, else postgres, else nobody.
    """
    if os.geteuid() != 0:
        return None
    for path in owners:
        try:
            uid = path.stat().st_uid
        except OSError:
            continue
        if uid != 0:
            try:
                entry = pwd.getpwuid(uid)
            except KeyError:
                continue
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServerNotReady(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
        hint="run this as another user, or make one: useradd --system postgres",
    )


def refuse_nameless() -> None:
    """Raise `ServerNotReady` where our user id has no name, as in a container with a random user: initdb wants one."""
    uid = os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise ServerNotReady(
            f"the user id {uid} has no name on this system, and initdb does not run without one",
            hint=f"give it one (echo 'app:x:{uid}:{os.getegid()}::/tmp:/bin/sh' >> /etc/passwd), run this as a user "
            "that has one, or say which database to use with DATABASE_URL",
        ) from None


def run_as(
    words: list[str], account: Account | None, cwd: Path, *, timeout_s: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run a program as that user, or as ourselves, and return what it printed, whatever its exit code is.

    Raise `ServerNotReady` where it cannot be started, or takes longer than ``timeout_s``.
    """
    try:
        return subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env=ENVIRONMENT,
            timeout=timeout_s,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerNotReady(f"{Path(words[0]).name} did not end within {timeout_s:g} s") from error
    except OSError as error:
        who = f" as user {account.name}" if account else ""
        raise ServerNotReady(f"cannot run {words[0]}{who}: {error.strerror}") from error


def can_run(program: Path, account: Account) -> bool:
    """Whether that user can start the program."""
    try:
        return run_as([str(program), "--version"], account, Path("/")).returncode == 0
    except ServerNotReady:
        return False


def can_enter(directory: Path, account: Account) -> bool:
    """Whether that user can make this directory its working directory."""
    return run_as(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)], account, Path("/")).returncode == 0


def account_of(home: Path) -> Account | None:
    """Choose the user that a server's programs run as: None for ourselves, its data's owner where we are root.

    Raise `ServerNotReady` where the data belong to somebody else and we are not root.
    """
    owner = home.stat().st_uid
    if os.geteuid() == 0:
        return choose_account(home)
    if owner != os.geteuid():
        raise ServerNotReady(
            f"the server in {home} belongs to {owner_name(home)}",
            hint="run this as that user or as root, or say which database to use with DATABASE_URL",
        )
    return None


def owner_name(path: Path) -> str:
    """The name of the user that owns a file; its number where it has no name."""
    try:
        uid = path.stat().st_uid
    except OSError:
        return "another user"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


# For PostgreSQL's programs: no PGDATA, PGPORT or locale of the caller leaks into the server.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
