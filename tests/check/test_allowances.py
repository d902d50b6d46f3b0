"""What the contract allows does not count, and says why; what it allows in vain is said."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from psycopg import sql

from wflo_schema.catalog.read import read_catalog, read_migrated
from wflo_schema.check.contract_file import parse_contract, render_contract
from wflo_schema.check.verdict import CheckResult, check_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadContract
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Severity, body_hash

pytestmark = pytest.mark.one_server

KEY = '[[foreign_key]]\nname = "leaf_fk"\nfrom = "leaf(parent_id)"\nto = "parent(id)"\non_delete = "CASCADE"\n'
BODY = "BEGIN IF current_setting('app.keep', true) = 'on' THEN RETURN NULL; END IF; RETURN OLD; END"
OBJECT = "public.leaf leaf_fk"


def _allow(code: str, object_: str, body: str = "") -> str:
    line = f'body = "{body}"\n' if body else ""
    return f'[[allow]]\ncode = "{code}"\nobject = \'{object_}\'\n{line}reason = "we know"\n'


def _check(database: Database, *text: str, only: tuple[str, ...] = ("contract",)) -> CheckResult:
    return check_database(database, parse_contract("\n".join(text)), only=only)


def _codes(result: CheckResult) -> list[str]:
    return [f.code for f in result.findings]


@pytest.fixture
def leaf(database: Database) -> Database:
    """A key, and a trigger of which it cannot be told whether it stops it."""
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE parent (id int PRIMARY KEY);"
            "CREATE TABLE leaf (id int PRIMARY KEY, parent_id int,"
            " CONSTRAINT leaf_fk FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE);"
            "CREATE INDEX ON leaf (parent_id)"
        )
        _replace(database, BODY)
        connection.execute("CREATE TRIGGER keep BEFORE DELETE ON leaf FOR EACH ROW EXECUTE FUNCTION keep()")
    return database


def _replace(database: Database, body: str) -> None:
    with database.connect() as connection:
        connection.execute(
            sql.SQL("CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS {}").format(
                sql.Literal(body)
            )
        )


@pytest.mark.parametrize("object_", [OBJECT, "*", "public.leaf *", "public.l?af leaf_fk"])
def test_an_allowed_finding_does_not_count_and_says_why(leaf: Database, object_: str) -> None:
    result = _check(leaf, KEY, _allow("key-maybe-stopped", object_, body_hash(BODY)))

    assert (result.exit_code, result.findings) == (0, ())
    (allowed,) = result.allowed
    assert (allowed.finding.object, allowed.reason) == (OBJECT, "we know")
    assert allowed.location is not None and allowed.location.line == 7
    assert [v.verdict for v in result.verified] == ["yes"]


def test_help_holds_the_lines_that_allow_it(leaf: Database) -> None:
    (found,) = _check(leaf, KEY).findings
    _, _, lines = found.help.partition("in the contract:\n")

    assert _check(leaf, KEY, lines.removesuffix("*/")).exit_code == 0


def test_a_changed_body_is_asked_about_again(leaf: Database) -> None:
    allow = _allow("key-maybe-stopped", OBJECT, body_hash(BODY))
    other = BODY.replace("app.keep", "app.hold")
    _replace(leaf, other)

    result = _check(leaf, KEY, allow)

    assert result.exit_code == 3
    assert _codes(result) == ["key-maybe-stopped", "allowance-unused"]
    assert body_hash(other) in result.findings[1].help


def test_a_finding_of_a_function_is_allowed_with_its_body_alone(leaf: Database) -> None:
    result = _check(leaf, KEY, _allow("key-maybe-stopped", OBJECT))

    assert result.exit_code == 3
    assert "name its body" in result.findings[1].message


def test_a_proven_error_can_be_allowed_too(leaf: Database) -> None:
    _replace(leaf, "BEGIN RETURN NULL; END")

    result = _check(leaf, KEY, _allow("key-stopped-by-trigger", "*", body_hash("BEGIN RETURN NULL; END")))

    assert (result.exit_code, len(result.allowed)) == (0, 1)


@pytest.mark.parametrize(
    ("code", "object_"),
    [("key-maybe-stopped", "public.other *"), ("key-missing", OBJECT), ("table-unlogged", "public.leaf")],
)
def test_an_allowance_that_allows_nothing_is_a_warning(leaf: Database, code: str, object_: str) -> None:
    result = _check(leaf, KEY, _allow("key-maybe-stopped", "*", body_hash(BODY)), _allow(code, object_, ""))

    (unused,) = result.findings
    assert (unused.code, unused.severity, unused.object) == ("allowance-unused", Severity.WARNING, f"{code} {object_}")


def test_an_allowance_of_a_section_that_was_not_gone_through_is_no_finding(leaf: Database) -> None:
    allow = _allow("drift", "public.*"), _allow("orphan-rows", "*"), _allow("index-missing", "*")

    assert _codes(_check(leaf, KEY, *allow, only=("contract", "rows"))) == ["key-maybe-stopped", "allowance-unused"]
    assert _codes(_check(leaf, KEY, *allow, only=("indexes",))) == ["allowance-unused"]


def test_findings_of_rows_and_indexes_are_allowed(leaf: Database) -> None:
    with leaf.connect() as connection:
        connection.execute(
            "DROP INDEX leaf_parent_id_idx; ALTER TABLE leaf DISABLE TRIGGER ALL; INSERT INTO leaf VALUES (1, 9)"
        )

    allow = _allow("orphan-rows", OBJECT), _allow("index-missing", "public.leaf(*)")
    result = _check(leaf, KEY, *allow, only=("rows", "indexes"))

    assert (result.exit_code, result.findings) == (0, ())
    assert [a.finding.code for a in result.allowed] == ["orphan-rows", "index-missing"]


def test_migrations_of_the_ledger_are_allowed(database: Database, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id int);\n")
    operations.migrate(database, read_migrations(tmp_path))
    (tmp_path / "002_b.sql").write_text("CREATE TABLE b (id int);\n")
    files = read_migrations(tmp_path)

    assert check_database(database, None, migrations=files, only=("ledger",)).exit_code == 1
    allowed = check_database(
        database, parse_contract(_allow("ledger-pending", "00*")), migrations=files, only=("ledger",)
    )

    assert (allowed.exit_code, [a.finding.object for a in allowed.allowed]) == (0, ["002_b"])
    assert {v.verdict for v in allowed.verified} == {"yes"}


def test_what_is_not_ours_is_no_drift(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE jobs (id int)")
        wanted = read_migrated(connection)
        connection.execute(
            "CREATE TABLE jobs_2026_01 (LIKE jobs); CREATE TABLE jobs_2026_02 (LIKE jobs); CREATE SCHEMA provider;"
            "CREATE TABLE provider.x (id int); CREATE VIEW stranger AS SELECT 1 AS a"
        )
    contract = parse_contract(_allow("drift", "public.jobs_2026_*") + _allow("drift", "provider*"))

    result = check_database(database, contract, wanted=wanted, only=("drift",))

    assert [f.object for f in result.findings] == ["public.stranger"]
    assert {"public.jobs_2026_01", "public.jobs_2026_02", "provider"} <= {a.finding.object for a in result.allowed}
    with database.connect() as connection:
        connection.execute("DROP VIEW stranger")
        assert read_catalog(connection)
    assert check_database(database, contract, wanted=wanted, only=("drift",)).findings == ()


def test_a_contract_that_only_allows_requires_nothing(database: Database) -> None:
    result = _check(database, _allow("drift", "public.*"), only=("contract", "indexes"))

    assert (result.exit_code, result.findings, result.verified) == (0, (), ())
    assert "requires nothing" in result.notes[0]


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ('code = "drfit"\nobject = "x"\nreason = "y"', "no code drfit", "did you mean drift?"),
        ('code = "nonsense"\nobject = "x"\nreason = "y"', "no code nonsense", "check --help"),
        ('code = "drift"\nreason = "y"', "needs object", ""),
        ('code = "drift"\nobject = "x"', "needs reason", ""),
        ('code = "drift"\nobject = "x"\nreason = " "', "reason is empty", ""),
        ('code = "drift"\nobject = "x"\nreason = "y"\nbdoy = "z"', "unknown entry bdoy", "did you mean body?"),
    ],
)
def test_an_allowance_that_says_too_little_is_refused(entry: str, message: str, hint: str) -> None:
    with pytest.raises(BadContract) as caught:
        parse_contract(f"[[allow]]\n{entry}\n")

    assert message in str(caught.value) and hint in caught.value.hint


def test_allowances_are_written_as_they_are_read() -> None:
    contract = parse_contract(KEY + _allow("drift", 'public."a b"*') + _allow("key-maybe-stopped", "*", "0123"))

    assert parse_contract(render_contract(contract)) == contract


@pytest.mark.parametrize(
    ("object_", "is_unused"),
    [
        ("public.jobs", False),  # its grants were not compared
        ("public.*", False),
        ("*", False),
        ('app.public."TABLES"', False),  # what a role grants beforehand
        ("public.jobs_*", True),
    ],
)
def test_an_allowance_that_may_be_of_grants_is_not_unused_where_grants_were_not_compared(
    database: Database, object_: str, is_unused: bool
) -> None:
    contract = parse_contract(_allow("drift", object_))
    with database.connect() as connection:
        connection.execute("CREATE TABLE jobs (id int)")
        plain, granted = read_migrated(connection), read_migrated(connection, privileges=True)
        connection.execute("GRANT SELECT ON jobs TO PUBLIC")

    found = check_database(database, contract, wanted=plain, only=("drift",)).findings
    assert [f.code for f in found] == ["allowance-unused"] * is_unused
    compared = check_database(database, contract, wanted=granted, only=("drift",), privileges=True)
    assert [a.finding.object for a in compared.allowed] == ["public.jobs"] * fnmatchcase("public.jobs", object_)


def test_an_allowance_for_a_schema_that_was_left_out_is_not_unused(leaf: Database) -> None:
    with leaf.connect() as connection:
        connection.execute("CREATE SCHEMA app")
        wanted = read_migrated(connection, schemas=("public",))
    allow = (_allow("key-maybe-stopped", "*", body_hash(BODY)), _allow("table-unlogged", "app.leaf"))
    contract = parse_contract("\n".join((KEY, *allow, _allow("drift-beside", "app.*"), _allow("drift-beside", "xp*"))))

    limited = check_database(leaf.with_schema("public"), contract, wanted=wanted, only=("contract", "drift"))
    assert limited.findings == ()
    everywhere = check_database(leaf, contract, wanted=wanted, only=("contract", "drift"))
    assert {f.object for f in everywhere.findings if f.code == "allowance-unused"} == {
        "table-unlogged app.leaf",
        "drift-beside app.*",
        "drift-beside xp*",
    }


def test_an_allowance_for_rows_that_were_not_read_is_not_unused(leaf: Database) -> None:
    contract = parse_contract(KEY + _allow("orphan-rows", "*"))
    with leaf.connect(autocommit=False) as other:
        other.execute("LOCK TABLE leaf")
        assert _codes(check_database(leaf, contract, only=("rows",))) == ["rows-unfinished"]

    assert _codes(check_database(leaf, contract, only=("rows",))) == ["allowance-unused"]
