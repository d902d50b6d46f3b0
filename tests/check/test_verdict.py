"""check says yes only where PostgreSQL keeps every row honest: a corpus of broken and harmless databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.check.test_distribution import CODES
from tests.conftest import RunningServer
from tests.engine.test_faults import one, wait_until
from wflo_schema.catalog.read import read_catalog
from wflo_schema.check.contract import Contract
from wflo_schema.check.contract_file import parse_contract, read_contract
from wflo_schema.check.freeze import freeze_contract
from wflo_schema.check.rules import RULES
from wflo_schema.check.verdict import _LOST_OR_UNWRITTEN, DEFAULT_SECTIONS, CheckResult, check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadContract, Refused, UsageError
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Finding, Severity

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]

HERE = Path(__file__).parents[1]
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
    for key, value in re.findall(r"^-- (verdict|codes|from|until|role|only|contract): (.+)$", text, re.MULTILINE):
        said.setdefault(key, []).append(value)
    versions = range(int(said.get("from", ["14"])[0]), int(said.get("until", ["99"])[0]) + 1)
    written = said.get("contract")
    return Case(
        path,
        said["verdict"][0],
        tuple(c.strip() for c in said["codes"][0].split(",")) if "codes" in said else (),
        versions,
        said["role"][0] if "role" in said else None,
        tuple(said["only"][0].split()) if "only" in said else ("contract", "indexes"),
        parse_contract("\n".join(written)) if written else read_contract(MIGRATIONS / "contract.toml"),
        text,
    )


CASES = tuple(
    _case(path)
    for folder in ("broken", "cannot-tell", "harmless")
    for path in sorted((HERE / "corpus" / folder).iterdir())
)


@pytest.fixture
def right(server: RunningServer, wflo_database: Database) -> Iterator[Database]:
    """A database with wflo's schema as migrated.  Roles that a test makes are dropped with it."""
    with server.database.connect() as connection:
        before = _roles(connection)
    yield wflo_database
    with server.database.connect() as connection:
        roles = [sql.Identifier(role) for role in _roles(connection) - before]
        if roles:  # what they own goes with the database, which its giver then finds gone
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(wflo_database.name)))
            for role in roles:
                connection.execute(sql.SQL("DROP ROLE {}").format(role))


def _roles(connection: psycopg.Connection[tuple[object, ...]]) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()}


def _do(database: Database, statements: str) -> None:
    with database.connect() as connection:
        connection.execute(statements.encode())


def _as(database: Database, role: str) -> Database:
    return Database.parse(database.conninfo + f" user={role}")


def _wflo() -> Contract:
    return read_contract(MIGRATIONS / "contract.toml")


def _codes(result: CheckResult) -> set[str]:
    return {finding.code for finding in result.findings}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_corpus_case_gets_its_verdict(right: Database, server: RunningServer, case: Case) -> None:
    if int(server.version) not in case.versions:
        pytest.skip(f"not on PostgreSQL {server.version}")
    _do(right, case.sql)
    database = _as(right, case.role) if case.role else right

    result = check_database(database, case.contract, only=case.sections)

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
    occurring = {code for c in CASES for code in c.codes} | CODES
    assert {r.code for r in RULES if r.section in ("contract", "indexes")} <= occurring


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
    result = check_database(right, case.contract, only=("contract",))

    assert result.exit_code == 0
    assert _broken_promises(right, result.schema) == []


# Cases that SQL alone mends, statement by statement as the findings say.
MENDED_BY_HELP = frozenset(
    """
    absent-key not-valid not-enforced on-delete-no-action on-delete-restrict on-update-cascade
    match-full deferrable deferred renamed-key other-alembic-head both-alembic-heads older-set-null
    wrong-table namesake-in-another-schema wrong-referenced-column wrong-column rebuilt-table
    composite-instead replica-by-database replica-by-role replica-by-role-in-database
    cascade-stopped-by-trigger cascade-stopped-by-rule owner-without-privileges owner-without-schema
    trigger-disabled-on-referenced-table trigger-disabled-on-leaf one-trigger-disabled
    partition-trigger-disabled trailing-space-in-name partitioned-not-valid inheritance-child
    same-column-twice
    moved-rows-trigger-disabled moved-rows-trigger-disabled-below inheritance-child-trigger-disabled
    inheritance-child-other-action inheritance-child-older-key inheritance-child-rule
    required-check-not-enforced older-update-cascade owner-may-not-update operator-edited
    older-key-on-a-partition older-key-to-one-partition renamed-key-and-a-check-has-the-name
    name-kept-by-a-check not-null-not-valid owner-reads-other-columns-only
    """.split()
)


