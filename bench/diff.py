"""What tools write to lead one schema to another: the pairs of ``tests/diff/pairs``, both ways, counted.

    python -m bench.diff
    python -m bench.diff --tool wflo-schema --tool migra --pair column-renamed --verbose

Each tool compares two databases, as its manual says, with what it has against dropping turned off and with what it has
for renames turned on.  psql runs what it wrote, and ``pg_dump`` judges: the schema must be the wanted one, but for the
order of a table's columns.  Then the tool compares the two again, and must have no more to say.  Where something has
another name in the wanted schema, or may have, there are rows before, and they must still be there.

Ours is first asked without options; where it asks about a rename, it is run again with the options that the pair names.
A peer is installed by its name into a folder of its own under ``$XDG_CACHE_HOME/wflo-schema-bench``.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from bench.peers import CACHE, ENVIRONMENT
from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.diff.corpus import PAIRS, Pair
from wflo_schema.connect.database import Database

LIMIT_S = 120
OURS = "wflo-schema"
QUIET = ENVIRONMENT | {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "PGSSLMODE": "disable"}


@dataclass(frozen=True)
class Said:
    """What a tool wrote: statements, or in one line why there are none; ``is_asking`` when options would help."""

    script: str = ""
    refused: str = ""
    crashed: str = ""
    is_asking: bool = False


@dataclass(frozen=True)
class Situation:
    """Two databases, a folder for files, and the pair they were made from."""

    have: Database
    want: Database
    folder: Path
    server: RunningServer
    pair: Pair
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """A tool: how to install it (gives its programs' folder and its version), and how to ask it."""

    install: Callable[[], tuple[Path, str]]
    ask: Callable[[Path, Situation], Said]


@dataclass(frozen=True)
class Outcome:
    """How one pair went with one tool."""

    tool: str
    pair: str
    verdict: str
    seconds: float
    why: str = ""
    is_spurious: bool = False
    has_lost: bool = False
    was_asked: bool = False


def _run(words: Sequence[object], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(w) for w in words],
        cwd=folder,
        env=QUIET | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def _failure(done: subprocess.CompletedProcess[str]) -> Said:
    """A tool that wrote nothing: with a stack trace it crashed, with a message it refused."""
    said = f"{done.stdout}\n{done.stderr}".strip()
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
    if "Traceback" in said:
        return Said(crashed=lines[-1])
    if re.search(r"^\s+at .+:\d+", said, re.MULTILINE):
        return Said(crashed=next((line for line in lines if "Error" in line or "Exception" in line), lines[0]))
    return Said(refused=lines[-1])


def _ours(_: Path, now: Situation) -> Said:
    words = (sys.executable, "-m", "wflo_schema", "diff", "--from", now.have.url, "--to", now.want.url)
    done = _run((*words, *now.options), now.folder)
    if done.returncode > 1:
        return replace(_failure(done), is_asking="--rename" in done.stderr)
    if done.returncode and "; proven in" not in done.stderr:
        return Said(refused=" ".join(done.stderr.split()))
    return Said(f"BEGIN;\n{done.stdout.partition('-- its rollback')[0]}COMMIT;\n")  # as `migrate` runs it


def _migra(*options: str) -> Callable[[Path, Situation], Said]:
    def ask(programs: Path, now: Situation) -> Said:
        done = _run((programs / "migra", now.have.url, now.want.url, "--unsafe", *options), now.folder)
        if done.returncode not in (0, 2) or "Traceback" in done.stderr:
            return _failure(done)
        return Said(re.sub(r"^WARNING: .*\n(?: +at .*\n)*", "", done.stdout))  # of its driver, before the statements

    return ask


def _pg_schema_diff(programs: Path, now: Situation) -> Said:
    words = (programs / "pg-schema-diff", "diff", "--source", now.have.url, "--target", now.want.url, "-o", "out.sql")
    done = _run(words, now.folder)
    return _failure(done) if done.returncode else _file(now.folder / "out.sql")


def _supabase(programs: Path, now: Situation) -> Said:
    done = _run((programs / "supabase", "db", "diff", "--from", now.have.url, "--to", now.want.url), now.folder)
    return _failure(done) if done.returncode else Said(done.stdout)


def _pg_delta(programs: Path, now: Situation) -> Said:
    plan = ("--source", now.have.url, "--desired", now.want.url, "--renames", "auto", "--out", "plan.json")
    done = _run((programs / "pgdelta", "plan", *plan), now.folder)
    if not done.returncode:
        done = _run(
            (programs / "pgdelta", "render", "--plan", "plan.json", "--out", "out.sql", "--allow-drops"), now.folder
        )
    if done.returncode:
        return Said() if "No changes" in f"{done.stdout}{done.stderr}" else _failure(done)
    return Said("\n".join((now.folder / f["path"]).read_text() for f in json.loads(done.stdout).get("files", ())))


def _pg_diff(programs: Path, now: Situation) -> Said:
    query = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    schemas: set[str] = set()
    ends = {}
    for role, database in (("sourceClient", now.want), ("targetClient", now.have)):  # the target is to be changed
        known = database.parameters
        ends[role] = {
            "host": known["host"],
            "port": int(known["port"]),
            "database": known["dbname"],
            "user": "postgres",
        }
        with database.connect() as connection:
            schemas.update(name for (name,) in connection.execute(query))
    dropping = dict.fromkeys(
        ("dropMissingTable", "dropMissingView", "dropMissingFunction", "dropMissingAggregate"), True
    )
    config = ends | {
        "compareOptions": {
            "author": "bench",
            "outputDirectory": "out",
            "getAuthorFromGit": False,
            "schemaCompare": {"namespaces": sorted(schemas), "roles": [], **dropping},
            "dataCompare": {"enable": False, "tables": []},
        },
        "migrationOptions": {"patchesDirectory": "out", "historyTableName": "m", "historyTableSchema": "public"},
    }
    shutil.rmtree(now.folder / "out", ignore_errors=True)
    (now.folder / "out").mkdir()
    (now.folder / "config.json").write_text(json.dumps({"bench": config}))
    done = _run((programs / "pg-diff", "-f", "config.json", "-c", "bench", "script"), now.folder)
    written = list((now.folder / "out").glob("*.sql"))
    if done.returncode or "Error" in done.stderr:
        return _failure(done)
    return _file(written[0]) if written else Said()


def _apgdiff(programs: Path, now: Situation) -> Said:
    for name, database in (("have.sql", now.have), ("want.sql", now.want)):
        (now.folder / name).write_text(_dump(now.server, database))
    done = _run(("java", "-jar", next(programs.glob("apgdiff-*.jar")), "have.sql", "want.sql"), now.folder)
    return _failure(done) if done.returncode or "Exception" in done.stderr else Said(done.stdout)


def _file(path: Path) -> Said:
    return Said(path.read_text()) if path.exists() else Said()


def _install(command: Sequence[object], folder: Path) -> None:
    subprocess.run(
        [str(w) for w in command], cwd=folder, check=True, capture_output=True, text=True, timeout=600, env=QUIET
    )


@contextmanager
def _once(name: str) -> Iterator[tuple[Path, bool]]:
    """A folder in the cache, and whether it was filled before."""
    folder = CACHE / f"diff-{name}"
    if not (is_there := (folder / ".ready").exists()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    yield folder, is_there
    (folder / ".ready").touch()


def _pip(name: str, *more: str) -> Callable[[], tuple[Path, str]]:
    def install() -> tuple[Path, str]:
        with _once(name) as (folder, is_there):
            python = folder / "bin" / "python"
            if not is_there:
                _install((sys.executable, "-m", "venv", folder), folder)
                _install((python, "-m", "pip", "install", "--disable-pip-version-check", "-q", name, *more), folder)
        ask = f"from importlib.metadata import version; print(version('{name}'))"
        return folder / "bin", _run((python, "-c", ask), folder, PYTHONPATH="").stdout.strip()

    return install


def _npm(name: str) -> Callable[[], tuple[Path, str]]:
    def install() -> tuple[Path, str]:
        package = name.rpartition("@")[0] or name
        with _once(package.replace("/", "-").strip("@")) as (folder, is_there):
            if not is_there:
                _install(("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", name), folder)
        known = json.loads((folder / "node_modules" / package / "package.json").read_text())
        return folder / "node_modules" / ".bin", known["version"]

    return install


def _debian(name: str) -> Callable[[], tuple[Path, str]]:
    def install() -> tuple[Path, str]:
        with _once(name) as (folder, is_there):
            if not is_there:
                _install(("java", "-version"), folder)
                _install(("apt-get", "-o", "APT::Sandbox::User=root", "download", name), folder)
                _install(("dpkg-deb", "-x", next(folder.glob("*.deb")), folder), folder)
        return folder / "usr" / "share" / "java", next(folder.glob("*.deb")).name.split("_")[1]

    return install


TOOLS = {
    OURS: Peer(lambda: (Path(sys.executable).parent, ""), _ours),
    "migra": Peer(_pip("migra", "sqlalchemy<2", "psycopg2-binary", "setuptools<80"), _migra()),
    "migradiff": Peer(
        _pip("migradiff", "sqlalchemy<2", "psycopg2-binary", "setuptools<80"),
        _migra("--rename-columns", "--force-destructive"),
    ),
    "@pgkit/migra": Peer(_npm("@pgkit/migra"), _migra()),
    "pg-delta": Peer(_npm("@supabase/pg-delta@1.0.0-alpha.34"), _pg_delta),
    "Supabase CLI": Peer(_npm("supabase"), _supabase),
    "pg-schema-diff": Peer(_pip("pg-schema-diff"), _pg_schema_diff),
    "pg-diff-cli": Peer(_npm("pg-diff-cli"), _pg_diff),
    "apgdiff": Peer(_debian("apgdiff"), _apgdiff),
}


def _dump(server: RunningServer, database: Database) -> str:
    """Its schema as the server's own pg_dump has it, else that of the newest PostgreSQL here."""
    programs = next(b for b in (server.bin, *BIN.values()) if (b / "pg_dump").exists())
    words = (programs / "pg_dump", "--schema-only", "--no-owner", "--no-privileges", "-d", database.url)
    done = _run(words, Path("/"))
    if done.returncode:
        raise RuntimeError(done.stderr)
    return re.sub(r"^\\(un)?restrict .*\n", "", done.stdout, flags=re.MULTILINE)  # a word by chance


def _judged(dump: str) -> list[str]:
    """The dump's entries, sorted, and in each table its columns, sorted."""
    entries = re.split(r"\n--\n(?=-- Name: )", dump)
    return sorted(re.sub(r"(?ms)^(CREATE [A-Z ]*TABLE [^\n]+\(\n)(.*?)(^\))", _sorted_columns, e) for e in entries)


def _sorted_columns(match: re.Match[str]) -> str:
    lines = sorted(line.removesuffix(",") for line in match[2].splitlines())
    return match[1] + "\n".join(lines) + "\n" + match[3]


def _difference(have: Sequence[str], want: Sequence[str]) -> str:
    """The lines that only one of two dumps has."""
    one, other = (Counter(line for entry in dump for line in entry.splitlines()) for dump in (have, want))
    return "; ".join([*(f"-{line}" for line in one - other), *(f"+{line}" for line in other - one)])


def _has_statements(script: str) -> bool:
    """Whether anything in it is more than a comment, a setting, or the frame of a transaction."""
    bare = re.sub(r"(?s)/\*.*?\*/|--[^\n]*", "", script)
    return any(s.strip() and not re.match(r"\s*(SET|BEGIN|COMMIT)\b", s, re.IGNORECASE) for s in bare.split(";"))


_SAMPLES = {"N": "1", "S": "'a'", "B": "true", "D": "now()"}
_COLUMNS = """
SELECT a.attrelid::pg_catalog.regclass::text, a.attname, t.typcategory
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid JOIN pg_type AS t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
ORDER BY c.oid, a.attnum
"""


def _fill(database: Database) -> None:
    """A row for each table that takes one of samples."""
    with database.connect() as connection:
        columns: dict[str, list[tuple[str, str]]] = {}
        for table, name, category in connection.execute(_COLUMNS).fetchall():
            columns.setdefault(table, []).append((name, _SAMPLES.get(category, "DEFAULT")))
        for table, cells in columns.items():
            names = ", ".join(sql.Identifier(name).as_string(connection) for name, _ in cells)
            values = ", ".join(value for _, value in cells)
            try:
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})".encode())
            except psycopg.Error:
                continue


