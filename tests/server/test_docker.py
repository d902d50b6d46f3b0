"""The PostgreSQL of docker-compose.yml, for real: through the SDK and through Compose.

Needs a Docker daemon, or root and dockerd to start one, and Debian's PostgreSQL 15: the image is
made of its programs, so nothing is pulled.  Skips, saying which, where one is missing.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import IS_INSTALLED
from wflo_schema.errors import ServerNotReady
from wflo_schema.server.docker import read_compose, start_docker, status_docker, stop_docker
from wflo_schema.server.values import Server
from wflo_schema.testdb.databases import list_test_databases

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
ENTRYPOINT = Path(__file__).parents[1] / "data" / "docker-entrypoint.sh"
POSTGRES_15 = Path("/usr/lib/postgresql/15")
TOOLS = ("sh", "chown", "cat", "sleep", "seq", "setpriv", "false")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sockets_of_the_sdk_forgiven() -> Iterator[None]:
    """The SDK leaves its socket to the garbage collector when no daemon answers: collect it here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()


@pytest.fixture(autouse=True)
def _sockets_of_the_sdk_forgiven() -> Iterator[None]:
    yield
    with sockets_of_the_sdk_forgiven():
        pass


def answers() -> bool:
    docker = pytest.importorskip("docker", reason="the Docker SDK for Python is not installed")
    with sockets_of_the_sdk_forgiven():
        try:
            client = docker.from_env()
        except docker.errors.DockerException:
            return False
        client.close()
        return True