@pytest.mark.parametrize("case", [c for c in CASES if c.path.stem in MENDED_BY_HELP], ids=lambda c: c.name)
def test_help_holds_the_statements_that_mend(right: Database, server: RunningServer, case: Case) -> None:
    if int(server.version) not in case.versions:
        pytest.skip(f"not on PostgreSQL {server.version}")
    _do(right, case.sql)
    findings = check_database(right, case.contract, only=("contract",)).findings
    statements = dict.fromkeys(f.help for f in findings if f.severity is Severity.ERROR)
    for statement in statements:
        assert statement
        _do(right, statement)

    result = check_database(right, case.contract, only=("contract",))

    assert result.exit_code == 0, result.findings


def test_uncommitted_change_elsewhere_does_not_make_check_wait(right: Database) -> None:
    with right.connect(autocommit=False) as other:
        other.execute("ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id")

        assert check_database(right, _wflo(), only=("contract", "indexes")).exit_code == 0


def test_locked_table_hides_defaults_and_predicates_only(right: Database) -> None:
    _do(right, "CREATE INDEX failed ON step_executions (step_id) WHERE status = 'FAILED'")
    wanted = parse_contract(
        '[contract]\ntables = ["step_executions"]\n[columns.step_executions]\nretry_count = "integer default 0"\n'
        '[[index]]\nname = "failed"\non = "step_executions(step_id)"\n'
        "where = \"((status)::text = 'FAILED'::text)\"\n"
    )
    assert check_database(right, wanted, only=("contract", "indexes")).exit_code == 0
    with right.connect(autocommit=False) as other:
        other.execute("LOCK TABLE step_executions IN ACCESS EXCLUSIVE MODE")
        result = check_database(right, wanted, only=("contract", "indexes"))

    assert (result.exit_code, _codes(result)) == (3, {"cannot-see"})
    assert [v.verdict for v in result.verified] == ["yes", "cannot tell", "cannot tell"]


def test_locked_table_makes_its_rows_unfinished_and_the_others_are_still_read(right: Database) -> None:
    with right.connect(autocommit=False) as other:
        other.execute("LOCK TABLE step_executions IN ACCESS EXCLUSIVE MODE")
        result = check_database(right, _wflo(), only=("rows",), rows_timeout_s=4)

    assert result.exit_code == 3
    assert _codes(result) == {"rows-unfinished"}
    assert [o.count for o in result.orphans].count(None) >= 1
    assert result.orphans[0].count == 0


def test_rows_that_take_too_long_are_unfinished(right: Database) -> None:
    _do(
        right,
        "ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;"
        "INSERT INTO step_executions (id, execution_id, step_id, status) "
        "SELECT n, n, 'x', 'y' FROM generate_series(1, 20000) AS n",
    )
    result = check_database(right, _wflo(), only=("rows",), rows_timeout_s=0.0)

    assert "rows-unfinished" in _codes(result) or "orphan-rows" in _codes(result)
    assert result.exit_code in (1, 3)


def test_orphan_rows_are_counted_sampled_and_listed(right: Database) -> None:
    _do(
        right,
        "ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;"
        "INSERT INTO step_executions (id, execution_id, step_id, status) "
        "SELECT n, 'nowhere ' || n, 'x', 'y' FROM generate_series(1, 12) AS n",
    )
    result = check_database(right, _wflo(), only=("rows",), sample=3)
    found = next(o for o in result.orphans if o.count)

    assert (found.count, len(found.sample)) == (12, 3)
    with right.connect() as connection:
        assert len(connection.execute(found.query.encode()).fetchall()) == 12
        connection.execute(found.repairs[0].encode())
    assert check_database(right, _wflo(), only=("rows",)).exit_code == 0


def test_check_writes_nothing_and_passes_in_a_read_only_session(right: Database) -> None:
    read_only = Database.parse(right.conninfo + " options='-c default_transaction_read_only=on'")

    assert check_database(read_only, _wflo(), only=("contract", "rows", "indexes")).exit_code == 0


