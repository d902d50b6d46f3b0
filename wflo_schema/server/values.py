"""A running server, and what is known of one, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wflo_schema.connect.database import Database

ServerState = Literal["running", "stopped", "absent", "unreachable"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs and answers.  ``database`` is the way in.

    ``directory`` (embedded) is where it is kept, ``container`` (docker) its name.  ``pid`` is the
    postmaster's, None in a container.  ``started`` says whether this call started it.
    """

    database: Database
    kind: Literal["embedded", "docker"]
    version: str
    started: bool
    pid: int | None = None
    directory: Path | None = None
    container: str | None = None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What there is of a server: ``absent`` was never made, ``stopped`` keeps its data.

    ``unreachable``: its process does not answer (``pid``), or this user may not look (no ``pid``).
    ``location`` is the folder with the data or the container's name, empty when absent.  ``note``
    says what stands in the way of starting or using it, empty when nothing does; ``database`` is
    None where the server has none of the name last asked for.
    """

    state: ServerState
    kind: Literal["embedded", "docker"]
    location: str = ""
    pid: int | None = None
    version: str = ""
    database: Database | None = None
    note: str = ""