@pytest.fixture(scope="module")
def daemon() -> Iterator[None]:
    """A daemon that answers: the machine's, else one of our own with a socket of its own."""
    if answers():
        yield
        return
    dockerd = shutil.which("dockerd")
    if dockerd is None or os.geteuid() != 0:
        pytest.skip("no Docker daemon answers, and none can be started without dockerd and root")
    folder = Path(tempfile.mkdtemp(prefix="wfd", dir="/tmp"))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [
                dockerd,
                "--storage-driver=vfs",
                "--data-root=/var/tmp/wflo-schema-test-docker",
                f"--exec-root={folder}/exec",
                f"--pidfile={folder}/pid",
                f"--host=unix://{folder}/sock",
            ],
            stdout=log,
            stderr=log,
        )
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = f"unix://{folder}/sock"
    try:
        end = time.monotonic() + 60
        while not answers():
            if process.poll() is not None or time.monotonic() > end:
                last = (folder / "log").read_text(errors="replace").splitlines()[-1:]
                pytest.skip(f"no Docker daemon can be started here: {last}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before
        shutil.rmtree(folder, ignore_errors=True)


def libraries(programs: list[Path]) -> set[Path]:
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=True).stdout
    return {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(", said, re.MULTILINE)}


@pytest.fixture(scope="module")
def image(daemon: None) -> str:
    """An image of this machine's PostgreSQL 15, made once and kept under a name with its hash."""
    import docker

    if not (POSTGRES_15 / "bin" / "postgres").exists():
        pytest.skip("no programs of PostgreSQL 15 here to make an image of")
    key = hashlib.sha256(Path(__file__).read_bytes() + ENTRYPOINT.read_bytes())
    key.update(str((POSTGRES_15 / "bin" / "postgres").stat().st_mtime_ns).encode())
    name = f"wflo-schema-test:{key.hexdigest()[:12]}"
    client = docker.from_env()
    try:
        try:
            client.images.get(name)
            return name
        except docker.errors.ImageNotFound:
            pass
        tools = [Path(found) for tool in TOOLS if (found := shutil.which(tool))]
        servers = [POSTGRES_15 / "bin" / tool for tool in ("postgres", "initdb", "pg_isready")]
        modules = [POSTGRES_15 / "lib" / f"{module}.so" for module in ("plpgsql", "dict_snowball")]
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:
                programs = sorted({*servers, *modules, *libraries([*tools, *servers])})
                shared = [Path("/usr/share/postgresql/15"), Path("/usr/share/zoneinfo/UTC")]
                tops = [Path(p) for p in ("/bin/sh", "/etc/passwd", "/var/lib/postgresql/data", "/var/run/postgresql")]
                for folder in sorted({folder for path in (*programs, *shared, *tops) for folder in path.parents}):
                    entry = tarfile.TarInfo(str(folder).lstrip("/") or ".")
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
                for path in programs:
                    tar.add(path, str(path).lstrip("/"))
                for path in tools:
                    tar.add(path, f"bin/{path.name}")
                for path in shared:
                    tar.add(path, str(path).lstrip("/"))
                tar.add(ENTRYPOINT, "entrypoint.sh")
                for text, place in (
                    ("root:x:0:0::/:/bin/sh\npostgres:x:999:999::/:/bin/sh\n", "etc/passwd"),
                    ("root:x:0:\npostgres:x:999:\n", "etc/group"),
                ):
                    entry = tarfile.TarInfo(place)
                    entry.size = len(text)
                    tar.addfile(entry, io.BytesIO(text.encode()))
                for place in ("tmp", "var/run/postgresql", "var/lib/postgresql/data"):
                    entry = tarfile.TarInfo(place)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o777
                    tar.addfile(entry)
            file.flush()
            repository, tag = name.split(":")
            client.api.import_image_from_file(
                file.name,
                repository=repository,
                tag=tag,
                changes=['ENTRYPOINT ["/bin/sh", "/entrypoint.sh"]', f"ENV PATH={POSTGRES_15}/bin:/bin"],
            )
        for old in client.images.list("wflo-schema-test"):
            if name not in old.tags:
                client.images.remove(old.id, force=True)
        return name
    finally:
        client.close()


@pytest.fixture
def compose(daemon: None, tmp_path: Path) -> Iterator[Path]:
    """Our docker-compose.yml in a project of its own; its container and volume are gone afterwards."""
    import docker

    path = tmp_path / "docker-compose.yml"
    shutil.copy(COMPOSE, path)
    yield path
    from wflo_schema.server.docker import _container_name

    client = docker.from_env()
    try:
        for container in client.containers.list(all=True, filters={"name": _container_name(path)}):
            container.remove(force=True)
        for volume in client.volumes.list(filters={"name": _container_name(path)}):
            volume.remove()
    finally:
        client.close()


def ask(server: Server, query: str) -> object:
    with server.database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_compose_file_is_read_as_it_is_written() -> None:
    service = read_compose(COMPOSE)
    assert (service.image, service.address, service.port) == ("postgres:15-alpine", "127.0.0.1", 5432)
    assert (service.user, service.password, service.database_name) == ("wflo_user", "wflo_password", "wflo")
    assert service.health_command == ("CMD", "pg_isready", "--host=127.0.0.1", "--username=wflo_user", "--dbname=wflo")
    assert (service.interval_s, service.timeout_s, service.retries) == (2.0, 5.0, 30)
    assert "wflo_password" not in repr(service)


def test_compose_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerNotReady, match=r"cannot read .*docker-compose\.yml: No such file or directory"):
        read_compose(tmp_path / "docker-compose.yml")
    (tmp_path / "docker-compose.yml").write_text("services:\n  database:\n    image: postgres\n")
    with pytest.raises(ServerNotReady, match=r"has no plain value for services\.postgres\.ports"):
        read_compose(tmp_path / "docker-compose.yml")


SERVICE = """\
services:
  postgres: &it
    image: "postgres:${VERSION:-16}"  # the one of production
    environment: {POSTGRES_USER: u, POSTGRES_PASSWORD: 'p: #1', POSTGRES_DB: 007}
    ports:
    - 22:5432
    healthcheck:
      test:
      - CMD
      - pg_isready
"""


def test_compose_file_may_be_written_in_every_way_of_yaml(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(SERVICE)
    service = read_compose(tmp_path / "compose.yml")
    assert (service.image, service.address, service.port) == ("postgres:16", "0.0.0.0", 22)
    assert (service.user, service.password, service.database_name) == ("u", "p: #1", "007")
    assert (service.health_command, service.retries) == (("CMD", "pg_isready"), 30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: [", "compose.yml:1 is not YAML: "),
        ("a: b: c", "compose.yml:1 is not YAML: mapping values are not allowed here"),
        ("", "has no plain value for services.postgres.ports"),
        ("services: postgres", "has no plain value for services.postgres.ports"),
        (SERVICE.replace("- 22:5432", "- {target: 5432}"), "has no plain value for services.postgres.ports"),
        (SERVICE.replace("image:", "build:"), "has no plain value for services.postgres.image"),
    ],
)
def test_compose_file_that_says_too_little_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "compose.yml").write_text(text)
    with pytest.raises(ServerNotReady, match=re.escape(message)):
        read_compose(tmp_path / "compose.yml")


def test_missing_reader_of_yaml_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ServerNotReady, match="needs PyYAML, which is not installed") as caught:
        read_compose(COMPOSE)
    assert "pip install 'wflo-schema[docker]'" in caught.value.hint


def test_missing_sdk_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(ServerNotReady) as caught:
        start_docker(COMPOSE)
    assert caught.value.message == "the Docker SDK for Python is not installed"
    assert "pip install 'wflo-schema[docker]'" in caught.value.hint


def test_no_daemon_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(ServerNotReady) as caught:
        start_docker(COMPOSE)
    assert caught.value.message == "no Docker daemon answers"
    assert caught.value.hint.startswith("start Docker, or use the embedded server (wflo-schema server start)")


