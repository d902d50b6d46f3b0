"""The PostgreSQL of ``docker-compose.yml`` through the Docker SDK: started, found, waited for."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wflo_schema.connect.database import Database
from wflo_schema.errors import ConnectionFailed, ServerNotReady

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
from wflo_schema.server.embedded import LOG_TAIL_LINES, version_of
from wflo_schema.server.home import NOTHING_DELETED, POLL_S, locked
from wflo_schema.server.values import Server, ServerStatus


@dataclass(frozen=True, slots=True)
class ComposeService:
    """What is read of the service ``postgres`` of a Compose file."""

    image: str
    address: str
    port: int
    user: str
    password: str = field(repr=False)
    database_name: str
    health_command: tuple[str, ...]
    interval_s: float
    timeout_s: float
    retries: int


_CONTAINER_PORT = "5432/tcp"
# Seconds to wait for another process that makes the same container: it may be pulling the image.
_PULL_S = 600.0
_DATA_IN_CONTAINER = "/var/lib/postgresql/data"
_LABEL = "wflo-schema"
_USE_ANOTHER = "use the embedded server (wflo-schema server start), or say which database to use with DATABASE_URL"

_INSTALL = "pip install 'wflo-schema[docker]', or start it with Compose: docker compose up --detach --wait"


def start_docker(
    compose_file: Path, *, image: str | None = None, port: int | None = None, timeout_s: float = 60.0
) -> Server:
    """Get the PostgreSQL that ``compose_file`` describes as a container, making and starting it where needed.

    ``image`` and ``port`` override the file's.  The data is in a volume of the container's name
    and stays when the container goes.  Raise `ServerNotReady` when it is not healthy in time.
    """
    service = read_compose(compose_file, image=image, port=port)
    name = _container_name(compose_file)
    with _docker() as client:
        container, started = _get_container(client, compose_file, name, service)
        return _wait_until_healthy(container, name, service, started=started, timeout_s=timeout_s)


def _get_container(
    client: DockerClient, compose_file: Path, name: str, service: ComposeService
) -> tuple[Container, bool]:
    """The running container, and whether this call started it; by one process of this machine at a time."""
    from docker.errors import APIError, ImageNotFound, NotFound

    started = False
    with locked(compose_file.resolve().parent, _PULL_S):
        try:
            container = client.containers.get(name)
        except NotFound:
            try:
                client.images.get(service.image)
            except ImageNotFound:
                _pull(client, service.image)
            container = _create_container(client, name, service)
        wanted = _fingerprint(service)
        if container.labels.get(_LABEL) != wanted:
            raise ServerNotReady(
                f"the container {name} was made with other settings than {compose_file} has now",
                hint=f"docker rm --force {name} removes it and keeps its data in the volume {name}; "
                "then run this again",
            )
        if container.status != "running":
            try:
                container.start()
            except APIError as error:
                was_new = container.attrs.get("State", {}).get("StartedAt", "").startswith("0001-")
                if was_new:
                    container.remove()  # made a moment ago and never started: nothing is in it
                raise _cannot_start(error, service) from error
            started = True
    return container, started


def stop_docker(compose_file: Path) -> ServerStatus:
    """Stop the container that `start_docker` made for ``compose_file``; container and data stay."""
    with _docker() as client:
        container = _find_container(client, _container_name(compose_file))
        if container is not None and container.status == "running":
            container.stop(timeout=30)
    return status_docker(compose_file)


def status_docker(compose_file: Path, *, image: str | None = None, port: int | None = None) -> ServerStatus:
    """Say what there is of the container for ``compose_file``; start and write nothing."""
    service = read_compose(compose_file, image=image, port=port)
    name = _container_name(compose_file)
    with _docker() as client:
        container = _find_container(client, name)
        if container is None:
            return ServerStatus("absent", "docker")
        if container.status != "running":
            return ServerStatus("stopped", "docker", name)
    database = _docker_database(service)
    try:
        with database.connect() as connection:
            return ServerStatus("running", "docker", name, version=version_of(connection), database=database)
    except ConnectionFailed as error:
        return ServerStatus("running", "docker", name, database=database, note=error.message)


def read_compose(compose_file: Path, *, image: str | None = None, port: int | None = None) -> ComposeService:
    """Read the service ``postgres`` of a Compose file.

    Of ``${NAME:-default}`` the default is taken: only the command line reads variables.  Raise `ServerNotReady`
    where it is not YAML, or a value is missing or not plain.
    """
    try:
        text = compose_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ServerNotReady(
            f"cannot read {compose_file}: {reason}", hint="run this in the folder that has docker-compose.yml"
        ) from error
    content = _read_yaml(compose_file, text)
    at = "services.postgres"

    def one(key: str, default: str | None = None) -> str:
        values = _values(content, f"{at}.{key}") or ([] if default is None else [default])
        if len(values) != 1 or not values[0]:
            raise ServerNotReady(
                f"{compose_file} has no plain value for {at}.{key}",
                hint="write it as the docker-compose.yml of wflo-schema does",
            )
        return values[0]

    published = re.fullmatch(r"(?:([\d.]+):)?(\d+):5432(?:/tcp)?", one("ports"))
    seconds = {
        key: re.fullmatch(r"(\d+(?:\.\d+)?)s", one(f"healthcheck.{key}", default))
        for key, default in {"interval": "2s", "timeout": "5s"}.items()
    }
    retries = one("healthcheck.retries", "30")
    interval, timeout = seconds["interval"], seconds["timeout"]
    test = _values(content, f"{at}.healthcheck.test")
    if published is None or interval is None or timeout is None or not retries.isdigit() or len(test) < 2:
        raise ServerNotReady(
            f"the service postgres of {compose_file} has a ports or healthcheck entry that cannot be read",
            hint="write them as the docker-compose.yml of wflo-schema does: "
            '"127.0.0.1:5432:5432", ["CMD", "pg_isready"], 2s',
        )
    return ComposeService(
        image=image or one("image"),
        address=published[1] or "0.0.0.0",
        port=port or int(published[2]),
        user=one("environment.POSTGRES_USER"),
        password=one("environment.POSTGRES_PASSWORD"),
        database_name=one("environment.POSTGRES_DB"),
        health_command=tuple(test),
        interval_s=float(interval[1]),
        timeout_s=float(timeout[1]),
        retries=int(retries),
    )


def _read_yaml(compose_file: Path, text: str) -> object:
    """Mappings, lists and strings; a number stays as it is written."""
    try:
        import yaml
    except ImportError as error:
        raise ServerNotReady(f"reading {compose_file} needs PyYAML, which is not installed", hint=_INSTALL) from error
    try:
        # BaseLoader: to YAML 1.1 some ports are numbers to the base of 60, and "on" is a boolean.
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{compose_file}:{mark.line + 1}" if mark else str(compose_file)
        raise ServerNotReady(
            f"{place} is not YAML: {getattr(error, 'problem', None) or error}",
            hint="docker compose config says what is wrong with it",
        ) from error


def _values(content: object, key: str) -> list[str]:
    """The value of a dotted key, or the values of its list, with the default of every ``${NAME:-default}``."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    values = content if isinstance(content, list) else [content]
    return [re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text) for text in values if isinstance(text, str)]


