"""The wheel and the sdist hold all that is needed: installed away from the project, they migrate and check."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from wflo_schema.connect.database import Database

ROOT = Path(__file__).parents[1]

# What a clean clone does not have, in which setuptools would find what it should find by itself.
NOT_CLONED = (".*", "build", "dist", "*.egg-info", "__pycache__")

BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, "build_" + sys.argv[1])(sys.argv[2]))
"""


def run(*words: str | Path, cwd: Path, **added: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([*map(str, words)], cwd=cwd, env={**env, **added}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that was built from a clean copy of the project."""
    root = tmp_path_factory.mktemp(request.param)
    shutil.copytree(ROOT, root / "tree", ignore=shutil.ignore_patterns(*NOT_CLONED))
    (root / "built").mkdir()
    said = run(sys.executable, "-c", BUILD, request.param, root / "built", cwd=root / "tree")
    return root / "built" / said.splitlines()[-1]


@pytest.fixture(scope="module")
def python(package: Path) -> Path:
    """An environment of its own with the package and what it depends on, and with no way to the project."""
    root = package.parents[1]
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    run(sys.executable, "-m", "pip", "install", *options, "--target", root / "installed", package, cwd=root)
    venv.create(root / "venv", symlinks=True)
    scheme = {"base": str(root / "venv"), "platbase": str(root / "venv")}
    # Folders named in a .pth file are searched; their own .pth files, one of which leads to the project, are not read.
    folders = (root / "installed", sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    Path(sysconfig.get_path("purelib", vars=scheme), "only.pth").write_text("".join(f"{f}\n" for f in folders))
    return root / "venv" / "bin" / "python"


def names(package: Path) -> set[str]:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return set(wheel.namelist())
    with tarfile.open(package) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}


def test_package_holds_every_module_query_and_migration(package: Path) -> None:
    files = [p for p in ROOT.joinpath("wflo_schema").rglob("*") if p.suffix in (".py", ".sql") or p.name == "py.typed"]
    wanted = {p.relative_to(ROOT).as_posix() for p in files}
    migrations = [p for p in ROOT.joinpath("migrations").rglob("*") if p.suffix in (".sql", ".toml")]
    place = "wflo_schema/migrations" if package.suffix == ".whl" else "migrations"
    wanted |= {f"{place}/{p.relative_to(ROOT / 'migrations').as_posix()}" for p in migrations}
    assert len(files) > 60 and len(migrations) > 6
    found = names(package)
    assert wanted - found == set()
    if package.suffix == ".whl":
        assert {n.partition("/")[0] for n in found if ".dist-info/" not in n} == {"wflo_schema"}


@pytest.mark.one_server
def test_installed_package_migrates_and_checks_from_an_empty_folder(
    python: Path, database: Database, tmp_path: Path
) -> None:
    place = run(python, "-c", "import wflo_schema; print(wflo_schema.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(python.parents[2] / "installed")
    command = (python, "-m", "wflo_schema")
    env = {"DATABASE_URL": database.url, "WFLO_SCHEMA_MIGRATIONS": "wflo"}
    migrated = json.loads(run(*command, "migrate", "--format", "json", cwd=tmp_path, **env))
    assert len(migrated["applied"]) == len([*ROOT.glob("migrations/*.rollback.sql")]) == 3
    checked = json.loads(run(*command, "check", "--format", "json", cwd=tmp_path, **env))
    assert checked["findings"] == []


def test_the_package_runs_from_a_zip(tmp_path: Path, database: Database) -> None:
    archive = tmp_path / "wflo.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted((ROOT / "wflo_schema").rglob("*")):
            if path.suffix in (".py", ".sql"):
                zipped.write(path, path.relative_to(ROOT))
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "a.sql").write_text("CREATE TABLE a (id integer);\n")
    for command, said in (("migrate", "1 migration applied"), ("status", "1 applied, 0 pending")):
        words = [sys.executable, "-S", "-c", _FROM_ZIP, str(archive), *sys.path, "--", command]
        done = subprocess.run(
            [*words, "--database-url", database.url], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout + done.stderr


_FROM_ZIP = """
import sys
end = sys.argv.index("--")
sys.path[:0], sys.argv[1:] = sys.argv[1:end], sys.argv[end + 1:]
import wflo_schema
assert wflo_schema.__file__.startswith(sys.path[0]), wflo_schema.__file__
from wflo_schema.__main__ import main
main()
"""
