"""How long `wflo-schema check` takes on a large catalog, and who is right on the corpus.

    python bench/check.py speed      our check, the guide's query and the textbook join, 10,000 tables and 10,000 keys
    python bench/check.py whole      freeze, and check against what it wrote: what a table costs among ten times as many
    python bench/check.py scores     our check, the guide's query and pgTAP's fk_ok on every case of tests/corpus

A throwaway server is started for it; nothing else is touched.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.check.test_verdict import CASES, MIGRATIONS, VERDICTS, Case  # noqa: E402
from tests.conftest import BIN, start_server, stop_server  # noqa: E402
from wflo_schema.check.contract_file import parse_contract  # noqa: E402
from wflo_schema.check.freeze import freeze_contract  # noqa: E402
from wflo_schema.check.verdict import check_database  # noqa: E402
from wflo_schema.connect.database import Database  # noqa: E402
from wflo_schema.engine.operations import migrate  # noqa: E402
from wflo_schema.files.folder import read_migrations  # noqa: E402

GUIDE_JOIN = """
SELECT tc.table_name, tc.constraint_name, kcu.column_name, ccu.table_name AS foreign_table_name
FROM information_schema.table_constraints AS tc
JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name
JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name
WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_name IN
    ('workflow_executions', 'step_executions', 'state_snapshots', 'approval_requests', 'rollback_actions')
ORDER BY tc.table_name
"""
GUIDE_COUNT = """
SELECT count(*) FROM information_schema.table_constraints
WHERE constraint_type = 'FOREIGN KEY' AND table_name IN
    ('workflow_executions', 'step_executions', 'state_snapshots', 'approval_requests', 'rollback_actions')
"""
TEXTBOOK_JOIN = """
SELECT tc.table_name, kcu.column_name, ccu.table_name, ccu.column_name, rc.delete_rule
FROM information_schema.table_constraints AS tc
JOIN information_schema.key_column_usage AS kcu
    ON tc.constraint_schema = kcu.constraint_schema AND tc.constraint_name = kcu.constraint_name
JOIN information_schema.referential_constraints AS rc
    ON tc.constraint_schema = rc.constraint_schema AND tc.constraint_name = rc.constraint_name
JOIN information_schema.constraint_column_usage AS ccu
    ON rc.unique_constraint_schema = ccu.constraint_schema AND rc.unique_constraint_name = ccu.constraint_name
WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_name IN
    ('workflow_executions', 'step_executions', 'state_snapshots', 'approval_requests', 'rollback_actions')
"""
KEYS = (
    ("workflow_executions", "workflow_id", "workflow_definitions"),
    ("step_executions", "execution_id", "workflow_executions"),
    ("state_snapshots", "execution_id", "workflow_executions"),
    ("approval_requests", "execution_id", "workflow_executions"),
    ("rollback_actions", "execution_id", "workflow_executions"),
)


def migrated(server: Database, name: str) -> Database:
    """A database with wflo's schema."""
    with server.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = server.with_name(name)
    migrate(database, read_migrations(MIGRATIONS))
    return database


def fill(database: Database, tables: int) -> None:
    """Add that many tables, each with a primary key and a foreign key to the one before."""
    with database.connect() as connection:
        for start in range(0, tables, 500):
            with connection.transaction():
                for n in range(start, min(start + 500, tables)):
                    before = f"filler_{n - 1}" if n else "workflow_definitions"
                    connection.execute(
                        sql.SQL(
                            "CREATE TABLE {} (id varchar(36) PRIMARY KEY, execution_id varchar(36), CONSTRAINT {}"
                            " FOREIGN KEY (execution_id) REFERENCES {} (id) ON DELETE CASCADE)"
                        ).format(*(sql.Identifier(name) for name in (f"filler_{n}", f"fk_filler_{n}", before)))
                    )
        connection.execute("VACUUM ANALYZE")


