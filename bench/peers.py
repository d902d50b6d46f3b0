"""The tools that are measured side by side: how each is installed, fed and run.

The peers (yoyo, Alembic, dbmate) are installed by package name into a folder outside the tree,
``$XDG_CACHE_HOME/wflo-schema-bench``.  What cannot be installed is left out, and said.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from tests.conftest import BIN, RunningServer, start_server, stop_server
from wflo_schema.connect.database import Database

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wflo-schema-bench"
PYTHON_PEERS = (
    "yoyo-migrations>=9,<10",
    "alembic",
    "sqlalchemy>=2",
    "psycopg[binary]>=3.2",
    "click",
    "rich",
    "postgast",
)
NAMES = ("wflo-schema", "psql", "yoyo", "alembic", "dbmate")

_VENV = CACHE / f"python{sys.version_info.major}.{sys.version_info.minor}"
_READY = _VENV / f".ready-{hashlib.sha256(' '.join(PYTHON_PEERS).encode()).hexdigest()[:12]}"

_NOT_PASSED_ON = ("PG", "PYTHON", "WFLO_SCHEMA_", "DBMATE_", "DATABASE_URL")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED_ON)} | {
    "PYTHONPATH": str(ROOT),
    "NO_COLOR": "1",
}


@dataclass(frozen=True)
class File:
    """One migration, as every tool gets it.  ``name`` sorts as it is to be applied: 14 digits first."""

    name: str
    sql: str
    is_transactional: bool = True


def one_table(number: int) -> File:
    """The file of the benchmarks: one table with a key."""
    return File(
        f"{20250101000000 + number}_create-t{number}",
        f"-- the table t{number}\n"
        f"CREATE TABLE t{number} (\n"
        "    id bigint PRIMARY KEY,\n    name text NOT NULL,\n    created_at timestamptz NOT NULL DEFAULT now()\n);\n",
    )


@dataclass(frozen=True)
class Tool:
    """One of `NAMES`, installed.  ``program`` is what is run first."""

    name: str
    program: Path

    def write(self, folder: Path, files: Sequence[File]) -> None:
        """Write the files in the tool's own form, replacing what was there."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if self.name in ("wflo-schema", "yoyo"):
            for f in files:
                head = "" if f.is_transactional else "-- transactional: false\n"
                (folder / f"{f.name}.sql").write_text(head + f.sql)
        elif self.name == "psql":
            _write_psql(folder, files)
        elif self.name == "dbmate":
            for f in files:
                head = "-- migrate:up" + ("" if f.is_transactional else " transaction:false")
                (folder / f"{f.name}.sql").write_text(f"{head}\n{f.sql}\n-- migrate:down\n")
        else:
            _write_alembic(folder, files)

    def command(self, folder: Path, url: str) -> list[str]:
        """What to run, in ``folder``, to apply what is pending."""
        if self.name == "wflo-schema":
            return [
                str(self.program),
                "-m",
                "wflo_schema",
                "migrate",
                "--database-url",
                url,
                "--migrations",
                str(folder),
            ]
        if self.name == "psql":
            return [str(self.program), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "all.psql"]
        driver = url.replace("postgresql://", "postgresql+psycopg://")
        if self.name == "yoyo":
            return [str(self.program), "apply", "--batch", "--no-config-file", "--database", driver, str(folder)]
        if self.name == "alembic":
            return [str(self.program), "-x", f"url={driver}", "upgrade", "head"]
        return [str(self.program), "--url", url, "--migrations-dir", str(folder), "--no-dump-schema", "up"]

    @property
    def ledger_query(self) -> str:
        """One column: what the tool has recorded, as `File.name` or a beginning of it."""
        return {
            "wflo-schema": "SELECT migration_id FROM _yoyo_migration",
            "yoyo": "SELECT migration_id FROM _yoyo_migration",
            "psql": "SELECT name FROM ledger",
            "alembic": "SELECT version_num FROM alembic_version",
            "dbmate": "SELECT version FROM schema_migrations",
        }[self.name]

    def recorded(self, rows: Sequence[str], files: Sequence[File]) -> list[str]:
        """The names that a ledger's rows stand for; Alembic records the last one alone."""
        names = [f.name for f in files]
        if self.name == "alembic":
            numbers = [n for n, name in enumerate(names) for row in rows if name.startswith(row)]
            return names[: max(numbers) + 1] if numbers else []
        return [name for row in rows for name in names if name == row or name.startswith(f"{row}_")]


