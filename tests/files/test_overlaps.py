"""What one file changes and another names: whether they may run in either order."""

from __future__ import annotations

import pytest

from wflo_schema.files.directives import read_directives
from wflo_schema.files.overlaps import Uses
from wflo_schema.files.script import Script, split_statements


def overlap(one: str, other: str) -> str:
    """What both have to do with, which is the same whichever comes first."""
    uses = [
        Uses(Script(n, t.encode(), "", split_statements(n, t.encode()), read_directives(n, t)))
        for n, t in (("one", one), ("other", other))
    ]
    found = {bool(uses[0].overlap(uses[1])), bool(uses[1].overlap(uses[0]))}
    assert len(found) == 1
    return str(uses[0].overlap(uses[1]) or "")


BOUND = {
    "a column that is dropped and read": ("ALTER TABLE t DROP COLUMN old", "UPDATE t SET x = old", "t.old"),
    "a column that a view of all has": ("ALTER TABLE t DROP old", "CREATE VIEW v AS SELECT * FROM t", "t.old"),
    "a column that a table like it has": ("ALTER TABLE t DROP old", "CREATE TABLE u (LIKE t)", "t.old"),
    "a column that a row without names has": ("INSERT INTO t VALUES (1)", "ALTER TABLE t ADD c int", "t.c"),
    "a column in a function's body": (
        "ALTER TABLE t DROP old",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT old FROM t $$",
        "t.old",
    ),
    "a column in a text": (
        "DO $$ BEGIN EXECUTE 'ALTER TABLE t DROP old'; END $$",
        "ALTER TABLE t ADD old int",
        "t.old",
    ),
    "a column that is filled and then required": ("UPDATE t SET c = a", "ALTER TABLE t ALTER c SET NOT NULL", "t.c"),
    "a column that is renamed": ("CREATE INDEX i ON t (a)", "ALTER TABLE t RENAME a TO b", "t.a"),
    "a table that is dropped": ("CREATE INDEX i ON t (a)", "DROP TABLE t", "t"),
    "a table that is renamed": ("CREATE INDEX i ON t (a)", "ALTER TABLE t RENAME TO u", "t"),
    "a table that moves": ("CREATE INDEX i ON t (a)", "ALTER TABLE t SET SCHEMA s", "t"),
    "a table that is made": ("CREATE TABLE a.t ()", "ALTER TABLE t ADD x int", "a.t"),
    "a table filled from another": ("CREATE TABLE t AS SELECT 1", "DROP TABLE t", "t"),
    "a schema": ("DROP SCHEMA s", "CREATE TABLE s.x ()", "s"),
    "a constraint": ("ALTER TABLE t VALIDATE CONSTRAINT fk", "ALTER TABLE t DROP CONSTRAINT fk", "fk"),
    "a constraint that is added": (
        "ALTER TABLE t ADD CONSTRAINT q CHECK (a > 0)",
        "COMMENT ON CONSTRAINT q ON t IS ''",
        "q",
    ),
    "a constraint that is renamed": (
        "ALTER TABLE t VALIDATE CONSTRAINT a",
        "ALTER TABLE t RENAME CONSTRAINT a TO b",
        "a",
    ),
    "a function": ("DROP FUNCTION f()", "CREATE VIEW v AS SELECT f()", "f"),
    "a value of an enum": ("ALTER TYPE mood ADD VALUE 'bad'", "INSERT INTO t (m) VALUES ('bad')", "bad"),
    "a foreign table": ("CREATE FOREIGN TABLE ft (a int) SERVER s", "DROP FOREIGN TABLE ft", "ft"),
    "a name in quotes": ('ALTER TABLE "T" DROP "Old"', 'UPDATE "T" SET "Old" = 1', "T.Old"),
}


@pytest.mark.parametrize("case", BOUND)
def test_files_that_have_to_do_with_one_thing_are_bound(case: str) -> None:
    one, other, what = BOUND[case]
    assert overlap(one, other) == what


FREE = {
    "other columns": ("ALTER TABLE t DROP COLUMN old", "ALTER TABLE t ADD COLUMN neu int"),
    "a column of another table": ("ALTER TABLE t DROP COLUMN old", "ALTER TABLE u ADD COLUMN old int"),
    "a count of rows": ("ALTER TABLE t DROP old", "CREATE VIEW v AS SELECT count(*) FROM t"),
    "a row with names": ("INSERT INTO t (a) VALUES (1)", "ALTER TABLE t ADD c int"),
    "a table of another schema": ("DROP TABLE a.t", "ALTER TABLE b.t ADD x int"),
    "a name in a comment": ("ALTER TABLE t DROP old", "-- t has no old any more\nSELECT 1"),
    "a name in another case": ('ALTER TABLE "T" DROP a', "UPDATE t SET a = 1"),
    "an index of the same column": ("CREATE INDEX i ON t (a)", "CREATE INDEX j ON t (a)"),
    "what does not parse": ("ALTER TABLE t FLY", "ALTER TABLE t ADD a int"),
}


@pytest.mark.parametrize("case", FREE)
def test_files_that_have_to_do_with_different_things_are_free(case: str) -> None:
    assert overlap(*FREE[case]) == ""


def test_long_statement_that_brings_rows_is_not_looked_into() -> None:
    rows = ", ".join(["('old')"] * 60_000)
    assert overlap(f"INSERT INTO t VALUES {rows}", "ALTER TABLE t DROP old") == ""