def seconds(action: Callable[[], None], runs: int) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def query(database: Database, text: str, *, timeout_s: int = 300) -> None:
    """Run one query on a connection of its own, as psql would."""
    with database.connect() as connection:
        connection.execute(f"SET statement_timeout = '{timeout_s}s'".encode())
        connection.execute(text.encode()).fetchall()


def speed(version: str, tables: int, runs: int, timeout_s: int) -> None:
    """Print the whole command's time on both databases, and that of the two queries."""
    server = start_server(version, settings={"max_locks_per_transaction": "4096"})
    try:
        small, large = migrated(server.database, "small"), migrated(server.database, "large")
        fill(large, tables)
        with small.connect() as connection:
            connection.execute("VACUUM ANALYZE")

        def command(database: Database) -> None:
            options = ["--database-url", database.url, "--migrations", str(MIGRATIONS)]
            words = [sys.executable, "-m", "wflo_schema", "check", *options]
            subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

        print(f"PostgreSQL {version}, {tables} tables and {tables} foreign keys beside wflo's six; median of {runs}")
        ours = {d.name: seconds(partial(command, d), runs) for d in (small, large)}
        print(
            f"  check, whole command: {ours['small']:.3f} s on six tables, {ours['large']:.3f} s here"
            f" ({ours['large'] / ours['small']:.2f} x)"
        )
        for name, text in (("the guide's count", GUIDE_COUNT), ("the guide's join", GUIDE_JOIN)):
            print(f"  {name}: {seconds(partial(query, large, text), runs):.3f} s")
        started = time.perf_counter()
        try:
            query(large, TEXTBOOK_JOIN, timeout_s=timeout_s)
            print(f"  the textbook join: {time.perf_counter() - started:.1f} s")
        except psycopg.errors.QueryCanceled:
            print(f"  the textbook join: stopped after {timeout_s} s")
    finally:
        stop_server(server)


