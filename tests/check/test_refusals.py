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
    "check by a function": ("parent_id int CHECK (coalesce(abs(parent_id), -1) > 0)", NULL),
    "check of a generated column": (
        "parent_id int, twice int GENERATED ALWAYS AS (parent_id * 2) STORED CHECK (twice IS NOT NULL)",
        NULL,
    ),
    "check of a generated column and another": (
        f"{BOTH}, has bool GENERATED ALWAYS AS (parent_id IS NOT NULL) STORED, CHECK (has <> (other_id IS NOT NULL))",
        NULL,
    ),
    "a domain's check": ("parent_id given", NULL),
    "a domain's check of the default": ("parent_id loose DEFAULT 0", DEFAULT),
    "a domain's default, and check": ("parent_id zero CHECK (parent_id > 0)", DEFAULT),
    "generated, of a product": ("parent_id int, twice int GENERATED ALWAYS AS (parent_id * 2) STORED NOT NULL", NULL),
    "generated, of NULL": ("parent_id int, twice int GENERATED ALWAYS AS (parent_id) STORED NOT NULL", NULL),
}

WARNINGS = {
    "check of a state": (
        "parent_id int, state text DEFAULT 'sent', CHECK (parent_id IS NOT NULL OR state = 'draft')",
        NULL,
    ),
    "check of one at least": (f"{BOTH}, CHECK (parent_id IS NOT NULL OR other_id IS NOT NULL)", NULL),
    "check by an unknown function": ("parent_id int CHECK (coalesce(own(parent_id), -1) > 0)", NULL),
    "check by a namesake": ("parent_id int CHECK (other.length(parent_id::text) < 4)", NULL),
    "generated, of who knows": ("parent_id int, own int GENERATED ALWAYS AS (own(parent_id)) STORED NOT NULL", NULL),
    "check, and a trigger mends it": ("parent_id int CHECK (parent_id IS NOT NULL)", NULL),
}