def test_own_session_in_replica_mode_is_an_error_of_the_connection(right: Database) -> None:
    mine = Database.parse(right.conninfo + " options='-c session_replication_role=replica'")

    result = check_database(mine, _wflo(), only=("contract",))

    assert result.exit_code == 1
    (said,) = [f for f in result.findings if f.severity is Severity.ERROR]
    assert (said.code, said.object) == ("replication-role", "this connection")


def test_freeze_takes_the_first_schema_of_the_path_that_holds_a_table(right: Database) -> None:
    _do(right, "CREATE SCHEMA empty; CREATE SCHEMA app; CREATE TABLE app.only_one (id int PRIMARY KEY)")
    mine = Database.parse(right.conninfo + " options='-c search_path=empty,app,public'")

    assert [str(t.name) for t in parse_contract(freeze_contract(mine)).tables] == ["only_one"]


def _reload(server: RunningServer, role: str) -> None:
    """Have the server read its configuration, and wait until new sessions have this session_replication_role."""
    assert one(server.database, "SELECT pg_reload_conf()") == (True,)
    wait_until(lambda: one(server.database, "SHOW session_replication_role") == (role,), "the configuration")


def test_server_in_replica_mode_is_found(right: Database, server: RunningServer) -> None:
    with server.database.connect() as connection:
        connection.execute("ALTER SYSTEM SET session_replication_role = replica")
        _reload(server, "replica")
        try:
            result = check_database(right, _wflo(), only=("contract",))
            spared = Database.parse(right.conninfo + " options='-c session_replication_role=origin'")
            seen_by_the_spared = check_database(spared, _wflo(), only=("contract",))
        finally:
            connection.execute("ALTER SYSTEM RESET session_replication_role")
            _reload(server, "origin")

    assert (result.exit_code, _codes(result)) == (1, {"replication-role"})
    assert (seen_by_the_spared.exit_code, _codes(seen_by_the_spared)) == (1, {"replication-role"})


def test_server_in_replica_mode_is_not_denied_by_a_role_that_is_spared_and_may_not_see_the_files(
    right: Database, server: RunningServer
) -> None:
    _do(right, "CREATE ROLE corpus_spared LOGIN; ALTER ROLE corpus_spared SET session_replication_role = origin")
    with server.database.connect() as connection:
        connection.execute("ALTER SYSTEM SET session_replication_role = replica")
        _reload(server, "replica")
        try:
            result = check_database(_as(right, "corpus_spared"), _wflo(), only=("contract",))
            for finding in result.findings:
                _do(right, finding.help)
            seeing = check_database(_as(right, "corpus_spared"), _wflo(), only=("contract",))
        finally:
            connection.execute("ALTER SYSTEM RESET session_replication_role")
            _reload(server, "origin")

    assert (result.exit_code, _codes(result)) == (3, {"cannot-see"})
    assert (seeing.exit_code, _codes(seeing)) == (1, {"replication-role"})
    assert check_database(_as(right, "corpus_spared"), _wflo(), only=("contract",)).exit_code == 0


def test_own_temporary_table_does_not_stand_for_the_real_one(right: Database) -> None:
    first = Database.parse(right.conninfo + " options='-c search_path=pg_temp,public'")

    assert check_database(first, _wflo(), only=("contract",)).exit_code == 0


def test_names_resolve_in_the_schema_that_is_given(right: Database) -> None:
    _do(right, "CREATE SCHEMA tenant; ALTER TABLE step_executions SET SCHEMA tenant")

    assert check_database(right.with_schema("tenant"), _wflo(), only=("contract",)).exit_code == 1
    with pytest.raises(Refused, match="there is no schema absent in "):
        check_database(right.with_schema("absent"), _wflo(), only=("contract",))


def test_the_schema_that_is_given_goes_before_that_of_the_contract(right: Database) -> None:
    _do(right, "CREATE SCHEMA tenant; ALTER TABLE step_executions SET SCHEMA tenant")
    frozen = replace(_wflo(), schema="public")

    assert check_database(right, frozen, only=("contract",)).schema == "public"
    found = check_database(right.with_schema("tenant"), frozen, only=("contract",))
    assert (found.schema, found.exit_code) == ("tenant", 1)
    assert found.notes == ("the contract is of schema public, and schema tenant is held to it",)