def whole(version: str, tables: int) -> None:
    """Print what a table costs `freeze`, and `check` against what it wrote, with a tenth of the tables and with all."""
    server = start_server(version, settings={"max_locks_per_transaction": "4096"})
    costs: list[list[float]] = []
    try:
        for number in (tables // 10, tables):
            database = migrated(server.database, f"whole_{number}")
            fill(database, number)
            began = time.perf_counter()
            contract = parse_contract(freeze_contract(database))
            frozen = time.perf_counter()
            found = check_database(database, contract, only=("contract", "indexes"))
            checked = time.perf_counter()
            assert found.exit_code == 0, found.findings[:3]
            costs.append([(frozen - began) / number, (checked - frozen) / number])
            shown = ", ".join(
                f"{name} {cost * 1000:.2f} ms" for name, cost in zip(("freeze", "check"), costs[-1], strict=True)
            )
            print(f"PostgreSQL {version}, {number} tables: each costs {shown}", flush=True)
        more = [after / before for before, after in zip(*costs, strict=True)]
        print(f"with ten times the tables each costs {more[0]:.2f} x in freeze and {more[1]:.2f} x in check")
    finally:
        stop_server(server)


def guide_says_yes(database: Database) -> bool:
    """Five rows, and read with care: each of the five tables with its column and the table it references."""
    with database.connect() as connection:
        rows = connection.execute(GUIDE_JOIN.encode()).fetchall()
    return sorted((row[0], row[2], row[3]) for row in rows) == sorted(KEYS)


def pgtap_says_yes(database: Database) -> bool:
    """fk_ok for all five keys, in schema public."""
    with database.connect() as connection:
        connection.execute("SET search_path = public, tap")
        connection.execute("BEGIN; SELECT no_plan();")
        for table, column, to_table in KEYS:
            row = connection.execute(
                "SELECT tap.fk_ok('public', %s, %s, 'public', %s, 'id')", (table, column, to_table)
            ).fetchone()
            if row is None or not str(row[0]).startswith("ok"):
                return False
    return True


def verdict(ask: Callable[[Database], bool], database: Database) -> bool | None:
    """True, False, or None where the tool itself fails."""
    try:
        return ask(database)
    except psycopg.Error:
        return None


def scores(version: str) -> None:
    """Print how many cases each gets right.  A case with a contract of its own is not asked of the others."""
    server = start_server(version)
    right: dict[tuple[str, str], int] = {}
    asked: dict[tuple[str, str], int] = {}
    wrong: dict[str, list[str]] = {}
    try:
        template = migrated(server.database, "template")
        has_pgtap = True
        with template.connect() as connection:
            try:
                connection.execute(
                    "CREATE SCHEMA tap; CREATE EXTENSION pgtap SCHEMA tap; GRANT USAGE ON SCHEMA tap TO PUBLIC"
                )
            except psycopg.Error:
                has_pgtap = False
        for case in CASES:
            if int(version) in case.versions:
                _score(server.database, case, has_pgtap, right, asked, wrong)
    finally:
        stop_server(server)
    kinds = ("broken", "harmless", "cannot-tell")
    print(f"PostgreSQL {version}: right verdicts")
    print(f"| {'':34} | " + " | ".join(kinds) + " |")
    print("|---|" + "---|" * len(kinds))
    for tool in ("wflo-schema check", "the guide's query", "pgTAP fk_ok"):
        cells = [f"{right.get((tool, k), 0)} of {asked[(tool, k)]}" if (tool, k) in asked else "–" for k in kinds]
        print(f"| {tool:34} | " + " | ".join(cells) + " |")
    for tool, names in wrong.items():
        print(f"\n{tool} is wrong on {len(names)}: {', '.join(names)}")


def _score(
    server: Database,
    case: Case,
    has_pgtap: bool,
    right: dict[tuple[str, str], int],
    asked: dict[tuple[str, str], int],
    wrong: dict[str, list[str]],
) -> None:
    kind = case.path.parent.name
    with server.connect() as connection:
        before = {r[0] for r in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
        connection.execute("DROP DATABASE IF EXISTS scored WITH (FORCE)")
        connection.execute("CREATE DATABASE scored TEMPLATE template")
    superuser = server.with_name("scored")
    with superuser.connect() as connection:
        connection.execute(case.sql.encode())
    database = Database.parse(superuser.conninfo + f" user={case.role}") if case.role else superuser
    exit_code = check_database(database, case.contract, only=case.sections).exit_code
    answers: list[tuple[str, bool | None]] = [("wflo-schema check", exit_code == VERDICTS[case.verdict])]
    if "contract:" not in case.sql and kind != "cannot-tell":
        expected = case.verdict == "yes"
        answers.append(("the guide's query", verdict(guide_says_yes, database) is expected))
        if has_pgtap:
            answers.append(("pgTAP fk_ok", verdict(pgtap_says_yes, database) is expected))
    for tool, is_right in answers:
        asked[(tool, kind)] = asked.get((tool, kind), 0) + 1
        right[(tool, kind)] = right.get((tool, kind), 0) + bool(is_right)
        if not is_right:
            wrong.setdefault(tool, []).append(case.name)
    with server.connect() as connection:
        connection.execute("DROP DATABASE scored WITH (FORCE)")
        for (role,) in connection.execute("SELECT rolname FROM pg_roles").fetchall():
            if role not in before:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def main() -> None:
    """Read the options and run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "whole", "scores"))
    parser.add_argument("--server", choices=sorted(BIN), default="15" if "15" in BIN else "18")
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--timeout", type=int, default=180, help="seconds for the textbook join")
    options = parser.parse_args()
    if options.what == "speed":
        speed(options.server, options.tables, options.runs, options.timeout)
    elif options.what == "whole":
        whole(options.server, options.tables)
    else:
        scores(options.server)


if __name__ == "__main__":
    main()
