"""What is printed holds no password, wherever it stood."""

from __future__ import annotations

import pytest

from tests.engine.test_operations import Folder, folder
from wflo_schema.engine.events import Notice, Retrying, Waiting
from wflo_schema.engine.locks import LockOptions
from wflo_schema.errors import WfloSchemaError
from wflo_schema.show.text import error_json, error_text, event_text

__all__ = ["folder"]

pytestmark = pytest.mark.one_server

# Statements that fail, each with the password s3cret.
STATEMENTS = (
    "ALTER ROLE nobody_here PASSWORD 's3cret'",
    "ALTER ROLE nobody_here ENCRYPTED PASSWORD E's3cret'",
    "ALTER ROLE nobody_here PASSWORD 's3cret''s3cret'",
    "CREATE USER MAPPING FOR postgres SERVER nowhere OPTIONS (user 'a', password 's3cret')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 password=s3cret dbname=d' PUBLICATION p WITH (nonsense)",
    "SELECT nofunction('postgresql://app:s3cret@host/name')",
    "DO $do$ BEGIN EXECUTE $x$ALTER ROLE nobody_here PASSWORD 's3cret'$x$; END $do$",
    "DO $do$ BEGIN ALTER ROLE nobody_here PASSWORD $$s3cret$$; END $do$",
)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_password_in_a_statement_that_fails_is_not_shown(folder: Folder, statement: str) -> None:
    folder.write("1_a", f"CREATE TABLE a ();\n{statement};\n")
    with pytest.raises(WfloSchemaError) as caught:
        folder.migrate()
    failed = caught.value
    text, as_json = error_text(failed), error_json(failed)
    assert "s3cret" not in text and "s3cret" not in as_json
    assert statement.split()[0] in text and "1_a.sql:2" in text


def test_password_in_a_statement_that_was_interrupted_is_not_shown(folder: Folder) -> None:
    folder.write(
        "1_a", "-- transactional: false\nCREATE TEMP TABLE t AS SELECT 'password=s3cret' AS x;\nSELECT nocolumn;\n"
    )
    folder.fail()
    with pytest.raises(WfloSchemaError) as caught:
        folder.migrate()
    assert "CREATE TEMP TABLE t" in error_text(caught.value)
    assert "s3cret" not in error_text(caught.value) + error_json(caught.value)


@pytest.mark.parametrize("text", ["password=s3cret", "ALTER ROLE a PASSWORD ''s3cret''", "postgresql://a:s3cret@h/d"])
def test_password_in_a_notice_is_not_shown(folder: Folder, text: str) -> None:
    folder.write("1_a", f"DO $$ BEGIN RAISE WARNING 'told: {text}'; END $$")
    folder.migrate()
    (said,) = [event_text(event) for event in folder.events if isinstance(event, Notice)]
    assert said.startswith("  warning: told: ") and "******" in said and "s3cret" not in said


def test_password_in_what_a_blocker_runs_is_not_shown(folder: Folder) -> None:
    folder.write("1_a", "CREATE TABLE a ();")
    folder.migrate()
    folder.write("2_b", "ALTER TABLE a ADD b int;")
    with folder.database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE a")
        other.execute("SELECT 'password=s3cret'")
        error = folder.fail(locks=LockOptions(300, 0.5))
    said = "".join(event_text(e) for e in folder.events if isinstance(e, Waiting | Retrying)) + error_text(error)
    assert "SELECT 'password=" in said and "s3cret" not in said


def test_a_password_that_is_hidden_leaves_the_mark_below_its_place(folder: Folder) -> None:
    folder.write("1_a", "SELECT 'password=s3cret', nocolumn")
    lines = error_text(folder.fail()).splitlines()
    at = next(n for n, line in enumerate(lines) if "nocolumn" in line and "|" in line)
    assert lines[at + 1].index("^") == lines[at].index("nocolumn")