def _write_psql(folder: Path, files: Sequence[File]) -> None:
    """One script for one psql process: each file in a transaction of its own with its ledger row.

    ``all.psql`` runs them all and asks nothing; ``rest.psql`` asks the ledger before each.
    """
    made = (
        "SET client_min_messages = warning;\n"
        "CREATE TABLE IF NOT EXISTS ledger (name text PRIMARY KEY, at timestamptz);\n"
    )
    everything, rest = [made], [made]
    for f in files:
        (folder / f"{f.name}.sql").write_text(f.sql)
        record = f"INSERT INTO ledger VALUES ('{f.name}', now());\n"
        body = f"BEGIN;\n\\i {f.name}.sql\n{record}COMMIT;\n" if f.is_transactional else f"\\i {f.name}.sql\n{record}"
        everything.append(body)
        rest.append(
            f"SELECT count(*) = 0 AS todo FROM ledger WHERE name = '{f.name}' \\gset\n\\if :todo\n{body}\\endif\n"
        )
    (folder / "all.psql").write_text("".join(everything))
    (folder / "rest.psql").write_text("".join(rest))


_ALEMBIC_ENV = """from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(context.get_x_argument(as_dictionary=True)["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def _write_alembic(folder: Path, files: Sequence[File]) -> None:
    versions = folder / "alembic" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    (folder / "alembic" / "env.py").write_text(_ALEMBIC_ENV)
    before: str | None = None
    for f in files:
        revision = f.name[:14]
        run = f"    op.execute({f.sql!r})\n"
        if not f.is_transactional:
            run = f"    with op.get_context().autocommit_block():\n    {run}"
        (versions / f"{f.name.replace('-', '_')}.py").write_text(
            f"from alembic import op\n\nrevision = {revision!r}\ndown_revision = {before!r}\n\n\n"
            f"def upgrade():\n{run}\n\ndef downgrade():\n    pass\n"
        )
        before = revision
    compileall.compile_dir(versions, quiet=1)


def choose(names: Sequence[str] | None = None) -> tuple[Tool, ...]:
    """The tools of these names, all by default, in the order of `NAMES`; installs those that are not there.

    Says on stdout what cannot be had and leaves it out.
    """
    found: list[Tool] = []
    for name in sorted(NAMES, key=lambda n: n == "wflo-schema"):  # ours runs beside the peers, once they are installed
        if names is None or name in names:
            try:
                found.append(Tool(name, _FIND[name]()))
            except (subprocess.SubprocessError, OSError, LookupError) as error:
                print(f"not measured: {name}: {_why(error)}", flush=True)
    return tuple(sorted(found, key=lambda tool: NAMES.index(tool.name)))


def _ours() -> Path:
    """The Python that the peers run in, where it is there: an editable install makes every start slower."""
    return _VENV / "bin" / "python" if _READY.exists() else Path(sys.executable)


def _psql() -> Path:
    found = [BIN[v] / "psql" for v in ("15", "18") if v in BIN and (BIN[v] / "psql").exists()]
    on_path = shutil.which("psql")
    return found[0] if found else Path(on_path) if on_path else _nothing("there is no psql")


def _why(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    lines = said.strip().splitlines() if isinstance(said, str) else []
    return lines[-1] if lines else str(error)


def _python_peers() -> Path:
    scripts = _VENV / "bin"
    if not _READY.exists():
        shutil.rmtree(_VENV, ignore_errors=True)
        _install([sys.executable, "-m", "venv", str(_VENV)])
        _install([str(scripts / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-q", *PYTHON_PEERS])
        _READY.touch()
    return scripts


def _dbmate() -> Path:
    folder = CACHE / "npm"
    pattern = "node_modules/@dbmate/*/bin/dbmate"
    if not list(folder.glob(pattern)):
        folder.mkdir(parents=True, exist_ok=True)
        _install(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", "dbmate"])
    return next(folder.glob(pattern), None) or _nothing("its npm package has no program for this platform")


def _nothing(why: str) -> Path:
    raise LookupError(why)


def _install(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


_FIND: dict[str, Callable[[], Path]] = {
    "wflo-schema": _ours,
    "psql": _psql,
    "yoyo": lambda: _python_peers() / "yoyo",
    "alembic": lambda: _python_peers() / "alembic",
    "dbmate": _dbmate,
}


def versions(tools: Sequence[Tool]) -> str:
    """One line for the head of a table."""
    said = [f"Python {sys.version.split()[0]}"]
    for tool in tools:
        if tool.name in ("psql", "dbmate"):
            out = _output([str(tool.program), "--version"])
            said.append(f"{tool.name} {next((w for w in out.split() if w[0].isdigit()), '?')}")
    python = _VENV / "bin" / "python"
    if python.exists() and any(t.name in ("yoyo", "alembic") for t in tools):
        names = ("yoyo-migrations", "alembic", "SQLAlchemy", "psycopg")
        ask = f"from importlib.metadata import version; print(*(n + ' ' + version(n) for n in {names}), sep=', ')"
        said.append(_output([str(python), "-c", ask]).strip())
    return ", ".join(said)


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT).stdout


# A small process in between: a child's peak memory begins with that of the process it is forked from.
_LAUNCHER = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
took = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "w").write(json.dumps([took, used.ru_maxrss, used.ru_utime + used.ru_stime, done.returncode]))
sys.stderr.buffer.write(done.stderr)
"""