def _cells(database: Database) -> int:
    """How many values there are in all tables."""
    with database.connect() as connection:
        return sum(
            row[0]
            for table, name, _ in connection.execute(_COLUMNS).fetchall()
            if (
                row := connection.execute(
                    f"SELECT count({sql.Identifier(name).as_string(connection)}) FROM ONLY {table}".encode()
                ).fetchone()
            )
        )


class Bench:
    """One server, on which each pair is made once, and led by each tool in a copy."""

    def __init__(self, server: RunningServer, tools: dict[str, Path], folder: Path) -> None:
        self.server = server
        self.tools = tools
        self.folder = folder
        self.numbers = count()

    def _make(self, name: str, template: str = "template0", text: str = "") -> Database:
        with self.server.database.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        database = self.server.database.with_name(name).with_parameters(sslmode="disable")
        if text:
            with database.connect() as connection:
                connection.execute(text.encode())
        return database

    def _drop(self, names: Sequence[str]) -> None:
        with self.server.database.connect() as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def lead(self, pair: Pair) -> list[Outcome]:
        """Every tool's outcome."""
        number = next(self.numbers)
        start, goal, copy = (f"{what}{number}" for what in ("start", "goal", "copy"))
        before = 0
        try:
            made = self._make(start, text=pair.before)
            want = self._make(goal, text=pair.after)
            if pair.renames or pair.expected == "asks":
                _fill(made)
                before = _cells(made)
            wanted = _judged(_dump(self.server, want))
            was_equal = _judged(_dump(self.server, made)) == wanted
            outcomes = []
            for tool in self.tools:
                self._drop([copy])
                folder = Path(tempfile.mkdtemp(dir=self.folder))
                have = self._make(copy, start)
                now = Situation(have, want, folder, self.server, pair)
                outcome = self._try(tool, now, wanted, was_equal)
                if before and outcome.verdict in ("converged", "wrong"):
                    outcome = replace(outcome, has_lost=_cells(have) < before)
                outcomes.append(outcome)
            return outcomes
        finally:
            self._drop([start, goal, copy])

    def _try(self, tool: str, now: Situation, wanted: list[str], was_equal: bool) -> Outcome:
        result = Outcome(tool, now.pair.name, "", 0)
        try:
            said, seconds = self._ask(tool, now)
            if said.is_asking and (chosen := _chosen(now.pair)):
                now, result = replace(now, options=chosen), replace(result, was_asked=True)
                said, seconds = self._ask(tool, now)
            result = replace(result, seconds=seconds)
        except subprocess.TimeoutExpired:
            return replace(result, verdict="crashed", why=f"no answer in {LIMIT_S} s", seconds=LIMIT_S)
        if said.crashed or said.refused:
            return replace(result, verdict="crashed" if said.crashed else "refused", why=said.crashed or said.refused)
        if failure := self._apply(now, said.script):
            return replace(result, verdict="failed", why=failure)
        is_empty = not _has_statements(said.script)
        if (dumped := _judged(_dump(self.server, now.have))) != wanted:
            verdict = "silent" if is_empty else "wrong"
            return replace(result, verdict=verdict, why=_difference(dumped, wanted), is_spurious=was_equal)
        result = replace(result, verdict="converged", is_spurious=was_equal and not is_empty)
        if not is_empty:
            again, _ = self._ask(tool, replace(now, options=()))
            if _has_statements(again.script) or again.refused or again.crashed:
                why = " ".join((again.script or again.refused or again.crashed).split())
                result = replace(result, is_spurious=True, why=f"again: {why}")
        return result

    def _ask(self, tool: str, now: Situation) -> tuple[Said, float]:
        began = time.monotonic()
        said = TOOLS[tool].ask(self.tools[tool], now)
        return said, time.monotonic() - began

    def _apply(self, now: Situation, script: str) -> str:
        """Why the statements fail, else nothing."""
        path = now.folder / "apply.sql"
        path.write_text(script)
        psql = self.server.psql
        done = _run((psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", now.have.url, "-f", path), now.folder)
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
        return (errors or ["?"])[0].partition("ERROR:")[2].strip() if done.returncode else ""


def _chosen(pair: Pair) -> tuple[str, ...]:
    return (*(w for r in pair.renames for w in ("--rename", r)), *(w for d in pair.drops for w in ("--drop", d)))


def _install_all(names: Sequence[str]) -> dict[str, Path]:
    found = {}
    for name in names:
        try:
            found[name], version = TOOLS[name].install()
            print(f"{name} {version}".strip(), flush=True)
        except (subprocess.SubprocessError, OSError, LookupError, StopIteration) as error:
            said = (getattr(error, "stderr", None) or "").strip().splitlines()
            print(f"not measured: {name}: {said[-1] if said else error}", flush=True)
    return found


def _drawn(pairs: Sequence[Pair], some: int | None) -> Sequence[Pair]:
    if some is None:
        return pairs
    ways = [p for p in pairs if not p.name.endswith("-back")]
    random.Random(7).shuffle(ways)
    return ways[:some]


def _is_possible(server: RunningServer, pair: Pair) -> bool:
    if int(server.version) < pair.since:
        return False
    with server.database.connect() as connection:
        query = "SELECT FROM pg_available_extensions WHERE name = %s"
        return not pair.needs or connection.execute(query, (pair.needs,)).fetchone() is not None


def _show(tools: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    columns = ("converged", "refused", "crashed", "failed", "wrong", "silent")
    print(f"\n| tool | {' | '.join(columns)} | spurious | rows lost | asked first | s a pair, median |")
    print("|---" * (len(columns) + 5) + "|")
    for tool in tools:
        own = [o for o in outcomes if o.tool == tool]
        counts = [sum(o.verdict == c for o in own) for c in columns]
        counts += [
            sum(map(what, own)) for what in (lambda o: o.is_spurious, lambda o: o.has_lost, lambda o: o.was_asked)
        ]
        print(f"| {tool} | {' | '.join(map(str, counts))} | {statistics.median(o.seconds for o in own):.2f} |")


def main(words: Sequence[str]) -> int:
    """Print a table; 1 where ours is wrong, fails, or has something spurious to say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), default="15" if "15" in BIN else max(BIN))
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="repeatable; default: all")
    parser.add_argument("--pair", action="append", help="one pair of schemas, repeatable; default: all")
    parser.add_argument("--some", type=int, help="only so many pairs, drawn by a fixed seed, one way each")
    parser.add_argument("--jobs", type=int, default=2, help="how many pairs at a time; 1 for times that say something")
    parser.add_argument("--verbose", action="store_true", help="a line for each pair and tool")
    options = parser.parse_args(words)
    tools = _install_all(options.tool or list(TOOLS))
    server = start_server(options.server)
    try:
        with tempfile.TemporaryDirectory(prefix="wfs") as name, ThreadPoolExecutor(options.jobs) as threads:
            pairs = [p for p in PAIRS if not options.pair or p.name.removesuffix("-back") in options.pair]
            pairs = [p for p in _drawn(pairs, options.some) if _is_possible(server, p)]
            print(f"{len(pairs)} pairs, PostgreSQL {options.server}", flush=True)
            outcomes = []
            for some in threads.map(Bench(server, tools, Path(name)).lead, pairs):
                outcomes.extend(some)
                for o in some if options.verbose else ():
                    also = [w for w, is_so in (("spurious", o.is_spurious), ("rows lost", o.has_lost)) if is_so]
                    what = ", ".join((o.verdict, *also))
                    print(f"{o.pair}: {o.tool}: {what} ({o.seconds:.1f} s) {o.why[:300]}".rstrip(), flush=True)
    finally:
        stop_server(server)
    _show(list(tools), outcomes)
    ours = [o for o in outcomes if o.tool == OURS]
    return int(any(o.is_spurious or o.has_lost or o.verdict not in ("converged", "refused") for o in ours))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
