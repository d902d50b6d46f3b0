"""Alembic by the SQL that it writes: a revision is a migration, whatever transactions and branches there are."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.imports.operations import import_folder

ENV = """
from alembic import context
from sqlalchemy import create_engine

options = {"transaction_per_migration": context.config.get_main_option("each") == "yes"}
if context.is_offline_mode():
    context.configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
    with engine.connect() as connection:
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
"""

HEAD = "import sqlalchemy as sa\nfrom alembic import op\n"

REVISIONS = {
    "a1": f'''"""First tables"""\n{HEAD}
revision, down_revision = "a1", None
revision = "a1"
def upgrade():
    op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    op.bulk_insert(sa.table("users", sa.column("name", sa.Text)), [{{"name": "50%; -- no"}}])
    op.execute("CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$\\nBEGIN\\n  NULL;\\n\\n  RETURN 1;\\nEND $$")
def downgrade():
    op.execute("DROP FUNCTION one()")
    op.drop_table("users")
''',
    "b1": f'''"""Branch one"""\n{HEAD}
revision = "b1"
down_revision = "a1"
def upgrade():
    op.execute("CREATE TYPE mood AS ENUM ('sad')")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY users_name ON users (name)")
        op.execute("ALTER TYPE mood ADD VALUE 'glad'")
    op.execute("CREATE TABLE m (m mood DEFAULT 'glad')")
def downgrade():
    op.drop_table("m")
    op.execute("DROP TYPE mood")
    op.drop_index("users_name")
''',
    "b2": f'''"""Branch two"""\n{HEAD}
revision = "b2"
down_revision = "a1"
def upgrade():
    op.add_column("users", sa.Column("age", sa.Integer))
def downgrade():
    op.drop_column("users", "age")
''',
    "c1": '''"""Merge"""
revision = "c1"
down_revision = ("b1", "b2")
def upgrade():
    pass
def downgrade():
    pass
''',
}

BEGIN = """BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    PRIMARY KEY (version_num)
);
"""


def up(revision: str, before: str, sql: str) -> str:
    """One revision as Alembic writes it."""
    record = (
        f"UPDATE alembic_version SET version_num='{revision}' WHERE alembic_version.version_num = '{before}';"
        if before
        else f"INSERT INTO alembic_version (version_num) VALUES ('{revision}') RETURNING alembic_version.version_num;"
    )
    return f"\n-- Running upgrade {before} -> {revision}\n\n{sql}\n\n{record}\n"


def run(project: Path, way: str, revisions: str, *, url: str = "", each: bool = False) -> str:
    """Let Alembic go; without a URL it writes SQL, which is returned."""
    command, config = pytest.importorskip("alembic.command"), pytest.importorskip("alembic.config")
    out = io.StringIO()
    chosen = config.Config(output_buffer=out, stdout=sys.stderr)
    chosen.set_main_option("script_location", str(project))
    chosen.set_main_option("each", "yes" if each else "no")
    chosen.set_main_option("sqlalchemy.url", url)
    getattr(command, way)(chosen, revisions, sql=not url)
    return out.getvalue()


def project_of(root: Path) -> Path:
    """An Alembic project with a branch and its merge."""
    for name, text in {"env.py": ENV, **{f"versions/{r}.py": t for r, t in REVISIONS.items()}}.items():
        path = root / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root / "project"


@pytest.mark.parametrize("each", [False, True], ids=["in-one-transaction", "in-one-each"])
@pytest.mark.spread_over_servers
def test_what_alembic_writes_is_proven_and_its_own_databases_are_adopted(
    tmp_path: Path, database: Database, each: bool
) -> None:
    project = project_of(tmp_path)
    files = {
        "upgrade.sql": run(project, "upgrade", "heads", each=each),
        "downgrade.sql": run(project, "downgrade", "heads:base", each=each),
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "alembic" and found.exit_code == 0
    assert found.proof is not None and found.proof.replayed == 4 and found.proof.rolled_back == 4
    ids = {f.version: f.id for f in found.files}
    assert ids == {"a1": "0001_a1", "b2": "0002_b2", "b1": "0003_b1", "c1": "0004_c1"}
    written = [path.read_text(encoding="utf-8") for path in (tmp_path / "ours").glob("*.sql")]
    assert not any("alembic_version" in text or "COMMIT" in text for text in written)
    assert text_of(tmp_path, "0003_b1.sql").startswith("-- transactional: false\n")
    run(project, "upgrade", "heads", url=database.url.replace("postgresql://", "postgresql+psycopg://"), each=each)
    taken = adopt_database(database, ours(tmp_path), apply=True)
    assert (taken.verdict, taken.id, taken.is_applied) == (Verdict.EQUAL, "0004_c1", True)
    assert [(w.versions, w.stands_for) for w in taken.ledgers] == [(("c1",), "0004_c1")]


def test_names_come_from_the_project_where_it_is_beside_and_it_is_never_run(tmp_path: Path) -> None:
    files = {
        "alembic.ini": "[alembic]\n",
        "versions/x.py": '"""Make users\n\nmore"""\nraise SystemExit\nrevision: str = "a1"\ndown_revision = None\n',
        "upgrade.sql": "INFO  [alembic.runtime.migration] Running upgrade a1 -> b1, In the log\n"
        + BEGIN
        + up("a1", "", "CREATE TABLE users (id int);")
        + up("b1", "a1", "SELECT 1;")
        + "COMMIT;\n",
    }
    assert [f.id for f in imported(tmp_path, files).files] == ["0001_a1-Make-users", "0002_b1-In-the-log"]


def test_a_project_is_refused_with_the_commands_that_write_its_sql(tmp_path: Path) -> None:
    alone = {"0001_x.py": "revision = 'a1'\ndown_revision = None\ndef upgrade():\n    pass\n"}
    flask = {"alembic.ini": "", "env.py": "from flask import current_app", "versions/1.py": alone["0001_x.py"]}
    for n, (files, command) in enumerate(((alone, "alembic"), (flask, "flask db"))):
        with pytest.raises(BadMigrationFile) as refused:
            imported(tmp_path / str(n), files)
        lines = (refused.value.hint or "").splitlines()
        assert f"{command} upgrade heads --sql > alembic-sql/upgrade.sql" in lines
        assert "wflo-schema import alembic-sql" in lines


def test_what_alembic_could_not_write_waits_for_a_person(tmp_path: Path, database: Database) -> None:
    files = {
        "upgrade.sql": BEGIN + up("a1", "", "CREATE TABLE users (id int);") + "\n-- Running upgrade a1 -> b1\n\n",
        "upgrade-2.sql": "BEGIN;\n" + up("d1", "c1", "CREATE TABLE more (id int);") + "COMMIT;\n",
    }
    found = imported(tmp_path, files, database)
    assert [(f.version, f.is_open) for f in found.files] == [("a1", False), ("b1", True), ("c1", True), ("d1", False)]
    assert "upgrade.sql:14: does not end with the line by which Alembic records" in found.files[1].notes[0]
    assert "revision c1, which d1 comes after, is in no file" in found.files[2].notes[0]
    assert found.proof is not None and found.proof.replayed == 1 and found.exit_code == 1


def test_the_folder_grows_by_a_file_of_new_revisions(tmp_path: Path) -> None:
    first = BEGIN + up("a1", "", "CREATE TABLE users (id int);") + "COMMIT;\n"
    imported(tmp_path, {"upgrade.sql": first})
    new = up("b1", "a1", "CREATE TABLE more (id int);")
    folder = str(lay(tmp_path, {"upgrade-2.sql": f"BEGIN;\n{new}COMMIT;\n"}))
    found = import_folder(folder, tmp_path / "ours", follow=True, write=True)
    assert [(f.id, f.is_new) for f in found.files] == [("0001_a1", False), ("0002_b1", True)]
    (tmp_path / "theirs/upgrade-2.sql").unlink()  # or the whole is written anew, with one more
    again = first.removesuffix("COMMIT;\n") + new + up("c1", "b1", "SELECT 1;")
    lay(tmp_path, {"upgrade.sql": again})
    assert len(import_folder(folder, tmp_path / "ours", follow=True, write=True).files) == 3
    lay(tmp_path, {"upgrade.sql": again.replace("users", "people")})
    with pytest.raises(Refused, match="edited, renamed or removed"):
        import_folder(folder, tmp_path / "ours", follow=True)


BAD = {
    "two files of one revision": (
        {"1.sql": BEGIN + up("a1", "", "SELECT 1;"), "2.sql": up("a1", "", "SELECT 2;")},
        "two places have the upgrade of revision a1",
    ),
    "a circle": ({"1.sql": up("a1", "b1", "SELECT 1;") + up("b1", "a1", "SELECT 1;")}, "in a circle: a1, b1"),
    "only what takes back": ({"1.sql": "-- Running downgrade a1 -> \nSELECT 1;"}, "holds only what takes back"),
    "a decorated function": (
        {"1.sql": up("a1", "", "SELECT 1;") + "-- Running wrapper a1 -> b1\n"},
        "neither an upgrade nor a downgrade",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(tmp_path: Path, case: str) -> None:
    files, what = BAD[case]
    with pytest.raises(BadMigrationFile, match=what):
        imported(tmp_path, files)


def test_what_stands_around_the_revisions_is_not_dropped(tmp_path: Path, database: Database) -> None:
    """A schema made in env.py, a ledger of another name, CRLF, %% and Alembic before 0.7 with its DROP TABLE."""
    sql = (BEGIN + up("a1", "", "CREATE TABLE app.users (id int);\n\nCOMMENT ON TABLE app.users IS '50%%';")).replace(
        "alembic_version", "app.versions"
    )
    files = {
        "up.sql": ("CREATE SCHEMA app;\n\n" + sql.replace("upgrade  ->", "upgrade None ->") + "COMMIT;").replace(
            "\n", "\r\n"
        ),
        "down.sql": "-- Running downgrade a1 -> None\n\nDROP TABLE app.users;\n\nDROP SCHEMA app;\n\n"
        "DELETE FROM app.versions WHERE app.versions.version_num = 'a1';\n\nDROP TABLE app.versions;\n",
        "notes.sql": "SELECT 1;",
    }
    found = imported(tmp_path, files, database)
    assert found.proof is not None and found.proof.is_whole and found.proof.rolled_back == 1
    assert "\nCREATE SCHEMA app;\n\nCREATE TABLE app.users" in text_of(tmp_path, "0001_a1.sql")
    notes = "\n".join((*found.files[0].notes, *found.left_out))
    for said in ("stands before the first revision", "%% stands here", "in app.versions here", "notes.sql"):
        assert said in notes