@dataclass(frozen=True)
class Run:
    """One command from start to exit."""

    seconds: float
    peak_kib: int
    cpu_s: float
    backend_cpu_s: float = 0.0
    """Of the server's backends that ended in that time; 0 where nobody asked or it cannot be known."""


def measure(
    command: Sequence[str], folder: Path, *, server: RunningServer | None = None, may_find: bool = False
) -> Run:
    """Run a command that must succeed, or ``may_find`` something; its output is thrown away."""
    before = backends_cpu_s(server)
    with tempfile.NamedTemporaryFile("r", prefix="wfs") as report:
        launched = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, report.name, *command],
            cwd=folder,
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )
        text = report.read()
    if not text:
        raise RuntimeError(launched.stderr)
    seconds, peak_kib, cpu_s, code = json.loads(text)
    if code and not (may_find and code == 1):
        raise RuntimeError(f"{' '.join(command[:2])} exited with {code}: {launched.stderr[-2000:]}")
    return Run(seconds, peak_kib, cpu_s, backends_cpu_s(server) - before)


def backends_cpu_s(server: RunningServer | None) -> float:
    """CPU time of all processes of the server that have ended: the postmaster has waited for them."""
    if server is None:
        return 0.0
    try:
        pid = (server.data / "postmaster.pid").read_text().split()[0]
        time.sleep(0.05)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return 0.0
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def fresh_database(server: RunningServer, name: str) -> Iterator[Database]:
    """An empty database, and a checkpoint before it is used, so that nobody pays for the one before."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with server.database.connect() as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.execute("CHECKPOINT")
    try:
        yield server.database.with_name(name).with_parameters(sslmode="disable")
    finally:
        with server.database.connect() as connection:
            connection.execute(drop)


def compare_counts(
    description: str | None,
    compare: Callable[[RunningServer, Tool, Path, int, int], bool],
    *,
    what: str,
    counts: Sequence[int],
    columns: Sequence[str],
) -> int:
    """Read the options, print a table, and return 1 where ``compare`` (server, tool, folder, count, rounds) says no."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), default="15" if "15" in BIN else max(BIN))
    default = ", ".join(f"{count:,}" for count in counts)
    parser.add_argument("--count", type=int, action="append", help=f"how many {what}; default: {default}")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tool = choose(["wflo-schema"])[0]
    print(versions([tool]))
    settings = {"fsync": options.fsync, "full_page_writes": options.fsync}
    server = start_server(options.server, settings=settings, is_on_disk=True)
    print(f"\n| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    try:
        with tempfile.TemporaryDirectory(prefix="wfs") as name:
            met = [compare(server, tool, Path(name), count, options.rounds) for count in options.count or counts]
    finally:
        stop_server(server)
    return 0 if all(met) else 1
