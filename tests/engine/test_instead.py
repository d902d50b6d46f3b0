"""What is said to a statement that kept others waiting for too long."""

from __future__ import annotations

import pytest

from wflo_schema.engine.instead import instead_of

KINDS = {
    "CREATE INDEX i ON t (a)": ("CREATE INDEX CONCURRENTLY", "--recipe index"),
    "CREATE /* x */ UNIQUE INDEX i ON t (a)": ("CREATE UNIQUE INDEX CONCURRENTLY", "--recipe index"),
    "REINDEX TABLE t": ("REINDEX … CONCURRENTLY",),
    "DROP INDEX t": ("DROP INDEX CONCURRENTLY",),
    "REFRESH MATERIALIZED VIEW t": ("REFRESH MATERIALIZED VIEW CONCURRENTLY",),
    "ALTER TABLE s.t ALTER a SET NOT NULL": ("NOT VALID here, and VALIDATE", "--recipe not-null"),
    "ALTER TABLE t ADD CHECK (a > 0)": ("ADD CHECK … NOT VALID", "--recipe check"),
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u": ("ADD FOREIGN KEY … NOT VALID", "--recipe foreign-key"),
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)": ("USING INDEX", "--recipe unique"),
    "ALTER TABLE t ADD PRIMARY KEY (a)": ("USING INDEX", "--recipe unique"),
    "ALTER TABLE t ALTER a TYPE bigint": ("add a new column", "--recipe change-type"),
    "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()": ("ADD COLUMN without the default", "--recipe add-column"),
    "ALTER TABLE t ADD a int, ALTER b SET NOT NULL": ("--recipe add-column", "--recipe not-null"),
    "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)": ("before it is attached", "--recipe partition"),
    "UPDATE t SET a = 1": ("in batches", "--recipe backfill"),
    "DELETE FROM t": ("in batches", "--recipe backfill"),
    "WITH x AS (SELECT 1) SELECT FROM t": ("a migration of its own",),
    "ALTER TABLE t SOMETHING NEW": ("a migration of its own",),
    "": ("a migration of its own",),
}


@pytest.mark.parametrize("text", KINDS)
def test_the_way_out_is_that_of_the_statement(text: str) -> None:
    said = instead_of(text, "t", ["LOCK TABLE u"])
    assert all(part in said for part in KINDS[text]), said
    assert said.endswith("; or, where a longer stop is meant, -- block-timeout: 30s")
    assert "an earlier one" not in said


@pytest.mark.parametrize("table", ["t", 's."T"', "s.t"])
def test_a_statement_that_does_not_name_what_others_wait_for_is_told_to_go_apart(table: str) -> None:
    said = instead_of("UPDATE u SET a = 1", table, ["SELECT 1", f"LOCK TABLE {table}"])
    assert said.startswith(f"give this statement a migration of its own: an earlier one has locked {table} until")
    assert "in batches" in said
    assert "an earlier one" not in instead_of("UPDATE t SET a = 1", "", ["LOCK TABLE t"])


def test_a_statement_that_locks_more_than_it_names_is_not_told_of_an_earlier_one() -> None:
    assert "an earlier one" not in instead_of("ALTER TABLE t ADD CHECK (a > 0)", "t_2025", ["LOCK TABLE t"])
