"""What check says of a key that sets NULL or a default is what PostgreSQL does when the key acts.

A case is the child's columns, with the key's action.  "error" is said only where the action fails for every row that
the table can hold, "warning" where it fails for some; "clean" only where it succeeds for all.
"""

from __future__ import annotations

import psycopg
import pytest

from wflo_schema.check.contract_file import parse_contract
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.spread_over_servers

NULL, DEFAULT, BOTH = "SET NULL", "SET DEFAULT", "parent_id int, other_id int"

ERRORS = {
    "not null": ("parent_id int NOT NULL", NULL),
    "primary key": ("parent_id int PRIMARY KEY", NULL),
    "not null and no default": ("parent_id int NOT NULL", DEFAULT),
    "not null and the default is NULL": ("parent_id int NOT NULL DEFAULT NULL", DEFAULT),
    "a domain": ("parent_id whole", NULL),
    "a domain over a domain": ("parent_id positive", NULL),
    "check": ("parent_id int CHECK (parent_id IS NOT NULL)", NULL),
    "check of one of two": (f"{BOTH}, CHECK (num_nonnulls(parent_id, other_id) = 1)", NULL),
    "check of the missing of two": (f"{BOTH}, CHECK (num_nulls(parent_id, other_id) = 1)", NULL),
    "check of one of two by a sum": (
        f"{BOTH}, CHECK ((parent_id IS NOT NULL)::int + (other_id IS NOT NULL)::int = 1)",
        NULL,
    ),
    "check of one of two by <>": (f"{BOTH}, CHECK ((parent_id IS NULL) <> (other_id IS NULL))", NULL),
    "check of both or none": (f"{BOTH} DEFAULT 5, CHECK ((parent_id IS NULL) = (other_id IS NULL))", NULL),
    "check of the default": ("parent_id int DEFAULT 0 CHECK (parent_id <> 0)", DEFAULT),
    "check of what stands for NULL": ("parent_id int CHECK (coalesce(parent_id, -1) > 0)", NULL),
    "generated, of NULL": ("parent_id int, twice int GENERATED ALWAYS AS (parent_id) STORED NOT NULL", NULL),
}

WARNINGS = {
    "check of a state": (
        "parent_id int, state text DEFAULT 'sent', CHECK (parent_id IS NOT NULL OR state = 'draft')",
        NULL,
    ),
    "check of one at least": (f"{BOTH}, CHECK (parent_id IS NOT NULL OR other_id IS NOT NULL)", NULL),
    "check by a function": ("parent_id int CHECK (coalesce(abs(parent_id), -1) > 0)", NULL),
    "generated, of who knows": ("parent_id int, twice int GENERATED ALWAYS AS (parent_id * 2) STORED NOT NULL", NULL),
    "check, and a trigger mends it": ("parent_id int CHECK (parent_id IS NOT NULL)", NULL),
}

CLEAN = {
    "nullable": ("parent_id int", NULL),
    "check that NULL passes": ("parent_id int CHECK (parent_id > 0)", NULL),
    "check of other columns": ("parent_id int, state text CHECK (state IS NULL OR state <> '')", NULL),
    "not null with a default": ("parent_id int NOT NULL DEFAULT 0", DEFAULT),
    "check of another default": ("parent_id int DEFAULT 0 CHECK (parent_id IS NOT NULL)", DEFAULT),
    "not null of another column": ("parent_id int, other_id int NOT NULL DEFAULT 1", NULL),
    "generated, never NULL": ("parent_id int, lone bool GENERATED ALWAYS AS (parent_id IS NULL) STORED NOT NULL", NULL),
    "a domain with NULL": ("parent_id loose", NULL),
    "not null, and it cascades": ("parent_id int NOT NULL CHECK (parent_id IS NOT NULL)", "CASCADE"),
}  # fmt: skip

BEFORE = """
CREATE DOMAIN whole AS int NOT NULL; CREATE DOMAIN positive AS whole CHECK (VALUE > 0);
CREATE DOMAIN loose AS int CHECK (VALUE > 0);
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (0), (1);
"""


def _weights_and_truth(database: Database, columns: str, action: str, more: str = "") -> tuple[list[str], bool]:
    contract = parse_contract(
        f'[[foreign_key]]\nname = "child_fk"\nfrom = "child(parent_id)"\nto = "parent(id)"\non_delete = "{action}"\n'
    )
    key = f"CONSTRAINT child_fk FOREIGN KEY (parent_id) REFERENCES parent ON DELETE {action}"
    with database.connect() as connection:
        connection.execute(f"{BEFORE} CREATE TABLE child (id int, {columns}, {key}); {more}".encode())
        found = check_database(database, contract, only=("contract",)).findings
        connection.execute("INSERT INTO child (id, parent_id) VALUES (1, 1)")
        try:
            connection.execute("DELETE FROM parent WHERE id = 1")
        except psycopg.errors.IntegrityError:
            return [f"{f.severity}: {f.code}" for f in found], False
        return [f"{f.severity}: {f.code}" for f in found], True


@pytest.mark.parametrize("name", ERRORS)
def test_an_action_that_the_table_always_refuses_is_an_error(database: Database, name: str) -> None:
    assert _weights_and_truth(database, *ERRORS[name]) == (["error: key-action-refused"], False)


@pytest.mark.parametrize("name", WARNINGS)
def test_an_action_that_the_table_refuses_for_some_rows_is_a_warning(database: Database, name: str) -> None:
    more = """
        CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.parent_id IS NULL THEN NEW.parent_id := 0; END IF; RETURN NEW; END';
        CREATE TRIGGER mend BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION mend();
    """
    is_mended = "mends" in name
    said, is_done = _weights_and_truth(database, *WARNINGS[name], more if is_mended else "")

    assert ("warning: key-action-maybe-refused" in said, is_done) == (True, is_mended)


@pytest.mark.parametrize("name", CLEAN)
def test_an_action_that_the_table_accepts_is_no_finding(database: Database, name: str) -> None:
    assert _weights_and_truth(database, *CLEAN[name]) == ([], True)
