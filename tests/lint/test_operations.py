"""What lint judges: what is pending, named or new; with allowances, phases, sizes and a contract."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lint.test_rules import migrations_of
from wflo_schema.check.contract_file import parse_contract
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Severity
from wflo_schema.lint.context import Context
from wflo_schema.lint.operations import LintOptions, judge, lint
from wflo_schema.lint.rules import EXAMPLE
from wflo_schema.lint.values import LintResult
from wflo_schema.trace.operations import trace
from wflo_schema.trace.sizes import Size

pytestmark = pytest.mark.spread_over_servers

BASE = "20260101_01_abcde-base"
INDEX = "CREATE INDEX orders_state ON orders (state);"
ALLOW = "-- lint: allow index-blocks-writes because it is small"


def linted(
    database: Database, folder: Path, *texts: str, applied: int = 1, options: LintOptions | None = None
) -> LintResult:
    """The result for files of these texts behind the base, of which the first are applied."""
    migrations = migrations_of(folder, EXAMPLE, *texts)
    if applied:
        engine.migrate(database, migrations, to=migrations.items[applied - 1].id)
    return lint(database, migrations, options=options)


def codes(result: LintResult) -> list[str]:
    return [f.code for f in result.findings if f.severity is not Severity.NOTE]


def test_a_finding_says_where_it_is(database: Database, tmp_path: Path) -> None:
    (found,) = linted(database, tmp_path, f"-- why\n\n  {INDEX}\n").findings
    assert found.location is not None
    assert (Path(found.location.path).name, found.location.line, found.location.column) == (
        "20260101_02_abcde-step.sql", 3, 3,
    )  # fmt: skip
    assert found.source_line == f"  {INDEX}"
    assert (found.id, found.statement, found.object) == ("20260101_02_abcde-step", 1, "public.orders")


def test_what_is_made_by_a_pending_file_needs_no_care(database: Database, tmp_path: Path) -> None:
    result = linted(database, tmp_path, INDEX, "ALTER TABLE users ALTER COLUMN age TYPE bigint;", applied=0)
    assert codes(result) == []
    assert len(result.judged) == 3


def test_what_was_made_and_renamed_by_pending_files_needs_no_care(database: Database, tmp_path: Path) -> None:
    texts = ("CREATE TABLE a (x integer);", "ALTER TABLE a RENAME TO b;", "CREATE INDEX b_x ON b (x);")
    assert linted(database, tmp_path, *texts).findings == ()


def test_what_was_made_and_is_renamed_further_up_in_the_file_needs_no_care(database: Database, tmp_path: Path) -> None:
    change = "ALTER TABLE a RENAME TO b; ALTER TABLE b DROP COLUMN x; ALTER TABLE b RENAME y TO z;"
    assert linted(database, tmp_path, "CREATE TABLE a (x integer, y integer);", change).findings == ()


def test_partitions_of_a_new_table_need_no_care(database: Database, tmp_path: Path) -> None:
    texts = (
        "CREATE TABLE a (x integer) PARTITION BY LIST (x);\nCREATE TABLE a1 PARTITION OF a DEFAULT;",
        "CREATE TABLE a2 PARTITION OF a FOR VALUES IN (2);\nCREATE INDEX a_x ON a (x);",
    )
    assert linted(database, tmp_path, *texts).findings == ()


def test_what_is_applied_is_not_judged(database: Database, tmp_path: Path) -> None:
    assert linted(database, tmp_path, INDEX, applied=2).judged == ()


def test_an_applied_file_is_judged_by_name_on_top_of_what_comes_before(database: Database, tmp_path: Path) -> None:
    options = LintOptions(files=("20260101_02",))
    assert codes(linted(database, tmp_path, INDEX, applied=2, options=options)) == ["index-blocks-writes"]


def test_only_files_that_are_new_since_a_revision_are_judged(database: Database, tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)

    migrations_of(tmp_path, EXAMPLE, "ALTER TABLE users ALTER COLUMN age TYPE bigint;")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "base")
    migrations = migrations_of(tmp_path, EXAMPLE, "ALTER TABLE users ALTER COLUMN age TYPE bigint;", INDEX)
    result = lint(database, migrations, options=LintOptions(since="HEAD"))
    assert codes(result) == ["index-blocks-writes"]
    assert result.judged == ("20260101_03_abcde-step",)


def test_what_stands_behind_a_refused_statement_is_not_judged(database: Database, tmp_path: Path) -> None:
    result = linted(database, tmp_path, "ALTER TABLE nobody ADD x int;", INDEX)
    assert codes(result) == ["statement-refused"]
    assert result.exit_code == 1


def test_what_refuses_itself_for_want_of_rows_is_told_apart(database: Database, tmp_path: Path) -> None:
    raises = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM users) THEN RAISE EXCEPTION 'nobody'; END IF; END $$;"
    divides = "DO $$ BEGIN PERFORM 1 / (SELECT count(*) FROM users); END $$;"
    result = linted(database, tmp_path, raises, divides, INDEX)
    assert codes(result) == ["undecided", "undecided", "index-blocks-writes"]
    assert [f.message for f in result.findings[:2]] == [
        "PostgreSQL refuses it without the rows that the target has: nobody",
        "PostgreSQL refuses it without the rows that the target has: division by zero",
    ]


def test_a_file_that_cannot_be_read_does_not_hide_what_is_wrong_before_it(database: Database, tmp_path: Path) -> None:
    result = linted(database, tmp_path, INDEX, "BEGIN; SELECT 1;", INDEX)
    assert codes(result) == ["index-blocks-writes", "file-refused"]


def test_a_lock_is_held_over_a_slow_statement_of_another_table(database: Database, tmp_path: Path) -> None:
    text = "ALTER TABLE users ADD COLUMN nick text;\nALTER TABLE orders VALIDATE CONSTRAINT positive;"
    before = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;"
    result = linted(database, tmp_path, before, text, applied=2)
    assert codes(result) == ["lock-held"]
    assert "public.users is locked ACCESS EXCLUSIVE since line 1" in result.findings[0].message


def test_without_a_transaction_no_lock_is_held_over_the_next_statement(database: Database, tmp_path: Path) -> None:
    text = (
        "-- transactional: false\n"
        "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;\n"
        "ALTER TABLE orders VALIDATE CONSTRAINT positive;\n"
        "ALTER TABLE users ADD COLUMN nick text;\n"
    )
    assert codes(linted(database, tmp_path, text)) == []


MANY = [
    "PREPARE p AS UPDATE orders SET state = 'new';\nEXECUTE p;",
    "EXPLAIN ANALYZE UPDATE orders SET state = 'new';",
    "INSERT INTO orders (id, placed) SELECT id, now() FROM users ON CONFLICT (id) DO UPDATE SET state = 'new';",
    "WITH x AS (SELECT id FROM users) UPDATE orders SET state = 'new';",
    "MERGE INTO orders o USING users u ON o.id = u.id WHEN MATCHED THEN UPDATE SET state = 'new';",
]
FEW = [
    "EXPLAIN UPDATE orders SET state = 'new';",
    "INSERT INTO orders (id, placed) VALUES (1, now()) ON CONFLICT (id) DO UPDATE SET state = 'new';",
    "INSERT INTO orders (id, placed) SELECT id, now() FROM users WHERE id=7 ON CONFLICT (id) DO UPDATE SET total = 1;",
    "INSERT INTO orders (id, placed) SELECT id, now() FROM users ON CONFLICT (id) DO NOTHING;",
    "MERGE INTO orders o USING (VALUES (1)) v (i) ON o.id = v.i WHEN MATCHED THEN UPDATE SET state = 'new';",
    "CREATE TEMP TABLE few AS SELECT 1 AS id;\nUPDATE few SET id = 2;",
    "ALTER TABLE users ADD COLUMN nick text;\nINSERT INTO orders (id, placed) SELECT generate_series(1, 3), now();",
    "ALTER TABLE users ADD nick text;\nINSERT INTO orders (id, placed) SELECT n, now() FROM generate_series(1, 3) n;",
]


@pytest.mark.parametrize("text", MANY)
def test_many_rows_are_changed_at_once(text: str, database: Database, tmp_path: Path) -> None:
    assert codes(linted(database, tmp_path, text)) == ["rows-changed-at-once"]


@pytest.mark.parametrize("text", FEW)
def test_few_rows_are_no_finding(text: str, database: Database, tmp_path: Path) -> None:
    assert codes(linted(database, tmp_path, text)) == []


def test_a_block_that_changes_many_rows_is_said_to_and_to_be_undecided(database: Database, tmp_path: Path) -> None:
    text = "DO $$ BEGIN IF EXISTS (SELECT FROM users) THEN UPDATE orders SET state = 'new'; END IF; END $$;"
    result = linted(database, tmp_path, text)
    assert codes(result) == ["rows-changed-at-once", "undecided"]
    assert result.exit_code == 1


SETS_OFF = """\
CREATE TABLE counts (id integer PRIMARY KEY, n integer);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.state := 'x'; RETURN NEW; END $$;
CREATE FUNCTION count_one() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE counts SET n = n + 1 WHERE id = 1; RETURN NULL; END $$;
CREATE FUNCTION count_all() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN UPDATE counts SET n = n + 1; RETURN NULL; END $$;
CREATE TRIGGER a BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER b AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION count_one();
CREATE TRIGGER d AFTER UPDATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION count_all();
CREATE RULE c AS ON INSERT TO users DO ALSO UPDATE counts SET n = n + 1;
"""


def test_what_rules_and_triggers_go_through_is_undecided(database: Database, tmp_path: Path) -> None:
    few = "INSERT INTO orders (id, placed) VALUES (1, now());"
    rule = "INSERT INTO users (id, email) VALUES (1, 'a');"
    result = linted(database, tmp_path, SETS_OFF, few, rule, "UPDATE orders SET state = 'y' WHERE id = 1;", applied=2)
    assert [(f.code, f.id) for f in result.findings] == [
        ("undecided", "20260101_04_abcde-step"), ("undecided", "20260101_05_abcde-step")
    ]  # fmt: skip
    assert "public.counts" in result.findings[0].message


def test_what_is_left_behind_stands_where_it_is_made(database: Database, tmp_path: Path) -> None:
    text = (
        "ALTER TABLE users ADD COLUMN boss bigint CONSTRAINT k REFERENCES users;\n"
        "CREATE TABLE notes (id bigint PRIMARY KEY, of_user bigint REFERENCES users);\n"
        "CREATE INDEX ON notes (id);\n"
        "ALTER TABLE notes RENAME TO remarks;\n"
        "COMMENT ON TABLE users IS 'remarks_id_idx: users REFERENCES users';\n"
    )
    found = linted(database, tmp_path, text).findings
    assert [(f.code, f.location.line, f.help.splitlines()[-1]) for f in found if f.location is not None] == [
        ("key-without-index", 1, "CREATE INDEX CONCURRENTLY users_boss_idx ON users (boss);"),
        ("key-without-index", 2, "CREATE INDEX remarks_of_user_idx ON remarks (of_user);"),
        ("index-twice", 3, "leave it out"),
    ]


def test_several_commands_of_one_alter_are_each_written_safely(database: Database, tmp_path: Path) -> None:
    text = "ALTER TABLE users ALTER COLUMN name TYPE text, ALTER COLUMN name SET NOT NULL;"
    (found,) = linted(database, tmp_path, text).findings
    assert found.help.splitlines() == [
        "ALTER TABLE users ALTER COLUMN name TYPE text;",
        "ALTER TABLE users ADD CONSTRAINT users_name_set CHECK (name IS NOT NULL) NOT VALID;",
        "-- in the next file:",
        "ALTER TABLE users VALIDATE CONSTRAINT users_name_set;",
        "-- in the next file:",
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;",
        "ALTER TABLE users DROP CONSTRAINT users_name_set;",
    ]


def test_the_recipe_is_said_where_there_is_one(database: Database, tmp_path: Path) -> None:
    (found,) = linted(database, tmp_path, "ALTER TABLE users ALTER COLUMN age TYPE bigint;").findings
    assert found.help.splitlines()[1:] == ["wflo-schema new --recipe change-type users.age bigint"]


def test_a_lock_is_not_held_behind_the_savepoint_before_it(database: Database, tmp_path: Path) -> None:
    text = "SAVEPOINT a;\nALTER TABLE users ADD COLUMN nick text;\n{}\nSELECT count(*) FROM orders;"
    assert codes(linted(database, tmp_path, text.format("ROLLBACK TO a;"))) == []
    assert codes(linted(database, tmp_path, text.format("RELEASE a;"))) == ["lock-held"]


# --- allowances -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{ALLOW}\n{INDEX}",
        f"SELECT 1;\n{ALLOW}\n{INDEX}",
        f"SELECT 1;\n{INDEX} {ALLOW}\nSELECT 2;",
        f"SELECT 1;\nCREATE INDEX orders_state\n{ALLOW}\nON orders (state);",
        f"-- why\n{ALLOW.replace(' index', ' check-scans, index')}\n{INDEX}\nALTER TABLE users ADD CHECK (age > 0);",
    ],
    ids=["the file", "above", "beside", "inside", "two codes"],
)
def test_a_comment_allows_a_finding(text: str, database: Database, tmp_path: Path) -> None:
    result = linted(database, tmp_path, text)
    assert [f.code for f in result.findings if f.code != "tables-locked-together"] == []
    assert "index-blocks-writes" in [one.finding.code for one in result.allowed]
    assert "small" in result.allowed[0].reason


def test_a_comment_allows_nothing_at_another_statement(database: Database, tmp_path: Path) -> None:
    text = f"SELECT 1;\n-- lint: allow index-blocks-writes because small\nSELECT 2;\n{INDEX}"
    assert sorted(codes(linted(database, tmp_path, text))) == ["allowance-unused", "index-blocks-writes"]


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("-- lint: allow index-blocks-writes", "it gives no reason"),
        ("-- lint: allow index-blocks-writes because", "it gives no reason"),
        ("-- lint: allow index-blocks because small", "there is no code index-blocks"),
        ("-- lint: allow allowance-unused because small", "allowance-unused cannot be allowed"),
        ("-- lint: ignore", "-- lint: ignore is no allowance"),
    ],
)
def test_an_allowance_that_is_written_wrong_is_an_error(
    comment: str, said: str, database: Database, tmp_path: Path
) -> None:
    result = linted(database, tmp_path, f"{comment}\n{INDEX}")
    assert sorted(codes(result)) == ["allowance-wrong", "index-blocks-writes"]
    assert next(f.message for f in result.findings if f.code == "allowance-wrong") == said


def test_an_allowance_for_a_table_that_is_new_here_is_not_called_unused(database: Database, tmp_path: Path) -> None:
    text = f"-- lint: allow index-blocks-writes because small\n{INDEX}"
    assert codes(linted(database, tmp_path, text, applied=0)) == []


# --- sizes, phases, contract ------------------------------------------------------------------


def test_small_tables_need_no_care_where_that_is_asked_for(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, EXAMPLE, INDEX, "ALTER TABLE users ADD CHECK (age > 0);")
    engine.migrate(database, migrations, to=BASE)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO users (id, email) SELECT n, n FROM generate_series(1, 3000) AS n; ANALYZE users"
        )
        connection.execute("ANALYZE orders")
    assert codes(lint(database, migrations)) == ["index-blocks-writes", "check-scans"]
    assert codes(lint(database, migrations, options=LintOptions(rows_that_matter=2000))) == ["check-scans"]
    assert codes(lint(database, migrations, options=LintOptions(rows_that_matter=5000))) == []


def test_small_tables_need_no_care_in_a_database_with_large_ones(database: Database, tmp_path: Path) -> None:
    allowed = "-- lint: allow check-scans because it is small\nALTER TABLE orders ADD CHECK (total > 0);"
    migrations = migrations_of(tmp_path, EXAMPLE, INDEX, allowed, "ALTER TABLE users ADD CHECK (age > 0);")
    engine.migrate(database, migrations, to=BASE)
    assert codes(lint(database, migrations)) == ["index-blocks-writes", "check-scans"]
    with database.connect() as connection:
        connection.execute("INSERT INTO users (id, email) SELECT n, n FROM generate_series(1, 10000) AS n")
        connection.execute("ANALYZE users; ANALYZE orders")
    result = lint(database, migrations)
    assert [(f.code, f.object) for f in result.findings] == [("check-scans", "public.users")]
    assert result.notes == (
        "not told, for want of 10,000 rows: index-blocks-writes of public.orders; --rows-that-matter 0 tells it",
    )
    strict = lint(database, migrations, options=LintOptions(rows_that_matter=0))
    assert codes(strict) == ["index-blocks-writes", "check-scans"]


def test_a_table_whose_size_nobody_knows_counts_as_big() -> None:
    there = Size("public.a", "public", "a", "r", None, 8192)
    context = Context(sizes={"public.a": there}, rows_that_matter=10_000)
    assert context.matters("public.a")
    assert context.matters("public.b")
    assert not replace(context, sizes={"public.a": replace(there, rows=10)}).matters("public.a")


def test_a_drop_after_the_deploy_is_no_finding_and_weighs_more_before_it(database: Database, tmp_path: Path) -> None:
    drop = "ALTER TABLE users DROP COLUMN {};"
    late = f"-- phase: after-deploy\n{drop.format('born')}"
    assert [f.severity for f in linted(database, tmp_path, drop.format("age")).findings] == [Severity.NOTE]
    both = linted(database, tmp_path, drop.format("age"), late)
    assert [(f.code, f.severity, f.id) for f in both.findings] == [
        ("dropped", Severity.WARNING, "20260101_02_abcde-step")
    ]


def test_another_schema_than_the_targets_is_found(database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA app; CREATE SCHEMA other")
    texts = ("CREATE TABLE app.a (x bigint);", "CREATE TABLE other.a (x bigint);")
    result = linted(database.with_schema("app"), tmp_path, *texts)
    assert ("outside-schema", "20260101_03_abcde-step") in [(f.code, f.id) for f in result.findings]
    assert "20260101_02_abcde-step" not in [f.id for f in result.findings]


def test_what_the_contract_requires_must_be_there_in_the_end(database: Database, tmp_path: Path) -> None:
    contract = parse_contract("[[foreign_key]]\nfrom = 'orders(user_id)'\nto = 'users(id)'")
    result = linted(database, tmp_path, "SELECT 1;", options=LintOptions(contract=contract))
    assert "contract-broken" in codes(result)


# --- rollbacks --------------------------------------------------------------------------------


def with_rollback(database: Database, folder: Path, forward: str, back: str) -> list[str]:
    (folder / "20260101_02_abcde-step.rollback.sql").write_text(back)
    return codes(linted(database, folder, forward))


@pytest.mark.parametrize(
    ("forward", "back", "found"),
    [
        ("CREATE TABLE a (x int);", "DROP TABLE a;", []),
        ("ALTER TABLE users ADD COLUMN nick text;", "ALTER TABLE users DROP COLUMN nick;", []),
        ("CREATE TABLE a (x int);", "-- nothing-to-undo: it may stay", []),
        ("CREATE TABLE a (x int);", "SELECT 1;", ["rollback-differs"]),
        ("CREATE TABLE a (x int);", "DROP TABLE b;", ["rollback-loses", "rollback-refused"]),
        ("ALTER TABLE users DROP COLUMN born;", "ALTER TABLE users ADD COLUMN born text;", ["rollback-loses"]),
        ("ALTER TABLE users ADD COLUMN nick text;", "DROP TABLE users;", ["rollback-differs", "rollback-loses"]),
        ("INSERT INTO users VALUES (1, 'a');", "DELETE FROM users WHERE id = 1;", []),
        ("INSERT INTO users VALUES (1, 'a');", "DELETE FROM users;", ["rollback-loses"]),
        ("ALTER TABLE users RENAME COLUMN age TO years;", "ALTER TABLE users RENAME COLUMN years TO age;", []),
        (
            "ALTER TABLE users ADD b text; UPDATE users SET b = born WHERE id = 1; ALTER TABLE users DROP born;",
            "ALTER TABLE users ADD born text; UPDATE users SET born = b; ALTER TABLE users DROP b;",
            [],
        ),
        (
            "ALTER TABLE orders RENAME TO kept; CREATE TABLE orders (LIKE kept); ALTER TABLE kept ADD x int;",
            "DROP TABLE orders; ALTER TABLE kept RENAME TO orders; ALTER TABLE orders DROP x;",
            [],
        ),
        (
            "ALTER TABLE users RENAME COLUMN born TO b;",
            "ALTER TABLE users DROP b; ALTER TABLE users ADD born text;",
            ["rollback-loses"],
        ),
        ("CREATE TABLE a (x int); ALTER TABLE a RENAME TO b;", "DROP TABLE b;", []),
    ],
)
def test_a_rollback_takes_back_what_was_done_and_no_more(
    forward: str, back: str, found: list[str], database: Database, tmp_path: Path
) -> None:
    assert sorted(with_rollback(database, tmp_path, forward, back)) == found


def test_a_trace_that_was_made_before_can_be_judged(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, EXAMPLE, INDEX)
    engine.migrate(database, migrations, to=BASE)
    assert codes(judge(database, migrations, trace(database, migrations))) == ["index-blocks-writes"]


def test_nothing_is_written_in_the_target(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, EXAMPLE, INDEX)
    lint(database, migrations)
    with database.connect() as connection:
        found = connection.execute("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    assert found == []
    assert read_migrations(tmp_path).items == migrations.items


def test_a_file_with_variables_is_read_like_any_other(database: Database, tmp_path: Path) -> None:
    text = (
        "-- variables: least, gone\nALTER TABLE orders ADD CHECK (total > :'least'::numeric);\nDROP TABLE :\"gone\";\n"
    )
    migrations_of(tmp_path, EXAMPLE, text)
    migrations = read_migrations(tmp_path, variables={"least": "7", "gone": "users"})
    engine.migrate(database, migrations, to=migrations.items[0].id)
    found = [f.code for f in lint(database, migrations).findings]
    assert "check-scans" in found
    assert "dropped" in found


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ("ALTER SCHEMA old RENAME TO new;", "renamed", "old"),
        ("ALTER TYPE mood RENAME VALUE 'sad' TO 'low';", "renamed", "mood"),
        ("DROP SCHEMA old;", "dropped", "old"),
    ],
)
def test_names_of_schemas_and_values_are_in_use_as_well(
    text: str, code: str, name: str, database: Database, tmp_path: Path
) -> None:
    found = linted(database, tmp_path, "CREATE SCHEMA old; CREATE TYPE mood AS ENUM ('sad');", text, applied=2).findings
    assert [(f.code, f.object) for f in found] == [(code, name)]
