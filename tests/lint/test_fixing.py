"""The safe way is written into files: both make the same, and lint finds nothing any more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lint.test_rules import migrations_of
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations as engine
from wflo_schema.files.directives import UNDO_UNWRITTEN
from wflo_schema.files.folder import read_migrations
from wflo_schema.findings import Severity
from wflo_schema.lint.fixing import fix
from wflo_schema.lint.operations import LintOptions, lint
from wflo_schema.lint.rules import EXAMPLE, RULES, LintRule, files_of
from wflo_schema.scratch.replay import replayed

pytestmark = pytest.mark.spread_over_servers

BASE = EXAMPLE + "CREATE TABLE notes (id bigint, text text NOT NULL);\n"

# A file, and its rollback file.
FILES = {
    "index": ("CREATE INDEX ON orders (state);", "DROP INDEX orders_state_idx;"),
    "unique index with a condition": (
        "CREATE UNIQUE INDEX u ON orders (lower(state)) WHERE total > 0;",
        "DROP INDEX u;",
    ),
    "unique": ("ALTER TABLE users ADD UNIQUE (email);", "ALTER TABLE users DROP CONSTRAINT users_email_key;"),
    "unique, deferrable": (
        "ALTER TABLE users ADD CONSTRAINT one UNIQUE (email) INCLUDE (age) DEFERRABLE INITIALLY DEFERRED;",
        "ALTER TABLE users DROP CONSTRAINT one;",
    ),
    "primary key": ("ALTER TABLE notes ADD PRIMARY KEY (text);", "ALTER TABLE notes DROP CONSTRAINT notes_pkey;"),
    "check": ("ALTER TABLE orders ADD CHECK (total > 0);", "ALTER TABLE orders DROP CONSTRAINT orders_total_check;"),
    "two in one": (
        "ALTER TABLE orders ADD CHECK (total > 0), ADD COLUMN note text, ALTER COLUMN state SET NOT NULL;",
        """\
ALTER TABLE orders ALTER COLUMN state DROP NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_total_check, DROP COLUMN note;""",
    ),
    "foreign key": (
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;",
        "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;",
    ),
    "not null": (
        "ALTER TABLE orders ALTER user_id SET NOT NULL;",
        "ALTER TABLE orders ALTER COLUMN user_id DROP NOT NULL;",
    ),
    "two tables": (
        "ALTER TABLE users ADD COLUMN nick text;\nALTER TABLE orders ADD COLUMN note text;",
        "ALTER TABLE orders DROP COLUMN note;\nALTER TABLE users DROP COLUMN nick;",
    ),
    "much": (
        """\
-- why
-- lock-timeout: 2s
ALTER TABLE users ADD COLUMN nick text;
-- to find them
CREATE INDEX users_nick ON users (nick);
CREATE TABLE more (id bigint PRIMARY KEY);
ALTER TABLE orders ADD CHECK (total > 0);
CREATE VIEW v AS SELECT id FROM users;""",
        """\
DROP VIEW v;
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
DROP TABLE more;
DROP INDEX users_nick;
ALTER TABLE users DROP COLUMN nick;""",
    ),
    "not transactional": (
        """\
