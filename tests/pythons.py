"""Run the main paths under each other Python that the project is for and that is on this machine.

``python -m tests.pythons`` (``make pythons``) makes an environment a Python in ``.pythons`` and says which are
not here.  What differs by Python is told by the imports, the reading of files, one run of the engine and of check.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".pythons"
_IMPORT_ALL = (
    "import importlib, pkgutil, wflo_schema;"
    "[importlib.import_module(m.name) for m in pkgutil.walk_packages(wflo_schema.__path__, 'wflo_schema.')]"
)
_MAIN_PATHS = (
    "tests/files/test_folder.py",
    "tests/engine/test_operations.py::test_migration_record_checksum_and_log_row_commit_in_one_transaction",
    "tests/engine/test_operations.py::test_roll_back_undoes_the_last_ones_first",
    "tests/check/test_verdict.py::test_corpus_case_gets_its_verdict[18-broken/absent-key]",
    "tests/check/test_verdict.py::test_corpus_case_gets_its_verdict[18-harmless/partitioned-on-both-sides]",
)


def find(version: str) -> Path | None:
    """An interpreter of that version: on the PATH, or one of pyenv's."""
    name = f"python{version}"
    for candidate in (name, *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"), reverse=True)):
        command = [str(candidate), "-c", "import ensurepip, sys; print(sys.executable)"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return Path(done.stdout.strip())
    return None


def prepare(version: str, interpreter: Path) -> Path:
    """An environment with what the main paths need, made once; the package itself is read from this folder."""
    python = FOLDER / version / "bin" / "python"
    ready = FOLDER / version / "ready"
    if not ready.exists():
        subprocess.run([interpreter, "-m", "venv", "--clear", "--without-pip", FOLDER / version], check=True)
        needed = importlib.metadata.requires("wflo-schema") or []
        chosen = [r.partition(";")[0] for r in needed if "extra ==" not in r or 'extra == "embedded"' in r]
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-compile"]
        subprocess.run([*pip, "--disable-pip-version-check", *chosen, "pytest", "pytest-asyncio"], check=True)
        ready.touch()
    return python


def main() -> None:
    failed = []
    for version in SUPPORTED:
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            continue
        interpreter = find(version)
        if interpreter is None:
            print(f"Python {version} is not here", file=sys.stderr)
            continue
        print(f"Python {version}: {interpreter}", file=sys.stderr, flush=True)
        try:
            python = prepare(version, interpreter)
        except subprocess.CalledProcessError:
            print(f"Python {version} is left out: what the tests need cannot be installed", file=sys.stderr)
            continue
        imports = subprocess.run([python, "-W", "error", "-c", _IMPORT_ALL], check=False, cwd=ROOT)
        words = [
            str(python),
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            "--servers",
            "18",
            *_MAIN_PATHS,
        ]
        tests = subprocess.run(words, check=False, cwd=ROOT)
        if imports.returncode or tests.returncode:
            failed.append(version)
    if failed:
        sys.exit(f"failed under Python {', '.join(failed)}")


if __name__ == "__main__":
    main()
