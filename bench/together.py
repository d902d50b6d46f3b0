"""What `migrate --together` costs beside one `psql -1` with the same files and the same rows for the same ledger.

    python -m bench.together
    python -m bench.together --server 15 --fsync off --count 1000 --rounds 5

The script that psql reads makes the ledger's tables, and behind each file's statements it inserts the two rows that
``wflo-schema`` inserts.  Runs are interleaved, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from pathlib import Path

from bench.migrate import median, spread, verdict
from bench.peers import File, choose, fresh_database, measure, one_table, versions
from tests.conftest import BIN, start_server, stop_server
from wflo_schema.connect.queries import load_sql
from wflo_schema.files.folder import read_migrations

# Our time over theirs, at most.
TARGET = 1.1


def with_code(number: int) -> File:
    """A table with rows, a view and a function: the session is cleared after it, and its record looked at."""
    table = one_table(number)
    more = (
        f"INSERT INTO t{number} (id, name) SELECT n, md5(n::text) FROM generate_series(1, 10) AS n;\n"
        f"CREATE VIEW v{number} AS SELECT name FROM t{number};\n"
        f"CREATE FUNCTION f{number}() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t{number}';\n"
    )
    return File(table.name, table.sql + more)


KINDS = {"one table": one_table, "a table with rows, a view, a function": with_code}


def write_psql(folder: Path, script: Path) -> None:
    """The migrations of ``folder`` as one script, each followed by its rows."""
    text = [
        "SET client_min_messages = warning;\n",
        load_sql("engine", "ledger_create").replace("{schema}", "public"),
        ";\n",
    ]
    for m in read_migrations(folder):
        text.append(Path(m.path).read_text())
        text.append(
            "INSERT INTO public._yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum) VALUES "
            f"('{m.hash}', '{m.id}', clock_timestamp() AT TIME ZONE 'UTC', '{m.checksum}');\n"
            "INSERT INTO public._yoyo_log "
            "(id, migration_hash, migration_id, operation, username, hostname, created_at_utc) VALUES "
            f"('{uuid.uuid4()}', '{m.hash}', '{m.id}', 'apply', 'bench', 'bench', "
            "clock_timestamp() AT TIME ZONE 'UTC');\n"
        )
    script.write_text("".join(text))


def main() -> int:
    """Read the options, run, and return 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), action="append", help="version; default: 15 and 18, if here")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ours, psql = choose(["wflo-schema", "psql"])
    print(versions((ours, psql)))
    is_met = True
    for version in options.server or [v for v in ("15", "18") if v in BIN]:
        settings = {"fsync": options.fsync, "full_page_writes": options.fsync}
        server = start_server(version, settings=settings, is_on_disk=options.fsync == "on")
        try:
            for kind, make in KINDS.items():
                with tempfile.TemporaryDirectory(prefix="wfs") as name:
                    folder, script = Path(name, "migrations"), Path(name, "all.sql")
                    ours.write(folder, [make(n) for n in range(options.count)])
                    write_psql(folder, script)
                    seconds: dict[str, list[float]] = {"ours": [], "psql": []}
                    for number in range(options.rounds):
                        for who in ("ours", "psql") if number % 2 else ("psql", "ours"):
                            with fresh_database(server, "bench") as database:
                                command = [*ours.command(folder, database.url), "--together"]
                                if who == "psql":
                                    command = [str(psql.program), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"]
                                    command += ["-d", database.url, "-f", str(script)]
                                seconds[who].append(measure(command, folder, server=server).seconds)
                ratios = [a / b for a, b in zip(seconds["ours"], seconds["psql"], strict=True)]
                met = median(ratios) <= TARGET
                is_met &= met
                print(
                    f"PostgreSQL {version}, fsync {options.fsync}, {options.count} files ({kind}): migrate --together "
                    f"{median(seconds['ours']):.2f} s, psql -1 {median(seconds['psql']):.2f} s, "
                    f"{spread(ratios)} ×; target ≤ {TARGET}: {verdict(met)}",
                    flush=True,
                )
        finally:
            stop_server(server)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
