"""What a fleet of tenant schemas costs, beside what PostgreSQL itself needs for it, and beside loops over other tools.

    python -m bench.fleet
    python -m bench.fleet --server 15 --tenants 1000 --many 5000 --rounds 5
    python -m bench.fleet --only migrate

Each tenant has wflo's six tables.  ``migrate``: one new migration in every tenant, of three sizes, and the one of wflo
that adds its foreign keys to the tables, with 8 jobs, beside 8 psql processes that run the same statements in the same
transactions with one row for the same ledger.  ``nothing``: a migrate that finds nothing to do, beside one psql that
reads what the ledgers record, 200 schemas in each query (one query over 5,000 takes PostgreSQL half a minute).
``catalogs``: a status that compares all catalogs.  The peak memory of the process is told at each size.
``repeatables``: one of five views edited, in some tenants and in ten times as many: the time for one must not grow.
``loops``: the time for one tenant of a shell loop over each other tool, with nothing to do.
Runs are interleaved, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import compileall
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.migrate import median, spread, verdict
from bench.peers import ROOT, File, Tool, choose, fresh_database, measure, versions
from tests.conftest import BIN, RunningServer, start_server, stop_server
from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations

JOBS = 8

PARTS = ("migrate", "nothing", "catalogs", "repeatables", "loops")

# Our time over theirs, at most; and seconds, at most.
MIGRATE_TARGET, NOTHING_TARGET, NOTHING_S, CATALOGS_S = 1.2, 1.3, 10.0, 20.0
# The time for a tenant among ten times as many, over that among some, at most.
GROWTH_TARGET = 1.3

# What one migration is, and what takes it back: the smallest there is, a table with its key, and a feature of ten
# statements.
KINDS = {
    "a column": (
        "ALTER TABLE workflow_executions ADD COLUMN note text;\n",
        "ALTER TABLE workflow_executions DROP COLUMN note;\n",
    ),
    "a table": (
        """ALTER TABLE workflow_executions ADD COLUMN note text;
CREATE TABLE notes (
    id uuid PRIMARY KEY,
    execution_id varchar(36) NOT NULL REFERENCES workflow_executions (id),
    body text NOT NULL
);
CREATE INDEX notes_execution_id_idx ON notes (execution_id);
""",
        """DROP TABLE notes;
ALTER TABLE workflow_executions DROP COLUMN note;
""",
    ),
    "a feature": (
        """ALTER TABLE workflow_executions ADD COLUMN note text;
CREATE TYPE priority AS ENUM ('low', 'normal', 'high');
CREATE TABLE queues (id uuid PRIMARY KEY, name text NOT NULL UNIQUE, priority priority NOT NULL);
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    queue_id uuid NOT NULL REFERENCES queues (id),
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX workers_queue_id_idx ON workers (queue_id);
CREATE TABLE leases (
    id uuid PRIMARY KEY,
    worker_id uuid NOT NULL REFERENCES workers (id),
    execution_id varchar(36) NOT NULL REFERENCES workflow_executions (id),
    until timestamptz NOT NULL
);
CREATE INDEX leases_worker_id_idx ON leases (worker_id);
CREATE INDEX leases_execution_id_idx ON leases (execution_id);
CREATE VIEW busy_workers AS SELECT DISTINCT worker_id FROM leases WHERE until > now();
COMMENT ON TABLE leases IS 'who works on what, and until when';
""",
        """DROP VIEW busy_workers;