def test_information_schema_is_shown_beside_the_catalog_and_never_decides(right: Database) -> None:
    _do(right, "CREATE ROLE corpus_blind LOGIN")
    result = check_database(_as(right, "corpus_blind"), _wflo(), only=("contract",))

    assert result.exit_code == 0
    assert result.information_schema is not None
    assert not result.information_schema.agrees
    assert (result.information_schema.constraints, result.information_schema.catalog) == (0, 5)
    whole = check_database(right, _wflo(), only=("contract",)).information_schema
    assert whole is not None and whole.agrees


def test_every_finding_has_a_rule_and_every_rule_its_words() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+|drift", code) for code in codes)
    assert all(rule.title and rule.means and rule.mend for rule in RULES)


def test_certain_no_wins_over_cannot_tell() -> None:
    empty = CheckResult("l", "s", "15", "r", DEFAULT_SECTIONS, (), ())
    findings = {s: Finding("c", s, "o", "m") for s in Severity}

    def code(*severities: Severity, fail_on: Severity = Severity.ERROR) -> int:
        return replace(empty, findings=tuple(findings[s] for s in severities), fail_on=fail_on).exit_code

    assert code() == 0
    assert code(Severity.WARNING) == 0
    assert code(Severity.WARNING, fail_on=Severity.WARNING) == 1
    assert code(Severity.UNKNOWN, Severity.WARNING) == 3
    assert code(Severity.UNKNOWN, Severity.ERROR) == 1


def test_frozen_contract_is_read_back_and_holds(right: Database) -> None:
    _do(
        right,
        """
        CREATE TABLE "Odd, (table)" ("a \\"b" integer PRIMARY KEY, c text DEFAULT 'x not null');
        ALTER TABLE "Odd, (table)" ADD CONSTRAINT "c h" CHECK (c <> E'it''s\\n');
        """.replace('\\"', '""'),
    )
    frozen = parse_contract(freeze_contract(right))

    result = check_database(right, frozen, only=("contract", "rows", "indexes"))

    assert result.exit_code == 0, result.findings
    assert {kind for kind, _, _ in result.counts} == {"table", "foreign key", "column", "unique", "check", "index"}
    _do(right, "ALTER TABLE step_executions ALTER COLUMN status DROP NOT NULL; DROP INDEX ix_workflow_name")
    assert {"column-wrong", "required-index-missing"} <= _codes(check_database(right, frozen, only=("contract",)))


def test_frozen_contract_of_odd_indexes_and_types_is_read_back_and_holds(right: Database) -> None:
    _do(
        right,
        """
        CREATE TYPE "my default x" AS ENUM ('a');
        CREATE TABLE odd (e int, t "my default x" NOT NULL DEFAULT 'a');
        CREATE UNIQUE INDEX ON odd (e, e);
        CREATE INDEX ON odd (t, t);
        """,
    )
    result = check_database(right, parse_contract(freeze_contract(right)), only=("contract",))

    assert result.exit_code == 0, result.findings


def test_key_on_a_column_that_is_not_there_gets_no_statement_that_takes_a_good_key_away(right: Database) -> None:
    wanted = parse_contract(
        "[[foreign_key]]\nname = 'fk_step_executions_execution_id'\n"
        "from = 'step_executions(nowhere)'\nto = 'workflow_executions(id)'"
    )
    found = check_database(right, wanted, only=("contract",)).findings

    assert {f.code: f.help for f in found} == {"column-missing": "", "key-wrong-columns": ""}


def test_required_check_is_not_run_and_not_more_than_an_expression(right: Database) -> None:
    _do(right, "CREATE TABLE p (a int CONSTRAINT k CHECK (a > 0))")
    texts = ("a > 0) FROM pg_sleep(60) --", "a > 0); DROP TABLE p; --", "a > 0) AS x, (a > 0", "pg_sleep(60) IS NULL")
    for text in texts:
        wanted = parse_contract(f'[[check]]\nname = "k"\non = "p"\nexpression = "{text}"')
        assert _codes(check_database(right, wanted, only=("contract",))) == {"check-missing"}


def test_freezing_does_not_require_what_is_not_enforced(right: Database) -> None:
    _do(right, next(c for c in CASES if c.path.stem == "not-valid").sql)
    text = freeze_contract(right)

    assert "NOT VALID: fk_step_executions_execution_id" in text
    assert check_database(right, parse_contract(text), only=("contract",)).exit_code == 0


