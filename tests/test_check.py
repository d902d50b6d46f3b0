"""check says yes only where PostgreSQL keeps every row honest: a corpus of broken and harmless databases."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import RunningServer
from wflo_schema import contract
from wflo_schema.check import RULES, CheckResult, check
from wflo_schema.contract import Contract
from wflo_schema.database import Database

HERE = Path(__file__).parent
MIGRATIONS = HERE.parent / "migrations"
VERDICTS = {"yes": 0, "no": 1, "cannot tell": 3}


@dataclass(frozen=True)
class Case:
    """One file of the corpus: what to do to the right schema, and what must be said of it."""

    path: Path
    verdict: str
    codes: tuple[str, ...]
    versions: range
    role: str | None
    sections: tuple[str, ...]
    contract: Contract
    sql: str

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def _case(path: Path) -> Case:
    text = path.read_text()
    said: dict[str, list[str]] = {}
    for key, value in re.findall(r"^-- (verdict|codes|from|only-on|role|only|contract): (.+)$", text, re.MULTILINE):
        said.setdefault(key, []).append(value)
    only_on = said.get("only-on")
    versions = range(int(only_on[0]), int(only_on[0]) + 1) if only_on else range(int(said.get("from", ["15"])[0]), 100)
    written = said.get("contract")
    return Case(
        path,
        said["verdict"][0],
        tuple(c.strip() for c in said["codes"][0].split(",")) if "codes" in said else (),
        versions,
        said["role"][0] if "role" in said else None,
        tuple(said["only"][0].split()) if "only" in said else ("contract", "indexes"),
        contract.parse("\n".join(written)) if written else contract.read(MIGRATIONS / "contract.toml"),
        text,
    )


CASES = tuple(_case(path) for path in sorted((HERE / "corpus").glob("*/*.sql")))

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def template(server: RunningServer) -> str:
    """The right schema, once a server: cases are clones of it."""
    name = f"right_{os.getpid()}"
    with server.database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with server.database.with_name(name).connect() as connection:
        for path in sorted(MIGRATIONS.glob("*.sql")):
            if not path.name.endswith(".rollback.sql"):
                with connection.transaction():
                    connection.execute(path.read_bytes())
    return name


@pytest.fixture
def right(server: RunningServer, template: str) -> Iterator[Database]:
    """A database with wflo's schema as migrated.  Roles that a test makes are dropped with it."""
    name = f"case_{os.getpid()}_{next(_numbers)}"
    with server.database.connect() as connection:
        before = _roles(connection)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    yield server.database.with_name(name)
    with server.database.connect() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        for role in _roles(connection) - before:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _roles(connection: psycopg.Connection[tuple[object, ...]]) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()}


def _do(database: Database, statements: str) -> None:
    with database.connect() as connection:
        connection.execute(statements.encode())


def _as(database: Database, role: str) -> Database:
    return Database.parse(database.conninfo + f" user={role}")


def _wflo() -> Contract:
    return contract.read(MIGRATIONS / "contract.toml")


def _codes(result: CheckResult) -> set[str]:
    return {finding.code for finding in result.findings}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_corpus_case_gets_its_verdict(right: Database, server: RunningServer, case: Case) -> None:
    if int(server.version) not in case.versions:
        pytest.skip(f"not on PostgreSQL {server.version}")
    _do(right, case.sql)
    database = _as(right, case.role) if case.role else right

    result = check(database, case.contract, only=case.sections)

    shown = "\n".join(f"{f.severity} {f.code} {f.object}: {f.message}" for f in result.findings)
    assert result.exit_code == VERDICTS[case.verdict], shown
    assert set(case.codes) <= _codes(result), shown
    if case.verdict == "yes":
        assert all(v.verdict == "yes" for v in result.verified), result.verified


def test_corpus_is_large_enough_and_every_code_of_the_contract_occurs_in_it() -> None:
    broken = [c for c in CASES if c.verdict == "no"]
    harmless = [c for c in CASES if c.verdict == "yes"]
    assert len(broken) >= 60
    assert len(harmless) >= 20
    occurring = {code for c in CASES for code in c.codes}
    assert {r.code for r in RULES if r.section in ("contract", "indexes")} - occurring <= {"key-maybe-stopped"}


_KEYS = (
    ("workflow_executions", "workflow_id", "workflow_definitions"),
    ("step_executions", "execution_id", "workflow_executions"),
    ("state_snapshots", "execution_id", "workflow_executions"),
    ("approval_requests", "execution_id", "workflow_executions"),
    ("rollback_actions", "execution_id", "workflow_executions"),
)


def _insert(connection: psycopg.Connection[tuple[object, ...]], schema: str, table: str, **given: str) -> None:
    """Insert a row with something in every column that must have something."""
    needed = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute AS a WHERE a.attrelid = "
        "(SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        " WHERE n.nspname = %s AND c.relname = %s) "
        "AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef",
        (schema, table),
    ).fetchall()
    filler = {"json": "{}", "integer": "1", "double precision": "1", "timestamp with time zone": "2025-01-01"}
    row = {str(name): filler.get(str(kind), "probe") for name, kind in needed} | given
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(schema, table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Literal, row.values())),
        )
    )


def _broken_promises(database: Database, schema: str) -> list[str]:
    """What PostgreSQL lets happen that the five keys forbid, tried out."""
    found = []
    with database.connect() as connection:
        connection.execute("SET search_path = pg_catalog; SET quote_all_identifiers = off")
        _insert(connection, schema, "workflow_definitions", id="probe")
        _insert(connection, schema, "workflow_executions", id="probe", workflow_id="probe")
        for table, column, _ in _KEYS[1:]:
            _insert(connection, schema, table, id="probe", **{column: "probe"})
        for table, column, _ in _KEYS:
            place, name = sql.Identifier(schema, table), sql.Identifier(column)
            for what, statement in (
                ("update of", sql.SQL("UPDATE {} SET {} = 'nowhere' WHERE id = 'probe'").format(place, name)),
                ("insert into", None),
            ):
                try:
                    with connection.transaction():
                        if statement is None:
                            _insert(connection, schema, table, id="orphan", **{column: "nowhere"})
                        else:
                            connection.execute(statement)
                        found.append(f"{what} {table}")
                        raise psycopg.Rollback()
                except psycopg.errors.ForeignKeyViolation:
                    pass
        try:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, "workflow_definitions")))
        except psycopg.Error as error:
            found.append(f"delete: {error.sqlstate}")
            return found
        for table, _, _ in _KEYS:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE id = 'probe'").format(sql.Identifier(schema, table))
            ).fetchone()
            if row != (0,):
                found.append(f"left in {table}")
    return found


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.verdict == "yes" and "-- contract:" not in c.sql], ids=lambda c: c.name
)
def test_postgresql_keeps_what_check_said_yes_to(right: Database, server: RunningServer, case: Case) -> None:
    if int(server.version) not in case.versions:
        pytest.skip(f"not on PostgreSQL {server.version}")
    _do(right, case.sql)
    result = check(right, case.contract, only=("contract",))

    assert result.exit_code == 0
    assert _broken_promises(right, result.schema) == []