DROP TABLE leases, workers, queues;
DROP TYPE priority;
ALTER TABLE workflow_executions DROP COLUMN note;
""",
    ),
}


class Bench:
    """One server, our tool and psql."""

    def __init__(self, server: RunningServer, folder: Path, rounds: int) -> None:
        self.server, self.folder, self.rounds = server, folder, rounds
        self.ours, self.psql = choose(["wflo-schema", "psql"])
        self.files = folder / "migrations"
        shutil.copytree(ROOT / "migrations", self.files)

    def fleet(self, verb: str, database: Database, *options: str) -> list[str]:
        """Our command over all tenants."""
        where = ["--database-url", database.url, "--migrations", str(self.files), "--schemas", "tenant\\_%"]
        return [str(self.ours.program), "-m", "wflo_schema", verb, *where, *options]

    def sql(self, database: Database, file: Path) -> list[str]:
        """One psql that runs a file."""
        return [str(self.psql.program), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.url, "-f", str(file)]

    @contextmanager
    def tenants(self, count: int) -> Iterator[Database]:
        """A database with so many tenants, made by our tool; says how long that took."""
        with fresh_database(self.server, "bench") as database:
            with database.connect() as connection:
                for number in range(count):
                    connection.execute(f"CREATE SCHEMA tenant_{number:05}")
            made = measure(self.fleet("migrate", database, "--jobs", str(JOBS)), self.folder)
            print(f"{count:,} tenants were migrated from nothing in {made.seconds:.1f} s", flush=True)
            with database.connect() as connection:
                connection.execute("VACUUM ANALYZE")
            yield database

    def migrate(self, count: int) -> bool:
        """One new migration in every tenant, of each kind."""
        with self.tenants(count) as database:
            met = [self._migrate(database, count, kind, *KINDS[kind]) for kind in KINDS]
        all_files, self.files = self.files, self.folder / "tables"
        tables, keys, *_ = read_migrations(all_files)
        self.files.mkdir()
        shutil.copy(tables.path, self.files)
        undoing = Path(keys.path).with_suffix(".rollback.sql").read_text()
        with self.tenants(count) as database:
            met.append(self._migrate(database, count, "wflo's foreign keys", Path(keys.path).read_text(), undoing))
        self.files = all_files
        return all(met)

    def _migrate(self, database: Database, count: int, kind: str, new: str, back: str) -> bool:
        file, undoing = self.files / "20991231_01_new.sql", self.files / "20991231_01_new.rollback.sql"
        file.write_text(new)
        undoing.write_text(back)
        try:
            (m,) = (m for m in read_migrations(self.files) if m.id == file.stem)
            record = (
                "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum) VALUES "
                f"('{m.hash}', '{m.id}', clock_timestamp() AT TIME ZONE 'UTC', '{m.checksum}');\n"
            )
            names = [f"tenant_{number:05}" for number in range(count)]
            scripts = []
            for job in range(JOBS):
                script = self.folder / f"job{job}.sql"
                script.write_text(
                    "".join(
                        f"BEGIN;\nSET LOCAL search_path = {name};\n{new}{record}COMMIT;\n" for name in names[job::JOBS]
                    )
                )
                scripts.append(script)
            undo = self.folder / "undo.sql"
            undo.write_text(
                "".join(
                    f"BEGIN;\nSET LOCAL search_path = {name};\n{back}"
                    f"DELETE FROM _yoyo_migration WHERE migration_hash = '{m.hash}';\nCOMMIT;\n"
                    for name in names
                )
            )
            together = " & ".join(shlex.join(self.sql(database, script)) for script in scripts)
            commands = {
                "ours": self.fleet("migrate", database, "--jobs", str(JOBS)),
                "psql": ["sh", "-c", f"{together} & wait"],
            }
            seconds: dict[str, list[float]] = {who: [] for who in commands}
            for number in range(self.rounds):
                for who in sorted(commands, reverse=bool(number % 2)):
                    seconds[who].append(measure(commands[who], self.folder).seconds)
                    self._must_record(database, count, m.hash)
                    measure(self.sql(database, undo), self.folder)
            return self._tell(f"{kind} in each of {count:,} tenants, {JOBS} jobs", seconds, MIGRATE_TARGET)
        finally:
            file.unlink()
            undoing.unlink()

    @staticmethod
    def _must_record(database: Database, count: int, known_as: str) -> None:
        with database.connect() as connection:
            for number in range(count):
                query = f"SELECT count(*) FROM tenant_{number:05}._yoyo_migration WHERE migration_hash = %s"
                assert connection.execute(query.encode(), (known_as,)).fetchone() == (1,), number

    def nothing(self, count: int, *, is_judged: bool) -> bool:
        """Nothing to do in every tenant; also how much memory that takes, which must not grow with the count."""
        with self.tenants(count) as database:
            script = self.folder / "read.sql"
            ask = [
                f"SELECT '{name}', migration_hash, checksum FROM {name}._yoyo_migration"
                for name in (f"tenant_{number:05}" for number in range(count))
            ]
            some = ("\nUNION ALL\n".join(ask[at : at + 200]) for at in range(0, count, 200))
            script.write_text("SET jit = off;\n" + "".join(f"{query};\n" for query in some))
            commands = {"ours": self.fleet("migrate", database), "psql": self.sql(database, script)}
            seconds: dict[str, list[float]] = {who: [] for who in commands}
            peak = 0
            for number in range(self.rounds):
                for who in sorted(commands, reverse=bool(number % 2)):
                    run = measure(commands[who], self.folder)
                    seconds[who].append(run.seconds)
                    peak = max(peak, run.peak_kib if who == "ours" else 0)
            is_met = self._tell(f"nothing to do in {count:,} tenants", seconds, NOTHING_TARGET if is_judged else None)
            took = median(seconds["ours"])
            print(f"  {took:.2f} s; target < {NOTHING_S:.0f} s: {verdict(took < NOTHING_S)}")
            print(f"  peak memory {peak / 1024:.0f} MiB", flush=True)
            return is_met and took < NOTHING_S

    def catalogs(self, count: int) -> bool:
        """A status that compares the catalogs of all tenants, one of which lacks a column."""
        with self.tenants(count) as database:
            with database.connect() as connection:
                connection.execute("ALTER TABLE tenant_00007.workflow_executions DROP COLUMN error_message")
            runs = [measure(self.fleet("status", database), self.folder, may_find=True) for _ in range(self.rounds)]
            took = median([run.seconds for run in runs])
            print(
                f"status of {count:,} tenants, with all catalogs compared: {took:.2f} s, "
                f"peak memory {max(r.peak_kib for r in runs) / 1024:.0f} MiB; "
                f"target < {CATALOGS_S:.0f} s: {verdict(took < CATALOGS_S)}",
                flush=True,
            )
            return took < CATALOGS_S

    def repeatables(self, counts: Sequence[int]) -> bool:
        """One of five views is edited in every tenant, of some and of many."""
        folder = self.files / "repeatable"
        folder.mkdir()
        for_one: list[float] = []
        try:
            for count in counts:
                for number in range(5):
                    self._write_view(folder, number, 0)
                with self.tenants(count) as database:
                    took = []
                    for number in range(self.rounds):
                        self._write_view(folder, 3, number + 1)
                        run = measure(self.fleet("migrate", database, "--jobs", str(JOBS)), self.folder)
                        took.append(run.seconds / count * 1000)
                for_one.append(median(took))
                print(f"one of 5 views edited in {count:,} tenants: {for_one[-1]:.1f} ms a tenant", flush=True)
        finally:
            shutil.rmtree(folder)
        growth = for_one[-1] / for_one[0]
        print(f"  {growth:.2f} × among more; target ≤ {GROWTH_TARGET}: {verdict(growth <= GROWTH_TARGET)}", flush=True)
        return growth <= GROWTH_TARGET

    @staticmethod
    def _write_view(folder: Path, number: int, text: int) -> None:
        view = f"CREATE OR REPLACE VIEW v{number} AS SELECT id, {text} AS n FROM workflow_executions;\n"
        (folder / f"v{number}.sql").write_text(view)

    def loops(self, tools: Sequence[Tool], count: int) -> None:
        """One tenant after the other, by each tool's own command, with nothing to do."""
        texts = [Path(m.path).read_text() for m in read_migrations(self.files)]
        texts = [re.sub("^-- depends:.*\n", "", text, flags=re.MULTILINE) for text in texts]
        files = [File(f"{20250101000000 + number}_wflo", text) for number, text in enumerate(texts)]
        for tool in tools:
            with fresh_database(self.server, "bench") as database:
                folder = self.folder / f"files-{tool.name}"
                tool.write(folder, files)
                commands = []
                for number in range(count):
                    name = f"tenant_{number:05}"
                    with database.connect() as connection:
                        connection.execute(f"CREATE SCHEMA {name}")
                    url = database.with_parameters(options=f"-c search_path={name}").url
                    commands.append(tool.command(folder, url))
                for command in commands:
                    measure(command, folder)
                loop = "; ".join(shlex.join(command) for command in commands)
                took = measure(["sh", "-c", loop], folder).seconds
                print(f"a loop over {count} tenants, nothing to do: {tool.name} {took / count * 1000:.0f} ms a tenant")
        with self.tenants(count) as database:
            took = measure(self.fleet("migrate", database), self.folder).seconds
            print(f"one run over {count} tenants, nothing to do: wflo-schema {took / count * 1000:.1f} ms a tenant")

    @staticmethod
    def _tell(what: str, seconds: dict[str, list[float]], target: float | None) -> bool:
        ratios = [a / b for a, b in zip(seconds["ours"], seconds["psql"], strict=True)]
        met = target is None or median(ratios) <= target
        judged = "" if target is None else f"; target ≤ {target}: {verdict(met)}"
        print(
            f"{what}: wflo-schema {median(seconds['ours']):.2f} s, psql {median(seconds['psql']):.2f} s, "
            f"{spread(ratios)} ×{judged}",
            flush=True,
        )
        return met