-- transactional: false
ALTER TABLE users ADD COLUMN nick text;
CREATE INDEX i ON orders (state);
ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0);""",
        "ALTER TABLE orders DROP CONSTRAINT c;\nDROP INDEX i;\nALTER TABLE users DROP COLUMN nick;",
    ),
}


def made(database: Database, folder: Path) -> Catalog:
    return replayed(database, read_migrations(folder))


def weighty(database: Database, folder: Path) -> list[tuple[str, str]]:
    findings = lint(database, read_migrations(folder)).findings
    return [(f.code, f.message) for f in findings if f.severity is not Severity.NOTE]


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_makes_the_same_and_nothing_is_found_in_it(
    name: str, database: Database, tmp_path: Path
) -> None:
    forward, back = FILES[name]
    migrations = migrations_of(tmp_path, BASE, forward)
    (tmp_path / "20260101_02_abcde-step.rollback.sql").write_text(back)
    migrations = read_migrations(tmp_path)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    want = made(database, tmp_path)
    assert weighty(database, tmp_path) != []
    fixed = fix(database, migrations)
    assert fixed.paths != ()
    assert fixed.left == ()
    assert weighty(database, tmp_path) == []
    assert [d for d in compare_catalogs(made(database, tmp_path), want) if not d.cosmetic] == []
    assert fix(database, read_migrations(tmp_path)).paths == ()


@pytest.mark.one_server
@pytest.mark.parametrize("name", FILES)
def test_what_is_written_can_be_applied_and_rolled_back_file_by_file(
    name: str, database: Database, tmp_path: Path
) -> None:
    forward, back = FILES[name]
    migrations_of(tmp_path, BASE, forward)
    (tmp_path / "20260101_02_abcde-step.rollback.sql").write_text(back)
    migrations = read_migrations(tmp_path)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fix(database, migrations)
    migrations = read_migrations(tmp_path)
    engine.migrate(database, migrations)
    for m in reversed(migrations.items[1:]):
        engine.rollback(database, migrations)
        engine.migrate(database, migrations, to=m.id)
        engine.rollback(database, migrations)
    assert [e.id for e in engine.status(database, migrations).pending] == [m.id for m in migrations.items[1:]]


@pytest.mark.one_server
def test_an_applied_file_is_never_touched(database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, BASE, "CREATE INDEX i ON orders (state);")
    engine.migrate(database, migrations)
    fixed = fix(database, migrations, options=LintOptions(files=("20260101_02",)))
    assert fixed.paths == ()
    assert fixed.left == (("20260101_02_abcde-step", "it is applied"),)


@pytest.mark.one_server
def test_what_is_allowed_is_left(database: Database, tmp_path: Path) -> None:
    text = "-- lint: allow index-blocks-writes because it is small\nCREATE INDEX i ON orders (state);"
    migrations = migrations_of(tmp_path, BASE, text)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    assert fix(database, migrations).paths == ()


@pytest.mark.one_server
def test_a_rollback_that_is_not_written_yet_is_not_said_to_be_empty(database: Database, tmp_path: Path) -> None:
    migrations_of(tmp_path, BASE, "ALTER TABLE users ADD COLUMN nick text;\nALTER TABLE orders DROP COLUMN state;")
    (tmp_path / "20260101_02_abcde-step.rollback.sql").write_text(f"-- undo: step\n{UNDO_UNWRITTEN}\n")
    migrations = read_migrations(tmp_path)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    paths = fix(database, migrations).paths
    backs = [path.read_text() for path in paths if path.name.endswith(".rollback.sql")]
    assert len(backs) == 2
    assert all(UNDO_UNWRITTEN in back for back in backs)
    said = lint(database, read_migrations(tmp_path)).findings
    assert any(f.code == "rollback-differs" and "orders.state" in f.message for f in said)


@pytest.mark.one_server
def test_a_file_that_cannot_be_cut_is_left_as_it_is(database: Database, tmp_path: Path) -> None:
    add = "ALTER TABLE notes ADD CONSTRAINT one UNIQUE (text);"
    text = f"{add}\nINSERT INTO notes VALUES (1, 'a') ON CONFLICT ON CONSTRAINT one DO NOTHING;"
    migrations = migrations_of(tmp_path, BASE, text)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fixed = fix(database, migrations)
    assert fixed.paths == ()
    ((i, why),) = fixed.left
    assert i == "20260101_02_abcde-step"
    assert "it fails" in why or "fails:" in why
    assert (tmp_path / "20260101_02_abcde-step.sql").read_text() == text


@pytest.mark.parametrize(
    "last",
    ["TRUNCATE orders", "DELETE FROM orders WHERE total = 1", "ALTER TABLE notes ALTER COLUMN id SET DEFAULT 1"],
)
def test_rows_that_are_copied_are_not_removed_before(last: str, database: Database, tmp_path: Path) -> None:
    text = f"ALTER TABLE users ADD COLUMN x text;\nINSERT INTO notes (text) SELECT state FROM orders;\n{last};"
    migrations = migrations_of(tmp_path, BASE, text)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fix(database, migrations)
    sql = "\n".join(p.read_text() for p in sorted(tmp_path.glob("*_02*.sql")) if "rollback" not in p.name)
    assert sql.index("INSERT INTO notes") < sql.index(last)


def test_a_file_that_cannot_be_cut_keeps_no_other_from_it(database: Database, tmp_path: Path) -> None:
    add = "ALTER TABLE notes ADD CONSTRAINT one UNIQUE (text);"
    text = f"{add}\nINSERT INTO notes VALUES (1, 'a') ON CONFLICT ON CONSTRAINT one DO NOTHING;"
    migrations = migrations_of(tmp_path, BASE, text, "CREATE INDEX ON orders (state);")
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fixed = fix(database, migrations)
    assert [path.name for path in fixed.paths] == [Path(migrations.items[2].path).name]
    assert [i for i, _ in fixed.left] == ["20260101_02_abcde-step"]
    assert Path(migrations.items[1].path).read_text() == text


MECHANICAL = {
    "index-blocks-writes", "reindex-blocks", "unique-blocks", "check-scans", "not-null-scans", "foreign-key-scans",
    "view-refreshed", "validated-at-once", "lock-held", "data-with-schema", "tables-locked-together",
}  # fmt: skip


@pytest.mark.spread_over_servers
@pytest.mark.parametrize("rule", [r for r in RULES if r.code in MECHANICAL], ids=lambda rule: rule.code)
def test_the_bad_example_of_a_mechanical_rule_becomes_good(rule: LintRule, database: Database, tmp_path: Path) -> None:
    migrations = migrations_of(tmp_path, EXAMPLE + rule.given, *files_of(rule.bad))
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fixed = fix(database, migrations)
    assert fixed.left == ()
    assert weighty(database, tmp_path) == []


@pytest.mark.one_server
def test_only_what_is_new_since_a_revision_is_written(database: Database, tmp_path: Path) -> None:
    texts = ("CREATE INDEX i ON orders (state);", "CREATE INDEX j ON orders (total);")
    migrations = migrations_of(tmp_path, BASE, *texts)
    for words in (("init", "-q"), ("add", "*02_abcde-step.sql", "*base.sql"), ("commit", "-qm", "base")):
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        subprocess.run(git, cwd=tmp_path, check=True)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fixed = fix(database, migrations, options=LintOptions(since="HEAD"))
    assert [p.name for p in fixed.paths] == ["20260101_03_abcde-step.sql"]
    assert (tmp_path / "20260101_02_abcde-step.sql").read_text() == texts[0]


@pytest.mark.one_server
def test_variables_stay_variables(database: Database, tmp_path: Path) -> None:
    text = """\