CLEAN = {
    "nullable": ("parent_id int", NULL),
    "check that NULL passes": ("parent_id int CHECK (parent_id > 0)", NULL),
    "check of its length": ("parent_id int CHECK (length(parent_id::text) < 4)", NULL),
    "check by a pattern": ("parent_id int CHECK (parent_id::text ~ '^[0-9]+$')", NULL),
    "check by arithmetic": (f"{BOTH}, CHECK (parent_id % 2 + other_id > 0 OR parent_id - 1 >= 0)", NULL),
    "check of one of a list": ("parent_id int CHECK (parent_id IN (0, 1))", NULL),
    "check of one of a list of texts": ("parent_id int CHECK (parent_id::varchar IN ('0', '1'))", NULL),
    "check of a generated column that NULL passes": (
        "parent_id int, twice int GENERATED ALWAYS AS (parent_id * 2) STORED CHECK (twice > 0)",
        NULL,
    ),
    "the domain's default": ("parent_id zero", DEFAULT),
    "check of a column with a like name": ("parent_id int, parent_id_kind text CHECK (parent_id_kind ~ 'x')", NULL),
    "check of another, and a generated column": (
        "parent_id int, n bool GENERATED ALWAYS AS (parent_id IS NULL) STORED, note text CHECK (length(note) > 0)",
        NULL,
    ),
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
CREATE DOMAIN loose AS int CHECK (VALUE > 0); CREATE DOMAIN given AS int CHECK (VALUE IS NOT NULL);
CREATE DOMAIN zero AS int NOT NULL DEFAULT 0;
CREATE SCHEMA other; CREATE FUNCTION other.length(text) RETURNS int IMMUTABLE LANGUAGE sql AS
    'SELECT coalesce(char_length($1), 9)';
CREATE FUNCTION own(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
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


CANCELLING = {
    "a trigger": """CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF OLD.id > 1 THEN RETURN NULL; END IF; RETURN NEW; END';
        CREATE TRIGGER cancel BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION cancel();""",
    "a rule": "CREATE RULE cancel AS ON UPDATE TO child WHERE OLD.id > 1 DO INSTEAD NOTHING;",
}


@pytest.mark.parametrize("name", CANCELLING)
def test_what_is_cancelled_for_some_rows_is_not_always_refused(database: Database, name: str) -> None:
    said, is_done = _weights_and_truth(database, "parent_id int NOT NULL", NULL, CANCELLING[name])

    assert ("warning: key-action-maybe-refused" in said, "error: key-action-refused" in said) == (True, False)
    assert not is_done


PARTITIONED = """
CREATE TABLE child (id int, parent_id int {more} CONSTRAINT child_fk REFERENCES parent ON DELETE SET NULL)
    PARTITION BY RANGE (id);
CREATE TABLE child_1 PARTITION OF child FOR VALUES FROM (1) TO (2); CREATE TABLE child_2 PARTITION OF child DEFAULT;
CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
INSERT INTO parent VALUES (2); INSERT INTO child VALUES (1, 1), (2, 2);
"""
OF_A_PARTITION = {
    "refused by all": ("NOT NULL", "", True),
    "refused by all, and cancelled by one": (
        "NOT NULL",
        "CREATE TRIGGER cancel BEFORE UPDATE ON child_2 FOR EACH ROW EXECUTE FUNCTION cancel()",
        False,
    ),
    "refused by one": ("", "ALTER TABLE child_1 ALTER parent_id SET NOT NULL", False),
}


@pytest.mark.parametrize("name", OF_A_PARTITION)
def test_what_one_partition_does_is_not_said_of_all_rows(database: Database, name: str) -> None:
    more, statement, is_always = OF_A_PARTITION[name]
    contract = parse_contract(
        '[[foreign_key]]\nname = "child_fk"\nfrom = "child(parent_id)"\nto = "parent(id)"\non_delete = "SET NULL"\n'
    )
    with database.connect() as connection:
        connection.execute(f"{BEFORE} {PARTITIONED.replace('{more}', more)} {statement}".encode())
        found = {f.code for f in check_database(database, contract, only=("contract",)).findings}
        with pytest.raises(psycopg.errors.NotNullViolation):
            connection.execute("DELETE FROM parent WHERE id = 1")
        is_refused = False
        try:
            connection.execute("DELETE FROM parent WHERE id = 2")
        except psycopg.errors.NotNullViolation:
            is_refused = True

    assert ("key-action-refused" in found, "key-action-maybe-refused" in found) == (is_always, not is_always)
    assert is_refused == is_always


def test_a_check_that_rows_from_before_may_break_is_not_said_to_refuse_all(database: Database) -> None:
    check = "(num_nonnulls(parent_id, other_id) = 1) NOT VALID"
    said, is_done = _weights_and_truth(database, BOTH, NULL, f"ALTER TABLE child ADD CHECK {check};")

    assert (said, is_done) == (["warning: key-action-maybe-refused"], False)


def test_the_default_that_counts_is_that_of_the_table_not_of_its_partition(database: Database) -> None:
    contract = parse_contract(
        '[[foreign_key]]\nname = "child_fk"\nfrom = "child(parent_id)"\nto = "parent(id)"\non_delete = "SET DEFAULT"\n'
    )
    with database.connect() as connection:
        connection.execute(
            f"""{BEFORE}
            CREATE TABLE child (id int, parent_id int NOT NULL DEFAULT 0
                CONSTRAINT child_fk REFERENCES parent ON DELETE SET DEFAULT) PARTITION BY RANGE (id);
            CREATE TABLE child_1 PARTITION OF child DEFAULT;
            ALTER TABLE child_1 ALTER parent_id SET DEFAULT NULL;
            INSERT INTO child VALUES (1, 1)""".encode()
        )
        connection.execute("DELETE FROM parent WHERE id = 1")
        assert check_database(database, contract, only=("contract",)).findings == ()


TWO = {
    "a part to NULL": ("a int, b int", "SET NULL (b)", True),
    "a part to a default": ("a int DEFAULT 0, b int", "SET DEFAULT", True),
    "a part of its own": ("a int, b int DEFAULT 0", "SET DEFAULT (a)", True),
    "all to NULL": ("a int, b int", "SET NULL", False),
    "all to defaults": ("a int DEFAULT 0, b int DEFAULT 0", "SET DEFAULT", False),
}


@pytest.mark.parametrize("name", TWO)
def test_a_part_of_a_key_that_is_match_full_cannot_be_null_alone(database: Database, name: str) -> None:
    columns, action, is_refused = TWO[name]
    contract = parse_contract(
        '[[foreign_key]]\nname = "child_fk"\nfrom = "child(a, b)"\nto = "parent(a, b)"\nmatch = "FULL"\n'
        f'on_delete = "{action}"\n'
    )
    with database.connect() as connection:
        connection.execute(
            f"""
            CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b)); INSERT INTO parent VALUES (0, 0), (1, 1);
            CREATE TABLE child (id int, {columns},
                CONSTRAINT child_fk FOREIGN KEY (a, b) REFERENCES parent MATCH FULL ON DELETE {action});
            INSERT INTO child VALUES (1, 1, 1)""".encode()
        )
        found = check_database(database, contract, only=("contract",)).findings
        assert [f.code for f in found] == ["key-action-refused"] * is_refused
        try:
            connection.execute("DELETE FROM parent WHERE a = 1")
        except psycopg.errors.ForeignKeyViolation:
            assert is_refused
        else:
            assert not is_refused