def main() -> int:
    """Read the options, run, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), default="15" if "15" in BIN else max(BIN))
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=5_000)
    parser.add_argument("--looped", type=int, default=10, help="tenants of the loops over other tools")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    wanted = options.only or PARTS
    peers = choose(["yoyo", "alembic", "dbmate"]) if "loops" in wanted else ()
    settings = {"fsync": options.fsync, "full_page_writes": options.fsync}
    server = start_server(options.server, settings=settings, is_on_disk=True)
    compileall.compile_dir(ROOT / "wflo_schema", quiet=1)  # as what is installed is
    is_met = True
    try:
        with tempfile.TemporaryDirectory(prefix="wfs") as name:
            bench = Bench(server, Path(name), options.rounds)
            print(f"{versions((bench.ours, bench.psql, *peers))}; PostgreSQL {options.server}, fsync {options.fsync}")
            if "migrate" in wanted:
                is_met &= bench.migrate(options.tenants)
            if "nothing" in wanted:
                bench.nothing(options.many // 10, is_judged=False)
                is_met &= bench.nothing(options.many, is_judged=True)
            if "catalogs" in wanted:
                is_met &= bench.catalogs(options.tenants)
            if "repeatables" in wanted:
                is_met &= bench.repeatables((options.tenants // 10, options.tenants))
            if "loops" in wanted:
                bench.loops(peers, options.looped)
    finally:
        stop_server(server)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