def test_ledger_says_which_migration_is_pending_changed_or_gone(database: Database, tmp_path: Path) -> None:
    first, second = tmp_path / "20250101_01_aaaaa-one.sql", tmp_path / "20250102_01_bbbbb-two.sql"
    first.write_text("CREATE TABLE one (id integer)")
    second.write_text("CREATE TABLE two (id integer)")
    assert _codes(check_database(database, None, migrations=read_migrations(tmp_path), only=("ledger",))) == {
        "ledger-pending"
    }
    operations.migrate(database, read_migrations(tmp_path))
    assert check_database(database, None, migrations=read_migrations(tmp_path), only=("ledger",)).exit_code == 0

    first.write_text("CREATE TABLE one (id bigint)")
    assert _codes(check_database(database, None, migrations=read_migrations(tmp_path), only=("ledger",))) == {
        "ledger-changed"
    }
    first.unlink()
    assert _codes(check_database(database, None, migrations=read_migrations(tmp_path), only=("ledger",))) == {
        "ledger-missing"
    }


def test_tables_dropped_behind_the_ledger_are_not_said_to_come_by_migrating(right: Database) -> None:
    """As a test suite leaves it that drops all tables of its models at the end."""
    required, files = read_contract(MIGRATIONS / "contract.toml"), read_migrations(MIGRATIONS)
    with right.connect() as connection:
        connection.execute("DROP TABLE state_snapshots, approval_requests")
    missing = [f for f in check_database(right, required, migrations=files).findings if f.code == "table-missing"]
    assert {f.object for f in missing} == {"public.approval_requests", "public.state_snapshots"}
    assert [f.help for f in missing] == [_LOST_OR_UNWRITTEN] * 2
    assert all("every migration is recorded" in f.message for f in missing)
    with right.connect() as connection:
        connection.execute("DELETE FROM _yoyo_migration")
    missing = [f for f in check_database(right, required, migrations=files).findings if f.code == "table-missing"]
    assert all(f.help.startswith("wflo-schema adopt") for f in missing)  # the other tables are still there


def test_ledger_that_may_not_be_read_cannot_tell(database: Database, tmp_path: Path) -> None:
    (tmp_path / "20250101_01_aaaaa-one.sql").write_text("CREATE ROLE corpus_ledger LOGIN")
    operations.migrate(database, read_migrations(tmp_path))
    result = check_database(
        _as(database, "corpus_ledger"), None, migrations=read_migrations(tmp_path), only=("ledger",)
    )
    _do(database, "DROP ROLE corpus_ledger")

    assert (result.exit_code, _codes(result)) == (3, {"ledger-unreadable"})


@pytest.mark.parametrize(
    "spoil",
    [
        "DROP TABLE _yoyo_migration; CREATE TABLE _yoyo_migration (a int)",
        "CREATE TABLE _wflo_schema_progress (a int)",
    ],
)
def test_ledger_that_is_none_does_not_hide_a_missing_key(right: Database, spoil: str) -> None:
    _do(right, f"ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id; {spoil}")
    result = check_database(right, _wflo(), migrations=read_migrations(MIGRATIONS))

    assert result.exit_code == 1
    assert {"key-missing", "ledger-unreadable"} <= _codes(result)
    _do(right, "DROP TABLE step_executions CASCADE")
    assert check_database(right, None, migrations=read_migrations(MIGRATIONS), only=("ledger",)).exit_code == 3


def test_locked_ledger_and_locked_catalog_cannot_tell_and_hide_nothing(right: Database) -> None:
    files = read_migrations(MIGRATIONS)
    _do(right, "ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id")
    with right.connect(autocommit=False) as other:
        other.execute("SET idle_in_transaction_session_timeout = '60s'; LOCK TABLE _yoyo_migration")
        result = check_database(right, _wflo(), migrations=files)
        other.commit()  # it still held its lock
    assert result.exit_code == 1
    assert {"key-missing", "ledger-unreadable"} <= _codes(result)
    with right.connect(autocommit=False) as other:
        other.execute("LOCK TABLE pg_catalog.pg_constraint IN ACCESS EXCLUSIVE MODE")
        result = check_database(right, _wflo(), only=("contract",))
    assert (result.exit_code, _codes(result)) == (3, {"cannot-see"})
    assert "cannot tell" in {v.verdict for v in result.verified}