@contextmanager
def _docker() -> Iterator[DockerClient]:
    """A client whose daemon has answered; every error of the SDK in the block becomes a `ServerNotReady`."""
    try:
        import docker
        from docker.errors import DockerException
        from requests.exceptions import RequestException
    except ImportError as error:
        raise ServerNotReady(
            "the Docker SDK for Python is not installed",
            hint=_INSTALL,
        ) from error
    try:
        client = docker.from_env()
    except DockerException as error:
        raise _no_daemon(error) from error
    try:
        try:
            client.ping()
        except (DockerException, RequestException) as error:
            raise _no_daemon(error) from error
        yield client
    except (DockerException, RequestException) as error:
        raise ServerNotReady(f"Docker refused: {_docker_reason(error)}", hint=_USE_ANOTHER) from error
    finally:
        client.close()


def _no_daemon(error: Exception) -> ServerNotReady:
    refused = "Permission" in str(error)
    return ServerNotReady(
        "this user may not use the Docker daemon" if refused else "no Docker daemon answers",
        hint=("add the user to the group docker, or " if refused else "start Docker, or ") + _USE_ANOTHER,
    )


def _docker_reason(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    lines = str(explanation or error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def _pull(client: DockerClient, image: str) -> None:
    from docker.errors import APIError
    from requests.exceptions import RequestException

    try:
        client.images.pull(image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest")
    except (APIError, RequestException) as error:
        raise ServerNotReady(
            f"the image {image} is not here and cannot be pulled: {_docker_reason(error)}",
            hint="name another image with WFLO_SCHEMA_DOCKER_IMAGE, or " + _USE_ANOTHER,
        ) from error


def _create_container(client: DockerClient, name: str, service: ComposeService) -> Container:
    nanoseconds = 1_000_000_000
    healthcheck: Mapping[str, Any] = {
        "test": list(service.health_command),
        "interval": int(service.interval_s * nanoseconds),
        "timeout": int(service.timeout_s * nanoseconds),
        "retries": service.retries,
    }
    return client.containers.create(
        service.image,
        name=name,
        labels={_LABEL: _fingerprint(service)},
        environment={
            "POSTGRES_USER": service.user,
            "POSTGRES_PASSWORD": service.password,
            "POSTGRES_DB": service.database_name,
        },
        ports={_CONTAINER_PORT: (service.address, service.port)},
        volumes={name: {"bind": _DATA_IN_CONTAINER, "mode": "rw"}},
        healthcheck=healthcheck,
    )


def _find_container(client: DockerClient, name: str) -> Container | None:
    from docker.errors import NotFound

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def _container_name(compose_file: Path) -> str:
    """One name per project, for the container and its volume."""
    folder = compose_file.resolve().parent
    word = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:30] or "project"
    return f"wflo-schema-{word}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"


def _fingerprint(service: ComposeService) -> str:
    return hashlib.sha256(repr(astuple(service)).encode()).hexdigest()[:16]


def _cannot_start(error: Exception, service: ComposeService) -> ServerNotReady:
    reason = _docker_reason(error)
    if re.search(r"port is already allocated|address already in use", reason):
        return ServerNotReady(
            f"port {service.port} of {service.address} is in use by another program",
            hint="choose another one with WFLO_SCHEMA_DOCKER_PORT, or stop what uses it "
            "(docker compose down, if make up started it)",
        )
    return ServerNotReady(f"Docker could not start {service.image}: {reason}", hint=_USE_ANOTHER)


def _docker_database(service: ComposeService) -> Database:
    host = "127.0.0.1" if service.address == "0.0.0.0" else service.address
    user, password, name = (quote(part, safe="") for part in (service.user, service.password, service.database_name))
    return Database.parse(f"postgresql://{user}:{password}@{host}:{service.port}/{name}", source="the server in Docker")


def _wait_until_healthy(
    container: Container, name: str, service: ComposeService, *, started: bool, timeout_s: float
) -> Server:
    """Wait until the health check says healthy and a connection of our own confirms it."""
    database = _docker_database(service)
    end = time.monotonic() + timeout_s
    reason = ""
    while True:
        container.reload()
        state = container.attrs["State"]
        if state["Status"] not in ("running", "created", "restarting"):
            reason = f"ended with exit code {state.get('ExitCode')}"
            break
        if state.get("Health", {}).get("Status") == "healthy":
            try:
                with database.connect() as connection:
                    return Server(database, "docker", version_of(connection), started, container=name)
            except ConnectionFailed as error:
                reason = f"is healthy, but {error.message}"
        if time.monotonic() > end:
            reason = reason or f"was not healthy within {timeout_s:g} s"
            break
        time.sleep(2 * POLL_S)
    said = container.logs(tail=LOG_TAIL_LINES).decode("utf-8", "replace").strip()
    tail = "".join(f"\n    {line}" for line in said.splitlines())
    raise ServerNotReady(f"the container {name} {reason}{tail}", hint=f"see docker logs {name}; {NOTHING_DELETED}")