-- variables: least, state
ALTER TABLE orders ALTER COLUMN state SET DEFAULT :'state';
CREATE INDEX i ON orders (state) WHERE state = :'state';
ALTER TABLE orders ADD CONSTRAINT enough CHECK (total > :'least'::numeric);
"""
    migrations_of(tmp_path, BASE, text)
    migrations = read_migrations(tmp_path, variables={"least": "7", "state": "open"})
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fixed = fix(database, migrations)
    assert fixed.left == ()
    written = {p.name: p.read_text() for p in fixed.paths}
    assert written, lint(database, migrations).findings
    assert ":'least'::numeric) NOT VALID;" in written["20260101_02_abcde-step.sql"]
    assert not any("> '7'" in one for one in written.values())
    assert "-- variables: state\n" in written["20260101_02_abcde-step_02-index.sql"]
    engine.migrate(database, read_migrations(tmp_path, variables={"least": "7", "state": "open"}))


@pytest.mark.one_server
def test_what_is_cut_stays_in_its_sub_folder(database: Database, tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    migrations_of(tmp_path / "2026", BASE, "ALTER TABLE orders ADD CONSTRAINT enough CHECK (total > 0);")
    migrations = read_migrations(tmp_path, recursive=True)
    engine.migrate(database, migrations, to=migrations.items[0].id)
    fixed = fix(database, migrations)
    assert [str(p.relative_to(tmp_path)) for p in fixed.paths] == [
        "2026/20260101_02_abcde-step.sql", "2026/20260101_02_abcde-step_02-validate.sql",
    ]  # fmt: skip
    assert lint(database, read_migrations(tmp_path, recursive=True)).findings == ()