@pytest.mark.parametrize("path", ["", "nope", "pg_catalog", "information_schema"])
def test_ledger_is_found_beside_the_tables_where_the_search_path_leads_nowhere(right: Database, path: str) -> None:
    with right.connect() as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = {}").format(sql.Identifier(right.name), sql.Literal(path))
        )
    for only in (DEFAULT_SECTIONS, ("ledger",)):
        result = check_database(right, _wflo(), migrations=read_migrations(MIGRATIONS), only=only)
        assert result.exit_code == 0, result.findings


def test_schema_of_the_path_that_the_role_may_not_use_is_passed_over_as_postgresql_does(right: Database) -> None:
    _do(
        right,
        "CREATE SCHEMA app; CREATE TABLE app.step_executions (LIKE public.step_executions INCLUDING ALL);"
        "CREATE ROLE corpus_user LOGIN; ALTER ROLE corpus_user SET search_path = app, public",
    )
    result = check_database(_as(right, "corpus_user"), _wflo(), only=("contract",))
    assert (result.exit_code, result.schema) == (0, "public"), result.findings
    _do(right, "GRANT USAGE ON SCHEMA app TO corpus_user")
    assert check_database(_as(right, "corpus_user"), _wflo(), only=("contract",)).exit_code == 1


def test_drift_lists_have_and_want_and_changes_nothing(right: Database) -> None:
    with right.connect() as connection:
        wanted = read_catalog(connection)
    assert check_database(right, None, wanted=wanted, only=("drift",)).exit_code == 0
    _do(right, "DROP INDEX ix_workflow_name; ALTER TABLE step_executions ADD COLUMN extra text")
    result = check_database(right, None, wanted=wanted, only=("drift",))

    assert (result.exit_code, len(result.findings)) == (1, 2)
    assert all(f.have != f.want for f in result.findings)
    for finding in result.findings:
        _do(right, finding.help or "ALTER TABLE step_executions DROP COLUMN extra")
    assert check_database(right, None, wanted=wanted, only=("drift",)).exit_code == 0