def test_container_is_started_found_stopped_and_keeps_its_data(compose: Path, image: str) -> None:
    port = free_port()
    server = start_docker(compose, image=image, port=port)
    assert (server.kind, server.started, server.version.split(".")[0]) == ("docker", True, "15")
    assert server.database.url == f"postgresql://wflo_user:wflo_password@127.0.0.1:{port}/wflo"
    assert ask(server, "SELECT current_user || '@' || current_database()") == "wflo_user@wflo"
    with server.database.connect() as connection:
        connection.execute("CREATE TABLE kept ()")
    again = start_docker(compose, image=image, port=port)
    assert (again.started, again.container) == (False, server.container)
    assert status_docker(compose, image=image, port=port).state == "running"
    assert stop_docker(compose).state == "stopped"
    assert ask(start_docker(compose, image=image, port=port), "SELECT count(*) FROM kept") == 0
    with pytest.raises(ServerNotReady, match="was made with other settings"):
        start_docker(compose, image=image, port=port + 1)


@pytest.mark.parametrize("words", [(), ("-n", "2")])
def test_plugin_makes_its_databases_in_the_container(compose: Path, image: str, words: tuple[str, ...]) -> None:
    folder = compose.parent
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001-a.sql").write_text("CREATE TABLE a (id integer PRIMARY KEY);\n")
    (folder / "pytest.ini").write_text("[pytest]\nwflo_server = docker\n")
    (folder / "test_a.py").write_text(
        "import pytest\n\n\n"
        "@pytest.mark.parametrize('number', range(6))\n"
        "def test_a(wflo_connection, number):\n"
        "    wflo_connection.execute('INSERT INTO a VALUES (1)')\n"
        "    assert wflo_connection.info.user == 'wflo_user'\n"
    )
    port = free_port()
    plugin = () if IS_INSTALLED else ("-p", "wflo_schema.testdb.pytest_plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "WFLO_SCHEMA_DOCKER_IMAGE": image,
            "WFLO_SCHEMA_DOCKER_PORT": str(port),
        },
    )
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    server = start_docker(compose, image=image, port=port)
    assert not server.started
    assert [m.purpose for m in list_test_databases(server.database)] == ["template"]
    stop_docker(compose)


def test_missing_image_is_one_sentence_and_makes_no_container(compose: Path) -> None:
    with pytest.raises(ServerNotReady) as caught:
        start_docker(compose, image="127.0.0.1:9/nobody/has-this:1")
    assert caught.value.message.startswith("the image 127.0.0.1:9/nobody/has-this:1 is not here and cannot be pulled: ")
    assert "WFLO_SCHEMA_DOCKER_IMAGE" in caught.value.hint
    assert status_docker(compose).state == "absent"


def test_busy_port_is_one_sentence_and_makes_no_container(compose: Path, image: str) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(ServerNotReady) as caught:
            start_docker(compose, image=image, port=port)
    assert caught.value.message == f"port {port} of 127.0.0.1 is in use by another program"
    assert status_docker(compose).state == "absent"


def test_container_that_ends_shows_what_it_said(compose: Path, image: str) -> None:
    compose.write_text(compose.read_text().replace("POSTGRES_DB: wflo", "POSTGRES_DB: broken"))
    with pytest.raises(ServerNotReady) as caught:
        start_docker(compose, image=image, port=free_port())
    assert "ended with exit code 3\n    this database is broken" in caught.value.message


def test_container_that_never_gets_healthy_shows_what_it_said(compose: Path, image: str) -> None:
    compose.write_text(re.sub(r"test: .*", 'test: ["CMD", "false"]', compose.read_text()))
    with pytest.raises(ServerNotReady) as caught:
        start_docker(compose, image=image, port=free_port(), timeout_s=4)
    message, _, said = caught.value.message.partition("\n    ")
    assert message.endswith("was not healthy within 4 s")
    assert said  # how far the container has come by then depends on the machine


def test_compose_starts_the_same_server(compose: Path, image: str) -> None:
    words = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if subprocess.run([*words, "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose here")
    port = free_port()
    settings = {**os.environ, "WFLO_SCHEMA_DOCKER_IMAGE": image, "WFLO_SCHEMA_DOCKER_PORT": str(port)}
    shutil.copy(ROOT / "Makefile", compose.parent)
    try:
        done = subprocess.run(["make", "up"], cwd=compose.parent, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        service = read_compose(compose, image=image, port=port)
        from wflo_schema.server.docker import _docker_database

        with _docker_database(service).connect() as connection:
            row = connection.execute("SELECT current_user || '@' || current_database()").fetchone()
        assert row == ("wflo_user@wflo",)
    finally:
        subprocess.run([*words, "down", "--volumes"], cwd=compose.parent, env=settings, capture_output=True, check=True)