@pytest.mark.parametrize("only", [(), ("keys",), ("ledger",), ("drift",)])
def test_unknown_section_or_one_without_its_material_is_refused(only: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        check_database(Database.parse("postgresql://nowhere.invalid/x"), _wflo(), only=only)


def test_another_key_of_a_partition_is_named_once_by_the_name_that_its_help_drops(database: Database) -> None:
    """It has copies on the partitions below, with names of their own where those had the key before."""
    _do(
        database,
        "CREATE TABLE t (id int PRIMARY KEY);"
        "CREATE TABLE c (k int, id int) PARTITION BY LIST (id);"
        "CREATE TABLE m PARTITION OF c FOR VALUES IN (1, 2) PARTITION BY LIST (id);"
        "CREATE TABLE l1 PARTITION OF m FOR VALUES IN (1); CREATE TABLE l2 PARTITION OF m FOR VALUES IN (2);"
        "ALTER TABLE l2 ADD CONSTRAINT own FOREIGN KEY (k) REFERENCES t ON DELETE SET NULL;"
        "ALTER TABLE m ADD CONSTRAINT dup FOREIGN KEY (k) REFERENCES t ON DELETE SET NULL;"
        "ALTER TABLE c ADD CONSTRAINT z FOREIGN KEY (k) REFERENCES t ON DELETE CASCADE;",
    )
    wanted = parse_contract(
        '[contract]\n[[foreign_key]]\nname = "z"\nfrom = "c(k)"\nto = "t(id)"\non_delete = "CASCADE"\n'
    )
    found = [f for f in check_database(database, wanted, only=("contract",)).findings if "dup" in f.help]
    assert [f.message.split()[0] for f in found] == ["dup"]
    assert found[0].have.startswith("CONSTRAINT dup public.m(k)")
    assert found[0].help == "ALTER TABLE public.m DROP CONSTRAINT dup;"


def test_sql_that_a_pending_migration_brings_is_not_advised(database: Database, tmp_path: Path) -> None:
    (tmp_path / "001_tables.sql").write_text("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int);\n")
    operations.migrate(database, read_migrations(tmp_path))
    (tmp_path / "002_key.sql").write_text("ALTER TABLE b ADD CONSTRAINT f FOREIGN KEY (a_id) REFERENCES a;\n")
    contract = parse_contract('[[foreign_key]]\nname = "f"\nfrom = "b(a_id)"\nto = "a(id)"')
    files = read_migrations(tmp_path)

    result = check_database(database, contract, migrations=files)
    (missing,) = [f for f in result.findings if f.code == "key-missing"]
    assert missing in next(v for v in result.verified if v.name == "f").findings
    assert missing.help.startswith("wflo-schema migrate") and "1 migration is pending" in missing.help
    operations.migrate(database, files)

    assert check_database(database, contract, migrations=files).exit_code == 0


def test_an_index_that_is_missing_is_advised_once(database: Database) -> None:
    _do(database, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int CONSTRAINT f REFERENCES a)")
    contract = parse_contract('[[foreign_key]]\nfrom = "b(a_id)"\nto = "a(id)"\n[[index]]\non = "b(a_id)"')

    result = check_database(database, contract, only=("contract", "indexes"))

    assert [f.code for f in result.findings] == ["required-index-missing"]


TWO_SCHEMAS = """
CREATE SCHEMA app;
CREATE SCHEMA "Bill ing";
CREATE TABLE app.users (id int PRIMARY KEY, name text DEFAULT 'x' NOT NULL);
CREATE TABLE "Bill ing".invoice (
    id int PRIMARY KEY, user_id int CONSTRAINT invoice_user REFERENCES app.users ON DELETE CASCADE,
    CONSTRAINT positive CHECK (id > 0)
);
CREATE INDEX ON "Bill ing".invoice (user_id);
"""


def test_freeze_takes_in_all_schemas_where_none_is_on_the_path(database: Database) -> None:
    _do(database, TWO_SCHEMAS)

    contract = parse_contract(freeze_contract(database))

    assert {(t.name.schema or contract.schema, t.name.name) for t in contract.tables} == {
        ("app", "users"),
        ("Bill ing", "invoice"),
    }
    result = check_database(database, contract, only=("contract", "rows", "indexes"))
    assert (result.exit_code, result.findings) == (0, ())
    assert [v.verdict for v in result.verified if v.kind == "foreign key"] == ["yes"]


def test_freeze_names_the_schemas_that_it_leaves_out_and_takes_them_in_when_asked(database: Database) -> None:
    _do(database, TWO_SCHEMAS + "CREATE TABLE public.one (id int)")

    alone, all_of_them = freeze_contract(database), freeze_contract(database, all_schemas=True)

    assert [str(t.name) for t in parse_contract(alone).tables] == ["one"]
    assert alone.splitlines()[1] == '# Not in it: the tables of "Bill ing", app; --all-schemas takes them in.'
    assert len(parse_contract(all_of_them).tables) == 3
    assert check_database(database, parse_contract(all_of_them), only=("contract", "indexes")).findings == ()


def test_freeze_of_an_empty_schema_says_where_tables_are(database: Database) -> None:
    _do(database, TWO_SCHEMAS)

    with pytest.raises(Refused, match=r"the schema public of .* has no table") as caught:
        freeze_contract(database, schema="public")
    assert caught.value.hint == 'tables are in "Bill ing", app: --schema "Bill ing"'


def test_a_schema_with_tables_shares_the_ledger_of_the_path_and_an_empty_one_does_not(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "001_app.sql").write_text("CREATE SCHEMA app; CREATE TABLE app.users (id int);\n")
    files = read_migrations(tmp_path)
    operations.migrate(database, files)
    _do(database, "CREATE SCHEMA bare")

    shared = check_database(database.with_schema("app"), None, migrations=files, only=("ledger",))
    bare = check_database(database.with_schema("bare"), None, migrations=files, only=("ledger",))

    assert shared.exit_code == 0
    assert shared.notes == ("schema app has no ledger: check reads that of public, on the search_path",)
    assert [f.code for f in bare.findings] == ["ledger-pending"]


@pytest.mark.parametrize(
    ("setup", "advice"),
    [
        ("CREATE INDEX i ON t (b); CREATE INDEX j ON t (b)", "DROP INDEX CONCURRENTLY public.j;"),
        ("CREATE INDEX i ON t (id)", "DROP INDEX CONCURRENTLY public.i;"),
        ("CREATE INDEX i ON t (b); CREATE INDEX j ON t (b); CLUSTER t USING j", "DROP INDEX CONCURRENTLY public.i;"),
        (
            ("CREATE UNIQUE INDEX i ON t (b); CREATE UNIQUE INDEX j ON t (b);"
            " ALTER TABLE t REPLICA IDENTITY USING INDEX j"),
            "DROP INDEX CONCURRENTLY public.i;",
        ),
        ("CREATE UNIQUE INDEX i ON t (b); ALTER TABLE t ADD UNIQUE (b)", "DROP INDEX CONCURRENTLY public.i;"),
        ("ALTER TABLE t ADD UNIQUE (b), ADD CONSTRAINT u UNIQUE (b)", "ALTER TABLE public.t DROP CONSTRAINT u;"),
        (
            "CREATE UNIQUE INDEX i ON t (b); CREATE TABLE u (b int REFERENCES t (b)); CREATE UNIQUE INDEX j ON t (b)",
            "DROP INDEX CONCURRENTLY public.j;",
        ),
        (
            "CREATE UNIQUE INDEX i ON t (b); CREATE TABLE u (b int REFERENCES t (b)); ALTER TABLE t ADD UNIQUE (b)",
            "",
        ),
        ("CREATE INDEX i ON t (b); CREATE UNIQUE INDEX j ON t (b); CLUSTER t USING i", ""),
        ("CREATE UNIQUE INDEX i ON t (b); ALTER TABLE t ADD UNIQUE (b) DEFERRABLE", None),
        (
            (
                "DROP TABLE t; CREATE TABLE t (b int) PARTITION BY LIST (b); CREATE TABLE t1 PARTITION OF t DEFAULT;"
                "CREATE INDEX i ON t (b); CREATE INDEX j ON t (b)"
            ),
            "DROP INDEX public.j;",
        ),
    ],
)  # fmt: skip
def test_an_index_that_something_rests_on_is_not_advised_to_be_dropped(
    database: Database, setup: str, advice: str | None
) -> None:
    _do(database, f"CREATE TABLE t (id int PRIMARY KEY, b int NOT NULL); {setup}")

    found = check_database(database, parse_contract('[contract]\ntables = ["t"]'), only=("indexes",)).findings

    assert [(f.code, f.help) for f in found] == ([] if advice is None else [("index-duplicate", advice)])
    for finding in found:
        _do(database, finding.help)


@pytest.mark.parametrize(("wanted", "near"), [("intger", "integer"), ("varchr(10)", "varchar"), ("jsnb", "jsonb")])
def test_a_misspelt_type_is_an_error_of_the_contract(database: Database, wanted: str, near: str) -> None:
    _do(database, "CREATE TABLE t (a int)")

    with pytest.raises(BadContract, match=r"contract\.toml:2: .*there is no type") as caught:
        check_database(database, parse_contract(f"[columns.t]\na = '{wanted}'"), only=("contract",))
    assert caught.value.hint == f"did you mean {near}?"


def test_a_type_that_is_not_there_yet_is_a_finding(database: Database) -> None:
    _do(database, "CREATE TABLE t (a int)")

    result = check_database(database, parse_contract("[columns.t]\na = 'order_state'"), only=("contract",))

    assert [f.code for f in result.findings] == ["column-wrong"]


@pytest.mark.parametrize(
    "fault", ["DROP TABLE p CASCADE", "DROP TABLE c", "ALTER TABLE c DROP COLUMN a", "ALTER TABLE p RENAME id TO other"]
)
@pytest.mark.parametrize("tables", ["", '[contract]\ntables = ["c", "p"]\n'])
def test_what_two_sections_and_two_keys_meet_is_one_finding(database: Database, fault: str, tables: str) -> None:
    _do(database, "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p, b int REFERENCES p)")
    _do(database, fault)
    keys = (f'[[foreign_key]]\nfrom = "c({column})"\nto = "p(id)"\n' for column in "ab")

    found = check_database(database, parse_contract(tables + "".join(keys)), only=("contract", "rows")).findings

    met = [(f.code, f.object) for f in found if f.code in ("table-missing", "column-missing")]
    assert len(met) == 1, met
